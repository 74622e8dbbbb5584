/* cmd_run.c -- build, run, test, seed, snapshot, freshness: their options; cli/run.c does the
 * work. */
#include <string.h>

#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "cli/dbt_words.h"
#include "cli/run.h"

static int
read_order(const char *word, enum schedule_order *order, struct err *err)
{
	if (strcmp(word, "path") != 0 && strcmp(word, "fifo") != 0)
		return err_set(err, "--order: expected path or fifo, found '%s'", word);
	*order = strcmp(word, "fifo") == 0 ? ORDER_FIFO : ORDER_PATH;
	return 0;
}

static int
read_stale(const char *word, struct run_request *rq, struct err *err)
{
	int rule = word ? stale_rule_find(word) : STALE_NEVER;

	if (rule < 0)
		return err_set(err, "--skip-stale: expected any, all or none, found '%s'", word);
	rq->skip_stale = (enum stale_rule)rule;
	if (rule != STALE_NEVER)
		rq->freshness = true;
	return 0;
}

static enum plan_command
plan_command_of(const char *name)
{
	int c = 0;

	while (c + 1 < NPLAN_COMMANDS && strcmp(plan_command_name((enum plan_command)c), name) != 0)
		c++;
	return (enum plan_command)c;
}

/* dbt's command line without its options. */
static void
add_dbt_command(struct run_request *rq)
{
	if (rq->command == PLAN_FRESHNESS)
		words_add(&rq->dbt, "source");
	words_add(&rq->dbt, plan_command_name(rq->command));
}

