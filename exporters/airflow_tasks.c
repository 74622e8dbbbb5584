/* airflow_tasks.c -- the calls of the generated file that make tasks: model() for a node that is
 * built, with its tests; dbt() for a task that stands alone.
 *
 * A token of the file costs Airflow about a quarter of a kilobyte while it is parsed: hence one
 * call a node, not one a task.
 */
#include "exporters/airflow.h"

#include <math.h>
#include <string.h>

#include "exporters/node_docs.h"
#include "exporters/pycall.h"
#include "util/map.h"

#define BREAK PYCALL_BREAK

/* Names that the file has for itself, or Python. */
static const char *const reserved[] = {
	"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
	"continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
	"if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
	"try", "while", "with", "yield", "Asset", "BashOperator", "DAG", "DBT", "Dataset",
	"DockerOperator", "EmptyOperator", "FLAGS", "FULL_REFRESH", "HEDDLE", "IMAGE",
	"KubernetesPodOperator", "Model", "NODES", "NO_NODES", "ONLY", "Param", "SECRETS", "SELECT",
	"STRICT", "TaskGroup", "dag", "datetime", "dbt", "done", "folders", "isinstance", "k8s",
	"model", "name", "namedtuple", "parent", "path", "pendulum", "str", "timedelta",
	"__builtins__", "__doc__", "__file__", "__name__", NULL
};

/* ---- variables ---- */

/* class -> class_, class_ -> class__: still one name a node. */
static void
add_variable(struct buf *out, const char *id)
{
	size_t n = strlen(id);

	while (n && id[n - 1] == '_')
		n--;
	buf_adds(out, id);
	for (size_t i = 0; reserved[i]; i++)
		if (strncmp(reserved[i], id, n) == 0 && reserved[i][n] == '\0') {
			buf_addc(out, '_');
			return;
		}
}

/* The id of a step that stands alone; a group may have that name: stg_orders_test is a task when
 * stg_orders is ephemeral, and a group when a model is called so. */
static void
add_alone_id(struct buf *out, const struct airflow *a, const struct step *s)
{
	buf_adds(out, s->id);
	while (map_get(&a->groups, out->data))
		buf_adds(out, "__task");
}

/* How other calls name the task: stg_orders.run, stg_orders.test, tests__all. */
static void
add_reference(struct buf *out, const struct airflow *a, const struct step *s)
{
	struct buf id = BUF_INIT;

	if (s->role == STEP_BUILD || s->build) {
		add_variable(out, s->base);
		buf_adds(out, s->role == STEP_BUILD ? ".run" : s->role == STEP_TEST ? ".test" :
		    ".unit_test");
	} else {
		add_alone_id(&id, a, s);
		add_variable(out, id.data);
	}
	buf_release(&id);
}

/* ---- arguments ---- */

static void
add_select(struct emit *e, const struct step *s)
{
	struct buf b = BUF_INIT;

	if (s->nselect != 1)
		emit_add(e, "[");
	for (size_t i = 0; i < s->nselect; i++) {
		buf_truncate(&b, 0);
		airflow_add_words(&b, &s->select[i], 1);
		emit_add(e, "%s%q", i ? "," BREAK : "", b.data);
	}
	if (s->nselect != 1)
		emit_add(e, "]");
	buf_release(&b);
}

/* `skip` is left out: model() sees to it. */
static void
add_after(struct emit *e, const struct airflow *a, const struct step *s, const struct step *skip)
{
	bool first = true;

	emit_add(e, "[");
	for (size_t i = 0; i < s->nafter; i++) {
		const struct step *from = &a->steps->v[s->after[i]];

		if (from == skip)
			continue;
		emit_add(e, first ? "" : "," BREAK);
		add_reference(e->out, a, from);
		first = false;
	}
	emit_add(e, "]");
}

/* "--indirect-selection cautious --exclude ..." */
static void
add_flags(struct buf *out, const struct step *s)
{
	struct buf b = BUF_INIT;

	airflow_add_flag(&b, "--indirect-selection", s->indirect);
	if (s->nexclude) {
		buf_addf(&b, " %s ", steps_exclude_flag(s));
		airflow_add_words(&b, s->exclude, s->nexclude);
	}
	buf_adds(out, b.len ? b.data + 1 : "");
	buf_release(&b);
}

/* Priority, pool and policy where it is not the usual one. */
static void
add_policy(struct emit *e, const struct airflow *a, const struct step *s, const char *open,
    const char *between)
{
	struct task_policy p = policy_of(s);

	if (s->path > 0 && !airflow_is_layers(a))    /* in a chain nothing comes first */
		emit_add(e, "%spriority_weight%s%z", open, between, (size_t)ceil(s->path));
	if (p.pool)
		emit_add(e, "%spool%s%q", open, between, p.pool);
	airflow_add_policy(e, a, &p, open, between);
}

/* Asset, owner and documentation of the node a task builds. */
static void
add_node_facts(struct emit *e, const struct airflow *a, const struct step *s)
{
	const char *project = a->job->graph->project_name;
	struct buf b = BUF_INIT;

	if (a->o->assets) {
		buf_addf(&b, "dbt://%s/%s", project ? project : "dbt", s->base);
		emit_add(e, "," BREAK "outlets=[Asset(%q)]", b.data);
	}
	buf_truncate(&b, 0);
	if (node_docs_owner(&b, s->node))
		emit_add(e, "," BREAK "owner=%q", b.data);
	buf_truncate(&b, 0);
	if (node_docs_markdown(&b, s->node))
		emit_add(e, "," BREAK "doc_md=%q", b.data);
	buf_release(&b);
}

