#include "util/ytree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "util/map.h"
#include "util/xalloc.h"
#include "util/yscalar.h"

#define MAX_DEPTH 100
#define MAX_SIZE ((size_t)1000000)

/* A container that is not closed yet; in a map, keys and values take turns. */
struct frame {
	struct ynode *node;
	const struct ynode **kids;
	size_t nkids, cap;
};

struct reader {
	struct arena *arena;
	const char *name;
	struct err *err;
	yaml_parser_t parser;
	struct map anchors;              /* name -> node */
	struct frame stack[MAX_DEPTH];
	size_t depth;
	const struct ynode *root;
};

static int
fault(struct reader *r, size_t line, const char *what)
{
	return err_set(r->err, "%s:%zu: %s", r->name, line, what);
}

static struct ynode *
new_node(struct reader *r, enum ytype type, const yaml_mark_t *mark)
{
	struct ynode *y = arena_zalloc(r->arena, 1, sizeof(*y));

	y->type = type;
	y->line = mark->line + 1;
	y->text = "";
	y->size = 1;
	return y;
}

/* Joins the open container, or becomes the document. */
static int
add(struct reader *r, const struct ynode *y, size_t line)
{
	struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;

	if (y->key_only && !(f && f->node->type == YT_MAP && f->nkids % 2 == 0))
		return err_set(r->err, "%s:%zu: a plain '%s' is no value; quote it", r->name, line,
			y->text);
	if (!f) {
		if (r->root)
			return fault(r, line, "a second document begins here; one is expected");
		r->root = y;
		return 0;
	}
	f->node->size += y->size;
	if (f->node->size > MAX_SIZE)
		return fault(r, line, "too many values once aliases are followed");
	f->kids = xgrow(f->kids, f->nkids, &f->cap, sizeof(*f->kids));
	f->kids[f->nkids++] = y;
	return 0;
}

static int
set_anchor(struct reader *r, const yaml_char_t *anchor, struct ynode *y)
{
	if (anchor && map_put(&r->anchors, arena_strdup(r->arena, (const char *)anchor), y))
		return err_set(r->err, "%s:%zu: anchor '%s' is there already", r->name, y->line,
			(const char *)anchor);
	return 0;
}

static int
add_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *tag = (const char *)ev->data.scalar.tag;
	struct ynode *y = new_node(r, YT_TEXT, &ev->start_mark);

	if (strlen((const char *)ev->data.scalar.value) != ev->data.scalar.length)
		return fault(r, y->line, "a NUL character");
	y->text = arena_strndup(r->arena, (const char *)ev->data.scalar.value,
		ev->data.scalar.length);
	if (ev->data.scalar.plain_implicit) {
		yscalar_resolve(r->arena, y);
	} else if (tag && !ONE_OF(tag, "!", YAML_STR_TAG)) {
		yscalar_resolve(r->arena, y);
		if (!(y->type == YT_NULL && ONE_OF(tag, YAML_NULL_TAG)) &&
		    !(y->type == YT_BOOL && ONE_OF(tag, YAML_BOOL_TAG)) &&
		    !(y->type == YT_NUMBER && ONE_OF(tag, YAML_INT_TAG, YAML_FLOAT_TAG)) &&
		    !(y->type == YT_DATE && ONE_OF(tag, YAML_TIMESTAMP_TAG)))
			return err_set(r->err, "%s:%zu: '%s' cannot be read as tag '%s'", r->name,
				y->line, y->text, tag);
	}
	if (set_anchor(r, ev->data.scalar.anchor, y) < 0)
		return -1;
	return add(r, y, y->line);
}

static int
open_container(struct reader *r, enum ytype type, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = type == YT_LIST ? ev->data.sequence_start.anchor
	                                            : ev->data.mapping_start.anchor;
	const char *tag = (const char *)(type == YT_LIST ? ev->data.sequence_start.tag
	                                                 : ev->data.mapping_start.tag);
	struct ynode *y = new_node(r, type, &ev->start_mark);

	if (tag && !ONE_OF(tag, "!", type == YT_LIST ? YAML_SEQ_TAG : YAML_MAP_TAG))
		return err_set(r->err, "%s:%zu: unknown tag '%s'", r->name, y->line, tag);
	if (r->depth == MAX_DEPTH)
		return fault(r, y->line, "nested too deep");
	if (r->depth == 0 && r->root)
		return fault(r, y->line, "a second document begins here; one is expected");
	if (set_anchor(r, anchor, y) < 0)
		return -1;
	r->stack[r->depth++] = (struct frame){ .node = y };
	return 0;
}

