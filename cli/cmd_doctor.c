/* cmd_doctor.c -- looks at everything a run needs, and says what to do about what is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "executor/proc.h"
#include "executor/python.h"
#include "graph/manifest.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

struct doctor {
	bool help;
	const char *python_option;
	struct words dbt;          /* dbt's options, for `dbt debug` */
	const char *project_dir, *target_path;
	char *python;
	size_t nbad;
};

static void
say(struct doctor *d, bool good, const char *what, const char *text, const char *advice)
{
	char *safe = text_safe_line(text);

	printf("%-4s  %-10s  %s\n", good ? "ok" : "bad", what, safe);
	free(safe);
	if (good)
		return;
	d->nbad++;
	if (advice) {
		safe = text_safe_line(advice);
		printf("                  -> %s\n", safe);
		free(safe);
	}
}

static void
say_err(struct doctor *d, const char *what, struct err *err)
{
	say(d, false, what, err->msg, err->hint);
	err_release(err);
}

/* Lines of versions, or -1. */
static int
ask_python(struct doctor *d, struct buf *out)
{
	static const char script[] =
	    "import sys\n"
	    "from importlib.metadata import distributions\n"
	    "print('python %d.%d.%d' % sys.version_info[:3])\n"
	    "for p in sorted({(x.metadata['Name'], x.version) for x in distributions()\n"
	    "                 if (x.metadata['Name'] or '').startswith('dbt-')}): print(*p)\n";
	const char *const argv[] = { d->python, "-I", "-c", script, NULL };
	const struct proc_options po = { .argv = argv, .keep_fd = -1 };
	struct err err = ERR_INIT;
	int code;

	if (proc_run(&po, &code, out, &err) < 0) {
		say_err(d, "python", &err);
		return -1;
	}
	return code == 0 ? 0 : -1;
}

/* dbt's libraries that are no adapters. */
static bool
is_adapter(const char *package)
{
	static const char *const others[] = {
		"dbt-core", "dbt-common", "dbt-adapters", "dbt-extractor",
		"dbt-semantic-interfaces",
		"dbt-protos", "dbt-tests-adapter",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(package, others[i]) == 0)
			return false;
	return true;
}

static void
check_python(struct doctor *d)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT, adapters = BUF_INIT, line = BUF_INIT;

	d->python = python_find(d->python_option, d->project_dir, &err);
	if (!d->python) {
		say_err(d, "python", &err);
		return;
	}
	if (ask_python(d, &out) < 0)
		goto done;
	for (char *s = out.data; s && *s;) {
		size_t len = strcspn(s, "\n");
		char *rest = s + len + (s[len] == '\n'), *blank;

		s[len] = '\0';
		blank = strchr(s, ' ');
		if (text_starts(s, "python ")) {
			buf_addf(&line, "%s, %s", d->python, s + 7);
			say(d, true, "python", line.data, NULL);
		} else if (text_starts(s, "dbt-core ")) {
			say(d, true, "dbt", s + 9, NULL);
		} else if (blank) {
			*blank = '\0';
			if (is_adapter(s))
				buf_addf(&adapters, "%s%s %s", adapters.len ? ", " : "", s,
				    blank + 1);
		}
		s = rest;
	}
	say(d, adapters.len > 0, "adapter", adapters.len ? adapters.data : "none installed",
	    "install one beside dbt-core, for example: pip install dbt-duckdb");
done:
	buf_release(&out);
	buf_release(&adapters);
	buf_release(&line);
}

static void
check_project(struct doctor *d)
{
	char *path = fs_join(d->project_dir, "dbt_project.yml");

	if (fs_exists(path))
		say(d, true, "project", path, NULL);
	else
		say(d, false, "project", "no dbt_project.yml here",
		    "go to the project's folder, or give --project-dir");
	free(path);
}

