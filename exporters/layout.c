#include "exporters/layout.h"

#include <igraph/igraph.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/columns.h"
#include "exporters/rows.h"
#include "util/xalloc.h"

#define DUMMY_HEIGHT 7.0     /* of the room an edge takes in a column it passes */
#define NORDERINGS 60        /* sweeps of igraph, at most */

/* Weights of a link by how many of its ends are dummies: long edges come out straight. */
static const double link_weight[] = { 1, 2, 8 };

/* Items are the boxes, then the dummies of edge 0, of edge 1, ... */
struct drawing {
	const struct layout_input *in;
	struct layout *out;
	size_t nitems;
	uint32_t *column;        /* by item */
	uint32_t *rank;          /* by item: its band, counted from the top; NULL without groups */
	bool *loose;             /* by box: no edge touches it */
	uint32_t *part;          /* by item: its connected part, 0 the largest; NULL with groups */
	size_t nparts;
	size_t nloose;
	size_t *dummies;         /* dummies of edge e are items dummies[e] .. dummies[e + 1] - 1 */
	size_t ncolumns;
	size_t *start;           /* by column: position in `order`; one more at the end */
	uint32_t *order;         /* items in columns, from top to bottom */
	double *y, *half;        /* by item */
	double *left, *right;    /* by column */
};

/* ---- dummies, and the order in each column ---- */

static size_t
span(const struct drawing *d, size_t edge)
{
	return d->column[d->in->edges[edge].to] - d->column[d->in->edges[edge].from];
}

static void
add_dummies(struct drawing *d)
{
	const struct layout_input *in = d->in;

	d->dummies = xcalloc(in->nedges + 1, sizeof(*d->dummies));
	d->nitems = in->nboxes;
	for (size_t e = 0; e < in->nedges; e++) {
		d->dummies[e] = d->nitems;
		d->nitems += span(d, e) - 1;
	}
	d->dummies[in->nedges] = d->nitems;
	d->column = xreallocarray(d->column, d->nitems + 1, sizeof(*d->column));
	for (size_t e = 0; e < in->nedges; e++)
		for (size_t i = d->dummies[e]; i < d->dummies[e + 1]; i++)
			d->column[i] = d->column[in->edges[e].from] + 1 +
				(uint32_t)(i - d->dummies[e]);
}

/* Calls visit for each step of each edge from one column to the next. */
static void
each_step(const struct drawing *d, void (*visit)(void *self, uint32_t left, uint32_t right),
    void *self)
{
	for (size_t e = 0; e < d->in->nedges; e++) {
		uint32_t at = d->in->edges[e].from;

		for (size_t i = d->dummies[e]; i < d->dummies[e + 1]; i++) {
			visit(self, at, (uint32_t)i);
			at = (uint32_t)i;
		}
		visit(self, at, d->in->edges[e].to);
	}
}

static void
push_step(void *self, uint32_t left, uint32_t right)
{
	igraph_vector_int_t *ends = self;

	igraph_vector_int_push_back(ends, left);
	igraph_vector_int_push_back(ends, right);
}

/* First places from igraph; every edge already steps from one column to the next. Loose boxes are
 * vertices of their own there and keep whatever place they get: they are put elsewhere. */
static void
order_by_igraph(struct drawing *d)
{
	igraph_vector_int_t ends, layers;
	igraph_matrix_t places;
	igraph_t g;

	igraph_set_error_handler(igraph_error_handler_ignore);
	igraph_vector_int_init(&ends, 0);
	igraph_vector_int_init(&layers, (igraph_integer_t)d->nitems);
	igraph_matrix_init(&places, 0, 0);
	each_step(d, push_step, &ends);
	for (size_t i = 0; i < d->nitems; i++)
		VECTOR(layers)[i] = d->column[i];
	if (igraph_create(&g, &ends, (igraph_integer_t)d->nitems, IGRAPH_DIRECTED) ==
	    IGRAPH_SUCCESS) {
		if (igraph_layout_sugiyama(&g, &places, NULL, NULL, &layers, 1, 1, NORDERINGS,
		    NULL) == IGRAPH_SUCCESS)
			for (size_t i = 0; i < d->nitems; i++)
				d->y[i] = MATRIX(places, (igraph_integer_t)i, 0);
		igraph_destroy(&g);
	}
	igraph_matrix_destroy(&places);
	igraph_vector_int_destroy(&layers);
	igraph_vector_int_destroy(&ends);
}

