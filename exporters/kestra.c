/* kestra.c -- a flow of Kestra 1.x: one Dag, one task of the shell plugin per step.
 *
 * What all tasks share stands once, in pluginDefaults; dbt's own flags go there as its environment
 * variables. Commands are lines of a shell in which Pebble finds no expression: see argv_line().
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/cron.h"
#include "exporters/exporter.h"
#include "exporters/policy.h"
#include "exporters/yaml_head.h"
#include "util/hash.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8
#define DEFAULT_MAX_DELAY_MS (10 * 60 * 1000)
#define TASK_TYPE "io.kestra.plugin.scripts.shell.Commands"

struct kestra {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct task_policy usual;     /* of most tasks: in pluginDefaults */
};

static const struct id_style id_kestra = { '_', false, true };

/* ---- texts ---- */

/* [A-Za-z0-9._-], a letter or digit first, at most 100. */
static void
add_flow_id(struct buf *out, const char *title)
{
	bool changed = false;

	for (const char *s = title; *s; s++) {
		bool plain = isalnum((unsigned char)*s) || (out->len && strchr("._-", *s));

		changed = changed || !plain;
		if (plain || out->len)
			buf_addc(out, plain ? *s : '_');
	}
	if (out->len == 0)
		buf_adds(out, "dbt");
	if (!changed && out->len <= 100)
		return;
	if (out->len > 91)
		buf_truncate(out, 91);
	buf_addf(out, "_%08x", (unsigned)(hash_text(HASH_START, title) >> 32));
}

/* ISO 8601: PT1H, PT90S. */
static void
add_duration(struct emit *e, int64_t ms)
{
	if (ms % (60 * 60 * 1000) == 0)
		emit_add(e, "PT%zH", (size_t)(ms / (60 * 60 * 1000)));
	else if (ms % (60 * 1000) == 0)
		emit_add(e, "PT%zM", (size_t)(ms / (60 * 1000)));
	else
		emit_add(e, "PT%fS", (double)ms / 1000);
}

/* retry: {...}, timeout: ...  without a line's ends. */
static void
write_policy(struct emit *e, const struct task_policy *p, const char *between)
{
	int64_t longest = p->max_delay_ms ? p->max_delay_ms : DEFAULT_MAX_DELAY_MS;
	bool grows = p->factor > 1 && longest > p->delay_ms;

	emit_add(e, "retry: {type: %s, interval: ", grows ? "exponential" : "constant");
	add_duration(e, p->delay_ms);
	if (grows) {
		emit_add(e, ", delayFactor: %f, maxInterval: ", p->factor);
		add_duration(e, longest);
	}
	emit_add(e, ", maxAttempts: %z}%stimeout: ", (size_t)p->max_attempts, between);
	add_duration(e, p->timeout_ms);
}

/* ---- what all tasks share ---- */

/* --secret A,B: environment variables whose values Kestra keeps. */
static int
write_secrets(struct kestra *k, struct err *err)
{
	char *list = xstrdup(k->o->secret ? k->o->secret : "");
	int rc = 0;

	for (char *save = NULL, *name = strtok_r(list, ",", &save); name && rc == 0;
	    name = strtok_r(NULL, ",", &save)) {
		if (!yaml_is_variable(name))
			rc = err_set(err, "--secret: '%s' is no name of an environment variable",
			    name);
		else
			emit_line(&k->e, "%s: \"{{ secret('%s') }}\"", name, name);
	}
	free(list);
	return rc;
}

static void
write_variable(struct emit *e, const char *name, const char *value)
{
	if (value)
		emit_line(e, "%s: %q", name, value);
}

static int
write_defaults(struct kestra *k, struct err *err)
{
	struct emit *e = &k->e;
	const struct task_options *o = k->o;
	int rc;

	emit_open(e, "pluginDefaults:");
	emit_open(e, "- type: " TASK_TYPE);
	emit_open(e, "values:");
	if (o->image)
		emit_line(e, "containerImage: %q", o->image);
	else
		emit_line(e, "taskRunner: {type: io.kestra.plugin.core.runner.Process}  # on the "
		    "worker itself");
	emit_indent(e);
	write_policy(e, &k->usual, "\n      ");
	emit_add(e, "\n");
	emit_open(e, "env:");
	write_variable(e, "DBT_PROFILE", o->profile);
	write_variable(e, "DBT_TARGET", o->target);
	write_variable(e, "DBT_PROJECT_DIR", o->project_dir);
	write_variable(e, "DBT_PROFILES_DIR", o->profiles_dir);
	write_variable(e, "VARS", o->vars);
	emit_line(e, "# a selection that finds nothing is an error");
	write_variable(e, "DBT_WARN_ERROR_OPTIONS", o->warn_errors);
	rc = write_secrets(k, err);
	e->depth -= 4;
	return rc;
}

