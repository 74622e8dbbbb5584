/* dagster_names.c -- Rules: dagster-dbt 0.29 asset_utils.py (default_asset_key_fn,
 * default_group_from_dbt_resource_props, get_upstream_unique_ids, get_asset_check_key_for_test).
 *
 * Where a name holds what Dagster takes in no name of an op's output, dagster-dbt does not load the
 * project at all; here such letters become '_' and a hash follows. Nor does it load two nodes of one
 * key: here the one of another package has its package before its key.
 */
#include "exporters/dagster.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/ids.h"
#include "exporters/node_docs.h"
#include "graph/json.h"
#include "util/text.h"
#include "util/xalloc.h"

#define ASSET_KINDS (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT))

/* ---- keys ---- */

static const char *
dagster_meta(const struct node *n, const char *name)
{
	const char *meta = json_get(node_json(n, NODE_CONFIG), "meta");

	if (!json_truth(meta))
		meta = node_json(n, NODE_META);
	return json_get(json_get(meta, "dagster"), name);
}

static bool
is_made_of(const char *text, const char *marks)
{
	for (const char *s = text; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(marks, *s))
			return false;
	return *text != '\0';
}

static void
add_part(struct buf *key, const char *text)
{
	if (key->len)
		buf_addc(key, '/');
	if (is_made_of(text, "_.-"))
		buf_adds(key, text);
	else
		id_add_text(key, text, text, &id_plain);
}

static void
add_json_part(struct buf *key, const char *value)
{
	struct buf text = BUF_INIT;

	json_add_string(&text, value);
	add_part(key, buf_str(&text));
	buf_release(&text);
}

