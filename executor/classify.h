/* executor/classify.h -- why an attempt failed, from what dbt and the driver say.
 *
 * The tables in the .c are the whole knowledge: SQLSTATE and HTTP codes, exception classes of dbt
 * and drivers, and, where neither says anything, words of the message.
 * Pure: touches no clock, no file. Thread: any. */
#ifndef HEDDLE_EXECUTOR_CLASSIFY_H
#define HEDDLE_EXECUTOR_CLASSIFY_H

#include <stddef.h>

#include "executor/runner.h"

struct failure {
	const char *adapter;          /* "postgres", or NULL = any */
	enum result_status status;
	const char *code;             /* SQLSTATE, or NULL */
	const char *const *types;     /* exception classes, outermost first:
	                                 "psycopg2.errors.LockNotAvailable" */
	size_t ntypes;
	const char *message;          /* or NULL */
};

enum error_class classify(const struct failure *f);

#endif
