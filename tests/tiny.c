#include "tests/tiny.h"

#include "graph/set.h"
#include "tests/check.h"
#include "util/buf.h"
#include "util/xalloc.h"

struct line {
	char *kind, *name, *parents, *config;
};

static char *
word(char **at, const char *stop)
{
	char *s = *at + strspn(*at, " \t"), *end = s + strcspn(s, stop);

	*at = *end ? end + 1 : end;
	*end = '\0';
	return s;
}

static struct line
split(char *text)
{
	struct line l = { .kind = word(&text, " \t") };
	char *brace = strchr(text, '{'), *colon;

	if (brace) {
		l.config = xstrdup(brace);
		*brace = '\0';
	}
	if ((colon = strchr(text, ':')))
		*colon++ = '\0';
	l.name = word(&text, " \t");
	l.parents = colon ? colon : l.name + strlen(l.name);
	return l;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->id, ((const struct node *)b)->id);
}

static void
fill(struct graph *g, struct node *n, const struct line *l)
{
	static const char *const materialized[] = { "ephemeral", "incremental" };
	const char *kind = l->kind;

	for (size_t i = 0; i < 2; i++)
		if (strcmp(kind, materialized[i]) == 0)
			n->materialized = materialized[i], kind = "model";
	if (strcmp(kind, "blank") == 0)
		n->blank = true, kind = "model";
	if (strcmp(kind, "checked") == 0)
		n->has_freshness = true, kind = "source";
	if (kind_find(kind, strlen(kind)) < 0)
		fail_msg("tiny_graph: no kind '%s'", kind);
	n->kind = (enum node_kind)kind_find(kind, strlen(kind));
	n->name = arena_strdup(&g->arena, l->name);
	n->package = "p";
	n->path = "";
	n->source_name = n->kind == KIND_SOURCE ? "src" : NULL;
	n->id = arena_printf(&g->arena, "%s.p.%s", kind, l->name);
	n->fqn.v = arena_zalloc(&g->arena, 2, sizeof(*n->fqn.v));
	n->fqn.v[n->fqn.n++] = "p";
	n->fqn.v[n->fqn.n++] = n->name;
	n->json = arena_zalloc(&g->arena, NNODE_JSON, sizeof(*n->json));
	n->json[NODE_CONFIG] = l->config ? arena_strdup(&g->arena, l->config) : NULL;
	/* Kept here until the nodes are sorted. */
	n->alias = arena_strdup(&g->arena, l->parents);
}

const struct node *
tiny_node(const struct graph *g, const char *name)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (strcmp(g->nodes[i].name, name) == 0)
			return &g->nodes[i];
	fail_msg("tiny_graph: no node '%s'", name);
	return NULL;
}

static void
link_parents(struct graph *g, const struct map *by_name, struct node *n)
{
	char *names = arena_strdup(&g->arena, n->alias);

	n->alias = NULL;
	n->parents = arena_alloc(&g->arena, (strlen(names) / 2 + 1) * sizeof(*n->parents));
	for (char *name = word(&names, " \t"); *name; name = word(&names, " \t")) {
		const struct node *parent = map_get(by_name, name);

		if (parent)
			n->parents[n->nparents++] = parent->index;
		else
			fail_msg("tiny_graph: no node '%s'", name);
	}
}

static void
link_children(struct graph *g)
{
	for (size_t i = 0; i < g->nnodes; i++)
		for (size_t k = 0; k < g->nodes[i].nparents; k++)
			g->nodes[g->nodes[i].parents[k]].nchildren++;
	for (size_t i = 0; i < g->nnodes; i++) {
		struct node *n = &g->nodes[i];

		n->children = arena_alloc(&g->arena, (n->nchildren + 1) * sizeof(*n->children));
		n->nchildren = 0;
	}
	for (size_t i = 0; i < g->nnodes; i++)
		for (size_t k = 0; k < g->nodes[i].nparents; k++) {
			struct node *p = &g->nodes[g->nodes[i].parents[k]];

			p->children[p->nchildren++] = (uint32_t)i;
		}
}

struct graph *
tiny_graph(const char *text)
{
	struct graph *g = graph_new();
	struct map by_name = MAP_INIT;
	char *copy = xstrdup(text), *at = copy;
	size_t nlines = 1;

	for (const char *s = text; *s; s++)
		nlines += *s == '\n';
	g->nodes = arena_zalloc(&g->arena, nlines, sizeof(*g->nodes));
	while (*at) {
		char *text_line = word(&at, "\n");
		struct line l;

		if (!*text_line)
			continue;
		l = split(text_line);
		fill(g, &g->nodes[g->nnodes++], &l);
		free(l.config);
	}
	free(copy);
	qsort(g->nodes, g->nnodes, sizeof(*g->nodes), by_id);
	for (size_t i = 0; i < g->nnodes; i++) {
		g->nodes[i].index = (uint32_t)i;
		map_put(&g->by_id, g->nodes[i].id, &g->nodes[i]);
		map_put(&by_name, g->nodes[i].name, &g->nodes[i]);
	}
	for (size_t i = 0; i < g->nnodes; i++)
		link_parents(g, &by_name, &g->nodes[i]);
	map_release(&by_name);
	link_children(g);
	return g;
}

struct plan *
tiny_plan(const struct graph *g, enum plan_command c, const char *names)
{
	struct err err = ERR_INIT;
	struct set chosen;
	struct plan *p;

	set_init(&chosen, g->nnodes);
	if (names) {
		char *copy = xstrdup(names), *at = copy;

		for (char *name = word(&at, " "); *name; name = word(&at, " "))
			set_add(&chosen, tiny_node(g, name)->index);
		free(copy);
	} else {
		set_fill(&chosen);
	}
	p = plan_new(g, &chosen, c, &err);
	if (!p)
		fail_msg("plan_new: %s", err.msg);
	set_release(&chosen);
	return p;
}

char *
tiny_edges(const struct plan *p)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < p->ntasks; i++)
		for (size_t k = 0; k < p->tasks[i].nchildren; k++)
			buf_addf(&b, "%s%s>%s", b.len ? " " : "", p->tasks[i].node->name,
			    p->tasks[p->tasks[i].children[k]].node->name);
	if (!b.len)
		buf_adds(&b, "");
	return b.data ? buf_detach(&b) : xstrdup("");
}
