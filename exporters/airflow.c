/* airflow.c -- a DAG file: one task per dbt node, for Airflow 2.10+ and 3.
 *
 * What a task runs is text in three languages: a word of dbt's selection inside a shell command,
 * inside a Jinja template, inside a Python string; it is quoted in that order.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/folders.h"
#include "exporters/node_docs.h"
#include "exporters/steps.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_TIMEOUT_MS (60 * 60 * 1000)
#define DEFAULT_SLOTS 8

static const char *const operators[] = { "bash", "docker", "kubernetes", NULL };

struct dag {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct folders folders;
	struct task_policy usual;     /* of most tasks: the DAG's default_args */
};

/* ---- texts ---- */

/* Words for a shell, safe from Jinja too; one blank between them. */
static void
add_words(struct buf *out, const char *const *words, size_t n)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ' ');
		emit_shell_word(&b, words[i]);
	}
	emit_jinja_text(out, buf_str(&b));
	buf_release(&b);
}

static void
add_flag(struct buf *out, const char *flag, const char *value)
{
	if (!value)
		return;
	buf_addf(out, " %s ", flag);
	add_words(out, &value, 1);
}

/* Flags that every task of the DAG has. */
static void
add_common_flags(struct buf *out, const struct task_options *o)
{
	add_flag(out, "--profile", o->profile);
	add_flag(out, "--target", o->target);
	if (o->vars) {    /* the user's own words: {{ ds }} in them is meant */
		buf_adds(out, " --vars ");
		emit_shell_word(out, o->vars);
	}
	add_flag(out, "--project-dir", o->project_dir);
	add_flag(out, "--profiles-dir", o->profiles_dir);
}

static void
add_timedelta(struct emit *e, int64_t ms)
{
	if (ms % (60 * 60 * 1000) == 0)
		emit_add(e, "timedelta(hours=%f)", (double)ms / (60 * 60 * 1000));
	else if (ms % (60 * 1000) == 0)
		emit_add(e, "timedelta(minutes=%f)", (double)ms / (60 * 1000));
	else
		emit_add(e, "timedelta(seconds=%f)", (double)ms / 1000);
}

/* ---- policies ---- */

static struct task_policy
policy_of(const struct step *s)
{
	struct task_policy p = s->policy;

	if (p.timeout_ms == 0)
		p.timeout_ms = DEFAULT_TIMEOUT_MS;
	return p;
}

static bool
same_policy(const struct task_policy *a, const struct task_policy *b)
{
	return a->max_attempts == b->max_attempts && a->delay_ms == b->delay_ms &&
		(a->factor > 1) == (b->factor > 1) && a->max_delay_ms == b->max_delay_ms &&
		a->timeout_ms == b->timeout_ms;
}

/* The policy most tasks have; of equals the one that comes first. */
static struct task_policy
usual_policy(const struct steps *s)
{
	struct task_policy best = { .max_attempts = 3, .delay_ms = 60000, .factor = 2,
		.timeout_ms = DEFAULT_TIMEOUT_MS };
	size_t most = 0, nseen = 0;
	struct { struct task_policy p; size_t n; } seen[16];

	for (size_t i = 0; i < s->n; i++) {
		struct task_policy p = policy_of(&s->v[i]);
		size_t k = 0;

		while (k < nseen && !same_policy(&seen[k].p, &p))
			k++;
		if (k == nseen && nseen == sizeof(seen) / sizeof(*seen))
			continue;
		if (k == nseen) {
			seen[nseen].p = p;
			seen[nseen++].n = 0;
		}
		if (++seen[k].n > most) {
			most = seen[k].n;
			best = p;
		}
	}
	return best;
}

/* Arguments of default_args, or of a task whose policy is another one. */
static void
write_policy(struct emit *e, const struct task_policy *p, const char *open, const char *between,
    const char *close)
{
	size_t retries = p->max_attempts ? p->max_attempts - 1 : 0;

	emit_add(e, "%sretries%s%z%s", open, between, retries, close);
	emit_add(e, "%sretry_delay%s", open, between);
	add_timedelta(e, p->delay_ms ? p->delay_ms : 1000);
	emit_add(e, "%s%sretry_exponential_backoff%s%s%s", close, open, between,
	    p->factor > 1 ? "True" : "False", close);
	if (p->factor > 1 && p->max_delay_ms) {
		emit_add(e, "%smax_retry_delay%s", open, between);
		add_timedelta(e, p->max_delay_ms);
		emit_add(e, "%s", close);
	}
	emit_add(e, "%sexecution_timeout%s", open, between);
	add_timedelta(e, p->timeout_ms);
	emit_add(e, "%s", close);
}

