#include "graph/lint.h"

#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "util/buf.h"
#include "util/xalloc.h"

#define BIT(kind) KIND_BIT(KIND_##kind)
#define TESTS     (BIT(TEST) | BIT(UNIT_TEST))
#define NAMED     (BIT(MODEL) | BIT(SEED) | BIT(SNAPSHOT) | BIT(FUNCTION) | BIT(EXPOSURE) | \
	BIT(SAVED_QUERY))
#define WRITTEN   (BIT(MODEL) | BIT(SEED) | BIT(SNAPSHOT))

static const struct {
	const char *code, *summary;
} checks[] = {
#define X(id, code, what) { code, what },
	LINT_CHECKS(X)
#undef X
};

/* What the checks share while they run. */
struct linter {
	struct lint *out;
	const struct graph *g;
	const struct plan *plan;
	const struct set *chosen;
	const struct lint_options *options;
	struct arena scratch;
	uint32_t *queue, *seen, turn;   /* of walks down the graph */
};

const char *
lint_code(enum lint_check check)
{
	return checks[check].code;
}

const char *
lint_summary(enum lint_check check)
{
	return checks[check].summary;
}

int
lint_find(const char *code)
{
	for (int i = 0; i < NLINT_CHECKS; i++)
		if (strcmp(checks[i].code, code) == 0)
			return i;
	return -1;
}

unsigned
lint_fields(void)
{
	return GRAPH_CONFIG | GRAPH_SQL | GRAPH_TESTS;
}

/* ---- findings ---- */

static bool
is_own(const struct linter *l, const struct node *n)
{
	return l->options->packages || !l->g->project_name ||
		strcmp(n->package, l->g->project_name) == 0;
}

static struct lint_finding *
add(struct linter *l, enum lint_check check, const struct node *n, const char *message)
{
	struct lint *out = l->out;

	out->v = xgrow(out->v, out->n, &out->cap, sizeof(*out->v));
	out->v[out->n] = (struct lint_finding){ .check = check, .node = n, .message = message };
	return &out->v[out->n++];
}

static bool
is_kind(const struct node *n, unsigned kinds)
{
	return KIND_BIT(n->kind) & kinds;
}

/* Children that are no tests. */
static size_t
count_readers(const struct linter *l, const struct node *n)
{
	size_t readers = 0;

	for (size_t i = 0; i < n->nchildren; i++)
		readers += !is_kind(&l->g->nodes[n->children[i]], TESTS);
	return readers;
}

/* ---- groups: nodes under one key that some test calls the same ---- */

struct group {
	const struct node **v;
	size_t n, cap;
	struct group *next;    /* of the same key, but not the same */
};

struct groups {
	struct linter *l;
	struct map by_key;     /* -> struct group *, the first of its key */
	struct group **v;      /* all, in order of their first node */
	size_t n, cap;
	bool (*same)(const struct node *a, const struct node *b);   /* NULL: the key says it all */
};

static void
group_node(struct groups *gs, const char *key, const struct node *n)
{
	struct group *first = map_get(&gs->by_key, key), *g = first;

	while (g && gs->same && !gs->same(g->v[0], n))
		g = g->next;
	if (!g) {
		g = arena_zalloc(&gs->l->scratch, 1, sizeof(*g));
		g->next = first;
		map_put(&gs->by_key, first ? key : arena_strdup(&gs->l->scratch, key), g);
		gs->v = xgrow(gs->v, gs->n, &gs->cap, sizeof(*gs->v));
		gs->v[gs->n++] = g;
	}
	g->v = xgrow(g->v, g->n, &g->cap, sizeof(*g->v));
	g->v[g->n++] = n;
}

/* One finding for each group of several; message(): the sentence, from l->out->arena. */
static void
report_groups(struct groups *gs, enum lint_check check,
    const char *(*message)(struct linter *l, const struct group *g))
{
	struct arena *a = &gs->l->out->arena;

	for (size_t i = 0; i < gs->n; i++) {
		struct group *g = gs->v[i];
		struct lint_finding *f;
		bool own = false;

		for (size_t k = 0; k < g->n; k++)
			own |= is_own(gs->l, g->v[k]);
		if (g->n > 1 && own) {
			f = add(gs->l, check, g->v[0], message(gs->l, g));
			f->nothers = g->n - 1;
			f->others = arena_alloc(a, f->nothers * sizeof(*f->others));
			memcpy(f->others, g->v + 1, f->nothers * sizeof(*f->others));
		}
		free(g->v);
	}
	free(gs->v);
	map_release(&gs->by_key);
}

