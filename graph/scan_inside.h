/*
 * graph/scan_inside.h -- what the parts of the scanner share. For graph/scan*.c only.
 *
 *   scan.c        the interface: objects, lists, values, skipping
 *   scan_token.c  one string, number or word
 *   scan_input.c  the buffer and the messages
 *
 * Three rules keep the fast path short:
 *  - *end is always NUL and no JSON token holds a NUL, so loops look for the end only when they
 *    meet one. scan_more() then refills; it may move the text, so pointers are fetched again from
 *    s->p after it (and after whatever may call it).
 *  - `token` and `mark` name the first byte that must survive a refill.
 *  - a string is walked SCAN_STEP bytes at a time; only quotes, backslashes, control characters
 *    and bytes outside ASCII stop the walk.
 */
#ifndef HEDDLE_GRAPH_SCAN_INSIDE_H
#define HEDDLE_GRAPH_SCAN_INSIDE_H

#include <string.h>

#include "graph/scan.h"

#define SCAN_STEP ((size_t)16)   /* so many bytes past the NUL are readable */

struct scan_frame {
	enum scan_type type;   /* SCAN_OBJECT or SCAN_ARRAY */
	bool begun;            /* an element was seen: a comma comes before the next one */
	size_t index;          /* arrays: of the current element */
	const char *key;       /* objects: the current key as written, in the buffer or in `kept` */
	size_t len;
	struct buf kept;       /* the key, once the buffer moved on without it */
};

/* Adds text behind s->end. False at the end of the input or on error. */
bool scan_more(struct scan *s);
/* Makes n bytes readable at s->p, if the input has them. */
bool scan_have(struct scan *s, size_t n);

/* Not JSON at `at`, a place in the buffer; that the file ends there is its own message. -1. */
int scan_broken(struct scan *s, const char *at, const char *fmt, ...) ERR_PRINTF(3, 4);

/* s->p at the first special byte of a string: goes on to its end, after the closing quote.
 * 1 when there were escapes, else 0, or -1. */
int scan_rest_of_string(struct scan *s);
/* The string at s->p (its quote), as written, and whether it has escapes. */
int scan_read_raw(struct scan *s, struct scan_text *raw);
/* A checked string -> what it means, in s->decoded. -1 when it holds a NUL. */
int scan_decode(struct scan *s, const struct scan_text *raw, struct scan_text *text);
/* The number or word at s->p; SCAN_ERROR has filled err. */
enum scan_type scan_read_bare(struct scan *s, struct scan_text *text);

/* Of the value that starts with c. */
static inline enum scan_type
scan_type_of(char c)
{
	switch (c) {
	case '"': return SCAN_STRING;
	case '{': return SCAN_OBJECT;
	case '[': return SCAN_ARRAY;
	case 't': return SCAN_TRUE;
	case 'f': return SCAN_FALSE;
	case 'n': return SCAN_NULL;
	case '-': case 'N': case 'I':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return SCAN_NUMBER;
	default:
		return SCAN_ERROR;
	}
}

typedef signed char scan_bytes __attribute__((vector_size(16)));
typedef uint64_t scan_words __attribute__((vector_size(16)));

/* The first quote, backslash, control character or byte outside ASCII at or after p. */
static inline char *
scan_special(char *p)
{
	for (;; p += SCAN_STEP) {
		scan_bytes v;
		scan_words hit;

		memcpy(&v, p, sizeof(v));
		/* signed: bytes outside ASCII are below ' ' too */
		hit = (scan_words)((v == '"') | (v == '\\') | (v < ' '));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		if (hit[0])
			return p + __builtin_ctzll(hit[0]) / 8;
		if (hit[1])
			return p + 8 + __builtin_ctzll(hit[1]) / 8;
#else
		if (hit[0])
			return p + __builtin_clzll(hit[0]) / 8;
		if (hit[1])
			return p + 8 + __builtin_clzll(hit[1]) / 8;
#endif
	}
}

#endif
