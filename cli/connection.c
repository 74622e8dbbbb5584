#include "cli/connection.h"

#include <stdlib.h>
#include <string.h>

#include "cli/project.h"
#include "graph/json.h"
#include "graph/selector_jinja.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/ytree.h"

/* The naming of openlineage.io/docs/spec/naming. {key} is of the profile's output, {a|b} the first
 * that is there, {key=x} has a default. */
static const struct { const char *adapter, *form; } forms[] = {
	{ "athena", "awsathena://athena.{region_name}.amazonaws.com" },
	{ "bigquery", "bigquery" },
	{ "clickhouse", "clickhouse://{host}:{port=8123}" },
	{ "databricks", "databricks://{host}" },
	{ "dremio", "dremio://{software_host}:{port=9047}" },
	{ "duckdb", "duckdb://{path=:memory:}" },
	{ "fabric", "mssql://{host|server}:{port=1433}" },
	{ "mysql", "mysql://{server|host}:{port=3306}" },
	{ "oracle", "oracle://{host}:{port=1521}" },
	{ "postgres", "postgres://{host}:{port=5432}" },
	{ "redshift", "redshift://{host}:{port=5439}" },
	{ "snowflake", "snowflake://{account}" },
	{ "spark", "spark://{host}:{port=10000}" },
	{ "sqlserver", "mssql://{server|host}:{port=1433}" },
	{ "synapse", "mssql://{host|server}:{port=1433}" },
	{ "trino", "trino://{host}:{port=8080}" },
};

/* A scalar of a map, rendered; NULL when absent or beyond us. */
static const char *
value_of(struct arena *a, const struct ynode *map, const char *key)
{
	const struct ynode *y = ytree_get(map, key);
	struct err ignored = ERR_INIT;

	if (y)
		y = selector_jinja(a, "profiles.yml", y, &ignored);
	err_release(&ignored);
	return y && y->type != YT_LIST && y->type != YT_MAP && *y->text ? y->text : NULL;
}

/* What {spec} stands for; NULL: nothing. */
static const char *
fill_in(struct arena *a, const struct ynode *output, const char *spec, size_t len)
{
	char *names = arena_strndup(a, spec, len), *fallback = strchr(names, '=');
	const char *value = NULL;

	if (fallback)
		*fallback++ = '\0';
	for (char *save = NULL, *name = strtok_r(names, "|", &save); name && !value;
	    name = strtok_r(NULL, "|", &save))
		value = value_of(a, output, name);
	return value ? value : fallback;
}

static char *
fill_form(struct arena *a, const char *form, const struct ynode *output)
{
	struct buf b = BUF_INIT;

	for (const char *s = form; *s; s++) {
		const char *end = *s == '{' ? strchr(s, '}') : NULL, *value;

		if (!end) {
			buf_addc(&b, *s);
			continue;
		}
		value = fill_in(a, output, s + 1, (size_t)(end - s - 1));
		if (!value) {
			buf_release(&b);
			return NULL;
		}
		buf_adds(&b, value);
		s = end;
	}
	return buf_detach(&b);
}

static const struct ynode *
read_yaml(struct arena *a, const char *path)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	const struct ynode *y = NULL;

	if (fs_read(path, &text, &ignored) == 0)
		y = ytree_parse(a, path, arena_strndup(a, buf_str(&text), text.len), text.len,
		    &ignored);
	buf_release(&text);
	err_release(&ignored);
	return y;
}

static const char *
argument(struct arena *a, const char *args, const char *key)
{
	struct buf b = BUF_INIT;
	const char *s = NULL;

	json_add_string(&b, json_get(args, key));
	if (b.len)
		s = arena_strdup(a, b.data);
	buf_release(&b);
	return s;
}

/* profiles.yml: where the run had it, else beside the project, else in ~/.dbt. */
static const struct ynode *
find_profiles(struct arena *a, const struct project *p, const char *args)
{
	const char *home = getenv("HOME"), *dirs[3];
	const struct ynode *y = NULL;

	dirs[0] = project_env(argument(a, args, "profiles_dir"), "PROFILES_DIR");
	dirs[1] = p->dir;
	dirs[2] = home ? arena_printf(a, "%s/.dbt", home) : NULL;
	for (size_t i = 0; i < 3 && !y; i++) {
		char *dir = dirs[i] ? fs_join(p->dir, dirs[i]) : NULL;
		char *path = dir ? fs_join(dir, "profiles.yml") : NULL;

		if (path && fs_exists(path))
			y = read_yaml(a, path);
		free(dir);
		free(path);
	}
	return y;
}

/* The output the run connected to; NULL when it cannot be found. */
static const struct ynode *
find_output(struct arena *a, const struct project *p, const char *args)
{
	const char *name = project_env(argument(a, args, "profile"), "PROFILE");
	const char *target = project_env(argument(a, args, "target"), "TARGET");
	const struct ynode *profile;

	if (!name)
		name = project_setting(p, NULL, "profile");
	profile = name ? ytree_get(find_profiles(a, p, args), name) : NULL;
	if (!target)
		target = value_of(a, profile, "target");
	return ytree_get(ytree_get(profile, "outputs"), target ? target : "default");
}

char *
connection_namespace(const struct project *p, const char *adapter, const char *args)
{
	struct arena a = ARENA_INIT;
	const struct ynode *output = find_output(&a, p, args);
	char *space = NULL;

	for (size_t i = 0; adapter && !space && i < sizeof(forms) / sizeof(*forms); i++)
		if (strcmp(forms[i].adapter, adapter) == 0 &&
		    ytree_is(ytree_get(output, "type"), adapter))
			space = fill_form(&a, forms[i].form, output);
	arena_release(&a);
	return space ? space : xstrdup(adapter ? adapter : "dbt");
}
