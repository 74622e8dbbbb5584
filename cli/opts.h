/* cli/opts.h -- options as tables beside their commands.
 *
 *   static const struct opt opts[] = {
 *       { 's', "select", "expr", OPT_WORDS, &o.select, "nodes to run, dbt selection syntax" },
 *       { 0 }
 *   };
 *
 * Long options have the forms --name value and --name=value; OPT_FLAG also --no-name. Unknown ones
 * get "did you mean". A table may be joined to others (selection options are one table for all).
 */
#ifndef HEDDLE_CLI_OPTS_H
#define HEDDLE_CLI_OPTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

enum opt_type {
	OPT_FLAG,      /* bool *; --no-NAME sets false */
	OPT_TEXT,      /* const char **; the last one counts; borrowed from argv */
	OPT_UINT,      /* unsigned *, up to INT32_MAX; OPT_NOT_GIVEN where 0 means something */
	OPT_COUNT,     /* unsigned *, from 1 to INT32_MAX; 0 = not given */
	/* int64_t *, milliseconds: 90, 5s, 1.5m, 2h; -1 where 0 means something */
	OPT_DURATION,
	/* int64_t *, milliseconds of the wall clock: 06:00, the next time it is that */
	OPT_CLOCK,
	OPT_WORDS,     /* struct words *; takes all following arguments up to the next option,
	                  adds up, as dbt's MultiOption does (dbt/cli/options.py) */
};

#define OPT_NOT_GIVEN UINT_MAX

struct words {
	const char **v;    /* borrowed from argv */
	size_t n, cap;
};

void words_add(struct words *w, const char *word);
void words_release(struct words *w);

struct opt {
	char letter;            /* 0 = none */
	const char *name;       /* without "--"; further spellings after '|': "models|model" */
	const char *arg;        /* what help calls the value; NULL for flags */
	enum opt_type type;
	void *value;
	const char *help;       /* one line, no full stop */
};

/*
 * Reads argv[1..] by the tables (ended by NULL). Other words go to `rest` (NULL: an error).
 * unknown: called for an option no table has, with argv position; returns how many arguments it
 *          took (0 = unknown to it too), and names, NULL or what lists the options it takes, for
 *          "did you mean". May be NULL.
 * 0, or -1 with err.
 */
struct opt_unknown {
	void *self;
	int (*take)(void *self, char **argv, int at, int argc);
	const char *const *(*names)(unsigned *n);
};

int opts_parse(int argc, char **argv, const struct opt *const *tables, struct words *rest,
    const struct opt_unknown *unknown, struct err *err);

/* Of numbers and durations: those that start as OPT_NOT_GIVEN and -1. */
bool opt_given(const struct opt *o);

/* What --help prints: a title over each table; ended by a NULL title. */
struct opt_group {
	const char *title;
	const struct opt *table;
};

void opts_print(const struct opt *table, const char *title);   /* on standard output */

#endif
