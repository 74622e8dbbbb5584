/* dagster_keys.c -- Rules: dagster-dbt 0.29 asset_utils.py (default_asset_key_fn,
 * get_upstream_unique_ids, get_asset_check_key_for_test).
 *
 * Where a name holds what Dagster takes in no name of an op's output, dagster-dbt does not load the
 * project at all; here such letters become '_' and a hash follows. Nor does it load two nodes of
 * one key: here the one of another package has its package before its key.
 */
#include "exporters/dagster.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/ids.h"
#include "graph/json.h"
#include "util/xalloc.h"

#define ASSET_KINDS (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT))

/* ---- keys ---- */

const char *
dagster_meta(const struct node *n, const char *name)
{
	const char *meta = json_get(node_json(n, NODE_CONFIG), "meta");

	if (!json_truth(meta))
		meta = node_json(n, NODE_META);
	return json_get(json_get(meta, "dagster"), name);
}

bool
dagster_is_made_of(const char *text, const char *marks)
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
	if (dagster_is_made_of(text, "_.-"))
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
		"False", "None", "True", "and", "arg_dict", "as", "assert", "async", "await",
		"bool", "break", "class", "conf", "config", "context", "continue", "def", "del",
		"dict", "elif", "else", "except", "finally", "float", "for", "from", "global", "if",
		"import", "in", "input", "input_arg_dict", "int", "is", "lambda", "meta",
		"nonlocal", "not", "or", "output", "output_arg_dict", "pass",
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
	const struct graph *g = d->job.graph;
	const struct node *twin = map_get(seen, d->keys[n->index]), *moved = n;
	struct buf key = BUF_INIT;

	if (twin) {
		moved = is_foreign(g, n) || !is_foreign(g, twin) ? n : twin;
		map_put(seen, d->keys[n->index], (void *)(uintptr_t)(moved == n ? twin : n));
		add_part(&key, moved->package ? moved->package : "dbt");
		buf_addf(&key, "/%s", d->keys[moved->index]);
		d->keys[moved->index] = arena_strdup(&d->arena, key.data);
		buf_release(&key);
	}
	twin = map_put(seen, d->keys[moved->index], (void *)(uintptr_t)moved);
	if (twin && twin != moved) {
		err_set(err, "nodes '%s' and '%s' would share the asset key '%s'", twin->id,
		    moved->id, d->keys[moved->index]);
		return err_hint(err, "give one of them meta.dagster.asset_key");
	}
	return 0;
}

/* ---- what stands upstream ---- */

static bool
is_passed_through(const struct node *n)
{
	unsigned kinds = KIND_BIT(KIND_METRIC) | KIND_BIT(KIND_SEMANTIC_MODEL) |
		KIND_BIT(KIND_SAVED_QUERY) | KIND_BIT(KIND_FUNCTION);

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

/* Keys above n. over_unbuilt: of the nearest built here; else of those dagster-dbt goes to. */
static void
add_above(struct dagster *d, const struct node *n, struct keys *k, const char *own,
    bool over_unbuilt)
{
	const struct graph *g = d->job.graph;
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
			if (over_unbuilt ? !d->is_asset[p->index] : is_passed_through(p))
				d->stack[depth++] = p->index;
			else
				add_key(k, d->keys[p->index], own);
		}
	}
}

size_t
dagster_deps(struct dagster *d, const struct node *n, const char ***keys)
{
	const struct node *target = d->targets[n->index];
	const char *own = d->keys[target ? target->index : n->index];
	struct keys k = { 0 };
	size_t count = 0;

	add_above(d, n, &k, own, false);
	if (d->is_asset[n->index])    /* order over nodes that are not among the assets is kept */
		add_above(d, n, &k, own, true);
	if (k.n)
		qsort(k.v, k.n, sizeof(*k.v), by_text);
	*keys = arena_zalloc(&d->arena, k.n + 1, sizeof(**keys));
	for (size_t i = 0; i < k.n; i++)
		if (i == 0 || strcmp(k.v[i], k.v[i - 1]) != 0)
			(*keys)[count++] = k.v[i];
	free(k.v);
	return count;
}

/* ---- checks ---- */

bool
dagster_is_renamed(const struct dagster *d, const struct node *test)
{
	return d->targets[test->index] && !dagster_is_made_of(test->name, "_.");
}

const char *
dagster_check_name(struct dagster *d, const struct node *test)
{
	struct buf b = BUF_INIT;
	const char *name = test->name;

	if (dagster_is_made_of(name, "_."))
		return name;
	id_add_text(&b, name, test->id, &id_plain);
	name = arena_strdup(&d->arena, b.data);
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

/* As configured, if the test reads it; else the only node it reads, or what it is attached to. */
static const struct node *
target_of(const struct dagster *d, const struct node *test)
{
	const struct graph *g = d->job.graph;
	const struct node *target = test->attached ? graph_find(g, test->attached) : NULL;
	const char *ref = dagster_meta(test, "ref");
	bool one = test->nparents > 0;

	for (size_t i = 1; i < test->nparents; i++)
		one = one && test->parents[i] == test->parents[0];
	if (json_truth(ref) && (!one || (find_ref(g, ref) && reads(test, find_ref(g, ref)))))
		target = find_ref(g, ref);
	else if (one)
		target = &g->nodes[test->parents[0]];
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

/* ---- all of it ---- */

static void
allocate(struct dagster *d)
{
	size_t n = d->job.graph->nnodes + 1;

	d->keys = arena_zalloc(&d->arena, n, sizeof(*d->keys));
	d->is_asset = arena_zalloc(&d->arena, n, sizeof(*d->is_asset));
	d->is_inside = arena_zalloc(&d->arena, n, sizeof(*d->is_inside));
	d->targets = arena_zalloc(&d->arena, n, sizeof(*d->targets));
	d->seen = arena_zalloc(&d->arena, n, sizeof(*d->seen));
	d->stack = arena_zalloc(&d->arena, n, sizeof(*d->stack));
}

int
dagster_keys(struct dagster *d, struct err *err)
{
	const struct graph *g = d->job.graph;
	const struct plan *plan = d->job.plan;
	struct map seen = MAP_INIT;
	int rc = 0;

	allocate(d);
	for (size_t i = 0; i < g->nnodes; i++)
		if (KIND_BIT(g->nodes[i].kind) & (ASSET_KINDS | KIND_BIT(KIND_SOURCE)))
			d->keys[i] = key_of(&d->arena, &g->nodes[i]);
	for (size_t i = 0; i < plan->ntasks && rc == 0; i++) {
		const struct node *n = plan->tasks[i].node;

		if (!(KIND_BIT(n->kind) & ASSET_KINDS))
			continue;
		d->is_asset[n->index] = true;
		rc = part_twins(d, &seen, n, err);
	}
	for (size_t i = 0; i < plan->ntasks; i++)
		if (plan->tasks[i].node->kind == KIND_TEST)
			d->targets[plan->tasks[i].node->index] = target_of(d, plan->tasks[i].node);
	map_release(&seen);
	return rc;
}
