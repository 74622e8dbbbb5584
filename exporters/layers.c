#include "exporters/layers.h"

#include <string.h>
#include <strings.h>

#include "util/text.h"

static const char *const names[] = {
#define X(id, name) name,
	LAYERS(X)
#undef X
};

static const struct {
	const char *folder;
	enum layer layer;
} folders[] = {
	{ "staging", LAYER_STAGING }, { "stg", LAYER_STAGING }, { "base", LAYER_STAGING },
	{ "raw", LAYER_STAGING }, { "bronze", LAYER_STAGING }, { "landing", LAYER_STAGING },
	{ "intermediate", LAYER_INTERMEDIATE }, { "int", LAYER_INTERMEDIATE },
	{ "silver", LAYER_INTERMEDIATE }, { "core", LAYER_INTERMEDIATE },
	{ "transform", LAYER_INTERMEDIATE }, { "marts", LAYER_MARTS }, { "mart", LAYER_MARTS },
	{ "gold", LAYER_MARTS }, { "reporting", LAYER_MARTS }, { "reports", LAYER_MARTS },
	{ "analytics", LAYER_MARTS }, { "metrics", LAYER_MARTS }, { "semantic", LAYER_MARTS },
}, prefixes[] = {
	{ "stg_", LAYER_STAGING }, { "base_", LAYER_STAGING }, { "src_", LAYER_STAGING },
	{ "int_", LAYER_INTERMEDIATE }, { "dim_", LAYER_MARTS }, { "fct_", LAYER_MARTS },
	{ "fact_", LAYER_MARTS }, { "mart_", LAYER_MARTS }, { "rpt_", LAYER_MARTS },
	{ "agg_", LAYER_MARTS },
};

const char *
layer_name(enum layer l)
{
	return names[l];
}

static bool
reads_models(const struct graph *g, const struct node *n)
{
	for (size_t i = 0; i < n->nparents; i++)
		if (g->nodes[n->parents[i]].kind == KIND_MODEL)
			return true;
	return false;
}

static bool
is_read(const struct graph *g, const struct node *n)
{
	for (size_t i = 0; i < n->nchildren; i++)
		if (g->nodes[n->children[i]].kind == KIND_MODEL)
			return true;
	return false;
}

enum layer
layer_of(const struct graph *g, const struct node *n)
{
	if (n->kind == KIND_SEED)
		return LAYER_SEED;
	if (n->kind == KIND_SNAPSHOT)
		return LAYER_SNAPSHOT;
	if (n->kind == KIND_FUNCTION)
		return LAYER_FUNCTION;
	for (size_t i = 1; i + 1 < n->fqn.n; i++)
		for (size_t k = 0; k < sizeof(folders) / sizeof(*folders); k++)
			if (strcasecmp(n->fqn.v[i], folders[k].folder) == 0)
				return folders[k].layer;
	for (size_t k = 0; k < sizeof(prefixes) / sizeof(*prefixes); k++)
		if (text_starts(n->name, prefixes[k].folder))
			return prefixes[k].layer;
	if (n->kind != KIND_MODEL || !reads_models(g, n))
		return LAYER_STAGING;
	return is_read(g, n) ? LAYER_INTERMEDIATE : LAYER_MARTS;
}
