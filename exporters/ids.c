#include "exporters/ids.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

#define NHASH 9   /* "_" and eight digits */

const struct id_style id_plain = { '_', false, false };

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Does the name end like something id_add() appends (__v2, __seed, __in_package), or like
 * tests__all? */
static bool
looks_marked(const char *name)
{
	for (const char *s = strstr(name, "__"); s; s = strstr(s + 1, "__")) {
		const char *mark = s + 2;

		if (text_starts(mark, "in_") || strcmp(mark, "all") == 0 ||
		    kind_find(mark, strlen(mark)) >= 0)
			return true;
		if (*mark == 'v' && is_digit(mark[1]))
			return true;
	}
	return false;
}

/* The text in the alphabet; true when letters were replaced on the way. */
static bool
add_letters(struct buf *out, const char *text, const struct id_style *style)
{
	bool changed = false;
	size_t from = out->len;

	if (!is_letter(*text) || (*text == '_' && style->letter)) {
		buf_adds(out, "n_");
		changed = true;
	}
	for (const char *s = text; *s; s++) {
		char c = is_letter(*s) || is_digit(*s) ? *s : '_';

		if (style->lower && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		changed = changed || c != *s;
		/* A run of replaced letters is one mark. */
		if (c == '_' && *s != '_' && out->len > from && out->data[out->len - 1] == '_')
			continue;
		buf_addc(out, c);
	}
	return changed;
}

static void
finish(struct buf *out, size_t from, bool changed, const char *key, const struct id_style *style)
{
	if (changed || out->len - from > ID_MAX) {
		if (out->len - from > ID_MAX - NHASH)
			buf_truncate(out, from + ID_MAX - NHASH);
		buf_addf(out, "_%08x", (unsigned)(hash_text(HASH_START, key) >> 32));
	}
	for (size_t i = from; style->blank != '_' && i < out->len; i++)
		if (out->data[i] == '_')
			out->data[i] = style->blank;
}

void
id_add(struct buf *out, const struct graph *g, const struct node *n, const struct id_style *style)
{
	size_t from = out->len;
	bool changed = looks_marked(n->name);
	bool foreign = g->project_name && n->package && strcmp(g->project_name, n->package) != 0;

	if (n->kind == KIND_SOURCE && n->source_name) {
		/* "a_b" of "c" and "b_c" ... the mark between two names is no letter of theirs. */
		changed = add_letters(out, n->source_name, style) || changed;
		changed = changed || strstr(n->source_name, "__") || looks_marked(n->source_name);
		buf_adds(out, "__");
		changed = add_letters(out, n->name, style) || changed;
	} else {
		changed = add_letters(out, n->name, style) || changed;
	}
	if (n->versioned && n->version) {
		buf_adds(out, "__v");
		for (const char *s = n->version; *s; s++) {
			bool plain = is_digit(*s) || (is_letter(*s) && *s != '_');

			changed = changed || !plain;
			buf_addc(out, plain ? *s : '_');
		}
	}
	if (n->kind != KIND_MODEL)
		buf_addf(out, "__%s", kind_name(n->kind));
	if (foreign) {
		buf_adds(out, "__in_");
		changed = add_letters(out, n->package, style) || changed;
	}
	finish(out, from, changed, n->id, style);
}

void
id_add_text(struct buf *out, const char *text, const char *key, const struct id_style *style)
{
	size_t from = out->len;

	finish(out, from, add_letters(out, text, style), key, style);
}

int
ids_check(const struct graph *g, const struct set *nodes, const struct id_style *style,
    struct err *err)
{
	struct map seen = MAP_INIT;
	struct arena a = ARENA_INIT;
	struct buf id = BUF_INIT;
	int rc = 0;

	for (size_t i = set_next(nodes, 0); i < nodes->nbits &&
	    rc == 0; i = set_next(nodes, i + 1)) {
		struct node *n = &g->nodes[i], *twin;

		buf_truncate(&id, 0);
		id_add(&id, g, n, style);
		twin = map_put(&seen, arena_strdup(&a, id.data), n);
		if (twin)
			rc = err_set(err, "nodes '%s' and '%s' would share the id '%s'", twin->id,
			    n->id, id.data);
	}
	map_release(&seen);
	arena_release(&a);
	buf_release(&id);
	return rc;
}
