#include "tests/check.h"

#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "tests/graph/lines.h"
#include "util/buf.h"

/* ---- asking ---- */

/* Names in the order of unique ids, or the error. */
static const char *
answer(const struct graph *g, const char *select, const char *exclude, enum selector_mode mode)
{
	static struct buf b;
	struct err err = ERR_INIT;
	struct set out;

	buf_truncate(&b, 0);
	if (evaluate(g, select, exclude, mode, &out, &err) < 0)
		buf_adds(&b, err.msg);
	else
		for (size_t i = set_next(&out, 0); i < out.nbits; i = set_next(&out, i + 1))
			buf_addf(&b, "%s%s", b.len ? " " : "", g->nodes[i].name);
	set_release(&out);
	err_release(&err);
	return buf_str(&b);
}

static const char *
selected(const struct graph *g, const char *select)
{
	return answer(g, select, NULL, MODE_EAGER);
}

/* ---- a small shop ---- */

static const char shop[] =
    "source orders\n"
    "source people\n"
    "seed countries #static\n"
    "model stg_orders #staging < orders\n"
    "model stg_people #staging < people countries\n"
    "model fct_sales #mart #nightly < stg_orders stg_people\n"
    "model dim_people #mart < stg_people\n"
    "exposure board < fct_sales\n"
    "test orders_unique < stg_orders\n"
    "test sales_people < fct_sales dim_people\n"
    "test sales_raw < fct_sales orders\n"
    "unit_test sums < fct_sales\n"
    "test lonely\n";

static void
test_graph_operators(void **state)
{
	struct graph *g = project(shop);

	(void)state;
#define ONLY(words) answer(g, words, NULL, MODE_EMPTY)
	assert_string_equal(ONLY("fct_sales"), "fct_sales");
	assert_string_equal(ONLY("+fct_sales"),
	    "fct_sales stg_orders stg_people countries orders people");
	assert_string_equal(ONLY("1+fct_sales"), "fct_sales stg_orders stg_people");
	assert_string_equal(ONLY("0+fct_sales"), "fct_sales");
	assert_string_equal(ONLY("stg_orders+1"), "fct_sales stg_orders orders_unique");
	assert_string_equal(ONLY("stg_orders+"),
	    "board fct_sales stg_orders orders_unique sales_people sales_raw sums");
	assert_string_equal(ONLY("@dim_people"),
	    "dim_people fct_sales stg_orders stg_people countries "
	    "orders people sales_people");
	assert_string_equal(ONLY("1+fct_sales+1"),
	    "board fct_sales stg_orders stg_people sales_people sales_raw sums");
	assert_string_equal(ONLY("no_such"), "");
#undef ONLY
	graph_free(g);
}

static void
test_tests_come_along(void **state)
{
	struct graph *g = project(shop);

	(void)state;
	assert_string_equal(answer(g, "fct_sales", NULL, MODE_EAGER),
	    "fct_sales sales_people sales_raw sums");
	assert_string_equal(answer(g, "fct_sales", NULL, MODE_CAUTIOUS), "fct_sales sums");
	/* the source needs no building; dim_people does */
	assert_string_equal(answer(g, "fct_sales", NULL, MODE_BUILDABLE),
	    "fct_sales sales_raw sums");
	assert_string_equal(answer(g, "fct_sales", NULL, MODE_EMPTY), "fct_sales");
	/* halves that meet in two words join under cautious, and an exclude drops them again */
	assert_string_equal(answer(g, "fct_sales dim_people", NULL, MODE_CAUTIOUS),
	    "dim_people fct_sales sales_people sums");
	assert_string_equal(answer(g, "fct_sales dim_people", "dim_people", MODE_CAUTIOUS),
	    "fct_sales sales_people sums");
	assert_string_equal(answer(g, "fct_sales dim_people", "dim_people", MODE_EAGER),
	    "fct_sales sales_raw sums");
	/* both sides of an intersection expand first */
	assert_string_equal(selected(g, "fct_sales,tag:mart"),
	    "fct_sales sales_people sales_raw sums");
	graph_free(g);
}

