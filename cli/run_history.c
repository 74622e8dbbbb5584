#include "cli/run_history.h"

#include <stdlib.h>

#include "cli/history_file.h"
#include "executor/weights.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/git.h"
#include "util/xalloc.h"

static void
warn(void *self, const char *text)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "history: %s", text);
	progress_log(self, NULL, "warn", b.data);
	buf_release(&b);
}

struct history *
run_history_open(const char *given, const struct worker_info *info, bool only_read,
    struct progress *progress)
{
	struct history_options o = { .project = info->project_name, .target = info->target_name,
		.self = progress, .warn = warn };
	struct history *h = NULL;
	struct err err = ERR_INIT;
	char *path;

	if (history_file(given, info->project_name, &path, &err) == 0 && path &&
	    (!only_read || fs_exists(path))) {
		o.path = path;
		h = history_open(&o, &err);
	}
	if (err.msg)
		warn(progress, err.msg);
	err_release(&err);
	free(path);
	return h;
}

bool
run_history_weigh(struct history *h, struct plan *p, const char *run_results)
{
	double *usual = xcalloc(p->ntasks + 1, sizeof(*usual));
	const char **last = xcalloc(p->ntasks + 1, sizeof(*last));
	bool known;

	history_medians(h, p, usual, last);
	known = weights_fill(p, run_results, usual) > 0;
	/* The history knows of runs that the last results, of fewer nodes perhaps, do not. */
	for (size_t i = 0; i < p->ntasks; i++)
		if (last[i])
			p->tasks[i].last_status = last[i];
	free(usual);
	free(last);
	return known;
}

static void
add_words(struct buf *b, const char *option, const struct strs *words)
{
	if (words->n)
		buf_addf(b, "%s--%s", b->len ? " " : "", option);
	for (size_t i = 0; i < words->n; i++)
		buf_addf(b, " %s", words->v[i]);
}

/* As one would type it; only what decides which nodes run. */
static char *
describe_selection(const struct run_args *a)
{
	struct buf b = BUF_INIT;

	add_words(&b, "select", &a->select);
	add_words(&b, "exclude", &a->exclude);
	if (a->selector)
		buf_addf(&b, "%s--selector %s", b.len ? " " : "", a->selector);
	add_words(&b, "resource-type", &a->resource_types);
	add_words(&b, "exclude-resource-type", &a->exclude_resource_types);
	return b.len ? buf_detach(&b) : NULL;
}

void
run_history_begin(struct history *h, const struct worker_info *info, const struct run_args *args,
    const struct plan *p, int64_t began_ms, const char *resumes)
{
	char *selection = describe_selection(args), *commit = git_commit(info->project_root);
	struct history_facts f = {
		.run_id = info->invocation_id,
		.resumes = resumes,
		.command = plan_command_name(p->command),
		.selection = selection,
		.git_commit = commit,
		.dbt_version = info->dbt_version,
		.adapter = info->adapter,
		.adapter_version = info->adapter_version,
		.nthreads = info->nthreads,
		.started_ms = began_ms,
	};

	history_begin(h, &f, p);
	free(selection);
	free(commit);
}

void
run_history_end(struct history *h, const struct plan *p, int exit_code,
    const struct schedule_summary *s)
{
	size_t *path = xcalloc(p->ntasks + 1, sizeof(*path));
	struct history_outcome o = { .exit_code = exit_code, .summary = s, .critical = path };

	o.ncritical = plan_critical(p, path);
	history_end(h, &o);
	free(path);
}
