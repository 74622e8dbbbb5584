#include "exporters/steps.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/selects.h"
#include "util/heap.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

#define NONE SIZE_MAX
#define BUILT_KINDS (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT) | \
	KIND_BIT(KIND_FUNCTION))

static const char *const no_unit_tests[] = { "resource_type:unit_test" };

struct edge {
	size_t from, to;
};

struct work {
	struct steps *s;
	const struct graph *graph;
	const struct plan *plan;
	const struct task_options *o;
	struct selects *selects;
	size_t cap;
	size_t *build_of, *test_of, *unit_of;   /* by node->index: a step, or NONE */
	size_t *step_of;              /* by task: a step, or NONE */
	struct edge *edges;
	size_t nedges, edges_cap;
	uint32_t *seen, *stack;       /* of walks; by node->index */
	uint32_t walk;
};

static size_t
add_step(struct work *w, enum step_role role, const char *verb, const struct node *node)
{
	w->s->v = xgrow(w->s->v, w->s->n, &w->cap, sizeof(*w->s->v));
	w->s->v[w->s->n] = (struct step){ .role = role, .verb = verb, .node = node };
	return w->s->n++;
}

static void
add_edge(struct work *w, size_t from, size_t to)
{
	if (from == NONE || to == NONE || from == to)
		return;
	w->edges = xgrow(w->edges, w->nedges, &w->edges_cap, sizeof(*w->edges));
	w->edges[w->nedges++] = (struct edge){ from, to };
}

/* ---- steps ---- */

/* What a test reads, each once: the only one, or NULL when it reads none or several. */
static const struct node *
only_parent(const struct graph *g, const struct node *test)
{
	for (size_t i = 1; i < test->nparents; i++)
		if (test->parents[i] != test->parents[0])
			return NULL;
	return test->nparents ? &g->nodes[test->parents[0]] : NULL;
}

static void
take_policy(struct step *s, const struct task *t)
{
	if (s->policy.max_attempts == 0)
		s->policy = t->policy;
	if (t->policy.timeout_ms > s->policy.timeout_ms)
		s->policy.timeout_ms = t->policy.timeout_ms;
	if (t->path > s->path)
		s->path = t->path;
}

static void
add_builds(struct work *w)
{
	for (size_t i = 0; i < w->plan->ntasks; i++) {
		const struct task *t = &w->plan->tasks[i];
		const char *verb = w->o->tests == TESTS_BUILD ? "build" : kind_verb(t->node->kind);

		if (!(KIND_BIT(t->node->kind) & BUILT_KINDS))
			continue;
		w->step_of[i] = add_step(w, STEP_BUILD, verb, t->node);
		w->build_of[t->node->index] = w->step_of[i];
		take_policy(&w->s->v[w->step_of[i]], t);
	}
}

/* The step a data test belongs to. */
static size_t
home_of_test(struct work *w, const struct node *test)
{
	const struct node *parent = only_parent(w->graph, test);

	if (w->o->tests == TESTS_AFTER_ALL) {
		for (size_t i = 0; i < w->s->n; i++)
			if (w->s->v[i].role == STEP_TEST_ALL)
				return i;
		return add_step(w, STEP_TEST_ALL, "test", NULL);
	}
	if (!parent)
		return add_step(w, STEP_TEST_ALONE, "test", test);
	if (w->o->tests == TESTS_BUILD && w->build_of[parent->index] != NONE)
		return w->build_of[parent->index];
	if (w->test_of[parent->index] == NONE)
		w->test_of[parent->index] = add_step(w, STEP_TEST, "test", parent);
	return w->test_of[parent->index];
}

static size_t
home_of_unit_test(struct work *w, const struct node *test)
{
	const struct node *model = only_parent(w->graph, test);

	if (!model)
		return add_step(w, STEP_TEST_ALONE, "test", test);
	if (w->unit_of[model->index] == NONE)
		w->unit_of[model->index] = add_step(w, STEP_UNIT_TEST, "test", model);
	return w->unit_of[model->index];
}

