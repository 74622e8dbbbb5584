/* graph/set.h -- node sets: one bit per node->index.
 * Owner: caller; set_release() accepts an empty struct. Sets of one operation have one size. */
#ifndef HEDDLE_GRAPH_SET_H
#define HEDDLE_GRAPH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct set {
	uint64_t *words;
	size_t nbits;
};

#define SET_INIT {0}

void set_init(struct set *s, size_t nbits);              /* empty */
void set_copy(struct set *to, const struct set *from);   /* `to` is not initialised before */
void set_release(struct set *s);
void set_clear(struct set *s);
void set_fill(struct set *s);                            /* every node */

static inline bool
set_has(const struct set *s, size_t i)
{
	return s->words[i / 64] >> (i % 64) & 1;
}

static inline void
set_add(struct set *s, size_t i)
{
	s->words[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline void
set_del(struct set *s, size_t i)
{
	s->words[i / 64] &= ~((uint64_t)1 << (i % 64));
}

void set_union(struct set *a, const struct set *b);      /* a |= b */
void set_intersect(struct set *a, const struct set *b);  /* a &= b */
void set_subtract(struct set *a, const struct set *b);   /* a &= ~b */
size_t set_count(const struct set *s);
bool set_is_empty(const struct set *s);
bool set_equal(const struct set *a, const struct set *b);

/* The first member at or after i, or nbits: for (i = set_next(s, 0); i < s->nbits; i = set_next(s,
 * i + 1)) */
size_t set_next(const struct set *s, size_t i);

#endif
