/* graph/hold.h -- which data tests hold back which nodes, as `dbt build` does it.
 *
 * Rule (dbt-core 1.11 compilation.py, add_test_edges): a test holds back a node N iff every parent
 * of the test is an ancestor of N, and N is a model, seed, snapshot, analysis or operation (dbt
 * looks at manifest.nodes; exposures, saved queries and functions wait for no test). All of the
 * test's parents lie before N then, so the new edges never make a cycle.
 *
 * Tests with the same parents hold back the same nodes; they are told together, as one barrier.
 * Only the first nodes are named: what comes after a held node is held with it.
 */
#ifndef HEDDLE_GRAPH_HOLD_H
#define HEDDLE_GRAPH_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"
#include "graph/set.h"
#include "util/arena.h"

struct barrier {
	const uint32_t *tests;     /* node indexes, sorted */
	size_t ntests;
	uint32_t *parents;         /* theirs, but for those that come before another one */
	size_t nparents;
	uint32_t *held;            /* in the order given */
	size_t nheld, held_cap;
};

/*
 * The barriers that the data tests among `tests` form; tests without parents are in none.
 * order: every node of the graph, parents first. New array and `held` arrays: hold_free();
 * the rest lives in the arena.
 */
struct barrier *hold_barriers(const struct graph *g, const struct set *tests, const uint32_t *order,
    struct arena *arena, size_t *nbarriers);
void hold_free(struct barrier *barriers, size_t nbarriers);

#endif
