/* The steps of the sample shop, each one's selection answered by our own selection engine: what a
 * task would build and test, in which order. */
#include "tests/check.h"

#include "exporters/selects.h"
#include "exporters/steps.h"
#include "graph/manifest.h"
#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "util/xalloc.h"

struct fixture {
	struct graph *g;
	struct set nodes;
	struct plan *plan;
	struct task_options o;
	const struct node *const *homes;
	struct export_job job;
	struct steps *steps;
};

static void
load(struct fixture *f, enum test_mode mode, bool unit_tests)
{
	struct err err = ERR_INIT;
	struct buf path = BUF_INIT;
	char *warning;

	memset(f, 0, sizeof(*f));
	buf_addf(&path, "%s/samples/shop/manifests/after/manifest.json", getenv("ROOT"));
	f->g = graph_new();
	if (manifest_load(f->g, path.data, GRAPH_CONFIG | GRAPH_PATHS, &warning, &err) < 0)
		fail_msg("%s", err.msg);
	free(warning);
	buf_release(&path);
	set_init(&f->nodes, f->g->nnodes);
	for (size_t i = 0; i < f->g->nnodes; i++)
		if ((unit_tests || f->g->nodes[i].kind != KIND_UNIT_TEST) &&
		    (mode != TESTS_NONE || f->g->nodes[i].kind != KIND_TEST))
			set_add(&f->nodes, i);
	f->o.tests = mode;
	f->o.unit_tests = unit_tests;
}

static void
make(struct fixture *f)
{
	struct err err = ERR_INIT;

	f->plan = plan_new(f->g, &f->nodes, PLAN_BUILD, &err);
	assert_non_null(f->plan);
	f->job = (struct export_job){
		.graph = f->g, .nodes = &f->nodes, .plan = f->plan, .tasks = &f->o, .title = "shop",
		.homes = f->homes
	};
	f->steps = steps_new(&f->job, &id_plain, &err);
	if (!f->steps)
		fail_msg("%s", err.msg);
}

static void
release(struct fixture *f)
{
	steps_free(f->steps);
	plan_free(f->plan);
	set_release(&f->nodes);
	graph_free(f->g);
}

static void
eval(const struct fixture *f, struct arena *a, const char *const *words, size_t n,
    enum selector_mode mode, struct set *out)
{
	struct selector_env env = { .graph = f->g };
	struct strs strs = { (const char **)(uintptr_t)words, n };
	struct err err = ERR_INIT;
	const struct selector *s = selector_parse_words(a, &strs, false, mode, &err);

	if (!s || selector_eval(s, &env, out, &err) < 0)
		fail_msg("%s", err.msg);
}

static unsigned
verb_kinds(const char *verb)
{
	int kind;

	if (strcmp(verb, "build") == 0)
		return TEST_KINDS | KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) |
			KIND_BIT(KIND_SNAPSHOT) | KIND_BIT(KIND_FUNCTION);
	if (strcmp(verb, "test") == 0)
		return TEST_KINDS;
	if (strcmp(verb, "run") == 0)
		return KIND_BIT(KIND_MODEL);
	kind = kind_find(verb, strlen(verb));
	assert_true(kind >= 0);
	return KIND_BIT(kind);
}

/* What dbt would run for the step: of the kinds its verb runs. */
static struct set
runs(const struct fixture *f, const struct step *s)
{
	struct arena a = ARENA_INIT;
	struct set picked = SET_INIT, dropped = SET_INIT;
	int mode = s->indirect ? selector_mode_find(s->indirect) : MODE_EAGER;
	unsigned kinds = verb_kinds(s->verb);

	assert_true(mode >= 0);
	if (s->nselect)
		eval(f, &a, s->select, s->nselect, (enum selector_mode)mode, &picked);
	else
		set_copy(&picked, &f->nodes);
	if (s->nexclude) {
		eval(f, &a, s->exclude, s->nexclude, MODE_EMPTY, &dropped);
		set_subtract(&picked, &dropped);
		set_release(&dropped);
	}
	for (size_t i = 0; i < f->g->nnodes; i++) {
		const struct node *n = &f->g->nodes[i];
		/* dbt does not see nodes without code */
		bool empty = n->blank && n->kind != KIND_SEED;

		if (!(KIND_BIT(n->kind) & kinds) || node_is_ephemeral(n) || empty)
			set_del(&picked, i);
	}
	arena_release(&a);
	return picked;
}

static bool
builds(const struct step *s, const struct node *n)
{
	for (size_t i = 0; i < s->nnodes; i++)
		if (s->nodes[i] == n)
			return true;
	return s->node == n || (s->role == STEP_PART && s->nnodes == 0);
}