/* ---- tests ---- */

static bool
touches(const struct node *test, const struct set *chosen)
{
	for (size_t i = 0; i < test->nparents; i++)
		if (set_has(chosen, test->parents[i]))
			return true;
	return false;
}

static const char *
why_not_run(struct linter *l, const struct node *test)
{
	struct arena *a = &l->out->arena;

	if (test->blank)
		return "its code is empty, and dbt runs no such test";
	for (size_t i = 0; i < test->nparents; i++)
		if (!set_has(l->chosen, test->parents[i]))
			return arena_printf(a, "it also reads '%s', which the selection leaves out",
				l->g->nodes[test->parents[i]].id);
	return "the selection leaves it out";
}

static void
check_tests_not_run(struct linter *l)
{
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if (is_kind(n, TESTS) && is_own(l, n) && !plan_find(l->plan, n) &&
		    touches(n, l->chosen))
			add(l, LINT_TEST_NOT_RUN, n, why_not_run(l, n));
	}
}

static void
check_tests_that_read_nothing(struct linter *l)
{
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if (n->kind == KIND_TEST && !n->nparents && set_has(l->chosen, i) && is_own(l, n))
			add(l, LINT_TEST_READS_NOTHING, n,
				"it reads no node, so only a selection by its own name or tag "
				"takes it along");
	}
}

/* Marks everything after `from` with a new turn. */
static void
walk_down(struct linter *l, uint32_t from)
{
	size_t n = 0;

	l->turn++;
	l->queue[n++] = from;
	for (size_t at = 0; at < n; at++) {
		const struct node *node = &l->g->nodes[l->queue[at]];

		for (size_t k = 0; k < node->nchildren; k++)
			if (l->seen[node->children[k]] != l->turn) {
				l->seen[node->children[k]] = l->turn;
				l->queue[n++] = node->children[k];
			}
	}
}

/*
 * A test stands on one node. When it also reads a node that comes after that one, then running it
 * right after its node and before that node's children, as orchestrators do, is a cycle.
 */
static void
check_cycle_of(struct linter *l, const struct node *test, const struct node *on)
{
	walk_down(l, on->index);
	for (size_t i = 0; i < test->nparents; i++) {
		if (l->seen[test->parents[i]] != l->turn)
			continue;
		add(l, LINT_TEST_CYCLE, test, arena_printf(&l->out->arena,
			"it is a test of '%s' but reads '%s' further down: it waits for both, "
			"and holds back nothing between them", on->id,
			l->g->nodes[test->parents[i]].id));
		return;
	}
}

static void
check_test_cycles(struct linter *l)
{
	l->queue = xcalloc(l->g->nnodes + 1, sizeof(*l->queue));
	l->seen = xcalloc(l->g->nnodes + 1, sizeof(*l->seen));
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];
		const struct node *on = n->attached ? graph_find(l->g, n->attached) : NULL;

		if (on && n->nparents > 1 && set_has(l->chosen, i) && is_own(l, n))
			check_cycle_of(l, n, on);
	}
	free(l->queue);
	free(l->seen);
}

/* Severity, tags and names do not change what is asked; `where` does. */
static bool
same_question(const struct node *a, const struct node *b)
{
	const char *x = node_json(a, NODE_TEST_METADATA), *y = node_json(b, NODE_TEST_METADATA);
	const char *where_x = json_get(node_json(a, NODE_CONFIG), "where");
	const char *where_y = json_get(node_json(b, NODE_CONFIG), "where");

	if (json_is_null(where_x) != json_is_null(where_y) ||
	    (!json_is_null(where_x) && !json_equal(where_x, where_y)))
		return false;
	if (!a->test_name || !b->test_name)
		return !a->test_name && !b->test_name;   /* their code is the key */
	return json_equal(json_get(x, "kwargs"), json_get(y, "kwargs")) &&
		json_equal(json_get(x, "namespace"), json_get(y, "namespace"));
}

static void
add_part(struct buf *key, const char *json)
{
	buf_addc(key, '\x01');
	json_add_compact(key, json);
}

