#include "tests/check.h"

#include "graph/plan.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/xalloc.h"

/* ---- small cases by hand ---- */

static void
check_edges(const char *graph, enum plan_command c, const char *names, const char *expected)
{
	struct graph *g = tiny_graph(graph);
	struct plan *p = tiny_plan(g, c, names);
	char *edges = tiny_edges(p);

	assert_string_equal(edges, expected);
	free(edges);
	plan_free(p);
	graph_free(g);
}

static char *
task_names(const struct plan *p)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < p->ntasks; i++)
		buf_addf(&b, "%s%s", i ? " " : "", p->tasks[i].node->name);
	return b.data ? buf_detach(&b) : xstrdup("");
}

static void
order_passes_through_unselected_and_ephemeral_nodes(void **state)
{
	(void)state;
	check_edges("model a\nmodel b: a\nmodel c: b\n", PLAN_RUN, "a c", "a>c");
	check_edges("model a\nephemeral b: a\nephemeral c: b\nmodel d: c a\n", PLAN_RUN, NULL,
	    "a>d");
	check_edges("snapshot a\nmodel b: a\nsnapshot c: b\n", PLAN_SNAPSHOT, NULL, "a>c");
}

static void
redundant_edges_are_left_out(void **state)
{
	(void)state;
	check_edges("model a\nmodel b: a\nmodel c: a b\n", PLAN_RUN, NULL, "a>b b>c");
	check_edges("model a\nmodel b: a\nephemeral e: a b\nmodel c: e a\n", PLAN_RUN, NULL,
	    "a>b b>c");
}

static void
tests_hold_back_what_comes_after_their_parents(void **state)
{
	(void)state;
	check_edges("model a\ntest t: a\nmodel b: a\nmodel c: b\n", PLAN_BUILD, NULL,
	    "a>t b>c t>b");
	check_edges("source s\ntest t: s\nmodel a: s\n", PLAN_BUILD, NULL, "t>a");
	/* No test edges in `run` and `test`. */
	check_edges("model a\ntest t: a\nmodel b: a\n", PLAN_RUN, NULL, "a>b");
	check_edges("model a\ntest t: a\nmodel b: a\ntest u: b\n", PLAN_TEST, NULL, "");
}

static void
a_test_of_two_models_holds_back_only_what_needs_both(void **state)
{
	(void)state;
	/* b alone does not wait for t; c, which needs a and b, does. */
	check_edges("model a\nmodel b: a\nmodel x: a\nmodel c: b x\ntest t: a b\n", PLAN_BUILD,
	    NULL, "a>b a>x b>t x>c t>c");
	/* The two tests that would make a cycle if each held back children of one parent. */
	check_edges("model a\nmodel b\nmodel d1: a\nmodel d2: b\ntest t1: a d2\ntest t2: b d1\n",
	    PLAN_BUILD, NULL, "a>d1 a>t1 b>d2 b>t2 d1>t2 d2>t1");
}

static void
check_with_sources(const char *graph, enum plan_command c, const char *expected)
{
	struct graph *g = tiny_graph(graph);
	struct err err = ERR_INIT;
	struct set all;
	struct plan *p;
	char *edges;

	set_init(&all, g->nnodes);
	set_fill(&all);
	p = plan_new_with_sources(g, &all, c, &err);
	assert_non_null(p);
	edges = tiny_edges(p);
	assert_string_equal(edges, expected);
	free(edges);
	plan_free(p);
	set_release(&all);
	graph_free(g);
}

static void
sources_with_a_freshness_check_are_tasks_when_asked_for(void **state)
{
	(void)state;
	check_with_sources("checked s\nsource x\ntest t: s\nmodel a: s x\nmodel b: a\nunit_test "
	    "u: a\n",
	    PLAN_BUILD, "a>b s>t t>u u>a");
	check_with_sources("checked s\nephemeral e: s\nmodel a: e\n", PLAN_RUN, "s>a");
	check_with_sources("checked s\ntest t: s\nmodel a: s\n", PLAN_TEST, "s>t");
	check_edges("checked s\nmodel a: s\n", PLAN_BUILD, NULL, "");
}

static void
freshness_takes_sources_that_have_a_check(void **state)
{
	struct graph *g = tiny_graph("checked s\nchecked r\nsource x\nmodel a: s x\n");
	struct plan *p = tiny_plan(g, PLAN_FRESHNESS, NULL);
	char *names = task_names(p);

	(void)state;
	assert_string_equal(names, "r s");
	free(names);
	plan_free(p);
	graph_free(g);
}

