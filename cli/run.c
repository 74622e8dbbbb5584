/* run.c -- read run_steps() first. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cli/backend.h"
#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "cli/policies.h"
#include "cli/project.h"
#include "cli/record.h"
#include "cli/resume.h"
#include "cli/run.h"
#include "cli/run_args.h"
#include "cli/run_history.h"
#include "cli/selection.h"
#include "executor/lock.h"
#include "executor/progress.h"
#include "executor/results.h"
#include "executor/runner_dry.h"
#include "executor/schedule.h"
#include "executor/screen.h"
#include "executor/transient.h"
#include "graph/manifest.h"
#include "graph/plan.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/signals.h"
#include "util/text.h"
#include "util/xalloc.h"

#define BOARD_TICK_MS 100
#define TICK_MS 500     /* how long what has happened may wait for the history's file */
#define SKIPPED_BY_HOOK "skipped because on-run-start failed (skip_nodes_if_on_run_start_fails)"

/* One invocation. Everything starts empty and is released in one place. */
struct run {
	const struct run_request *rq;
	enum plan_command command;
	struct words dbt;              /* arguments for dbt, NULL last */
	int64_t started_ms;            /* monotonic */
	int64_t began_ms;              /* the same moment, wall clock */

	struct backend dbt_runs;
	struct transient *transient;   /* heddle.yml's patterns */
	const struct worker_info *info;
	const struct worker_ready *ready;
	struct run_args args;
	struct project project;
	struct policies policies;
	char threads[16];              /* heddle.yml's, as an argument */
	int lock_fd;

	struct graph *graph;
	struct set selected;
	struct plan *plan;
	struct schedule *schedule;
	struct journal *journal;
	struct journal_run found;      /* the run --resume continues; else empty */
	struct schedule_known *known;  /* by task: results of an earlier run; or NULL */
	size_t nagain;                 /* of them, not ended well */
	struct results *results;
	struct progress *progress;
	struct history *history;       /* NULL: none is kept */
	const char *resumes;           /* run id of the run that is continued, or NULL */
	struct schedule_summary summary;
	bool timed;                    /* the plan is weighed by earlier runs */
	bool hooks_failed;
};


/* What heddle.yml says must be known before dbt starts: its threads are dbt's --threads, unless the
 * command line or the environment names a number. */
static int
read_config(struct run *r, struct err *err)
{
	char **argv = (char **)(uintptr_t)r->dbt.v;
	const struct project_given given = {
		.project_dir = dbt_opt_value(argv, (int)r->dbt.n - 1, "project-dir"),
	};

	project_find(&r->project, &given);
	if (policies_load(&r->policies, r->project.dir, err) < 0)
		return -1;
	r->transient = transient_new(r->policies.config.transient, r->policies.config.ntransient);
	if (r->policies.config.threads == 0 || getenv("DBT_THREADS") || getenv("DBT_ENGINE_THREADS") ||
	    dbt_opt_value(argv, (int)r->dbt.n - 1, "threads"))
		return 0;
	snprintf(r->threads, sizeof(r->threads), "%u", r->policies.config.threads);
	r->dbt.v[r->dbt.n - 1] = "--threads";
	words_add(&r->dbt, r->threads);
	words_add(&r->dbt, NULL);
	return 0;
}

static int
start_dbt(struct run *r, struct err *err)
{
	const struct backend_request rq = {
		.verb = plan_command_name(r->command),
		.argv = r->dbt.v,
		.project_dir = r->project.dir,
		.python = r->rq->python,
		.grace_ms = r->rq->grace_ms,
		.progress = r->progress,
	};

	if (backend_start(&r->dbt_runs, r->rq->runner, &rq, err) < 0)
		return -1;
	return r->dbt_runs.parsed(r->dbt_runs.self, &r->info, &r->args, err);
}

/* The manifest dbt parsed in this invocation, and what the resolved arguments select in it. */
static int
load_graph(struct run *r, struct err *err)
{
	unsigned kinds = plan_command_kinds(r->command);
	char *selectors = fs_join(r->info->project_root, "selectors.yml");
	struct selection_request rq = {
		.select = r->args.select,
		.exclude = r->args.exclude,
		.resource_types = r->args.resource_types,
		.exclude_resource_types = r->args.exclude_resource_types,
		.selector = r->args.selector,
		.indirect_selection = r->args.indirect_selection,
		.selectors_file = fs_exists(selectors) ? selectors : NULL,
		.state = r->args.state,
		.target = r->info->target_path,
		.kinds = kinds,
		.all_kinds = kinds,
	};
	int rc;

	r->graph = graph_new();
	rc = selection_resolve(&rq, r->info->manifest_path, r->policies.fields, r->graph, &r->selected, err);
	free(selectors);
	return rc;
}

