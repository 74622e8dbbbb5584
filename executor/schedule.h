/* executor/schedule.h -- decides when each task runs. Read schedule_run() in the .c first.
 *
 * The main thread owns every task's state; pool threads only call runner->run(). All that happens
 * is told to the observers, in order, on the main thread: progress, results, journal and history
 * are observers, and the scheduler prints nothing.
 */
#ifndef HEDDLE_EXECUTOR_SCHEDULE_H
#define HEDDLE_EXECUTOR_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "executor/task.h"
#include "graph/plan.h"
#include "graph/ready.h"     /* enum schedule_order */
#include "util/err.h"

/* What observers are told. */
enum event_kind {
	EVENT_TASK,       /* a task changed state; see struct run_task */
	EVENT_LOG,        /* a line from the runner (dbt's warnings, macros' log()), or the
	                   * scheduler's own: why it stops, what it cancels */
	EVENT_TICK,       /* time passed; for boards. Only when tick_ms is set */
};

struct run_event {
	enum event_kind kind;
	int64_t at_ms;                  /* wall clock */
	const struct run_task *task;    /* EVENT_TASK; EVENT_LOG: NULL when it belongs to no task */
	enum task_state from, to;       /* EVENT_TASK */
	const struct result *result;    /* EVENT_TASK, an attempt ended: borrowed; else NULL */
	const char *text;               /* EVENT_TASK: the reason, or NULL; EVENT_LOG: the line */
	const char *level;              /* EVENT_LOG: "info", "warn", "error" */
};

struct observer {
	void *self;
	/* 0, or -1 with err: then nothing new is started and schedule_run() fails in the end. An
	 * attempt is dispatched after all observers were told of its start, and its end is acted
	 * on after they were told of that. */
	int (*event)(void *self, const struct run_event *ev, struct err *err);
};

/* Tasks whose policy.pool has this name: at most so many at once, besides the threads. */
struct schedule_slots {
	const char *pool;
	unsigned slots;                 /* 0 counts as 1 */
};

/* A result of an earlier run. Strings are copied. */
struct schedule_known {
	bool known;                     /* false: run it */
	enum result_status status;
	const char *entry;              /* for run_results.json, or NULL */
	const char *why;                /* NULL: "done in an earlier run" */
};

#define SCHEDULE_GRACE_MS 5000

struct schedule_options {
	const struct runner *runner;
	unsigned nthreads;              /* >= 1 */
	bool fail_fast;                 /* after a final failure: start nothing, cancel what runs */
	enum schedule_order order;
	/* How long a cancelled attempt may take to end; 0 = SCHEDULE_GRACE_MS. After a signal the
	 * run is over then whatever still runs; else an attempt that has not answered after four
	 * times as long is given up, with its thread. The runner's own means should be quicker. */
	int64_t grace_ms;
	int64_t stop_at_ms;             /* wall clock; nothing starts past it; 0 = never */
	/* The same, from schedule_run() on, however clocks are set; 0 = never, negative = past
	 * already. */
	int64_t stop_after_ms;
	int64_t tick_ms;                /* 0 = no EVENT_TICK */
	uint64_t seed;                  /* of the jitter */
	int signal_fd;                  /* signals_fd() or -1 */
	bool interactive;               /* the first SIGINT lets running tasks end */
	const struct schedule_slots *slots;
	size_t nslots;
	const struct observer *observers;
	size_t nobservers;
	/* Tasks that need not run (resume). By task index, or NULL. They are told as
	 * WAITING -> DONE without an attempt. */
	const struct schedule_known *known;
	/* Asked before a task starts, once all before it has ended: a reason not to run it, or
	 * NULL. Such a skip holds nothing back and is no failure; what follows is asked about in
	 * its turn. The text is copied. NULL: everything runs. */
	const char *(*excuse)(void *self, const struct run_task *t);
	void *excuse_self;
};

struct schedule_summary {
	size_t count[NRESULT_STATUSES]; /* final statuses */
	size_t nretried;                /* tasks that needed more than one attempt and ended well */
	int64_t wall_ms;
	int signo;                      /* the signal that stopped the run, or 0 */
	bool late;                      /* one of those kept something from starting */
};

struct schedule;

/* The plan, the options' arrays and the runner outlive it. */
struct schedule *schedule_new(const struct plan *p, const struct schedule_options *o);

/* Runs the plan to its end, once. 0 when every task has a final state (also failed or skipped
 * ones), -1 with err when the machinery failed; the summary and tasks hold what happened either
 * way. A thread whose attempt was given up still holds its job: the runner must outlive it, so the
 * caller ends the process soon. */
int schedule_run(struct schedule *s, struct schedule_summary *out, struct err *err);
const struct run_task *schedule_tasks(const struct schedule *s, size_t *n);   /* by task index */
void schedule_free(struct schedule *s);

/* From any thread, while schedule_run() is under way: a line for the observers (EVENT_LOG).
 * id may be NULL. Texts are copied. */
void schedule_log(struct schedule *s, const char *id, const char *level, const char *text);

#endif
