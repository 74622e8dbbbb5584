#include "exporters/selects.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

/* How many nodes a text matches; `last` keeps one node from counting twice. Unit tests are counted
 * apart: their fqn continues that of their model, and no command that means the model runs them. */
struct hits {
	size_t n, nunits;
	const struct node *last;
	unsigned kinds;          /* KIND_BIT()s among them */
	bool twins;              /* two of one kind */
	uint32_t *nodes;         /* all of them, for selects_matching() */
	size_t nnodes, cap;
};

struct selects {
	const struct graph *graph;
	struct arena arena;
	struct map by_fqn, by_path;
	struct map lists;        /* as by_fqn, with the nodes; made when first asked for */
	bool listing;            /* it is being made: hits keep their nodes */
};

static void
add_hit(struct selects *s, struct map *m, const char *text, const struct node *n)
{
	struct hits *h = map_get(m, text);

	if (!h) {
		h = arena_zalloc(&s->arena, 1, sizeof(*h));
		map_put(m, arena_strdup(&s->arena, text), h);
	}
	if (h->last == n)
		return;
	h->last = n;
	if (s->listing) {
		h->nodes = xgrow(h->nodes, h->nnodes, &h->cap, sizeof(*h->nodes));
		h->nodes[h->nnodes++] = n->index;
	}
	if (n->kind == KIND_UNIT_TEST) {
		h->nunits++;
		return;
	}
	h->n++;
	h->twins = h->twins || (h->kinds & KIND_BIT(n->kind));
	h->kinds |= KIND_BIT(n->kind);
}

/* Every text that selects the node by fqn[from..]: its name, and each prefix of the dotted path. */
static void
add_fqn(struct selects *s, struct map *m, const struct node *n, size_t from, struct buf *b)
{
	const struct strs *fqn = &n->fqn;

	if (from >= fqn->n)
		return;
	if (n->versioned && fqn->n - from > 1) {
		const char *name = fqn->v[fqn->n - 2], *version = fqn->v[fqn->n - 1];

		add_hit(s, m, name, n);
		buf_truncate(b, 0);
		buf_addf(b, "%s_%s", name, version);
		add_hit(s, m, b->data, n);
		buf_truncate(b, 0);
		buf_addf(b, "%s.%s", name, version);
		add_hit(s, m, b->data, n);
	} else if (!n->versioned) {
		add_hit(s, m, fqn->v[fqn->n - 1], n);
	}
	buf_truncate(b, 0);
	for (size_t i = from; i < fqn->n; i++) {
		const char *part = fqn->v[i];

		if (i > from)
			buf_addc(b, '.');
		for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
			buf_add(b, part, (size_t)(dot - part));
			add_hit(s, m, buf_str(b), n);
			buf_addc(b, '.');
		}
		buf_adds(b, part);
		add_hit(s, m, buf_str(b), n);
	}
}

static void
add_paths(struct selects *s, const struct node *n)
{
	const char *patch = n->patch_path ? strstr(n->patch_path, "://") : NULL;

	add_hit(s, &s->by_path, n->path, n);
	if (patch)
		add_hit(s, &s->by_path, patch + 3, n);
}

static void
add_fqns(struct selects *s, struct map *m)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->graph->nnodes; i++) {
		const struct node *n = &s->graph->nodes[i];

		if (n->kind == KIND_SOURCE)    /* fqn: never means sources */
			continue;
		add_fqn(s, m, n, 0, &b);
		add_fqn(s, m, n, 1, &b);
	}
	buf_release(&b);
}

struct selects *
selects_new(const struct graph *g)
{
	struct selects *s = xcalloc(1, sizeof(*s));

	s->graph = g;
	for (size_t i = 0; i < g->nnodes; i++)
		add_paths(s, &g->nodes[i]);
	add_fqns(s, &s->by_fqn);
	return s;
}

void
selects_free(struct selects *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->lists.nslots; i++)
		if (s->lists.slots[i].key)
			free(((struct hits *)s->lists.slots[i].value)->nodes);
	map_release(&s->lists);
	map_release(&s->by_fqn);
	map_release(&s->by_path);
	arena_release(&s->arena);
	free(s);
}

/* Does dbt read the value as it stands? Not with globs, what it splits at, a trailing `+3`. (A `]`
 * alone makes it a glob too, but one that only matches itself.) */
static bool
is_sayable(const char *value)
{
	size_t n = strlen(value);

	if (n == 0 || strpbrk(value, "*?[, \t\n\r\f\v"))
		return false;
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	while (n && value[n - 1] >= '0' && value[n - 1] <= '9')
		n--;
	return n == 0 || value[n - 1] != '+';
}

/* method:value, with the kind where nodes of other kinds match too. */
static const char *
try_word(const struct map *m, struct arena *a, const char *method, const char *value,
    const struct node *n)
{
	const struct hits *h = map_get(m, value);

	if (!h || !is_sayable(value))
		return NULL;
	if (n->kind == KIND_UNIT_TEST ? h->nunits == 1 && h->n == 0 : h->n == 1)
		return arena_printf(a, "%s:%s", method, value);
	if (h->twins || n->kind == KIND_UNIT_TEST)
		return NULL;
	return arena_printf(a, "%s:%s,resource_type:%s", method, value, kind_name(n->kind));
}

const char *
selects_alone(struct selects *s, struct arena *a, const struct node *n)
{
	struct buf fqn = BUF_INIT;
	const char *word, *root = s->graph->project_name;

	if (n->kind == KIND_SOURCE)
		return NULL;
	for (size_t i = 0; i < n->fqn.n; i++)
		buf_addf(&fqn, "%s%s", i ? "." : "", n->fqn.v[i]);
	word = try_word(&s->by_fqn, a, "fqn", buf_str(&fqn), n);
	buf_release(&fqn);
	/* Paths of packages are their own; dbt reads a path in the root project. */
	if (!word && root && n->package && strcmp(root, n->package) == 0 && n->path[0] != '/')
		word = try_word(&s->by_path, a, "path", n->path, n);
	return word;
}

const char *
selects_fqn(struct arena *a, const char *text)
{
	return is_sayable(text) ? arena_printf(a, "fqn:%s", text) : NULL;
}

const uint32_t *
selects_matching(struct selects *s, const char *text, size_t *n)
{
	const struct hits *h;

	if (s->lists.nslots == 0) {
		s->listing = true;
		add_fqns(s, &s->lists);
		s->listing = false;
	}
	h = map_get(&s->lists, text);
	*n = h ? h->nnodes : 0;
	return h ? h->nodes : NULL;
}
