/* executor/lock.h -- one run at a time for one target folder.
 *
 *   lock_take -> (lock_shared_with, for each process that inherits it) -> lock_release
 *
 * flock() on TARGET/heddle.lock, held until the descriptor and every copy of it are closed: the
 * worker inherits one, so the lock frees itself when both are gone, however they went.
 *
 * The file says who holds it. Its first line is for people; each further one is the mark of a
 * process (util/process.h), first that of the run itself. When the run is dead and the lock is still
 * held, a process it left behind is finishing: we wait for it, then kill it, if it is surely the one
 * recorded. A run that lives, or is on another machine, is left alone: that is an error at once.
 */
#ifndef HEDDLE_EXECUTOR_LOCK_H
#define HEDDLE_EXECUTOR_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

#define LOCK_PATIENCE_MS 15000   /* a worker that lost its run cancels its queries and ends in 4 s */

struct lock_request {
	const char *target_dir;
	const char *command;      /* for the message the next one gets */
	int64_t patience_ms;      /* with what a killed run left; 0: LOCK_PATIENCE_MS */
	int signal_fd;            /* readable: give up; -1: none */
	void *self;
	void (*say)(void *self, const char *level, const char *text);   /* whom we wait for; or NULL */
};

/* The descriptor (close-on-exec), or -1 with err: taken by another run, not writable, or a signal
 * came. Main thread. */
int lock_take(const struct lock_request *rq, struct err *err);

/* This process is about to inherit it. One thread at a time. -1 is fine. */
void lock_shared_with(int fd, long pid);

void lock_release(int fd);   /* -1 is fine */

#endif
