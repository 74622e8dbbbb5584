#include "tests/check.h"

#include "graph/lint.h"
#include "graph/manifest.h"
#include "util/buf.h"

/* Nodes are written with ' for ", each with its kind, id, what else it holds and its parents. */
struct row {
	const char *kind, *id, *more, *parents;
};

static const char *
section_of(const char *kind)
{
	static const char *const others[][2] = {
		{ "source", "sources" }, { "exposure", "exposures" }, { "unit_test", "unit_tests" },
		{ "semantic_model", "semantic_models" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(kind, others[i][0]) == 0)
			return others[i][1];
	return "nodes";
}

static void
add_row(struct buf *b, const struct row *r)
{
	const char *package = strchr(r->id, '.') + 1, *name = strrchr(r->id, '.') + 1;

	buf_addf(b, "'%s':{'unique_id':'%s','resource_type':'%s','package_name':'%.*s',"
		"'original_file_path':'models/%s.sql','depends_on':{'nodes':[%s]}", r->id, r->id,
		r->kind,
		(int)strcspn(package, "."), package, name, r->parents);
	if (strncmp(r->more, "'name'", 6) != 0)
		buf_addf(b, ",'name':'%s'", name);
	if (!strstr(r->more, "'raw_code'"))
		buf_adds(b, ",'raw_code':'select 1'");
	buf_addf(b, "%s%s}", *r->more ? "," : "", r->more);
}

static struct graph *
build(const struct row *rows, size_t nrows)
{
	static const char *const sections[] = {
		"nodes", "sources", "exposures", "unit_tests", "semantic_models",
	};
	struct graph *g = graph_new();
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	buf_adds(&b,
	    "{'metadata':{'dbt_schema_version':'https://schemas.getdbt.com/dbt/manifest/v12.json',"
		"'project_name':'shop'}");
	for (size_t s = 0; s < sizeof(sections) / sizeof(*sections); s++) {
		const char *sep = "";

		buf_addf(&b, ",'%s':{", sections[s]);
		for (size_t i = 0; i < nrows; i++) {
			if (strcmp(section_of(rows[i].kind), sections[s]) != 0)
				continue;
			buf_adds(&b, sep);
			add_row(&b, &rows[i]);
			sep = ",";
		}
		buf_addc(&b, '}');
	}
	buf_addc(&b, '}');
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '\'')
			b.data[i] = '"';
	if (manifest_parse(g, "m", b.data, b.len, lint_fields(), NULL, &e) < 0)
		fail_msg("%s", e.msg);
	buf_release(&b);
	return g;
}

/* Findings of one check over the nodes, but for those whose id holds `without`. */
static const char *
found_in(enum lint_check check, const struct row *rows, size_t nrows, const char *without)
{
	static struct buf b;
	struct graph *g = build(rows, nrows);
	struct err e = ERR_INIT;
	struct lint_options options = { .many = 3 };
	struct lint l;
	struct set chosen;
	struct plan *plan;

	set_init(&chosen, g->nnodes);
	for (size_t i = 0; i < g->nnodes; i++)
		if (!without || !strstr(g->nodes[i].id, without))
			set_add(&chosen, i);
	plan = plan_new(g, &chosen, PLAN_BUILD, &e);
	assert_non_null(plan);
	for (int i = 0; i < NLINT_CHECKS; i++)
		options.off[i] = i != (int)check;
	lint_run(&l, plan, &chosen, &options);
	buf_truncate(&b, 0);
	for (size_t i = 0; i < l.n; i++) {
		assert_int_equal(l.v[i].check, check);
		buf_addf(&b, "%s%s", b.len ? "\n" : "", l.v[i].node->id);
		for (size_t k = 0; k < l.v[i].nothers; k++)
			buf_addf(&b, " + %s", l.v[i].others[k]->id);
		buf_addf(&b, ": %s", l.v[i].message);
	}
	lint_release(&l);
	plan_free(plan);
	set_release(&chosen);
	graph_free(g);
	return buf_str(&b);
}

#define FOUND(check, without, ...) \
	found_in(check, (const struct row[]){ __VA_ARGS__ }, \
		sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row), without)

#define A { "model", "model.shop.a", "", "" }
#define B { "model", "model.shop.b", "", "'model.shop.a'" }
#define KWARGS(args) "'test_metadata':{'name':'unique','kwargs':{" args "}}"

