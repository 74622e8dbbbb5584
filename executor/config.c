#include "executor/config.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "executor/config_notify.h"
#include "executor/config_read.h"
#include "util/buf.h"
#include "util/fs.h"

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

/* ---- policy ---- */

static int
read_attempts(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	double n;

	if (config_number(rd, v, name, (const double[]){ 1, MAX_ATTEMPTS }, true, &n) < 0)
		return -1;
	p->value.max_attempts = (unsigned)n;
	p->has |= 1u << POLICY_ATTEMPTS;
	return 0;
}

static int
read_delay(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_DELAY;
	return config_duration(rd, v, name, &p->value.delay_ms);
}

static int
read_max_delay(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_MAX_DELAY;
	return config_duration(rd, v, name, &p->value.max_delay_ms);
}

static int
read_factor(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_FACTOR;
	return config_number(rd, v, name, (const double[]){ 1, 100 }, false, &p->value.factor);
}

static int
read_jitter(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_JITTER;
	return config_number(rd, v, name, (const double[]){ 0, 1 }, false, &p->value.jitter);
}

static int
read_on(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	static const char *const words[] = { "any", "transient", NULL };
	size_t which;

	p->has |= 1u << POLICY_ON;
	if (config_word(rd, v, name, words, &which) < 0)
		return -1;
	p->value.retry_any = which == 0;
	return 0;
}

static int
read_retries(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	static const struct config_key keys[] = {
		{ "attempts", read_attempts }, { "delay", read_delay }, { "factor", read_factor },
		{ "max_delay", read_max_delay }, { "jitter", read_jitter }, { "on", read_on },
	};

	return CONFIG_MAPPING(rd, v, name, keys, into);
}

static int
read_timeout(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_TIMEOUT;
	return config_duration(rd, v, name, &p->value.timeout_ms);
}

static int
read_pool_name(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;

	p->has |= 1u << POLICY_POOL;
	return config_text(rd, v, name, &p->value.pool);
}

static int
read_priority(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct policy_patch *p = into;
	double n;

	if (config_number(rd, v, name, (const double[]){ -1000, 1000 }, true, &n) < 0)
		return -1;
	p->has |= 1u << POLICY_PRIORITY;
	p->value.priority = (int)n;
	return 0;
}

/* ---- rules ---- */

#define IN_RULE(fn, reads) \
	static int \
	fn(struct config_reader *rd, const struct ynode *v, const char *name, void *into) \
	{ \
		return reads(rd, v, name, &((struct config_rule *)into)->patch); \
	}

IN_RULE(rule_retries, read_retries)
IN_RULE(rule_timeout, read_timeout)
IN_RULE(rule_pool, read_pool_name)
IN_RULE(rule_priority, read_priority)

static int
rule_select(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	return config_text(rd, v, name, &((struct config_rule *)into)->select);
}

static int
read_rules(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	static const struct config_key keys[] = {
		{ "select", rule_select }, { "retries", rule_retries }, { "timeout", rule_timeout },
		{ "pool", rule_pool }, { "priority", rule_priority },
	};
	struct config *c = into;

	if (v->type != YT_LIST)
		return config_refuse(rd, v, "%s: expected %s", name, "a list");
	c->rules = arena_zalloc(&c->arena, v->n, sizeof(*c->rules));
	for (size_t i = 0; i < v->n; i++) {
		const struct ynode *item = v->items[i];
		struct config_rule *r = &c->rules[c->nrules++];

		r->origin = config_origin(rd, item);
		if (CONFIG_MAPPING(rd, item, "rule", keys, r) < 0)
			return -1;
		if (!r->select)
			return config_refuse(rd, item, "%s: '%s' is missing", "rule", "select");
	}
	return 0;
}

/* ---- pools ---- */

static int
pool_slots(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	double n;

	if (config_number(rd, v, name, (const double[]){ 1, MAX_SLOTS }, true, &n) < 0)
		return -1;
	((struct config_pool *)into)->slots = (unsigned)n;
	return 0;
}

static int
pool_select(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	return config_text(rd, v, name, &((struct config_pool *)into)->select);
}

