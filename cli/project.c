#include "cli/project.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define PROJECT_FILE "dbt_project.yml"

char *
project_path(const char *dir, const char *name)
{
	return strcmp(dir, ".") == 0 ? xstrdup(name) : fs_join(dir, name);
}

static bool
has_file(const char *dir, const char *name)
{
	char *path = project_path(dir, name);
	bool has = fs_exists(path);

	free(path);
	return has;
}

/* The working folder or the nearest one above it that holds a project. */
static char *
find_dir(void)
{
	char *up = getcwd(NULL, 0), *slash;

	if (!up || has_file(".", PROJECT_FILE)) {
		free(up);
		return xstrdup(".");
	}
	while ((slash = strrchr(up, '/')) && slash > up) {
		*slash = '\0';
		if (has_file(up, PROJECT_FILE))
			return up;
	}
	free(up);
	return xstrdup(".");
}

/* The value of "key: value" at the line, without quotes and comment; or NULL. */
static char *
value_of(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key), from = n + 1;
	char quote;

	if (len <= n || memcmp(line, key, n) != 0 || line[n] != ':')
		return NULL;
	while (from < len && line[from] == ' ')
		from++;
	quote = from < len && (line[from] == '"' || line[from] == '\'') ? line[from] : 0;
	if (quote) {
		const char *end = memchr(line + from + 1, quote, len - from - 1);

		return end ? xstrndup(line + from + 1, (size_t)(end - line) - from - 1) : NULL;
	}
	for (size_t i = from; i < len; i++)
		if (line[i] == '#' && i > from && line[i - 1] == ' ')
			len = i;
	while (len > from && strchr(" \t\r", line[len - 1]))
		len--;
	return len > from ? xstrndup(line + from, len - from) : NULL;
}

/*
 * dbt_project.yml is a block mapping in practice, and plain settings are wanted of it; a line at a
 * time is enough to find them.
 */
char *
project_setting(const char *dir, const char *section, const char *key)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char *path = project_path(dir, PROJECT_FILE), *value = NULL;
	bool inside = false;

	if (fs_read(path, &text, &ignored) < 0)
		goto out;
	for (const char *line = buf_str(&text); *line && !value;) {
		size_t len = strcspn(line, "\n"), indent = strspn(line, " ");

		if (indent == 0 && !section)
			value = value_of(line, len, key);
		else if (indent > 0 && inside)
			value = value_of(line + indent, len - indent, key);
		else if (indent == 0 && section && len > 0 && *line != '#')
			inside = strncmp(line, section, strlen(section)) == 0 &&
			    line[strlen(section)] == ':';
		line += len;
		line += *line == '\n';
	}
	if (value && strstr(value, "{{")) {
		free(value);
		value = NULL;
	}
out:
	free(path);
	buf_release(&text);
	err_release(&ignored);
	return value;
}

const char *
project_env(const char *given, const char *name)
{
	static const char *const prefixes[] = { "DBT_ENGINE_", "DBT_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]) && !given; i++) {
		struct buf full = BUF_INIT;
		const char *value;

		buf_addf(&full, "%s%s", prefixes[i], name);
		value = getenv(full.data);
		if (value && *value)
			given = value;
		buf_release(&full);
	}
	return given;
}

void
project_find(struct project *p, const struct project_given *given)
{
	const char *dir = project_env(given->project_dir, "PROJECT_DIR");
	const char *target = project_env(given->target_path, "TARGET_PATH");
	char *set = NULL;

	p->dir = dir ? xstrdup(dir) : find_dir();
	if (!target) {
		set = project_setting(p->dir, NULL, "target-path");
		target = set ? set : "target";
	}
	p->target = project_path(p->dir, target);
	p->manifest = given->manifest ? xstrdup(given->manifest) : fs_join(p->target,
	    "manifest.json");
	p->selectors_file = NULL;
	if (given->selectors_file)
		p->selectors_file = xstrdup(given->selectors_file);
	else if (has_file(p->dir, PROJECT_FILE) && has_file(p->dir, "selectors.yml"))
		p->selectors_file = project_path(p->dir, "selectors.yml");
	free(set);
}

void
project_release(struct project *p)
{
	free(p->dir);
	free(p->target);
	free(p->manifest);
	free(p->selectors_file);
	memset(p, 0, sizeof(*p));
}

static bool
is_source_file(const char *name)
{
	static const char *const endings[] = { ".sql", ".yml", ".yaml", ".csv", ".py", ".md" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (text_ends(name, endings[i]))
			return strcmp(fs_base(name), "heddle.yml") != 0;
	return false;
}

static bool
is_foreign(const char *path, const char *name, const struct project *p)
{
	return name[0] == '.' || strcmp(name, "dbt_packages") == 0 ||
		strcmp(name, "dbt_modules") == 0 ||
		strcmp(name, "logs") == 0 || strcmp(name, "node_modules") == 0 ||
		strcmp(path, p->target) == 0 || has_file(path, "pyvenv.cfg");
}

struct folders {
	char **v;
	size_t n, cap;
};

/* Looks into one folder: adds those below it, returns the first file younger than `than`. */
static char *
look_into(const char *dir, int64_t than, const struct project *p, struct folders *more)
{
	DIR *d = opendir(dir);
	char *found = NULL;

	for (struct dirent *e; d && !found && (e = readdir(d));) {
		char *path = project_path(dir, e->d_name);
		struct stat st;
		bool ours = lstat(path, &st) == 0 && !is_foreign(path, e->d_name, p);

		if (ours && S_ISDIR(st.st_mode)) {
			more->v = xgrow(more->v, more->n, &more->cap, sizeof(*more->v));
			more->v[more->n++] = path;
			continue;
		}
		if (ours && S_ISREG(st.st_mode) && is_source_file(path) && fs_mtime_ms(path) > than)
			found = path;
		else
			free(path);
	}
	if (d)
		closedir(d);
	return found;
}

char *
project_newer_file(const struct project *p)
{
	struct folders todo = { NULL, 0, 0 };
	int64_t than = fs_mtime_ms(p->manifest);
	char *found = NULL;

	if (than < 0 || !has_file(p->dir, PROJECT_FILE))
		return NULL;
	todo.v = xgrow(todo.v, todo.n, &todo.cap, sizeof(*todo.v));
	todo.v[todo.n++] = xstrdup(p->dir);
	while (todo.n > 0) {
		char *dir = todo.v[--todo.n];

		if (!found)
			found = look_into(dir, than, p, &todo);
		free(dir);
	}
	free(todo.v);
	return found;
}
