#include "exporters/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/emit.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

/* ---- labels ---- */

static const char *
short_label(struct arena *a, const struct node *n)
{
	if (n->kind == KIND_SOURCE && n->source_name)
		return arena_printf(a, "%s.%s", n->source_name, n->name);
	if (n->versioned && n->version) {   /* as dbt names its table: price_list_v1_5 */
		char *label = arena_printf(a, "%s_v%s", n->name, n->version);

		for (char *s = label + strlen(n->name); *s; s++)
			if (*s == '.')
				*s = '_';
		return label;
	}
	return n->name;
}

/* Names of what dbt builds or reads come first; the rest says what it is. */
static const char *
kind_label(struct arena *a, const struct node *n)
{
	char *kind;

	if (KIND_BIT(n->kind) & (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) |
	    KIND_BIT(KIND_SNAPSHOT) | KIND_BIT(KIND_SOURCE)))
		return short_label(a, n);
	kind = arena_strdup(a, kind_name(n->kind));
	for (char *s = kind; *s; s++)
		if (*s == '_')
			*s = ' ';
	return arena_printf(a, "%s (%s)", short_label(a, n), kind);
}

static const char *
package_label(struct arena *a, const struct node *n)
{
	return arena_printf(a, "%s.%s", n->package, short_label(a, n));
}

static const char *
id_label(struct arena *a, const struct node *n)
{
	(void)a;
	return n->id;
}

/* Those whose label another one has too get the next longer form; unique ids end it. */
static void
label_nodes(struct picture *p)
{
	static const char *(*const forms[])(struct arena *, const struct node *) = {
		short_label, kind_label, package_label, id_label
	};
	struct map seen = MAP_INIT;
	char *again = xcalloc(p->nnodes + 1, 1);

	memset(again, 1, p->nnodes);
	map_reserve(&seen, p->nnodes);
	for (size_t f = 0; f < 4; f++) {
		for (size_t i = 0; i < p->nnodes; i++)
			if (again[i])
				p->nodes[i].label = forms[f](&p->arena, p->nodes[i].node);
		map_release(&seen);
		memset(&seen, 0, sizeof(seen));
		memset(again, 0, p->nnodes);
		for (size_t i = 0; i < p->nnodes; i++) {
			struct picture_node *twin = map_put(&seen, p->nodes[i].label, &p->nodes[i]);

			if (twin)
				again[i] = again[twin - p->nodes] = 1;
		}
	}
	map_release(&seen);
	free(again);
}

/* ---- edges ---- */

struct edge_walk {
	const struct graph *graph;
	const uint32_t *place;      /* by node->index: position in the picture, or UINT32_MAX */
	uint32_t *seen;             /* by node->index: the last child that came by, plus one */
	uint32_t *stack;
	struct picture_edge *edges;
	size_t n, cap;
};

static void
add_edge(struct edge_walk *w, uint32_t from, uint32_t to, bool through)
{
	w->edges = xgrow(w->edges, w->n, &w->cap, sizeof(*w->edges));
	w->edges[w->n++] = (struct picture_edge){ from, to, through, false };
}

/* Edges into one drawn node: its drawn parents, then the drawn ones behind hidden parents. */
static void
collect_edges(struct edge_walk *w, const struct node *child)
{
	uint32_t stamp = child->index + 1, to = w->place[child->index];
	size_t depth = 0;

	for (size_t k = 0; k < child->nparents; k++) {
		uint32_t parent = child->parents[k];

		if (w->seen[parent] == stamp)
			continue;
		w->seen[parent] = stamp;
		if (w->place[parent] != UINT32_MAX)
			add_edge(w, w->place[parent], to, false);
		else
			w->stack[depth++] = parent;
	}
	while (depth) {
		const struct node *hidden = &w->graph->nodes[w->stack[--depth]];

		for (size_t k = 0; k < hidden->nparents; k++) {
			uint32_t up = hidden->parents[k];

			if (w->seen[up] == stamp)
				continue;
			w->seen[up] = stamp;
			if (w->place[up] != UINT32_MAX)
				add_edge(w, w->place[up], to, true);
			else
				w->stack[depth++] = up;
		}
	}
}

