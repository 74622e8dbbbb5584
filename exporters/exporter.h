/* exporters/exporter.h -- one plan, many languages. A target is one file and one row in registry.c.
 *
 * write() appends the whole output to `out`; the caller puts it on a file by rename. A target that
 * is a folder (.folder) appends its files as bundle.h has them. Output is
 * deterministic: order by id, no clock, no random, no path of this machine.
 * Errors: 0, or -1 with err. Thread: main.
 *
 * How to add a target, here `argo`:
 *   1. exporters/argo.c: argo_write() and `const struct exporter exporter_argo = { ... }` with
 *      every member below that matters to it. What it writes for a part of its own subject (head,
 *      helpers) may be argo_head.c with a private argo.h.
 *   2. A name in the list of externs at the end of this file, a row in registry.c, a row in the
 *      Makefile. Help, --list, --check, stamp and option checks walk that table.
 *   3. A target whose tasks run dbt (.runs) takes its tasks from steps_new() (steps.h): ids, order,
 *      selections, policies are settled there, for all targets alike; groups from folders.h,
 *      retries and time limits from policy.h, commands as words or lines from argv.h, texts for
 *      people from node_docs.h. A target that draws walks job->nodes (picture.h, columns.h).
 *   4. Text goes through emit.h. A language that is not there yet gets a row of its own in emit.c.
 *   5. Samples and golden files: lines in tests/golden/cases.txt, written by `make golden`.
 *   6. docs/exports.md: one section: the command, what it writes, how to deploy it, what it does
 *      not do; a line in its table of targets.
 */
#ifndef HEDDLE_EXPORTERS_EXPORTER_H
#define HEDDLE_EXPORTERS_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/groups.h"
#include "graph/plan.h"
#include "util/buf.h"
#include "util/err.h"

struct lineage_run;

#define GROUPINGS(X) X(FOLDER, "folder") X(TAG, "tag") X(NONE, "none")
#define COLOURINGS(X) X(KIND, "kind") X(FOLDER, "folder") X(STATUS, "status") X(TIME, "time")

#define TEST_MODES(X) X(AFTER_EACH, "after_each") X(AFTER_ALL, "after_all") X(NONE, "none") \
	X(BUILD, "build")
#define RUNNERS(X) X(DBT, "dbt") X(HEDDLE, "heddle")
#define GRANULARITIES(X) X(NODE, "node") X(FOLDER, "folder") X(LAYER, "layer") X(ALL, "all")

enum test_mode {
#define X(id, name) TESTS_##id,
	TEST_MODES(X)
#undef X
	NTEST_MODES
};

enum task_runner {
#define X(id, name) RUNNER_##id,
	RUNNERS(X)
#undef X
	NRUNNERS
};

enum granularity {
#define X(id, name) GRANULARITY_##id,
	GRANULARITIES(X)
#undef X
	NGRANULARITIES
};

enum grouping {
#define X(id, name) GROUP_BY_##id,
	GROUPINGS(X)
#undef X
	NGROUPINGS
};

enum colouring {
#define X(id, name) COLOUR_BY_##id,
	COLOURINGS(X)
#undef X
	NCOLOURINGS
};

/* "after_each", ...; by their enum, NULL-ended */
extern const char *const test_mode_names[], *const task_runner_names[], *const granularity_names[];
const char *grouping_name(enum grouping g);      /* "folder" */
const char *colouring_name(enum colouring c);    /* "kind" */

/* What targets that run tasks are told. Texts are the user's, or NULL. */
struct task_options {
	enum test_mode tests;
	enum task_runner runner;
	enum granularity granularity;   /* what one task is */
	bool unit_tests;                /* as steps of their own; the plan has them then */
	const char *const *command;     /* words in place of `dbt`; NULL = that */
	size_t ncommand;
	const char *target, *vars, *profile, *project_dir, *profiles_dir;   /* of the tasks */
	const char *image, *timezone, *schedule;
	/* of Kubernetes, as environment; elsewhere names of variables */
	const char *secret;
	const char *space, *branch;     /* --namespace, --branch */
	const char *style, *op;         /* a row of the target's own; NULL = its first */
	/* the selection as it was said, for one task */
	const char *const *select, *const *exclude;
	size_t nselect, nexclude;       /* that runs or tests everything; 0 and 0 = all nodes, or */
	bool by_default;                /* what the project's default selector takes */
	const char *selector, *indirect;
	const char *const *types, *const *exclude_types;   /* resource types */
	size_t ntypes, nexclude_types;
	/* as given for all tasks; 0 = not; their policies have it too */
	int64_t timeout_ms;
	int64_t retries;                /* as given for all tasks; -1 = not */
	unsigned slots;                 /* tasks at once */
	bool assets;
	/* the project's on-run-start, on-run-end run in every task */
	bool hooks;
	/* they are steps of their own: STEP_START, STEP_END (steps.h) */
	bool hook_steps;
	const char *warn_errors;        /* for --warn-error-options: JSON */
};