/* Each node built once, by its own step; each test run as often as `times` says. */
static void
check_work(const struct fixture *f, size_t times)
{
	size_t *done = xcalloc(f->g->nnodes, sizeof(*done));

	for (size_t i = 0; i < f->steps->n; i++) {
		const struct step *s = &f->steps->v[i];
		struct set r = runs(f, s);

		for (size_t k = set_next(&r, 0); k < r.nbits; k = set_next(&r, k + 1)) {
			done[k]++;
			if (!(KIND_BIT(f->g->nodes[k].kind) & TEST_KINDS) &&
			    !builds(s, &f->g->nodes[k]))
				fail_msg("%s builds %s too", s->id, f->g->nodes[k].id);
		}
		if (set_is_empty(&r))
			fail_msg("%s runs nothing", s->id);
		set_release(&r);
	}
	for (size_t i = 0; i < f->plan->ntasks; i++) {
		const struct node *n = f->plan->tasks[i].node;
		size_t want = KIND_BIT(n->kind) & TEST_KINDS ? times :
			kind_verb(n->kind) && n->kind != KIND_EXPOSURE &&
			    n->kind != KIND_SAVED_QUERY;

		if (done[n->index] != want)
			fail_msg("%s runs %zu times, not %zu", n->id, done[n->index], want);
	}
	free(done);
}

static const struct step *
find(const struct fixture *f, const char *id)
{
	for (size_t i = 0; i < f->steps->n; i++)
		if (strcmp(f->steps->v[i].id, id) == 0)
			return &f->steps->v[i];
	fail_msg("no step '%s'", id);
	return NULL;
}

static bool
waits_for(const struct fixture *f, const char *id, const char *other)
{
	const struct step *s = find(f, id);

	for (size_t i = 0; i < s->nafter; i++)
		if (strcmp(f->steps->v[s->after[i]].id, other) == 0)
			return true;
	return false;
}

/* Each step stands behind what it waits for, ids are unique. */
static void
check_order(const struct fixture *f)
{
	for (size_t i = 0; i < f->steps->n; i++) {
		for (size_t k = 0; k < f->steps->v[i].nafter; k++)
			assert_true(f->steps->v[i].after[k] < i);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(f->steps->v[i].id, f->steps->v[k].id);
	}
}

static void
test_after_each(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_AFTER_EACH, false);
	make(&f);
	check_order(&f);
	check_work(&f, 1);
	assert_true(waits_for(&f, "stg_orders_run", "raw_orders__seed"));
	assert_true(waits_for(&f, "stg_orders_test", "stg_orders_run"));
	/* A reader waits for the tests, also over an ephemeral model. */
	assert_true(waits_for(&f, "orders_run", "stg_orders_test"));
	assert_true(waits_for(&f, "orders_run", "stg_order_lines_test"));
	assert_ptr_equal(find(&f, "stg_orders_run")->test, find(&f, "stg_orders_test"));
	/* Tests of a source stand before its reader. */
	assert_true(waits_for(&f, "stg_visits_run", "web__visits__source_test"));
	release(&f);
}

static void
test_build(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_BUILD, false);
	make(&f);
	check_order(&f);
	check_work(&f, 1);
	assert_true(waits_for(&f, "orders_build", "stg_orders_build"));
	release(&f);
}

static void
test_after_all(void **state)
{
	struct fixture f;
	const struct step *last;

	(void)state;
	load(&f, TESTS_AFTER_ALL, false);
	make(&f);
	check_order(&f);
	check_work(&f, 1);
	last = find(&f, "tests__all");
	assert_ptr_equal(last, &f.steps->v[f.steps->n - 1]);
	assert_true(last->nafter > 1);
	release(&f);
}

static void
test_none(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_NONE, false);
	make(&f);
	check_order(&f);
	check_work(&f, 0);
	for (size_t i = 0; i < f.steps->n; i++)
		assert_int_equal(f.steps->v[i].role, STEP_BUILD);
	assert_true(waits_for(&f, "orders_run", "stg_orders_run"));
	release(&f);
}

static void
test_unit_tests_stand_before_their_model(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_AFTER_EACH, true);
	make(&f);
	check_order(&f);
	check_work(&f, 1);
	assert_true(waits_for(&f, "customers_run", "customers_unit_test"));
	assert_ptr_equal(find(&f, "customers_run")->unit, find(&f, "customers_unit_test"));
	release(&f);
}

