/* executor/classify.h -- why an attempt failed, from what dbt and the driver say.
 *
 * The tables of classify_rules.c are the whole knowledge: SQLSTATE and HTTP codes, exception
 * classes of dbt and drivers, and words of the message, each row with its reason and with the
 * document it was taken from. Asked in this order: the code; words that only one database writes;
 * the exception classes, the innermost first; words that several write. The last two only without a
 * code: it is the database's own word, and the message may hold the user's.
 * Pure: touches no clock, no file. Thread: any. */
#ifndef HEDDLE_EXECUTOR_CLASSIFY_H
#define HEDDLE_EXECUTOR_CLASSIFY_H

#include <stddef.h>

#include "executor/runner.h"

#define CLASSIFY_ANY_ADAPTER "*"  /* rows of every database count: for a text of unknown origin */

struct failure {
	const char *adapter;          /* "postgres"; NULL = unknown: only rows for all of them */
	enum result_status status;
	const char *code;             /* SQLSTATE or HTTP status, or NULL */
	const char *const *types;     /* exception classes, outermost first:
	                                 "psycopg2.errors.LockNotAvailable" */
	size_t ntypes;
	const char *message;          /* or NULL */
};

/* Static texts. */
struct classified {
	enum error_class class;
	const char *by;               /* "code", "exception", "words"; NULL: no row says anything */
	const char *what;             /* what of it was matched */
	const char *adapter;          /* whose row it is; NULL: any */
	const char *why;              /* one sentence */
	const char *source;           /* where that is documented */
};

struct classified classify_why(const struct failure *f);
enum error_class classify(const struct failure *f);

#endif
