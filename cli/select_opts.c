#include "cli/select_opts.h"

#include <stdlib.h>
#include <string.h>

#include "cli/selection.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/xalloc.h"

struct select_opts selecting;

const struct opt select_opts[] = {
	{ 's', "select", "WORDS", OPT_WORDS, &selecting.select,
	  "nodes to take, in dbt's selection syntax" },
	{ 0, "exclude", "WORDS", OPT_WORDS, &selecting.exclude, "nodes to leave out" },
	{ 0, "selector", "NAME", OPT_TEXT, &selecting.selector,
	  "a selector of selectors.yml, instead" },
	{ 0, "resource-type|resource-types", "TYPES", OPT_WORDS, &selecting.types,
	  "keep these kinds of nodes only: model, test, source, ..., all, default" },
	{ 0, "exclude-resource-type|exclude-resource-types", "TYPES", OPT_WORDS,
	  &selecting.exclude_types,
	  "leave these kinds out" },
	{ 0, "indirect-selection", "MODE", OPT_TEXT, &selecting.indirect,
	  "tests that come along: eager, cautious, buildable, empty" },
	{ 0 }
};

const struct opt models_as_select_opts[] = {
	{ 'm', "models|model", "WORDS", OPT_WORDS, &selecting.select, "the same as --select" },
	{ 0 }
};

const struct opt source_opts[] = {
	{ 0, "manifest", "FILE", OPT_TEXT, &selecting.given.manifest,
	  "read this manifest (target/manifest.json)" },
	{ 0, "state", "DIR", OPT_TEXT, &selecting.state,
	  "compare with the manifest in this folder" },
	{ 0, "selectors-file", "FILE", OPT_TEXT, &selecting.given.selectors_file,
	  "read these selectors (selectors.yml of the project)" },
	{ 0, "target-path", "DIR", OPT_TEXT, &selecting.given.target_path,
	  "dbt's target folder (target)" },
	{ 0, "project-dir", "DIR", OPT_TEXT, &selecting.given.project_dir,
	  "folder of dbt_project.yml (this one, or the nearest above)" },
	{ 0 }
};

static struct strs
as_strs(const struct words *w)
{
	return (struct strs){ w->v, w->n };
}

/* What was given, else the words of the environment. */
static struct strs
types_of(struct words *given, const char *variable)
{
	const char *value = given->n == 0 ? project_env(NULL, variable) : NULL;

	if (value)
		words_add(given, value);
	return as_strs(given);
}

/* The folder of the manifest that is read: its sources.json is the one of now. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? xstrndup(path, (size_t)(slash - path) + (slash == path)) : xstrdup(".");
}

static void
warn_of_newer_file(const struct project *p)
{
	char *newer = project_newer_file(p);

	if (newer)
		log_warn("%s is older than %s; `dbt parse` renews it", p->manifest, newer);
	free(newer);
}

int
select_opts_resolve(unsigned kinds, unsigned all_kinds, unsigned fields, struct graph *g,
    struct set *out, struct err *err)
{
	struct project *p = &selecting.project;
	const char *mode = project_env(selecting.indirect, "INDIRECT_SELECTION");
	const char *state = project_env(selecting.state, "STATE");
	char *target;
	struct selection_request rq = {
		.select = as_strs(selecting.models.n ? &selecting.models : &selecting.select),
		.exclude = as_strs(&selecting.exclude),
		.resource_types = types_of(&selecting.types, "RESOURCE_TYPES"),
		.exclude_resource_types = types_of(&selecting.exclude_types,
		    "EXCLUDE_RESOURCE_TYPES"),
		.selector = selecting.selector,
		.models_only = selecting.models.n > 0,
		.quiet = selecting.quiet,
		.kinds = kinds,
		.all_kinds = all_kinds,
		.by_default = &selecting.by_default,
	};
	int rc;

	project_find(p, &selecting.given);
	if (!mode)
		mode = project_setting(p, "flags", "indirect_selection");
	if (state)
		selecting.state_dir = project_path(p->dir, state);
	target = folder_of(p->manifest);
	rq.indirect_selection = mode;
	rq.selectors_file = p->selectors_file;
	rq.state = selecting.state_dir;
	rq.target = target;
	rq.as_written = project_flag(p, STATE_AS_WRITTEN);
	if (!selecting.given.manifest && !selecting.quiet)
		warn_of_newer_file(p);
	rc = warn_rules_find(&selecting.warnings, &p->arena, &selecting.warn_given, p, err);
	rq.warnings = selecting.warnings;
	if (rc == 0)
		rc = selection_resolve(&rq, p->manifest, fields, g, out, err);
	else
		set_init(out, 0);
	if (rc < 0 && !selecting.given.manifest && !fs_exists(p->manifest))
		err_hint(err, "`dbt parse` writes it; or name another with --manifest FILE");
	free(target);
	return rc;
}

void
select_opts_release(void)
{
	words_release(&selecting.select);
	words_release(&selecting.models);
	words_release(&selecting.exclude);
	words_release(&selecting.types);
	words_release(&selecting.exclude_types);
	project_release(&selecting.project);
	free(selecting.state_dir);
	memset(&selecting, 0, sizeof(selecting));
}

char *
select_opts_run_results(void)
{
	char *folder = folder_of(selecting.project.manifest);
	char *path = fs_join(folder, "run_results.json");

	free(folder);
	return path;
}