/* As those of two versions of a model are: by the model then, without its data tests. */
static void
test_unit_tests_without_a_name_of_their_own(void **state)
{
	struct fixture f;
	const struct step *s;

	(void)state;
	load(&f, TESTS_AFTER_EACH, true);
	for (size_t i = 0; i < f.g->nnodes; i++)
		if (f.g->nodes[i].kind == KIND_UNIT_TEST)
			f.g->nodes[i].fqn = f.g->nodes[f.g->nodes[i].parents[0]].fqn;
	make(&f);
	check_work(&f, 1);
	s = find(&f, "customers_unit_test");
	assert_int_equal(s->nselect, 1);
	assert_string_equal(s->select[0], "fqn:shop.marts.customers");
	release(&f);
}

static void
test_order_over_what_is_not_selected(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_NONE, false);
	set_del(&f.nodes, graph_find(f.g, "model.shop.orders")->index);
	make(&f);
	assert_true(waits_for(&f, "customers_run", "stg_orders_run"));
	release(&f);
}

/* Where the selection leaves some tests of a node out, the others are named. */
static void
test_some_tests_of_a_node(void **state)
{
	struct fixture f;
	struct set r;
	size_t left = 0;

	(void)state;
	load(&f, TESTS_AFTER_EACH, false);
	for (size_t i = 0; i < f.g->nnodes; i++)
		if (f.g->nodes[i].kind == KIND_TEST && f.g->nodes[i].nparents == 1 &&
		    f.g->nodes[i].attached &&
		    strcmp(f.g->nodes[i].attached, "model.shop.stg_orders") == 0 && left++ == 0)
			set_del(&f.nodes, i);
	assert_true(left > 1);
	make(&f);
	check_work(&f, 1);
	r = runs(&f, find(&f, "stg_orders_test"));
	assert_int_equal(set_count(&r), left - 1);
	set_release(&r);
	release(&f);
}

/* Does step b start after step a has ended? */
static bool
is_before(const struct fixture *f, size_t a, size_t b)
{
	for (size_t i = 0; i < f->steps->v[b].nafter; i++) {
		size_t p = f->steps->v[b].after[i];

		if (p == a || is_before(f, a, p))
			return true;
	}
	return false;
}

/* The step that builds a node, or runs a test inside a part. */
static size_t
step_of(const struct fixture *f, const struct node *n)
{
	for (size_t i = 0; i < f->steps->n; i++) {
		const struct step *s = &f->steps->v[i];

		if (builds(s, n))
			return i;
		for (size_t k = 0; k < s->ntests; k++)
			if (s->tests[k] == n)
				return i;
	}
	return SIZE_MAX;
}

/* What the plan orders is in one part, or in two of which one waits for the other. */
static void
check_parts_in_order(const struct fixture *f)
{
	for (size_t i = 0; i < f->plan->ntasks; i++) {
		const struct task *t = &f->plan->tasks[i];
		size_t to = step_of(f, t->node);

		for (size_t k = 0; k < t->nparents; k++) {
			size_t from = step_of(f, f->plan->tasks[t->parents[k]].node);

			if (from == SIZE_MAX || to == SIZE_MAX || from == to ||
			    f->steps->v[from].role == STEP_TEST_ALL)
				continue;
			if (!is_before(f, from, to))
				fail_msg("%s does not wait for %s", f->steps->v[to].id,
				    f->steps->v[from].id);
		}
	}
}

/* All forms of coarse steps: what dbt would run is worked out from their words alone. */
static void
test_parts(void **state)
{
	(void)state;
	for (int g = GRANULARITY_FOLDER; g < NGRANULARITIES; g++)
		for (int mode = 0; mode < NTEST_MODES; mode++)
			for (int units = 0; units < 2; units++) {
				struct fixture f;

				load(&f, (enum test_mode)mode, units && mode != TESTS_AFTER_ALL);
				f.o.granularity = (enum granularity)g;
				make(&f);
				check_order(&f);
				check_work(&f, mode != TESTS_NONE);
				check_parts_in_order(&f);
				release(&f);
			}
}

/* A test that belongs to a node, but has to wait for a later part than that one's. */
static void
test_parts_and_homes_of_tests(void **state)
{
	const struct node **homes;
	struct fixture f;
	const struct node *test;
	size_t alone;

	(void)state;
	load(&f, TESTS_AFTER_EACH, false);
	f.o.granularity = GRANULARITY_FOLDER;
	homes = xcalloc(f.g->nnodes, sizeof(*homes));
	test = graph_find(f.g, "test.shop.payments_belong_to_orders");
	homes[test->index] = graph_find(f.g, "model.shop.stg_payments");
	f.homes = homes;
	make(&f);
	check_order(&f);
	check_work(&f, 1);
	assert_int_equal(find(&f, "payments_belong_to_orders__test")->role, STEP_TEST_ALONE);
	assert_true(waits_for(&f, "payments_belong_to_orders__test", "marts"));
	alone = (size_t)(find(&f, "payments_belong_to_orders__test") - f.steps->v);
	assert_true(is_before(&f, (size_t)(find(&f, "staging") - f.steps->v), alone));
	for (size_t i = 0; i < f.steps->n; i++)
		assert_false(is_before(&f, alone, i));
	release(&f);
	free(homes);
}

