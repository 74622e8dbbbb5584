/* run.c -- one invocation from its start to its exit code: read run_steps() first, then run_setup.c
 * (how it comes to a plan), run_resume.c (what an earlier run did of it), run_nodes.c (how it is
 * carried out; hooks alone: run_hooks.c) and run_outcome.c (what is said and kept of it). */
#include "cli/run_inside.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "executor/lock.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/signals.h"
#include "util/text.h"

static int
run_empty(struct run *r, struct err *err)
{
	if (r->rq->fail_if_empty) {
		err_set(err, "nothing to do: the selection is empty");
		err_hint(err, "`heddle ls` with the same options shows what is selected");
		return EXIT_BAD_INPUT;
	}
	if (warn_rules_tell(&r->args.warnings, EMPTY_RUN, false, err,
	    "nothing to do: the selection is empty") < 0)
		return EXIT_BAD_INPUT;
	r->results = results_new(r->plan);
	r->sources = sources_new(r->plan);
	return run_write_results(r, err) < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
}

static void
say_lock(void *self, const char *level, const char *text)
{
	progress_log(self, NULL, level, text);
}

/* Also waits for what a killed run left behind. */
static int
take_lock(struct run *r, struct err *err)
{
	const struct lock_request rq = {
		.target_dir = r->info->target_path,
		.command = plan_command_name(r->command),
		.signal_fd = signals_fd(),
		.self = r->progress,
		.say = say_lock,
	};

	r->lock_fd = lock_take(&rq, err);
	return r->lock_fd < 0 ? -1 : 0;
}

static int
run_steps(struct run *r, struct err *err)
{
	if (r->rq->events && !(r->events = events_open(r->rq->events, err)))
		return EXIT_BAD_INPUT;
	progress_also(r->progress, r->events);
	if (signals_open(err) < 0 || run_read_config(r, err) < 0 || run_start_dbt(r, err) < 0)
		return EXIT_BAD_INPUT;
	if (take_lock(r, err) < 0 || run_find_earlier(r, err) < 0 || run_load_graph(r, err) < 0 ||
	    run_make_plan(r, err) < 0)
		return EXIT_BAD_INPUT;
	if (r->plan->ntasks == 0)
		return run_empty(r, err);
	if (run_only_hooks(r))
		return run_hooks_alone(r, err);
	if (run_resume_earlier(r, err) < 0)
		return EXIT_BAD_INPUT;
	if (r->rq->dry_run)
		return run_dry(r, err);
	return run_nodes(r, err);
}

/* A signal while dbt was still parsing, or we were waiting: there is nothing to write, only an exit
 * code to give. */
static int
exit_code(int code, struct err *err)
{
	int signo;

	if (code != EXIT_BAD_INPUT || !(signo = signals_next()))
		return code;
	err_release(err);
	return 128 + signo;
}

/* Last of all, when the worker has ended and everybody was told: a run that is killed before is not
 * over, so that --resume goes on with it, and does not start the same work anew. */
static void
end_journal(struct run *r, int code)
{
	struct err late = ERR_INIT;

	if (r->written && journal_end(r->journal, code, &late) < 0)
		log_err(&late);
	err_release(&late);
	journal_free(r->journal);
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
	code = exit_code(run_steps(&r, err), err);
	if (!run_only_hooks(&r))
		run_notify(&r, code, err);
	backend_release(&r.dbt_runs);
	schedule_free(r.schedule);
	journal_run_release(&r.found);
	free(r.known);
	free(r.record_dir);
	text_free_list(r.dead_runs);
	results_free(r.results);
	sources_free(r.sources);
	stale_free(r.stale);
	history_close(r.history);
	progress_free(r.progress);
	events_free(r.events);
	plan_free(r.plan);
	set_release(&r.selected);
	graph_free(r.graph);
	run_args_release(&r.args);
	transient_free(r.transient);
	policies_release(&r.policies);
	project_release(&r.project);
	end_journal(&r, code);
	lock_release(r.lock_fd);
	signals_close();
	words_release(&r.dbt);
	return code;
}
