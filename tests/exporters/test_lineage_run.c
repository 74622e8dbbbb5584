/* What a run's results say of times and of failing, with what dbt leaves out. */
#include "tests/check.h"

#include "exporters/lineage_run.h"
#include "util/fs.h"

#define HEAD \
	"{\"metadata\": {\"invocation_id\": \"x\", " \
	"\"generated_at\": \"2026-01-31T06:00:10Z\"%s}, " \
	"\"results\": [%s]}"
/* After 06:00. */
#define AT(seconds) ((int64_t)1769839200 * 1000000 + (int64_t)((seconds) * 1000000))

static int
read_text(struct lineage_run *run, const char *text, struct err *err)
{
	assert_int_equal(fs_replace("run_results.json", text, strlen(text), 0600, err), 0);
	return lineage_run_read(run, "run_results.json", err);
}

static struct lineage_run
read_run(const char *metadata, const char *results)
{
	struct lineage_run run;
	struct err err = ERR_INIT;
	char text[4096];

	snprintf(text, sizeof(text), HEAD, metadata, results);
	if (read_text(&run, text, &err) < 0)
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

#define METADATA "{\"metadata\": {\"invocation_id\": \"x\", \"generated_at\": \"2026-01-31\"}, "

/* What is refused, and with which words. */
static void
test_what_is_no_run_is_refused(void **state)
{
	static const struct { const char *text, *said; } cases[] = {
		{ "", "cut off at byte 0: expected a value" },
		{ "[]", "expected an object, found a list" },
		{ "{\"results\": []}", "not the results of a run: no invocation_id" },
		{ "{\"metadata\": {\"invocation_id\": \"x\"}, \"results\": []}",
		  "not the results of a run: no generated_at" },
		{ "{\"metadata\": {\"invocation_id\": \"x\", \"generated_at\": \"soon\"}, "
		  "\"results\": []}", "not the results of a run: no generated_at" },
		{ METADATA "\"elapsed_time\": 1}", "not the results of a run: no results" },
		{ METADATA "\"results\": [{\"status\": 1}]}", "results[0]: no unique_id" },
		{ METADATA "\"results\": [{\"unique_id\": \"model.a.b\", \"status\": \"su",
		  "results[0].status: cut off at byte 119: the file ends inside a string" },
	};
	static const char file[] = "run_results.json: ";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lineage_run run;
		struct err err = ERR_INIT;

		assert_int_equal(read_text(&run, cases[i].text, &err), -1);
		assert_memory_equal(err.msg, file, sizeof(file) - 1);
		assert_string_equal(err.msg + sizeof(file) - 1, cases[i].said);
		err_release(&err);
		lineage_run_release(&run);
	}
}

/* Every value may be of any type. */
static void
test_values_of_other_types_count_as_absent(void **state)
{
	struct lineage_run run = read_run(", \"dbt_version\": 1, \"invocation_started_at\": []",
	    "{\"unique_id\": \"model.a.b\", \"status\": \"success\", \"execution_time\": \"1\", "
	    "\"timing\": [1, {\"started_at\": 5, \"completed_at\": \"soon\"}], "
	    "\"message\": {\"a\": [1]}, \"failures\": \"x\", \"more\": [[{}]]}");

	(void)state;
	assert_null(run.dbt_version);
	assert_null(run.command);
	assert_int_equal(run.started_us, AT(10));
	assert_int_equal(run.rows[0].started_us, AT(10));
	assert_int_equal(run.rows[0].ended_us, AT(10));
	assert_string_equal(run.rows[0].message, "{\"a\": [1]}");
	lineage_run_release(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_of_the_timings),
		cmocka_unit_test(test_times_that_are_not_written),
		cmocka_unit_test(test_what_is_no_run_is_refused),
		cmocka_unit_test(test_values_of_other_types_count_as_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
