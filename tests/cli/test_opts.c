#include "tests/check.h"

#include "cli/dbt_opts.h"
#include "cli/opts.h"

struct got {
	bool dry, quiet;
	unsigned retries;
	int64_t delay;
	const char *order;
	struct words select, rest;
};

static int
parse(struct got *g, char **argv, const struct opt_unknown *unknown, struct err *err)
{
	const struct opt table[] = {
		{ 0, "dry-run", NULL, OPT_FLAG, &g->dry, "" },
		{ 'q', "quiet", NULL, OPT_FLAG, &g->quiet, "" },
		{ 0, "retries", "N", OPT_UINT, &g->retries, "" },
		{ 0, "retry-delay", "TIME", OPT_DURATION, &g->delay, "" },
		{ 'o', "order", "path|fifo", OPT_TEXT, &g->order, "" },
		{ 's', "select|models", "expr", OPT_WORDS, &g->select, "" },
		{ 0 }
	};
	const struct opt *const tables[] = { table, NULL };
	int argc = 0;

	while (argv[argc])
		argc++;
	return opts_parse(argc, argv, tables, &g->rest, unknown, err);
}

#define A(s) (char[]){ s }
#define ARGS(...) ((char *[]){ A("cmd"), __VA_ARGS__, NULL })

static void
test_every_type(void **state)
{
	struct got g = { .quiet = true };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse(&g, ARGS(A("--dry-run"), A("--no-quiet"), A("--retries=4"),
	    A("--retry-delay"),
	    A("1.5m"), A("-ofifo"), A("--select=a"), A("b"), A("-s"), A("c"), A("--models"),
	    A("--odd")), NULL, &err), 0);
	assert_true(g.dry);
	assert_false(g.quiet);
	assert_int_equal(g.retries, 4);
	assert_int_equal(g.delay, 90000);
	assert_string_equal(g.order, "fifo");
	assert_int_equal(g.select.n, 4);
	assert_string_equal(g.select.v[1], "b");
	/* the first value is taken whatever it looks like */
	assert_string_equal(g.select.v[3], "--odd");
	words_release(&g.select);
}

static void
refuses(char **argv, const char *message, const char *hint)
{
	struct got g = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(parse(&g, argv, NULL, &err), -1);
	assert_string_equal(err.msg, message);
	if (hint)
		assert_string_equal(err.hint, hint);
	err_release(&err);
	words_release(&g.select);
	words_release(&g.rest);
}

static void
test_refusals_say_what_was_meant(void **state)
{
	(void)state;
	refuses(ARGS(A("--retrys"), A("3")), "unknown option '--retrys'",
	    "did you mean --retries?");
	refuses(ARGS(A("--retries"), A("many")),
	    "--retries: expected a whole number, found 'many'", NULL);
	refuses(ARGS(A("--retries"), A("-1")), "--retries: expected a whole number, found '-1'",
	    NULL);
	refuses(ARGS(A("--retries"), A("99999999999999999999")),
	    "--retries: expected a whole number, found '99999999999999999999'", NULL);
	refuses(ARGS(A("--retry-delay"), A("soon")),
	    "--retry-delay: expected a duration like 30s, 5m or 2h, found 'soon'", NULL);
	refuses(ARGS(A("--order")), "--order: expected path|fifo", NULL);
	refuses(ARGS(A("--dry-run=yes")), "--dry-run takes no value", NULL);
	refuses(ARGS(A("-z")), "unknown option '-z'", "--help lists the options");
}

static int
take(void *self, char **argv, int at, int argc)
{
	int n = dbt_opt_take(argv, at, argc);

	*(int *)self += n;
	return n;
}

static void
test_options_of_dbt_are_taken_with_their_values(void **state)
{
	struct got g = { 0 };
	struct err err = ERR_INIT;
	int taken = 0;
	const struct opt_unknown unknown = { &taken, take, dbt_opt_names };

	(void)state;
	assert_int_equal(parse(&g, ARGS(A("--target"), A("dev"), A("--vars={a: 1}"), A("-xf"),
	    A("--exclude"), A("a"), A("b"), A("--dry-run"), A("--no-defer")), &unknown, &err), 0);
	assert_int_equal(taken, 2 + 1 + 1 + 3 + 1);
	assert_true(g.dry);
	assert_int_equal(g.rest.n, 0);
}

static void
test_unknown_options_get_the_nearest_name(void **state)
{
	struct got g = { 0 };
	struct err err = ERR_INIT;
	int taken = 0;
	const struct opt_unknown dbt = { &taken, take, dbt_opt_names };

	(void)state;
	assert_int_equal(parse(&g, ARGS(A("--fulll-refresh")), &dbt, &err), -1);
	assert_string_equal(err.hint, "did you mean --full-refresh?");
	err_release(&err);
	assert_int_equal(parse(&g, ARGS(A("--quack")), NULL, &err), -1);
	assert_string_equal(err.hint, "--help lists the options");
	err_release(&err);
}

static void
test_last_value_of_a_dbt_option(void **state)
{
	char *argv[] = { A("build"), A("--target-path"), A("a"), A("--target"), A("dev"),
	    A("--target-path=b") };

	(void)state;
	assert_string_equal(dbt_opt_value(argv, 6, "target-path"), "b");
	assert_string_equal(dbt_opt_value(argv, 6, "target"), "dev");
	assert_null(dbt_opt_value(argv, 6, "profile"));
	assert_null(dbt_opt_value(argv, 2, "target-path"));
}

static void
test_dbt_arity(void **state)
{
	char *argv[] = { A("--unknown"), A("-t"), A("dev"), A("-tdev"), A("-qx"), A("--no-vars"),
	    A("--vars") };

	(void)state;
	assert_int_equal(dbt_opt_take(argv, 0, 7), 0);
	assert_int_equal(dbt_opt_take(argv, 1, 7), 2);
	assert_int_equal(dbt_opt_take(argv, 3, 7), 1);
	assert_int_equal(dbt_opt_take(argv, 4, 7), 1);
	assert_int_equal(dbt_opt_take(argv, 5, 7), 0);   /* a value option has no --no- form */
	assert_int_equal(dbt_opt_take(argv, 6, 7), 1);   /* the missing value is dbt's to report */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_refusals_say_what_was_meant),
		cmocka_unit_test(test_options_of_dbt_are_taken_with_their_values),
		cmocka_unit_test(test_unknown_options_get_the_nearest_name),
		cmocka_unit_test(test_last_value_of_a_dbt_option),
		cmocka_unit_test(test_dbt_arity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