static void
exposures_and_functions_wait_for_no_test(void **state)
{
	(void)state;
	check_edges("model a\ntest t: a\nexposure e: a\nsaved_query q: a\nfunction f: a\n",
	    PLAN_BUILD, NULL, "a>e a>f a>q a>t");
}

static void
manifests_that_dbt_would_not_write(void **state)
{
	(void)state;
	/* A model after a test, a test of a test, unit tests of nothing and of a seed, ... */
	check_edges("model z\ntest t: z\nmodel a: t\n", PLAN_BUILD, NULL, "z>t t>a");
	check_edges("model z\ntest t: z\ntest u: t\nmodel a: z\n", PLAN_BUILD, NULL, "z>t t>a t>u");
	check_edges("model a\nunit_test u\nseed s\nunit_test v: s\n", PLAN_BUILD, NULL, "");
	check_edges("model a\ntest t: a a\nmodel b: a a\n", PLAN_BUILD, NULL, "a>t t>b");
}

static void
a_held_node_holds_its_own_tests_too(void **state)
{
	(void)state;
	/* b is not selected, its test still comes after a's. */
	check_edges("model a\nmodel b: a\ntest ta: a\ntest tb: b\n", PLAN_BUILD, "ta tb", "ta>tb");
}

static void
unselected_tests_hold_back_nothing(void **state)
{
	(void)state;
	check_edges("model a\ntest t: a\nmodel b: a\n", PLAN_BUILD, "a b", "a>b");
}

static void
unit_tests_run_before_their_model(void **state)
{
	(void)state;
	check_edges("model a\nmodel b: a\nunit_test u: b\n", PLAN_BUILD, NULL, "a>u u>b");
	check_edges("model a\ntest t: a\nmodel b: a\nunit_test u: b\nunit_test v: b\n", PLAN_BUILD,
	    NULL, "a>t t>u t>v u>b v>b");
	/* For an ephemeral model: before its children. */
	check_edges("model a\nephemeral e: a\nunit_test u: e\nmodel c: e\ntest t: e\n", PLAN_BUILD,
	    NULL, "a>u t>c u>t");
	check_edges("model a\nmodel b: a\nunit_test u: b\n", PLAN_TEST, NULL, "");
}

static void
commands_choose_kinds(void **state)
{
	static const struct { enum plan_command c; const char *names; } cases[] = {
		{ PLAN_BUILD, "ex fn m q s seed t u" }, { PLAN_RUN, "m" }, { PLAN_TEST, "t u" },
		{ PLAN_SEED, "seed" }, { PLAN_SNAPSHOT, "s" },
	};
	struct graph *g = tiny_graph("model m\nseed seed\nsnapshot s: m\ntest t: m\n"
	    "unit_test u: m\nexposure ex: m\nsaved_query q: m\nfunction fn\nsource src\n"
	    "ephemeral eph: m\nblank empty\nanalysis an: m\nmetric me: m\n"
	    "semantic_model sm: m\noperation op\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *p = tiny_plan(g, cases[i].c, NULL);
		char *names = task_names(p);

		/* Ids sort by kind first, so the names above are in that order. */
		if (cases[i].c == PLAN_BUILD)
			assert_string_equal(names, "ex fn m q seed s t u");
		else
			assert_string_equal(names, cases[i].names);
		free(names);
		plan_free(p);
	}
	graph_free(g);
}