/* Of scalars. */
static bool
same_value(const struct ynode *a, const struct ynode *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == YT_NUMBER)
		return a->number == b->number;
	if (a->type == YT_BOOL)
		return a->truth == b->truth;
	return a->type == YT_NULL || strcmp(a->text, b->text) == 0;
}

/* A key written again keeps its first place and takes the new value, as a dict in Python does.
 * Returns its place. */
static size_t
put(struct ynode *map, struct map *texts, const struct ynode *key, const struct ynode *value)
{
	size_t at = map->n;

	if (key->type == YT_TEXT) {
		void *known = map_get(texts, key->text);

		if (known)
			at = (size_t)((const struct ynode **)known - map->keys);
		else
			map_put(texts, key->text, &map->keys[at]);
	} else {
		for (at = 0; at < map->n && !same_value(map->keys[at], key); at++)
			;
	}
	map->items[at] = value;
	if (at == map->n) {
		map->keys[at] = key;
		map->n++;
	}
	return at;
}

static bool
is_merge(const struct ynode *key)
{
	return key->key_only && *key->text == '<';
}

/* The maps behind a merge key: one, or a list of them where the first wins. */
static int
merged_maps(struct reader *r, const struct ynode *value, const struct ynode *const **maps,
    size_t *n)
{
	*n = value->type == YT_LIST ? value->n : 1;
	*maps = value->type == YT_LIST ? value->items : NULL;
	for (size_t i = 0; i < *n; i++)
		if ((*maps ? (*maps)[i] : value)->type != YT_MAP)
			return fault(r, value->line, "<< takes a map or a list of maps");
	return 0;
}

static int
put_merged(struct reader *r, const struct frame *f, struct map *texts)
{
	for (size_t i = 0; i < f->nkids; i += 2) {
		const struct ynode *const *maps;
		size_t n;

		if (!is_merge(f->kids[i]))
			continue;
		if (merged_maps(r, f->kids[i + 1], &maps, &n) < 0)
			return -1;
		while (n-- > 0) {
			const struct ynode *from = maps ? maps[n] : f->kids[i + 1];

			for (size_t k = 0; k < from->n; k++)
				put(f->node, texts, from->keys[k], from->items[k]);
		}
	}
	return 0;
}

static size_t
room_for(const struct frame *f)
{
	size_t n = f->nkids / 2;

	for (size_t i = 0; i < f->nkids; i += 2)
		if (is_merge(f->kids[i]))
			n += f->kids[i + 1]->size;
	return n;
}

/* pair: key and value. What a merge brought may be written once more. */
static void
put_own(struct ynode *map, struct map *texts, size_t nmerged, const struct ynode *const *pair)
{
	size_t n = map->n, at = put(map, texts, pair[0], pair[1]);

	if (at >= nmerged && at < n)
		map->twice = pair[0];
}

static int
close_map(struct reader *r, const struct frame *f)
{
	struct ynode *y = f->node;
	struct map texts = MAP_INIT;
	size_t nmerged;
	int rc;

	y->keys = arena_zalloc(r->arena, room_for(f), sizeof(*y->keys));
	y->items = arena_zalloc(r->arena, room_for(f), sizeof(*y->items));
	rc = put_merged(r, f, &texts);
	nmerged = y->n;
	for (size_t i = 0; rc == 0 && i < f->nkids; i += 2) {
		if (f->kids[i]->type >= YT_LIST)
			rc = fault(r, f->kids[i]->line, "a list or map cannot be a key");
		else if (!is_merge(f->kids[i]))
			put_own(y, &texts, nmerged, f->kids + i);
	}
	map_release(&texts);
	return rc;
}

