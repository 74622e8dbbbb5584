/* prefect.c -- a Prefect 3 flow: one task run per step of the plan, waiting for those before it. */
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/cron.h"
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/policy.h"
#include "exporters/pycall.h"
#include "exporters/pydbt.h"
#include "exporters/steps.h"

#define DEFAULT_SLOTS 8
#define MAX_DELAYS 50        /* Prefect takes no longer list */

struct flow {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct task_policy usual;
	char *name;              /* of the flow and its deployment */
	bool backoff;            /* some task's delays double */
};

/* ---- policies ---- */

/* [5, 15, 45, 60, 60]: what exponential_backoff() cannot say. */
static void
write_delays(struct emit *e, const struct task_policy *p)
{
	double delay = (double)p->delay_ms;

	emit_add(e, "[");
	for (unsigned i = 1; i < p->max_attempts && i <= MAX_DELAYS; i++, delay *= p->factor) {
		if (p->max_delay_ms && delay > (double)p->max_delay_ms)
			delay = (double)p->max_delay_ms;
		emit_add(e, "%s%f", i > 1 ? ", " : "", delay / 1000);
	}
	emit_add(e, "]");
}

/* Does a delay reach the cap? */
static bool
is_capped(const struct task_policy *p)
{
	double delay = (double)p->delay_ms;

	for (unsigned i = 2; i < p->max_attempts && delay <= (double)p->max_delay_ms; i++)
		delay *= p->factor;
	return p->max_delay_ms && delay > (double)p->max_delay_ms;
}

/* Do the delays double each time, so that Prefect's own function says them? */
static bool
doubles(const struct task_policy *p)
{
	return p->factor > 1.999 && p->factor < 2.001 && p->max_attempts > 1 &&
		p->max_attempts <= MAX_DELAYS && !is_capped(p);
}

/* `open` before each argument. */
static void
write_retries(struct emit *e, const struct task_policy *p, const char *open, const char *close)
{
	emit_add(e, "%sretries=%z%s%sretry_delay_seconds=", open, (size_t)(p->max_attempts - 1),
	    close, open);
	if (p->factor <= 1 || p->max_attempts < 2)
		emit_add(e, "%f", policy_seconds(p->delay_ms));
	else if (doubles(p))
		emit_add(e, "exponential_backoff(%f)", policy_seconds(p->delay_ms));
	else
		write_delays(e, p);
	if (p->jitter > 0)
		emit_add(e, "%s%sretry_jitter_factor=%f", close, open, p->jitter);
	emit_add(e, "%s", close);
}

static void
write_timeout(struct emit *e, const struct task_policy *p, const char *open, const char *close)
{
	emit_add(e, "%stimeout_seconds=%f%s", open, policy_seconds(p->timeout_ms), close);
}

/* The same retries, whatever the timeout? */
static bool
retries_as_usual(const struct flow *f, struct task_policy p)
{
	p.timeout_ms = f->usual.timeout_ms;
	return policy_same(&p, &f->usual);
}

/* ---- the head of the file ---- */

static void
write_docstring(struct flow *f)
{
	struct emit *e = &f->e;

	emit_line(e, "\"\"\"Prefect flow of the dbt project %c: one task run per %s.  Prefect 3.",
	    f->job->title, pydbt_task_is(f->o));
	pydbt_docstring(e, f->job);
	if (f->o->tests == TESTS_AFTER_EACH || f->o->tests == TESTS_BUILD) {
		emit_line(e, "");
		emit_line(e, "A failed test holds back what reads its model; a test of severity "
		    "warn never does.");
	}
	emit_line(e, "\"\"\"");
}

static void
write_imports(struct flow *f)
{
	struct emit *e = &f->e;

	pydbt_imports(e, f->o, NULL);
	emit_line(e, "");
	emit_line(e, "from prefect import flow, task");
	emit_line(e, "from prefect.cache_policies import NO_CACHE");
	if (f->o->hook_steps)
		emit_line(e, "from prefect.futures import wait");
	if (pydbt_asks_self(f->o))
		emit_line(e, "from prefect.runtime import task_run");
	if (cron_is_given(f->o->schedule) && f->o->timezone)
		emit_line(e, "from prefect.schedules import Cron");
	emit_line(e, "from prefect.task_runners import ThreadPoolTaskRunner");
	if (f->backoff)
		emit_line(e, "from prefect.tasks import exponential_backoff");
	emit_line(e, "");
}

static const struct pydbt_self self = {
	.parameters = "", .name = "task_run.name", .again = "task_run.run_count > 1"
};

static void
write_task(struct flow *f)
{
	struct emit *e = &f->e;

	emit_open(e, "@task(");
	write_retries(e, &f->usual, "    ", ",\n");
	write_timeout(e, &f->usual, "    ", ",\n");
	emit_line(e, "cache_policy=NO_CACHE,  # what was built before is built again");
	emit_close(e, ")");
	pydbt_function(e, f->o, &self);
	emit_line(e, "");
	emit_line(e, "");
}

