/* executor/runner_cli.h -- one dbt command a node, for a dbt that is not dbt-core in Python.
 *
 * Each node runs `dbt VERB --select fqn:...` with a target path of its own, seeded with the
 * project's partial_parse.msgpack; the result is read from the run_results.json written there. A
 * node that is not in it (an empty selection) is an error. cancel() sends SIGINT, and kills the
 * process group when that has not ended it within grace_ms.
 * Hooks run once a command, that is once a node.
 * Thread: run and cancel from any thread. */
#ifndef HEDDLE_EXECUTOR_RUNNER_CLI_H
#define HEDDLE_EXECUTOR_RUNNER_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "util/err.h"

struct cli_options {
	const char *const *dbt;       /* the command: {"dbt", NULL}, {"uv", "run", "dbt", NULL} */
	const char *const *args;      /* of every call: {"--target", "ci", NULL} */
	const char *const *env;       /* NAME=VALUE on top of ours, NULL-ended, or NULL */
	const char *dir;              /* working directory, or NULL = ours */
	const char *target_path;      /* the project's; nodes get <target_path>/heddle/nodes/<n> */
	unsigned nthreads;            /* job->thread is below */
	int64_t grace_ms;             /* 0 = 10 s */
	int lock_fd;                  /* inherited by every dbt (executor/lock.h); -1 = none */
};

struct cli_runner;

/* Strings are copied. NULL: err. */
struct cli_runner *cli_runner_new(const struct cli_options *o, struct err *err);
struct runner cli_runner(struct cli_runner *r);
void cli_runner_free(struct cli_runner *r);   /* removes the target paths it made */

#endif
