#include "executor/transient.h"

#include <regex.h>
#include <stdlib.h>

#include "util/xalloc.h"

struct transient {
	const char *const *patterns;
	regex_t *compiled;
	size_t n;
	struct runner inner;
};

struct transient *
transient_new(const char *const *patterns, size_t npatterns)
{
	struct transient *t = xcalloc(1, sizeof(*t));

	t->patterns = patterns;
	t->compiled = xcalloc(npatterns, sizeof(*t->compiled));
	while (t->n < npatterns &&
	    regcomp(&t->compiled[t->n], patterns[t->n], REG_EXTENDED | REG_NOSUB) == 0)
		t->n++;
	return t;
}

void
transient_free(struct transient *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		regfree(&t->compiled[i]);
	free(t->compiled);
	free(t);
}

const char *
transient_match(const struct transient *t, const char *text)
{
	for (size_t i = 0; text && i < t->n; i++)
		if (regexec(&t->compiled[i], text, 0, NULL, 0) == 0)
			return t->patterns[i];
	return NULL;
}

static void
run(void *self, const struct job *job, struct result *result)
{
	const struct transient *t = self;

	t->inner.run(t->inner.self, job, result);
	if (result_status_good(result->status) || result->status == RESULT_SKIPPED ||
	    error_class_transient(result->class) || result->class == CLASS_CANCELLED ||
	    result->class == CLASS_TEST_FAILURE)
		return;
	if (transient_match(t, result->message))
		result->class = CLASS_TRANSIENT;
}

static void
cancel(void *self, const struct job *job)
{
	const struct transient *t = self;

	t->inner.cancel(t->inner.self, job);
}

struct runner
transient_runner(struct transient *t, const struct runner *inner)
{
	t->inner = *inner;
	return (struct runner){ .self = t, .run = run, .cancel = cancel };
}
