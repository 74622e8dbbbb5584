/* run_inside.h -- one invocation, shared by cli/run*.c and nobody else; cli/run.h is the interface.
 *
 *   run.c           run_project(): the steps, the exit code, the end of everything
 *   run_setup.c     the command line -> a plan
 *   run_resume.c    the earlier run that this one continues; the record of this one
 *   run_nodes.c     the plan carried out: observers, scheduler, on-run-end
 *   run_hooks.c     on-run-start or on-run-end without nodes
 *   run_sources.c   sources: which are checked, what their age skips, sources.json
 *   run_outcome.c   what is said and kept: progress, hooks, run_results.json, summary
 *   run_notify.c    who is told how it ended
 *
 * Thread: main. Errors: 0, or -1 with err, unless an exit code is returned. */
#ifndef HEDDLE_CLI_RUN_INSIDE_H
#define HEDDLE_CLI_RUN_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/backend.h"
#include "cli/opts.h"
#include "cli/policies.h"
#include "cli/project.h"
#include "cli/run.h"
#include "cli/run_args.h"
#include "executor/events.h"
#include "executor/history.h"
#include "executor/journal.h"
#include "executor/progress.h"
#include "executor/results.h"
#include "executor/schedule.h"
#include "executor/sources.h"
#include "executor/stale.h"
#include "executor/transient.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "graph/set.h"
#include "util/err.h"

#define SKIPPED_BY_HOOK "skipped because on-run-start failed (skip_nodes_if_on_run_start_fails)"

/* One invocation. Everything starts empty and is released in one place. */
struct run {
	const struct run_request *rq;
	enum plan_command command;
	struct words dbt;              /* arguments for dbt, NULL last */
	int64_t started_ms;            /* monotonic */
	int64_t began_ms;              /* the same moment, wall clock */

	struct backend dbt_runs;
	struct transient *transient;   /* heddle.yml's patterns */
	const struct worker_info *info;
	const struct worker_ready *ready;
	struct run_args args;
	struct project project;
	struct policies policies;
	char threads[16];              /* heddle.yml's, as an argument */
	int lock_fd;

	struct graph *graph;
	struct set selected;
	struct plan *plan;
	struct schedule *schedule;
	struct journal *journal;
	char *record_dir;              /* journals of all runs */
	struct journal_run found;      /* what --resume has found; else empty */
	const struct journal_run *earlier;   /* the run that this one continues, or NULL */
	/* when the first of the runs began that this one continues, or it itself, as dbt writes
	 * times */
	char since[64];
	char **dead_runs;              /* ids, for the backend */
	/* entries of nodes that other runs ran, NULL-ended, or NULL */
	const char *const *elsewhere;
	struct schedule_known *known;  /* by task: results of an earlier run; or NULL */
	size_t nagain;                 /* of them, not ended well */
	/* the earlier run was killed, or could not write its results */
	bool unwritten;
	struct results *results;
	struct sources *sources;
	struct stale *stale;           /* NULL: no source is checked */
	struct progress *progress;
	struct events *events;         /* --events; NULL: nobody asked */
	struct history *history;       /* NULL: none is kept */
	const char *resumes;           /* run id of the run that is continued, or NULL */
	struct schedule_summary summary;
	bool timed;                    /* the plan is weighed by earlier runs */
	bool hooks_failed;
	bool written;                  /* all that lasts, but for the last line of the journal */
};

/* ---- run_setup.c, in this order ---- */

/* What must be known before dbt starts. */
int run_read_config(struct run *r, struct err *err);
/* dbt has parsed the project: r->info, r->args. */
int run_start_dbt(struct run *r, struct err *err);
/* The manifest dbt parsed in this invocation, and what the resolved arguments select in it. */
int run_load_graph(struct run *r, struct err *err);
/* With policies and weights; opens the history. */
int run_make_plan(struct run *r, struct err *err);
/* dbt gets its nodes; schemas, cache and on-run-start are done: r->ready. */
int run_begin(struct run *r, struct err *err);

/* ---- run_resume.c ---- */

/* After run_start_dbt: r->earlier. Refuses another target, and a run that is under way. */
int run_find_earlier(struct run *r, struct err *err);
/* After the plan: what the earlier run has done counts as done: r->known, r->nagain. */
int run_resume_earlier(struct run *r, struct err *err);
/* On disk before anything starts. */
int run_open_journal(struct run *r, struct err *err);
/* Before the backend begins. */
void run_tell_past(struct run *r);

/* ---- run_nodes.c ---- */

/* The exit code. Needs the plan; the plan has tasks. */
int run_nodes(struct run *r, struct err *err);
/* Says what would run, in order. The exit code. */
int run_dry(struct run *r, struct err *err);

/* ---- run_hooks.c ---- */

bool run_only_hooks(const struct run *r);
/* The exit code. Needs the plan, which says of which nodes dbt is told. */
int run_hooks_alone(struct run *r, struct err *err);

/* ---- run_sources.c ---- */

bool run_checks_sources(const struct run *r);
/* The plan of r->selected and of the sources it comes from, which are added to it. */
struct plan *run_plan_with_sources(struct run *r, struct err *err);
int run_write_sources(struct run *r, const struct results_head *head, struct err *err);
/* A stale source is no failure where staleness is what skips. */
bool run_source_failed(const struct run *r, const struct run_task *t);

/* ---- run_outcome.c ---- */

bool run_wants_board(const struct run *r);
void run_start_progress(struct run *r);
/* Hooks' entries of run_results.json, as dbt's JSON texts. */
int run_take_hooks(struct run *r, char *const *hooks, size_t n, bool at_start, struct err *err);
int run_write_results(struct run *r, struct err *err);
void run_summarize(struct run *r, bool failed);
bool run_has_failed(const struct run *r);

/* ---- run_notify.c ---- */

/* err: why there was no run, or empty. */
void run_notify(const struct run *r, int exit_code, const struct err *err);

#endif
