#include "tests/check.h"

#include "graph/selector.h"
#include "graph/selector_methods.h"
#include "util/buf.h"

static struct arena arena;
static struct err err;

static int
teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	err_release(&err);
	return 0;
}

static void
describe(const struct selector *s, struct buf *b)
{
	static const char *const ops[] = { "", "union", "intersection", "difference" };

	if (s->op != SELECTOR_CRITERION) {
		buf_adds(b, ops[s->op]);
		if (s->mode != MODE_EAGER)
			buf_addf(b, ":%s", selector_mode_name(s->mode));
		buf_addc(b, '(');
		for (size_t i = 0; i < s->nparts; i++) {
			buf_adds(b, i == 0 ? "" : " ");
			describe(s->parts[i], b);
		}
		buf_addc(b, ')');
		return;
	}
	buf_adds(b, s->at ? "@" : "");
	if (s->up && s->up_depth != DEPTH_ALL)
		buf_addf(b, "%zu", s->up_depth);
	buf_adds(b, s->up ? "+" : "");
	buf_adds(b, s->method->name);
	for (size_t i = 0; i < s->words.n; i++)
		buf_addf(b, ".%s", s->words.v[i]);
	buf_addf(b, "[%s]", s->value.text);
	buf_adds(b, s->down ? "+" : "");
	if (s->down && s->down_depth != DEPTH_ALL)
		buf_addf(b, "%zu", s->down_depth);
}

/* The tree as text, or the error. */
static const char *
shown(const struct selector *s)
{
	static struct buf b;

	buf_truncate(&b, 0);
	if (s)
		describe(s, &b);
	else
		buf_adds(&b, err.msg);
	return buf_str(&b);
}

static const char *
parsed(const char *text)
{
	return shown(selector_parse(&arena, text, MODE_EAGER, &err));
}

