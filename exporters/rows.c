#include "exporters/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

#define NSWEEPS 24       /* of places */
#define NTRIES 16        /* of orders */

/* The links of item i on one side: neighbour[start[i]] .. neighbour[start[i + 1] - 1]. */
struct side {
	size_t *start;
	uint32_t *neighbour;
	double *weight;
};

static struct side
side_new(const struct rows *r, int to_left)
{
	struct side s;
	size_t *fill = xcalloc(r->nitems + 1, sizeof(*fill));

	s.start = xcalloc(r->nitems + 2, sizeof(*s.start));
	s.neighbour = xcalloc(r->nlinks + 1, sizeof(*s.neighbour));
	s.weight = xcalloc(r->nlinks + 1, sizeof(*s.weight));
	for (size_t i = 0; i < r->nlinks; i++)
		s.start[(to_left ? r->links[i].right : r->links[i].left) + 1]++;
	for (size_t i = 0; i < r->nitems; i++) {
		s.start[i + 1] += s.start[i];
		fill[i] = s.start[i];
	}
	for (size_t i = 0; i < r->nlinks; i++) {
		const struct rows_link *l = &r->links[i];
		size_t at = fill[to_left ? l->right : l->left]++;

		s.neighbour[at] = to_left ? l->left : l->right;
		s.weight[at] = l->weight;
	}
	free(fill);
	return s;
}

static void
side_release(struct side *s)
{
	free(s->start);
	free(s->neighbour);
	free(s->weight);
}

/* Adds the pull of one side on an item. */
static void
pull(const struct side *s, const double *y, uint32_t item, double *sum, double *weight)
{
	for (size_t k = s->start[item]; k < s->start[item + 1]; k++) {
		*sum += s->weight[k] * y[s->neighbour[k]];
		*weight += s->weight[k];
	}
}

/* ---- order ---- */

struct tangle {
	struct rows *r;
	const uint32_t *key;
	struct side left, right;
	size_t *at;            /* by item: its place in its column */
	double *mean;          /* by item: of its neighbours' places */
	uint32_t *tree;        /* sums of ends seen, a binary indexed tree */
	uint32_t *ends;
};

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Links from column c to the next, in the order of their starts: how many of their ends are not? */
static size_t
count_column(struct tangle *t, size_t c)
{
	const struct rows *r = t->r;
	size_t nends = 0, height = r->start[c + 2] - r->start[c + 1], sum = 0;

	for (size_t i = r->start[c]; i < r->start[c + 1]; i++) {
		uint32_t item = r->order[i];
		size_t first = nends;

		for (size_t k = t->right.start[item]; k < t->right.start[item + 1]; k++)
			t->ends[nends++] = (uint32_t)t->at[t->right.neighbour[k]];
		qsort(t->ends + first, nends - first, sizeof(*t->ends), by_number);
	}
	memset(t->tree, 0, (height + 1) * sizeof(*t->tree));
	for (size_t i = nends; i-- > 0;) {
		for (size_t k = t->ends[i]; k > 0; k -= k & (~k + 1))
			sum += t->tree[k];
		for (size_t k = t->ends[i] + 1; k <= height; k += k & (~k + 1))
			t->tree[k]++;
	}
	return sum;
}

static size_t
count_crossings(struct tangle *t)
{
	size_t sum = 0;

	for (size_t i = 0, c = 0; c < t->r->ncolumns; c++)
		for (; i < t->r->start[c + 1]; i++)
			t->at[t->r->order[i]] = i - t->r->start[c];
	for (size_t c = 0; c + 1 < t->r->ncolumns; c++)
		sum += count_column(t, c);
	return sum;
}

static struct tangle
tangle_new(struct rows *r, const uint32_t *key)
{
	struct tangle t = { .r = r, .key = key, .left = side_new(r, 1), .right = side_new(r, 0) };

	t.at = xcalloc(r->nitems + 1, sizeof(*t.at));
	t.mean = xcalloc(r->nitems + 1, sizeof(*t.mean));
	t.tree = xcalloc(r->nitems + 2, sizeof(*t.tree));
	t.ends = xcalloc(r->nlinks + 1, sizeof(*t.ends));
	return t;
}

static void
tangle_release(struct tangle *t)
{
	side_release(&t->left);
	side_release(&t->right);
	free(t->at);
	free(t->mean);
	free(t->tree);
	free(t->ends);
}

static const struct tangle *sorted;   /* qsort has no room for it; main thread only */

static int
by_mean(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;

	if (sorted->key[i] != sorted->key[k])
		return sorted->key[i] < sorted->key[k] ? -1 : 1;
	if (sorted->mean[i] != sorted->mean[k])
		return sorted->mean[i] < sorted->mean[k] ? -1 : 1;
	return sorted->at[i] < sorted->at[k] ? -1 : sorted->at[i] > sorted->at[k];
}

static void
reorder_column(struct tangle *t, size_t c, const struct side *s)
{
	struct rows *r = t->r;

	for (size_t i = r->start[c]; i < r->start[c + 1]; i++) {
		uint32_t item = r->order[i];
		size_t n = s->start[item + 1] - s->start[item];
		double sum = 0;

		for (size_t k = s->start[item]; k < s->start[item + 1]; k++)
			sum += (double)t->at[s->neighbour[k]];
		t->mean[item] = n ? sum / (double)n : (double)t->at[item];
	}
	sorted = t;
	qsort(r->order + r->start[c], r->start[c + 1] - r->start[c], sizeof(*r->order), by_mean);
	for (size_t i = r->start[c]; i < r->start[c + 1]; i++)
		t->at[r->order[i]] = i - r->start[c];
}

