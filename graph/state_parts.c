#include "graph/state_parts.h"

#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"

typedef bool part_fn(struct comparison *c, const struct node *old, const struct node *now);

/* The same bytes, both there: what most nodes answer with. The texts end where the value does. */
static bool
same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* A text as JSON, for a change; NULL stays NULL. */
static const char *
quoted(struct comparison *c, const char *text)
{
	struct buf b = BUF_INIT;
	const char *copy;

	if (!text)
		return NULL;
	text_add_json(&b, text);
	copy = arena_strndup(c->arena, b.data, b.len);
	buf_release(&b);
	return copy;
}

static bool
texts_differ(struct comparison *c, enum state_part part, const char *what, const char *old,
    const char *now)
{
	if (old == now || (old && now && strcmp(old, now) == 0))
		return false;
	if (c->explain)
		note_change(c, part, what, quoted(c, old), quoted(c, now), NULL);
	return true;
}

/* ---- configs ---- */

/* Which keys are compared: all, all but those ignored, or only some. The lists end with NULL. */
struct key_rule {
	const char *const *ignored, *const *only;
};

static bool
key_counts(const struct key_rule *rule, const char *key)
{
	const char *const *list = rule->only ? rule->only : rule->ignored;

	while (list && *list && !json_is_string(key, *list))
		list++;
	return rule->only ? list && *list : !(list && *list);
}

static void
note_key(struct comparison *c, enum state_part part, const char *key, const char *old,
    const char *now)
{
	struct buf what = BUF_INIT;

	buf_adds(&what, "config.");
	json_add_string(&what, key);
	note_values(c, part, buf_str(&what), old, now);
	buf_release(&what);
}

/* Keys of a that b lacks or has otherwise. from_old: a is the old side. */
static bool
keys_differ(struct comparison *c, const struct key_rule *rule, const char *a, const char *b,
    bool from_old)
{
	bool differs = false;

	for (const char *key = json_first(a); key; key = json_next(key)) {
		struct buf name = BUF_INIT;
		const char *x = json_value(key), *y;

		json_add_string(&name, key);
		y = json_get(b, buf_str(&name));
		buf_release(&name);
		if (!key_counts(rule, key) || (y && !from_old))
			continue;
		if (json_equal(x, y))
			continue;
		differs = true;
		note_key(c, STATE_CONFIGS, key, from_old ? x : y, from_old ? y : x);
		if (!c->explain)
			break;
	}
	return differs;
}

static bool
rendered_configs_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = node_json(old, NODE_CONFIG), *b = node_json(now, NODE_CONFIG);

	if (json_equal_typed(a, b))
		return false;
	note_values(c, STATE_CONFIGS, "config", a, b);
	return true;
}

static bool
configs_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	static const char *const placed[] = {
		"alias", "schema", "database", "tags", "group", NULL,
	};
	static const char *const group[] = { "group", NULL };
	static const char *const tested[] = {
		"severity", "where", "limit", "fail_calc", "warn_if", "error_if", "store_failures",
		"store_failures_as", NULL,
	};
	const char *a = node_json(old, NODE_UNRENDERED_CONFIG);
	const char *b = node_json(now, NODE_UNRENDERED_CONFIG);
	struct key_rule rule = { .ignored = placed };
	bool differs;

	switch (now->kind) {
	case KIND_SEMANTIC_MODEL:
	case KIND_SAVED_QUERY:
		return rendered_configs_differ(c, old, now);
	case KIND_SOURCE:
	case KIND_EXPOSURE: rule = (struct key_rule){0}; break;
	case KIND_METRIC:   rule = (struct key_rule){ .ignored = group }; break;
	case KIND_TEST:     rule = (struct key_rule){ .only = tested }; break;
	default:            break;
	}
	if (same_text(a, b))
		return false;
	differs = keys_differ(c, &rule, a, b, true);
	if (differs && !c->explain)
		return true;
	return keys_differ(c, &rule, b, a, false) || differs;
}

/* ---- the other parts of models and their like ---- */

