#include "cli/dbt_opts.h"

#include <string.h>

#include "util/text.h"

static const struct dbt_opt {
	char letter;
	const char *name;
	enum dbt_arity arity;
} dbt_opts[] = {
	{ 0,   "cache-selected-only", DBT_FLAG },
	{ 'd', "debug", DBT_FLAG },
	{ 0,   "defer", DBT_FLAG },
	{ 0,   "defer-state", DBT_VALUE },
	{ 0,   "deprecated-defer", DBT_VALUE },
	{ 0,   "deprecated-favor-state", DBT_VALUE },
	{ 0,   "deprecated-no-print", DBT_FLAG },
	{ 0,   "deprecated-print", DBT_FLAG },
	{ 0,   "deprecated-state", DBT_VALUE },
	{ 0,   "empty", DBT_FLAG },
	{ 0,   "event-time-end", DBT_VALUE },
	{ 0,   "event-time-start", DBT_VALUE },
	{ 0,   "exclude", DBT_MULTI },
	{ 0,   "exclude-resource-type", DBT_MULTI },
	{ 0,   "exclude-resource-types", DBT_MULTI },
	{ 0,   "export-saved-queries", DBT_FLAG },
	{ 'x', "fail-fast", DBT_FLAG },
	{ 0,   "favor-state", DBT_FLAG },
	{ 'f', "full-refresh", DBT_FLAG },
	{ 0,   "include-saved-query", DBT_FLAG },
	{ 0,   "indirect-selection", DBT_VALUE },
	{ 0,   "log-cache-events", DBT_FLAG },
	{ 0,   "log-file-max-bytes", DBT_VALUE },
	{ 0,   "log-format", DBT_VALUE },
	{ 0,   "log-format-file", DBT_VALUE },
	{ 0,   "log-level", DBT_VALUE },
	{ 0,   "log-level-file", DBT_VALUE },
	{ 0,   "log-path", DBT_VALUE },
	{ 0,   "macro-debugging", DBT_FLAG },
	{ 0,   "model", DBT_MULTI },
	{ 'm', "models", DBT_MULTI },
	{ 'o', "output", DBT_VALUE },
	{ 0,   "partial-parse", DBT_FLAG },
	{ 0,   "partial-parse-file-diff", DBT_FLAG },
	{ 0,   "partial-parse-file-path", DBT_VALUE },
	{ 0,   "populate-cache", DBT_FLAG },
	{ 0,   "print", DBT_FLAG },
	{ 0,   "printer-width", DBT_VALUE },
	{ 0,   "profile", DBT_VALUE },
	{ 0,   "profiles-dir", DBT_VALUE },
	{ 0,   "project-dir", DBT_VALUE },
	{ 'q', "quiet", DBT_FLAG },
	{ 'r', "record-timing-info", DBT_VALUE },
	{ 0,   "resource-type", DBT_MULTI },
	{ 0,   "resource-types", DBT_MULTI },
	{ 0,   "sample", DBT_VALUE },
	{ 's', "select", DBT_MULTI },
	{ 0,   "selector", DBT_VALUE },
	{ 0,   "send-anonymous-usage-stats", DBT_FLAG },
	{ 0,   "show", DBT_FLAG },
	{ 0,   "show-all-deprecations", DBT_FLAG },
	{ 0,   "show-resource-report", DBT_FLAG },
	{ 0,   "single-threaded", DBT_FLAG },
	{ 0,   "sqlparse", DBT_VALUE },
	{ 0,   "state", DBT_VALUE },
	{ 0,   "static-parser", DBT_FLAG },
	{ 0,   "store-failures", DBT_FLAG },
	{ 't', "target", DBT_VALUE },
	{ 0,   "target-path", DBT_VALUE },
	{ 0,   "threads", DBT_VALUE },
	{ 0,   "upload-to-artifacts-ingest-api", DBT_FLAG },
	{ 0,   "use-colors", DBT_FLAG },
	{ 0,   "use-colors-file", DBT_FLAG },
	{ 0,   "use-experimental-parser", DBT_FLAG },
	{ 0,   "use-fast-test-edges", DBT_FLAG },
	{ 0,   "vars", DBT_VALUE },
	{ 0,   "version-check", DBT_FLAG },
	{ 0,   "warn-error", DBT_FLAG },
	{ 0,   "warn-error-options", DBT_VALUE },
	{ 0,   "write-json", DBT_FLAG },
};
#define NDBT_OPTS (sizeof(dbt_opts) / sizeof(dbt_opts[0]))

