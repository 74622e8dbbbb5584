/* executor/transient.h -- a runner around a runner: errors whose text matches one of heddle.yml's
 * `transient:` patterns count as transient, whatever the built-in classes say
 * (executor/classify.h).
 * What has another transient class already, was cancelled, or is a failing assertion stays so.
 * Thread: transient_match() and run() from any; the rest from main. */
#ifndef HEDDLE_EXECUTOR_TRANSIENT_H
#define HEDDLE_EXECUTOR_TRANSIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "executor/runner.h"

struct transient;

/* patterns: extended regular expressions that compile (executor/config.h checks them). */
struct transient *transient_new(const char *const *patterns, size_t npatterns);
void transient_free(struct transient *t);                       /* NULL is fine */

/* The pattern that matches, or NULL. text may be NULL. */
const char *transient_match(const struct transient *t, const char *text);

/* Both outlive the runner given back. */
struct runner transient_runner(struct transient *t, const struct runner *inner);

#endif
