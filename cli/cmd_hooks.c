/* cmd_hooks.c -- on-run-start, on-run-end: a project's hooks without its nodes, as `dbt build` of
 * the selection would run them; cli/run_hooks.c does the work. */
#include "cli/cmd.h"

#include <string.h>

#include "cli/dbt_opts.h"
#include "cli/dbt_words.h"
#include "cli/run.h"

static int
hooks_main(int argc, char **argv, struct err *err)
{
	struct run_request rq = RUN_REQUEST_INIT;
	bool help = false;
	const struct opt own[] = {
		{ 0, "state-dir", "DIR", OPT_TEXT, &rq.state_dir,
		  "where the records of runs are kept (TARGET/heddle/runs)" },
		{ 0, "python", "FILE", OPT_TEXT, &rq.python, "interpreter that has dbt" },
		{ 'h', "help", NULL, OPT_FLAG, &help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, NULL };
	const struct opt_group groups[] = { { "options, beside all of dbt's own", own }, { 0 } };
	const struct opt_unknown unknown = { &rq.dbt, dbt_words_take, dbt_opt_names };
	int code = EXIT_BAD_INPUT;

	rq.command = PLAN_BUILD;
	rq.hooks = strcmp(argv[0], run_hooks_name(HOOKS_START)) == 0 ? HOOKS_START : HOOKS_END;
	words_add(&rq.dbt, plan_command_name(rq.command));
	if (opts_parse(argc, argv, tables, &rq.dbt, &unknown, err) == 0)
		code = help ? command_help(command_find(argv[0]), groups) : run_project(&rq, err);
	words_release(&rq.dbt);
	return code;
}

const struct command cmd_on_run_start = {
	.name = "on-run-start",
	.summary = "the project's on-run-start hooks and nothing else",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle on-run-start --select +orders    # makes the schemas of these nodes, "
	    "too\n"
	    "  heddle build --no-hooks --select +orders\n"
	    "  heddle on-run-end --select +orders\n",
	.run = hooks_main,
};

const struct command cmd_on_run_end = {
	.name = "on-run-end",
	.summary = "the on-run-end hooks, with the results since on-run-start",
	.usage = ANY_DBT_OPTION,
	.examples = "  heddle on-run-end\n",
	.run = hooks_main,
};
