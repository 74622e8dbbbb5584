/* What a run's results say of times and of failing, with what dbt leaves out. */
#include "tests/check.h"

#include "exporters/lineage_run.h"

#define HEAD \
	"{\"metadata\": {\"invocation_id\": \"x\", " \
	"\"generated_at\": \"2026-01-31T06:00:10Z\"%s}, " \
	"\"results\": [%s]}"
/* After 06:00. */
#define AT(seconds) ((int64_t)1769839200 * 1000000 + (int64_t)((seconds) * 1000000))

static struct lineage_run
read_run(const char *metadata, const char *results)
{
	struct lineage_run run;
	struct err err = ERR_INIT;
	char text[4096];

	snprintf(text, sizeof(text), HEAD, metadata, results);
	if (lineage_run_read(&run, text, &err) < 0)
		fail_msg("%s", err.msg);
	return run;
}

static void
test_times_are_of_the_timings(void **state)
{
	struct lineage_run run = read_run(", \"invocation_started_at\": \"2026-01-31T06:00:00Z\"",
	    "{\"unique_id\": \"model.a.b\", \"status\": \"success\", \"execution_time\": 1.0, "
	    "\"timing\": ["
	    "{\"name\": \"compile\", \"started_at\": \"2026-01-31T06:00:01Z\", \"completed_at\": "
	    "\"2026-01-31T06:00:02Z\"},"
	    "{\"name\": \"execute\", \"started_at\": \"2026-01-31T06:00:02Z\", \"completed_at\": "
	    "\"2026-01-31T06:00:04Z\"}]}");

	(void)state;
	assert_int_equal(run.nrows, 1);
	assert_int_equal(run.rows[0].started_us, AT(1));
	assert_int_equal(run.rows[0].ended_us, AT(4));
	assert_int_equal(run.started_us, AT(0));
	assert_int_equal(run.ended_us, AT(10));
	assert_false(run.failed);
	lineage_run_release(&run);
}

/* dbt writes no timing of the part in which a node failed, and none for a node it skipped. */
static void
test_times_that_are_not_written(void **state)
{
	struct lineage_run run = read_run("",
	    "{\"unique_id\": \"model.a.b\", \"status\": \"error\", \"execution_time\": 3.0, "
	    "\"timing\": ["
	    "{\"name\": \"compile\", \"started_at\": \"2026-01-31T06:00:01Z\", \"completed_at\": "
	    "\"2026-01-31T06:00:02Z\"}]},"
	    "{\"unique_id\": \"model.a.c\", \"status\": \"skipped\", \"execution_time\": 0, "
	    "\"timing\": []},"
	    "{\"unique_id\": \"model.a.d\", \"status\": \"error\", \"execution_time\": 2.5, "
	    "\"timing\": null}");

	(void)state;
	assert_int_equal(run.rows[0].ended_us, AT(4));
	assert_int_equal(run.rows[1].started_us, AT(10));
	assert_int_equal(run.rows[1].ended_us, AT(10));
	assert_int_equal(run.rows[2].started_us, AT(7.5));
	assert_int_equal(run.started_us, AT(1));
	assert_true(run.failed);
	lineage_run_release(&run);
}

static void
test_what_is_no_run_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{\"results\": []}", "{\"metadata\": {\"invocation_id\": \"x\"}, "
		    "\"results\": []}",
		"{\"metadata\": {\"invocation_id\": \"x\", " \
	"\"generated_at\": \"soon\"}, "
		    "\"results\": []}",
		"{\"metadata\": {\"invocation_id\": \"x\", " \
	"\"generated_at\": \"2026-01-31\"}, "
		    "\"results\": [{\"status\": 1}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct lineage_run run;
		struct err err = ERR_INIT;

		assert_int_equal(lineage_run_read(&run, texts[i], &err), -1);
		assert_non_null(err.msg);
		err_release(&err);
		lineage_run_release(&run);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_of_the_timings),
		cmocka_unit_test(test_times_that_are_not_written),
		cmocka_unit_test(test_what_is_no_run_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
