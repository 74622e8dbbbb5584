/* exporters/ids.h -- short names for nodes in other systems: readable, unique, and made of the node
 * alone, so that no other node's coming or going changes one (history there hangs on them).
 *
 *   orders                      a model of the root project
 *   dim_customers__v2           version 2 of a model
 *   raw_orders__seed            another kind
 *   holidays__in_tea_utils      another package
 *   with_dash_c8ee2278          letters were replaced, or cut off, or the name looks like one of
 *   the
 *                               forms above: a hash of the unique id tells it apart
 *
 * The alphabet is that of the strictest target but one: [A-Za-z0-9_], a letter or _ first, at most
 * ID_MAX bytes. ids_check() makes sure that no two nodes share one, also by bad luck.
 */
#ifndef HEDDLE_EXPORTERS_IDS_H
#define HEDDLE_EXPORTERS_IDS_H

#include <stddef.h>

#include "graph/graph.h"
#include "graph/set.h"
#include "util/buf.h"
#include "util/err.h"

#define ID_MAX 100

/* lower: the target's names differ by more than case (files of some systems).
 * letter: a name starts with a letter; no _ does either. */
struct id_style {
	char blank;          /* '_', or '-' where that is the only mark allowed */
	bool lower;
	bool letter;
};

extern const struct id_style id_plain;    /* '_', case kept */

/* Appends the id of a node. */
void id_add(struct buf *out, const struct graph *g, const struct node *n,
    const struct id_style *style);
/* Appends any text as an id of the same alphabet; `key` tells it apart when letters were lost. */
void id_add_text(struct buf *out, const char *text, const char *key, const struct id_style *style);

/* 0, or -1 with err naming two nodes that would get the same id. */
int ids_check(const struct graph *g, const struct set *nodes, const struct id_style *style,
    struct err *err);

#endif
