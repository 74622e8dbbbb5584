/* exporters/dagster.h -- what dagster*.c share; nobody else reads it.
 *
 *   dagster.c         the definitions: a row for each asset and check   dagster_head.c   functions before them
 *   dagster_homes.c   which asset runs what is no asset and no check    dagster_project.c   --style dbt_assets
 *   dagster_names.c   keys, groups, owners, tags as dagster-dbt makes them
 *
 * Dagster knows assets and checks, nothing else that runs. A step of the plan is one of
 *   an asset    a model, seed or snapshot; the tests that read it alone are checks of the same op
 *   a check     a test that dagster-dbt attaches to an asset though it reads others as well: an op
 *   a helper    the rest: functions, unit tests, tests of sources and of ephemeral models, tests of
 *               several nodes that belong to none. An asset's op runs it: before the asset when the
 *               plan has it wait, else after the last of what the helper reads.
 */
#ifndef HEDDLE_EXPORTERS_DAGSTER_H
#define HEDDLE_EXPORTERS_DAGSTER_H

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/folders.h"
#include "exporters/steps.h"
#include "util/map.h"

#define DAGSTER_ARG ",\n        "    /* between the arguments of a row */

struct dagster {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;          /* its arena holds all texts below */
	struct folders folders;
	struct task_policy usual;

	const char **keys;            /* by node->index: "schema/name"; filled by dagster_keys() */
	bool *is_asset;               /* by node->index: a step builds it */
	struct map checks;            /* "key\nname" -> the step; of what is written so far */

	/* by step, lists of positions: helpers it runs before it builds, and after; of a helper that any
	 * of several assets may run, those assets: the last to be built does */
	struct dagster_list { size_t *v, n, cap; } *before, *after, *last_of;
	bool *homeless;               /* by step: a helper that reads no asset and no asset waits for */
	size_t nbefore, nafter, nhomeless, nchecks;
	bool pools;                   /* some step has one */

	uint32_t *seen, *stack, walk; /* of walks; by node->index */
};

/* Keys of all nodes. 0, or -1 with err: two assets of one key. */
int dagster_keys(struct dagster *d, struct err *err);
/* In the steps' arena. */
const char *dagster_group(struct dagster *d, const struct step *s);
const char *dagster_check_name(struct dagster *d, const struct node *test);
/* The asset dagster-dbt attaches a test to, or NULL. */
const struct node *dagster_check_target(const struct dagster *d, const struct node *test);
bool dagster_is_error(const struct node *test);   /* its severity is error */
/* What reads this node has these assets and sources upstream: their keys, sorted, each once. */
size_t dagster_deps(struct dagster *d, const struct step *s, const char ***keys);
/* The arguments owners= and tags=; nothing when there are none. */
void dagster_write_owners(struct emit *e, const struct node *n);
void dagster_write_tags(struct emit *e, const struct node *n);

bool dagster_builds_asset(const struct step *s);
bool dagster_is_check(const struct dagster *d, const struct step *s);
void dagster_find_homes(struct dagster *d);

/* dg.RetryPolicy(...) */
void dagster_write_retry(struct emit *e, const struct task_policy *p);
void dagster_write_head(struct dagster *d);
/* Job, schedule and Definitions, at the end of both styles. */
void dagster_write_definitions(struct emit *e, const struct export_job *job, const char *arguments);
int dagster_project_write(const struct export_job *job, struct buf *out, struct err *err);

#endif
