/* graph/selector_methods.h -- the methods of dbt's selection language, one row each.
 *
 * Adding one is a function and a row of the table in selector_methods.c. The functions stand by
 * subject: names and kinds there, path and file in selector_methods_path.c, config in
 * selector_methods_config.c; state, result and source_status ask graph/state.h.
 * Source: dbt-core 1.11 graph/selector_methods.py. Thread: main.
 */
#ifndef HEDDLE_GRAPH_SELECTOR_METHODS_H
#define HEDDLE_GRAPH_SELECTOR_METHODS_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/graph.h"
#include "graph/selector.h"
#include "graph/set.h"
#include "util/arena.h"
#include "util/err.h"

struct state;

/* One question: criterion `c` asked about graph `g`. */
struct selector_query {
	const struct graph *g;
	const struct selector *c;
	struct state *state;        /* of --state; NULL = none */
	struct arena *scratch;      /* freed after the whole tree is answered */
};

struct selector_method {
	const char *name;
	bool text_only;             /* refuses YAML values that are not text */

	/* Adds the nodes that match to `out`, without graph signs. 0, or -1 with err. */
	int (*search)(const struct selector_query *q, struct set *out, struct err *err);

	/* Groups of fields (enum graph_fields) the search reads. */
	unsigned (*fields)(const struct selector *c);
};

#define SELECTOR_METHODS_MAX 32

const struct selector_method *selector_method_find(const char *name);   /* NULL when unknown */
const struct selector_method *selector_method_all(size_t *n);

/* For the files that hold searches: adds every node whose kind is in `kinds` (KIND_BIT()s) and
 * that `match` says yes to. */
void selector_pick(const struct selector_query *q, unsigned kinds,
    bool (*match)(const struct node *n, const void *arg), const void *arg, struct set *out);

#define EVERY_KIND (~0u)
/* What dbt keeps in the manifest's `nodes`; other kinds have a section each. */
#define NODES_SECTION (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT) | \
	KIND_BIT(KIND_TEST) | KIND_BIT(KIND_ANALYSIS) | KIND_BIT(KIND_OPERATION))

#define SELECTOR_SEARCHES(X) \
	X(fqn) X(tag) X(package) X(group) X(source) X(exposure) X(metric) X(semantic_model) \
	X(saved_query) X(unit_test) \
	X(resource_type) X(test_name) X(test_type) X(access) X(version) \
	X(path) X(file) X(config)
#define X(name) int method_##name(const struct selector_query *q, struct set *out, struct err *err);
SELECTOR_SEARCHES(X)
#undef X

unsigned method_config_fields(const struct selector *c);

#endif
