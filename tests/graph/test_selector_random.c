/* Selections against a slow, obvious model, on random projects. */
#include "tests/check.h"

#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "tests/graph/lines.h"
#include "util/buf.h"

static uint64_t seed = 0x853c49e6748fea9bu;

static size_t
draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)((seed >> 11) % below);
}

#define MAX_NODES 24

typedef struct {
	bool has[MAX_NODES];
} group;    /* of lines, by number */

static struct line lines[MAX_NODES];
static size_t nlines;

struct criterion {
	bool at, up, down;
	size_t up_depth, down_depth;     /* MAX_NODES: all */
	int by;                          /* 0 name, 1 tag, 2 kind, 3 everything by fqn:* */
	char value[64];
};

struct word {
	struct criterion parts[3];
	size_t nparts;
};

struct request {
	struct word select[3], exclude[2];
	size_t nselect, nexclude;
	enum selector_mode mode;
};

static const char *const kinds[] = { "source", "seed", "model", "snapshot", "test", "unit_test",
    "exposure" };

static bool
is_test(size_t i)
{
	return strstr(lines[i].kind, "test") != NULL;
}

static bool
is_parent(size_t p, size_t c)
{
	for (size_t k = 0; k < lines[c].nparents; k++)
		if (strcmp(lines[c].parents[k], lines[p].name) == 0)
			return true;
	return false;
}

static void
random_lines(void)
{
	static char names[MAX_NODES][24];
	static const char *const tags[] = { "red", "blue" };

	nlines = 4 + draw(MAX_NODES - 4);
	for (size_t i = 0; i < nlines; i++) {
		struct line *l = &lines[i];

		memset(l, 0, sizeof(*l));
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		snprintf(l->name, sizeof(l->name), "%s", names[i]);
		snprintf(l->kind, sizeof(l->kind), "%s", kinds[i < 2 ? draw(2) : draw(7)]);
		if (draw(3) == 0)
			l->tags[l->ntags++] = tags[draw(2)];
		if (strcmp(l->kind, "source") == 0 || strcmp(l->kind, "seed") == 0)
			continue;
		for (size_t p = 0; p < i && l->nparents < 4; p++)
			if (!is_test(p) && strcmp(lines[p].kind, "exposure") != 0 && draw(4) == 0)
				l->parents[l->nparents++] = names[p];
	}
}

static group
reach_slowly(group from, bool down, size_t depth)
{
	group out = { { false } };

	for (size_t step = 0; step < depth; step++) {
		group next = { { false } };

		for (size_t a = 0; a < nlines; a++)
			for (size_t b = 0; b < nlines; b++)
				if (from.has[a] && (down ? is_parent(a, b) : is_parent(b, a)))
					next.has[b] = true;
		for (size_t i = 0; i < nlines; i++)
			out.has[i] = out.has[i] || next.has[i];
		from = next;
	}
	return out;
}

static group
both(group a, group b)
{
	for (size_t i = 0; i < nlines; i++)
		a.has[i] = a.has[i] || b.has[i];
	return a;
}

static bool
all_parents_in(size_t t, group g)
{
	for (size_t p = 0; p < nlines; p++)
		if (is_parent(p, t) && !g.has[p])
			return false;
	return true;
}

static group
chosen_by(const struct criterion *c)
{
	group out = { { false } };

	for (size_t i = 0; i < nlines; i++) {
		const struct line *l = &lines[i];
		bool source = strcmp(l->kind, "source") == 0;

		if (c->by == 0)
			out.has[i] = !source && strcmp(l->name, c->value) == 0;
		else if (c->by == 1)
			out.has[i] = l->ntags > 0 && strcmp(l->tags[0], c->value) == 0;
		else if (c->by == 2)
			out.has[i] = strcmp(l->kind, c->value) == 0;
		else
			out.has[i] = !source;
	}
	if (c->at) {
		group below = both(out, reach_slowly(out, true, MAX_NODES));
		group added = both(below, reach_slowly(below, false, MAX_NODES));

		if (c->up)
			added = both(added, reach_slowly(out, false, c->up_depth));
		return added;
	}
	group found = out;

	if (c->up)
		found = both(found, reach_slowly(out, false, c->up_depth));
	if (c->down)
		found = both(found, reach_slowly(out, true, c->down_depth));
	return found;
}

struct pair {
	group direct, later;
};

