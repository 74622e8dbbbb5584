/* graph/selector.h -- dbt's selection language as a tree.
 *
 *   text  "+a,tag:b @c 2+"  -> selector_parse_words()   (here)
 *   YAML  selectors.yml     -> the same tree             (graph/selector_yaml.h)
 *   tree                    -> a set of nodes            (graph/selector_eval.h)
 *
 * Source: dbt-core 1.11 graph/selector_spec.py, graph/cli.py.
 * Owner:  every struct and text lives in the arena given; nothing is freed alone. Subtrees may be
 *         shared (YAML inheritance): a tree is read-only once built.
 * Errors: -1 or NULL with err "selection criterion 'RAW': what" and a hint. Thread: any.
 */
#ifndef HEDDLE_GRAPH_SELECTOR_H
#define HEDDLE_GRAPH_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"
#include "util/arena.h"
#include "util/err.h"

/* Which tests come along with chosen nodes (--indirect-selection). dbt's default is eager. */
enum selector_mode { MODE_EAGER, MODE_CAUTIOUS, MODE_BUILDABLE, MODE_EMPTY, NSELECTOR_MODES };

const char *selector_mode_name(enum selector_mode mode);   /* "eager" */
int selector_mode_find(const char *name);                  /* exact; -1 when unknown */

enum selector_op {
	SELECTOR_CRITERION,      /* method, value, graph signs */
	SELECTOR_UNION,          /* of parts; none = the empty set */
	SELECTOR_INTERSECTION,   /* of parts; none = the empty set */
	SELECTOR_DIFFERENCE,     /* the first part without the others */
};

/*
 * A value keeps the type it had in YAML, because `config` compares exactly: 1 and true are not "1".
 * Words of a command line are always text. Methods that want text refuse the others.
 */
enum selector_value_type {
	VALUE_TEXT,
	VALUE_NUMBER,    /* integer or float */
	VALUE_BOOL,
	VALUE_NULL,
	VALUE_JSON,      /* a list or mapping, as JSON text */
	VALUE_OTHER,     /* a type JSON does not have (a date): equal to nothing */
};

struct selector_value {
	enum selector_value_type type;
	const char *text;    /* as written, for messages; VALUE_JSON: the JSON. Never NULL */
	double number;       /* VALUE_NUMBER */
	bool truth;          /* VALUE_BOOL */
};

struct selector_method;    /* a row of the table in graph/selector_methods.c */

#define DEPTH_ALL SIZE_MAX

struct selector {
	enum selector_op op;
	enum selector_mode mode;  /* of this criterion or of this set's recombination */
	const char *raw;          /* as the user wrote it, for messages */

	/* sets */
	const struct selector **parts;
	size_t nparts;
	bool expected;            /* warn when it ends up empty: a word of --select or --exclude */

	/* criteria */
	const struct selector_method *method;
	struct strs words;        /* "a", "b" of config.a.b */
	struct selector_value value;
	bool at;                  /* @x: x, its descendants, and all their ancestors */
	bool up, down;            /* +x, x+ */
	size_t up_depth, down_depth;   /* 2+x, x+3; DEPTH_ALL without a number; 0 adds nothing */
};

/*
 * One criterion: "2+config.a.b:v+3". No splitting on blanks or commas, as in YAML.
 * Unknown method, `@` together with a trailing `+`, a line break: refused.
 */
const struct selector *selector_parse(struct arena *a, const char *text, enum selector_mode mode,
    struct err *err);

/*
 * Words of a command line: blanks split into a union, commas into intersections. `expected` is set
 * on every word, so that one which finds nothing is warned about.
 */
const struct selector *selector_parse_words(struct arena *a, const struct strs *words,
    bool expected, enum selector_mode mode, struct err *err);

/*
 * Pieces for readers of other notations. `method` is the whole name with its words ("config.a.b"),
 * or NULL for the one the value implies (path, file or fqn). The caller fills in the signs, then
 * asks selector_check(): "@" and a trailing "+" exclude each other.
 */
struct selector *selector_criterion(struct arena *a, const char *raw, const char *method,
    const struct selector_value *value, enum selector_mode mode, struct err *err);
int selector_check(const struct selector *s, struct err *err);

/* A set of nparts parts (the array is copied, the parts are not). */
struct selector *selector_group(struct arena *a, enum selector_op op,
    const struct selector *const *parts, size_t nparts, enum selector_mode mode);

/* The minuend without the subtrahend; always eager, as dbt has it. */
struct selector *selector_difference(struct arena *a, const struct selector *from,
    const struct selector *minus);

/* --select minus --exclude. select == NULL: dbt's default, the union of
 * fqn:* source:* exposure:* metric:* semantic_model:* */
const struct selector *selector_of_words(struct arena *a, const struct strs *select,
    const struct strs *exclude, enum selector_mode mode, struct err *err);

/* The groups of fields (enum graph_fields) a manifest must be loaded with to answer the tree. */
unsigned selector_fields(const struct selector *s);

#endif
