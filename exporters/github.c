/* github.c -- a workflow of GitHub Actions: slim CI for pull requests, a deployment on merge and on
 * a schedule.
 *
 * The deployment keeps its manifest in the cache of its branch, which pull requests may read and
 * not write; CI compares with it and defers to it. GitHub pastes ${{...}} as text before anything
 * is quoted: none stands in a `run:`, values come by the environment.
 */
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/cron.h"
#include "exporters/exporter.h"
#include "exporters/yaml_head.h"
#include "util/text.h"
#include "util/xalloc.h"

#define CI_MINUTES 60
#define DEPLOY_MINUTES 240
#define STATE "prod-state"

struct github {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct arena arena;
	const char *branch;
	const char *folder;           /* "dbt/": before paths of the project; "" */
};

/* ---- texts ---- */

/* In a string of GitHub's expressions. */
static const char *
quoted(struct github *g, const char *text)
{
	struct buf b = BUF_INIT;
	const char *s;

	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			buf_addc(&b, '\'');
		buf_addc(&b, *c);
	}
	s = arena_strdup(&g->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

/* No expression is allowed in the workflow's name, nor may one begin there. */
static const char *
plain_name(struct github *g)
{
	struct buf b = BUF_INIT;
	const char *s;

	for (const char *c = g->job->title; *c; c++) {
		buf_addc(&b, *c);
		if (c[0] == '{' && c[1] == '{')
			buf_addc(&b, ' ');
	}
	s = arena_strdup(&g->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

/* Appends a command of the shell; what each job adds to the verb is in `more`. */
static void
add_command(struct github *g, struct buf *out, struct argv *a)
{
	struct task_options flags = *g->o;

	flags.project_dir = NULL;    /* the steps' working directory */
	flags.warn_errors = NULL;    /* that nothing is modified is no error */
	argv_flags(a, &flags);
	argv_line(a, out);
	if (g->o->vars)
		buf_adds(out, " --vars \"$VARS\"");
	a->n = 0;
}

/* ---- steps both jobs have ---- */

static void
open_job(struct github *g, const char *id, const char *condition, size_t minutes)
{
	struct emit *e = &g->e;

	emit_open(e, "%s:", id);
	emit_line(e, "if: %s", condition);
	emit_line(e, "runs-on: ubuntu-24.04");
	emit_line(e, "timeout-minutes: %z", minutes);
	if (g->o->image)
		emit_line(e, "container: %q", g->o->image);
}

static void
write_setup(struct github *g)
{
	struct emit *e = &g->e;
	const char *f = g->folder;

	emit_open(e, "steps:");
	emit_line(e, "- uses: actions/checkout@v4");
	if (!g->o->image) {
		emit_open(e, "- uses: actions/setup-python@v5");
		emit_line(e, "with: {python-version: \"3.12\", cache: pip, "
		    "cache-dependency-path: %q}",
		    arena_printf(&g->arena, "%srequirements.txt", f));
		e->depth--;
		emit_line(e, "- run: pip install -r requirements.txt");
	}
	emit_open(e, "- name: Packages and the saved parse of the project");
	emit_line(e, "uses: actions/cache@v4");
	emit_open(e, "with:");
	emit_open(e, "path: |");
	emit_line(e, "%sdbt_packages", f);
	emit_line(e, "%starget/partial_parse.msgpack", f);
	e->depth--;
	emit_line(e, "key: %q", arena_printf(&g->arena, "dbt-parse-${{ "
	    "hashFiles('%spackage-lock.yml', "
	    "'%spackages.yml') }}-${{ github.sha }}", quoted(g, f), quoted(g, f)));
	emit_line(e, "restore-keys: %q", arena_printf(&g->arena, "dbt-parse-${{ "
	    "hashFiles('%spackage-lock.yml', "
	    "'%spackages.yml') }}-", quoted(g, f), quoted(g, f)));
	e->depth -= 2;
	emit_line(e, "- run: %s deps", g->o->ncommand ? "dbt" : task_runner_names[g->o->runner]);
}

static void
write_upload(struct github *g, const char *name)
{
	struct emit *e = &g->e;

	emit_open(e, "- name: Artifacts of the run");
	emit_line(e, "if: always()");
	emit_line(e, "uses: actions/upload-artifact@v4");
	emit_open(e, "with:");
	emit_line(e, "name: %s", name);
	emit_line(e, "if-no-files-found: ignore");
	emit_open(e, "path: |");
	emit_line(e, "%starget/manifest.json", g->folder);
	emit_line(e, "%starget/run_results.json", g->folder);
	e->depth -= 3;
}

/* ---- slim CI ---- */

/* What is modified, and what reads it, of the selection. */
static void
add_modified(struct github *g, struct argv *a)
{
	struct task_options o = *g->o;
	struct export_job job = *g->job;
	const char **words = arena_zalloc(&g->arena, o.nselect + 1, sizeof(*words));

	words[0] = "state:modified+";
	for (size_t i = 0; i < o.nselect; i++)
		words[i] = arena_printf(&g->arena, "%s,state:modified+", o.select[i]);
	o.select = words;
	o.nselect = o.nselect ? o.nselect : 1;
	o.unit_tests = true;    /* cheap, and what they are for */
	job.tasks = &o;
	argv_program(a, &o);
	argv_whole(a, &job, "build", o.tests != TESTS_NONE);
	argv_add(a, "--defer");
	argv_add_flag(a, "--state", STATE);
}

static void
write_ci(struct github *g)
{
	struct emit *e = &g->e;
	struct argv a = ARGV_INIT;
	struct buf line = BUF_INIT;

	open_job(g, "slim-ci", "github.event_name == 'pull_request'", CI_MINUTES);
	emit_line(e, "env: {DBT_SCHEMA: \"pr_${{ github.event.number }}\"}  # for profiles.yml: "
	    "a schema of its own");
	write_setup(g);
	emit_open(e, "- name: The manifest of the last deployment");
	emit_line(e, "uses: actions/cache/restore@v4");
	emit_line(e, "with: {path: %q, key: dbt-manifest-, restore-keys: dbt-manifest-}",
	    arena_printf(&g->arena, "%s" STATE, g->folder));
	e->depth--;
	emit_open(e, "- name: Without one there is nothing to compare with");
	emit_line(e, "if: hashFiles('%s" STATE "/manifest.json') == ''", quoted(g, g->folder));
	emit_line(e, "run: echo \"::error::no manifest of a deployment yet, run this workflow on "
	    "the main branch\" && exit 1");
	e->depth--;
	emit_open(e, "- name: Build what is modified and what reads it");
	add_modified(g, &a);
	add_command(g, &line, &a);
	emit_line(e, "run: %q", line.data);
	e->depth--;
	write_upload(g, "dbt-ci");
	e->depth -= 2;
	argv_release(&a);
	buf_release(&line);
}

/* ---- deployment ---- */

static void
write_deploy(struct github *g)
{
	struct emit *e = &g->e;
	struct argv a = ARGV_INIT;
	struct buf line = BUF_INIT;
	size_t minutes = g->o->timeout_ms ? (size_t)((g->o->timeout_ms + 59999) / 60000) :
	    DEPLOY_MINUTES;
	bool apart = g->o->tests == TESTS_AFTER_ALL;

	open_job(g, "deploy", arena_printf(&g->arena, "github.event_name != 'pull_request' && "
	    "github.ref == "
	    "'refs/heads/%s'", quoted(g, g->branch)), minutes);
	emit_line(e, "environment: production");
	write_setup(g);
	argv_program(&a, g->o);
	argv_whole(&a, g->job, "build", !apart && g->o->tests != TESTS_NONE);
	add_command(g, &line, &a);
	emit_line(e, "- run: %q", line.data);
	if (apart) {
		buf_truncate(&line, 0);
		argv_program(&a, g->o);
		argv_whole(&a, g->job, "test", true);
		add_command(g, &line, &a);
		emit_line(e, "- run: %q", line.data);
	}
	emit_line(e, "- run: mkdir -p " STATE " && cp target/manifest.json " STATE "/");
	emit_open(e, "- name: Keep the manifest for slim CI");
	emit_line(e, "uses: actions/cache/save@v4");
	emit_line(e, "with: {path: %q, key: \"dbt-manifest-${{ github.run_id }}-${{ "
	    "github.run_attempt }}\"}",
	    arena_printf(&g->arena, "%s" STATE, g->folder));
	e->depth--;
	write_upload(g, "dbt-deploy");
	e->depth -= 2;
	argv_release(&a);
	buf_release(&line);
}

/* ---- the workflow ---- */

static int
write_secrets(struct github *g, struct err *err)
{
	char *list = xstrdup(g->o->secret ? g->o->secret : "");
	int rc = 0;

	for (char *save = NULL, *name = strtok_r(list, ",", &save); name && rc == 0;
	    name = strtok_r(NULL, ",", &save)) {
		if (!yaml_is_variable(name))
			rc = err_set(err, "--secret: '%s' is no name of an environment variable",
			    name);
		else
			emit_line(&g->e, "%s: ${{ secrets.%s }}", name, name);
	}
	free(list);
	return rc;
}

static int
write_head(struct github *g, struct err *err)
{
	struct emit *e = &g->e;
	int rc = 0;

	yaml_write_head(e, g->job, "GitHub Actions workflow", false);
	emit_line(e, "name: %q", plain_name(g));
	emit_open(e, "on:");
	emit_line(e, "pull_request: {}  # never pull_request_target: it would hand secrets to "
	    "forks");
	emit_line(e, "push: {branches: [%q]}", g->branch);
	if (cron_is_given(g->o->schedule))
		emit_line(e, "schedule: [{cron: %q}]  # UTC", g->o->schedule);
	emit_line(e, "workflow_dispatch: {}");
	e->depth--;
	emit_line(e, "permissions: {contents: read}");
	emit_line(e, "concurrency: {group: \"dbt-${{ github.ref }}\", cancel-in-progress: \"${{ "
	    "github.event_name == "
	    "'pull_request' }}\"}");
	if (g->o->secret || g->o->vars) {
		emit_open(e, "env:");
		if (g->o->vars)
			emit_line(e, "VARS: %q", g->o->vars);
		rc = write_secrets(g, err);
		e->depth--;
	}
	if (g->o->project_dir)
		emit_line(e, "defaults: {run: {working-directory: %q}}", g->o->project_dir);
	emit_open(e, "jobs:");
	return rc;
}

static int
check_options(const struct task_options *o, struct err *err)
{
	if (o->selector) {
		err_set(err, "github: --selector cannot be narrowed to what a pull request "
		    "modified");
		return err_hint(err, "say the same with --select and --exclude");
	}
	if (o->timezone && strcmp(o->timezone, "UTC") != 0 && strcmp(o->timezone, "Etc/UTC") != 0)
		return err_set(err, "github: schedules are in UTC there; --timezone %s cannot be "
		    "kept", o->timezone);
	return 0;
}

static int
github_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct github g = { .job = job, .o = job->tasks, .folder = "" };
	const char *dir = g.o->project_dir;
	int rc;

	if (check_options(g.o, err) < 0)
		return -1;
	g.branch = g.o->branch ? g.o->branch : "main";
	if (dir)
		g.folder = arena_printf(&g.arena, "%s%s", dir, text_ends(dir, "/") ? "" : "/");
	emit_init(&g.e, out, &emit_yaml);
	rc = write_head(&g, err);
	write_ci(&g);
	write_deploy(&g);
	arena_release(&g.arena);
	return rc;
}

const struct exporter exporter_github = {
	.name = "github",
	.file = "dbt",
	.suffix = ".yml",
	.summary = "a workflow of GitHub Actions: slim CI, deploy on merge, schedule",
	.runs = true,
	.write = github_write,
};
