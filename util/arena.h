/* util/arena.h -- many small allocations with one lifetime.
 * Everything is freed at once by arena_release(); single pieces never.
 * Memory is aligned for any type and not zeroed, except by arena_zalloc().
 * Owner: caller. Thread: one struct belongs to one thread. */
#ifndef HEDDLE_UTIL_ARENA_H
#define HEDDLE_UTIL_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *head;
	char *next;     /* free bytes of the newest block: next .. end */
	char *end;
	size_t total;   /* bytes taken from the system */
	struct arena_adopted *adopted;
};

#define ARENA_INIT {0}

void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n, size_t size);  /* checks n * size */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);  /* unaligned, tightly packed */
char *arena_printf(struct arena *a, const char *fmt, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 2, 3)))
#endif
	;
void arena_adopt(struct arena *a, void *p);  /* p is of xmalloc(): it is freed with the rest */
void arena_release(struct arena *a);

#endif
