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

/* A file that cannot be read has no settings. */
static void
read_settings(struct project *p)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char *path = project_path(p->dir, PROJECT_FILE);

	if (fs_read(path, &text, &ignored) == 0)
		p->settings = ytree_parse(&p->arena, path, buf_str(&text), text.len, &ignored);
	free(path);
	buf_release(&text);
	err_release(&ignored);
}

const char *
project_setting(const struct project *p, const char *section, const char *key)
{
	const struct ynode *y = p->settings;

	y = ytree_get(section ? ytree_get(y, section) : y, key);
	if (!y || y->type == YT_LIST || y->type == YT_MAP || !*y->text || strstr(y->text, "{{"))
		return NULL;
	return y->text;
}

bool
project_flag(const struct project *p, const char *key)
{
	return ytree_truth(ytree_get(ytree_get(p->settings, "flags"), key));
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

	memset(p, 0, sizeof(*p));
	p->dir = dir ? xstrdup(dir) : find_dir();
	read_settings(p);
	if (!target)
		target = project_setting(p, NULL, "target-path");
	p->target = project_path(p->dir, target ? target : "target");
	p->manifest = given->manifest ? xstrdup(given->manifest) : fs_join(p->target,
	    "manifest.json");
	if (given->selectors_file)
		p->selectors_file = xstrdup(given->selectors_file);
	else if (project_has(p->dir, PROJECT_FILE) && project_has(p->dir, "selectors.yml"))
		p->selectors_file = project_path(p->dir, "selectors.yml");
}

void
project_release(struct project *p)
{
	free(p->dir);
	free(p->target);
	free(p->manifest);
	free(p->selectors_file);
	arena_release(&p->arena);
	memset(p, 0, sizeof(*p));
}
