/* executor/results.h -- target/run_results.json, in dbt's schema v6, written by heddle itself.
 *
 *   results_new -> (results_observer() during the run) -> results_add_hook ... -> results_write
 *
 * An entry of a node that ran is dbt's own text (the worker sends what dbt would have written);
 * entries of nodes that never ran are made here, with status "skipped" and the reason, so that
 * `dbt retry`, `result:` selectors and catalogs accept the file.
 * Sources are not in it: their checks are in sources.json (executor/sources.h).
 * Order: on-run-start hooks, nodes as they ended, on-run-end hooks.
 * Source: dbt/artifacts/schemas/run/v5/run.py (schema v6 since dbt 1.8).
 * Thread: main. Errors: 0, or -1 with err; the old file then stays as it was.
 */
#ifndef HEDDLE_EXECUTOR_RESULTS_H
#define HEDDLE_EXECUTOR_RESULTS_H

#include <stddef.h>
#include <stdint.h>

#include "executor/schedule.h"
#include "graph/plan.h"
#include "util/err.h"

struct results;

struct results_head {
	const char *metadata;     /* JSON object; borrowed */
	const char *args;         /* JSON object: the resolved arguments, with `which`; borrowed */
	double elapsed_s;         /* whole invocation */
};

struct results *results_new(const struct plan *p);
void results_free(struct results *r);

/* Takes in every task that ended. Give it to the scheduler. */
struct observer results_observer(struct results *r);

/* JSON text of a hook's entry, as dbt would write it. Copied. */
void results_add_hook(struct results *r, const char *entry, bool at_start);

/* JSON text of the entry of a node that is no task here: another run has run it. Copied. */
void results_add(struct results *r, const char *entry);

/* A node that is no task and has no entry. */
void results_add_ended(struct results *r, const struct node *n, enum result_status status,
    const char *why);

/* Tasks that have no result yet (the run was stopped) become "skipped" with this reason. */
void results_skip_rest(struct results *r, const char *why);

int results_write(const struct results *r, const struct results_head *head, const char *path,
    struct err *err);

#endif