/* ---- the head of the file ---- */

static void
write_docstring(struct dag *d)
{
	struct emit *e = &d->e;

	emit_line(e, "\"\"\"Airflow DAG of the dbt project %c: one task per dbt node.  Airflow 2.10+ and 3.",
	    d->job->title);
	emit_line(e, "");
	emit_line(e, "Made by: %s", d->job->stamp);
	emit_line(e, "Out of date?  heddle export --check FILE");
	if (d->o->hooks) {
		emit_line(e, "");
		emit_line(e, "Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.");
	}
	if (d->o->tests != TESTS_NONE) {
		emit_line(e, "");
		emit_line(e, "A failed test holds back what reads its model; a test of severity warn never does.");
	}
	emit_line(e, "\"\"\"");
}

static bool
is_op(const struct dag *d, const char *name)
{
	return strcmp(d->o->op ? d->o->op : operators[0], name) == 0;
}

static void
write_imports(struct dag *d)
{
	struct emit *e = &d->e;
	bool bash = is_op(d, "bash");

	emit_line(e, "from datetime import datetime, timedelta");
	emit_line(e, "");
	if (d->o->timezone)
		emit_line(e, "import pendulum");
	if (is_op(d, "docker"))
		emit_line(e, "from airflow.providers.docker.operators.docker import DockerOperator");
	if (is_op(d, "kubernetes"))
		emit_line(e, "from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator");
	if (is_op(d, "kubernetes") && d->o->secret)
		emit_line(e, "from kubernetes.client import models as k8s");
	if (!bash || d->o->timezone)
		emit_line(e, "");
	emit_open(e, "try:");
	emit_line(e, "from airflow.sdk import %sDAG, Param, TaskGroup", d->o->assets ? "Asset, " : "");
	if (bash)
		emit_line(e, "from airflow.providers.standard.operators.bash import BashOperator");
	emit_close(e, "except ImportError:  # Airflow 2");
	e->depth++;
	emit_line(e, "from airflow import DAG");
	if (d->o->assets)
		emit_line(e, "from airflow.datasets import Dataset as Asset");
	emit_line(e, "from airflow.models.param import Param");
	if (bash)
		emit_line(e, "from airflow.operators.bash import BashOperator");
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
		add_words(out, o->command, o->ncommand);
	else
		add_words(out, o->runner == RUNNER_HEDDLE ? heddle : dbt, 1);
}

static void
write_command(struct dag *d)
{
	struct emit *e = &d->e;
	struct buf b = BUF_INIT;

	if (is_op(d, "bash")) {
		emit_line(e, "# Airflow gives each task an empty folder of its own. dbt's target folder and log go there, so");
		emit_line(e, "# that tasks side by side do not share them; the saved parse of the project is taken along.");
		buf_adds(&b, "cp ");
		if (d->o->project_dir) {
			struct buf path = BUF_INIT;

			buf_addf(&path, "%s%starget/partial_parse.msgpack", d->o->project_dir,
			    text_ends(d->o->project_dir, "/") ? "" : "/");
			add_words(&b, &(const char *){ path.data }, 1);
			buf_release(&path);
		} else {
			buf_adds(&b, "\"${DBT_PROJECT_DIR:-.}/target/partial_parse.msgpack\"");
		}
		buf_adds(&b, " . 2>/dev/null; DBT_TARGET_PATH=\"$PWD\" DBT_LOG_PATH=\"$PWD\" ");
	}
	add_program(&b, d->o);
	emit_line(e, "DBT = %q", buf_str(&b));
	buf_truncate(&b, 0);
	add_common_flags(&b, d->o);
	emit_line(e, "FLAGS = %q", buf_str(&b));
	buf_truncate(&b, 0);
	buf_adds(&b, "{% if not params.select %}");
	add_flag(&b, "--warn-error-options", d->o->warn_errors);
	buf_adds(&b, "{% endif %}");
	emit_line(e, "# A selection that finds nothing is an error, unless the run was narrowed on purpose.");
	emit_line(e, "STRICT = %q", buf_str(&b));
	emit_line(e, "ONLY = \"{{ ',' ~ params.select if params.select }}\"");
	emit_line(e, "FULL_REFRESH = \"{{ ' --full-refresh' if params.full_refresh }}\"");
	if (!is_op(d, "bash"))
		emit_line(e, "IMAGE = %q", d->o->image);
	if (is_op(d, "kubernetes") && d->o->secret)
		emit_line(e, "SECRETS = [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=%q))]", d->o->secret);
	emit_line(e, "");
	emit_line(e, "");
	buf_release(&b);
}

