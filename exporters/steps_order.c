#include "exporters/steps_work.h"

#include <stdlib.h>
#include <string.h>

#include "util/heap.h"
#include "util/xalloc.h"

void
steps_add_edge(struct work *w, size_t from, size_t to)
{
	if (from == NONE || to == NONE || from == to)
		return;
	w->edges = xgrow(w->edges, w->nedges, &w->edges_cap, sizeof(*w->edges));
	w->edges[w->nedges++] = (struct edge){ from, to };
}

/* ---- what they wait for ---- */

/* Edges to `to` from the built nodes nearest above n, n itself left out. gates: from the tests of
 * such a node where it has a step of them. */
static void
wait_for_parents(struct work *w, const struct node *n, size_t to, bool gates)
{
	size_t depth = 0;

	w->walk++;
	w->stack[depth++] = n->index;
	while (depth) {
		const struct node *at = &w->graph->nodes[w->stack[--depth]];

		for (size_t k = 0; k < at->nparents; k++) {
			uint32_t p = at->parents[k];
			size_t step = w->build_of[p];

			if (w->seen[p] == w->walk)
				continue;
			w->seen[p] = w->walk;
			if (step == NONE)
				w->stack[depth++] = p;
			else
				steps_add_edge(w, gates && w->test_of[p] != NONE ? w->test_of[p]
				    : step, to);
		}
	}
}

static void
join_task(struct work *w, const struct task *t)
{
	size_t to = w->step_of[t->index];

	if (to == NONE || w->s->v[to].role == STEP_TEST_ALL)
		return;
	if (t->node->kind != KIND_UNIT_TEST)
		wait_for_parents(w, t->node, to, !step_is_test(t));
	for (size_t k = 0; k < t->nparents; k++) {
		const struct task *p = &w->plan->tasks[t->parents[k]];

		size_t from = w->step_of[p->index];

		if (from == NONE || w->s->v[from].role == STEP_TEST_ALL)
			continue;
		if (t->node->kind == KIND_UNIT_TEST || (step_is_test(p) && !step_is_test(t)))
			steps_add_edge(w, from, to);
	}
}

/* The one step of all tests comes after whatever nothing else waits for. */
static void
join_last(struct work *w)
{
	char *waited = xcalloc(w->s->n + 1, 1);
	size_t last = NONE;

	for (size_t i = 0; i < w->s->n; i++)
		if (w->s->v[i].role == STEP_TEST_ALL)
			last = i;
	for (size_t i = 0; i < w->nedges; i++)
		if (w->edges[i].to != last)
			waited[w->edges[i].from] = 1;
	for (size_t i = 0; last != NONE && i < w->s->n; i++)
		if (!waited[i] && w->s->v[i].role != STEP_START && w->s->v[i].role != STEP_END)
			steps_add_edge(w, i, last);
	free(waited);
}

/* The first step before whatever waits for nothing, the last one after what nothing waits for. */
static void
join_hooks(struct work *w)
{
	char *waits = xcalloc(w->s->n + 1, 1), *waited = xcalloc(w->s->n + 1, 1);
	size_t start = NONE, end = NONE;

	for (size_t i = 0; i < w->s->n; i++) {
		if (w->s->v[i].role == STEP_START)
			start = i;
		if (w->s->v[i].role == STEP_END)
			end = i;
	}
	for (size_t i = 0; i < w->nedges; i++) {
		waits[w->edges[i].to] = 1;
		waited[w->edges[i].from] = 1;
	}
	for (size_t i = 0; start != NONE && i < w->s->n; i++) {
		if (i == start || i == end)
			continue;
		if (!waits[i])
			steps_add_edge(w, start, i);
		if (!waited[i])
			steps_add_edge(w, i, end);
	}
	free(waits);
	free(waited);
}

static int
by_ends(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

/* Edges into each step's own list, each once. */
static void
settle_edges(struct work *w)
{
	size_t n = 0;

	if (w->nedges)
		qsort(w->edges, w->nedges, sizeof(*w->edges), by_ends);
	for (size_t i = 0; i < w->nedges; i++)
		if (i == 0 || by_ends(&w->edges[i - 1], &w->edges[i]) != 0)
			w->edges[n++] = w->edges[i];
	w->nedges = n;
	for (size_t i = 0; i < n;) {
		struct step *s = &w->s->v[w->edges[i].to];
		size_t end = i;

		while (end < n && w->edges[end].to == w->edges[i].to)
			end++;
		s->after = arena_zalloc(&w->s->arena, end - i, sizeof(*s->after));
		for (; i < end; i++)
			s->after[s->nafter++] = w->edges[i].from;
	}
}

/* ---- order ---- */

static bool
id_is_less(const void *self, size_t a, size_t b)
{
	const struct steps *s = self;

	return strcmp(s->v[a].id, s->v[b].id) < 0;
}

/* Puts the steps in their order and renumbers what they wait for. */
static void
sort_steps(struct work *w)
{
	struct steps *s = w->s;
	size_t *waits = xcalloc(s->n + 1, sizeof(*waits)),
	    *place = xcalloc(s->n + 1, sizeof(*place));
	size_t *start = xcalloc(s->n + 2, sizeof(*start)),
	    *to = xcalloc(w->nedges + 1, sizeof(*to));
	struct step *sorted = xcalloc(s->n + 1, sizeof(*sorted));
	struct heap ready = { .before = id_is_less, .self = s };
	size_t n = 0;

	for (size_t i = 0; i < w->nedges; i++)
		start[w->edges[i].from + 2]++;
	for (size_t i = 2; i < s->n + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < w->nedges; i++)
		to[start[w->edges[i].from + 1]++] = w->edges[i].to;
	for (size_t i = 0; i < s->n; i++) {
		waits[i] = s->v[i].nafter;
		if (waits[i] == 0)
			heap_push(&ready, i);
	}
	while (ready.n) {
		size_t at = heap_pop(&ready);

		place[at] = n;
		sorted[n++] = s->v[at];
		for (size_t k = start[at]; k < start[at + 1]; k++)
			if (--waits[to[k]] == 0)
				heap_push(&ready, to[k]);
	}
	heap_release(&ready);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sorted[i].nafter; k++)
			sorted[i].after[k] = place[sorted[i].after[k]];
	free(s->v);
	s->v = sorted;
	s->n = n;
	for (size_t i = 0; i < w->graph->nnodes; i++) {
		struct step *build = w->build_of[i] == NONE ? NULL : &s->v[place[w->build_of[i]]];

		if (build && w->test_of[i] != NONE) {
			build->test = &s->v[place[w->test_of[i]]];
			build->test->build = build;
		}
		if (build && w->unit_of[i] != NONE) {
			build->unit = &s->v[place[w->unit_of[i]]];
			build->unit->build = build;
		}
	}
	free(waits);
	free(place);
	free(start);
	free(to);
}

static int
by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}
void
steps_order(struct work *w)
{
	struct steps *s = w->s;

	for (size_t i = 0; i < w->plan->ntasks; i++)
		join_task(w, &w->plan->tasks[i]);
	join_last(w);
	join_hooks(w);
	settle_edges(w);
	sort_steps(w);
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].nafter)
			qsort(s->v[i].after, s->v[i].nafter, sizeof(*s->v[i].after), by_number);
}