/* Seeds too big to hash carry their path instead (dbt: SeedNode.same_seeds). */
static void
warn_seed(struct comparison *c, const struct node *now, const char *old_name, bool differs)
{
	if (!json_is_string(old_name, "path"))
		add_warning(c, "SeedIncreased",
			"seed '%s' has grown above 1 MB: dbt compares its path only", now->id);
	else if (!differs)
		add_warning(c, "SeedExceedsLimitSamePath",
			"seed '%s' is above 1 MB at the same path: dbt takes it for unchanged",
			now->id);
	else
		add_warning(c, "SeedExceedsLimitAndPathChanged",
			"seed '%s' is above 1 MB and its path has changed: dbt takes it for "
			"changed", now->id);
}

static bool
seeds_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = node_json(old, NODE_CHECKSUM), *b = node_json(now, NODE_CHECKSUM);
	const char *name = json_get(b, "name");
	bool differs = json_is_string(name, "none") || !json_equal(name, json_get(a, "name")) ||
		!json_equal(json_get(b, "checksum"), json_get(a, "checksum"));

	if (json_is_string(name, "path"))
		warn_seed(c, now, json_get(a, "name"), differs);
	if (differs)
		note_change(c, STATE_BODY, "checksum", json_get(a, "checksum"),
			json_get(b, "checksum"), "of the data differs");
	return differs;
}

static const char *
text_or_empty(const char *json)
{
	return json ? json : "\"\"";
}

static bool
body_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = node_json(old, NODE_RAW_CODE), *b = node_json(now, NODE_RAW_CODE);

	if (now->kind == KIND_SEED)
		return seeds_differ(c, old, now);
	a = text_or_empty(a);
	b = text_or_empty(b);
	if (same_text(a, b) || json_equal(a, b))
		return false;
	if (c->explain)
		note_lines(c, a, b);
	return true;
}

static const char *
or_null(const char *json)
{
	return json_is_null(json) ? NULL : json;
}

static bool
values_differ(struct comparison *c, const char *what, const struct node *old,
    const struct node *now, enum node_json field)
{
	const char *a = or_null(node_json(old, field)), *b = or_null(node_json(now, field));

	if (json_equal(a, b))
		return false;
	note_change(c, STATE_RELATION, what, a, b, NULL);
	return true;
}

static bool
source_moved(struct comparison *c, const struct node *old, const struct node *now)
{
	bool differs = texts_differ(c, STATE_RELATION, "identifier", old->alias, now->alias);

	if (c->as_written) {
		differs |= values_differ(c, "database", old, now, NODE_UNRENDERED_DATABASE);
		return values_differ(c, "schema", old, now, NODE_UNRENDERED_SCHEMA) || differs;
	}
	differs |= texts_differ(c, STATE_RELATION, "database", old->database, now->database);
	return texts_differ(c, STATE_RELATION, "schema", old->schema, now->schema) || differs;
}

/* Where the user says it goes, not where it went: what a target fills in is no change. */
static bool
relation_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	static const char *const keys[] = { "database", "schema", "alias" };
	const char *a = node_json(old, NODE_UNRENDERED_CONFIG);
	const char *b = node_json(now, NODE_UNRENDERED_CONFIG);
	bool differs = false;

	if (now->kind == KIND_SOURCE)
		return source_moved(c, old, now);
	if (same_text(a, b))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *x = or_null(json_get(a, keys[i])), *y = or_null(json_get(b, keys[i]));

		if (json_equal(x, y))
			continue;
		differs = true;
		note_change(c, STATE_RELATION, keys[i], x, y, NULL);
	}
	return differs;
}

/* Columns of a that b lacks or describes otherwise. from_old: a is the old side. */
static bool
columns_differ(struct comparison *c, const char *a, const char *b, bool from_old)
{
	bool differs = false;

	for (const char *key = json_first(a); key; key = json_next(key)) {
		struct buf name = BUF_INIT, what = BUF_INIT;
		const char *x = text_or_empty(json_get(json_value(key), "description")), *y;

		json_add_string(&name, key);
		y = json_get(b, buf_str(&name));
		if (!y || (from_old &&
		    !json_equal(x, text_or_empty(json_get(y, "description"))))) {
			differs = true;
			buf_addf(&what, "description of column '%s'", buf_str(&name));
			y = y ? text_or_empty(json_get(y, "description")) : NULL;
			note_change(c, STATE_DESCRIPTIONS, buf_str(&what), from_old ? x : y,
				from_old ? y : x, NULL);
		}
		buf_release(&name);
		buf_release(&what);
	}
	return differs;
}