static void
add_tests(struct work *w)
{
	for (size_t i = 0; i < w->plan->ntasks; i++) {
		const struct task *t = &w->plan->tasks[i];

		if (t->node->kind == KIND_TEST)
			w->step_of[i] = home_of_test(w, t->node);
		else if (t->node->kind == KIND_UNIT_TEST)
			w->step_of[i] = home_of_unit_test(w, t->node);
		else
			continue;
		take_policy(&w->s->v[w->step_of[i]], t);
	}
}

/* ---- what they wait for ---- */

/* Edges to `to` from the built nodes nearest above n, n itself left out. gates: from the tests of
 * such a node where it has a step of them. */
static void
wait_for_parents(struct work *w, const struct node *n, size_t to, bool gates)
{
	size_t depth = 0;

	w->walk++;
	w->stack[depth++] = n->index;
	while (depth) {
		const struct node *at = &w->graph->nodes[w->stack[--depth]];

		for (size_t k = 0; k < at->nparents; k++) {
			uint32_t p = at->parents[k];
			size_t step = w->build_of[p];

			if (w->seen[p] == w->walk)
				continue;
			w->seen[p] = w->walk;
			if (step == NONE)
				w->stack[depth++] = p;
			else
				add_edge(w, gates && w->test_of[p] != NONE ? w->test_of[p] : step, to);
		}
	}
}

static bool
is_test(const struct task *t)
{
	return t->node->kind == KIND_TEST || t->node->kind == KIND_UNIT_TEST;
}

static void
join_task(struct work *w, const struct task *t)
{
	size_t to = w->step_of[t->index];

	if (to == NONE || w->s->v[to].role == STEP_TEST_ALL)
		return;
	if (t->node->kind != KIND_UNIT_TEST)
		wait_for_parents(w, t->node, to, !is_test(t));
	for (size_t k = 0; k < t->nparents; k++) {
		const struct task *p = &w->plan->tasks[t->parents[k]];

		size_t from = w->step_of[p->index];

		if (from == NONE || w->s->v[from].role == STEP_TEST_ALL)
			continue;
		if (t->node->kind == KIND_UNIT_TEST || (is_test(p) && !is_test(t)))
			add_edge(w, from, to);
	}
}

/* The one step of all tests comes after whatever nothing else waits for. */
static void
join_last(struct work *w)
{
	char *waited = xcalloc(w->s->n + 1, 1);
	size_t last = NONE;

	for (size_t i = 0; i < w->s->n; i++)
		if (w->s->v[i].role == STEP_TEST_ALL)
			last = i;
	for (size_t i = 0; i < w->nedges; i++)
		if (w->edges[i].to != last)
			waited[w->edges[i].from] = 1;
	for (size_t i = 0; last != NONE && i < w->s->n; i++)
		if (!waited[i])
			add_edge(w, i, last);
	free(waited);
}

