/* cli/warn_rules.h -- dbt's --warn-error and --warn-error-options, for warnings that are given in
 * dbt's place: which of them are errors, which are not said.
 *
 * Events go by dbt's names (events/types.py). Rules: dbt_common 1.x helper_types.py
 * WarnErrorOptionsV2 and event_manager.py; `include` and `exclude` are the old names of `error` and
 * `warn`. Names that dbt has not are not refused here. Thread: main. */
#ifndef HEDDLE_CLI_WARN_RULES_H
#define HEDDLE_CLI_WARN_RULES_H

#include <stdbool.h>

#include "graph/graph.h"
#include "util/arena.h"
#include "util/err.h"

struct project;
struct ynode;

#define EMPTY_CRITERION "NoNodesForSelectionCriteria"
#define EMPTY_LISTING   "NoNodesSelected"
#define EMPTY_RUN       "NothingToDo"

struct warn_rules {                      /* all empty: each warning is one */
	bool always;                     /* --warn-error */
	const char *all;                 /* "all" or "*", where error: names none; or NULL */
	struct strs error, warn, silence;
};

/* What a command line says of them; all empty: nothing. */
struct warn_given {
	bool flag;                       /* --warn-error */
	const char *options;             /* YAML, or NULL */
};

/* Notes the option at argv[at] when it is one of these. Borrows from argv. */
void warn_given_note(struct warn_given *g, char **argv, int at);

/* What was given, else the environment (DBT_WARN_ERROR, DBT_WARN_ERROR_OPTIONS), else the flags of
 * the project file, which p's settings are. Texts are borrowed or live in a. 0, or -1 with err. */
int warn_rules_find(struct warn_rules *r, struct arena *a, const struct warn_given *given,
    const struct project *p, struct err *err);

/* Adds what a map of warn_error_options says, NULL: nothing. 0, or -1 with err. */
int warn_rules_read(struct warn_rules *r, struct arena *a, const struct ynode *options,
    struct err *err);

/* Gives the warning, unless it is silenced or `quiet`: 0. Where it is an error: -1 with err.
 * event: NULL for one that dbt has not. */
int warn_rules_tell(const struct warn_rules *r, const char *event, bool quiet, struct err *err,
    const char *fmt, ...) ERR_PRINTF(5, 6);

#endif