/* Only what the new side's persist_docs would write into the database. */
static bool
descriptions_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = text_or_empty(node_json(old, NODE_DESCRIPTION));
	const char *b = text_or_empty(node_json(now, NODE_DESCRIPTION));
	const char *columns_a = node_json(old, NODE_COLUMNS);
	const char *columns_b = node_json(now, NODE_COLUMNS);
	const char *persist;
	bool differs = false;

	if (now->kind == KIND_TEST || (same_text(a, b) && same_text(columns_a, columns_b)))
		return false;
	persist = json_get(node_json(now, NODE_CONFIG), "persist_docs");
	if (json_truth(json_get(persist, "relation")) && !json_equal(a, b)) {
		note_change(c, STATE_DESCRIPTIONS, "description", a, b, NULL);
		differs = true;
	}
	if (!json_truth(json_get(persist, "columns")))
		return differs;
	differs |= columns_differ(c, columns_a, columns_b, true);
	differs |= columns_differ(c, columns_b, columns_a, false);
	return differs;
}

static bool
fqn_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	bool differs = old->fqn.n != now->fqn.n;

	for (size_t i = 0; !differs && i < now->fqn.n; i++)
		differs = strcmp(old->fqn.v[i], now->fqn.v[i]) != 0;
	if (!differs || !c->explain)
		return differs;
	for (size_t i = 0; i < old->fqn.n; i++)
		buf_addf(&a, "%s%s", i ? "." : "", old->fqn.v[i]);
	for (size_t i = 0; i < now->fqn.n; i++)
		buf_addf(&b, "%s%s", i ? "." : "", now->fqn.v[i]);
	texts_differ(c, STATE_FQN, "fqn", buf_str(&a), buf_str(&b));
	buf_release(&a);
	buf_release(&b);
	return true;
}

static bool
versions_differ(const struct node *old, const struct node *now)
{
	if (!old->latest_version || !now->latest_version)
		return old->latest_version != now->latest_version;
	if (old->latest_is_number != now->latest_is_number)
		return true;
	if (now->latest_is_number)
		return strtod(old->latest_version, NULL) != strtod(now->latest_version, NULL);
	return strcmp(old->latest_version, now->latest_version) != 0;
}

static const char *
version_json(struct comparison *c, const struct node *n)
{
	return n->latest_is_number ? n->latest_version : quoted(c, n->latest_version);
}

static int64_t
time_of(const char *json)
{
	struct buf b = BUF_INIT;
	int64_t us;

	json_add_string(&b, json);
	us = clock_parse_iso_us(buf_str(&b));
	buf_release(&b);
	return us;
}

static bool
access_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = or_null(node_json(old, NODE_DEPRECATION_DATE));
	const char *b = or_null(node_json(now, NODE_DEPRECATION_DATE));
	bool differs = versions_differ(old, now);

	if (differs && c->explain)
		note_change(c, STATE_ACCESS, "latest_version", version_json(c, old),
			version_json(c, now), NULL);
	differs |= texts_differ(c, STATE_ACCESS, "access", old->access ? old->access : "protected",
		now->access ? now->access : "protected");
	if (!json_equal(a, b) && (!a || !b || time_of(a) != time_of(b))) {
		note_change(c, STATE_ACCESS, "deprecation_date", a, b, NULL);
		differs = true;
	}
	return differs;
}

/* ---- unit tests, exposures, saved queries ---- */

static bool
unit_tests_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = node_json(old, NODE_CHECKSUM), *b = node_json(now, NODE_CHECKSUM);

	if (same_text(a, b) || json_equal_typed(a, b))
		return false;
	note_change(c, STATE_DEFINITION, "checksum", a, b, "of what is given and expected differs");
	return true;
}

