/* airflow.c -- a DAG file: one task per dbt node, for Airflow 2.10+ and 3. */
#include "exporters/airflow.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/node_docs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8

/* [\w.-]: the project's name nearly always is one. */
static void
add_dag_id(struct buf *out, const char *name)
{
	for (const char *s = name; *s; s++)
		buf_addc(out, isalnum((unsigned char)*s) || strchr("_.-", *s) ? *s : '_');
	if (out->len > 200)
		buf_truncate(out, 200);
}

static void
write_schedule(struct airflow *a)
{
	const char *s = a->o->schedule;

	if (!s || strcmp(s, "none") == 0) {
		emit_line(&a->e, "schedule=None,");
	} else if (text_starts(s, "asset:")) {
		char *list = xstrdup(s + strlen("asset:"));
		bool first = true;

		emit_indent(&a->e);
		emit_add(&a->e, "schedule=[");
		for (char *save = NULL, *uri = strtok_r(list, ",", &save); uri; uri = strtok_r(NULL, ",", &save)) {
			emit_add(&a->e, "%sAsset(%q)", first ? "" : ", ", uri);
			first = false;
		}
		emit_add(&a->e, "],\n");
		free(list);
	} else {
		emit_line(&a->e, "schedule=%q,", s);
	}
}

static void
write_dag_head(struct airflow *a)
{
	struct emit *e = &a->e;
	struct buf id = BUF_INIT;

	add_dag_id(&id, a->job->title);
	emit_open(e, "with DAG(");
	emit_line(e, "%q,", buf_str(&id));
	emit_line(e, "description=%q,", "dbt, one task per node");
	write_schedule(a);
	if (a->o->timezone)
		emit_line(e, "start_date=pendulum.datetime(2024, 1, 1, tz=%q),", a->o->timezone);
	else
		emit_line(e, "start_date=datetime(2024, 1, 1),");
	emit_line(e, "catchup=False,");
	emit_line(e, "max_active_runs=1,  # two runs would build the same tables");
	emit_line(e, "max_active_tasks=%z,", (size_t)(a->o->slots ? a->o->slots : DEFAULT_SLOTS));
	emit_indent(e);
	emit_add(e, "default_args={");
	airflow_write_policy(e, &a->usual, "\"", "\": ", ", ");
	emit_add(e, "\"weight_rule\": \"absolute\"},\n");
	emit_line(e, "tags=[\"dbt\"],");
	emit_close(e, ") as dag:");
	e->depth++;
	buf_release(&id);
}

/* The list of a step's upstream variables. */
static void
write_after(struct airflow *a, const struct step *s)
{
	emit_add(&a->e, "[");
	for (size_t i = 0; i < s->nafter; i++)
		emit_add(&a->e, "%s%s", i ? ", " : "", a->steps->v[s->after[i]].id);
	emit_add(&a->e, "]");
}

static void
write_select(struct airflow *a, const struct step *s)
{
	struct buf b = BUF_INIT;

	if (s->nselect != 1)
		emit_add(&a->e, "[");
	for (size_t i = 0; i < s->nselect; i++) {
		buf_truncate(&b, 0);
		airflow_add_words(&b, &s->select[i], 1);
		emit_add(&a->e, "%s%q", i ? ", " : "", b.data);
	}
	if (s->nselect != 1)
		emit_add(&a->e, "]");
	buf_release(&b);
}

static void
write_flags(struct airflow *a, const struct step *s)
{
	struct buf b = BUF_INIT;

	airflow_add_flag(&b, "--indirect-selection", s->indirect);
	if (s->nexclude) {
		buf_adds(&b, " --exclude ");
		airflow_add_words(&b, s->exclude, s->nexclude);
	}
	if (b.len)
		emit_add(&a->e, ", %q", b.data + 1);
	buf_release(&b);
}

