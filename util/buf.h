/* util/buf.h -- text under construction.
 *
 *   struct buf b = BUF_INIT;  buf_addf(&b, "%s", x);  use b.data;  buf_release(&b);
 *
 * b.data is always NUL-terminated once anything was added; before that it is NULL with len 0
 * (buf_str() gives "" then). Text may hold NUL bytes; len counts them.
 * Owner: caller. Thread: one struct belongs to one thread. */
#ifndef HEDDLE_UTIL_BUF_H
#define HEDDLE_UTIL_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT {0}

#if defined(__GNUC__)
#define BUF_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define BUF_PRINTF(a, b)
#endif

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) BUF_PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) BUF_PRINTF(2, 0);
void buf_pad(struct buf *b, char c, size_t n);      /* n times c */
void buf_reserve(struct buf *b, size_t extra);      /* room for that many more bytes */
void buf_truncate(struct buf *b, size_t len);       /* keeps the first len bytes */
const char *buf_str(const struct buf *b);           /* borrowed until the next change */
char *buf_detach(struct buf *b);                    /* new string; caller frees; b is empty */
void buf_release(struct buf *b);

#endif
