/* cli/select_opts.h -- the options of selection as one table for all commands that read a manifest.
 *
 *   opts_parse(..., { select_opts, source_opts, own, NULL }, ...);
 *   select_opts_resolve(kinds, all_kinds, fields, g, &set, &err);  ...  select_opts_release();
 *
 * The tables fill `selecting`: there is one command line. Thread: main.
 */
#ifndef HEDDLE_CLI_SELECT_OPTS_H
#define HEDDLE_CLI_SELECT_OPTS_H

#include "cli/opts.h"
#include "cli/project.h"
#include "cli/warn_rules.h"
#include "graph/graph.h"
#include "graph/set.h"
#include "util/err.h"

struct select_opts {
	struct words select, models, exclude, types, exclude_types;
	const char *selector, *indirect, *state;
	bool quiet;                  /* set by the command: no warnings */
	struct warn_given warn_given;   /* the same: of --warn-error and its like */
	struct project_given given;
	struct project project;      /* after select_opts_resolve() */
	char *state_dir;             /* the same; NULL: none given */
	bool by_default;             /* the same: the project's default selector chose */
	struct warn_rules warnings;  /* the same */
};

extern struct select_opts selecting;

extern const struct opt select_opts[];    /* --select --exclude --selector --resource-type ... */
/* --models; `ls` alone takes it as models only */
extern const struct opt models_as_select_opts[];
/* --manifest --state --selectors-file --target-path ... */
extern const struct opt source_opts[];

/*
 * Finds the manifest (warning when it is older than the project's files), loads it into g with
 * `fields` and what the selection asks, and selects.
 * kinds: what the command takes without --resource-type; all_kinds: what `all` means to it.
 * out: initialised here; the caller releases it. 0, or -1 with err.
 */
int select_opts_resolve(unsigned kinds, unsigned all_kinds, unsigned fields, struct graph *g,
    struct set *out, struct err *err);
void select_opts_release(void);

/* run_results.json beside the manifest that was read; new string, caller frees. */
char *select_opts_run_results(void);

#endif