/* ---- calls ---- */

/* What a test of a model has besides the usual: a dictionary of arguments for dbt(). */
static void
add_test(struct emit *e, const struct airflow *a, const struct step *build, const struct step *s)
{
	bool unit = s->role == STEP_UNIT_TEST, first = true;
	struct buf flags = BUF_INIT, policy = BUF_INIT;
	struct emit p;

	emit_add(e, unit ? "," BREAK "unit_test={" : "," BREAK "test={");
	if (s->nselect != 1 || strcmp(s->select[0], build->select[0]) != 0) {
		emit_add(e, "\"select\": ");
		add_select(e, s);
		first = false;
	}
	if (unit && s->nafter) {
		emit_add(e, "%s\"after\": ", first ? "" : "," BREAK);
		add_after(e, a, s, NULL);
		first = false;
	}
	add_flags(&flags, s);
	if (strcmp(buf_str(&flags), unit ? "" : AIRFLOW_TEST_FLAGS) != 0) {
		emit_add(e, "%s\"flags\": %q", first ? "" : "," BREAK, buf_str(&flags));
		first = false;
	}
	emit_init(&p, &policy, &emit_python);
	add_policy(&p, a, s, "," BREAK "\"", "\": ");
	emit_add(e, "%s}", first && policy.len ? policy.data + 2 : buf_str(&policy));
	buf_release(&flags);
	buf_release(&policy);
}

static void
write_model(struct airflow *a, size_t i)
{
	const struct step *s = &a->steps->v[i];
	const char *folder = a->folders.of[i];
	struct buf args = BUF_INIT, open = BUF_INIT, flags = BUF_INIT;
	struct emit e;

	emit_init(&e, &args, &emit_python);
	emit_add(&e, "\"%s%s\"," BREAK "%q," BREAK, s->base,
	    airflow_is_folder(a, folder, s->base) ? "__model" : "", s->verb);
	add_select(&e, s);
	emit_add(&e, "," BREAK);
	add_after(&e, a, s, s->unit);
	if (*folder)
		emit_add(&e, "," BREAK "folder=%q", folder);
	add_flags(&flags, s);
	if (flags.len)
		emit_add(&e, "," BREAK "flags=%q", flags.data);
	add_policy(&e, a, s, "," BREAK, "=");
	if (s->unit)
		add_test(&e, a, s, s->unit);
	if (s->test)
		add_test(&e, a, s, s->test);
	add_node_facts(&e, a, s);
	add_variable(&open, s->base);
	buf_adds(&open, " = model(");
	pycall_write(&a->e, open.data, &args, ")");
	buf_release(&args);
	buf_release(&open);
	buf_release(&flags);
}

/* What dbt() is told; a link of a chain waits for the one before it. */
static void
add_alone(struct emit *e, const struct airflow *a, const struct step *s, const char *id, bool link)
{
	const char *folder = a->folders.of[s - a->steps->v];
	struct buf flags = BUF_INIT;

	emit_add(e, "%q," BREAK "%q," BREAK, id, s->verb);
	add_select(e, s);
	if (!link) {
		emit_add(e, "," BREAK);
		add_after(e, a, s, NULL);
	}
	if (*folder)
		emit_add(e, "," BREAK "task_group=folders[%q]", folder);
	add_flags(&flags, s);
	if (flags.len)
		emit_add(e, "," BREAK "flags=%q", flags.data);
	add_policy(e, a, s, "," BREAK, "=");
	if (s->role == STEP_END)
		emit_add(e, "," BREAK "trigger_rule=\"all_done\"");
	buf_release(&flags);
}

static void
write_alone(struct airflow *a, const struct step *s)
{
	struct buf args = BUF_INIT, open = BUF_INIT, id = BUF_INIT;
	struct emit e;

	add_alone_id(&id, a, s);
	emit_init(&e, &args, &emit_python);
	add_alone(&e, a, s, id.data, false);
	add_variable(&open, id.data);
	buf_adds(&open, " = dbt(");
	pycall_write(&a->e, open.data, &args, ")");
	if (s->role == STEP_END) {
		emit_line(&a->e, "# on_run_end ends well whatever became of the others: a run is "
		    "as good as they are.");
		emit_line(&a->e, "done = EmptyOperator(task_id=\"done\")");
		emit_line(&a->e, "[dag.get_task(i) for i in sorted({\"%s\", "
		    "*%s.upstream_task_ids})] >> done",
		    id.data, id.data);
	}
	buf_release(&args);
	buf_release(&open);
	buf_release(&id);
}

const char *
airflow_link_id(const struct step *s)
{
	return s->role == STEP_TEST_ALL ? "test" : s->id;
}

void
airflow_write_link(struct airflow *a, const struct step *s)
{
	struct buf args = BUF_INIT;
	struct emit e;

	emit_init(&e, &args, &emit_python);
	add_alone(&e, a, s, airflow_link_id(s), true);
	pycall_write(&a->e, "dbt(", &args, "),");
	buf_release(&args);
}

void
airflow_write_tasks(struct airflow *a)
{
	for (size_t i = 0; i < a->steps->n; i++)
		if (a->steps->v[i].role == STEP_BUILD)
			map_put(&a->groups, a->steps->v[i].base, &a->steps->v[i]);
	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->v[i];

		if (s->role == STEP_BUILD)
			write_model(a, i);
		else if (!s->build)
			write_alone(a, s);
	}
	map_release(&a->groups);
}
