/* graph/state_parts.h -- one node beside its old self, part by part. Inside graph/ only.
 *
 * Source: the same_* methods of dbt-core 1.11 contracts/graph/nodes.py. One table row is one
 * question; a row says which kinds plain `modified` asks it for, and which `modified.PART`.
 */
#ifndef HEDDLE_GRAPH_STATE_PARTS_H
#define HEDDLE_GRAPH_STATE_PARTS_H

#include "graph/graph.h"
#include "graph/state.h"
#include "util/arena.h"
#include "util/err.h"

struct comparison {
	struct arena *arena;          /* of the texts below */
	const char *adapter;          /* adapter_type of the new manifest, or NULL */
	bool as_written;              /* see state_new() */

	/* When reasons are wanted: */
	bool explain;
	struct state_change *changes;
	size_t nchanges, cap;

	/* What dbt says on the way. */
	struct state_warning *warnings;
	size_t nwarnings, warnings_cap;
	const char *broken;           /* a versioned contract was broken: the whole command fails */
};

/* Plain `modified`, macros left out. old is not NULL. */
bool parts_differ(struct comparison *c, const struct node *old, const struct node *now);

/* `modified.PART` for one of body, configs, relation, descriptions, contract. old may be NULL:
 * a new node differs in every part that its kind has. */
bool part_differs(struct comparison *c, enum state_part part, const struct node *old,
    const struct node *now);

/* `modified` of a node that is new: not so for sources, exposures, metrics and their like. */
bool new_is_modified(const struct node *now);

/* A model that is gone (or disabled: then its new, disabled entry): whether that breaks its
 * contract. Fills warnings, broken. */
bool contract_removed(struct comparison *c, const struct node *model);

/* graph/state_contract.c: contracts of two models. */
bool contract_differs(struct comparison *c, const struct node *old, const struct node *now);

/* For the rows: NULL texts mean "not there". Copies; only with c->explain. */
void note_change(struct comparison *c, enum state_part part, const char *what, const char *before,
    const char *after, const char *note);
/* Of two values that differ: says which keys and named items inside do: "config.meta.owner". */
void note_values(struct comparison *c, enum state_part part, const char *what, const char *before,
    const char *after);
/* Two codes (JSON strings): "line 5 changed", "lines 3 to 4 added". */
void note_lines(struct comparison *c, const char *old, const char *now);
void note_breaking(struct comparison *c, const char *what, const char *before, const char *after,
    const char *note);
void add_warning(struct comparison *c, const char *event, const char *fmt, ...) ERR_PRINTF(3, 4);
void comparison_release(struct comparison *c);

#endif