/* What the command line says about every task. */
static struct policy_patch
flags_patch(const struct run_request *o)
{
	struct policy_patch p = { 0 };

	if (o->retries != RUN_NOT_GIVEN) {
		p.has |= 1u << POLICY_ATTEMPTS;
		p.value.max_attempts = o->retries + 1;
	}
	if (o->retry_delay_ms >= 0) {
		p.has |= 1u << POLICY_DELAY;
		p.value.delay_ms = o->retry_delay_ms;
	}
	if (o->timeout_ms >= 0) {
		p.has |= 1u << POLICY_TIMEOUT;
		p.value.timeout_ms = o->timeout_ms;
	}
	return p;
}

static int
make_plan(struct run *r, struct err *err)
{
	const struct policy_patch flags = flags_patch(r->rq);
	char *past;

	r->plan = plan_new(r->graph, &r->selected, r->command, err);
	if (!r->plan || policies_apply(&r->policies, r->plan, &flags, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < r->plan->ntasks; i++)
		r->plan->tasks[i].policy.rerun_unknown = r->rq->rerun_unknown;
	past = fs_join(r->info->target_path, "run_results.json");
	r->history = run_history_open(r->rq->history, r->info, r->rq->dry_run, r->progress);
	r->timed = run_history_weigh(r->history, r->plan, past);
	free(past);
	return 0;
}

/* The nodes dbt must know of: all of the selection that the command runs, ephemeral ones too. */
static int
begin(struct run *r, struct err *err)
{
	unsigned kinds = plan_command_kinds(r->command);
	const char **ids = xcalloc(r->graph->nnodes, sizeof(*ids));
	size_t n = 0;
	int rc;

	for (size_t i = set_next(&r->selected, 0); i < r->graph->nnodes; i = set_next(&r->selected, i + 1))
		if (kinds & KIND_BIT(r->graph->nodes[i].kind))
			ids[n++] = r->graph->nodes[i].id;
	rc = r->dbt_runs.begin(r->dbt_runs.self, ids, n, r->lock_fd, &r->ready, err);
	free(ids);
	return rc;
}

/* A hook's entry is shown like a node; its text goes to journal and results file as it is. */
static int
take_hooks(struct run *r, char *const *hooks, size_t n, bool at_start,
    struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		cJSON *entry = cJSON_Parse(hooks[i]);
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "unique_id"));
		const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "status"));
		int status = word ? result_status_find(word) : -1;

		if (rc == 0)
			rc = journal_hook(r->journal, hooks[i], at_start, err);
		results_add_hook(r->results, hooks[i], at_start);
		if (id && status >= 0) {
			const cJSON *time = cJSON_GetObjectItemCaseSensitive(entry, "execution_time");
			const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "message"));

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

/* New array; caller frees. */
static struct schedule_slots *
pool_slots(const struct config *c)
{
	struct schedule_slots *v = xcalloc(c->npools, sizeof(*v));

	for (size_t i = 0; i < c->npools; i++)
		v[i] = (struct schedule_slots){ c->pools[i].name, c->pools[i].slots };
	return v;
}

static bool
wants_json(const struct run *r)
{
	return strcmp(r->args.log_format, "json") == 0;
}

static bool
wants_board(const struct run *r)
{
	return !r->rq->no_board && !r->info->quiet && !wants_json(r) && screen_able(STDOUT_FILENO);
}