static bool
list_has(const char *list, const char *value)
{
	for (const char *at = json_first(list); at; at = json_next(at))
		if (json_equal(at, value))
			return true;
	return false;
}

/* As sets. */
static bool
parents_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = json_get(node_json(old, NODE_DEPENDS_ON), "nodes");
	const char *b = json_get(node_json(now, NODE_DEPENDS_ON), "nodes");
	bool differs = false;

	if (json_equal(a, b))
		return false;
	for (const char *at = json_first(a); at; at = json_next(at))
		if (!list_has(b, at)) {
			note_change(c, STATE_DEFINITION, "depends_on", at, NULL, NULL);
			differs = true;
		}
	for (const char *at = json_first(b); at; at = json_next(at))
		if (!list_has(a, at)) {
			note_change(c, STATE_DEFINITION, "depends_on", NULL, at, NULL);
			differs = true;
		}
	return differs;
}

static bool
query_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	static const char *const keys[] = { "metrics", "group_by", "where" };
	const char *a = node_json(old, NODE_QUERY_PARAMS), *b = node_json(now, NODE_QUERY_PARAMS);
	bool differs = false;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *x = json_get(a, keys[i]), *y = json_get(b, keys[i]);

		if (json_equal_typed(x, y))
			continue;
		note_values(c, STATE_DEFINITION, keys[i], x, y);
		differs = true;
	}
	return differs;
}

static bool
export_differs(const char *old, const char *now)
{
	static const char *const keys[] = { "export_as", "schema", "alias" };
	const char *a = json_get(old, "unrendered_config"), *b = json_get(now, "unrendered_config");

	if (!json_equal(json_get(old, "name"), json_get(now, "name")))
		return true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!json_equal(or_null(json_get(a, keys[i])), or_null(json_get(b, keys[i]))))
			return true;
	return false;
}

static bool
exports_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	const char *a = node_json(old, NODE_EXPORTS), *b = node_json(now, NODE_EXPORTS);
	const char *x = json_first(a), *y = json_first(b);

	for (; x && y && !export_differs(x, y); x = json_next(x), y = json_next(y))
		;
	if (!x && !y)
		return false;
	note_values(c, STATE_DEFINITION, "exports", a, b);
	return true;
}

static bool
tags_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	bool differs = old->tags.n != now->tags.n;

	for (size_t i = 0; !differs && i < now->tags.n; i++)
		differs = strcmp(old->tags.v[i], now->tags.v[i]) != 0;
	if (differs)
		note_change(c, STATE_DEFINITION, "tags", NULL, NULL, "tags differ");
	return differs;
}

/* ---- the table ---- */

#define BIT(kind)  KIND_BIT(KIND_##kind)
#define GENERIC    (1u << NKINDS)   /* generic tests; BIT(TEST) are the singular ones */
#define CODE       (BIT(MODEL) | BIT(SEED) | BIT(SNAPSHOT) | BIT(ANALYSIS) | BIT(TEST) | \
	BIT(FUNCTION) | BIT(OPERATION))
#define SEMANTIC   (BIT(SEMANTIC_MODEL) | BIT(SAVED_QUERY))
#define LABELLED   (BIT(EXPOSURE) | BIT(METRIC))

