/* executor/sources.h -- target/sources.json, in dbt's schema v3, written by heddle itself.
 *
 *   sources_new -> (sources_observer() during the run) -> sources_write -> sources_free
 *
 * An entry is dbt's own text (the worker sends what dbt would have written), one for each source of
 * the plan whose check came to a verdict, in the order they ended. What dbt leaves out is left out:
 * from 1.9 on a check that failed (`runtime error`), and sources that were not checked.
 * After a retry it is the union: entries of the earlier run come as known results.
 * Source: dbt/artifacts/schemas/freshness/v3/freshness.py.
 * Thread: main. Errors: 0, or -1 with err; the old file then stays as it was.
 */
#ifndef HEDDLE_EXECUTOR_SOURCES_H
#define HEDDLE_EXECUTOR_SOURCES_H

#include "executor/results.h"
#include "executor/schedule.h"
#include "graph/plan.h"
#include "util/err.h"

struct sources;

struct sources *sources_new(const struct plan *p);
void sources_free(struct sources *s);                        /* NULL is fine */
struct observer sources_observer(struct sources *s);

/* head: as for run_results.json; the schema is replaced, the arguments are not part of the file. */
int sources_write(const struct sources *s, const struct results_head *head, const char *path,
    struct err *err);

/* What dbt does not say of a source it has checked: "last loaded 3 days ago, at 2026-01-02 03:04:05
 * UTC; warn after 1 day, error after 30 days". entry: as above. New string, or NULL: it tells no
 * age. */
char *source_age(const char *entry);

#endif