static int
read_pools(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	static const struct config_key keys[] = { { "slots", pool_slots },
	    { "select", pool_select } };
	struct config *c = into;

	if (v->type != YT_MAP)
		return config_refuse(rd, v, "%s: expected %s", name, "a mapping of names");
	if (v->twice)
		return config_refuse(rd, v->twice, "%s: '%s' stands twice", name, v->twice->text);
	c->pools = arena_zalloc(&c->arena, v->n, sizeof(*c->pools));
	for (size_t i = 0; i < v->n; i++) {
		const struct ynode *key = v->keys[i], *value = v->items[i];
		struct config_pool *p = &c->pools[i];
		int rc;

		if (config_text(rd, key, "pool", &p->name) < 0)
			return -1;
		p->origin = config_origin(rd, key);
		rc = config_scalar(value) ? pool_slots(rd, value, p->name, p) :
		    CONFIG_MAPPING(rd, value, p->name, keys, p);
		if (rc < 0)
			return -1;
		if (p->slots == 0)
			return config_refuse(rd, value, "pool '%s': '%s' is missing", p->name,
			    "slots");
		c->npools++;
	}
	return 0;
}

/* ---- the file ---- */

static int
read_threads(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	double n;

	if (config_number(rd, v, name, (const double[]){ 1, 10000 }, true, &n) < 0)
		return -1;
	((struct config *)into)->threads = (unsigned)n;
	return 0;
}

static int
read_runner(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	static const char *const words[] = { "worker", "cli", "shell", NULL };
	size_t which;

	if (config_word(rd, v, name, words, &which) < 0)
		return -1;
	((struct config *)into)->runner = words[which];
	return 0;
}

static int
read_command(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	return config_text(rd, v, name, &((struct config *)into)->command);
}

#define IN_DEFAULTS(fn, reads) \
	static int \
	fn(struct config_reader *rd, const struct ynode *v, const char *name, void *into) \
	{ \
		return reads(rd, v, name, &((struct config *)into)->defaults); \
	}

IN_DEFAULTS(default_retries, read_retries)
IN_DEFAULTS(default_timeout, read_timeout)

static int
read_transient(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct config *c = into;

	if (v->type != YT_LIST)
		return config_refuse(rd, v, "%s: expected %s", name, "a list of patterns");
	c->transient = arena_zalloc(&c->arena, v->n, sizeof(*c->transient));
	for (size_t i = 0; i < v->n; i++) {
		const struct ynode *item = v->items[i];
		regex_t re;

		if (config_text(rd, item, name, &c->transient[i]) < 0)
			return -1;
		if (regcomp(&re, c->transient[i], REG_EXTENDED | REG_NOSUB) != 0)
			return config_refuse(rd, item, "%s: '%s' is no regular expression", name,
			    c->transient[i]);
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
			err_set(err, "%s: pool '%s' is not defined", c->rules[i].origin,
			    p->value.pool);
			return err_hint(err, "add it: pools: {%s: 2}", p->value.pool);
		}
	}
	return 0;
}

/* Loads one YAML (or JSON) text and hands its root to `read`. An empty text is an empty mapping. */
static int
read_text(struct config_reader *rd, const char *text, size_t len,
    int (*read)(struct config_reader *rd, const struct ynode *root, void *into), void *into)
{
	struct arena scratch = ARENA_INIT;
	const struct ynode *root = ytree_parse(&scratch, rd->where, text, len, rd->err);
	int rc = root ? 0 : -1;

	if (root && root->type != YT_NULL)
		rc = read(rd, root, into);
	arena_release(&scratch);
	return rc;
}

static int
read_file(struct config_reader *rd, const struct ynode *root, void *into)
{
	static const struct config_key keys[] = {
		{ "threads", read_threads }, { "retries", default_retries },
		{ "timeout", default_timeout },
		{ "runner", read_runner }, { "command", read_command }, { "rules", read_rules },
		{ "pools", read_pools }, { "transient", read_transient },
		{ "on_failure", config_notify }, { "on_success", config_notify },
		{ "on_recovery", config_notify },
	};

	return CONFIG_MAPPING(rd, root, "top level", keys, into);
}

int
config_load(struct config *c, const char *path, struct err *err)
{
	struct config_reader rd = { .arena = &c->arena, .has_lines = true, .err = err };
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
read_node(struct config_reader *rd, const struct ynode *root, void *into)
{
	static const struct config_key keys[] = {
		{ "retries", read_retries }, { "timeout", read_timeout },
		{ "pool", read_pool_name },
		{ "priority", read_priority },
	};

	return CONFIG_MAPPING(rd, root, "heddle", keys, into);
}

int
config_node_patch(struct config *c, const char *json, bool inside, struct policy_patch *out,
    struct err *err)
{
	struct config_reader rd = { .arena = &c->arena, .where = "config.meta", .err = err };
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
