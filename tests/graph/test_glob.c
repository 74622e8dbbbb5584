#include "tests/check.h"

#include "graph/glob.h"

/* Expected values are those of fnmatch.fnmatchcase() and pathlib.Path.glob() in Python 3.11. */

static bool
matches(const char *pattern, const char *text)
{
	struct arena a = ARENA_INIT;
	struct glob g;
	bool hit;

	glob_compile(&g, &a, pattern, strlen(pattern));
	hit = glob_match(&g, text);
	arena_release(&a);
	return hit;
}

struct glob_case {
	const char *pattern, *text;
	bool hit;
};

static void
check_all(const struct glob_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (matches(cases[i].pattern, cases[i].text) != cases[i].hit)
			fail_msg("'%s' against '%s': expected %d", cases[i].pattern,
			    cases[i].text, cases[i].hit);
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof((cases)[0]))

static void
test_stars_and_question_marks(void **state)
{
	static const struct glob_case cases[] = {
		{ "", "", true }, { "", "a", false }, { "abc", "abc", true },
		{ "abc", "ABC", false },
		{ "abc", "abcd", false }, { "*", "", true }, { "*", "a/b.c", true },
		{ "a*", "a", true },
		{ "*.sql", "a.b.sql", true }, { "*a*b*", "xaxbx", true },
		{ "*a*b*", "xbxax", false },
		{ "a*b*c", "abbbcbc", true }, { "**a", "bba", true }, { "?", "", false },
		{ "?", "a", true },
		{ "?", "\xc3\xa9", true },              /* one character, two bytes */
		{ "?", "\xff", true },                  /* a stray byte counts as one */
		{ "a?c", "a\nc", true }, { "*\xc3\xa9", "caf\xc3\xa9", true },
		{ "?*", "", false }, { "*?", "x", true }, { "a.c", "abc", false },
		{ "a+", "aa", false },
	};

	(void)state;
	CHECK_ALL(cases);
}

static void
test_sets(void **state)
{
	static const struct glob_case cases[] = {
		{ "[abc]", "b", true }, { "[abc]", "d", false }, { "[a-c]x", "bx", true },
		{ "[!a-c]", "d", true }, { "[!a-c]", "b", false }, { "[^a]", "^", true },
		{ "[^a]", "b", false }, { "[]a]", "]", true }, { "[!]a]", "]", false },
		{ "[!]a]", "b", true }, { "[", "[", true }, { "[a", "[a", true },
		{ "a[]", "a[]", true },
		{ "[]", "[]", true }, { "[!]", "[!]", true }, { "a]", "a]", true },
		{ "[a-]", "-", true }, { "[-a]", "-", true }, { "[a-c-e]", "-", true },
		{ "[a-c-e]", "d", false }, { "[--0]", ".", true }, { "[!-a]", "-", false },
		{ "[!-a]", "b", true }, { "[\\]", "\\", true }, { "[a\\-z]", "b", true },
		{ "[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true }, { "[&&~]", "~", true },
		{ "[[]", "[", true },
	};

	(void)state;
	CHECK_ALL(cases);
}

/* Python cuts a range that runs backwards out of the set, and looks for '!' only then. */
static void
test_backward_ranges_vanish(void **state)
{
	static const struct glob_case cases[] = {
		{ "[z-a]", "z", false }, { "[z-a]", "", false }, { "[!z-a]", "q", true },
		{ "[z-ab]", "b", true }, { "[z-ab]", "z", false }, { "[b-a!x]", "x", false },
		{ "[b-a!x]", "y", true }, { "[c-b-a]", "-", true }, { "[c-b-a]", "a", true },
		{ "[b-a!-z]", "-", false }, { "[b-a!-z]", "z", false }, { "[b-a!-z]", "q", true },
	};

	(void)state;
	CHECK_ALL(cases);
}

static bool
path_matches(const char *pattern, const char *path, bool is_folder)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct path_glob p;
	bool hit;

	assert_int_equal(path_glob_compile(&p, &a, pattern, &err), 0);
	hit = path_glob_match(&p, path, is_folder);
	arena_release(&a);
	return hit;
}

static void
test_paths_go_part_by_part(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool is_folder, hit;
	} cases[] = {
		{ "models", "models", true, true }, { "models", "models/a.sql", false, false },
		{ "models/*", "models/a.sql", false, true },
		{ "models/*", "models/x/a.sql", false, false },
		{ "models//./a.sql", "models/a.sql", false, true },
		{ "*.sql", "models/a.sql", false, false },
		{ "**", "", true, true }, { "**", "models", true, true },
		{ "**", "models/a.sql", false, false },
		{ "**/*.sql", "a.sql", false, true }, { "**/*.sql", "x/y/a.sql", false, true },
		{ "x/**/y", "x/y", true, true }, { "x/**/y", "x/a/b/y", true, true },
		{ "x/**", "x", true, true }, { "x/**/**/z", "x/a/z", false, true },
		{ "models/", "models", true, true }, { "models/a.sql/", "models/a.sql", false,
		  false },
		{ "../s", "../s", true, true }, { "*/s", "../s", true, false },
		{ "**/s", "../s", true, false },
		{ "../**/s", "../a/s", true, true }, { "[a]*", "a[1]", false, true },
		{ "a[1]", "a[1]", false, false }, { "a]", "a]", false, true },
		{ "models", "", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (path_matches(cases[i].pattern, cases[i].path,
		    cases[i].is_folder) != cases[i].hit)
			fail_msg("'%s' against '%s': expected %d", cases[i].pattern,
			    cases[i].path, cases[i].hit);
}

static void
test_bad_paths_are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "./", "/models", "models/**.sql", "a**/b",
	    "***" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		struct path_glob p;

		if (path_glob_compile(&p, &a, bad[i], &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(err.msg);
		err_release(&err);
		arena_release(&a);
	}
}

/* Many stars must not cost exponential time. */
static void
test_hostile_patterns_end(void **state)
{
	char text[2001], pattern[400];
	size_t n = 0;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(pattern + n, sizeof(pattern) - n, "a*");
	snprintf(pattern + n, sizeof(pattern) - n, "b");
	assert_false(matches(pattern, text));
	for (n = 0; n < 390; n += 3)
		memcpy(pattern + n, "**/", 3);
	strcpy(pattern + n, "b");
	for (size_t i = 1; i < sizeof(text) - 2; i += 2)
		text[i] = '/';
	text[sizeof(text) - 2] = 'a';
	assert_false(path_matches(pattern, text, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stars_and_question_marks),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_backward_ranges_vanish),
		cmocka_unit_test(test_paths_go_part_by_part),
		cmocka_unit_test(test_bad_paths_are_refused),
		cmocka_unit_test(test_hostile_patterns_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
