/* graph/manifest.h -- manifest.json -> graph. The only reader of that file's shape.
 *
 * Read: manifests v9 (dbt 1.5) to v12 (1.11). A newer one is read with a warning, without what we
 * do not know: kinds, and parents of such kinds. An older one or another file is refused. The file
 * is read once, in pieces; what no field group asks for is skipped, so memory is bound by what is
 * kept, not by the file; all of it is checked to be JSON.
 * Errors: -1 with err "FILE: JSON path: what", the graph is then only good for graph_free().
 *         Refused: not JSON, cut off, a wrong type, an unknown parent (disabled ones are known,
 *         they only give no edge), a duplicate id, a cycle (named in full), nesting deeper than
 *         256.
 * Thread: main. Memory: all strings belong to the graph.
 */
#ifndef HEDDLE_GRAPH_MANIFEST_H
#define HEDDLE_GRAPH_MANIFEST_H

#include "graph/graph.h"
#include "util/err.h"

/* fields: enum graph_fields, or'ed. `warning`, when not NULL, takes a text (caller frees) or
 * NULL. */
int manifest_load(struct graph *g, const char *path, unsigned fields, char **warning,
    struct err *err);

/* The same from memory (tests, fuzzers); `name` is used in messages. */
int manifest_parse(struct graph *g, const char *name, const char *data, size_t len,
    unsigned fields, char **warning, struct err *err);

#endif
