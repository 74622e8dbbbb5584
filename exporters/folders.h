/* exporters/folders.h -- groups of steps: the folders of a node's fqn, or its first tag, as paths
 * of names an orchestrator takes.
 *
 * A name keeps its letters when they are in [A-Za-z0-9_-]; else they become '_' and a hash follows.
 */
#ifndef HEDDLE_EXPORTERS_FOLDERS_H
#define HEDDLE_EXPORTERS_FOLDERS_H

#include <stddef.h>

#include "exporters/steps.h"

struct folders {
	const char **of;       /* by step: "staging/shop", "" = the top */
	const char **all;      /* sorted; each before those inside it; without "" */
	size_t n;
};

/* Lives in the steps' arena. */
void folders_find(struct folders *f, struct steps *s);
/* The same for a single node. */
const char *folders_of_node(struct steps *s, const struct node *n);

#endif
