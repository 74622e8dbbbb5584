/* argo.c -- a Workflow, or with --schedule a CronWorkflow, of Argo 3.6+: one DAG, one task per
 * step.
 *
 * Steps that differ only in what they select share a template, so a task is a name, a selection and
 * what it waits for. Names of dbt reach Argo as a parameter of a container's argument list: no
 * shell is there to be misled, but Argo's own {{...}} and Kubernetes' $(...) are.
 */
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/cron.h"
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/k8s.h"
#include "exporters/policy.h"
#include "exporters/yaml_head.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8
#define ETCD_LIMIT 1500000    /* bytes of an object as JSON; the status of a run has to fit too */

/* What steps of one template have in common. */
struct template {
	const struct step *like;      /* the first of them */
	struct task_policy policy;
	const char *name;
};

struct argo {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct template *templates;
	size_t ntemplates, cap;
	size_t *template_of;          /* by step */
};

static const struct id_style id_argo = { '-', false, true };

/* ---- templates ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
same_list(const char *const *a, size_t na, const char *const *b, size_t nb)
{
	bool same = na == nb;

	for (size_t i = 0; same && i < na; i++)
		same = strcmp(a[i], b[i]) == 0;
	return same;
}

static bool
fits(const struct template *t, const struct step *s)
{
	struct task_policy p = policy_of(s);

	return strcmp(t->like->verb, s->verb) == 0 && same_text(t->like->indirect, s->indirect) &&
		same_list(t->like->exclude, t->like->nexclude, s->exclude, s->nexclude) &&
		t->like->exclude_types == s->exclude_types &&
		(t->like->nselect == 0) == (s->nselect == 0) &&
		policy_same(&t->policy, &p) && same_text(t->policy.pool, p.pool);
}

/* "run"; "test-cautious"; "test-cautious-2" when more than those words differ. */
static const char *
name_template(struct argo *a, const struct step *s)
{
	struct buf b = BUF_INIT;
	const char *name;
	size_t same = 1;

	buf_addf(&b, "%s%s%s", s->verb, s->indirect ? "-" : "", s->indirect ? s->indirect : "");
	for (size_t i = 0; i < a->ntemplates; i++)
		same += strcmp(a->templates[i].like->verb, s->verb) == 0 &&
			same_text(a->templates[i].like->indirect, s->indirect);
	if (same > 1)
		buf_addf(&b, "-%zu", same);
	name = arena_strdup(&a->steps->arena, b.data);
	buf_release(&b);
	return name;
}

static void
find_templates(struct argo *a)
{
	a->template_of = xcalloc(a->steps->n + 1, sizeof(*a->template_of));
	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->v[i];
		size_t k = 0;

		while (k < a->ntemplates && !fits(&a->templates[k], s))
			k++;
		a->template_of[i] = k;
		if (k < a->ntemplates)
			continue;
		a->templates = xgrow(a->templates, a->ntemplates, &a->cap, sizeof(*a->templates));
		a->templates[a->ntemplates] = (struct template){
			.like = s, .policy = policy_of(s), .name = name_template(a, s)
		};
		a->ntemplates++;
	}
}

static void
write_retry(struct emit *e, const struct task_policy *p)
{
	size_t factor = p->factor > 1 ? (size_t)(p->factor + 0.999) : 1;   /* it takes whole ones */

	emit_line(e, "retryStrategy: {limit: %z, retryPolicy: Always, backoff: {duration: %zs, "
	    "factor: %z}}",
	    (size_t)(p->max_attempts - 1), (size_t)((p->delay_ms + 999) / 1000), factor);
	emit_line(e, "activeDeadlineSeconds: %z", (size_t)((p->timeout_ms + 999) / 1000));
	if (p->pool)
		emit_line(e, "synchronization: {semaphores: [{configMapKeyRef: {name: dbt-pools, "
		    "key: %q}}]}", p->pool);
}

/* Snapshots and tests do not ask for a full refresh. */
static bool
refreshes(const struct step *s)
{
	return strcmp(s->verb, "run") == 0 || strcmp(s->verb, "seed") == 0 ||
	    strcmp(s->verb, "build") == 0 || s->role == STEP_START || s->role == STEP_END;
}

