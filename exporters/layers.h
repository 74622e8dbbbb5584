/* exporters/layers.h -- the layer of a node, as deployments by hand name them.
 *
 * Seeds, snapshots and functions are layers of their own. A model's layer is that of the first of
 * its folders with a usual name (staging, stg, base, bronze; intermediate, int, silver; marts,
 * mart, gold, reporting ...), else that of its name's prefix (stg_, int_, dim_ ...), else of its
 * place: what reads no model is staging, what no model reads is marts, the rest intermediate.
 */
#ifndef HEDDLE_EXPORTERS_LAYERS_H
#define HEDDLE_EXPORTERS_LAYERS_H

#include "graph/graph.h"

/* In the order they are wanted in. */
#define LAYERS(X) X(SEED, "seed") X(SNAPSHOT, "snapshot") X(FUNCTION, "function") \
	X(STAGING, "staging") X(INTERMEDIATE, "intermediate") X(MARTS, "marts")

enum layer {
#define X(id, name) LAYER_##id,
	LAYERS(X)
#undef X
	NLAYERS
};

enum layer layer_of(const struct graph *g, const struct node *n);
const char *layer_name(enum layer l);

#endif
