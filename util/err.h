/* util/err.h -- one error message on its way up to the command line.
 *
 *   struct err err = ERR_INIT;
 *   if (graph_load(..., &err) < 0) { err_prefix(&err, "%s", path); ... err_release(&err); }
 *
 * Owner:   the caller owns the struct and releases it; texts are copied.
 * Shape:   "where: what[: system text]", lower case, no full stop. log_err() prints it.
 * Thread:  one struct belongs to one thread.
 */
#ifndef HEDDLE_UTIL_ERR_H
#define HEDDLE_UTIL_ERR_H

struct err {
	char *msg;   /* NULL = no error */
	char *hint;  /* what to do about it, or NULL */
};

#define ERR_INIT {0}

#if defined(__GNUC__)
#define ERR_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define ERR_PRINTF(a, b)
#endif

/* Replaces message and hint. Always returns -1, so `return err_set(...)` reads well. */
int err_set(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

/* err_set plus ": " and the text of errno. Always returns -1. */
int err_sys(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Puts "text: " in front of the message. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Sets the hint, one line that helps. Always returns -1. */
int err_hint(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

void err_release(struct err *err);

/* make lint: the analyzer reads one file at a time and must be told what the above return. */
#if defined(__clang_analyzer__) && !defined(ERR_IMPLEMENTATION)
#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#define err_hint(...) (err_hint(__VA_ARGS__), -1)
#endif

#endif
