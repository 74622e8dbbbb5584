/*
 * The plan's order is worked out on one larger graph: every node of the project, a vertex for each
 * barrier (tests that hold the same nodes back) and a gate before each model that has unit tests.
 *
 *     parents -> test -> barrier -> held nodes         parents -> gate -> unit test -> model
 *
 * Walking it parents first, each vertex learns the tasks nearest before it. Those of a task are its
 * parents in the plan; a vertex that is no task hands them on.
 */
#include "graph/plan.h"

#include <stdlib.h>

#include "graph/dag.h"
#include "graph/hold.h"
#include "util/xalloc.h"

static const struct {
	const char *name;
	unsigned kinds;
} commands[NPLAN_COMMANDS] = {
	[PLAN_BUILD] = { "build", KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) |
		KIND_BIT(KIND_SNAPSHOT) | KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST) |
		KIND_BIT(KIND_SAVED_QUERY) | KIND_BIT(KIND_EXPOSURE) | KIND_BIT(KIND_FUNCTION) },
	[PLAN_RUN] = { "run", KIND_BIT(KIND_MODEL) },
	[PLAN_TEST] = { "test", KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST) },
	[PLAN_SEED] = { "seed", KIND_BIT(KIND_SEED) },
	[PLAN_SNAPSHOT] = { "snapshot", KIND_BIT(KIND_SNAPSHOT) },
	[PLAN_FRESHNESS] = { "freshness", KIND_BIT(KIND_SOURCE) },
};

/* Lists of vertices, by vertex. */
struct lists {
	const size_t **v;
	size_t *n;
};

struct wiring {
	struct plan *plan;
	const struct graph *g;
	struct arena scratch;
	struct set chosen;             /* nodes that are tasks */
	uint32_t *gate;                /* model -> vertex before its unit tests, or itself */
	size_t nvertices;
	struct dag_edge *edges;
	size_t nedges, cap;
	/* for nearest(): */
	struct lists near;             /* vertex -> the tasks nearest before it */
	struct found { size_t task, wave; } *found;
	size_t nfound, found_cap, *stack, stack_cap;
	uint32_t *mark, stamp;         /* by task: == stamp when seen in this round */
};

const char *
plan_command_name(enum plan_command c)
{
	return commands[c].name;
}

unsigned
plan_command_kinds(enum plan_command c)
{
	return commands[c].kinds;
}

/* dbt drops nodes of manifest.nodes without code (NodeSelector._is_empty_node); a seed has none. */
static bool
is_dropped(const struct node *n)
{
	return n->blank && n->kind != KIND_SEED;
}

/* The model a unit test is for: the first parent, as in dbt's build. */
static const struct node *
tested_model(const struct graph *g, const struct node *unit_test)
{
	return unit_test->nparents > 0 ? &g->nodes[unit_test->parents[0]] : NULL;
}

/* dbt's build runs unit tests on the way to their model; without it, they do not run. */
static bool
becomes_task(const struct plan *p, const struct set *selected, const struct node *n)
{
	if (!set_has(selected, n->index) || !(KIND_BIT(n->kind) & p->kinds) || is_dropped(n) ||
	    node_is_ephemeral(n))
		return false;
	if (n->kind == KIND_SOURCE)
		return n->has_freshness;
	if (p->command == PLAN_BUILD && n->kind == KIND_UNIT_TEST) {
		const struct node *model = tested_model(p->graph, n);

		return model && model->kind == KIND_MODEL && set_has(selected, model->index) &&
			!is_dropped(model);
	}
	return true;
}

static void
make_tasks(struct wiring *w, const struct set *selected)
{
	struct plan *p = w->plan;

	set_init(&w->chosen, w->g->nnodes);
	p->task_of = arena_alloc(&p->arena, (w->g->nnodes + 1) * sizeof(*p->task_of));
	for (size_t i = 0; i < w->g->nnodes; i++) {
		bool is_task = becomes_task(p, selected, &w->g->nodes[i]);

		p->task_of[i] = is_task ? p->ntasks++ : PLAN_NO_TASK;
		if (is_task)
			set_add(&w->chosen, i);
	}
	p->tasks = arena_zalloc(&p->arena, p->ntasks + 1, sizeof(*p->tasks));
	for (size_t i = set_next(&w->chosen, 0), k = 0; i < w->g->nnodes;
	     i = set_next(&w->chosen, i + 1), k++)
		p->tasks[k] = (struct task){ .node = &w->g->nodes[i], .index = k, .seconds = 1 };
}

