/*
 * The file is one object of sections, in any order; a section is an object of nodes by unique_id.
 * A node's keys are looked up in one table: a key that is absent there, or whose group of fields
 * nobody asked for, is skipped (yet checked to be JSON). dbt repeats itself from node to node, so
 * a text equal to the one before it in the same field is stored once.
 */
#include "graph/manifest.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "graph/draft.h"
#include "graph/scan.h"
#include "util/buf.h"
#include "util/xalloc.h"

#define OLDEST 9   /* dbt 1.5 */
#define NEWEST 12  /* dbt 1.8 to 1.11 */

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

/* Keys by length and two characters: no two of ours collide more than a few times. */
#define NSLOTS 256
#define MAX_FIELDS 64

struct table {
	struct field fields[MAX_FIELDS];
	size_t nfields;
	uint8_t slots[NSLOTS];   /* 1 + index; 0 = free */
};

struct file {             /* a file that the manifest proves to exist, if the package is the root's */
	const char *package, *path, *patch_path;
};

struct loader {
	struct graph *g;
	struct scan s;
	unsigned fields;
	const char *section;
	struct table nodes, config, macros;

	struct arena scratch;        /* texts of parents, until linked */
	struct drafts drafts;
	struct strs config_tags;     /* of the node being read */
	bool enabled, has_group;
	const char *config_group;
	int kind;                    /* -1: unknown */
	const char *id;              /* the key it stands under */
	bool id_seen;

	const char **list;           /* the list being read */
	size_t nlist, list_cap;
	struct macro *macro_list;
	size_t nmacros, macros_cap;
	struct file *files;
	size_t nfiles, files_cap;
	char *unknown_kind;          /* "nodes['x']: unknown resource_type 'y'" of the first one */
};

/* ---- tables ---- */

static size_t
slot_of(const char *key, size_t len)
{
	return (len * 31 + (unsigned char)key[0] * 7 + (unsigned char)key[len - 1] * 3 +
	    (unsigned char)key[len / 2]) % NSLOTS;
}

static struct field *
table_find(struct table *t, const char *key, size_t len)
{
	if (!len)
		return NULL;
	for (size_t i = slot_of(key, len); t->slots[i]; i = (i + 1) % NSLOTS) {
		struct field *f = &t->fields[t->slots[i] - 1];

		if (f->len == len && memcmp(f->key, key, len) == 0)
			return f;
	}
	return NULL;
}

static struct field *
table_add(struct table *t, const char *key)
{
	size_t len = strlen(key), i = slot_of(key, len);
	struct field *f = table_find(t, key, len);

	if (f)
		return f;
	f = &t->fields[t->nfields++];
	f->key = key;
	f->len = len;
	f->json = -1;
	while (t->slots[i])
		i = (i + 1) % NSLOTS;
	t->slots[i] = (uint8_t)t->nfields;
	return f;
}

/* ---- values ---- */

static bool
is_null(struct loader *l)
{
	return scan_peek(&l->s) == SCAN_NULL;
}

static bool
same(const char *a, size_t len, const struct scan_text *t)
{
	return a && len == t->len && memcmp(a, t->s, len) == 0;
}

/* Stored once for a run of equal texts; *last is the one before. */
static const char *
keep(struct loader *l, struct scan_text *last, const struct scan_text *t)
{
	if (!same(last->s, last->len, t)) {
		last->s = arena_strndup(&l->g->arena, t->s, t->len);
		last->len = t->len;
	}
	return last->s;
}

static const char **
text_at(struct draft *d, const struct field *f)
{
	return (const char **)(void *)((char *)d + f->offset);
}

static struct strs *
list_at(struct draft *d, const struct field *f)
{
	return (struct strs *)(void *)((char *)d + f->offset);
}

/* A string or null. */
static int
read_text(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text t;

	if (is_null(l)) {
		*text_at(d, f) = NULL;
		return scan_skip(&l->s);
	}
	if (scan_string(&l->s, &t) < 0)
		return -1;
	*text_at(d, f) = keep(l, &f->last, &t);
	return 0;
}

