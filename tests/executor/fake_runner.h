/* tests/executor/fake_runner.h -- a runner that follows a script.
 *
 *   struct fake *f = fake_new("orders: fail fail ok; customers: hang");
 *   options.runner = fake_runner(f);  ...  fake_started(f) == "orders orders orders customers"
 *
 * Script: NAME: STEP STEP ...; one step an attempt, the last one stays. Nodes without a line are
 * ok at once. `*` stands for all of those. A step is a word, with `@MS` for how long it takes:
 *   ok fail error warn skip partial no-op     dbt's status; fail and error have their classes
 *   stale         dbt's verdict on a source: error, of that class
 *   database compile transient connection timeout internal lost        error of that class
 *   bystander     lost with a worker, blameless
 *   hang          until cancelled; then an error `cancelled`
 *   deaf          until fake_release(), whatever is asked
 *   late          until cancelled; then ok (the cancel came too late)
 *
 * Real pool: run() sleeps. With the simulated pool (sim_pool.h) it returns at once and says in
 * took_ms how long it takes, FAKE_HANGS or FAKE_DEAF.
 */
#ifndef HEDDLE_TESTS_FAKE_RUNNER_H
#define HEDDLE_TESTS_FAKE_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/runner.h"

#define FAKE_HANGS (INT64_MAX - 1)
#define FAKE_DEAF INT64_MAX

struct fake;

struct fake *fake_new(const char *script);
struct fake *fake_new_simulated(const char *script);
void fake_free(struct fake *f);
const struct runner *fake_runner(const struct fake *f);

void fake_release(struct fake *f);               /* lets `deaf` ones return */
const char *fake_started(struct fake *f);        /* names in the order they started; borrowed */
unsigned fake_cancels(struct fake *f, const char *name);
unsigned fake_most_at_once(struct fake *f);      /* jobs running together */
unsigned fake_running(struct fake *f);           /* in run() at this moment */
unsigned fake_beside_last(struct fake *f, const char *name);   /* others beside its last attempt */

#endif