static struct pair
expand_slowly(group chosen, enum selector_mode mode)
{
	struct pair r = { chosen, { { false } } };
	group present = both(chosen, reach_slowly(chosen, false, MAX_NODES));

	for (size_t i = 0; i < nlines; i++)
		present.has[i] = present.has[i] || strcmp(lines[i].kind, "source") == 0;
	for (size_t p = 0; mode != MODE_EMPTY && p < nlines; p++)
		for (size_t t = 0; chosen.has[p] && t < nlines; t++) {
			if (!is_test(t) || !is_parent(p, t))
				continue;
			if (mode == MODE_EAGER || all_parents_in(t, chosen) ||
			    (mode == MODE_BUILDABLE && all_parents_in(t, present)))
				r.direct.has[t] = true;
			else
				r.later.has[t] = true;
		}
	return r;
}

/* op: 'u' union, 'i' intersection, 'd' difference. */
static struct pair
combine_slowly(char op, const struct pair *parts, size_t n, enum selector_mode mode)
{
	struct pair r = { { { false } }, { { false } } };

	for (size_t i = 0; i < nlines; i++)
		for (size_t k = 0; k < n; k++) {
			bool direct = parts[k].direct.has[i], any = direct || parts[k].later.has[i];

			if (k == 0) {
				r.direct.has[i] = direct;
				r.later.has[i] = any;
			} else if (op == 'u') {
				r.direct.has[i] = r.direct.has[i] || direct;
				r.later.has[i] = r.later.has[i] || any;
			} else if (op == 'i') {
				r.direct.has[i] = r.direct.has[i] && direct;
				r.later.has[i] = r.later.has[i] && any;
			} else {
				r.direct.has[i] = r.direct.has[i] && !direct;
				r.later.has[i] = r.later.has[i] && !any;
			}
		}
	group present = r.direct;

	if (mode == MODE_BUILDABLE)
		present = both(present, reach_slowly(present, false, MAX_NODES));
	if (mode == MODE_CAUTIOUS || mode == MODE_BUILDABLE)
		for (size_t t = 0; t < nlines; t++)
			if (strcmp(lines[t].kind, "test") == 0 && r.later.has[t] &&
			    all_parents_in(t, present))
				r.direct.has[t] = true;
	return r;
}

static struct pair
answer_words(const struct word *words, size_t n, enum selector_mode mode)
{
	struct pair found[3];

	for (size_t i = 0; i < n; i++) {
		struct pair parts[3];

		for (size_t k = 0; k < words[i].nparts; k++)
			parts[k] = expand_slowly(chosen_by(&words[i].parts[k]), mode);
		found[i] = combine_slowly('i', parts, words[i].nparts, mode);
	}
	return combine_slowly('u', found, n, mode);
}

static group
answer_slowly(const struct request *r)
{
	struct pair sides[2] = {
		answer_words(r->select, r->nselect, r->mode),
		answer_words(r->exclude, r->nexclude, r->mode),
	};

	return combine_slowly('d', sides, 2, MODE_EAGER).direct;
}

static struct criterion
random_criterion(void)
{
	struct criterion c = { .at = draw(6) == 0, .up = draw(3) == 0, .by = (int)draw(4) };

	c.down = !c.at && draw(3) == 0;
	c.up_depth = draw(2) ? draw(4) : MAX_NODES;
	c.down_depth = draw(2) ? draw(4) : MAX_NODES;
	if (c.by == 0)
		snprintf(c.value, sizeof(c.value), "n%zu", draw(nlines + 1));
	else if (c.by == 1)
		snprintf(c.value, sizeof(c.value), "%s", draw(2) ? "red" : "blue");
	else if (c.by == 2)
		snprintf(c.value, sizeof(c.value), "%s", kinds[draw(7)]);
	return c;
}

static void
print_words(struct buf *b, const struct word *words, size_t n)
{
	static const char *const methods[] = { "", "tag:", "resource_type:", "fqn:*" };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < words[i].nparts; k++) {
			const struct criterion *c = &words[i].parts[k];

			buf_adds(b, k > 0 ? "," : i > 0 ? " " : "");
			buf_adds(b, c->at ? "@" : "");
			if (c->up && c->up_depth < MAX_NODES)
				buf_addf(b, "%zu", c->up_depth);
			buf_addf(b, "%s%s%s%s", c->up ? "+" : "", methods[c->by], c->value,
			    c->down ? "+" : "");
			if (c->down && c->down_depth < MAX_NODES)
				buf_addf(b, "%zu", c->down_depth);
		}
}