static void
write_helper(struct dag *d)
{
	struct emit *e = &d->e;

	emit_open(e, "def dbt(verb, select, after=(), flags=\"\", task_id=None, **kwargs):");
	emit_line(e, "\"\"\"One dbt command as a task that waits for others.\"\"\"");
	emit_line(e, "words = \" \".join(word + ONLY for word in ([select] if isinstance(select, str) else select))");
	emit_line(e, "refresh = FULL_REFRESH if verb in (\"run\", \"seed\", \"build\") else \"\"");
	emit_line(e, "command = f\"{DBT} {verb}{words and ' --select '}{words}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} \"");
	if (is_op(d, "bash"))
		emit_line(e, "task = BashOperator(task_id=task_id or verb, bash_command=command, **kwargs)");
	else if (is_op(d, "docker"))
		emit_line(e, "task = DockerOperator(task_id=task_id or verb, image=IMAGE, command=command, "
		    "auto_remove=\"success\", **kwargs)");
	else
		emit_line(e, "task = KubernetesPodOperator(task_id=task_id or verb, image=IMAGE, cmds=[\"sh\", \"-c\"], "
		    "arguments=[command]%s, **kwargs)", d->o->secret ? ", env_from=SECRETS" : "");
	emit_open(e, "for upstream in after:");
	emit_line(e, "# `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.");
	emit_line(e, "task.upstream_task_ids.add(upstream.task_id)");
	emit_line(e, "upstream.downstream_task_ids.add(task.task_id)");
	e->depth--;
	emit_line(e, "return task");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

/* ---- the DAG ---- */

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
write_schedule(struct dag *d)
{
	const char *s = d->o->schedule;

	if (!s || strcmp(s, "none") == 0) {
		emit_line(&d->e, "schedule=None,");
	} else if (text_starts(s, "asset:")) {
		char *list = xstrdup(s + strlen("asset:"));
		bool first = true;

		emit_indent(&d->e);
		emit_add(&d->e, "schedule=[");
		for (char *save = NULL, *uri = strtok_r(list, ",", &save); uri; uri = strtok_r(NULL, ",", &save)) {
			emit_add(&d->e, "%sAsset(%q)", first ? "" : ", ", uri);
			first = false;
		}
		emit_add(&d->e, "],\n");
		free(list);
	} else {
		emit_line(&d->e, "schedule=%q,", s);
	}
}

static void
write_dag_head(struct dag *d)
{
	struct emit *e = &d->e;
	struct buf id = BUF_INIT;

	add_dag_id(&id, d->job->title);
	emit_open(e, "with DAG(");
	emit_line(e, "%q,", buf_str(&id));
	emit_line(e, "description=%q,", "dbt, one task per node");
	write_schedule(d);
	if (d->o->timezone)
		emit_line(e, "start_date=pendulum.datetime(2024, 1, 1, tz=%q),", d->o->timezone);
	else
		emit_line(e, "start_date=datetime(2024, 1, 1),");
	emit_line(e, "catchup=False,");
	emit_line(e, "max_active_runs=1,  # two runs would build the same tables");
	emit_line(e, "max_active_tasks=%z,", (size_t)(d->o->slots ? d->o->slots : DEFAULT_SLOTS));
	emit_indent(e);
	emit_add(e, "default_args={");
	write_policy(e, &d->usual, "\"", "\": ", ", ");
	emit_add(e, "\"weight_rule\": \"absolute\"},\n");
	emit_line(e, "tags=[\"dbt\"],");
	emit_close(e, ") as dag:");
	e->depth++;
	buf_release(&id);
}

/* ---- folders as task groups ----
 *
 * Airflow 2 refuses a nested group whose own name is that of a group at the top, unless the nested
 * one is there first. So the folders at the top stand in an order that keeps their names where that
 * is possible; else the nested one is called name__folder.
 */

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool
is_inside(const char *path, const char *root)
{
	size_t n = strlen(root);

	return strncmp(path, root, n) == 0 && path[n] == '/';
}

/* Must root `a` stand before root `b`: does it hold a folder of that name? */
static bool
stands_before(const struct folders *f, const char *a, const char *b)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_inside(f->all[i], a) && strcmp(last_name(f->all[i]), b) == 0)
			return true;
	return false;
}

