#include "cli/project.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/xalloc.h"

char *
project_path(const char *dir, const char *name)
{
	return strcmp(dir, ".") == 0 ? xstrdup(name) : fs_join(dir, name);
}

bool
project_has(const char *dir, const char *name)
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

	if (!up || project_has(".", PROJECT_FILE)) {
		free(up);
		return xstrdup(".");
	}
	while ((slash = strrchr(up, '/')) && slash > up) {
		*slash = '\0';
		if (project_has(up, PROJECT_FILE))
			return up;
	}
	free(up);
	return xstrdup(".");
}

const struct ynode *
project_read(struct arena *a, const char *dir)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char *path = project_path(dir, PROJECT_FILE);
	const struct ynode *y = NULL;

	if (fs_read(path, &text, &ignored) == 0)
		y = ytree_parse(a, path, buf_str(&text), text.len, &ignored);
	free(path);
	buf_release(&text);
	err_release(&ignored);
	return y;
}

char *
project_setting(const char *dir, const char *section, const char *key)
{
	struct arena a = ARENA_INIT;
	const struct ynode *y = project_read(&a, dir);
	char *value = NULL;

	y = ytree_get(section ? ytree_get(y, section) : y, key);
	if (y && y->type != YT_LIST && y->type != YT_MAP && *y->text && !strstr(y->text, "{{"))
		value = xstrdup(y->text);
	arena_release(&a);
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
	else if (project_has(p->dir, PROJECT_FILE) && project_has(p->dir, "selectors.yml"))
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
