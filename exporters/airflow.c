/* airflow.c -- a DAG file: one task per dbt node, for Airflow 2.10+ and 3. */
#include "exporters/airflow.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8
#define ASSET "asset:"
/* A command is one argument of a shell, of which Linux takes no more (MAX_ARG_STRLEN). */
#define LONGEST_COMMAND (128 * 1024 - 1)
#define LONGEST_SELECT 10000  /* of a run; where commands are long, less */
#define BESIDE_WORDS 4096     /* program, folders, flags, full refresh; without --vars */

/* [\w.-]: the project's name nearly always is one. */
static void
add_dag_id(struct buf *out, const char *name)
{
	for (const char *s = name; *s; s++)
		buf_addc(out, isalnum((unsigned char)*s) || strchr("_.-", *s) ? *s : '_');
	if (out->len > 200)
		buf_truncate(out, 200);
}

bool
airflow_starts_on_asset(const struct airflow *a)
{
	return a->o->schedule && text_starts(a->o->schedule, ASSET);
}

static void
write_schedule(struct airflow *a)
{
	const char *s = a->o->schedule;

	if (!s || strcmp(s, "none") == 0) {
		emit_line(&a->e, "schedule=None,");
	} else if (airflow_starts_on_asset(a)) {
		char *list = xstrdup(s + strlen(ASSET));
		bool first = true;

		emit_indent(&a->e);
		emit_add(&a->e, "schedule=[");
		for (char *save = NULL, *uri = strtok_r(list, ",", &save); uri;
		    uri = strtok_r(NULL, ",", &save)) {
			emit_add(&a->e, "%sAsset(%q)", first ? "" : ", ", uri);
			first = false;
		}
		emit_add(&a->e, "],\n");
		free(list);
	} else {
		emit_line(&a->e, "schedule=%q,", s);
	}
}

void
airflow_write_dag_id(struct airflow *a)
{
	struct buf id = BUF_INIT;

	add_dag_id(&id, a->job->title);
	emit_line(&a->e, "dag_id=%q,", buf_str(&id));
	buf_release(&id);
}

void
airflow_write_dag_args(struct airflow *a)
{
	struct emit *e = &a->e;

	write_schedule(a);
	if (a->o->timezone)
		emit_line(e, "start_date=pendulum.datetime(2024, 1, 1, tz=%q),", a->o->timezone);
	else
		emit_line(e, "start_date=datetime(2024, 1, 1),");
	emit_line(e, "catchup=False,");
	emit_line(e, "max_active_runs=1,  # two runs would build the same tables");
	emit_line(e, "max_active_tasks=%z,", (size_t)(a->o->slots ? a->o->slots : DEFAULT_SLOTS));
	emit_open(e, "default_args={");
	airflow_write_default_args(a);
	emit_close(e, "},");
	emit_line(e, "tags=[\"dbt\"],");
}

static void
write_dag_head(struct airflow *a)
{
	struct emit *e = &a->e;

	emit_open(e, "with DAG(");
	airflow_write_dag_id(a);
	emit_line(e, "description=\"dbt, one task per %s\",", airflow_task_is(a));
	airflow_write_dag_args(a);
	if (airflow_is_layers(a))
		emit_line(e, "on_failure_callback=notify,");
	emit_close(e, ") as dag:");
	e->depth++;
}

/* How long `select` may be in a run: it is added to each word of a task's selection. */
static size_t
select_room(const struct airflow *a)
{
	size_t fixed = BESIDE_WORDS + (a->o->vars ? strlen(a->o->vars) : 0), least = LONGEST_SELECT;
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->v[i];
		size_t room = LONGEST_COMMAND;

		buf_truncate(&b, 0);
		airflow_add_words(&b, s->select, s->nselect);
		airflow_add_words(&b, s->exclude, s->nexclude);
		room -= b.len + fixed < room ? b.len + fixed : room;
		if (s->nselect)
			room /= s->nselect;
		if (room < least)
			least = room;
	}
	buf_release(&b);
	return least;
}

static void
write_params(struct airflow *a)
{
	struct emit *e = &a->e;

	emit_line(e, "");
	emit_line(e, "# Set last, or Airflow would copy them into every task. What a run may be "
	    "started with:");
	emit_line(e, "# select narrows it, in dbt's selection syntax without blanks; full_refresh "
	    "rebuilds.");
	emit_open(e, "dag.params.update({");
	emit_line(e, "\"select\": Param(\"\", type=\"string\", pattern=r\"^[\\w.:+@*/,-]*$\", "
	    "maxLength=%z),", select_room(a));
	emit_line(e, "\"full_refresh\": Param(False, type=\"boolean\"),");
	emit_close(e, "})");
}

static int
airflow_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct airflow a = { .job = job, .o = job->tasks };

	emit_init(&a.e, out, &emit_python);
	if (job->tasks->style && strcmp(job->tasks->style, "cosmos") == 0)
		return airflow_write_cosmos(&a, err);
	a.steps = steps_new(job, &id_plain, err);
	if (!a.steps)
		return -1;
	folders_find(&a.folders, a.steps);
	a.usual = policy_usual(a.steps);
	airflow_write_head(&a);
	write_dag_head(&a);
	if (airflow_has_groups(&a))
		airflow_write_groups(&a);
	if (airflow_is_layers(&a))
		airflow_write_layers(&a);
	else
		airflow_write_tasks(&a);
	write_params(&a);
	steps_free(a.steps);
	return 0;
}

/* airflow/utils/dates.py, timetables; assets are ours: write_schedule() */
static const char *const airflow_cron_words[] = {
	"@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly",
	ASSET, NULL
};

const struct exporter exporter_airflow = {
	.name = "airflow",
	.suffix = ".py",
	.summary = "a DAG file, one task per node; Airflow 2.10+ and 3",
	.fields = GRAPH_DOCS | GRAPH_CONFIG,
	.runs = true,
	.cron_words = airflow_cron_words,
	.parts = true,
	.hooks = true,
	.styles = airflow_styles,
	.ops = airflow_operators,
	.group_by = GROUP_BY_FOLDER,
	.write = airflow_write,
};
