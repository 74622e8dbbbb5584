/* graph/scan.h -- JSON text read once, from front to back, asking for what comes next.
 *
 *   struct scan s;
 *   if (scan_open(&s, path, err) == 0 && scan_object(&s) == 0)
 *       while ((more = scan_key(&s, &key)) > 0)
 *           more = is(key, "name") ? scan_string(&s, &name) : scan_skip(&s);
 *   scan_close(&s);
 *
 * Every value is either read or skipped, and both check it in full: brackets, strings, escapes,
 * UTF-8, numbers. Python's NaN, Infinity and -Infinity count as numbers, as dbt may write them.
 * Memory: one buffer, refilled in place; it grows only when a single token (or what lies after
 *         scan_mark()) does not fit.
 * Texts:  borrowed, NOT NUL-terminated, good until the next call on the same scan.
 * Errors: -1 with the struct err given at the start filled: "FILE: JSON path: what". After one
 *         error every call fails.
 * Thread: one struct belongs to one thread. Nesting: at most SCAN_DEPTH, without recursion.
 */
#ifndef HEDDLE_GRAPH_SCAN_H
#define HEDDLE_GRAPH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/arena.h"
#include "util/buf.h"
#include "util/err.h"

#define SCAN_DEPTH 256

enum scan_type {
	SCAN_ERROR, SCAN_OBJECT, SCAN_ARRAY, SCAN_STRING, SCAN_NUMBER, SCAN_TRUE, SCAN_FALSE,
	    SCAN_NULL,
};

struct scan_text {
	const char *s;
	size_t len;
};

bool scan_is(const struct scan_text *text, const char *word);

struct scan_frame;

struct scan {
	const char *name;          /* for messages; borrowed */
	struct err *err;
	int fd;                    /* -1: from memory */
	const char *data;          /* what memory has left */
	size_t left;
	size_t chunk;              /* most bytes a refill reads; tests make it small */

	char *buf, *p, *end;       /* *end is NUL; p <= end */
	size_t cap;
	uint64_t passed;           /* bytes of the input before buf */
	char *token, *mark;        /* must stay in the buffer; NULL = nothing */
	bool eof, failed;
	bool odd;                  /* NaN or Infinity was met since scan_mark() */

	struct scan_frame *frames; /* the objects and arrays entered */
	size_t depth;
	struct buf decoded;        /* the last string that had escapes */
};

/* 0, or -1: cannot open or read. scan_close() in both cases. `err` and `name` must outlive s. */
int scan_open(struct scan *s, const char *path, struct err *err);
void scan_memory(struct scan *s, const char *name, const char *data, size_t len, struct err *err);
void scan_close(struct scan *s);

enum scan_type scan_peek(struct scan *s);   /* of the next value; SCAN_ERROR has filled err */

/* Enter the next value. Then scan_key() or scan_item() until they return 0: that leaves it. */
int scan_object(struct scan *s);
int scan_array(struct scan *s);
int scan_key(struct scan *s, struct scan_text *key);   /* 1 with a key, 0 at the end, -1 */
int scan_item(struct scan *s);                         /* 1 before a value, 0 at the end, -1 */

int scan_string(struct scan *s, struct scan_text *text);   /* decoded; a NUL inside is refused */
int scan_raw_string(struct scan *s, struct scan_text *text);  /* as written, between the quotes */
int scan_number(struct scan *s, struct scan_text *text);   /* as written */
int scan_bool(struct scan *s, bool *value);
/* The string, or an empty text for a value of another type. */
int scan_text_or_skip(struct scan *s, struct scan_text *text);
/* The same, kept in the arena; NULL for an empty text. */
int scan_keep_text(struct scan *s, struct arena *a, const char **out);
int scan_skip(struct scan *s);                             /* the next value, whatever it is */
int scan_end(struct scan *s);                              /* nothing but blanks may follow */

/* The text of the values read or skipped between the two calls, as written; when s->odd it holds
 * what other JSON readers refuse. */
void scan_mark(struct scan *s);
struct scan_text scan_marked(struct scan *s);

/* "FILE: JSON path: text"; always -1. */
int scan_fail(struct scan *s, const char *fmt, ...) ERR_PRINTF(2, 3);
/* "...: expected WHAT, found a number", by the type of the next value; always -1. */
int scan_expected(struct scan *s, const char *what);

#endif
