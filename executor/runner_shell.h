/* executor/runner_shell.h -- a command of the user's for each node (executor/template.h).
 *
 * The command runs in `dir`, with ours and the template's variables in its environment, and
 * HEDDLE_ATTEMPT (1 = first). Its output is kept for the message: of a command that went well the
 * last line, of one that did not the end. What became of the node follows from how it ended:
 *
 *   0               success; a test: pass
 *   1, of a test    fail, unless its output tells of a transient error
 *   75              error, transient (EX_TEMPFAIL of sysexits.h)
 *   128 + n, n a signal, or ended by it    error, worker lost: the outcome is unknown
 *   any other       error, of the class its output tells (executor/classify.h), else command failed
 *
 * Exposures and saved queries run nothing: they are no-op, as for dbt.
 * cancel() (stop, timeout): SIGINT to the group, SIGTERM after half of the grace, then SIGKILL.
 * Thread: run and cancel from any thread. */
#ifndef HEDDLE_EXECUTOR_RUNNER_SHELL_H
#define HEDDLE_EXECUTOR_RUNNER_SHELL_H

#include <stdint.h>

#include "executor/runner.h"
#include "util/err.h"

struct shell_options {
	const char *command;          /* the template */
	const char *const *env;       /* NAME=VALUE for every command, NULL-ended, or NULL */
	const char *dir;              /* working directory, or NULL = ours */
	const char *adapter;          /* for the classes of errors; or NULL */
	unsigned nthreads;            /* job->thread is below */
	int64_t grace_ms;             /* 0 = 10 s */
};

struct shell_runner;

/* Strings are copied. NULL: err (the template, or its program is not on PATH). */
struct shell_runner *shell_runner_new(const struct shell_options *o, struct err *err);
struct runner shell_runner(struct shell_runner *r);
/* Every command inherits it as descriptor 3 (executor/lock.h). Before the first one; -1 = none. */
void shell_runner_share_lock(struct shell_runner *r, int lock_fd);
void shell_runner_free(struct shell_runner *r);             /* NULL is fine */

/* Runs nothing: every node succeeds, with its command line as message. */
struct runner shell_runner_dry(struct shell_runner *r);

#endif