/* Close enough to tell most tests apart; same_question() decides. */
static void
add_test_key(struct buf *key, const struct node *n)
{
	const char *kwargs = json_get(node_json(n, NODE_TEST_METADATA), "kwargs");

	if (!n->test_name) {
		add_part(key, node_json(n, NODE_RAW_CODE));
		return;
	}
	buf_adds(key, n->test_name);
	add_part(key, json_get(kwargs, "model"));
	add_part(key, json_get(kwargs, "column_name"));
}

static const char *
duplicate_message(struct linter *l, const struct group *g)
{
	(void)l;
	return g->v[0]->test_name ? "the same test with the same arguments is there again"
	                          : "a test with the same code is there again";
}

static void
check_duplicate_tests(struct linter *l)
{
	struct groups gs = { .l = l, .same = same_question };
	struct buf key = BUF_INIT;

	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if (n->kind != KIND_TEST || n->blank || !set_has(l->chosen, i))
			continue;
		buf_truncate(&key, 0);
		add_test_key(&key, n);
		group_node(&gs, buf_str(&key), n);
	}
	buf_release(&key);
	report_groups(&gs, LINT_DUPLICATE_TEST, duplicate_message);
}

/* ---- names ---- */

static bool
are_versions(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->v[i]->versioned || strcmp(g->v[i]->package, g->v[0]->package) != 0)
			return false;
	return true;
}

static const char *
name_message(struct linter *l, const struct group *g)
{
	return arena_printf(&l->out->arena, "`--select %s` takes several nodes together",
		g->v[0]->name);
}

/* Versions of one model share its name on purpose. */
static void
check_name_collisions(struct linter *l)
{
	struct groups gs = { .l = l };

	for (size_t i = 0; i < l->g->nnodes; i++)
		if (is_kind(&l->g->nodes[i], NAMED) && set_has(l->chosen, i))
			group_node(&gs, l->g->nodes[i].name, &l->g->nodes[i]);
	for (size_t i = 0; i < gs.n; i++)
		if (are_versions(gs.v[i]))
			gs.v[i]->n = 1;
	report_groups(&gs, LINT_NAME_COLLISION, name_message);
}

static const char *
relation_message(struct linter *l, const struct group *g)
{
	const struct node *n = g->v[0];

	return arena_printf(&l->out->arena, "they write the same relation, %s",
		n->relation_name ? n->relation_name : n->alias ? n->alias : n->name);
}

static void
add_lower(struct buf *b, const char *text)
{
	buf_addc(b, '\x01');
	for (; text && *text; text++)
		buf_addc(b, *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text);
}

static void
check_relation_collisions(struct linter *l)
{
	struct groups gs = { .l = l };
	struct buf key = BUF_INIT;

	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if (!is_kind(n, WRITTEN) || node_is_ephemeral(n) || !set_has(l->chosen, i))
			continue;
		buf_truncate(&key, 0);
		add_lower(&key, n->database);
		add_lower(&key, n->schema);
		add_lower(&key, n->alias ? n->alias : n->name);
		group_node(&gs, key.data, n);
	}
	buf_release(&key);
	report_groups(&gs, LINT_RELATION_COLLISION, relation_message);
}

/* The node's fqn without the version behind it. */
static size_t
fqn_len(const struct node *n)
{
	return n->versioned && n->fqn.n > 1 ? n->fqn.n - 1 : n->fqn.n;
}

/* Adds every folder that a selection of the form a.b.c can name, from fqn[from] on. */
static void
add_folders(struct linter *l, struct map *folders, const struct node *n, size_t from)
{
	struct buf path = BUF_INIT;

	for (size_t i = from; i + 1 < fqn_len(n); i++) {
		buf_addf(&path, "%s%s", i > from ? "." : "", n->fqn.v[i]);
		if (!map_get(folders, path.data))
			map_put(folders, arena_strdup(&l->scratch, path.data),
				(void *)(uintptr_t)n);
	}
	buf_release(&path);
}

/* A folder of that name, by the bare name or by the node's whole fqn; NULL: none. */
static const struct node *
find_folder(const struct map *folders, const struct node *n)
{
	struct buf path = BUF_INIT;
	const struct node *inside = map_get(folders, n->name);

	for (size_t i = 0; !inside && i < fqn_len(n); i++)
		buf_addf(&path, "%s%s", i ? "." : "", n->fqn.v[i]);
	if (!inside)
		inside = map_get(folders, buf_str(&path));
	buf_release(&path);
	return inside;
}

