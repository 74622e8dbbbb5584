#include "cli/dbt_words.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/dbt_opts.h"
#include "util/fs.h"
#include "util/text.h"

/* Of the place, or read by nobody but dbt's own progress lines. */
static const char *const left_out[] = {
	"project_dir", "log_path", "output_path", "show", "sqlparse",
	"upload_to_artifacts_ingest_api", "deprecated_defer", "deprecated_favor_state",
	"deprecated_print", "deprecated_no_print",
	"deprecated_state", "show_resource_report",   /* the last is no option of a command */
};

/* What does not change which nodes run, or what they do. */
static const char *const unimportant[] = {
	"invocation_command", "threads", "log_path", "log_level", "log_level_file", "log_format",
	"log_format_file", "log_file_max_bytes", "quiet", "debug", "print", "printer_width",
	"use_colors", "use_colors_file", "fail_fast", "show", "sqlparse", "target_path",
	"record_timing_info",
};

static bool
is_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}
#define IN(word, list) is_in(word, list, sizeof(list) / sizeof(list[0]))

/* {"error": [], "warn": [], "silence": []}: nothing was asked for. */
static bool
is_hollow(const cJSON *v)
{
	const cJSON *item;

	if (!cJSON_IsObject(v) && !cJSON_IsArray(v))
		return false;
	cJSON_ArrayForEach(item, v)
		if (!is_hollow(item))
			return false;
	return true;
}

static bool
is_wanted(const cJSON *v, bool target_path)
{
	if (IN(v->string, left_out) || cJSON_IsNull(v) || is_hollow(v))
		return false;
	if (strcmp(v->string, "target_path") == 0)
		return target_path;
	if (strcmp(v->string, "profiles_dir") == 0 && cJSON_IsString(v)) {
		char *file = fs_join(v->valuestring, "profiles.yml");
		bool there = fs_exists(file);

		free(file);
		return there;
	}
	return true;
}

/* Text as it is, else as JSON, which is YAML too. */
static const char *
as_word(struct arena *arena, const cJSON *v)
{
	char *printed = cJSON_IsString(v) ? NULL : cJSON_PrintUnformatted(v);
	const char *word = arena_strdup(arena, printed ? printed : cJSON_GetStringValue(v));

	cJSON_free(printed);
	return word;
}

static int
add_word(struct words *out, const char *word, struct err *err)
{
	if (strstr(word, SECRETS_MASK))
		return err_set(err, "the run's arguments held a secret, which is not kept");
	words_add(out, word);
	return 0;
}

static int
add_option(struct words *out, struct arena *arena, const cJSON *v, struct err *err)
{
	char *name = arena_strdup(arena, v->string);
	enum dbt_arity arity;
	const cJSON *item;

	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	arity = dbt_opt_arity(name);
	if (arity == DBT_UNKNOWN)
		return 0;
	if (arity == DBT_FLAG) {
		if (cJSON_IsBool(v))
			words_add(out, arena_printf(arena, "--%s%s", cJSON_IsTrue(v) ? "" : "no-",
			    name));
		return 0;
	}
	if (!cJSON_IsArray(v))
		return add_word(out, arena_printf(arena, "--%s=%s", name, as_word(arena, v)), err);
	words_add(out, arena_printf(arena, "--%s", name));
	cJSON_ArrayForEach(item, v)
		if (add_word(out, as_word(arena, item), err) < 0)
			return -1;
	return 0;
}

int
dbt_words_add(struct words *out, struct arena *arena, const char *args, bool target_path,
    struct err *err)
{
	cJSON *doc = cJSON_Parse(args);
	const char *verb = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "which"));
	const cJSON *v;
	int rc = 0;

	if (!verb) {
		cJSON_Delete(doc);
		return err_set(err, "the record of the run names no command");
	}
	if (strcmp(verb, "freshness") == 0)
		words_add(out, "source");
	words_add(out, arena_strdup(arena, verb));
	cJSON_ArrayForEach(v, doc) {
		if (rc == 0 && is_wanted(v, target_path))
			rc = add_option(out, arena, v, err);
	}
	cJSON_Delete(doc);
	return rc;
}

/* Every member of a that matters is in b. */
static bool
covers(const cJSON *a, const cJSON *b)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, a)
		if (!IN(v->string, unimportant) &&
		    !cJSON_Compare(v, cJSON_GetObjectItemCaseSensitive(b, v->string), true))
			return false;
	return true;
}

bool
dbt_words_same(const char *args, const char *other)
{
	cJSON *a = cJSON_Parse(args), *b = cJSON_Parse(other);
	bool same = cJSON_IsObject(a) && cJSON_IsObject(b) && covers(a, b) && covers(b, a);

	cJSON_Delete(a);
	cJSON_Delete(b);
	return same;
}

int
dbt_words_take(void *self, char **argv, int at, int argc)
{
	int n = dbt_opt_take(argv, at, argc);

	for (int i = 0; i < n; i++)
		words_add(self, argv[at + i]);
	return n;
}
