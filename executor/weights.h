/* executor/weights.h -- how long tasks are expected to take, from past runs.
 *
 * A task's weight is its usual time in the history, else its time in FILE (dbt's run_results.json)
 * when it ended well there, else the median of those of its kind and materialization, else the
 * median of its kind, else 1 second.
 * Thread: main. */
#ifndef HEDDLE_EXECUTOR_WEIGHTS_H
#define HEDDLE_EXECUTOR_WEIGHTS_H

#include <stddef.h>

#include "graph/plan.h"

/* Fills seconds and last_status of the tasks and weighs the plan. Returns how many tasks have a
 * time of their own: 0 when there is no past (then every weight is 1).
 * usual: by task, as history_medians() fills it, or NULL without a history. */
size_t weights_fill(struct plan *p, const char *run_results_path, const double *usual);

#endif
