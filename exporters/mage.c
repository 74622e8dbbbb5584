/* mage.c -- a Mage pipeline: its folder, and a folder with one block file per step.
 *
 *   metadata.yaml                  of the project; made only where there is none
 *   pipelines/NAME/metadata.yaml   the blocks and what they wait for; holds the stamp
 *   pipelines/NAME/triggers.yaml   the schedule
 *   custom/NAME/STEP.py            what a block runs
 *
 * Block names are file names: lower case (ids.h). Mage wants both ends of an edge.
 */
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/bundle.h"
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/policy.h"
#include "exporters/pydbt.h"
#include "exporters/steps.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8

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
	emit_line(e, "timeout: %z", (size_t)((p.timeout_ms + 999) / 1000));
	emit_indent(e);
	emit_add(e, "retry_config: {retries: %z, delay: %z, exponential_backoff: %s", (size_t)(p.max_attempts - 1),
	    (size_t)((p.delay_ms + 999) / 1000), p.factor > 1 ? "true" : "false");
	if (p.factor > 1 && p.max_delay_ms)
		emit_add(e, ", max_delay: %z", (size_t)((p.max_delay_ms + 999) / 1000));
	emit_add(e, "}\n");
	e->depth--;
	buf_release(&path);
}

static void
write_pipeline(struct mage *m)
{
	struct emit *e = &m->yaml;

	open_file(m, "pipelines", "metadata", ".yaml");
	emit_line(e, "# Mage pipeline of the dbt project %c: one block per dbt node.", m->job->title);
	emit_line(e, "# Made by: %s", m->job->stamp);
	emit_line(e, "# Out of date?  heddle export --check FOLDER");
	if (m->o->hooks)
		emit_line(e, "# Each block is a dbt command of its own: on-run-start and on-run-end hooks run in every one.");
	emit_line(e, "name: %q", m->name.data);
	emit_line(e, "uuid: %q", m->name.data);
	emit_line(e, "description: %q", m->job->title);
	emit_line(e, "type: python");
	emit_open(e, "concurrency_config:");
	emit_line(e, "block_run_limit: %z", (size_t)(m->o->slots ? m->o->slots : DEFAULT_SLOTS));
	emit_line(e, "pipeline_run_limit: 1");
	e->depth--;
	emit_line(e, m->steps->n ? "blocks:" : "blocks: []");
	for (size_t i = 0; i < m->steps->n; i++)
		write_block(m, i);
	open_file(m, "pipelines", "triggers", ".yaml");
	if (!pydbt_is_scheduled(m->o)) {
		emit_line(e, "triggers: []");
		return;
	}
	emit_line(e, "triggers:");
	emit_open(e, "- name: schedule");
	emit_line(e, "schedule_type: time");
	emit_line(e, "schedule_interval: %q", m->o->schedule);
	emit_line(e, "start_time: 2024-01-01 00:00:00");
	emit_line(e, "status: active");
	emit_line(e, "settings: {skip_if_previous_running: true}");
	e->depth--;
}

/* ---- blocks ---- */

static void
write_command(struct mage *m, const struct step *s)
{
	struct argv a = ARGV_INIT;

	argv_program(&a, m->o);
	argv_step(&a, s);
	argv_flags(&a, m->o);
	argv_add_flag(&a, "--vars", m->o->vars);
	emit_indent(&m->python);
	emit_add(&m->python, "command = ");
	pydbt_list(&m->python, a.v, a.n);
	emit_add(&m->python, "\n");
	argv_release(&a);
}

static void
write_file(struct mage *m, const struct step *s)
{
	struct emit *e = &m->python;
	struct task_policy p = policy_of(s);

	open_file(m, "custom", s->id, ".py");
	emit_line(e, "import os");
	emit_line(e, "import subprocess");
	emit_line(e, "import tempfile");
	emit_line(e, "from pathlib import Path");
	emit_line(e, "");
	emit_open(e, "if \"custom\" not in globals():");
	emit_line(e, "from mage_ai.data_preparation.decorators import custom");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
	emit_line(e, "@custom");
	emit_open(e, "def %s(*args, **kwargs):", s->id);
	write_command(m, s);
	emit_open(e, "with tempfile.TemporaryDirectory(prefix=\"dbt-\") as target:");
	emit_line(e, "# Blocks side by side must not share a target folder; the saved parse is taken along.");
	emit_line(e, "env = {**os.environ, \"DBT_TARGET_PATH\": target, \"DBT_LOG_PATH\": target}");
	if (m->o->project_dir)
		emit_line(e, "parsed = Path(%q, \"target\", \"partial_parse.msgpack\")", m->o->project_dir);
	else
		emit_line(e, "parsed = Path(os.environ.get(\"DBT_PROJECT_DIR\", \".\"), \"target\", \"partial_parse.msgpack\")");
	emit_open(e, "if parsed.exists():");
	emit_line(e, "env.setdefault(\"DBT_PARTIAL_PARSE_FILE_PATH\", str(parsed.resolve()))");
	e->depth--;
	emit_line(e, "subprocess.run(command, env=env, timeout=%f, check=True)", (double)p.timeout_ms / 1000);
	e->depth -= 2;
}

static int
mage_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct mage m = { .out = out, .job = job, .o = job->tasks };

	if (pydbt_check_options("mage", m.o, err) < 0)
		return -1;
	if (m.o->timezone && strcmp(m.o->timezone, "UTC") != 0 && strcmp(m.o->timezone, "Etc/UTC") != 0)
		return err_set(err, "--timezone: Mage's schedules are in UTC");
	m.steps = steps_new(job, &id_file, err);
	if (!m.steps)
		return -1;
	id_add_text(&m.name, job->title, job->title, &id_file);
	find_below(&m);
	emit_init(&m.yaml, out, &emit_yaml);
	emit_init(&m.python, out, &emit_python);
	write_pipeline(&m);
	open_file(&m, "custom", "__init__", ".py");
	emit_line(&m.python, "# Blocks of the pipeline %s. Made by: %s", m.name.data, job->stamp);
	for (size_t i = 0; i < m.steps->n; i++)
		write_file(&m, &m.steps->v[i]);
	bundle_open(out, "metadata.yaml");
	emit_line(&m.yaml, "project_type: standalone");
	buf_release(&m.name);
	steps_free(m.steps);
	return 0;
}

const struct exporter exporter_mage = {
	.name = "mage",
	.suffix = "",
	.summary = "a pipeline with one block per node; -o FOLDER, that of the Mage project",
	.fields = GRAPH_CONFIG,
	.runs = true,
	.folder = "pipelines/*/metadata.yaml",
	.group_by = GROUP_BY_NONE,
	.write = mage_write,
};
