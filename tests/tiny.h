/* tests/tiny.h -- small graphs for tests, from a few lines of text.
 *
 *   struct graph *g = tiny_graph(
 *       "source raw\n"
 *       "model  orders: raw\n"
 *       "test   unique: orders\n"
 *       "incremental events: orders {\"unique_key\": \"id\"}\n");
 *
 * A line: KIND NAME[: PARENT...] [CONFIG as JSON]. KIND is dbt's resource type, or `ephemeral`,
 * `incremental`, `blank` for such models, `checked` for a source with a freshness check. Names are
 * unique; the id is "model.p.orders". Parents may come later in the text.
 */
#ifndef HEDDLE_TESTS_TINY_H
#define HEDDLE_TESTS_TINY_H

#include "graph/graph.h"
#include "graph/plan.h"

struct graph *tiny_graph(const char *text);   /* graph_free(); a mistake fails the test */

/* The plan of a command over everything, or over the names given (blank-separated). */
struct plan *tiny_plan(const struct graph *g, enum plan_command c, const char *names);

const struct node *tiny_node(const struct graph *g, const char *name);

/* "a>b a>c": the plan's edges by name, in order of ids. New string. */
char *tiny_edges(const struct plan *p);

#endif
