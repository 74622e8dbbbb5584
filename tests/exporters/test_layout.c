#include "tests/check.h"

#include <math.h>

#include "exporters/layout.h"
#include "exporters/rows.h"
#include "util/xalloc.h"

/* ---- rows ---- */

static void
test_linked_items_become_level(void **state)
{
	/* 0 and 1 on the left, 2 and 3 on the right, 1 linked to 2 and 0 linked to 3 would cross:
	 * the order stays, and 1 and 2 meet where the distances allow it. */
	double y[] = { 5, 15, 5, 15 };
	const double half[] = { 5, 5, 5, 5 };
	const size_t start[] = { 0, 2, 4 };
	uint32_t order[] = { 0, 1, 2, 3 };
	const struct rows_link links[] = { { 1, 2, 1 } };
	struct rows r = {
		.nitems = 4, .y = y, .half = half, .ncolumns = 2, .start = start, .order = order,
		.nlinks = 1, .links = links
	};

	(void)state;
	rows_place(&r);
	assert_true(fabs(y[1] - y[2]) < 0.01);
	assert_true(y[1] - y[0] >= 10 - 1e-9);
	assert_true(y[3] - y[2] >= 10 - 1e-9);
}

static void
test_limits_hold(void **state)
{
	double y[] = { 5, 105, 5 };
	const double half[] = { 5, 5, 5 };
	const size_t start[] = { 0, 2, 3 };
	uint32_t order[] = { 0, 1, 2 };
	const struct rows_link links[] = { { 0, 2, 1 }, { 1, 2, 1 } };
	const double low[] = { 0, 100, 0 }, high[] = { 20, 140, 30 };
	struct rows r = {
		.nitems = 3, .y = y, .half = half, .ncolumns = 2, .start = start, .order = order,
		.nlinks = 2, .links = links, .low = low, .high = high
	};

	(void)state;
	rows_place(&r);
	for (size_t i = 0; i < 3; i++) {
		assert_true(y[i] - half[i] >= low[i] - 1e-9);
		assert_true(y[i] + half[i] <= high[i] + 1e-9);
	}
}

/* ---- layout ---- */

static uint32_t
pseudo_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

struct sample {
	struct layout_input in;
	double *widths;
	struct layout_edge *edges;
	uint32_t *group_of;
};

/* n boxes, most of them with up to three edges from boxes before them. */
static struct sample
sample_new(size_t n, size_t ngroups, uint32_t seed)
{
	struct sample s = {
		.widths = xcalloc(n + 1, sizeof(double)),
		.group_of = xcalloc(n + 1, sizeof(uint32_t)),
		.edges = xcalloc(3 * n + 1, sizeof(struct layout_edge))
	};
	size_t nedges = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t first, made = 0;

		s.widths[i] = 20 + pseudo_random(&seed) % 200;
		s.group_of[i] = ngroups ? pseudo_random(&seed) % (uint32_t)ngroups : 0;
		for (uint32_t k = 0; i && k < pseudo_random(&seed) % 4; k++) {
			uint32_t from = pseudo_random(&seed) % i;

			for (first = 0; first < made &&
			    s.edges[nedges - 1 - first].from != from; first++)
				;
			if (first < made)
				continue;
			s.edges[nedges++] = (struct layout_edge){ from, i };
			made++;
		}
	}
	s.in = (struct layout_input){
		.nboxes = n, .widths = s.widths, .height = 24, .row_gap = 8, .column_gap = 50,
		.nedges = nedges, .edges = s.edges, .ngroups = ngroups,
		.group_of = ngroups ? s.group_of : NULL, .band_head = 20, .min_width = 700
	};
	return s;
}

static void
sample_release(struct sample *s)
{
	free(s->widths);
	free(s->edges);
	free(s->group_of);
}

static bool
overlap(const struct sample *s, const struct layout *l, size_t i, size_t k)
{
	const struct layout_point *a = &l->boxes[i], *b = &l->boxes[k];

	return a->x < b->x + s->widths[k] && b->x < a->x + s->widths[i] &&
		a->y < b->y + 24 - 1e-6 && b->y < a->y + 24 - 1e-6;
}

static void
check_layout(const struct sample *s)
{
	struct layout *l = layout_new(&s->in);

	for (size_t i = 0; i < s->in.nboxes; i++) {
		assert_true(l->boxes[i].x >= 0 && l->boxes[i].x + s->widths[i] <= l->width + 1e-6);
		assert_true(l->boxes[i].y >= -1e-6 && l->boxes[i].y + 24 <= l->height + 1e-6);
		for (size_t k = 0; k < i; k++)
			if (overlap(s, l, i, k))
				fail_msg("boxes %zu and %zu overlap", i, k);
	}
	for (size_t e = 0; e < s->in.nedges; e++) {
		const struct layout_route *r = &l->routes[e];
		const struct layout_point *from = &l->boxes[s->edges[e].from];
		const struct layout_point *to = &l->boxes[s->edges[e].to];

		assert_true(r->points[0].x == from->x + s->widths[s->edges[e].from]);
		assert_true(fabs(r->points[0].y - (from->y + 12)) < 1e-6);
		assert_true(r->points[r->npoints - 1].x == to->x);
		assert_true(fabs(r->points[r->npoints - 1].y - (to->y + 12)) < 1e-6);
		for (size_t i = 1; i < r->npoints; i++)
			assert_true(r->points[i].x >= r->points[i - 1].x);
	}
	layout_free(l);
}

