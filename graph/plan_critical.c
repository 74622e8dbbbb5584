#include "graph/plan.h"

/* The first of v[0..n) (all tasks when v is NULL) whose remaining path is the longest. */
static size_t
longest(const struct plan *p, const size_t *v, size_t n)
{
	size_t best = v ? v[0] : 0;

	for (size_t i = 1; i < n; i++) {
		size_t t = v ? v[i] : i;

		if (p->tasks[t].path > p->tasks[best].path)
			best = t;
	}
	return best;
}

size_t
plan_critical(const struct plan *p, size_t *tasks)
{
	size_t n = 0, at;

	if (p->ntasks == 0)
		return 0;
	for (at = longest(p, NULL, p->ntasks);; ) {
		const struct task *t = &p->tasks[at];

		tasks[n++] = at;
		if (t->nchildren == 0)
			return n;
		at = longest(p, t->children, t->nchildren);
	}
}
