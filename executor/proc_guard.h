/* executor/proc_guard.h -- a process that ends our children when this program is gone, however it
 * went.
 *
 *   proc_guard_start -> { proc_guard_add -> proc_guard_remove }*
 *
 * Any thread. Where it cannot be made, children outlive a kill -9 of ours; nothing else changes. */
#ifndef HEDDLE_EXECUTOR_PROC_GUARD_H
#define HEDDLE_EXECUTOR_PROC_GUARD_H

#include <sys/types.h>

void proc_guard_start(void);                 /* forks it, the first time */

/* Notes a process group; the place it has. A child may call it for itself before it runs its
 * program, in our memory or in a copy of it. */
unsigned proc_guard_add(pid_t group);
void proc_guard_remove(unsigned place);      /* its leader was reaped */

#endif
