/* kubernetes.c -- a CronJob: the whole project in one pod, in which heddle runs the nodes.
 *
 * The pod's own folder (emptyDir) holds dbt's target folder and with it heddle's journal: a
 * container that was killed is started again in the same pod and goes on where it was. Each
 * scheduled run has a pod of its own, so none goes on with the work of the day before.
 */
#include <stdlib.h>

#include "exporters/argv.h"
#include "exporters/cron.h"
#include "exporters/exporter.h"
#include "exporters/k8s.h"
#include "exporters/yaml_head.h"

#define DEFAULT_DEADLINE_MS ((int64_t)4 * 60 * 60 * 1000)
#define DEFAULT_RETRIES 2
#define CRON_NAME_MAX 52
#define WORK "/var/lib/heddle"
#define USER_ID "1000"

struct cronjob {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct arena arena;           /* words made here */
	const char *name;
};

/* ---- what the container calls ---- */

/* Flags after the verb and the selection. */
static void
add_flags(struct cronjob *c, struct argv *a)
{
	struct task_options flags = *c->o;

	flags.warn_errors = NULL;    /* an empty selection is what was asked for */
	if (c->o->runner == RUNNER_HEDDLE)
		argv_add(a, "--resume");
	if (c->o->slots)
		argv_add_flag(a, "--threads", arena_printf(&c->arena, "%u", c->o->slots));
	argv_flags(a, &flags);
	argv_add_flag(a, "--vars", c->o->vars);
}

static const char *
literal(struct cronjob *c, const char *word)
{
	struct buf b = BUF_INIT;
	const char *s;

	k8s_add_literal(&b, word);
	s = arena_strdup(&c->arena, buf_str(&b));
	buf_release(&b);
	return s;
}

/* Builds first and tests after: two commands, for a shell. */
static void
write_two_calls(struct cronjob *c)
{
	struct argv build = ARGV_INIT, test = ARGV_INIT, args = ARGV_INIT;
	struct buf line = BUF_INIT;

	argv_program(&build, c->o);
	argv_whole(&build, c->job, "build", false);
	add_flags(c, &build);
	argv_program(&test, c->o);
	argv_whole(&test, c->job, "test", true);
	add_flags(c, &test);
	argv_line(&build, &line);
	buf_adds(&line, " && ");
	argv_line(&test, &line);
	emit_line(&c->e, "command: [sh, \"-c\"]");
	argv_add(&args, literal(c, line.data));
	k8s_write_list(&c->e, "args", &args);
	argv_release(&build);
	argv_release(&test);
	argv_release(&args);
	buf_release(&line);
}

static void
write_call(struct cronjob *c)
{
	struct argv a = ARGV_INIT;

	if (c->o->tests == TESTS_AFTER_ALL) {
		write_two_calls(c);
		return;
	}
	argv_program(&a, c->o);
	k8s_write_list(&c->e, "command", &a);
	a.n = 0;
	argv_whole(&a, c->job, "build", c->o->tests != TESTS_NONE);
	add_flags(c, &a);
	for (size_t i = 0; i < a.n; i++)
		a.v[i] = literal(c, a.v[i]);
	k8s_write_list(&c->e, "args", &a);
	argv_release(&a);
}

/* ---- the pod ---- */

static void
write_environment(struct cronjob *c)
{
	struct emit *e = &c->e;

	emit_open(e, "env:");
	emit_line(e, "- {name: HOME, value: " WORK "}");
	emit_line(e, "- {name: DBT_TARGET_PATH, value: " WORK "/target}");
	emit_line(e, "- {name: DBT_LOG_PATH, value: " WORK "/logs}");
	emit_line(e, "- {name: DBT_SEND_ANONYMOUS_USAGE_STATS, value: \"false\"}");
	if (!c->o->profiles_dir)
		emit_line(e, "- {name: DBT_PROFILES_DIR, value: /etc/dbt}");
	e->depth--;
	if (c->o->secret)
		emit_line(e, "envFrom: [{secretRef: {name: %q}}]", c->o->secret);
}

