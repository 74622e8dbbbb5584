/* executor/runner.h -- how a task runs. The scheduler knows this interface and nothing behind it.
 *
 * run() blocks on pool thread `job->thread` (0..n-1; the same thread all along) until the attempt
 * has ended and fills *result (it comes as RESULT_INIT). cancel() may come from any thread; it asks
 * and returns at once, run() answers. It is repeated every second until run() has answered, so one
 * that comes a moment before run() began or after it ended can be ignored. A runner has the means
 * to end what does not listen (a signal to a process group) and uses them within a bounded time.
 * Jobs carry copies: a runner never sees graph, plan or journal.
 * Owner: result strings are new, result_release() frees them.
 */
#ifndef HEDDLE_EXECUTOR_RUNNER_H
#define HEDDLE_EXECUTOR_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/kind.h"

/*
 * Statuses as dbt writes them to run_results.json (dbt/artifacts/schemas/results.py NodeStatus).
 * dbt's word, ours for people, good (counts as done)
 */
#define RESULT_STATUSES(X) \
	X(SUCCESS, "success", true) \
	X(ERROR, "error", false) \
	X(FAIL, "fail", false) \
	X(WARN, "warn", true) \
	X(PASS, "pass", true) \
	X(SKIPPED, "skipped", false) \
	X(PARTIAL, "partial success", false) \
	X(NO_OP, "no-op", true) \
	X(RUNTIME_ERROR, "runtime error", false)

enum result_status {
#define X(id, name, good) RESULT_##id,
	RESULT_STATUSES(X)
#undef X
	NRESULT_STATUSES
};

const char *result_status_name(enum result_status s);
bool result_status_good(enum result_status s);
int result_status_find(const char *name);     /* -1 when unknown */

/* Why an attempt did not succeed. The class decides about retries (executor/retry.h). */
#define ERROR_CLASSES(X) \
	X(NONE, "none", false) \
	X(DATABASE, "database", false)          /* the database refused the statement */ \
	X(COMMAND, "command failed", false)     /* of the user's (executor/runner_shell.h) */ \
	X(COMPILE, "compile", false)            /* Jinja, contract, parsing */ \
	X(TEST_FAILURE, "test failure", false)  /* an assertion does not hold */ \
	X(STALE, "stale", false)                /* a source's data is older than its limit */ \
	X(TRANSIENT, "transient", true)         /* lock, deadlock, serialization, 429, 503 */ \
	X(CONNECTION, "connection lost", true)  /* the outcome of a statement may be unknown */ \
	X(WORKER_LOST, "worker lost", true)     /* outcome may be unknown */ \
	X(TIMEOUT, "timeout", true)             /* outcome may be unknown */ \
	X(CANCELLED, "cancelled", false)        /* heddle stopped it: fail-fast, signal */ \
	X(INTERNAL, "internal", false)          /* a bug, here or in dbt */

enum error_class {
#define X(id, name, transient) CLASS_##id,
	ERROR_CLASSES(X)
#undef X
	NERROR_CLASSES
};

const char *error_class_name(enum error_class c);
bool error_class_transient(enum error_class c);

struct job {
	size_t task;              /* index in the plan */
	unsigned thread;          /* pool thread that runs it */
	unsigned attempt;         /* 1 = first */
	enum node_kind kind;
	const char *id;           /* "model.shop.orders" */
	const char *name;
	const char *verb;         /* dbt command for this node alone */
	const char *select;       /* selector that means this node alone: "fqn:shop.marts.orders" */
	int64_t timeout_ms;       /* 0 = none; the scheduler watches it, cancel() ends it */
};

struct result {
	enum result_status status;
	enum error_class class;
	bool blameless;           /* lost through no fault of the node: does not count as a try */
	/* cancelled before anything of it began: nothing can have come of it */
	bool unstarted;
	char *message;            /* what the user reads, or NULL */
	char *code;               /* SQLSTATE or other vendor code, or NULL */
	char *compiled_path;      /* file with the compiled SQL, or NULL */
	char *entry;              /* JSON text: the entry for run_results.json, or NULL */
	long long failures;       /* tests: failing rows; -1 = none given */
	long long rows;           /* rows affected; -1 = unknown */
	int64_t started_ms;       /* wall clock; 0 = the scheduler fills it */
	int64_t took_ms;          /* -1 = the scheduler fills it */
};

#define RESULT_INIT { .failures = -1, .rows = -1, .took_ms = -1 }
void result_release(struct result *r);

struct runner {
	void *self;
	void (*run)(void *self, const struct job *job, struct result *result);
	void (*cancel)(void *self, const struct job *job);
};

#endif
