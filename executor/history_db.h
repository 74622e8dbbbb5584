/* executor/history_db.h -- the SQLite file itself: opening, schema, statements. For history*.c only.
 * Errors: -1 or NULL with err ("path: what: SQLite's text"). Thread: main. */
#ifndef HEDDLE_EXECUTOR_HISTORY_DB_H
#define HEDDLE_EXECUTOR_HISTORY_DB_H

#include <stddef.h>
#include <stdint.h>

#include "graph/plan.h"
#include "util/err.h"

struct sqlite3;
struct sqlite3_stmt;

enum history_mode {
	HISTORY_WRITE,    /* makes file and folder, brings the schema up to date */
	HISTORY_READ,     /* must exist; brought up to date where it may be written */
};

/* Close with sqlite3_close(). */
struct sqlite3 *history_db_open(const char *path, enum history_mode mode, struct err *err);

/* Runs statements that give no rows. 0, or SQLite's code. */
int history_db_exec(struct sqlite3 *db, const char *sql);

/* NULL is bound where text is NULL. */
void history_bind_text(struct sqlite3_stmt *q, int at, const char *text);
void history_bind_count(struct sqlite3_stmt *q, int at, int64_t n);   /* negative: NULL */

/* See history_medians(). */
size_t history_db_medians(struct sqlite3 *db, const char *project, const char *target,
    const struct plan *p, double *seconds);

int history_db_err(struct sqlite3 *db, const char *path, const char *what, struct err *err);

#endif