static void
unit_tests_need_their_model(void **state)
{
	struct graph *g = tiny_graph("model m\nephemeral e\nblank b\n"
	    "unit_test u: m\nunit_test v: e\nunit_test w: b\n");
	static const struct { const char *chosen, *tasks; } cases[] = {
		{ "m u", "m u" }, { "u", "" }, { "e v", "v" }, { "b w", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *p = tiny_plan(g, PLAN_BUILD, cases[i].chosen);
		char *names = task_names(p);

		assert_string_equal(names, cases[i].tasks);
		free(names);
		plan_free(p);
	}
	graph_free(g);
}

static void
gates_are_tests_that_hold_something_back(void **state)
{
	struct graph *g = tiny_graph("model a\nmodel b: a\n"
	    "test ta: a\ntest tb: b\nunit_test u: b\n");
	struct plan *p = tiny_plan(g, PLAN_BUILD, NULL);

	(void)state;
	assert_true(plan_find(p, tiny_node(g, "ta"))->gate);
	assert_false(plan_find(p, tiny_node(g, "tb"))->gate);
	assert_true(plan_find(p, tiny_node(g, "u"))->gate);
	assert_false(plan_find(p, tiny_node(g, "a"))->gate);
	assert_int_equal(p->nwaves, 5);     /* a, ta, u, b, tb */
	plan_free(p);
	graph_free(g);
}

static void
empty_plans(void **state)
{
	struct graph *g = tiny_graph("model a\n"), *none = tiny_graph("");
	struct plan *p = tiny_plan(g, PLAN_SEED, NULL), *q = tiny_plan(none, PLAN_BUILD, NULL);

	(void)state;
	assert_int_equal(p->ntasks, 0);
	assert_int_equal(p->nwaves, 0);
	assert_true(plan_makespan(p, 4) == 0);
	assert_null(plan_find(p, tiny_node(g, "a")));
	assert_int_equal(q->ntasks, 0);
	plan_free(p);
	plan_free(q);
	plan_free(NULL);
	graph_free(g);
	graph_free(none);
}

static void
a_cycle_is_refused(void **state)
{
	struct graph *g = tiny_graph("model a: b\nmodel b: a\n");
	struct err err = ERR_INIT;
	struct set all;

	(void)state;
	set_init(&all, g->nnodes);
	set_fill(&all);
	assert_null(plan_new(g, &all, PLAN_BUILD, &err));
	assert_non_null(strstr(err.msg, "cycle"));
	err_release(&err);
	set_release(&all);
	graph_free(g);
}

/* ---- time ---- */

static void
set_seconds(struct plan *p, const char *name, double seconds)
{
	((struct task *)plan_find(p, tiny_node(p->graph, name)))->seconds = seconds;
}

static void
paths_and_makespan(void **state)
{
	struct graph *g = tiny_graph("model a\nmodel b: a\nmodel c: b\n"
	    "model x\nmodel y\nmodel z\n");
	struct plan *p = tiny_plan(g, PLAN_RUN, NULL);

	(void)state;
	set_seconds(p, "a", 2);
	set_seconds(p, "b", 3);
	plan_weigh(p);
	assert_true(plan_find(p, tiny_node(g, "a"))->path == 6);
	assert_true(plan_find(p, tiny_node(g, "b"))->path == 4);
	assert_true(p->critical_path == 6);
	assert_true(p->work == 9);
	assert_true(plan_makespan(p, 1) == 9);
	assert_true(plan_makespan(p, 2) == 6);
	assert_true(plan_makespan(p, 100) == 6);
	plan_free(p);
	graph_free(g);
}

static void
idle_tests_wait_unless_they_would_end_the_run(void **state)
{
	struct graph *g = tiny_graph("model a\nmodel b: a\nmodel c: b\ntest t: a x\nmodel x\n"
	    "model d: x\nmodel e: x\n");
	struct plan *p = tiny_plan(g, PLAN_BUILD, NULL);

	(void)state;
	/* One thread of two is busy with a>b>c; the other does x, then d and e before t. */
	assert_false(plan_find(p, tiny_node(g, "t"))->gate);
	assert_true(plan_makespan(p, 2) == 4);
	/* t takes longer than everything else: it starts as soon as it can. */
	set_seconds(p, "t", 10);
	plan_weigh(p);
	assert_true(plan_makespan(p, 2) == 11);
	plan_free(p);
	graph_free(g);
}

static void
selectors_of_single_nodes(void **state)
{
	struct graph *g = tiny_graph("model a\nsource s\nunit_test u: a\n");
	struct buf b = BUF_INIT;

	(void)state;
	plan_add_selector(&b, tiny_node(g, "a"));
	buf_addc(&b, ' ');
	plan_add_selector(&b, tiny_node(g, "s"));
	buf_addc(&b, ' ');
	plan_add_selector(&b, tiny_node(g, "u"));
	assert_string_equal(b.data, "fqn:p.a source:p.src.s fqn:p.u");
	buf_release(&b);
	graph_free(g);
}

/* ---- against the rules, taken literally, on random graphs ---- */

#define MOST 32

struct model {
	size_t n;
	bool before[MOST][MOST];     /* of nodes: i must end before j starts */
};

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

static bool
is_leaf(const char *kind)
{
	return strstr(kind, "test") || strcmp(kind, "exposure") == 0;
}

/* Whether a node of this kind may depend on one of that kind, having `n` parents already. */
static bool
may_depend(const char *kind, const char *parent, size_t n)
{
	if (is_leaf(parent) || strcmp(kind, "source") == 0 || strcmp(kind, "seed") == 0)
		return false;
	if (strcmp(kind, "unit_test") == 0)
		return n == 0 && (strcmp(parent, "model") == 0 || strcmp(parent, "ephemeral") == 0);
	return true;
}

static struct graph *
random_graph(uint32_t *seed)
{
	static const char *const kinds[] = {
		"model", "model", "model", "model", "ephemeral", "source", "seed", "snapshot",
		"test", "test", "test", "test", "unit_test", "unit_test", "exposure", "function",
		"metric", "analysis", "blank", "saved_query",
	};
	uint32_t n = 2 + draw(seed, MOST - 2);
	/* Node i is named so that names sort otherwise than parents come. */
	uint32_t step = 1 + 2 * draw(seed, MOST / 2), shift = draw(seed, MOST);
	const char *kind[MOST];
	struct buf b = BUF_INIT;
	struct graph *g;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t most = 1 + draw(seed, 3);
		size_t nparents = 0;

		kind[i] = kinds[draw(seed, sizeof(kinds) / sizeof(kinds[0]))];
		buf_addf(&b, "%s n%u:", kind[i], (i * step + shift) % MOST);
		for (int k = 0; k < 6 && nparents < most && i > 0; k++) {
			uint32_t p = draw(seed, i);

			if (!may_depend(kind[i], kind[p], nparents))
				continue;
			buf_addf(&b, " n%u", (p * step + shift) % MOST);
			nparents++;
		}
		buf_addc(&b, '\n');
	}
	g = tiny_graph(b.data);
	buf_release(&b);
	return g;
}

