/* run_setup.c -- from the command line to a plan: heddle.yml, dbt, the manifest it parsed, the
 * selection, the policies, and what an earlier run has done of it already. */
#include "cli/run_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dbt_opts.h"
#include "cli/changes.h"
#include "cli/record.h"
#include "cli/run_history.h"
#include "cli/selection.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/xalloc.h"

/* dbt knows --threads and its profile; the environment and heddle.yml are between the two. */
static void
choose_threads(struct run *r)
{
	const char *env = project_env(NULL, "THREADS");

	if (dbt_opt_value((char **)(uintptr_t)r->dbt.v, (int)r->dbt.n - 1, "threads"))
		return;
	if (env)
		snprintf(r->threads, sizeof(r->threads), "%.15s", env);
	else if (r->policies.config.threads)
		snprintf(r->threads, sizeof(r->threads), "%u", r->policies.config.threads);
	else
		return;
	r->dbt.v[r->dbt.n - 1] = "--threads";
	words_add(&r->dbt, r->threads);
	words_add(&r->dbt, NULL);
}

int
run_read_config(struct run *r, struct err *err)
{
	char **argv = (char **)(uintptr_t)r->dbt.v;
	const struct project_given given = {
		.project_dir = dbt_opt_value(argv, (int)r->dbt.n - 1, "project-dir"),
	};

	project_find(&r->project, &given);
	if (policies_load(&r->policies, r->project.dir, err) < 0)
		return -1;
	r->transient = transient_new(r->policies.config.transient, r->policies.config.ntransient);
	choose_threads(r);
	return 0;
}

/* A command on the command line asks for the runner that runs commands. */
static const char *
runner_name(const struct run *r)
{
	if (r->rq->runner || r->rq->template)
		return r->rq->runner ? r->rq->runner : "shell";
	return r->policies.config.runner ? r->policies.config.runner : "worker";
}

int
run_start_dbt(struct run *r, struct err *err)
{
	const struct backend_request rq = {
		.verb = plan_command_name(r->command),
		.argv = r->dbt.v,
		.project_dir = r->project.dir,
		.python = r->rq->python,
		.grace_ms = r->rq->grace_ms,
		.progress = r->progress,
		.command = r->rq->template ? r->rq->template : r->policies.config.command,
		.manifest = r->rq->manifest,
		.no_start_hooks = r->rq->hooks == HOOKS_NONE || r->rq->hooks == HOOKS_END,
		.no_end_hooks = r->rq->hooks == HOOKS_NONE || r->rq->hooks == HOOKS_START,
	};
	const char *name = runner_name(r);

	if (r->rq->hooks != HOOKS_ALL && strcmp(name, "worker") != 0) {
		err_set(err, "runner %s: only the worker runs nodes without hooks, or hooks "
		    "without nodes", name);
		return err_hint(err, "say --runner worker");
	}
	if (run_checks_sources(r) && strcmp(name, "shell") == 0) {
		err_set(err,
		    "runner shell: a command's exit code does not tell how old a source is");
		return err_hint(err, "say --runner worker, or --runner cli");
	}
	if (backend_start(&r->dbt_runs, name, &rq, err) < 0)
		return -1;
	return r->dbt_runs.parsed(r->dbt_runs.self, &r->info, &r->args, err);
}

/* The manifest dbt parsed in this invocation, and what the resolved arguments select in it. */
int
run_load_graph(struct run *r, struct err *err)
{
	unsigned kinds = plan_command_kinds(r->command), fields = r->policies.fields;
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
		.as_written = r->args.as_written,
		.warnings = r->args.warnings,
		.target = r->info->target_path,
		.kinds = kinds,
		.all_kinds = kinds,
	};
	int rc;

	r->graph = graph_new();
	if (r->earlier) {
		char *before = record_manifest_dir(r->earlier->path);

		fields |= changes_fields(before);
		free(before);
	}
	rc = selection_resolve(&rq, r->info->manifest_path, fields, r->graph, &r->selected, err);
	free(selectors);
	return rc;
}

/* What the command line says about every task. */
static struct policy_patch
flags_patch(const struct run_request *o)
{
	struct policy_patch p = { 0 };

	if (o->retries != OPT_NOT_GIVEN) {
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

int
run_make_plan(struct run *r, struct err *err)
{
	const struct policy_patch flags = flags_patch(r->rq);
	char *past;

	r->plan = r->rq->freshness ? run_plan_with_sources(r, err) :
	    plan_new(r->graph, &r->selected, r->command, err);
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
int
run_begin(struct run *r, struct err *err)
{
	unsigned kinds = plan_command_kinds(r->command);
	const char **ids = xcalloc(r->graph->nnodes, sizeof(*ids));
	size_t n = 0;
	int rc;

	run_tell_past(r);
	for (size_t i = set_next(&r->selected, 0); i < r->graph->nnodes; i =
	    set_next(&r->selected, i + 1))
		if (kinds & KIND_BIT(r->graph->nodes[i].kind))
			ids[n++] = r->graph->nodes[i].id;
	rc = r->dbt_runs.begin(r->dbt_runs.self, ids, n, r->lock_fd, &r->ready, err);
	free(ids);
	return rc;
}
