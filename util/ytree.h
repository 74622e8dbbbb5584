/* util/ytree.h -- YAML text as a tree of typed values, each with its line.
 *
 * Values are typed as PyYAML's safe loader does it (YAML 1.1: yes and on are true, 017 is 15,
 * 1:30 is 90), so that files written for dbt mean the same here. Merge keys (<<) are resolved; of
 * a key written twice the last value counts. Aliases share their subtree: a tree is read-only.
 * Refused: not YAML, more than one document, unknown tags, an alias inside what it names, nesting
 * deeper than 100, more than a million values once aliases are followed.
 *
 * Owner: everything lives in the arena given. Thread: any.
 */
#ifndef HEDDLE_UTIL_YTREE_H
#define HEDDLE_UTIL_YTREE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/arena.h"
#include "util/err.h"

enum ytype { YT_NULL, YT_BOOL, YT_NUMBER, YT_DATE, YT_TEXT, YT_LIST, YT_MAP };

struct ynode {
	enum ytype type;
	size_t line;                /* of its first character, from 1 */
	const char *text;           /* scalars: as written (dates in ISO form); else "" */
	double number;              /* YT_NUMBER */
	bool whole;                 /* YT_NUMBER: written as an integer */
	bool truth;                 /* YT_BOOL */
	bool key_only;              /* a plain << or =, which PyYAML takes as keys only */
	const struct ynode **keys;  /* YT_MAP: in the order written, any type of key */
	const struct ynode **items; /* YT_LIST, YT_MAP: values */
	size_t n;                   /* of items */
	const struct ynode *twice;  /* YT_MAP: a key written again, at its second place; or NULL */
	size_t size;                /* values in it, itself included, aliases followed */
};

/* The document's tree; an empty text is YT_NULL. NULL with err "NAME:LINE: what". */
const struct ynode *ytree_parse(struct arena *a, const char *name, const char *data, size_t len,
    struct err *err);

/* The value of a text key; NULL when absent or y is no map. */
const struct ynode *ytree_get(const struct ynode *y, const char *key);

bool ytree_is(const struct ynode *y, const char *text);   /* YT_TEXT of that text; y may be NULL */
/* Whether all that part says is in y: each key with its value, the same items in the same order,
 * after which y may have more. */
bool ytree_holds(const struct ynode *y, const struct ynode *part);
bool ytree_truth(const struct ynode *y);                  /* bool(value) in Python; NULL is false */
const char *ytype_name(enum ytype type);                  /* "a list" */

#endif
