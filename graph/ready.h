/* graph/ready.h -- the tasks that may start, and which of them starts next. The scheduler and
 * plan_makespan() share it.
 *
 * ORDER_PATH: higher policy.priority first, then the longest remaining path (task->path), then the
 *             id. Tests that hold nothing back wait until nothing else is ready, except one so long
 *             that the run might wait for it in the end: half the work left for each thread or more
 *             (so the rule costs no time: bench/makespan).
 * ORDER_FIFO: in the order they became ready; only the priority counts beside it.
 *
 * Owner: caller. Thread: one struct belongs to one thread. The plan is read, never changed; its
 * seconds, paths and priorities stay as they are while this lives. */
#ifndef HEDDLE_GRAPH_READY_H
#define HEDDLE_GRAPH_READY_H

#include <stddef.h>
#include <stdint.h>

#include "graph/plan.h"
#include "util/heap.h"

enum schedule_order { ORDER_PATH, ORDER_FIFO };

#define READY_NONE ((size_t)-1)

struct ready {
	const struct plan *plan;
	unsigned nthreads;
	struct heap first;       /* what comes before idle tests */
	struct heap idle;        /* tests that hold nothing back */
	uint64_t *came;          /* task -> turn in which it became ready */
	uint64_t turn;
	double left;             /* seconds of all tasks that have not ended */
	enum schedule_order order;
};

/* Initialises in place: the struct must not move afterwards. */
void ready_init(struct ready *r, const struct plan *p, enum schedule_order order,
    unsigned nthreads);
void ready_release(struct ready *r);

void ready_add(struct ready *r, size_t task);
size_t ready_take(struct ready *r);                  /* READY_NONE when there is none */
void ready_ended(struct ready *r, size_t task);      /* for `left`; once a task */

#endif
