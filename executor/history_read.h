/* executor/history_read.h -- past runs, read from the file executor/history.h writes.
 *
 *   history_read_open -> history_read_runs, _grid, _attempts ... -> history_read_close
 *
 * A run may be writing meanwhile: each call sees one moment of the file.
 * Owner: what a call fills lives in the arena of its struct until that is released.
 * Errors: 0, or -1 with err. Thread: main. Times: milliseconds since the Unix epoch; durations are
 * called so. -1 = not known, for every number.
 */
#ifndef HEDDLE_EXECUTOR_HISTORY_READ_H
#define HEDDLE_EXECUTOR_HISTORY_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "graph/plan.h"
#include "util/arena.h"
#include "util/err.h"

struct history_reader;

struct history_reader *history_read_open(const char *path, struct err *err);   /* NULL: err */
void history_read_close(struct history_reader *r);

/* ---- runs ---- */

/* running: its process lives; lost: it ended without saying how (kill -9, power). */
enum run_state { RUN_GOOD, RUN_FAILED, RUN_ERROR, RUN_STOPPED, RUN_RUNNING, RUN_LOST, NRUN_STATES };

const char *run_state_name(enum run_state s);

struct history_run {
	int64_t key;              /* grows with each run of the file */
	enum run_state state;
	const char *id;           /* dbt's invocation id */
	const char *resumes;      /* texts may be NULL but for id, project, target, command */
	const char *project, *target, *command, *selection, *git_commit;
	const char *heddle_version, *dbt_version, *adapter, *adapter_version;
	long long nthreads, ntasks;
	int64_t started_ms, ended_ms, seen_ms;
	int64_t wall_ms;          /* duration of it all, so far when it is running */
	int64_t nodes_ms, critical_ms, work_ms;    /* durations */
	int exit_code, signo;
	long long ngood, nwarned, nfailed, nskipped, nretried;
};

struct history_filter {
	const char *project, *target;    /* NULL = any */
	int64_t upto;                    /* this run's key and older; 0 = all */
	bool good;                       /* only what ended with exit code 0 */
	size_t limit;                    /* the newest ones; 0 = all */
};

struct history_runs {
	struct arena arena;
	struct history_run *v;           /* newest first */
	size_t n;
};

int history_read_runs(struct history_reader *r, const struct history_filter *f,
    struct history_runs *out, struct err *err);
void history_runs_release(struct history_runs *runs);

/* One run by its id or the beginning of it. */
int history_read_run(struct history_reader *r, const char *id, struct history_runs *out,
    struct err *err);

/* ---- nodes over runs ---- */

struct history_node {
	const char *id, *kind, *name;
	const char *path, *materialized;     /* or NULL */
};

/* How a node ended in a run. */
struct history_cell {
	bool there;               /* it was part of that run */
	enum result_status status;
	unsigned attempts;        /* 0 = never ran */
	int64_t took_ms;          /* duration of the last attempt */
	long long rows, failures;
};

struct history_grid {
	struct arena arena;
	struct history_runs list;        /* owns the runs */
	struct history_run *runs;        /* oldest first */
	struct history_node *nodes;      /* sorted by id */
	struct history_cell *cells;      /* one row a node: cells[node * nruns + run] */
	size_t nruns, nnodes;
};

int history_read_grid(struct history_reader *r, const struct history_filter *f,
    struct history_grid *out, struct err *err);
void history_grid_release(struct history_grid *g);

/* ---- one run in full ---- */

struct history_attempt {
	size_t node;              /* index in nodes */
	size_t run;               /* index in the runs asked for; 0 when it was one */
	size_t waited_for;        /* the same, or SIZE_MAX: what ended last before it could start;
	                             skipped: the node it was skipped for */
	unsigned attempt;         /* 0 = never ran */
	bool last, critical;
	enum result_status status;
	const char *class;        /* why it failed, or NULL */
	int thread;
	int64_t ready_ms, started_ms, took_ms;
	long long rows, failures;
	double age_s;             /* of a source's data */
	const char *code, *reason, *message, *sql;
};

struct history_attempts {
	struct arena arena;
	struct history_node *nodes;      /* sorted by id */
	struct history_attempt *v;       /* by node, then run, then attempt */
	size_t nnodes, n;
};

int history_read_attempts(struct history_reader *r, int64_t run, struct history_attempts *out,
    struct err *err);

/* The nodes of that unique id, name, package.name or source.table in these runs. */
int history_read_node(struct history_reader *r, const struct history_runs *runs, const char *name,
    struct history_attempts *out, struct err *err);
void history_attempts_release(struct history_attempts *a);

/* ---- numbers ---- */

/* As history_medians() (executor/history.h), for commands that run nothing. */
size_t history_read_medians(struct history_reader *r, const char *project, const char *target,
    const struct plan *p, double *seconds);

/*
 * What a row of the grid says about a node, over its runs [0, nruns).
 * flips: it went from good to bad or back between two runs of the same commit (or of unknown ones).
 */
struct history_stats {
	size_t nruns;             /* in which it ran */
	size_t ngood, nfailed, nretried, nflips;
	size_t nflaky;            /* runs with a flip or a retry */
	int64_t median_ms;        /* of good runs, the last HISTORY_MEDIAN_RUNS; -1 = none */
	int64_t longest_ms, last_ms;
	int64_t total_ms;
};

struct history_stats history_stats(const struct history_grid *g, size_t node, size_t nruns);

#endif
