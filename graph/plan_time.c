/* What a plan takes: remaining paths, the critical path, and the time with a number of threads. */
#include <stdlib.h>

#include "graph/dag.h"
#include "graph/plan.h"
#include "graph/ready.h"
#include "util/heap.h"
#include "util/xalloc.h"

static struct dag *
dag_of_plan(const struct plan *p)
{
	struct dag_edge *edges;
	struct dag *d;
	size_t n = 0;

	for (size_t i = 0; i < p->ntasks; i++)
		n += p->tasks[i].nchildren;
	edges = xcalloc(n + 1, sizeof(*edges));
	n = 0;
	for (size_t i = 0; i < p->ntasks; i++) {
		const struct task *t = &p->tasks[i];

		for (size_t k = 0; k < t->nchildren; k++)
			edges[n++] = (struct dag_edge){ (uint32_t)i, (uint32_t)t->children[k] };
	}
	d = dag_new(p->ntasks, edges, n);
	free(edges);
	return d;
}

void
plan_weigh(struct plan *p)
{
	struct dag *d = dag_of_plan(p);
	double *seconds = xcalloc(p->ntasks + 1, sizeof(*seconds));
	double *longest = xcalloc(p->ntasks + 1, sizeof(*longest));

	p->work = 0;
	for (size_t i = 0; i < p->ntasks; i++) {
		seconds[i] = p->tasks[i].seconds;
		p->work += seconds[i];
	}
	p->critical_path = dag_longest(d, seconds, longest);
	for (size_t i = 0; i < p->ntasks; i++)
		p->tasks[i].path = longest[i];
	free(seconds);
	free(longest);
	dag_free(d);
}

struct ends {
	double *at;      /* task -> when it ends */
};

static bool
ends_earlier(const void *self, size_t a, size_t b)
{
	const struct ends *e = self;

	if (e->at[a] < e->at[b] || e->at[a] > e->at[b])
		return e->at[a] < e->at[b];
	return a < b;
}

double
plan_makespan(const struct plan *p, unsigned nthreads)
{
	struct ends ends = { xcalloc(p->ntasks + 1, sizeof(*ends.at)) };
	struct heap running = { .before = ends_earlier, .self = &ends };
	size_t *waiting_for = xcalloc(p->ntasks + 1, sizeof(*waiting_for)), next;
	struct ready ready;
	double now = 0;

	ready_init(&ready, p, ORDER_PATH, nthreads);
	for (size_t i = 0; i < p->ntasks; i++)
		if ((waiting_for[i] = p->tasks[i].nparents) == 0)
			ready_add(&ready, i);
	for (;;) {
		while (running.n < nthreads && (next = ready_take(&ready)) != READY_NONE) {
			ends.at[next] = now + p->tasks[next].seconds;
			heap_push(&running, next);
		}
		if ((next = heap_pop(&running)) == HEAP_NONE)
			break;
		now = ends.at[next];
		ready_ended(&ready, next);
		for (size_t i = 0; i < p->tasks[next].nchildren; i++)
			if (--waiting_for[p->tasks[next].children[i]] == 0)
				ready_add(&ready, p->tasks[next].children[i]);
	}
	ready_release(&ready);
	heap_release(&running);
	free(waiting_for);
	free(ends.at);
	return now;
}
