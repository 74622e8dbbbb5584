#include "exporters/folders.h"

#include <stdlib.h>
#include <string.h>

#include "util/hash.h"
#include "util/map.h"
#include "util/xalloc.h"

#define PATH_MAX_BYTES 140   /* leaves room for the task's own name in 250 */

static void
add_name(struct buf *b, const char *name)
{
	size_t from = b->len;
	bool changed = *name == '\0';

	for (const char *s = name; *s; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			(*s >= '0' && *s <= '9') || *s == '_' || *s == '-';

		changed = changed || !plain;
		buf_addc(b, plain ? *s : '_');
	}
	if (changed || b->len - from > 60) {
		if (b->len - from > 50)
			buf_truncate(b, from + 50);
		buf_addf(b, "_%08x", (unsigned)(hash_text(HASH_START, name) >> 32));
	}
}

/* A test stands where what it tests stands; one that reads several nodes where its file does. */
static const struct node *
home_of(const struct graph *g, const struct node *n)
{
	const struct node *home = n->attached ? graph_find(g, n->attached) : NULL;

	if (!home && (n->kind == KIND_TEST || n->kind == KIND_UNIT_TEST) && n->nparents == 1)
		home = &g->nodes[n->parents[0]];
	return home ? home : n;
}

static const char *
path_of(struct steps *s, const struct node *n)
{
	struct buf b = BUF_INIT;
	const struct strs *fqn = &n->fqn;
	size_t last = fqn->n - (fqn->n > 0) - (n->kind == KIND_SOURCE && fqn->n > 1);
	const char *path;

	if (s->job->group_by == GROUP_BY_TAG && n->tags.n)
		add_name(&b, n->tags.v[0]);
	for (size_t i = 1; s->job->group_by == GROUP_BY_FOLDER && i < last; i++) {
		if (b.len)
			buf_addc(&b, '/');
		add_name(&b, fqn->v[i]);
	}
	if (b.len > PATH_MAX_BYTES) {
		uint64_t h = hash_text(HASH_START, b.data);

		for (size_t i = 0; i < b.len; i++)
			if (b.data[i] == '/')
				b.data[i] = '_';
		buf_truncate(&b, PATH_MAX_BYTES - 9);
		buf_addf(&b, "_%08x", (unsigned)(h >> 32));
	}
	path = arena_strdup(&s->arena, buf_str(&b));
	buf_release(&b);
	return path;
}

const char *
folders_of_node(struct steps *s, const struct node *n)
{
	return path_of(s, home_of(s->job->graph, n));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The path and every path above it. */
static void
add_paths(struct folders *f, size_t *cap, struct map *seen, struct arena *a, const char *path)
{
	for (const char *slash = path; *path; ) {
		slash = strchr(slash, '/');
		const char *part = slash ? arena_strndup(a, path, (size_t)(slash - path)) : path;

		if (!map_get(seen, part)) {
			map_put(seen, part, (void *)(uintptr_t)part);
			f->all = xgrow(f->all, f->n, cap, sizeof(*f->all));
			f->all[f->n++] = part;
		}
		if (!slash)
			break;
		slash++;
	}
}

void
folders_find(struct folders *f, struct steps *s)
{
	struct map seen = MAP_INIT;
	size_t cap = 0;
	const char **all;

	memset(f, 0, sizeof(*f));
	f->of = arena_zalloc(&s->arena, s->n + 1, sizeof(*f->of));
	for (size_t i = 0; i < s->n; i++) {
		f->of[i] = s->v[i].node ? folders_of_node(s, s->v[i].node) : "";
		add_paths(f, &cap, &seen, &s->arena, f->of[i]);
	}
	if (f->n)
		qsort(f->all, f->n, sizeof(*f->all), by_text);
	all = arena_zalloc(&s->arena, f->n + 1, sizeof(*all));
	if (f->n)
		memcpy(all, f->all, f->n * sizeof(*all));
	free(f->all);
	f->all = all;
	map_release(&seen);
}
