/* graph/selector_eval.h -- selection tree + graph -> set of nodes.
 *
 *   selector_parse..() -> selector_fields() -> manifest_load() -> selector_eval()
 *
 * Rules: dbt-core 1.11 graph/selector.py, indirect selection of tests included. The answer holds
 *        every kind; which kinds a command keeps is the caller's business.
 * Owner: caller. Thread: main.
 */
#ifndef HEDDLE_GRAPH_SELECTOR_EVAL_H
#define HEDDLE_GRAPH_SELECTOR_EVAL_H

#include "graph/graph.h"
#include "graph/selector.h"
#include "graph/set.h"
#include "util/err.h"

struct state;

struct selector_env {
	const struct graph *graph;    /* loaded with selector_fields() at least */
	struct state *state;          /* of --state (graph/state.h); NULL = none given */

	/* Called for each word that finds no node; the text lives as long as the tree. May be
	 * NULL. */
	void (*unmatched)(void *self, const char *word);
	void *self;
};

/* Initialises and fills `out`; the caller releases it, also after -1 (err filled). */
int selector_eval(const struct selector *s, const struct selector_env *env, struct set *out,
    struct err *err);

#endif
