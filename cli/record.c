#include "cli/record.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/dbt_words.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

char *
record_dir(const char *state_dir, const char *target_path)
{
	return state_dir ? xstrdup(state_dir) : fs_join(target_path, "heddle/runs");
}

char *
record_manifest_dir(const char *path)
{
	size_t len = strlen(path);
	struct buf b = BUF_INIT;

	if (text_ends(path, JOURNAL_SUFFIX))
		buf_add(&b, path, len - strlen(JOURNAL_SUFFIX));
	else
		buf_add(&b, path, (size_t)(fs_base(path) - path));
	buf_adds(&b, text_ends(path, JOURNAL_SUFFIX) ? JOURNAL_STATE_SUFFIX : "heddle/before");
	return buf_detach(&b);
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
	if (rq->retries != OPT_NOT_GIVEN)
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
	add_text(into, "history", rq->history);
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
	if (rq->hooks != HOOKS_ALL)
		cJSON_AddStringToObject(doc, "hooks", run_hooks_name(rq->hooks));
	add_options(cJSON_AddObjectToObject(doc, "options"), rq);
	cJSON_AddItemToObject(doc, "args", cJSON_Parse(info->args));
	cJSON_AddNumberToObject(doc, "threads", info->nthreads);
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

/* Text of two objects' member, as it stands. */
static bool
same_member(const cJSON *a, const cJSON *b, const char *key)
{
	const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, key);
	const cJSON *y = cJSON_GetObjectItemCaseSensitive(b, key);

	return (!x && !y) || cJSON_Compare(x, y, true);
}

/* dbt's arguments as it resolved them, or as typed when no dbt was asked. */
static bool
same_args(const cJSON *a, const cJSON *b)
{
	const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, "args");
	const cJSON *y = cJSON_GetObjectItemCaseSensitive(b, "args");
	char *one, *other;
	bool same;

	if (!cJSON_GetObjectItemCaseSensitive(x, "invocation_command"))
		return same_member(a, b, "dbt_args");
	one = cJSON_PrintUnformatted(x);
	other = cJSON_PrintUnformatted(y);
	same = one && other && dbt_words_same(one, other);
	cJSON_free(one);
	cJSON_free(other);
	return same;
}

/* Retries, timeouts and the like may differ: they do not change what is to be done. */
static bool
same_settings(const char *one, const char *other)
{
	static const char *const keys[] = {
		"command", "hooks", "project", "profile", "target", "adapter"
	};
	cJSON *a = cJSON_Parse(one), *b = cJSON_Parse(other);
	bool same = same_args(a, b);

	for (size_t i = 0; same && i < sizeof(keys) / sizeof(keys[0]); i++)
		same = same_member(a, b, keys[i]);
	cJSON_Delete(a);
	cJSON_Delete(b);
	return same;
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
		else if (same_settings(run->settings, masked))
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
		const char *then = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc,
		    parts[i].key));
		const char *now = parts[i].now ? parts[i].now : "";

		if (then && strcmp(then, now) != 0) {
			rc = err_set(err, "the run to continue used %s '%s', now it is '%s'",
			    parts[i].key, then, now);
			err_hint(err, "continue it with the settings it had, or start anew");
		}
	}
	cJSON_Delete(doc);
	return rc;
}
