/* cmd_run.c -- build, run, test, seed, snapshot, freshness: their options; cli/run.c does the
 * work. */
#include <string.h>

#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "cli/dbt_words.h"
#include "cli/run.h"

static struct run_request rq = RUN_REQUEST_INIT;
static struct {
	const char *order, *skip_stale;
	bool no_hooks, help;
} o = { .order = "path" };

static const struct opt own_opts[] = {
	{ 0, "retries", "N", OPT_UINT, &rq.retries,
	  "further tries of a node after a transient error (2)" },
	{ 0, "retry-delay", "TIME", OPT_DURATION, &rq.retry_delay_ms,
	  "wait before the second try, doubled for each further one (5s)" },
	{ 0, "rerun-unknown", NULL, OPT_FLAG, &rq.rerun_unknown,
	  "retry appending nodes even when their commit may have happened" },
	{ 0, "timeout", "TIME", OPT_DURATION, &rq.timeout_ms,
	  "cancel a node's attempt after this long (none)" },
	{ 0, "max-time", "TIME", OPT_DURATION, &rq.max_time_ms,
	  "start nothing after this long (none)" },
	{ 0, "deadline", "HH:MM", OPT_CLOCK, &rq.deadline_ms,
	  "start nothing past this local time; already past means tomorrow (none)" },
	{ 0, "grace", "TIME", OPT_DURATION, &rq.grace_ms,
	  "time for cancelled nodes to end (5s)" },
	{ 0, "order", "path|fifo", OPT_TEXT, &o.order,
	  "longest remaining path first, or first come first served (path)" },
	{ 0, "resume", NULL, OPT_FLAG, &rq.resume,
	  "continue the unfinished run of the same settings, if there is one" },
	{ 0, "rebuild-tested", NULL, OPT_FLAG, &rq.rebuild_tested,
	  "with --resume: what a failed test reads runs again first" },
	{ 0, "no-hooks", NULL, OPT_FLAG, &o.no_hooks,
	  "leave out on-run-start and on-run-end: heddle on-run-start, on-run-end run them "
	    "alone" },
	{ 0, "state-dir", "DIR", OPT_TEXT, &rq.state_dir,
	  "where the records of runs are kept (TARGET/heddle/runs)" },
	{ 0, "dry-run", NULL, OPT_FLAG, &rq.dry_run,
	  "say what would run, in order; run nothing" },
	{ 0, "fail-if-empty", NULL, OPT_FLAG, &rq.fail_if_empty,
	  "exit 2 when nothing is selected" },
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
	{ 0, "manifest", "FILE", OPT_TEXT, &rq.manifest,
	  "for --runner shell (target/manifest.json)" },
	{ 0, "python", "FILE", OPT_TEXT, &rq.python, "interpreter that has dbt" },
	{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
	{ 0 }
};

static const struct opt freshness_opts[] = {
	{ 0, "freshness", NULL, OPT_FLAG, &rq.freshness,
	  "check the sources that the selection comes from, each before what reads it" },
	{ 0, "skip-stale", "any|all", OPT_TEXT, &o.skip_stale,
	  "and skip what comes from any stale source, or from stale sources alone (none)" },
	{ 0 }
};

static int
read_order(struct err *err)
{
	if (strcmp(o.order, "path") != 0 && strcmp(o.order, "fifo") != 0)
		return err_set(err, "--order: expected path or fifo, found '%s'", o.order);
	rq.order = strcmp(o.order, "fifo") == 0 ? ORDER_FIFO : ORDER_PATH;
	return 0;
}

static int
read_stale(struct err *err)
{
	int rule = o.skip_stale ? stale_rule_find(o.skip_stale) : STALE_NEVER;

	if (rule < 0)
		return err_set(err, "--skip-stale: expected any, all or none, found '%s'",
		    o.skip_stale);
	rq.skip_stale = (enum stale_rule)rule;
	if (rule != STALE_NEVER)
		rq.freshness = true;
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

/* One function for all six: argv[0] tells which. */
static int
run_main(int argc, char **argv, struct err *err)
{
	const struct opt_unknown unknown = { &rq.dbt, dbt_words_take, dbt_opt_names };
	const struct opt *tables[] = { own_opts, freshness_opts, NULL };
	struct opt_group groups[] = {
		{ "options, beside all of dbt's own", own_opts },
		{ "freshness of sources", freshness_opts }, { 0 }
	};
	int code = EXIT_BAD_INPUT;

	rq.command = plan_command_of(argv[0]);
	if (rq.command == PLAN_FRESHNESS) {
		tables[1] = NULL;
		groups[1] = groups[2];
		words_add(&rq.dbt, "source");
	}
	words_add(&rq.dbt, argv[0]);
	/* Stray words go to dbt too: it knows what it thinks of them. */
	if (opts_parse(argc, argv, tables, &rq.dbt, &unknown, err) == 0 && read_order(err) == 0 &&
	    read_stale(err) == 0) {
		rq.hooks = o.no_hooks ? HOOKS_NONE : HOOKS_ALL;
		code = o.help ? command_help(command_find(argv[0]), groups) :
			run_project(&rq, err);
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