/* Asset, owner and documentation of the node a task builds. */
static void
write_node_facts(struct airflow *a, const struct step *s)
{
	const char *project = a->job->graph->project_name;
	struct buf b = BUF_INIT;

	if (a->o->assets) {
		buf_addf(&b, "dbt://%s/%s", project ? project : "dbt", s->base);
		emit_add(&a->e, ", outlets=[Asset(%q)]", b.data);
	}
	buf_truncate(&b, 0);
	if (node_docs_owner(&b, s->node))
		emit_add(&a->e, ", owner=%q", b.data);
	buf_truncate(&b, 0);
	if (node_docs_markdown(&b, s->node))
		emit_add(&a->e, ", doc_md=%q", b.data);
	buf_release(&b);
}

static void
write_step(struct airflow *a, const struct step *s, const char *task_id, const char *folder)
{
	struct emit *e = &a->e;
	struct task_policy p = airflow_policy(s);

	emit_indent(e);
	emit_add(e, "%s = dbt(%q, ", s->id, s->verb);
	write_select(a, s);
	emit_add(e, ", ");
	write_after(a, s);
	write_flags(a, s);
	if (task_id)
		emit_add(e, ", task_id=%q", task_id);
	if (folder && *folder)
		emit_add(e, ", task_group=folder[%q]", folder);
	if (s->path > 0)
		emit_add(e, ", priority_weight=%z", (size_t)ceil(s->path));
	if (p.pool)
		emit_add(e, ", pool=%q", p.pool);
	if (!airflow_same_policy(&p, &a->usual))
		airflow_write_policy(e, &p, ", ", "=", "");
	if (s->role == STEP_BUILD)
		write_node_facts(a, s);
	emit_add(e, ")\n");
}

/* A built node and its tests: a group of their own. */
static void
write_node(struct airflow *a, size_t i)
{
	const struct step *s = &a->steps->v[i];
	const char *folder = a->folders.of[i];
	struct emit *e = &a->e;

	emit_open(e, "with TaskGroup(\"%s%s\", parent_group=folder[%q]):", s->base,
	    airflow_is_folder(a, folder, s->base) ? "__model" : "", folder);
	if (s->unit)
		write_step(a, s->unit, "unit_test", NULL);
	write_step(a, s, NULL, NULL);
	if (s->test)
		write_step(a, s->test, NULL, NULL);
	e->depth--;
}

static void
write_steps(struct airflow *a)
{
	struct emit *e = &a->e;

	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->v[i];

		if (s->role == STEP_BUILD)
			write_node(a, i);
		else if (!s->build)
			write_step(a, s, s->id, a->folders.of[i]);
	}
	emit_line(e, "");
	emit_line(e, "# Set last, or Airflow would copy them into every task. What a run may be started with:");
	emit_line(e, "# select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.");
	emit_open(e, "dag.params.update({");
	emit_line(e, "\"select\": Param(\"\", type=\"string\", pattern=r\"^[\\w.:+@*/,-]*$\"),");
	emit_line(e, "\"full_refresh\": Param(False, type=\"boolean\"),");
	emit_close(e, "})");
}

/* ---- the file ---- */

static int
airflow_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct airflow a = { .job = job, .o = job->tasks };

	a.steps = steps_new(job, &id_plain, err);
	if (!a.steps)
		return -1;
	folders_find(&a.folders, a.steps);
	a.usual = airflow_usual_policy(a.steps);
	emit_init(&a.e, out, &emit_python);
	airflow_write_head(&a);
	write_dag_head(&a);
	airflow_write_groups(&a);
	write_steps(&a);
	steps_free(a.steps);
	return 0;
}

const struct exporter exporter_airflow = {
	.name = "airflow",
	.suffix = ".py",
	.summary = "a DAG file, one task per node; Airflow 2.10+ and 3",
	.fields = GRAPH_DOCS | GRAPH_CONFIG,
	.runs = true,
	.ops = airflow_operators,
	.group_by = GROUP_BY_FOLDER,
	.write = airflow_write,
};
