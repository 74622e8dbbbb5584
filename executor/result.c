#include <stdlib.h>
#include <string.h>

#include "executor/runner.h"

static const struct {
	const char *name;
	bool good;
} statuses[] = {
#define X(id, name, good) { name, good },
	RESULT_STATUSES(X)
#undef X
};

static const struct {
	const char *name;
	bool transient;
} classes[] = {
#define X(id, name, transient) { name, transient },
	ERROR_CLASSES(X)
#undef X
};

const char *
result_status_name(enum result_status s)
{
	return statuses[s].name;
}

bool
result_status_good(enum result_status s)
{
	return statuses[s].good;
}

int
result_status_find(const char *name)
{
	for (int i = 0; i < NRESULT_STATUSES; i++)
		if (strcmp(statuses[i].name, name) == 0)
			return i;
	return -1;
}

const char *
error_class_name(enum error_class c)
{
	return classes[c].name;
}

bool
error_class_transient(enum error_class c)
{
	return classes[c].transient;
}

void
result_release(struct result *r)
{
	free(r->message);
	free(r->code);
	free(r->compiled_path);
	free(r->entry);
	*r = (struct result)RESULT_INIT;
}
