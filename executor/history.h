/* executor/history.h -- the record of past runs: one SQLite file, written by the run under way.
 *
 *   history_open -> history_medians -> history_begin -> (observer, history_hook)
 *   -> history_end -> history_close
 *
 * A run must never fail or wait because of its record: every call takes a NULL history and does
 * nothing then; after the first trouble (disk full, damaged file, locked for too long) `warn` is
 * told once and the rest of the run is not recorded.
 * What is written: a row a run, a row an attempt, in groups (twice a second, or a thousand at
 * once), each group one transaction. Messages and SQL are masked, and cut where they are long.
 * Reading: executor/history_read.h, at any time, by any process. Format: docs/history.md.
 * Owner: texts are copied. Thread: main. Times: milliseconds since the Unix epoch.
 */
#ifndef HEDDLE_EXECUTOR_HISTORY_H
#define HEDDLE_EXECUTOR_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "executor/schedule.h"
#include "graph/plan.h"
#include "util/err.h"

struct history;

struct history_options {
	const char *path;         /* made, with its folder, when absent: mode 0600 */
	const char *project, *target;     /* a record belongs to both */
	void *self;
	void (*warn)(void *self, const char *text);
};

/* NULL with err when the file cannot be used. */
struct history *history_open(const struct history_options *o, struct err *err);
void history_close(struct history *h);

/*
 * seconds[i]: the median of task i's last good runs (HISTORY_MEDIAN_RUNS at most) of this project
 * and target, or -1 when it has none. Returns how many tasks have one.
 * last[i]: dbt's word for how its newest attempt ended, or NULL when none is known. last may be
 * NULL.
 */
#define HISTORY_MEDIAN_RUNS 20
size_t history_medians(struct history *h, const struct plan *p, double *seconds, const char **last);

/* What is known of a run before its first node. Any text but run_id and command may be NULL. */
struct history_facts {
	const char *run_id;       /* unique; dbt's invocation id */
	const char *resumes;      /* run_id of the run this one continues */
	const char *command;      /* "build" */
	const char *selection;    /* in words: "tag:nightly+, without tag:slow" */
	const char *git_commit;
	const char *dbt_version, *adapter, *adapter_version;
	unsigned nthreads;
	int64_t started_ms;       /* of the whole invocation */
};

/* plan: outlives the history; its tasks and edges do not change. */
void history_begin(struct history *h, const struct history_facts *f, const struct plan *plan);

/* For the scheduler; its event() never fails. With EVENT_TICK it writes while nothing happens. */
struct observer history_observer(struct history *h);

/* A hook that ended: id "operation.shop.shop-on-run-start-0". took_ms: -1 = unknown. */
void history_hook(struct history *h, const char *id, enum result_status status, const char *message,
    int64_t took_ms);

struct history_outcome {
	int exit_code;
	const struct schedule_summary *summary;
	const size_t *critical;   /* tasks on the critical path, by the times they really took */
	size_t ncritical;
};

/* The run is over. Drops the oldest runs of a record that has grown too long. */
void history_end(struct history *h, const struct history_outcome *o);

#endif
