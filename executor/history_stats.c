/* history_stats.c -- numbers about one node, from its row of the grid. */
#include <stdlib.h>
#include <string.h>

#include "executor/history.h"
#include "executor/history_read.h"

static int
by_ms(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Whether the two may have run different code. */
static bool
differ(const char *commit, const char *other)
{
	return commit && other && strcmp(commit, other) != 0;
}

static int64_t
median(int64_t *ms, size_t n)
{
	if (n == 0)
		return -1;
	qsort(ms, n, sizeof(*ms), by_ms);
	return n % 2 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
}

struct history_stats
history_stats(const struct history_grid *g, size_t node, size_t nruns)
{
	const struct history_cell *row = &g->cells[node * g->nruns];
	struct history_stats s = { .last_ms = -1, .longest_ms = -1 };
	int64_t times[HISTORY_MEDIAN_RUNS];
	size_t ntimes = 0, before = SIZE_MAX;

	for (size_t i = 0; i < nruns; i++) {
		const struct history_cell *c = &row[i];
		bool good = result_status_good(c->status), flip;

		if (!c->there || c->attempts == 0)
			continue;
		flip = before != SIZE_MAX && good != result_status_good(row[before].status) &&
			!differ(g->runs[before].git_commit, g->runs[i].git_commit);
		s.nruns++;
		s.ngood += good;
		s.nfailed += !good;
		s.nretried += c->attempts > 1;
		s.nflips += flip;
		s.nflaky += flip || c->attempts > 1;
		s.last_ms = c->took_ms;
		if (c->took_ms > s.longest_ms)
			s.longest_ms = c->took_ms;
		if (c->took_ms > 0)
			s.total_ms += c->took_ms;
		before = i;
	}
	for (size_t i = nruns; i > 0 && ntimes < HISTORY_MEDIAN_RUNS; i--) {
		const struct history_cell *c = &row[i - 1];

		if (c->there && c->attempts > 0 && c->took_ms >= 0 && result_status_good(c->status))
			times[ntimes++] = c->took_ms;
	}
	s.median_ms = median(times, ntimes);
	return s;
}
