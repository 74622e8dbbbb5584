#include "executor/python.h"

#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/proc.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

/* Runs before '' would matter: find_spec() looks for "dbt" where dbt itself would be found. */
static const char probe[] =
    "import sys; sys.path[:] = [p for p in sys.path if p]; import importlib.util as u; "
    "sys.exit(0 if u.find_spec('dbt') and u.find_spec('dbt.cli') else 3)";

enum verdict { HAS_DBT, NO_DBT, NO_PYTHON };

/* DIR/bin/python -> whether DIR/lib/python3.x/site-packages/dbt/cli is there. Most are, and then
 * no process has to be started to know. */
static bool
has_dbt_beside(const char *python)
{
	const char *slash = strrchr(python, '/');
	struct buf pattern = BUF_INIT;
	glob_t found = {0};
	bool has = false;

	if (!slash || strpbrk(python, "*?[\\"))
		return false;
	buf_add(&pattern, python, (size_t)(slash - python));
	buf_adds(&pattern, "/../pyvenv.cfg");
	if (fs_exists(buf_str(&pattern))) {
		buf_truncate(&pattern, (size_t)(slash - python));
		buf_adds(&pattern, "/../lib/python3*/site-packages/dbt/cli/main.py");
		has = glob(buf_str(&pattern), 0, NULL, &found) == 0 && found.gl_pathc > 0;
		globfree(&found);
	}
	buf_release(&pattern);
	return has;
}

static enum verdict
try_python(const char *python)
{
	const char *const argv[] = { python, "-c", probe, NULL };
	const struct proc_options o = { .argv = argv, .keep_fd = -1 };
	struct err ignored = ERR_INIT;
	int code = 0;

	if (strchr(python, '/') && access(python, X_OK) != 0)
		return NO_PYTHON;
	if (has_dbt_beside(python))
		return HAS_DBT;
	if (proc_run(&o, &code, NULL, &ignored) < 0) {
		err_release(&ignored);
		return NO_PYTHON;
	}
	return code == 0 ? HAS_DBT : code == 3 ? NO_DBT : NO_PYTHON;
}

/* "#!/path/python" -> the path; "#!/usr/bin/env python3" -> "python3". */
static char *
interpreter_of(const char *line)
{
	size_t n = strcspn(line, " \t\r\n");
	char *word = xstrndup(line, n);

	if (strcmp(fs_base(word), "env") == 0) {
		free(word);
		line += n + strspn(line + n, " \t");
		word = xstrndup(line, strcspn(line, " \t\r\n"));
	}
	return word;
}

char *
python_of_script(const char *path)
{
	/* Where the path is too long for the kernel, pip writes: #!/bin/sh / '''exec' /path ... */
	static const char sh_trick[] = "'''exec' ";
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char *python = NULL, *second;

	if (fs_read(path, &text, &ignored) < 0)
		goto out;
	buf_truncate(&text, text.len < 4096 ? text.len : 4096);
	if (!text_starts(buf_str(&text), "#!"))
		goto out;
	second = strchr(text.data, '\n');
	if (second && text_starts(second + 1, sh_trick)) {
		const char *word = second + 1 + strlen(sh_trick);

		python = *word == '"' ? xstrndup(word + 1, strcspn(word + 1, "\"\n")) :
		    xstrndup(word, strcspn(word, " \n"));
	} else {
		python = interpreter_of(text.data + 2 + strspn(text.data + 2, " \t"));
	}
	if (!strstr(fs_base(python), "python") && !strstr(fs_base(python), "pypy")) {
		free(python);
		python = NULL;
	}
out:
	err_release(&ignored);
	buf_release(&text);
	return python;
}

static char *
find_on_path(const char *name)
{
	const char *path = getenv("PATH");
	char *found = NULL;

	while (path && *path && !found) {
		size_t n = strcspn(path, ":");
		char *dir = n ? xstrndup(path, n) : xstrdup(".");

		found = fs_join(dir, name);
		if (access(found, X_OK) != 0 || fs_is_dir(found)) {
			free(found);
			found = NULL;
		}
		free(dir);
		path += n + (path[n] == ':');
	}
	return found;
}

static char *
of_dbt_on_path(void)
{
	char *dbt = find_on_path("dbt");
	char *python = dbt ? python_of_script(dbt) : NULL;

	free(dbt);
	return python;
}

static char *
of_virtual_env(void)
{
	const char *dir = getenv("VIRTUAL_ENV");

	return dir && *dir ? fs_join(dir, "bin/python") : NULL;
}

/* The project's .venv, unless somebody else could have put it there. */
static char *
of_project(const char *project_dir)
{
	char *dir = fs_join(project_dir ? project_dir : ".", ".venv");
	char *python = NULL;
	struct stat st;

	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & S_IWOTH))
		python = fs_join(dir, "bin/python");
	free(dir);
	return python;
}

static char *
named(const char *python, const char *where, struct err *err)
{
	switch (try_python(python)) {
	case HAS_DBT:
		return xstrdup(python);
	case NO_DBT:
		err_set(err, "%s: '%s' has no dbt", where, python);
		err_hint(err, "install it there: %s -m pip install dbt-core dbt-<adapter>", python);
		return NULL;
	default:
		err_set(err, "%s: '%s' is no Python that runs", where, python);
		return NULL;
	}
}

static void
say_nothing_found(const struct buf *tried, bool any_python, struct err *err)
{
	if (any_python)
		err_set(err, "no Python with dbt found; without dbt: %s", buf_str(tried));
	else
		err_set(err, "no Python found");
	err_hint(err, "activate the environment dbt is installed in, or name it: --python "
	    "/path/to/venv/bin/python, or HEDDLE_PYTHON");
}

char *
python_find(const char *python, const char *project_dir, struct err *err)
{
	const char *from_env = getenv("HEDDLE_PYTHON");
	struct buf tried = BUF_INIT;
	char *candidates[] = { NULL, NULL, NULL, NULL };
	char *found = NULL;
	bool any_python = false;

	if (python)
		return named(python, "--python", err);
	if (from_env && *from_env)
		return named(from_env, "HEDDLE_PYTHON", err);
	candidates[0] = of_virtual_env();
	candidates[1] = of_dbt_on_path();
	candidates[2] = of_project(project_dir);
	candidates[3] = xstrdup("python3");   /* may have dbt without a `dbt` on PATH */
	for (size_t i = 0; i < 4; i++) {
		enum verdict v = candidates[i] && !found ? try_python(candidates[i]) : NO_PYTHON;

		if (v == HAS_DBT) {
			found = xstrdup(candidates[i]);
		} else if (v == NO_DBT) {
			any_python = true;
			buf_addf(&tried, "%s%s", tried.len ? ", " : "", candidates[i]);
		}
	}
	if (!found)
		say_nothing_found(&tried, any_python, err);
	for (size_t i = 0; i < 4; i++)
		free(candidates[i]);
	buf_release(&tried);
	return found;
}