static int
by_ends(const void *a, const void *b)
{
	const struct picture_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static void
join_nodes(struct picture *p, const uint32_t *place)
{
	const struct graph *g = p->job->graph;
	struct edge_walk w = { .graph = g, .place = place };

	w.seen = xcalloc(g->nnodes + 1, sizeof(*w.seen));
	w.stack = xcalloc(g->nnodes + 1, sizeof(*w.stack));
	for (size_t i = 0; i < p->nnodes; i++)
		collect_edges(&w, p->nodes[i].node);
	p->nedges = w.n;
	p->edges = arena_zalloc(&p->arena, w.n + 1, sizeof(*p->edges));
	if (w.n)
		memcpy(p->edges, w.edges, w.n * sizeof(*p->edges));
	qsort(p->edges, p->nedges, sizeof(*p->edges), by_ends);
	free(w.seen);
	free(w.stack);
	free(w.edges);
}

/* ---- the critical path ---- */

/* The first of the edges that leave a node, if any does; edges are sorted. */
static struct picture_edge *
first_edge(struct picture *p, uint32_t from)
{
	size_t low = 0, high = p->nedges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->edges[middle].from < from)
			low = middle + 1;
		else
			high = middle;
	}
	return &p->edges[low];
}

/* Marks the way from one drawn task to the next: an edge, or several over drawn nodes that are no
 * tasks themselves (ephemeral models). */
static void
mark_way(struct picture *p, uint32_t from, uint32_t to, uint32_t *came, uint32_t *queue)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < p->nnodes; i++)
		came[i] = UINT32_MAX;
	queue[tail++] = from;
	while (head < tail && came[to] == UINT32_MAX) {
		uint32_t at = queue[head++];
		struct picture_edge *e = first_edge(p, at);

		for (; e < p->edges + p->nedges && e->from == at; e++) {
			if (came[e->to] != UINT32_MAX || (e->to != to && p->nodes[e->to].task))
				continue;
			came[e->to] = at;
			queue[tail++] = e->to;
		}
	}
	for (uint32_t at = to; came[to] != UINT32_MAX && at != from; at = came[at]) {
		struct picture_edge key = { came[at], at, false, false };
		struct picture_edge *e = bsearch(&key, p->edges, p->nedges, sizeof(*e), by_ends);

		e->critical = true;
		p->nodes[at].critical = true;
	}
}

static void
mark_critical(struct picture *p, const uint32_t *place)
{
	const struct plan *plan = p->job->plan;
	size_t *path = xcalloc(plan->ntasks + 1, sizeof(*path));
	size_t n = plan_critical(plan, path);
	uint32_t *came = xcalloc(p->nnodes + 1, sizeof(*came));
	uint32_t *queue = xcalloc(p->nnodes + 1, sizeof(*queue));
	uint32_t before = UINT32_MAX;
	struct buf name = BUF_INIT;

	p->path = arena_zalloc(&p->arena, n + 1, sizeof(*p->path));
	for (size_t i = 0; i < n; i++) {
		uint32_t at = place[plan->tasks[path[i]].node->index];

		if (at == UINT32_MAX)
			continue;    /* a test nobody asked to see */
		p->nodes[at].critical = true;
		p->path[p->npath++] = at;
		if (before != UINT32_MAX)
			mark_way(p, before, at, came, queue);
		before = at;
	}
	if (p->job->timed) {
		buf_adds(&name, "critical path, ");
		picture_seconds(&name, plan->critical_path);
	} else {
		buf_addf(&name, "longest chain, %zu tasks%s", n, n > p->npath ? " with tests" : "");
	}
	p->critical_name = arena_strdup(&p->arena, buf_str(&name));
	buf_release(&name);
	free(path);
	free(came);
	free(queue);
}

/* ---- groups ---- */

static const char *
folder_of(struct picture *p, const struct node *n)
{
	const char *slash = strrchr(n->path, '/');
	const char *root = p->job->graph->project_name;
	const char *folder;

	if (n->kind == KIND_SOURCE && n->source_name)
		return arena_printf(&p->arena, "source %s", n->source_name);
	if (!slash || (KIND_BIT(n->kind) & (KIND_BIT(KIND_EXPOSURE) | KIND_BIT(KIND_METRIC) |
	    KIND_BIT(KIND_SEMANTIC_MODEL) | KIND_BIT(KIND_SAVED_QUERY))))
		return kind_plural(n->kind);    /* they stand in YAML files anywhere */
	folder = arena_strndup(&p->arena, n->path, (size_t)(slash - n->path));
	if (root && n->package && strcmp(root, n->package) != 0)
		return arena_printf(&p->arena, "%s: %s", n->package, folder);
	return folder;
}

/* A test stands with what it tests. */
static const struct node *
home_of(const struct picture *p, const struct node *n)
{
	const struct node *tested = NULL;

	if (n->kind == KIND_TEST && n->attached)
		tested = graph_find(p->job->graph, n->attached);
	else if (n->kind == KIND_UNIT_TEST && n->nparents == 1)
		tested = &p->job->graph->nodes[n->parents[0]];
	return tested ? tested : n;
}

