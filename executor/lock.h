/* executor/lock.h -- one run at a time for one target folder.
 *
 * flock() on TARGET/heddle.lock, held until the descriptor and every copy of it are closed: the
 * worker inherits one, so the lock frees itself when both are gone, however they went. What is
 * written inside (pid, host, start, command) is for the message only.
 * Thread: main.
 */
#ifndef HEDDLE_EXECUTOR_LOCK_H
#define HEDDLE_EXECUTOR_LOCK_H

#include "util/err.h"

/* The descriptor (close-on-exec), or -1 with err: taken by another run, or not writable.
 * wait_ms: how long to wait for the other run to end; 0 = not at all. */
int lock_take(const char *target_dir, const char *command, long long wait_ms, struct err *err);
void lock_release(int fd);   /* -1 is fine */

#endif