static void
write_template(struct argo *a, const struct template *t)
{
	struct emit *e = &a->e;
	struct argv words = ARGV_INIT;

	emit_open(e, "- name: %s", t->name);
	if (t->like->nselect)
		emit_line(e, "inputs: {parameters: [{name: select}]}");
	write_retry(e, &t->policy);
	emit_open(e, "container:");
	emit_line(e, "image: %q", a->o->image);
	argv_program(&words, a->o);
	k8s_write_list(e, "command", &words);
	words.n = 0;
	argv_add(&words, t->like->verb);
	if (t->like->no_hooks)
		argv_add(&words, "--no-hooks");
	if (t->like->nselect)
		argv_add_flag(&words, "--select", "{{inputs.parameters.select}}");
	argv_tests(&words, t->like);
	argv_flags(&words, a->o);
	argv_add_flag(&words, "--vars", a->o->vars);
	k8s_write_list(e, "args", &words);
	if (refreshes(t->like))
		emit_line(e, "env: [{name: DBT_FULL_REFRESH, value: "
		    "\"{{workflow.parameters.full-refresh}}\"}]");
	if (a->o->secret)
		emit_line(e, "envFrom: [{secretRef: {name: %q}}]", a->o->secret);
	emit_line(e, "resources: {requests: {cpu: 250m, memory: 512Mi}}");
	e->depth -= 2;
	argv_release(&words);
}

/* ---- the DAG ---- */

/* A word of a selection as Argo and Kubernetes leave it alone: {{ is a tag of the one, $( and $$
 * mean something to the other. To dbt a glob of one letter is that letter. */
static void
add_select_word(struct buf *out, const char *word)
{
	for (const char *s = word; *s; s++) {
		if ((s[0] == '{' && s[1] == '{') || (s[0] == '$' && (s[1] == '(' || s[1] == '$')))
			buf_addf(out, "[%c]", *s);
		else
			buf_addc(out, *s);
	}
}

/* A task of the DAG, or a step of the exit handler. */
static void
write_task(struct argo *a, size_t i)
{
	const struct step *s = &a->steps->v[i];
	struct emit *e = &a->e;
	struct buf select = BUF_INIT;
	size_t nafter = s->role == STEP_END ? 0 : s->nafter;

	emit_indent(e);
	emit_add(e, "- {name: %s, template: %s", s->id, a->templates[a->template_of[i]].name);
	for (size_t k = 0; k < nafter; k++)
		emit_add(e, "%s%s", k ? ", " : ", dependencies: [", a->steps->v[s->after[k]].id);
	if (nafter)
		emit_add(e, "]");
	for (size_t k = 0; k < s->nselect; k++) {
		if (k)
			buf_addc(&select, ' ');    /* one argument: dbt splits it */
		add_select_word(&select, s->select[k]);
	}
	if (s->nselect)
		emit_add(e, ", arguments: {parameters: [{name: select, value: %q}]}", select.data);
	emit_add(e, "}\n");
	buf_release(&select);
}

static void
write_dag(struct argo *a)
{
	struct emit *e = &a->e;

	emit_open(e, "- name: main");
	emit_open(e, "dag:");
	emit_line(e, "failFast: false  # what does not wait for a failed task goes on");
	emit_open(e, a->steps->n ? "tasks:" : "tasks: []");
	for (size_t i = 0; i < a->steps->n; i++)
		if (a->steps->v[i].role != STEP_END)
			write_task(a, i);
	e->depth -= 3;
}

/* ---- the exit handler ---- */

/* Whether there is an on-run-end beside it, which fails the workflow when it fails. */
static bool
write_exit_steps(struct argo *a)
{
	struct emit *e = &a->e;
	size_t last = a->steps->n - 1;

	if (a->steps->n == 0 || a->steps->v[last].role != STEP_END)
		return false;
	emit_open(e, "- name: at-exit");
	emit_open(e, "steps:");
	emit_open(e, "-");
	write_task(a, last);
	emit_line(e, "- {name: tell, template: tell}");
	e->depth -= 3;
	return true;
}

static void
write_exit(struct argo *a)
{
	struct emit *e = &a->e;

	emit_open(e, write_exit_steps(a) ? "- name: tell" : "- name: at-exit");
	emit_open(e, "script:");
	emit_line(e, "image: %q", a->o->image);
	emit_line(e, "command: [python]");
	emit_open(e, "env:");
	emit_line(e, "- {name: WORKFLOW, value: \"{{workflow.name}}\"}");
	emit_line(e, "- {name: STATUS, value: \"{{workflow.status}}\"}");
	emit_line(e, "- {name: FAILURES, value: \"{{workflow.failures}}\"}");
	e->depth--;
	if (a->o->secret)
		emit_line(e, "envFrom: [{secretRef: {name: %q}}]", a->o->secret);
	emit_open(e, "source: |");
	emit_line(e, "# Prints how it ended; posts it where NOTIFY_URL (of the secret) says, as "
	    "Slack and others take it.");
	emit_line(e, "import json, os, urllib.request");
	emit_line(e, "text = \"%%s: %%s\" %% (os.environ[\"WORKFLOW\"], os.environ[\"STATUS\"])");
	emit_line(e, "failures = json.loads(os.environ[\"FAILURES\"] or \"[]\")");
	emit_line(e, "for failure in (json.loads(failures) if isinstance(failures, str) else "
	    "failures) or []:");
	emit_line(e, "    text += \"\\n%%s: %%s\" %% (failure[\"displayName\"], "
	    "failure[\"message\"])");
	emit_line(e, "print(text)");
	emit_line(e, "if os.environ.get(\"NOTIFY_URL\"):");
	emit_line(e, "    body = json.dumps({\"text\": text}).encode()");
	emit_line(e, "    headers = {\"Content-Type\": \"application/json\"}");
	emit_line(e,
	    "    urllib.request.urlopen(urllib.request.Request(os.environ[\"NOTIFY_URL\"], body, "
	    "headers), timeout=30)");
	e->depth -= 3;
}

