/* executor/runner_cli.h -- one dbt command a node, for a dbt that is not dbt-core in Python.
 *
 * Each node runs `dbt VERB --select fqn:...` with a target path of its own, seeded with the
 * project's partial_parse.msgpack; the result is read from the run_results.json written there. A
 * node that is not in it (an empty selection) is an error. A source is checked by `dbt source
 * freshness`, and its verdict read from the sources.json written there. cancel() sends SIGINT, and
 * kills the process group when that has not ended it within grace_ms.
 * Hooks run once a command, that is once a node.
 * Thread: run and cancel from any thread. */
#ifndef HEDDLE_EXECUTOR_RUNNER_CLI_H
#define HEDDLE_EXECUTOR_RUNNER_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "util/err.h"

/* What every call of a command is given: not all of them know every option. */
struct cli_args {
	const char *command;          /* "run", "test", ...; "source" is source freshness */
	const char *const *words;     /* {"--target", "ci", NULL} */
};

struct cli_options {
	const char *const *dbt;       /* the command: {"dbt", NULL}, {"uv", "run", "dbt", NULL} */
	/* ended by a NULL; a command that is not there is given none */
	const struct cli_args *args;
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
