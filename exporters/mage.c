/* mage.c -- a Mage pipeline: its folder, and a folder with one block file per step.
 *
 *   metadata.yaml                  of the project; made only where there is none
 *   pipelines/NAME/metadata.yaml   the blocks and what they wait for; holds the stamp
 *   pipelines/NAME/triggers.yaml   the schedule
 *   custom/NAME/__init__.py        run_dbt(), which the blocks share; holds the stamp
 *   custom/NAME/STEP.py            what a block runs
 *
 * Block names are file names: lower case (ids.h). Mage wants both ends of an edge. One file for all
 * blocks would do, with the words in each block's configuration, but when Mage runs blocks side by
 * side in one process a block may be given the configuration of another.
 */
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/bundle.h"
#include "exporters/cron.h"
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/policy.h"
#include "exporters/pycall.h"
#include "exporters/pydbt.h"
#include "exporters/steps.h"

#define DEFAULT_SLOTS 8
#define MOST_SECONDS 604800    /* of all delays between tries: a week */

struct mage {
	struct emit yaml, python;
	struct buf *out;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct buf name;          /* of the pipeline */
	size_t **below;           /* by step: those that wait for it, sorted */
	size_t *nbelow;
};

static const struct id_style id_file = { .blank = '_', .lower = true, .letter = false };

static void
open_file(struct mage *m, const char *folder, const char *file, const char *suffix)
{
	struct buf path = BUF_INIT;

	buf_addf(&path, "%s/%s/%s%s", folder, m->name.data, file, suffix);
	bundle_open(m->out, path.data);
	buf_release(&path);
}

/* ---- the pipeline ---- */

static size_t
whole_seconds(int64_t ms)
{
	return (size_t)((ms + 999) / 1000);
}

static void
find_below(struct mage *m)
{
	struct steps *s = m->steps;

	m->below = arena_zalloc(&s->arena, s->n + 1, sizeof(*m->below));
	m->nbelow = arena_zalloc(&s->arena, s->n + 1, sizeof(*m->nbelow));
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->n; i++)
			for (size_t k = 0; k < s->v[i].nafter; k++) {
				size_t up = s->v[i].after[k];

				if (pass)
					m->below[up][m->nbelow[up]] = i;
				m->nbelow[up]++;
			}
		for (size_t i = 0; pass == 0 && i < s->n; i++) {
			m->below[i] = arena_zalloc(&s->arena, m->nbelow[i] + 1, sizeof(**m->below));
			m->nbelow[i] = 0;
		}
	}
}

static void
write_names(struct mage *m, const char *key, const size_t *at, size_t n)
{
	struct emit *e = &m->yaml;

	emit_indent(e);
	emit_add(e, "%s: [", key);
	for (size_t i = 0; i < n; i++)
		emit_add(e, "%s%q", i ? ", " : "", m->steps->v[at[i]].id);
	emit_add(e, "]\n");
}

/* To Mage a block's timeout is that of all its tries, and max_delay the sum of all delays, at which
 * it gives up (60 seconds, when it is not there). run_dbt() sees to the time of one try. */
static void
write_policy(struct emit *e, const struct task_policy *p)
{
	size_t retries = p->max_attempts - 1, delay = whole_seconds(p->delay_ms);
	size_t all = 0, next = delay;

	for (size_t i = 0; i < retries && all < MOST_SECONDS; i++) {
		all += next;
		next = p->factor > 1 ? 2 * next : next;
	}
	if (all > MOST_SECONDS)
		all = MOST_SECONDS;
	emit_line(e, "timeout: %z", (retries + 1) * whole_seconds(p->timeout_ms) + all);
	emit_line(e, "retry_config: {retries: %z, delay: %z, max_delay: %z, "
	    "exponential_backoff: %s}",
	    retries, delay, all + 1, p->factor > 1 ? "true" : "false");
}

static void
write_block(struct mage *m, size_t at)
{
	struct emit *e = &m->yaml;
	const struct step *s = &m->steps->v[at];
	struct task_policy p = policy_of(s);
	struct buf path = BUF_INIT;

	buf_addf(&path, "custom/%s/%s.py", m->name.data, s->id);
	emit_open(e, "- uuid: %q", s->id);
	emit_line(e, "name: %q", s->id);
	emit_line(e, "type: custom");
	emit_line(e, "language: python");
	emit_line(e, "configuration: {file_path: %q}", path.data);
	write_names(m, "upstream_blocks", s->after, s->nafter);
	write_names(m, "downstream_blocks", m->below[at], m->nbelow[at]);
	write_policy(e, &p);
	e->depth--;
	buf_release(&path);
}

