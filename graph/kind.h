/* graph/kind.h -- resource types as one table.
 * Source: dbt-core 1.11 artifacts/resources/types.py, task/build.py RUNNER_MAP. */
#ifndef HEDDLE_GRAPH_KIND_H
#define HEDDLE_GRAPH_KIND_H

#include <stdbool.h>
#include <stddef.h>

/* id, dbt's name, plural for people, verb that runs one alone, has rows of its own in run results
 * of build */
#define NODE_KINDS(X) \
	X(MODEL, "model", "models", "run", true) \
	X(SEED, "seed", "seeds", "seed", true) \
	X(SNAPSHOT, "snapshot", "snapshots", "snapshot", true) \
	X(TEST, "test", "data tests", "test", true) \
	X(UNIT_TEST, "unit_test", "unit tests", "test", true) \
	X(SOURCE, "source", "sources", NULL, false) \
	X(EXPOSURE, "exposure", "exposures", "build", true) \
	X(METRIC, "metric", "metrics", NULL, false) \
	X(SEMANTIC_MODEL, "semantic_model", "semantic models", NULL, false) \
	X(SAVED_QUERY, "saved_query", "saved queries", "build", true) \
	X(ANALYSIS, "analysis", "analyses", NULL, false) \
	X(OPERATION, "operation", "operations", NULL, false) \
	X(FUNCTION, "function", "functions", "build", true)

enum node_kind {
#define X(id, name, plural, verb, built) KIND_##id,
	NODE_KINDS(X)
#undef X
	NKINDS
};

#define KIND_BIT(kind) (1u << (kind))

const char *kind_name(enum node_kind kind);       /* "unit_test" */
const char *kind_plural(enum node_kind kind);     /* "unit tests" */
const char *kind_verb(enum node_kind kind);       /* "test"; NULL = nothing runs it */
bool kind_built(enum node_kind kind);             /* dbt build gives it a result */
int kind_find(const char *name, size_t len);      /* -1 when unknown */

#endif
