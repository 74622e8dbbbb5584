#include "graph/ready.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

static bool
by_path(const void *self, size_t a, size_t b)
{
	const struct ready *r = self;
	const struct task *x = &r->plan->tasks[a], *y = &r->plan->tasks[b];

	if (x->policy.priority != y->policy.priority)
		return x->policy.priority > y->policy.priority;
	if (x->path > y->path || x->path < y->path)
		return x->path > y->path;
	return a < b;
}

static bool
by_turn(const void *self, size_t a, size_t b)
{
	const struct ready *r = self;
	const struct task *x = &r->plan->tasks[a], *y = &r->plan->tasks[b];

	if (x->policy.priority != y->policy.priority)
		return x->policy.priority > y->policy.priority;
	return r->came[a] < r->came[b];
}

void
ready_init(struct ready *r, const struct plan *p, enum schedule_order order, unsigned nthreads)
{
	struct heap empty = { .before = order == ORDER_FIFO ? by_turn : by_path, .self = r };

	*r = (struct ready){ .plan = p, .nthreads = nthreads, .order = order,
		.first = empty, .idle = empty, .left = p->work };
	r->came = xcalloc(p->ntasks + 1, sizeof(*r->came));
}

void
ready_release(struct ready *r)
{
	heap_release(&r->first);
	heap_release(&r->idle);
	free(r->came);
	memset(r, 0, sizeof(*r));
}

static bool
waits_for_idle(const struct task *t)
{
	return !t->gate && (t->node->kind == KIND_TEST || t->node->kind == KIND_UNIT_TEST);
}

void
ready_add(struct ready *r, size_t task)
{
	bool idle = r->order == ORDER_PATH && waits_for_idle(&r->plan->tasks[task]);

	r->came[task] = r->turn++;
	heap_push(idle ? &r->idle : &r->first, task);
}

size_t
ready_take(struct ready *r)
{
	size_t a = heap_top(&r->first), b = heap_top(&r->idle);

	if (a != HEAP_NONE && b != HEAP_NONE) {
		bool is_long = 2 * r->plan->tasks[b].seconds * r->nthreads >= r->left;

		return heap_pop(is_long && by_path(r, b, a) ? &r->idle : &r->first);
	}
	return heap_pop(a != HEAP_NONE ? &r->first : &r->idle);
}

void
ready_ended(struct ready *r, size_t task)
{
	r->left -= r->plan->tasks[task].seconds;
}
