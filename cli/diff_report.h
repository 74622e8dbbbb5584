/* cli/diff_report.h -- what changed between two manifests, as text, JSON or Markdown.
 *
 *   diff_collect(&d, s, g, &set, &err);  diff_write_text(&out, &d);  diff_release(&d);
 *
 * Order: new, modified, removed; in each by kind (graph/kind.h), then by id. Thread: main.
 */
#ifndef HEDDLE_CLI_DIFF_REPORT_H
#define HEDDLE_CLI_DIFF_REPORT_H

#include "graph/graph.h"
#include "graph/set.h"
#include "graph/state.h"
#include "util/buf.h"
#include "util/err.h"

struct diff_entry {
	const struct node *node;
	struct state_report report;   /* new and modified ones */
	size_t downstream;            /* nodes after it, tests left out */
	bool disabled, breaking;      /* removed ones */
};

struct diff_list {
	struct diff_entry *v;
	size_t n, cap;
};

struct diff {
	struct diff_list added, modified, removed;
	size_t breaks;                /* nodes whose contract is broken */
	size_t downstream;            /* nodes after new and modified ones; not these, no tests */
	size_t exposures;             /* of those, or changed themselves */
	const char *against;          /* the --state folder as given */
};

/* Nodes of `chosen` beside their old selves; removed ones are told only when all == true.
 * s and g outlive d. 0, or -1 with err; diff_release() in both cases. */
int diff_collect(struct diff *d, struct state *s, const struct graph *g, const struct set *chosen,
    bool all, struct err *err);
void diff_release(struct diff *d);

void diff_write_text(struct buf *out, const struct diff *d);
void diff_write_json(struct buf *out, const struct diff *d);

/* For a pull request's comment: short values, long lists folded, below GitHub's limit of size. */
void diff_write_markdown(struct buf *out, const struct diff *d);

#endif
