#include "executor/history_db.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define APPLICATION_ID 1751475300      /* "hedd": what `file` and we know the file by */
#define OPEN_WAIT_MS 2000              /* for another process that brings the schema up to date */

/*
 * The schema, step by step: the file's user_version counts the steps it has seen, and each step
 * ends by setting it. A step that was released is never changed; a new one is added at the end.
 */
static const char *const migrations[] = {
	/* What each column means: docs/history.md. */
	"PRAGMA application_id = 1751475300;"
	"CREATE TABLE runs ("
	" id INTEGER PRIMARY KEY,"
	" run_id TEXT NOT NULL UNIQUE,"
	" resumes TEXT,"
	" project TEXT NOT NULL,"
	" target TEXT NOT NULL,"
	" command TEXT NOT NULL,"
	" selection TEXT,"
	" git_commit TEXT,"
	" heddle_version TEXT,"
	" dbt_version TEXT,"
	" adapter TEXT,"
	" adapter_version TEXT,"
	" host TEXT,"
	" pid INTEGER,"
	" threads INTEGER NOT NULL,"
	" tasks INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL,"
	" seen_ms INTEGER NOT NULL,"
	" ended_ms INTEGER,"
	" exit_code INTEGER,"
	" signal INTEGER,"
	" nodes_ms INTEGER,"
	" critical_ms INTEGER,"
	" work_ms INTEGER,"
	" good INTEGER NOT NULL DEFAULT 0,"
	" warned INTEGER NOT NULL DEFAULT 0,"
	" failed INTEGER NOT NULL DEFAULT 0,"
	" skipped INTEGER NOT NULL DEFAULT 0,"
	" retried INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX runs_by_target ON runs (project, target, id);"
	"CREATE TABLE nodes ("
	" id INTEGER PRIMARY KEY,"
	" unique_id TEXT NOT NULL UNIQUE,"
	" kind TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" path TEXT,"
	" materialized TEXT);"
	"CREATE TABLE attempts ("
	" run INTEGER NOT NULL REFERENCES runs (id),"
	" node INTEGER NOT NULL REFERENCES nodes (id),"
	" attempt INTEGER NOT NULL,"
	" last INTEGER NOT NULL,"
	" status TEXT NOT NULL,"
	" took_ms INTEGER,"
	" rows INTEGER,"
	" thread INTEGER,"
	" ready_ms INTEGER,"
	" started_ms INTEGER,"
	" waited_for INTEGER REFERENCES nodes (id),"
	" critical INTEGER NOT NULL DEFAULT 0,"
	" class TEXT,"
	" code TEXT,"
	" failures INTEGER,"
	" age_s REAL,"
	" reason TEXT,"
	" message TEXT,"
	" sql TEXT,"
	" PRIMARY KEY (run, node, attempt)) WITHOUT ROWID;"
	"PRAGMA user_version = 1;",
};

#define NMIGRATIONS ((int)(sizeof(migrations) / sizeof(migrations[0])))

int
history_db_err(struct sqlite3 *db, const char *path, const char *what, struct err *err)
{
	err_set(err, "%s: %s: %s", path, what, sqlite3_errmsg(db));
	if (sqlite3_errcode(db) == SQLITE_NOTADB || sqlite3_errcode(db) == SQLITE_CORRUPT)
		err_hint(err, "move the file away; a new history is begun then");
	return -1;
}

