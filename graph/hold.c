/*
 * A walk down the graph carries one bit for every (barrier, parent) pair: bit set at a node means
 * that parent is an ancestor. A node that has all bits of a barrier is held by it, and the bits go
 * no further. On the way it shows which parents come before another one of the same barrier.
 * Barriers are handled in batches that fit one word (a barrier with more parents gets several),
 * and a walk covers only the stretch of the order that some bit reaches.
 */
#include "graph/hold.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

#define WORD 64
#define HOLDABLE (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT) | \
	KIND_BIT(KIND_ANALYSIS) | KIND_BIT(KIND_OPERATION))

struct tested {
	uint32_t test;
	uint32_t first;            /* place of the first parent in the order */
	uint32_t *parents;         /* sorted, each once */
	size_t nparents;
};

struct walk {
	const struct graph *g;
	const uint32_t *order;     /* nodes that matter, parents first */
	size_t norder;
	uint32_t *position;        /* node -> place in order */
	uint32_t *furthest;        /* node -> the last place of a child, or its own */
	uint64_t *seen, *own;      /* node -> `words` words: bits of its ancestors, of itself */
	uint64_t *passed;          /* `words` words: bits of parents that come before another */
	size_t words;              /* in this batch */
};

/* Nothing hangs on it and nothing holds it: most of a project's nodes are such. */
static bool
is_idle_leaf(const struct node *n)
{
	return n->nchildren == 0 && !(KIND_BIT(n->kind) & HOLDABLE);
}

static int
compare_u32(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
compare_parents(const struct tested *a, const struct tested *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->nparents != b->nparents)
		return a->nparents < b->nparents ? -1 : 1;
	for (size_t i = 0; i < a->nparents; i++)
		if (a->parents[i] != b->parents[i])
			return a->parents[i] < b->parents[i] ? -1 : 1;
	return 0;
}

static int
compare_tested(const void *a, const void *b)
{
	const struct tested *x = a, *y = b;
	int order = compare_parents(x, y);

	return order ? order : compare_u32(&x->test, &y->test);
}

static void
take_parents(const struct walk *w, const struct node *n, struct arena *arena, struct tested *t)
{
	uint32_t *v = t->parents = arena_alloc(arena, n->nparents * sizeof(*v));

	memcpy(v, n->parents, n->nparents * sizeof(*v));
	qsort(v, n->nparents, sizeof(*v), compare_u32);
	t->first = w->position[v[0]];
	for (size_t i = 0; i < n->nparents; i++) {
		if (w->position[v[i]] < t->first)
			t->first = w->position[v[i]];
		if (t->nparents == 0 || v[t->nparents - 1] != v[i])
			v[t->nparents++] = v[i];
	}
}

/* Neighbours in the result begin near each other, so that a batch has a short walk. */
static struct barrier *
group_tests(const struct walk *w, const struct set *tests, struct arena *arena, size_t *nbarriers)
{
	struct tested *v = xcalloc(set_count(tests) + 1, sizeof(*v));
	struct barrier *barriers;
	uint32_t *ids;
	size_t n = 0, k = 0;

	for (size_t i = set_next(tests, 0); i < tests->nbits; i = set_next(tests, i + 1)) {
		const struct node *node = &w->g->nodes[i];

		if (node->kind != KIND_TEST || node->nparents == 0)
			continue;
		v[n].test = (uint32_t)i;
		take_parents(w, node, arena, &v[n++]);
	}
	qsort(v, n, sizeof(*v), compare_tested);
	barriers = xcalloc(n + 1, sizeof(*barriers));
	ids = arena_alloc(arena, (n + 1) * sizeof(*ids));
	for (size_t i = 0; i < n; i++) {
		ids[i] = v[i].test;
		if (i == 0 || compare_parents(&v[i - 1], &v[i]) != 0)
			barriers[k++] = (struct barrier){ .tests = &ids[i],
				.parents = v[i].parents, .nparents = v[i].nparents };
		barriers[k - 1].ntests++;
	}
	free(v);
	*nbarriers = k;
	return barriers;
}

static bool
has_bits(const uint64_t *words, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		if (!(words[i / WORD] >> (i % WORD) & 1))
			return false;
	return true;
}

static bool
any_of(const uint64_t *words, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		if (words[i / WORD] >> (i % WORD) & 1)
			return true;
	return false;
}

static void
drop_bits(uint64_t *words, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		words[i / WORD] &= ~((uint64_t)1 << (i % WORD));
}

static bool
any_bits(const uint64_t *words, size_t nwords)
{
	for (size_t i = 0; i < nwords; i++)
		if (words[i])
			return true;
	return false;
}

static void
hold(struct barrier *b, uint32_t v)
{
	b->held = xgrow(b->held, b->nheld, &b->held_cap, sizeof(*b->held));
	b->held[b->nheld++] = v;
}

/* v is a parent of some barriers: those parents of theirs that it has seen come before it. */
static void
pass_parents(struct walk *w, uint32_t v, const struct barrier *batch, size_t n)
{
	const uint64_t *seen = &w->seen[v * w->words], *own = &w->own[v * w->words];
	size_t bit = 0;

	for (size_t i = 0; i < n; bit += batch[i++].nparents) {
		if (!any_of(own, bit, batch[i].nparents))
			continue;
		for (size_t k = bit; k < bit + batch[i].nparents; k++)
			if (any_of(seen, k, 1))
				w->passed[k / WORD] |= (uint64_t)1 << (k % WORD);
	}
}

