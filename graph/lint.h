/* graph/lint.h -- what the plan of a selection leaves uncovered, and what will bite later.
 *
 *   lint_run(&l, plan, &set, &options);  ... l.v[0..l.n) ...;  lint_release(&l);
 *
 * Needs a graph with lint_fields(). Each check is a row of LINT_CHECKS: a code that stays, and can
 * be switched off. Findings are ordered by check, then by node.
 * Owner:  texts live in l's arena; nodes are the graph's. Thread: main.
 */
#ifndef HEDDLE_GRAPH_LINT_H
#define HEDDLE_GRAPH_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/plan.h"
#include "util/arena.h"

/* id, code, what it finds (a line of --help) */
#define LINT_CHECKS(X) \
	X(TEST_NOT_RUN, "test-not-run", "a test on a planned node that this plan does not run") \
	X(TEST_READS_NOTHING, "test-reads-nothing", \
	    "a test without parents: no node takes it along") \
	X(TEST_CYCLE, "test-cycle", "a test of one node that reads another further down") \
	X(DUPLICATE_TEST, "duplicate-test", "tests that ask the same question") \
	X(NAME_COLLISION, "name-collision", "nodes that one name selects together") \
	X(FOLDER_NAME, "folder-name", \
	    "a node named like a folder: its name selects the folder too") \
	X(RELATION_COLLISION, "relation-collision", "nodes that write the same relation") \
	X(UNREAD, "unread", "a source, seed or ephemeral model that no node reads") \
	X(DEAD_END, "dead-end", \
	    "a model that no node and no exposure reads (in projects with exposures)") \
	X(NO_FRESHNESS, "no-freshness", "a source that many nodes read, without a freshness check")

enum lint_check {
#define X(id, code, what) LINT_##id,
	LINT_CHECKS(X)
#undef X
	NLINT_CHECKS
};

const char *lint_code(enum lint_check check);      /* "duplicate-test" */
const char *lint_summary(enum lint_check check);
int lint_find(const char *code);                   /* -1 when unknown */

struct lint_finding {
	enum lint_check check;
	const struct node *node;
	const struct node **others;    /* the rest of a group, by id */
	size_t nothers;
	const char *message;           /* one sentence without the node's own name */
};

struct lint {
	struct arena arena;
	struct lint_finding *v;
	size_t n, cap;
};

struct lint_options {
	bool off[NLINT_CHECKS];
	bool packages;                 /* also what belongs to installed packages alone */
	size_t many;                   /* readers from which a source is read by many */
};

unsigned lint_fields(void);

/* plan: of `build`, over the whole graph or a selection; only nodes in `chosen` are looked at, but
 * for TEST_NOT_RUN, which is about tests that are not. */
void lint_run(struct lint *l, const struct plan *plan, const struct set *chosen,
    const struct lint_options *options);
void lint_release(struct lint *l);

#endif
