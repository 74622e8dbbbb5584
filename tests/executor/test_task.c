#include "tests/check.h"

#include "executor/task.h"

static void
steps(void **state)
{
	/* Row: from, column: to, in the order of TASK_STATES. */
	static const char *const legal[NTASK_STATES] = {
		[TASK_WAITING] = "-R--DS",
		[TASK_READY]   = "--U-DS",
		[TASK_RUNNING] = "---BDS",
		[TASK_BACKOFF] = "-R--D-",
		[TASK_DONE]    = "------",
		[TASK_SKIPPED] = "------",
	};

	(void)state;
	for (int from = 0; from < NTASK_STATES; from++)
		for (int to = 0; to < NTASK_STATES; to++)
			if (task_step_legal((enum task_state)from, (enum task_state)to) !=
			    (legal[from][to] != '-'))
				fail_msg("%s -> %s", task_state_name((enum task_state)from),
				    task_state_name((enum task_state)to));
}

static void
what_blocks(void **state)
{
	(void)state;
	for (int s = 0; s < NRESULT_STATUSES; s++) {
		bool always = s == RESULT_ERROR || s == RESULT_PARTIAL;
		bool in_build = always || s == RESULT_FAIL || s == RESULT_SKIPPED;

		for (int c = 0; c < NPLAN_COMMANDS; c++)
			if (plan_blocks((enum plan_command)c, (enum result_status)s) !=
			    (c == PLAN_BUILD ? in_build : always))
				fail_msg("%s, %s", plan_command_name((enum plan_command)c),
				    result_status_name((enum result_status)s));
	}
}

static void
names_of_results(void **state)
{
	struct result r = RESULT_INIT;

	(void)state;
	for (int s = 0; s < NRESULT_STATUSES; s++)
		assert_int_equal(result_status_find(result_status_name((enum result_status)s)), s);
	assert_int_equal(result_status_find("succes"), -1);
	assert_string_equal(result_status_name(RESULT_PARTIAL), "partial success");
	assert_true(result_status_good(RESULT_WARN));
	assert_true(result_status_good(RESULT_NO_OP));
	assert_false(result_status_good(RESULT_SKIPPED));
	assert_string_equal(error_class_name(CLASS_WORKER_LOST), "worker lost");
	assert_true(error_class_transient(CLASS_TIMEOUT));
	assert_false(error_class_transient(CLASS_CANCELLED));
	result_release(&r);
	r.message = strdup("x");
	result_release(&r);
	assert_null(r.message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),
		cmocka_unit_test(what_blocks),
		cmocka_unit_test(names_of_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
