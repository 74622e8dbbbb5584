/*
 * record_dbt.c -- a run by dbt itself, from its run_results.json, as if we had kept a journal of
 * it.
 *
 * Source: dbt-core 1.11 task/retry.py. As there, what ended well stays and hooks do not count;
 * nodes that the file does not know (dbt was interrupted) run too.
 */
#include "cli/record.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"

static const char *
text_of(const cJSON *obj, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, key));
}

static const char *
print_into(struct arena *arena, const cJSON *v)
{
	char *printed = cJSON_PrintUnformatted(v);
	const char *kept = printed ? arena_strdup(arena, printed) : NULL;

	cJSON_free(printed);
	return kept;
}

/* False: an entry that is none, or a hook's. */
static bool
take_node(struct journal_run *run, struct journal_node *n, const cJSON *entry)
{
	const char *id = text_of(entry, "unique_id"), *status = text_of(entry, "status");

	if (!id || !status || text_starts(id, "operation."))
		return false;
	n->id = arena_strdup(&run->arena, id);
	n->status = arena_strdup(&run->arena, status);
	n->skipped = strcmp(status, "skipped") == 0;
	n->attempts = !n->skipped;
	n->entry = print_into(&run->arena, entry);
	return true;
}

static void
take_nodes(struct journal_run *run, const cJSON *results)
{
	size_t n = (size_t)cJSON_GetArraySize(results);
	struct journal_node *nodes = arena_zalloc(&run->arena, n + 1, sizeof(*nodes));
	const cJSON *entry;

	run->nodes = arena_zalloc(&run->arena, n + 1, sizeof(*run->nodes));
	cJSON_ArrayForEach(entry, results) {
		struct journal_node *node = &nodes[run->nnodes];
		int status;

		if (!take_node(run, node, entry) || map_get(&run->by_id, node->id))
			continue;
		map_put(&run->by_id, node->id, node);
		run->nodes[run->nnodes++] = node;
		status = result_status_find(node->status);
		if (status < 0 || !result_status_good((enum result_status)status))
			run->exit_code = 1;
	}
}

/* What the file tells of the settings; the target is known when it was given to dbt. */
static const char *
settings_of(struct journal_run *run, const cJSON *args, const char *verb)
{
	static const char *const parts[] = { "target", "profile" };
	cJSON *doc = cJSON_CreateObject();
	const char *kept;

	cJSON_AddStringToObject(doc, "command", verb);
	cJSON_AddItemToObject(doc, "args", cJSON_Duplicate(args, true));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (text_of(args, parts[i]))
			cJSON_AddStringToObject(doc, parts[i], text_of(args, parts[i]));
	kept = print_into(&run->arena, doc);
	cJSON_Delete(doc);
	return kept;
}

static int
take_file(struct journal_run *run, const cJSON *doc, struct err *err)
{
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(doc, "metadata");
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(doc, "args");
	const cJSON *results = cJSON_GetObjectItemCaseSensitive(doc, "results");
	const char *id = text_of(metadata, "invocation_id"), *verb = text_of(args, "which");
	const char *since = text_of(metadata, "invocation_started_at");

	if (!id || !cJSON_IsArray(results))
		return err_set(err, "these are no results of a run");
	if (!verb)
		return err_set(err, "the file does not say which command wrote it");
	if (!since)
		since = text_of(metadata, "generated_at");
	if (record_command(verb) < 0)
		return 0;
	run->run_id = arena_strdup(&run->arena, id);
	run->since = since ? arena_strdup(&run->arena, since) : NULL;
	run->settings = settings_of(run, args, verb);
	run->ended = true;
	take_nodes(run, results);
	return 0;
}

/* Whether one of our own runs wrote results with this id. */
static bool
is_ours(char **paths, size_t n, const char *id)
{
	bool found = false;

	for (size_t i = 0; i < n && !found; i++) {
		char *own = journal_run_id(paths[i]);

		found = own && strcmp(own, id) == 0;
		free(own);
	}
	return found;
}

static int
read_results(struct journal_run *run, const char *path, struct err *err)
{
	struct buf b = BUF_INIT;
	cJSON *doc = NULL;
	int rc = fs_read(path, &b, err);

	if (rc == 0) {
		doc = cJSON_ParseWithLength(buf_str(&b), b.len);
		rc = doc ? take_file(run, doc, err) : err_set(err, "not a JSON file");
		if (rc < 0)
			err_prefix(err, "%s", path);
	}
	run->path = arena_strdup(&run->arena, path);
	cJSON_Delete(doc);
	buf_release(&b);
	return rc;
}

int
record_find_dbt(struct journal_run *run, const char *dir, const char *target, struct err *err)
{
	char *path = fs_join(target, "run_results.json"), **paths;
	size_t n = journal_list(dir, &paths);
	int rc = 0;

	memset(run, 0, sizeof(*run));
	if (fs_exists(path) && (n == 0 || fs_mtime_ms(path) > fs_mtime_ms(paths[0])))
		rc = read_results(run, path, err) < 0 ? -1 :
		    run->run_id && !is_ours(paths, n, run->run_id);
	if (rc == 0)
		journal_run_release(run);
	journal_list_free(paths, n);
	free(path);
	return rc;
}
