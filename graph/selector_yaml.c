#include "graph/selector_yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/selector_jinja.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/ytree.h"

struct reader {
	struct selector_file *file;
	struct arena *arena;
	enum selector_mode mode;
	const char *name;        /* of the file */
	const char *selector;    /* the one being read, or NULL */
	struct err *err;
};

static const struct selector *read_definition(struct reader *r, const struct ynode *y);

/* Puts file, line and selector in front of err's message. */
static int
place(struct reader *r, size_t line)
{
	if (r->selector)
		return err_prefix(r->err, "%s:%zu: selector '%s'", r->name, line, r->selector);
	return err_prefix(r->err, "%s:%zu", r->name, line);
}

#define fault(r, line, ...) (err_set((r)->err, __VA_ARGS__), place(r, line))

static void *
fault_at(struct reader *r, const struct ynode *y, const char *what)
{
	fault(r, y->line, "%s", what);
	return NULL;
}

/* ---- values ---- */

static void
add_json(struct buf *b, const struct ynode *y)
{
	switch (y->type) {
	case YT_NULL:   buf_adds(b, "null"); break;
	case YT_BOOL:   buf_adds(b, y->truth ? "true" : "false"); break;
	case YT_NUMBER: buf_addf(b, "%.17g", y->number); break;
	case YT_DATE:
	case YT_TEXT:   text_add_json(b, y->text); break;
	case YT_LIST:
		buf_addc(b, '[');
		for (size_t i = 0; i < y->n; i++) {
			buf_adds(b, i ? "," : "");
			add_json(b, y->items[i]);
		}
		buf_addc(b, ']');
		break;
	case YT_MAP:
		buf_addc(b, '{');
		for (size_t i = 0; i < y->n; i++) {
			buf_adds(b, i ? "," : "");
			text_add_json(b, y->keys[i]->text);
			buf_addc(b, ':');
			add_json(b, y->items[i]);
		}
		buf_addc(b, '}');
		break;
	}
}

static struct selector_value
value_of(struct reader *r, const struct ynode *y)
{
	static const enum selector_value_type types[] = {
		[YT_NULL] = VALUE_NULL, [YT_BOOL] = VALUE_BOOL, [YT_NUMBER] = VALUE_NUMBER,
		[YT_DATE] = VALUE_TEXT, [YT_TEXT] = VALUE_TEXT, [YT_LIST] = VALUE_JSON,
		[YT_MAP] = VALUE_JSON,
	};
	struct selector_value v = { .type = types[y->type], .text = y->text };
	struct buf b = BUF_INIT;

	v.number = y->number;
	v.truth = y->truth;
	if (v.type == VALUE_JSON) {
		add_json(&b, y);
		v.text = arena_strndup(r->arena, b.data, b.len);
		buf_release(&b);
	}
	return v;
}

/* int(value) in Python for what is true; false, 0 and "" mean no limit. */
static int
read_depth(struct reader *r, const struct ynode *map, const char *key, size_t *depth)
{
	const struct ynode *y = ytree_get(map, key);
	double n = -1;
	char *end = NULL;

	*depth = DEPTH_ALL;
	if (!ytree_truth(y))
		return 0;
	if (y->type == YT_TEXT) {
		n = (double)strtoll(y->text, &end, 10);
		if (text_is_blank(y->text) || !text_is_blank(end))
			return fault(r, y->line, "%s '%s' is not a whole number", key, y->text);
	} else if (y->type == YT_NUMBER && isfinite(y->number)) {
		n = y->number;
	} else if (y->type == YT_BOOL) {
		n = 1;
	} else {
		return fault(r, y->line, "%s must be a number, not %s", key, ytype_name(y->type));
	}
	*depth = n < 1 ? 0 : n < 1e9 ? (size_t)n : DEPTH_ALL;
	return 0;
}

static int
read_mode(struct reader *r, const struct ynode *map, enum selector_mode *mode)
{
	const struct ynode *y = ytree_get(map, "indirect_selection");
	int found;

	*mode = r->mode;
	if (!y)
		return 0;
	found = y->type == YT_TEXT ? selector_mode_find(y->text) : -1;
	if (found < 0)
		return fault(r, y->line, "indirect_selection '%s' is not one of eager, cautious, "
			"buildable, empty", y->text);
	*mode = (enum selector_mode)found;
	return 0;
}

/* ---- definitions ---- */

