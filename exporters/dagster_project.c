/* dagster_project.c -- --style dbt_assets: dagster-dbt reads the project as the file is loaded. */
#include "exporters/dagster.h"

#include <stdlib.h>

#include "exporters/argv.h"
#include "exporters/policy.h"
#include "exporters/pydbt.h"

/* "tag:nightly orders": words as dagster-dbt takes them, in one text. */
static void
write_words(struct emit *e, const char *argument, const char *const *words, size_t n)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", words[i]);
	if (n)
		emit_line(e, "%s=%q,", argument, buf_str(&b));
	buf_release(&b);
}

static void
write_project(struct emit *e, const struct task_options *o)
{
	emit_open(e, "PROJECT = DbtProject(");
	if (o->project_dir)
		emit_line(e, "project_dir=%q,", o->project_dir);
	else
		emit_line(e, "project_dir=os.environ.get(\"DBT_PROJECT_DIR\", \".\"),");
	if (o->profiles_dir)
		emit_line(e, "profiles_dir=%q,", o->profiles_dir);
	if (o->profile)
		emit_line(e, "profile=%q,", o->profile);
	if (o->target)
		emit_line(e, "target=%q,", o->target);
	emit_close(e, ")");
	emit_line(e, "# `dagster dev` parses it; elsewhere the manifest has to be there.");
	emit_line(e, "PROJECT.prepare_if_dev()");
}

static void
write_command(struct emit *e, const struct task_options *o)
{
	struct argv a = ARGV_INIT;

	argv_add(&a, "build");
	argv_add_flag(&a, "--vars", o->vars);
	if (o->tests == TESTS_NONE || !o->unit_tests)
		argv_add(&a, "--exclude-resource-type");
	if (o->tests == TESTS_NONE)
		argv_add(&a, "test");
	if (!o->unit_tests)
		argv_add(&a, "unit_test");
	emit_indent(e);
	emit_add(e, "yield from dbt.cli(");
	pydbt_list(e, a.v, a.n);
	emit_add(e, ", context=context).stream()\n");
	argv_release(&a);
}

static int
check_options(const struct task_options *o, struct err *err)
{
	if (o->granularity != GRANULARITY_NODE)
		return err_set(err, "--style dbt_assets and --granularity exclude each other");
	if (o->tests == TESTS_AFTER_ALL || o->ncommand > 1 || o->runner != RUNNER_DBT) {
		err_set(err, "--style dbt_assets tests as dbt build does, by a dbt of one word");
		return err_hint(err, "leave out --style, or --tests after_all, --runner and such");
	}
	return 0;
}

static void
write_head(struct emit *e, const struct export_job *job)
{
	emit_line(e, "\"\"\"Dagster definitions of the dbt project %c, read by dagster-dbt.",
	    job->title);
	emit_line(e, "");
	emit_line(e, "Made by: %s", job->stamp);
	emit_line(e, "Out of date?  heddle export --check FILE");
	emit_line(e, "");
	emit_line(e, "One op runs `dbt build` for what is selected: retried is the op as a whole.");
	emit_line(e, "\"\"\"");
	emit_line(e, "import os");
	emit_line(e, "");
	emit_line(e, "import dagster as dg");
	emit_open(e, "from dagster_dbt import (");
	emit_line(e, "DagsterDbtTranslator,");
	emit_line(e, "DagsterDbtTranslatorSettings,");
	emit_line(e, "DbtCliResource,");
	emit_line(e, "DbtProject,");
	emit_line(e, "dbt_assets,");
	emit_close(e, ")");
	emit_line(e, "");
}

static void
write_assets(struct emit *e, const struct export_job *job, const struct task_policy *usual)
{
	const struct task_options *o = job->tasks;
	char *name = pydbt_name(job->title);

	emit_open(e, "@dbt_assets(");
	emit_line(e, "manifest=PROJECT.manifest_path,");
	emit_line(e, "project=PROJECT,");
	emit_line(e, "name=\"%s_assets\",", name);
	write_words(e, "select", o->select, o->nselect);
	write_words(e, "exclude", o->exclude, o->nexclude);
	emit_line(e, "dagster_dbt_translator=DagsterDbtTranslator(SETTINGS),");
	emit_indent(e);
	emit_add(e, "retry_policy=");
	dagster_write_retry(e, usual);
	emit_add(e, ",\n");
	emit_close(e, ")");
	emit_open(e, "def build(context: dg.AssetExecutionContext, dbt: DbtCliResource):");
	write_command(e, o);
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
	free(name);
}

int
dagster_project_write(const struct export_job *job, struct buf *out, struct err *err)
{
	const struct task_options *o = job->tasks;
	struct task_policy usual;
	struct steps *steps;
	struct emit e;

	if (check_options(o, err) < 0 || !(steps = steps_new(job, &id_plain, err)))
		return -1;
	usual = policy_usual(steps);
	steps_free(steps);
	emit_init(&e, out, &emit_python);
	write_head(&e, job);
	write_project(&e, o);
	emit_line(&e, "SETTINGS = DagsterDbtTranslatorSettings(enable_asset_checks=%s)",
	    o->tests == TESTS_NONE ? "False" : "True");
	emit_line(&e, "");
	emit_line(&e, "");
	write_assets(&e, job, &usual);
	emit_line(&e, "ASSETS = [build]");
	if (o->ncommand)
		emit_line(&e, "DBT = DbtCliResource(project_dir=PROJECT, dbt_executable=%q)",
		    o->command[0]);
	else
		emit_line(&e, "DBT = DbtCliResource(project_dir=PROJECT)");
	dagster_write_definitions(&e, job, ", resources={\"dbt\": DBT}");
	return 0;
}
