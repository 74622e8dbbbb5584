#include "tests/check.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "executor/runner_cli.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"

static struct err err;

/* A stand-in for dbt: notes its arguments, then does what the selector's last word says. */
static const char fake_dbt[] =
    "#!/bin/sh\n"
    "echo \"$@\" >>../calls\n"
    "while [ $# -gt 0 ]; do case $1 in --select) s=$2;; --target-path) t=$2;; esac; shift; done\n"
    "checked() { printf '{\"results\": [{\"unique_id\": \"source.shop.raw.%s\", "
    "\"status\": \"%s\", %s}]}' \"$@\" >$t/sources.json; }\n"
    "age='\"max_loaded_at\": \"2026-01-02T03:04:05.678901+00:00\", "
    "\"max_loaded_at_time_ago_in_s\": 259200.5, \"criteria\": {\"warn_after\": {\"count\": 1, "
    "\"period\": \"day\"}, \"error_after\": {\"count\": 30, \"period\": \"day\"}, "
    "\"filter\": null}'\n"
    "result() { printf '{\"results\": [{\"unique_id\": \"%s\", \"status\": \"%s\", "
    "\"message\": \"%s\", \"failures\": %s, \"execution_time\": 1.5, "
    "\"adapter_response\": {\"rows_affected\": 42}}]}' \"$@\" >$t/run_results.json; }\n"
    "case $s in\n"
    "*.good) result model.shop.good success 'SELECT 42' null;;\n"
    "*.seeded) result model.shop.seeded success \"$(cat $t/partial_parse.msgpack)\" null;;\n"
    "*.failing) result test.shop.failing fail 'Got 3 results' 3; exit 1;;\n"
    "*.locked) result model.shop.locked error 'deadlock detected' null; exit 1;;\n"
    "*.other) result model.shop.good success OK null;;\n"
    "*.aging) checked aging warn \"$age\";;\n"
    "*.stale) checked stale error \"$age\"; exit 1;;\n"
    "*.old_dbt) checked old_dbt 'runtime error' '\"error\": \"deadlock detected\"'; exit 1;;\n"
    "*.no_entry) checked other pass \"$age\"; echo 'deadlock detected'; exit 1;;\n"
    "*.empty) ;;\n"
    "*.unparsed) echo 'Compilation Error'; echo '  oops' >&2; exit 2;;\n"
    "*.killed) kill -KILL $$;;\n"
    "*.slow) trap 'exit 1' INT; sleep 60 & wait;;\n"
    "*.deaf) trap '' INT; sleep 60;;\n"
    "esac\n";

static struct cli_runner *
make_runner(void)
{
	static const char *const dbt[] = { "../dbt", NULL };
	static const char *const words[] = { "--target", "ci", NULL };
	static const char *const no_flags[] = { "--empty", NULL };
	static const struct cli_args args[] = {
		{ "seed", no_flags }, { "run", words }, { "test", words }, { "source", words },
		{ NULL, NULL }
	};
	const struct cli_options o = { .dbt = dbt, .args = args, .dir = "project",
		.target_path = "project/target", .nthreads = 2, .grace_ms = 300, .lock_fd = -1 };
	struct cli_runner *r;

	assert_int_equal(fs_mkdirs("project/target", &err), 0);
	assert_int_equal(fs_replace("dbt", fake_dbt, strlen(fake_dbt), 0755, &err), 0);
	chmod("dbt", 0755);
	assert_int_equal(fs_replace("project/target/partial_parse.msgpack", "state", 5, 0644,
	    &err), 0);
	unlink("calls");
	r = cli_runner_new(&o, &err);
	assert_non_null(r);
	return r;
}

/* "status class message [failures]" of a node by its last name. */
static const char *
run(struct cli_runner *r, const char *kind, const char *name)
{
	static char line[512];
	char id[64], select[64];
	const struct job job = { .id = id, .attempt = 1, .thread = 1, .verb = "run",
		.select = select, .kind = strcmp(kind, "source") == 0 ? KIND_SOURCE : KIND_MODEL };
	const struct runner runner = cli_runner(r);
	struct result result = RESULT_INIT;

	snprintf(id, sizeof(id), "%s.shop.%s", kind, name);
	snprintf(select, sizeof(select), "fqn:shop.%s", name);
	runner.run(runner.self, &job, &result);
	snprintf(line, sizeof(line), "%s/%s/%s/%lld", result_status_name(result.status),
	    error_class_name(result.class), result.message ? result.message : "",
	    result.failures);
	result_release(&result);
	return line;
}

static void
test_the_command_names_one_node_and_a_target_path_of_its_own(void **state)
{
	struct cli_runner *r = make_runner();
	struct buf calls = BUF_INIT;
	char cwd[512], expected[1024];

	(void)state;
	assert_string_equal(run(r, "model", "good"), "success/none/SELECT 42/-1");
	assert_int_equal(fs_read("calls", &calls, &err), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "run --no-use-colors --target ci --select "
	    "fqn:shop.good --target-path %s/project/target/heddle/nodes/2\n", cwd);
	assert_string_equal(calls.data, expected);
	buf_release(&calls);
	assert_string_equal(run(r, "model", "seeded"), "success/none/state/-1");
	cli_runner_free(r);
	assert_false(fs_exists("project/target/heddle/nodes"));
	assert_true(fs_exists("project/target/partial_parse.msgpack"));
}