static void
add_edge(struct wiring *w, size_t from, size_t to)
{
	w->edges = xgrow(w->edges, w->nedges, &w->cap, sizeof(*w->edges));
	w->edges[w->nedges++] = (struct dag_edge){ (uint32_t)from, (uint32_t)to };
}

/* A gate for each model with chosen unit tests: gate -> unit test -> model. */
static void
wire_unit_tests(struct wiring *w)
{
	for (size_t i = 0; i < w->g->nnodes; i++)
		w->gate[i] = (uint32_t)i;
	for (size_t i = 0; i < w->g->nnodes; i++) {
		const struct node *n = &w->g->nodes[i], *model;

		if (!set_has(&w->chosen, i) || n->kind != KIND_UNIT_TEST)
			continue;
		model = tested_model(w->g, n);
		if (w->gate[model->index] == model->index)
			w->gate[model->index] = (uint32_t)w->nvertices++;
		add_edge(w, w->gate[model->index], i);
		add_edge(w, i, model->index);
	}
}

/* The graph's own edges, but for those into chosen nodes of the kinds to leave out. */
static void
wire_graph(struct wiring *w, unsigned leave_out)
{
	for (size_t i = 0; i < w->g->nnodes; i++) {
		const struct node *n = &w->g->nodes[i];

		if ((KIND_BIT(n->kind) & leave_out) && set_has(&w->chosen, i))
			continue;
		for (size_t k = 0; k < n->nparents; k++)
			add_edge(w, n->parents[k], w->gate[i]);
	}
}

static void
wire_tests(struct wiring *w, const uint32_t *order)
{
	size_t n;
	struct barrier *all = hold_barriers(w->g, &w->chosen, order, &w->scratch, &n);

	for (size_t i = 0; i < n; i++) {
		const struct barrier *b = &all[i];
		size_t vertex = w->nvertices++;

		for (size_t t = 0; t < b->ntests; t++) {
			for (size_t k = 0; k < b->nparents; k++)
				add_edge(w, b->parents[k], b->tests[t]);
			add_edge(w, b->tests[t], vertex);
		}
		for (size_t k = 0; k < b->nheld; k++)
			add_edge(w, vertex, w->gate[b->held[k]]);
	}
	hold_free(all, n);
}

/* Every vertex of the edges so far, parents first. New array, or NULL with err. */
static uint32_t *
in_order(struct wiring *w, struct err *err)
{
	uint32_t *order = xcalloc(w->nvertices + 1, sizeof(*order)), *cycle = NULL;
	struct dag *d = dag_new(w->nvertices, w->edges, w->nedges);
	size_t ncycle = 0;

	if (dag_order(d, order, &cycle, &ncycle) < 0) {
		const char *id = cycle[0] < w->g->nnodes ? w->g->nodes[cycle[0]].id : "?";

		err_set(err, "the graph has a cycle through node '%s'", id);
		free(order);
		order = NULL;
	}
	free(cycle);
	dag_free(d);
	return order;
}

/* from or to of the edges as one list a vertex, in the order the edges were added. */
static struct lists
lists_by(const struct wiring *w, bool to, struct arena *arena)
{
	struct lists l = {
		.v = arena_zalloc(arena, w->nvertices + 1, sizeof(*l.v)),
		.n = arena_zalloc(arena, w->nvertices + 1, sizeof(*l.n)),
	};
	size_t *at = arena_alloc(arena, (w->nedges + 1) * sizeof(*at));
	size_t **fill = arena_alloc(arena, (w->nvertices + 1) * sizeof(*fill));

	for (size_t i = 0; i < w->nedges; i++)
		l.n[to ? w->edges[i].to : w->edges[i].from]++;
	for (size_t i = 0; i < w->nvertices; i++) {
		l.v[i] = fill[i] = at;
		at += l.n[i];
	}
	for (size_t i = 0; i < w->nedges; i++) {
		const struct dag_edge *e = &w->edges[i];

		*fill[to ? e->to : e->from]++ = to ? e->from : e->to;
	}
	return l;
}