/* Words of Python, and a few of Dagster's own. */
static bool
is_taken(const char *name)
{
	static const char *const words[] = {
		"False", "None", "True", "and", "arg_dict", "as", "assert", "async", "await", "bool", "break",
		"class", "conf", "config", "context", "continue", "def", "del", "dict", "elif", "else", "except",
		"finally", "float", "for", "from", "global", "if", "import", "in", "input", "input_arg_dict",
		"int", "is", "lambda", "meta", "nonlocal", "not", "or", "output", "output_arg_dict", "pass",
		"raise", "return", "str", "try", "type", "while", "with", "yield"
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

static const char *
key_of(struct arena *a, const struct node *n)
{
	const char *configured = dagster_meta(n, "asset_key");
	const char *schema = json_get(node_json(n, NODE_CONFIG), "schema");
	struct buf key = BUF_INIT;
	const char *text;

	if (json_truth(configured) && *configured == '"') {
		add_json_part(&key, configured);
	} else if (json_truth(configured)) {
		for (const char *at = json_first(configured); at; at = json_next(at))
			add_json_part(&key, at);
	} else if (n->kind == KIND_SOURCE) {
		add_part(&key, n->source_name ? n->source_name : "source");
		add_part(&key, n->name);
	} else if (n->versioned && n->alias) {
		add_part(&key, n->alias);
	} else {
		if (!json_is_null(schema))
			add_json_part(&key, schema);
		add_part(&key, n->name);
	}
	if (is_taken(buf_str(&key)))
		buf_addf(&key, "_%s", kind_name(n->kind));
	text = arena_strdup(a, buf_str(&key));
	buf_release(&key);
	return text;
}

static bool
is_foreign(const struct graph *g, const struct node *n)
{
	return g->project_name && n->package && strcmp(g->project_name, n->package) != 0;
}

/* Two nodes of one key: the one of another package makes way. */
static int
part_twins(struct dagster *d, struct map *seen, const struct node *n, struct err *err)
{
	const struct graph *g = d->job->graph;
	const struct node *twin = map_get(seen, d->keys[n->index]), *moved = n;
	struct buf key = BUF_INIT;

	if (twin) {
		moved = is_foreign(g, n) || !is_foreign(g, twin) ? n : twin;
		map_put(seen, d->keys[n->index], (void *)(uintptr_t)(moved == n ? twin : n));
		add_part(&key, moved->package ? moved->package : "dbt");
		buf_addf(&key, "/%s", d->keys[moved->index]);
		d->keys[moved->index] = arena_strdup(&d->steps->arena, key.data);
		buf_release(&key);
	}
	twin = map_put(seen, d->keys[moved->index], (void *)(uintptr_t)moved);
	if (twin && twin != moved) {
		err_set(err, "nodes '%s' and '%s' would share the asset key '%s'", twin->id, moved->id,
		    d->keys[moved->index]);
		return err_hint(err, "give one of them meta.dagster.asset_key");
	}
	return 0;
}

int
dagster_keys(struct dagster *d, struct err *err)
{
	const struct graph *g = d->job->graph;
	struct map seen = MAP_INIT;
	int rc = 0;

	d->keys = arena_zalloc(&d->steps->arena, g->nnodes + 1, sizeof(*d->keys));
	d->is_asset = arena_zalloc(&d->steps->arena, g->nnodes + 1, sizeof(*d->is_asset));
	d->seen = arena_zalloc(&d->steps->arena, g->nnodes + 1, sizeof(*d->seen));
	d->stack = arena_zalloc(&d->steps->arena, g->nnodes + 1, sizeof(*d->stack));
	for (size_t i = 0; i < g->nnodes; i++)
		if (KIND_BIT(g->nodes[i].kind) & (ASSET_KINDS | KIND_BIT(KIND_SOURCE)))
			d->keys[i] = key_of(&d->steps->arena, &g->nodes[i]);
	for (size_t i = 0; i < d->steps->n && rc == 0; i++) {
		const struct step *s = &d->steps->v[i];

		if (!dagster_builds_asset(s))
			continue;
		d->is_asset[s->node->index] = true;
		rc = part_twins(d, &seen, s->node, err);
	}
	map_release(&seen);
	return rc;
}

/* ---- what stands upstream ---- */

static bool
is_passed_through(const struct node *n)
{
	unsigned kinds = KIND_BIT(KIND_METRIC) | KIND_BIT(KIND_SEMANTIC_MODEL) | KIND_BIT(KIND_SAVED_QUERY) |
		KIND_BIT(KIND_FUNCTION);

	return node_is_ephemeral(n) || (KIND_BIT(n->kind) & kinds);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct keys {
	const char **v;
	size_t n, cap;
};

static void
add_key(struct keys *k, const char *key, const char *own)
{
	if (!key || strcmp(key, own) == 0)
		return;
	k->v = xgrow(k->v, k->n, &k->cap, sizeof(*k->v));
	k->v[k->n++] = key;
}

/* Keys of what n reads, over what is no asset. */
static void
add_parents(struct dagster *d, const struct node *n, struct keys *k, const char *own)
{
	const struct graph *g = d->job->graph;
	size_t depth = 0;

	d->walk++;
	d->stack[depth++] = n->index;
	while (depth) {
		const struct node *at = &g->nodes[d->stack[--depth]];

		for (size_t i = 0; i < at->nparents; i++) {
			const struct node *p = &g->nodes[at->parents[i]];

			if (d->seen[p->index] == d->walk)
				continue;
			d->seen[p->index] = d->walk;
			if (is_passed_through(p))
				d->stack[depth++] = p->index;
			else
				add_key(k, d->keys[p->index], own);
		}
	}
}

size_t
dagster_deps(struct dagster *d, const struct step *s, const char ***keys)
{
	const struct node *target = s->role == STEP_BUILD ? s->node : dagster_check_target(d, s->node);
	const char *own = d->keys[target->index];
	struct keys k = { 0 };
	size_t n = 0;

	add_parents(d, s->node, &k, own);
	/* Order over nodes that are not among the assets is kept. */
	for (size_t i = 0; s->role == STEP_BUILD && i < s->nafter; i++) {
		const struct step *up = &d->steps->v[s->after[i]];

		if (up->role == STEP_TEST && up->build)
			up = up->build;
		if (dagster_builds_asset(up))
			add_key(&k, d->keys[up->node->index], own);
	}
	if (k.n)
		qsort(k.v, k.n, sizeof(*k.v), by_text);
	*keys = arena_zalloc(&d->steps->arena, k.n + 1, sizeof(**keys));
	for (size_t i = 0; i < k.n; i++)
		if (i == 0 || strcmp(k.v[i], k.v[i - 1]) != 0)
			(*keys)[n++] = k.v[i];
	free(k.v);
	return n;
}

/* ---- checks ---- */

const char *
dagster_check_name(struct dagster *d, const struct node *test)
{
	struct buf b = BUF_INIT;
	const char *name = test->name;

	if (is_made_of(name, "_."))
		return name;
	id_add_text(&b, name, test->id, &id_plain);
	name = arena_strdup(&d->steps->arena, b.data);
	buf_release(&b);
	return name;
}

/* What meta.dagster.ref of a test names. */
static const struct node *
find_ref(const struct graph *g, const char *ref)
{
	const char *package = json_get(ref, "package"), *version = json_get(ref, "version");
	const char *name = json_get(ref, "name");

	for (size_t i = 0; i < g->nnodes; i++) {
		const struct node *n = &g->nodes[i];
		struct buf v = BUF_INIT;
		bool same = json_is_string(name, n->name);

		if (same && json_truth(package))
			same = n->package && json_is_string(package, n->package);
		else if (same)
			same = !is_foreign(g, n);
		if (same && !json_is_null(version)) {
			json_add_compact(&v, version);
			same = n->version && strcmp(buf_str(&v), n->version) == 0;
		} else if (same) {
			same = !n->versioned;
		}
		buf_release(&v);
		if (same)
			return n;
	}
	return NULL;
}

static bool
reads(const struct node *test, const struct node *n)
{
	for (size_t i = 0; i < test->nparents; i++)
		if (test->parents[i] == n->index)
			return true;
	return false;
}

const struct node *
dagster_check_target(const struct dagster *d, const struct node *test)
{
	const struct graph *g = d->job->graph;
	const struct node *target = test->attached ? graph_find(g, test->attached) : NULL;
	const char *ref = dagster_meta(test, "ref");
	bool one = test->nparents > 0;

	for (size_t i = 1; i < test->nparents; i++)
		one = one && test->parents[i] == test->parents[0];
	if (one)
		target = &g->nodes[test->parents[0]];
	if (json_truth(ref))
		target = find_ref(g, ref);
	return target && d->is_asset[target->index] && reads(test, target) ? target : NULL;
}

bool
dagster_is_error(const struct node *test)
{
	struct buf b = BUF_INIT;
	bool error;

	json_add_string(&b, json_get(node_json(test, NODE_CONFIG), "severity"));
	for (size_t i = 0; i < b.len; i++)
		b.data[i] = (char)tolower((unsigned char)b.data[i]);
	error = b.len == 0 || strcmp(b.data, "error") == 0;
	buf_release(&b);
	return error;
}

/* ---- groups, owners, tags ---- */

const char *
dagster_group(struct dagster *d, const struct step *s)
{
	const char *configured = json_get(json_get(node_json(s->node, NODE_META), "dagster"), "group");
	struct buf b = BUF_INIT, name = BUF_INIT;
	const char *text;

	if (d->job->group_by != GROUP_BY_NONE) {
		for (const char *c = d->folders.of[s - d->steps->v]; *c; c++)
			buf_adds(&b, *c == '/' ? "__" : (const char[]){ *c == '-' ? '_' : *c, '\0' });
	} else if (json_truth(configured)) {
		json_add_string(&b, configured);
	} else if (s->node->group) {
		buf_adds(&b, s->node->group);
	}
	if (b.len && is_made_of(b.data, "_/"))
		buf_adds(&name, b.data);
	else if (b.len)
		id_add_text(&name, b.data, b.data, &id_plain);
	text = name.len ? arena_strdup(&d->steps->arena, name.data) : NULL;
	buf_release(&b);
	buf_release(&name);
	return text;
}

/* As Dagster looks at it; what it does not take for one is the name of a team. */
static bool
is_email(const char *text)
{
	const char *at = strchr(text, '@'), *dot = strrchr(text, '.');
	size_t n = dot ? strlen(dot + 1) : 0;

	for (size_t i = 1; i <= n; i++)
		if (!isalpha((unsigned char)dot[i]))
			return false;
	return at && at > text && dot > at + 1 && n >= 2 && n <= 7 && !strchr(at + 1, '@') &&
		is_made_of(text, "@._%+-");
}

static void
write_owner(struct emit *e, const char *owner)
{
	struct buf b = BUF_INIT;

	if (!text_starts(owner, "team:") && !is_email(owner))
		buf_adds(&b, "team:");
	buf_adds(&b, owner);
	emit_add(e, "%q", b.data);
	buf_release(&b);
}

void
dagster_write_owners(struct emit *e, const struct node *n)
{
	const char *owners = json_get(json_get(node_json(n, NODE_META), "dagster"), "owners");
	struct buf b = BUF_INIT;
	size_t written = 0;

	for (const char *at = json_first(owners); at; at = json_next(at)) {
		buf_truncate(&b, 0);
		json_add_string(&b, at);
		if (b.len == 0)
			continue;
		emit_add(e, written++ ? ", " : DAGSTER_ARG "owners=[");
		write_owner(e, b.data);
	}
	buf_truncate(&b, 0);
	if (written == 0 && node_docs_owner(&b, n) && b.len) {
		emit_add(e, DAGSTER_ARG "owners=[");
		write_owner(e, b.data);
		written++;
	}
	if (written)
		emit_add(e, "]");
	buf_release(&b);
}

void
dagster_write_tags(struct emit *e, const struct node *n)
{
	size_t written = 0;

	for (size_t i = 0; i < n->tags.n; i++) {
		const char *tag = n->tags.v[i];

		if (strlen(tag) > 63 || !is_made_of(tag, "_.-"))
			continue;
		emit_add(e, "%s%q: \"\"", written++ ? ", " : DAGSTER_ARG "tags={", tag);
	}
	if (written)
		emit_add(e, "}");
}