/* ---- the flow ---- */

/* Arguments of a step whose policy is not the usual one. */
static void
add_options(struct emit *e, const struct flow *f, const struct step *s)
{
	struct task_policy p = policy_of(s);

	if (!retries_as_usual(f, p))
		write_retries(e, &p, "," PYCALL_BREAK, "");
	if (p.timeout_ms != f->usual.timeout_ms)
		write_timeout(e, &p, "," PYCALL_BREAK, "");
	if (p.pool)
		emit_add(e, "," PYCALL_BREAK "tags=[%q]", p.pool);
}

static void
add_after(struct emit *e, const struct flow *f, const struct step *s)
{
	for (size_t i = 0; i < s->nafter; i++)
		emit_add(e, "," PYCALL_BREAK "%s%q", i ? "" : "[", f->steps->v[s->after[i]].id);
	emit_add(e, "]");
}

static void
write_step(struct flow *f, const struct step *s)
{
	struct buf args = BUF_INIT;
	struct argv words = ARGV_INIT;
	struct emit e;

	emit_init(&e, &args, &emit_python);
	argv_step(&words, s);
	emit_add(&e, "%q," PYCALL_BREAK, s->id);
	pycall_list(&e, words.v, words.n);
	if (s->role == STEP_END)    /* Prefect starts nothing that waits for what did not start */
		emit_line(&f->e, "wait(list(runs.values()))  # whatever becomes of them");
	else if (s->nafter)
		add_after(&e, f, s);
	add_options(&e, f, s);
	pycall_write(&f->e, "step(", &args, ")");
	argv_release(&words);
	buf_release(&args);
}

static void
write_flow(struct flow *f)
{
	struct emit *e = &f->e;

	emit_line(e, "@flow(name=\"%s\", task_runner=ThreadPoolTaskRunner(max_workers=%z))",
	    f->name, (size_t)(f->o->slots ? f->o->slots : DEFAULT_SLOTS));
	emit_open(e, "def pipeline(full_refresh: bool = False):");
	emit_line(e, "runs = {}");
	emit_line(e, "");
	emit_open(e, "def step(name, words, after=(), timeout_seconds=TIMEOUT, **options):");
	emit_open(e, "if full_refresh and words[0] not in (\"snapshot\", \"test\"):");
	emit_line(e, "words = [*words, \"--full-refresh\"]");
	e->depth--;
	emit_line(e, "run = run_dbt.with_options(task_run_name=name, "
	    "timeout_seconds=timeout_seconds, **options)");
	emit_line(e, "before = [runs[up] for up in after]");
	emit_line(e, "runs[name] = run.submit(words, timeout_seconds, wait_for=before)");
	e->depth--;
	emit_line(e, "");
	for (size_t i = 0; i < f->steps->n; i++)
		write_step(f, &f->steps->v[i]);
	emit_line(e, "return list(runs.values())  # a failed one fails the flow");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

static void
write_main(struct flow *f)
{
	struct emit *e = &f->e;

	emit_open(e, "if __name__ == \"__main__\":");
	emit_indent(e);
	emit_add(e, "pipeline.serve(name=\"%s\"", f->name);
	if (cron_is_given(f->o->schedule) && f->o->timezone)
		emit_add(e, ", schedule=Cron(%q, timezone=%q)", f->o->schedule, f->o->timezone);
	else if (cron_is_given(f->o->schedule))
		emit_add(e, ", cron=%q", f->o->schedule);
	emit_add(e, ", global_limit=1)  # two runs would build the same tables\n");
}

static int
prefect_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct flow f = { .job = job, .o = job->tasks };

	if (pydbt_check_options("prefect", f.o, err) < 0)
		return -1;
	f.steps = steps_new(job, &id_plain, err);
	if (!f.steps)
		return -1;
	f.usual = policy_usual(f.steps);
	f.name = pydbt_name(job->title);
	f.backoff = doubles(&f.usual);
	for (size_t i = 0; i < f.steps->n; i++) {
		struct task_policy p = policy_of(&f.steps->v[i]);

		f.backoff = f.backoff || (doubles(&p) && !retries_as_usual(&f, p));
	}
	emit_init(&f.e, out, &emit_python);
	write_docstring(&f);
	write_imports(&f);
	pydbt_constants(&f.e, f.o);
	emit_line(&f.e, "TIMEOUT = %f  # seconds", policy_seconds(f.usual.timeout_ms));
	emit_line(&f.e, "");
	emit_line(&f.e, "");
	write_task(&f);
	write_flow(&f);
	write_main(&f);
	free(f.name);
	steps_free(f.steps);
	return 0;
}

const struct exporter exporter_prefect = {
	.name = "prefect",
	.suffix = ".py",
	.summary = "a flow with one task run per node, served on a schedule; Prefect 3",
	.fields = GRAPH_CONFIG,
	.runs = true,
	.cron_words = cron_words,
	.parts = true,
	.hooks = true,
	.group_by = GROUP_BY_NONE,
	.write = prefect_write,
};
