/* executor/pool.h -- threads that run jobs, and the main thread's one place to wait.
 *
 *   pool_new -> pool_start -> { pool_submit, pool_cancel, pool_wait }* -> pool_free
 *
 * Thread i has one job at a time. What comes back (ended jobs, log lines) goes through one queue,
 * in the order it happened, and is taken out by pool_wait() on the main thread, which also watches
 * the signal descriptor and the clock. Everything but pool_log() is for the main thread.
 *
 * Time is the pool's, so that a test or a benchmark can link a pool whose clock is not the wall's.
 */
#ifndef HEDDLE_EXECUTOR_POOL_H
#define HEDDLE_EXECUTOR_POOL_H

#include <stdint.h>

#include "executor/runner.h"
#include "util/err.h"

enum pool_event_kind {
	POOL_TIME,      /* until_ms has come */
	POOL_ENDED,     /* run() has returned: thread, result, took_ms */
	POOL_LOG,       /* a line: id, level, text */
	POOL_SIGNAL,    /* the signal descriptor is readable; the caller reads it */
};

struct pool_event {
	enum pool_event_kind kind;
	unsigned thread;             /* POOL_ENDED */
	struct result result;        /* POOL_ENDED; the caller releases it */
	int64_t started_ms;          /* POOL_ENDED: wall clock when run() began */
	int64_t took_ms;             /* POOL_ENDED: monotonic */
	char *id, *level, *text;     /* POOL_LOG; id may be NULL; pool_event_release() */
};

struct pool;

struct pool *pool_new(const struct runner *runner, unsigned nthreads);
int pool_start(struct pool *p, int signal_fd, struct err *err);   /* signal_fd -1 = none */

/* Waits for nothing: a thread that has not answered is left to itself (pool_abandon()). Queued
 * results and lines are dropped. NULL is fine. */
void pool_free(struct pool *p);

/* Copies the job and its strings. The thread must be free; job->thread says which. */
void pool_submit(struct pool *p, const struct job *job);

/* Passes on to runner->cancel() when the thread has a job. */
void pool_cancel(struct pool *p, unsigned thread);

/* The thread's job will never answer: no event will come of it and the thread takes no other. */
void pool_abandon(struct pool *p, unsigned thread);

/* The next event; POOL_TIME when until_ms (pool_now_ms()) comes first. INT64_MAX: no limit. */
void pool_wait(struct pool *p, int64_t until_ms, struct pool_event *ev);
void pool_event_release(struct pool_event *ev);

/* From any thread. Texts are copied. */
void pool_log(struct pool *p, const char *id, const char *level, const char *text);

int64_t pool_now_ms(const struct pool *p);     /* monotonic */
int64_t pool_wall_ms(const struct pool *p);

#endif
