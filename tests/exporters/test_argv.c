/* Commands as words and as lines of a shell; names and literals of Kubernetes; policies of
 * steps. */
#include "tests/check.h"

#include "exporters/argv.h"
#include "exporters/k8s.h"
#include "exporters/policy.h"

static const char *
line_of(const char *const *words, size_t n)
{
	static struct buf b;
	struct argv a = ARGV_INIT;

	buf_truncate(&b, 0);
	argv_add_list(&a, "dbt", words, n);
	argv_line(&a, &b);
	argv_release(&a);
	return buf_str(&b);
}

static void
test_no_expression_stands_in_a_line(void **state)
{
	static const char *const pebble[] = { "fqn:shop.a{{ds}}", "{% raw %}", "{{{#x" };
	static const char *const github[] = { "${{ secrets.A }}", "it's {{" };

	(void)state;
	assert_string_equal(line_of(pebble, 3),
	    "dbt 'fqn:shop.a{''{ds}}' '{''% raw %}' '{''{''{''#x'");
	assert_string_equal(line_of(github, 2), "dbt '${''{ secrets.A }}' 'it'\\''s {''{'");
}

static const char *
name_of(const char *text, size_t max)
{
	static struct buf b;

	buf_truncate(&b, 0);
	k8s_add_name(&b, text, max);
	return buf_str(&b);
}

static void
test_names_are_labels(void **state)
{
	(void)state;
	assert_string_equal(name_of("lantern_tea", 52), "lantern-tea");
	assert_string_equal(name_of("", 52), "dbt");
	assert_int_equal(strlen(
	    name_of("a-project-of-a-name-that-is-longer-than-a-label-may-be-at-all", 52)), 52);
	assert_int_equal(strncmp(name_of("Shop & Sons", 52), "shop-sons-", 10), 0);
	assert_int_equal(strlen(name_of("\xe6\xa8\xa1", 52)), strlen("dbt-01234567"));
	/* cut where a mark stands */
	assert_int_equal(name_of("abcdefgh_ijklmnopq", 17)[7], 'h');
}

static const char *
literal_of(const char *text)
{
	static struct buf b;

	buf_truncate(&b, 0);
	k8s_add_literal(&b, text);
	return buf_str(&b);
}

static void
test_literals_name_no_variable(void **state)
{
	(void)state;
	assert_string_equal(literal_of("a$(HOME)b"), "a$$(HOME)b");
	assert_string_equal(literal_of("$$(HOME)"), "$$$$(HOME)");
	assert_string_equal(literal_of("$HOME $(a b) $("), "$HOME $(a b) $(");
}

static void
test_usual_policy(void **state)
{
	struct step v[3] = {
		{ .policy = { .max_attempts = 2, .delay_ms = 5000, .factor = 2,
		    .timeout_ms = 1000 } },
		{ .policy = { .max_attempts = 4, .delay_ms = 5000, .factor = 2 } },
		{ .policy = { .max_attempts = 4, .delay_ms = 5000, .factor = 2 } },
	};
	struct steps s = { .v = v, .n = 3 };
	struct task_policy usual = policy_usual(&s), first = policy_of(&v[0]);

	(void)state;
	assert_int_equal(usual.max_attempts, 4);
	assert_int_equal(usual.timeout_ms, 60 * 60 * 1000);
	assert_false(policy_same(&usual, &first));
	assert_int_equal(policy_of(&(struct step){ 0 }).max_attempts, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_expression_stands_in_a_line),
		cmocka_unit_test(test_names_are_labels),
		cmocka_unit_test(test_literals_name_no_variable),
		cmocka_unit_test(test_usual_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
