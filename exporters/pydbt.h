/* exporters/pydbt.h -- how a Python task calls dbt: what dagster, prefect and mage share.
 *
 * Written are the constants DBT and FLAGS, and run_dbt(words, timeout): a dbt process with a target
 * folder of its own, which is interrupted (so that dbt cancels its queries) when the time is over
 * or the task is cancelled. No shell: words stay words.
 *
 * Larger tasks (--granularity) that heddle runs keep their target folder in the project, so that
 * the next try goes on where this one ended; the one task of `all` uses the project's own.
 */
#ifndef HEDDLE_EXPORTERS_PYDBT_H
#define HEDDLE_EXPORTERS_PYDBT_H

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/steps.h"

/* Options the target has no use for: -1 with err. */
int pydbt_check_options(const char *target, const struct task_options *o, struct err *err);

/* import lines that run_dbt() needs, sorted; those named in `more` (NULL-ended) among them. */
void pydbt_imports(struct emit *e, const struct task_options *o, const char *const *more);

/* The lines of a docstring that every such file has: stamp, hooks. */
void pydbt_docstring(struct emit *e, const struct export_job *job);

void pydbt_constants(struct emit *e, const struct task_options *o);

/* run_dbt() that returns (exit code, results of run_results.json). */
void pydbt_results_function(struct emit *e, const struct task_options *o);

/* How a task knows itself: Python that stands in run_dbt(). */
struct pydbt_self {
	const char *parameters;   /* of run_dbt() after `words, timeout`: ", name, again" or "" */
	const char *name;         /* the task's */
	const char *again;        /* true when this is not its first try */
};

/* run_dbt() that raises when the exit code is not 0. */
void pydbt_function(struct emit *e, const struct task_options *o, const struct pydbt_self *self);
/* Does it read what `self` says? */
bool pydbt_asks_self(const struct task_options *o);

/* "node", "folder", "layer", "run": what a task is, for people. */
const char *pydbt_task_is(const struct task_options *o);

/* ["run", "--select", "fqn:shop.staging.stg_orders"] */
void pydbt_list(struct emit *e, const char *const *words, size_t n);
void pydbt_command(struct emit *e, const struct step *s);

/* Letters of a Python name, for functions and jobs: an id of ids.h. New string, caller frees. */
char *pydbt_name(const char *text);

#endif
