#include "exporters/airflow.h"

#include <string.h>

#include "util/text.h"

const char *const airflow_styles[] = { "nodes", "layers", "cosmos", NULL };
const char *const airflow_operators[] = { "bash", "docker", "kubernetes", NULL };

static bool
has_models(const struct airflow *a)
{
	for (size_t i = 0; i < a->steps->n; i++)
		if (a->steps->v[i].role == STEP_BUILD)
			return true;
	return false;
}

const struct step *
airflow_end(const struct airflow *a)
{
	const struct step *last = a->steps->n ? &a->steps->v[a->steps->n - 1] : NULL;

	return last && last->role == STEP_END ? last : NULL;
}

bool
airflow_has_groups(const struct airflow *a)
{
	return a->folders.n || has_models(a);
}

const char *
airflow_task_is(const struct airflow *a)
{
	static const char *const names[] = { "node", "folder", "layer", "run" };

	return names[a->o->granularity];
}

static void
write_docstring(struct airflow *a)
{
	struct emit *e = &a->e;

	emit_line(e, "\"\"\"Airflow DAG of the dbt project %c: one task per %s.  Airflow 2.10+ and "
	    "3.",
	    a->job->title, airflow_task_is(a));
	emit_line(e, "");
	emit_line(e, "Made by: %s", a->job->stamp);
	emit_line(e, "Out of date?  heddle export --check FILE");
	if (steps_about_hooks(a->o)) {
		emit_line(e, "");
		emit_line(e, "%s", steps_about_hooks(a->o));
	}
	if (a->o->tests == TESTS_AFTER_EACH || a->o->tests == TESTS_BUILD) {
		emit_line(e, "");
		emit_line(e, "A failed test holds back what reads its model; a test of severity "
		    "warn never does.");
	}
	emit_line(e, "\"\"\"");
}

bool
airflow_is_op(const struct airflow *a, const char *name)
{
	return strcmp(a->o->op ? a->o->op : airflow_operators[0], name) == 0;
}

static void
write_imports(struct airflow *a)
{
	struct emit *e = &a->e;
	bool bash = airflow_is_op(a, "bash");
	bool assets = airflow_starts_on_asset(a) || (a->o->assets && has_models(a));

	if (airflow_is_layers(a)) {
		emit_line(e, "import json");
		emit_line(e, "import os");
		emit_line(e, "import urllib.request");
	}
	if (has_models(a))
		emit_line(e, "from collections import namedtuple");
	emit_line(e, "from datetime import datetime, timedelta");
	emit_line(e, "");
	if (a->o->timezone)
		emit_line(e, "import pendulum");
	if (airflow_is_op(a, "docker"))
		emit_line(e, "from airflow.providers.docker.operators.docker import "
		    "DockerOperator");
	if (airflow_is_op(a, "kubernetes"))
		emit_line(e, "from airflow.providers.cncf.kubernetes.operators.pod import "
		    "KubernetesPodOperator");
	if (airflow_is_op(a, "kubernetes") && a->o->secret)
		emit_line(e, "from kubernetes.client import models as k8s");
	if (!bash || a->o->timezone)
		emit_line(e, "");
	emit_open(e, "try:");
	emit_line(e, "from airflow.sdk import %sDAG, Param%s%s", assets ? "Asset, " : "",
	    airflow_has_groups(a) ? ", TaskGroup" : "", airflow_is_layers(a) ? ", chain" : "");
	if (bash)
		emit_line(e, "from airflow.providers.standard.operators.bash import BashOperator");
	if (airflow_end(a) && !airflow_is_layers(a))
		emit_line(e, "from airflow.providers.standard.operators.empty import "
		    "EmptyOperator");
	if (airflow_is_layers(a))
		emit_line(e, "from airflow.providers.standard.operators.python import "
		    "PythonOperator");
	emit_close(e, "except ImportError:  # Airflow 2");
	e->depth++;
	emit_line(e, "from airflow import DAG");
	if (assets)
		emit_line(e, "from airflow.datasets import Dataset as Asset");
	if (airflow_is_layers(a))
		emit_line(e, "from airflow.models.baseoperator import chain");
	emit_line(e, "from airflow.models.param import Param");
	if (bash)
		emit_line(e, "from airflow.operators.bash import BashOperator");
	if (airflow_end(a) && !airflow_is_layers(a))
		emit_line(e, "from airflow.operators.empty import EmptyOperator");
	if (airflow_is_layers(a))
		emit_line(e, "from airflow.operators.python import PythonOperator");
	if (airflow_has_groups(a))
		emit_line(e, "from airflow.utils.task_group import TaskGroup");
	e->depth--;
	emit_line(e, "");
}

/* What stands in place of `dbt`, as text of a shell. */
static void
add_program(struct buf *out, const struct task_options *o)
{
	static const char *const dbt[] = { "dbt" }, *const heddle[] = { "heddle" };

	if (o->ncommand)
		airflow_add_words(out, o->command, o->ncommand);
	else
		airflow_add_words(out, o->runner == RUNNER_HEDDLE ? heddle : dbt, 1);
}

