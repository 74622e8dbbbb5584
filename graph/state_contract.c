/* Contracts: ModelNode.same_contract and same_contract_removed of dbt-core 1.11. */
#include "graph/state_parts.h"

#include <string.h>

#include "graph/json.h"
#include "util/buf.h"
#include "util/clock.h"

/* Types of constraint, and which of them an adapter enforces (CONSTRAINT_SUPPORT of each). */
enum { CHECK = 1, NOT_NULL = 2, UNIQUE = 4, PRIMARY = 8, FOREIGN = 16, ALL_ENFORCED = 31 };

static const struct {
	const char *adapter;   /* NULL: every other one, as the base class has it */
	unsigned enforced;
} support[] = {
	{ "duckdb", ALL_ENFORCED },
	{ "postgres", ALL_ENFORCED },
	{ "sqlserver", ALL_ENFORCED },
	{ "snowflake", NOT_NULL },
	{ "redshift", NOT_NULL },
	{ "bigquery", NOT_NULL },
	{ "trino", NOT_NULL },
	{ "vertica", NOT_NULL },
	{ "materialize", NOT_NULL },
	{ "databricks", CHECK | NOT_NULL },
	{ "clickhouse", CHECK },
	{ "spark", 0 },
	{ "athena", 0 },
	{ NULL, NOT_NULL | FOREIGN },
};

/* Both models, and what breaks, in words. */
struct contracts {
	struct comparison *c;
	const struct node *old, *now;
	bool held;            /* the old materialization enforces constraints */
	bool has_limits;      /* the old columns have some */
	struct buf breaks;
};

static bool
is_enforced(const struct comparison *c, const char *constraint)
{
	static const char *const types[] = { "check", "not_null", "unique", "primary_key",
		"foreign_key" };
	const char *type = json_get(constraint, "type");
	size_t row = 0;

	while (support[row].adapter &&
	    !(c->adapter && strcmp(support[row].adapter, c->adapter) == 0))
		row++;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (json_is_string(type, types[i]))
			return support[row].enforced >> i & 1;
	return false;
}

static bool
holds_constraints(const struct node *n)
{
	return n->materialized && (strcmp(n->materialized, "table") == 0 ||
		strcmp(n->materialized, "incremental") == 0);
}

static void
breaks(struct contracts *k, const char *what, const char *before, const char *after,
    const char *note)
{
	struct buf *b = &k->breaks;

	buf_addf(b, "%s%s %s", b->len ? "; " : "", what, note);
	if (before && after)
		buf_addf(b, " (%.*s -> %.*s)", (int)json_len(before), before, (int)json_len(after),
			after);
	note_breaking(k->c, what, before, after, note);
}

