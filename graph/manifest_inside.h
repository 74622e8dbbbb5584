/*
 * graph/manifest_inside.h -- the state of one load. For graph/manifest*.c only.
 *
 *   manifest.c       sections, metadata, macros, the end
 *   manifest_node.c  the keys of one node
 *
 * A node's keys are looked up in a table: a key that is absent there, or whose group of fields
 * nobody asked for, is skipped (yet checked to be JSON). dbt repeats itself from node to node, so
 * a text equal to the one before it in the same field is stored once.
 */
#ifndef HEDDLE_GRAPH_MANIFEST_INSIDE_H
#define HEDDLE_GRAPH_MANIFEST_INSIDE_H

#include "graph/draft.h"
#include "graph/scan.h"

struct loader;
struct field;

typedef int read_fn(struct loader *l, struct draft *d, struct field *f);

struct field {
	const char *key;
	read_fn *read;        /* NULL: nothing but the JSON text is kept */
	size_t offset;        /* read_text, read_list: where in struct draft */
	int json;             /* enum node_json of the text kept; -1 = none */
	size_t len;           /* of key */
	struct scan_text last, last_json;   /* the ones before, in graph->arena */
	struct strs last_list;
};

#define MAX_FIELDS 120
#define NSLOTS 256

struct table {
	struct field fields[MAX_FIELDS];
	size_t nfields;
	uint8_t slots[NSLOTS];       /* 1 + index, by hash of the key; 0 = free */
};

/* A file that the manifest proves to exist, if the package is the root's. */
struct file {
	const char *package, *path, *patch_path;
};

struct loader {
	struct graph *g;
	struct scan s;
	unsigned fields;             /* enum graph_fields, or'ed */
	const char *section;
	struct table nodes, config, macros;

	struct arena scratch;        /* texts of parents, until linked */
	struct drafts drafts;
	struct macro *macro_list;
	size_t nmacros, macros_cap;
	struct file *files;
	size_t nfiles, files_cap;
	char *unknown_kind;          /* "nodes['x']: unknown resource_type 'y'", of the first one */

	/* of the node being read */
	const char *id;              /* the key it stands under */
	bool id_seen;
	int kind;                    /* -1: unknown, NKINDS: not seen yet */
	bool enabled, has_group;
	const char *config_group;
	struct strs config_tags;
	const char **list;           /* the list being read */
	size_t nlist, list_cap;
};

void loader_fill_tables(struct loader *l);

/* The node under l->id, as an object. parked: it stands in `disabled`. 0 or -1. */
int loader_read_node(struct loader *l, bool parked);

/* A macro, doc or group under l->id: package, path, patch_path, macros, and NODE_RAW_CODE for the
 * macro's text. 0 or -1. */
int loader_read_macro(struct loader *l, struct draft *d);

static inline bool
loader_null(struct loader *l)
{
	return scan_peek(&l->s) == SCAN_NULL;
}

static inline bool
same_text(const char *a, size_t len, const struct scan_text *t)
{
	return a && len == t->len && __builtin_memcmp(a, t->s, len) == 0;
}

#endif
