#include "graph/state.h"

#include <stdlib.h>
#include <string.h>

#include "graph/artifacts.h"
#include "graph/manifest.h"
#include "graph/state_macros.h"
#include "graph/state_parts.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/map.h"
#include "util/xalloc.h"

#define FULL (GRAPH_STATE | GRAPH_MACROS)

struct state {
	char *dir, *target_dir;        /* dir: NULL = no --state */
	struct arena arena;
	struct graph *old;
	unsigned old_fields;
	struct state_macros macros;
	const struct graph *macros_of; /* the new graph they were compared with */
	struct comparison c;
};

/* What `state:VALUE` asks. */
enum question { ASK_NEW, ASK_OLD, ASK_MODIFIED, ASK_UNMODIFIED, ASK_MACROS, ASK_PART };

static const struct value {
	const char *name;
	enum question question;
	enum state_part part;          /* ASK_PART */
	unsigned fields;
	bool removed;                  /* also looks at contracts of models that are gone */
} values[] = {
	{ "new", ASK_NEW, 0, 0, false },
	{ "old", ASK_OLD, 0, 0, false },
	{ "modified", ASK_MODIFIED, 0, FULL, true },
	{ "unmodified", ASK_UNMODIFIED, 0, FULL, true },
	{ "modified.body", ASK_PART, STATE_BODY, GRAPH_STATE, false },
	{ "modified.configs", ASK_PART, STATE_CONFIGS, GRAPH_STATE, false },
	{ "modified.persisted_descriptions", ASK_PART, STATE_DESCRIPTIONS, GRAPH_STATE, false },
	{ "modified.relation", ASK_PART, STATE_RELATION, GRAPH_STATE, false },
	{ "modified.macros", ASK_MACROS, 0, GRAPH_MACROS, false },
	{ "modified.contract", ASK_PART, STATE_CONTRACT, GRAPH_STATE, true },
};

static const struct value *
find_value(const char *name)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (strcmp(values[i].name, name) == 0)
			return &values[i];
	return NULL;
}

const char *
state_part_name(enum state_part part)
{
	static const char *const names[] = {
#define X(id, name) name,
		STATE_PARTS(X)
#undef X
	};

	return names[part];
}

unsigned
state_fields(const char *value)
{
	const struct value *v = find_value(value);

	return v ? v->fields : 0;
}

struct state *
state_new(const char *dir, const char *target_dir, bool as_written)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->dir = dir ? xstrdup(dir) : NULL;
	s->target_dir = xstrdup(target_dir);
	s->c.arena = &s->arena;
	s->c.as_written = as_written;
	if (dir && strcmp(dir, target_dir) == 0)
		add_warning(&s->c, NULL,
		    "the state and target folders are the same, '%s': a run overwrites "
			"what it is compared with", dir);
	return s;
}

void
state_free(struct state *s)
{
	if (!s)
		return;
	state_macros_release(&s->macros);
	comparison_release(&s->c);
	graph_free(s->old);
	arena_release(&s->arena);
	free(s->dir);
	free(s->target_dir);
	free(s);
}

const struct state_warning *
state_warnings(const struct state *s, size_t *n)
{
	*n = s->c.nwarnings;
	return s->c.warnings;
}

/* ---- the old manifest ---- */

/* The path of a file of the state folder, which must be there. New string, or NULL with err. */
static char *
state_file(const struct state *s, const char *name, const char *method, struct err *err)
{
	char *path;

	if (!s->dir) {
		err_set(err, "'%s:' compares with an earlier run, and no --state was given",
			method);
		err_hint(err, "--state DIR names the folder with its %s", name);
		return NULL;
	}
	path = fs_join(s->dir, name);
	if (fs_exists(path))
		return path;
	err_set(err, "%s: not there, and '%s:' needs it", path, method);
	free(path);
	return NULL;
}

static int
load_old(struct state *s, unsigned fields, struct err *err)
{
	char *path = NULL, *warning = NULL;
	struct graph *g;
	int rc;

	if (s->old && (s->old_fields & fields) == fields)
		return 0;
	path = state_file(s, "manifest.json", "state", err);
	if (!path)
		return -1;
	fields |= s->old_fields;
	g = graph_new();
	rc = manifest_load(g, path, fields, &warning, err);
	if (warning)
		add_warning(&s->c, NULL, "%s", warning);
	free(warning);
	free(path);
	if (rc < 0) {
		graph_free(g);
		return -1;
	}
	graph_free(s->old);
	s->old = g;
	s->old_fields = fields;
	s->macros_of = NULL;
	return 0;
}

const struct graph *
state_graph(struct state *s, struct err *err)
{
	return load_old(s, FULL, err) < 0 ? NULL : s->old;
}

