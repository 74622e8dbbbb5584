#include "tests/check.h"

#include <stdlib.h>

#include "executor/template.h"

static struct err err;

/* The words of the command for a node of this name, each in brackets; or "error: ...". */
static const char *
filled(const char *text, const char *name)
{
	static struct buf out;
	const char *const values[NTEMPLATE_FIELDS] = { "model.shop.x", "shop.x", name, "model",
		"run",
		"fqn:shop.x" };
	struct template_call call = TEMPLATE_CALL_INIT;
	struct template *t = template_parse(text, &err);

	buf_truncate(&out, 0);
	if (!t) {
		buf_addf(&out, "error: %s", err.msg);
		return buf_str(&out);
	}
	template_fill(t, values, &call);
	template_fill(t, values, &call);     /* a call is used again */
	for (size_t i = 0; call.argv[i]; i++)
		buf_addf(&out, "[%s]", call.argv[i]);
	template_call_release(&call);
	template_free(t);
	return buf_str(&out);
}

static void
test_words_are_split_as_a_shell_does(void **state)
{
	static const struct { const char *text, *words; } cases[] = {
		{ "true", "[true]" },
		{ "  a  b\tc \n", "[a][b][c]" },
		{ "a 'b c' \"d e\" f\\ g", "[a][b c][d e][f g]" },
		{ "a '' \"\" b", "[a][][][b]" },
		{ "a 'x'\"y\"z", "[a][xyz]" },
		{ "a \"q\\\"q\" '\\n' \"\\n\"", "[a][q\"q][\\n][\\n]" },
		{ "a {name} b{name}c", "[a][N][bNc]" },
		{ "a '{name}' \"--x={name}\"", "[a][N][--x=N]" },
		{ "a \\{name} {name:q}", "[a][{name}][N]" },
		{ "a --format '{{json .}}' {} {x:y}", "[a][--format][{{json .}}][{}][{x:y}]" },
		{ "dbt {verb} -s {select} {fqn} {unique_id} {resource_type}",
		  "[dbt][run][-s][fqn:shop.x][shop.x][model.shop.x][model]" },
		{ "a --opt=x x=y", "[a][--opt=x][x=y]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(filled(cases[i].text, "N"), cases[i].words);
}

static void
test_a_field_is_one_word_whatever_is_in_it(void **state)
{
	(void)state;
	assert_string_equal(filled("a {name}", "x y; $(reboot) 'q' \"d\""),
	    "[a][x y; $(reboot) 'q' \"d\"]");
	assert_string_equal(filled("a {name:q}", "it's $(reboot)"), "[a]['it'\\''s $(reboot)']");
	assert_string_equal(filled("a {name}", "{verb}"), "[a][{verb}]");
	assert_string_equal(filled("a {name}{name}", ""), "[a][]");
}

static void
test_a_shell_only_when_the_text_needs_one(void **state)
{
	static const struct { const char *text, *script; } cases[] = {
		{ "a | b", "a | b" },
		{ "a {name} >log", "a \"${HEDDLE_NAME}\" >log" },
		{ "a \"$HOME {name}\"", "a \"$HOME ${HEDDLE_NAME}\"" },
		{ "a '{name}' && b", "a ''\"${HEDDLE_NAME}\"'' && b" },
		{ "a {name:q} && b", "a \"${HEDDLE_NAME_QUOTED}\" && b" },
		{ "X=1 a", "X=1 a" },
		{ "exit 3", "exit 3" },
		{ "a *.sql", "a *.sql" },
		{ "a # b", "a # b" },
		{ "a\nb", "a\nb" },
		{ "a ${name} {name}", "a ${name} \"${HEDDLE_NAME}\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];

		snprintf(expected, sizeof(expected), "[/bin/sh][-c][%s]", cases[i].script);
		assert_string_equal(filled(cases[i].text, "$(reboot)"), expected);
	}
	assert_string_equal(filled("a '|' \"&;<>\" \\| a#b", "N"), "[a][|][&;<>][|][a#b]");
}

static void
test_variables_hold_the_fields(void **state)
{
	const char *const values[NTEMPLATE_FIELDS] = { "u", "f", "it's", "model", "run", "s" };
	struct template *t = template_parse("a {name:q} | b", &err);
	struct template_call call = TEMPLATE_CALL_INIT;
	struct buf all = BUF_INIT;

	(void)state;
	template_fill(t, values, &call);
	for (size_t i = 0; call.env[i]; i++)
		buf_addf(&all, "%s ", call.env[i]);
	assert_string_equal(buf_str(&all), "HEDDLE_UNIQUE_ID=u HEDDLE_FQN=f HEDDLE_NAME=it's "
	    "HEDDLE_NAME_QUOTED='it'\\''s' HEDDLE_RESOURCE_TYPE=model HEDDLE_VERB=run "
	    "HEDDLE_SELECT=s ");
	buf_release(&all);
	template_call_release(&call);
	template_free(t);
}

static void
test_faults_are_found_before_anything_runs(void **state)
{
	(void)state;
	assert_string_equal(filled("", "N"), "error: it is empty");
	assert_string_equal(filled("a 'b", "N"), "error: a quote (') is not closed");
	assert_string_equal(filled("a {nmae}", "N"), "error: unknown field '{nmae}'");
	assert_string_equal(err.hint, "did you mean '{name}'?");
}

static void
test_a_field_for_an_inner_shell_is_quoted_once_more(void **state)
{
	static const char *const refused[] = {
		"ssh host dbt run -s {name}", "/usr/bin/ssh host 'dbt run -s {name}'",
		"sh -c 'dbt {name}'",
		"docker exec c bash -lc \"dbt {name}\"", "a | ssh host {name}",
		"cd x && sh -e -c 'a {name}'",
	};
	static const char *const fine[] = {
		"ssh host dbt run -s {name:q}", "sh -c 'dbt {name:q}'",
		"sh -c 'dbt \"$1\"' sh {name}",
		"sh run.sh -c {name}", "docker exec c dbt {name}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_non_null(strstr(filled(refused[i], "N"),
		    "hands the field {name} to a shell"));
		assert_string_equal(err.hint, "write {name:q} there: it is quoted once more");
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_int_equal(filled(fine[i], "N")[0], '[');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_split_as_a_shell_does),
		cmocka_unit_test(test_a_field_is_one_word_whatever_is_in_it),
		cmocka_unit_test(test_a_shell_only_when_the_text_needs_one),
		cmocka_unit_test(test_variables_hold_the_fields),
		cmocka_unit_test(test_faults_are_found_before_anything_runs),
		cmocka_unit_test(test_a_field_for_an_inner_shell_is_quoted_once_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
