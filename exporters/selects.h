/* exporters/selects.h -- dbt selections that mean one node and nothing else.
 *
 * dbt has no method for unique ids. The full fqn nearly always works; a model named like the folder
 * beside it (its fqn then selects the folder too) goes by its path, or by fqn and resource type.
 * Names with blanks, commas or * ? [ cannot be said on a command line at all.
 * Rules: dbt-core 1.11 graph/selector_methods.py (fqn: 70-118, path: 476). Pure.
 */
#ifndef HEDDLE_EXPORTERS_SELECTS_H
#define HEDDLE_EXPORTERS_SELECTS_H

#include "graph/graph.h"
#include "util/arena.h"

struct selects;

struct selects *selects_new(const struct graph *g);
void selects_free(struct selects *s);    /* NULL is fine */

/* One word for --select that matches this node alone, in the arena; NULL: there is none, or it is a
 * source. */
const char *selects_alone(struct selects *s, struct arena *a, const struct node *n);

/* "fqn:text" in the arena, or NULL when dbt would not read the text as it stands. */
const char *selects_fqn(struct arena *a, const char *text);
/* The nodes that fqn:text matches, tests among them; borrowed from s. */
const uint32_t *selects_matching(struct selects *s, const char *text, size_t *n);

#endif
