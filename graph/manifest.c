#include "graph/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "graph/manifest_inside.h"
#include "util/buf.h"
#include "util/xalloc.h"

#define OLDEST 9   /* dbt 1.5 */
#define NEWEST 12  /* dbt 1.8 to 1.11 */
#define REWRITE "`dbt parse` writes target/manifest.json anew"

/* ---- sections ---- */

typedef int section_fn(struct loader *l);

/* An object whose members `each` reads, with l->id the key. */
static int
read_members(struct loader *l, section_fn *each)
{
	struct scan_text key;
	int more;

	if (loader_null(l))
		return scan_skip(&l->s);
	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		l->id = arena_strndup(&l->g->arena, key.s, key.len);
		if (each(l) < 0)
			return -1;
	}
	return more;
}

static int
read_enabled_node(struct loader *l)
{
	return loader_read_node(l, false);
}

static int
read_nodes(struct loader *l)
{
	return read_members(l, read_enabled_node);
}

/* Several nodes may have been disabled under one id. */
static int
read_disabled_nodes(struct loader *l)
{
	int more;

	if (scan_array(&l->s) < 0)
		return -1;
	while ((more = scan_item(&l->s)) > 0)
		if (loader_read_node(l, true) < 0)
			return -1;
	return more;
}

static int
read_disabled(struct loader *l)
{
	return read_members(l, read_disabled_nodes);
}

static int
read_macro(struct loader *l)
{
	struct draft d;
	struct macro *m;

	if (loader_read_macro(l, &d) < 0)
		return -1;
	if (!(l->fields & GRAPH_MACROS))
		return 0;
	l->macro_list = xgrow(l->macro_list, l->nmacros, &l->macros_cap, sizeof(*l->macro_list));
	m = &l->macro_list[l->nmacros++];
	*m = (struct macro){
		.id = l->id,
		.package = d.node.package,
		.path = d.node.path,
		.sql = node_json(&d.node, NODE_RAW_CODE),
		.parents = d.names.macros,
	};
	return 0;
}

/* Of docs and groups only the files count. */
static int
read_file(struct loader *l)
{
	struct draft d;

	return loader_read_macro(l, &d);
}

static int
read_macros(struct loader *l)
{
	if (l->fields & (GRAPH_MACROS | GRAPH_PATHS))
		return read_members(l, read_macro);
	return scan_skip(&l->s);
}

static int
read_files(struct loader *l)
{
	return l->fields & GRAPH_PATHS ? read_members(l, read_file) : scan_skip(&l->s);
}

/* "https://schemas.getdbt.com/dbt/manifest/v12.json" -> 12; 0 when it is something else. */
static int
version_of_schema(const char *url)
{
	const char *v = strstr(url, "/manifest/v");
	char *end;
	long n;

	if (!v)
		return 0;
	n = strtol(v + strlen("/manifest/v"), &end, 10);
	return n > 0 && n < 10000 && strcmp(end, ".json") == 0 ? (int)n : 0;
}

static int
check_version(struct loader *l, const char *schema)
{
	struct graph *g = l->g;

	g->schema_version = version_of_schema(schema);
	if (!g->schema_version)
		return scan_fail(&l->s, "not a dbt manifest: its schema is '%s'", schema);
	if (g->schema_version < OLDEST) {
		scan_fail(&l->s, "manifest v%d is too old", g->schema_version);
		return err_hint(l->s.err,
		    "heddle reads the manifests of dbt 1.5 (v%d) to 1.11 (v%d)",
		    OLDEST, NEWEST);
	}
	return 0;
}

static int
read_metadata(struct loader *l)
{
	struct graph *g = l->g;
	const char *schema = NULL;
	const struct {
		const char *key, **value;
	} wanted[] = {
		{ "dbt_schema_version", &schema },
		{ "dbt_version", &g->dbt_version },
		{ "project_name", &g->project_name },
		{ "adapter_type", &g->adapter_type },
		{ "generated_at", &g->generated_at },
		{ "invocation_id", &g->invocation_id },
	};
	struct scan_text key, t;
	int more;

	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		const char **value = NULL;

		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (same_text(wanted[i].key, strlen(wanted[i].key), &key))
				value = wanted[i].value;
		if (!value || loader_null(l)) {
			if (scan_skip(&l->s) < 0)
				return -1;
			continue;
		}
		if (scan_string(&l->s, &t) < 0)
			return -1;
		*value = arena_strndup(&g->arena, t.s, t.len);
		if (value == &schema && check_version(l, schema) < 0)
			return -1;
	}
	return more;
}

static const struct section {
	const char *name;
	section_fn *read;
} sections[] = {
	{ "metadata", read_metadata },
	{ "nodes", read_nodes },
	{ "sources", read_nodes },
	{ "exposures", read_nodes },
	{ "metrics", read_nodes },
	{ "semantic_models", read_nodes },
	{ "saved_queries", read_nodes },
	{ "unit_tests", read_nodes },
	{ "functions", read_nodes },
	{ "disabled", read_disabled },
	{ "macros", read_macros },
	{ "docs", read_files },
	{ "groups", read_files },
};

