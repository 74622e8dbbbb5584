/* exporters/steps.h -- the plan as tasks of an orchestrator: what each runs, what it waits for.
 *
 *   struct steps *s = steps_new(job, &err);  ...  steps_free(s);
 *
 * One step builds one node. Its tests are, by job->tasks->tests:
 *   after_each  a step of their own after it, before everything that reads the node
 *   build       in the same step: `dbt build`
 *   after_all   one step at the end
 *   none        nowhere
 * A test that reads several nodes is a step after all of them (after_each and build) and holds back
 * what `dbt build` would hold back; tests of a source stand before its readers. Unit tests of a
 * model are one step before it when they are in the plan, else no test command runs them.
 *
 * With job->tasks->granularity folder, layer or all, a step builds a part of the graph instead: the
 * nodes of a folder, of a layer (layers.h), everything. Their tests run inside (after_each, build)
 * or as above (after_all, none). A folder that reads another one that reads it again is cut into
 * several parts (parts.h), so that each node is built once and in an order dbt allows. A test that
 * job->homes gives a node runs in the part of that node, or else, where it has to wait for a later
 * part, in a step of its own, which holds nothing back.
 *
 * With job->tasks->hook_steps the first step is a STEP_START, which everything waits for, and the
 * last a STEP_END, which waits for whatever nothing else waits for. It has to run when those
 * failed, too, and without making the run a success. The others have no_hooks.
 *
 * Order:  each step after those it waits for; of those free to stand next, the smallest id first.
 * Edges:  every edge of the graph between built nodes (also over ephemeral and unselected ones), so
 *         that a reader finds them all; none is left out because others imply it.
 * Errors: NULL with err: a node that no dbt selection means alone, two ids that meet.
 * Owner:  the steps own their memory (one arena); they borrow the job's graph and plan.
 */
#ifndef HEDDLE_EXPORTERS_STEPS_H
#define HEDDLE_EXPORTERS_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporters/exporter.h"
#include "exporters/ids.h"
#include "util/arena.h"

enum step_role {
	STEP_BUILD,        /* builds step->node */
	/* the tests of step->node alone (a built node, an ephemeral one, a source) */
	STEP_TEST,
	STEP_UNIT_TEST,    /* the unit tests of step->node */
	STEP_TEST_ALONE,   /* step->node is the test */
	STEP_TEST_ALL,     /* every test; node is NULL */
	STEP_PART,         /* step->nodes and step->tests, in dbt's order; node is NULL */
	STEP_START,        /* `heddle on-run-start`; node is NULL */
	STEP_END,          /* `heddle on-run-end`, whatever became of the others; node is NULL */
};

struct step {
	const char *id;             /* "stg_orders_run"; unique */
	const char *base;           /* "stg_orders": of its node; the same for build and test */
	enum step_role role;
	const char *verb;           /* "run", "seed", "snapshot", "test", "build", "on-run-start" */
	bool no_hooks;              /* with --no-hooks */
	const struct node *node;
	const char *const *select;  /* words for --select; none = everything */
	size_t nselect;
	const char *const *exclude;
	size_t nexclude;
	/* exclude holds resource types: with --exclude dbt forgets a default selector */
	bool exclude_types;
	const char *indirect;       /* for --indirect-selection; NULL = dbt's own */
	const struct node **tests;  /* the tests it runs, in the order of their ids */
	size_t ntests;
	const struct node **nodes;  /* of a STEP_PART: what it builds; none = the whole selection */
	size_t nnodes;
	size_t *after;              /* positions in steps->v, sorted */
	size_t nafter;
	/* of a STEP_BUILD: its STEP_TEST, its STEP_UNIT_TEST, or NULL */
	struct step *test, *unit;
	struct step *build;         /* of those: the STEP_BUILD of their node, or NULL */
	struct task_policy policy;
	double path;                /* the longest remaining path of its tasks, for priorities */
};

struct steps {
	struct arena arena;
	const struct export_job *job;
	struct step *v;
	size_t n;
};

struct steps *steps_new(const struct export_job *job, const struct id_style *style,
    struct err *err);
void steps_free(struct steps *s);    /* NULL is fine */

/* Where the project's hooks run, a sentence for the reader; NULL when it has none. */
const char *steps_about_hooks(const struct task_options *o);

/* Before the words of step->exclude. */
const char *steps_exclude_flag(const struct step *s);

#endif
