/* cli/history_file.h -- where the history of a project is kept. */
#ifndef HEDDLE_CLI_HISTORY_FILE_H
#define HEDDLE_CLI_HISTORY_FILE_H

#include "executor/history_read.h"
#include "graph/plan.h"
#include "util/err.h"

/*
 * given (--history) > $HEDDLE_HISTORY > $XDG_STATE_HOME/heddle/PROJECT.db, without that variable
 * ~/.local/state/heddle/PROJECT.db. An empty value keeps no history: *path is NULL then.
 * *path: new string. project: dbt's name of it, or NULL when it is not known.
 */
int history_file(const char *given, const char *project, char **path, struct err *err);

/* For commands that read: the project's name comes from dbt_project.yml in project_dir (NULL: where
 * dbt would look). *project: new string, or NULL. The reader, or NULL with err. */
struct history_reader *history_file_open(const char *given, const char *project_dir, char **project,
    struct err *err);

/* Usual times of the plan's tasks, for commands that run nothing: from the history of the project
 * its manifest names, in the target that ran last. By task; new array; NULL when there are none. */
double *history_file_usual(const struct plan *p);

#endif
