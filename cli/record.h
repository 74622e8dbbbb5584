/* cli/record.h -- what a run's journal keeps of its settings, and which run a `retry` or a
 * `--resume` means. executor/journal.h holds the lines.
 *
 * Settings are a JSON object: "command", "hooks" (unless they all run), "dbt_args" (as typed, verb
 * first), "options" (heddle's own), "args" (dbt's account of its own, resolved from command line,
 * environment, project flags), "threads", "project", "profile", "target", "adapter". Values of
 * secrets are masked.
 * Thread: main. */
#ifndef HEDDLE_CLI_RECORD_H
#define HEDDLE_CLI_RECORD_H

#include <stdbool.h>

#include "cli/run.h"
#include "executor/journal.h"
#include "executor/runner_worker.h"
#include "util/arena.h"
#include "util/err.h"

#define JOURNAL_STATE_SUFFIX ".state"

/* state_dir when given, else TARGET/heddle/runs. New string. */
char *record_dir(const char *state_dir, const char *target_path);

/* The folder that keeps the manifest of a run, beside its record: what a retry compares with. path:
 * of the journal, or of the run_results.json of a run by dbt. New string. */
char *record_manifest_dir(const char *path);

/* New string. */
char *record_settings(const struct run_request *rq, const struct worker_info *info);

/* What the command line of a retry says in place of the record; each may be NULL. */
struct record_given {
	const char *threads, *project_dir, *target_path;
};

/* Fills command, dbt's arguments and options of rq as they were; strings live in `arena`. What rq
 * already has from the command line (retries, delays, timeout, python) stays. 0, or -1 with err:
 * secrets that were not kept. */
int record_restore(struct run_request *rq, struct arena *arena, const char *settings,
    const struct record_given *given, struct err *err);

/* The run to continue: `name` (a file, or its name without folder and suffix), or the newest when
 * NULL. 1 = found and read, 0 = there is none, -1 = err. */
int record_find(struct journal_run *run, const char *dir, const char *name, struct err *err);

/* enum plan_command by its name, or -1. */
int record_command(const char *name);

/* A run that dbt itself wrote to target/run_results.json after the newest one recorded in dir, as
 * if we had recorded it; its path is that file's. Commands that run no nodes of ours (compile,
 * docs) write that file too: they are no runs. 1, 0 or -1 as above. */
int record_find_dbt(struct journal_run *run, const char *dir, const char *target, struct err *err);

/* The newest run of the same settings, when it has not ended well. 1, 0 or -1 as above. */
int record_find_unfinished(struct journal_run *run, const char *dir, const char *settings,
    struct err *err);

/* Refuses to continue on another project, target or adapter than the run's. */
int record_check_target(const char *settings, const struct worker_info *info, struct err *err);

#endif