static int
read_sections(struct loader *l)
{
	struct scan_text key;
	int more, rc;

	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		const struct section *section = NULL;

		for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
			if (same_text(sections[i].name, strlen(sections[i].name), &key))
				section = &sections[i];
		l->section = section ? section->name : NULL;
		rc = section ? section->read(l) : scan_skip(&l->s);
		if (rc < 0)
			return -1;
	}
	return more < 0 ? -1 : scan_end(&l->s);
}

/* ---- the end ---- */

static int
macro_by_id(const void *a, const void *b)
{
	return strcmp(((const struct macro *)a)->id, ((const struct macro *)b)->id);
}

static void
finish_macros(struct loader *l)
{
	struct graph *g = l->g;

	g->nmacros = l->nmacros;
	g->macros = arena_alloc(&g->arena, (l->nmacros + 1) * sizeof(*g->macros));
	if (!l->nmacros)
		return;
	memcpy(g->macros, l->macro_list, l->nmacros * sizeof(*g->macros));
	qsort(g->macros, g->nmacros, sizeof(*g->macros), macro_by_id);
}

/* "shop://models/_shop.yml" -> "models/_shop.yml" */
static const char *
after_scheme(const char *patch)
{
	const char *at = strstr(patch, "://");

	return at ? at + 3 : patch;
}

/* Is it the root project? Manifests before v10 do not name it: then every package may be. */
static bool
is_root(const struct graph *g, const char *package, size_t len)
{
	return !g->project_name ||
	    (strlen(g->project_name) == len && memcmp(g->project_name, package, len) == 0);
}

static void
finish_paths(struct loader *l)
{
	struct graph *g = l->g;

	g->paths.v = arena_alloc(&g->arena, (2 * l->nfiles + 1) * sizeof(*g->paths.v));
	for (size_t i = 0; i < l->nfiles; i++) {
		const struct file *f = &l->files[i];

		if (f->path && is_root(g, f->package, strlen(f->package)))
			g->paths.v[g->paths.n++] = f->path;
		if (f->patch_path && is_root(g, f->patch_path, strcspn(f->patch_path, ":")))
			g->paths.v[g->paths.n++] = after_scheme(f->patch_path);
	}
}

/* New string. */
static char *
warn_newer(const struct loader *l)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s: manifest v%d (dbt %s) is newer than v%d, the newest known", l->s.name,
	    l->g->schema_version, l->g->dbt_version ? l->g->dbt_version : "?", NEWEST);
	if (l->unknown_kind)
		buf_addf(&b, "; left out: %s", l->unknown_kind);
	return buf_detach(&b);
}

static int
finish(struct loader *l, char **warning, struct err *err)
{
	struct graph *g = l->g;

	if (!g->schema_version) {
		err_set(err, "%s: not a dbt manifest: no metadata.dbt_schema_version", l->s.name);
		return err_hint(err, REWRITE);
	}
	if (l->unknown_kind && g->schema_version <= NEWEST)
		return err_set(err, "%s: %s", l->s.name, l->unknown_kind);
	l->drafts.lenient = g->schema_version > NEWEST;
	if (drafts_link(&l->drafts, l->fields & GRAPH_MACROS, err) < 0)
		return err_prefix(err, "%s", l->s.name);
	finish_macros(l);
	finish_paths(l);
	if (g->schema_version > NEWEST && warning)
		*warning = warn_newer(l);
	return 0;
}

static int
load(struct loader *l, char **warning, struct err *err)
{
	int rc;

	loader_fill_tables(l);
	rc = read_sections(l);
	if (rc < 0 && !err->hint)
		err_hint(err, REWRITE);
	if (rc == 0)
		rc = finish(l, warning, err);
	scan_close(&l->s);
	drafts_release(&l->drafts);
	arena_release(&l->scratch);
	free(l->list);
	free(l->macro_list);
	free(l->files);
	free(l->unknown_kind);
	free(l);
	return rc;
}

static struct loader *
loader_new(struct graph *g, unsigned fields, char **warning)
{
	struct loader *l = xcalloc(1, sizeof(*l));

	if (warning)
		*warning = NULL;
	l->g = l->drafts.graph = g;
	l->fields = fields;
	return l;
}

int
manifest_load(struct graph *g, const char *path, unsigned fields, char **warning, struct err *err)
{
	struct loader *l = loader_new(g, fields, warning);

	if (scan_open(&l->s, path, err) < 0) {
		scan_close(&l->s);
		free(l);
		return -1;
	}
	return load(l, warning, err);
}

int
manifest_parse(struct graph *g, const char *name, const char *data, size_t len, unsigned fields,
    char **warning, struct err *err)
{
	struct loader *l = loader_new(g, fields, warning);

	scan_memory(&l->s, name, data, len, err);
	return load(l, warning, err);
}