static void
test_tests_that_nothing_runs(void **state)
{
	(void)state;
	assert_string_equal(FOUND(LINT_TEST_NOT_RUN, NULL, A, B,
		{ "test", "test.shop.t", "", "'model.shop.a','model.shop.b'" }), "");
	assert_string_equal(FOUND(LINT_TEST_NOT_RUN, ".t", A, B,
		{ "test", "test.shop.t", "", "'model.shop.a'" }),
		"test.shop.t: the selection leaves it out");
	assert_string_equal(FOUND(LINT_TEST_NOT_RUN, "shop.b", A, B,
		{ "test", "test.shop.bt", "", "'model.shop.a','model.shop.b'" },
		{ "unit_test", "unit_test.shop.bu", "", "'model.shop.b'" }),
		"test.shop.bt: it also reads 'model.shop.b', which the selection leaves out");
	assert_string_equal(FOUND(LINT_TEST_NOT_RUN, NULL, A,
		{ "test", "test.shop.t", "'raw_code':' '", "'model.shop.a'" }),
		"test.shop.t: its code is empty, and dbt runs no such test");
	assert_string_equal(FOUND(LINT_TEST_READS_NOTHING, NULL, A,
		{ "test", "test.shop.t", "", "" }),
		"test.shop.t: it reads no node, so only a selection by its own name or tag takes "
		"it along");
}

static void
test_cycles_through_tests(void **state)
{
	(void)state;
	/* the usual foreign key: the test stands on the later node */
	assert_string_equal(FOUND(LINT_TEST_CYCLE, NULL, A, B, { "test", "test.shop.t",
		"'attached_node':'model.shop.b'", "'model.shop.a','model.shop.b'" }), "");
	assert_string_equal(FOUND(LINT_TEST_CYCLE, NULL, A, B,
		{ "model", "model.shop.c", "", "'model.shop.b'" },
		{ "test", "test.shop.t", "'attached_node':'model.shop.a'",
		  "'model.shop.a','model.shop.c'" }),
		"test.shop.t: it is a test of 'model.shop.a' but reads 'model.shop.c' further "
		"down: "
		"it waits for both, and holds back nothing between them");
	assert_string_equal(FOUND(LINT_TEST_CYCLE, NULL, A, B,
		{ "test", "test.shop.t", "", "'model.shop.a','model.shop.b'" }), "");
}

static void
test_duplicate_tests(void **state)
{
	(void)state;
	assert_string_equal(FOUND(LINT_DUPLICATE_TEST, NULL, A,
		{ "test", "test.shop.t1", KWARGS("'column_name':'id','model':'a'"),
		  "'model.shop.a'" },
		{ "test", "test.shop.t2", KWARGS("'model':'a','column_name':'id'"),
		  "'model.shop.a'" },
		{ "test", "test.shop.t3", KWARGS("'model':'a','column_name':'id'")
		  ",'config':{'severity':'warn','where':null}", "'model.shop.a'" },
		{ "test", "test.shop.u1", KWARGS("'model':'a','column_name':'id'")
		  ",'config':{'where':'x > 1'}", "'model.shop.a'" },
		{ "test", "test.shop.u2", KWARGS("'model':'a','column_name':'id2'"),
		  "'model.shop.a'" }),
		"test.shop.t1 + test.shop.t2 + test.shop.t3: the same test with the same "
		"arguments is there "
		"again");
	assert_string_equal(FOUND(LINT_DUPLICATE_TEST, NULL, A,
		{ "test", "test.shop.t1", "'raw_code':'select 2'", "'model.shop.a'" },
		{ "test", "test.shop.t2", "'raw_code':'select 2'", "'model.shop.a'" },
		{ "test", "test.shop.t3", "'raw_code':'select 3'", "'model.shop.a'" }),
		"test.shop.t1 + test.shop.t2: a test with the same code is there again");
}

static void
test_names_that_collide(void **state)
{
	(void)state;
	assert_string_equal(FOUND(LINT_NAME_COLLISION, NULL, A, { "model", "model.kit.a", "", "" },
		{ "seed", "seed.shop.c", "", "" }, { "semantic_model", "semantic_model.shop.a",
		  "", "" }),
		"model.kit.a + model.shop.a: `--select a` takes several nodes together");
	assert_string_equal(FOUND(LINT_NAME_COLLISION, NULL,
		{ "model", "model.shop.d.v1", "'name':'d','version':1", "" },
		{ "model", "model.shop.d.v2", "'name':'d','version':2", "" }), "");
	assert_string_equal(FOUND(LINT_NAME_COLLISION, NULL, { "model", "model.kit.a", "", "" },
		{ "seed", "seed.kit.a", "", "" }), "");
	assert_string_equal(FOUND(LINT_RELATION_COLLISION, NULL,
		{ "model", "model.shop.a", "'database':'d','schema':'S','alias':'t'", "" },
		{ "seed", "seed.shop.b",
		  "'database':'d','schema':'s','alias':'T','relation_name':'d.s.T'", "" },
		{ "model", "model.shop.c",
		  "'schema':'s','alias':'t','config':{'materialized':'ephemeral'}", "" }),
		"model.shop.a + seed.shop.b: they write the same relation, t");
	assert_string_equal(FOUND(LINT_FOLDER_NAME, NULL,
		{ "model", "model.shop.marts", "'fqn':['shop','core','marts']", "" },
		{ "model", "model.shop.x", "'fqn':['shop','marts','x']", "" },
		{ "model", "model.shop.y", "'fqn':['shop','core','deep','y']", "" },
		{ "model", "model.shop.deep", "'fqn':['shop','core','deep']", "" }),
		"model.shop.deep: its name selects a whole folder too, with 'model.shop.y' in it\n"
		"model.shop.marts: its name selects a whole folder too, with 'model.shop.x' in it");
	assert_string_equal(FOUND(LINT_FOLDER_NAME, NULL,
		{ "model", "model.shop.d.v1", "'name':'d','version':1,'fqn':['shop','d','v1']",
		  "" },
		{ "model", "model.shop.d.v2", "'name':'d','version':2,'fqn':['shop','d','v2']",
		  "" }), "");
}

