/* cli/dbt_opts.h -- the options and commands of dbt-core (1.8 to 1.11), as far as heddle must know
 * them to pass them on: how many arguments each takes. What they mean is dbt's business: the
 * worker hands them to dbt and gets the resolved values back.
 * Source: dbt/cli/params.py, dbt/cli/main.py; tests/cli/options.py compares with dbt's --help. */
#ifndef HEDDLE_CLI_DBT_OPTS_H
#define HEDDLE_CLI_DBT_OPTS_H

#include <stdbool.h>

enum dbt_arity {
	DBT_UNKNOWN, /* dbt has no such option */
	DBT_FLAG,    /* no value; --no-NAME exists too */
	DBT_VALUE,   /* one value */
	/* all following words up to the next option (dbt/cli/options.py MultiOption) */
	DBT_MULTI,
};

/* Usage of a command that takes them beside its own. */
#define ANY_DBT_OPTION "[options, and all of dbt's]"

/* name: without "--". */
enum dbt_arity dbt_opt_arity(const char *name);

/* How many of argv[at..argc) the option at `at` takes, itself included; 0 = not an option of
 * dbt. */
int dbt_opt_take(char **argv, int at, int argc);

/* The last value of a dbt option in argv ("target-path"; both spellings --x v and --x=v), or
 * NULL. */
const char *dbt_opt_value(char **argv, int argc, const char *name);

/* Whether `dbt COMMAND` knows the option that this word is, or begins: some are not for all of
 * build, run, test, seed, snapshot, source (freshness) and parse. True for one dbt lacks. */
bool dbt_opt_is_for(const char *word, const char *command);

/* Whether dbt has a command of this name. */
bool dbt_has_command(const char *name);

/* For "did you mean": all long option names; *n counts them. */
const char *const *dbt_opt_names(unsigned *n);

#endif
