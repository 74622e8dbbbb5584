/* cli/project.h -- where a dbt project and its files are, for commands that only read.
 * Rules: dbt-core 1.11 cli/resolvers.py, config/project.py. Thread: main.
 */
#ifndef HEDDLE_CLI_PROJECT_H
#define HEDDLE_CLI_PROJECT_H

#include <stdbool.h>

#include "util/arena.h"
#include "util/err.h"
#include "util/ytree.h"

#define PROJECT_FILE "dbt_project.yml"
/* See state_new(). */
#define STATE_AS_WRITTEN "state_modified_compare_more_unrendered_values"

struct project {
	char *dir;             /* with dbt_project.yml in it, or just the working folder */
	char *target;          /* target folder */
	char *manifest;
	char *selectors_file;  /* NULL: there is none */
	const struct ynode *settings;   /* dbt_project.yml; NULL: not there, or no YAML */
	struct arena arena;    /* of the settings */
};

/* What was given on the command line; NULL: not. */
struct project_given {
	const char *project_dir, *target_path, *manifest, *selectors_file;
};

/* Fills p from what was given, the environment (DBT_PROJECT_DIR, DBT_TARGET_PATH), the project
 * file and dbt's defaults. Nothing need exist. Caller: project_release(). */
void project_find(struct project *p, const struct project_given *given);
void project_release(struct project *p);

/* The value given, else that of the environment: DBT_ENGINE_<name>, then DBT_<name>; or NULL. */
const char *project_env(const char *given, const char *name);

/* Like fs_join(), but names in the folder "." stay as short as the user would write them. */
char *project_path(const char *dir, const char *name);

bool project_has(const char *dir, const char *name);    /* is there such a file? */

/* A text of dbt_project.yml: `key`, or `key` under `section`. Borrowed from p; NULL when it is not
 * there, empty, or rendered by Jinja. */
const char *project_setting(const struct project *p, const char *section, const char *key);

/* Whether `flags:` switches it on. */
bool project_flag(const struct project *p, const char *key);

/* A file of the project that was changed after the manifest was written; new string, caller frees.
 * NULL: none. Looks at dbt_project.yml and its like, and at SQL, Python, CSV, YAML and Markdown
 * files in the folders dbt reads (model-paths, ...). In project_files.c. */
char *project_newer_file(const struct project *p);

#endif
