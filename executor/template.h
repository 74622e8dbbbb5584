/* executor/template.h -- the command of the shell runner: words with fields of a node in them.
 *
 *   template_parse -> { template_fill }* -> template_free
 *
 *   docker run --rm shop dbt {verb} --select {select}
 *
 * Fields: {unique_id} {fqn} {name} {resource_type} {verb} {select}. A field's text is never read as
 * a command, whatever is in it: without a shell it is (part of) one word of argv; with one the
 * script is the same for every node and the texts reach it as variables HEDDLE_NAME and so on,
 * which are set in any case.
 *
 * The text is split by the rules of a POSIX shell (quotes, backslash). A shell is started, as
 * `/bin/sh -c`, only when the text asks for what only a shell does: | & ; < > ( ) $ ` * ? [ # ~,
 * newlines, an assignment or a shell's own command in front.
 *
 * {name:q} is the field quoted once more, for a command that hands its words to a shell of its own:
 * ssh host dbt run --select {name:q}, sh -c 'dbt run --select {name:q}'. There a field without :q
 * is refused, as far as it can be seen: after a word `ssh`, and in the word after `sh -c`.
 */
#ifndef HEDDLE_EXECUTOR_TEMPLATE_H
#define HEDDLE_EXECUTOR_TEMPLATE_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/err.h"

#define TEMPLATE_FIELDS(X) \
	X(UNIQUE_ID, "unique_id", "HEDDLE_UNIQUE_ID") \
	X(FQN, "fqn", "HEDDLE_FQN") \
	X(NAME, "name", "HEDDLE_NAME") \
	X(RESOURCE_TYPE, "resource_type", "HEDDLE_RESOURCE_TYPE") \
	X(VERB, "verb", "HEDDLE_VERB") \
	X(SELECT, "select", "HEDDLE_SELECT")

enum template_field {
#define X(id, name, variable) FIELD_##id,
	TEMPLATE_FIELDS(X)
#undef X
	NTEMPLATE_FIELDS
};

struct template;

/* One command, filled in; used again and again. Starts as TEMPLATE_CALL_INIT. */
struct template_call {
	const char **argv;    /* NULL-ended; until the next fill */
	const char **env;     /* the variables, NAME=VALUE, NULL-ended */
	struct buf text;      /* of both */
};

#define TEMPLATE_CALL_INIT {0}

/* NULL: err (an open quote, an unknown field, nothing at all). */
struct template *template_parse(const char *text, struct err *err);
void template_free(struct template *t);                     /* NULL is fine */

bool template_needs_shell(const struct template *t);

/* The program of argv[0] when it is no field and has no slash, for a look at PATH; else NULL. */
const char *template_program(const struct template *t);

/* values: by enum template_field. */
void template_fill(const struct template *t, const char *const values[NTEMPLATE_FIELDS],
    struct template_call *call);
void template_call_release(struct template_call *call);

#endif
