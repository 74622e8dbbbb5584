/* record_restore.c -- the settings of a recorded run -> the request to run it again. */
#include "cli/record.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "cli/dbt_words.h"
#include "util/text.h"

static int64_t
number_of(const cJSON *obj, const char *key, int64_t missing)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

	return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 9e15 ?
	    (int64_t)v->valuedouble : missing;
}

static const char *
text_of(struct arena *arena, const cJSON *obj, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, key));

	return text ? arena_strdup(arena, text) : NULL;
}

int
record_command(const char *name)
{
	int c = 0;

	while (c < NPLAN_COMMANDS && strcmp(plan_command_name((enum plan_command)c), name) != 0)
		c++;
	return c < NPLAN_COMMANDS ? c : -1;
}

static int
restore_command(struct run_request *rq, const cJSON *doc, struct err *err)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "command"));

	if (!name || record_command(name) < 0)
		return err_set(err, "the record of the run names no command");
	rq->command = (enum plan_command)record_command(name);
	return 0;
}

static int
restore_typed(struct run_request *rq, struct arena *arena, const cJSON *doc, struct err *err)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(doc, "dbt_args"), *item;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
		return err_set(err, "the record of the run has no arguments");
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item))
			return err_set(err,
			    "the record of the run has an argument that is no text");
		if (strstr(item->valuestring, SECRETS_MASK))
			return err_set(err, "the run's arguments held a secret, which is not kept");
		words_add(&rq->dbt, arena_strdup(arena, item->valuestring));
	}
	return 0;
}

/* As dbt resolved them; as typed when no dbt was asked (a runner without the worker). */
static int
restore_args(struct run_request *rq, struct arena *arena, const cJSON *doc,
    const struct record_given *given, struct err *err)
{
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(doc, "args");
	char *printed;
	int rc;

	if (!cJSON_GetObjectItemCaseSensitive(args, "invocation_command")) {
		rc = restore_typed(rq, arena, doc, err);
	} else {
		printed = cJSON_PrintUnformatted(args);
		rc = dbt_words_add(&rq->dbt, arena, printed, !given->target_path, err);
		cJSON_free(printed);
	}
	if (rc < 0)
		return err->hint ? rc : err_hint(err, "run it anew: heddle %s",
		    plan_command_name(rq->command));
	/* Of two the last one counts. */
	if (given->project_dir)
		words_add(&rq->dbt, arena_printf(arena, "--project-dir=%s", given->project_dir));
	if (given->target_path)
		words_add(&rq->dbt, arena_printf(arena, "--target-path=%s", given->target_path));
	if (given->threads)
		words_add(&rq->dbt, arena_printf(arena, "--threads=%s", given->threads));
	else if (number_of(doc, "threads", 0) > 0)
		words_add(&rq->dbt,
		    arena_printf(arena, "--threads=%d", (int)number_of(doc, "threads", 0)));
	return 0;
}

int
record_restore(struct run_request *rq, struct arena *arena, const char *settings,
    const struct record_given *given, struct err *err)
{
	cJSON *doc = cJSON_Parse(settings);
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(doc, "options");
	const char *order = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "order"));
	const char *hooks = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "hooks"));
	const char *rule;
	int rc = -1;

	if (restore_command(rq, doc, err) < 0 || restore_args(rq, arena, doc, given, err) < 0)
		goto out;
	if (rq->retries == OPT_NOT_GIVEN)
		rq->retries = (unsigned)number_of(o, "retries", OPT_NOT_GIVEN);
	if (rq->retry_delay_ms < 0)
		rq->retry_delay_ms = number_of(o, "retry_delay_ms", -1);
	if (rq->timeout_ms < 0)
		rq->timeout_ms = number_of(o, "timeout_ms", -1);
	rq->grace_ms = number_of(o, "grace_ms", rq->grace_ms);
	rq->order = order && strcmp(order, "fifo") == 0 ? ORDER_FIFO : ORDER_PATH;
	rq->rerun_unknown |= cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "rerun_unknown"));
	rq->freshness = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "freshness"));
	if (hooks && strcmp(hooks, run_hooks_name(HOOKS_NONE)) == 0)
		rq->hooks = HOOKS_NONE;    /* hooks alone leave no record */
	rule = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "skip_stale"));
	if (rule && stale_rule_find(rule) >= 0)
		rq->skip_stale = (enum stale_rule)stale_rule_find(rule);
	rq->history = text_of(arena, o, "history");
	rq->runner = text_of(arena, o, "runner");
	rq->template = text_of(arena, o, "command");
	rq->manifest = text_of(arena, o, "manifest");
	rc = 0;
out:
	cJSON_Delete(doc);
	return rc;
}
