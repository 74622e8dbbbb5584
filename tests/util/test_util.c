#include "tests/check.h"

#include <time.h>

#include "util/arena.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/fs.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

static void
test_err_message_grows_from_the_inside_out(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, "node '%s': unknown parent", "a"), -1);
	err_prefix(&e, "%s", "target/manifest.json");
	err_hint(&e, "run `dbt parse`");
	assert_string_equal(e.msg, "target/manifest.json: node 'a': unknown parent");
	assert_string_equal(e.hint, "run `dbt parse`");
	err_set(&e, "again");
	assert_null(e.hint);
	err_release(&e);
	assert_null(e.msg);
}

static void
test_map_keeps_many_keys(void **state)
{
	struct arena a = ARENA_INIT;
	struct map m = MAP_INIT;
	static int values[5000];

	(void)state;
	assert_null(map_get(&m, "absent"));
	for (int i = 0; i < 5000; i++)
		assert_null(map_put(&m, arena_printf(&a, "model.shop.m%d", i), &values[i]));
	for (int i = 0; i < 5000; i++) {
		char key[32];

		snprintf(key, sizeof(key), "model.shop.m%d", i);
		assert_ptr_equal(map_get(&m, key), &values[i]);
	}
	assert_null(map_get(&m, "model.shop.m5000"));
	assert_ptr_equal(map_put(&m, "model.shop.m7", &values[0]), &values[7]);
	assert_int_equal(m.nused, 5000);
	map_release(&m);
	arena_release(&a);
}

/* Under the address sanitizer a piece that is not freed, or freed twice, fails. */
static void
test_an_arena_frees_what_it_adopted(void **state)
{
	struct arena a = ARENA_INIT;

	(void)state;
	for (int i = 0; i < 3; i++)
		arena_adopt(&a, xmalloc(100));
	arena_adopt(&a, NULL);
	assert_non_null(arena_alloc(&a, 10));
	arena_release(&a);
	arena_release(&a);
}

static const char *
safe(const char *text, bool lines)
{
	static struct buf b;

	buf_truncate(&b, 0);
	text_add_safe(&b, text, lines, "  ");
	return buf_str(&b);
}

static void
test_hostile_text_is_made_visible(void **state)
{
	(void)state;
	assert_string_equal(safe("a\033[31mred", false), "a\\x1b[31mred");
	assert_string_equal(safe("a\nb", false), "a\\nb");
	assert_string_equal(safe("a\nb", true), "a\n  b");
	assert_string_equal(safe("\xff" "x", false), "\xef\xbf\xbdx");
	assert_string_equal(safe("caf\xc3\xa9", false), "caf\xc3\xa9");
	assert_string_equal(safe("\xe2\x80\xae" "evil", false), "\\u202eevil");
	assert_string_equal(safe("ok\n::error::x", true), "ok\n  \\::error::x");
	assert_string_equal(safe("::set-output", false), "\\::set-output");
	assert_string_equal(safe("  ::x", false), "  \\::x");
}

static void
test_json_strings_are_quoted(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	text_add_json(&b, "a\"b\\c\n\x01\xff\xc2\x9b\xe2\x80\xae\xc3\xa4");
	assert_string_equal(b.data, "\"a\\\"b\\\\c\\n\\u0001\\ufffd\\u009b\\u202e\xc3\xa4\"");
	buf_release(&b);
}

static void
test_secrets_are_masked_everywhere(void **state)
{
	(void)state;
	secrets_add("hunter2!");
	assert_string_equal(safe("pw=hunter2! and hunter2!", false), "pw=***** and *****");
	secrets_release();
	assert_string_equal(safe("pw=hunter2!", false), "pw=hunter2!");
}

static void
test_did_you_mean(void **state)
{
	static const char *const words[] = { "build", "run", "snapshot", "seed" };

	(void)state;
	assert_string_equal(text_closest("biuld", words, 4), "build");
	assert_string_equal(text_closest("snapshto", words, 4), "snapshot");
	assert_string_equal(text_closest("snap", words, 4), "snapshot");
	assert_null(text_closest("xyzzy", words, 4));
	assert_string_equal(text_closest("rnu", words, 4), "run");
	assert_null(text_closest("foo", words, 4));
}

static void
test_durations(void **state)
{
	(void)state;
	assert_int_equal(clock_parse_duration_ms("5s"), 5000);
	assert_int_equal(clock_parse_duration_ms("1.5m"), 90000);
	assert_int_equal(clock_parse_duration_ms("250ms"), 250);
	assert_int_equal(clock_parse_duration_ms("90"), 90000);
	assert_int_equal(clock_parse_duration_ms("2h"), 7200000);
	assert_int_equal(clock_parse_duration_ms(""), -1);
	assert_int_equal(clock_parse_duration_ms("-1s"), -1);
	assert_int_equal(clock_parse_duration_ms("5 apples"), -1);
}

static void
test_the_next_time_of_day_is_local(void **state)
{
	/* 2023-11-15 12:00 in Berlin */
	const int64_t hour = 3600000, noon = 1700049600000 - hour;

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_int_equal(clock_next_local_ms("13:00", noon), noon + hour);
	assert_int_equal(clock_next_local_ms("12:00:01", noon), noon + 1000);
	/* past: tomorrow */
	assert_int_equal(clock_next_local_ms("12:00", noon), noon + 24 * hour);
	assert_int_equal(clock_next_local_ms("6:00", noon), noon + 18 * hour);
	/* 2024-03-30 12:00: the night to come is an hour shorter. */
	assert_int_equal(clock_next_local_ms("11:00", 1711796400000), 1711796400000 + 22 * hour);
	for (size_t i = 0; i < 9; i++) {
		static const char *const bad[] = { "", "6", "24:00", "12:60", "12:00:60",
		    "12:00x", "-1:00", "x", "1:" };

		assert_int_equal(clock_next_local_ms(bad[i], noon), -1);
	}
	unsetenv("TZ");
	tzset();
}

static void
test_iso_time_is_utc_with_microseconds(void **state)
{
	char out[CLOCK_ISO_SIZE];

	(void)state;
	clock_iso(1700000000123456, out);
	assert_string_equal(out, "2023-11-14T22:13:20.123456Z");
}

static void
test_files_are_replaced_whole(void **state)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(fs_mkdirs("a/b/c", &e), 0);
	assert_int_equal(fs_replace("a/b/c/f", "hello", 5, 0600, &e), 0);
	assert_int_equal(fs_read("a/b/c/f", &b, &e), 0);
	assert_string_equal(b.data, "hello");
	assert_int_equal(fs_replace("a/none/f", "x", 1, 0600, &e), -1);
	assert_non_null(strstr(e.msg, "a/none/f: cannot write: No such file"));
	err_release(&e);
	assert_int_equal(fs_read("absent", &b, &e), -1);
	assert_string_equal(e.msg, "absent: cannot open: No such file or directory");
	err_release(&e);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_message_grows_from_the_inside_out),
		cmocka_unit_test(test_map_keeps_many_keys),
		cmocka_unit_test(test_an_arena_frees_what_it_adopted),
		cmocka_unit_test(test_hostile_text_is_made_visible),
		cmocka_unit_test(test_json_strings_are_quoted),
		cmocka_unit_test(test_secrets_are_masked_everywhere),
		cmocka_unit_test(test_did_you_mean),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_the_next_time_of_day_is_local),
		cmocka_unit_test(test_iso_time_is_utc_with_microseconds),
		cmocka_unit_test(test_files_are_replaced_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