static int
run_schedule(struct run *r, const struct runner *runner, const struct observer *observers,
    size_t nobservers, struct err *err)
{
	struct runner wrapped = transient_runner(r->transient, runner);
	struct schedule_options so = {
		.runner = &wrapped,
		.nthreads = r->info->nthreads,
		.fail_fast = r->info->fail_fast,
		.order = r->rq->order,
		.grace_ms = r->rq->grace_ms,
		.stop_at_ms = r->rq->max_time_ms ? clock_wall_ms() + r->rq->max_time_ms -
		    (clock_mono_ms() - r->started_ms) : 0,
		.tick_ms = wants_board(r) ? BOARD_TICK_MS : TICK_MS,
		.seed = (uint64_t)clock_wall_us(),
		.signal_fd = signals_fd(),
		.interactive = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
		.observers = observers,
		.nobservers = nobservers,
	};
	struct schedule_slots *slots;
	int rc;

	so.known = r->known;
	so.slots = slots = pool_slots(&r->policies.config);
	so.nslots = r->policies.config.npools;
	r->schedule = schedule_new(r->plan, &so);
	rc = schedule_run(r->schedule, &r->summary, err);
	free(slots);
	return rc;
}

static int
by_end(const void *a, const void *b)
{
	const struct run_task *x = *(const struct run_task *const *)a;
	const struct run_task *y = *(const struct run_task *const *)b;

	if (x->ended_ms != y->ended_ms)
		return x->ended_ms < y->ended_ms ? -1 : 1;
	return (x->task->index > y->task->index) - (x->task->index < y->task->index);
}

/* on-run-end, which sees every node's result, in the order they ended. */
static int
finish_dbt(struct run *r, struct err *err)
{
	const struct worker_end *end = NULL;
	const struct run_task *tasks, **order;
	struct worker_outcome *outcomes;
	size_t n;
	int rc;

	tasks = schedule_tasks(r->schedule, &n);
	order = xcalloc(n, sizeof(*order));
	outcomes = xcalloc(n, sizeof(*outcomes));
	for (size_t i = 0; i < n; i++)
		order[i] = &tasks[i];
	if (n)
		qsort(order, n, sizeof(*order), by_end);
	for (size_t i = 0; i < n; i++) {
		const struct run_task *t = order[i];
		bool ran = t->state == TASK_DONE;

		outcomes[i] = (struct worker_outcome){
			.id = t->task->node->id,
			.status = ran ? t->status : RESULT_SKIPPED,
			.message = ran ? t->message : t->why,
		};
	}
	rc = r->dbt_runs.finish(r->dbt_runs.self, outcomes, n, r->summary.signo != 0, &end, err);
	if (rc == 0) {
		rc = take_hooks(r, end->hooks, end->nhooks, false, err);
		r->hooks_failed |= end->hooks_failed;
		if (end->failure) {
			progress_log(r->progress, NULL, "error", end->failure);
			r->hooks_failed = true;
		}
	}
	free(order);
	free(outcomes);
	return rc;
}