static const char *
group_of(struct picture *p, const struct node *n, enum grouping by)
{
	n = home_of(p, n);
	if (by == GROUP_BY_TAG)
		return n->tags.n ? n->tags.v[0] : "untagged";
	return folder_of(p, n);
}

static int
by_name(const void *a, const void *b)
{
	const struct picture_group *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct picture_group *
picture_groups(struct picture *p, enum grouping by, uint32_t *of, size_t *ngroups)
{
	struct picture_group *groups = arena_zalloc(&p->arena, p->nnodes + 1, sizeof(*groups));
	const char **names = arena_zalloc(&p->arena, p->nnodes + 1, sizeof(*names));
	struct map seen = MAP_INIT;
	size_t n = 0;

	for (size_t i = 0; i < p->nnodes; i++) {
		names[i] = group_of(p, p->nodes[i].node, by);
		if (!map_get(&seen, names[i])) {
			groups[n].name = names[i];
			map_put(&seen, names[i], &groups[n++]);
		}
	}
	qsort(groups, n, sizeof(*groups), by_name);
	for (size_t i = 0; i < n; i++)
		map_put(&seen, groups[i].name, &groups[i]);
	for (size_t i = 0; i < p->nnodes; i++) {
		struct picture_group *g = map_get(&seen, names[i]);

		g->nnodes++;
		of[i] = (uint32_t)(g - groups);
	}
	map_release(&seen);
	*ngroups = n;
	return groups;
}

static void
group_nodes(struct picture *p)
{
	uint32_t *of = arena_zalloc(&p->arena, p->nnodes + 1, sizeof(*of));

	for (size_t i = 0; i < p->nnodes; i++)
		p->nodes[i].group = PICTURE_NO_GROUP;
	if (p->job->group_by == GROUP_BY_NONE)
		return;
	p->groups = picture_groups(p, p->job->group_by, of, &p->ngroups);
	for (size_t i = 0; i < p->nnodes; i++)
		p->nodes[i].group = of[i];
}

/* ---- the picture ---- */

struct picture *
picture_new(const struct export_job *job)
{
	struct picture *p = xcalloc(1, sizeof(*p));
	const struct graph *g = job->graph;
	uint32_t *place;

	p->job = job;
	p->nodes = arena_zalloc(&p->arena, set_count(job->nodes) + 1, sizeof(*p->nodes));
	place = arena_alloc(&p->arena, (g->nnodes + 1) * sizeof(*place));
	for (size_t i = 0; i < g->nnodes; i++) {
		place[i] = UINT32_MAX;
		if (!set_has(job->nodes, i))
			continue;
		place[i] = (uint32_t)p->nnodes;
		p->nodes[p->nnodes].node = &g->nodes[i];
		p->nodes[p->nnodes].focus = job->focus && set_has(job->focus, i);
		p->nodes[p->nnodes++].task = plan_find(job->plan, &g->nodes[i]);
	}
	label_nodes(p);
	join_nodes(p, place);
	mark_critical(p, place);
	group_nodes(p);
	picture_colour(p);
	return p;
}

void
picture_free(struct picture *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	free(p);
}

void
picture_seconds(struct buf *out, double seconds)
{
	double s = seconds < 9.95 ? round(seconds * 10) / 10 : round(seconds);

	if (seconds < 0.095 && seconds > 0)
		s = fmax(round(seconds * 100) / 100, 0.01);
	if (s < 60) {
		emit_number(out, s);
		buf_adds(out, " s");
	} else if (s < 3600) {
		buf_addf(out, "%.0f min %.0f s", floor(s / 60), fmod(s, 60));
	} else {
		buf_addf(out, "%.0f h %.0f min", floor(s / 3600), floor(fmod(s, 3600) / 60));
	}
}

void
picture_hint(struct buf *out, const struct picture *p, const struct picture_node *n)
{
	const struct task *t = n->task;

	buf_adds(out, n->node->id);
	buf_addf(out, "\n%s", n->node->materialized ? n->node->materialized :
	    kind_name(n->node->kind));
	if (n->node->path[0])
		buf_addf(out, ", %s", n->node->path);
	if (t && t->last_status)
		buf_addf(out, "\n%s", t->last_status);
	if (t && picture_is_timed(p, t)) {
		buf_adds(out, " in ");
		picture_seconds(out, t->seconds);
	}
}
