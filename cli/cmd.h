/* cli/cmd.h -- a command is one cmd_*.c file and one row in cmd_table.c. */
#ifndef HEDDLE_CLI_CMD_H
#define HEDDLE_CLI_CMD_H

#include <stddef.h>

#include "cli/opts.h"
#include "util/err.h"

/* Exit codes of the whole program; 128 + n after signal n. */
enum { EXIT_GOOD = 0, EXIT_NODE_FAILED = 1, EXIT_BAD_INPUT = 2 };

struct command {
	const char *name;
	const char *summary;    /* one line of `heddle --help`, no full stop */
	const char *usage;      /* after "heddle NAME " */
	const char *examples;   /* lines for --help */
	/* argv[0] is the command's name. Returns the exit code; with err filled main prints it. */
	int (*run)(int argc, char **argv, struct err *err);
};

extern const struct command cmd_build;
extern const struct command cmd_config;
extern const struct command cmd_diff;
extern const struct command cmd_doctor;
extern const struct command cmd_explain_error;
extern const struct command cmd_export;
extern const struct command cmd_freshness;
extern const struct command cmd_help;
extern const struct command cmd_history;
extern const struct command cmd_lint;
extern const struct command cmd_list;
extern const struct command cmd_ls;
extern const struct command cmd_on_run_end;
extern const struct command cmd_on_run_start;
extern const struct command cmd_plan;
extern const struct command cmd_report;
extern const struct command cmd_retry;
extern const struct command cmd_run;
extern const struct command cmd_seed;
extern const struct command cmd_snapshot;
extern const struct command cmd_test;

const struct command *command_find(const char *name);      /* NULL when unknown */
const struct command *const *command_all(size_t *n);

/* Prints summary, usage, examples and the options; returns EXIT_GOOD. */
int command_help(const struct command *c, const struct opt_group *groups);

#endif