/* "Decimal(12, 2) " -> "decimal" */
static void
add_base_type(struct buf *b, const char *type)
{
	static const char blanks[] = " \t\r\n\f\v";
	size_t from, len;
	struct buf t = BUF_INIT;

	json_add_string(&t, type);
	buf_add(&t, "", 0);
	len = strcspn(t.data, "(");
	from = strspn(t.data, blanks);
	while (len > from && strchr(blanks, t.data[len - 1]))
		len--;
	for (; from < len; from++) {
		char c = t.data[from];

		buf_addc(b, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
	buf_release(&t);
}

/* A type that is absent differs from an empty one, and both from any other. */
static bool
types_differ(const char *old, const char *now)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	bool differs;

	if (json_is_null(old) || json_is_null(now))
		return json_is_null(old) != json_is_null(now);
	if (json_is_string(old, "") != json_is_string(now, ""))
		return true;
	add_base_type(&a, old);
	add_base_type(&b, now);
	differs = strcmp(buf_str(&a), buf_str(&b)) != 0;
	buf_release(&a);
	buf_release(&b);
	return differs;
}

static bool
list_has(const char *list, const char *constraint)
{
	for (const char *at = json_first(list); at; at = json_next(at))
		if (json_equal_typed(at, constraint))
			return true;
	return false;
}

/* Constraints that were enforced and are gone. where: "column 'id'", "the model". */
static void
compare_constraints(struct contracts *k, const char *old, const char *now, const char *where)
{
	if (!k->held)
		return;
	for (const char *at = json_first(old); at; at = json_next(at)) {
		struct buf what = BUF_INIT;

		if (list_has(now, at) || !is_enforced(k->c, at))
			continue;
		json_add_string(&what, json_get(at, "type"));
		buf_addf(&what, " constraint on %s", where);
		breaks(k, buf_str(&what), at, NULL, "was removed");
		buf_release(&what);
	}
}

static void
compare_column(struct contracts *k, const char *key, const char *columns)
{
	const char *old = json_value(key), *now;
	struct buf name = BUF_INIT, what = BUF_INIT;

	json_add_string(&name, key);
	buf_addf(&what, "column '%s'", buf_str(&name));
	now = json_get(columns, buf_str(&name));
	k->has_limits |= json_first(json_get(old, "constraints")) != NULL;
	if (!now) {
		breaks(k, buf_str(&what), json_get(old, "data_type"), NULL, "was removed");
	} else {
		if (types_differ(json_get(old, "data_type"), json_get(now, "data_type")))
			breaks(k, buf_str(&what), json_get(old, "data_type"),
				json_get(now, "data_type"), "changed its type");
		compare_constraints(k, json_get(old, "constraints"), json_get(now, "constraints"),
			buf_str(&what));
	}
	buf_release(&name);
	buf_release(&what);
}

static const char *
quoted(struct comparison *c, const char *text)
{
	return arena_printf(c->arena, "\"%s\"", text ? text : "");
}

static void
find_breaks(struct contracts *k)
{
	const char *old_columns = node_json(k->old, NODE_COLUMNS);
	const char *columns = node_json(k->now, NODE_COLUMNS);
	const char *limits = node_json(k->old, NODE_CONSTRAINTS);

	for (const char *key = json_first(old_columns); key; key = json_next(key))
		compare_column(k, key, columns);
	compare_constraints(k, limits, node_json(k->now, NODE_CONSTRAINTS), "the model");
	if (k->held && !holds_constraints(k->now) && (json_first(limits) || k->has_limits))
		breaks(k, "materialization", quoted(k->c, k->old->materialized),
			quoted(k->c, k->now->materialized), "no longer enforces constraints");
}

/* Versioned: the command fails. Else a warning. */
static void
report(struct comparison *c, const struct node *n, const char *what)
{
	if (!n->versioned)
		add_warning(c, "UnversionedBreakingChange",
			"breaking change to the contract of unversioned model '%s': %s",
			n->id, what);
	else if (!c->broken)
		c->broken = arena_printf(c->arena,
			"breaking change to the contract of versioned model '%s': %s", n->id, what);
}

bool
contract_differs(struct comparison *c, const struct node *old, const struct node *now)
{
	struct contracts k = { .c = c, .old = old, .now = now, .held = holds_constraints(old) };
	const char *a = node_json(old, NODE_CONTRACT), *b = node_json(now, NODE_CONTRACT);
	bool was = json_is_true(json_get(a, "enforced"));
	bool is = json_is_true(json_get(b, "enforced"));

	if (now->kind != KIND_MODEL || (!was && !is))
		return false;
	if (!was) {
		note_change(c, STATE_CONTRACT, "contract.enforced", "false", "true", NULL);
		return true;
	}
	if (is && json_equal_typed(json_get(a, "checksum"), json_get(b, "checksum")))
		return false;
	if (!is)
		breaks(&k, "contract.enforced", "true", "false", "was switched off");
	find_breaks(&k);
	if (k.breaks.len)
		report(c, now, k.breaks.data);
	else
		note_change(c, STATE_CONTRACT, "contract", NULL, NULL,
			"columns, types or constraints changed without breaking it");
	buf_release(&k.breaks);
	return true;
}

static bool
is_past(const char *date)
{
	struct buf b = BUF_INIT;
	int64_t us;

	json_add_string(&b, date);
	us = clock_parse_iso_us(buf_str(&b));
	buf_release(&b);
	return us != INT64_MIN && us < clock_wall_us();
}

bool
contract_removed(struct comparison *c, const struct node *model)
{
	const char *enabled = json_get(node_json(model, NODE_CONFIG), "enabled");

	if (model->kind != KIND_MODEL ||
	    !json_is_true(json_get(node_json(model, NODE_CONTRACT), "enforced")) ||
	    is_past(node_json(model, NODE_DEPRECATION_DATE)))
		return false;
	report(c, model, enabled && !json_is_true(enabled) ? "the model was disabled"
	                                                   : "the model was deleted or renamed");
	return true;
}