static void
write_pipeline(struct mage *m)
{
	struct emit *e = &m->yaml;

	open_file(m, "pipelines", "metadata", ".yaml");
	emit_line(e, "# Mage pipeline of the dbt project %c: one block per %s.", m->job->title,
	    pydbt_task_is(m->o));
	emit_line(e, "# Made by: %s", m->job->stamp);
	emit_line(e, "# Out of date?  heddle export --check FOLDER");
	if (steps_about_hooks(m->o))
		emit_line(e, "# %s", steps_about_hooks(m->o));
	emit_line(e, "name: %q", m->name.data);
	emit_line(e, "uuid: %q", m->name.data);
	emit_line(e, "description: %q", m->job->title);
	emit_line(e, "type: python");
	emit_open(e, "concurrency_config:");
	emit_line(e, "block_run_limit: %z",
	    (size_t)(m->o->slots ? m->o->slots : DEFAULT_SLOTS));
	emit_line(e, "pipeline_run_limit: 1");
	e->depth--;
	emit_line(e, m->steps->n ? "blocks:" : "blocks: []");
	for (size_t i = 0; i < m->steps->n; i++)
		write_block(m, i);
	open_file(m, "pipelines", "triggers", ".yaml");
	if (!cron_is_given(m->o->schedule)) {
		emit_line(e, "triggers: []");
		return;
	}
	emit_line(e, "triggers:");
	emit_open(e, "- name: schedule");
	emit_line(e, "schedule_type: time");
	emit_line(e, "schedule_interval: %q", m->o->schedule);
	emit_line(e, "start_time: 2024-01-01 00:00:00");
	emit_line(e, "status: active");
	emit_line(e, "# What does not wait for a failed block goes on; the run has failed all the "
	    "same.");
	emit_line(e, "settings: {skip_if_previous_running: true, allow_blocks_to_fail: true}");
	e->depth--;
}

/* ---- blocks ---- */

static const struct pydbt_self self = {
	.parameters = ", name, variables", .name = "name",
	.again = "variables.get(\"retry\", {}).get(\"attempts\", 1) > 1"
};

static void
write_shared(struct mage *m)
{
	struct emit *e = &m->python;

	open_file(m, "custom", "__init__", ".py");
	emit_line(e, "\"\"\"What the blocks of the pipeline %s share: how they call dbt.",
	    m->name.data);
	pydbt_docstring(e, m->job);
	emit_line(e, "\"\"\"");
	pydbt_imports(e, m->o, NULL);
	emit_line(e, "");
	pydbt_constants(e, m->o);
	emit_line(e, "");
	emit_line(e, "");
	pydbt_function(e, m->o, &self);
}

static void
write_file(struct mage *m, const struct step *s)
{
	struct emit *e = &m->python, a;
	struct argv words = ARGV_INIT;
	struct buf args = BUF_INIT;

	open_file(m, "custom", s->id, ".py");
	emit_line(e, "from os import path");
	emit_line(e, "from runpy import run_path");
	emit_line(e, "");
	emit_line(e, "from mage_ai.settings.repo import get_repo_path");
	emit_line(e, "");
	emit_open(e, "if \"custom\" not in globals():");
	emit_line(e, "from mage_ai.data_preparation.decorators import custom");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
	emit_line(e, "@custom");
	emit_open(e, "def run(*args, **kwargs):");
	emit_line(e, "shared = run_path(path.join(get_repo_path(), \"custom/%s/__init__.py\"))",
	    m->name.data);
	emit_init(&a, &args, &emit_python);
	argv_step(&words, s);
	pycall_list(&a, words.v, words.n);
	emit_add(&a, "," PYCALL_BREAK "%f", (double)policy_of(s).timeout_ms / 1000);
	if (pydbt_asks_self(m->o))
		emit_add(&a, "," PYCALL_BREAK "%q," PYCALL_BREAK "kwargs", s->id);
	pycall_write(e, "shared[\"run_dbt\"](", &args, ")");
	e->depth--;
	buf_release(&args);
	argv_release(&words);
}

static int
mage_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct mage m = { .out = out, .job = job, .o = job->tasks };

	if (pydbt_check_options("mage", m.o, err) < 0)
		return -1;
	if (m.o->timezone && strcmp(m.o->timezone, "UTC") != 0 &&
	    strcmp(m.o->timezone, "Etc/UTC") != 0)
		return err_set(err, "--timezone: Mage's schedules are in UTC");
	m.steps = steps_new(job, &id_file, err);
	if (!m.steps)
		return -1;
	id_add_text(&m.name, job->title, job->title, &id_file);
	find_below(&m);
	emit_init(&m.yaml, out, &emit_yaml);
	emit_init(&m.python, out, &emit_python);
	write_pipeline(&m);
	write_shared(&m);
	for (size_t i = 0; i < m.steps->n; i++)
		write_file(&m, &m.steps->v[i]);
	bundle_open(out, "metadata.yaml");
	emit_line(&m.yaml, "project_type: standalone");
	buf_release(&m.name);
	steps_free(m.steps);
	return 0;
}

/* mage_ai/data_preparation/models/triggers: ScheduleInterval */
static const char *const mage_cron_words[] = {
	"@once", "@hourly", "@daily", "@weekly", "@monthly", "@always_on", NULL
};

const struct exporter exporter_mage = {
	.name = "mage",
	.suffix = "",
	.summary = "a pipeline with one block per node; -o FOLDER, that of the Mage project",
	.fields = GRAPH_CONFIG,
	.runs = true,
	.cron_words = mage_cron_words,
	.parts = true,
	.folder = "pipelines/*/metadata.yaml",
	.added_to = "triggers.yaml",    /* add_or_update_trigger_for_pipeline_and_persist() */
	.group_by = GROUP_BY_NONE,
	.write = mage_write,
};
