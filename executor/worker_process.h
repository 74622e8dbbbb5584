/* executor/worker_process.h -- one Python process running dbt_worker: its sockets, its output,
 * how far it has come. executor/runner_worker.c owns one at a time and starts another when it dies.
 *
 *   process_start -> process_wait(PARSED) -> process_send ... -> process_wait(DONE) -> process_free
 *
 * A thread of its own reads what the process says. Protocol: executor/dbt_worker/__init__.py.
 * Thread: any, but one thread waits at a time. */
#ifndef HEDDLE_EXECUTOR_WORKER_PROCESS_H
#define HEDDLE_EXECUTOR_WORKER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct cJSON;
struct worker_process;

/* In the order they are reached; the last two can follow any. */
enum process_stage {
	PROCESS_STARTED,
	PROCESS_PARSED,
	PROCESS_READY,
	PROCESS_DONE,            /* dbt has ended; manifest.json may still be written */
	PROCESS_FAILED,          /* dbt ended with an exception before it was ready */
	PROCESS_LOST,            /* the process ended without a word */
	NPROCESS_STAGES
};

struct process_options {
	const char *python;
	const char *const *env;  /* NAME=VALUE, NULL-ended, or NULL */
	const char *dir;
	void *self;
	/* From the reading thread. */
	void (*log)(void *self, const char *id, const char *level, const char *code,
	    const char *text);
	/* From the reading thread, after process_poke() and whenever the time it returned has
	 * passed: milliseconds until it wants to be called again, or -1. */
	int64_t (*supervise)(void *self);
};

/* NULL: err. */
struct worker_process *process_start(const struct process_options *o, struct err *err);

/* Sends one message; takes ownership of it. fds go along (at most PROCESS_FDS). An error shows
 * as PROCESS_LOST. */
enum { PROCESS_FDS = 64 };
void process_send(struct worker_process *p, struct cJSON *message, const int *fds, size_t nfds);

/* Until that stage or a later one. signal_fd: -1, or a descriptor whose readability ends the wait
 * (then *interrupted). timeout_ms: -1 = none. Returns the stage. */
enum process_stage process_wait(struct worker_process *p, enum process_stage stage, int signal_fd,
    int64_t timeout_ms, bool *interrupted);

enum process_stage process_stage(struct worker_process *p);

/* The message that came with a stage, or NULL. Borrowed until process_free(). */
const struct cJSON *process_message(struct worker_process *p, enum process_stage stage);

/* Until the process has ended and left its exit code. Any number of threads. */
void process_join(struct worker_process *p);

/* After FAILED or LOST: what happened, for people: dbt's message; or how the process ended and the
 * last it wrote. New string. */
char *process_epitaph(struct worker_process *p);

void process_poke(struct worker_process *p);     /* calls supervise() soon */
void process_kill(struct worker_process *p);     /* SIGKILL to the group; does not wait */
int process_pid(struct worker_process *p);       /* 0 = ended */

/* Waits until the process has ended (at most timeout_ms, less when signal_fd is readable), kills
 * what is left, releases all. */
void process_free(struct worker_process *p, int64_t timeout_ms, int signal_fd);

#endif
