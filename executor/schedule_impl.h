/* executor/schedule_impl.h -- what schedule.c (when tasks start), schedule_end.c (what their ends
 * mean) and schedule_stop.c (when they are stopped) share. Nobody else includes it. Main thread. */
#ifndef HEDDLE_EXECUTOR_SCHEDULE_IMPL_H
#define HEDDLE_EXECUTOR_SCHEDULE_IMPL_H

#include "executor/pool.h"
#include "executor/schedule.h"
#include "util/buf.h"
#include "util/heap.h"

#define NEVER INT64_MAX
#define SCHEDULE_ALONE_AFTER 2   /* a node lost so often runs alone */

enum stop {
	GOING,
	FINISHING,            /* start nothing more */
	CANCELLING,           /* and end what runs */
};

/* What runs on a pool thread. */
struct attempt {
	size_t task;
	bool busy;
	int64_t began_ms;
	int64_t due_ms;       /* when to cancel it, or to ask again */
	int64_t asked_ms;     /* first cancel, or 0 */
	char *asked_why;      /* owned */
	enum error_class asked_class;
};

/* A pool of policy.pool: tasks that run, and ready ones that wait for a slot. */
struct slots {
	const char *pool;
	unsigned slots, used;
	struct heap parked;
};

struct schedule {
	const struct plan *plan;
	struct schedule_options o;
	struct run_task *tasks;
	size_t nended, nrunning;
	struct ready ready;
	struct heap alone;    /* ready tasks that start only when nothing runs */
	bool alone_runs;
	struct heap backoff;  /* by due_ms */
	struct slots *slots;
	struct attempt *attempts;     /* by thread */
	unsigned *idle, nidle;        /* free threads; the last freed is taken first */
	unsigned nthreads_left;       /* not given up */
	struct pool *pool;
	uint64_t random;

	enum stop stop;
	char *stop_why;       /* owned */
	int64_t force_ms;     /* what still runs then is given up */
	int64_t stop_ms;      /* nothing starts past it */
	int64_t tick_ms;      /* next EVENT_TICK */
	int signo;
	bool late;
	bool broken;          /* an observer or the machinery failed; see err */
	struct err err;
};

/* ---- schedule.c ---- */

void schedule_tell(struct schedule *s, struct run_event *ev);
void schedule_tell_line(struct schedule *s, const struct run_task *t, const char *level,
    const char *text);

/*
 * The one place where a task changes state. The reason is a sentence; it stays with the task.
 * result: of the attempt that ended by this step, or NULL.
 */
void task_move(struct schedule *s, struct run_task *t, enum task_state to,
    const struct result *result, const char *fmt, ...) BUF_PRINTF(5, 6);

void schedule_make_ready(struct schedule *s, struct run_task *t, const char *why);

/* Those of the task's pool, or NULL: only threads limit it. */
struct slots *schedule_slots_of(struct schedule *s, const struct run_task *t);

/* ---- schedule_end.c ---- */

void schedule_skip(struct schedule *s, struct run_task *t, size_t cause, const char *why);

/* The task has its final status: what waited for it may go on, or never runs. */
void schedule_release_children(struct schedule *s, const struct run_task *t);

/* An attempt is over, with this result; r's texts become the task's. final: it is not retried
 * whatever its class, because of `final`. The thread is free again, unless it was given up. */
void schedule_attempt_ended(struct schedule *s, unsigned thread, struct result *r,
    const char *final);

/* ---- schedule_stop.c ---- */

/* Nothing starts any more (and what runs is cancelled); what waits for another try ends with its
 * last result. A stop is only ever raised. */
void schedule_stop(struct schedule *s, enum stop how, const char *why);
void schedule_take_signals(struct schedule *s);
bool schedule_time_is_up(const struct schedule *s);

/* When schedule_watch_clock() has something to do: timeouts, cancels to repeat, threads to give up,
 * delays that are over, ticks. pool_now_ms(), or NEVER. */
int64_t schedule_next_wakeup(const struct schedule *s);
void schedule_watch_clock(struct schedule *s);

#endif
