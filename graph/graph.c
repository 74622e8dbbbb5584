#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "graph/dag.h"
#include "graph/draft.h"
#include "graph/set.h"
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
	d->nodes = xgrow(d->nodes, d->n, &d->nodes_cap, sizeof(*d->nodes));
	d->names = xgrow(d->names, d->n, &d->names_cap, sizeof(*d->names));
	d->nodes[d->n] = draft->node;
	d->names[d->n++] = draft->names;
}

void
drafts_set_aside(struct drafts *d, const struct node *node)
{
	d->disabled = xgrow(d->disabled, d->ndisabled, &d->disabled_cap, sizeof(*d->disabled));
	d->disabled[d->ndisabled++] = *node;
}

void
drafts_release(struct drafts *d)
{
	free(d->nodes);
	free(d->names);
	free(d->disabled);
	memset(d, 0, sizeof(*d));
}

/* Large arrays are not copied into the arena: it takes them over. */
static void
hand_over(struct drafts *d)
{
	struct graph *g = d->graph;

	g->nodes = d->nodes;
	g->nnodes = d->n;
	g->disabled = d->disabled;
	g->ndisabled = d->ndisabled;
	arena_adopt(&g->arena, d->nodes);
	arena_adopt(&g->arena, d->disabled);
	d->nodes = d->disabled = NULL;
}

/* An id and where its node stands: sorted in place of the nodes, which are large. */
struct place {
	const char *id;
	uint32_t index;
};

/* Ids that are equal (they may be, among disabled nodes) keep the file's order. */
static int
place_by_id(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int rc = strcmp(x->id, y->id);

	return rc ? rc : (x->index > y->index) - (x->index < y->index);
}

/* nodes[i] becomes what was nodes[places[i].index]: along each cycle of the permutation. */
static void
permute(struct node *nodes, size_t n, const struct place *places)
{
	struct set done;

	set_init(&done, n);
	for (size_t start = 0; start < n; start++) {
		struct node first = nodes[start];
		size_t at = start;

		while (!set_has(&done, at)) {
			size_t from = places[at].index;

			set_add(&done, at);
			nodes[at] = from == start ? first : nodes[from];
			at = from;
		}
	}
	set_release(&done);
}

/* New array: places[i].index is where the i-th node of the sorted ones stood in the file. */
static struct place *
sort_nodes(struct node *nodes, size_t n)
{
	struct place *places = xreallocarray(NULL, n + 1, sizeof(*places));

	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ nodes[i].id, (uint32_t)i };
	if (n)
		qsort(places, n, sizeof(*places), place_by_id);
	permute(nodes, n, places);
	for (size_t i = 0; i < n; i++)
		nodes[i].index = (uint32_t)i;
	return places;
}

static int
index_ids(struct graph *g, struct err *err)
{
	map_reserve(&g->by_id, g->nnodes);
	for (size_t i = 0; i < g->nnodes; i++)
		if (map_put(&g->by_id, g->nodes[i].id, &g->nodes[i]))
			return err_set(err, "node '%s': there twice", g->nodes[i].id);
	return 0;
}

static int
compare_id(const void *id, const void *node)
{
	return strcmp(id, ((const struct node *)node)->id);
}

static bool
is_disabled(const struct graph *g, const char *id)
{
	return g->ndisabled &&
	    bsearch(id, g->disabled, g->ndisabled, sizeof(*g->disabled), compare_id) != NULL;
}

/* last[p] == n->index + 1: p is a parent of n already. */
static int
find_parents(struct drafts *d, struct node *n, const struct strs *ids, uint32_t *last,
    struct err *err)
{
	struct graph *g = d->graph;

	n->parents = arena_alloc(&g->arena, (ids->n + 1) * sizeof(*n->parents));
	for (size_t i = 0; i < ids->n; i++) {
		struct node *p = map_get(&g->by_id, ids->v[i]);

		if (!p && (d->lenient || is_disabled(g, ids->v[i]))) {
			n->parent_disabled = true;
			continue;
		}
		if (!p) {
			err_set(err, "node '%s': unknown parent '%s'", n->id, ids->v[i]);
			return err_hint(err, "`dbt parse` writes target/manifest.json anew");
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
drafts_link(struct drafts *d, bool with_macros, struct err *err)
{
	struct graph *g = d->graph;
	struct place *places = sort_nodes(d->nodes, d->n);
	uint32_t *last = xcalloc(d->n + 1, sizeof(*last));
	size_t nedges = 0;
	int rc;

	free(sort_nodes(d->disabled, d->ndisabled));
	hand_over(d);
	rc = index_ids(g, err);
	for (size_t i = 0; rc == 0 && i < g->nnodes; i++) {
		rc = find_parents(d, &g->nodes[i], &d->names[places[i].index].parents, last, err);
		nedges += g->nodes[i].nparents;
	}
	if (rc < 0)
		goto out;
	find_children(g, nedges);
	if (with_macros) {
		g->node_macros = arena_zalloc(&g->arena, g->nnodes + 1, sizeof(*g->node_macros));
		for (size_t i = 0; i < g->nnodes; i++)
			g->node_macros[i] = d->names[places[i].index].macros;
	}
	rc = refuse_cycle(g, err);
out:
	free(places);
	free(last);
	return rc;
}
