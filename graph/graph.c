#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "graph/dag.h"
#include "graph/draft.h"
#include "util/buf.h"
#include "util/xalloc.h"

struct graph *
graph_new(void)
{
	return xcalloc(1, sizeof(struct graph));
}

void
graph_free(struct graph *g)
{
	if (!g)
		return;
	map_release(&g->by_id);
	arena_release(&g->arena);
	free(g);
}

struct node *
graph_find(const struct graph *g, const char *id)
{
	return map_get(&g->by_id, id);
}

const char *
node_json(const struct node *n, enum node_json field)
{
	return n->json ? n->json[field] : NULL;
}

/* ---- from drafts ---- */

void
drafts_add(struct drafts *d, const struct draft *draft)
{
	d->v = xgrow(d->v, d->n, &d->cap, sizeof(*d->v));
	d->v[d->n++] = *draft;
}

void
drafts_set_aside(struct drafts *d, const struct node *node)
{
	d->aside = xgrow(d->aside, d->naside, &d->aside_cap, sizeof(*d->aside));
	d->aside[d->naside++] = *node;
}

void
drafts_release(struct drafts *d)
{
	free(d->v);
	free(d->aside);
	memset(d, 0, sizeof(*d));
}

static int
by_id(const void *a, const void *b)
{
	const struct draft *x = *(const struct draft *const *)a;
	const struct draft *y = *(const struct draft *const *)b;

	return strcmp(x->node.id, y->node.id);
}

/* Disabled nodes may share an id: then by their place in the file. */
static int
aside_by_id(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int rc = strcmp(x->id, y->id);

	return rc ? rc : (x->index > y->index) - (x->index < y->index);
}

static int
compare_id(const void *id, const void *node)
{
	return strcmp(id, ((const struct node *)node)->id);
}

/* Nodes in their final place, and by_id. The sorted drafts are the caller's to free. */
static int
place(struct drafts *d, struct graph *g, struct draft ***out, struct err *err)
{
	struct draft **sorted = xreallocarray(NULL, d->n + 1, sizeof(struct draft *));

	*out = sorted;
	for (size_t i = 0; i < d->n; i++)
		sorted[i] = &d->v[i];
	if (d->n)
		qsort(sorted, d->n, sizeof(struct draft *), by_id);
	g->nnodes = d->n;
	g->nodes = arena_alloc(&g->arena, (d->n + 1) * sizeof(*g->nodes));
	map_reserve(&g->by_id, d->n);
	for (size_t i = 0; i < d->n; i++) {
		struct node *n = &g->nodes[i];

		*n = sorted[i]->node;
		n->index = (uint32_t)i;
		if (map_put(&g->by_id, n->id, n))
			return err_set(err, "node '%s': there twice", n->id);
	}
	g->ndisabled = d->naside;
	g->disabled = arena_alloc(&g->arena, (d->naside + 1) * sizeof(*g->disabled));
	if (d->naside) {
		for (size_t i = 0; i < d->naside; i++)
			d->aside[i].index = (uint32_t)i;
		qsort(d->aside, d->naside, sizeof(*d->aside), aside_by_id);
		memcpy(g->disabled, d->aside, d->naside * sizeof(*d->aside));
	}
	return 0;
}

static bool
is_disabled(const struct graph *g, const char *id)
{
	return bsearch(id, g->disabled, g->ndisabled, sizeof(*g->disabled), compare_id) != NULL;
}

/* last[p] == n->index + 1: p is a parent of n already. */
static int
find_parents(struct graph *g, struct node *n, const struct strs *ids, bool lenient,
    uint32_t *last, struct err *err)
{
	n->parents = arena_alloc(&g->arena, (ids->n + 1) * sizeof(*n->parents));
	for (size_t i = 0; i < ids->n; i++) {
		struct node *p = map_get(&g->by_id, ids->v[i]);

		if (!p && (lenient || is_disabled(g, ids->v[i]))) {
			n->parent_disabled = true;
			continue;
		}
		if (!p) {
			err_set(err, "node '%s': unknown parent '%s'", n->id, ids->v[i]);
			return err_hint(err, "run `dbt parse` to write the manifest again");
		}
		if (last[p->index] == n->index + 1)
			continue;
		last[p->index] = n->index + 1;
		n->parents[n->nparents++] = p->index;
		p->nchildren++;
	}
	return 0;
}

static void
find_children(struct graph *g, size_t nedges)
{
	uint32_t *pool = arena_alloc(&g->arena, (nedges + 1) * sizeof(*pool));

	for (size_t i = 0; i < g->nnodes; i++) {
		g->nodes[i].children = pool;
		pool += g->nodes[i].nchildren;
		g->nodes[i].nchildren = 0;
	}
	for (size_t i = 0; i < g->nnodes; i++)
		for (size_t k = 0; k < g->nodes[i].nparents; k++) {
			struct node *p = &g->nodes[g->nodes[i].parents[k]];

			p->children[p->nchildren++] = (uint32_t)i;
		}
}

/* Every parent is known by now; what is left to refuse is a cycle, named in full. */
static int
refuse_cycle(const struct graph *g, struct err *err)
{
	uint32_t *order = xreallocarray(NULL, g->nnodes + 1, sizeof(*order));
	struct dag *d = dag_of_graph(g);
	uint32_t *cycle = NULL;
	size_t ncycle;
	int rc = dag_order(d, order, &cycle, &ncycle);

	if (rc < 0) {
		struct buf b = BUF_INIT;

		for (size_t i = 0; i < ncycle; i++)
			buf_addf(&b, "%s%s", i ? " -> " : "", g->nodes[cycle[i]].id);
		err_set(err, "a cycle: %s", buf_str(&b));
		buf_release(&b);
	}
	free(cycle);
	free(order);
	dag_free(d);
	return rc;
}

int
drafts_link(struct drafts *d, struct graph *g, bool with_macros, struct err *err)
{
	struct draft **sorted = NULL;
	uint32_t *last = xcalloc(d->n + 1, sizeof(*last));
	size_t nedges = 0;
	int rc = place(d, g, &sorted, err);

	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		rc = find_parents(g, &g->nodes[i], &sorted[i]->parents, d->lenient, last,
		    err);
		nedges += g->nodes[i].nparents;
	}
	if (rc < 0)
		goto out;
	find_children(g, nedges);
	if (with_macros) {
		g->node_macros = arena_zalloc(&g->arena, d->n + 1, sizeof(*g->node_macros));
		for (size_t i = 0; i < d->n; i++)
			g->node_macros[i] = sorted[i]->macros;
	}
	rc = refuse_cycle(g, err);
out:
	free(sorted);
	free(last);
	return rc;
}
