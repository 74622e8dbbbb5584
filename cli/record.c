#include "cli/record.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/dbt_opts.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

char *
record_dir(const char *target_path)
{
	return fs_join(target_path, "heddle/runs");
}

/* ---- writing ---- */

static void
add_text(cJSON *into, const char *key, const char *text)
{
	if (text)
		cJSON_AddStringToObject(into, key, text);
}

static void
add_options(cJSON *into, const struct run_request *rq)
{
	if (rq->retries != RUN_NOT_GIVEN)
		cJSON_AddNumberToObject(into, "retries", rq->retries);
	if (rq->retry_delay_ms >= 0)
		cJSON_AddNumberToObject(into, "retry_delay_ms", (double)rq->retry_delay_ms);
	if (rq->timeout_ms >= 0)
		cJSON_AddNumberToObject(into, "timeout_ms", (double)rq->timeout_ms);
	if (rq->max_time_ms > 0)
		cJSON_AddNumberToObject(into, "max_time_ms", (double)rq->max_time_ms);
	cJSON_AddNumberToObject(into, "grace_ms", (double)rq->grace_ms);
	cJSON_AddStringToObject(into, "order", rq->order == ORDER_FIFO ? "fifo" : "path");
	cJSON_AddBoolToObject(into, "rerun_unknown", rq->rerun_unknown);
	cJSON_AddBoolToObject(into, "freshness", rq->freshness);
	cJSON_AddStringToObject(into, "skip_stale", stale_rule_name(rq->skip_stale));
	add_text(into, "runner", rq->runner);
	add_text(into, "command", rq->template);
	add_text(into, "manifest", rq->manifest);
}

char *
record_settings(const struct run_request *rq, const struct worker_info *info)
{
	cJSON *doc = cJSON_CreateObject(), *args = cJSON_AddArrayToObject(doc, "dbt_args");
	char *printed, *own;

	cJSON_AddStringToObject(doc, "command", plan_command_name(rq->command));
	for (size_t i = 0; i < rq->dbt.n; i++)
		cJSON_AddItemToArray(args, cJSON_CreateString(rq->dbt.v[i]));
	add_options(cJSON_AddObjectToObject(doc, "options"), rq);
	cJSON_AddStringToObject(doc, "project", info->project_name ? info->project_name : "");
	cJSON_AddStringToObject(doc, "profile", info->profile_name ? info->profile_name : "");
	cJSON_AddStringToObject(doc, "target", info->target_name ? info->target_name : "");
	cJSON_AddStringToObject(doc, "adapter", info->adapter ? info->adapter : "");
	printed = cJSON_PrintUnformatted(doc);
	own = xstrdup(printed);
	cJSON_free(printed);
	cJSON_Delete(doc);
	return own;
}

/* ---- reading ---- */

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

static int
restore_command(struct run_request *rq, const cJSON *doc, struct err *err)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "command"));

	for (int c = 0; name && c < NPLAN_COMMANDS; c++)
		if (strcmp(plan_command_name((enum plan_command)c), name) == 0) {
			rq->command = (enum plan_command)c;
			return 0;
		}
	return err_set(err, "the record of the run names no command");
}

/* The arguments as typed, with --threads replaced when asked. */
static int
restore_args(struct run_request *rq, struct arena *arena, const cJSON *doc, const char *threads,
    struct err *err)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(doc, "dbt_args"), *item;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
		return err_set(err, "the record of the run has no arguments");
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item))
			return err_set(err, "the record of the run has an argument that is no text");
		if (strstr(item->valuestring, SECRETS_MASK)) {
			err_set(err, "the run's arguments held a secret, which is not kept");
			return err_hint(err, "run it anew: heddle %s", plan_command_name(rq->command));
		}
		words_add(&rq->dbt, arena_strdup(arena, item->valuestring));
	}
	if (threads) {
		words_add(&rq->dbt, "--threads");   /* the last one counts */
		words_add(&rq->dbt, threads);
	}
	return 0;
}