static const struct selector *
read_criterion(struct reader *r, const struct ynode *y, const struct ynode *method,
    const struct ynode *value, const struct ynode *signs)
{
	struct selector_value v = value_of(r, value);
	const char *raw = arena_printf(r->arena, "%s:%s", method->text, v.text);
	enum selector_mode mode;
	struct selector *s;

	if (method->type == YT_NULL && value->type != YT_TEXT)
		return fault_at(r, y, "without a method the value must be text");
	if (method->type != YT_NULL && method->type != YT_TEXT)
		return fault_at(r, method, "the method must be text");
	if (read_mode(r, signs, &mode) < 0)
		return NULL;
	s = selector_criterion(r->arena, raw, method->type == YT_TEXT ? method->text : NULL, &v,
		mode, r->err);
	if (!s) {
		place(r, method->line);
		return NULL;
	}
	s->at = ytree_truth(ytree_get(signs, "childrens_parents"));
	s->up = ytree_truth(ytree_get(signs, "parents"));
	s->down = ytree_truth(ytree_get(signs, "children"));
	if (read_depth(r, signs, "parents_depth", &s->up_depth) < 0 ||
	    read_depth(r, signs, "children_depth", &s->down_depth) < 0)
		return NULL;
	if (selector_check(s, r->err) < 0) {
		place(r, y->line);
		return NULL;
	}
	return s;
}

/* The list under a key, each item a text or a map with text keys; NULL with err. */
static const struct ynode *
read_list(struct reader *r, const struct ynode *y, const char *key)
{
	const struct ynode *list = ytree_get(y, key);

	if (list->type != YT_LIST) {
		fault(r, list->line, "'%s' takes a list, not %s", key, ytype_name(list->type));
		return NULL;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct ynode *item = list->items[i];

		if (item->type != YT_TEXT && item->type != YT_MAP) {
			fault(r, item->line, "'%s' takes texts and maps, not %s", key,
				ytype_name(item->type));
			return NULL;
		}
		for (size_t k = 0; item->type == YT_MAP && k < item->n; k++)
			if (item->keys[k]->type != YT_TEXT)
				return fault_at(r, item->keys[k], "a key must be text");
	}
	return list;
}

/* What `exclude` takes away: *out is NULL when its list is empty. */
static int
read_exclude(struct reader *r, const struct ynode *y, const struct selector **out)
{
	const struct ynode *list = read_list(r, y, "exclude");
	const struct selector **parts;
	int rc = 0;

	*out = NULL;
	if (!list)
		return -1;
	parts = xcalloc(list->n + 1, sizeof(*parts));
	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		parts[i] = read_definition(r, list->items[i]);
		rc = parts[i] ? 0 : -1;
	}
	if (rc == 0 && list->n == 1)
		*out = parts[0];
	else if (rc == 0 && list->n > 1)
		*out = selector_group(r->arena, SELECTOR_UNION, parts, list->n, MODE_EAGER);
	free(parts);
	return rc;
}

/* An item with `exclude` is that exclusion only, whatever else it holds. */
static int
read_parts(struct reader *r, const struct ynode *list, const struct selector **parts,
    size_t *nparts, const struct selector **minus)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct ynode *item = list->items[i];

		if (ytree_get(item, "exclude")) {
			if (*minus)
				return fault(r, item->line, "a second 'exclude' in one set");
			if (read_exclude(r, item, minus) < 0)
				return -1;
			continue;
		}
		parts[*nparts] = read_definition(r, item);
		if (!parts[(*nparts)++])
			return -1;
	}
	return 0;
}

/* Sets of the file never carry a mode: they are put together again eagerly. */
static const struct selector *
read_set(struct reader *r, const struct ynode *y, const char *key, enum selector_op op)
{
	const struct ynode *list = read_list(r, y, key);
	const struct selector *minus = NULL, *set = NULL;
	const struct selector **parts;
	size_t nparts = 0;

	if (!list)
		return NULL;
	parts = xcalloc(list->n + 1, sizeof(*parts));
	if (read_parts(r, list, parts, &nparts, &minus) == 0) {
		set = selector_group(r->arena, op, parts, nparts, MODE_EAGER);
		if (minus)
			set = selector_difference(r->arena, set, minus);
	}
	free(parts);
	return set;
}

static const struct selector_entry *
find_entry(const struct selector_file *f, const char *name)
{
	for (size_t i = 0; i < f->nentries; i++)
		if (strcmp(f->entries[i].name, name) == 0)
			return &f->entries[i];
	return NULL;
}

static const struct selector *
inherit(struct reader *r, const struct ynode *y)
{
	const struct ynode *value = ytree_get(y, "value");
	const struct selector_entry *e = NULL;

	if (value && value->type == YT_TEXT)
		e = find_entry(r->file, value->text);
	if (!e) {
		fault(r, y->line, "no selector '%s' above this one", value ? value->text : "");
		err_hint(r->err, "a selector can only use those defined before it");
		return NULL;
	}
	return e->tree;
}

