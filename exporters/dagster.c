/* dagster.c -- definitions: one asset per dbt node, its tests as checks; dagster.h says which is what.
 *
 * Loading is Dagster's own work for each op, so there is one op for a node and its tests, and none
 * for what is no asset.
 */
#include "exporters/dagster.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/node_docs.h"
#include "exporters/policy.h"
#include "exporters/pydbt.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_SLOTS 8
#define ARG DAGSTER_ARG

static const char *const styles[] = { "assets", "dbt_assets", NULL };

/* ---- parts of a row ---- */

static void
write_policy(struct dagster *d, const struct step *s)
{
	struct task_policy p = policy_of(s);

	if (p.max_attempts != d->usual.max_attempts || p.delay_ms != d->usual.delay_ms ||
	    (p.factor > 1) != (d->usual.factor > 1)) {
		emit_add(&d->e, ARG "retry=");
		dagster_write_retry(&d->e, &p);
	}
	if (p.timeout_ms != d->usual.timeout_ms)
		emit_add(&d->e, ARG "timeout=%f", (double)p.timeout_ms / 1000);
	if (p.pool)
		emit_add(&d->e, ARG "pool=%q", p.pool);
}

/* A check's name, unless one of the same asset has it: Dagster reads "." as "_" there. */
static const char *
take_name(struct dagster *d, const struct node *test, const struct node *target, const struct step *s)
{
	const char *name = dagster_check_name(d, test);
	char *mark = arena_printf(&d->steps->arena, "%s\n%s", d->keys[target->index], name);

	for (char *c = strchr(mark, '\n'); *c; c++)
		if (*c == '.')
			*c = '_';
	return map_put(&d->checks, mark, (void *)(uintptr_t)s) ? NULL : name;
}

static void
write_names(struct dagster *d, const char *argument, const char *const *names, size_t n)
{
	if (n == 0)
		return;
	emit_add(&d->e, ARG "%s=", argument);
	pydbt_list(&d->e, names, n);
}

/* The checks in an asset's own op. */
static void
write_own_checks(struct dagster *d, const struct step *s)
{
	const struct step *tests = s->test ? s->test : s;
	const char **hard = xcalloc(tests->ntests + 1, sizeof(*hard)), **soft = xcalloc(tests->ntests + 1, sizeof(*soft));
	size_t nhard = 0, nsoft = 0;

	for (size_t i = 0; i < tests->ntests; i++) {
		const char *name = take_name(d, tests->tests[i], s->node, s);

		if (name && dagster_is_error(tests->tests[i]))
			hard[nhard++] = name;
		else if (name)
			soft[nsoft++] = name;
	}
	write_names(d, "checks", hard, nhard);
	write_names(d, "warns", soft, nsoft);
	if (s->test) {
		emit_add(&d->e, ARG "test=");
		pydbt_command(&d->e, s->test);
	}
	free(hard);
	free(soft);
}

static void
write_before(struct dagster *d, size_t at)
{
	const struct dagster_list *l = &d->before[at];

	for (size_t i = 0; i < l->n; i++) {
		emit_add(&d->e, i ? ", " : ARG "before=[");
		pydbt_command(&d->e, &d->steps->v[l->v[i]]);
	}
	emit_add(&d->e, l->n ? "]" : "");
}

static void
write_after(struct dagster *d, size_t at)
{
	const struct dagster_list *l = &d->after[at];

	for (size_t i = 0; i < l->n; i++) {
		const struct dagster_list *all = &d->last_of[l->v[i]];
		size_t n = 0;

		emit_add(&d->e, i ? ", (" : ARG "after=[(");
		pydbt_command(&d->e, &d->steps->v[l->v[i]]);
		emit_add(&d->e, ", [");
		for (size_t k = 0; k < all->n; k++)
			if (all->v[k] != at)
				emit_add(&d->e, "%s%q", n++ ? ", " : "", d->keys[d->steps->v[all->v[k]].node->index]);
		emit_add(&d->e, "])");
	}
	emit_add(&d->e, l->n ? "]" : "");
}

/* What Dagster shows of a node. */
static void
write_about(struct dagster *d, const struct step *s)
{
	struct buf b = BUF_INIT;
	const char *group = dagster_group(d, s);

	if (group)
		emit_add(&d->e, ARG "group_name=%q", group);
	dagster_write_owners(&d->e, s->node);
	dagster_write_tags(&d->e, s->node);
	if (node_docs_markdown(&b, s->node))
		emit_add(&d->e, ARG "description=%q", b.data);
	buf_release(&b);
}

static void
write_deps(struct dagster *d, const struct step *s)
{
	const char **keys;
	size_t n = dagster_deps(d, s, &keys);

	write_names(d, "deps", keys, n);
}

/* ---- rows ---- */

static void
write_asset(struct dagster *d, size_t at)
{
	const struct step *s = &d->steps->v[at];

	emit_indent(&d->e);
	emit_add(&d->e, "asset(\n        %q, %q, ", s->id, d->keys[s->node->index]);
	pydbt_command(&d->e, s);
	write_deps(d, s);
	if (d->o->tests == TESTS_AFTER_EACH || d->o->tests == TESTS_BUILD)
		write_own_checks(d, s);
	write_before(d, at);
	write_after(d, at);
	write_policy(d, s);
	write_about(d, s);
	emit_add(&d->e, ",\n    ),\n");
}

/* ("orders", "relationships_orders_...", ["customers"]) */
static void
write_spec(struct dagster *d, const struct node *target, const char *name, const char *const *deps, size_t n)
{
	emit_add(&d->e, "(%q, %q, ", d->keys[target->index], name);
	pydbt_list(&d->e, deps, n);
	emit_add(&d->e, ")");
}

