/* dagster_homes.c -- which asset's op runs the steps that are no asset and no check. */
#include "exporters/dagster.h"

#include <stdlib.h>

#include "util/xalloc.h"

bool
dagster_builds_asset(const struct step *s)
{
	return s->role == STEP_BUILD && s->node->kind != KIND_FUNCTION;
}

bool
dagster_is_check(const struct dagster *d, const struct step *s)
{
	return s->role == STEP_TEST_ALL ||
		(s->role == STEP_TEST_ALONE && s->node->kind == KIND_TEST && dagster_check_target(d, s->node));
}

/* The tests of an asset run in its op. */
static bool
is_inside(const struct step *s)
{
	return s->role == STEP_TEST && s->build && dagster_builds_asset(s->build);
}

static bool
is_helper(const struct dagster *d, const struct step *s)
{
	return !dagster_builds_asset(s) && !is_inside(s) && !dagster_is_check(d, s);
}

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
		grown.v = arena_zalloc(&d->steps->arena, grown.cap, sizeof(*grown.v));
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
run_before(struct dagster *d, size_t asset, const struct step *s, bool *waited)
{
	for (size_t i = 0; i < s->nafter; i++) {
		size_t at = s->after[i];

		if (!is_helper(d, &d->steps->v[at]) || list_has(&d->before[asset], at))
			continue;
		waited[at] = true;
		run_before(d, asset, &d->steps->v[at], waited);
		list_add(d, &d->before[asset], at);
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

/* The assets a helper nobody waits for comes after; it runs with the last of them. */
static void
run_after(struct dagster *d, size_t helper)
{
	const struct step *s = &d->steps->v[helper];
	struct dagster_list assets = { 0 };
	size_t last = 0;

	for (size_t i = 0; i < s->nafter; i++) {
		const struct step *up = &d->steps->v[s->after[i]];

		up = is_inside(up) ? up->build : up;
		if (!dagster_builds_asset(up) || list_has(&assets, position(d, up)))
			continue;
		list_add(d, &assets, position(d, up));
		last = last > position(d, up) ? last : position(d, up);
	}
	if (assets.n == 0) {
		d->homeless[helper] = true;
		d->nhomeless++;
		return;
	}
	d->nafter++;
	/* Steps stand in their order: only the last one can be below the others. */
	if (is_below_all(d, last, &assets)) {
		list_add(d, &d->after[last], helper);
		return;
	}
	for (size_t i = 0; i < assets.n; i++)
		list_add(d, &d->after[assets.v[i]], helper);
	d->last_of[helper] = assets;
}

void
dagster_find_homes(struct dagster *d)
{
	size_t n = d->steps->n;
	bool *waited = arena_zalloc(&d->steps->arena, n + 1, sizeof(*waited));

	d->before = arena_zalloc(&d->steps->arena, n + 1, sizeof(*d->before));
	d->after = arena_zalloc(&d->steps->arena, n + 1, sizeof(*d->after));
	d->last_of = arena_zalloc(&d->steps->arena, n + 1, sizeof(*d->last_of));
	d->homeless = arena_zalloc(&d->steps->arena, n + 1, sizeof(*d->homeless));
	for (size_t i = 0; i < n; i++)
		if (dagster_builds_asset(&d->steps->v[i]))
			run_before(d, i, &d->steps->v[i], waited);
	for (size_t i = 0; i < n; i++)
		if (!waited[i] && is_helper(d, &d->steps->v[i]))
			run_after(d, i);
}