/* When dbt skips every node it lists the ephemeral ones too (task/runnable.py execute_with_hooks). */
static void
skip_ephemeral(struct run *r)
{
	for (size_t i = set_next(&r->selected, 0); i < r->graph->nnodes; i = set_next(&r->selected, i + 1))
		if (node_is_ephemeral(&r->graph->nodes[i]))
			results_add_skipped(r->results, &r->graph->nodes[i], SKIPPED_BY_HOOK);
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
write_results(struct run *r, struct err *err)
{
	char *metadata = metadata_of_now(r->info->metadata);
	struct results_head head = {
		.metadata = metadata,
		.args = r->info->args,
		.elapsed_s = (double)(clock_mono_ms() - r->started_ms) / 1000,
	};
	char *path;
	int rc;

	if (!r->info->write_json) {
		free(metadata);
		return 0;
	}
	results_skip_rest(r->results, "not started");
	if (r->ready && r->ready->skip_nodes)
		skip_ephemeral(r);
	path = fs_join(r->info->target_path, "run_results.json");
	rc = results_write(r->results, &head, path, err);
	free(path);
	free(metadata);
	return rc;
}

/* The lower bound comes from the seconds this run really took. */
static void
summarize(struct run *r, bool failed)
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
has_failed(const struct run *r)
{
	size_t n;
	const struct run_task *tasks = schedule_tasks(r->schedule, &n);

	for (size_t i = 0; i < n; i++) {
		const struct run_task *t = &tasks[i];
		enum result_status s = t->state == TASK_DONE ? t->status : RESULT_SKIPPED;

		if (!result_status_good(s) &&
		    !(s == RESULT_SKIPPED && t->task->node->kind == KIND_EXPOSURE))
			return true;
	}
	return r->hooks_failed;
}

static void
start_progress(struct run *r)
{
	struct progress_head head = {
		.plan = r->plan,
		.options = {
			.fd = STDOUT_FILENO,
			.format = wants_json(r) ? PROGRESS_JSON : PROGRESS_TEXT,
			.quiet = r->info->quiet,
			.colour = r->info->use_colors && isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
			.board = wants_board(r),
			.root = r->info->project_root,
		},
		.project = r->info->project_name,
		.target = r->info->target_name,
		.adapter = r->info->adapter,
		.dbt_version = r->info->dbt_version,
		.command = plan_command_name(r->command),
		.nthreads = r->info->nthreads,
		.timed = r->timed,
	};

	progress_start(r->progress, &head);
}

/* What each node would be run with, in the order they would start. */
static int
say_dry(void *self, const struct run_event *ev, struct err *err)
{
	(void)self;
	(void)err;
	if (ev->kind == EVENT_TASK && ev->to == TASK_DONE && ev->result && ev->result->message) {
		char *safe = text_safe_line(ev->result->message);

		puts(safe);
		free(safe);
	}
	return 0;
}

static int
run_dry(struct run *r, struct err *err)
{
	const struct runner runner = runner_dry();
	const struct observer observer = { .event = say_dry };

	return run_schedule(r, &runner, &observer, 1, err) < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
}

/* on-run-start failed and the project asks to skip every node then. */
static void
skip_node(void *self, const struct job *job, struct result *result)
{
	(void)self;
	(void)job;
	result->status = RESULT_SKIPPED;
	result->message = xstrdup(SKIPPED_BY_HOOK);
}

static void
cancel_nothing(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

static int
run_empty(struct run *r, struct err *err)
{
	if (r->rq->fail_if_empty) {
		err_set(err, "nothing to do: the selection is empty");
		err_hint(err, "`heddle ls` with the same options shows what is selected");
		return EXIT_BAD_INPUT;
	}
	log_warn("nothing to do: the selection is empty");
	r->results = results_new(r->plan);
	return write_results(r, err) < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
}

static void
say_resumed(struct run *r, const struct journal_run *earlier, const struct resume_counts *c)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "continuing run %s: %zu done before, %zu to run", fs_base(earlier->path), c->kept,
	    c->again);
	/* A run that was cut off has no word of what it had not started yet. */
	if (c->new_tasks && earlier->ended)
		buf_addf(&b, ", %zu of them new in the manifest", c->new_tasks);
	if (c->gone)
		buf_addf(&b, "; %zu of its nodes are no longer selected", c->gone);
	progress_log(r->progress, NULL, "info", b.data);
	buf_release(&b);
}

/* What an earlier run has done counts as done. */
static int
resume_earlier(struct run *r, struct err *err)
{
	char *dir = record_dir(r->info->target_path), *settings = record_settings(r->rq, r->info);
	const struct journal_run *earlier = r->rq->earlier;
	struct resume_counts counts;
	int rc = 0;

	if (!earlier && r->rq->resume) {
		rc = record_find_unfinished(&r->found, dir, settings, err);
		earlier = rc > 0 ? &r->found : NULL;
	}
	if (rc >= 0 && earlier)
		rc = record_check_target(earlier->settings, r->info, err);
	if (rc >= 0 && earlier) {
		r->resumes = earlier->run_id;
		r->known = resume_known(r->plan, earlier, r->info->adapter, &counts);
		r->nagain = counts.again + counts.unknown;
		say_resumed(r, earlier, &counts);
	}
	free(dir);
	free(settings);
	return rc < 0 ? -1 : 0;
}

/* As dbt retry: a run that ended well has nothing to continue, and its results stay. */
static int
run_nothing_left(struct run *r)
{
	progress_log(r->progress, NULL, "info", "nothing to do: every node of that run has succeeded");
	return EXIT_GOOD;
}

/* On disk before anything starts. */
static int
open_journal(struct run *r, struct err *err)
{
	char *dir = record_dir(r->info->target_path), *settings = record_settings(r->rq, r->info);

	r->journal = journal_new(dir, r->info->invocation_id, settings, err);
	free(dir);
	free(settings);
	return r->journal ? 0 : -1;
}

