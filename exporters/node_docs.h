/* exporters/node_docs.h -- what a manifest says of a node for people: description, columns, owner.
 * Parses the node's raw JSON (loaded with GRAPH_DOCS, GRAPH_CONFIG); nothing is kept. */
#ifndef HEDDLE_EXPORTERS_NODE_DOCS_H
#define HEDDLE_EXPORTERS_NODE_DOCS_H

#include <stdbool.h>

#include "graph/graph.h"
#include "util/buf.h"

/* Appends the description and a table of the described columns as Markdown. false: there is
 * neither. */
bool node_docs_markdown(struct buf *out, const struct node *n);

/* Appends `owner` of the node's meta: a text, or the first of a list; false: there is none. */
bool node_docs_owner(struct buf *out, const struct node *n);

#endif
