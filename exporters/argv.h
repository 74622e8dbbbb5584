/* exporters/argv.h -- what a task calls, as a list of words: for targets that take such a list, or
 * one line of a shell.
 *
 *   struct argv a = ARGV_INIT;
 *   argv_program(&a, o);  argv_step(&a, s);  argv_flags(&a, o);  argv_line(&a, &line);
 *   argv_release(&a);
 *
 * Owner: the words are borrowed: of the options, the step, literals. Thread: main.
 */
#ifndef HEDDLE_EXPORTERS_ARGV_H
#define HEDDLE_EXPORTERS_ARGV_H

#include <stddef.h>

#include "exporters/steps.h"

struct argv {
	const char **v;
	size_t n, cap;
};

#define ARGV_INIT {0}

void argv_add(struct argv *a, const char *word);
void argv_add_flag(struct argv *a, const char *flag, const char *value);   /* NULL: nothing */
/* 0: nothing */
void argv_add_list(struct argv *a, const char *flag, const char *const *v, size_t n);

/* dbt, heddle, or what --command says. */
void argv_program(struct argv *a, const struct task_options *o);
/* The verb and the selection of a step, and whether hooks are left out. */
void argv_step(struct argv *a, const struct step *s);
/* How a step's tests are chosen: part of argv_step(). */
void argv_tests(struct argv *a, const struct step *s);
/* What all tasks share: target, folders, an empty selection is an error. Not --vars: those are the
 * user's own words, in which the orchestrator's expressions are meant. */
void argv_flags(struct argv *a, const struct task_options *o);

/* For one task that does everything: verb (build, test) and the selection of the export; tests:
 * data tests too. */
void argv_whole(struct argv *a, const struct export_job *job, const char *verb, bool tests);

/* Appends the words as a line of a shell. No {{, {% or {# stands in it: it may be pasted into what
 * Pebble or GitHub's expressions are read in. */
void argv_line(const struct argv *a, struct buf *out);

void argv_release(struct argv *a);

#endif
