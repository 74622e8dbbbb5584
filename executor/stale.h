/* executor/stale.h -- which nodes hang on stale sources, and so need not run.
 *
 *   stale_new -> stale_observer() learns how the sources' checks end; stale_why() is asked before
 *   a node starts (schedule_options.excuse) -> stale_free
 *
 * A source is stale when its check ended past a limit: dbt's `warn` and `error`. A check that
 * failed (`runtime error`) says nothing about the age of the data, nor does a source that nobody
 * checks.
 * The rules, over all nodes of the graph, selected or not:
 *   any    a node is stale when one of its parents is
 *   all    ... when each of its parents is: nothing it comes from is fresh
 * A plan that has the sources as tasks starts a node after all sources it comes from, so the answer
 * is final when it is asked for. Owner: it borrows the messages of ended tasks, so ask while the
 * schedule lives. Thread: main.
 */
#ifndef HEDDLE_EXECUTOR_STALE_H
#define HEDDLE_EXECUTOR_STALE_H

#include <stdbool.h>

#include "executor/schedule.h"
#include "graph/plan.h"

#define STALE_RULES(X) \
	X(NEVER, "none") \
	X(ANY, "any") \
	X(ALL, "all")

enum stale_rule {
#define X(id, name) STALE_##id,
	STALE_RULES(X)
#undef X
	NSTALE_RULES
};

const char *stale_rule_name(enum stale_rule r);
int stale_rule_find(const char *name);                       /* -1 when unknown */

struct stale;

struct stale *stale_new(const struct plan *p, enum stale_rule rule);
void stale_free(struct stale *s);                            /* NULL is fine */
struct observer stale_observer(struct stale *s);

/* The verdict on a source's data: the task has ended with dbt's `warn`, or past the error limit. */
bool stale_found(const struct run_task *t);

/* schedule_options.excuse: why the task need not run, or NULL. self is the struct stale; the text
 * is good until the next call. */
const char *stale_why(void *self, const struct run_task *t);

#endif
