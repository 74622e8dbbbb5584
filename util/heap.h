/* util/heap.h -- a binary heap of numbers; before() says which of two comes out first.
 *
 *   struct heap h = { .before = earlier, .self = tasks };  heap_push(&h, 3);  i = heap_pop(&h);
 *
 * before() must be a strict order that no two members share, else what comes out is not
 * deterministic. A member's rank must not change while it is inside.
 * Owner: caller; heap_release() accepts an empty one. Thread: one struct belongs to one thread. */
#ifndef HEDDLE_UTIL_HEAP_H
#define HEDDLE_UTIL_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap {
	bool (*before)(const void *self, size_t a, size_t b);
	const void *self;
	size_t *v;
	size_t n, cap;
};

#define HEAP_NONE ((size_t)-1)

void heap_push(struct heap *h, size_t x);
size_t heap_pop(struct heap *h);            /* HEAP_NONE when empty */
size_t heap_top(const struct heap *h);      /* HEAP_NONE when empty */
void heap_release(struct heap *h);          /* empty, and usable again */

#endif
