#include "executor/history_write.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "executor/history_db.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define KEEP_TASKS 1000000           /* older runs go when all runs together have more tasks ... */
#define KEEP_RUNS 30                 /* ... but the last ones of a project and target stay */

enum statement {
	FIND_NODE, ADD_NODE, MOVE_NODE, ADD_RUN, ADD_ATTEMPT, LAST_ATTEMPT, COUNT_RUN,
	    MARK_CRITICAL,
	END_RUN, NSTATEMENTS
};

static const char *const statements[NSTATEMENTS] = {
	[FIND_NODE] = "SELECT id, path IS ?2 AND materialized IS ?3 FROM nodes WHERE unique_id ="
	    " ?1",
	[ADD_NODE] = "INSERT INTO nodes (unique_id, path, materialized, kind, name)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)",
	[MOVE_NODE] = "UPDATE nodes SET path = ?2, materialized = ?3 WHERE id = ?1",
	[ADD_RUN] = "INSERT INTO runs (run_id, resumes, project, target, command, selection,"
	    " git_commit,"
	    " heddle_version, dbt_version, adapter, adapter_version, host, pid, threads, tasks,"
	    " started_ms, seen_ms)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	[ADD_ATTEMPT] = "INSERT INTO attempts (run, node, attempt, last, status, took_ms, rows,"
	    " thread,"
	    " ready_ms, started_ms, waited_for, class, code, failures, age_s, reason, message, sql)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
	    " ?18)",
	[LAST_ATTEMPT] = "UPDATE attempts SET last = 1, reason = ?4"
	    " WHERE run = ?1 AND node = ?2 AND attempt = ?3",
	[COUNT_RUN] = "UPDATE runs SET seen_ms = ?2, good = ?3, warned = ?4, failed = ?5, skipped"
	    " = ?6,"
	    " retried = ?7 WHERE id = ?1",
	[MARK_CRITICAL] = "UPDATE attempts SET critical = 1 WHERE run = ?1 AND node = ?2",
	[END_RUN] = "UPDATE runs SET ended_ms = ?2, exit_code = ?3, signal = ?4, nodes_ms = ?5,"
	    " critical_ms = ?6, work_ms = ?7 WHERE id = ?1",
};

struct history_writer {
	struct sqlite3 *db;
	struct sqlite3_stmt *q[NSTATEMENTS];
};

/* Runs a bound statement that gives no rows and makes it ready for the next time. */
static bool
finish(struct sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	return sqlite3_reset(q) == SQLITE_OK && rc == SQLITE_DONE;
}

struct history_writer *
history_writer_open(const char *path, struct err *err)
{
	struct history_writer *w = xcalloc(1, sizeof(*w));

	w->db = history_db_open(path, HISTORY_WRITE, err);
	if (!w->db)
		goto failed;
	/* A commit is one write to the log, without a sync: power loss may cost the last groups,
	 * never the file. The log is worked in at the end, not while nodes wait to be started. */
	history_db_exec(w->db, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
	    "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY");
	for (int i = 0; i < NSTATEMENTS; i++)
		if (sqlite3_prepare_v3(w->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
		    &w->q[i],
		    NULL) != SQLITE_OK) {
			history_db_err(w->db, path, "cannot use its tables", err);
			goto failed;
		}
	sqlite3_busy_timeout(w->db, 0);
	return w;
failed:
	history_writer_close(w);
	return NULL;
}

void
history_writer_close(struct history_writer *w)
{
	if (!w)
		return;
	for (int i = 0; i < NSTATEMENTS; i++)
		sqlite3_finalize(w->q[i]);
	sqlite3_close(w->db);
	free(w);
}

const char *
history_writer_trouble(const struct history_writer *w)
{
	return sqlite3_errmsg(w->db);
}

void
history_writer_patience(struct history_writer *w, int ms)
{
	sqlite3_busy_timeout(w->db, ms);
}

/* ---- transactions ---- */

bool
history_writer_begin(struct history_writer *w, bool *busy)
{
	int rc = history_db_exec(w->db, "BEGIN IMMEDIATE");

	*busy = rc == SQLITE_BUSY;
	return rc == SQLITE_OK;
}

bool
history_writer_commit(struct history_writer *w)
{
	return history_db_exec(w->db, "COMMIT") == SQLITE_OK;
}

void
history_writer_rollback(struct history_writer *w)
{
	history_db_exec(w->db, "ROLLBACK");
}

/* ---- nodes and runs ---- */

int64_t
history_writer_node(struct history_writer *w, const struct history_node_facts *f)
{
	struct sqlite3_stmt *find = w->q[FIND_NODE], *put;
	int64_t node = 0;
	bool same = false;

	history_bind_text(find, 1, f->id);
	history_bind_text(find, 2, f->path);
	history_bind_text(find, 3, f->materialized);
	if (sqlite3_step(find) == SQLITE_ROW) {
		node = sqlite3_column_int64(find, 0);
		same = sqlite3_column_int(find, 1);
	}
	if (sqlite3_reset(find) != SQLITE_OK)
		return 0;
	if (same)
		return node;
	put = w->q[node ? MOVE_NODE : ADD_NODE];
	history_bind_text(put, 2, f->path);
	history_bind_text(put, 3, f->materialized);
	if (node) {
		sqlite3_bind_int64(put, 1, node);
	} else {
		history_bind_text(put, 1, f->id);
		history_bind_text(put, 4, f->kind);
		history_bind_text(put, 5, f->name);
	}
	if (!finish(put))
		return 0;
	return node ? node : sqlite3_last_insert_rowid(w->db);
}

int64_t
history_writer_run(struct history_writer *w, const char *project, const char *target,
    const struct history_facts *f, size_t ntasks)
{
	struct sqlite3_stmt *q = w->q[ADD_RUN];
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	history_bind_text(q, 1, f->run_id);
	history_bind_text(q, 2, f->resumes);
	history_bind_text(q, 3, project);
	history_bind_text(q, 4, target);
	history_bind_text(q, 5, f->command);
	history_bind_text(q, 6, f->selection);
	history_bind_text(q, 7, f->git_commit);
	history_bind_text(q, 8, HEDDLE_VERSION);
	history_bind_text(q, 9, f->dbt_version);
	history_bind_text(q, 10, f->adapter);
	history_bind_text(q, 11, f->adapter_version);
	history_bind_text(q, 12, host);
	sqlite3_bind_int64(q, 13, getpid());
	sqlite3_bind_int64(q, 14, f->nthreads);
	sqlite3_bind_int64(q, 15, (int64_t)ntasks);
	sqlite3_bind_int64(q, 16, f->started_ms);
	sqlite3_bind_int64(q, 17, clock_wall_ms());
	return finish(q) ? sqlite3_last_insert_rowid(w->db) : 0;
}

/* ---- attempts ---- */

static int64_t
hook_node(struct history_writer *w, const char *id)
{
	const char *dot = strrchr(id, '.');
	const struct history_node_facts f = { .id = id, .kind = "operation", .name = dot ?
	    dot + 1 : id };

	return history_writer_node(w, &f);
}

static bool
mark_last(struct history_writer *w, int64_t run, const struct history_row *r)
{
	struct sqlite3_stmt *q = w->q[LAST_ATTEMPT];

	sqlite3_bind_int64(q, 1, run);
	sqlite3_bind_int64(q, 2, r->node);
	sqlite3_bind_int64(q, 3, r->attempt);
	history_bind_text(q, 4, r->reason);
	return finish(q);
}

bool
history_writer_row(struct history_writer *w, int64_t run, const struct history_row *r)
{
	struct sqlite3_stmt *q = w->q[ADD_ATTEMPT];
	int64_t node = r->node ? r->node : hook_node(w, r->hook);

	if (r->known || !node)
		return node && mark_last(w, run, r);
	sqlite3_bind_int64(q, 1, run);
	sqlite3_bind_int64(q, 2, node);
	sqlite3_bind_int64(q, 3, r->attempt);
	sqlite3_bind_int64(q, 4, r->last);
	history_bind_text(q, 5, result_status_name(r->status));
	history_bind_count(q, 6, r->took_ms);
	history_bind_count(q, 7, r->rows);
	history_bind_count(q, 8, r->thread);
	history_bind_count(q, 9, r->ready_ms);
	history_bind_count(q, 10, r->started_ms);
	history_bind_count(q, 11, r->waited_for);
	history_bind_text(q, 12, r->class == CLASS_NONE ? NULL : error_class_name(r->class));
	history_bind_text(q, 13, r->code);
	history_bind_count(q, 14, r->failures);
	if (r->age_s >= 0)
		sqlite3_bind_double(q, 15, r->age_s);
	else
		sqlite3_bind_null(q, 15);
	history_bind_text(q, 16, r->reason);
	history_bind_text(q, 17, r->message);
	history_bind_text(q, 18, r->sql);
	return finish(q);
}

bool
history_writer_counts(struct history_writer *w, int64_t run, const struct history_counts *c)
{
	struct sqlite3_stmt *q = w->q[COUNT_RUN];

	sqlite3_bind_int64(q, 1, run);
	sqlite3_bind_int64(q, 2, clock_wall_ms());
	sqlite3_bind_int64(q, 3, (int64_t)c->ngood);
	sqlite3_bind_int64(q, 4, (int64_t)c->nwarned);
	sqlite3_bind_int64(q, 5, (int64_t)c->nfailed);
	sqlite3_bind_int64(q, 6, (int64_t)c->nskipped);
	sqlite3_bind_int64(q, 7, (int64_t)c->nretried);
	return finish(q);
}

/* ---- the end ---- */

bool
history_writer_critical(struct history_writer *w, int64_t run, int64_t node)
{
	struct sqlite3_stmt *q = w->q[MARK_CRITICAL];

	sqlite3_bind_int64(q, 1, run);
	sqlite3_bind_int64(q, 2, node);
	return finish(q);
}

bool
history_writer_end(struct history_writer *w, int64_t run, const struct history_end *e)
{
	struct sqlite3_stmt *q = w->q[END_RUN];

	sqlite3_bind_int64(q, 1, run);
	sqlite3_bind_int64(q, 2, clock_wall_ms());
	sqlite3_bind_int64(q, 3, e->exit_code);
	history_bind_count(q, 4, e->signo ? e->signo : -1);
	sqlite3_bind_int64(q, 5, e->nodes_ms);
	sqlite3_bind_int64(q, 6, e->critical_ms);
	sqlite3_bind_int64(q, 7, e->work_ms);
	return finish(q);
}

bool
history_writer_drop_oldest(struct history_writer *w)
{
	char sql[512];

	sqlite3_snprintf(sizeof(sql), sql,
	    "CREATE TEMP TABLE old AS SELECT id FROM ("
	    "SELECT id, sum(tasks) OVER (ORDER BY id DESC) AS total,"
	    " row_number() OVER (PARTITION BY project, target ORDER BY id DESC) AS nth FROM runs)"
	    " WHERE total > %d AND nth > %d ORDER BY id LIMIT 2;"
	    "DELETE FROM attempts WHERE run IN (SELECT id FROM old);"
	    "DELETE FROM runs WHERE id IN (SELECT id FROM old);"
	    "DROP TABLE old;", KEEP_TASKS, KEEP_RUNS);
	return history_db_exec(w->db, sql) == SQLITE_OK;
}

size_t
history_writer_medians(struct history_writer *w, const char *project, const char *target,
    const struct plan *p, double *seconds, const char **last)
{
	return history_db_medians(w->db, project, target, p, seconds, last);
}
