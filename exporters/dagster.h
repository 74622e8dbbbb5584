/* exporters/dagster.h -- what dagster*.c share; nobody else reads it.
 *
 *   dagster.c            the definitions, from end to end
 *   dagster_head.c       docstring, imports, constants
 *   dagster_functions.c  what the rows call
 *   dagster_rows.c       a row for each asset, part and check
 *   dagster_homes.c      which op runs what is no asset and no check
 *   dagster_keys.c       keys, dependencies, checks as dagster-dbt has them
 *   dagster_about.c      groups, owners, tags
 *   dagster_project.c    --style dbt_assets
 *
 * Dagster knows assets and checks, nothing else that runs. A step of the plan is one of
 *   an asset    a model, seed or snapshot; the tests that read it alone are checks of the same op
 *   a part      with --granularity: several of them, and all tests that run inside; one op
 *   a check     a test that dagster-dbt attaches to an asset of another op: an op
 *   a helper    the rest: functions, unit tests, tests of sources and of ephemeral models, tests of
 *               several nodes that belong to none. An op with assets runs it: before them when the
 *               plan has them wait, else after the last of what the helper reads.
 */
#ifndef HEDDLE_EXPORTERS_DAGSTER_H
#define HEDDLE_EXPORTERS_DAGSTER_H

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/selects.h"
#include "exporters/steps.h"
#include "util/map.h"

struct dagster {
	struct emit e;
	struct export_job job;        /* the caller's, with homes */
	const struct task_options *o;
	struct arena arena;           /* holds all texts and lists below */
	struct steps *steps;
	struct selects *selects;      /* of parts: each node's own word; else NULL */
	struct task_policy usual;

	/* by node->index; filled by dagster_keys() */
	const char **keys;            /* "schema/name" */
	bool *is_asset;               /* it is built, and is no function */
	bool *is_inside;              /* of a test: its target's op runs it; dagster_find_homes() */
	const struct node **targets;  /* of a test: the asset dagster-dbt attaches it to, or NULL */
	struct map checks;            /* "key\nname" -> the test; of what is written so far */

	/* by step, lists of positions: helpers it runs before it builds, and after; of a helper
	 * that any of several ops may run, those: the last to be done does */
	struct dagster_list { size_t *v, n, cap; } *before, *after, *last_of;
	bool *homeless;               /* by step: a helper that has nothing to do with assets */
	size_t nbefore, nafter, nhomeless, nchecks;
	bool pools;                   /* some step has one */
	bool renamed;                 /* some check has not its test's name */

	uint32_t *seen, *stack, walk; /* of walks; by node->index */
};

/* ---- dagster_keys.c ---- */

/* Keys, assets, targets. 0, or -1 with err: two assets of one key. */
int dagster_keys(struct dagster *d, struct err *err);
/* In the arena. */
const char *dagster_check_name(struct dagster *d, const struct node *test);
bool dagster_is_renamed(const struct dagster *d, const struct node *test);   /* it is a check's */
bool dagster_is_error(const struct node *test);   /* its severity is error */
/* What an asset or a test has upstream: keys of assets and sources, sorted, each once. */
size_t dagster_deps(struct dagster *d, const struct node *n, const char ***keys);
/* Letters, digits and these marks, and not empty? */
bool dagster_is_made_of(const char *text, const char *marks);
/* A word of meta.dagster, as JSON; NULL: there is none. */
const char *dagster_meta(const struct node *n, const char *name);

/* ---- dagster_about.c ---- */

/* What Dagster shows of a node: arguments, each after `open`. */
void dagster_write_about(struct dagster *d, const struct node *n, const char *open);

/* ---- dagster_homes.c ---- */

/* The assets a step builds, parents first, in the arena; 0: it is a check or a helper. */
size_t dagster_assets(struct dagster *d, const struct step *s, const struct node ***nodes);
bool dagster_builds_assets(const struct dagster *d, const struct step *s);
bool dagster_is_check(const struct dagster *d, const struct step *s);
/* A key that is there when the step is done. */
const char *dagster_key_of_step(struct dagster *d, const struct step *s);
void dagster_find_homes(struct dagster *d);

/* ---- the file ---- */

bool dagster_has_parts(const struct dagster *d);
bool dagster_tests_inside(const struct dagster *d);   /* tests are checks of the ops that build */
/* dg.RetryPolicy(...) */
void dagster_write_retry(struct emit *e, const struct task_policy *p);
void dagster_write_head(struct dagster *d);
void dagster_write_functions(struct dagster *d);
void dagster_write_rows(struct dagster *d);
/* Job, schedule and Definitions, at the end of both styles. */
void dagster_write_definitions(struct emit *e, const struct export_job *job, const char *arguments);
int dagster_project_write(const struct export_job *job, struct buf *out, struct err *err);

#endif
