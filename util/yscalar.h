/* util/yscalar.h -- what a plain YAML scalar means; the part of util/ytree.c that is about text. */
#ifndef HEDDLE_UTIL_YSCALAR_H
#define HEDDLE_UTIL_YSCALAR_H

#include "util/arena.h"
#include "util/ytree.h"

/* Sets type and value of a scalar from its text; a date's text becomes its ISO form. */
void yscalar_resolve(struct arena *a, struct ynode *y);

/* Whether s is one of the words: ONE_OF(s, "a", "b"). */
bool yscalar_is_one_of(const char *s, const char *const *words);
#define ONE_OF(s, ...) yscalar_is_one_of(s, (const char *const[]){ __VA_ARGS__, NULL })

#endif
