/* cli/table.h -- rows of cells, for people and for programs: columns of text, JSON, or CSV.
 *
 *   table_new -> a call for each cell, row by row -> table_print -> table_free
 *
 * As JSON it is an array of objects; as CSV (RFC 4180) the first line has the keys. Times are
 * local in text, UTC elsewhere; seconds have a unit in text only. What is not known is "-", null,
 * or empty. Texts from outside are made safe; in CSV a text that a spreadsheet would take for a
 * formula gets a ' before it. Texts are copied. */
#ifndef HEDDLE_CLI_TABLE_H
#define HEDDLE_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

enum table_format { TABLE_TEXT, TABLE_JSON, TABLE_CSV };

struct column {
	const char *key;         /* in JSON and CSV; NULL ends the list */
	const char *heading;     /* in text; NULL = not shown there */
};

struct table;

struct table *table_new(const struct column *columns);
void table_free(struct table *t);

void table_text(struct table *t, const char *text);        /* NULL = not known */
/* text is shown to people in place of it, when it is not NULL. */
void table_long_text(struct table *t, const char *text, const char *in_short);
void table_count(struct table *t, long long n);            /* -1 = not known, in all of these */
void table_ms(struct table *t, int64_t ms);                /* shown as seconds */
void table_time(struct table *t, int64_t wall_ms);
void table_share(struct table *t, double share);           /* 0..1; text: percent */

size_t table_rows(const struct table *t);

/* On standard output. */
void table_print(const struct table *t, enum table_format f);

/* "text", "json", "csv". */
int table_format_parse(const char *word, enum table_format *f, struct err *err);

/* "0.42s", "12.3s", "1m 05s", "2h 03m" */
void table_add_duration(struct buf *b, int64_t ms);

#endif