static int
close_container(struct reader *r)
{
	struct frame *f = &r->stack[r->depth - 1];
	struct ynode *y = f->node;
	int rc = 0;

	if (y->type == YT_MAP) {
		rc = close_map(r, f);
	} else if (f->nkids) {
		y->items = arena_alloc(r->arena, f->nkids * sizeof(*y->items));
		memcpy(y->items, f->kids, f->nkids * sizeof(*y->items));
		y->n = f->nkids;
	}
	free(f->kids);
	f->kids = NULL;
	r->depth--;
	return rc < 0 ? -1 : add(r, y, y->line);
}

static int
add_alias(struct reader *r, const yaml_event_t *ev)
{
	const char *anchor = (const char *)ev->data.alias.anchor;
	const struct ynode *y = map_get(&r->anchors, anchor);
	size_t line = ev->start_mark.line + 1;

	if (!y)
		return err_set(r->err, "%s:%zu: alias '%s' has no anchor", r->name, line, anchor);
	for (size_t i = 0; i < r->depth; i++)
		if (r->stack[i].node == y)
			return err_set(r->err, "%s:%zu: alias '%s' stands in what it names",
				r->name, line, anchor);
	return add(r, y, line);
}

static int
take(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:         return add_scalar(r, ev);
	case YAML_ALIAS_EVENT:          return add_alias(r, ev);
	case YAML_SEQUENCE_START_EVENT: return open_container(r, YT_LIST, ev);
	case YAML_MAPPING_START_EVENT:  return open_container(r, YT_MAP, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:    return close_container(r);
	default:                        return 0;
	}
}

static int
read_events(struct reader *r)
{
	yaml_event_t ev;
	bool done = false;
	int rc = 0;

	while (rc == 0 && !done) {
		if (!yaml_parser_parse(&r->parser, &ev))
			return err_set(r->err, "%s:%zu: not YAML: %s", r->name,
				r->parser.problem_mark.line + 1,
				r->parser.problem ? r->parser.problem : "unreadable");
		done = ev.type == YAML_STREAM_END_EVENT;
		rc = take(r, &ev);
		yaml_event_delete(&ev);
	}
	return rc;
}

const struct ynode *
ytree_parse(struct arena *a, const char *name, const char *data, size_t len, struct err *err)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	const struct ynode *root = NULL;

	r->arena = a;
	r->name = name;
	r->err = err;
	if (!yaml_parser_initialize(&r->parser)) {
		err_set(err, "%s: cannot start the YAML reader", name);
		free(r);
		return NULL;
	}
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)data, len);
	if (read_events(r) == 0)
		root = r->root ? r->root : new_node(r, YT_NULL, &(yaml_mark_t){ 0 });
	while (r->depth > 0)
		free(r->stack[--r->depth].kids);
	map_release(&r->anchors);
	yaml_parser_delete(&r->parser);
	free(r);
	return root;
}

const struct ynode *
ytree_get(const struct ynode *y, const char *key)
{
	if (!y || y->type != YT_MAP)
		return NULL;
	for (size_t i = 0; i < y->n; i++)
		if (ytree_is(y->keys[i], key))
			return y->items[i];
	return NULL;
}

bool
ytree_is(const struct ynode *y, const char *text)
{
	return y && y->type == YT_TEXT && strcmp(y->text, text) == 0;
}

static const struct ynode *
value_of(const struct ynode *map, const struct ynode *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (same_value(map->keys[i], key))
			return map->items[i];
	return NULL;
}

bool
ytree_holds(const struct ynode *y, const struct ynode *part)
{
	if (y->type != part->type || y->n < part->n)
		return false;
	if (y->type < YT_LIST)
		return same_value(y, part);
	for (size_t i = 0; i < part->n; i++) {
		const struct ynode *is = y->type == YT_LIST ? y->items[i] :
			value_of(y, part->keys[i]);

		if (!is || !ytree_holds(is, part->items[i]))
			return false;
	}
	return true;
}

bool
ytree_truth(const struct ynode *y)
{
	if (!y)
		return false;
	switch (y->type) {
	case YT_NULL:   return false;
	case YT_BOOL:   return y->truth;
	case YT_NUMBER: return y->number != 0;
	case YT_LIST:
	case YT_MAP:    return y->n > 0;
	default:        return *y->text != '\0';
	}
}

const char *
ytype_name(enum ytype type)
{
	static const char *const names[] = {
		"null", "true or false", "a number", "a date", "text", "a list", "a map",
	};

	return names[type];
}