static int
by_ends(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

/* Edges into each step's own list, each once. */
static void
settle_edges(struct work *w)
{
	size_t n = 0;

	if (w->nedges)
		qsort(w->edges, w->nedges, sizeof(*w->edges), by_ends);
	for (size_t i = 0; i < w->nedges; i++)
		if (i == 0 || by_ends(&w->edges[i - 1], &w->edges[i]) != 0)
			w->edges[n++] = w->edges[i];
	w->nedges = n;
	for (size_t i = 0; i < n;) {
		struct step *s = &w->s->v[w->edges[i].to];
		size_t end = i;

		while (end < n && w->edges[end].to == w->edges[i].to)
			end++;
		s->after = arena_zalloc(&w->s->arena, end - i, sizeof(*s->after));
		for (; i < end; i++)
			s->after[s->nafter++] = w->edges[i].from;
	}
}

/* ---- names and selections ---- */

static void
name_step(struct work *w, struct step *s, const struct id_style *style)
{
	struct buf b = BUF_INIT;
	char *mark = NULL;

	if (!s->node) {
		s->id = s->base = style->blank == '_' ? "tests__all" : "tests--all";
		return;
	}
	id_add(&b, w->graph, s->node, style);
	s->base = arena_strdup(&w->s->arena, b.data);
	/* raw__seed is built by raw__seed, stg_orders by stg_orders_run. */
	mark = arena_printf(&w->s->arena, "%c%c%s", style->blank, style->blank, kind_name(s->node->kind));
	for (char *c = mark; *c; c++)
		if (*c == '_')
			*c = style->blank;
	if (s->role == STEP_UNIT_TEST)
		buf_addf(&b, "%cunit%ctest", style->blank, style->blank);
	else if (s->role == STEP_TEST || !text_ends(s->base, mark))
		buf_addf(&b, "%c%s", style->blank, s->verb);
	s->id = arena_strdup(&w->s->arena, b.data);
	buf_release(&b);
}

static int
refuse(const struct node *n, struct err *err)
{
	err_set(err, "node '%s': no dbt selection means it alone", n->id);
	return err_hint(err, "its name holds blanks, commas or * ? [, or another node shares its fqn and "
	    "path; leave it out with --exclude, or rename it");
}

static const char *
alone(struct work *w, const struct node *n, struct err *err)
{
	const char *word = selects_alone(w->selects, &w->s->arena, n);

	if (!word)
		refuse(n, err);
	return word;
}

/* Tests of the graph that read n alone; unit: unit tests. */
static size_t
count_own_tests(const struct work *w, const struct node *n, bool unit)
{
	size_t count = 0;

	for (size_t k = 0; k < n->nchildren; k++) {
		const struct node *c = &w->graph->nodes[n->children[k]];

		if (unit ? c->kind == KIND_UNIT_TEST : c->kind == KIND_TEST && only_parent(w->graph, c) == n)
			count++;
	}
	return count;
}

/* Words that select the tests of one step by name: where the selection left some of them out. */
static int
select_by_name(struct work *w, const struct step *s, const char **words, size_t *n, struct err *err)
{
	for (size_t i = 0; i < s->ntests; i++)
		if (!(words[(*n)++] = alone(w, s->tests[i], err)))
			return -1;
	return 0;
}

/* A built node with its tests, or the tests of a node: by the node when that means just these. */
static int
select_with_tests(struct work *w, struct step *s, struct err *err)
{
	const char **words = arena_zalloc(&w->s->arena, s->ntests + 2, sizeof(*words));
	bool builds = s->role == STEP_BUILD, whole = count_own_tests(w, s->node, false) == s->ntests;

	s->select = words;
	s->indirect = whole ? "cautious" : "empty";
	if (builds || whole) {
		words[s->nselect] = selects_alone(w->selects, &w->s->arena, s->node);
		if (!words[s->nselect] && builds)
			return refuse(s->node, err);
		if (words[s->nselect])
			s->nselect++;
		else
			whole = false;    /* tests of a source, and others, have names too */
	}
	if (!whole) {
		s->indirect = "empty";
		return select_by_name(w, s, words, &s->nselect, err);
	}
	if (count_own_tests(w, s->node, true)) {
		s->exclude = no_unit_tests;
		s->nexclude = 1;
	}
	return 0;
}

/* The unit tests of a model: by their names; those of two versions share them, then by the model. */
static int
select_unit_tests(struct work *w, struct step *s, struct err *err)
{
	const char **words = arena_zalloc(&w->s->arena, s->ntests + 1, sizeof(*words));
	const char *model;

	s->select = words;
	if (select_by_name(w, s, words, &s->nselect, err) == 0)
		return 0;
	model = selects_alone(w->selects, &w->s->arena, s->node);
	if (!model || count_own_tests(w, s->node, true) != s->ntests)
		return -1;
	err_release(err);
	words[0] = arena_printf(&w->s->arena, "%s,resource_type:unit_test", model);
	s->nselect = 1;
	return 0;
}

static bool
graph_has_unit_tests(const struct graph *g)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (g->nodes[i].kind == KIND_UNIT_TEST)
			return true;
	return false;
}