static struct request
random_request(void)
{
	struct request r = { .nselect = 1 + draw(3), .nexclude = draw(3),
	    .mode = (enum selector_mode)draw(4) };

	for (size_t i = 0; i < r.nselect; i++) {
		r.select[i].nparts = 1 + draw(3);
		for (size_t k = 0; k < r.select[i].nparts; k++)
			r.select[i].parts[k] = random_criterion();
	}
	for (size_t i = 0; i < r.nexclude; i++) {
		r.exclude[i].nparts = 1 + draw(2);
		for (size_t k = 0; k < r.exclude[i].nparts; k++)
			r.exclude[i].parts[k] = random_criterion();
	}
	return r;
}

static void
print_lines(void)
{
	for (size_t i = 0; i < nlines; i++) {
		print_error("%s %s", lines[i].kind, lines[i].name);
		for (size_t k = 0; k < lines[i].ntags; k++)
			print_error(" #%s", lines[i].tags[k]);
		for (size_t k = 0; k < lines[i].nparents; k++)
			print_error(" %s%s", k == 0 ? "< " : "", lines[i].parents[k]);
		print_error("\n");
	}
}

static void
check_request(const struct graph *g, const struct request *r)
{
	struct buf select = BUF_INIT, exclude = BUF_INIT;
	struct err err = ERR_INIT;
	group want = answer_slowly(r);
	struct set got;

	print_words(&select, r->select, r->nselect);
	print_words(&exclude, r->exclude, r->nexclude);
	assert_int_equal(evaluate(g, select.data, exclude.len ? exclude.data : NULL, r->mode,
	    &got, &err), 0);
	for (size_t i = 0; i < nlines; i++) {
		const struct node *n = graph_find(g, id_of(&lines[i]));

		if (set_has(&got, n->index) == want.has[i])
			continue;
		print_lines();
		fail_msg("--select %s --exclude %s, %s: %s is %s", select.data, buf_str(&exclude),
		    selector_mode_name(r->mode), n->id, want.has[i] ? "missing" : "too much");
	}
	set_release(&got);
	buf_release(&select);
	buf_release(&exclude);
}

/* Any nesting, as YAML makes it, with a mode of its own on each criterion and set. */
struct tree {
	char op;                 /* 'c' criterion, else as combine_slowly() */
	enum selector_mode mode;
	struct criterion c;
	const struct tree *parts[3];
	size_t nparts;
};

static struct tree trees[64];
static size_t ntrees;

static const struct tree *
random_tree(int depth)
{
	struct tree *t = &trees[ntrees++];

	*t = (struct tree){ .op = depth == 0 ? 'c' : "cuid"[draw(4)],
	    .mode = (enum selector_mode)draw(4) };
	if (t->op == 'c') {
		t->c = random_criterion();
		return t;
	}
	t->nparts = t->op == 'd' ? 2 : draw(4);
	for (size_t i = 0; i < t->nparts; i++)
		t->parts[i] = random_tree(depth - 1);
	return t;
}

static struct pair
answer_tree(const struct tree *t)
{
	struct pair parts[3];

	if (t->op == 'c')
		return expand_slowly(chosen_by(&t->c), t->mode);
	for (size_t i = 0; i < t->nparts; i++)
		parts[i] = answer_tree(t->parts[i]);
	return combine_slowly(t->op, parts, t->nparts, t->mode);
}

static const struct selector *
build_tree(struct arena *a, const struct tree *t)
{
	static const enum selector_op ops[] = {
		['u'] = SELECTOR_UNION, ['i'] = SELECTOR_INTERSECTION, ['d'] = SELECTOR_DIFFERENCE,
	};
	const struct selector *parts[3];
	struct err err = ERR_INIT;

	if (t->op == 'c') {
		struct word w = { { t->c }, 1 };
		struct buf b = BUF_INIT;
		const struct selector *s;

		print_words(&b, &w, 1);
		s = selector_parse(a, b.data, t->mode, &err);
		buf_release(&b);
		return s;
	}
	for (size_t i = 0; i < t->nparts; i++)
		parts[i] = build_tree(a, t->parts[i]);
	return selector_group(a, ops[(int)t->op], parts, t->nparts, t->mode);
}

