#include "graph/kind.h"

#include <string.h>

static const struct {
	const char *name, *plural, *verb;
	bool built;
} kinds[] = {
#define X(id, name, plural, verb, built) { name, plural, verb, built },
	NODE_KINDS(X)
#undef X
};

const char *
kind_name(enum node_kind kind)
{
	return kinds[kind].name;
}

const char *
kind_plural(enum node_kind kind)
{
	return kinds[kind].plural;
}

const char *
kind_verb(enum node_kind kind)
{
	return kinds[kind].verb;
}

bool
kind_built(enum node_kind kind)
{
	return kinds[kind].built;
}

int
kind_find(const char *name, size_t len)
{
	for (int i = 0; i < NKINDS; i++)
		if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, name, len) == 0)
			return i;
	return -1;
}