/* ---- connected parts, one below the other ---- */

static uint32_t
find_root(uint32_t *parent, uint32_t i)
{
	while (parent[i] != i)
		i = parent[i] = parent[parent[i]];
	return i;
}

struct part_size {
	uint32_t root;
	size_t n;
};

static int
by_part_size(const void *a, const void *b)
{
	const struct part_size *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->root < y->root ? -1 : x->root > y->root;
}

static void
find_parts(struct drawing *d)
{
	const struct layout_input *in = d->in;
	uint32_t *parent = xcalloc(in->nboxes + 1, sizeof(*parent));
	struct part_size *sizes = xcalloc(in->nboxes + 1, sizeof(*sizes));

	d->part = xcalloc(d->nitems + 1, sizeof(*d->part));
	for (size_t i = 0; i < in->nboxes; i++)
		parent[i] = sizes[i].root = (uint32_t)i;
	for (size_t e = 0; e < in->nedges; e++) {
		uint32_t a = find_root(parent, in->edges[e].from);
		uint32_t b = find_root(parent, in->edges[e].to);

		parent[a < b ? b : a] = a < b ? a : b;
	}
	for (size_t i = 0; i < in->nboxes; i++)
		if (!d->loose[i])
			sizes[find_root(parent, (uint32_t)i)].n++;
	qsort(sizes, in->nboxes, sizeof(*sizes), by_part_size);
	for (; d->nparts < in->nboxes && sizes[d->nparts].n; d->nparts++)
		d->part[sizes[d->nparts].root] = (uint32_t)d->nparts;
	for (size_t i = 0; i < in->nboxes; i++)
		d->part[i] = d->part[find_root(parent, (uint32_t)i)];
	for (size_t e = 0; e < in->nedges; e++)
		for (size_t i = d->dummies[e]; i < d->dummies[e + 1]; i++)
			d->part[i] = d->part[in->edges[e].to];
	free(parent);
	free(sizes);
}

/* Each part as far up as the one before it allows. */
static void
close_up(struct drawing *d)
{
	double *top = xcalloc(d->nparts + 1, sizeof(*top));
	double *bottom = xcalloc(d->nparts + 1, sizeof(*bottom)), at = 0;

	for (size_t k = 0; k < d->nparts; k++) {
		top[k] = INFINITY;
		bottom[k] = -INFINITY;
	}
	for (size_t i = 0; i < d->start[d->ncolumns]; i++) {
		uint32_t item = d->order[i], k = d->part[item];

		top[k] = fmin(top[k], d->y[item] - d->half[item]);
		bottom[k] = fmax(bottom[k], d->y[item] + d->half[item]);
	}
	for (size_t k = 0; k < d->nparts; k++) {
		double height = bottom[k] - top[k];

		top[k] = at - top[k];    /* from here on: how far the part moves */
		at += height + d->in->row_gap;
	}
	for (size_t i = 0; i < d->start[d->ncolumns]; i++)
		d->y[d->order[i]] += top[d->part[d->order[i]]];
	d->out->height = at;
	free(top);
	free(bottom);
}

/* ---- bands ---- */

struct band_mean {
	uint32_t group;
	double sum;
	size_t n;
};

