/* cmd_table.c -- the commands, in the order of help. */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "cli/opts.h"

static const struct command *const commands[] = {
	&cmd_build,
	&cmd_run,
	&cmd_test,
	&cmd_seed,
	&cmd_snapshot,
	&cmd_freshness,
	&cmd_on_run_start,
	&cmd_on_run_end,
	&cmd_retry,
	&cmd_ls, &cmd_list,
	&cmd_plan,
	&cmd_diff,
	&cmd_export,
	&cmd_lint,
	&cmd_history,
	&cmd_report,
	&cmd_config,
	&cmd_explain_error,
	&cmd_doctor,
	&cmd_help,
};

const struct command *const *
command_all(size_t *n)
{
	*n = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int
command_help(const struct command *c, const struct opt_group *groups)
{
	printf("heddle %s: %s\n\nusage: heddle %s %s\n", c->name, c->summary, c->name, c->usage);
	if (c->examples)
		printf("\nexamples:\n%s", c->examples);
	for (; groups && groups->title; groups++)
		opts_print(groups->table, groups->title);
	return EXIT_GOOD;
}