/* A path in the project where the task runs. */
static void
add_project_path(struct buf *out, const struct task_options *o, const char *path)
{
	struct buf b = BUF_INIT;

	if (o->project_dir) {
		buf_addf(&b, "%s%s%s", o->project_dir, text_ends(o->project_dir, "/") ? "" : "/",
		    path);
		airflow_add_words(out, &(const char *){ b.data }, 1);
	} else {
		buf_addf(out, "\"${DBT_PROJECT_DIR:-.}/%s\"", path);
	}
	buf_release(&b);
}

/* Parts that heddle builds: what one try leaves is there for the next. */
static bool
resumes(const struct airflow *a)
{
	return a->o->runner == RUNNER_HEDDLE && a->o->granularity != GRANULARITY_NODE;
}

/* Each task has a folder in the project's target folder, but for the hooks' tasks. */
static bool
has_kept_folders(const struct airflow *a)
{
	return airflow_is_op(a, "bash") && resumes(a) && !airflow_is_layers(a) &&
	    a->o->granularity != GRANULARITY_ALL;
}

/* Tasks side by side do not share a target folder; what heddle resumes from outlives the task. */
static void
add_folders(struct airflow *a, struct buf *out)
{
	struct emit *e = &a->e;

	if (airflow_is_layers(a) || a->o->granularity == GRANULARITY_ALL)
		return;
	if (has_kept_folders(a)) {
		emit_line(e, "# Each task has a target folder of its own, so that tasks side by "
		    "side do not share one. It stays:");
		emit_line(e, "# the next try of a task builds what the last one left. Workers on "
		    "other machines need it shared.");
		buf_adds(out, "T=");
		add_project_path(out, a->o, "target");
		buf_adds(out, "/{{ task.task_id }}; mkdir -p \"$T\"; cp -n ");
		add_project_path(out, a->o, "target/partial_parse.msgpack");
		buf_adds(out, " \"$T\" 2>/dev/null; DBT_TARGET_PATH=\"$T\" DBT_LOG_PATH=\"$T\" ");
		return;
	}
	emit_line(e, "# Airflow gives each task an empty folder of its own. dbt's target folder "
	    "and log go there, so");
	emit_line(e, "# that tasks side by side do not share them; the saved parse of the project "
	    "is taken along.");
	buf_adds(out, "cp ");
	add_project_path(out, a->o, "target/partial_parse.msgpack");
	buf_adds(out, " . 2>/dev/null; DBT_TARGET_PATH=\"$PWD\" DBT_LOG_PATH=\"$PWD\" ");
}

/* What commands that run nodes have more than others. */
static void
write_nodes_flags(struct airflow *a)
{
	struct emit *e = &a->e;
	struct buf b = BUF_INIT;

	if (!a->o->hook_steps && !resumes(a))
		return;
	if (a->o->hook_steps)
		buf_adds(&b, " --no-hooks");
	if (resumes(a)) {
		emit_line(e, "# The next try of a task goes on where the last one ended; the next "
		    "run does not.");
		buf_adds(&b, "{{ ' --resume' if ti.try_number > 1 }}");
	}
	emit_line(e, "NODES = %q", b.data);
	emit_line(e, "NO_NODES = (\"on-run-start\", \"on-run-end\", \"docs generate\")");
	buf_truncate(&b, 0);
	if (a->o->hook_steps && has_kept_folders(a)) {
		emit_line(e, "# Hooks have the project's target folder, in which on-run-end finds "
		    "the tasks' own.");
		add_program(&b, a->o);
		emit_line(e, "HEDDLE = %q", b.data);
	}
	buf_release(&b);
}

static void
write_command(struct airflow *a)
{
	struct emit *e = &a->e;
	struct buf b = BUF_INIT;

	if (airflow_is_op(a, "bash"))
		add_folders(a, &b);
	add_program(&b, a->o);
	emit_line(e, "DBT = %q", buf_str(&b));
	buf_truncate(&b, 0);
	airflow_add_common_flags(&b, a->o);
	emit_line(e, "FLAGS = %q", buf_str(&b));
	buf_truncate(&b, 0);
	write_nodes_flags(a);
	buf_adds(&b, "{% if not params.select %}");
	airflow_add_flag(&b, "--warn-error-options", a->o->warn_errors);
	buf_adds(&b, "{% endif %}");
	emit_line(e, "# A selection that finds nothing is an error, unless the run was narrowed on "
	    "purpose.");
	emit_line(e, "STRICT = %q", buf_str(&b));
	emit_line(e, "ONLY = \"{{ ',' ~ params.select if params.select }}\"");
	emit_line(e, "SELECT = \"{{ ' --select ' ~ params.select if params.select }}\"");
	emit_line(e, "FULL_REFRESH = \"{{ ' --full-refresh' if params.full_refresh }}\"");
	if (!airflow_is_op(a, "bash"))
		emit_line(e, "IMAGE = %q", a->o->image);
	if (airflow_is_op(a, "kubernetes") && a->o->secret)
		emit_line(e,
		    "SECRETS = [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=%q))]",
		    a->o->secret);
	emit_line(e, "");
	emit_line(e, "");
	buf_release(&b);
}

