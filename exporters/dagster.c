/* dagster.c -- definitions: one asset per dbt node, its tests as checks; see dagster.h.
 *
 * Loading is Dagster's own work for each op, so there is one op for a node and its tests, and none
 * for what is no asset.
 */
#include "exporters/dagster.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/cron.h"
#include "exporters/policy.h"
#include "exporters/pydbt.h"

#define DEFAULT_SLOTS 8

static const char *const styles[] = { "assets", "dbt_assets", NULL };

bool
dagster_has_parts(const struct dagster *d)
{
	return d->o->granularity != GRANULARITY_NODE;
}

bool
dagster_tests_inside(const struct dagster *d)
{
	return d->o->tests == TESTS_AFTER_EACH || d->o->tests == TESTS_BUILD;
}

void
dagster_write_definitions(struct emit *e, const struct export_job *job, const char *arguments)
{
	const struct task_options *o = job->tasks;
	bool scheduled = cron_is_given(o->schedule);
	char *name = pydbt_name(job->title);

	emit_open(e, "job = dg.define_asset_job(");
	emit_line(e, "\"%s_job\",", name);
	emit_line(e, "selection=ASSETS,");
	emit_line(e, "executor_def=dg.multiprocess_executor.configured({\"max_concurrent\": %z}),",
	    (size_t)(o->slots ? o->slots : DEFAULT_SLOTS));
	emit_close(e, ")");
	if (scheduled) {
		emit_add(e, "schedule = dg.ScheduleDefinition(job=job, cron_schedule=%q",
		    o->schedule);
		if (o->timezone)
			emit_add(e, ", execution_timezone=%q", o->timezone);
		emit_add(e, ")\n");
	}
	emit_line(e, "defs = dg.Definitions(assets=ASSETS%s, jobs=[job]%s)", arguments,
	    scheduled ? ", schedules=[schedule]" : "");
	free(name);
}

static void
count(struct dagster *d)
{
	for (size_t i = 0; i < d->steps->n; i++) {
		d->nchecks += dagster_is_check(d, &d->steps->v[i]);
		d->pools = d->pools || d->steps->v[i].policy.pool;
	}
	for (size_t i = 0; i < d->job.plan->ntasks; i++)
		d->renamed = d->renamed || dagster_is_renamed(d, d->job.plan->tasks[i].node);
}

static int
dagster_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct dagster d = { .job = *job, .o = job->tasks };
	int rc = -1;

	if (pydbt_check_options("dagster", d.o, err) < 0)
		return -1;
	if (d.o->style && strcmp(d.o->style, "dbt_assets") == 0)
		return dagster_project_write(job, out, err);
	emit_init(&d.e, out, &emit_python);
	if (dagster_keys(&d, err) < 0)
		goto out;
	d.job.homes = d.targets;
	d.steps = steps_new(&d.job, &id_plain, err);
	if (!d.steps)
		goto out;
	d.selects = dagster_has_parts(&d) ? selects_new(job->graph) : NULL;
	d.usual = policy_usual(d.steps);
	dagster_find_homes(&d);
	count(&d);
	dagster_write_head(&d);
	dagster_write_functions(&d);
	dagster_write_rows(&d);
	dagster_write_definitions(&d.e, job, d.nchecks ? ", asset_checks=CHECKS" : "");
	rc = 0;
out:
	map_release(&d.checks);
	selects_free(d.selects);
	steps_free(d.steps);
	arena_release(&d.arena);
	return rc;
}

const struct exporter exporter_dagster = {
	.name = "dagster",
	.suffix = ".py",
	.summary = "asset definitions, one asset per node, tests as checks; Dagster 1.9+",
	.fields = GRAPH_DOCS | GRAPH_CONFIG,
	.runs = true,
	.cron_words = cron_words,
	.parts = true,
	.owners = true,
	.styles = styles,
	.group_by = GROUP_BY_NONE,
	.write = dagster_write,
};