static void
check_folder_names(struct linter *l)
{
	struct map folders = MAP_INIT;

	for (size_t i = 0; i < l->g->nnodes; i++)
		for (size_t from = 0; from < 2 && is_kind(&l->g->nodes[i], WRITTEN); from++)
			add_folders(l, &folders, &l->g->nodes[i], from);
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i], *inside;

		if (!is_kind(n, WRITTEN) || !set_has(l->chosen, i) || !is_own(l, n))
			continue;
		inside = find_folder(&folders, n);
		if (inside)
			add(l, LINT_FOLDER_NAME, n, arena_printf(&l->out->arena,
				"its name selects a whole folder too, with '%s' in it",
				inside->id));
	}
	map_release(&folders);
}

/* ---- readers ---- */

/* A test that compares it with something else reads it too. */
static bool
is_compared(const struct linter *l, const struct node *n)
{
	for (size_t i = 0; i < n->nchildren; i++) {
		const struct node *child = &l->g->nodes[n->children[i]];

		if (child->kind == KIND_TEST && child->nparents > 1)
			return true;
	}
	return false;
}

static void
check_unread(struct linter *l)
{
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if ((is_kind(n, BIT(SOURCE) | BIT(SEED)) || node_is_ephemeral(n)) &&
		    set_has(l->chosen, i) && is_own(l, n) && !count_readers(l, n) &&
		    !is_compared(l, n))
			add(l, LINT_UNREAD, n, "no node reads it");
	}
}

static bool
has_exposures(const struct graph *g)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (g->nodes[i].kind == KIND_EXPOSURE)
			return true;
	return false;
}

/* Public models are for readers elsewhere, time spines for metrics. */
static bool
is_meant_to_be_read(const struct node *n)
{
	return n->kind == KIND_MODEL && !node_is_ephemeral(n) &&
		!(n->access && strcmp(n->access, "public") == 0) &&
		json_is_null(node_json(n, NODE_TIME_SPINE));
}

/* Without exposures nothing says what the ends are for. */
static void
check_dead_ends(struct linter *l)
{
	if (!has_exposures(l->g))
		return;
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];

		if (is_meant_to_be_read(n) && set_has(l->chosen, i) && is_own(l, n) &&
		    !count_readers(l, n))
			add(l, LINT_DEAD_END, n, "no node and no exposure reads it");
	}
}

static void
check_freshness(struct linter *l)
{
	for (size_t i = 0; i < l->g->nnodes; i++) {
		const struct node *n = &l->g->nodes[i];
		size_t readers;

		if (n->kind != KIND_SOURCE || !set_has(l->chosen, i) || !is_own(l, n) ||
		    n->has_freshness)
			continue;
		readers = count_readers(l, n);
		if (readers >= l->options->many)
			add(l, LINT_NO_FRESHNESS, n, arena_printf(&l->out->arena,
				"%zu nodes read it, and nothing checks that it is fresh", readers));
	}
}

/* ---- all ---- */

void
lint_run(struct lint *out, const struct plan *plan, const struct set *chosen,
    const struct lint_options *options)
{
	static void (*const run[])(struct linter *) = {
		[LINT_TEST_NOT_RUN] = check_tests_not_run,
		[LINT_TEST_READS_NOTHING] = check_tests_that_read_nothing,
		[LINT_TEST_CYCLE] = check_test_cycles,
		[LINT_DUPLICATE_TEST] = check_duplicate_tests,
		[LINT_NAME_COLLISION] = check_name_collisions,
		[LINT_FOLDER_NAME] = check_folder_names,
		[LINT_RELATION_COLLISION] = check_relation_collisions,
		[LINT_UNREAD] = check_unread,
		[LINT_DEAD_END] = check_dead_ends,
		[LINT_NO_FRESHNESS] = check_freshness,
	};
	struct linter l = { .out = out, .g = plan->graph, .plan = plan, .chosen = chosen,
		.options = options };

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < NLINT_CHECKS; i++)
		if (!options->off[i])
			run[i](&l);
	arena_release(&l.scratch);
}

void
lint_release(struct lint *l)
{
	free(l->v);
	arena_release(&l->arena);
	memset(l, 0, sizeof(*l));
}
