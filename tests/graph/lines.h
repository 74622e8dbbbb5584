/* tests/graph/lines.h -- projects from a few lines, and what selections choose of them.
 *
 *   struct graph *g = project(
 *       "source orders\n"
 *       "model stg_orders #staging #daily < orders\n");
 *   evaluate(g, "+stg_orders", "tag:daily", MODE_EMPTY, &set, &err);  ...  unmatched()
 *
 * One node a line: KIND NAME [#TAG ...] [< PARENT ...]. Parents are names of lines above.
 * Everything is in package `shop`; a model's folder is its name up to the first '_'. The lines
 * become the text of a manifest.json, which is read as any other.
 */
#ifndef HEDDLE_TESTS_LINES_H
#define HEDDLE_TESTS_LINES_H

#include "graph/graph.h"
#include "graph/selector.h"
#include "graph/set.h"

/* Such a line, for those who make them up. Strings are borrowed. */
struct line {
	char kind[32], name[64];
	const char *tags[8], *parents[64];
	size_t ntags, nparents;
};

struct graph *project(const char *text);        /* graph_free(); a mistake fails the test */
struct graph *load_lines(const struct line *lines, size_t nlines);
const char *id_of(const struct line *l);        /* good for the next 79 calls */

/* What --select and --exclude choose, NULL = not given. 0, or -1 with err; set_release(out) in
 * either case. */
int evaluate(const struct graph *g, const char *select, const char *exclude,
    enum selector_mode mode, struct set *out, struct err *err);
const char *unmatched(void);     /* "[a][b]": what found nothing in the last evaluate() */

int lines_release(void **state);                /* the group's teardown */

#endif
