#include "graph/state_macros.h"

#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "util/xalloc.h"

static const struct macro *
find_macro(const struct graph *g, const char *id)
{
	size_t lo = 0, hi = g->nmacros;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(id, g->macros[mid].id);

		if (order == 0)
			return &g->macros[mid];
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static bool
sql_differs(const struct macro *a, const struct macro *b)
{
	return !(a->sql && b->sql && strcmp(a->sql, b->sql) == 0) && !json_equal(a->sql, b->sql);
}

static void
find_changed(struct state_macros *m, struct arena *a, const struct graph *old,
    const struct graph *now)
{
	m->v = arena_zalloc(a, now->nmacros + old->nmacros + 1, sizeof(*m->v));
	for (size_t i = 0; i < now->nmacros; i++) {
		const struct macro *was = find_macro(old, now->macros[i].id);
		struct macro_way *w = &m->v[m->n++];

		w->id = now->macros[i].id;
		w->verdict = !was ? MACRO_NEW : sql_differs(was, &now->macros[i]) ? MACRO_CHANGED
		                                                                 : MACRO_SAME;
	}
	for (size_t i = 0; i < old->nmacros; i++)
		if (!find_macro(now, old->macros[i].id))
			m->v[m->n++] = (struct macro_way){
				.id = old->macros[i].id, .verdict = MACRO_REMOVED,
			};
	for (size_t i = 0; i < m->n; i++) {
		m->v[i].reaches = m->v[i].verdict != MACRO_SAME;
		m->nchanged += m->v[i].reaches;
		map_put(&m->by_id, m->v[i].id, &m->v[i]);
	}
}

/* Who calls each macro: callers[first[i] .. first[i + 1]). */
struct callers {
	size_t *first;
	size_t *v;
};

static void
find_callers(struct callers *c, const struct state_macros *m, const struct graph *now)
{
	size_t total = 0, *fill;

	c->first = xcalloc(m->n + 2, sizeof(*c->first));
	for (size_t i = 0; i < now->nmacros; i++)
		for (size_t k = 0; k < now->macros[i].parents.n; k++) {
			const struct macro_way *w = map_get(&m->by_id, now->macros[i].parents.v[k]);

			if (w) {
				c->first[(w - m->v) + 1]++;
				total++;
			}
		}
	for (size_t i = 0; i < m->n; i++)
		c->first[i + 1] += c->first[i];
	c->v = xcalloc(total + 1, sizeof(*c->v));
	fill = xcalloc(m->n + 1, sizeof(*fill));
	for (size_t i = 0; i < now->nmacros; i++)
		for (size_t k = 0; k < now->macros[i].parents.n; k++) {
			const struct macro_way *w = map_get(&m->by_id, now->macros[i].parents.v[k]);

			if (w)
				c->v[c->first[w - m->v] + fill[w - m->v]++] = i;
		}
	free(fill);
}

/* Breadth first from the changed ones against the calls: the nearest way wins, ties by id. */
static void
spread(struct state_macros *m, const struct callers *c)
{
	size_t *queue = xcalloc(m->n + 1, sizeof(*queue)), head = 0, tail = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].reaches)
			queue[tail++] = i;
	while (head < tail) {
		size_t i = queue[head++];

		for (size_t k = c->first[i]; k < c->first[i + 1]; k++) {
			struct macro_way *caller = &m->v[c->v[k]];

			if (caller->reaches)
				continue;
			caller->reaches = true;
			caller->next = &m->v[i];
			caller->steps = m->v[i].steps + 1;
			queue[tail++] = c->v[k];
		}
	}
	free(queue);
}

void
state_macros_init(struct state_macros *m, struct arena *a, const struct graph *old,
    const struct graph *now)
{
	struct callers callers;

	memset(m, 0, sizeof(*m));
	find_changed(m, a, old, now);
	if (!m->nchanged)
		return;
	find_callers(&callers, m, now);
	spread(m, &callers);
	free(callers.first);
	free(callers.v);
}

void
state_macros_release(struct state_macros *m)
{
	map_release(&m->by_id);
	memset(m, 0, sizeof(*m));
}

const struct macro_way *
state_macros_hit(const struct state_macros *m, const struct graph *now, const struct node *n)
{
	const struct strs *calls = &now->node_macros[n->index];
	const struct macro_way *best = NULL;

	if (!m->nchanged || n->kind == KIND_SOURCE)
		return NULL;
	for (size_t i = 0; i < calls->n; i++) {
		const struct macro_way *w = map_get(&m->by_id, calls->v[i]);

		if (w && w->reaches && (!best || w->steps < best->steps))
			best = w;
	}
	return best;
}
