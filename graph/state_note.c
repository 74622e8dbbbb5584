/* The reasons and warnings that a comparison gathers. */
#include "graph/state_parts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "util/buf.h"
#include "util/xalloc.h"

static const char *
copy_value(struct comparison *c, const char *json)
{
	struct buf b = BUF_INIT;
	const char *copy;

	if (!json)
		return NULL;
	json_add_compact(&b, json);
	copy = arena_strdup(c->arena, buf_str(&b));
	buf_release(&b);
	return copy;
}

static struct state_change *
add_change(struct comparison *c)
{
	c->changes = xgrow(c->changes, c->nchanges, &c->cap, sizeof(*c->changes));
	return &c->changes[c->nchanges++];
}

void
note_change(struct comparison *c, enum state_part part, const char *what, const char *before,
    const char *after, const char *note)
{
	if (!c->explain)
		return;
	*add_change(c) = (struct state_change){
		.part = part, .what = arena_strdup(c->arena, what),
		.before = copy_value(c, before), .after = copy_value(c, after),
		.note = note ? arena_strdup(c->arena, note) : NULL,
	};
}

/* The item of a list that has the same "name", or NULL. */
static const char *
same_name(const char *list, const char *item)
{
	const char *name = json_get(item, "name");

	for (const char *at = json_first(list); name && at; at = json_next(at))
		if (json_equal(json_get(at, "name"), name))
			return at;
	return NULL;
}

static bool
has_names(const char *list)
{
	for (const char *at = json_first(list); at; at = json_next(at))
		if (!json_get(at, "name"))
			return false;
	return *list == '[';
}

/* One key or named item of a container: what.name */
static void
note_inside(struct comparison *c, enum state_part part, const char *what, const char *name,
    const char *before, const char *after)
{
	struct buf path = BUF_INIT;

	if (json_equal_typed(before, after))
		return;
	buf_addf(&path, "%s.", what);
	json_add_string(&path, name);
	note_values(c, part, buf_str(&path), before, after);
	buf_release(&path);
}

static const char *
same_place(const char *container, const char *item)
{
	struct buf key = BUF_INIT;
	const char *value;

	if (*container == '[')
		return same_name(container, item);
	json_add_string(&key, item);
	value = json_get(container, buf_str(&key));
	buf_release(&key);
	return value;
}

void
note_values(struct comparison *c, enum state_part part, const char *what, const char *before,
    const char *after)
{
	size_t nchanges = c->nchanges;

	if (!c->explain)
		return;
	if (!before || !after || *before != *after ||
	    !(*before == '{' || (has_names(before) && has_names(after)))) {
		note_change(c, part, what, before, after, NULL);
		return;
	}
	for (const char *at = json_first(before); at; at = json_next(at))
		note_inside(c, part, what, *before == '[' ? json_get(at, "name") : at,
			*before == '[' ? at : json_value(at), same_place(after, at));
	for (const char *at = json_first(after); at; at = json_next(at))
		if (!same_place(before, at))
			note_inside(c, part, what, *after == '[' ? json_get(at, "name") : at, NULL,
				*after == '[' ? at : json_value(at));
	if (c->nchanges == nchanges)   /* only the order, or an absent key beside its default */
		note_change(c, part, what, before, after, NULL);
}

void
note_breaking(struct comparison *c, const char *what, const char *before, const char *after,
    const char *note)
{
	note_change(c, STATE_CONTRACT, what, before, after, note);
	if (c->explain)
		c->changes[c->nchanges - 1].breaking = true;
}

void
add_warning(struct comparison *c, const char *event, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < c->nwarnings; i++)
		if (strcmp(c->warnings[i].text, buf_str(&b)) == 0) {
			buf_release(&b);
			return;
		}
	c->warnings = xgrow(c->warnings, c->nwarnings, &c->warnings_cap, sizeof(*c->warnings));
	c->warnings[c->nwarnings++] =
		(struct state_warning){ event, arena_strdup(c->arena, b.data) };
	buf_release(&b);
}

void
comparison_release(struct comparison *c)
{
	free(c->changes);
	free(c->warnings);
	memset(c, 0, sizeof(*c));
}

/* ---- code ---- */

struct lines {
	struct buf text;
	const char **v;   /* each ends at the next one, the last at the end */
	size_t n, cap;
};

static void
split_lines(struct lines *l, const char *json)
{
	memset(l, 0, sizeof(*l));
	json_add_string(&l->text, json);
	buf_add(&l->text, "", 0);
	for (const char *s = l->text.data; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
		l->v[l->n++] = s;
	}
}

static bool
same_line(const char *a, const char *b)
{
	size_t n = strcspn(a, "\n");

	return n == strcspn(b, "\n") && memcmp(a, b, n) == 0;
}

static const char *
count_lines(struct comparison *c, size_t first, size_t n)
{
	return n == 1 ? arena_printf(c->arena, "line %zu", first)
	              : arena_printf(c->arena, "lines %zu to %zu", first, first + n - 1);
}

/* "line 5 changed", "lines 3 to 4 added", by what both have in common at either end. */
void
note_lines(struct comparison *c, const char *old, const char *now)
{
	struct lines a, b;
	size_t head = 0, tail = 0, removed, added;
	const char *note;

	split_lines(&a, old);
	split_lines(&b, now);
	while (head < a.n && head < b.n && same_line(a.v[head], b.v[head]))
		head++;
	while (tail < a.n - head && tail < b.n - head &&
	    same_line(a.v[a.n - 1 - tail], b.v[b.n - 1 - tail]))
		tail++;
	removed = a.n - head - tail;
	added = b.n - head - tail;
	if (!removed && !added)
		note = "only the end of the text differs";
	else if (!removed)
		note = arena_printf(c->arena, "%s added", count_lines(c, head + 1, added));
	else if (!added)
		note = arena_printf(c->arena, "%s removed", count_lines(c, head + 1, removed));
	else
		note = arena_printf(c->arena, "%s changed", count_lines(c, head + 1, added));
	note_change(c, STATE_BODY, "code", NULL, NULL, note);
	buf_release(&a.text);
	buf_release(&b.text);
	free(a.v);
	free(b.v);
}
