#include "executor/config.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <yaml.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define MAX_ATTEMPTS 1000
#define MAX_SLOTS 100000

static const char *const setting_names[] = {
#define X(id, name) name,
	POLICY_SETTINGS(X)
#undef X
};

const char *
policy_setting_name(enum policy_setting s)
{
	return setting_names[s];
}

void
policy_patch(struct task_policy *to, const struct policy_patch *patch, const char *origin,
    const char *from[NPOLICY_SETTINGS])
{
	const struct task_policy *v = &patch->value;

	for (int s = 0; s < NPOLICY_SETTINGS; s++) {
		if (!(patch->has & 1u << s))
			continue;
		switch ((enum policy_setting)s) {
		case POLICY_ATTEMPTS:  to->max_attempts = v->max_attempts; break;
		case POLICY_DELAY:     to->delay_ms = v->delay_ms; break;
		case POLICY_FACTOR:    to->factor = v->factor; break;
		case POLICY_MAX_DELAY: to->max_delay_ms = v->max_delay_ms; break;
		case POLICY_JITTER:    to->jitter = v->jitter; break;
		case POLICY_ON:        to->retry_any = v->retry_any; break;
		case POLICY_TIMEOUT:   to->timeout_ms = v->timeout_ms; break;
		case POLICY_POOL:      to->pool = v->pool; break;
		case POLICY_PRIORITY:  to->priority = v->priority; break;
		case NPOLICY_SETTINGS: break;
		}
		if (from)
			from[s] = origin;
	}
}

/*
 * Values come from YAML or, for a node's meta, from JSON. Both are read through one small view: a
 * scalar's text, or a mapping's or list's items. JSON is YAML to libyaml, so there is one reader.
 */
struct reader {
	struct config *c;
	const char *where;           /* file name in messages */
	bool has_lines;              /* the lines mean something to the user */
	yaml_document_t doc;
	struct err *err;
};

static int
refuse(struct reader *rd, const yaml_node_t *at, const char *fmt, const char *a, const char *b)
{
	err_set(rd->err, fmt, a, b);
	if (rd->has_lines)
		return err_prefix(rd->err, "%s:%zu", rd->where, at->start_mark.line + 1);
	return err_prefix(rd->err, "%s", rd->where);
}

static const char *
scalar(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* The value of an item: text without NULs, or an error. */
static int
want_text(struct reader *rd, const yaml_node_t *n, const char *key, const char **out)
{
	const char *s = scalar(n);

	if (!s || strlen(s) != n->data.scalar.length || !*s)
		return refuse(rd, n, "%s: expected %s", key, "a text");
	*out = arena_strdup(&rd->c->arena, s);
	return 0;
}

static int
want_number(struct reader *rd, const yaml_node_t *n, const char *key, double min, double max,
    bool whole, double *out)
{
	const char *s = scalar(n);
	char *end = NULL;
	double v = s && *s ? strtod(s, &end) : 0;
	char range[80];

	if (s && *s && *end == '\0' && v >= min && v <= max && (!whole || v == (double)(long long)v)) {
		*out = v;
		return 0;
	}
	snprintf(range, sizeof(range), "a %snumber from %g to %g", whole ? "whole " : "", min, max);
	return refuse(rd, n, "%s: expected %s", key, range);
}

static int
want_duration(struct reader *rd, const yaml_node_t *n, const char *key, int64_t *out)
{
	const char *s = scalar(n);

	*out = s ? clock_parse_duration_ms(s) : -1;
	return *out >= 0 ? 0 : refuse(rd, n, "%s: expected %s", key, "a duration like 30s, 5m or 2h");
}

/* ---- mappings ---- */

struct key {
	const char *name;
	int (*read)(struct reader *rd, const yaml_node_t *value, const char *name, void *into);
};

static int
unknown_key(struct reader *rd, const yaml_node_t *at, const char *what, const struct key *keys,
    size_t nkeys)
{
	const char **names = xcalloc(nkeys, sizeof(*names)), *near;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < nkeys; i++) {
		names[i] = keys[i].name;
		buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	near = scalar(at) ? text_closest(scalar(at), names, nkeys) : NULL;
	refuse(rd, at, "%s: unknown key '%s'", what, scalar(at) ? scalar(at) : "?");
	if (near)
		err_hint(rd->err, "did you mean '%s'?", near);
	else
		err_hint(rd->err, "known keys: %s", all.data);
	buf_release(&all);
	free(names);
	return -1;
}

/* Reads each item of a mapping by the table; a key may stand once. */
static int
read_mapping(struct reader *rd, const yaml_node_t *map, const char *what, const struct key *keys,
    size_t nkeys, void *into)
{
	unsigned seen = 0;

	if (map->type != YAML_MAPPING_NODE)
		return refuse(rd, map, "%s: expected %s", what, "a mapping");
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&rd->doc, p->key);
		const yaml_node_t *value = yaml_document_get_node(&rd->doc, p->value);
		size_t i = 0;

		while (i < nkeys && (!scalar(key) || strcmp(scalar(key), keys[i].name) != 0))
			i++;
		if (i == nkeys)
			return unknown_key(rd, key, what, keys, nkeys);
		if (seen & 1u << i)
			return refuse(rd, key, "%s: '%s' stands twice", what, keys[i].name);
		seen |= 1u << i;
		if (keys[i].read(rd, value, keys[i].name, into) < 0)
			return -1;
	}
	return 0;
}

