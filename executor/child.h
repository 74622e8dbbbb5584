/* executor/child.h -- the one child process of a pool thread, which other threads may cancel.
 *
 *   child_init -> { child_begin -> child_run -> child_end }* -> child_release
 *
 * cancel() of a runner is child_cancel(): it finds the child by its job, so a late call for an
 * earlier attempt does nothing. The scheduler repeats it until the attempt has ended: the group
 * gets SIGINT at once, SIGTERM after half of the grace (when asked for) and SIGKILL after the whole
 * of it.
 * Thread: begin, run and end on the pool thread; cancel from any. */
#ifndef HEDDLE_EXECUTOR_CHILD_H
#define HEDDLE_EXECUTOR_CHILD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "executor/proc.h"
#include "executor/runner.h"

struct child {
	struct proc proc;
	pthread_mutex_t lock;    /* guards what follows, and the start of proc */
	const struct job *job;   /* NULL = idle */
	int64_t cancelled_ms;    /* monotonic; 0 = not cancelled */
	bool terminated;         /* SIGTERM was sent */
};

void child_init(struct child *c);
void child_release(struct child *c);      /* kills what is alive */

void child_begin(struct child *c, const struct job *job);

/* Runs to its end. 0 and *code as proc_wait() has it; -1 with err when it did not start: it could
 * not, or was cancelled before. */
int child_run(struct child *c, const struct proc_options *o, int *code, struct buf *out,
    struct err *err);

bool child_end(struct child *c);          /* whether it was cancelled */

void child_cancel(struct child *c, const struct job *job, int64_t grace_ms, bool terminate);

#endif
