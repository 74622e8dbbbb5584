/* cli/resume.h -- what an earlier run has done already: which of a plan's tasks need not run again.
 * Thread: main. */
#ifndef HEDDLE_CLI_RESUME_H
#define HEDDLE_CLI_RESUME_H

#include <stdbool.h>
#include <stddef.h>

#include "executor/journal.h"
#include "executor/schedule.h"
#include "graph/plan.h"

struct resume_counts {
	size_t kept;        /* ended well: not run again */
	size_t unknown;     /* may have written its rows already: not run again, an error */
	size_t again;       /* failed, skipped, never started, or cut off */
	size_t rebuilt;     /* of `again`: ended well, but a test of theirs failed */
	size_t new_tasks;   /* of `again`: nodes the earlier run did not know */
	size_t gone;        /* nodes of the earlier run that the plan does not have */
};

/* By task index; new array, caller frees. Strings are borrowed from `earlier`.
 * A node that was cut off (or lost its connection) and appends is not run again unless its policy
 * says so: its rows may be there.
 * rebuild_tested: what a failed test reads runs again before it, and so do its other tests. */
struct schedule_known *resume_known(const struct plan *p, const struct journal_run *earlier,
    const char *adapter, bool rebuild_tested, struct resume_counts *counts);

#endif
