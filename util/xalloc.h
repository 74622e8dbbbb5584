/* util/xalloc.h -- allocate or end the program.
 * Out of memory is the one error that is not passed up: a message and exit code 2.
 * Thread: any. */
#ifndef HEDDLE_UTIL_XALLOC_H
#define HEDDLE_UTIL_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
void *xreallocarray(void *p, size_t n, size_t size);  /* checks n * size */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* Room for one more element at v[n]: doubles the capacity when n == *cap. */
void *xgrow(void *v, size_t n, size_t *cap, size_t size);

#endif
