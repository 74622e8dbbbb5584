/* airflow_cosmos.c -- --style cosmos: a DbtDag, which reads the manifest whenever Airflow loads
 * it. */
#include "exporters/airflow.h"

static const char *const behaviours[] = {
	[TESTS_AFTER_EACH] = "AFTER_EACH", [TESTS_AFTER_ALL] = "AFTER_ALL", [TESTS_NONE] = "NONE",
	[TESTS_BUILD] = "BUILD",
};

/* What a DbtDag cannot be told. */
static int
check(const struct task_options *o, struct err *err)
{
	if (!o->profile || !o->target)
		return err_set(err, "--style cosmos needs --profile and --target: Cosmos asks for "
		    "both");
	if (o->runner != RUNNER_DBT || o->granularity != GRANULARITY_NODE || o->vars ||
	    o->ncommand > 1 ||
	    o->image)
		return err_set(err, "--style cosmos takes no --runner, --granularity, --vars, "
		    "--image and no "
		    "--command of several words");
	return 0;
}

static void
write_imports(struct airflow *a)
{
	struct emit *e = &a->e;

	emit_line(e, "\"\"\"Airflow DAG of the dbt project %c, which Cosmos makes from the "
	    "project's manifest.",
	    a->job->title);
	emit_line(e, "");
	emit_line(e, "Made by: %s", a->job->stamp);
	emit_line(e, "Out of date?  heddle export --check FILE");
	emit_line(e, "");
	emit_line(e, "Needs astronomer-cosmos, and the project with target/manifest.json wherever "
	    "Airflow loads it.");
	emit_line(e, "\"\"\"");
	emit_line(e, "import os");
	emit_line(e, "from datetime import datetime, timedelta");
	emit_line(e, "from pathlib import Path");
	emit_line(e, "");
	if (a->o->timezone)
		emit_line(e, "import pendulum");
	emit_line(e, "from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, "
	    "RenderConfig");
	emit_line(e, "from cosmos.constants import LoadMode, TestBehavior");
	emit_line(e, "");
	if (!airflow_starts_on_asset(a))
		return;
	emit_open(e, "try:");
	emit_line(e, "from airflow.sdk import Asset");
	emit_close(e, "except ImportError:  # Airflow 2");
	e->depth++;
	emit_line(e, "from airflow.datasets import Dataset as Asset");
	e->depth--;
	emit_line(e, "");
}

static void
write_words(struct emit *e, const char *name, const char *const *words, size_t n)
{
	if (n == 0)
		return;
	emit_indent(e);
	emit_add(e, "%s=[", name);
	for (size_t i = 0; i < n; i++)
		emit_add(e, "%s%q", i ? ", " : "", words[i]);
	emit_add(e, "],\n");
}

static void
write_configs(struct airflow *a)
{
	struct emit *e = &a->e;
	const struct task_options *o = a->o;

	emit_line(e, "project_config=ProjectConfig(PROJECT, manifest_path=PROJECT / \"target\" / "
	    "\"manifest.json\"),");
	emit_open(e, "profile_config=ProfileConfig(");
	emit_line(e, "profile_name=%q,", o->profile);
	emit_line(e, "target_name=%q,", o->target);
	emit_line(e, "profiles_yml_filepath=PROFILES / \"profiles.yml\",");
	emit_close(e, "),");
	emit_line(e, "execution_config=ExecutionConfig(dbt_executable_path=%q),", o->ncommand ?
	    o->command[0] : "dbt");
	emit_open(e, "render_config=RenderConfig(");
	emit_line(e, "load_method=LoadMode.DBT_MANIFEST,");
	emit_line(e, "test_behavior=TestBehavior.%s,", behaviours[o->tests]);
	emit_line(e, "should_detach_multiple_parents_tests=True,  # else they run before all they "
	    "read is built");
	if (a->job->group_by == GROUP_BY_FOLDER)
		emit_line(e, "group_nodes_by_folder=True,");
	emit_line(e, "emit_datasets=%s,", o->assets ? "True" : "False");
	write_words(e, "select", o->select, o->nselect);
	write_words(e, "exclude", o->exclude, o->nexclude);
	emit_close(e, "),");
}

int
airflow_write_cosmos(struct airflow *a, struct err *err)
{
	struct emit *e = &a->e;

	struct step any = { .policy = { .max_attempts = 3, .delay_ms = 60 * 1000, .factor = 2 } };

	if (check(a->o, err) < 0)
		return -1;
	if (a->job->plan->ntasks)    /* one for all tasks: Cosmos has no place for more */
		any.policy = a->job->plan->tasks[0].policy;
	a->usual = policy_of(&any);
	write_imports(a);
	if (a->o->project_dir)
		emit_line(e, "PROJECT = Path(%q)", a->o->project_dir);
	else
		emit_line(e, "PROJECT = Path(os.environ[\"DBT_PROJECT_DIR\"])");
	if (a->o->profiles_dir)
		emit_line(e, "PROFILES = Path(%q)", a->o->profiles_dir);
	else
		emit_line(e, "PROFILES = Path(os.environ.get(\"DBT_PROFILES_DIR\", PROJECT))");
	emit_line(e, "");
	emit_open(e, "dag = DbtDag(");
	airflow_write_dag_id(a);
	write_configs(a);
	airflow_write_dag_args(a);
	emit_close(e, ")");
	return 0;
}
