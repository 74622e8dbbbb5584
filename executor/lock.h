/* executor/lock.h -- one run at a time for one target folder.
 *
 *   lock_take -> (lock_shared_with) -> lock_release
 *
 * flock() on TARGET/heddle.lock, held until it is released, or the descriptor and every copy of it
 * are closed: the worker, or each child that runs a node, inherits one. So when a run is killed,
 * the lock is free once all that worked for it are gone, however they went.
 *
 * The file says who holds it. Its first line is for people; each further one is the mark of a
 * process (util/process.h), first that of the run itself. When the run is dead and the lock is
 * still held, a process it left behind is finishing. We wait for it; then it and its process group
 * get SIGINT, SIGTERM and SIGKILL, each after a third of our patience, if it is surely one of that
 * run:
 * it was recorded, or holds the lock by what it inherited (Linux) since we first looked. A run that
 * lives, or is on another machine, is left alone: that is an error at once.
 */
#ifndef HEDDLE_EXECUTOR_LOCK_H
#define HEDDLE_EXECUTOR_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

/* A worker that lost its run cancels its queries and ends in 4 s. */
#define LOCK_PATIENCE_MS 15000

struct lock_request {
	const char *target_dir;
	const char *command;      /* for the message the next one gets */
	int64_t patience_ms;      /* with what a killed run left; 0: LOCK_PATIENCE_MS */
	int signal_fd;            /* readable: give up; -1: none */
	void *self;
	/* whom we wait for; or NULL */
	void (*say)(void *self, const char *level, const char *text);
};

/* The descriptor (close-on-exec), or -1 with err: taken by another run, not writable, or a signal
 * came. Main thread. */
int lock_take(const struct lock_request *rq, struct err *err);

/* Records a process that inherits it and lives about as long as the run: then it is found where
 * holders of a lock are not. One thread at a time. -1 is fine. */
void lock_shared_with(int fd, long pid);

/* For all who inherited it, too: what outlives us now is no business of the next run. -1 is
 * fine. */
void lock_release(int fd);

#endif