static void
write_container(struct cronjob *c)
{
	struct emit *e = &c->e;
	size_t gb = 1 + c->job->graph->nnodes / 5000;    /* dbt holds the project */

	emit_open(e, "containers:");
	emit_open(e, "- name: %s", task_runner_names[c->o->runner]);
	emit_line(e, "image: %q", c->o->image);
	write_call(c);
	write_environment(c);
	emit_line(e, "resources: {requests: {cpu: \"1\", memory: %zGi}, limits: {memory: %zGi}}",
	    gb, 2 * gb);
	emit_line(e, "securityContext: {allowPrivilegeEscalation: false, "
	    "readOnlyRootFilesystem: true, "
	    "capabilities: {drop: [ALL]}}");
	emit_open(e, "volumeMounts:");
	emit_line(e, "- {name: work, mountPath: " WORK "}");
	emit_line(e, "- {name: tmp, mountPath: /tmp}");
	if (!c->o->profiles_dir)
		emit_line(e, "- {name: profiles, mountPath: /etc/dbt, readOnly: true}");
	e->depth -= 3;
	emit_open(e, "volumes:");
	emit_line(e, "- {name: work, emptyDir: {}}");
	emit_line(e, "- {name: tmp, emptyDir: {}}");
	if (!c->o->profiles_dir)
		emit_line(e, "- {name: profiles, secret: {secretName: %s-profiles}}  # its key "
		    "profiles.yml", c->name);
	e->depth--;
}

static void
write_pod(struct cronjob *c)
{
	struct emit *e = &c->e;

	emit_open(e, "template:");
	emit_line(e, "metadata: {labels: {app.kubernetes.io/name: %q}}", c->name);
	emit_open(e, "spec:");
	if (c->o->runner == RUNNER_HEDDLE)
		emit_line(e, "restartPolicy: OnFailure  # in the same pod: what was done is not "
		    "done again");
	else
		emit_line(e, "restartPolicy: Never");
	emit_line(e, "terminationGracePeriodSeconds: 60");
	emit_line(e, "automountServiceAccountToken: false");
	emit_line(e, "securityContext: {runAsNonRoot: true, runAsUser: " USER_ID ", runAsGroup: "
	    USER_ID
	    ", fsGroup: " USER_ID ", seccompProfile: {type: RuntimeDefault}}");
	write_container(c);
	e->depth -= 2;
}

/* ---- the object ---- */

static void
write_object(struct cronjob *c)
{
	struct emit *e = &c->e;
	bool cron = cron_is_given(c->o->schedule);
	int64_t deadline = c->o->timeout_ms ? c->o->timeout_ms : DEFAULT_DEADLINE_MS;

	yaml_write_head(e, c->job, "Kubernetes CronJob", false);
	emit_line(e, "apiVersion: batch/v1");
	emit_line(e, "kind: CronJob");
	emit_line(e, "metadata: {name: %q, labels: {app.kubernetes.io/name: %q}}", c->name,
	    c->name);
	emit_open(e, "spec:");
	if (!cron)
		emit_line(e, "suspend: true  # by hand: kubectl create job --from=cronjob/%s "
		    "NAME", c->name);
	emit_line(e, "schedule: %q", cron ? c->o->schedule : "0 0 * * *");
	emit_line(e, "timeZone: %q", yaml_timezone(c->o));
	emit_line(e, "concurrencyPolicy: Forbid  # two runs would build the same tables");
	emit_line(e, "startingDeadlineSeconds: 600");
	emit_line(e, "successfulJobsHistoryLimit: 3");
	emit_line(e, "failedJobsHistoryLimit: 3");
	emit_open(e, "jobTemplate:");
	emit_open(e, "spec:");
	emit_line(e, "backoffLimit: %z",
	    (size_t)(c->o->retries >= 0 ? c->o->retries : DEFAULT_RETRIES));
	emit_line(e, "activeDeadlineSeconds: %z", (size_t)((deadline + 999) / 1000));
	emit_line(e, "ttlSecondsAfterFinished: 604800");
	write_pod(c);
	e->depth -= 3;
}

static int
kubernetes_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct cronjob c = { .job = job, .o = job->tasks };
	struct buf name = BUF_INIT;

	(void)err;
	k8s_add_name(&name, job->title, CRON_NAME_MAX);
	c.name = name.data;
	emit_init(&c.e, out, &emit_yaml);
	write_object(&c);
	buf_release(&name);
	arena_release(&c.arena);
	return 0;
}

const struct exporter exporter_kubernetes = {
	.name = "kubernetes",
	.suffix = ".yaml",
	.summary = "a CronJob: heddle builds the project in one pod",
	.runs = true,
	.cron_words = cron_words_go,
	.image = true,
	.runner = RUNNER_HEDDLE,
	.write = kubernetes_write,
};
