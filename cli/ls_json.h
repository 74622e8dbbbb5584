/* cli/ls_json.h -- `heddle ls --output json`: one line a node, the bytes that `dbt ls` writes. */
#ifndef HEDDLE_CLI_LS_JSON_H
#define HEDDLE_CLI_LS_JSON_H

#include "graph/graph.h"
#include "graph/set.h"
#include "util/err.h"

struct listing {
	const struct graph *g;
	const struct set *set;
	const struct strs *keys;    /* --output-keys; none: dbt's own choice */
	const char *manifest;
};

/* To standard output. Any key may be asked for, so the manifest is read again, now for the chosen
 * nodes' own text. */
int ls_json(const struct listing *l, struct err *err);

#endif