static void
test_signs_and_methods(void **state)
{
	static const struct {
		const char *text, *tree;
	} cases[] = {
		{ "orders", "fqn[orders]" },
		{ "+orders", "+fqn[orders]" },
		{ "2+orders+3", "2+fqn[orders]+3" },
		{ "0+orders+0", "0+fqn[orders]+0" },
		{ "@orders", "@fqn[orders]" },
		{ "@2+orders", "@2+fqn[orders]" },
		{ "tag:nightly+", "tag[nightly]+" },
		{ "config.meta.owner:me", "config.meta.owner[me]" },
		{ "config.:x", "config.[x]" },
		{ "tag.x.y:v", "tag.x.y[v]" },
		{ "tag:a:b", "tag[a:b]" },
		{ "models/staging", "path[models/staging]" },
		{ "a/b.SQL", "path[a/b.SQL]" },
		{ "orders.SQL", "file[orders.SQL]" },
		{ "orders.py+", "file[orders.py]+" },
		{ "_shop.yml", "fqn[_shop.yml]" },
		{ "", "fqn[]" },
		{ "+", "+fqn[]" },
		{ "++", "+fqn[]+" },
		{ "@", "@fqn[]" },
		{ "3+", "3+fqn[]" },
		{ "tag:+", "tag[]+" },
		{ ":x", "fqn[:x]" },
		{ "unit-test:x", "fqn[unit-test:x]" },
		/* surplus signs belong to the value */
		{ "+@orders", "+fqn[@orders]" },
		{ "orders@", "fqn[orders@]" },
		{ "orders++", "fqn[orders+]+" },
		{ "++orders", "+fqn[+orders]" },
		{ "1+2+orders", "1+fqn[2+orders]" },
		{ "orders+1+2", "fqn[orders+1]+2" },
		{ "orders+x", "fqn[orders+x]" },
		{ "12", "fqn[12]" },
		/* more levels than can be counted are all */
		{ "99999999999999999999999+orders", "+fqn[orders]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(parsed(cases[i].text), cases[i].tree);
}

static void
test_refusals_name_the_criterion(void **state)
{
	(void)state;
	assert_string_equal(parsed("colour:red"),
	    "selection criterion 'colour:red': 'colour' is not a selection method");
	parsed("Tag:x");
	assert_string_equal(err.hint, "did you mean 'tag'?");
	parsed(".x:y");
	assert_string_equal(err.msg, "selection criterion '.x:y': '' is not a selection method");
	assert_string_equal(parsed("@orders+"),
	    "selection criterion '@orders+': '@' in front and '+' behind exclude each other");
	assert_non_null(strstr(parsed("a\nb"), "a line break cannot be part of it"));
}

static const char *
words(const char *select, const char *exclude, enum selector_mode mode)
{
	struct strs s = { &select, 1 }, x = { &exclude, 1 };

	return shown(selector_of_words(&arena, select ? &s : NULL, exclude ? &x : NULL, mode,
	    &err));
}

static void
test_words_are_unions_of_intersections(void **state)
{
	(void)state;
	assert_string_equal(words("a b,tag:c", "d", MODE_EAGER),
	    "difference(union(intersection(fqn[a]) intersection(fqn[b] tag[c])) "
	    "union(intersection(fqn[d])))");
	assert_string_equal(words("a  b", NULL, MODE_EAGER),
	    "difference(union(intersection(fqn[a]) intersection(fqn[]) intersection(fqn[b])) "
	    "union())");
	assert_string_equal(words(",", NULL, MODE_EAGER),
	    "difference(union(intersection(fqn[] fqn[])) union())");
	/* the outermost set is eager whatever the mode */
	assert_string_equal(words("a", NULL, MODE_CAUTIOUS),
	    "difference(union:cautious(intersection:cautious(fqn[a])) union:cautious())");
	assert_string_equal(words(NULL, NULL, MODE_EAGER),
	    "difference(union(intersection(fqn[*]) intersection(source[*]) "
	    "intersection(exposure[*]) "
	    "intersection(metric[*]) intersection(semantic_model[*])) union())");
	assert_string_equal(words("a", "b,nope:c", MODE_EAGER),
	    "selection criterion 'nope:c': 'nope' is not a selection method");
}

static void
test_only_words_of_the_user_are_expected(void **state)
{
	const char *word = "a";
	struct strs given = { &word, 1 };
	const struct selector *s = selector_of_words(&arena, &given, NULL, MODE_EAGER, &err);

	(void)state;
	assert_true(s->parts[0]->parts[0]->expected);
	assert_string_equal(s->parts[0]->parts[0]->raw, "a");
	assert_false(s->parts[0]->expected);
	s = selector_of_words(&arena, NULL, NULL, MODE_EAGER, &err);
	assert_false(s->parts[0]->parts[0]->expected);
}

static void
test_fields_are_asked_for_as_needed(void **state)
{
	(void)state;
	assert_int_equal(selector_fields(selector_parse(&arena, "orders", MODE_EAGER, &err)), 0);
	assert_int_equal(selector_fields(selector_parse(&arena, "a/b", MODE_EAGER, &err)),
	    GRAPH_PATHS);
	assert_int_equal(selector_fields(selector_parse(&arena, "config.materialized:view",
	    MODE_EAGER, &err)), 0);
	assert_int_equal(selector_fields(selector_parse(&arena, "config.schema:x", MODE_EAGER,
	    &err)), GRAPH_CONFIG);
}

/* Every row has what the evaluation calls, and no two have one name. */
static void
test_the_table_of_methods_is_whole(void **state)
{
	size_t n;
	const struct selector_method *all = selector_method_all(&n);

	(void)state;
	assert_int_equal(n, 21);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(all[i].search);
		assert_non_null(all[i].fields);
		assert_ptr_equal(selector_method_find(all[i].name), &all[i]);
	}
	assert_null(selector_method_find("selector"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_signs_and_methods, teardown),
		cmocka_unit_test_teardown(test_refusals_name_the_criterion, teardown),
		cmocka_unit_test_teardown(test_words_are_unions_of_intersections, teardown),
		cmocka_unit_test_teardown(test_only_words_of_the_user_are_expected, teardown),
		cmocka_unit_test_teardown(test_fields_are_asked_for_as_needed, teardown),
		cmocka_unit_test(test_the_table_of_methods_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