/* Folders at the top, in their order. New array, caller frees. */
static const char **
order_roots(const struct folders *f, size_t *nroots)
{
	const char **left = xcalloc(f->n + 1, sizeof(*left)), **order = xcalloc(f->n + 1, sizeof(*order));
	size_t nleft = 0, n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!strchr(f->all[i], '/'))
			left[nleft++] = f->all[i];
	while (nleft) {
		size_t pick = 0;

		for (size_t i = 0; i < nleft; i++) {
			bool waits = false;

			for (size_t k = 0; k < nleft && !waits; k++)
				waits = k != i && stands_before(f, left[k], left[i]);
			if (!waits) {
				pick = i;
				break;
			}
		}
		order[n++] = left[pick];
		memmove(left + pick, left + pick + 1, (--nleft - pick) * sizeof(*left));
	}
	free(left);
	*nroots = n;
	return order;
}

static bool
is_among(const char *const *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], word) == 0)
			return true;
	return false;
}

static void
write_folders(struct dag *d)
{
	struct emit *e = &d->e;
	struct buf renamed = BUF_INIT;
	struct emit r;
	size_t nroots;
	const char **roots = order_roots(&d->folders, &nroots);

	emit_init(&r, &renamed, &emit_python);
	emit_line(e, "folder = {\"\": None}");
	if (nroots)
		emit_open(e, "for path in [");
	for (size_t k = 0; k < nroots; k++)
		for (size_t i = 0; i < d->folders.n; i++) {
			const char *path = d->folders.all[i];

			if (strcmp(path, roots[k]) != 0 && !is_inside(path, roots[k]))
				continue;
			emit_line(e, "%q,", path);
			if (strchr(path, '/') && is_among(roots, k + 1, last_name(path)))
				emit_add(&r, "%s%q: \"%s__folder\"", renamed.len ? ", " : "", path, last_name(path));
		}
	if (nroots) {
		emit_close(e, "]:");
		e->depth++;
		emit_line(e, "parent, _, name = path.rpartition(\"/\")");
		if (renamed.len)
			emit_line(e, "name = {%s}.get(path, name)", renamed.data);
		emit_line(e, "folder[path] = TaskGroup(name, parent_group=folder[parent])");
		e->depth--;
	}
	emit_line(e, "");
	free(roots);
	buf_release(&renamed);
}

/* The list of a step's upstream variables. */
static void
write_after(struct dag *d, const struct step *s)
{
	emit_add(&d->e, "[");
	for (size_t i = 0; i < s->nafter; i++)
		emit_add(&d->e, "%s%s", i ? ", " : "", d->steps->v[s->after[i]].id);
	emit_add(&d->e, "]");
}

static void
write_select(struct dag *d, const struct step *s)
{
	struct buf b = BUF_INIT;

	if (s->nselect != 1)
		emit_add(&d->e, "[");
	for (size_t i = 0; i < s->nselect; i++) {
		buf_truncate(&b, 0);
		add_words(&b, &s->select[i], 1);
		emit_add(&d->e, "%s%q", i ? ", " : "", b.data);
	}
	if (s->nselect != 1)
		emit_add(&d->e, "]");
	buf_release(&b);
}

static void
write_flags(struct dag *d, const struct step *s)
{
	struct buf b = BUF_INIT;

	add_flag(&b, "--indirect-selection", s->indirect);
	if (s->nexclude) {
		buf_adds(&b, " --exclude ");
		add_words(&b, s->exclude, s->nexclude);
	}
	if (b.len)
		emit_add(&d->e, ", %q", b.data + 1);
	buf_release(&b);
}

