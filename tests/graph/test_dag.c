#include "tests/check.h"

#include "graph/dag.h"
#include "util/xalloc.h"

static uint64_t seed = 88172645463325252u;

static size_t
draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

static void
assert_order(const struct dag_edge *edges, size_t nedges, size_t n)
{
	struct dag *d = dag_new(n, edges, nedges);
	uint32_t order[64], place[64], *cycle;
	size_t ncycle;

	assert_int_equal(dag_order(d, order, &cycle, &ncycle), 0);
	assert_null(cycle);
	memset(place, 0xff, sizeof(place));
	for (size_t i = 0; i < n; i++)
		place[order[i]] = (uint32_t)i;
	for (size_t i = 0; i < n; i++)
		assert_true(place[i] < n);
	for (size_t i = 0; i < nedges; i++)
		assert_true(place[edges[i].from] < place[edges[i].to]);
	dag_free(d);
}

static void
test_order_of_small_graphs(void **state)
{
	static const struct dag_edge edges[] = { {4, 0}, {4, 1}, {1, 0}, {3, 2} };
	struct dag *d = dag_new(5, edges, 4);
	uint32_t order[5];
	static const uint32_t expected[] = { 3, 4, 1, 2, 0 };   /* by depth, then by number */

	(void)state;
	assert_int_equal(dag_order(d, order, NULL, NULL), 0);
	assert_memory_equal(order, expected, sizeof(expected));
	dag_free(d);
	assert_order(NULL, 0, 1);
	assert_order(NULL, 0, 0);
}

static size_t
random_edges(struct dag_edge *edges, size_t n, size_t nedges)
{
	uint32_t name[64];

	for (uint32_t i = 0; i < n; i++)
		name[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t k = draw(i);
		uint32_t t = name[i - 1];

		name[i - 1] = name[k];
		name[k] = t;
	}
	for (size_t i = 0; i < nedges; i++) {
		size_t a = draw(n), b = draw(n - 1);

		b += b >= a;
		edges[i].from = name[a < b ? a : b];
		edges[i].to = name[a < b ? b : a];
	}
	return nedges;
}

static void
test_order_of_random_graphs(void **state)
{
	struct dag_edge edges[128];

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 2 + draw(60);

		assert_order(edges, random_edges(edges, n, draw(128)), n);
	}
}

/* A cycle is a walk along edges that ends where it began and meets nothing twice. */
static void
assert_cycle(const struct dag_edge *edges, size_t nedges, const uint32_t *cycle, size_t ncycle)
{
	assert_true(ncycle >= 2);
	assert_int_equal(cycle[0], cycle[ncycle - 1]);
	for (size_t i = 0; i + 1 < ncycle; i++) {
		bool found = false;

		for (size_t k = 0; k < nedges; k++)
			found |= edges[k].from == cycle[i] && edges[k].to == cycle[i + 1];
		assert_true(found);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(cycle[i], cycle[k]);
	}
}

static void
test_a_cycle_is_named(void **state)
{
	static const struct dag_edge self[] = { {1, 1} }, pair[] = { {0, 1}, {1, 0} };
	/* 0 -> 1 -> 2 -> 3 -> 1, 3 -> 4: only 1 2 3 are on it */
	static const struct dag_edge tail[] = { {0, 1}, {1, 2}, {2, 3}, {3, 1}, {3, 4} };
	static const struct {
		const struct dag_edge *edges;
		size_t nedges, ncycle;
	} cases[] = { { self, 1, 2 }, { pair, 2, 3 }, { tail, 5, 4 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct dag *d = dag_new(5, cases[i].edges, cases[i].nedges);
		uint32_t order[5], *cycle;
		size_t ncycle;

		assert_int_equal(dag_order(d, order, &cycle, &ncycle), -1);
		assert_int_equal(ncycle, cases[i].ncycle);
		assert_cycle(cases[i].edges, cases[i].nedges, cycle, ncycle);
		free(cycle);
		assert_int_equal(dag_order(d, order, NULL, NULL), -1);
		dag_free(d);
	}
}

static void
test_random_graphs_with_an_edge_back(void **state)
{
	struct dag_edge edges[128];
	size_t found = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 2 + draw(60), nedges = random_edges(edges, n, 1 + draw(126));
		struct dag_edge back = { edges[nedges - 1].to, edges[0].from };
		uint32_t order[64], *cycle;
		size_t ncycle;
		struct dag *d;

		edges[nedges++] = back;
		d = dag_new(n, edges, nedges);
		if (dag_order(d, order, &cycle, &ncycle) < 0) {
			assert_cycle(edges, nedges, cycle, ncycle);
			found++;
		}
		free(cycle);
		dag_free(d);
	}
	assert_true(found > 20);
}

