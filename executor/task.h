/* executor/task.h -- the life of a task: states, attempts, which steps are legal. */
#ifndef HEDDLE_EXECUTOR_TASK_H
#define HEDDLE_EXECUTOR_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "graph/plan.h"
#include "util/buf.h"

#define TASK_STATES(X) \
	X(WAITING, "waiting")   /* something before it has not ended */ \
	X(READY, "ready") \
	X(RUNNING, "running") \
	X(BACKOFF, "backoff")   /* failed, will be tried again */ \
	X(DONE, "done")         /* ended; `status` tells how */ \
	X(SKIPPED, "skipped")   /* never ran; `why` tells */

enum task_state {
#define X(id, name) TASK_##id,
	TASK_STATES(X)
#undef X
	NTASK_STATES
};

const char *task_state_name(enum task_state s);
bool task_step_legal(enum task_state from, enum task_state to);

/* Whether a result of this status holds back what follows, as the dbt command does it:
 * build (task/build.py:33): error, fail, skipped, partial success;
 * others (task/runnable.py MARK_DEPENDENT_ERRORS_STATUSES): error, partial success. */
bool plan_blocks(enum plan_command c, enum result_status s);

/* Appends what people call the node, made safe: its name, a source's with its source's before it,
 * its version, and its package where that is not the project. */
void task_add_name(struct buf *b, const struct graph *g, const struct node *n);

struct run_task {
	const struct task *task;        /* plan's */
	enum task_state state;
	unsigned attempts;              /* started so far */
	unsigned faults;                /* attempts that count against max_attempts */
	unsigned lost;                  /* attempts lost with a worker */
	unsigned thread;                /* of the running or last attempt */
	size_t waiting_for;             /* parents not ended */
	size_t cause;                   /* skipped: task index of the root cause, or SIZE_MAX */
	bool excused;                   /* skipped for a reason that is no failure */
	int64_t started_ms, ended_ms;   /* wall clock, last attempt; 0 = none */
	int64_t due_ms;                 /* BACKOFF: monotonic time of the next try */
	int64_t busy_ms;                /* all attempts together */
	enum result_status status;      /* DONE, SKIPPED */
	enum error_class class;
	char *why;                      /* the sentence for the last decision; owned */
	char *message;                  /* of the last attempt, or NULL; owned */
	char *entry;                    /* its entry for run_results.json, or NULL; owned */
};

#endif
