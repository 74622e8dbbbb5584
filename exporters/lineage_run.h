/* exporters/lineage_run.h -- a finished run as run_results.json tells it: what OpenLineage events
 * need of it.
 *
 * The file is streamed once, and checked in full. Times are microseconds since the epoch.
 * Thread: any.
 */
#ifndef HEDDLE_EXPORTERS_LINEAGE_RUN_H
#define HEDDLE_EXPORTERS_LINEAGE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/arena.h"
#include "util/err.h"

struct lineage_row {
	const char *id;             /* unique_id */
	const char *status;         /* "success", "fail", ... */
	int64_t started_us, ended_us;
	int64_t took_us;            /* execution_time; 0 when absent */
	const char *message, *adapter_response, *compiled_code, *failures;   /* JSON, or NULL */
};

struct lineage_run {
	struct arena arena;         /* owns all texts */
	const char *invocation_id, *dbt_version;   /* dbt_version: NULL when absent */
	const char *args;           /* what dbt was told: a JSON object, or NULL */
	const char *command;        /* "build"; NULL when absent */
	int64_t started_us, ended_us;
	bool failed;
	struct lineage_row *rows;   /* in the file's order */
	size_t nrows, cap;
};

/* 0, or -1 with err "FILE: ...": not there, or not the results of a run. lineage_run_release() in
 * both cases. */
int lineage_run_read(struct lineage_run *run, const char *path, struct err *err);
void lineage_run_release(struct lineage_run *run);

/* Did the node fail; was it never tried? */
bool lineage_failed(const char *status);
bool lineage_skipped(const char *status);

#endif