static int
by_mean(const void *a, const void *b)
{
	const struct band_mean *x = a, *y = b;
	double mx = x->n ? x->sum / (double)x->n : INFINITY;
	double my = y->n ? y->sum / (double)y->n : INFINITY;

	if (mx != my)
		return mx < my ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

/* Bands stand in the order of the data: those further to the left higher up. */
static void
rank_bands(struct drawing *d)
{
	const struct layout_input *in = d->in;
	struct band_mean *means = xcalloc(in->ngroups, sizeof(*means));
	uint32_t *rank_of = xcalloc(in->ngroups, sizeof(*rank_of));

	for (size_t g = 0; g < in->ngroups; g++)
		means[g].group = (uint32_t)g;
	for (size_t i = 0; i < in->nboxes; i++)
		if (!d->loose[i]) {
			means[in->group_of[i]].sum += d->column[i];
			means[in->group_of[i]].n++;
		}
	qsort(means, in->ngroups, sizeof(*means), by_mean);
	d->out->bands = arena_zalloc(&d->out->arena, in->ngroups, sizeof(*d->out->bands));
	d->out->nbands = in->ngroups;
	for (size_t r = 0; r < in->ngroups; r++) {
		rank_of[means[r].group] = (uint32_t)r;
		d->out->bands[r].group = means[r].group;
	}
	d->rank = xcalloc(d->nitems + 1, sizeof(*d->rank));
	for (size_t i = 0; i < in->nboxes; i++)
		d->rank[i] = rank_of[in->group_of[i]];
	for (size_t e = 0; e < in->nedges; e++)   /* an edge runs in the band of its reader */
		for (size_t i = d->dummies[e]; i < d->dummies[e + 1]; i++)
			d->rank[i] = d->rank[in->edges[e].to];
	free(means);
	free(rank_of);
}

static double
height_of(const struct drawing *d, size_t item)
{
	return item < d->in->nboxes ? d->in->height + d->in->row_gap : DUMMY_HEIGHT;
}

/* Heights of the stacks in band r, by column, without the loose boxes; the highest is returned. */
static double
stack_band(const struct drawing *d, uint32_t r, double *stacks)
{
	double highest = 0;

	for (size_t c = 0; c < d->ncolumns; c++)
		stacks[c] = 0;
	for (size_t i = 0; i < d->nitems; i++)
		if (d->rank[i] == r && !(i < d->in->nboxes && d->loose[i]))
			stacks[d->column[i]] += height_of(d, i);
	for (size_t c = 0; c < d->ncolumns; c++)
		highest = fmax(highest, stacks[c]);
	return highest;
}

/* Loose boxes fill the free places of their band, then make it higher, evenly. */
static void
fit_loose_boxes(struct drawing *d, uint32_t r, double *stacks)
{
	for (size_t i = 0; i < d->in->nboxes; i++) {
		size_t best = 0;

		if (!d->loose[i] || d->rank[i] != r)
			continue;
		for (size_t c = 1; c < d->ncolumns; c++)
			if (stacks[c] < stacks[best])
				best = c;
		d->column[i] = (uint32_t)best;
		d->y[i] = INFINITY;    /* below the others of its place */
		stacks[best] += height_of(d, i);
	}
}

static void
size_bands(struct drawing *d)
{
	double *stacks = xcalloc(d->ncolumns + 1, sizeof(*stacks)), top = 0;

	for (uint32_t r = 0; r < d->in->ngroups; r++) {
		struct layout_band *b = &d->out->bands[r];
		double highest = stack_band(d, r, stacks);

		fit_loose_boxes(d, r, stacks);
		for (size_t c = 0; c < d->ncolumns; c++)
			highest = fmax(highest, stacks[c]);
		b->top = top;
		b->bottom = top + d->in->band_head + highest + d->in->row_gap / 2;
		top = b->bottom + d->in->row_gap;
	}
	d->out->height = top - d->in->row_gap;
	free(stacks);
}

/* ---- rows ---- */

static const struct drawing *sorted;   /* qsort has no room for it; main thread only */

static int
by_place(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;

	if (sorted->column[i] != sorted->column[k])
		return sorted->column[i] < sorted->column[k] ? -1 : 1;
	if (sorted->rank && sorted->rank[i] != sorted->rank[k])
		return sorted->rank[i] < sorted->rank[k] ? -1 : 1;
	if (sorted->part && sorted->part[i] != sorted->part[k])
		return sorted->part[i] < sorted->part[k] ? -1 : 1;
	if (sorted->y[i] != sorted->y[k])
		return sorted->y[i] < sorted->y[k] ? -1 : 1;
	return i < k ? -1 : i > k;
}

/* Fills order and start with the items that stand in columns. */
static void
sort_columns(struct drawing *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nitems; i++)
		if (d->rank || i >= d->in->nboxes || !d->loose[i])
			d->order[n++] = (uint32_t)i;
	sorted = d;
	qsort(d->order, n, sizeof(*d->order), by_place);
	for (size_t i = 0; i < n; i++)
		d->start[d->column[d->order[i]] + 1]++;
	for (size_t c = 0; c < d->ncolumns; c++)
		d->start[c + 1] += d->start[c];
}

