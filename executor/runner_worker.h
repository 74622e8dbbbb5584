/* executor/runner_worker.h -- one long-lived dbt that runs single nodes on request.
 *
 *   worker_start         spawns Python with the embedded executor/dbt_worker/ and returns at once
 *   worker_wait_parsed   dbt has read flags, profile and project: everything heddle must know
 *   worker_begin         the chosen nodes; dbt makes schemas, fills its cache, runs on-run-start
 *   worker_runner        run() on pool thread i talks to Python thread i
 *   worker_finish        on-run-end with every node's result; dbt goes on to write manifest.json
 *   worker_free          waits for that after a finish; else makes the process end, or kills it
 *
 * dbt itself does profile, parse, schemas, cache, hooks and materializations; the worker is a
 * subclass of the command's own task whose node loop serves requests (docs/worker.md: protocol).
 * dbt's arguments go over a socket, never through argv. dbt's run_results.json is not written by
 * the worker: each result carries its entry, worker_info the rest.
 *
 * Errors:  0, or -1 with err: dbt's own message, whole, lines kept.
 * Thread:  start, wait_parsed, begin, finish and free from one thread; they watch signals_fd() and
 *          give up on a waiting signal without taking it (err "interrupted", worker_interrupted()
 *          tells). run and cancel from any thread. log is called from a thread of the worker's own.
 * Cancel:  repeated until the attempt ends. One that then failed has CLASS_CANCELLED, whatever the
 *          database said; one that had succeeded meanwhile is a success.
 * Lost:    when the process dies, every run() under way returns CLASS_WORKER_LOST and the next
 *          run() starts a new one (at most WORKER_RESTARTS), which is given the earlier results;
 *          on-run-start is not repeated. blameless: several nodes were running, or the worker was
 *          killed for another node. A cancelled node that does not end within grace_ms makes the
 *          worker be killed: nothing new starts on it meanwhile, the others get as long again.
 *          An attempt that could not be made for want of a worker has CLASS_INTERNAL.
 */
#ifndef HEDDLE_EXECUTOR_RUNNER_WORKER_H
#define HEDDLE_EXECUTOR_RUNNER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "util/err.h"

#define WORKER_RESTARTS 3

struct worker;

struct worker_options {
	const char *python;           /* interpreter that can import dbt (executor/python.h) */
	const char *verb;             /* build, run, test, seed or snapshot; it is in argv too */
	const char *const *argv;      /* dbt's arguments: {"build", "--threads", "4", NULL} */
	const char *const *env;       /* NAME=VALUE on top of ours, NULL-ended, or NULL */
	const char *dir;              /* working directory; NULL = ours */
	int64_t grace_ms;             /* after cancel(): see Lost; 0 = 10 s */
	bool no_start_hooks;          /* on-run-start is left out */
	bool no_end_hooks;            /* on-run-end is left out */
	/* A line for the user: dbt's warnings and errors, print() and log(info=True) of macros,
	 * done batches of a long model, what the process wrote to its standard output and error
	 * (code "output"). id may be NULL. Until worker_free() has returned. */
	void *self;
	void (*log)(void *self, const char *id, const char *level, const char *code,
	    const char *text);
};

/* What dbt resolved from arguments, environment and project `flags:`. Strings belong to it. */
struct worker_info {
	char *dbt_version;            /* "1.11.16" */
	char *adapter;                /* "duckdb" */
	char *adapter_version;        /* or NULL */
	char *project_name, *profile_name, *target_name;
	char *project_root;           /* absolute */
	char *target_path;            /* absolute */
	char *log_path;               /* absolute */
	char *manifest_path;          /* absolute; the manifest dbt parsed in this invocation */
	char *result_path;            /* absolute; where dbt's task would write its results */
	bool manifest_kept;           /* it was so already: a copy read before is the same */
	char *invocation_id;
	char *args;                   /* JSON: "args" of run_results.json, as dbt writes it */
	char *metadata;               /* JSON: "metadata" of it, but for generated_at */
	char *flags;                  /* JSON object: every flag by lower-case name (get_flags()) */
	char *selectors;              /* JSON object: name -> definition (manifest "selectors") */
	char *default_selector;       /* name, or NULL */
	unsigned nthreads;
	bool fail_fast, quiet, write_json, use_colors, full_refresh, debug;
};

struct worker_ready {
	unsigned nthreads;            /* channels: job->thread must be below */
	char **hooks;                 /* on-run-start: entries for run_results.json, JSON texts */
	size_t nhooks;
	bool hooks_failed;
	bool skip_nodes;              /* dbt skips every node (skip_nodes_if_on_run_start_fails) */
};

/* How a node ended, for on-run-end: in the order they ended. */
struct worker_outcome {
	const char *id;
	enum result_status status;
	const char *message;          /* or NULL */
};

struct worker_end {
	char **hooks;                 /* on-run-end: entries for run_results.json */
	size_t nhooks;
	bool hooks_failed;
	double elapsed;               /* seconds, dbt's "elapsed_time" */
	char *failure;                /* what ended dbt: on-run-end did not compile; or NULL */
};

/* Spawns; does not wait. */
struct worker *worker_start(const struct worker_options *o, struct err *err);   /* NULL: err */

/* info is borrowed until worker_free(). */
int worker_wait_parsed(struct worker *w, const struct worker_info **info, struct err *err);

/* What dbt must know of earlier runs. dead_runs is borrowed until worker_begin() has returned. */
struct worker_past {
	const char *const *dead_runs;  /* ids of runs whose processes are dead, NULL-ended, or NULL:
	                                * sessions they left in PostgreSQL are ended before anything
	                                * else. Those of a lost process of this run always are. */
	/* as dbt writes times: when this run began, or the first of those that it continues: where
	 * microbatch windows end; or NULL */
	const char *started_at;
	const char *batches;           /* JSON object, id -> batch_results: models done in part, of
	                                * which the failed batches run; or NULL */
	/* entries of run_results.json of nodes that other processes ran, for on-run-end;
	 * NULL-ended, or NULL */
	const char *const *elsewhere;
};
void worker_set_past(struct worker *w, const struct worker_past *past);

/* ids: every node of the selection that this command runs, ephemeral models included.
 * lock_fd: kept open by the worker while it lives (a flock held by both), or -1. */
int worker_begin(struct worker *w, const char *const *ids, size_t nids, int lock_fd,
    const struct worker_ready **ready, struct err *err);

/* Usable after worker_begin(), until worker_finish(). */
struct runner worker_runner(struct worker *w);

/* outcomes: every node of the plan. cancelled: as dbt after Ctrl-C, no on-run-end. */
int worker_finish(struct worker *w, const struct worker_outcome *outcomes, size_t noutcomes,
    bool cancelled, const struct worker_end **end, struct err *err);

bool worker_interrupted(const struct worker *w);   /* a signal ended the last wait */
int worker_pid(struct worker *w);                  /* 0 = none alive */
unsigned worker_restarts(struct worker *w);
void worker_free(struct worker *w);

#endif
