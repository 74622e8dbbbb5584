/* graph/selector_jinja.h -- the little Jinja that selectors.yml gets by with: env_var(). */
#ifndef HEDDLE_GRAPH_SELECTOR_JINJA_H
#define HEDDLE_GRAPH_SELECTOR_JINJA_H

#include "util/arena.h"
#include "util/err.h"
#include "util/ytree.h"

/*
 * The tree with every text value rendered and every date made text, as dbt's
 * DbtProjectYamlRenderer does it; keys stay. NULL with err "NAME:LINE: what": Jinja other than
 * {{ env_var('NAME'[, 'default']) [| as_bool, as_number or as_text] }}, or a variable that is not
 * set. `y` itself when nothing changes. Not from threads: it asks the environment.
 */
const struct ynode *selector_jinja(struct arena *a, const char *name, const struct ynode *y,
    struct err *err);

#endif
