/* dagster_project.c -- --style dbt_assets: the project itself, read by dagster-dbt when it loads. */
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
	emit_line(e, "PROJECT.prepare_if_dev()  # `dagster dev` parses it; elsewhere the manifest is there already");
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
	if (o->tests == TESTS_AFTER_ALL || o->ncommand > 1 || o->runner != RUNNER_DBT) {
		err_set(err, "--style dbt_assets runs the tests as dbt build does, by a dbt of one word");
		return err_hint(err, "leave out --style for --tests after_all, --runner and longer commands");
	}
	return 0;
}

int
dagster_project_write(const struct export_job *job, struct buf *out, struct err *err)
{
	const struct task_options *o = job->tasks;
	struct steps *steps;
	struct task_policy usual;
	struct emit e;
	char *name;

	if (check_options(o, err) < 0 || !(steps = steps_new(job, &id_plain, err)))
		return -1;
	usual = policy_usual(steps);
	steps_free(steps);
	name = pydbt_name(job->title);
	emit_init(&e, out, &emit_python);
	emit_line(&e, "\"\"\"Dagster definitions of the dbt project %c, read from its manifest by dagster-dbt.", job->title);
	emit_line(&e, "");
	emit_line(&e, "Made by: %s", job->stamp);
	emit_line(&e, "Out of date?  heddle export --check FILE");
	emit_line(&e, "");
	emit_line(&e, "One op runs `dbt build` for whatever is selected: retries are those of the op, not of a node.");
	emit_line(&e, "\"\"\"");
	emit_line(&e, "import os");
	emit_line(&e, "");
	emit_line(&e, "import dagster as dg");
	emit_line(&e, "from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, DbtProject, dbt_assets");
	emit_line(&e, "");
	write_project(&e, o);
	emit_line(&e, "");
	emit_line(&e, "");
	emit_open(&e, "@dbt_assets(");
	emit_line(&e, "manifest=PROJECT.manifest_path,");
	emit_line(&e, "project=PROJECT,");
	emit_line(&e, "name=\"%s_assets\",", name);
	write_words(&e, "select", o->select, o->nselect);
	write_words(&e, "exclude", o->exclude, o->nexclude);
	emit_line(&e, "dagster_dbt_translator=DagsterDbtTranslator(DagsterDbtTranslatorSettings(enable_asset_checks=%s)),",
	    o->tests == TESTS_NONE ? "False" : "True");
	emit_indent(&e);
	emit_add(&e, "retry_policy=");
	dagster_write_retry(&e, &usual);
	emit_add(&e, ",\n");
	emit_close(&e, ")");
	emit_open(&e, "def build(context: dg.AssetExecutionContext, dbt: DbtCliResource):");
	write_command(&e, o);
	emit_close(&e, "");
	emit_line(&e, "");
	emit_line(&e, "ASSETS = [build]");
	if (o->ncommand)
		emit_line(&e, "DBT = %q", o->command[0]);
	dagster_write_definitions(&e, job, o->ncommand ? ", resources={\"dbt\": DbtCliResource(project_dir=PROJECT, dbt_executable=DBT)}" :
	    ", resources={\"dbt\": DbtCliResource(project_dir=PROJECT)}");
	free(name);
	return 0;
}
