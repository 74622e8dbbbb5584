/* cli/run_history.h -- the history of the run under way: what is told to executor/history.h.
 * A history that cannot be kept is warned of, once, and the run goes on with NULL. Thread: main. */
#ifndef HEDDLE_CLI_RUN_HISTORY_H
#define HEDDLE_CLI_RUN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/run_args.h"
#include "executor/history.h"
#include "executor/progress.h"
#include "executor/runner_worker.h"
#include "graph/plan.h"

/* given: --history, or NULL. only_read: nothing is made that was not there. May be NULL. */
struct history *run_history_open(const char *given, const struct worker_info *info, bool only_read,
    struct progress *progress);

/* Weighs the plan by the history and the last run's results; returns whether there was any past to
 * weigh it by. h may be NULL. */
bool run_history_weigh(struct history *h, struct plan *p, const char *run_results);

/* The nodes are about to start. began_ms: of the invocation, wall clock. resumes: id of the run
 * that is continued, or NULL. */
void run_history_begin(struct history *h, const struct worker_info *info,
    const struct run_args *args, const struct plan *p, int64_t began_ms, const char *resumes);

/* All is over. p: weighed by the times its tasks really took. */
void run_history_end(struct history *h, const struct plan *p, int exit_code,
    const struct schedule_summary *s);

#endif
