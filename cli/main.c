/* main.c -- finds the command, runs it, prints its error. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

/* dbt's own command: nothing of ours stays. Comes back only when dbt cannot be started. */
static int
hand_to_dbt(char **argv, struct err *err)
{
	argv[0] = (char *)(uintptr_t)"dbt";
	execvp("dbt", argv);
	err_sys(err, "cannot start dbt");
	err_hint(err, "is dbt on PATH? `heddle doctor` looks for it");
	return EXIT_BAD_INPUT;
}

static int
unknown_command(const char *name, struct err *err)
{
	size_t n;
	const struct command *const *all = command_all(&n);
	const char **names = xcalloc(n, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < n; i++)
		names[i] = all[i]->name;
	near = text_closest(name, names, n);
	err_set(err, "unknown command '%s'", name);
	if (near)
		err_hint(err, "did you mean `heddle %s`?", near);
	else
		err_hint(err, "`heddle --help` lists the commands");
	free(names);
	return EXIT_BAD_INPUT;
}

/* Of the n words that the option at argv[at] would take, those before the command: `--select` takes
 * all that follow, but at least one (which may stand behind '='). */
static int
words_before_command(char **argv, int at, int n)
{
	for (int i = strchr(argv[at], '=') ? 1 : 2; i < n; i++)
		if (command_find(argv[at + i]) || dbt_has_command(argv[at + i]))
			return i;
	return n;
}

/* Position of the command word in argv: after any of dbt's options. 0 = none. */
static int
find_command(int argc, char **argv, struct err *err)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		int n = dbt_opt_take(argv, i, argc);

		if (n == 0) {
			err_set(err, "unknown option '%s' before a command", argv[i]);
			err_hint(err,
			    "heddle's own options go after the command: heddle build %s", argv[i]);
			return -1;
		}
		i += words_before_command(argv, i, n);
	}
	return i < argc ? i : 0;
}

static bool
is_one_of(const char *s, const char *a, const char *b)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

/* dbt's name of the command freshness is two words, with options before and between them. Position
 * of the second, or 0. */
static int
find_freshness(int argc, char **argv, int at)
{
	int i = at + 1;

	if (strcmp(argv[at], "source") != 0)
		return 0;
	while (i < argc && argv[i][0] == '-') {
		int n = dbt_opt_take(argv, i, argc);

		if (n == 0)
			return 0;
		i += words_before_command(argv, i, n);
	}
	return i < argc && is_one_of(argv[i], "freshness", "snapshot-freshness") ? i : 0;
}

/* Runs argv[at] with the options that stood before it moved behind it. */
static int
run_command(int argc, char **argv, int at, struct err *err)
{
	int second = find_freshness(argc, argv, at), n = 1;
	const struct command *c = second ? &cmd_freshness : command_find(argv[at]);
	char **args;
	int code;

	if (!c && dbt_has_command(argv[at]))
		return hand_to_dbt(argv, err);
	if (!c)
		return unknown_command(argv[at], err);
	args = xcalloc((size_t)argc + 1, sizeof(*args));
	args[0] = (char *)(uintptr_t)c->name;
	for (int i = 1; i < argc; i++)
		if (i != at && i != second)
			args[n++] = argv[i];
	code = c->run(n, args, err);
	free(args);
	return code;
}

static bool
asks_for_version(const char *arg)
{
	return is_one_of(arg, "--version", "-V") || strcmp(arg, "-v") == 0;
}

static int
dispatch(int argc, char **argv, struct err *err)
{
	int at;

	if (argc < 2) {
		cmd_help.run(1, argv, err);
		return EXIT_BAD_INPUT;
	}
	if (is_one_of(argv[1], "--help", "-h"))
		return cmd_help.run(1, argv, err);
	if (asks_for_version(argv[1]) || (argc == 3 && command_find(argv[1]) &&
	    asks_for_version(argv[2]))) {
		puts("heddle " HEDDLE_VERSION);
		return EXIT_GOOD;
	}
	at = find_command(argc, argv, err);
	if (at < 0)
		return EXIT_BAD_INPUT;
	if (at == 0) {
		err_set(err, "no command given");
		err_hint(err, "`heddle --help` lists the commands");
		return EXIT_BAD_INPUT;
	}
	return run_command(argc, argv, at, err);
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int code;

	secrets_init();
	code = dispatch(argc, argv, &err);
	/* What was promised on standard output must have got there. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && !err.msg) {
		err_set(&err, "standard output: cannot write");
		code = EXIT_BAD_INPUT;
	}
	if (err.msg)
		log_err(&err);
	err_release(&err);
	secrets_release();
	return code;
}
