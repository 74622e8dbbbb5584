/* exporters/parts.h -- a plan cut into larger parts: folders, layers.
 *
 *   struct part_key *key = ...one a task...;  parts_cut(&parts, &arena, plan, key);
 *
 * Tasks of one key make one part where that is possible. Where it is not (a folder reads another
 * one that reads it again) the key is cut into several parts, numbered in their order, so that
 *   - each task is in one part, and
 *   - the parts form no cycle: one after the other in their order is an order of the plan.
 * As few cuts as a simple rule finds: while a key can be finished, it is; else the key of the
 * lowest rank gives what it can, of equals the one that can give most, then the first by text.
 * A task without a key of its own (text NULL) goes with the last task it waits for; one that waits
 * for nothing must have a key.
 * Pure. Errors: none. Owner: the arena; keys are borrowed.
 */
#ifndef HEDDLE_EXPORTERS_PARTS_H
#define HEDDLE_EXPORTERS_PARTS_H

#include <stddef.h>

#include "graph/plan.h"
#include "util/arena.h"

struct part_key {
	const char *text;    /* NULL: none of its own */
	unsigned rank;       /* the same for the same text */
};

struct part {
	const char *key;
	unsigned number;     /* 1 = the first of its key */
};

struct parts {
	struct part *v;      /* in their order */
	size_t n;
	size_t *of;          /* by task: position in v */
};

void parts_cut(struct parts *p, struct arena *a, const struct plan *plan,
    const struct part_key *keys);

#endif
