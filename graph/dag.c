/*
 * Neighbours are two arrays a direction: those of v are to[first[v] .. first[v + 1]). igraph
 * sorts; what it lacks is here: naming a cycle, reach over bit sets with a depth, longest paths.
 */
#include "graph/dag.h"

#include <igraph/igraph.h>
#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

struct neighbours {
	uint32_t *first, *to;
};

struct dag {
	size_t n, nedges;
	bool loops;                  /* some vertex is its own parent */
	struct neighbours side[2];   /* by enum dag_direction */
};

static void
index_edges(struct neighbours *nb, size_t n, const struct dag_edge *edges, size_t nedges, bool up)
{
	nb->first = xcalloc(n + 2, sizeof(*nb->first));
	nb->to = xreallocarray(NULL, nedges + 1, sizeof(*nb->to));
	/* first[v + 2] counts, then first[v + 1] walks, and ends as the start of v + 1 */
	for (size_t i = 0; i < nedges; i++)
		nb->first[(up ? edges[i].to : edges[i].from) + 2]++;
	for (size_t v = 2; v < n + 2; v++)
		nb->first[v] += nb->first[v - 1];
	for (size_t i = 0; i < nedges; i++) {
		uint32_t at = up ? edges[i].to : edges[i].from;

		nb->to[nb->first[at + 1]++] = up ? edges[i].from : edges[i].to;
	}
}

struct dag *
dag_new(size_t nvertices, const struct dag_edge *edges, size_t nedges)
{
	struct dag *d = xcalloc(1, sizeof(*d));

	d->n = nvertices;
	d->nedges = nedges;
	for (size_t i = 0; i < nedges; i++)
		d->loops |= edges[i].from == edges[i].to;
	index_edges(&d->side[DAG_DOWN], nvertices, edges, nedges, false);
	index_edges(&d->side[DAG_UP], nvertices, edges, nedges, true);
	return d;
}

struct dag *
dag_of_graph(const struct graph *g)
{
	struct dag_edge *edges;
	size_t nedges = 0, i = 0;
	struct dag *d;

	for (size_t v = 0; v < g->nnodes; v++)
		nedges += g->nodes[v].nparents;
	edges = xreallocarray(NULL, nedges + 1, sizeof(*edges));
	for (size_t v = 0; v < g->nnodes; v++)
		for (size_t k = 0; k < g->nodes[v].nparents; k++)
			edges[i++] = (struct dag_edge){ g->nodes[v].parents[k], (uint32_t)v };
	d = dag_new(g->nnodes, edges, nedges);
	free(edges);
	return d;
}

void
dag_free(struct dag *d)
{
	if (!d)
		return;
	for (int i = 0; i < 2; i++) {
		free(d->side[i].first);
		free(d->side[i].to);
	}
	free(d);
}

/* ---- order ---- */

/* igraph's own handler ends the program. Here every call's code is looked at instead. */
static void
quiet_igraph(void)
{
	static bool done;

	if (done)
		return;
	igraph_set_error_handler(igraph_error_handler_ignore);
	igraph_set_warning_handler(igraph_warning_handler_ignore);
	done = true;
}

static igraph_error_t
fill_igraph(igraph_t *ig, const struct dag *d)
{
	const struct neighbours *down = &d->side[DAG_DOWN];
	igraph_vector_int_t edges;
	igraph_error_t rc = igraph_vector_int_init(&edges, (igraph_integer_t)(2 * d->nedges));
	igraph_integer_t i = 0;

	if (rc != IGRAPH_SUCCESS)
		return rc;
	for (size_t v = 0; v < d->n; v++)
		for (uint32_t k = down->first[v]; k < down->first[v + 1]; k++) {
			VECTOR(edges)[i++] = (igraph_integer_t)v;
			VECTOR(edges)[i++] = down->to[k];
		}
	rc = igraph_create(ig, &edges, (igraph_integer_t)d->n, IGRAPH_DIRECTED);
	igraph_vector_int_destroy(&edges);
	return rc;
}

/* sorted[n]: any topological order. False when there is a cycle; igraph overlooks loops. */
static bool
topological(const struct dag *d, uint32_t *sorted)
{
	igraph_vector_int_t order;
	igraph_error_t rc;
	igraph_t ig;
	bool ok;

	if (d->loops)
		return false;
	quiet_igraph();
	if (igraph_vector_int_init(&order, 0) != IGRAPH_SUCCESS)
		xmalloc(SIZE_MAX);   /* out of memory ends the program, as everywhere */
	if (fill_igraph(&ig, d) != IGRAPH_SUCCESS)
		xmalloc(SIZE_MAX);
	rc = igraph_topological_sorting(&ig, &order, IGRAPH_OUT);
	if (rc == IGRAPH_ENOMEM)
		xmalloc(SIZE_MAX);
	ok = rc == IGRAPH_SUCCESS && (size_t)igraph_vector_int_size(&order) == d->n;
	for (size_t i = 0; ok && i < d->n; i++)
		sorted[i] = (uint32_t)VECTOR(order)[i];
	igraph_destroy(&ig);
	igraph_vector_int_destroy(&order);
	return ok;
}

