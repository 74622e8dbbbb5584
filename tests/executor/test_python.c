#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "executor/python.h"
#include "util/fs.h"

static struct err err;

static void
write_file(const char *path, const char *text)
{
	assert_int_equal(fs_replace(path, text, strlen(text), 0755, &err), 0);
	chmod(path, 0755);
}

/* A stand-in for an interpreter: answers the question whether it has dbt. */
static void
make_python(const char *dir, bool with_dbt)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/bin", dir);
	assert_int_equal(fs_mkdirs(path, &err), 0);
	snprintf(path, sizeof(path), "%s/bin/python", dir);
	write_file(path, with_dbt ? "#!/bin/sh\nexit 0\n" : "#!/bin/sh\nexit 3\n");
}

/* Borrowed until the next call; "error: ..." when there is none. */
static const char *
find(const char *python, const char *project)
{
	static char *found;
	static char text[1024];

	free(found);
	found = python_find(python, project, &err);
	if (found)
		return found;
	snprintf(text, sizeof(text), "error: %s", err.msg);
	return text;
}

static int
clean(void **state)
{
	(void)state;
	unsetenv("HEDDLE_PYTHON");
	unsetenv("VIRTUAL_ENV");
	setenv("PATH", "/nowhere", 1);
	return 0;
}

static void
test_the_order(void **state)
{
	(void)state;
	make_python("named", true);
	make_python("variable", true);
	make_python("active", true);
	make_python("project/.venv", true);
	make_python("tools", true);
	write_file("tools/bin/dbt", "#!tools/bin/python\nimport dbt\n");
	setenv("HEDDLE_PYTHON", "variable/bin/python", 1);
	setenv("VIRTUAL_ENV", "active", 1);
	setenv("PATH", "/nowhere:tools/bin", 1);
	assert_string_equal(find("named/bin/python", "project"), "named/bin/python");
	assert_string_equal(find(NULL, "project"), "variable/bin/python");
	unsetenv("HEDDLE_PYTHON");
	assert_string_equal(find(NULL, "project"), "active/bin/python");
	unsetenv("VIRTUAL_ENV");
	assert_string_equal(find(NULL, "project"), "tools/bin/python");
	setenv("PATH", "/nowhere", 1);
	assert_string_equal(find(NULL, "project"), "project/.venv/bin/python");
}

static void
test_one_without_dbt_is_passed_over(void **state)
{
	(void)state;
	make_python("empty", false);
	make_python("project/.venv", true);
	setenv("VIRTUAL_ENV", "empty", 1);
	assert_string_equal(find(NULL, "project"), "project/.venv/bin/python");
}

static void
test_one_that_was_named_is_not(void **state)
{
	(void)state;
	make_python("empty", false);
	make_python("project/.venv", true);
	assert_string_equal(find("empty/bin/python", "project"),
	    "error: --python: 'empty/bin/python' has no dbt");
	assert_non_null(strstr(err.hint, "-m pip install dbt-core"));
	assert_string_equal(find("absent", "project"),
	    "error: --python: 'absent' is no Python that runs");
	setenv("HEDDLE_PYTHON", "empty/bin/python", 1);
	assert_string_equal(find(NULL, "project"),
	    "error: HEDDLE_PYTHON: 'empty/bin/python' has no dbt");
}

static void
test_a_foreign_venv_is_not_run(void **state)
{
	(void)state;
	make_python("foreign/.venv", true);
	chmod("foreign/.venv", 0777);   /* anybody may have put it there */
	assert_string_equal(find(NULL, "foreign"), "error: no Python found");
	chmod("foreign/.venv", 0755);
	if (geteuid() == 0) {
		assert_int_equal(chown("foreign/.venv", 12345, 12345), 0);
		assert_string_equal(find(NULL, "foreign"), "error: no Python found");
	}
}

static void
test_none_says_what_to_do(void **state)
{
	(void)state;
	assert_string_equal(find(NULL, "nothing"), "error: no Python found");
	assert_non_null(strstr(err.hint, "HEDDLE_PYTHON"));
	make_python("empty", false);
	setenv("VIRTUAL_ENV", "empty", 1);
	assert_string_equal(find(NULL, "nothing"),
	    "error: no Python with dbt found; without dbt: empty/bin/python");
}

static void
test_console_scripts(void **state)
{
	static const struct {
		const char *text, *python;
	} rows[] = {
		{ "#!/opt/venv/bin/python3.11\n", "/opt/venv/bin/python3.11" },
		{ "#!/opt/venv/bin/python -sE\n", "/opt/venv/bin/python" },
		{ "#!/usr/bin/env python3\n", "python3" },
		{ "#!/bin/sh\n'''exec' \"/a long/bin/python\" \"$0\" \"$@\"\n' '''\n",
		  "/a long/bin/python" },
		{ "#!/bin/sh\nexec docker run dbt\n", NULL },
		{ "\177ELF", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *python;

		write_file("script", rows[i].text);
		python = python_of_script("script");
		if (rows[i].python)
			assert_string_equal(python, rows[i].python);
		else
			assert_null(python);
		free(python);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_order, clean),
		cmocka_unit_test_setup(test_one_without_dbt_is_passed_over, clean),
		cmocka_unit_test_setup(test_one_that_was_named_is_not, clean),
		cmocka_unit_test_setup(test_a_foreign_venv_is_not_run, clean),
		cmocka_unit_test_setup(test_none_says_what_to_do, clean),
		cmocka_unit_test_setup(test_console_scripts, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
