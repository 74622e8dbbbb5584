#include "tests/check.h"

#include "exporters/emit.h"
#include "exporters/stamp.h"

static const char *
emitted(const struct emit_language *language, char conversion, const char *text)
{
	static struct buf b;
	struct emit e;

	buf_truncate(&b, 0);
	emit_init(&e, &b, language);
	emit_add(&e, conversion == 'q' ? "%q" : conversion == 'i' ? "%i" : "%c", text);
	return buf_str(&b);
}

static void
test_dot_values_and_ids(void **state)
{
	(void)state;
	assert_string_equal(emitted(&emit_dot, 'q', "a\"b\\n&c\nd"), "\"a\\\"b\\\\n&amp;c\\nd\"");
	assert_string_equal(emitted(&emit_dot, 'i', "model.shop.a\"b"), "\"model.shop.a\\\"b\"");
	/* Graphviz would read \" as a quotation mark inside the id, and the id would not end. */
	assert_string_equal(emitted(&emit_dot, 'i', "back\\"), "\"back%5C\"");
	assert_string_equal(emitted(&emit_dot, 'i', "back%5C"), "\"back%255C\"");
	assert_string_equal(emitted(&emit_dot, 'q', "\xff"), "\"\xef\xbf\xbd\"");
}

static void
test_xml_text(void **state)
{
	(void)state;
	assert_string_equal(emitted(&emit_xml, 'q', "<a href='x'>&\"]]>"),
	    "&lt;a href=&#39;x&#39;&gt;&amp;&quot;]]&gt;");
	assert_string_equal(emitted(&emit_xml, 'q', "a\x01" "b\tc\nd"),
	    "a\xef\xbf\xbd" "b&#9;c&#10;d");
	assert_string_equal(emitted(&emit_xml, 'q', "\xef\xbf\xbf"), "\xef\xbf\xbd");
	assert_string_equal(emitted(&emit_xml, 'q', "\xe6\xa8\xa1\xe5\x9e\x8b"),
	    "\xe6\xa8\xa1\xe5\x9e\x8b");
}

static void
test_json_does_not_end_a_script(void **state)
{
	(void)state;
	assert_string_equal(emitted(&emit_script, 'q', "</script><!--&\"\xe2\x80\xa8"),
	    "\"\\u003c/script\\u003e\\u003c!--\\u0026\\\"\\u2028\"");
	assert_string_equal(emitted(&emit_json, 'q', "</script>\\"), "\"</script>\\\\\"");
}

static void
test_nothing_ends_a_comment(void **state)
{
	(void)state;
	assert_string_equal(emitted(&emit_dot, 'c', "a\nb*/c-->d\"\"\"e\\"), "a b??c?-?d???e?");
	assert_string_equal(emitted(&emit_dot, 'c', "lantern_tea"), "lantern_tea");
}

static const char *
number(double x)
{
	static struct buf b;

	buf_truncate(&b, 0);
	emit_number(&b, x);
	return buf_str(&b);
}

static void
test_numbers_are_short(void **state)
{
	(void)state;
	assert_string_equal(number(12), "12");
	assert_string_equal(number(12.5), "12.5");
	assert_string_equal(number(-0.25), "-0.25");
	assert_string_equal(number(0.005), "0.01");
	assert_string_equal(number(-0.001), "0");
	assert_string_equal(number(1.0 / 0.0), "0");
	assert_string_equal(number(0.0 / 0.0), "0");
}

static void
test_lines_are_indented(void **state)
{
	struct buf b = BUF_INIT;
	struct emit e;

	(void)state;
	emit_init(&e, &b, &emit_json);
	emit_open(&e, "{");
	emit_open(&e, "%q: [", "a\"");
	emit_line(&e, "%z, %u, %f, %s, 5%%", (size_t)1, (uint32_t)2, 2.5, "x");
	emit_close(&e, "]");
	emit_close(&e, "}");
	assert_string_equal(b.data, "{\n  \"a\\\"\": [\n    1, 2, 2.5, x, 5%\n  ]\n}\n");
	buf_release(&b);
}

static void
test_a_stamp_comes_back_from_any_language(void **state)
{
	static const char *const words[] = {
		"heddle", "export", "svg", "--select=+orders --> 'a b'", "--name=\xe6\xa8\xa1 100%",
		"--schedule=0 6 * * *"
	};
	static const char *const around[][2] = {
		{ "// Made by: ", "\n// more" }, { "<metadata>", "</metadata>" },
		{ "  \"made_by\": \"", "\",\n" }, { "%% ", "" }, { "<meta content='", "'>" },
	};
	struct arena a = ARENA_INIT;
	struct buf line = BUF_INIT, file = BUF_INIT;
	struct stamp s;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		stamp_word(&line, words[i]);
	buf_adds(&line, " plan=0123456789abcdef");
	for (size_t i = 0; i < 5; i++) {
		buf_truncate(&file, 0);
		buf_addf(&file, "head\n%s%s%s", around[i][0], line.data, around[i][1]);
		assert_true(stamp_find(&s, &a, file.data));
		assert_int_equal(s.nwords, 6);
		for (size_t k = 0; k < 6; k++)
			assert_string_equal(s.words[k], words[k]);
		assert_string_equal(s.plan, "0123456789abcdef");
	}
	/* No quotation mark, bracket, blank or letter beyond ASCII of a word stands in the line. */
	assert_null(strpbrk(line.data, "'\"<>&\\`{}$#"));
	assert_false(stamp_find(&s, &a, "heddle export svg and no plan"));
	assert_false(stamp_find(&s, &a, "nothing of ours"));
	assert_false(stamp_find(&s, &a, ""));
	buf_release(&line);
	buf_release(&file);
	arena_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dot_values_and_ids),
		cmocka_unit_test(test_xml_text),
		cmocka_unit_test(test_json_does_not_end_a_script),
		cmocka_unit_test(test_nothing_ends_a_comment),
		cmocka_unit_test(test_numbers_are_short),
		cmocka_unit_test(test_lines_are_indented),
		cmocka_unit_test(test_a_stamp_comes_back_from_any_language),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