/* Distances by trying every edge again and again: slow and obvious. */
static void
plain_reach(const struct dag_edge *edges, size_t nedges, const struct set *from, size_t depth,
    bool up, struct set *out)
{
	struct set now, next;

	set_copy(&now, from);
	for (size_t step = 0; step < depth && step < 64; step++) {
		set_init(&next, from->nbits);
		for (size_t i = 0; i < nedges; i++)
			if (set_has(&now, up ? edges[i].to : edges[i].from))
				set_add(&next, up ? edges[i].from : edges[i].to);
		set_union(out, &next);
		set_release(&now);
		now = next;
	}
	set_release(&now);
}

static void
test_reach_agrees_with_the_obvious_way(void **state)
{
	static const size_t depths[] = { 0, 1, 2, 3, SIZE_MAX };
	struct dag_edge edges[128];

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = 2 + draw(60), nedges = random_edges(edges, n, draw(128));
		size_t depth = depths[draw(5)];
		bool up = draw(2);
		struct dag *d = dag_new(n, edges, nedges);
		struct set from, out, expected;

		set_init(&from, n);
		set_init(&out, n);
		set_init(&expected, n);
		for (size_t i = 0; i < 1 + n / 10; i++)
			set_add(&from, draw(n));
		set_add(&out, draw(n));   /* what was there stays and stops nothing */
		set_union(&expected, &out);
		dag_reach(d, &from, up ? DAG_UP : DAG_DOWN, depth, &out);
		plain_reach(edges, nedges, &from, depth, up, &expected);
		assert_true(set_equal(&out, &expected));
		set_release(&from);
		set_release(&out);
		set_release(&expected);
		dag_free(d);
	}
}

static void
test_start_is_reached_only_through_others(void **state)
{
	static const struct dag_edge edges[] = { {0, 1}, {1, 2}, {2, 3} };
	struct dag *d = dag_new(4, edges, 3);
	struct set from, out;

	(void)state;
	set_init(&from, 4);
	set_init(&out, 4);
	set_add(&from, 0);
	set_add(&from, 2);
	dag_reach(d, &from, DAG_DOWN, 1, &out);
	assert_int_equal(out.words[0], 1 << 1 | 1 << 3);
	set_clear(&out);
	dag_reach(d, &from, DAG_DOWN, 2, &out);
	assert_int_equal(out.words[0], 1 << 1 | 1 << 2 | 1 << 3);
	set_release(&from);
	set_release(&out);
	dag_free(d);
}

static void
test_longest_paths(void **state)
{
	static const struct dag_edge edges[] = { {0, 1}, {0, 2}, {1, 3}, {2, 3}, {4, 3} };
	static const double seconds[] = { 1, 5, 2, 10, 20, 7 };
	static const double expected[] = { 16, 15, 12, 10, 30, 7 };
	struct dag *d = dag_new(6, edges, 5);
	double longest[6];

	(void)state;
	assert_true(dag_longest(d, seconds, longest) == 30);
	for (int i = 0; i < 6; i++)
		assert_true(longest[i] == expected[i]);
	dag_free(d);
	d = dag_new(0, NULL, 0);
	assert_true(dag_longest(d, NULL, longest) == 0);
	dag_free(d);
}

static void
test_a_long_chain_needs_no_stack(void **state)
{
	enum { N = 100000 };
	struct dag_edge *edges = xreallocarray(NULL, N, sizeof(*edges));
	uint32_t *order = xreallocarray(NULL, N, sizeof(*order)), *cycle;
	double *seconds = xreallocarray(NULL, 2 * N, sizeof(*seconds));
	struct set from, out;
	struct dag *d;
	size_t ncycle;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		edges[i] = (struct dag_edge){ (i + 1) % N, i };
		seconds[i] = 1;
	}
	d = dag_new(N, edges, N - 1);   /* N-1 -> ... -> 1 -> 0 */
	assert_int_equal(dag_order(d, order, NULL, NULL), 0);
	assert_int_equal(order[0], N - 1);
	assert_int_equal(order[N - 1], 0);
	assert_true(dag_longest(d, seconds, seconds + N) == N);
	set_init(&from, N);
	set_init(&out, N);
	set_add(&from, N - 1);
	dag_reach(d, &from, DAG_DOWN, SIZE_MAX, &out);
	assert_int_equal(set_count(&out), N - 1);
	dag_free(d);

	d = dag_new(N, edges, N);
	assert_int_equal(dag_order(d, order, &cycle, &ncycle), -1);
	assert_int_equal(ncycle, N + 1);
	free(cycle);
	dag_free(d);
	set_release(&from);
	set_release(&out);
	free(edges);
	free(order);
	free(seconds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_small_graphs),
		cmocka_unit_test(test_order_of_random_graphs),
		cmocka_unit_test(test_a_cycle_is_named),
		cmocka_unit_test(test_random_graphs_with_an_edge_back),
		cmocka_unit_test(test_reach_agrees_with_the_obvious_way),
		cmocka_unit_test(test_start_is_reached_only_through_others),
		cmocka_unit_test(test_longest_paths),
		cmocka_unit_test(test_a_long_chain_needs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
