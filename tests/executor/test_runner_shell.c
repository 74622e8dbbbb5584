#include "tests/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "executor/runner_shell.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"

static struct err err;

static struct shell_runner *
make(const char *command)
{
	static const char *const env[] = { "HEDDLE_RUN_ID=r1", NULL };
	const struct shell_options o = { .command = command, .env = env, .adapter = "postgres",
		.nthreads = 2, .grace_ms = 400 };
	struct shell_runner *r = shell_runner_new(&o, &err);

	assert_non_null(r);
	return r;
}

static struct job
job_of(enum node_kind kind, const char *name)
{
	return (struct job){ .id = "model.shop.x", .name = name, .verb = "run",
		.select = "fqn:shop.x", .kind = kind, .attempt = 2, .thread = 1 };
}

/* "status/class/message" of one node. */
static const char *
run(enum node_kind kind, const char *command, const char *name)
{
	static char line[4096];
	struct shell_runner *r = make(command);
	const struct runner runner = shell_runner(r);
	const struct job job = job_of(kind, name);
	struct result result = RESULT_INIT;

	runner.run(runner.self, &job, &result);
	snprintf(line, sizeof(line), "%s/%s/%s", result_status_name(result.status),
	    error_class_name(result.class), result.message ? result.message : "");
	result_release(&result);
	shell_runner_free(r);
	return line;
}

