/* graph/draft.h -- what the manifest reader hands to the graph: nodes in file order, with their
 * parents still as texts. Inside graph/ only.
 *
 *   drafts_add() for each node, then drafts_link() once: it sorts, fills by_id, turns texts into
 *   edges, and refuses unknown parents, duplicate ids and cycles.
 *
 * Owner: the arrays belong to the drafts until linked, then to the graph (nodes are sorted in
 *        place, not copied); the strings of nodes to the graph from the start, those of parents to
 *        the caller.
 */
#ifndef HEDDLE_GRAPH_DRAFT_H
#define HEDDLE_GRAPH_DRAFT_H

#include "graph/graph.h"
#include "util/err.h"

struct draft_names {
	struct strs parents;     /* depends_on.nodes */
	struct strs macros;      /* depends_on.macros */
};

struct draft {
	struct node node;
	struct draft_names names;
};

struct drafts {
	struct graph *graph;
	struct node *nodes;          /* in file order */
	struct draft_names *names;   /* of the same */
	size_t n, nodes_cap, names_cap;
	struct node *disabled;
	size_t ndisabled, disabled_cap;
	/* drop unknown parents: a newer dbt has kinds we do not know */
	bool lenient;
};

void drafts_add(struct drafts *d, const struct draft *draft);
void drafts_set_aside(struct drafts *d, const struct node *node);   /* disabled */

/* 0, or -1 with err ("node 'x': what"). with_macros: fill graph->node_macros. */
int drafts_link(struct drafts *d, bool with_macros, struct err *err);
void drafts_release(struct drafts *d);

#endif