static void
check_manifest(struct doctor *d)
{
	char *dir = fs_join(d->project_dir, d->target_path), *path = fs_join(dir, "manifest.json");
	struct graph *g = graph_new();
	struct err err = ERR_INIT;
	struct buf line = BUF_INIT;
	char *warning = NULL;

	if (!fs_exists(path)) {
		say(d, true, "manifest", "none yet; the first run makes it", NULL);
	} else if (manifest_load(g, path, 0, &warning, &err) < 0) {
		say_err(d, "manifest", &err);
	} else {
		buf_addf(&line, "%s, v%d of dbt %s, %zu nodes", path, g->schema_version,
		    g->dbt_version ? g->dbt_version : "?", g->nnodes);
		say(d, true, "manifest", line.data, NULL);
		if (warning)
			say(d, true, "manifest", warning, NULL);
	}
	free(warning);
	buf_release(&line);
	graph_free(g);
	free(path);
	free(dir);
}

/* dbt's own look at profile and connection; its words are shown when it finds a fault. */
static void
check_connection(struct doctor *d)
{
	static const char run_dbt[] =
	    "import sys; from dbt.cli.main import cli; sys.argv[0] = 'dbt'; cli()";
	const char **argv = xcalloc(d->dbt.n + 7, sizeof(*argv));
	struct proc_options po = { .argv = argv, .keep_fd = -1 };
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	size_t n = 0;
	int code;

	argv[n++] = d->python;
	argv[n++] = "-I";
	argv[n++] = "-c";
	argv[n++] = run_dbt;
	argv[n++] = "--no-use-colors";
	argv[n++] = "debug";
	for (size_t i = 0; i < d->dbt.n; i++)
		argv[n++] = d->dbt.v[i];
	if (proc_run(&po, &code, &out, &err) < 0) {
		say_err(d, "connection", &err);
	} else if (code == 0) {
		say(d, true, "connection", "dbt debug connects", NULL);
	} else {
		struct buf text = BUF_INIT;

		say(d, false, "connection", "dbt debug finds a fault:", NULL);
		buf_adds(&text, "    ");
		text_add_safe(&text, buf_str(&out), true, "    ");
		puts(buf_str(&text));
		buf_release(&text);
	}
	buf_release(&out);
	free(argv);
}

static int
take_dbt_option(void *self, char **argv, int at, int argc)
{
	struct doctor *d = self;
	int n = dbt_opt_take(argv, at, argc);

	for (int i = 0; i < n; i++)
		words_add(&d->dbt, argv[at + i]);
	return n;
}

static int
doctor_run(int argc, char **argv, struct err *err)
{
	struct doctor d = { .project_dir = ".", .target_path = "target" };
	const struct opt own[] = {
		{ 0, "python", "FILE", OPT_TEXT, &d.python_option, "interpreter that has dbt" },
		{ 'h', "help", NULL, OPT_FLAG, &d.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, NULL };
	const struct opt_group groups[] =
	    { { "options, beside dbt's (--project-dir, --target, ...)", own }, { 0 } };
	const struct opt_unknown unknown = { &d, take_dbt_option, dbt_opt_names };
	const char *given;
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, NULL, &unknown, err) < 0)
		goto out;
	if (d.help) {
		code = command_help(&cmd_doctor, groups);
		goto out;
	}
	given = dbt_opt_value(argv, argc, "project-dir");
	d.project_dir = given ? given : getenv("DBT_PROJECT_DIR") ? getenv("DBT_PROJECT_DIR") : ".";
	given = dbt_opt_value(argv, argc, "target-path");
	d.target_path = given ? given : getenv("DBT_TARGET_PATH") ? getenv("DBT_TARGET_PATH")
	    : "target";
	check_python(&d);
	check_project(&d);
	check_manifest(&d);
	if (d.python && !d.nbad)
		check_connection(&d);
	if (d.nbad)
		printf("%zu %s to mend\n", d.nbad, d.nbad == 1 ? "thing" : "things");
	else
		puts("all good");
	code = d.nbad ? EXIT_NODE_FAILED : EXIT_GOOD;
out:
	words_release(&d.dbt);
	free(d.python);
	return code;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "look at Python, dbt, adapter, project, manifest and connection",
	.usage = "[options]",
	.examples = "  heddle doctor\n  heddle doctor --target prod\n",
	.run = doctor_run,
};
