/* run_sources.c -- the sources of a run: which are checked, what is skipped when they are stale,
 * sources.json. */
#include "cli/run_inside.h"

#include <stdlib.h>

#include "cli/cmd.h"
#include "executor/runner_worker.h"
#include "util/fs.h"

bool
run_checks_sources(const struct run *r)
{
	return r->command == PLAN_FRESHNESS || r->rq->freshness;
}

struct plan *
run_plan_with_sources(struct run *r, struct err *err)
{
	plan_add_sources(r->graph, r->command, &r->selected);
	return plan_new_with_sources(r->graph, &r->selected, r->command, err);
}

/* `freshness` writes where dbt's own task would (--output). */
int
run_write_sources(struct run *r, const struct results_head *head, struct err *err)
{
	char *usual = fs_join(r->info->target_path, "sources.json");
	const char *path = r->command == PLAN_FRESHNESS && r->info->result_path ?
	    r->info->result_path : usual;
	int rc = sources_write(r->sources, head, path, err);

	free(usual);
	return rc;
}

bool
run_source_failed(const struct run *r, const struct run_task *t)
{
	if (r->rq->skip_stale != STALE_NEVER && stale_found(t))
		return false;
	return t->state != TASK_DONE || !result_status_good(t->status);
}
