#include "cli/backend.h"

#include <string.h>

#include "util/text.h"

static const struct {
	const char *name;
	int (*start)(struct backend *b, const struct backend_request *rq, struct err *err);
} backends[] = {
	{ "worker", backend_start_worker },
	{ "cli", backend_start_cli },
	{ "shell", backend_start_shell },
};
#define NBACKENDS (sizeof(backends) / sizeof(backends[0]))

int
backend_start(struct backend *b, const char *name, const struct backend_request *rq,
    struct err *err)
{
	for (size_t i = 0; i < NBACKENDS; i++)
		if (strcmp(backends[i].name, name) == 0)
			return backends[i].start(b, rq, err);
	err_set(err, "--runner: expected worker, cli or shell, found '%s'", name);
	return -1;
}

void
backend_release(struct backend *b)
{
	if (b->free)
		b->free(b->self);
	memset(b, 0, sizeof(*b));
}
