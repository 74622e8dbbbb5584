/* executor/progress.h -- what the user sees of a run: a line a node, failures in full when they
 * happen, a summary at the end; or the same as JSON lines (executor/events.h). An observer of the
 * scheduler. With a board (executor/board.h) only what is news is a line: failures, warnings,
 * retries and dbt's own lines; they appear above it at its next drawing.
 *
 *   progress_new -> progress_log ... -> progress_start -> (observer) -> progress_end
 *
 * Texts from outside are made safe. Thread: main; progress_log() from any. */
#ifndef HEDDLE_EXECUTOR_PROGRESS_H
#define HEDDLE_EXECUTOR_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/schedule.h"
#include "graph/plan.h"

struct events;

enum progress_format { PROGRESS_TEXT, PROGRESS_JSON };

struct progress_options {
	int fd;                      /* where lines go */
	enum progress_format format;
	bool quiet;                  /* only what went wrong */
	bool colour;
	bool board;                  /* a live board below the lines, while nodes run; fd is able to
	                              * (executor/screen.h), the format is text, and ticks come */
	const char *root;            /* project folder: paths below it are shown without it */
};

struct progress;

struct progress *progress_new(const struct progress_options *o);
void progress_free(struct progress *g);
struct observer progress_observer(struct progress *g);

/* Whatever is shown goes there too, from now on, also what --quiet hides. Outlives the progress. */
void progress_also(struct progress *g, struct events *e);

/* A line from dbt: its warnings and errors, print() and log() of macros. id may be NULL. */
void progress_log(struct progress *g, const char *id, const char *level, const char *text);

/* The plan is known: options as dbt resolved them, and the first line
 * ("heddle 0.1: build of shop, 28 tasks, 4 threads, duckdb target dev, dbt 1.11.16"). */
struct progress_head {
	const struct plan *plan;     /* outlives the progress */
	struct progress_options options;
	const char *project, *target, *adapter, *dbt_version, *command;
	unsigned nthreads;
	bool timed;                  /* the plan's seconds come from earlier runs */
};
void progress_start(struct progress *g, const struct progress_head *h);

/* A hook's result; entry as in run_results.json, only what is shown. */
void progress_hook(struct progress *g, const char *id, enum result_status status,
    const char *message);

/* Counts, retried nodes, root causes, wall time beside the lower bound, the slowest five, next
 * step.
 * The lower bound is computed from the tasks' real seconds. */
struct progress_tail {
	const struct schedule_summary *summary;
	const struct run_task *tasks;
	unsigned nthreads;
	double lower_bound_s;        /* max(critical path, work / threads) of this run */
	double critical_path_s, work_s;
	int64_t total_ms;            /* whole invocation, start-up included */
	const char *next;            /* what to type next, or NULL */
};
void progress_end(struct progress *g, const struct progress_tail *t);

#endif
