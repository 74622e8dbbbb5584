/*
 * In each round every task that is left learns the one key whose part could take it now: its own,
 * if all it still waits for could be taken by that same part. One walk, parents first, tells that
 * for all keys at once. A round costs one walk, and there are at most as many rounds as parts.
 */
#include "exporters/parts.h"

#include <stdlib.h>
#include <string.h>

#include "util/map.h"
#include "util/xalloc.h"

#define NONE SIZE_MAX      /* taken by no key now */
#define ANY (SIZE_MAX - 1) /* waits for nothing that is left */

struct group {             /* of one key */
	const char *text;
	unsigned rank, nparts;
	size_t left, ready;    /* tasks */
};

struct cutting {
	struct parts *out;
	const struct plan *plan;
	struct group *groups;
	size_t ngroups, groups_cap, parts_cap;
	size_t *group_of;      /* by task; ANY: no key of its own */
	size_t *order, *mark;  /* tasks, parents first; by task: who could take it */
	struct part *parts;
};

static void
find_groups(struct cutting *c, const struct part_key *keys)
{
	struct map seen = MAP_INIT;

	for (size_t i = 0; i < c->plan->ntasks; i++) {
		size_t at;

		c->group_of[i] = ANY;
		if (!keys[i].text)
			continue;
		at = (size_t)(uintptr_t)map_get(&seen, keys[i].text);
		if (at == 0) {
			c->groups = xgrow(c->groups, c->ngroups, &c->groups_cap,
			    sizeof(*c->groups));
			c->groups[c->ngroups] = (struct group){ .text = keys[i].text,
			    .rank = keys[i].rank };
			at = ++c->ngroups;
			map_put(&seen, keys[i].text, (void *)(uintptr_t)at);
		}
		c->group_of[i] = at - 1;
		c->groups[at - 1].left++;
	}
	map_release(&seen);
}

/* Tasks by wave: parents first. */
static void
sort_tasks(struct cutting *c)
{
	size_t *start = xcalloc(c->plan->nwaves + 2, sizeof(*start));

	for (size_t i = 0; i < c->plan->ntasks; i++)
		start[c->plan->tasks[i].wave + 1]++;
	for (size_t w = 1; w <= c->plan->nwaves; w++)
		start[w] += start[w - 1];
	for (size_t i = 0; i < c->plan->ntasks; i++)
		c->order[start[c->plan->tasks[i].wave]++] = i;
	free(start);
}

/* Which key could take the task now, ANY, or NONE. */
static size_t
taker(const struct cutting *c, size_t i)
{
	const struct task *t = &c->plan->tasks[i];
	size_t by = c->group_of[i];

	for (size_t k = 0; k < t->nparents; k++) {
		size_t p = t->parents[k];

		if (c->out->of[p] != NONE)
			continue;
		if (by == ANY)
			by = c->mark[p];
		if (by != c->mark[p])
			return NONE;
	}
	return by;
}

static void
mark_tasks(struct cutting *c)
{
	for (size_t g = 0; g < c->ngroups; g++)
		c->groups[g].ready = 0;
	for (size_t k = 0; k < c->plan->ntasks; k++) {
		size_t i = c->order[k];

		if (c->out->of[i] != NONE)
			continue;
		c->mark[i] = taker(c, i);
		if (c->mark[i] < c->ngroups && c->group_of[i] == c->mark[i])
			c->groups[c->mark[i]].ready++;
	}
}

static void
take(struct cutting *c, size_t group)
{
	struct group *g = &c->groups[group];

	c->parts = xgrow(c->parts, c->out->n, &c->parts_cap, sizeof(*c->parts));
	c->parts[c->out->n] = (struct part){ .key = g->text, .number = ++g->nparts };
	for (size_t k = 0; k < c->plan->ntasks; k++) {
		size_t i = c->order[k];

		if (c->out->of[i] == NONE && c->mark[i] == group)
			c->out->of[i] = c->out->n;
	}
	g->left -= g->ready;
	c->out->n++;
}

static bool
is_better(const struct group *a, const struct group *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->ready != b->ready)
		return a->ready > b->ready;
	return strcmp(a->text, b->text) < 0;
}

static bool
is_whole(const struct group *g)
{
	return g->left && g->ready == g->left;
}

/* The key that is next: one that can be finished, else the best. NONE: nothing is left. */
static size_t
choose(const struct cutting *c)
{
	size_t best = NONE;

	for (size_t g = 0; g < c->ngroups; g++) {
		const struct group *x = &c->groups[g];

		if (x->ready == 0)
			continue;
		if (best == NONE || is_whole(x) > is_whole(&c->groups[best]) ||
		    (is_whole(x) == is_whole(&c->groups[best]) && is_better(x, &c->groups[best])))
			best = g;
	}
	return best;
}

void
parts_cut(struct parts *p, struct arena *a, const struct plan *plan, const struct part_key *keys)
{
	size_t n = plan->ntasks + 1, at;
	struct cutting c = {
		.out = p, .plan = plan,
		.group_of = xcalloc(n, sizeof(size_t)), .order = xcalloc(n, sizeof(size_t)),
		.mark = xcalloc(n, sizeof(size_t)),
	};

	p->n = 0;
	p->of = arena_zalloc(a, n, sizeof(*p->of));
	for (size_t i = 0; i < n; i++)
		p->of[i] = NONE;
	find_groups(&c, keys);
	sort_tasks(&c);
	for (mark_tasks(&c); (at = choose(&c)) != NONE; mark_tasks(&c))
		take(&c, at);
	p->v = arena_zalloc(a, p->n + 1, sizeof(*p->v));
	if (p->n)
		memcpy(p->v, c.parts, p->n * sizeof(*p->v));
	free(c.parts);
	free(c.groups);
	free(c.group_of);
	free(c.order);
	free(c.mark);
}
