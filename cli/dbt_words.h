/* cli/dbt_words.h -- the "args" that dbt writes into run_results.json -> the command line that
 * gives them again, as `dbt retry` does it (dbt/cli/flags.py command_params, dbt/task/retry.py).
 *
 * These are dbt's arguments as it resolved them: from the command line, the environment and the
 * project's flags. So the run is the same again wherever it is continued from. Left out is what
 * belongs to the place (project folder, log folder, a profiles folder that is not there any more).
 * Other than `dbt retry`, --warn-error and --defer-state are kept. Thread: main. */
#ifndef HEDDLE_CLI_DBT_WORDS_H
#define HEDDLE_CLI_DBT_WORDS_H

#include <stdbool.h>

#include "cli/opts.h"
#include "util/arena.h"
#include "util/err.h"

/* args: a JSON object. Adds the verb ("which") and its options to out; strings live in arena.
 * target_path: whether --target-path is among them. 0, or -1 with err: not an object, no verb, or a
 * secret in it that was not kept. */
int dbt_words_add(struct words *out, struct arena *arena, const char *args, bool target_path,
    struct err *err);

/* Whether two such objects choose the same nodes and run them in the same way: all but threads, log
 * and what is shown is equal. */
bool dbt_words_same(const char *args, const char *other);

/* For opts_parse(): takes the option of dbt's at argv[at], with its values, into self, a struct
 * words.
 * How many of argv those were; 0 = not an option of dbt. */
int dbt_words_take(void *self, char **argv, int at, int argc);

#endif
