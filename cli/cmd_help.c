/* cmd_help.c -- `heddle help [COMMAND]`, and what `heddle --help` prints. */
#include <stdio.h>

#include "cli/cmd.h"

static int
print_all(void)
{
	size_t n;
	const struct command *const *all = command_all(&n);

	puts("heddle runs a dbt project with one task per node: retries, resume, real priorities.\n"
	    "\n"
	    "usage: heddle COMMAND [options]\n"
	    "\n"
	    "commands:");
	for (size_t i = 0; i < n; i++)
		printf("  %-13s  %s\n", all[i]->name, all[i]->summary);
	puts("\n"
	    "dbt's options go before or after the command. Commands of dbt that are not listed "
	    "here\n"
	    "(deps, compile, docs, ...) are handed to dbt unchanged.\n"
	    "\n"
	    "heddle COMMAND --help tells more; heddle --version tells the version.");
	return EXIT_GOOD;
}

static int
help_run(int argc, char **argv, struct err *err)
{
	char *args[] = { argv[0], (char[]){ "--help" }, NULL };
	const struct command *c;

	if (argc < 2 || argv[1][0] == '-')
		return print_all();
	c = command_find(argv[1]);
	if (!c) {
		err_set(err, "no help on '%s'", argv[1]);
		err_hint(err, "`heddle help` lists the commands");
		return EXIT_BAD_INPUT;
	}
	args[0] = argv[1];
	return c->run(2, args, err);
}

const struct command cmd_help = {
	.name = "help",
	.summary = "what the commands do",
	.usage = "[COMMAND]",
	.run = help_run,
};
