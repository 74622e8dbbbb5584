/* cli/offline.h -- for backends that have no dbt to ask: what dbt would resolve, read from the
 * command line and the manifest. Profile, environment and project flags do not count here, but for
 * where the project and its target folder are, how states are compared, what is an error (cli/
 * warn_rules.h), and DBT_THREADS.
 *
 *   offline_arguments -> (the manifest comes about) -> offline_resolve -> offline_release
 *
 * Owner: caller. Thread: main. */
#ifndef HEDDLE_CLI_OFFLINE_H
#define HEDDLE_CLI_OFFLINE_H

#include "cli/backend.h"
#include "cli/opts.h"
#include "cli/project.h"
#include "graph/graph.h"

struct offline {
	struct words select, exclude, types, exclude_types;
	const char *selector, *indirect, *state, *target, *log_format, *output;
	unsigned threads;             /* 0 = not given */
	bool fail_fast, quiet;
	struct words rest;            /* options that only dbt understands, as typed */
	struct warn_given warn_given;

	struct project project;
	struct graph *graph;          /* metadata only; after offline_resolve() */
	struct worker_info info;
};

/* manifest: a file to take in place of the target folder's, or NULL. */
int offline_arguments(struct offline *o, const struct backend_request *rq, const char *manifest,
    struct err *err);

/* Reads the manifest and fills info and args. threads: when neither options nor DBT_THREADS say. */
int offline_resolve(struct offline *o, const struct backend_request *rq, unsigned threads,
    struct run_args *args, struct err *err);

void offline_release(struct offline *o);

#endif