size_t
rows_crossings(const struct rows *r)
{
	struct rows copy = *r;
	struct tangle t = tangle_new(&copy, NULL);
	size_t n = count_crossings(&t);

	tangle_release(&t);
	return n;
}

void
rows_untangle(struct rows *r, const uint32_t *key)
{
	struct tangle t = tangle_new(r, key);
	size_t n = r->start[r->ncolumns], least = count_crossings(&t);
	uint32_t *best = xcalloc(n + 1, sizeof(*best));

	memcpy(best, r->order, n * sizeof(*best));
	for (size_t k = 0; k < NTRIES && least > 0; k++) {
		size_t now;

		for (size_t c = 0; c < r->ncolumns; c++)
			reorder_column(&t, k % 2 ? r->ncolumns - 1 - c : c,
			    k % 2 ? &t.right : &t.left);
		now = count_crossings(&t);
		if (now < least) {
			least = now;
			memcpy(best, r->order, n * sizeof(*best));
		}
	}
	memcpy(r->order, best, n * sizeof(*best));
	free(best);
	tangle_release(&t);
}

/* ---- places ---- */

struct block {
	double sum, weight;   /* of what its items want, moved up by what stands above them */
	size_t n;
};

struct sweep {
	struct rows *r;
	struct block *blocks;
	double *offset;       /* of each item of a run from the first one's middle */
};

/* Places the items order[from..to), that may touch each other but not pass: pool adjacent
 * violators. */
static void
place_run(struct sweep *s, size_t from, size_t to, const double *want, const double *weight)
{
	struct rows *r = s->r;
	size_t n = 0, at = from;

	for (size_t i = from; i < to; i++) {
		uint32_t item = r->order[i];

		s->offset[i] = i == from ? 0 :
			s->offset[i - 1] + r->half[r->order[i - 1]] + r->half[item];
		s->blocks[n++] = (struct block){
			weight[item] * (want[item] - s->offset[i]), weight[item], 1
		};
		while (n > 1 && s->blocks[n - 2].sum * s->blocks[n - 1].weight >=
		    s->blocks[n - 1].sum * s->blocks[n - 2].weight) {
			s->blocks[n - 2].sum += s->blocks[n - 1].sum;
			s->blocks[n - 2].weight += s->blocks[n - 1].weight;
			s->blocks[n - 2].n += s->blocks[n - 1].n;
			n--;
		}
	}
	for (size_t b = 0; b < n; b++)
		for (size_t k = 0; k < s->blocks[b].n; k++, at++)
			r->y[r->order[at]] = s->blocks[b].sum / s->blocks[b].weight + s->offset[at];
}

/* Pushes a placed column back between its limits; the order and distances hold. */
static void
keep_limits(struct rows *r, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		uint32_t item = r->order[i];
		double least = r->low[item] + r->half[item];

		if (i > from) {
			uint32_t above = r->order[i - 1];

			least = fmax(least, r->y[above] + r->half[above] + r->half[item]);
		}
		r->y[item] = fmax(r->y[item], least);
	}
	for (size_t i = to; i-- > from;) {
		uint32_t item = r->order[i];
		double most = r->high[item] - r->half[item];

		if (i + 1 < to) {
			uint32_t below = r->order[i + 1];

			most = fmin(most, r->y[below] - r->half[below] - r->half[item]);
		}
		r->y[item] = fmin(r->y[item], most);
	}
}

static void
place_column(struct sweep *s, size_t column, const double *want, const double *weight)
{
	size_t from = s->r->start[column], to = s->r->start[column + 1];

	place_run(s, from, to, want, weight);
	if (s->r->low)
		keep_limits(s->r, from, to);
}

void
rows_place(struct rows *r)
{
	struct side left = side_new(r, 1), right = side_new(r, 0);
	struct sweep s = { r, NULL, NULL };
	double *want = xcalloc(r->nitems + 1, sizeof(*want));
	double *weight = xcalloc(r->nitems + 1, sizeof(*weight));

	s.blocks = xcalloc(r->nitems + 1, sizeof(*s.blocks));
	s.offset = xcalloc(r->nitems + 1, sizeof(*s.offset));
	for (size_t n = 0; n < NSWEEPS; n++) {
		int rightwards = n % 2 == 0, last = n + 4 >= NSWEEPS;

		for (size_t c = 0; c < r->ncolumns; c++) {
			size_t column = rightwards ? c : r->ncolumns - 1 - c;

			for (size_t i = r->start[column]; i < r->start[column + 1]; i++) {
				uint32_t item = r->order[i];
				double sum = 0, w = 0;

				if (rightwards || last)
					pull(&left, r->y, item, &sum, &w);
				if (!rightwards || last)
					pull(&right, r->y, item, &sum, &w);
				/* One that nothing pulls stays, but gives way to those. */
				want[item] = w > 0 ? sum / w : r->y[item];
				weight[item] = w > 0 ? w : 0.01;
			}
			place_column(&s, column, want, weight);
		}
	}
	side_release(&left);
	side_release(&right);
	free(want);
	free(weight);
	free(s.blocks);
	free(s.offset);
}
