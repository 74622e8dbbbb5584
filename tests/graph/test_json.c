#include "tests/check.h"

#include "graph/json.h"

static void
test_equality_is_pythons(void **state)
{
	static const struct { const char *a, *b; bool equal; } cases[] = {
		{ "1", "1.0", true }, { "1", "true", true }, { "0", "false", true },
		{ "1", "\"1\"", false },
		{ "true", "\"true\"", false }, { "null", "false", false }, { "null", "0", false },
		{ "-0", "0", true }, { "1e2", "100", true }, { "0.1", "0.10", true },
		{ "10", "1", false },
		{ "12345678901234567", "12345678901234568", false },
		{ "[]", "{}", false }, { "[1, 2]", "[2, 1]", false },
		{ "[1,2]", "[ 1, 2.0 ]", true },
		{ "[1]", "[1, 1]", false },
		{ "{\"a\": 1, \"b\": [true]}", "{\"b\":[1],\"a\":1.0}", true },
		{ "{\"a\": null}", "{}", false }, { "{\"a\": 1}", "{\"b\": 1}", false },
		{ "\"caf\\u00e9\"", "\"caf\xc3\xa9\"", true }, { "\"a\\/b\"", "\"a/b\"", true },
		{ "\"\\ud83c\\udf75\"", "\"\xf0\x9f\x8d\xb5\"", true },
		{ "\"\\ud83c\"", "\"\\udf75\"", false },
		{ "{\"caf\\u00e9\": 1}", "{\"caf\xc3\xa9\": 1}", true },
		{ "\"a\"", "\"ab\"", false }, { "\"\"", "\"\"", true },
		{ NULL, NULL, true }, { NULL, "null", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (json_equal(cases[i].a, cases[i].b) != cases[i].equal)
			fail_msg("%s == %s should be %d", cases[i].a, cases[i].b, cases[i].equal);
		if (json_equal(cases[i].b, cases[i].a) != cases[i].equal)
			fail_msg("%s == %s should be %d", cases[i].b, cases[i].a, cases[i].equal);
	}
}

static void
test_absent_keys_equal_their_defaults_where_dbt_has_classes(void **state)
{
	static const struct { const char *a, *b; bool equal; } cases[] = {
		{ "{\"name\": \"a\", \"config\": null}", "{\"name\": \"a\"}", true },
		{ "{\"name\": \"a\", \"is_partition\": false}", "{\"name\": \"a\"}", true },
		{ "{\"name\": \"a\", \"is_partition\": true}", "{\"name\": \"a\"}", false },
		{ "{\"warn_after\": {\"count\": null, \"period\": null}}", "{}", true },
		{ "{\"warn_after\": null}", "{\"warn_after\": {}}", false },
		{ "{\"enabled\": true}", "{}", true }, { "{\"enabled\": false}", "{}", false },
		{ "{\"cache\": {\"enabled\": false}}", "{}", true },
		{ "{\"cache\": {\"enabled\": true}}", "{}", false },
		{ "[{\"type\": \"unique\", \"warn_unenforced\": true, \"to_columns\": []}]",
		    "[{\"type\": \"unique\"}]", true },
		{ "null", NULL, true }, { "[]", NULL, true }, { "\"x\"", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (json_equal_typed(cases[i].a, cases[i].b) != cases[i].equal ||
		    json_equal_typed(cases[i].b, cases[i].a) != cases[i].equal)
			fail_msg("%s and %s should be %d", cases[i].a, cases[i].b, cases[i].equal);
}

static void
test_values_are_found_where_they_stand(void **state)
{
	const char *text = "{ \"a\" : [1, {\"b\": \"x\\\"}\"}, null], \"c\\u0061\": true } tail";
	const char *list = json_get(text, "a"), *second = json_next(json_first(list));
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(json_count(text), 2);
	assert_int_equal(json_count(list), 3);
	json_add_string(&b, json_get(second, "b"));
	assert_string_equal(b.data, "x\"}");
	assert_true(json_is_true(json_get(text, "ca")));
	assert_null(json_get(text, "d"));
	assert_null(json_get(list, "a"));
	assert_true(json_is_null(json_next(second)));
	assert_null(json_next(json_next(second)));
	assert_string_equal(json_end(text), " tail");
	assert_false(json_truth("[ ]"));
	assert_true(json_truth("{\"a\": 0}"));
	assert_false(json_truth("0.0"));
	assert_true(json_truth("\"false\""));
	buf_release(&b);
}

/* What the reader would have refused must not lead out of the text. */
static void
test_broken_text_is_survived(void **state)
{
	static const char *const texts[] = {
		"", "{", "[", "{\"a", "{\"a\\", "{\"a\":", "[1,", "\"\\u12", "\"\\ud83c\\u", "]",
		"{]", "{,}",
		"[[[[", "nul", "-", "{\"a\" 1}", "\"", "{\"a\":}", "[,]", "{1:2}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++) {
			struct buf b = BUF_INIT;

			json_equal(texts[i], texts[k]);
			json_equal_typed(texts[i], texts[k]);
			json_get(texts[i], "a");
			json_truth(texts[i]);
			json_add_string(&b, texts[i]);
			assert_true(json_len(texts[i]) <= strlen(texts[i]));
			buf_release(&b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality_is_pythons),
		cmocka_unit_test(test_absent_keys_equal_their_defaults_where_dbt_has_classes),
		cmocka_unit_test(test_values_are_found_where_they_stand),
		cmocka_unit_test(test_broken_text_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
