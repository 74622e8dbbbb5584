#include "tests/check.h"

#include "util/buf.h"
#include "util/text.h"
#include "util/ytree.h"

static void
show(struct buf *b, const struct ynode *y)
{
	switch (y->type) {
	case YT_NULL:   buf_adds(b, "null"); break;
	case YT_BOOL:   buf_adds(b, y->truth ? "true" : "false"); break;
	case YT_NUMBER: buf_addf(b, "%g", y->number); break;
	case YT_DATE:   buf_addf(b, "date %s", y->text); break;
	case YT_TEXT:   text_add_json(b, y->text); break;
	case YT_LIST:
	case YT_MAP:
		buf_adds(b, y->type == YT_LIST ? "[" : "{");
		for (size_t i = 0; i < y->n; i++) {
			buf_adds(b, i ? ", " : "");
			if (y->type == YT_MAP) {
				show(b, y->keys[i]);
				buf_adds(b, ": ");
			}
			show(b, y->items[i]);
		}
		buf_adds(b, y->type == YT_LIST ? "]" : "}");
		break;
	}
}

/* The tree in one line, or the message. Borrowed until the next call. */
static const char *
read_yaml(const char *text)
{
	static struct buf b;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	const struct ynode *y = ytree_parse(&a, "f.yml", text, strlen(text), &e);

	buf_truncate(&b, 0);
	if (y)
		show(&b, y);
	else
		buf_adds(&b, e.msg);
	err_release(&e);
	arena_release(&a);
	return buf_str(&b);
}

static void
test_plain_scalars_mean_what_they_mean_to_dbt(void **state)
{
	static const struct { const char *text, *value; } cases[] = {
		{ "yes", "true" }, { "Off", "false" }, { "tRue", "\"tRue\"" }, { "~", "null" },
		{ "", "null" }, { "'yes'", "\"yes\"" },
		{ "017", "15" }, { "08", "\"08\"" }, { "0x1F", "31" }, { "0b101", "5" },
		{ "0o17", "\"0o17\"" },
		{ "1_000", "1000" }, { "-0", "0" }, { "1:30", "90" }, { "1:60", "\"1:60\"" },
		{ "1e3", "\"1e3\"" }, { "1.0e3", "\"1.0e3\"" }, { "1.0e+3", "1000" }, { "1.", "1" },
		{ ".5", "0.5" }, { "-.5", "\"-.5\"" }, { ".inf", "inf" },
		{ "2024-01-31", "date 2024-01-31" }, { "2024-1-1", "\"2024-1-1\"" },
		{ "2024-02-30", "\"2024-02-30\"" },
		{ "2024-01-31 9:05:00.5 +2", "date 2024-01-31T09:05:00.500000+02:00" },
		{ "!!str 1", "\"1\"" }, { "!!int '3'", "3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(read_yaml(cases[i].text), cases[i].value);
}

static void
test_maps_keep_their_order_and_the_last_value(void **state)
{
	(void)state;
	assert_string_equal(read_yaml("{b: 1, a: 2, b: 3}"), "{\"b\": 3, \"a\": 2}");
	assert_string_equal(read_yaml("x: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}"),
		"{\"x\": {\"a\": 1, \"b\": 2}, \"y\": {\"a\": 1, \"b\": 3}}");
	assert_string_equal(read_yaml("- &a {k: 1}\n- &b {k: 2, l: 2}\n- <<: [*a, *b]"),
		"[{\"k\": 1}, {\"k\": 2, \"l\": 2}, {\"k\": 1, \"l\": 2}]");
}

static bool
holds(const char *text, const char *part)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const struct ynode *y = ytree_parse(&a, "y", text, strlen(text), &err);
	const struct ynode *p = ytree_parse(&a, "p", part, strlen(part), &err);
	bool all;

	assert_non_null(y);
	assert_non_null(p);
	all = ytree_holds(y, p);
	arena_release(&a);
	return all;
}

static void
test_a_tree_holds_a_part_that_says_less(void **state)
{
	static const char whole[] = "{a: '0 6 * * *', l: [{x: 1, y: yes}, 2], d: 2024-01-01}";

	(void)state;
	assert_true(holds(whole, whole));
	assert_true(holds(whole, "{l: [{y: true}], a: \"0 6 * * *\"}"));
	assert_true(holds(whole, "{l: []}"));
	assert_true(holds(whole, "d: 2024-01-01"));
	assert_false(holds(whole, "d: '2024-01-01'"));
	assert_false(holds(whole, "d: 2024-01-02"));
	assert_false(holds(whole, "{l: [2]}"));
	assert_false(holds(whole, "{l: [{x: 1}, 2, 3]}"));
	assert_false(holds(whole, "{l: [{x: 1, z: 1}]}"));
	assert_false(holds(whole, "{b: null}"));
	assert_false(holds(whole, "l: {}"));
}

static void
test_faults_name_file_and_line(void **state)
{
	(void)state;
	assert_string_equal(read_yaml("a: 1\nb: [1,\n"),
		"f.yml:3: not YAML: did not find expected node content");
	assert_string_equal(read_yaml("a: 1\n---\nb: 2\n"),
		"f.yml:3: a second document begins here; one is expected");
	assert_string_equal(read_yaml("a: 1\nb: *nobody\n"),
	    "f.yml:2: alias 'nobody' has no anchor");
	assert_string_equal(read_yaml("a: &a\n  b: *a\n"),
	    "f.yml:2: alias 'a' stands in what it names");
	assert_string_equal(read_yaml("a: !secret x\n"),
		"f.yml:1: 'x' cannot be read as tag '!secret'");
	assert_string_equal(read_yaml("? [1]\n: 2\n"), "f.yml:1: a list or map cannot be a key");
	assert_string_equal(read_yaml("a: <<\n"), "f.yml:1: a plain '<<' is no value; quote it");
}

static void
test_aliases_cannot_blow_up(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 20; i++)
		buf_addf(&b, "- &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i - 1, i - 1, i - 1, i - 1);
	assert_non_null(strstr(read_yaml(b.data), "too many values once aliases are followed"));
	buf_truncate(&b, 0);
	buf_pad(&b, '[', 300);
	assert_string_equal(read_yaml(b.data), "f.yml:1: nested too deep");
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_scalars_mean_what_they_mean_to_dbt),
		cmocka_unit_test(test_maps_keep_their_order_and_the_last_value),
		cmocka_unit_test(test_a_tree_holds_a_part_that_says_less),
		cmocka_unit_test(test_faults_name_file_and_line),
		cmocka_unit_test(test_aliases_cannot_blow_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
