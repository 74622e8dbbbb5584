#include "cli/run_args.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "cli/project.h"

/* A missing or null key leaves the value as it is. */
static int
read_text(struct run_args *a, const cJSON *obj, const char *key, const char **out, struct err *err)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

	if (!v || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsString(v))
		return err_set(err, "dbt's argument '%s': expected a string", key);
	*out = arena_strdup(&a->arena, v->valuestring);
	return 0;
}

static int
read_list(struct run_args *a, const cJSON *obj, const char *key, struct strs *out, struct err *err)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(obj, key), *v;

	if (!list || cJSON_IsNull(list))
		return 0;
	if (!cJSON_IsArray(list))
		return err_set(err, "dbt's argument '%s': expected a list", key);
	out->v = arena_zalloc(&a->arena, (size_t)cJSON_GetArraySize(list), sizeof(*out->v));
	cJSON_ArrayForEach(v, list) {
		if (!cJSON_IsString(v))
			return err_set(err, "dbt's argument '%s': expected a list of strings", key);
		out->v[out->n++] = arena_strdup(&a->arena, v->valuestring);
	}
	return 0;
}

/* "all", or a list of names; under the old key for dbt 1.7 and before. */
static int
read_warnings(struct run_args *a, const cJSON *obj, struct err *err)
{
	const cJSON *set = cJSON_GetObjectItemCaseSensitive(obj, "warn_error_options");
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(set, "error");
	struct warn_rules *w = &a->warnings;

	w->always = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "warn_error"));
	if (!error)
		error = cJSON_GetObjectItemCaseSensitive(set, "include");
	if (cJSON_IsString(error))
		w->all = arena_strdup(&a->arena, error->valuestring);
	if (error && !w->all && read_list(a, set, error->string, &w->error, err) < 0)
		return -1;
	if (read_list(a, set, "exclude", &w->warn, err) < 0 ||
	    read_list(a, set, "warn", &w->warn, err) < 0)
		return -1;
	return read_list(a, set, "silence", &w->silence, err);
}

int
run_args_read(struct run_args *a, const char *args, const char *flags, struct err *err)
{
	cJSON *obj = cJSON_Parse(args), *flag = cJSON_Parse(flags);
	int rc = -1;

	memset(a, 0, sizeof(*a));
	a->indirect_selection = "eager";
	a->log_format = "default";
	if (!cJSON_IsObject(obj) || !cJSON_IsObject(flag)) {
		err_set(err, "the worker's account of dbt's arguments is not JSON");
		goto out;
	}
	if (read_list(a, obj, "select", &a->select, err) < 0 ||
	    read_list(a, obj, "exclude", &a->exclude, err) < 0 ||
	    read_list(a, obj, "resource_types", &a->resource_types, err) < 0 ||
	    read_list(a, obj, "exclude_resource_types", &a->exclude_resource_types, err) < 0 ||
	    read_text(a, obj, "selector", &a->selector, err) < 0 ||
	    read_warnings(a, obj, err) < 0 ||
	    read_text(a, obj, "state", &a->state, err) < 0 ||
	    read_text(a, flag, "indirect_selection", &a->indirect_selection, err) < 0 ||
	    read_text(a, flag, "log_format", &a->log_format, err) < 0)
		goto out;
	a->as_written = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(flag, STATE_AS_WRITTEN));
	rc = 0;
out:
	cJSON_Delete(obj);
	cJSON_Delete(flag);
	return rc;
}

void
run_args_release(struct run_args *a)
{
	arena_release(&a->arena);
	memset(a, 0, sizeof(*a));
}