/* The level stretches of edges run between boxes, not over them. */
static void
check_routes(const struct sample *s)
{
	struct layout *l = layout_new(&s->in);

	for (size_t e = 0; e < s->in.nedges; e++)
		for (size_t i = 2; i + 1 < l->routes[e].npoints; i += 2) {
			const struct layout_point *p = &l->routes[e].points[i];

			for (size_t k = 0; k < s->in.nboxes; k++)
				if (p[0].x <= l->boxes[k].x && l->boxes[k].x < p[1].x + 1 &&
				    p[0].y > l->boxes[k].y + 1e-6 &&
				    p[0].y < l->boxes[k].y + 24 - 1e-6)
					fail_msg("edge %zu runs through box %zu", e, k);
		}
	layout_free(l);
}

static void
test_boxes_do_not_overlap_and_edges_lead_right(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 12; seed++)
		for (size_t ngroups = 0; ngroups <= 6; ngroups += 3) {
			struct sample s = sample_new(seed * 17, ngroups, seed);

			check_layout(&s);
			check_routes(&s);
			sample_release(&s);
		}
}

static void
test_bands_hold_their_boxes(void **state)
{
	struct sample s = sample_new(120, 5, 7);
	struct layout *l = layout_new(&s.in);

	(void)state;
	assert_int_equal(l->nbands, 5);
	for (size_t b = 0; b < l->nbands; b++) {
		if (b)
			assert_true(l->bands[b].top >= l->bands[b - 1].bottom);
		for (size_t i = 0; i < s.in.nboxes; i++)
			if (s.group_of[i] == l->bands[b].group) {
				assert_true(l->boxes[i].y >= l->bands[b].top + 20 - 1e-6);
				assert_true(l->boxes[i].y + 24 <= l->bands[b].bottom + 1e-6);
			}
	}
	layout_free(l);
	sample_release(&s);
}

static void
test_nothing_and_one_box(void **state)
{
	struct sample none = sample_new(0, 0, 1), one = sample_new(1, 0, 1),
	    banded = sample_new(1, 1, 1);

	(void)state;
	check_layout(&none);
	check_layout(&one);
	check_layout(&banded);
	sample_release(&none);
	sample_release(&one);
	sample_release(&banded);
}

static void
test_links_are_untangled(void **state)
{
	/* Two crossing links: one of the columns turns round. Keys keep items apart that must
	 * be. */
	double y[4] = { 0 };
	const double half[] = { 5, 5, 5, 5 };
	const size_t start[] = { 0, 2, 4 };
	uint32_t order[] = { 0, 1, 2, 3 };
	const struct rows_link links[] = { { 0, 3, 1 }, { 1, 2, 1 } };
	const uint32_t same[] = { 0, 0, 0, 0 }, apart[] = { 0, 1, 0, 1 };
	struct rows r = {
		.nitems = 4, .y = y, .half = half, .ncolumns = 2, .start = start, .order = order,
		.nlinks = 2, .links = links
	};

	(void)state;
	assert_int_equal(rows_crossings(&r), 1);
	rows_untangle(&r, apart);
	assert_int_equal(rows_crossings(&r), 1);
	rows_untangle(&r, same);
	assert_int_equal(rows_crossings(&r), 0);
}

static void
test_a_root_stands_next_to_its_first_reader(void **state)
{
	/* 0 -> 1 -> 2 -> 3 and 4 -> 3: 4 stands in the column of 2, not in the first. */
	const double widths[] = { 50, 50, 50, 50, 50 };
	const struct layout_edge edges[] = { { 0, 1 }, { 1, 2 }, { 2, 3 }, { 4, 3 } };
	struct layout *l = layout_new(&(struct layout_input){
		.nboxes = 5, .widths = widths, .height = 24, .row_gap = 8, .column_gap = 50,
		.nedges = 4, .edges = edges
	});

	(void)state;
	assert_true(l->boxes[4].x == l->boxes[2].x);
	assert_true(l->boxes[1].x > l->boxes[0].x);
	layout_free(l);
}

static void
test_the_same_input_gives_the_same_places(void **state)
{
	struct sample s = sample_new(200, 0, 3);
	struct layout *a = layout_new(&s.in), *b = layout_new(&s.in);

	(void)state;
	assert_memory_equal(a->boxes, b->boxes, 200 * sizeof(*a->boxes));
	layout_free(a);
	layout_free(b);
	sample_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linked_items_become_level),
		cmocka_unit_test(test_limits_hold),
		cmocka_unit_test(test_links_are_untangled),
		cmocka_unit_test(test_boxes_do_not_overlap_and_edges_lead_right),
		cmocka_unit_test(test_bands_hold_their_boxes),
		cmocka_unit_test(test_nothing_and_one_box),
		cmocka_unit_test(test_a_root_stands_next_to_its_first_reader),
		cmocka_unit_test(test_the_same_input_gives_the_same_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
