/* executor/history_db.h -- the SQLite file itself: opening, schema, columns. For history*.c only.
 * Errors: -1 or NULL with err ("path: what: SQLite's text"). Thread: main. */
#ifndef HEDDLE_EXECUTOR_HISTORY_DB_H
#define HEDDLE_EXECUTOR_HISTORY_DB_H

#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "graph/plan.h"
#include "util/arena.h"
#include "util/err.h"

struct sqlite3;
struct sqlite3_stmt;

enum history_mode {
	HISTORY_WRITE,    /* makes file and folder, brings the schema up to date */
	HISTORY_READ,     /* must exist; brought up to date where it may be written */
};

/* Close with sqlite3_close(). */
struct sqlite3 *history_db_open(const char *path, enum history_mode mode, struct err *err);

/* Fills err with SQLite's words. Always -1. */
int history_db_err(struct sqlite3 *db, const char *path, const char *what, struct err *err);

/* Runs statements that give no rows. 0, or SQLite's code. */
int history_db_exec(struct sqlite3 *db, const char *sql);

/* NULL is bound where text is NULL. */
void history_bind_text(struct sqlite3_stmt *q, int at, const char *text);
void history_bind_count(struct sqlite3_stmt *q, int at, int64_t n);   /* negative: NULL */

/* See history_medians(). */
size_t history_db_medians(struct sqlite3 *db, const char *project, const char *target,
    const struct plan *p, double *seconds, const char **last);

/* ---- for readers ---- */

struct history_reader {
	char *path;
	struct sqlite3 *db;
};

/* One moment of the file for all that is read in between. */
void history_read_begin(struct history_reader *r);
void history_read_end(struct history_reader *r);

struct sqlite3_stmt *history_query(struct history_reader *r, const char *sql, struct err *err);

/* 1 = a row, 0 = the end, -1 = err. */
int history_step(struct history_reader *r, struct sqlite3_stmt *q, struct err *err);

/* Columns of the row at hand. NULL is NULL in _text, "" in _name, -1 in _count. */
const char *history_column_text(struct arena *a, struct sqlite3_stmt *q, int at);
const char *history_column_name(struct arena *a, struct sqlite3_stmt *q, int at);
int64_t history_column_count(struct sqlite3_stmt *q, int at);
enum result_status history_column_status(struct sqlite3_stmt *q, int at);

#endif