struct links {
	const struct drawing *d;
	struct rows_link *v;
	size_t n, cap;
};

static void
push_link(void *self, uint32_t left, uint32_t right)
{
	struct links *l = self;
	size_t ndummies = (left >= l->d->in->nboxes) + (right >= l->d->in->nboxes);

	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	l->v[l->n++] = (struct rows_link){ left, right, link_weight[ndummies] };
}

/* Stacks each column from the top of its band (or of everything): where the sweeps start. */
static void
stack_columns(struct drawing *d)
{
	for (size_t c = 0; c < d->ncolumns; c++) {
		double at = 0;

		for (size_t i = d->start[c]; i < d->start[c + 1]; i++) {
			uint32_t item = d->order[i];

			if (d->rank)
				at = fmax(at, d->out->bands[d->rank[item]].top + d->in->band_head);
			d->y[item] = at + d->half[item];
			at += 2 * d->half[item];
		}
	}
}

static void
choose_rows(struct drawing *d)
{
	struct links links = { d, NULL, 0, 0 };
	double *low = NULL, *high = NULL;
	struct rows r;

	for (size_t i = 0; i < d->nitems; i++)
		d->half[i] = height_of(d, i) / 2;
	each_step(d, push_link, &links);
	if (d->rank) {
		low = xcalloc(d->nitems + 1, sizeof(*low));
		high = xcalloc(d->nitems + 1, sizeof(*high));
		for (size_t i = 0; i < d->nitems; i++) {
			low[i] = d->out->bands[d->rank[i]].top + d->in->band_head;
			high[i] = d->out->bands[d->rank[i]].bottom;
		}
	}
	r = (struct rows){
		.nitems = d->nitems, .y = d->y, .half = d->half, .ncolumns = d->ncolumns,
		.start = d->start, .order = d->order, .nlinks = links.n, .links = links.v,
		.low = low, .high = high
	};
	rows_untangle(&r, d->rank ? d->rank : d->part);
	stack_columns(d);
	rows_place(&r);
	free(links.v);
	free(low);
	free(high);
}

/* ---- places on the plane ---- */

/* Columns as wide as their widest box; the gap grows with the height edges have to climb in it. */
static void
size_columns(struct drawing *d)
{
	double *climb = xcalloc(d->ncolumns + 1, sizeof(*climb)), x = 0;

	for (size_t i = 0; i < d->in->nboxes; i++)
		if (d->rank || !d->loose[i])
			d->right[d->column[i]] = fmax(d->right[d->column[i]], d->in->widths[i]);
	for (size_t e = 0; e < d->in->nedges; e++) {
		size_t at = d->in->edges[e].from;

		for (size_t i = d->dummies[e]; i <= d->dummies[e + 1]; i++) {
			size_t next = i < d->dummies[e + 1] ? i : d->in->edges[e].to;

			climb[d->column[at]] = fmax(climb[d->column[at]],
			    fabs(d->y[at] - d->y[next]));
			at = next;
		}
	}
	for (size_t c = 0; c < d->ncolumns; c++) {
		d->left[c] = x;
		d->right[c] += x;
		d->out->width = d->right[c];
		x = d->right[c] + d->in->column_gap + fmin(3 * d->in->column_gap, climb[c] / 8);
	}
	free(climb);
}

static void
place_boxes(struct drawing *d)
{
	for (size_t i = 0; i < d->in->nboxes; i++)
		if (d->rank || !d->loose[i])
			d->out->boxes[i] = (struct layout_point){
				d->left[d->column[i]], d->y[i] - d->in->height / 2
			};
}