#define READ_MAPPING(rd, map, what, keys, into) \
	read_mapping(rd, map, what, keys, sizeof(keys) / sizeof((keys)[0]), into)

/* ---- policy ---- */

static int
read_attempts(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	double n;

	if (want_number(rd, v, name, 1, MAX_ATTEMPTS, true, &n) < 0)
		return -1;
	p->value.max_attempts = (unsigned)n;
	p->has |= 1u << POLICY_ATTEMPTS;
	return 0;
}

static int
read_delay(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_DELAY;
	return want_duration(rd, v, name, &p->value.delay_ms);
}

static int
read_max_delay(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_MAX_DELAY;
	return want_duration(rd, v, name, &p->value.max_delay_ms);
}

static int
read_factor(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_FACTOR;
	return want_number(rd, v, name, 1, 100, false, &p->value.factor);
}

static int
read_jitter(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_JITTER;
	return want_number(rd, v, name, 0, 1, false, &p->value.jitter);
}

static int
read_on(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	const char *s = scalar(v);

	if (!s || (strcmp(s, "any") != 0 && strcmp(s, "transient") != 0))
		return refuse(rd, v, "%s: expected %s", name, "'any' or 'transient'");
	p->has |= 1u << POLICY_ON;
	p->value.retry_any = strcmp(s, "any") == 0;
	return 0;
}

static int
read_retries(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	static const struct key keys[] = {
		{ "attempts", read_attempts }, { "delay", read_delay }, { "factor", read_factor },
		{ "max_delay", read_max_delay }, { "jitter", read_jitter }, { "on", read_on },
	};

	return READ_MAPPING(rd, v, name, keys, into);
}

static int
read_timeout(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_TIMEOUT;
	return want_duration(rd, v, name, &p->value.timeout_ms);
}

static int
read_pool_name(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_POOL;
	return want_text(rd, v, name, &p->value.pool);
}

static int
read_priority(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	double n;

	if (want_number(rd, v, name, -1000, 1000, true, &n) < 0)
		return -1;
	p->has |= 1u << POLICY_PRIORITY;
	p->value.priority = (int)n;
	return 0;
}

/* ---- rules ---- */

#define IN_RULE(fn, reads) \
	static int \
	fn(struct reader *rd, const yaml_node_t *v, const char *name, void *into) \
	{ \
		return reads(rd, v, name, &((struct config_rule *)into)->patch); \
	}

IN_RULE(rule_retries, read_retries)
IN_RULE(rule_timeout, read_timeout)
IN_RULE(rule_pool, read_pool_name)
IN_RULE(rule_priority, read_priority)

static int
rule_select(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	return want_text(rd, v, name, &((struct config_rule *)into)->select);
}

static const char *
origin(struct reader *rd, const yaml_node_t *at)
{
	return arena_printf(&rd->c->arena, "%s:%zu", fs_base(rd->where), at->start_mark.line + 1);
}