/* A list of strings into `a`; equal neighbours in the list before it share their texts. */
static int
read_strs(struct loader *l, struct arena *a, struct strs *last, struct strs *out)
{
	struct scan_text t;
	bool repeated;
	int more;

	*out = (struct strs){0};
	if (is_null(l))
		return scan_skip(&l->s);
	if (scan_array(&l->s) < 0)
		return -1;
	for (l->nlist = 0; (more = scan_item(&l->s)) > 0; l->nlist++) {
		const char *old = l->nlist < last->n ? last->v[l->nlist] : NULL;

		if (scan_string(&l->s, &t) < 0)
			return -1;
		l->list = xgrow(l->list, l->nlist, &l->list_cap, sizeof(*l->list));
		l->list[l->nlist] = old && strncmp(old, t.s, t.len) == 0 && !old[t.len] ? old :
		    arena_strndup(a, t.s, t.len);
	}
	if (more < 0)
		return -1;
	repeated = l->nlist == last->n &&
	    (!l->nlist || memcmp(l->list, last->v, l->nlist * sizeof(*l->list)) == 0);
	if (!repeated) {
		last->n = l->nlist;
		last->v = arena_alloc(a, l->nlist * sizeof(*l->list));
		memcpy(last->v, l->list, l->nlist * sizeof(*l->list));
	}
	*out = *last;
	return 0;
}

static int
read_list(struct loader *l, struct draft *d, struct field *f)
{
	return read_strs(l, &l->g->arena, &f->last_list, list_at(d, f));
}

/* Tags of a unit test may be one string. */
static int
read_config_tags(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text t;

	(void)d;
	if (scan_peek(&l->s) != SCAN_STRING)
		return read_strs(l, &l->g->arena, &f->last_list, &l->config_tags);
	if (scan_string(&l->s, &t) < 0)
		return -1;
	l->config_tags.n = 1;
	l->config_tags.v = arena_alloc(&l->g->arena, sizeof(char *));
	l->config_tags.v[0] = arena_strndup(&l->g->arena, t.s, t.len);
	return 0;
}

static int
read_enabled(struct loader *l, struct draft *d, struct field *f)
{
	(void)d;
	(void)f;
	return is_null(l) ? scan_skip(&l->s) : scan_bool(&l->s, &l->enabled);
}

static int
read_config_group(struct loader *l, struct draft *d, struct field *f)
{
	l->has_group = true;
	f->offset = offsetof(struct draft, node.group);
	if (read_text(l, d, f) < 0)
		return -1;
	l->config_group = d->node.group;
	return 0;
}

/* dbt's own text: 1 -> "1", 1.5 -> "1.5", "one" -> "one". */
static int
read_version(struct loader *l, struct draft *d, struct field *f)
{
	bool latest = f->offset == offsetof(struct draft, node.latest_version);
	bool *is_number = latest ? &d->node.latest_is_number : &d->node.version_is_number;
	struct scan_text t;

	*is_number = scan_peek(&l->s) == SCAN_NUMBER;
	if (!*is_number && scan_peek(&l->s) != SCAN_STRING && !is_null(l))
		return scan_expected(&l->s, "a string or a number");
	if (!*is_number)
		return read_text(l, d, f);
	if (scan_number(&l->s, &t) < 0)
		return -1;
	*text_at(d, f) = keep(l, &f->last, &t);
	return 0;
}

static int
read_id(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text t;

	(void)d;
	(void)f;
	if (scan_string(&l->s, &t) < 0)
		return -1;
	if (!same(l->id, strlen(l->id), &t))
		return scan_fail(&l->s, "'%.*s' is not the key it stands under", (int)t.len, t.s);
	l->id_seen = true;
	return 0;
}

static int
read_kind(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text t;
	struct buf b = BUF_INIT;

	(void)f;
	if (scan_string(&l->s, &t) < 0)
		return -1;
	l->kind = kind_find(t.s, t.len);
	if (l->kind >= 0) {
		d->node.kind = (enum node_kind)l->kind;
	} else if (!l->unknown_kind) {
		buf_addf(&b, "%s['%s']: unknown resource_type '%.*s'", l->section, l->id,
		    (int)t.len, t.s);
		l->unknown_kind = buf_detach(&b);
	}
	return 0;
}

/* What Python's str.strip() takes off. */
static bool
is_python_blank(unsigned c)
{
	return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
	    c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
	    c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The character at p as written in a JSON string (checked before); *len: its bytes. */
static unsigned
written_char(const char *p, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;
	char hex[5] = {0};

	if (u[0] == '\\') {
		*len = u[1] == 'u' ? 6 : 2;
		if (u[1] != 'u')
			return strchr("nrtf", u[1]) ? ' ' : 'x';
		memcpy(hex, p + 2, 4);
		return (unsigned)strtoul(hex, NULL, 16);
	}
	*len = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	return *len == 1 ? u[0] : *len == 2 ? (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu) :
	    *len == 3 ? (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu) : 'x';
}

static bool
is_blank(const struct scan_text *written)
{
	size_t len;

	for (size_t i = 0; i < written->len; i += len)
		if (!is_python_blank(written_char(written->s + i, &len)))
			return false;
	return true;
}

static int
read_code(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text t;

	(void)f;
	if (is_null(l))
		return scan_skip(&l->s);
	if (scan_raw_string(&l->s, &t) < 0)
		return -1;
	d->node.blank = is_blank(&t);
	return 0;
}

/* One key of an object, the rest skipped. */
static int
read_test_metadata(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text key;
	int more;

	if (is_null(l))
		return scan_skip(&l->s);
	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0)
		if ((same("name", 4, &key) ? read_text(l, d, f) : scan_skip(&l->s)) < 0)
			return -1;
	return more;
}

