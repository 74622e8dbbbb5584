/* tests/executor/one_run.h -- one run of the scheduler in the simulated pool.
 *
 *   struct run *r = prepare("model a\nmodel b: a\n", "a: transient ok", PLAN_RUN, 2);
 *   task(r, "a")->policy.max_attempts = 2;  r->o.fail_fast = true;     as the test needs them
 *   go(r);
 *   check_ends(r, "a success, b success");
 *   finish(r);
 *
 * The graph is told as in tests/tiny.h, the runner's script as in fake_runner.h. Every event is
 * checked as it comes: the step is legal, and in the end each task has ended once.
 */
#ifndef HEDDLE_TESTS_ONE_RUN_H
#define HEDDLE_TESTS_ONE_RUN_H

#include "executor/schedule.h"
#include "tests/executor/fake_runner.h"
#include "util/buf.h"

/* One run: what the graph is, what the runner does, and all that was told. */
struct run {
	struct graph *g;
	struct plan *p;
	struct fake *f;
	struct schedule *s;
	struct schedule_options o;
	struct schedule_summary sum;
	struct observer observer;
	struct buf log;          /* EVENT_LOG lines */
	struct buf steps;        /* "a:running a:done" */
	size_t nended, nticks;
	const char *break_at;    /* the observer fails at this step: "b:running" */
	struct err err;
	int rc;
};

/* Everything in the graph, at most 3 attempts with 1 s, 2 s between them, no signals. */
struct run *prepare(const char *graph, const char *script, enum plan_command c, unsigned nthreads);
void go(struct run *r);
void finish(struct run *r);

struct task *task(struct run *r, const char *name);                  /* to be changed before go() */
const struct run_task *ended(struct run *r, const char *name);       /* after go() */

/* "a success, b error": every task's end, in order of ids; `!` when it never ran. */
void check_ends(struct run *r, const char *expected);
void check_text(const char *text, const char *part);                 /* part is in text */

#endif
