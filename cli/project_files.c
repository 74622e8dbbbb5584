#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/project.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/ytree.h"

/* dbt's defaults, config/project.py. docs-paths have none of their own. */
static const struct { const char *key, *older, *folder; } kinds[] = {
	{ "model-paths", "source-paths", "models" },
	{ "seed-paths", "data-paths", "seeds" },
	{ "snapshot-paths", NULL, "snapshots" },
	{ "test-paths", NULL, "tests" },
	{ "macro-paths", NULL, "macros" },
	{ "analysis-paths", NULL, "analyses" },
	{ "function-paths", NULL, "functions" },
	{ "docs-paths", NULL, NULL },
};

/* What dbt reads beside dbt_project.yml itself. */
static const char *const files[] = {
	PROJECT_FILE, "packages.yml", "dependencies.yml", "selectors.yml",
};

static bool
is_source_file(const char *name)
{
	static const char *const endings[] = { ".sql", ".yml", ".yaml", ".csv", ".py", ".md" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (text_ends(name, endings[i]))
			return true;
	return false;
}

static bool
is_foreign(const char *path, const char *name, const struct project *p)
{
	return name[0] == '.' || strcmp(name, "dbt_packages") == 0 ||
		strcmp(name, "dbt_modules") == 0 ||
		strcmp(name, "logs") == 0 || strcmp(name, "node_modules") == 0 ||
		strcmp(path, p->target) == 0 || project_has(path, "pyvenv.cfg");
}

struct folders {
	char **v;
	size_t n, cap;
};

/* Takes path. */
static void
add_folder(struct folders *f, char *path)
{
	f->v = xgrow(f->v, f->n, &f->cap, sizeof(*f->v));
	f->v[f->n++] = path;
}

/* The folders dbt reads: those the project file names, or dbt's own. A name made by Jinja is not
 * known here. */
static void
add_project_folders(struct folders *f, const struct project *p)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct ynode *y = ytree_get(p->settings, kinds[i].key);

		if (!y && kinds[i].older)
			y = ytree_get(p->settings, kinds[i].older);
		for (size_t k = 0; y && y->type == YT_LIST && k < y->n; k++) {
			const char *name = y->items[k]->text;

			if (*name && !strstr(name, "{{"))
				add_folder(f, strcmp(name, ".") == 0 ? xstrdup(p->dir) :
				    project_path(p->dir, name));
		}
		if (!y && kinds[i].folder)
			add_folder(f, project_path(p->dir, kinds[i].folder));
	}
}

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
			add_folder(more, path);
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

/* One of dbt's own files in the project's folder that is younger than `than`. */
static char *
newer_file_of_dbt(const struct project *p, int64_t than)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = project_path(p->dir, files[i]);

		if (fs_mtime_ms(path) > than)
			return path;
		free(path);
	}
	return NULL;
}

char *
project_newer_file(const struct project *p)
{
	struct folders todo = { NULL, 0, 0 };
	int64_t than = fs_mtime_ms(p->manifest);
	char *found;

	if (than < 0 || !project_has(p->dir, PROJECT_FILE))
		return NULL;
	found = newer_file_of_dbt(p, than);
	add_project_folders(&todo, p);
	while (todo.n > 0) {
		char *dir = todo.v[--todo.n];

		if (!found)
			found = look_into(dir, than, p, &todo);
		free(dir);
	}
	free(todo.v);
	return found;
}