/* ---- the flow ---- */

static void
write_head(struct kestra *k)
{
	struct emit *e = &k->e;
	struct buf id = BUF_INIT;

	yaml_write_head(e, k->job, "Kestra flow", true);
	add_flow_id(&id, k->job->title);
	emit_line(e, "id: %q", id.data);
	emit_line(e, "namespace: %q", k->o->space ? k->o->space : "dbt");
	emit_line(e, "description: dbt, one task per node");
	emit_line(e, "concurrency: {limit: 1, behavior: QUEUE}  # two runs would build the same "
	    "tables");
	if (cron_is_given(k->o->schedule)) {
		emit_open(e, "triggers:");
		emit_line(e, "- {id: schedule, type: io.kestra.plugin.core.trigger.Schedule, "
		    "cron: %q, timezone: %q}",
		    k->o->schedule, yaml_timezone(k->o));
		e->depth--;
	}
	buf_release(&id);
}

/* A task of the Dag, or one that stands alone. */
static void
write_task(struct kestra *k, const struct step *s)
{
	struct emit *e = &k->e;
	struct task_policy p = policy_of(s);
	struct argv words = ARGV_INIT;
	struct buf line = BUF_INIT;

	emit_indent(e);
	emit_add(e, "- {");
	for (size_t i = 0; i < s->nafter && s->role != STEP_END; i++)
		emit_add(e, "%s%s", i ? ", " : "dependsOn: [", k->steps->v[s->after[i]].id);
	if (s->nafter && s->role != STEP_END)
		emit_add(e, "], ");
	argv_program(&words, k->o);
	argv_step(&words, s);
	argv_line(&words, &line);
	if (k->o->vars)
		buf_adds(&line, " --vars \"$VARS\"");
	emit_add(e, "%sid: %s, type: " TASK_TYPE ", commands: [%q]",
	    s->role == STEP_END ? "" : "task: {", s->id, line.data);
	if (!policy_same(&p, &k->usual)) {
		emit_add(e, ", ");
		write_policy(e, &p, ", ");
	}
	emit_add(e, s->role == STEP_END ? "}\n" : "}}\n");
	argv_release(&words);
	buf_release(&line);
}

/* What runs however the others ended, and fails the execution when it fails. */
static void
write_finally(struct kestra *k)
{
	const struct step *last = k->steps->n ? &k->steps->v[k->steps->n - 1] : NULL;

	if (!last || last->role != STEP_END)
		return;
	emit_open(&k->e, "finally:");
	write_task(k, last);
	k->e.depth--;
}

static void
write_tasks(struct kestra *k)
{
	struct emit *e = &k->e;

	emit_open(e, "tasks:");
	emit_open(e, "- id: dbt");
	emit_line(e, "type: io.kestra.plugin.core.flow.Dag");
	emit_line(e, "concurrent: %z", (size_t)(k->o->slots ? k->o->slots : DEFAULT_SLOTS));
	emit_open(e, k->steps->n ? "tasks:" : "tasks: []");
	for (size_t i = 0; i < k->steps->n; i++)
		if (k->steps->v[i].role != STEP_END)
			write_task(k, &k->steps->v[i]);
	e->depth -= 3;
}

static int
kestra_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct kestra k = { .job = job, .o = job->tasks };
	int rc;

	k.steps = steps_new(job, &id_kestra, err);
	if (!k.steps)
		return -1;
	k.usual = policy_usual(k.steps);
	emit_init(&k.e, out, &emit_yaml);
	write_head(&k);
	rc = write_defaults(&k, err);
	write_tasks(&k);
	write_finally(&k);
	steps_free(k.steps);
	return rc;
}

const struct exporter exporter_kestra = {
	.name = "kestra",
	.suffix = ".yaml",
	.summary = "a flow of Kestra 1.x, one task per node",
	.fields = GRAPH_CONFIG,
	.runs = true,
	.cron_words = cron_words,
	.parts = true,
	.hooks = true,
	.write = kestra_write,
};