static void
test_words_that_find_nothing_are_told(void **state)
{
	struct graph *g = project(shop);

	(void)state;
	answer(g, "nope fct_sales,stg_orders tag:x,fct_sales", "void", MODE_EMPTY);
	assert_string_equal(unmatched(),
	    "[nope][fct_sales,stg_orders][tag:x,fct_sales][void]");
	answer(g, NULL, NULL, MODE_EAGER);
	assert_string_equal(unmatched(), "");
	graph_free(g);
}

static void
test_nothing_selected_means_all(void **state)
{
	struct graph *g = project(shop);

	(void)state;
	assert_string_equal(answer(g, NULL, NULL, MODE_EAGER),
	    "board dim_people fct_sales stg_orders stg_people countries orders people lonely "
	    "orders_unique sales_people sales_raw sums");
	assert_string_equal(answer(g, NULL, "tag:mart", MODE_EAGER),
	    "board stg_orders stg_people countries orders people lonely orders_unique");
	graph_free(g);
}

static void
test_methods(void **state)
{
	static const struct {
		const char *select, *names;
	} cases[] = {
		{ "shop.stg", "stg_orders stg_people" },
		{ "stg", "stg_orders stg_people" },
		{ "s*_orders", "stg_orders" },
		{ "shop.fct.*", "fct_sales" },
		{ "people", "" },                         /* sources have no plain name */
		{ "source:raw", "orders people" },
		{ "source:raw.ord*", "orders" },
		{ "source:shop.raw.people", "people" },
		{ "tag:n*", "fct_sales" },
		{ "package:this,exposure:board", "board" },
		{ "exposure:shop.b*", "board" },
		{ "resource_type:seed", "countries" },
		{ "resource_type:macro", "" },
		{ "path:models/stg", "stg_orders stg_people" },
		{ "models/*/stg_orders.sql", "stg_orders" },
		{ "path:**,resource_type:seed", "countries" },
		{ "stg_orders.sql", "stg_orders" },
		{ "file:stg_*", "stg_orders stg_people" },
		{ "config.enabled:true,tag:mart", "dim_people fct_sales" },
		{ "config.enabled:false", "" },
		{ "unit_test:sums", "sums" },
		{ "test_type:unit", "sums" },
		{ "test_type:at,lonely", "lonely" },
		{ "version:none,stg_orders", "stg_orders" },
		{ "access:public", "" },
	};
	struct graph *g = project(shop);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(answer(g, cases[i].select, NULL, MODE_EMPTY), cases[i].names);
	graph_free(g);
}

static void
test_bad_values_are_refused(void **state)
{
	struct graph *g = project(shop);

	(void)state;
	assert_string_equal(selected(g, "source:a.b.c.d"), "selection criterion 'source:a.b.c.d': "
	    "'a.b.c.d' has too many parts, a source is SOURCE, SOURCE.TABLE or "
	    "PACKAGE.SOURCE.TABLE");
	assert_string_equal(selected(g, "metric:a.b.c"), "selection criterion 'metric:a.b.c': "
	    "'a.b.c' has too many parts, a metric is NAME or PACKAGE.NAME");
	assert_string_equal(selected(g, "resource_type:models"),
	    "selection criterion 'resource_type:models': 'models' is not a resource type");
	assert_string_equal(selected(g, "test_type:x"),
	    "selection criterion 'test_type:x': 'x' is not a type of test");
	assert_string_equal(selected(g, "version:new"),
	    "selection criterion 'version:new': 'new' is not a kind of version");
	assert_string_equal(selected(g, "path:"), "selection criterion 'path:': the path is empty");
	assert_string_equal(selected(g, "state:new"),
	    "selection criterion 'state:new': there is nothing to compare with");
	graph_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_graph_operators),
		cmocka_unit_test(test_tests_come_along),
		cmocka_unit_test(test_words_that_find_nothing_are_told),
		cmocka_unit_test(test_nothing_selected_means_all),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_bad_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, lines_release);
}