/* Without bands the loose boxes stand in rows of their own below the rest. */
static void
place_loose_boxes(struct drawing *d)
{
	double cell = 0, row = d->in->height + d->in->row_gap;
	double top = d->out->height + (d->ncolumns ? 2 * row : 0);
	size_t across, n = 0;

	if (d->rank || d->nloose == 0)
		return;
	for (size_t i = 0; i < d->in->nboxes; i++)
		if (d->loose[i])
			cell = fmax(cell, d->in->widths[i] + d->in->row_gap);
	across = (size_t)(fmax(d->out->width, d->in->min_width) / cell);
	if (across == 0)
		across = 1;
	for (size_t i = 0; i < d->in->nboxes; i++) {
		size_t line = n / across;

		if (!d->loose[i])
			continue;
		d->out->boxes[i] = (struct layout_point){
			(double)(n % across) * cell, top + (double)line * row
		};
		d->out->width = fmax(d->out->width, d->out->boxes[i].x + d->in->widths[i]);
		d->out->height = d->out->boxes[i].y + d->in->height;
		n++;
	}
}

static void
route_edges(struct drawing *d)
{
	for (size_t e = 0; e < d->in->nedges; e++) {
		struct layout_route *r = &d->out->routes[e];
		uint32_t from = d->in->edges[e].from, to = d->in->edges[e].to;
		size_t n = 0;

		r->points = arena_alloc(&d->out->arena,
		    (2 * (d->dummies[e + 1] - d->dummies[e]) + 3) * sizeof(*r->points));
		r->points[n++] = (struct layout_point){
			d->out->boxes[from].x + d->in->widths[from], d->y[from]
		};
		r->points[n++] = (struct layout_point){ d->right[d->column[from]], d->y[from] };
		for (size_t i = d->dummies[e]; i < d->dummies[e + 1]; i++) {
			r->points[n++] = (struct layout_point){ d->left[d->column[i]], d->y[i] };
			r->points[n++] = (struct layout_point){ d->right[d->column[i]], d->y[i] };
		}
		r->points[n++] = (struct layout_point){ d->out->boxes[to].x, d->y[to] };
		r->npoints = n;
	}
}

struct layout *
layout_new(const struct layout_input *in)
{
	struct layout *out = xcalloc(1, sizeof(*out));
	struct drawing d = { .in = in, .out = out };

	out->boxes = arena_zalloc(&out->arena, in->nboxes + 1, sizeof(*out->boxes));
	out->routes = arena_zalloc(&out->arena, in->nedges + 1, sizeof(*out->routes));
	d.column = xcalloc(in->nboxes + 1, sizeof(*d.column));
	d.loose = xcalloc(in->nboxes + 1, sizeof(*d.loose));
	d.ncolumns = columns_choose(in->nboxes, in->nedges, in->edges, d.column, d.loose);
	for (size_t i = 0; i < in->nboxes; i++)
		d.nloose += d.loose[i];
	if (in->ngroups && d.ncolumns == 0)
		d.ncolumns = 4;    /* bands of loose boxes only */
	add_dummies(&d);
	d.y = xcalloc(d.nitems + 1, sizeof(*d.y));
	d.half = xcalloc(d.nitems + 1, sizeof(*d.half));
	d.order = xcalloc(d.nitems + 1, sizeof(*d.order));
	d.start = xcalloc(d.ncolumns + 1, sizeof(*d.start));
	d.left = xcalloc(d.ncolumns + 1, sizeof(*d.left));
	d.right = xcalloc(d.ncolumns + 1, sizeof(*d.right));
	if (in->nedges)
		order_by_igraph(&d);
	if (in->ngroups) {
		rank_bands(&d);
		size_bands(&d);
	} else {
		find_parts(&d);
	}
	sort_columns(&d);
	choose_rows(&d);
	if (!in->ngroups)
		close_up(&d);
	size_columns(&d);
	place_boxes(&d);
	place_loose_boxes(&d);
	route_edges(&d);
	free(d.column);
	free(d.rank);
	free(d.part);
	free(d.loose);
	free(d.dummies);
	free(d.y);
	free(d.half);
	free(d.order);
	free(d.start);
	free(d.left);
	free(d.right);
	return out;
}

void
layout_free(struct layout *l)
{
	if (!l)
		return;
	arena_release(&l->arena);
	free(l);
}
