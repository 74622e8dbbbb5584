#include "executor/retry.h"

#include <string.h>

#include <cjson/cJSON.h>

static struct retry_verdict
give_up(const char *why)
{
	return (struct retry_verdict){ .delay_ms = -1, .why = why };
}

/* The statement may have been committed although nobody said so. */
static bool
outcome_unknown(enum error_class c)
{
	return c == CLASS_CONNECTION || c == CLASS_WORKER_LOST || c == CLASS_TIMEOUT ||
		c == CLASS_CANCELLED;
}

static const char *
why_final(enum error_class c)
{
	switch (c) {
	case CLASS_DATABASE:
		return "the database would refuse it again";
	case CLASS_COMMAND:
		return "nothing says that the command would end otherwise";
	case CLASS_COMPILE:
		return "a compilation error does not go away by itself";
	case CLASS_TEST_FAILURE:
		return "a failing assertion does not go away by itself";
	case CLASS_STALE:
		return "stale data does not get fresh by itself";
	case CLASS_CANCELLED:
		return "cancelled";
	case CLASS_INTERNAL:
		return "an internal error";
	default:
		return "not known to be transient";
	}
}

static int64_t
delay_ms(const struct task_policy *p, unsigned faults, double random)
{
	double delay = (double)p->delay_ms, cap = (double)p->max_delay_ms;
	double factor = p->factor > 1 ? p->factor : 1;

	for (unsigned i = 1; i < faults && delay < 1e15; i++) {
		delay *= factor;
		if (factor <= 1 || (cap > 0 && delay >= cap))
			break;
	}
	if (cap > 0 && delay > cap)
		delay = cap;
	delay *= 1 + p->jitter * (2 * random - 1);
	if (delay < 0)
		return 0;
	return delay < 1e15 ? (int64_t)(delay + 0.5) : (int64_t)1e15;
}

struct retry_verdict
retry_decide(const struct task_policy *p, unsigned faults, bool appends, const struct result *r,
    double random)
{
	struct retry_verdict v = { .why = error_class_name(r->class) };

	if (result_status_good(r->status))
		return give_up("it ended well");
	if (r->status == RESULT_SKIPPED)
		return give_up("it was skipped");
	if (appends && outcome_unknown(r->class) &&
	    !((p->retry_any || p->rerun_unknown) && r->class != CLASS_CANCELLED)) {
		v = give_up("not tried again: its rows may be there already, and it appends");
		v.outcome_unknown = true;
		return v;
	}
	if (r->class == CLASS_CANCELLED)
		return give_up(why_final(r->class));
	if (!error_class_transient(r->class) && !p->retry_any)
		return give_up(why_final(r->class));
	if (r->blameless)
		return v;
	if (faults >= p->max_attempts)
		return give_up("no tries left");
	v.delay_ms = delay_ms(p, faults, random);
	return v;
}

static bool
is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

/* unique_key is a text or a list of texts; empty ones count as none. */
static bool
has_unique_key(const cJSON *config)
{
	const cJSON *key = cJSON_GetObjectItemCaseSensitive(config, "unique_key");

	if (cJSON_IsString(key))
		return key->valuestring[0] != '\0';
	return cJSON_IsArray(key) && cJSON_GetArraySize(key) > 0;
}

bool
retry_node_appends(const struct node *n, const char *adapter)
{
	static const char *const replacing[] = {
		"microbatch", "insert_overwrite", "replace_where", NULL
	};
	/* Adapters whose default strategy is merge or delete+insert when there is a unique_key. */
	static const char *const keyed[] = {
		"bigquery", "databricks", "duckdb", "postgres", "redshift", "snowflake", NULL
	};
	const char *text, *strategy;
	bool appends;
	cJSON *config;

	if (n->kind != KIND_MODEL || !n->materialized ||
	    strcmp(n->materialized, "incremental") != 0)
		return false;
	text = node_json(n, NODE_CONFIG);
	if (!text || !(config = cJSON_Parse(text)))
		return true;
	strategy = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(config, "incremental_strategy"));
	if (!strategy || strcmp(strategy, "default") == 0)
		appends = !has_unique_key(config) || !adapter || !is_one_of(adapter, keyed);
	else if (is_one_of(strategy, replacing))
		appends = false;
	else
		appends = strcmp(strategy, "append") == 0 || !has_unique_key(config);
	cJSON_Delete(config);
	return appends;
}
