#include "util/heap.h"

#include <stdlib.h>

#include "util/xalloc.h"

void
heap_push(struct heap *h, size_t x)
{
	size_t i = h->n;

	h->v = xgrow(h->v, h->n, &h->cap, sizeof(*h->v));
	h->n++;
	while (i > 0) {
		size_t up = (i - 1) / 2;

		if (!h->before(h->self, x, h->v[up]))
			break;
		h->v[i] = h->v[up];
		i = up;
	}
	h->v[i] = x;
}

size_t
heap_pop(struct heap *h)
{
	size_t top, last, i = 0;

	if (h->n == 0)
		return HEAP_NONE;
	top = h->v[0];
	last = h->v[--h->n];
	for (;;) {
		size_t down = 2 * i + 1;

		if (down >= h->n)
			break;
		if (down + 1 < h->n && h->before(h->self, h->v[down + 1], h->v[down]))
			down++;
		if (!h->before(h->self, h->v[down], last))
			break;
		h->v[i] = h->v[down];
		i = down;
	}
	if (h->n > 0)
		h->v[i] = last;
	return top;
}

size_t
heap_top(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : HEAP_NONE;
}

void
heap_release(struct heap *h)
{
	free(h->v);
	h->v = NULL;
	h->n = h->cap = 0;
}
