/* graph/selector_yaml.h -- selectors.yml -> the trees of graph/selector.h.
 *
 * Source: dbt-core 1.11 config/selectors.py, graph/cli.py, contracts/selection.py. The whole file
 * is read and checked for every command: one fault fails them all, as in dbt.
 * Jinja:  {{ env_var('NAME') }} and {{ env_var('NAME', 'default') }}, with the filters as_bool,
 *         as_number and as_text; anything else in braces is refused by name. dbt renders values,
 *         never keys.
 * Errors: -1 with err "FILE:LINE: selector 'NAME': what".
 * Owner:  everything lives in the arena given; inherited trees are shared. Thread: main (getenv).
 */
#ifndef HEDDLE_GRAPH_SELECTOR_YAML_H
#define HEDDLE_GRAPH_SELECTOR_YAML_H

#include "graph/selector.h"
#include "util/arena.h"
#include "util/err.h"

struct selector_entry {
	const char *name;
	const char *description;       /* "" without one */
	const struct selector *tree;
	bool is_default;
};

struct selector_file {
	struct selector_entry *entries;   /* in the file's order */
	size_t nentries;
};

/* mode: what --indirect-selection says; a criterion's own indirect_selection beats it. */
int selector_file_load(struct selector_file *f, struct arena *a, const char *path,
    enum selector_mode mode, struct err *err);

/* The same from memory (tests, fuzzers); `name` is used in messages. */
int selector_file_parse(struct selector_file *f, struct arena *a, const char *name,
    const char *data, size_t len, enum selector_mode mode, struct err *err);

/* --selector NAME; NULL with err, which lists the names there are. */
const struct selector *selector_file_get(const struct selector_file *f, const char *name,
    struct err *err);

/* The one marked `default: true`, or NULL. */
const struct selector_entry *selector_file_default(const struct selector_file *f);

#endif