static void
test_nodes_that_nobody_reads(void **state)
{
#define EPHEMERAL "'config':{'materialized':'ephemeral'}"
#define EXPOSURE { "exposure", "exposure.shop.e", "", "'model.shop.b'" }
	(void)state;
	assert_string_equal(FOUND(LINT_UNREAD, NULL, A, { "seed", "seed.shop.s", "", "" },
		{ "seed", "seed.shop.r", "", "" }, { "model", "model.shop.b", EPHEMERAL,
		  "'seed.shop.r'" },
		{ "test", "test.shop.t", "", "'seed.shop.s'" }),
		"model.shop.b: no node reads it\nseed.shop.s: no node reads it");
	assert_string_equal(FOUND(LINT_UNREAD, NULL, A, { "seed", "seed.shop.expected", "", "" },
		{ "test", "test.shop.t", "", "'seed.shop.expected','model.shop.a'" }), "");
	assert_string_equal(FOUND(LINT_DEAD_END, NULL, A, B), "");
	assert_string_equal(FOUND(LINT_DEAD_END, NULL, A, B, EXPOSURE,
		{ "model", "model.shop.c", "", "" },
		{ "model", "model.shop.p", "'access':'public'", "" },
		{ "model", "model.shop.days", "'time_spine':{'standard_granularity_column':'d'}",
		  "" },
		{ "model", "model.kit.c", "", "" },
		{ "test", "test.shop.t", "", "'model.shop.c'" }),
		"model.shop.c: no node and no exposure reads it");
	assert_string_equal(FOUND(LINT_DEAD_END, "shop.c", A, B, EXPOSURE,
		{ "model", "model.shop.c", "", "" }), "");
}

static void
test_sources_without_freshness(void **state)
{
#define SOURCE(more) { "source", "source.shop.raw.s", "'source_name':'raw'" more, "" }
#define READER(n) { "model", "model.shop.r" n, "", "'source.shop.raw.s'" }
	(void)state;
	assert_string_equal(FOUND(LINT_NO_FRESHNESS, NULL, SOURCE(""), READER("1"), READER("2"),
		{ "test", "test.shop.t", "", "'source.shop.raw.s'" }), "");
	assert_string_equal(FOUND(LINT_NO_FRESHNESS, NULL, SOURCE(""), READER("1"), READER("2"),
		READER("3")),
		"source.shop.raw.s: 3 nodes read it, and nothing checks that it is fresh");
	assert_string_equal(FOUND(LINT_NO_FRESHNESS, NULL, SOURCE(",'freshness':{'warn_after':"
		"{'count':null,'period':null},'error_after':{}}"), READER("1"), READER("2"),
		READER("3")),
		"source.shop.raw.s: 3 nodes read it, and nothing checks that it is fresh");
	assert_string_equal(FOUND(LINT_NO_FRESHNESS, NULL, SOURCE(",'freshness':{'warn_after':"
		"{'count':1,'period':'day'}}"), READER("1"), READER("2"), READER("3")), "");
}

static void
test_codes_are_stable(void **state)
{
	(void)state;
	assert_string_equal(lint_code(LINT_TEST_NOT_RUN), "test-not-run");
	assert_string_equal(lint_code(LINT_NO_FRESHNESS), "no-freshness");
	for (int i = 0; i < NLINT_CHECKS; i++)
		assert_int_equal(lint_find(lint_code((enum lint_check)i)), i);
	assert_int_equal(lint_find("unheard-of"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tests_that_nothing_runs),
		cmocka_unit_test(test_cycles_through_tests),
		cmocka_unit_test(test_duplicate_tests),
		cmocka_unit_test(test_names_that_collide),
		cmocka_unit_test(test_nodes_that_nobody_reads),
		cmocka_unit_test(test_sources_without_freshness),
		cmocka_unit_test(test_codes_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
