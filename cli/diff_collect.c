#include "cli/diff_report.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

static bool
is_test(const struct node *n)
{
	return n->kind == KIND_TEST || n->kind == KIND_UNIT_TEST;
}

static struct diff_entry *
add_entry(struct diff_list *l, const struct node *n)
{
	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	l->v[l->n] = (struct diff_entry){ .node = n };
	return &l->v[l->n++];
}

/* A walk down the graph; seen[i] is the number of the walk that came by last. */
struct walk {
	const struct graph *g;
	uint32_t *queue, *seen, turn;
};

/* Everything after the nodes in queue[0..n), themselves left out; adds what it finds to `found`. */
static size_t
walk_down(struct walk *w, size_t n, struct set *found)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		w->seen[w->queue[i]] = w->turn;
	for (size_t at = 0; at < n; at++) {
		const struct node *from = &w->g->nodes[w->queue[at]];

		for (size_t k = 0; k < from->nchildren; k++) {
			uint32_t child = from->children[k];

			if (w->seen[child] == w->turn || is_test(&w->g->nodes[child]))
				continue;
			w->seen[child] = w->turn;
			w->queue[n++] = child;
			count++;
			if (found)
				set_add(found, child);
		}
	}
	w->turn++;
	return count;
}

static void
count_each(struct walk *w, struct diff_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		w->queue[0] = l->v[i].node->index;
		l->v[i].downstream = walk_down(w, 1, NULL);
	}
}

static size_t
start_from(struct walk *w, size_t n, const struct diff_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!is_test(l->v[i].node))
			w->queue[n++] = l->v[i].node->index;
	return n;
}

static size_t
count_exposures(const struct diff_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].node->kind == KIND_EXPOSURE;
	return n;
}

static void
count_downstream(struct diff *d, const struct graph *g)
{
	struct walk w = { .g = g, .turn = 1 };
	struct set found;
	size_t n;

	w.queue = xcalloc(g->nnodes + 1, sizeof(*w.queue));
	w.seen = xcalloc(g->nnodes + 1, sizeof(*w.seen));
	set_init(&found, g->nnodes);
	count_each(&w, &d->added);
	count_each(&w, &d->modified);
	n = start_from(&w, 0, &d->added);
	n = start_from(&w, n, &d->modified);
	d->downstream = walk_down(&w, n, &found);
	d->exposures = count_exposures(&d->added) + count_exposures(&d->modified);
	for (size_t i = set_next(&found, 0); i < found.nbits; i = set_next(&found, i + 1))
		d->exposures += g->nodes[i].kind == KIND_EXPOSURE;
	set_release(&found);
	free(w.queue);
	free(w.seen);
}

static bool
is_breaking(const struct diff_entry *e)
{
	bool breaks = e->breaking;

	for (size_t i = 0; i < e->report.nchanges; i++)
		breaks |= e->report.changes[i].breaking;
	return breaks;
}

static void
count_breaks(struct diff *d)
{
	for (size_t i = 0; i < d->modified.n; i++)
		d->breaks += is_breaking(&d->modified.v[i]);
	for (size_t i = 0; i < d->removed.n; i++)
		d->breaks += is_breaking(&d->removed.v[i]);
}

static int
by_kind(const void *a, const void *b)
{
	const struct node *x = ((const struct diff_entry *)a)->node;
	const struct node *y = ((const struct diff_entry *)b)->node;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void
sort(struct diff_list *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_kind);
}

static int
collect_present(struct diff *d, struct state *s, const struct graph *g, const struct set *chosen,
    struct err *err)
{
	for (size_t i = set_next(chosen, 0); i < g->nnodes; i = set_next(chosen, i + 1)) {
		struct diff_list *l;
		struct state_report r;

		if (state_compare(s, g, &g->nodes[i], &r, err) < 0)
			return -1;
		l = r.verdict == STATE_NEW ? &d->added : &d->modified;
		if (r.verdict != STATE_SAME)
			add_entry(l, &g->nodes[i])->report = r;
	}
	return 0;
}

int
diff_collect(struct diff *d, struct state *s, const struct graph *g, const struct set *chosen,
    bool all, struct err *err)
{
	const struct state_removed *removed = NULL;
	size_t nremoved = 0;

	memset(d, 0, sizeof(*d));
	if (collect_present(d, s, g, chosen, err) < 0)
		return -1;
	if (all && state_list_removed(s, g, &removed, &nremoved, err) < 0)
		return -1;
	for (size_t i = 0; i < nremoved; i++) {
		struct diff_entry *e = add_entry(&d->removed, removed[i].node);

		e->disabled = removed[i].disabled;
		e->breaking = removed[i].breaking;
	}
	sort(&d->added);
	sort(&d->modified);
	sort(&d->removed);
	count_downstream(d, g);
	count_breaks(d);
	return 0;
}

void
diff_release(struct diff *d)
{
	free(d->added.v);
	free(d->modified.v);
	free(d->removed.v);
	memset(d, 0, sizeof(*d));
}
