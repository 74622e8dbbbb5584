/* graph/artifacts.h -- the rows of run_results.json and sources.json, as selection needs them.
 *
 * Read: run results v4 to v6, sources v3 (dbt-core 1.11 artifacts/schemas). The file is streamed:
 * compiled code and logs in it are skipped.
 * Errors: -1 with err "FILE: JSON path: what". Thread: any.
 */
#ifndef HEDDLE_GRAPH_ARTIFACTS_H
#define HEDDLE_GRAPH_ARTIFACTS_H

#include "util/err.h"

struct artifact_row {
	const char *id;              /* unique_id */
	const char *status;          /* "success", "error", "runtime error", ... */
	const char *max_loaded_at;   /* sources: as written; NULL for a runtime error */
};

/* Calls each(self, row) in the file's order; the row is good until it returns. */
typedef void artifact_fn(void *self, const struct artifact_row *row);

int artifact_run_results(const char *path, artifact_fn *each, void *self, struct err *err);
int artifact_sources(const char *path, artifact_fn *each, void *self, struct err *err);

#endif