static void
write_helper(struct airflow *a)
{
	struct emit *e = &a->e;
	bool link = airflow_is_layers(a);
	const char *made = link ? "return" : "task =";

	emit_open(e, "def dbt(task_id, verb, select, %sflags=\"\", **kwargs):", link ? "" :
	    "after=(), ");
	emit_line(e, "\"\"\"One dbt command as a task%s.\"\"\"", link ? "" : " that waits for "
	    "others");
	emit_line(e, "words = [select] if isinstance(select, str) else select");
	emit_line(e, "select = \" --select \" + \" \".join(word + ONLY for word in words) if words "
	    "else SELECT");
	emit_line(e, "refresh = FULL_REFRESH if verb in (\"run\", \"seed\", \"build\"%s) else \"\"",
	    a->o->hook_steps ? ", \"on-run-start\", \"on-run-end\"" : "");
	if (a->o->hook_steps || resumes(a))
		emit_line(e, a->o->hook_steps && has_kept_folders(a) ?
		    "program, nodes = (HEDDLE, \"\") if verb in NO_NODES else (DBT, NODES)" :
		    "nodes = \"\" if verb in NO_NODES else NODES");
	emit_line(e, "command = f\"{%s} {verb}%s{select}{flags and ' "
	    "'}{flags}{FLAGS}{STRICT}{refresh} \"",
	    a->o->hook_steps && has_kept_folders(a) ? "program" : "DBT",
	    a->o->hook_steps || resumes(a) ? "{nodes}" : "");
	if (airflow_is_op(a, "bash"))
		emit_line(e, "%s BashOperator(task_id=task_id, bash_command=command, **kwargs)",
		    made);
	else if (airflow_is_op(a, "docker"))
		emit_line(e, "%s DockerOperator(task_id=task_id, image=IMAGE, command=command, "
		    "auto_remove=\"success\", **kwargs)", made);
	else
		emit_line(e, "%s KubernetesPodOperator(task_id=task_id, image=IMAGE, cmds=[\"sh\", "
		    "\"-c\"], "
		    "arguments=[command]%s, **kwargs)", made, a->o->secret ? ", env_from=SECRETS" :
		    "");
	if (!link) {
		emit_open(e, "for upstream in after:");
		emit_line(e, "# `upstream >> task`, without the hash over the whole DAG that "
		    "Airflow takes for each edge.");
		emit_line(e, "task.upstream_task_ids.add(upstream.task_id)");
		emit_line(e, "upstream.downstream_task_ids.add(task.task_id)");
		e->depth--;
		emit_line(e, "return task");
	}
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

/* The function that makes the task group of a node, where there is one. */
static void
write_model_helper(struct airflow *a)
{
	struct emit *e = &a->e;
	bool tests = false, units = false;

	for (size_t i = 0; i < a->steps->n; i++) {
		tests = tests || a->steps->v[i].test;
		units = units || a->steps->v[i].unit;
	}
	emit_line(e, "Model = namedtuple(\"Model\", \"run%s%s\")", tests ? " test" : "", units ?
	    " unit_test" : "");
	emit_line(e, "");
	emit_line(e, "");
	emit_open(e, "def model(name, verb, select, after=(), folder=\"\"%s%s, **kwargs):",
	    tests ? ", test=None" : "", units ? ", unit_test=None" : "");
	emit_line(e, "\"\"\"A dbt node as a task group: what builds it%s%s.\"\"\"", tests ?
	    ", then its tests" : "",
	    units ? ", its unit tests first" : "");
	emit_open(e, "with TaskGroup(name, parent_group=folders[folder]):");
	if (units) {
		emit_open(e, "if unit_test is not None:");
		emit_line(e, "unit_test = dbt(\"unit_test\", \"test\", **{\"select\": select, "
		    "**unit_test})");
		emit_line(e, "after = [unit_test, *after]");
		e->depth--;
	}
	emit_line(e, "run = dbt(verb, verb, select, after, **kwargs)");
	if (tests) {
		emit_open(e, "if test is not None:");
		emit_line(e, "test = dbt(\"test\", \"test\", after=[run], **{\"select\": select, "
		    "\"flags\": %q, **test})",
		    AIRFLOW_TEST_FLAGS);
		e->depth--;
	}
	e->depth--;
	emit_line(e, "return Model(run%s%s)", tests ? ", test" : "", units ? ", unit_test" : "");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

void
airflow_write_head(struct airflow *a)
{
	write_docstring(a);
	write_imports(a);
	write_command(a);
	write_helper(a);
	if (airflow_is_layers(a))
		airflow_write_notify(a);
	if (has_models(a))
		write_model_helper(a);
}
