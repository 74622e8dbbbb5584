#include "executor/worker_message.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "executor/classify.h"
#include "util/text.h"
#include "util/xalloc.h"

enum { MAX_TYPES = 16 };

static const cJSON *
field(const cJSON *message, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(message, name);
}

static const char *
text(const cJSON *message, const char *name)
{
	return cJSON_GetStringValue(field(message, name));
}

static char *
copy(const cJSON *message, const char *name)
{
	const char *s = text(message, name);

	return s ? xstrdup(s) : NULL;
}

static bool
truth(const cJSON *message, const char *name)
{
	return cJSON_IsTrue(field(message, name));
}

static double
number(const cJSON *message, const char *name, double otherwise)
{
	const cJSON *item = field(message, name);

	return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static unsigned
count(const cJSON *message, const char *name)
{
	double n = number(message, name, 0);

	return n >= 0 && n < 1e6 ? (unsigned)n : 0;
}

static char **
strings(const cJSON *message, const char *name, size_t *n)
{
	const cJSON *list = field(message, name), *item;
	char **v;

	*n = 0;
	if (!cJSON_IsArray(list))
		return NULL;
	v = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*v));
	cJSON_ArrayForEach(item, list)
		if (cJSON_IsString(item))
			v[(*n)++] = xstrdup(item->valuestring);
	return v;
}

/* Name of the member and of the field are the same. */
#define INFO_STRINGS(X) \
	X(dbt_version) X(adapter) X(adapter_version) X(project_name) X(profile_name) \
	X(target_name) X(project_root) X(target_path) X(log_path) X(manifest_path) X(result_path) \
	X(invocation_id) X(args) X(metadata) X(flags) X(selectors) X(default_selector)
#define INFO_BOOLS(X) \
	X(manifest_kept) X(fail_fast) X(quiet) X(write_json) X(use_colors) X(full_refresh) \
	X(debug)

void
worker_info_read(struct worker_info *info, const cJSON *message)
{
#define X(name) info->name = copy(message, #name);
	INFO_STRINGS(X)
#undef X
#define X(name) info->name = truth(message, #name);
	INFO_BOOLS(X)
#undef X
	info->nthreads = count(message, "threads");
}

void
worker_info_release(struct worker_info *info)
{
#define X(name) free(info->name);
	INFO_STRINGS(X)
#undef X
	memset(info, 0, sizeof(*info));
}

void
worker_ready_read(struct worker_ready *ready, const cJSON *message)
{
	ready->nthreads = count(message, "threads");
	ready->hooks = strings(message, "hooks", &ready->nhooks);
	ready->hooks_failed = truth(message, "hooks_failed");
	ready->skip_nodes = truth(message, "skip_nodes");
}

void
worker_ready_release(struct worker_ready *ready)
{
	text_free_list(ready->hooks);
	memset(ready, 0, sizeof(*ready));
}

void
worker_end_read(struct worker_end *end, const cJSON *message)
{
	end->hooks = strings(message, "hooks", &end->nhooks);
	end->hooks_failed = truth(message, "hooks_failed");
	end->elapsed = number(message, "elapsed", 0);
	end->failure = copy(message, "failure");
}

void
worker_end_release(struct worker_end *end)
{
	text_free_list(end->hooks);
	free(end->failure);
	memset(end, 0, sizeof(*end));
}

static enum error_class
class_of(const cJSON *message, const struct result *result, const char *adapter)
{
	const char *types[MAX_TYPES];
	struct failure f = { .adapter = adapter, .status = result->status, .code = result->code,
		.types = types, .message = result->message };
	const cJSON *item;

	if (truth(message, "internal"))
		return CLASS_INTERNAL;
	if (truth(message, "stale"))
		return CLASS_STALE;
	cJSON_ArrayForEach(item, field(message, "types"))
		if (cJSON_IsString(item) && f.ntypes < MAX_TYPES)
			types[f.ntypes++] = item->valuestring;
	return classify(&f);
}

int
worker_result_read(struct result *result, const char *line, const char *id, const char *adapter)
{
	cJSON *message = cJSON_Parse(line);
	const char *ev = text(message, "ev"), *for_id = text(message, "id");
	const char *status = text(message, "status");
	int found = status ? result_status_find(status) : -1;

	if (!ev || strcmp(ev, "result") != 0 || !for_id || strcmp(for_id, id) != 0 || found < 0) {
		cJSON_Delete(message);
		return -1;
	}
	result->status = (enum result_status)found;
	result->message = copy(message, "message");
	result->code = copy(message, "code");
	result->compiled_path = copy(message, "compiled_path");
	result->entry = copy(message, "entry");
	result->failures = (long long)number(message, "failures", -1);
	result->rows = (long long)number(message, "rows", -1);
	result->started_ms = (int64_t)(number(message, "started", 0) * 1000);
	result->took_ms = (int64_t)(number(message, "took", -0.001) * 1000);
	result->class = class_of(message, result, adapter);
	cJSON_Delete(message);
	return 0;
}

cJSON *
worker_start_message(const char *verb, const char *const *argv)
{
	cJSON *message = cJSON_CreateObject();
	cJSON *args = cJSON_AddArrayToObject(message, "args");

	cJSON_AddStringToObject(message, "op", "start");
	cJSON_AddNumberToObject(message, "protocol", 1);
	cJSON_AddStringToObject(message, "verb", verb);
	for (; *argv; argv++)
		cJSON_AddItemToArray(args, cJSON_CreateString(*argv));
	return message;
}

cJSON *
worker_run_message(const char *op, const char *id, unsigned attempt)
{
	cJSON *message = cJSON_CreateObject();

	cJSON_AddStringToObject(message, "op", op);
	cJSON_AddStringToObject(message, "id", id);
	cJSON_AddNumberToObject(message, "attempt", attempt);
	return message;
}

cJSON *
worker_finish_message(const struct worker_outcome *outcomes, size_t n, bool cancelled)
{
	cJSON *message = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(message, "outcomes");

	cJSON_AddStringToObject(message, "op", "finish");
	cJSON_AddBoolToObject(message, "cancelled", cancelled);
	for (size_t i = 0; i < n; i++) {
		cJSON *item = cJSON_CreateArray();

		cJSON_AddItemToArray(item, cJSON_CreateString(outcomes[i].id));
		cJSON_AddItemToArray(item,
		    cJSON_CreateString(result_status_name(outcomes[i].status)));
		cJSON_AddItemToArray(item, outcomes[i].message ?
		    cJSON_CreateString(outcomes[i].message) : cJSON_CreateNull());
		cJSON_AddItemToArray(list, item);
	}
	return message;
}