static void
test_random_trees_equal_the_model(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct graph *g;

		random_lines();
		g = load_lines(lines, nlines);
		for (int i = 0; i < 40; i++) {
			struct selector_env env = { .graph = g };
			struct arena arena = ARENA_INIT;
			struct err err = ERR_INIT;
			const struct tree *t;
			struct set got;
			group want;

			ntrees = 0;
			t = random_tree(3);
			want = answer_tree(t).direct;
			assert_int_equal(selector_eval(build_tree(&arena, t), &env, &got, &err), 0);
			for (size_t k = 0; k < nlines; k++)
				if (set_has(&got,
				    graph_find(g, id_of(&lines[k]))->index) != want.has[k])
					fail_msg("round %d, tree %d: %s", round, i,
					    id_of(&lines[k]));
			set_release(&got);
			arena_release(&arena);
		}
		graph_free(g);
	}
}

static void
test_random_selections_equal_the_model(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		struct graph *g;

		random_lines();
		g = load_lines(lines, nlines);
		for (int i = 0; i < 40; i++) {
			struct request r = random_request();

			check_request(g, &r);
		}
		graph_free(g);
	}
}

static struct set
set_of(const struct graph *g, const char *select, const char *exclude)
{
	struct err err = ERR_INIT;
	struct set out;

	assert_int_equal(evaluate(g, select, exclude, MODE_EMPTY, &out, &err), 0);
	return out;
}

/* a b = a or b; a,b = a and b; a --exclude b = a and not b; without tests coming along. */
static void
check_laws(const struct graph *g, const char *a, const char *b)
{
	char both_words[256], crossed[256];
	struct set x = set_of(g, a, NULL), y = set_of(g, b, NULL), z, want;

	snprintf(both_words, sizeof(both_words), "%s %s", a, b);
	snprintf(crossed, sizeof(crossed), "%s,%s", a, b);

	set_copy(&want, &x);
	set_union(&want, &y);
	z = set_of(g, both_words, NULL);
	assert_true(set_equal(&z, &want));
	set_release(&z);
	set_release(&want);

	set_copy(&want, &x);
	set_intersect(&want, &y);
	z = set_of(g, crossed, NULL);
	assert_true(set_equal(&z, &want));
	set_release(&z);
	set_release(&want);

	set_copy(&want, &x);
	set_subtract(&want, &y);
	z = set_of(g, a, b);
	assert_true(set_equal(&z, &want));
	set_release(&z);
	set_release(&want);

	set_release(&x);
	set_release(&y);
}

static void
test_set_laws(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct graph *g;

		random_lines();
		g = load_lines(lines, nlines);
		for (int i = 0; i < 10; i++) {
			struct word w[2] = { { { random_criterion() }, 1 },
			    { { random_criterion() }, 1 } };
			struct buf a = BUF_INIT, b = BUF_INIT;

			print_words(&a, &w[0], 1);
			print_words(&b, &w[1], 1);
			check_laws(g, a.data, b.data);
			buf_release(&a);
			buf_release(&b);
		}
		graph_free(g);
	}
}

/* @x is x+, and the ancestors of all of that. */
static void
test_at_equals_its_definition(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct graph *g;

		random_lines();
		g = load_lines(lines, nlines);
		for (size_t i = 0; i < nlines; i++) {
			char at[32], down[32];
			struct set below, want, got;

			snprintf(at, sizeof(at), "@n%zu", i);
			snprintf(down, sizeof(down), "n%zu+", i);
			got = set_of(g, at, NULL);
			below = set_of(g, down, NULL);
			set_copy(&want, &below);
			for (size_t k = set_next(&below, 0); k < below.nbits; k = set_next(&below,
			    k + 1)) {
				char up[32];
				struct set above;

				snprintf(up, sizeof(up), "+%s", g->nodes[k].name);
				above = set_of(g, up, NULL);
				set_union(&want, &above);
				set_release(&above);
			}
			assert_true(set_equal(&got, &want));
			set_release(&got);
			set_release(&below);
			set_release(&want);
		}
		graph_free(g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_selections_equal_the_model),
		cmocka_unit_test(test_random_trees_equal_the_model),
		cmocka_unit_test(test_set_laws),
		cmocka_unit_test(test_at_equals_its_definition),
	};

	return cmocka_run_group_tests(tests, NULL, lines_release);
}
