#include "tests/check.h"

#include "graph/set.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static size_t
draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

/* The slow and obvious set beside which each operation is checked. */
struct plain {
	bool has[300];
};

static void
fill_both(struct set *s, struct plain *p, size_t n)
{
	set_init(s, n);
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < n / 2; i++) {
		size_t k = draw(n);

		set_add(s, k);
		p->has[k] = true;
	}
}

static void
assert_same(const struct set *s, const struct plain *p)
{
	size_t count = 0, next = 0;

	for (size_t i = 0; i < s->nbits; i++) {
		assert_int_equal(set_has(s, i), p->has[i]);
		if (!p->has[i])
			continue;
		assert_int_equal(set_next(s, next), i);
		next = i + 1;
		count++;
	}
	assert_int_equal(set_next(s, next), s->nbits);
	assert_int_equal(set_count(s), count);
	assert_int_equal(set_is_empty(s), count == 0);
}

static void
test_operations_agree_with_a_plain_array(void **state)
{
	(void)state;
	for (size_t n = 1; n < 300; n += 1 + n / 9) {
		struct set a, b, c;
		struct plain pa, pb, pc = {0};

		fill_both(&a, &pa, n);
		fill_both(&b, &pb, n);
		assert_same(&a, &pa);

		set_copy(&c, &a);
		set_union(&c, &b);
		for (size_t i = 0; i < n; i++)
			pc.has[i] = pa.has[i] || pb.has[i];
		assert_same(&c, &pc);
		set_subtract(&c, &b);
		for (size_t i = 0; i < n; i++)
			pc.has[i] = pa.has[i] && !pb.has[i];
		assert_same(&c, &pc);
		set_release(&c);

		set_copy(&c, &a);
		assert_true(set_equal(&a, &c));
		set_intersect(&c, &b);
		for (size_t i = 0; i < n; i++)
			pc.has[i] = pa.has[i] && pb.has[i];
		assert_same(&c, &pc);
		set_release(&c);
		set_release(&a);
		set_release(&b);
	}
}

static void
test_full_has_exactly_its_bits(void **state)
{
	static const size_t sizes[] = { 1, 63, 64, 65, 127, 128, 129 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct set s;

		set_init(&s, sizes[i]);
		set_fill(&s);
		assert_int_equal(set_count(&s), sizes[i]);
		set_del(&s, sizes[i] - 1);
		assert_int_equal(set_count(&s), sizes[i] - 1);
		set_clear(&s);
		assert_true(set_is_empty(&s));
		set_release(&s);
	}
}

static void
test_empty_sets_are_fine(void **state)
{
	struct set none = SET_INIT, zero, copy;

	(void)state;
	set_init(&zero, 0);
	set_fill(&zero);
	assert_true(set_is_empty(&zero));
	assert_int_equal(set_next(&zero, 0), 0);
	assert_true(set_equal(&none, &zero));
	set_copy(&copy, &none);
	assert_int_equal(set_count(&copy), 0);
	set_release(&copy);
	set_release(&zero);
	set_release(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations_agree_with_a_plain_array),
		cmocka_unit_test(test_full_has_exactly_its_bits),
		cmocka_unit_test(test_empty_sets_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