static void
test_exit_codes_and_signals(void **state)
{
	static const struct { enum node_kind kind; const char *command, *expected; } cases[] = {
		{ KIND_MODEL, "true", "success/none/" },
		{ KIND_TEST, "true", "pass/none/" },
		{ KIND_UNIT_TEST, "true", "pass/none/" },
		{ KIND_EXPOSURE, "false", "no-op/none/" },
		{ KIND_MODEL, "exit 1", "error/command failed/the command ended with exit code 1" },
		{ KIND_TEST, "exit 1", "fail/test failure/the command ended with exit code 1" },
		{ KIND_TEST, "exit 2", "error/command failed/the command ended with exit code 2" },
		{ KIND_MODEL, "exit 75", "error/transient/the command ended with exit code 75" },
		{ KIND_MODEL, "kill -9 $$",
		  "error/worker lost/the command was ended by signal 9 (Killed)" },
		{ KIND_MODEL, "exit 143",
		  "error/worker lost/the command was ended by signal 15 (Terminated)" },
		{ KIND_MODEL, "exit 255",
		  "error/command failed/the command ended with exit code 255" },
		{ KIND_MODEL, "./no-such",
		  "error/command failed/cannot run './no-such': No such file or directory" },
		{ KIND_MODEL, "echo 'deadlock detected'; exit 1",
		  "error/transient/the command ended with exit code 1:\ndeadlock detected" },
		{ KIND_TEST, "echo 'deadlock detected'; exit 1",
		  "error/transient/the command ended with exit code 1:\ndeadlock detected" },
		{ KIND_MODEL, "echo 'Compilation Error in x' >&2; exit 1",
		  "error/compile/the command ended with exit code 1:\nCompilation Error in x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(run(cases[i].kind, cases[i].command, "n"), cases[i].expected);
}

static void
test_the_last_line_is_the_message_of_a_success(void **state)
{
	(void)state;
	assert_string_equal(run(KIND_MODEL, "printf 'one\\ntwo\\n\\n'", "n"), "success/none/two");
	assert_string_equal(run(KIND_MODEL, "echo {name}", "a\"b $(c)"), "success/none/a\"b $(c)");
}

static void
test_much_output_costs_no_memory_and_keeps_its_end(void **state)
{
	const char *line = run(KIND_MODEL,
	    "yes 0123456789 | head -c 20000000; echo; echo the end; exit 4", "n");
	size_t n = strlen(line);

	(void)state;
	assert_non_null(strstr(line, "exit code 4:\n..."));
	assert_string_equal(line + n - 7, "the end");
	assert_true(n < 2200);
}

static void
test_the_environment_names_node_run_and_attempt(void **state)
{
	(void)state;
	assert_string_equal(run(KIND_MODEL,
	    "echo \"$HEDDLE_UNIQUE_ID $HEDDLE_FQN $HEDDLE_NAME $HEDDLE_VERB $HEDDLE_RUN_ID "
	    "$HEDDLE_ATTEMPT\"",
	    "n"), "success/none/model.shop.x shop.x n run r1 2");
}

static void
test_a_program_that_is_not_there_is_known_at_once(void **state)
{
	const struct shell_options o = { .command = "heddle-no-such {name}", .nthreads = 1 };

	(void)state;
	assert_null(shell_runner_new(&o, &err));
	assert_string_equal(err.msg,
	    "the command 'heddle-no-such {name}': 'heddle-no-such' is not on PATH");
	err_release(&err);
}

struct canceller {
	const struct runner *runner;
	const struct job *job;
	const char *ready;
	bool over;
	pthread_mutex_t lock;
};

/* As the scheduler: once, then again until the attempt has ended. */
static void *
cancel_it(void *arg)
{
	struct canceller *c = arg;
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	bool over = false;

	while (!fs_exists(c->ready))
		nanosleep(&pause, NULL);
	while (!over) {
		c->runner->cancel(c->runner->self, c->job);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&c->lock);
		over = c->over;
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

static bool
is_alive(const char *pid_file)
{
	struct buf b = BUF_INIT;
	bool alive;

	assert_int_equal(fs_read(pid_file, &b, &err), 0);
	alive = kill((pid_t)atol(buf_str(&b)), 0) == 0;
	buf_release(&b);
	return alive;
}

/* What a command that starts another one ends with when it is cancelled. */
static const char *
cancelled(const char *command)
{
	static char line[200];
	struct shell_runner *r = make(command);
	const struct runner runner = shell_runner(r);
	const struct job job = job_of(KIND_MODEL, "n");
	struct result result = RESULT_INIT;
	struct canceller c = { &runner, &job, "grandchild", false, PTHREAD_MUTEX_INITIALIZER };
	int64_t began = clock_mono_ms();
	pthread_t thread;

	unlink("grandchild");
	assert_int_equal(pthread_create(&thread, NULL, cancel_it, &c), 0);
	runner.run(runner.self, &job, &result);
	pthread_mutex_lock(&c.lock);
	c.over = true;
	pthread_mutex_unlock(&c.lock);
	pthread_join(thread, NULL);
	assert_true(clock_mono_ms() - began < 20000);
	snprintf(line, sizeof(line), "%s/%s", result_status_name(result.status),
	    error_class_name(result.class));
	result_release(&result);
	shell_runner_free(r);
	for (int i = 0; i < 200 && is_alive("grandchild"); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	assert_false(is_alive("grandchild"));
	return line;
}

static void
test_cancel_ends_the_whole_group(void **state)
{
	(void)state;
	assert_string_equal(cancelled("sh -c 'echo $$ >g; mv g grandchild; exec sleep 60'; echo "
	    "after"),
	    "error/cancelled");
	/* A shell starts what it puts in the background deaf to SIGINT. */
	assert_string_equal(cancelled("sh -c 'echo $$ >g; mv g grandchild; exec sleep 60' & wait"),
	    "error/cancelled");
	assert_string_equal(
	    cancelled("sh -c 'trap \"\" INT TERM; echo $$ >g; mv g grandchild; sleep 60; sleep "
	    "60'"),
	    "error/cancelled");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes_and_signals),
		cmocka_unit_test(test_the_last_line_is_the_message_of_a_success),
		cmocka_unit_test(test_much_output_costs_no_memory_and_keeps_its_end),
		cmocka_unit_test(test_the_environment_names_node_run_and_attempt),
		cmocka_unit_test(test_a_program_that_is_not_there_is_known_at_once),
		cmocka_unit_test(test_cancel_ends_the_whole_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