static void
write_check(struct dagster *d, const struct step *s)
{
	const struct node *target = dagster_check_target(d, s->node);
	const char **deps;
	size_t n = dagster_deps(d, s, &deps);

	emit_indent(&d->e);
	emit_add(&d->e, "check(\n        %q, [", s->id);
	write_spec(d, target, dagster_check_name(d, s->node), deps, n);
	emit_add(&d->e, "]" ARG);
	pydbt_command(&d->e, s);
	write_policy(d, s);
	emit_add(&d->e, ",\n    ),\n");
}

/* All tests in one op. It waits for the assets its checks name, and for those nothing else reads. */
static void
write_all_checks(struct dagster *d, const struct step *s)
{
	struct emit *e = &d->e;
	const char **last = xcalloc(s->nafter + 1, sizeof(*last));
	size_t n = 0;

	for (size_t i = 0; i < s->nafter; i++)
		if (dagster_builds_asset(&d->steps->v[s->after[i]]))
			last[n++] = d->keys[d->steps->v[s->after[i]].node->index];
	emit_open(e, "check(");
	emit_line(e, "%q,", s->id);
	emit_open(e, "[");
	for (size_t i = 0; i < s->ntests; i++) {
		const struct node *target = dagster_check_target(d, s->tests[i]);
		const char *name = target ? take_name(d, s->tests[i], target, s) : NULL;
		const char **deps = xcalloc(n + 1, sizeof(*deps));
		size_t ndeps = 0;

		for (size_t k = 0; name && k < n; k++)
			if (strcmp(last[k], d->keys[target->index]) != 0)
				deps[ndeps++] = last[k];
		if (name) {
			emit_indent(e);
			write_spec(d, target, name, deps, ndeps);
			emit_add(e, ",\n");
			n = 0;    /* once said is enough */
		}
		free(deps);
	}
	emit_close(e, "],");
	emit_indent(e);
	pydbt_command(e, s);
	write_policy(d, s);
	emit_add(e, ",\n");
	emit_close(e, "),");
	free(last);
}

static void
write_rows(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "ASSETS = [");
	for (size_t i = 0; i < d->steps->n; i++)
		if (dagster_builds_asset(&d->steps->v[i]))
			write_asset(d, i);
	emit_close(e, "]");
	if (d->nchecks == 0)
		return;
	emit_open(e, "CHECKS = [");
	for (size_t i = 0; i < d->steps->n; i++) {
		const struct step *s = &d->steps->v[i];

		if (dagster_is_check(d, s) && s->role == STEP_TEST_ALL)
			write_all_checks(d, s);
		else if (dagster_is_check(d, s))
			write_check(d, s);
	}
	emit_close(e, "]");
}

void
dagster_write_definitions(struct emit *e, const struct export_job *job, const char *arguments)
{
	const struct task_options *o = job->tasks;
	bool scheduled = pydbt_is_scheduled(o);
	char *name = pydbt_name(job->title);

	emit_line(e, "job = dg.define_asset_job(");
	emit_line(e, "    \"%s_job\",", name);
	emit_line(e, "    selection=%s,", "ASSETS");
	emit_line(e, "    executor_def=dg.multiprocess_executor.configured({\"max_concurrent\": %z}),",
	    (size_t)(o->slots ? o->slots : DEFAULT_SLOTS));
	emit_line(e, ")");
	if (scheduled && o->timezone)
		emit_line(e, "schedule = dg.ScheduleDefinition(job=job, cron_schedule=%q, execution_timezone=%q)", o->schedule,
		    o->timezone);
	else if (scheduled)
		emit_line(e, "schedule = dg.ScheduleDefinition(job=job, cron_schedule=%q)", o->schedule);
	emit_line(e, "defs = dg.Definitions(assets=ASSETS%s, jobs=[job]%s)", arguments, scheduled ? ", schedules=[schedule]" : "");
	free(name);
}

/* ---- the file ---- */

static void
count(struct dagster *d)
{
	for (size_t i = 0; i < d->steps->n; i++) {
		d->nchecks += dagster_is_check(d, &d->steps->v[i]);
		d->pools = d->pools || d->steps->v[i].policy.pool;
	}
}

static int
dagster_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct dagster d = { .job = job, .o = job->tasks };
	int rc = -1;

	if (pydbt_check_options("dagster", d.o, err) < 0)
		return -1;
	if (d.o->style && strcmp(d.o->style, "dbt_assets") == 0)
		return dagster_project_write(job, out, err);
	d.steps = steps_new(job, &id_plain, err);
	if (!d.steps)
		return -1;
	folders_find(&d.folders, d.steps);
	d.usual = policy_usual(d.steps);
	emit_init(&d.e, out, &emit_python);
	if (dagster_keys(&d, err) == 0) {
		dagster_find_homes(&d);
		count(&d);
		dagster_write_head(&d);
		write_rows(&d);
		dagster_write_definitions(&d.e, job, d.nchecks ? ", asset_checks=CHECKS" : "");
		rc = 0;
	}
	map_release(&d.checks);
	steps_free(d.steps);
	return rc;
}

const struct exporter exporter_dagster = {
	.name = "dagster",
	.suffix = ".py",
	.summary = "asset definitions, one asset per node, tests as checks; Dagster 1.9+",
	.fields = GRAPH_DOCS | GRAPH_CONFIG,
	.runs = true,
	.styles = styles,
	.group_by = GROUP_BY_NONE,
	.write = dagster_write,
};
