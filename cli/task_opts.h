/* cli/task_opts.h -- the options of exports whose tasks run dbt, as a table beside select_opts.
 *
 *   opts_parse(..., { task_opts, ... }, ...);  task_opts_read(x, &out, &err);
 *   after the graph is loaded: task_opts_finish(g, &out);  ...  task_opts_release(&out)
 *
 * The table fills one struct: there is one command line. Thread: main.
 */
#ifndef HEDDLE_CLI_TASK_OPTS_H
#define HEDDLE_CLI_TASK_OPTS_H

#include "cli/opts.h"
#include "executor/config.h"
#include "exporters/exporter.h"
#include "graph/set.h"
#include "util/err.h"

extern const struct opt task_opts[];

/* Checks the words and fills `out`. An option that the target has no use for is an error. */
int task_opts_read(const struct exporter *x, struct task_options *out, struct err *err);
/* What needs the project: hooks, its warn_error_options, its default selector. */
void task_opts_finish(const struct graph *g, struct task_options *out);
void task_opts_release(struct task_options *out);

/* Leaves in `nodes` what the plan of these tasks is made of. */
void task_opts_keep(const struct graph *g, const struct task_options *o, struct set *nodes);
/* --retries, --retry-delay, --timeout. */
const struct policy_patch *task_opts_policy(void);
bool task_opts_given(void);    /* any of them at all */

#endif