static void
test_results_come_from_run_results(void **state)
{
	struct cli_runner *r = make_runner();
	const struct runner runner = cli_runner(r);
	const struct job job = { .id = "model.shop.good", .attempt = 1, .verb = "run",
		.select = "fqn:shop.good" };
	struct result result = RESULT_INIT;

	(void)state;
	runner.run(runner.self, &job, &result);
	assert_int_equal(result.rows, 42);
	assert_int_equal(result.took_ms, -1);   /* the scheduler takes the time */
	assert_non_null(strstr(result.entry, "\"unique_id\":\"model.shop.good\""));
	result_release(&result);
	assert_string_equal(run(r, "test", "failing"), "fail/test failure/Got 3 results/3");
	assert_string_equal(run(r, "model", "locked"), "error/transient/deadlock detected/-1");
	cli_runner_free(r);
}

static void
test_sources_are_checked(void **state)
{
#define AGE \
	"last loaded 3 days ago, at 2026-01-02 03:04:05 UTC; warn after 1 day, error after 30 days"
	struct cli_runner *r = make_runner();
	struct buf calls = BUF_INIT;

	(void)state;
	assert_string_equal(run(r, "source", "raw.aging"), "warn/none/" AGE "/-1");
	assert_string_equal(run(r, "source", "raw.stale"), "error/stale/" AGE "/-1");
	assert_string_equal(run(r, "source", "raw.old_dbt"),
	    "runtime error/transient/deadlock detected/-1");
	assert_string_equal(run(r, "source", "raw.no_entry"),
	    "error/transient/dbt source freshness "
	    "ended with exit code 1:\ndeadlock detected\n/-1");
	assert_int_equal(fs_read("calls", &calls, &err), 0);
	assert_non_null(strstr(calls.data,
	    "source freshness --no-use-colors --target ci --select "));
	buf_release(&calls);
	cli_runner_free(r);
}

static void
test_a_selection_that_misses_the_node_is_an_error(void **state)
{
	struct cli_runner *r = make_runner();

	(void)state;
	run(r, "model", "good");   /* its result must not be taken for the next one's */
	assert_string_equal(run(r, "model", "empty"), "error/internal/dbt run --select "
	    "'fqn:shop.empty' ran, but not this node/-1");
	assert_string_equal(run(r, "model", "other"), "error/internal/dbt run --select "
	    "'fqn:shop.other' ran, but not this node/-1");
	cli_runner_free(r);
}

static void
test_a_dbt_that_fails_is_quoted(void **state)
{
	struct cli_runner *r = make_runner();

	(void)state;
	assert_string_equal(run(r, "model", "unparsed"), "error/compile/dbt run ended with exit "
	    "code 2:\nCompilation Error\n  oops\n/-1");
	assert_string_equal(run(r, "model", "killed"),
	    "error/worker lost/dbt was ended by signal 9/-1");
	cli_runner_free(r);
}

static void
test_without_dbt_the_reason_is_given(void **state)
{
	static const char *const dbt[] = { "./no-such-dbt", NULL };
	const struct cli_options o = { .dbt = dbt, .target_path = "target", .nthreads = 2,
		.lock_fd = -1 };
	struct cli_runner *r = cli_runner_new(&o, &err);

	(void)state;
	assert_string_equal(run(r, "model", "good"), "error/internal/cannot run './no-such-dbt': "
	    "No such file or directory/-1");
	cli_runner_free(r);
}

struct background {
	struct runner runner;
	struct job job;
	struct result result;
};

static void *
background_main(void *arg)
{
	struct background *b = arg;

	b->runner.run(b->runner.self, &b->job, &b->result);
	return NULL;
}

static void
cancelled(struct cli_runner *r, const char *select)
{
	const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	struct background b = { .runner = cli_runner(r), .result = RESULT_INIT,
		.job = { .id = "model.shop.x", .attempt = 1, .verb = "run", .select = select } };
	int64_t began = clock_mono_ms();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, background_main, &b), 0);
	for (int i = 0; i < 6; i++) {
		nanosleep(&pause, NULL);
		b.runner.cancel(b.runner.self, &b.job);
	}
	pthread_join(thread, NULL);
	assert_true(clock_mono_ms() - began < 10000);
	assert_int_equal(b.result.status, RESULT_ERROR);
	assert_int_equal(b.result.class, CLASS_CANCELLED);
	result_release(&b.result);
}

static void
test_cancel_interrupts_and_then_kills(void **state)
{
	struct cli_runner *r = make_runner();

	(void)state;
	cancelled(r, "fqn:shop.slow");
	cancelled(r, "fqn:shop.deaf");
	assert_string_equal(run(r, "model", "good"), "success/none/SELECT 42/-1");
	cli_runner_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_command_names_one_node_and_a_target_path_of_its_own),
		cmocka_unit_test(test_results_come_from_run_results),
		cmocka_unit_test(test_sources_are_checked),
		cmocka_unit_test(test_a_selection_that_misses_the_node_is_an_error),
		cmocka_unit_test(test_a_dbt_that_fails_is_quoted),
		cmocka_unit_test(test_without_dbt_the_reason_is_given),
		cmocka_unit_test(test_cancel_interrupts_and_then_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
