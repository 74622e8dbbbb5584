/* executor/proc.h -- runs child processes.
 *
 *   proc_start -> proc_wait -> proc_release          proc_signal() from any thread meanwhile
 *
 * A child has its own process group, standard input from /dev/null, default signal handling, no
 * descriptor of ours but those named, and no shell unless argv says so. A guard process (started
 * with the first child) kills every group that is still alive when this program is gone, however it
 * went. Done means the output ended and the exit status is known; a grandchild that keeps the
 * output open is given a second after the exit, then the group is killed.
 * Errors: 0, or -1 with err. */
#ifndef HEDDLE_EXECUTOR_PROC_H
#define HEDDLE_EXECUTOR_PROC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"
#include "util/err.h"

struct proc_options {
	const char *const *argv;      /* argv[0] is looked up in PATH */
	const char *file;             /* the program, when that was done; or NULL */
	const char *const *env;       /* NAME=VALUE on top of ours, NULL-ended, or NULL */
	const char *dir;              /* working directory, or NULL = ours */
	int in_fd;                    /* standard input; 0 = /dev/null */
	int keep_fd;                  /* arrives as descriptor 3; ours stays open; -1 = none */
	bool separate;                /* standard output alone; standard error is ours */
	int64_t timeout_ms;           /* then the group is killed; 0 = none */
	size_t tail;                  /* keep about the last so many bytes of output; 0 = all */
};

struct proc {
	pid_t pid;                    /* 0 = none, or reaped */
	int out;                      /* standard output and error, readable; -1 */
	size_t tail;
	int64_t due_ms;               /* monotonic: when the group is killed; 0 = never */
	unsigned guarded;             /* the guard's place for it */
	pthread_mutex_t lock;         /* guards pid against signals to a reaped one */
};

#define PROC_INIT { .out = -1, .lock = PTHREAD_MUTEX_INITIALIZER }

int proc_start(struct proc *p, const struct proc_options *o, struct err *err);

/* Reads the output to its end and reaps. Exit code 0..255, or 128 + signal. out may be NULL. */
int proc_wait(struct proc *p, struct buf *out);

/* Whether it has ended; does not block. *code as proc_wait(). The output is left alone. */
bool proc_ended(struct proc *p, int *code);

void proc_signal(struct proc *p, int signo);   /* to the whole group; nothing when it has ended */
void proc_release(struct proc *p);             /* kills and reaps what is alive, closes out */

/* Start, wait, release. */
int proc_run(const struct proc_options *o, int *code, struct buf *out, struct err *err);

#endif