static void
close_over(struct model *m)
{
	for (size_t k = 0; k < m->n; k++)
		for (size_t i = 0; i < m->n; i++)
			for (size_t j = 0; j < m->n; j++)
				if (m->before[i][k] && m->before[k][j])
					m->before[i][j] = true;
}

static bool
holds_back(const struct graph *g, const struct model *plain, size_t test, size_t n)
{
	const struct node *t = &g->nodes[test];
	enum node_kind k = g->nodes[n].kind;

	if (t->kind != KIND_TEST || t->nparents == 0)
		return false;
	if (k != KIND_MODEL && k != KIND_SEED && k != KIND_SNAPSHOT && k != KIND_ANALYSIS)
		return false;
	for (size_t i = 0; i < t->nparents; i++)
		if (!plain->before[t->parents[i]][n])
			return false;
	return true;
}

static void
reference(const struct graph *g, const struct plan *p, struct model *m)
{
	struct model plain = { .n = g->nnodes };

	for (size_t i = 0; i < g->nnodes; i++)
		for (size_t k = 0; k < g->nodes[i].nparents; k++)
			if (p->command != PLAN_BUILD || g->nodes[i].kind != KIND_UNIT_TEST)
				plain.before[g->nodes[i].parents[k]][i] = true;
	close_over(&plain);
	*m = plain;
	if (p->command != PLAN_BUILD)
		return;
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->n; j++)
			if (holds_back(g, &plain, i, j))
				m->before[i][j] = true;
	close_over(m);
	/* A unit test waits for all its model waits for, and comes before it. */
	for (size_t u = 0; u < m->n; u++) {
		if (g->nodes[u].kind != KIND_UNIT_TEST || g->nodes[u].nparents == 0 ||
		    !plan_find(p, &g->nodes[u]))
			continue;
		for (size_t i = 0; i < m->n; i++)
			if (g->nodes[i].kind != KIND_UNIT_TEST &&
			    m->before[i][g->nodes[u].parents[0]])
				m->before[i][u] = true;
	}
	for (size_t u = 0; u < m->n; u++)
		if (g->nodes[u].kind == KIND_UNIT_TEST && g->nodes[u].nparents > 0 &&
		    plan_find(p, &g->nodes[u]))
			m->before[u][g->nodes[u].parents[0]] = true;
	close_over(m);
}

