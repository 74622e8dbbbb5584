#include "tests/check.h"

#include "executor/weights.h"
#include "tests/executor/past.h"
#include "util/fs.h"

static void
seconds_are(const struct world *w, size_t task, double expected)
{
	double s = w->plan.tasks[task].seconds;

	if (s < expected * 0.999 || s > expected * 1.001)
		fail_msg("%s: %g seconds, expected %g", w->nodes[task].id, s, expected);
}

static void
test_history_then_last_run_then_its_kind(void **state)
{
	static const char results[] = "{\"results\": ["
	    "{\"unique_id\": \"model.shop.m0\", \"status\": \"success\", \"execution_time\": 99.0},"
	    "{\"unique_id\": \"model.shop.m1\", \"status\": \"success\", \"execution_time\": 4.0},"
	    "{\"unique_id\": \"model.shop.m2\", \"status\": \"error\", \"execution_time\": 50.0},"
	    "{\"unique_id\": \"model.shop.gone\", \"status\": \"success\", \"execution_time\":"
	    " 7.0}]}";
	double usual[5] = { 2.0, -1, -1, -1, -1 };
	struct world w;
	struct err err = ERR_INIT;

	(void)state;
	world_init(&w, 5);
	w.nodes[3].materialized = "view";
	w.nodes[4].kind = KIND_TEST;
	assert_int_equal(fs_replace("run_results.json", results, sizeof(results) - 1, 0600, &err),
	    0);
	assert_int_equal(weights_fill(&w.plan, "run_results.json", usual), 2);
	seconds_are(&w, 0, 2.0);
	seconds_are(&w, 1, 4.0);
	seconds_are(&w, 2, 4.0);     /* an error took no usual time: the upper median of its like */
	seconds_are(&w, 3, 4.0);     /* no other view: of all models */
	seconds_are(&w, 4, 1.0);     /* no other test */
	assert_string_equal(w.plan.tasks[2].last_status, "error");
	assert_null(w.plan.tasks[3].last_status);
	assert_true(w.plan.work > 14.99 && w.plan.work < 15.01);
	/* without a history, and without anything */
	assert_int_equal(weights_fill(&w.plan, "run_results.json", NULL), 2);
	seconds_are(&w, 0, 99.0);
	for (size_t i = 0; i < 5; i++)
		w.plan.tasks[i].seconds = 1.0;
	assert_int_equal(weights_fill(&w.plan, "absent.json", NULL), 0);
	seconds_are(&w, 2, 1.0);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_history_then_last_run_then_its_kind, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