int
record_restore(struct run_request *rq, struct arena *arena, const char *settings,
    const char *threads, struct err *err)
{
	cJSON *doc = cJSON_Parse(settings);
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(doc, "options");
	const char *order = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "order"));
	const char *rule;
	int rc = -1;

	if (restore_command(rq, doc, err) < 0 || restore_args(rq, arena, doc, threads, err) < 0)
		goto out;
	if (rq->retries == RUN_NOT_GIVEN)
		rq->retries = (unsigned)number_of(o, "retries", RUN_NOT_GIVEN);
	if (rq->retry_delay_ms < 0)
		rq->retry_delay_ms = number_of(o, "retry_delay_ms", -1);
	if (rq->timeout_ms < 0)
		rq->timeout_ms = number_of(o, "timeout_ms", -1);
	rq->grace_ms = number_of(o, "grace_ms", rq->grace_ms);
	rq->order = order && strcmp(order, "fifo") == 0 ? ORDER_FIFO : ORDER_PATH;
	rq->freshness = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "freshness"));
	rule = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "skip_stale"));
	if (rule && stale_rule_find(rule) >= 0)
		rq->skip_stale = (enum stale_rule)stale_rule_find(rule);
	rq->rerun_unknown |= cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "rerun_unknown"));
	rq->runner = text_of(arena, o, "runner");
	rq->template = text_of(arena, o, "command");
	rq->manifest = text_of(arena, o, "manifest");
	rc = 0;
out:
	cJSON_Delete(doc);
	return rc;
}

/* ---- which run ---- */

static bool
is_named(const char *path, const char *name)
{
	const char *base = fs_base(path);

	return strcmp(path, name) == 0 || (text_starts(base, name) &&
	    strcmp(base + strlen(name), JOURNAL_SUFFIX) == 0);
}

int
record_find(struct journal_run *run, const char *dir, const char *name, struct err *err)
{
	char **paths;
	size_t n = journal_list(dir, &paths), i = 0;
	int rc = 0;

	memset(run, 0, sizeof(*run));
	while (name && i < n && !is_named(paths[i], name))
		i++;
	if (i < n) {
		rc = journal_read(run, paths[i], err) < 0 ? -1 : 1;
	} else if (name) {
		rc = err_set(err, "%s: no run '%s'", dir, name);
		if (n)
			err_hint(err, "the newest is %s", fs_base(paths[0]));
	}
	journal_list_free(paths, n);
	return rc;
}

int
record_find_unfinished(struct journal_run *run, const char *dir, const char *settings,
    struct err *err)
{
	char **paths, *masked;
	size_t n = journal_list(dir, &paths);
	struct buf b = BUF_INIT;
	int rc = 0;

	/* What is in the file is masked, so compare with that. */
	buf_adds(&b, settings);
	secrets_mask(&b, 0);
	masked = buf_detach(&b);
	memset(run, 0, sizeof(*run));
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (journal_read(run, paths[i], err) < 0)
			rc = -1;
		else if (strcmp(run->settings, masked) == 0)
			rc = run->ended && run->exit_code == 0 ? 2 : 1;
		if (rc != 1)
			journal_run_release(run);
	}
	free(masked);
	journal_list_free(paths, n);
	return rc == 2 ? 0 : rc;
}

int
record_check_target(const char *settings, const struct worker_info *info, struct err *err)
{
	const struct { const char *key, *now; } parts[] = {
		{ "project", info->project_name }, { "profile", info->profile_name },
		{ "target", info->target_name }, { "adapter", info->adapter },
	};
	cJSON *doc = cJSON_Parse(settings);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *then = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, parts[i].key));
		const char *now = parts[i].now ? parts[i].now : "";

		if (then && strcmp(then, now) != 0) {
			rc = err_set(err, "the run to continue used %s '%s', now it is '%s'", parts[i].key, then,
			    now);
			err_hint(err, "continue it with the settings it had, or start anew");
		}
	}
	cJSON_Delete(doc);
	return rc;
}