/* One function for all six: argv[0] tells which. */
static int
run_main(int argc, char **argv, struct err *err)
{
	struct run_request rq = RUN_REQUEST_INIT;
	const char *order = "path", *skip_stale = NULL;
	bool help = false, no_hooks = false;
	const struct opt own[] = {
		{ 0, "retries", "N", OPT_UINT, &rq.retries,
		  "further tries of a node after a transient error (2)" },
		{ 0, "retry-delay", "TIME", OPT_DURATION, &rq.retry_delay_ms,
		  "wait before the second try, doubled for each further one (5s)" },
		{ 0, "rerun-unknown", NULL, OPT_FLAG, &rq.rerun_unknown,
		  "retry appending nodes even when their commit may have happened" },
		{ 0, "timeout", "TIME", OPT_DURATION, &rq.timeout_ms,
		  "cancel a node's attempt after this long (none)" },
		{ 0, "max-time", "TIME", OPT_DURATION, &rq.max_time_ms, "start nothing after this "
		    "long (none)" },
		{ 0, "deadline", "HH:MM", OPT_CLOCK, &rq.deadline_ms,
		  "start nothing past this local time; already past means tomorrow (none)" },
		{ 0, "grace", "TIME", OPT_DURATION, &rq.grace_ms, "time for cancelled nodes to end "
		    "(5s)" },
		{ 0, "order", "path|fifo", OPT_TEXT, &order,
		  "longest remaining path first, or first come first served (path)" },
		{ 0, "resume", NULL, OPT_FLAG, &rq.resume,
		  "continue the unfinished run of the same settings, if there is one" },
		{ 0, "rebuild-tested", NULL, OPT_FLAG, &rq.rebuild_tested,
		  "with --resume: what a failed test reads runs again first" },
		{ 0, "no-hooks", NULL, OPT_FLAG, &no_hooks,
		  "leave out on-run-start and on-run-end: heddle on-run-start, on-run-end run them "
		    "alone" },
		{ 0, "state-dir", "DIR", OPT_TEXT, &rq.state_dir,
		  "where the records of runs are kept (TARGET/heddle/runs)" },
		{ 0, "dry-run", NULL, OPT_FLAG, &rq.dry_run, "say what would run, in order; run "
		    "nothing" },
		{ 0, "fail-if-empty", NULL, OPT_FLAG, &rq.fail_if_empty, "exit 2 when nothing is "
		    "selected" },
		{ 0, "history", "FILE", OPT_TEXT, &rq.history,
		  "record of past runs; empty: keep none (the project's, in "
		    "~/.local/state/heddle)" },
		{ 0, "events", "FD|FILE", OPT_TEXT, &rq.events,
		  "what happens as JSON lines, for another program (docs/events.md)" },
		{ 0, "no-board", NULL, OPT_FLAG, &rq.no_board, "a line a node, on a terminal too" },
		{ 0, "runner", "NAME", OPT_TEXT, &rq.runner,
		  "worker: one warm dbt for all nodes; cli: one dbt command a node; shell: "
		    "--command (worker)" },
		{ 0, "command", "TEMPLATE", OPT_TEXT, &rq.template,
		  "what runs a node, with {unique_id} {fqn} {name} {resource_type} {verb} "
		    "{select}" },
		{ 0, "manifest", "FILE", OPT_TEXT, &rq.manifest, "for --runner shell "
		    "(target/manifest.json)" },
		{ 0, "python", "FILE", OPT_TEXT, &rq.python, "interpreter that has dbt" },
		{ 'h', "help", NULL, OPT_FLAG, &help, "this text" },
		{ 0 }
	};
	const struct opt of_sources[] = {
		{ 0, "freshness", NULL, OPT_FLAG, &rq.freshness,
		  "check the sources that the selection comes from, each before what reads it" },
		{ 0, "skip-stale", "any|all", OPT_TEXT, &skip_stale,
		  "and skip what comes from any stale source, or from stale sources alone (none)" },
		{ 0 }
	};
	bool all_sources = strcmp(argv[0], plan_command_name(PLAN_FRESHNESS)) == 0;
	const struct opt *const tables[] = { own, all_sources ? NULL : of_sources, NULL };
	const struct opt_group groups[] = {
		{ "options, beside all of dbt's own", own },
		{ all_sources ? NULL : "freshness of sources", of_sources }, { 0 }
	};
	const struct opt_unknown unknown = { &rq.dbt, dbt_words_take, dbt_opt_names };
	int code = EXIT_BAD_INPUT;

	rq.command = plan_command_of(argv[0]);
	add_dbt_command(&rq);
	/* Stray words go to dbt too: it knows what it thinks of them. */
	if (opts_parse(argc, argv, tables, &rq.dbt, &unknown, err) == 0 &&
	    read_order(order, &rq.order, err) == 0 && read_stale(skip_stale, &rq, err) == 0) {
		rq.hooks = no_hooks ? HOOKS_NONE : HOOKS_ALL;
		code = help ? command_help(command_find(argv[0]), groups) : run_project(&rq, err);
	}
	words_release(&rq.dbt);
	return code;
}

const struct command cmd_build = {
	.name = "build",
	.summary = "seeds, models, snapshots and tests, in order",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle build\n"
	    "  heddle build --select state:modified+ --state prod --defer\n"
	    "  heddle build --threads 8 --retries 4 --retry-delay 10s --timeout 30m\n"
	    "  heddle build --freshness --skip-stale any\n"
	    "  heddle build --command 'docker run --rm shop dbt {verb} --select {select}'\n",
	.run = run_main,
};

const struct command cmd_run = {
	.name = "run",
	.summary = "models only",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle run --select +orders\n"
	    "  heddle run --full-refresh --select tag:nightly\n",
	.run = run_main,
};

const struct command cmd_test = {
	.name = "test",
	.summary = "data tests and unit tests only",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle test --select orders\n"
	    "  heddle test --select test_type:unit\n",
	.run = run_main,
};

const struct command cmd_seed = {
	.name = "seed",
	.summary = "seeds only",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle seed --full-refresh\n",
	.run = run_main,
};

const struct command cmd_snapshot = {
	.name = "snapshot",
	.summary = "snapshots only",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle snapshot --select snap_orders\n",
	.run = run_main,
};

const struct command cmd_freshness = {
	.name = "freshness",
	.summary = "source freshness, in parallel; writes sources.json",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle freshness\n"
	    "  heddle source freshness --select source:shop --retries 4\n"
	    "  heddle freshness && heddle build --select source_status:fresher+ --state prod\n",
	.run = run_main,
};