/* Peels off what has no parents left; what remains contains a cycle and everything after one. */
static uint32_t *
waiting_parents(const struct dag *d)
{
	const struct neighbours *down = &d->side[DAG_DOWN], *up = &d->side[DAG_UP];
	uint32_t *waiting = xcalloc(d->n + 1, sizeof(*waiting));
	uint32_t *queue = xreallocarray(NULL, d->n + 1, sizeof(*queue));
	size_t head = 0, tail = 0;

	for (size_t v = 0; v < d->n; v++) {
		waiting[v] = up->first[v + 1] - up->first[v];
		if (!waiting[v])
			queue[tail++] = (uint32_t)v;
	}
	while (head < tail) {
		uint32_t v = queue[head++];

		for (uint32_t k = down->first[v]; k < down->first[v + 1]; k++)
			if (--waiting[down->to[k]] == 0)
				queue[tail++] = down->to[k];
	}
	free(queue);
	return waiting;
}

/* Each of the rest has a parent among the rest, so walking up must meet itself. */
static void
find_cycle(const struct dag *d, uint32_t **cycle, size_t *ncycle)
{
	const struct neighbours *up = &d->side[DAG_UP];
	uint32_t *waiting = waiting_parents(d);
	uint32_t *walk = xreallocarray(NULL, d->n + 1, sizeof(*walk));
	uint32_t *step = xcalloc(d->n + 1, sizeof(*step));   /* 1 + place in walk; 0 = not met */
	size_t n = 0, from;
	uint32_t v = 0;

	while (!waiting[v])
		v++;
	while (!step[v]) {
		uint32_t k = up->first[v];

		walk[n++] = v;
		step[v] = (uint32_t)n;
		while (!waiting[up->to[k]])
			k++;
		v = up->to[k];
	}
	/* walk[from..n) goes against the edges and closes at v */
	from = step[v] - 1;
	*ncycle = n - from + 1;
	*cycle = xreallocarray(NULL, *ncycle, sizeof(**cycle));
	(*cycle)[0] = v;
	for (size_t i = 1; i < *ncycle; i++)
		(*cycle)[i] = walk[n - i];
	free(waiting);
	free(walk);
	free(step);
}

/* Counting sort by the longest way from a start, then by number: the same for every igraph. */
static void
settle(const struct dag *d, const uint32_t *sorted, uint32_t *order)
{
	const struct neighbours *down = &d->side[DAG_DOWN];
	uint32_t *level = xcalloc(d->n + 1, sizeof(*level));
	uint32_t *first = xcalloc(d->n + 2, sizeof(*first));

	for (size_t i = 0; i < d->n; i++) {
		uint32_t v = sorted[i];

		first[level[v] + 1]++;
		for (uint32_t k = down->first[v]; k < down->first[v + 1]; k++)
			if (level[down->to[k]] <= level[v])
				level[down->to[k]] = level[v] + 1;
	}
	for (size_t i = 1; i <= d->n; i++)
		first[i] += first[i - 1];
	for (size_t v = 0; v < d->n; v++)
		order[first[level[v]]++] = (uint32_t)v;
	free(level);
	free(first);
}

int
dag_order(const struct dag *d, uint32_t *order, uint32_t **cycle, size_t *ncycle)
{
	uint32_t *sorted = xreallocarray(NULL, d->n + 1, sizeof(*sorted));
	bool ok = topological(d, sorted);

	if (cycle) {
		*cycle = NULL;
		*ncycle = 0;
	}
	if (ok)
		settle(d, sorted, order);
	else if (cycle)
		find_cycle(d, cycle, ncycle);
	free(sorted);
	return ok ? 0 : -1;
}

/* ---- reach and length ---- */

void
dag_reach(const struct dag *d, const struct set *from, enum dag_direction dir, size_t depth,
    struct set *out)
{
	const struct neighbours *nb = &d->side[dir];
	uint32_t *queue = xreallocarray(NULL, d->n + 1, sizeof(*queue));
	size_t head = 0, tail = 0, layer_end;
	struct set seen;

	set_copy(&seen, from);
	for (size_t i = set_next(from, 0); i < from->nbits; i = set_next(from, i + 1))
		queue[tail++] = (uint32_t)i;
	for (layer_end = tail; depth > 0 && head < tail; depth--, layer_end = tail)
		while (head < layer_end) {
			uint32_t v = queue[head++];

			for (uint32_t k = nb->first[v]; k < nb->first[v + 1]; k++) {
				uint32_t w = nb->to[k];

				set_add(out, w);
				if (!set_has(&seen, w)) {
					set_add(&seen, w);
					queue[tail++] = w;
				}
			}
		}
	set_release(&seen);
	free(queue);
}

double
dag_longest(const struct dag *d, const double *seconds, double *longest)
{
	const struct neighbours *down = &d->side[DAG_DOWN];
	uint32_t *order = xreallocarray(NULL, d->n + 1, sizeof(*order));
	double critical = 0;

	memset(longest, 0, d->n * sizeof(*longest));
	if (dag_order(d, order, NULL, NULL) < 0)
		goto out;
	for (size_t i = d->n; i-- > 0;) {
		uint32_t v = order[i];
		double after = 0;

		for (uint32_t k = down->first[v]; k < down->first[v + 1]; k++)
			if (longest[down->to[k]] > after)
				after = longest[down->to[k]];
		longest[v] = seconds[v] + after;
		if (longest[v] > critical)
			critical = longest[v];
	}
out:
	free(order);
	return critical;
}