static void
select_all_tests(struct work *w, struct step *s)
{
	bool units = graph_has_unit_tests(w->graph);
	const char **words = arena_zalloc(&w->s->arena, w->o->nexclude + 1, sizeof(*words));

	for (size_t i = 0; i < w->o->nexclude; i++)
		words[i] = w->o->exclude[i];
	if (units)
		words[w->o->nexclude] = no_unit_tests[0];
	s->select = w->o->select;
	s->nselect = w->o->nselect;
	s->exclude = words;
	s->nexclude = w->o->nexclude + units;
}

static int
select_step(struct work *w, struct step *s, struct err *err)
{
	const char **word;

	if (s->role == STEP_TEST_ALL) {
		select_all_tests(w, s);
		return 0;
	}
	if (s->role == STEP_UNIT_TEST)
		return select_unit_tests(w, s, err);
	if (s->role == STEP_TEST || (s->role == STEP_BUILD && w->o->tests == TESTS_BUILD))
		return select_with_tests(w, s, err);
	word = arena_zalloc(&w->s->arena, 1, sizeof(*word));
	*word = alone(w, s->node, err);
	s->select = word;
	s->nselect = 1;
	/* `build` is the only verb some kinds have, and brings tests. */
	s->indirect = s->role == STEP_BUILD && strcmp(s->verb, "build") == 0 ? "empty" : NULL;
	return *word ? 0 : -1;
}

/* ---- order ---- */

static bool
id_is_less(const void *self, size_t a, size_t b)
{
	const struct steps *s = self;

	return strcmp(s->v[a].id, s->v[b].id) < 0;
}

/* Puts the steps in their order and renumbers what they wait for. */
static void
sort_steps(struct work *w)
{
	struct steps *s = w->s;
	size_t *waits = xcalloc(s->n + 1, sizeof(*waits)), *place = xcalloc(s->n + 1, sizeof(*place));
	size_t *start = xcalloc(s->n + 2, sizeof(*start)), *to = xcalloc(w->nedges + 1, sizeof(*to));
	struct step *sorted = xcalloc(s->n + 1, sizeof(*sorted));
	struct heap ready = { .before = id_is_less, .self = s };
	size_t n = 0;

	for (size_t i = 0; i < w->nedges; i++)
		start[w->edges[i].from + 2]++;
	for (size_t i = 2; i < s->n + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < w->nedges; i++)
		to[start[w->edges[i].from + 1]++] = w->edges[i].to;
	for (size_t i = 0; i < s->n; i++) {
		waits[i] = s->v[i].nafter;
		if (waits[i] == 0)
			heap_push(&ready, i);
	}
	while (ready.n) {
		size_t at = heap_pop(&ready);

		place[at] = n;
		sorted[n++] = s->v[at];
		for (size_t k = start[at]; k < start[at + 1]; k++)
			if (--waits[to[k]] == 0)
				heap_push(&ready, to[k]);
	}
	heap_release(&ready);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sorted[i].nafter; k++)
			sorted[i].after[k] = place[sorted[i].after[k]];
	free(s->v);
	s->v = sorted;
	s->n = n;
	for (size_t i = 0; i < w->graph->nnodes; i++) {
		struct step *build = w->build_of[i] == NONE ? NULL : &s->v[place[w->build_of[i]]];

		if (build && w->test_of[i] != NONE) {
			build->test = &s->v[place[w->test_of[i]]];
			build->test->build = build;
		}
		if (build && w->unit_of[i] != NONE) {
			build->unit = &s->v[place[w->unit_of[i]]];
			build->unit->build = build;
		}
	}
	free(waits);
	free(place);
	free(start);
	free(to);
}