static void
drop_passed_parents(const struct walk *w, struct barrier *batch, size_t n)
{
	size_t bit = 0;

	for (size_t i = 0; i < n; i++) {
		size_t kept = 0, nparents = batch[i].nparents;

		for (size_t k = 0; k < nparents; k++)
			if (!any_of(w->passed, bit + k, 1))
				batch[i].parents[kept++] = batch[i].parents[k];
		batch[i].nparents = kept;
		bit += nparents;
	}
}

/* Collects at v what its parents saw, and stops what is complete. True when bits go on from v. */
static bool
visit(struct walk *w, uint32_t v, struct barrier *batch, size_t n)
{
	const struct node *node = &w->g->nodes[v];
	uint64_t *seen = &w->seen[v * w->words];
	size_t bit = 0;

	for (size_t i = 0; i < node->nparents; i++)
		for (size_t k = 0; k < w->words; k++)
			seen[k] |= w->seen[node->parents[i] * w->words + k] |
				w->own[node->parents[i] * w->words + k];
	if (any_bits(&w->own[v * w->words], w->words))
		pass_parents(w, v, batch, n);
	if ((KIND_BIT(node->kind) & HOLDABLE) && any_bits(seen, w->words)) {
		for (size_t i = 0; i < n; bit += batch[i++].nparents) {
			if (!has_bits(seen, bit, batch[i].nparents))
				continue;
			hold(&batch[i], v);
			drop_bits(seen, bit, batch[i].nparents);
		}
	}
	return any_bits(seen, w->words) || any_bits(&w->own[v * w->words], w->words);
}

static size_t
words_for(size_t nbits)
{
	return (nbits + WORD - 1) / WORD;
}

static void
walk_batch(struct walk *w, struct barrier *batch, size_t n, size_t nbits)
{
	size_t first = w->norder, last = 0, bit = 0;

	w->words = words_for(nbits);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < batch[i].nparents; k++, bit++) {
			uint32_t p = batch[i].parents[k];

			w->own[p * w->words + bit / WORD] |= (uint64_t)1 << (bit % WORD);
			if (w->position[p] < first)
				first = w->position[p];
			if (w->position[p] > last)
				last = w->position[p];
		}
	}
	for (size_t i = first; i <= last; i++)
		if (visit(w, w->order[i], batch, n) && w->furthest[w->order[i]] > last)
			last = w->furthest[w->order[i]];
	for (size_t i = first; i <= last; i++) {
		size_t at = w->order[i] * w->words;

		memset(&w->seen[at], 0, w->words * sizeof(*w->seen));
		memset(&w->own[at], 0, w->words * sizeof(*w->own));
	}
	drop_passed_parents(w, batch, n);
	memset(w->passed, 0, w->words * sizeof(*w->passed));
}

static void
order_without_leaves(struct walk *w, const uint32_t *order, struct arena *arena)
{
	uint32_t *kept = arena_alloc(arena, (w->g->nnodes + 1) * sizeof(*kept));

	w->position = arena_zalloc(arena, w->g->nnodes + 1, sizeof(*w->position));
	for (size_t i = 0; i < w->g->nnodes; i++) {
		if (is_idle_leaf(&w->g->nodes[order[i]]))
			continue;
		w->position[order[i]] = (uint32_t)w->norder;
		kept[w->norder++] = order[i];
	}
	w->order = kept;
	w->furthest = arena_alloc(arena, (w->g->nnodes + 1) * sizeof(*w->furthest));
	for (size_t i = 0; i < w->norder; i++) {
		const struct node *n = &w->g->nodes[kept[i]];
		uint32_t last = (uint32_t)i;

		for (size_t k = 0; k < n->nchildren; k++)
			if (!is_idle_leaf(&w->g->nodes[n->children[k]]) &&
			    w->position[n->children[k]] > last)
				last = w->position[n->children[k]];
		w->furthest[kept[i]] = last;
	}
}

struct barrier *
hold_barriers(const struct graph *g, const struct set *tests, const uint32_t *order,
    struct arena *arena, size_t *nbarriers)
{
	struct walk w = { .g = g };
	struct barrier *all;
	size_t n, most = WORD;

	order_without_leaves(&w, order, arena);
	all = group_tests(&w, tests, arena, nbarriers);
	for (size_t i = 0; i < *nbarriers; i++)
		if (all[i].nparents > most)
			most = all[i].nparents;
	w.seen = xcalloc(g->nnodes + 1, words_for(most) * sizeof(*w.seen));
	w.own = xcalloc(g->nnodes + 1, words_for(most) * sizeof(*w.own));
	w.passed = xcalloc(words_for(most), sizeof(*w.passed));
	for (size_t i = 0; i < *nbarriers; i += n) {
		size_t nbits = all[i].nparents;

		for (n = 1; i + n < *nbarriers && nbits + all[i + n].nparents <= WORD; n++)
			nbits += all[i + n].nparents;
		walk_batch(&w, &all[i], n, nbits);
	}
	free(w.seen);
	free(w.own);
	free(w.passed);
	return all;
}

void
hold_free(struct barrier *barriers, size_t nbarriers)
{
	for (size_t i = 0; barriers && i < nbarriers; i++)
		free(barriers[i].held);
	free(barriers);
}
