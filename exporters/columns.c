#include "exporters/columns.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

/* For each box the boxes its edges lead to: to[start[i]] .. to[start[i + 1] - 1]. */
struct fan {
	size_t *start;
	uint32_t *to;
};

static struct fan
fan_new(size_t nboxes, size_t nedges, const struct layout_edge *edges)
{
	struct fan f = {
		xcalloc(nboxes + 2, sizeof(*f.start)), xcalloc(nedges + 1, sizeof(*f.to))
	};

	for (size_t e = 0; e < nedges; e++)
		f.start[edges[e].from + 2]++;
	for (size_t i = 2; i < nboxes + 2; i++)
		f.start[i] += f.start[i - 1];
	for (size_t e = 0; e < nedges; e++)   /* moves start[i + 1] from i's begin to its end */
		f.to[f.start[edges[e].from + 1]++] = edges[e].to;
	return f;
}

static void
fan_release(struct fan *f)
{
	free(f->start);
	free(f->to);
}

/* Longest path from the left. order: parents before children. */
static void
push_right(size_t n, const struct fan *f, const uint32_t *nparents, uint32_t *column,
    uint32_t *order)
{
	size_t head = 0, tail = 0;
	uint32_t *waits = xcalloc(n + 1, sizeof(*waits));

	memcpy(waits, nparents, n * sizeof(*waits));
	for (size_t i = 0; i < n; i++)
		if (waits[i] == 0)
			order[tail++] = (uint32_t)i;
	while (head < tail) {
		uint32_t box = order[head++];

		for (size_t k = f->start[box]; k < f->start[box + 1]; k++) {
			uint32_t to = f->to[k];

			if (column[to] <= column[box])
				column[to] = column[box] + 1;
			if (--waits[to] == 0)
				order[tail++] = to;
		}
	}
	free(waits);
}

static void
pull_right(size_t n, const struct fan *f, const uint32_t *nparents, uint32_t *column,
    const uint32_t *order)
{
	for (size_t i = n; i-- > 0;) {
		uint32_t box = order[i], nearest = UINT32_MAX;

		if (f->start[box + 1] - f->start[box] <= nparents[box])
			continue;
		for (size_t k = f->start[box]; k < f->start[box + 1]; k++)
			if (column[f->to[k]] < nearest)
				nearest = column[f->to[k]];
		column[box] = nearest - 1;
	}
}

size_t
columns_choose(size_t nboxes, size_t nedges, const struct layout_edge *edges, uint32_t *column,
    bool *loose)
{
	struct fan f = fan_new(nboxes, nedges, edges);
	uint32_t *nparents = xcalloc(nboxes + 1, sizeof(*nparents));
	uint32_t *order = xcalloc(nboxes + 1, sizeof(*order));
	size_t ncolumns = 0;

	for (size_t e = 0; e < nedges; e++)
		nparents[edges[e].to]++;
	push_right(nboxes, &f, nparents, column, order);
	pull_right(nboxes, &f, nparents, column, order);
	for (size_t i = 0; i < nboxes; i++) {
		loose[i] = nparents[i] == 0 && f.start[i] == f.start[i + 1];
		if (!loose[i] && column[i] >= ncolumns)
			ncolumns = column[i] + 1;
	}
	fan_release(&f);
	free(nparents);
	free(order);
	return ncolumns;
}