static int
read_depends_on(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text key;
	int more;

	if (is_null(l))
		return scan_skip(&l->s);
	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		struct strs none = {0};
		int rc;

		if (same("nodes", 5, &key))
			rc = read_strs(l, &l->scratch, &none, &d->names.parents);
		else if (same("macros", 6, &key) && (l->fields & GRAPH_MACROS))
			rc = read_strs(l, &l->g->arena, &f->last_list, &d->names.macros);
		else
			rc = scan_skip(&l->s);
		if (rc < 0)
			return -1;
	}
	return more;
}

/* NaN and the Infinities become null: whoever parses this text later knows JSON only. */
static const char *
without_odd_numbers(struct loader *l, const struct scan_text *t)
{
	struct buf b = BUF_INIT;
	bool quoted = false;
	const char *kept;

	for (size_t i = 0; i < t->len; i++) {
		char c = t->s[i];

		if (!quoted && (c == 'N' || c == 'I' || (c == '-' && t->s[i + 1] == 'I'))) {
			buf_adds(&b, "null");
			i += c == 'N' ? strlen("NaN") - 1 : strlen("Infinity") - (c == 'I');
			continue;
		}
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\')
			buf_addc(&b, t->s[i++]);
		buf_addc(&b, t->s[i]);
	}
	kept = arena_strndup(&l->g->arena, buf_str(&b), b.len);
	buf_release(&b);
	return kept;
}

static const char *
keep_json(struct loader *l, struct field *f)
{
	struct scan_text t = scan_marked(&l->s);

	return l->s.odd ? without_odd_numbers(l, &t) : keep(l, &f->last_json, &t);
}

/* One object by its table. */
static int
read_object(struct loader *l, struct draft *d, struct table *table)
{
	struct scan_text key;
	int more;

	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		struct field *f = table_find(table, key.s, key.len);

		if (f && f->json >= 0)
			scan_mark(&l->s);
		if ((f && f->read ? f->read(l, d, f) : scan_skip(&l->s)) < 0)
			return -1;
		if (!f || f->json < 0)
			continue;
		if (!d->node.json)
			d->node.json = arena_zalloc(&l->g->arena, NNODE_JSON, sizeof(char *));
		d->node.json[f->json] = keep_json(l, f);
	}
	return more;
}

static int
read_config(struct loader *l, struct draft *d, struct field *f)
{
	(void)f;
	return is_null(l) ? scan_skip(&l->s) : read_object(l, d, &l->config);
}

/* ---- the tables ---- */

#define AT(member) offsetof(struct draft, member)

static const struct {
	const char *key;
	read_fn *read;
	size_t offset;
} node_fields[] = {
	{ "unique_id", read_id, 0 },
	{ "resource_type", read_kind, 0 },
	{ "name", read_text, AT(node.name) },
	{ "package_name", read_text, AT(node.package) },
	{ "original_file_path", read_text, AT(node.path) },
	{ "patch_path", read_text, AT(node.patch_path) },
	{ "relation_name", read_text, AT(node.relation_name) },
	{ "database", read_text, AT(node.database) },
	{ "schema", read_text, AT(node.schema) },
	{ "alias", read_text, AT(node.alias) },
	{ "identifier", read_text, AT(node.alias) },
	{ "fqn", read_list, AT(node.fqn) },
	{ "tags", read_list, AT(node.tags) },
	{ "access", read_text, AT(node.access) },
	{ "group", read_text, AT(node.group) },
	{ "version", read_version, AT(node.version) },
	{ "latest_version", read_version, AT(node.latest_version) },
	{ "source_name", read_text, AT(node.source_name) },
	{ "attached_node", read_text, AT(node.attached) },
	{ "test_metadata", read_test_metadata, AT(node.test_name) },
	{ "raw_code", read_code, 0 },
	{ "config", read_config, 0 },
	{ "depends_on", read_depends_on, 0 },
}, config_fields[] = {
	{ "enabled", read_enabled, 0 },
	{ "materialized", read_text, AT(node.materialized) },
	{ "group", read_config_group, AT(node.group) },
	{ "tags", read_config_tags, 0 },
}, macro_fields[] = {
	{ "unique_id", read_id, 0 },
	{ "package_name", read_text, AT(node.package) },
	{ "original_file_path", read_text, AT(node.path) },
	{ "patch_path", read_text, AT(node.patch_path) },
	{ "depends_on", read_depends_on, 0 },
};

