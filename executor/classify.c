#include "executor/classify.h"

#include <string.h>
#include <strings.h>

#include "util/text.h"

struct rule {
	const char *adapter;     /* NULL = any */
	const char *what;
	enum error_class class;
};

/*
 * Exception classes of drivers and of dbt, by the end of their full name (".X" matches any
 * module); those of psycopg2.errors are known by their code. The innermost of an exception chain
 * is asked first: dbt wraps a driver's exception.
 */
static const struct rule types[] = {
	{ "duckdb", ".ConnectionException", CLASS_CONNECTION },
	{ "duckdb", ".IOException", CLASS_TRANSIENT },          /* file lock, http */
	{ "duckdb", ".HTTPException", CLASS_TRANSIENT },
	{ "duckdb", ".TransactionException", CLASS_TRANSIENT }, /* write-write conflict */
	{ "duckdb", ".InterruptException", CLASS_CANCELLED },
	{ NULL, ".FailedToConnectError", CLASS_TRANSIENT },     /* no statement was sent */
	{ NULL, ".RequestTimeout", CLASS_TRANSIENT },
	{ NULL, ".TooManyRequests", CLASS_TRANSIENT },
	{ NULL, ".ServiceUnavailable", CLASS_TRANSIENT },
	{ NULL, ".ConnectionError", CLASS_CONNECTION },
	{ NULL, ".ConnectionResetError", CLASS_CONNECTION },
	{ NULL, ".ConnectionRefusedError", CLASS_TRANSIENT },
	{ NULL, ".BrokenPipeError", CLASS_CONNECTION },
	{ NULL, ".CompilationError", CLASS_COMPILE },
	{ NULL, ".ParsingError", CLASS_COMPILE },
	{ NULL, ".UndefinedMacroError", CLASS_COMPILE },
	{ NULL, ".ContractError", CLASS_COMPILE },
	{ NULL, ".DbtValidationError", CLASS_COMPILE },
	{ NULL, ".MissingMaterializationError", CLASS_COMPILE },
	{ NULL, "dbt_common.exceptions.base.DbtInternalError", CLASS_INTERNAL },
};

/*
 * SQLSTATE by prefix, the longer first: PostgreSQL, Appendix A. HTTP status codes (drivers of
 * web services) have three digits. What is not here is the database saying no.
 */
static const struct rule codes[] = {
	{ NULL, "08", CLASS_CONNECTION },
	{ NULL, "25P03", CLASS_CONNECTION },     /* idle in transaction timeout */
	{ NULL, "40003", CLASS_CONNECTION },     /* statement completion unknown */
	{ NULL, "40", CLASS_TRANSIENT },         /* deadlock, serialization */
	{ NULL, "53400", CLASS_DATABASE },       /* configured limit exceeded */
	{ NULL, "53", CLASS_TRANSIENT },         /* disk, memory, connections */
	{ NULL, "55006", CLASS_TRANSIENT },      /* object in use */
	{ NULL, "55P03", CLASS_TRANSIENT },      /* lock not available */
	{ NULL, "57014", CLASS_TRANSIENT },      /* statement timeout, or cancelled */
	{ NULL, "57P01", CLASS_CONNECTION },     /* terminated by an administrator */
	{ NULL, "57P02", CLASS_CONNECTION },     /* crash */
	{ NULL, "57P03", CLASS_TRANSIENT },      /* starting up: nothing was sent yet */
	{ NULL, "57P05", CLASS_CONNECTION },     /* idle session timeout */
	{ NULL, "58", CLASS_TRANSIENT },         /* I/O error of the system */
	{ NULL, "408", CLASS_TRANSIENT },
	{ NULL, "429", CLASS_TRANSIENT },
	{ NULL, "500", CLASS_TRANSIENT },
	{ NULL, "502", CLASS_TRANSIENT },
	{ NULL, "503", CLASS_TRANSIENT },
	{ NULL, "504", CLASS_TRANSIENT },
};

