/* --schedule: what is a cron line or a word of the target, and what a wrong one is told. */
#include "tests/check.h"

#include "exporters/cron.h"

static const char *const words[] = { "@daily", "@every ", "asset:", NULL };

static void
test_lines_that_are_taken(void **state)
{
	static const char *const lines[] = {
		"0 6 * * *", "*/5 0-6/2 1,15 jan *", "0 6 * * mon-fri,7", "59 23 31 12 0",
		"  0  6 * * 1-5 ", "0 0 L * *", "0 0 * * fri#2", "0 0 * * 5L", "0 0 ? * MON",
		"0 22-3 * * *", "5/10 * * * *", "none", "@daily", "@every 90m", "@every 1h30m",
		"asset:s3://lake/orders",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct err err = ERR_INIT;

		if (cron_check(lines[i], words, &err) < 0)
			fail_msg("'%s': %s", lines[i], err.msg);
	}
	assert_int_equal(cron_check(NULL, words, NULL), 0);
}

static void
test_lines_that_are_refused(void **state)
{
	static const struct { const char *line, *said; } cases[] = {
		{ "", "'' is no cron line: it has 0 fields, not five" },
		{ "0 6 * *", "'0 6 * *' is no cron line: it has 4 fields, not five" },
		{ "0 0 6 * * *", "'0 0 6 * * *' is no cron line: it has 6 fields, not five" },
		{ "daily", "'daily' is no cron line: it has 1 field, not five" },
		{ "60 * * * *", "'60' is no minute (0 to 59)" },
		{ "* 24 * * *", "'24' is no hour (0 to 23)" },
		{ "* * 0 * *", "'0' is no day of the month (1 to 31)" },
		{ "* * * 13 *", "'13' is no month (1 to 12)" },
		{ "* * * * 8", "'8' is no day of the week (0 to 7)" },
		{ "* * * * fry", "'fry' is no day of the week (0 to 7)" },
		{ "* * * * */0", "'*/0' is no day of the week (0 to 7)" },
		{ "1, * * * *", "'1,' is no minute (0 to 59)" },
		{ "1-61 * * * *", "'1-61' is no minute (0 to 59)" },
		{ "-5 * * * *", "'-5' is no minute (0 to 59)" },
		{ "L * * * *", "'L' is no minute (0 to 59)" },
		{ "99999999999999999999 * * * *", "'99999999999999999999' is no minute (0 to 59)" },
		{ "* * * * fri#6", "'fri#6' is no day of the week (0 to 7)" },
		{ "@weekly", "'@weekly' is no schedule of this target" },
		{ "@every day", "'@every day' is no schedule of this target" },
		{ "asset:", "'asset:' is no cron line: it has 1 field, not five" },
	};
	static const char option[] = "--schedule: ";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(cron_check(cases[i].line, words, &err), -1);
		assert_memory_equal(err.msg, option, sizeof(option) - 1);
		assert_string_equal(err.msg + sizeof(option) - 1, cases[i].said);
		assert_string_equal(err.hint, "minute, hour, day, month, weekday: '0 6 * * 1-5'; "
		    "or none, @daily, @every 1h, asset:...");
		err_release(&err);
	}
}

static void
test_none_is_no_schedule(void **state)
{
	(void)state;
	assert_false(cron_is_given(NULL));
	assert_false(cron_is_given("none"));
	assert_true(cron_is_given("@daily"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_that_are_taken),
		cmocka_unit_test(test_lines_that_are_refused),
		cmocka_unit_test(test_none_is_no_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
