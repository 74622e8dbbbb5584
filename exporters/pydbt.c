#include "exporters/pydbt.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/ids.h"
#include "util/text.h"
#include "util/xalloc.h"

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
pydbt_check_options(const char *target, const struct task_options *o, struct err *err)
{
	const char *unused = o->image ? "image" : o->secret ? "secret" : o->assets ? "assets" : NULL;

	if (o->schedule && text_starts(o->schedule, "asset:"))
		return err_set(err, "--schedule: %s starts by a cron line", target);
	if (!unused)
		return 0;
	err_set(err, "--%s: %s has no use for it", unused, target);
	return o->assets ? -1 : err_hint(err, "the commands run where the file runs: name the image there");
}

bool
pydbt_is_scheduled(const struct task_options *o)
{
	return o->schedule && strcmp(o->schedule, "none") != 0;
}

void
pydbt_imports(struct emit *e, bool results, const char *const *more)
{
	const char *names[16] = { "import os", "import signal", "import subprocess", "import tempfile",
		"from pathlib import Path" };
	size_t n = 5;

	if (results)
		names[n++] = "import json";
	for (; more && *more && n < sizeof(names) / sizeof(*names); more++)
		names[n++] = *more;
	/* `import x` lines before `from x import y` lines, each by name. */
	qsort(names, n, sizeof(*names), by_text);
	for (int from = 0; from < 2; from++)
		for (size_t i = 0; i < n; i++)
			if (text_starts(names[i], "from ") == (from == 1))
				emit_line(e, "%s", names[i]);
}

void
pydbt_docstring(struct emit *e, const struct export_job *job)
{
	emit_line(e, "");
	emit_line(e, "Made by: %s", job->stamp);
	emit_line(e, "Out of date?  heddle export --check FILE");
	if (steps_about_hooks(job->tasks)) {
		emit_line(e, "");
		emit_line(e, "%s", steps_about_hooks(job->tasks));
	}
}

void
pydbt_list(struct emit *e, const char *const *words, size_t n)
{
	emit_add(e, "[");
	for (size_t i = 0; i < n; i++)
		emit_add(e, "%s%q", i ? ", " : "", words[i]);
	emit_add(e, "]");
}

void
pydbt_command(struct emit *e, const struct step *s)
{
	struct argv a = ARGV_INIT;

	argv_step(&a, s);
	pydbt_list(e, a.v, a.n);
	argv_release(&a);
}

static void
write_list(struct emit *e, const char *name, const struct argv *a)
{
	emit_indent(e);
	emit_add(e, "%s = ", name);
	pydbt_list(e, a->v, a->n);
	emit_add(e, "\n");
}

void
pydbt_constants(struct emit *e, const struct task_options *o)
{
	struct argv program = ARGV_INIT, flags = ARGV_INIT;

	argv_program(&program, o);
	argv_flags(&flags, o);
	argv_add_flag(&flags, "--vars", o->vars);
	write_list(e, "DBT", &program);
	emit_line(e, "# Of every command. A selection that finds nothing is an error.");
	write_list(e, "FLAGS", &flags);
	argv_release(&program);
	argv_release(&flags);
}

void
pydbt_function(struct emit *e, const struct task_options *o, bool results)
{
	emit_open(e, "def run_dbt(words, timeout):");
	emit_line(e, results ?
	    "\"\"\"One dbt command; its exit code, and what it says of each node if it gets that far.\"\"\"" :
	    "\"\"\"One dbt command; an exit code other than 0 is raised.\"\"\"");
	emit_open(e, "with tempfile.TemporaryDirectory(prefix=\"dbt-\") as target:");
	emit_line(e, "# Commands side by side must not share a target folder; the saved parse is taken along.");
	emit_line(e, "env = {**os.environ, \"DBT_TARGET_PATH\": target, \"DBT_LOG_PATH\": target}");
	if (o->project_dir)
		emit_line(e, "parsed = Path(%q, \"target\", \"partial_parse.msgpack\")", o->project_dir);
	else
		emit_line(e, "parsed = Path(os.environ.get(\"DBT_PROJECT_DIR\", \".\"), \"target\", \"partial_parse.msgpack\")");
	emit_open(e, "if parsed.exists():");
	emit_line(e, "env.setdefault(\"DBT_PARTIAL_PARSE_FILE_PATH\", str(parsed.resolve()))");
	e->depth--;
	emit_open(e, "with subprocess.Popen([*DBT, *words, *FLAGS], env=env) as process:");
	emit_open(e, "try:");
	emit_line(e, "code = process.wait(timeout)");
	emit_close(e, "except BaseException:  # too late, or cancelled: dbt gets the chance to cancel its queries");
	e->depth++;
	emit_line(e, "process.send_signal(signal.SIGINT)");
	emit_open(e, "try:");
	emit_line(e, "process.wait(30)");
	emit_close(e, "except subprocess.TimeoutExpired:");
	e->depth++;
	emit_line(e, "process.kill()");
	e->depth--;
	emit_line(e, "raise");
	e->depth -= 2;
	if (results) {
		emit_line(e, "written = Path(target, \"run_results.json\")");
		emit_line(e, "return code, json.loads(written.read_text())[\"results\"] if written.exists() else []");
	} else {
		emit_open(e, "if code:");
		emit_line(e, "raise subprocess.CalledProcessError(code, [*DBT, *words])");
		e->depth--;
	}
	e->depth -= 2;
	emit_line(e, "");
	emit_line(e, "");
}

char *
pydbt_name(const char *text)
{
	struct buf b = BUF_INIT;

	id_add_text(&b, text, text, &id_plain);
	return buf_detach(&b);
}
