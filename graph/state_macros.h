/* graph/state_macros.h -- which macros changed, and by which way a node reaches one. Inside graph/
 * only. Source: StateSelectorMethod._macros_modified and recursively_check_macros_modified.
 *
 * A changed macro has another macro_sql or stands on one side only; a node is hit when its
 * depends_on.macros, followed through the new side's macros, lead to one.
 */
#ifndef HEDDLE_GRAPH_STATE_MACROS_H
#define HEDDLE_GRAPH_STATE_MACROS_H

#include <stdbool.h>

#include "graph/graph.h"
#include "util/arena.h"

enum macro_verdict { MACRO_SAME, MACRO_CHANGED, MACRO_NEW, MACRO_REMOVED };

struct macro_way {
	const char *id;
	enum macro_verdict verdict;
	const struct macro_way *next;   /* towards the nearest changed one; NULL: it is one */
	bool reaches;                   /* is changed, or leads to one */
	unsigned steps;                 /* to it */
};

struct state_macros {
	struct macro_way *v;   /* new side's macros by id, then the removed ones */
	size_t n;
	struct map by_id;      /* -> struct macro_way * */
	size_t nchanged;
};

/* Both graphs need GRAPH_MACROS and outlive it. v lives in the arena. */
void state_macros_init(struct state_macros *m, struct arena *a, const struct graph *old,
    const struct graph *now);
void state_macros_release(struct state_macros *m);

/* The first of the node's macros that leads to a changed one by the shortest way, or NULL. */
const struct macro_way *state_macros_hit(const struct state_macros *m, const struct graph *now,
    const struct node *n);

#endif
