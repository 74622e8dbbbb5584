/* selector_methods_config.c -- config.a.b:value, compared exactly, as Python compares. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "graph/json.h"
#include "graph/selector_methods.h"

struct config_want {
	struct strs words;
	const struct selector_value *value;
	const char *json;       /* the value as JSON; NULL: text, or equal to nothing */
	const char *truth;      /* "true" or "false" when the value's text says so, else NULL */
	bool any_case;          /* config.severity */
};

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/*
 * dbt tries attributes before keys, so a key named like a method of its config classes (at the
 * first level) or of a Python dict (below) cannot be reached.
 */
static bool
is_hidden(const char *word, bool first)
{
	static const char *const of_config[] = {
		"compare_key", "extra", "finalize_and_validate", "from_dict", "from_msgpack", "get",
		"json_schema", "mergebehavior", "meta_get", "replace", "same_contents", "to_dict",
		"to_msgpack", "update_from", "validate", NULL,
	};
	static const char *const of_dict[] = {
		"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault",
		"update", "values", NULL,
	};

	return is_one_of(word, first ? of_config : of_dict);
}

/* The value under the words. A missing first key is null, as dbt's config answers; a missing
 * deeper one is no value at all: NULL. */
static const char *
descend(const char *config, const struct strs *words)
{
	const char *at = config;

	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->v[i];

		if (i == 0 && strcmp(word, "pre_hook") == 0)
			word = "pre-hook";
		else if (i == 0 && strcmp(word, "post_hook") == 0)
			word = "post-hook";
		if (is_hidden(word, i == 0))
			return NULL;
		at = json_get(at, word);
		if (!at)
			return i == 0 && words->n == 1 ? "null" : NULL;
	}
	return at;
}

static bool
is_same(const struct config_want *w, const char *value)
{
	struct buf text = BUF_INIT;
	bool same;

	if (w->json)
		return json_equal(value, w->json);
	if (w->value->type != VALUE_TEXT || *value != '"')
		return false;
	if (!w->any_case)
		return json_is_string(value, w->value->text);
	json_add_string(&text, value);
	same = strcasecmp(buf_str(&text), w->value->text) == 0;
	buf_release(&text);
	return same;
}

static bool
config_match(const struct node *n, const void *arg)
{
	const struct config_want *w = arg;
	const char *config = node_json(n, NODE_CONFIG);
	const char *value = config ? descend(config, &w->words) : NULL;

	if (!value)
		return false;
	if (*value != '[')
		return is_same(w, value) || (w->truth && json_equal(value, w->truth) &&
		    *value == *w->truth);
	if (w->json && *w->json == '[')
		return false;    /* a list is no member of a list of plain values */
	for (const char *item = json_first(value); item; item = json_next(item))
		if (is_same(w, item) || (w->truth && json_equal(item, w->truth)))
			return true;
	return false;
}

/* config.materialized, the most asked, is kept by the loader apart from the rest. */
static bool
is_materialized(const struct selector *c)
{
	return c->words.n == 1 && strcmp(c->words.v[0], "materialized") == 0 &&
		c->value.type == VALUE_TEXT;
}

static bool
materialized_match(const struct node *n, const void *arg)
{
	return n->materialized && strcmp(n->materialized, arg) == 0;
}

unsigned
method_config_fields(const struct selector *c)
{
	return is_materialized(c) ? 0 : GRAPH_CONFIG;
}

int
method_config(const struct selector_query *q, struct set *out, struct err *err)
{
	const struct selector_value *value = &q->c->value;
	struct config_want w = { .words = q->c->words, .value = value };
	/* exposures, metrics, unit tests, ... have a config too, but dbt does not look there */
	unsigned kinds = NODES_SECTION | KIND_BIT(KIND_SOURCE);

	(void)err;
	if (is_materialized(q->c)) {
		selector_pick(q, kinds, materialized_match, value->text, out);
		return 0;
	}
	if (w.words.n == 0)
		return 0;    /* the config as a whole equals nothing */
	w.any_case = w.words.n == 1 && strcmp(w.words.v[0], "severity") == 0;
	switch (value->type) {
	case VALUE_TEXT:
		if (strcasecmp(value->text, "true") == 0)
			w.truth = "true";
		else if (strcasecmp(value->text, "false") == 0)
			w.truth = "false";
		break;
	case VALUE_NUMBER:
		w.json = arena_printf(q->scratch, "%.17g", value->number);
		break;
	case VALUE_BOOL:
		w.json = value->truth ? "true" : "false";
		w.truth = w.json;
		break;
	case VALUE_NULL:
		w.json = "null";
		break;
	case VALUE_JSON:
		w.json = value->text;
		break;
	case VALUE_OTHER:
		break;
	}
	selector_pick(q, kinds, config_match, &w, out);
	return 0;
}