static const struct row {
	enum state_part part;
	unsigned whole;        /* kinds for which plain `modified` asks */
	unsigned alone;        /* kinds that have the part */
	part_fn *differs;      /* NULL: the JSON field */
	enum node_json field;
	const char *what;
} rows[] = {
	{ STATE_BODY, CODE, CODE | GENERIC, body_differs, 0, NULL },
	{ STATE_CONFIGS, CODE | GENERIC | BIT(SOURCE) | LABELLED | SEMANTIC,
	    CODE | GENERIC | BIT(SOURCE) | LABELLED | SEMANTIC, configs_differ, 0, NULL },
	{ STATE_RELATION, CODE | BIT(SOURCE),
	    CODE | GENERIC | BIT(SOURCE), relation_differs, 0, NULL },
	{ STATE_DESCRIPTIONS, CODE, CODE | GENERIC, descriptions_differ, 0, NULL },
	{ STATE_CONTRACT, BIT(MODEL), CODE | GENERIC, contract_differs, 0, NULL },
	{ STATE_FQN, CODE | GENERIC | BIT(SOURCE) | BIT(EXPOSURE), 0, fqn_differs, 0, NULL },
	{ STATE_ACCESS, BIT(MODEL), 0, access_differs, 0, NULL },
	{ STATE_DEFINITION, BIT(UNIT_TEST), 0, unit_tests_differ, 0, NULL },
	{ STATE_DEFINITION, BIT(FUNCTION), 0, NULL, NODE_ARGUMENTS, "arguments" },
	{ STATE_DEFINITION, BIT(FUNCTION), 0, NULL, NODE_RETURNS, "returns" },
	{ STATE_DEFINITION, BIT(SOURCE), 0, NULL, NODE_QUOTING, "quoting" },
	{ STATE_DEFINITION, BIT(SOURCE), 0, NULL, NODE_FRESHNESS, "freshness" },
	{ STATE_DEFINITION, BIT(SOURCE), 0, NULL, NODE_LOADED_AT_FIELD, "loaded_at_field" },
	{ STATE_DEFINITION, BIT(SOURCE), 0, NULL, NODE_EXTERNAL, "external" },
	{ STATE_DEFINITION, LABELLED, 0, NULL, NODE_TYPE, "type" },
	{ STATE_DEFINITION, LABELLED | SEMANTIC, 0, NULL, NODE_DESCRIPTION, "description" },
	{ STATE_DEFINITION, LABELLED | BIT(SAVED_QUERY), 0, NULL, NODE_LABEL, "label" },
	{ STATE_DEFINITION, BIT(EXPOSURE), 0, NULL, NODE_OWNER, "owner" },
	{ STATE_DEFINITION, BIT(EXPOSURE), 0, NULL, NODE_MATURITY, "maturity" },
	{ STATE_DEFINITION, BIT(EXPOSURE), 0, NULL, NODE_URL, "url" },
	{ STATE_DEFINITION, BIT(EXPOSURE), 0, parents_differ, 0, NULL },
	{ STATE_DEFINITION, SEMANTIC, 0, NULL, NODE_GROUP, "group" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_MODEL, "model" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_DEFAULTS, "defaults" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_ENTITIES, "entities" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_DIMENSIONS, "dimensions" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_MEASURES, "measures" },
	{ STATE_DEFINITION, BIT(SEMANTIC_MODEL), 0, NULL, NODE_PRIMARY_ENTITY, "primary_entity" },
	{ STATE_DEFINITION, BIT(SAVED_QUERY), 0, query_differs, 0, NULL },
	{ STATE_DEFINITION, BIT(SAVED_QUERY), 0, exports_differ, 0, NULL },
	{ STATE_DEFINITION, BIT(SAVED_QUERY), 0, tags_differ, 0, NULL },
};

static unsigned
kind_bit(const struct node *n)
{
	return n->kind == KIND_TEST && n->test_name ? GENERIC : KIND_BIT(n->kind);
}

static bool
row_differs(struct comparison *c, const struct row *row, const struct node *old,
    const struct node *now)
{
	const char *a, *b;

	if (row->differs)
		return row->differs(c, old, now);
	a = node_json(old, row->field);
	b = node_json(now, row->field);
	if (same_text(a, b) || json_equal_typed(a, b))
		return false;
	note_values(c, row->part, row->what, a, b);
	return true;
}

/* A contract is looked at even when the answer is known: breaking one fails the command. */
bool
parts_differ(struct comparison *c, const struct node *old, const struct node *now)
{
	bool differs = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if ((rows[i].whole & kind_bit(now)) &&
		    (!differs || c->explain || rows[i].part == STATE_CONTRACT))
			differs |= row_differs(c, &rows[i], old, now);
	return differs;
}

bool
part_differs(struct comparison *c, enum state_part part, const struct node *old,
    const struct node *now)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].part == part && (rows[i].alone & kind_bit(now)))
			return !old || row_differs(c, &rows[i], old, now);
	return false;
}

bool
new_is_modified(const struct node *now)
{
	return kind_bit(now) & (CODE | GENERIC | BIT(UNIT_TEST));
}
