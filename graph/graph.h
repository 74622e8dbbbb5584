/* graph/graph.h -- the nodes and edges of one dbt project, as the manifest has them.
 *
 *   struct graph *g = graph_new();  manifest_load(g, path, fields, &err);  ...  graph_free(g);
 *
 * Owner:   the graph owns every node and string (one arena); nothing in it is freed alone.
 * Order:   nodes are sorted by unique_id (byte order); node->index is the position, and sets
 *          (graph/set.h) hold one bit per index. parents keep the manifest's order, children
 *          are sorted by index.
 * Edges:   depends_on.nodes -> node (dbt/compilation.py, link_node); sources and seeds have no
 *          parents; disabled nodes are not vertices.
 * Thread:  written by the main thread while loading; read-only afterwards.
 */
#ifndef HEDDLE_GRAPH_GRAPH_H
#define HEDDLE_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/kind.h"
#include "util/arena.h"
#include "util/map.h"

/* Groups of fields that only some commands want; the loader skips what nobody asks for. */
enum graph_fields {
	GRAPH_CONFIG = 1 << 0,   /* config, meta */
	GRAPH_STATE  = 1 << 1,   /* what state: compares */
	GRAPH_DOCS   = 1 << 2,   /* description, columns */
	GRAPH_SQL    = 1 << 3,   /* raw_code */
	GRAPH_MACROS = 1 << 4,   /* the macros section and depends_on.macros */
	GRAPH_PATHS  = 1 << 5,   /* every path the manifest proves to exist (path: selection) */
	GRAPH_TESTS  = 1 << 6,   /* what tests were made from, and what else only checks look at */
};

/*
 * Fields kept as the manifest's own JSON text, by the groups that want them. They are parsed
 * (cJSON) only by those who need the inside. NULL when absent or when the group was not loaded.
 */
#define NODE_JSON_FIELDS(X) \
	X(CONFIG, "config", GRAPH_CONFIG | GRAPH_STATE) \
	X(META, "meta", GRAPH_CONFIG) \
	X(DESCRIPTION, "description", GRAPH_DOCS | GRAPH_STATE) \
	X(COLUMNS, "columns", GRAPH_DOCS | GRAPH_STATE) \
	X(RAW_CODE, "raw_code", GRAPH_SQL | GRAPH_STATE) \
	X(UNRENDERED_CONFIG, "unrendered_config", GRAPH_STATE) \
	X(UNRENDERED_DATABASE, "unrendered_database", GRAPH_STATE) \
	X(UNRENDERED_SCHEMA, "unrendered_schema", GRAPH_STATE) \
	X(CHECKSUM, "checksum", GRAPH_STATE) \
	X(CONTRACT, "contract", GRAPH_STATE) \
	X(CONSTRAINTS, "constraints", GRAPH_STATE) \
	X(DEPENDS_ON, "depends_on", GRAPH_STATE) \
	X(DEPRECATION_DATE, "deprecation_date", GRAPH_STATE) \
	X(GROUP, "group", GRAPH_STATE) \
	X(LABEL, "label", GRAPH_STATE) \
	X(TYPE, "type", GRAPH_STATE) \
	X(OWNER, "owner", GRAPH_STATE) \
	X(MATURITY, "maturity", GRAPH_STATE) \
	X(URL, "url", GRAPH_STATE) \
	X(QUOTING, "quoting", GRAPH_STATE) \
	X(FRESHNESS, "freshness", GRAPH_STATE) \
	X(LOADED_AT_FIELD, "loaded_at_field", GRAPH_STATE) \
	X(EXTERNAL, "external", GRAPH_STATE) \
	X(MODEL, "model", GRAPH_STATE) \
	X(DEFAULTS, "defaults", GRAPH_STATE) \
	X(ENTITIES, "entities", GRAPH_STATE) \
	X(DIMENSIONS, "dimensions", GRAPH_STATE) \
	X(MEASURES, "measures", GRAPH_STATE) \
	X(PRIMARY_ENTITY, "primary_entity", GRAPH_STATE) \
	X(QUERY_PARAMS, "query_params", GRAPH_STATE) \
	X(EXPORTS, "exports", GRAPH_STATE) \
	X(ARGUMENTS, "arguments", GRAPH_STATE) \
	X(RETURNS, "returns", GRAPH_STATE) \
	X(TEST_METADATA, "test_metadata", GRAPH_TESTS) \
	X(TIME_SPINE, "time_spine", GRAPH_TESTS)

