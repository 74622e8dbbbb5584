#include "tests/check.h"

#include "graph/selector_yaml.h"
#include "util/buf.h"
#include "util/text.h"

static void
show_value(struct buf *b, const struct selector_value *v)
{
	if (v->type == VALUE_TEXT)
		text_add_json(b, v->text);
	else if (v->type == VALUE_NUMBER)
		buf_addf(b, "%g", v->number);
	else if (v->type == VALUE_BOOL)
		buf_adds(b, v->truth ? "true" : "false");
	else
		buf_adds(b, v->type == VALUE_NULL ? "null" : v->text);
}

static void
show_depth(struct buf *b, size_t depth)
{
	if (depth != DEPTH_ALL)
		buf_addf(b, "%zu", depth);
}

static void
show(struct buf *b, const struct selector *s)
{
	static const char *const signs[] = { "", " | ", " & ", " - " };

	if (s->op == SELECTOR_CRITERION) {
		buf_adds(b, s->at ? "@" : "");
		if (s->up) {
			show_depth(b, s->up_depth);
			buf_addc(b, '+');
		}
		show_value(b, &s->value);
		if (s->down) {
			buf_addc(b, '+');
			show_depth(b, s->down_depth);
		}
		if (s->mode != MODE_EAGER)
			buf_addf(b, "?%s", selector_mode_name(s->mode));
		return;
	}
	buf_addc(b, '(');
	for (size_t i = 0; i < s->nparts; i++) {
		buf_adds(b, i ? signs[s->op] : "");
		show(b, s->parts[i]);
	}
	buf_addc(b, ')');
}

/* The last selector's tree in one line, or the message. Borrowed until the next call. */
static const char *
read_file_in_mode(const char *text, enum selector_mode mode)
{
	static struct buf b;
	struct selector_file f;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;

	buf_truncate(&b, 0);
	if (selector_file_parse(&f, &a, "selectors.yml", text, strlen(text), mode, &e) < 0)
		buf_adds(&b, e.msg);
	else if (f.nentries)
		show(&b, f.entries[f.nentries - 1].tree);
	err_release(&e);
	arena_release(&a);
	return buf_str(&b);
}

static const char *
read_file(const char *text)
{
	return read_file_in_mode(text, MODE_EAGER);
}

/* A file with one selector of that definition. */
static const char *
read_definition(const char *definition)
{
	struct buf b = BUF_INIT;
	const char *shown;

	buf_addf(&b, "selectors:\n- name: s\n  definition: %s\n", definition);
	shown = read_file(b.data);
	buf_release(&b);
	return shown;
}