static void
test_parts_of_a_selection(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, TESTS_AFTER_EACH, false);
	set_del(&f.nodes, graph_find(f.g, "model.shop.stg_visits")->index);
	set_del(&f.nodes, graph_find(f.g, "model.shop.orders")->index);
	f.o.granularity = GRANULARITY_FOLDER;
	make(&f);
	check_order(&f);
	check_parts_in_order(&f);
	assert_string_equal(find(&f, "marts__finance")->select[0], "fqn:shop.marts.finance");
	assert_true(waits_for(&f, "marts", "staging"));
	assert_true(waits_for(&f, "snapshots", "staging"));
	release(&f);
}

/* Between a first and a last step is what there is without them. */
static void
test_hooks(void **state)
{
	struct fixture f, plain;

	(void)state;
	for (int mode = 0; mode < NTEST_MODES; mode++)
		for (int size = 0; size < NGRANULARITIES; size++) {
			load(&plain, (enum test_mode)mode, true);
			load(&f, (enum test_mode)mode, true);
			plain.o.granularity = f.o.granularity = (enum granularity)size;
			f.o.hook_steps = true;
			make(&plain);
			make(&f);
			check_order(&f);
			assert_int_equal(f.steps->n, plain.steps->n + 2);
			for (size_t i = 0; i < plain.steps->n; i++) {
				const struct step *is = &f.steps->v[i + 1],
				    *was = &plain.steps->v[i];

				assert_string_equal(is->id, was->id);
				assert_true(is->no_hooks && !was->no_hooks);
				if (was->nafter == 0)
					assert_true(is->nafter == 1 && is->after[0] == 0);
				else
					assert_int_equal(is->nafter, was->nafter);
			}
			assert_int_equal(f.steps->v[0].role, STEP_START);
			assert_int_equal(f.steps->v[f.steps->n - 1].role, STEP_END);
			assert_string_equal(f.steps->v[f.steps->n - 1].id, "on_run_end");
			assert_true(f.steps->v[f.steps->n - 1].nafter > 0);
			assert_true(f.steps->v[0].policy.max_attempts >= 1);
			release(&f);
			release(&plain);
		}
}

static void
test_names_dbt_cannot_select(void **state)
{
	static const char *fqn_a[] = { "shop", "a b" }, *fqn_folder[] = { "shop", "staging" };
	static const char *fqn_inside[] = { "shop", "staging", "orders" };
	static struct node nodes[] = {
		{ .id = "model.shop.a b", .kind = KIND_MODEL, .name = "a b", .package = "shop",
		  .path = "models/a b.sql", .fqn = { fqn_a, 2 } },
		{ .id = "model.shop.staging", .kind = KIND_MODEL, .name = "staging",
		  .package = "shop",
		  .path = "models/staging.sql", .fqn = { fqn_folder, 2 } },
		{ .id = "model.shop.orders", .kind = KIND_MODEL, .name = "orders",
		  .package = "shop",
		  .path = "models/staging/orders.sql", .fqn = { fqn_inside, 3 } },
		{ .id = "seed.shop.orders", .kind = KIND_SEED, .name = "orders", .package = "shop",
		  .path = "seeds/staging/orders.csv", .fqn = { fqn_inside, 3 } },
	};
	struct graph g = { .project_name = "shop", .nodes = nodes, .nnodes = 4 };
	struct arena a = ARENA_INIT;
	struct selects *s = selects_new(&g);

	(void)state;
	assert_null(selects_alone(s, &a, &nodes[0]));
	assert_string_equal(selects_alone(s, &a, &nodes[1]), "path:models/staging.sql");
	assert_string_equal(selects_alone(s, &a, &nodes[2]),
	    "fqn:shop.staging.orders,resource_type:model");
	assert_string_equal(selects_alone(s, &a, &nodes[3]),
	    "fqn:shop.staging.orders,resource_type:seed");
	selects_free(s);
	arena_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_each),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_after_all),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_unit_tests_stand_before_their_model),
		cmocka_unit_test(test_unit_tests_without_a_name_of_their_own),
		cmocka_unit_test(test_order_over_what_is_not_selected),
		cmocka_unit_test(test_some_tests_of_a_node),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_and_homes_of_tests),
		cmocka_unit_test(test_parts_of_a_selection),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_names_dbt_cannot_select),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
