/* graph/dag.h -- order, reach, cycles, critical path. The only file that sees igraph (and the
 * drawing layout of exporters). Main thread only: igraph is not thread safe as packaged.
 *
 * Works on any adjacency given as arrays, so graphs and plans share it.
 */
#ifndef HEDDLE_GRAPH_DAG_H
#define HEDDLE_GRAPH_DAG_H

#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"
#include "graph/set.h"
#include "util/err.h"

struct dag;   /* vertices 0..n-1 and directed edges */

struct dag_edge {
	uint32_t from, to;
};

/* Copies the edges. New; dag_free(). */
struct dag *dag_new(size_t nvertices, const struct dag_edge *edges, size_t nedges);
struct dag *dag_of_graph(const struct graph *g);
void dag_free(struct dag *d);

/* Vertices so that each comes after its parents: by the longest way from a start, then by number.
 * order[nvertices], caller's.
 * -1 when there is a cycle: cycle (caller frees) then lists its vertices in order, first = last. */
int dag_order(const struct dag *d, uint32_t *order, uint32_t **cycle, size_t *ncycle);

/* Everything reached from `from` (not included unless reached through others) along (down) or
 * against the edges, at most `depth` steps (SIZE_MAX: all). Adds to `out`. */
enum dag_direction { DAG_DOWN, DAG_UP };
void dag_reach(const struct dag *d, const struct set *from, enum dag_direction dir, size_t depth,
    struct set *out);

/* longest[i] = seconds[i] + the longest chain of seconds after i. Needs an acyclic dag.
 * Returns the critical path: the largest of longest[]. */
double dag_longest(const struct dag *d, const double *seconds, double *longest);

#endif
