/* run_outcome.c -- what is said and kept of a run: its progress, its hooks' results, its artifacts,
 * the summary, whether it failed. The journal and the history keep themselves (executor/). */
#include "cli/run_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/screen.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/xalloc.h"

static bool
wants_json(const struct run *r)
{
	return strcmp(r->args.log_format, "json") == 0;
}

bool
run_wants_board(const struct run *r)
{
	return !r->rq->no_board && !r->info->quiet && !wants_json(r) && screen_able(STDOUT_FILENO);
}

void
run_start_progress(struct run *r)
{
	struct progress_head head = {
		.plan = r->plan,
		.options = {
			.fd = STDOUT_FILENO,
			.format = wants_json(r) ? PROGRESS_JSON : PROGRESS_TEXT,
			.quiet = r->info->quiet,
			.colour = r->info->use_colors && isatty(STDOUT_FILENO) &&
			    !getenv("NO_COLOR"),
			.board = run_wants_board(r),
			.root = r->info->project_root,
		},
		.project = r->info->project_name,
		.target = r->info->target_name,
		.adapter = r->info->adapter,
		.dbt_version = r->info->dbt_version,
		.command = run_only_hooks(r) ? run_hooks_name(r->rq->hooks) :
		    plan_command_name(r->command),
		.nthreads = r->info->nthreads,
		.timed = r->timed,
	};

	progress_start(r->progress, &head);
}

/* A hook's entry is shown like a node; its text goes to journal and results file as it is. */
int
run_take_hooks(struct run *r, char *const *hooks, size_t n, bool at_start,
    struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		cJSON *entry = cJSON_Parse(hooks[i]);
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry,
		    "unique_id"));
		const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry,
		    "status"));
		int status = word ? result_status_find(word) : -1;

		if (rc == 0 && r->journal)
			rc = journal_hook(r->journal, hooks[i], at_start, err);
		results_add_hook(r->results, hooks[i], at_start);
		if (id && status >= 0) {
			const cJSON *time = cJSON_GetObjectItemCaseSensitive(entry,
			    "execution_time");
			const char *message =
			    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry,
			    "message"));

			progress_hook(r->progress, id, (enum result_status)status, message);
			history_hook(r->history, id, (enum result_status)status, message,
			    cJSON_IsNumber(time) ? (int64_t)(time->valuedouble * 1000) : -1);
			if (!result_status_good((enum result_status)status))
				r->hooks_failed = true;
		}
		cJSON_Delete(entry);
	}
	return rc;
}

/* When dbt skips every node it lists the ephemeral ones too (task/runnable.py
 * execute_with_hooks). */
static void
skip_ephemeral(struct run *r)
{
	for (size_t i = set_next(&r->selected, 0); i < r->graph->nnodes; i =
	    set_next(&r->selected, i + 1))
		if (node_is_ephemeral(&r->graph->nodes[i]))
			results_add_ended(r->results, &r->graph->nodes[i], RESULT_SKIPPED,
			    SKIPPED_BY_HOOK);
}

/* The file's metadata as dbt made it, generated now. New string. */
static char *
metadata_of_now(const char *metadata)
{
	cJSON *doc = cJSON_Parse(metadata);
	char now[CLOCK_ISO_SIZE], *printed, *own;

	clock_iso(clock_wall_us(), now);
	cJSON_DeleteItemFromObjectCaseSensitive(doc, "generated_at");
	cJSON_AddStringToObject(doc, "generated_at", now);
	printed = cJSON_PrintUnformatted(doc);
	own = xstrdup(printed ? printed : "{}");
	cJSON_free(printed);
	cJSON_Delete(doc);
	return own;
}

static int
write_nodes(struct run *r, const struct results_head *head, struct err *err)
{
	char *path = fs_join(r->info->target_path, "run_results.json");
	int rc;

	results_skip_rest(r->results, "not started");
	if (r->ready && r->ready->skip_nodes && r->plan->ntasks)
		skip_ephemeral(r);
	rc = results_write(r->results, head, path, err);
	free(path);
	return rc;
}

int
run_write_results(struct run *r, struct err *err)
{
	char *metadata = metadata_of_now(r->info->metadata);
	struct results_head head = {
		.metadata = metadata,
		.args = r->info->args,
		.elapsed_s = (double)(clock_mono_ms() - r->started_ms) / 1000,
	};
	int rc = 0;

	if (r->info->write_json && r->command != PLAN_FRESHNESS)
		rc = write_nodes(r, &head, err);
	if (r->info->write_json && run_checks_sources(r) && rc == 0)
		rc = run_write_sources(r, &head, err);
	free(metadata);
	return rc;
}

/* The lower bound comes from the seconds this run really took. */
void
run_summarize(struct run *r, bool failed)
{
	struct progress_tail tail = { .summary = &r->summary, .nthreads = r->info->nthreads };
	double share;
	size_t n;

	tail.tasks = schedule_tasks(r->schedule, &n);
	for (size_t i = 0; i < n; i++)
		r->plan->tasks[i].seconds = (double)tail.tasks[i].busy_ms / 1000;
	plan_weigh(r->plan);
	share = r->plan->work / tail.nthreads;
	tail.critical_path_s = r->plan->critical_path;
	tail.work_s = r->plan->work;
	tail.lower_bound_s = share > tail.critical_path_s ? share : tail.critical_path_s;
	tail.total_ms = clock_mono_ms() - r->started_ms;
	tail.next = failed ? "mend it, then `heddle retry` runs what failed or was skipped" : NULL;
	progress_end(r->progress, &tail);
}

/* dbt's rule (task/runnable.py interpret_results): skipped exposures are no failure. */
static bool
task_failed(const struct run *r, const struct run_task *t)
{
	enum result_status s = t->state == TASK_DONE ? t->status : RESULT_SKIPPED;

	if (t->task->node->kind == KIND_SOURCE)
		return run_source_failed(r, t);
	return !t->excused && !result_status_good(s) &&
		!(s == RESULT_SKIPPED && t->task->node->kind == KIND_EXPOSURE);
}

bool
run_has_failed(const struct run *r)
{
	size_t n;
	const struct run_task *tasks = schedule_tasks(r->schedule, &n);

	for (size_t i = 0; i < n; i++)
		if (task_failed(r, &tasks[i]))
			return true;
	return r->hooks_failed;
}