static const struct selector *
read_map(struct reader *r, const struct ynode *y)
{
	const struct ynode *method = ytree_get(y, "method"), *value = ytree_get(y, "value");
	const struct selector *s, *minus = NULL;

	if (y->n == 1)
		return y->keys[0]->type == YT_TEXT
			? read_criterion(r, y, y->keys[0], y->items[0], NULL)
			: fault_at(r, y->keys[0], "a key must be text");
	if (ytree_is(method, "selector"))
		return inherit(r, y);
	if (!method || !value)
		return fault_at(r, y, "a definition takes one key, or 'method' and 'value'");
	if (ytree_get(y, "exclude") && read_exclude(r, y, &minus) < 0)
		return NULL;
	s = read_criterion(r, y, method, value, y);
	return s && minus ? selector_difference(r->arena, s, minus) : s;
}

static const struct selector *
read_definition(struct reader *r, const struct ynode *y)
{
	const struct selector *s;

	if (y->type == YT_MAP) {
		if (ytree_get(y, "union"))
			return read_set(r, y, "union", SELECTOR_UNION);
		if (ytree_get(y, "intersection"))
			return read_set(r, y, "intersection", SELECTOR_INTERSECTION);
		return read_map(r, y);
	}
	s = selector_parse(r->arena, y->text, r->mode, r->err);
	if (!s)
		place(r, y->line);
	return s;
}

/*
 * dbt reads each definition a second time to write it into the manifest (SelectorDict). There a
 * list under the first key holds definitions, whatever the key, and a selector may be named even in
 * a place where only `exclude` counts. What that reading cannot take fails the command too.
 */
static int read_again(struct reader *r, const struct ynode *y);

static int
read_items_again(struct reader *r, const struct ynode *list, bool maps_only)
{
	for (size_t i = 0; list->type == YT_LIST && i < list->n; i++)
		if ((!maps_only || list->items[i]->type == YT_MAP) &&
		    read_again(r, list->items[i]) < 0)
			return -1;
	return 0;
}

static int
read_again(struct reader *r, const struct ynode *y)
{
	const struct ynode *set;

	if (y->type == YT_TEXT)
		return read_definition(r, y) ? 0 : -1;
	if (y->type == YT_LIST)
		return 0;
	if (y->type != YT_MAP || y->n == 0)
		return fault(r, y->line, "a list under a method holds definitions, not %s",
			y->type == YT_MAP ? "an empty map" : ytype_name(y->type));
	set = ytree_get(y, "union");
	if (!set)
		set = ytree_get(y, "intersection");
	if (set)
		return read_items_again(r, set, true);
	if (y->n > 1 && ytree_is(y->keys[0], "method") && ytree_is(y->items[0], "selector") &&
	    !ytree_is(ytree_get(y, "value"), r->selector))
		return inherit(r, y) ? 0 : -1;
	return read_items_again(r, y->items[0], false);
}

/* ---- the file ---- */

static const struct selector *
read_root(struct reader *r, const struct ynode *y)
{
	const struct selector *s;

	if (y->type != YT_TEXT && y->type != YT_MAP) {
		fault(r, y->line, "a definition is text or a map, not %s", ytype_name(y->type));
		err_hint(r->err, "put a list under 'union' or 'intersection'");
		return NULL;
	}
	for (size_t i = 0; y->type == YT_MAP && i < y->n; i++)
		if (y->keys[i]->type != YT_TEXT)
			return fault_at(r, y->keys[i], "a key must be text");
	if (y->n > 1 && (ytree_get(y, "union") || ytree_get(y, "intersection")))
		return fault_at(r, y, "'union' or 'intersection' stands alone in a definition");
	s = read_definition(r, y);
	return s && read_again(r, y) == 0 ? s : NULL;
}

static int
check_keys(struct reader *r, const struct ynode *y, const char *const *allowed, const char *what)
{
	for (size_t i = 0; i < y->n; i++) {
		const char *const *a = allowed;

		while (*a && !ytree_is(y->keys[i], *a))
			a++;
		if (!*a)
			return fault(r, y->keys[i]->line, "unknown key '%s' in %s",
				y->keys[i]->text, what);
	}
	return 0;
}

static int
check_type(struct reader *r, const struct ynode *map, const char *key, enum ytype type, bool needed)
{
	const struct ynode *y = ytree_get(map, key);

	if (!y)
		return needed ? fault(r, map->line, "'%s' is missing", key) : 0;
	if (y->type != type)
		return fault(r, y->line, "'%s' must be %s, not %s", key, ytype_name(type),
			ytype_name(y->type));
	return 0;
}

