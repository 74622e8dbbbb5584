/* executor/retry.h -- whether and when a failed attempt is tried again. Pure: no clock, no file. */
#ifndef HEDDLE_EXECUTOR_RETRY_H
#define HEDDLE_EXECUTOR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/runner.h"
#include "graph/plan.h"

struct retry_verdict {
	int64_t delay_ms;       /* -1 = give up */
	bool outcome_unknown;   /* given up because the commit may have happened */
	const char *why;        /* static text: "connection lost", "no tries left" */
};

/*
 * faults:  attempts so far that count, this one included. A blameless result is tried again at once
 *          whatever their number.
 * appends: running the node again may write the same rows twice (retry_node_appends()).
 * random:  0..1, for the jitter.
 */
struct retry_verdict retry_decide(const struct task_policy *p, unsigned faults, bool appends,
    const struct result *r, double random);

/*
 * True for a node whose second run may duplicate rows: an incremental model with the strategy
 * `append`, or without unique_key, unless its strategy replaces what it writes (`microbatch`,
 * `insert_overwrite`, `replace_where`). With unique_key and no strategy it is the adapter's default
 * that counts: dbt's own is `append`, so only adapters known to use the key are trusted.
 * adapter: "postgres", or NULL when unknown. Reads config: without GRAPH_CONFIG every incremental
 * model counts.
 */
bool retry_node_appends(const struct node *n, const char *adapter);

#endif