static int
read_rules(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	static const struct key keys[] = {
		{ "select", rule_select }, { "retries", rule_retries }, { "timeout", rule_timeout },
		{ "pool", rule_pool }, { "priority", rule_priority },
	};
	struct config *c = into;
	size_t n;

	if (v->type != YAML_SEQUENCE_NODE)
		return refuse(rd, v, "%s: expected %s", name, "a list");
	n = (size_t)(v->data.sequence.items.top - v->data.sequence.items.start);
	c->rules = arena_zalloc(&c->arena, n, sizeof(*c->rules));
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = yaml_document_get_node(&rd->doc, v->data.sequence.items.start[i]);
		struct config_rule *r = &c->rules[c->nrules++];

		r->origin = origin(rd, item);
		if (READ_MAPPING(rd, item, "rule", keys, r) < 0)
			return -1;
		if (!r->select)
			return refuse(rd, item, "%s: '%s' is missing", "rule", "select");
	}
	return 0;
}

/* ---- pools ---- */

static int
pool_slots(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	double n;

	if (want_number(rd, v, name, 1, MAX_SLOTS, true, &n) < 0)
		return -1;
	((struct config_pool *)into)->slots = (unsigned)n;
	return 0;
}

static int
pool_select(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	return want_text(rd, v, name, &((struct config_pool *)into)->select);
}

static int
read_pools(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	static const struct key keys[] = { { "slots", pool_slots }, { "select", pool_select } };
	struct config *c = into;
	size_t n;

	if (v->type != YAML_MAPPING_NODE)
		return refuse(rd, v, "%s: expected %s", name, "a mapping of names");
	n = (size_t)(v->data.mapping.pairs.top - v->data.mapping.pairs.start);
	c->pools = arena_zalloc(&c->arena, n, sizeof(*c->pools));
	for (size_t i = 0; i < n; i++) {
		const yaml_node_pair_t *pair = &v->data.mapping.pairs.start[i];
		const yaml_node_t *key = yaml_document_get_node(&rd->doc, pair->key);
		const yaml_node_t *value = yaml_document_get_node(&rd->doc, pair->value);
		struct config_pool *p = &c->pools[i];
		int rc;

		if (want_text(rd, key, "pool", &p->name) < 0)
			return -1;
		if (config_pool(c, p->name))
			return refuse(rd, key, "%s: '%s' stands twice", "pools", p->name);
		p->origin = origin(rd, key);
		rc = scalar(value) ? pool_slots(rd, value, p->name, p) :
		    READ_MAPPING(rd, value, p->name, keys, p);
		if (rc < 0)
			return -1;
		if (p->slots == 0)
			return refuse(rd, value, "pool '%s': '%s' is missing", p->name, "slots");
		c->npools++;
	}
	return 0;
}

/* ---- the file ---- */

static int
read_threads(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	double n;

	if (want_number(rd, v, name, 1, 10000, true, &n) < 0)
		return -1;
	((struct config *)into)->threads = (unsigned)n;
	return 0;
}

#define IN_DEFAULTS(fn, reads) \
	static int \
	fn(struct reader *rd, const yaml_node_t *v, const char *name, void *into) \
	{ \
		return reads(rd, v, name, &((struct config *)into)->defaults); \
	}

IN_DEFAULTS(default_retries, read_retries)
IN_DEFAULTS(default_timeout, read_timeout)

static int
read_transient(struct reader *rd, const yaml_node_t *v, const char *name, void *into)
{
	struct config *c = into;
	size_t n;

	if (v->type != YAML_SEQUENCE_NODE)
		return refuse(rd, v, "%s: expected %s", name, "a list of patterns");
	n = (size_t)(v->data.sequence.items.top - v->data.sequence.items.start);
	c->transient = arena_zalloc(&c->arena, n, sizeof(*c->transient));
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = yaml_document_get_node(&rd->doc, v->data.sequence.items.start[i]);
		regex_t re;

		if (want_text(rd, item, name, &c->transient[i]) < 0)
			return -1;
		if (regcomp(&re, c->transient[i], REG_EXTENDED | REG_NOSUB) != 0)
			return refuse(rd, item, "%s: '%s' is no regular expression", name, c->transient[i]);
		regfree(&re);
		c->ntransient++;
	}
	return 0;
}