int
history_db_exec(struct sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

void
history_bind_text(struct sqlite3_stmt *q, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(q, at);
}

void
history_bind_count(struct sqlite3_stmt *q, int at, int64_t n)
{
	if (n >= 0)
		sqlite3_bind_int64(q, at, n);
	else
		sqlite3_bind_null(q, at);
}

/* The first column of the first row; -1 when there is none. */
static int64_t
ask(struct sqlite3 *db, const char *sql)
{
	struct sqlite3_stmt *q = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		value = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return value;
}

/* The file before SQLite sees it, so that it is private from its first byte on. */
static int
make_file(const char *path, struct err *err)
{
	char *dir = xstrndup(path, (size_t)(fs_base(path) - path));
	int fd, rc;

	rc = *dir ? fs_mkdirs(dir, err) : 0;
	free(dir);
	if (rc < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", path);
	if (fchmod(fd, 0600) < 0)
		rc = err_sys(err, "%s: cannot make it private", path);
	close(fd);
	return rc;
}

static int
migrate(struct sqlite3 *db, const char *path, struct err *err)
{
	int64_t seen;
	int rc;

	/* Readers go on while a run writes. Where that cannot be had (a file system without shared
	 * memory), SQLite keeps its older way: slower, as safe. */
	history_db_exec(db, "PRAGMA journal_mode = WAL");
	rc = history_db_exec(db, "BEGIN IMMEDIATE");
	/* Asked again under the lock: another process may have been first. */
	seen = rc == SQLITE_OK ? ask(db, "PRAGMA user_version") : -1;
	for (int64_t i = seen; i >= 0 && i < NMIGRATIONS && rc == SQLITE_OK; i++)
		rc = history_db_exec(db, migrations[i]);
	if (rc == SQLITE_OK && seen >= 0)
		rc = history_db_exec(db, "COMMIT");
	if (rc == SQLITE_OK && seen >= 0)
		return 0;
	history_db_err(db, path, "cannot write", err);
	history_db_exec(db, "ROLLBACK");
	return -1;
}

/* Whether the file is ours and of a version we know. */
static int
check(struct sqlite3 *db, const char *path, int64_t *version, struct err *err)
{
	int64_t tables = ask(db, "SELECT count(*) FROM sqlite_master");

	*version = ask(db, "PRAGMA user_version");
	if (tables < 0 || *version < 0)
		return history_db_err(db, path, "cannot read", err);
	if (tables > 0 && ask(db, "PRAGMA application_id") != APPLICATION_ID)
		return err_set(err, "%s: not a history of heddle", path);
	if (*version > NMIGRATIONS)
		return err_set(err, "%s: written by a newer heddle "
		    "(version %lld; this one knows %d)", path,
		    (long long)*version, NMIGRATIONS);
	return 0;
}

static struct sqlite3 *
open_file(const char *path, int flags, struct err *err)
{
	struct sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		if (err)
			err_set(err, "%s: cannot open: %s", path,
			    db ? sqlite3_errmsg(db) : "no memory");
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_extended_result_codes(db, 0);
	sqlite3_busy_timeout(db, OPEN_WAIT_MS);
	return db;
}

/* As a file that nobody writes: on a read-only or full disk there is no place for the shared memory
 * of WAL. Not while a log is there that would have to be read as well. */
static struct sqlite3 *
open_frozen(const char *path)
{
	struct buf uri = BUF_INIT, wal = BUF_INIT;
	struct sqlite3 *db = NULL;
	struct stat st;

	buf_addf(&wal, "%s-wal", path);
	buf_adds(&uri, "file:");
	for (const char *s = path; *s; s++)
		buf_addf(&uri, strchr("%?#", *s) ? "%%%02x" : "%c", (unsigned char)*s);
	buf_adds(&uri, "?immutable=1");
	if (stat(wal.data, &st) < 0 || st.st_size == 0)
		db = open_file(uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	buf_release(&uri);
	buf_release(&wal);
	return db;
}

static bool
is_readable(struct sqlite3 *db)
{
	return db && ask(db, "SELECT count(*) FROM sqlite_master") >= 0;
}

static struct sqlite3 *
open_to_read(const char *path, struct err *err)
{
	struct sqlite3 *db, *frozen;

	if (!fs_exists(path)) {
		err_set(err, "%s: there is no history yet", path);
		err_hint(err, "`heddle build` and its like record each run there");
		return NULL;
	}
	db = open_file(path, SQLITE_OPEN_READWRITE, NULL);
	if (!db)
		db = open_file(path, SQLITE_OPEN_READONLY, err);
	if (is_readable(db) || !(frozen = open_frozen(path)))
		return db;
	sqlite3_close(db);
	return frozen;
}

struct sqlite3 *
history_db_open(const char *path, enum history_mode mode, struct err *err)
{
	struct sqlite3 *db;
	int64_t version;

	if (mode == HISTORY_READ)
		db = open_to_read(path, err);
	else
		db = make_file(path, err) < 0 ? NULL : open_file(path, SQLITE_OPEN_READWRITE, err);
	if (!db)
		return NULL;
	if (check(db, path, &version, err) < 0 ||
	    ((version < NMIGRATIONS || mode == HISTORY_WRITE) && migrate(db, path, err) < 0)) {
		sqlite3_close(db);
		return NULL;
	}
	return db;
}

/* ---- for readers ---- */

struct sqlite3_stmt *
history_query(struct history_reader *r, const char *sql, struct err *err)
{
	struct sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(r->db, sql, -1, &q, NULL) == SQLITE_OK)
		return q;
	history_db_err(r->db, r->path, "cannot read", err);
	return NULL;
}

int
history_step(struct history_reader *r, struct sqlite3_stmt *q, struct err *err)
{
	int rc = sqlite3_step(q);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : history_db_err(r->db, r->path, "cannot read", err);
}

const char *
history_column_text(struct arena *a, struct sqlite3_stmt *q, int at)
{
	const char *text = (const char *)sqlite3_column_text(q, at);

	return text ? arena_strdup(a, text) : NULL;
}

const char *
history_column_name(struct arena *a, struct sqlite3_stmt *q, int at)
{
	const char *text = history_column_text(a, q, at);

	return text ? text : "";
}

int64_t
history_column_count(struct sqlite3_stmt *q, int at)
{
	return sqlite3_column_type(q, at) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, at);
}

enum result_status
history_column_status(struct sqlite3_stmt *q, int at)
{
	const char *text = (const char *)sqlite3_column_text(q, at);
	int s = text ? result_status_find(text) : -1;

	return s < 0 ? RESULT_ERROR : (enum result_status)s;
}

void
history_read_begin(struct history_reader *r)
{
	history_db_exec(r->db, "BEGIN");
}

void
history_read_end(struct history_reader *r)
{
	history_db_exec(r->db, "COMMIT");
}
