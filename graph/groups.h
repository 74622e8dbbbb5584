/* graph/groups.h -- the owners of dbt's groups, of which the graph knows the names only. Read when
 * somebody is to be told, not with every manifest.
 * Owner: caller. Thread: main. */
#ifndef HEDDLE_GRAPH_GROUPS_H
#define HEDDLE_GRAPH_GROUPS_H

#include "util/arena.h"
#include "util/err.h"
#include "util/map.h"

struct groups {
	struct arena arena;
	struct map names;       /* group -> const char *: its owner's name */
	struct map emails;      /* ... mail address */
};

#define GROUPS_INIT {0}

/* 0, or -1 with err (the file cannot be read, or is no JSON). */
int groups_load(struct groups *g, const char *manifest, struct err *err);
/* The owner's name, else the mail address; NULL: none is named. */
const char *groups_owner(const struct groups *g, const char *group);
const char *groups_email(const struct groups *g, const char *group);   /* or NULL */
void groups_release(struct groups *g);

#endif