/* Options that not every command has, and those that have them. Left out: what chooses nodes. */
static const struct {
	const char *name, *commands;
} not_for_all[] = {
	{ "empty", " build run snapshot " },
	{ "event-time-end", " build run " },
	{ "event-time-start", " build run " },
	{ "full-refresh", " build run seed " },
	{ "output", " source " },
	{ "sample", " build run " },
	{ "show", " build seed " },
	{ "store-failures", " build test " },
};

static const char *const dbt_commands[] = {
	"build", "clean", "clone", "compile", "debug", "deps", "docs", "init", "list", "ls",
	"parse",
	"retry", "run", "run-operation", "seed", "show", "snapshot", "source", "test",
};

static const struct dbt_opt *
find_name(const char *name, size_t len)
{
	for (size_t i = 0; i < NDBT_OPTS; i++)
		if (strlen(dbt_opts[i].name) == len && memcmp(dbt_opts[i].name, name, len) == 0)
			return &dbt_opts[i];
	return NULL;
}

static const struct dbt_opt *
find_letter(char letter)
{
	for (size_t i = 0; i < NDBT_OPTS; i++)
		if (dbt_opts[i].letter == letter)
			return &dbt_opts[i];
	return NULL;
}

enum dbt_arity
dbt_opt_arity(const char *name)
{
	const struct dbt_opt *o = find_name(name, strlen(name));

	return o ? o->arity : DBT_UNKNOWN;
}

static int
count_words(const struct dbt_opt *o, bool has_value, char **argv, int at, int argc)
{
	int n = 1;

	if (o->arity == DBT_FLAG)
		return 1;
	if (!has_value)
		n = at + 1 < argc ? 2 : 1;   /* a missing value is dbt's to report */
	if (o->arity == DBT_MULTI)
		while (at + n < argc && argv[at + n][0] != '-')
			n++;
	return n;
}

int
dbt_opt_take(char **argv, int at, int argc)
{
	const char *arg = argv[at];
	const struct dbt_opt *o;
	size_t len;

	if (arg[0] != '-' || arg[1] == '\0')
		return 0;
	if (arg[1] != '-') {
		for (const char *c = arg + 1; *c; c++) {
			o = find_letter(*c);
			if (!o)
				return 0;
			if (o->arity != DBT_FLAG)
				return count_words(o, c[1] != '\0', argv, at, argc);
		}
		return 1;
	}
	arg += 2;
	len = strcspn(arg, "=");
	o = find_name(arg, len);
	if (!o && text_starts(arg, "no-")) {
		o = find_name(arg + 3, len - 3);
		if (o && o->arity != DBT_FLAG)
			return 0;
	}
	return o ? count_words(o, arg[len] == '=', argv, at, argc) : 0;
}

const char *
dbt_opt_value(char **argv, int argc, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (int i = 0; i < argc;) {
		int n = dbt_opt_take(argv, i, argc);
		const char *arg = argv[i];

		if (n > 0 && text_starts(arg, "--") && strncmp(arg + 2, name, len) == 0) {
			if (arg[2 + len] == '=')
				found = arg + 3 + len;
			else if (arg[2 + len] == '\0' && n > 1)
				found = argv[i + 1];
		}
		i += n > 0 ? n : 1;
	}
	return found;
}

static bool
is_for(const struct dbt_opt *o, const char *command)
{
	const size_t len = strlen(command);

	for (size_t i = 0; o && i < sizeof(not_for_all) / sizeof(not_for_all[0]); i++) {
		const char *at = not_for_all[i].commands;

		if (strcmp(not_for_all[i].name, o->name) != 0)
			continue;
		while ((at = strstr(at, command)) && (at[-1] != ' ' || at[len] != ' '))
			at++;
		return at != NULL;
	}
	return true;
}

bool
dbt_opt_is_for(const char *word, const char *command)
{
	const struct dbt_opt *o;
	size_t len;

	if (word[0] != '-' || word[1] != '-') {
		for (const char *c = word + 1; word[0] == '-' && *c; c++) {
			o = find_letter(*c);
			if (!is_for(o, command))
				return false;
			if (!o || o->arity != DBT_FLAG)
				break;
		}
		return true;
	}
	word += 2;
	len = strcspn(word, "=");
	o = find_name(word, len);
	if (!o && text_starts(word, "no-"))
		o = find_name(word + 3, len - 3);
	return is_for(o, command);
}

bool
dbt_has_command(const char *name)
{
	for (size_t i = 0; i < sizeof(dbt_commands) / sizeof(dbt_commands[0]); i++)
		if (strcmp(dbt_commands[i], name) == 0)
			return true;
	return false;
}

const char *const *
dbt_opt_names(unsigned *n)
{
	static const char *names[NDBT_OPTS];

	for (size_t i = 0; i < NDBT_OPTS; i++)
		names[i] = dbt_opts[i].name;
	*n = NDBT_OPTS;
	return names;
}