static int
by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static int
check_ids(const struct steps *s, struct err *err)
{
	struct map seen = MAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++) {
		const struct step *twin = map_put(&seen, s->v[i].id, &s->v[i]);

		if (twin)
			rc = err_set(err, "nodes '%s' and '%s' would share the task id '%s'",
			    twin->node ? twin->node->id : "test", s->v[i].node ? s->v[i].node->id : "test",
			    s->v[i].id);
	}
	map_release(&seen);
	return rc;
}

/* ---- all of it ---- */

static struct work
work_new(struct steps *s, const struct export_job *job)
{
	struct work w = {
		.s = s, .graph = job->graph, .plan = job->plan, .o = job->tasks,
		.selects = selects_new(job->graph)
	};
	size_t n = job->graph->nnodes;

	w.build_of = xcalloc(n + 1, sizeof(*w.build_of));
	w.test_of = xcalloc(n + 1, sizeof(*w.test_of));
	w.unit_of = xcalloc(n + 1, sizeof(*w.unit_of));
	w.step_of = xcalloc(w.plan->ntasks + 1, sizeof(*w.step_of));
	w.seen = xcalloc(n + 1, sizeof(*w.seen));
	w.stack = xcalloc(n + 1, sizeof(*w.stack));
	for (size_t i = 0; i < n; i++)
		w.build_of[i] = w.test_of[i] = w.unit_of[i] = NONE;
	for (size_t i = 0; i < w.plan->ntasks; i++)
		w.step_of[i] = NONE;
	return w;
}

static void
work_release(struct work *w)
{
	selects_free(w->selects);
	free(w->build_of);
	free(w->test_of);
	free(w->unit_of);
	free(w->step_of);
	free(w->edges);
	free(w->seen);
	free(w->stack);
}

/* The tests each step runs. */
static void
list_tests(struct work *w)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < w->plan->ntasks; i++) {
			struct step *s = w->step_of[i] == NONE ? NULL : &w->s->v[w->step_of[i]];

			if (!s || !is_test(&w->plan->tasks[i]))
				continue;
			if (pass)
				s->tests[s->ntests] = w->plan->tasks[i].node;
			s->ntests++;
		}
		for (size_t i = 0; pass == 0 && i < w->s->n; i++) {
			struct step *s = &w->s->v[i];

			s->tests = arena_zalloc(&w->s->arena, s->ntests + 1, sizeof(*s->tests));
			s->ntests = 0;
		}
	}
}

static int
name_and_select(struct work *w, const struct id_style *style, struct err *err)
{
	list_tests(w);
	for (size_t i = 0; i < w->s->n; i++) {
		name_step(w, &w->s->v[i], style);
		if (select_step(w, &w->s->v[i], err) < 0)
			return -1;
	}
	return 0;
}

struct steps *
steps_new(const struct export_job *job, const struct id_style *style, struct err *err)
{
	struct steps *s = xcalloc(1, sizeof(*s));
	struct work w = work_new(s, job);
	int rc;

	s->job = job;
	add_builds(&w);
	add_tests(&w);
	rc = name_and_select(&w, style, err);
	if (rc == 0)
		rc = check_ids(s, err);
	if (rc == 0) {
		for (size_t i = 0; i < w.plan->ntasks; i++)
			join_task(&w, &w.plan->tasks[i]);
		join_last(&w);
		settle_edges(&w);
		sort_steps(&w);
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].nafter)
				qsort(s->v[i].after, s->v[i].nafter, sizeof(*s->v[i].after), by_number);
	}
	work_release(&w);
	if (rc < 0) {
		steps_free(s);
		return NULL;
	}
	return s;
}

void
steps_free(struct steps *s)
{
	if (!s)
		return;
	free(s->v);
	arena_release(&s->arena);
	free(s);
}
