#include "cli/history_file.h"

#include <stdlib.h>
#include <string.h>

#include "cli/project.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/xalloc.h"

/* The name is one part of a path, whatever it holds. */
static void
add_file_name(struct buf *b, const char *project)
{
	for (const char *s = project; *s; s++)
		buf_addc(b, *s == '/' || (s == project && *s == '.') ? '_' : *s);
	buf_adds(b, ".db");
}

int
history_file(const char *given, const char *project, char **path, struct err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct buf b = BUF_INIT;

	*path = NULL;
	if (!given)
		given = getenv("HEDDLE_HISTORY");
	if (given) {
		*path = *given ? xstrdup(given) : NULL;
		return 0;
	}
	if (!project || !*project) {
		err_set(err, "the history is kept by project, and the project's name is not known");
		return err_hint(err, "name the file: --history FILE; "
		    "or the project: --project-dir FOLDER");
	}
	if (state && state[0] == '/')
		buf_addf(&b, "%s/heddle/", state);
	else if (home && home[0] == '/')
		buf_addf(&b, "%s/.local/state/heddle/", home);
	else
		return err_set(err, "no place for the history: "
		    "neither XDG_STATE_HOME nor HOME is set");
	add_file_name(&b, project);
	*path = buf_detach(&b);
	return 0;
}

struct history_reader *
history_file_open(const char *given, const char *project_dir, char **project, struct err *err)
{
	struct project_given pg = { .project_dir = project_dir };
	struct history_reader *r = NULL;
	struct project p;
	const char *name;
	char *path;

	project_find(&p, &pg);
	name = project_setting(&p, NULL, "name");
	*project = name ? xstrdup(name) : NULL;
	if (history_file(given, *project, &path, err) == 0) {
		if (path)
			r = history_read_open(path, err);
		else
			err_set(err, "no history is kept: HEDDLE_HISTORY or --history is empty");
		free(path);
	}
	project_release(&p);
	if (!r) {
		free(*project);
		*project = NULL;
	}
	return r;
}

double *
history_file_usual(const struct plan *p)
{
	struct history_filter last = { .project = p->graph->project_name, .limit = 1 };
	struct history_reader *r = NULL;
	struct history_runs runs = { 0 };
	struct err err = ERR_INIT;
	double *usual = NULL;
	char *path;

	if (history_file(NULL, last.project, &path, &err) == 0 && path && fs_exists(path))
		r = history_read_open(path, &err);
	if (r && history_read_runs(r, &last, &runs, &err) == 0 && runs.n) {
		usual = xcalloc(p->ntasks + 1, sizeof(*usual));
		history_read_medians(r, runs.v[0].project, runs.v[0].target, p, usual);
	}
	/* Times are a hint: without them the plan is as good. */
	history_runs_release(&runs);
	history_read_close(r);
	err_release(&err);
	free(path);
	return usual;
}
