/* executor/worker_message.h -- messages of the worker as structs, and back.
 * Protocol: executor/dbt_worker/__init__.py. Nothing the process says is trusted to be there:
 * absent or mistyped fields become NULL, 0 or false. Strings are new. Thread: any. */
#ifndef HEDDLE_EXECUTOR_WORKER_MESSAGE_H
#define HEDDLE_EXECUTOR_WORKER_MESSAGE_H

#include <stddef.h>

#include "executor/runner_worker.h"

struct cJSON;

void worker_info_read(struct worker_info *info, const struct cJSON *message);
void worker_info_release(struct worker_info *info);

void worker_ready_read(struct worker_ready *ready, const struct cJSON *message);
void worker_ready_release(struct worker_ready *ready);

void worker_end_read(struct worker_end *end, const struct cJSON *message);
void worker_end_release(struct worker_end *end);

/* A result message, with its class. -1: it is not one for this job. */
int worker_result_read(struct result *result, const char *line, const char *id,
    const char *adapter);

struct cJSON *worker_start_message(const char *verb, const char *const *argv);
struct cJSON *worker_run_message(const char *op, const char *id, unsigned attempt);
struct cJSON *worker_finish_message(const struct worker_outcome *outcomes, size_t n,
    bool cancelled);

#endif