static void
check_against_reference(const struct graph *g, const struct plan *p, uint32_t seed)
{
	struct model expected, edges = { .n = p->ntasks }, closed;

	reference(g, p, &expected);
	for (size_t i = 0; i < p->ntasks; i++) {
		const struct task *t = &p->tasks[i];
		size_t wave = 0;

		for (size_t k = 0; k < t->nparents; k++) {
			edges.before[t->parents[k]][i] = true;
			if (p->tasks[t->parents[k]].wave + 1 > wave)
				wave = p->tasks[t->parents[k]].wave + 1;
		}
		assert_int_equal(t->wave, wave);
	}
	for (size_t i = 0; i < p->ntasks; i++)
		for (size_t k = 0; k < p->tasks[i].nchildren; k++)
			assert_true(edges.before[i][p->tasks[i].children[k]]);
	closed = edges;
	close_over(&closed);
	for (size_t i = 0; i < p->ntasks; i++) {
		assert_false(closed.before[i][i]);
		for (size_t j = 0; j < p->ntasks; j++) {
			const struct node *a = p->tasks[i].node, *b = p->tasks[j].node;
			bool must = expected.before[a->index][b->index];

			if (closed.before[i][j] != must)
				fail_msg("seed %u, %s: %s should %sprecede %s", seed,
				    plan_command_name(p->command), a->id, must ? "" : "not ",
				    b->id);
			for (size_t k = 0; edges.before[i][j] && k < p->ntasks; k++)
				if (closed.before[i][k] && closed.before[k][j])
					fail_msg("seed %u: %s > %s is redundant", seed, a->id,
					    b->id);
		}
	}
}

static void
random_graphs_follow_the_rules(void **state)
{
	size_t nedges = 0, ngates = 0;

	(void)state;
	for (uint32_t round = 1; round <= 4000; round++) {
		uint32_t seed = round;
		struct graph *g = random_graph(&seed);
		enum plan_command c = draw(&seed, 3) ? PLAN_BUILD :
			(enum plan_command)draw(&seed, NPLAN_COMMANDS);
		uint32_t share = 1 + draw(&seed, 4);
		struct err err = ERR_INIT;
		struct set chosen;
		struct plan *p;

		set_init(&chosen, g->nnodes);
		for (size_t i = 0; i < g->nnodes; i++)
			if (draw(&seed, 4) < share)
				set_add(&chosen, i);
		p = plan_new(g, &chosen, c, &err);
		assert_non_null(p);
		check_against_reference(g, p, round);
		for (size_t i = 0; i < p->ntasks; i++) {
			nedges += p->tasks[i].nparents;
			ngates += p->tasks[i].gate;
		}
		plan_free(p);
		set_release(&chosen);
		graph_free(g);
	}
	/* The graphs are worth something only if much of this happened. */
	assert_true(nedges > 10000);
	assert_true(ngates > 1000);
}

static void
a_test_with_a_hundred_parents(void **state)
{
	struct buf b = BUF_INIT;
	struct graph *g;
	struct plan *p;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "model m%d\n", i);
	buf_adds(&b, "test t:");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, " m%d", i);
	buf_adds(&b, "\nmodel all:");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, " m%d", i);
	buf_adds(&b, "\nmodel most:");
	for (int i = 0; i < 99; i++)
		buf_addf(&b, " m%d", i);
	buf_addc(&b, '\n');
	g = tiny_graph(b.data);
	p = tiny_plan(g, PLAN_BUILD, NULL);
	assert_int_equal(plan_find(p, tiny_node(g, "all"))->nparents, 1);
	assert_int_equal(plan_find(p, tiny_node(g, "most"))->nparents, 99);
	plan_free(p);
	graph_free(g);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_passes_through_unselected_and_ephemeral_nodes),
		cmocka_unit_test(redundant_edges_are_left_out),
		cmocka_unit_test(tests_hold_back_what_comes_after_their_parents),
		cmocka_unit_test(a_test_of_two_models_holds_back_only_what_needs_both),
		cmocka_unit_test(sources_with_a_freshness_check_are_tasks_when_asked_for),
		cmocka_unit_test(freshness_takes_sources_that_have_a_check),
		cmocka_unit_test(exposures_and_functions_wait_for_no_test),
		cmocka_unit_test(manifests_that_dbt_would_not_write),
		cmocka_unit_test(a_held_node_holds_its_own_tests_too),
		cmocka_unit_test(unselected_tests_hold_back_nothing),
		cmocka_unit_test(unit_tests_run_before_their_model),
		cmocka_unit_test(commands_choose_kinds),
		cmocka_unit_test(unit_tests_need_their_model),
		cmocka_unit_test(gates_are_tests_that_hold_something_back),
		cmocka_unit_test(empty_plans),
		cmocka_unit_test(a_cycle_is_refused),
		cmocka_unit_test(paths_and_makespan),
		cmocka_unit_test(idle_tests_wait_unless_they_would_end_the_run),
		cmocka_unit_test(selectors_of_single_nodes),
		cmocka_unit_test(random_graphs_follow_the_rules),
		cmocka_unit_test(a_test_with_a_hundred_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
