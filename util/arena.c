#include "util/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/xalloc.h"

#define BLOCK_BYTES ((size_t)256 << 10)

struct arena_block {
	struct arena_block *older;
	max_align_t data[];
};

struct arena_adopted {
	struct arena_adopted *older;
	void *p;
};

static void
add_block(struct arena *a, size_t n)
{
	size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct arena_block *b;

	if (size > SIZE_MAX - sizeof(*b))
		size = SIZE_MAX - sizeof(*b);  /* xmalloc ends the program */
	b = xmalloc(sizeof(*b) + size);
	b->older = a->head;
	a->head = b;
	a->next = (char *)b->data;
	a->end = a->next + size;
	a->total += sizeof(*b) + size;
}

static char *
take(struct arena *a, size_t n, size_t align)
{
	size_t pad = a->next ? (size_t)(-(uintptr_t)a->next & (align - 1)) : 0;
	char *p;

	if (!a->next || (size_t)(a->end - a->next) < pad ||
	    (size_t)(a->end - a->next) - pad < n) {
		add_block(a, n);
		pad = 0;
	}
	p = a->next + pad;
	a->next = p + n;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return take(a, n, alignof(max_align_t));
}

void *
arena_zalloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes = size && n > SIZE_MAX / size ? SIZE_MAX : n * size;
	void *p = arena_alloc(a, bytes);

	memset(p, 0, bytes);
	return p;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = take(a, n + 1, 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;
	char *p;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	p = arena_strndup(a, buf_str(&b), b.len);
	buf_release(&b);
	return p;
}

void
arena_adopt(struct arena *a, void *p)
{
	struct arena_adopted *one = arena_alloc(a, sizeof(*one));

	one->older = a->adopted;
	one->p = p;
	a->adopted = one;
}

void
arena_release(struct arena *a)
{
	struct arena_block *b = a->head;

	for (struct arena_adopted *one = a->adopted; one; one = one->older)
		free(one->p);
	while (b) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
	memset(a, 0, sizeof(*a));
}