/* ---- the object ---- */

static void
write_head(struct argo *a)
{
	struct emit *e = &a->e;
	struct buf name = BUF_INIT;
	bool cron = cron_is_given(a->o->schedule);

	yaml_write_head(e, a->job, cron ? "Argo CronWorkflow" : "Argo Workflow", true);
	k8s_add_name(&name, a->job->title, cron ? 52 : 57);
	emit_line(e, "apiVersion: argoproj.io/v1alpha1");
	emit_line(e, "kind: %s", cron ? "CronWorkflow" : "Workflow");
	if (cron)
		emit_line(e, "metadata: {name: %q}", name.data);
	else
		emit_line(e, "metadata: {generateName: %s-}", name.data);
	emit_open(e, "spec:");
	if (cron) {
		emit_line(e, "schedules: [%q]", a->o->schedule);
		emit_line(e, "timezone: %q", yaml_timezone(a->o));
		emit_line(e, "concurrencyPolicy: Forbid  # two runs would build the same tables");
		emit_line(e, "startingDeadlineSeconds: 600");
		emit_open(e, "workflowSpec:");
	}
	emit_line(e, "entrypoint: main");
	emit_line(e, "onExit: at-exit");
	emit_line(e, "arguments: {parameters: [{name: full-refresh, value: \"false\"}]}");
	emit_line(e, "parallelism: %z", (size_t)(a->o->slots ? a->o->slots : DEFAULT_SLOTS));
	emit_line(e, "activeDeadlineSeconds: 86400  # or a stuck run would hold back the next");
	emit_line(e, "podGC: {strategy: OnPodSuccess}");
	emit_line(e, "ttlStrategy: {secondsAfterSuccess: 86400, secondsAfterFailure: 604800}");
	emit_open(e, "templates:");
	buf_release(&name);
}

/* Bytes of flow-style YAML as compact JSON: blanks between go, plain words get quotes. */
static size_t
json_size(const char *yaml)
{
	size_t n = 0;
	bool word = false, quoted = false;

	for (const char *s = yaml; *s; s++) {
		bool plain = !strchr(" \n{}[],:\"", *s) || quoted;

		if (*s == '"' && (s == yaml || s[-1] != '\\'))
			quoted = !quoted;
		if (plain && !word && !quoted)
			n += 2;
		word = plain && !quoted;
		n += *s != ' ' && *s != '\n' ? 1 : quoted;
	}
	return n;
}

static int
check_size(const struct argo *a, const struct buf *out, struct err *err)
{
	size_t n = json_size(buf_str(out));

	if (n < ETCD_LIMIT)
		return 0;
	err_set(err, "%zu tasks make a workflow of %zu KB, more than a cluster stores in one "
	    "object (%d KB)",
	    a->steps->n, n / 1000, ETCD_LIMIT / 1000);
	return err_hint(err, "--tests build makes one task of a node and its tests; or export "
	    "parts of the "
	    "project with --select, or the whole as one pod: heddle export kubernetes");
}

static int
argo_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct argo a = { .job = job, .o = job->tasks };
	int rc = -1;

	a.steps = steps_new(job, &id_argo, err);
	if (!a.steps)
		return -1;
	find_templates(&a);
	emit_init(&a.e, out, &emit_yaml);
	write_head(&a);
	for (size_t i = 0; i < a.ntemplates; i++)
		write_template(&a, &a.templates[i]);
	write_exit(&a);
	write_dag(&a);
	rc = check_size(&a, out, err);
	free(a.templates);
	free(a.template_of);
	steps_free(a.steps);
	return rc;
}

const struct exporter exporter_argo = {
	.name = "argo",
	.suffix = ".yaml",
	.summary = "a Workflow or CronWorkflow of Argo 3.6+, one task per node",
	.fields = GRAPH_CONFIG,
	.runs = true,
	.cron_words = cron_words_go,
	.image = true,
	.parts = true,
	.hooks = true,
	.write = argo_write,
};
