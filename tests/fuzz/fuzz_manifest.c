/* Any bytes as a manifest: refused with a reason, or a graph in which everything fits together.
 * The first byte is the field mask. */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "graph/manifest.h"

static bool
has(const uint32_t *list, size_t n, uint32_t index)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == index)
			return true;
	return false;
}

/* Text that is kept as JSON is JSON for the library that will read it. */
static void
check_json(const struct node *n)
{
	for (int i = 0; i < NNODE_JSON; i++) {
		const char *text = node_json(n, (enum node_json)i);
		cJSON *json;

		if (!text)
			continue;
		json = cJSON_ParseWithOpts(text, NULL, true);
		MUST(json);
		cJSON_Delete(json);
	}
}

static void
check_node(const struct graph *g, const struct node *n)
{
	MUST(n->index == (size_t)(n - g->nodes));
	MUST(n->index == 0 || strcmp(n[-1].id, n->id) < 0);
	MUST(graph_find(g, n->id) == n);
	MUST(n->name && n->package && n->path && n->kind < NKINDS);
	MUST(n->versioned == (n->version != NULL));
	for (size_t i = 0; i < n->nparents; i++) {
		const struct node *p = &g->nodes[n->parents[i]];

		MUST(n->parents[i] < g->nnodes && p != n);
		MUST(!has(n->parents, i, n->parents[i]));
		MUST(has(p->children, p->nchildren, n->index));
	}
	for (size_t i = 0; i < n->nchildren; i++) {
		MUST(i == 0 || n->children[i - 1] < n->children[i]);
		MUST(has(g->nodes[n->children[i]].parents, g->nodes[n->children[i]].nparents,
		    n->index));
	}
	check_json(n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	struct graph *g;
	char *warning;

	if (!len)
		return 0;
	g = graph_new();
	if (manifest_parse(g, "m.json", (const char *)data + 1, len - 1, data[0], &warning,
	    &e) < 0) {
		MUST(e.msg && strncmp(e.msg, "m.json: ", 8) == 0);
		MUST(!warning);
	} else {
		MUST(!e.msg && g->schema_version > 0);
		for (size_t i = 0; i < g->nnodes; i++)
			check_node(g, &g->nodes[i]);
		for (size_t i = 0; i < g->ndisabled; i++)
			check_json(&g->disabled[i]);
		for (size_t i = 1; i < g->nmacros; i++)
			MUST(strcmp(g->macros[i - 1].id, g->macros[i].id) <= 0);
		free(warning);
	}
	err_release(&e);
	graph_free(g);
	return 0;
}
