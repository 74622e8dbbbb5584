/* dagster_head.c -- docstring, imports and constants. */
#include "exporters/dagster.h"

#include "exporters/policy.h"
#include "exporters/pydbt.h"

static void
write_docstring(struct dagster *d)
{
	static const char *const forms[NGRANULARITIES] = {
		"one asset per dbt node", "one asset per dbt node, one op per folder",
		"one asset per dbt node, one op per layer", "one asset per dbt node, one op for all"
	};
	struct emit *e = &d->e;

	emit_line(e, "\"\"\"Dagster definitions of the dbt project %c: %s.  Dagster 1.9+.",
	    d->job.title, forms[d->o->granularity]);
	pydbt_docstring(e, &d->job);
	if (dagster_tests_inside(d)) {
		emit_line(e, "");
		if (dagster_has_parts(d))
			emit_line(e, "Inside an op dbt decides what a failed test holds back; "
			    "a failed op holds back what reads its assets.");
		else
			emit_line(e, "A failed check of severity error holds back what reads its "
			    "asset, if the asset is all the test reads.");
	}
	if (d->nhomeless) {
		emit_line(e, "");
		emit_line(e, "Not here, for they have nothing to do with assets; run them apart:");
		for (size_t i = 0; i < d->steps->n; i++) {
			const struct step *s = &d->steps->v[i];

			for (size_t k = 0; d->homeless[i] && k < s->nselect; k++)
				emit_line(e, "    %s %c", s->verb, s->select[k]);
		}
	}
	emit_line(e, "\"\"\"");
}

static void
write_imports(struct dagster *d)
{
	struct task_options each = *d->o;    /* each command has a target folder of its own */
	const char *more[7];
	size_t n = 0;

	each.granularity = GRANULARITY_NODE;
	more[n++] = "import json";
	more[n++] = "from functools import cache";
	if (d->nbefore || d->nafter) {
		more[n++] = "import fcntl";
		more[n++] = "import hashlib";
	}
	if (d->o->tests != TESTS_NONE)
		more[n++] = "from collections import defaultdict";
	if (dagster_has_parts(d))
		more[n++] = "from typing import NamedTuple";
	more[n] = NULL;
	pydbt_imports(&d->e, &each, more);
	emit_line(&d->e, "");
	emit_line(&d->e, "import dagster as dg");
	emit_line(&d->e, "");
}

void
dagster_write_retry(struct emit *e, const struct task_policy *p)
{
	emit_add(e, "dg.RetryPolicy(max_retries=%z, delay=%f", (size_t)(p->max_attempts - 1),
	    policy_seconds(p->delay_ms));
	if (p->factor > 1)
		emit_add(e, ", backoff=dg.Backoff.EXPONENTIAL");
	emit_add(e, ", jitter=dg.Jitter.PLUS_MINUS)");
}

static void
write_kinds(struct dagster *d)
{
	const char *adapter = d->job.graph->adapter_type;
	bool kind = adapter && *adapter;

	for (const char *c = adapter; kind && *c; c++)
		kind = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
	if (kind)
		emit_line(&d->e, "KINDS = {\"dbt\", %q}", adapter);
	else
		emit_line(&d->e, "KINDS = {\"dbt\"}");
}

/* Of tests whose names Dagster does not take. */
static void
write_names(struct dagster *d)
{
	const struct plan *plan = d->job.plan;
	size_t n = 0;

	emit_line(&d->e, "# Of tests whose names Dagster does not take: the check's name.");
	emit_indent(&d->e);
	emit_add(&d->e, "NAMES = {");
	for (size_t i = 0; i < plan->ntasks; i++) {
		const struct node *test = plan->tasks[i].node;

		if (dagster_is_renamed(d, test))
			emit_add(&d->e, "%s%q: %q", n++ ? ", " : "", test->name,
			    dagster_check_name(d, test));
	}
	emit_add(&d->e, "}\n");
}

/* Where heddle keeps what a second try goes on from. */
static void
write_state(struct emit *e, const char *project_dir)
{
	emit_indent(e);
	emit_add(e, "STATE = Path(");
	if (project_dir)
		emit_add(e, "%q", project_dir);
	else
		emit_add(e, "os.environ.get(\"DBT_PROJECT_DIR\", \".\")");
	emit_add(e, ", \"target\", \"heddle\")\n");
}

static void
write_constants(struct dagster *d)
{
	struct emit *e = &d->e;

	pydbt_constants(e, d->o);
	write_kinds(d);
	emit_line(e, "TIMEOUT = %f  # seconds; of each command",
	    policy_seconds(d->usual.timeout_ms));
	emit_indent(e);
	emit_add(e, "RETRY = ");
	dagster_write_retry(e, &d->usual);
	emit_add(e, "\n");
	emit_line(e, "KEY = cache(dg.AssetKey.from_user_string)");
	if (d->renamed)
		write_names(d);
	if (d->o->tests != TESTS_NONE)
		emit_line(e, "LEVEL = dg.AssetCheckSeverity");
	if (dagster_has_parts(d) && d->o->runner == RUNNER_HEDDLE)
		write_state(e, d->o->project_dir);
	emit_line(e, "");
	emit_line(e, "");
}

void
dagster_write_head(struct dagster *d)
{
	write_docstring(d);
	write_imports(d);
	write_constants(d);
}
