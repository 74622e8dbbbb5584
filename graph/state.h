/* graph/state.h -- two manifests -> new, modified, same, each with its reason (dbt's `state:`), and
 * the other answers of a --state folder: `result:` and `source_status:`.
 *
 *   struct state *s = state_new(dir, target_dir, false);
 *   state_match(s, g, "modified.body", &set, &err);  ...  state_free(s);
 *
 * Rules:   dbt-core 1.11 graph/selector_methods.py StateSelectorMethod and the same_* methods of
 *          contracts/graph/nodes.py. `modified` is not the union of its parts.
 * Files:   DIR/manifest.json, DIR/run_results.json, DIR/sources.json and TARGET_DIR/sources.json;
 *          each is read when first asked for, and once.
 * New side: a graph loaded with the groups state_fields() names for the value.
 * Owner:   the state owns the old graph and every text it gives out; the new graph outlives it.
 * Thread:  main.
 */
#ifndef HEDDLE_GRAPH_STATE_H
#define HEDDLE_GRAPH_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/graph.h"
#include "graph/set.h"
#include "util/err.h"

struct state;

/* Reads nothing yet. dir: the --state folder, or NULL (every question is then an error, as in dbt).
 * target_dir: the folder of the new manifest, for the sources.json of now.
 * as_written: the project's flag state_modified_compare_more_unrendered_values: where a source is
 * counts as its YAML has it, Jinja and all, so that another target is no change. */
struct state *state_new(const char *dir, const char *target_dir, bool as_written);
void state_free(struct state *s);                           /* NULL is fine */

/* Groups of fields the new graph must have been loaded with for `state:VALUE`. */
unsigned state_fields(const char *value);

/*
 * Adds the nodes of g that `state:VALUE`, `result:STATUS`, `source_status:VALUE` select. 0, or -1
 * with err: unknown value, missing or unreadable file, a versioned contract broken.
 */
int state_match(struct state *s, const struct graph *g, const char *value, struct set *out,
    struct err *err);
int state_match_result(struct state *s, const struct graph *g, const char *status,
    struct set *out, struct err *err);
int state_match_source_status(struct state *s, const struct graph *g, const char *value,
    struct set *out, struct err *err);

/* What dbt warns about while it compares (an unversioned contract broken, seeds too big to hash),
 * of all calls so far, each once, in order of finding. Borrowed until the next call. */
struct state_warning {
	const char *event;     /* dbt's name of it (events/types.py), or NULL: our own */
	const char *text;
};
const struct state_warning *state_warnings(const struct state *s, size_t *n);

/* The old graph with everything in it, read now if need be; NULL with err. */
const struct graph *state_graph(struct state *s, struct err *err);

#define STATE_PARTS(X) \
	X(BODY, "body") \
	X(CONFIGS, "configs") \
	X(RELATION, "relation") \
	X(DESCRIPTIONS, "persisted_descriptions") \
	X(MACROS, "macros") \
	X(CONTRACT, "contract") \
	X(FQN, "fqn")               /* and below: what only plain `modified` asks */ \
	X(ACCESS, "access")         /* latest version, access, deprecation date of a model */ \
	X(DEFINITION, "definition") /* the rest of what defines a source, exposure, metric, ... */

enum state_part {
#define X(id, name) STATE_##id,
	STATE_PARTS(X)
#undef X
	NSTATE_PARTS
};

const char *state_part_name(enum state_part part);          /* "persisted_descriptions" */

struct state_change {
	enum state_part part;
	const char *what;      /* "config.materialized", "column 'id'", "macro.shop.cents" */
	const char *before;    /* JSON text, or NULL: was not there */
	const char *after;     /* JSON text, or NULL: is not there */
	const char *note;      /* one sentence, when before and after do not say it; or NULL */
	bool breaking;         /* breaks an enforced contract */
};

enum state_verdict { STATE_SAME, STATE_NEW, STATE_MODIFIED };

struct state_report {
	enum state_verdict verdict;
	struct state_change *changes;   /* by part; none for SAME and NEW */
	size_t nchanges;
};

/* Compares one node of g with its old self and keeps every reason. NEW is what `state:new` selects;
 * of the others, MODIFIED is what `state:modified` selects. 0, or -1 with err (no old manifest). */
int state_compare(struct state *s, const struct graph *g, const struct node *n,
    struct state_report *out, struct err *err);

struct state_removed {
	const struct node *node;   /* of the old graph */
	bool disabled;             /* still in the new manifest, switched off */
	bool breaking;             /* its enforced contract was a promise */
};

/* Old nodes that are no nodes of g, by id. Borrowed until the next call. 0, or -1 with err. */
int state_list_removed(struct state *s, const struct graph *g, const struct state_removed **out,
    size_t *n, struct err *err);

#endif