/* Asset, owner and documentation of the node a task builds. */
static void
write_node_facts(struct dag *d, const struct step *s)
{
	const char *project = d->job->graph->project_name;
	struct buf b = BUF_INIT;

	if (d->o->assets) {
		buf_addf(&b, "dbt://%s/%s", project ? project : "dbt", s->base);
		emit_add(&d->e, ", outlets=[Asset(%q)]", b.data);
	}
	buf_truncate(&b, 0);
	if (node_docs_owner(&b, s->node))
		emit_add(&d->e, ", owner=%q", b.data);
	buf_truncate(&b, 0);
	if (node_docs_markdown(&b, s->node))
		emit_add(&d->e, ", doc_md=%q", b.data);
	buf_release(&b);
}

static void
write_step(struct dag *d, const struct step *s, const char *task_id, const char *folder)
{
	struct emit *e = &d->e;
	struct task_policy p = policy_of(s);

	emit_indent(e);
	emit_add(e, "%s = dbt(%q, ", s->id, s->verb);
	write_select(d, s);
	emit_add(e, ", ");
	write_after(d, s);
	write_flags(d, s);
	if (task_id)
		emit_add(e, ", task_id=%q", task_id);
	if (folder && *folder)
		emit_add(e, ", task_group=folder[%q]", folder);
	if (s->path > 0)
		emit_add(e, ", priority_weight=%z", (size_t)ceil(s->path));
	if (p.pool)
		emit_add(e, ", pool=%q", p.pool);
	if (!same_policy(&p, &d->usual))
		write_policy(e, &p, ", ", "=", "");
	if (s->role == STEP_BUILD)
		write_node_facts(d, s);
	emit_add(e, ")\n");
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
has_folder(const struct folders *f, const char *path)
{
	return f->n && bsearch(&path, f->all, f->n, sizeof(*f->all), by_text) != NULL;
}

/* A folder beside the node, or at the top, may have its name: then the group says what it is. */
static bool
is_folder(const struct dag *d, const char *folder, const char *name)
{
	struct buf path = BUF_INIT;
	bool found;

	buf_addf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	found = has_folder(&d->folders, path.data) || has_folder(&d->folders, name);
	buf_release(&path);
	return found;
}

/* A built node and its tests: a group of their own. */
static void
write_node(struct dag *d, size_t i)
{
	const struct step *s = &d->steps->v[i];
	const char *folder = d->folders.of[i];
	struct emit *e = &d->e;

	emit_open(e, "with TaskGroup(\"%s%s\", parent_group=folder[%q]):", s->base,
	    is_folder(d, folder, s->base) ? "__model" : "", folder);
	if (s->unit)
		write_step(d, s->unit, "unit_test", NULL);
	write_step(d, s, NULL, NULL);
	if (s->test)
		write_step(d, s->test, NULL, NULL);
	e->depth--;
}

static void
write_steps(struct dag *d)
{
	struct emit *e = &d->e;

	for (size_t i = 0; i < d->steps->n; i++) {
		const struct step *s = &d->steps->v[i];

		if (s->role == STEP_BUILD)
			write_node(d, i);
		else if (!s->build)
			write_step(d, s, s->id, d->folders.of[i]);
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
	struct dag d = { .job = job, .o = job->tasks };

	d.steps = steps_new(job, &id_plain, err);
	if (!d.steps)
		return -1;
	folders_find(&d.folders, d.steps);
	d.usual = usual_policy(d.steps);
	emit_init(&d.e, out, &emit_python);
	write_docstring(&d);
	write_imports(&d);
	write_command(&d);
	write_helper(&d);
	write_dag_head(&d);
	write_folders(&d);
	write_steps(&d);
	steps_free(d.steps);
	return 0;
}

const struct exporter exporter_airflow = {
	.name = "airflow",
	.suffix = ".py",
	.summary = "a DAG file, one task per node; Airflow 2.10+ and 3",
	.fields = GRAPH_DOCS | GRAPH_CONFIG,
	.runs = true,
	.ops = operators,
	.group_by = GROUP_BY_FOLDER,
	.write = airflow_write,
};
