/* Plans cut into parts: every task in one part, the parts in an order of the plan, few cuts. */
#include "tests/check.h"

#include "exporters/parts.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/xalloc.h"

/* The key of a node is the first letter of its name; of a test that waits for something, none. */
static struct part_key *
letters(const struct plan *p, struct arena *a)
{
	struct part_key *keys = arena_zalloc(a, p->ntasks + 1, sizeof(*keys));

	for (size_t i = 0; i < p->ntasks; i++) {
		const struct node *n = p->tasks[i].node;

		if (n->kind != KIND_TEST || p->tasks[i].nparents == 0)
			keys[i].text = arena_strndup(a, n->name, 1);
	}
	return keys;
}

/* "a: a1 a2 | b: b1 | a2: a3", each part's tasks by id. Checks that the parts are in an order. */
static void
check_cut(const char *text, const char *expected)
{
	struct graph *g = tiny_graph(text);
	struct plan *p = tiny_plan(g, PLAN_BUILD, NULL);
	struct arena a = ARENA_INIT;
	struct parts parts;
	struct buf b = BUF_INIT;

	parts_cut(&parts, &a, p, letters(p, &a));
	for (size_t k = 0; k < parts.n; k++) {
		buf_addf(&b, "%s%s", k ? " | " : "", parts.v[k].key);
		if (parts.v[k].number > 1)
			buf_addf(&b, "%u", parts.v[k].number);
		buf_addc(&b, ':');
		for (size_t i = 0; i < p->ntasks; i++)
			if (parts.of[i] == k)
				buf_addf(&b, " %s", p->tasks[i].node->name);
	}
	for (size_t i = 0; i < p->ntasks; i++) {
		assert_true(parts.of[i] < parts.n);
		for (size_t k = 0; k < p->tasks[i].nparents; k++)
			assert_true(parts.of[p->tasks[i].parents[k]] <= parts.of[i]);
	}
	assert_string_equal(buf_str(&b), expected);
	buf_release(&b);
	arena_release(&a);
	plan_free(p);
	graph_free(g);
}

static void
test_whole_keys(void **state)
{
	(void)state;
	check_cut("model a1\nmodel a2: a1\nmodel b1: a2\nmodel c1: a1\n",
	    "a: a1 a2 | b: b1 | c: c1");
	check_cut("", "");
}

static void
test_a_key_that_reads_itself_through_another(void **state)
{
	(void)state;
	check_cut("model a1\nmodel b1: a1\nmodel a2: b1\n", "a: a1 | b: b1 | a2: a2");
	/* Twice around, and a second way that needs no cut of its own. */
	check_cut("model a1\nmodel b1: a1\nmodel a2: b1\nmodel b2: a2\nmodel a3: b2\nmodel c1: "
	    "b1\n",
	    "a: a1 | b: b1 | c: c1 | a2: a2 | b2: b2 | a3: a3");
}

/* Of two keys that hold each other up, the one that can give more is cut. */
static void
test_the_smaller_cut(void **state)
{
	(void)state;
	check_cut("model a1\nmodel b1\nmodel b2\nmodel b3\nmodel a2: b1\nmodel b4: a1\n",
	    "b: b1 b2 b3 | a: a1 a2 | b2: b4");
}

/* A test that reads two parts runs in the last of them, before what it holds back there. */
static void
test_tests_go_with_what_they_wait_for(void **state)
{
	(void)state;
	check_cut("model a1\nmodel b1: a1\nmodel b2: b1\ntest t: a1 b1\ntest u: a1\n",
	    "a: a1 u | b: b1 b2 t");
	check_cut("source s\nmodel a1: s\ntest x: s\n", "x: x | a: a1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_keys),
		cmocka_unit_test(test_a_key_that_reads_itself_through_another),
		cmocka_unit_test(test_the_smaller_cut),
		cmocka_unit_test(test_tests_go_with_what_they_wait_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
