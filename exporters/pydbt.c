#include "exporters/pydbt.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/ids.h"
#include "exporters/pycall.h"
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
	const char *unused = o->image ? "image" : o->secret ? "secret" : o->assets ? "assets" :
		NULL;

	if (!unused)
		return 0;
	err_set(err, "--%s: %s has no use for it", unused, target);
	return o->assets ? -1 :
		err_hint(err, "the commands run where the file runs: name the image there");
}

/* Where the target folder of a command is. */
enum home {
	HOME_TEMPORARY,
	HOME_KEPT,       /* one a task, in the project's */
	HOME_PROJECT,    /* the project's own: nothing runs beside */
};

static enum home
home_of(const struct task_options *o)
{
	if (o->granularity == GRANULARITY_ALL)
		return HOME_PROJECT;
	if (o->granularity != GRANULARITY_NODE && o->runner == RUNNER_HEDDLE)
		return HOME_KEPT;
	return HOME_TEMPORARY;
}

void
pydbt_imports(struct emit *e, const struct task_options *o, const char *const *more)
{
	const char *names[16] = { "import signal", "import subprocess" };
	enum home home = home_of(o);
	size_t n = 2;

	if (home == HOME_TEMPORARY)
		names[n++] = "import tempfile";
	if (home != HOME_PROJECT) {
		names[n++] = "import os";
		names[n++] = "from pathlib import Path";
	}
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

/* NAME = ["a", "b"] */
static void
write_list(struct emit *e, const char *open, const struct argv *a)
{
	struct buf args = BUF_INIT;
	struct emit words;

	emit_init(&words, &args, &emit_python);
	for (size_t i = 0; i < a->n; i++)
		emit_add(&words, "%s%q", i ? "," PYCALL_BREAK : "", a->v[i]);
	pycall_write(e, open, &args, "]");
	buf_release(&args);
}

void
pydbt_constants(struct emit *e, const struct task_options *o)
{
	struct argv program = ARGV_INIT, flags = ARGV_INIT;

	argv_program(&program, o);
	argv_flags(&flags, o);
	argv_add_flag(&flags, "--vars", o->vars);
	write_list(e, "DBT = [", &program);
	emit_line(e, "# Of every command. A selection that finds nothing is an error.");
	write_list(e, "FLAGS = [", &flags);
	argv_release(&program);
	argv_release(&flags);
}

/* ---- run_dbt() ---- */

bool
pydbt_asks_self(const struct task_options *o)
{
	return o->granularity != GRANULARITY_NODE && o->runner == RUNNER_HEDDLE;
}

const char *
pydbt_task_is(const struct task_options *o)
{
	return o->granularity == GRANULARITY_ALL ? "run" :
		granularity_names[o->granularity];
}

/* Path(project, "target", more): `more` is Python, or NULL. */
static void
add_target(struct emit *e, const struct task_options *o, const char *more)
{
	if (o->project_dir)
		emit_add(e, "Path(%q, \"target\"", o->project_dir);
	else
		emit_add(e, "Path(os.environ.get(\"DBT_PROJECT_DIR\", \".\"), \"target\"");
	emit_add(e, "%s%s)", more ? ", " : "", more ? more : "");
}

/* The environment of a command with a target folder that no other has. */
static void
write_temporary(struct emit *e, const struct task_options *o)
{
	emit_open(e, "with tempfile.TemporaryDirectory(prefix=\"dbt-\") as target:");
	emit_line(e, "# Commands side by side must not share a target folder; the saved parse is "
	    "taken along.");
	emit_line(e, "env = {**os.environ, \"DBT_TARGET_PATH\": target, \"DBT_LOG_PATH\": target}");
	emit_indent(e);
	emit_add(e, "parsed = ");
	add_target(e, o, "\"partial_parse.msgpack\"");
	emit_add(e, "\n");
	emit_open(e, "if parsed.exists():");
	emit_line(e, "env.setdefault(\"DBT_PARTIAL_PARSE_FILE_PATH\", str(parsed.resolve()))");
	e->depth--;
}

static void
write_kept(struct emit *e, const struct task_options *o, const char *name)
{
	emit_line(e, "# Tasks side by side must not share a target folder. It stays: the next try "
	    "goes on where");
	emit_line(e, "# this one ended. Workers on other machines need it shared.");
	if (o->hook_steps)
		emit_line(e, "# Hooks have the project's own, in which on-run-end finds the "
		    "others.");
	emit_indent(e);
	emit_add(e, "project = ");
	add_target(e, o, NULL);
	emit_add(e, ".resolve()\n");
	emit_line(e, "target = %sproject / %s", o->hook_steps ? "project if hooks else " : "",
	    name);
	emit_line(e, "target.mkdir(parents=True, exist_ok=True)");
	emit_line(e, "env = {**os.environ, \"DBT_TARGET_PATH\": str(target), "
	    "\"DBT_LOG_PATH\": str(target)}");
	emit_line(e, "parsed = project / \"partial_parse.msgpack\"");
	emit_open(e, "if parsed.exists():");
	emit_line(e, "env.setdefault(\"DBT_PARTIAL_PARSE_FILE_PATH\", str(parsed))");
	e->depth--;
}

static void
write_process(struct emit *e, bool env)
{
	emit_open(e, "with subprocess.Popen([*DBT, *words, *FLAGS]%s) as process:",
	    env ? ", env=env" : "");
	emit_open(e, "try:");
	emit_line(e, "code = process.wait(timeout)");
	emit_close(e, "except BaseException:  # too late, or cancelled: dbt gets the chance to "
	    "cancel its queries");
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
}

void
pydbt_results_function(struct emit *e, const struct task_options *o)
{
	emit_open(e, "def run_dbt(words, timeout):");
	emit_line(e, "\"\"\"One dbt command; its exit code, and what it says of each node if it "
	    "gets that far.\"\"\"");
	write_temporary(e, o);
	write_process(e, true);
	emit_line(e, "written = Path(target, \"run_results.json\")");
	emit_line(e, "return code, json.loads(written.read_text())[\"results\"] if "
	    "written.exists() else []");
	e->depth -= 2;
}

void
pydbt_function(struct emit *e, const struct task_options *o, const struct pydbt_self *self)
{
	enum home home = home_of(o);

	emit_open(e, "def run_dbt(words, timeout%s):", pydbt_asks_self(o) ? self->parameters : "");
	emit_line(e, "\"\"\"One %s command; an exit code other than 0 is raised.\"\"\"",
	    task_runner_names[o->runner]);
	if (o->hook_steps && home != HOME_TEMPORARY)
		emit_line(e, "hooks = words[0] in (\"on-run-start\", \"on-run-end\")");
	if (home == HOME_TEMPORARY)
		write_temporary(e, o);
	else if (home == HOME_KEPT)
		write_kept(e, o, self->name);
	if (pydbt_asks_self(o)) {
		emit_open(e, "if %s%s:", self->again, o->hook_steps ? " and not hooks" : "");
		emit_line(e, "words = [*words, \"--resume\"]  # builds what the last try left");
		e->depth--;
	}
	write_process(e, home != HOME_PROJECT);
	emit_open(e, "if code:");
	emit_line(e, "raise subprocess.CalledProcessError(code, [*DBT, *words])");
	e->depth -= home == HOME_TEMPORARY ? 3 : 2;
}

char *
pydbt_name(const char *text)
{
	struct buf b = BUF_INIT;

	id_add_text(&b, text, text, &id_plain);
	return buf_detach(&b);
}