/* The first disabled node of that id that is parked, or that is not. */
static const struct node *
find_aside(const struct graph *g, const char *id, bool parked)
{
	size_t lo = 0, hi = g->ndisabled;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(g->disabled[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < g->ndisabled && strcmp(g->disabled[lo].id, id) == 0; lo++)
		if (g->disabled[lo].parked == parked)
			return &g->disabled[lo];
	return NULL;
}

/* The node of that id outside the manifest's `disabled`, switched off or not. */
static const struct node *
find_listed(const struct graph *g, const char *id)
{
	const struct node *n = graph_find(g, id);

	return n ? n : find_aside(g, id, false);
}

static const struct node *
old_self(const struct state *s, const struct node *n)
{
	/* dbt drops the metrics of manifests that old: they were another kind of thing. */
	if (n->kind == KIND_METRIC && s->old->schema_version <= 9)
		return NULL;
	return find_listed(s->old, n->id);
}

static void
compare_macros(struct state *s, const struct graph *g)
{
	if (s->macros_of == g)
		return;
	state_macros_release(&s->macros);
	state_macros_init(&s->macros, &s->arena, s->old, g);
	s->macros_of = g;
}

/* ---- answers ---- */

static bool
is_modified(struct state *s, const struct graph *g, const struct node *old, const struct node *n)
{
	bool differs = old ? parts_differ(&s->c, old, n) : new_is_modified(n);

	return differs || state_macros_hit(&s->macros, g, n);
}

static bool
answer(struct state *s, const struct graph *g, const struct value *v, const struct node *n)
{
	const struct node *old = old_self(s, n);

	switch (v->question) {
	case ASK_NEW:        return !old;
	case ASK_OLD:        return old;
	case ASK_MODIFIED:   return is_modified(s, g, old, n);
	case ASK_UNMODIFIED: return !is_modified(s, g, old, n);
	case ASK_MACROS:     return state_macros_hit(&s->macros, g, n);
	case ASK_PART:       break;
	}
	return part_differs(&s->c, v->part, old, n);
}

/* A model that is gone is never selected, but its contract may have been a promise. */
static bool
check_removed(struct state *s, const struct graph *g, const struct node *old)
{
	const struct node *parked;

	if (old->parked || old->kind != KIND_MODEL)
		return false;
	parked = find_aside(g, old->id, true);
	if (parked)
		return contract_removed(&s->c, parked);
	return !find_listed(g, old->id) && contract_removed(&s->c, old);
}

static int
bad_value(const char *value, struct err *err)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		buf_addf(&b, "%s%s", i ? ", " : "", values[i].name);
	err_set(err, "'state:%s' is unknown", value);
	err_hint(err, "state: takes %s", buf_str(&b));
	buf_release(&b);
	return -1;
}

int
state_match(struct state *s, const struct graph *g, const char *value, struct set *out,
    struct err *err)
{
	const struct value *v = find_value(value);

	if (load_old(s, v ? v->fields : 0, err) < 0)
		return -1;
	if (!v)
		return bad_value(value, err);
	s->c.adapter = g->adapter_type;
	s->c.broken = NULL;
	if (v->fields & GRAPH_MACROS)
		compare_macros(s, g);
	for (size_t i = 0; i < g->nnodes; i++)
		if (answer(s, g, v, &g->nodes[i]))
			set_add(out, i);
	for (size_t i = 0; v->removed && i < s->old->nnodes; i++)
		check_removed(s, g, &s->old->nodes[i]);
	for (size_t i = 0; v->removed && i < s->old->ndisabled; i++)
		check_removed(s, g, &s->old->disabled[i]);
	if (s->c.broken) {
		err_set(err, "%s", s->c.broken);
		return err_hint(err, "publish a new version of the model, or restore its contract");
	}
	return 0;
}

/* "macro.shop.cents -> macro.shop.round changed" */
static void
note_macros(struct state *s, const struct macro_way *w)
{
	static const char *const verdicts[] = { "", "changed", "is new", "was removed" };
	struct buf b = BUF_INIT;
	const struct macro_way *last = w;

	for (; w; w = w->next) {
		buf_addf(&b, "%s%s", b.len ? " -> " : "", w->id);
		last = w;
	}
	buf_addf(&b, " %s", verdicts[last->verdict]);
	note_change(&s->c, STATE_MACROS, last->id, NULL, NULL, b.data);
	buf_release(&b);
}

static int
by_part(const void *a, const void *b)
{
	const struct state_change *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return strcmp(x->what, y->what);
}

int
state_compare(struct state *s, const struct graph *g, const struct node *n,
    struct state_report *out, struct err *err)
{
	const struct node *old;
	const struct macro_way *way;
	bool modified;