static void
test_definitions(void **state)
{
	static const struct { const char *definition, *tree; } cases[] = {
		{ "'2+tag:a b,c+'", "2+\"a b,c\"+" },
		{ "{tag: nightly}", "\"nightly\"" },
		{ "{method: tag, value: a, parents: yes, children: 1, children_depth: 2}",
		  "+\"a\"+2" },
		{ "{method: tag, value: a, childrens_parents: true}", "@\"a\"" },
		{ "{method: tag, value: a, children: true, children_depth: 0}", "\"a\"+" },
		{ "{method: tag, value: a, children: true, children_depth: '0'}", "\"a\"+0" },
		{ "{method: tag, value: a, indirect_selection: cautious}", "\"a\"?cautious" },
		{ "{method: config.meta.n, value: 1}", "1" },
		{ "{method: config.meta.n, value: yes}", "true" },
		{ "{method: config.meta.n, value: 2024-01-31}", "\"2024-01-31\"" },
		{ "{method: config.meta.n, value: [1, a]}", "[1,\"a\"]" },
		{ "{union: ['tag:a', {tag: b}]}", "(\"a\" | \"b\")" },
		{ "{intersection: []}", "()" },
		{ "{union: ['tag:a', {exclude: ['tag:b']}]}", "((\"a\") - \"b\")" },
		{ "{union: ['tag:a', {exclude: ['tag:b', 'tag:c']}]}",
		  "((\"a\") - (\"b\" | \"c\"))" },
		{ "{union: ['tag:a', {exclude: []}]}", "(\"a\")" },
		{ "{union: ['tag:a', {method: tag, value: z, exclude: ['tag:b']}]}",
		  "((\"a\") - \"b\")" },
		{ "{method: tag, value: a, exclude: ['tag:b']}", "(\"a\" - \"b\")" },
		{ "{union: [{intersection: ['a+', 'b'], tag: c}]}", "((\"a\"+ & \"b\"))" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(read_definition(cases[i].definition), cases[i].tree);
}

static void
test_modes_of_the_command_line_reach_criteria_not_sets(void **state)
{
	struct selector_file f;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	const char *text = "selectors: [{name: s, definition: {union: ['tag:a', "
		"{method: tag, value: b, indirect_selection: empty}]}}]";

	(void)state;
	assert_string_equal(read_file_in_mode(text, MODE_CAUTIOUS),
	    "(\"a\"?cautious | \"b\"?empty)");
	assert_int_equal(selector_file_parse(&f, &a, "s", text, strlen(text), MODE_CAUTIOUS, &e),
	    0);
	assert_int_equal(f.entries[0].tree->mode, MODE_EAGER);
	arena_release(&a);
}

static void
test_inheritance(void **state)
{
	(void)state;
	assert_string_equal(read_file(
		"selectors:\n"
		"- {name: a, definition: 'tag:a'}\n"
		"- {name: b, definition: {method: selector, value: a, children: true}}\n"),
		"\"a\"");
	assert_string_equal(read_file(
		"selectors:\n"
		"- {name: a, definition: 'tag:a'}\n"
		"- {name: b, definition: {union: [{method: selector, value: a}, 'tag:b']}}\n"
		"- {name: c, definition: {method: tag, value: c, exclude: [{method: selector, "
		"value: b}]}}\n"),
		"(\"c\" - (\"a\" | \"b\"))");
	assert_string_equal(read_file(
		"selectors:\n"
		"- {name: b, definition: {method: selector, value: a}}\n"
		"- {name: a, definition: 'tag:a'}\n"),
		"selectors.yml:2: selector 'b': no selector 'a' above this one");
}

static void
test_faults_name_file_line_and_selector(void **state)
{
	static const struct { const char *definition, *message; } cases[] = {
		{ "[a, b]", "a definition is text or a map, not a list" },
		{ "{union: [a], intersection: [b]}",
		    "'union' or 'intersection' stands alone in a definition" },
		{ "{union: a}", "'union' takes a list, not text" },
		{ "{union: [[a]]}", "'union' takes texts and maps, not a list" },
		{ "{union: [{exclude: [a]}, {exclude: [b]}]}", "a second 'exclude' in one set" },
		{ "{method: tag, children: true}",
		  "a definition takes one key, or 'method' and 'value'" },
		{ "{method: tag, value: a, indirect_selection: often}",
		    "indirect_selection 'often' is not one of eager, cautious, buildable, empty" },
		{ "{method: tag, value: a, parents_depth: many}",
		  "parents_depth 'many' is not a whole number" },
		{ "{config.meta.x: [1]}", "a list under a method holds definitions, not a number" },
		{ "\"{{ var('x') }}\"", NULL },
		{ "{colour: red}", NULL },
		{ "{selector: s}", NULL },
		{ "{method: tag, value: a, childrens_parents: true, children: true}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *said = read_definition(cases[i].definition);

		assert_true(text_starts(said, "selectors.yml:3: "));
		if (cases[i].message)
			assert_string_equal(said + strlen("selectors.yml:3: selector 's': "),
			    cases[i].message);
	}
	assert_string_equal(read_file("selectors:\n- {name: a, definition: x, default: yes}\n"
		"- {name: b, definition: x, default: on}\n"),
		"selectors.yml:3: selector 'b': 'default: true' is already on 'a'");
	assert_string_equal(read_file("selectors:\n- {name: a, definition: x, tag: b}\n"),
		"selectors.yml:2: selector 'a': unknown key 'tag' in a selector");
	assert_string_equal(read_file("selector: []\n"),
		"selectors.yml:1: unknown key 'selector' in the file");
	assert_string_equal(read_file("- a\n"),
		"selectors.yml:1: a map with 'selectors' is expected, not a list");
	assert_string_equal(read_file("# nothing\n"), "");
}

static void
test_environment_variables(void **state)
{
	(void)state;
	setenv("HEDDLE_T_TAG", "tag:night", 1);
	setenv("HEDDLE_T_TRUE", "True", 1);
	setenv("DBT_ENV_SECRET_X", "hidden", 1);
	unsetenv("HEDDLE_T_NONE");
	assert_string_equal(read_definition("\"{{ env_var('HEDDLE_T_TAG') }}+\""), "\"night\"+");
	assert_string_equal(read_definition("\"tag:{{env_var('HEDDLE_T_NONE', 'x')}}y\""),
	    "\"xy\"");
	assert_string_equal(read_definition("\" {{- env_var(\\\"HEDDLE_T_NONE\\\", "
		"default='tag:q') -}} \""),
		"\"q\"");
	assert_string_equal(read_definition(
		"{config.meta.x: \"{{ env_var('HEDDLE_T_TRUE') | as_bool }}\"}"), "true");
	assert_string_equal(read_definition(
		"{config.meta.x: \"{{ env_var('HEDDLE_T_NONE', '8') | as_number }}\"}"), "8");
	assert_string_equal(read_definition("\"{{ env_var('HEDDLE_T_NONE') }}\""),
		"selectors.yml:3: environment variable 'HEDDLE_T_NONE' is not set");
	assert_string_equal(read_definition("\"{{ env_var('DBT_ENV_SECRET_X') }}\""),
		"selectors.yml:3: cannot render '{{ env_var('DBT_ENV_SECRET_X') }}': secrets are "
		"not allowed here");
	assert_string_equal(read_definition("\"{{ target.name }}\""),
		"selectors.yml:3: cannot render '{{ target.name }}': Jinja that needs dbt");
	assert_string_equal(read_definition("\"{% if true %}a{% endif %}\""),
		"selectors.yml:3: cannot render '{% if true %}a{% endif %}': a Jinja statement");
}

static void
test_default_and_names(void **state)
{
	struct selector_file f;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	const char *text = "selectors:\n- {name: a, definition: x}\n"
		"- {name: b, definition: y, default: true, description: the usual}\n"
		"- {name: a, definition: z}\n";

	(void)state;
	assert_int_equal(selector_file_parse(&f, &a, "s", text, strlen(text), MODE_EAGER, &e), 0);
	assert_int_equal(f.nentries, 2);
	assert_string_equal(selector_file_default(&f)->name, "b");
	assert_string_equal(selector_file_default(&f)->description, "the usual");
	assert_string_equal(selector_file_get(&f, "a", &e)->value.text, "z");
	assert_null(selector_file_get(&f, "c", &e));
	assert_string_equal(e.msg, "no selector named 'c'");
	assert_string_equal(e.hint, "there are: a, b");
	err_release(&e);
	arena_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_definitions),
		cmocka_unit_test(test_modes_of_the_command_line_reach_criteria_not_sets),
		cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_faults_name_file_line_and_selector),
		cmocka_unit_test(test_environment_variables),
		cmocka_unit_test(test_default_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
