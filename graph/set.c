#include "graph/set.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

static size_t
nwords(const struct set *s)
{
	return (s->nbits + 63) / 64;
}

void
set_init(struct set *s, size_t nbits)
{
	s->nbits = nbits;
	s->words = xcalloc(nwords(s) + 1, sizeof(*s->words));
}

void
set_copy(struct set *to, const struct set *from)
{
	set_init(to, from->nbits);
	if (from->words)
		memcpy(to->words, from->words, nwords(from) * sizeof(*to->words));
}

void
set_release(struct set *s)
{
	free(s->words);
	memset(s, 0, sizeof(*s));
}

void
set_clear(struct set *s)
{
	if (s->words)
		memset(s->words, 0, nwords(s) * sizeof(*s->words));
}

void
set_fill(struct set *s)
{
	if (!s->nbits)
		return;
	memset(s->words, 0xff, nwords(s) * sizeof(*s->words));
	if (s->nbits % 64)
		s->words[s->nbits / 64] = ((uint64_t)1 << (s->nbits % 64)) - 1;
}

void
set_union(struct set *a, const struct set *b)
{
	for (size_t i = 0; i < nwords(a); i++)
		a->words[i] |= b->words[i];
}

void
set_intersect(struct set *a, const struct set *b)
{
	for (size_t i = 0; i < nwords(a); i++)
		a->words[i] &= b->words[i];
}

void
set_subtract(struct set *a, const struct set *b)
{
	for (size_t i = 0; i < nwords(a); i++)
		a->words[i] &= ~b->words[i];
}

size_t
set_count(const struct set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < nwords(s); i++)
		n += (size_t)__builtin_popcountll(s->words[i]);
	return n;
}

bool
set_is_empty(const struct set *s)
{
	for (size_t i = 0; i < nwords(s); i++)
		if (s->words[i])
			return false;
	return true;
}

bool
set_equal(const struct set *a, const struct set *b)
{
	return a->nbits == b->nbits &&
	    (a->nbits == 0 || memcmp(a->words, b->words, nwords(a) * sizeof(*a->words)) == 0);
}

size_t
set_next(const struct set *s, size_t i)
{
	uint64_t word;
	size_t w = i / 64;

	if (i >= s->nbits)
		return s->nbits;
	word = s->words[w] & ~(uint64_t)0 << (i % 64);
	while (!word) {
		if (++w == nwords(s))
			return s->nbits;
		word = s->words[w];
	}
	return w * 64 + (size_t)__builtin_ctzll(word);
}
