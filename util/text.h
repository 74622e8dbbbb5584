/* util/text.h -- text from outside, made safe for where it goes; and small string work.
 * Names, SQL and database messages are hostile: nothing of theirs reaches a terminal, a log or a
 * generated file without one of these calls (languages of exports: exporters/emit.h).
 * Thread: any, once secrets_init() has returned. */
#ifndef HEDDLE_UTIL_TEXT_H
#define HEDDLE_UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/*
 * Appends text for a terminal or a log: control characters and escape sequences become visible
 * (\x1b), invalid UTF-8 becomes U+FFFD, bidi controls are shown; newlines are kept when `lines`,
 * each followed by `indent`, else shown as \n. A line never starts with "::" (a command to some
 * CI systems). Secrets are masked.
 */
void text_add_safe(struct buf *b, const char *text, bool lines, const char *indent);
char *text_safe_line(const char *text);   /* the same on one line; new string; caller frees */

/* Appends a JSON string with its quotes, control characters escaped. Invalid UTF-8 becomes U+FFFD.
 * Secrets are masked. */
void text_add_json(struct buf *b, const char *text);

/* Appends one word of a POSIX shell: as it is when plain, else in single quotes. */
void text_add_shell_word(struct buf *b, const char *word);

/* Decodes one UTF-8 character; returns its length, or 0 when the bytes are not UTF-8. */
size_t text_decode(const char *s, uint32_t *c);
/* Characters that move the cursor, hide text or turn its direction. */
bool text_is_control(uint32_t c);

/* Columns on a terminal, wide characters counted as two. */
size_t text_width(const char *text);

bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_is_blank(const char *s);

/* NULL-ended lists of strings, as argv. v may be NULL: an empty list. */
char **text_copy_list(const char *const *v);   /* new list of new strings */
void text_free_list(char **v);

/*
 * Edit distance for "did you mean": the closest of words[0..n), or NULL when none is near.
 */
const char *text_closest(const char *word, const char *const *words, size_t nwords);

/*
 * Secrets: the values of DBT_ENV_SECRET_* and of every variable listed. Called once by main
 * before threads start; later additions only from the main thread before a run.
 */
void secrets_init(void);
void secrets_add(const char *value);      /* shorter than 4 bytes: ignored, it would mask words */
#define SECRETS_MASK "*****"
void secrets_mask(struct buf *b, size_t from);   /* replaces them by that in b->data[from..] */
void secrets_release(void);

#endif
