/* executor/report.h -- the page of a run: one HTML file that needs nothing from outside.
 *
 * The page is executor/report.html, embedded at build time; this adds the data, as JSON. Whatever
 * names, messages and SQL hold, they stay text there: `<`, `>` and `&` are written as escapes, and
 * the page only ever sets text, never markup. Secrets are masked.
 * Thread: main. Errors: 0, or -1 with err. */
#ifndef HEDDLE_EXECUTOR_REPORT_H
#define HEDDLE_EXECUTOR_REPORT_H

#include "executor/history_read.h"
#include "util/buf.h"
#include "util/err.h"

#define REPORT_RUNS 30      /* runs that trends, pass rates and medians look back on */

/* Appends the page of `run` to out. */
int report_make(struct history_reader *r, const struct history_run *run, struct buf *out,
    struct err *err);

/* Appends a JSON string that may stand inside <script>. */
void report_add_json(struct buf *b, const char *text);

#endif
