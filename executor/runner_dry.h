/* executor/runner_dry.h -- runs nothing: every node succeeds at once, and its message is the dbt
 * command that would run it alone. For --dry-run. Thread: any. */
#ifndef HEDDLE_EXECUTOR_RUNNER_DRY_H
#define HEDDLE_EXECUTOR_RUNNER_DRY_H

#include "executor/runner.h"

struct runner runner_dry(void);

#endif
