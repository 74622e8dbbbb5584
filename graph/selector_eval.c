/*
 * A criterion or set answers with two sets: `direct`, what it selects, and `both`, that and the
 * tests which hang on it but lack a parent so far. A set operation combines the two separately;
 * in the modes cautious and buildable a test of `both` joins once its parents are all there.
 */
#include "graph/selector_eval.h"

#include "graph/dag.h"
#include "graph/selector_methods.h"
#include "util/arena.h"

struct eval {
	const struct selector_env *env;
	const struct graph *g;
	struct arena scratch;
	struct dag *dag;      /* made when first needed */
};

struct answer {
	struct set direct, both;
};

static void
answer_init(struct answer *a, const struct eval *e)
{
	set_init(&a->direct, e->g->nnodes);
	set_init(&a->both, e->g->nnodes);
}

static void
answer_release(struct answer *a)
{
	set_release(&a->direct);
	set_release(&a->both);
}

static void
reach(struct eval *e, const struct set *from, enum dag_direction dir, size_t depth, struct set *out)
{
	if (!e->dag)
		e->dag = dag_of_graph(e->g);
	dag_reach(e->dag, from, dir, depth, out);
}

static void
add_neighbours(struct eval *e, const struct selector *c, struct set *chosen)
{
	struct set from;

	set_copy(&from, chosen);
	if (c->at) {
		struct set below;

		set_copy(&below, &from);
		reach(e, &from, DAG_DOWN, DEPTH_ALL, &below);
		set_union(chosen, &below);
		reach(e, &below, DAG_UP, DEPTH_ALL, chosen);
		set_release(&below);
	}
	if (c->up)
		reach(e, &from, DAG_UP, c->up_depth, chosen);
	if (c->down)
		reach(e, &from, DAG_DOWN, c->down_depth, chosen);
	set_release(&from);
}

/* Whether all that a test reads is in the set. */
static bool
parents_within(const struct node *test, const struct set *s)
{
	if (test->parent_disabled)
		return false;
	for (size_t i = 0; i < test->nparents; i++)
		if (!set_has(s, test->parents[i]))
			return false;
	return true;
}

/* What counts as present in buildable mode: the set and all before it. */
static void
add_ancestors(struct eval *e, const struct set *chosen, struct set *out)
{
	set_union(out, chosen);
	reach(e, chosen, DAG_UP, DEPTH_ALL, out);
}

static void
add_sources(const struct graph *g, struct set *out)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (g->nodes[i].kind == KIND_SOURCE)
			set_add(out, i);
}

/* Tests that hang on a chosen node come along, or wait in `both` for their other parents. */
static void
expand(struct eval *e, enum selector_mode mode, const struct set *chosen, struct answer *a)
{
	const struct graph *g = e->g;
	struct set present;

	set_union(&a->direct, chosen);
	set_union(&a->both, chosen);
	if (mode == MODE_EMPTY)
		return;
	set_copy(&present, chosen);
	if (mode == MODE_BUILDABLE) {
		add_ancestors(e, chosen, &present);
		add_sources(g, &present);
	}
	for (size_t i = set_next(chosen, 0); i < g->nnodes; i = set_next(chosen, i + 1)) {
		const struct node *n = &g->nodes[i];

		for (size_t k = 0; k < n->nchildren; k++) {
			const struct node *t = &g->nodes[n->children[k]];

			if (t->kind != KIND_TEST && t->kind != KIND_UNIT_TEST)
				continue;
			set_add(&a->both, t->index);
			if (mode == MODE_EAGER || parents_within(t, &present))
				set_add(&a->direct, t->index);
		}
	}
	set_release(&present);
}

static int
answer_criterion(struct eval *e, const struct selector *c, struct answer *a, struct err *err)
{
	struct selector_query q = { e->g, c, e->env->state, &e->scratch };
	struct set chosen;
	int rc = -1;

	set_init(&chosen, e->g->nnodes);
	if (c->method->text_only && c->value.type != VALUE_TEXT)
		err_set(err, "'%s' is not text, which %s needs", c->value.text, c->method->name);
	else
		rc = c->method->search(&q, &chosen, err);
	if (rc < 0) {
		err_prefix(err, "selection criterion '%s'", c->raw);
	} else {
		add_neighbours(e, c, &chosen);
		expand(e, c->mode, &chosen, a);
	}
	set_release(&chosen);
	return rc;
}

/* Tests (not unit tests: dbt looks among `nodes` only) whose parents came together. */
static void
join_waiting(struct eval *e, enum selector_mode mode, struct answer *a)
{
	const struct graph *g = e->g;
	struct set present;

	if (mode != MODE_CAUTIOUS && mode != MODE_BUILDABLE)
		return;
	set_copy(&present, &a->direct);
	if (mode == MODE_BUILDABLE)
		add_ancestors(e, &a->direct, &present);
	for (size_t i = set_next(&a->both, 0); i < g->nnodes; i = set_next(&a->both, i + 1))
		if (g->nodes[i].kind == KIND_TEST && parents_within(&g->nodes[i], &present))
			set_add(&a->direct, i);
	set_release(&present);
}

static void
combine(enum selector_op op, struct set *a, const struct set *b)
{
	switch (op) {
	case SELECTOR_UNION:
		set_union(a, b);
		break;
	case SELECTOR_INTERSECTION:
		set_intersect(a, b);
		break;
	case SELECTOR_DIFFERENCE:
		set_subtract(a, b);
		break;
	case SELECTOR_CRITERION:
		break;
	}
}

static int answer_any(struct eval *e, const struct selector *s, struct answer *a, struct err *err);

static int
answer_group(struct eval *e, const struct selector *s, struct answer *a, struct err *err)
{
	for (size_t i = 0; i < s->nparts; i++) {
		struct answer part;
		int rc;

		answer_init(&part, e);
		rc = answer_any(e, s->parts[i], &part, err);
		if (rc == 0) {
			combine(i == 0 ? SELECTOR_UNION : s->op, &a->direct, &part.direct);
			combine(i == 0 ? SELECTOR_UNION : s->op, &a->both, &part.both);
		}
		answer_release(&part);
		if (rc < 0)
			return -1;
	}
	join_waiting(e, s->mode, a);
	set_union(&a->both, &a->direct);
	if (s->expected && e->env->unmatched && set_is_empty(&a->direct))
		e->env->unmatched(e->env->self, s->raw);
	return 0;
}

static int
answer_any(struct eval *e, const struct selector *s, struct answer *a, struct err *err)
{
	if (s->op == SELECTOR_CRITERION)
		return answer_criterion(e, s, a, err);
	return answer_group(e, s, a, err);
}

int
selector_eval(const struct selector *s, const struct selector_env *env, struct set *out,
    struct err *err)
{
	struct eval e = { .env = env, .g = env->graph };
	struct answer a;
	int rc;

	answer_init(&a, &e);
	rc = answer_any(&e, s, &a, err);
	set_copy(out, &a.direct);
	answer_release(&a);
	dag_free(e.dag);
	arena_release(&e.scratch);
	return rc;
}