struct export_job {
	const struct graph *graph;
	const struct set *nodes;        /* what lineage targets draw: any kind */
	const struct set *focus;        /* those among them to point out; NULL = none */
	/* tasks, for targets that run them; critical path for all */
	const struct plan *plan;
	const struct task_options *tasks;   /* of targets that run them */
	const struct node *const *homes;   /* by node->index, of tests: steps.h; NULL: of none */
	const struct groups *groups;    /* owners of dbt's groups, for targets that want them */
	const struct lineage_run *run;  /* for targets that tell of one: lineage_run.h */
	const char *data_namespace;     /* of those: where the tables are, "postgres://host:5432" */
	bool timed;                     /* the plan's seconds were measured */
	const char *title;              /* the project's name unless the user gave one */
	/* how to make the file again, and the plan's hash: stamp.h */
	const char *stamp;
	enum grouping group_by;
	enum colouring colour_by;
};

struct exporter {
	const char *name;               /* typed after `heddle export` */
	const char *suffix;             /* ".dot" */
	const char *summary;            /* one help line, no full stop */
	unsigned fields;                /* enum graph_fields the target reads */
	unsigned kinds;                 /* KIND_BIT()s it writes when the user names none */
	/* its name in a folder, without the suffix; NULL = name or lineage */
	const char *file;
	enum task_runner runner;        /* unless the user says otherwise */
	/* its tasks run dbt: task_options count, the plan is theirs */
	bool runs;
	/* its tasks run in containers: there is no doing without --image */
	bool image;
	bool parts;                     /* takes --granularity: writes STEP_PART (steps.h) */
	bool hooks;                     /* with --runner heddle writes STEP_START and STEP_END */
	bool owners;                    /* it names owners: groups are there */
	/* it writes a folder (bundle.h): where the stamp stands in it, for glob */
	const char *folder;
	/* a YAML file of that which the orchestrator adds to: its name in each folder, or NULL */
	const char *added_to;
	const char *const *styles, *const *ops;   /* what --style, --operator take; NULL-ended */
	/* what --schedule takes besides cron lines (cron.h); NULL-ended, or NULL */
	const char *const *cron_words;
	/* of a finished run: run and data_namespace are there */
	bool tells;
	/* a picture: sources that nothing in it reads are left out */
	bool draws;
	/* nodes it takes unless --limit says more; 0 = any number */
	size_t limit;
	enum grouping group_by;         /* unless the user says otherwise */
	int (*write)(const struct export_job *job, struct buf *out, struct err *err);
};

/* What a lineage is made of: everything but tests, analyses and hooks. */
#define LINEAGE_KINDS (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT) | \
	KIND_BIT(KIND_SOURCE) | KIND_BIT(KIND_EXPOSURE) | KIND_BIT(KIND_METRIC) | \
	KIND_BIT(KIND_SEMANTIC_MODEL) | KIND_BIT(KIND_SAVED_QUERY) | KIND_BIT(KIND_FUNCTION))
#define TEST_KINDS (KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST))

/* one file each */
extern const struct exporter exporter_airflow, exporter_dagster, exporter_prefect, exporter_mage,
	exporter_argo,
	exporter_kubernetes, exporter_github, exporter_kestra, exporter_openlineage, exporter_html,
	exporter_svg, exporter_dot, exporter_mermaid, exporter_graphml, exporter_json;

const struct exporter *exporter_find(const char *name);     /* NULL when unknown */
const struct exporter *const *exporter_all(size_t *n);      /* in the order of help */

#endif
