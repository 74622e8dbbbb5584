/* dagster_homes.c -- which op runs the steps that are no asset and no check. */
#include "exporters/dagster.h"

#include <stdlib.h>

#include "util/xalloc.h"

/* ---- what a step is ---- */

static int
by_wave(const void *a, const void *b)
{
	const struct task *x = *(const struct task *const *)a, *y = *(const struct task *const *)b;

	if (x->wave != y->wave)
		return x->wave < y->wave ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* What a part builds, parents first; of the one that is everything, all. */
static size_t
part_nodes(struct dagster *d, const struct step *s, const struct node ***nodes)
{
	const struct plan *plan = d->job.plan;
	bool whole = s->nnodes + s->ntests == 0;
	size_t all = whole ? plan->ntasks : s->nnodes, n = 0;
	const struct task **tasks = xcalloc(all + 1, sizeof(const struct task *));

	for (size_t i = 0; i < all; i++) {
		const struct task *t = whole ? &plan->tasks[i] : plan_find(plan, s->nodes[i]);

		if (d->is_asset[t->node->index])
			tasks[n++] = t;
	}
	if (n)
		qsort(tasks, n, sizeof(*tasks), by_wave);
	*nodes = arena_zalloc(&d->arena, n + 1, sizeof(**nodes));
	for (size_t i = 0; i < n; i++)
		(*nodes)[i] = tasks[i]->node;
	free(tasks);
	return n;
}

size_t
dagster_assets(struct dagster *d, const struct step *s, const struct node ***nodes)
{
	if (s->role == STEP_PART)
		return part_nodes(d, s, nodes);
	*nodes = arena_zalloc(&d->arena, 1, sizeof(**nodes));
	(*nodes)[0] = s->node;
	return dagster_builds_assets(d, s);
}

bool
dagster_builds_assets(const struct dagster *d, const struct step *s)
{
	if (s->role != STEP_PART)
		return s->role == STEP_BUILD && d->is_asset[s->node->index];
	for (size_t i = 0; i < s->nnodes; i++)
		if (d->is_asset[s->nodes[i]->index])
			return true;
	return s->nnodes + s->ntests == 0;    /* everything */
}

const char *
dagster_key_of_step(struct dagster *d, const struct step *s)
{
	const struct node **nodes;
	size_t n = dagster_assets(d, s, &nodes);

	return n ? d->keys[nodes[n - 1]->index] : NULL;
}

bool
dagster_is_check(const struct dagster *d, const struct step *s)
{
	return s->role == STEP_TEST_ALL ||
		(s->role == STEP_TEST_ALONE && d->targets[s->node->index]);
}

/* The tests of an asset run in its op. */
static bool
is_inside(const struct dagster *d, const struct step *s)
{
	return s->role == STEP_TEST && s->build && dagster_builds_assets(d, s->build);
}

static bool
is_helper(const struct dagster *d, const struct step *s)
{
	return !dagster_builds_assets(d, s) && !is_inside(d, s) && !dagster_is_check(d, s);
}

/* ---- who runs a helper ---- */

static size_t
position(const struct dagster *d, const struct step *s)
{
	return (size_t)(s - d->steps->v);
}

static void
list_add(struct dagster *d, struct dagster_list *l, size_t i)
{
	struct dagster_list grown = *l;

	if (l->n == l->cap) {
		grown.cap = l->cap ? 2 * l->cap : 4;
		grown.v = arena_zalloc(&d->arena, grown.cap, sizeof(*grown.v));
		for (size_t k = 0; k < l->n; k++)
			grown.v[k] = l->v[k];
		*l = grown;
	}
	l->v[l->n++] = i;
}

static bool
list_has(const struct dagster_list *l, size_t i)
{
	for (size_t k = 0; k < l->n; k++)
		if (l->v[k] == i)
			return true;
	return false;
}

/* What a helper itself waits for stands before it: the walk goes up first. */
static void
run_before(struct dagster *d, size_t op, const struct step *s, bool *waited)
{
	for (size_t i = 0; i < s->nafter; i++) {
		size_t at = s->after[i];

		if (!is_helper(d, &d->steps->v[at]) || list_has(&d->before[op], at))
			continue;
		waited[at] = true;
		run_before(d, op, &d->steps->v[at], waited);
		list_add(d, &d->before[op], at);
		d->nbefore++;
	}
}

/* Is every one of `wanted` above (or at) the step? */
static bool
is_below_all(const struct dagster *d, size_t from, const struct dagster_list *wanted)
{
	bool *seen = xcalloc(d->steps->n + 1, sizeof(*seen)), all = true;
	size_t *stack = xcalloc(d->steps->n + 1, sizeof(*stack)), depth = 0;

	seen[from] = true;
	stack[depth++] = from;
	while (depth) {
		const struct step *s = &d->steps->v[stack[--depth]];

		for (size_t i = 0; i < s->nafter; i++)
			if (!seen[s->after[i]]) {
				seen[s->after[i]] = true;
				stack[depth++] = s->after[i];
			}
	}
	for (size_t i = 0; i < wanted->n; i++)
		all = all && seen[wanted->v[i]];
	free(seen);
	free(stack);
	return all;
}

/* The ops a helper nobody waits for comes after; it runs with the last of them. */
static void
run_after(struct dagster *d, size_t helper)
{
	const struct step *s = &d->steps->v[helper];
	struct dagster_list ops = { 0 };
	size_t last = 0;

	for (size_t i = 0; i < s->nafter; i++) {
		const struct step *up = &d->steps->v[s->after[i]];

		up = is_inside(d, up) ? up->build : up;
		if (!dagster_builds_assets(d, up) || list_has(&ops, position(d, up)))
			continue;
		list_add(d, &ops, position(d, up));
		last = last > position(d, up) ? last : position(d, up);
	}
	if (ops.n == 0) {
		d->homeless[helper] = true;
		d->nhomeless++;
		return;
	}
	d->nafter++;
	/* Steps stand in their order: only the last one can be below the others. */
	if (is_below_all(d, last, &ops)) {
		list_add(d, &d->after[last], helper);
		return;
	}
	for (size_t i = 0; i < ops.n; i++)
		list_add(d, &d->after[ops.v[i]], helper);
	d->last_of[helper] = ops;
}

/* Which tests run with the asset they are attached to. */
static void
mark_inside(struct dagster *d)
{
	const struct plan *plan = d->job.plan;

	if (!dagster_tests_inside(d))
		return;
	for (size_t i = 0; i < plan->ntasks; i++) {
		size_t at = plan->tasks[i].node->index;

		d->is_inside[at] = d->targets[at] != NULL;
	}
	for (size_t i = 0; i < d->steps->n; i++)
		if (d->steps->v[i].role == STEP_TEST_ALONE)
			d->is_inside[d->steps->v[i].node->index] = false;
}

void
dagster_find_homes(struct dagster *d)
{
	size_t n = d->steps->n;
	bool *waited = arena_zalloc(&d->arena, n + 1, sizeof(*waited));

	mark_inside(d);
	d->before = arena_zalloc(&d->arena, n + 1, sizeof(*d->before));
	d->after = arena_zalloc(&d->arena, n + 1, sizeof(*d->after));
	d->last_of = arena_zalloc(&d->arena, n + 1, sizeof(*d->last_of));
	d->homeless = arena_zalloc(&d->arena, n + 1, sizeof(*d->homeless));
	for (size_t i = 0; i < n; i++)
		if (dagster_builds_assets(d, &d->steps->v[i]))
			run_before(d, i, &d->steps->v[i], waited);
	for (size_t i = 0; i < n; i++)
		if (!waited[i] && is_helper(d, &d->steps->v[i]))
			run_after(d, i);
}
