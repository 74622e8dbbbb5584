/* dagster_rows.c -- a row for each asset, part and check: calls of dagster_functions.c. */
#include "exporters/dagster.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/argv.h"
#include "exporters/policy.h"
#include "exporters/pydbt.h"
#include "util/xalloc.h"

/* Between the arguments of a row, and of a row in a part. */
#define ARG ",\n        "
#define INNER_ARG ",\n                "

/* ---- arguments ---- */

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
		emit_add(&d->e, ARG "timeout=%f", policy_seconds(p.timeout_ms));
	if (p.pool)
		emit_add(&d->e, ARG "pool=%q", p.pool);
}

/* A check's name, unless one of the same asset has it: Dagster reads "." as "_" there. */
static const char *
take_name(struct dagster *d, const struct node *test, const struct node *target)
{
	const char *name = dagster_check_name(d, test);
	char *mark = arena_printf(&d->arena, "%s\n%s", d->keys[target->index], name);

	for (char *c = strchr(mark, '\n'); *c; c++)
		if (*c == '.')
			*c = '_';
	return map_put(&d->checks, mark, (void *)(uintptr_t)test) ? NULL : name;
}

static void
write_names(struct dagster *d, const char *open, const char *argument, const char *const *names,
    size_t n)
{
	if (n == 0)
		return;
	emit_add(&d->e, "%s%s=", open, argument);
	pydbt_list(&d->e, names, n);
}

static void
write_deps(struct dagster *d, const struct node *n, const char *open)
{
	const char **keys;
	size_t nkeys = dagster_deps(d, n, &keys);

	write_names(d, open, "deps", keys, nkeys);
}

/* The tests of a node that run in its op. */
static void
write_checks(struct dagster *d, const struct node *n, const char *open)
{
	const struct graph *g = d->job.graph;
	const char **hard = xcalloc(n->nchildren + 1, sizeof(*hard));
	const char **soft = xcalloc(n->nchildren + 1, sizeof(*soft));
	size_t nhard = 0, nsoft = 0;

	for (size_t i = 0; i < n->nchildren; i++) {
		const struct node *test = &g->nodes[n->children[i]];
		bool own = d->is_inside[test->index] && d->targets[test->index] == n;
		const char *name = own ? take_name(d, test, n) : NULL;

		if (name && dagster_is_error(test))
			hard[nhard++] = name;
		else if (name)
			soft[nsoft++] = name;
	}
	write_names(d, open, "checks", hard, nhard);
	write_names(d, open, "warns", soft, nsoft);
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
				emit_add(&d->e, "%s%q", n++ ? ", " : "",
				    dagster_key_of_step(d, &d->steps->v[all->v[k]]));
		emit_add(&d->e, "])");
	}
	emit_add(&d->e, l->n ? "]" : "");
}

/* ---- assets ---- */

static void
write_asset(struct dagster *d, size_t at)
{
	const struct step *s = &d->steps->v[at];

	emit_indent(&d->e);
	emit_add(&d->e, "asset(\n        %q, %q, ", s->id, d->keys[s->node->index]);
	pydbt_command(&d->e, s);
	write_deps(d, s->node, ARG);
	write_checks(d, s->node, ARG);
	if (s->test) {
		emit_add(&d->e, ARG "test=");
		pydbt_command(&d->e, s->test);
	}
	write_before(d, at);
	write_after(d, at);
	write_policy(d, s);
	dagster_write_about(d, s->node, ARG);
	emit_add(&d->e, ",\n    ),\n");
}

static void
write_node(struct dagster *d, const struct node *n)
{
	const char *word = selects_alone(d->selects, &d->arena, n);

	emit_add(&d->e, "            node(\n                %q, %q, ", n->id, d->keys[n->index]);
	emit_add(&d->e, word ? "%q" : "None", word);
	write_deps(d, n, INNER_ARG);
	write_checks(d, n, INNER_ARG);
	dagster_write_about(d, n, INNER_ARG);
	emit_add(&d->e, ",\n            ),\n");
}