static size_t
task_at(const struct wiring *w, size_t vertex)
{
	return vertex < w->g->nnodes ? w->plan->task_of[vertex] : PLAN_NO_TASK;
}

static void
find(struct wiring *w, size_t task)
{
	if (w->mark[task] == w->stamp)
		return;
	w->mark[task] = w->stamp;
	w->found = xgrow(w->found, w->nfound, &w->found_cap, sizeof(*w->found));
	w->found[w->nfound++] = (struct found){ task, w->plan->tasks[task].wave };
}

/* Later waves first: what comes before something can only be in an earlier one. */
static int
compare_waves(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->wave != y->wave)
		return x->wave > y->wave ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static int
compare_tasks(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->task < y->task ? -1 : x->task > y->task;
}

/* Marks what comes before a task, as far up as the wave given. */
static void
mark_before(struct wiring *w, size_t task, size_t wave)
{
	const struct task *tasks = w->plan->tasks;
	size_t n = 0;

	for (;;) {
		const struct task *t = &tasks[task];

		for (size_t i = 0; i < t->nparents; i++) {
			size_t p = t->parents[i];

			if (tasks[p].wave < wave || w->mark[p] == w->stamp)
				continue;
			w->mark[p] = w->stamp;
			if (tasks[p].wave == wave)
				continue;
			w->stack = xgrow(w->stack, n, &w->stack_cap, sizeof(*w->stack));
			w->stack[n++] = p;
		}
		if (n == 0)
			return;
		task = w->stack[--n];
	}
}

/* Leaves in found those that come before no other, sorted by index. */
static void
keep_nearest(struct wiring *w)
{
	size_t earliest, n = 0;

	if (w->nfound < 2)
		return;
	qsort(w->found, w->nfound, sizeof(*w->found), compare_waves);
	earliest = w->found[w->nfound - 1].wave;
	w->stamp++;
	for (size_t i = 0; i < w->nfound; i++) {
		struct found f = w->found[i];

		if (w->mark[f.task] == w->stamp)
			continue;
		w->found[n++] = f;
		if (f.wave > earliest)
			mark_before(w, f.task, earliest);
	}
	w->nfound = n;
	qsort(w->found, n, sizeof(*w->found), compare_tasks);
}

/* The tasks nearest before a vertex whose parents know theirs. */
static void
find_nearest(struct wiring *w, size_t vertex, const size_t *parents, size_t nparents)
{
	size_t only = nparents == 1 ? parents[0] : 0;

	if (nparents == 1 && task_at(w, only) == PLAN_NO_TASK) {
		w->near.v[vertex] = w->near.v[only];
		w->near.n[vertex] = w->near.n[only];
		return;
	}
	w->stamp++;
	w->nfound = 0;
	for (size_t i = 0; i < nparents; i++) {
		if (task_at(w, parents[i]) != PLAN_NO_TASK) {
			find(w, task_at(w, parents[i]));
			continue;
		}
		for (size_t k = 0; k < w->near.n[parents[i]]; k++)
			find(w, w->near.v[parents[i]][k]);
	}
	keep_nearest(w);
	w->near.n[vertex] = w->nfound;
	if (w->nfound > 0) {
		size_t *list = arena_alloc(&w->plan->arena, w->nfound * sizeof(*list));

		for (size_t i = 0; i < w->nfound; i++)
			list[i] = w->found[i].task;
		w->near.v[vertex] = list;
	}
}

static void
set_parents(struct plan *p, struct task *t, const size_t *parents, size_t n)
{
	t->parents = parents;
	t->nparents = n;
	for (size_t i = 0; i < n; i++)
		if (p->tasks[parents[i]].wave + 1 > t->wave)
			t->wave = p->tasks[parents[i]].wave + 1;
	if (t->wave + 1 > p->nwaves)
		p->nwaves = t->wave + 1;
}

