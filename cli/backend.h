/* cli/backend.h -- what stands between a plan and dbt: a warm worker, one dbt command a node, or
 * any command a node.
 *
 *   backend_start                                 starts; does not wait
 *   parsed -> begin -> runner -> finish -> free   in this order, from the main thread
 *
 * A further way to run dbt is one file and one row in backend.c. The shapes are the worker's
 * (executor/runner_worker.h): what dbt resolved, what on-run-start gave, how nodes ended.
 */
#ifndef HEDDLE_CLI_BACKEND_H
#define HEDDLE_CLI_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/run_args.h"
#include "executor/progress.h"
#include "executor/runner.h"
#include "executor/runner_worker.h"
#include "util/err.h"

struct backend_request {
	const char *verb;
	const char *const *argv;       /* dbt's arguments, verb first, NULL-ended */
	const char *project_dir;       /* where dbt_project.yml is */
	const char *python;            /* --python, or NULL */
	int64_t grace_ms;
	struct progress *progress;     /* takes dbt's lines */
	const char *command;           /* shell: its template, or NULL */
	const char *manifest;          /* shell: --manifest, or NULL */
	bool no_start_hooks, no_end_hooks;   /* worker: these are left out */
};

struct backend {
	void *self;
	/* The project is parsed: info is borrowed until free. */
	int (*parsed)(void *self, const struct worker_info **info, struct run_args *args,
	    struct err *err);
	int (*begin)(void *self, const char *const *ids, size_t nids, int lock_fd,
	    const struct worker_ready **ready, struct err *err);
	struct runner (*runner)(void *self);
	/* after parsed: says what would run; NULL: as dbt would */
	struct runner (*dry)(void *self);
	int (*finish)(void *self, const struct worker_outcome *outcomes, size_t noutcomes,
	    bool cancelled, const struct worker_end **end, struct err *err);
	bool (*interrupted)(void *self);   /* a signal ended parsed, begin or finish */
	void (*free)(void *self);
	/* Before begin: what earlier runs left (worker_set_past()). NULL: of no use to it. */
	void (*past)(void *self, const struct worker_past *earlier);
};

/* name: "worker", "cli", "shell". 0, or -1 with err (unknown name, nothing to start). */
int backend_start(struct backend *b, const char *name, const struct backend_request *rq,
    struct err *err);
void backend_release(struct backend *b);   /* an empty one is fine */

int backend_start_worker(struct backend *b, const struct backend_request *rq, struct err *err);
int backend_start_cli(struct backend *b, const struct backend_request *rq, struct err *err);
int backend_start_shell(struct backend *b, const struct backend_request *rq, struct err *err);

#endif