static int
check_entry(struct reader *r, const struct ynode *y)
{
	static const char *const keys[] = { "name", "definition", "description", "default", NULL };

	if (y->type != YT_MAP)
		return fault(r, y->line, "a selector is a map, not %s", ytype_name(y->type));
	if (check_type(r, y, "name", YT_TEXT, true) < 0)
		return -1;
	r->selector = ytree_get(y, "name")->text;
	if (check_keys(r, y, keys, "a selector") < 0 ||
	    check_type(r, y, "description", YT_TEXT, false) < 0 ||
	    check_type(r, y, "default", YT_BOOL, false) < 0)
		return -1;
	if (!ytree_get(y, "definition"))
		return fault(r, y->line, "'definition' is missing");
	return 0;
}

/* A name written twice takes the later definition in the earlier place, as a dict in Python. */
static void
put_entry(struct reader *r, const struct ynode *y, const struct selector *tree)
{
	const struct ynode *text = ytree_get(y, "description");
	const struct ynode *is_default = ytree_get(y, "default");
	const struct selector_entry *known = find_entry(r->file, r->selector);
	size_t at = known ? (size_t)(known - r->file->entries) : r->file->nentries++;

	r->file->entries[at] = (struct selector_entry){
		.name = r->selector, .description = text ? text->text : "", .tree = tree,
		.is_default = is_default && is_default->truth,
	};
}

static int
read_entries(struct reader *r, const struct ynode *list)
{
	const char *first = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct ynode *y = list->items[i];

		r->selector = NULL;
		if (check_entry(r, y) < 0)
			return -1;
		if (!ytree_truth(ytree_get(y, "default")))
			continue;
		if (first)
			return fault(r, y->line, "'default: true' is already on '%s'", first);
		first = r->selector;
	}
	r->file->entries = arena_zalloc(r->arena, list->n, sizeof(*r->file->entries));
	for (size_t i = 0; i < list->n; i++) {
		const struct selector *tree;

		r->selector = ytree_get(list->items[i], "name")->text;
		tree = read_root(r, ytree_get(list->items[i], "definition"));
		if (!tree)
			return -1;
		put_entry(r, list->items[i], tree);
	}
	return 0;
}

int
selector_file_parse(struct selector_file *f, struct arena *a, const char *name, const char *data,
    size_t len, enum selector_mode mode, struct err *err)
{
	static const char *const keys[] = { "selectors", "version", NULL };
	struct reader r = { .file = f, .arena = a, .mode = mode, .name = name, .err = err };
	const struct ynode *y = ytree_parse(a, name, data, len, err), *version;

	memset(f, 0, sizeof(*f));
	y = y ? selector_jinja(a, name, y, err) : NULL;
	if (!y)
		return -1;
	if (!ytree_truth(y))
		return 0;
	if (y->type != YT_MAP)
		return fault(&r, y->line, "a map with 'selectors' is expected, not %s",
			ytype_name(y->type));
	if (check_keys(&r, y, keys, "the file") < 0 ||
	    check_type(&r, y, "selectors", YT_LIST, true) < 0 ||
	    check_type(&r, y, "version", YT_NUMBER, false) < 0)
		return -1;
	version = ytree_get(y, "version");
	if (version && floor(version->number) != version->number)
		return fault(&r, version->line, "'version' must be a whole number");
	return read_entries(&r, ytree_get(y, "selectors"));
}

int
selector_file_load(struct selector_file *f, struct arena *a, const char *path,
    enum selector_mode mode, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = fs_read(path, &text, err);

	if (rc == 0)
		rc = selector_file_parse(f, a, path, buf_str(&text), text.len, mode, err);
	buf_release(&text);
	return rc;
}

const struct selector *
selector_file_get(const struct selector_file *f, const char *name, struct err *err)
{
	const struct selector_entry *e = find_entry(f, name);
	struct buf names = BUF_INIT;

	if (e)
		return e->tree;
	for (size_t i = 0; i < f->nentries; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", f->entries[i].name);
	err_set(err, "no selector named '%s'", name);
	if (f->nentries)
		err_hint(err, "there are: %s", buf_str(&names));
	else
		err_hint(err, "selectors are defined in selectors.yml");
	buf_release(&names);
	return NULL;
}

const struct selector_entry *
selector_file_default(const struct selector_file *f)
{
	for (size_t i = 0; i < f->nentries; i++)
		if (f->entries[i].is_default)
			return &f->entries[i];
	return NULL;
}
