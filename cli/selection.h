/* cli/selection.h -- a selection and a manifest -> a loaded graph and a set of its nodes.
 *
 * The request is plain data, so that it can come from a command line (cli/select_opts.h) or from
 * what dbt itself resolved for a run. Thread: main.
 */
#ifndef HEDDLE_CLI_SELECTION_H
#define HEDDLE_CLI_SELECTION_H

#include <stdbool.h>

#include "cli/warn_rules.h"
#include "graph/graph.h"
#include "graph/set.h"
#include "util/err.h"

struct selection_request {
	struct strs select, exclude;          /* words; n == 0: not given */
	struct strs resource_types, exclude_resource_types;   /* the same */
	const char *selector;                 /* a name in selectors_file, or NULL */
	const char *indirect_selection;       /* "cautious", ...; NULL: eager */
	const char *selectors_file;           /* or NULL: the project has none */
	const char *state;                    /* folder of an earlier manifest, or NULL */
	const char *target;                   /* folder of this manifest: the sources.json of now */
	bool as_written;                      /* see state_new() */
	/* KIND_BIT()s a command takes without --resource-type */
	unsigned kinds;
	bool models_only;                     /* --models of ls: beats both lists of types */
	bool quiet;                           /* no warnings */
	struct warn_rules warnings;           /* which of them are errors */
	unsigned all_kinds;                   /* what --resource-type all means to it */
	bool *by_default;                     /* set: did the default selector choose? or NULL */
};

/*
 * Loads `manifest` into g with `fields` (enum graph_fields) and what the selection asks, selects,
 * and keeps the resource types wanted. Warnings go to standard error, as dbt words them.
 * out: initialised here, the caller releases it, also after -1 (err filled).
 */
int selection_resolve(const struct selection_request *rq, const char *manifest, unsigned fields,
    struct graph *g, struct set *out, struct err *err);

#endif
