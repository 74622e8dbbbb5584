/* run_nodes.c -- carrying the plan out: read run_nodes() at the end first. */
#include "cli/run_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/run_history.h"
#include "executor/runner_dry.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/signals.h"
#include "util/text.h"
#include "util/xalloc.h"

#define BOARD_TICK_MS 100
#define TICK_MS 500     /* how long what has happened may wait for the history's file */
#define MAX_OBSERVERS 8

/* New array; caller frees. */
static struct schedule_slots *
pool_slots(const struct config *c)
{
	struct schedule_slots *v = xcalloc(c->npools, sizeof(*v));

	for (size_t i = 0; i < c->npools; i++)
		v[i] = (struct schedule_slots){ c->pools[i].name, c->pools[i].slots };
	return v;
}

/* --max-time counts from the start of the program. */
static int64_t
stop_after_ms(const struct run *r)
{
	int64_t left = r->rq->max_time_ms - (clock_mono_ms() - r->started_ms);

	return r->rq->max_time_ms == 0 ? 0 : left > 0 ? left : -1;
}

static int
run_schedule(struct run *r, const struct runner *runner, const struct observer *observers,
    size_t nobservers, struct err *err)
{
	struct runner wrapped = transient_runner(r->transient, runner);
	struct schedule_options so = {
		.runner = &wrapped,
		.nthreads = r->info->nthreads,
		.fail_fast = r->info->fail_fast,
		.order = r->rq->order,
		.grace_ms = r->rq->grace_ms,
		.stop_at_ms = r->rq->deadline_ms,
		.stop_after_ms = stop_after_ms(r),
		.tick_ms = run_wants_board(r) ? BOARD_TICK_MS : TICK_MS,
		.seed = (uint64_t)clock_wall_us(),
		.signal_fd = signals_fd(),
		.interactive = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
		.observers = observers,
		.nobservers = nobservers,
	};
	struct schedule_slots *slots;
	int rc;

	so.known = r->known;
	if (r->stale) {
		so.excuse = stale_why;
		so.excuse_self = r->stale;
	}
	so.slots = slots = pool_slots(&r->policies.config);
	so.nslots = r->policies.config.npools;
	r->schedule = schedule_new(r->plan, &so);
	rc = schedule_run(r->schedule, &r->summary, err);
	free(slots);
	return rc;
}

static int
by_end(const void *a, const void *b)
{
	const struct run_task *x = *(const struct run_task *const *)a;
	const struct run_task *y = *(const struct run_task *const *)b;

	if (x->ended_ms != y->ended_ms)
		return x->ended_ms < y->ended_ms ? -1 : 1;
	return (x->task->index > y->task->index) - (x->task->index < y->task->index);
}

/* on-run-end, which sees every node's result, in the order they ended. */
static int
finish_dbt(struct run *r, struct err *err)
{
	const struct worker_end *end = NULL;
	const struct run_task *tasks, **order;
	struct worker_outcome *outcomes;
	size_t n, told = 0;
	int rc;

	tasks = schedule_tasks(r->schedule, &n);
	order = xcalloc(n, sizeof(*order));
	outcomes = xcalloc(n, sizeof(*outcomes));
	for (size_t i = 0; i < n; i++)
		order[i] = &tasks[i];
	if (n)
		qsort(order, n, sizeof(*order), by_end);
	for (size_t i = 0; i < n; i++) {
		const struct run_task *t = order[i];
		bool ran = t->state == TASK_DONE;

		if (!(plan_command_kinds(r->command) & KIND_BIT(t->task->node->kind)))
			continue;        /* sources: dbt's own command does not know them */
		outcomes[told++] = (struct worker_outcome){
			.id = t->task->node->id,
			.status = ran ? t->status : RESULT_SKIPPED,
			.message = ran ? t->message : t->why,
		};
	}
	rc = r->dbt_runs.finish(r->dbt_runs.self, outcomes, told, r->summary.signo != 0, &end, err);
	if (rc == 0) {
		rc = run_take_hooks(r, end->hooks, end->nhooks, false, err);
		r->hooks_failed |= end->hooks_failed;
		if (end->failure) {
			progress_log(r->progress, NULL, "error", end->failure);
			r->hooks_failed = true;
		}
	}
	free(order);
	free(outcomes);
	return rc;
}

