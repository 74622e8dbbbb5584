/* cli/run_args.h -- what dbt made of its own arguments, as far as heddle acts on it: the JSON that
 * the worker sends (worker_info.args, .flags). Strings belong to the struct. */
#ifndef HEDDLE_CLI_RUN_ARGS_H
#define HEDDLE_CLI_RUN_ARGS_H

#include <stdbool.h>

#include "cli/warn_rules.h"
#include "graph/graph.h"
#include "util/arena.h"
#include "util/err.h"

struct run_args {
	struct arena arena;
	struct strs select, exclude;
	struct strs resource_types, exclude_resource_types;
	const char *selector;              /* name, or NULL */
	const char *indirect_selection;    /* "eager" ... */
	const char *state;                 /* folder, or NULL */
	const char *log_format;            /* "default", "text", "json", "debug" */
	bool as_written;                   /* see state_new() */
	struct warn_rules warnings;
};

/* args, flags: JSON objects. 0, or -1 with err. */
int run_args_read(struct run_args *a, const char *args, const char *flags, struct err *err);
void run_args_release(struct run_args *a);

#endif