enum node_json {
#define X(id, key, groups) NODE_##id,
	NODE_JSON_FIELDS(X)
#undef X
	NNODE_JSON
};

struct node;

struct strs {
	const char **v;
	size_t n;
};

struct node {
	const char *id;             /* "model.shop.orders" */
	uint32_t index;             /* position in graph->nodes */
	enum node_kind kind;
	bool versioned;             /* version is not null */
	bool blank;                 /* raw_code is empty or blank: dbt runs no such node */
	bool has_freshness;         /* sources: a limit for the age of its data is set */
	bool parked;                /* of the manifest's `disabled` part; only in graph->disabled */

	const char *name;           /* "orders" */
	const char *package;        /* "shop" */
	const char *path;           /* original_file_path, relative to its package; never NULL */
	const char *patch_path;     /* "shop://models/_shop.yml" or NULL */
	const char *relation_name;  /* "db"."schema"."orders", or NULL */
	/* alias: identifier of a source; NULL when absent */
	const char *database, *schema, *alias;
	struct strs fqn, tags;

	const char *materialized;   /* config.materialized or NULL */
	const char *access;         /* "public" ... or NULL */
	const char *group;          /* config.group or NULL */
	const char *version;        /* as text: "2", "1.5"; NULL when not versioned */
	const char *latest_version; /* as text, or NULL */
	bool version_is_number, latest_is_number;
	const char *source_name;    /* sources: the schema-like first part; else NULL */
	const char *test_name;      /* generic tests: test_metadata.name; else NULL */
	const char *attached;       /* generic tests: id of attached_node, or NULL */

	uint32_t *parents, *children;
	size_t nparents, nchildren;
	bool parent_disabled;       /* depends_on also names a disabled node, which is no vertex */

	const char **json;          /* by enum node_json, or NULL; use node_json() */
};

struct macro {
	const char *id;
	const char *package, *path;
	const char *sql;            /* macro_sql; JSON text */
	struct strs parents;        /* depends_on.macros */
};

struct graph {
	struct arena arena;
	struct node *nodes;
	size_t nnodes;
	struct map by_id;           /* unique_id -> struct node *; enabled ones */

	/* Of `disabled` (parked) and those elsewhere with config.enabled false; no index, no edges.
	 * Several may have one id: then they stand in the manifest's order. */
	struct node *disabled;
	size_t ndisabled;

	struct macro *macros;       /* sorted by id; with GRAPH_MACROS */
	size_t nmacros;
	struct strs *node_macros;   /* by node index: depends_on.macros; with GRAPH_MACROS */
	/* with GRAPH_PATHS: files of the root project, unsorted, repeated */
	struct strs paths;

	int schema_version;         /* 12 for .../manifest/v12.json */
	const char *project_name;   /* NULL in v9 */
	const char *dbt_version, *adapter_type, *generated_at, *invocation_id;
};

struct graph *graph_new(void);
void graph_free(struct graph *g);                                    /* NULL is fine */

struct node *graph_find(const struct graph *g, const char *id);      /* NULL when unknown */
const char *node_json(const struct node *n, enum node_json field);   /* JSON text or NULL */
static inline bool
node_is_ephemeral(const struct node *n)
{
	return n->kind == KIND_MODEL && n->materialized &&
		n->materialized[0] == 'e' && !__builtin_strcmp(n->materialized, "ephemeral");
}

#endif
