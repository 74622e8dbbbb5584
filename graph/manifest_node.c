#include "graph/manifest_inside.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/xalloc.h"

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

/* Stored once for a run of equal texts; *last is the one before. */
static const char *
keep(struct loader *l, struct scan_text *last, const struct scan_text *t)
{
	if (!same_text(last->s, last->len, t)) {
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

	if (loader_null(l)) {
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
	if (loader_null(l))
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
	return loader_null(l) ? scan_skip(&l->s) : scan_bool(&l->s, &l->enabled);
}

static int
read_config_group(struct loader *l, struct draft *d, struct field *f)
{
	l->has_group = true;
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
	if (!*is_number && scan_peek(&l->s) != SCAN_STRING && !loader_null(l))
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
	if (!same_text(l->id, strlen(l->id), &t))
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
	if (loader_null(l))
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

	if (loader_null(l))
		return scan_skip(&l->s);
	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0)
		if ((same_text("name", 4, &key) ? read_text(l, d, f) : scan_skip(&l->s)) < 0)
			return -1;
	return more;
}

/* {"count": 12, "period": "hour"}: a limit when both are there (dbt's Time.__bool__). */
static int
read_limit(struct loader *l, bool *is_limit)
{
	bool has_count = false, has_period = false;
	struct scan_text key;
	int more;

	if (scan_peek(&l->s) != SCAN_OBJECT)
		return scan_skip(&l->s);
	scan_object(&l->s);
	while ((more = scan_key(&l->s, &key)) > 0) {
		if (same_text("count", 5, &key))
			has_count = !loader_null(l);
		else if (same_text("period", 6, &key))
			has_period = !loader_null(l);
		if (scan_skip(&l->s) < 0)
			return -1;
	}
	*is_limit |= has_count && has_period;
	return more;
}

static int
read_freshness(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text key;
	int more;

	(void)f;
	if (scan_peek(&l->s) != SCAN_OBJECT)
		return scan_skip(&l->s);
	scan_object(&l->s);
	while ((more = scan_key(&l->s, &key)) > 0) {
		bool limit = same_text("warn_after", 10, &key) ||
		    same_text("error_after", 11, &key);

		if ((limit ? read_limit(l, &d->node.has_freshness) : scan_skip(&l->s)) < 0)
			return -1;
	}
	return more;
}

static int
read_depends_on(struct loader *l, struct draft *d, struct field *f)
{
	struct scan_text key;
	int more;

	if (loader_null(l))
		return scan_skip(&l->s);
	if (scan_object(&l->s) < 0)
		return -1;
	while ((more = scan_key(&l->s, &key)) > 0) {
		struct strs none = {0};
		int rc;

		if (same_text("nodes", 5, &key))
			rc = read_strs(l, &l->scratch, &none, &d->names.parents);
		else if (same_text("macros", 6, &key) && (l->fields & GRAPH_MACROS))
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
	return loader_null(l) ? scan_skip(&l->s) : read_object(l, d, &l->config);
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
	{ "freshness", read_freshness, 0 },
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

void
loader_fill_tables(struct loader *l)
{
	static const struct {
		const char *key;
		unsigned groups;
	} texts[] = {
#define X(id, key, groups) { key, groups },
		NODE_JSON_FIELDS(X)
#undef X
	};

	_Static_assert(sizeof(node_fields) / sizeof(node_fields[0]) + NNODE_JSON <= MAX_FIELDS,
	    "MAX_FIELDS is too small");
	FILL(&l->nodes, node_fields);
	FILL(&l->config, config_fields);
	FILL(&l->macros, macro_fields);
	for (int i = 0; i < NNODE_JSON; i++)
		if (texts[i].groups & l->fields)
			table_add(&l->nodes, texts[i].key)->json = i;
	if (l->fields & GRAPH_MACROS)
		table_add(&l->macros, "macro_sql")->json = NODE_RAW_CODE;
}

/* ---- nodes ---- */

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

int
loader_read_node(struct loader *l, bool parked)
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
	n->blank = n->blank &&
	    (KIND_BIT(n->kind) & (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SNAPSHOT) |
	    KIND_BIT(KIND_TEST) | KIND_BIT(KIND_ANALYSIS) | KIND_BIT(KIND_OPERATION)));
	n->has_freshness = n->has_freshness && n->kind == KIND_SOURCE;
	n->versioned = n->version != NULL;
	n->parked = parked;
	note_file(l, n);
	if (parked || (!l->enabled && n->kind != KIND_EXPOSURE))
		drafts_set_aside(&l->drafts, n);
	else
		drafts_add(&l->drafts, &d);
	return 0;
}

int
loader_read_macro(struct loader *l, struct draft *d)
{
	*d = (struct draft){0};
	l->id_seen = false;
	if (read_object(l, d, &l->macros) < 0)
		return -1;
	if (!l->id_seen)
		return scan_fail(&l->s, "no unique_id");
	note_file(l, &d->node);
	return 0;
}