static void
write_part(struct dagster *d, size_t at)
{
	const struct step *s = &d->steps->v[at];
	struct argv flags = ARGV_INIT;
	const struct node **nodes;
	size_t n = dagster_assets(d, s, &nodes);

	argv_tests(&flags, s);
	emit_indent(&d->e);
	emit_add(&d->e, "part(\n        %q, %q, ", s->id, s->verb);
	pydbt_list(&d->e, s->select, s->nselect);
	emit_add(&d->e, ", ");
	pydbt_list(&d->e, flags.v, flags.n);
	emit_add(&d->e, ", [\n");
	for (size_t i = 0; i < n; i++)
		write_node(d, nodes[i]);
	emit_add(&d->e, "        ]");
	write_before(d, at);
	write_after(d, at);
	write_policy(d, s);
	emit_add(&d->e, ",\n    ),\n");
	argv_release(&flags);
}

/* ---- checks with an op of their own ---- */

/* ("orders", "relationships_orders_...", ["customers"]) */
static void
write_spec(struct dagster *d, const struct node *target, const char *name, const char *const *deps,
    size_t n)
{
	emit_add(&d->e, "(%q, %q, ", d->keys[target->index], name);
	pydbt_list(&d->e, deps, n);
	emit_add(&d->e, ")");
}

static void
write_check(struct dagster *d, const struct step *s)
{
	const char **deps;
	size_t n = dagster_deps(d, s->node, &deps);

	emit_indent(&d->e);
	emit_add(&d->e, "check(\n        %q, [", s->id);
	write_spec(d, d->targets[s->node->index], dagster_check_name(d, s->node), deps, n);
	emit_add(&d->e, "]" ARG);
	pydbt_command(&d->e, s);
	write_policy(d, s);
	emit_add(&d->e, ",\n    ),\n");
}

/* Of the ops that nothing else waits for: a key each. */
static size_t
last_keys(struct dagster *d, const struct step *s, const char **keys)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nafter; i++)
		if (dagster_builds_assets(d, &d->steps->v[s->after[i]]))
			keys[n++] = dagster_key_of_step(d, &d->steps->v[s->after[i]]);
	return n;
}

/* All tests in one op. It waits for the assets its checks name, and for what nothing else reads. */
static void
write_all_checks(struct dagster *d, const struct step *s)
{
	struct emit *e = &d->e;
	const char **last = xcalloc(s->nafter + 1, sizeof(*last));
	const char **deps = xcalloc(s->nafter + 1, sizeof(*deps));
	size_t n = last_keys(d, s, last);

	emit_open(e, "check(");
	emit_line(e, "%q,", s->id);
	emit_open(e, "[");
	for (size_t i = 0; i < s->ntests; i++) {
		const struct node *target = d->targets[s->tests[i]->index];
		const char *name = target ? take_name(d, s->tests[i], target) : NULL;
		size_t ndeps = 0;

		if (!name)
			continue;
		for (size_t k = 0; k < n; k++)
			if (strcmp(last[k], d->keys[target->index]) != 0)
				deps[ndeps++] = last[k];
		n = 0;    /* once said is enough */
		emit_indent(e);
		write_spec(d, target, name, deps, ndeps);
		emit_add(e, ",\n");
	}
	emit_close(e, "],");
	emit_indent(e);
	pydbt_command(e, s);
	write_policy(d, s);
	emit_add(e, ",\n");
	emit_close(e, "),");
	free(last);
	free(deps);
}

/* ---- all of them ---- */

void
dagster_write_rows(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "ASSETS = [");
	for (size_t i = 0; i < d->steps->n; i++) {
		if (!dagster_builds_assets(d, &d->steps->v[i]))
			continue;
		if (d->steps->v[i].role == STEP_PART)
			write_part(d, i);
		else
			write_asset(d, i);
	}
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
