/* executor/proc_spawn.h -- makes a child process; executor/proc.h is what runs one and waits for
 * it. */
#ifndef HEDDLE_EXECUTOR_PROC_SPAWN_H
#define HEDDLE_EXECUTOR_PROC_SPAWN_H

#include <sys/types.h>

#include "executor/proc.h"

/* A pipe whose ends are close-on-exec and none of 0 to 3: standard descriptors of ours may be
 * closed.
 * 0, or -1 with errno. */
int proc_pipe(int ends[2]);

/* Ours with `extra` on top. New array of borrowed strings; caller frees. */
char **proc_environment(const char *const *extra);

/* Starts the child, its standard output (and error) going to `out`, and notes it with the guard.
 * 0, or errno. */
int proc_spawn(const struct proc_options *o, char *const *env, int out, pid_t *pid,
    unsigned *guarded);

#endif