/* Words of the message, any case. Last resort: a driver that gives neither class nor code. */
static const struct rule words[] = {
	{ NULL, "server closed the connection unexpectedly", CLASS_CONNECTION },
	{ NULL, "terminating connection", CLASS_CONNECTION },
	{ NULL, "connection already closed", CLASS_CONNECTION },
	{ NULL, "connection reset by peer", CLASS_CONNECTION },
	{ NULL, "broken pipe", CLASS_CONNECTION },
	{ NULL, "ssl connection has been closed", CLASS_CONNECTION },
	{ NULL, "ssl syscall error", CLASS_CONNECTION },
	{ NULL, "could not connect to server", CLASS_TRANSIENT },
	{ NULL, "connection refused", CLASS_TRANSIENT },
	{ NULL, "connection timed out", CLASS_TRANSIENT },
	{ NULL, "timeout expired", CLASS_TRANSIENT },
	{ NULL, "the database system is", CLASS_TRANSIENT },     /* starting up, shutting down */
	{ NULL, "too many clients already", CLASS_TRANSIENT },
	{ NULL, "too many connections", CLASS_TRANSIENT },
	{ NULL, "remaining connection slots are reserved", CLASS_TRANSIENT },
	{ NULL, "temporary failure in name resolution", CLASS_TRANSIENT },
	{ NULL, "deadlock detected", CLASS_TRANSIENT },
	{ NULL, "could not serialize access", CLASS_TRANSIENT },
	{ NULL, "lock timeout", CLASS_TRANSIENT },
	{ NULL, "lock not available", CLASS_TRANSIENT },
	{ NULL, "could not obtain lock", CLASS_TRANSIENT },
	{ NULL, "tuple concurrently updated", CLASS_TRANSIENT },
	{ "duckdb", "could not set lock on file", CLASS_TRANSIENT },
	{ "duckdb", "conflict on tuple", CLASS_TRANSIENT },
	{ "duckdb", "transactioncontext error", CLASS_TRANSIENT },
	{ NULL, "compilation error", CLASS_COMPILE },
	{ NULL, "parsing error", CLASS_COMPILE },
};

static bool
applies(const struct rule *r, const char *adapter)
{
	return !r->adapter || (adapter && strcmp(r->adapter, adapter) == 0);
}

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))

static const struct rule *
by_type(const struct failure *f)
{
	for (size_t t = f->ntypes; t-- > 0;)
		for (size_t i = 0; i < LENGTH(types); i++)
			if (applies(&types[i], f->adapter) &&
			    text_ends(f->types[t], types[i].what))
				return &types[i];
	return NULL;
}

static const struct rule *
by_code(const struct failure *f)
{
	for (size_t i = 0; f->code && i < LENGTH(codes); i++)
		if (applies(&codes[i], f->adapter) && text_starts(f->code, codes[i].what) &&
		    (strlen(f->code) == 3) == (strlen(codes[i].what) == 3))
			return &codes[i];
	return NULL;
}

static bool
contains(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text; text++)
		if (strncasecmp(text, word, n) == 0)
			return true;
	return false;
}

static const struct rule *
by_word(const struct failure *f)
{
	for (size_t i = 0; f->message && i < LENGTH(words); i++)
		if (applies(&words[i], f->adapter) && contains(f->message, words[i].what))
			return &words[i];
	return NULL;
}

enum error_class
classify(const struct failure *f)
{
	const struct rule *r;

	if (f->status == RESULT_FAIL)
		return CLASS_TEST_FAILURE;
	if (f->status != RESULT_ERROR && f->status != RESULT_PARTIAL &&
	    f->status != RESULT_RUNTIME_ERROR)
		return CLASS_NONE;
	/* A code is the database's own word. With one that no row knows, only a class that is about
	 * the connection could say more, and words of the message may be the user's. */
	r = by_code(f);
	if (!r && !f->code)
		r = by_type(f);
	if (!r && !f->code)
		r = by_word(f);
	return r ? r->class : CLASS_DATABASE;
}