#define FILL(table, rows) \
	for (size_t i_ = 0; i_ < sizeof(rows) / sizeof(rows[0]); i_++) { \
		struct field *f_ = table_add(table, rows[i_].key); \
		f_->read = rows[i_].read; \
		f_->offset = rows[i_].offset; \
	}

static void
fill_tables(struct loader *l)
{
	static const struct {
		const char *key;
		unsigned groups;
	} texts[] = {
#define X(id, key, groups) { key, groups },
		NODE_JSON_FIELDS(X)
#undef X
	};

	FILL(&l->nodes, node_fields);
	FILL(&l->config, config_fields);
	FILL(&l->macros, macro_fields);
	for (int i = 0; i < NNODE_JSON; i++)
		if (texts[i].groups & l->fields)
			table_add(&l->nodes, texts[i].key)->json = i;
	if (l->fields & GRAPH_MACROS)
		table_add(&l->macros, "macro_sql")->json = NODE_RAW_CODE;
}

/* ---- sections ---- */

static void
note_file(struct loader *l, const struct node *n)
{
	if (!(l->fields & GRAPH_PATHS) || !n->package)
		return;
	l->files = xgrow(l->files, l->nfiles, &l->files_cap, sizeof(*l->files));
	l->files[l->nfiles++] = (struct file){ n->package, n->path, n->patch_path };
}

static int
check_required(struct loader *l, const struct node *n)
{
	if (!l->id_seen)
		return scan_fail(&l->s, "no unique_id");
	if (l->kind == NKINDS)
		return scan_fail(&l->s, "no resource_type");
	if (!n->name)
		return scan_fail(&l->s, "no name");
	if (!n->package)
		return scan_fail(&l->s, "no package_name");
	if (!n->path)
		return scan_fail(&l->s, "no original_file_path");
	return 0;
}

/* The node under l->id. parked: it stands in `disabled`. */
static int
read_node(struct loader *l, bool parked)
{
	struct draft d = { .node.id = l->id };
	struct node *n = &d.node;

	l->enabled = true;
	l->has_group = l->id_seen = false;
	l->kind = NKINDS;
	l->config_tags = (struct strs){0};
	if (read_object(l, &d, &l->nodes) < 0 || check_required(l, n) < 0)
		return -1;
	if (l->kind < 0)
		return 0;
	if (l->has_group)
		n->group = l->config_group;
	if (n->kind == KIND_UNIT_TEST)
		n->tags = l->config_tags;
	if (n->kind == KIND_SEED || n->kind == KIND_SOURCE)
		d.names.parents = (struct strs){0};
	n->blank = n->blank && (KIND_BIT(n->kind) & (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SNAPSHOT) |
	    KIND_BIT(KIND_TEST) | KIND_BIT(KIND_ANALYSIS) | KIND_BIT(KIND_OPERATION)));
	n->versioned = n->version != NULL;
	n->parked = parked;
	note_file(l, n);
	if (parked || (!l->enabled && n->kind != KIND_EXPOSURE))
		drafts_set_aside(&l->drafts, n);
	else
		drafts_add(&l->drafts, &d);
	return 0;
}

typedef int section_fn(struct loader *l);

/* An object whose members `each` reads, with l->id the key. */
static int
read_members(struct loader *l, section_fn *each)
{
	struct scan_text key;
	int more;

	if (is_null(l))
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
	return read_node(l, false);
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
		if (read_node(l, true) < 0)
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
	struct draft d = {0};
	struct macro *m;

	l->id_seen = false;
	if (read_object(l, &d, &l->macros) < 0)
		return -1;
	if (!l->id_seen)
		return scan_fail(&l->s, "no unique_id");
	note_file(l, &d.node);
	if (!(l->fields & GRAPH_MACROS) || strcmp(l->section, "macros") != 0)
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

static int
read_macros(struct loader *l)
{
	if (l->fields & (GRAPH_MACROS | GRAPH_PATHS))
		return read_members(l, read_macro);
	return scan_skip(&l->s);
}

/* docs and groups: only their files count */
static int
read_files(struct loader *l)
{
	return l->fields & GRAPH_PATHS ? read_members(l, read_macro) : scan_skip(&l->s);
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
		return err_hint(l->s.err, "heddle reads the manifests of dbt 1.5 (v%d) to 1.11 (v%d)",
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
			if (same(wanted[i].key, strlen(wanted[i].key), &key))
				value = wanted[i].value;
		if (!value || is_null(l)) {
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
			if (same(sections[i].name, strlen(sections[i].name), &key))
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
		return err_hint(err, "`dbt parse` writes target/manifest.json");
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

	fill_tables(l);
	rc = read_sections(l);
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
