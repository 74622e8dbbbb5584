#include "exporters/policy.h"

#define DEFAULT_TIMEOUT_MS (60 * 60 * 1000)
#define DEFAULT_DELAY_MS 1000

struct task_policy
policy_of(const struct step *s)
{
	struct task_policy p = s->policy;

	if (p.timeout_ms == 0)
		p.timeout_ms = DEFAULT_TIMEOUT_MS;
	if (p.max_attempts == 0)
		p.max_attempts = 1;
	if (p.delay_ms == 0)
		p.delay_ms = DEFAULT_DELAY_MS;
	return p;
}

bool
policy_same(const struct task_policy *a, const struct task_policy *b)
{
	return a->max_attempts == b->max_attempts && a->delay_ms == b->delay_ms &&
		a->factor >= b->factor && a->factor <= b->factor &&
		a->max_delay_ms == b->max_delay_ms && a->timeout_ms == b->timeout_ms;
}

struct task_policy
policy_usual(const struct steps *s)
{
	struct task_policy best = { .max_attempts = 3, .delay_ms = 60000, .factor = 2,
		.timeout_ms = DEFAULT_TIMEOUT_MS };
	size_t most = 0, nseen = 0;
	struct { struct task_policy p; size_t n; } seen[16];

	for (size_t i = 0; i < s->n; i++) {
		struct task_policy p = policy_of(&s->v[i]);
		size_t k = 0;

		while (k < nseen && !policy_same(&seen[k].p, &p))
			k++;
		if (k == nseen && nseen == sizeof(seen) / sizeof(*seen))
			continue;
		if (k == nseen) {
			seen[nseen].p = p;
			seen[nseen++].n = 0;
		}
		if (++seen[k].n > most) {
			most = seen[k].n;
			best = p;
		}
	}
	return best;
}

double
policy_seconds(int64_t ms)
{
	return (double)ms / 1000;
}