static void
set_children(struct plan *p)
{
	size_t total = 0, *at, **fill;

	for (size_t i = 0; i < p->ntasks; i++) {
		total += p->tasks[i].nparents;
		for (size_t k = 0; k < p->tasks[i].nparents; k++)
			p->tasks[p->tasks[i].parents[k]].nchildren++;
	}
	at = arena_alloc(&p->arena, (total + 1) * sizeof(*at));
	fill = xcalloc(p->ntasks + 1, sizeof(*fill));
	for (size_t i = 0; i < p->ntasks; i++) {
		struct task *t = &p->tasks[i];

		t->children = fill[i] = at;
		at += t->nchildren;
		t->gate = t->nchildren > 0 &&
			(t->node->kind == KIND_TEST || t->node->kind == KIND_UNIT_TEST);
	}
	for (size_t i = 0; i < p->ntasks; i++)
		for (size_t k = 0; k < p->tasks[i].nparents; k++)
			*fill[p->tasks[i].parents[k]]++ = i;
	free(fill);
}

static void
order_tasks(struct wiring *w, const uint32_t *order)
{
	struct plan *p = w->plan;
	struct lists parents = lists_by(w, true, &w->scratch);

	w->near.v = arena_zalloc(&w->scratch, w->nvertices + 1, sizeof(*w->near.v));
	w->near.n = arena_zalloc(&w->scratch, w->nvertices + 1, sizeof(*w->near.n));
	w->mark = arena_zalloc(&w->scratch, p->ntasks + 1, sizeof(*w->mark));
	for (size_t i = 0; i < w->nvertices; i++) {
		size_t v = order[i], task = task_at(w, v);

		find_nearest(w, v, parents.v[v], parents.n[v]);
		if (task != PLAN_NO_TASK)
			set_parents(p, &p->tasks[task], w->near.v[v], w->near.n[v]);
	}
	set_children(p);
}

static int
wire(struct wiring *w, struct err *err)
{
	uint32_t *order;

	w->nvertices = w->g->nnodes;
	w->gate = arena_alloc(&w->scratch, (w->nvertices + 1) * sizeof(*w->gate));
	for (size_t i = 0; i < w->nvertices; i++)
		w->gate[i] = (uint32_t)i;
	wire_graph(w, 0);
	if (!(order = in_order(w, err)))
		return -1;
	if (w->plan->command == PLAN_BUILD) {
		w->nedges = 0;
		wire_unit_tests(w);
		wire_graph(w, KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST));
		wire_tests(w, order);
		free(order);
		if (!(order = in_order(w, err)))
			return -1;
	}
	order_tasks(w, order);
	free(order);
	return 0;
}

static struct plan *
make_plan(const struct graph *g, const struct set *selected, enum plan_command command,
    unsigned kinds, struct err *err)
{
	struct plan *p = xcalloc(1, sizeof(*p));
	struct wiring w = { .plan = p, .g = g };
	int rc;

	p->graph = g;
	p->command = command;
	p->kinds = kinds;
	make_tasks(&w, selected);
	rc = wire(&w, err);
	set_release(&w.chosen);
	free(w.edges);
	free(w.found);
	free(w.stack);
	arena_release(&w.scratch);
	if (rc < 0) {
		plan_free(p);
		return NULL;
	}
	plan_weigh(p);
	return p;
}

struct plan *
plan_new(const struct graph *g, const struct set *selected, enum plan_command command,
    struct err *err)
{
	return make_plan(g, selected, command, commands[command].kinds, err);
}

struct plan *
plan_new_with_sources(const struct graph *g, const struct set *selected, enum plan_command command,
    struct err *err)
{
	return make_plan(g, selected, command, commands[command].kinds | KIND_BIT(KIND_SOURCE),
	    err);
}

void
plan_free(struct plan *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	free(p);
}

const struct task *
plan_find(const struct plan *p, const struct node *n)
{
	size_t i = p->task_of[n->index];

	return i == PLAN_NO_TASK ? NULL : &p->tasks[i];
}

void
plan_add_selector(struct buf *b, const struct node *n)
{
	if (n->kind == KIND_SOURCE) {
		buf_addf(b, "source:%s.%s.%s", n->package, n->source_name ? n->source_name : "",
		    n->name);
		return;
	}
	buf_adds(b, "fqn:");
	for (size_t i = 0; i < n->fqn.n; i++)
		buf_addf(b, "%s%s", i ? "." : "", n->fqn.v[i]);
}
