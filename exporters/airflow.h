/* exporters/airflow.h -- what airflow*.c share; nobody else reads it.
 *
 *   airflow.c          the DAG                     airflow_head.c   docstring, imports, functions
 *   airflow_groups.c   folders as task groups      airflow_tasks.c  a call for each task
 *   airflow_text.c     flags and policies          airflow_layers.c, airflow_cosmos.c   styles
 *
 * What a task runs is text in three languages: a word of dbt's selection inside a shell command,
 * inside a Jinja template, inside a Python string; it is quoted in that order.
 */
#ifndef HEDDLE_EXPORTERS_AIRFLOW_H
#define HEDDLE_EXPORTERS_AIRFLOW_H

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/folders.h"
#include "exporters/policy.h"
#include "exporters/steps.h"
#include "util/map.h"

/* What dbt() is told for the tests of a model, unless the call says otherwise. */
#define AIRFLOW_TEST_FLAGS "--indirect-selection cautious"

struct airflow {
	struct emit e;
	const struct export_job *job;
	const struct task_options *o;
	struct steps *steps;
	struct folders folders;
	struct task_policy usual;     /* of most tasks: the DAG's default_args */
	struct map groups;            /* names of the nodes' task groups */
};

/* NULL-ended; the first is the default. */
extern const char *const airflow_styles[], *const airflow_operators[];

const struct step *airflow_end(const struct airflow *a);   /* its STEP_END, or NULL */
const char *airflow_task_is(const struct airflow *a);    /* "node", "folder" */
bool airflow_has_groups(const struct airflow *a);          /* task groups */
bool airflow_is_op(const struct airflow *a, const char *name);

/* Appends words for a shell, safe from Jinja too; one blank between them. */
void airflow_add_words(struct buf *out, const char *const *words, size_t n);
/* " --flag value"; nothing when value is NULL. */
void airflow_add_flag(struct buf *out, const char *flag, const char *value);
/* Flags that every task of the DAG has. */
void airflow_add_common_flags(struct buf *out, const struct task_options *o);

/* The elements of default_args, a line each. */
void airflow_write_default_args(struct airflow *a);
/* Appends what of the policy is not as usual, each as OPEN name BETWEEN value. */
void airflow_add_policy(struct emit *e, const struct airflow *a, const struct task_policy *p,
    const char *open, const char *between);

bool airflow_starts_on_asset(const struct airflow *a);     /* --schedule asset:... */
/* Arguments of a DAG, a line each: its id; schedule, limits, default_args, tags. */
void airflow_write_dag_id(struct airflow *a);
void airflow_write_dag_args(struct airflow *a);

/* Docstring, imports, what a task calls, the function that makes one. */
void airflow_write_head(struct airflow *a);

/* The dictionary `folder`: a task group for each path. */
void airflow_write_groups(struct airflow *a);
/* Is there a folder of that name beside a node in `folder`, or at the top? */
bool airflow_is_folder(const struct airflow *a, const char *folder, const char *name);

/* A call for each task. */
void airflow_write_tasks(struct airflow *a);
/* One call, as an element of a list; the id of its task. */
const char *airflow_link_id(const struct step *s);
void airflow_write_link(struct airflow *a, const struct step *s);

/* --style layers: the function that tells how a run ended; the tasks. */
bool airflow_is_layers(const struct airflow *a);
void airflow_write_notify(struct airflow *a);
void airflow_write_layers(struct airflow *a);

/* --style cosmos: the whole file. */
int airflow_write_cosmos(struct airflow *a, struct err *err);

#endif