/* A pool that a rule names must be there. */
static int
check_pools(struct config *c, struct err *err)
{
	for (size_t i = 0; i < c->nrules; i++) {
		const struct policy_patch *p = &c->rules[i].patch;

		if (p->has & 1u << POLICY_POOL && !config_pool(c, p->value.pool)) {
			err_set(err, "%s: pool '%s' is not defined", c->rules[i].origin, p->value.pool);
			return err_hint(err, "add it: pools: {%s: 2}", p->value.pool);
		}
	}
	return 0;
}

/* Loads one YAML (or JSON) text and hands its root to `read`. An empty text is an empty mapping. */
static int
read_text(struct reader *rd, const char *text, size_t len,
    int (*read)(struct reader *rd, const yaml_node_t *root, void *into), void *into)
{
	yaml_parser_t parser;
	const yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return err_set(rd->err, "%s: cannot start the YAML reader", rd->where);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &rd->doc)) {
		rc = err_set(rd->err, "%s:%zu: %s", rd->where, parser.problem_mark.line + 1,
		    parser.problem ? parser.problem : "not YAML");
		yaml_parser_delete(&parser);
		return rc;
	}
	root = yaml_document_get_root_node(&rd->doc);
	if (root)
		rc = read(rd, root, into);
	yaml_document_delete(&rd->doc);
	yaml_parser_delete(&parser);
	return rc;
}

static int
read_file(struct reader *rd, const yaml_node_t *root, void *into)
{
	static const struct key keys[] = {
		{ "threads", read_threads }, { "retries", default_retries }, { "timeout", default_timeout },
		{ "rules", read_rules }, { "pools", read_pools }, { "transient", read_transient },
	};

	return READ_MAPPING(rd, root, "top level", keys, into);
}

int
config_load(struct config *c, const char *path, struct err *err)
{
	struct reader rd = { .c = c, .has_lines = true, .err = err };
	struct buf b = BUF_INIT;
	int rc = -1;

	memset(c, 0, sizeof(*c));
	c->path = rd.where = arena_strdup(&c->arena, path);
	if (!fs_exists(path))
		return 0;
	if (fs_read(path, &b, err) == 0 && read_text(&rd, b.data, b.len, read_file, c) == 0)
		rc = check_pools(c, err);
	buf_release(&b);
	return rc;
}

void
config_release(struct config *c)
{
	arena_release(&c->arena);
	memset(c, 0, sizeof(*c));
}

const struct config_pool *
config_pool(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->npools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

static int
read_node(struct reader *rd, const yaml_node_t *root, void *into)
{
	static const struct key keys[] = {
		{ "retries", read_retries }, { "timeout", read_timeout }, { "pool", read_pool_name },
		{ "priority", read_priority },
	};

	return READ_MAPPING(rd, root, "heddle", keys, into);
}

int
config_node_patch(struct config *c, const char *json, bool inside, struct policy_patch *out,
    struct err *err)
{
	struct reader rd = { .c = c, .where = "config.meta", .err = err };
	cJSON *doc = json && strstr(json, "\"heddle\"") ? cJSON_Parse(json) : NULL;
	const cJSON *meta = inside ? cJSON_GetObjectItemCaseSensitive(doc, "meta") : doc;
	const cJSON *ours = cJSON_GetObjectItemCaseSensitive(meta, "heddle");
	char *text = ours ? cJSON_PrintUnformatted(ours) : NULL;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (text)
		rc = read_text(&rd, text, strlen(text), read_node, out);
	if (rc == 0 && out->has & 1u << POLICY_POOL && !config_pool(c, out->value.pool)) {
		rc = err_set(err, "config.meta.heddle: pool '%s' is not defined", out->value.pool);
		err_hint(err, "add it to heddle.yml: pools: {%s: 2}", out->value.pool);
	}
	cJSON_free(text);
	cJSON_Delete(doc);
	return rc;
}
