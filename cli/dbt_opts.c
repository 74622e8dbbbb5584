#include "cli/dbt_opts.h"

#include <string.h>

#include "util/text.h"

enum arity {
	FLAG,    /* no value; --no-NAME exists too */
	VALUE,   /* one value */
	MULTI,   /* all following words up to the next option (dbt/cli/options.py MultiOption) */
};

static const struct dbt_opt {
	char letter;
	const char *name;
	enum arity arity;
} dbt_opts[] = {
	{ 0,   "cache-selected-only", FLAG },
	{ 'd', "debug", FLAG },
	{ 0,   "defer", FLAG },
	{ 0,   "defer-state", VALUE },
	{ 0,   "deprecated-defer", VALUE },
	{ 0,   "deprecated-favor-state", VALUE },
	{ 0,   "deprecated-no-print", FLAG },
	{ 0,   "deprecated-print", FLAG },
	{ 0,   "deprecated-state", VALUE },
	{ 0,   "empty", FLAG },
	{ 0,   "event-time-end", VALUE },
	{ 0,   "event-time-start", VALUE },
	{ 0,   "exclude", MULTI },
	{ 0,   "exclude-resource-type", MULTI },
	{ 0,   "exclude-resource-types", MULTI },
	{ 0,   "export-saved-queries", FLAG },
	{ 'x', "fail-fast", FLAG },
	{ 0,   "favor-state", FLAG },
	{ 'f', "full-refresh", FLAG },
	{ 0,   "include-saved-query", FLAG },
	{ 0,   "indirect-selection", VALUE },
	{ 0,   "log-cache-events", FLAG },
	{ 0,   "log-file-max-bytes", VALUE },
	{ 0,   "log-format", VALUE },
	{ 0,   "log-format-file", VALUE },
	{ 0,   "log-level", VALUE },
	{ 0,   "log-level-file", VALUE },
	{ 0,   "log-path", VALUE },
	{ 0,   "macro-debugging", FLAG },
	{ 0,   "model", MULTI },
	{ 'm', "models", MULTI },
	{ 'o', "output", VALUE },
	{ 0,   "partial-parse", FLAG },
	{ 0,   "partial-parse-file-diff", FLAG },
	{ 0,   "partial-parse-file-path", VALUE },
	{ 0,   "populate-cache", FLAG },
	{ 0,   "print", FLAG },
	{ 0,   "printer-width", VALUE },
	{ 0,   "profile", VALUE },
	{ 0,   "profiles-dir", VALUE },
	{ 0,   "project-dir", VALUE },
	{ 'q', "quiet", FLAG },
	{ 'r', "record-timing-info", VALUE },
	{ 0,   "resource-type", MULTI },
	{ 0,   "resource-types", MULTI },
	{ 0,   "sample", VALUE },
	{ 's', "select", MULTI },
	{ 0,   "selector", VALUE },
	{ 0,   "send-anonymous-usage-stats", FLAG },
	{ 0,   "show", FLAG },
	{ 0,   "show-all-deprecations", FLAG },
	{ 0,   "show-resource-report", FLAG },
	{ 0,   "single-threaded", FLAG },
	{ 0,   "sqlparse", VALUE },
	{ 0,   "state", VALUE },
	{ 0,   "static-parser", FLAG },
	{ 0,   "store-failures", FLAG },
	{ 't', "target", VALUE },
	{ 0,   "target-path", VALUE },
	{ 0,   "threads", VALUE },
	{ 0,   "upload-to-artifacts-ingest-api", FLAG },
	{ 0,   "use-colors", FLAG },
	{ 0,   "use-colors-file", FLAG },
	{ 0,   "use-experimental-parser", FLAG },
	{ 0,   "use-fast-test-edges", FLAG },
	{ 0,   "vars", VALUE },
	{ 0,   "version-check", FLAG },
	{ 0,   "warn-error", FLAG },
	{ 0,   "warn-error-options", VALUE },
	{ 0,   "write-json", FLAG },
};
#define NDBT_OPTS (sizeof(dbt_opts) / sizeof(dbt_opts[0]))

static const char *const dbt_commands[] = {
	"build", "clean", "clone", "compile", "debug", "deps", "docs", "init", "list", "ls", "parse",
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

static int
count_words(const struct dbt_opt *o, bool has_value, char **argv, int at, int argc)
{
	int n = 1;

	if (o->arity == FLAG)
		return 1;
	if (!has_value)
		n = at + 1 < argc ? 2 : 1;   /* a missing value is dbt's to report */
	if (o->arity == MULTI)
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
			if (o->arity != FLAG)
				return count_words(o, c[1] != '\0', argv, at, argc);
		}
		return 1;
	}
	arg += 2;
	len = strcspn(arg, "=");
	o = find_name(arg, len);
	if (!o && text_starts(arg, "no-")) {
		o = find_name(arg + 3, len - 3);
		if (o && o->arity != FLAG)
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