/* What each node would be run with, in the order they would start. */
static int
say_dry(void *self, const struct run_event *ev, struct err *err)
{
	(void)self;
	(void)err;
	if (ev->kind == EVENT_TASK && ev->to == TASK_DONE && ev->result && ev->result->message) {
		char *safe = text_safe_line(ev->result->message);

		puts(safe);
		free(safe);
	}
	return 0;
}

int
run_dry(struct run *r, struct err *err)
{
	const struct runner runner = r->dbt_runs.dry ? r->dbt_runs.dry(r->dbt_runs.self)
	    : runner_dry();
	const struct observer observer = { .event = say_dry };

	return run_schedule(r, &runner, &observer, 1, err) < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
}

/* on-run-start failed and the project asks to skip every node then. */
static void
skip_node(void *self, const struct job *job, struct result *result)
{
	(void)self;
	(void)job;
	result->status = RESULT_SKIPPED;
	result->message = xstrdup(SKIPPED_BY_HOOK);
}

static void
cancel_nothing(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

/* As dbt retry: a run that ended well has nothing to continue, and its results stay. One that was
 * killed after its last node, or found no room for its results, still lacks them. */
static int
run_nothing_left(struct run *r)
{
	progress_log(r->progress, NULL, "info",
	    "nothing to do: every node of that run has succeeded");
	return EXIT_GOOD;
}

/* From here on a record of the run exists; dbt makes schemas and runs on-run-start. */
static int
start_nodes(struct run *r, struct err *err)
{
	int rc;

	if (run_open_journal(r, err) < 0 || run_begin(r, err) < 0)
		return -1;
	r->results = results_new(r->plan);
	r->sources = sources_new(r->plan);
	r->stale = stale_new(r->plan, r->rq->skip_stale);
	run_start_progress(r);
	run_history_begin(r->history, r->info, &r->args, r->plan, r->began_ms, r->resumes);
	r->hooks_failed = r->ready->hooks_failed;   /* dbt 1.8 has no entry for it */
	rc = run_take_hooks(r, r->ready->hooks, r->ready->nhooks, true, err);
	if (rc < 0)
		run_history_end(r->history, r->plan, EXIT_BAD_INPUT, &r->summary);
	return rc;
}

/* Everybody who is told what happens, in this order. */
static int
run_observed(struct run *r, struct err *err)
{
	struct runner runner = { .run = skip_node, .cancel = cancel_nothing };
	struct observer observers[MAX_OBSERVERS];
	size_t n = 0;

	if (!r->ready->skip_nodes)
		runner = r->dbt_runs.runner(r->dbt_runs.self);
	observers[n++] = journal_observer(r->journal);   /* first: what is acted on is on record */
	observers[n++] = results_observer(r->results);
	observers[n++] = sources_observer(r->sources);
	observers[n++] = stale_observer(r->stale);
	observers[n++] = progress_observer(r->progress);
	observers[n++] = history_observer(r->history);
	return run_schedule(r, &runner, observers, n, err);
}

/* Nothing here returns early: what ran must be written. rc: how the nodes went. The exit code. */
static int
end_nodes(struct run *r, int rc, struct err *err)
{
	struct err late = ERR_INIT;
	bool failed;
	int code;

	if (finish_dbt(r, rc < 0 ? &late : err) < 0)
		rc = -1;
	if (run_write_results(r, rc < 0 ? &late : err) < 0)
		rc = -1;
	if (late.msg)
		log_err(&late);
	failed = run_has_failed(r);
	run_summarize(r, failed);
	code = r->summary.signo ? 128 + r->summary.signo : rc < 0 ? EXIT_BAD_INPUT :
	    failed ? EXIT_NODE_FAILED : EXIT_GOOD;
	run_history_end(r->history, r->plan, code, &r->summary);
	r->written = true;
	err_release(&late);
	return code;
}

int
run_nodes(struct run *r, struct err *err)
{
	if (r->known && r->nagain == 0 && !r->unwritten)
		return run_nothing_left(r);
	if (start_nodes(r, err) < 0)
		return EXIT_BAD_INPUT;
	return end_nodes(r, run_observed(r, err), err);
}
