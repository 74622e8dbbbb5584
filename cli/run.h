/* cli/run.h -- the main job: a project's nodes through dbt, one task each.
 *
 *   struct run_request rq = RUN_REQUEST_INIT;  (command, options, dbt's arguments)
 *   code = run_project(&rq, &err);
 *
 * dbt's arguments go to the worker as they are; dbt resolves them together with its environment
 * variables and the project's flags, and what heddle must know of it comes back (cli/run_args.h).
 * Thread: main. */
#ifndef HEDDLE_CLI_RUN_H
#define HEDDLE_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/opts.h"
#include "executor/journal.h"
#include "executor/schedule.h"
#include "executor/stale.h"
#include "graph/plan.h"
#include "util/err.h"

/* Which hooks run: those of the whole, none, or one kind of them and no node. */
#define RUN_HOOKS(X) X(ALL, "all") X(NONE, "none") X(START, "on-run-start") X(END, "on-run-end")

enum run_hooks {
#define X(id, name) HOOKS_##id,
	RUN_HOOKS(X)
#undef X
	NRUN_HOOKS
};

const char *run_hooks_name(enum run_hooks h);   /* "on-run-start" */

struct run_request {
	enum plan_command command;
	enum run_hooks hooks;
	struct words dbt;              /* arguments for dbt, verb first */
	bool dry_run;                  /* say what would run, run nothing */
	bool fail_if_empty;            /* an empty selection is an error */
	bool rerun_unknown;            /* retry appending nodes whatever became of their commit */
	bool no_board;                 /* a line a node on a terminal too */
	bool freshness;                /* check the sources that the selection comes from, too */
	enum stale_rule skip_stale;    /* what need not run when they are stale */
	/* continue the unfinished run of the same settings, if any */
	bool resume;
	/* of a continued run: a failed test's model runs again first */
	bool rebuild_tested;
	const char *state_dir;         /* folder of the journals, or NULL: in the target folder */
	const struct journal_run *earlier;   /* continue this one; or NULL */
	unsigned retries;              /* OPT_NOT_GIVEN: heddle.yml's, or built in */
	int64_t retry_delay_ms, timeout_ms;   /* -1: not given */
	int64_t max_time_ms;           /* 0: none */
	int64_t deadline_ms;           /* wall clock: nothing starts past it; 0: none */
	int64_t grace_ms;
	enum schedule_order order;
	/* "worker", "cli", "shell" (cli/backend.h); NULL: heddle.yml's, or worker */
	const char *runner;
	const char *template;          /* the shell runner's command; NULL: heddle.yml's */
	const char *manifest;          /* for a runner that parses nothing; or NULL: the target's */
	const char *python;            /* or NULL: executor/python.h finds one */
	const char *events;            /* descriptor or file that gets the events, or NULL */
	const char *history;           /* file, or NULL: cli/history_file.h finds one */
};

#define RUN_REQUEST_INIT { .retries = OPT_NOT_GIVEN, .retry_delay_ms = -1, .timeout_ms = -1, \
	.grace_ms = SCHEDULE_GRACE_MS }

/* The exit code; err is filled when there is something to say that was not said yet. */
int run_project(const struct run_request *rq, struct err *err);

#endif