	memset(out, 0, sizeof(*out));
	if (load_old(s, FULL, err) < 0)
		return -1;
	compare_macros(s, g);
	s->c.adapter = g->adapter_type;
	s->c.explain = true;
	s->c.nchanges = 0;
	old = old_self(s, n);
	way = state_macros_hit(&s->macros, g, n);
	if (way)
		note_macros(s, way);
	modified = (old && parts_differ(&s->c, old, n)) || way;
	s->c.explain = false;
	out->verdict = !old ? STATE_NEW : modified ? STATE_MODIFIED : STATE_SAME;
	if (out->verdict != STATE_MODIFIED)
		return 0;
	out->nchanges = s->c.nchanges;
	out->changes = arena_alloc(&s->arena, out->nchanges * sizeof(*out->changes));
	memcpy(out->changes, s->c.changes, out->nchanges * sizeof(*out->changes));
	qsort(out->changes, out->nchanges, sizeof(*out->changes), by_part);
	return 0;
}

int
state_list_removed(struct state *s, const struct graph *g, const struct state_removed **out,
    size_t *n, struct err *err)
{
	struct state_removed *v;

	*n = 0;
	if (load_old(s, FULL, err) < 0)
		return -1;
	v = arena_zalloc(&s->arena, s->old->nnodes + 1, sizeof(*v));
	for (size_t i = 0; i < s->old->nnodes; i++) {
		const struct node *old = &s->old->nodes[i];

		if (graph_find(g, old->id))
			continue;
		v[(*n)++] = (struct state_removed){
			.node = old,
			.disabled = find_aside(g, old->id, true) || find_aside(g, old->id, false),
			.breaking = check_removed(s, g, old),
		};
	}
	*out = v;
	return 0;
}

/* ---- result: and source_status: ---- */

struct results {
	const struct graph *g;
	const char *status;
	struct set *out;
};

static void
take_result(void *self, const struct artifact_row *row)
{
	struct results *r = self;
	const struct node *n = graph_find(r->g, row->id);

	if (n && strcmp(row->status, r->status) == 0)
		set_add(r->out, n->index);
}

int
state_match_result(struct state *s, const struct graph *g, const char *status, struct set *out,
    struct err *err)
{
	struct results r = { g, status, out };
	char *path = state_file(s, "run_results.json", "result", err);
	int rc = path ? artifact_run_results(path, take_result, &r, err) : -1;

	free(path);
	return rc;
}

/* When each source had last been loaded, by node index; INT64_MIN: no answer then. */
struct loads {
	const struct graph *g;
	int64_t *us;
	const char *bad;     /* id of the first time that is none */
	struct arena *arena;
};

static void
take_load(void *self, const struct artifact_row *row)
{
	struct loads *l = self;
	const struct node *n = graph_find(l->g, row->id);
	int64_t us;

	if (!row->max_loaded_at)
		return;
	us = clock_parse_iso_us(row->max_loaded_at);
	if (us == INT64_MIN && !l->bad)
		l->bad = arena_strdup(l->arena, row->id);
	if (n)
		l->us[n->index] = us;
}

static int
read_loads(struct loads *l, const char *path, struct err *err)
{
	for (size_t i = 0; i < l->g->nnodes; i++)
		l->us[i] = INT64_MIN;
	if (artifact_sources(path, take_load, l, err) < 0)
		return -1;
	if (l->bad)
		return err_set(err, "%s: max_loaded_at of '%s' is no time", path, l->bad);
	return 0;
}

int
state_match_source_status(struct state *s, const struct graph *g, const char *value,
    struct set *out, struct err *err)
{
	struct loads then = { .g = g, .arena = &s->arena }, now = then;
	char *before = state_file(s, "sources.json", "source_status", err), *after = NULL;
	int rc = -1;

	then.us = xcalloc(g->nnodes + 1, sizeof(*then.us));
	now.us = xcalloc(g->nnodes + 1, sizeof(*now.us));
	if (!before)
		goto out;
	after = fs_join(s->target_dir, "sources.json");
	if (!fs_exists(after)) {
		err_set(err, "%s: not there, and 'source_status:' needs it", after);
		err_hint(err, "`heddle freshness` writes it");
		goto out;
	}
	if (read_loads(&then, before, err) < 0 || read_loads(&now, after, err) < 0)
		goto out;
	rc = 0;
	if (strcmp(value, "fresher") != 0)   /* dbt takes any other word, and finds nothing */
		goto out;
	for (size_t i = 0; i < g->nnodes; i++)
		if (now.us[i] > then.us[i])
			set_add(out, i);
out:
	free(then.us);
	free(now.us);
	free(before);
	free(after);
	return rc;
}