/* Between worker_begin() and the results file nothing returns early: what ran must be written. */
static int
run_nodes(struct run *r, struct err *err)
{
	struct runner runner = { .run = skip_node, .cancel = cancel_nothing };
	struct observer observers[4];
	struct err late = ERR_INIT;
	bool failed;
	int rc, code;

	if (resume_earlier(r, err) < 0)
		return EXIT_BAD_INPUT;
	if (r->known && r->nagain == 0)
		return run_nothing_left(r);
	if (open_journal(r, err) < 0 || begin(r, err) < 0)
		return EXIT_BAD_INPUT;
	r->results = results_new(r->plan);
	start_progress(r);
	run_history_begin(r->history, r->info, &r->args, r->plan, r->began_ms, r->resumes);
	r->hooks_failed = r->ready->hooks_failed;   /* dbt 1.8 has no entry for it */
	if (take_hooks(r, r->ready->hooks, r->ready->nhooks, true, err) < 0) {
		run_history_end(r->history, r->plan, EXIT_BAD_INPUT, &r->summary);
		return EXIT_BAD_INPUT;
	}
	if (!r->ready->skip_nodes)
		runner = r->dbt_runs.runner(r->dbt_runs.self);
	observers[0] = journal_observer(r->journal);   /* first: what is acted on is on record */
	observers[1] = results_observer(r->results);
	observers[2] = progress_observer(r->progress);
	observers[3] = history_observer(r->history);
	rc = run_schedule(r, &runner, observers, 4, err);
	if (finish_dbt(r, rc < 0 ? &late : err) < 0)
		rc = -1;
	if (write_results(r, rc < 0 ? &late : err) < 0)
		rc = -1;
	if (late.msg)
		log_err(&late);
	failed = has_failed(r);
	summarize(r, failed);
	code = r->summary.signo ? 128 + r->summary.signo : rc < 0 ? EXIT_BAD_INPUT :
	    failed ? EXIT_NODE_FAILED : EXIT_GOOD;
	run_history_end(r->history, r->plan, code, &r->summary);
	if (journal_end(r->journal, code, &late) < 0)
		log_err(&late);
	err_release(&late);
	return code;
}

static int
run_steps(struct run *r, struct err *err)
{
	if (signals_open(err) < 0 || read_config(r, err) < 0 || start_dbt(r, err) < 0)
		return EXIT_BAD_INPUT;
	r->lock_fd = lock_take(r->info->target_path, plan_command_name(r->command), 0, err);
	if (r->lock_fd < 0 || load_graph(r, err) < 0 || make_plan(r, err) < 0)
		return EXIT_BAD_INPUT;
	if (r->plan->ntasks == 0)
		return run_empty(r, err);
	if (r->rq->dry_run)
		return run_dry(r, err);
	return run_nodes(r, err);
}

/* A signal while dbt was still parsing: there is nothing to write, only an exit code to give. */
static int
exit_code(const struct run *r, int code, struct err *err)
{
	int signo;

	if (!r->dbt_runs.self || !r->dbt_runs.interrupted(r->dbt_runs.self) || !(signo = signals_next()))
		return code;
	err_release(err);
	return 128 + signo;
}

int
run_project(const struct run_request *rq, struct err *err)
{
	struct progress_options early = { .fd = STDOUT_FILENO };
	struct run r = {
		.rq = rq,
		.command = rq->command,
		.started_ms = clock_mono_ms(),
		.began_ms = clock_wall_ms(),
		.lock_fd = -1,
	};
	int code;

	for (size_t i = 0; i < rq->dbt.n; i++)
		words_add(&r.dbt, rq->dbt.v[i]);
	words_add(&r.dbt, NULL);
	r.progress = progress_new(&early);
	code = exit_code(&r, run_steps(&r, err), err);
	backend_release(&r.dbt_runs);
	schedule_free(r.schedule);
	journal_free(r.journal);
	journal_run_release(&r.found);
	free(r.known);
	results_free(r.results);
	history_close(r.history);
	progress_free(r.progress);
	plan_free(r.plan);
	set_release(&r.selected);
	graph_free(r.graph);
	run_args_release(&r.args);
	transient_free(r.transient);
	policies_release(&r.policies);
	project_release(&r.project);
	lock_release(r.lock_fd);
	signals_close();
	words_release(&r.dbt);
	return code;
}
