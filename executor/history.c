#include "executor/history.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <sqlite3.h>

#include "executor/history_db.h"
#include "util/arena.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define FLUSH_ROWS 1000
#define FLUSH_MS 500
#define SEEN_MS 30000                /* a run that says nothing shows in this way that it lives */
#define MAX_WAITING 100000           /* rows kept while another process holds the file */
#define BEGIN_WAIT_MS 1000           /* for the lock; during the run nothing waits for it */
#define END_WAIT_MS 2000
#define MAX_TEXT ((size_t)16 << 10)  /* of one message or statement */
#define MAX_TEXTS ((size_t)16 << 20) /* of a run; then only MAX_TEXT_LATE of each message */
#define MAX_TEXT_LATE ((size_t)200)
#define KEEP_TASKS 1000000           /* older runs go when all runs together have more tasks ... */
#define KEEP_RUNS 30                 /* ... but the last ones of a project and target stay */
#define NONE SIZE_MAX

/* A line for the table `attempts`, waiting to be written. */
struct row {
	int64_t node;
	unsigned attempt;         /* 0 = never ran */
	bool last;
	bool known;               /* written before: it only turned out to be the last */
	enum result_status status;
	enum error_class class;
	int thread;               /* -1 = none */
	int64_t ready_ms, started_ms, took_ms;   /* -1 = none */
	int64_t waited_for;       /* node, or -1 */
	long long failures, rows; /* -1 = unknown */
	double age_s;             /* of a source's data; negative = unknown */
	const char *code, *reason, *message, *sql;
};

/* What has to be remembered of a task between its events. */
struct mark {
	int64_t node;             /* id in the file; 0 = not there */
	int64_t ready_ms, busy_ms;
	size_t waited_for;        /* task whose end made this one ready, or NONE */
	size_t ended;             /* 1 = the first that ended; 0 = not yet */
	unsigned announced;       /* attempt that started */
	unsigned noted;           /* attempt that has a row */
};

enum statement { ADD_ATTEMPT, LAST_ATTEMPT, FIND_NODE, ADD_NODE, MOVE_NODE, RUN_SEEN, NSTATEMENTS };

static const char *const statements[NSTATEMENTS] = {
	[ADD_ATTEMPT] = "INSERT INTO attempts (run, node, attempt, last, status, took_ms, rows, thread,"
	    " ready_ms, started_ms, waited_for, class, code, failures, age_s, reason, message, sql)"
	    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
	[LAST_ATTEMPT] = "UPDATE attempts SET last = 1, reason = ?4"
	    " WHERE run = ?1 AND node = ?2 AND attempt = ?3",
	[FIND_NODE] = "SELECT id, path IS ?2 AND materialized IS ?3 FROM nodes WHERE unique_id = ?1",
	[ADD_NODE] = "INSERT INTO nodes (unique_id, path, materialized, kind, name)"
	    " VALUES (?1,?2,?3,?4,?5)",
	[MOVE_NODE] = "UPDATE nodes SET path = ?2, materialized = ?3 WHERE id = ?1",
	[RUN_SEEN] = "UPDATE runs SET seen_ms = ?2, good = ?3, warned = ?4, failed = ?5, skipped = ?6,"
	    " retried = ?7 WHERE id = ?1",
};

struct history {
	char *path, *project, *target;
	void *self;
	void (*warn)(void *self, const char *text);
	struct sqlite3 *db;
	struct sqlite3_stmt *q[NSTATEMENTS];
	bool broken;              /* nothing is recorded any more */

	int64_t run;              /* 0 before history_begin() */
	const struct plan *plan;
	struct mark *marks;       /* by task index */
	size_t nended;
	size_t ngood, nwarned, nfailed, nskipped, nretried;

	struct row *rows;
	size_t nrows, rows_cap;
	struct arena texts;       /* of the rows */
	size_t texts_kept;        /* bytes, of the whole run */
	int64_t flushed_ms;       /* monotonic */
};

/* ---- trouble ---- */

/* The first failure ends the record, not the run. */
static void
give_up(struct history *h, const char *what)
{
	struct buf b = BUF_INIT;

	if (h->broken)
		return;
	h->broken = true;
	buf_addf(&b, "%s: %s: %s; the run goes on, its history is not kept", h->path, what,
	    sqlite3_errmsg(h->db));
	history_db_exec(h->db, "ROLLBACK");
	if (h->warn)
		h->warn(h->self, b.data);
	buf_release(&b);
}

/* Runs a bound statement that gives no rows and makes it ready for the next time. */
static bool
finish(struct sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	return sqlite3_reset(q) == SQLITE_OK && rc == SQLITE_DONE;
}

static bool
run_sql(struct history *h, const char *sql)
{
	return history_db_exec(h->db, sql) == SQLITE_OK;
}

/* ---- opening ---- */

struct history *
history_open(const struct history_options *o, struct err *err)
{
	struct history *h = xcalloc(1, sizeof(*h));

	h->path = xstrdup(o->path);
	h->project = xstrdup(o->project ? o->project : "");
	h->target = xstrdup(o->target ? o->target : "");
	h->self = o->self;
	h->warn = o->warn;
	h->db = history_db_open(h->path, HISTORY_WRITE, err);
	if (!h->db)
		goto failed;
	/* A commit is one write to the log, without a sync: power loss may cost the last groups, never
	 * the file. The log is worked in at the end, not while nodes wait to be started. */
	run_sql(h, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; "
	    "PRAGMA cache_size = -8192;"
	    "PRAGMA temp_store = MEMORY");
	for (int i = 0; i < NSTATEMENTS; i++)
		if (sqlite3_prepare_v3(h->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &h->q[i], NULL) !=
		    SQLITE_OK) {
			history_db_err(h->db, h->path, "cannot use its tables", err);
			goto failed;
		}
	return h;
failed:
	history_close(h);
	return NULL;
}

void
history_close(struct history *h)
{
	if (!h)
		return;
	for (int i = 0; i < NSTATEMENTS; i++)
		sqlite3_finalize(h->q[i]);
	sqlite3_close(h->db);
	arena_release(&h->texts);
	free(h->rows);
	free(h->marks);
	free(h->path);
	free(h->project);
	free(h->target);
	free(h);
}

size_t
history_medians(struct history *h, const struct plan *p, double *seconds)
{
	if (!h || h->broken) {
		for (size_t i = 0; i < p->ntasks; i++)
			seconds[i] = -1;
		return 0;
	}
	return history_db_medians(h->db, h->project, h->target, p, seconds);
}

/* ---- the beginning of a run ---- */

/* The node's id in the file, made when it is new; 0 = trouble. */
static int64_t
intern(struct history *h, const char *id, const char *kind, const char *name, const char *path,
    const char *materialized)
{
	struct sqlite3_stmt *find = h->q[FIND_NODE], *add = h->q[ADD_NODE], *move = h->q[MOVE_NODE];
	int64_t row = 0;
	bool same = true;

	history_bind_text(find, 1, id);
	history_bind_text(find, 2, path);
	history_bind_text(find, 3, materialized);
	if (sqlite3_step(find) == SQLITE_ROW) {
		row = sqlite3_column_int64(find, 0);
		same = sqlite3_column_int(find, 1);
	}
	if (sqlite3_reset(find) != SQLITE_OK)
		return 0;
	if (row && same)
		return row;
	if (row)
		sqlite3_bind_int64(move, 1, row);
	else
		history_bind_text(add, 1, id);
	history_bind_text(row ? move : add, 2, path);
	history_bind_text(row ? move : add, 3, materialized);
	if (row)
		return finish(move) ? row : 0;
	history_bind_text(add, 4, kind);
	history_bind_text(add, 5, name);
	return finish(add) ? sqlite3_last_insert_rowid(h->db) : 0;
}

static bool
intern_plan(struct history *h)
{
	for (size_t i = 0; i < h->plan->ntasks; i++) {
		const struct node *n = h->plan->tasks[i].node;

		h->marks[i].waited_for = NONE;
		h->marks[i].node = intern(h, n->id, kind_name(n->kind), n->name, n->path, n->materialized);
		if (!h->marks[i].node)
			return false;
	}
	return true;
}

static bool
add_run(struct history *h, const struct history_facts *f)
{
	struct sqlite3_stmt *q = NULL;
	struct buf selection = BUF_INIT;
	char host[256] = "";
	bool ok;

	if (sqlite3_prepare_v2(h->db, "INSERT INTO runs (run_id, resumes, project, target, command, selection,"
	    " git_commit, heddle_version, dbt_version, adapter, adapter_version, host, pid, threads, tasks,"
	    " started_ms, seen_ms) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)", -1, &q,
	    NULL) != SQLITE_OK)
		return false;
	if (f->selection) {
		buf_adds(&selection, f->selection);
		secrets_mask(&selection, 0);
	}
	gethostname(host, sizeof(host) - 1);
	history_bind_text(q, 1, f->run_id);
	history_bind_text(q, 2, f->resumes);
	history_bind_text(q, 3, h->project);
	history_bind_text(q, 4, h->target);
	history_bind_text(q, 5, f->command);
	history_bind_text(q, 6, selection.data);
	history_bind_text(q, 7, f->git_commit);
	history_bind_text(q, 8, HEDDLE_VERSION);
	history_bind_text(q, 9, f->dbt_version);
	history_bind_text(q, 10, f->adapter);
	history_bind_text(q, 11, f->adapter_version);
	history_bind_text(q, 12, host);
	sqlite3_bind_int64(q, 13, getpid());
	sqlite3_bind_int64(q, 14, f->nthreads);
	sqlite3_bind_int64(q, 15, (int64_t)h->plan->ntasks);
	sqlite3_bind_int64(q, 16, f->started_ms);
	sqlite3_bind_int64(q, 17, clock_wall_ms());
	ok = finish(q);
	sqlite3_finalize(q);
	buf_release(&selection);
	h->run = sqlite3_last_insert_rowid(h->db);
	return ok;
}

void
history_begin(struct history *h, const struct history_facts *f, const struct plan *plan)
{
	if (!h || h->broken)
		return;
	h->plan = plan;
	h->marks = xcalloc(plan->ntasks + 1, sizeof(*h->marks));
	h->flushed_ms = clock_mono_ms();
	sqlite3_busy_timeout(h->db, BEGIN_WAIT_MS);
	if (!run_sql(h, "BEGIN IMMEDIATE") || !intern_plan(h) || !add_run(h, f) || !run_sql(h, "COMMIT"))
		give_up(h, "cannot write");
	sqlite3_busy_timeout(h->db, 0);
}

/* ---- texts ---- */

/* A copy for the row: masked, and cut between two characters where it is long. */
static const char *
keep_text(struct history *h, const char *text)
{
	size_t max = h->texts_kept < MAX_TEXTS ? MAX_TEXT : MAX_TEXT_LATE, len;
	struct buf b = BUF_INIT;
	const char *kept;

	if (!text || !*text)
		return NULL;
	/* Masked before it is cut: half a secret would not be found. */
	buf_adds(&b, text);
	secrets_mask(&b, 0);
	len = b.len;
	if (len > max) {
		len = max;
		while (len > 0 && ((unsigned char)b.data[len] & 0xc0) == 0x80)
			len--;
		kept = arena_printf(&h->texts, "%.*s\n... (%zu bytes more)", (int)len, b.data, b.len - len);
	} else {
		kept = arena_strndup(&h->texts, b.data, len);
	}
	h->texts_kept += len;
	buf_release(&b);
	return kept;
}

/* The SQL of an attempt that failed: from dbt's entry, else from the file dbt compiled it to. */
static const char *
keep_sql(struct history *h, const struct result *r)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	const char *kept = NULL;
	cJSON *entry;

	if (h->texts_kept >= MAX_TEXTS)
		return NULL;
	entry = r->entry ? cJSON_Parse(r->entry) : NULL;
	kept = keep_text(h, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "compiled_code")));
	if (!kept && r->compiled_path && fs_read(r->compiled_path, &b, &err) == 0)
		kept = keep_text(h, buf_str(&b));
	cJSON_Delete(entry);
	buf_release(&b);
	err_release(&err);
	return kept;
}

/* How old a source's data was: dbt's entry of a freshness check has it (sources.json). */
static double
age_of(const struct result *r)
{
	cJSON *entry = r->entry ? cJSON_Parse(r->entry) : NULL;
	const cJSON *age = cJSON_GetObjectItemCaseSensitive(entry, "max_loaded_at_time_ago_in_s");
	double s = cJSON_IsNumber(age) ? age->valuedouble : -1;

	cJSON_Delete(entry);
	return s;
}

/* ---- rows ---- */

static struct row *
add_row(struct history *h, int64_t node)
{
	struct row *r;

	h->rows = xgrow(h->rows, h->nrows, &h->rows_cap, sizeof(*h->rows));
	r = &h->rows[h->nrows++];
	*r = (struct row){ .node = node, .thread = -1, .ready_ms = -1, .started_ms = -1, .took_ms = -1,
		.waited_for = -1, .failures = -1, .rows = -1, .age_s = -1 };
	return r;
}

static void
count(struct history *h, enum result_status s, unsigned attempts)
{
	if (s == RESULT_SKIPPED)
		h->nskipped++;
	else if (!result_status_good(s))
		h->nfailed++;
	else if (s == RESULT_WARN)
		h->nwarned++;
	else
		h->ngood++;
	if (attempts > 1 && result_status_good(s))
		h->nretried++;
}

/* What made the task ready: the one of its parents that ended last. */
static size_t
last_of_parents(const struct history *h, const struct task *t)
{
	size_t last = NONE;

	for (size_t i = 0; i < t->nparents; i++) {
		size_t p = t->parents[i];

		if (h->marks[p].ended && (last == NONE || h->marks[p].ended > h->marks[last].ended))
			last = p;
	}
	return last;
}

static void
note_attempt(struct history *h, const struct run_event *ev)
{
	const struct run_task *t = ev->task;
	const struct result *res = ev->result;
	struct mark *m = &h->marks[t->task->index];
	bool good = result_status_good(t->status);
	struct row *r = add_row(h, m->node);

	r->attempt = t->attempts;
	r->last = ev->to == TASK_DONE;
	r->status = t->status;
	r->class = t->class;
	r->thread = (int)t->thread;
	r->ready_ms = m->ready_ms;
	r->started_ms = t->started_ms;
	r->took_ms = res && res->took_ms >= 0 ? res->took_ms : ev->at_ms - t->started_ms;
	if (r->took_ms < 0)
		r->took_ms = 0;
	if (m->waited_for != NONE)
		r->waited_for = h->marks[m->waited_for].node;
	r->message = keep_text(h, res ? res->message : t->message);
	if (!good)
		r->reason = keep_text(h, ev->text);
	if (res) {
		r->code = keep_text(h, res->code);
		r->failures = res->failures;
		r->rows = res->rows;
		if (!good)
			r->sql = keep_sql(h, res);
		if (t->task->node->kind == KIND_SOURCE)
			r->age_s = age_of(res);
	}
	m->noted = t->attempts;
	m->busy_ms += r->took_ms;
}

static void
note_last(struct history *h, const struct run_event *ev)
{
	struct row *r = add_row(h, h->marks[ev->task->task->index].node);

	r->attempt = ev->task->attempts;
	r->known = true;
	r->reason = keep_text(h, ev->text);
}

static void
note_skip(struct history *h, const struct run_event *ev)
{
	struct row *r = add_row(h, h->marks[ev->task->task->index].node);

	r->last = true;
	r->status = RESULT_SKIPPED;
	r->reason = keep_text(h, ev->text);
	if (ev->task->cause != SIZE_MAX)
		r->waited_for = h->marks[ev->task->cause].node;
}

/* ---- writing ---- */

static bool
write_row(struct history *h, const struct row *r)
{
	struct sqlite3_stmt *q = h->q[r->known ? LAST_ATTEMPT : ADD_ATTEMPT];

	sqlite3_bind_int64(q, 1, h->run);
	sqlite3_bind_int64(q, 2, r->node);
	sqlite3_bind_int64(q, 3, r->attempt);
	if (r->known) {
		history_bind_text(q, 4, r->reason);
		return finish(q);
	}
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

static bool
write_counts(struct history *h)
{
	struct sqlite3_stmt *q = h->q[RUN_SEEN];

	sqlite3_bind_int64(q, 1, h->run);
	sqlite3_bind_int64(q, 2, clock_wall_ms());
	sqlite3_bind_int64(q, 3, (int64_t)h->ngood);
	sqlite3_bind_int64(q, 4, (int64_t)h->nwarned);
	sqlite3_bind_int64(q, 5, (int64_t)h->nfailed);
	sqlite3_bind_int64(q, 6, (int64_t)h->nskipped);
	sqlite3_bind_int64(q, 7, (int64_t)h->nretried);
	return finish(q);
}

/* The waiting rows as one transaction. Another writer at work is no trouble: they wait. */
static void
flush(struct history *h)
{
	if (h->broken)
		return;
	h->flushed_ms = clock_mono_ms();
	if (!run_sql(h, "BEGIN IMMEDIATE")) {
		if (sqlite3_errcode(h->db) != SQLITE_BUSY || h->nrows > MAX_WAITING)
			give_up(h, "cannot write");
		return;
	}
	for (size_t i = 0; i < h->nrows; i++)
		if (!write_row(h, &h->rows[i])) {
			give_up(h, "cannot write");
			return;
		}
	if (!write_counts(h) || !run_sql(h, "COMMIT"))
		give_up(h, "cannot write");
	h->nrows = 0;
	arena_release(&h->texts);
}

static void
flush_when_due(struct history *h)
{
	int64_t waited = clock_mono_ms() - h->flushed_ms;

	if (h->nrows ? h->nrows % FLUSH_ROWS == 0 || waited >= FLUSH_MS : waited >= SEEN_MS)
		flush(h);
}

/* ---- events ---- */

static void
take_task(struct history *h, const struct run_event *ev)
{
	const struct run_task *t = ev->task;
	struct mark *m = &h->marks[t->task->index];

	switch (ev->to) {
	case TASK_READY:
		m->ready_ms = ev->at_ms;
		m->waited_for = ev->from == TASK_WAITING ? last_of_parents(h, t->task) : NONE;
		break;
	case TASK_RUNNING:
		m->announced = t->attempts;
		break;
	case TASK_BACKOFF:
		note_attempt(h, ev);
		break;
	case TASK_DONE:
		/* Without a result: a thread that was given up, a last try that is not followed by another,
		 * or a task that was done in an earlier run and has nothing to tell. */
		if (ev->result || (t->attempts == m->announced && t->attempts > m->noted))
			note_attempt(h, ev);
		else if (m->noted)
			note_last(h, ev);
		break;
	case TASK_SKIPPED:
		note_skip(h, ev);
		break;
	default:
		break;
	}
	if (ev->to == TASK_DONE || ev->to == TASK_SKIPPED) {
		m->ended = ++h->nended;
		if (m->noted || ev->to == TASK_SKIPPED)
			count(h, ev->to == TASK_SKIPPED ? RESULT_SKIPPED : t->status, t->attempts);
	}
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct history *h = self;

	(void)err;
	if (!h || h->broken || !h->run)
		return 0;
	if (ev->kind == EVENT_TASK)
		take_task(h, ev);
	flush_when_due(h);
	return 0;
}

struct observer
history_observer(struct history *h)
{
	return (struct observer){ .self = h, .event = on_event };
}

void
history_hook(struct history *h, const char *id, enum result_status status, const char *message,
    int64_t took_ms)
{
	const char *name = strrchr(id, '.');
	struct row *r;
	int64_t node;

	if (!h || h->broken || !h->run)
		return;
	node = intern(h, id, "operation", name ? name + 1 : id, NULL, NULL);
	if (!node) {
		give_up(h, "cannot write");
		return;
	}
	r = add_row(h, node);
	r->attempt = 1;
	r->last = true;
	r->status = status;
	r->took_ms = took_ms;
	r->message = keep_text(h, message);
	count(h, status, 1);
}

/* ---- the end of a run ---- */

/* Task indexes, parents first. */
static size_t *
by_wave(const struct plan *p)
{
	size_t *order = xcalloc(p->ntasks + 1, sizeof(*order));
	size_t *at = xcalloc(p->nwaves + 2, sizeof(*at));

	for (size_t i = 0; i < p->ntasks; i++)
		at[p->tasks[i].wave + 1]++;
	for (size_t w = 0; w < p->nwaves; w++)
		at[w + 1] += at[w];
	for (size_t i = 0; i < p->ntasks; i++)
		order[at[p->tasks[i].wave]++] = i;
	free(at);
	return order;
}

/* Fills before[i]: the parent on the longest way to i, or NONE. Returns the task that ends the
 * longest way of all. */
static size_t
longest_way(const struct history *h, size_t *before, int64_t *length)
{
	const struct plan *p = h->plan;
	size_t *order = by_wave(p), end = NONE;
	int64_t *done = xcalloc(p->ntasks + 1, sizeof(*done));

	*length = 0;
	for (size_t k = 0; k < p->ntasks; k++) {
		const struct task *t = &p->tasks[order[k]];
		size_t i = t->index;

		before[i] = NONE;
		for (size_t j = 0; j < t->nparents; j++)
			if (done[t->parents[j]] > done[i]) {
				done[i] = done[t->parents[j]];
				before[i] = t->parents[j];
			}
		done[i] += h->marks[i].busy_ms;
		if (done[i] > *length) {
			*length = done[i];
			end = i;
		}
	}
	free(done);
	free(order);
	return end;
}

static bool
mark_critical_path(struct history *h, int64_t *length)
{
	size_t *before = xcalloc(h->plan->ntasks + 1, sizeof(*before));
	struct sqlite3_stmt *q = NULL;
	bool ok = sqlite3_prepare_v2(h->db, "UPDATE attempts SET critical = 1 WHERE run = ?1 AND node = ?2",
	    -1, &q, NULL) == SQLITE_OK;

	for (size_t i = longest_way(h, before, length); ok && i != NONE; i = before[i]) {
		sqlite3_bind_int64(q, 1, h->run);
		sqlite3_bind_int64(q, 2, h->marks[i].node);
		ok = finish(q);
	}
	sqlite3_finalize(q);
	free(before);
	return ok;
}

static bool
write_end(struct history *h, int exit_code, const struct schedule_summary *s, int64_t critical_ms)
{
	struct sqlite3_stmt *q = NULL;
	int64_t work_ms = 0;
	bool ok;

	for (size_t i = 0; i < h->plan->ntasks; i++)
		work_ms += h->marks[i].busy_ms;
	if (sqlite3_prepare_v2(h->db, "UPDATE runs SET ended_ms = ?2, exit_code = ?3, signal = ?4,"
	    " nodes_ms = ?5, critical_ms = ?6, work_ms = ?7 WHERE id = ?1", -1, &q, NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_int64(q, 1, h->run);
	sqlite3_bind_int64(q, 2, clock_wall_ms());
	sqlite3_bind_int64(q, 3, exit_code);
	history_bind_count(q, 4, s->signo ? s->signo : -1);
	sqlite3_bind_int64(q, 5, s->wall_ms);
	sqlite3_bind_int64(q, 6, critical_ms);
	sqlite3_bind_int64(q, 7, work_ms);
	ok = finish(q);
	sqlite3_finalize(q);
	return ok;
}

/* Two runs at most, so that no end of a run takes long; a run adds only one. */
static bool
drop_oldest(struct history *h)
{
	char sql[512];

	sqlite3_snprintf(sizeof(sql), sql,
	    "CREATE TEMP TABLE old AS SELECT id FROM (SELECT id, sum(tasks) OVER (ORDER BY id DESC) AS total,"
	    " row_number() OVER (PARTITION BY project, target ORDER BY id DESC) AS nth FROM runs)"
	    " WHERE total > %d AND nth > %d ORDER BY id LIMIT 2;"
	    "DELETE FROM attempts WHERE run IN (SELECT id FROM old);"
	    "DELETE FROM runs WHERE id IN (SELECT id FROM old);"
	    "DROP TABLE old;", KEEP_TASKS, KEEP_RUNS);
	return run_sql(h, sql);
}

void
history_end(struct history *h, int exit_code, const struct schedule_summary *s)
{
	int64_t critical_ms = 0;

	if (!h || h->broken || !h->run)
		return;
	sqlite3_busy_timeout(h->db, END_WAIT_MS);
	flush(h);
	if (h->broken)
		return;
	if (h->nrows || !run_sql(h, "BEGIN IMMEDIATE") || !mark_critical_path(h, &critical_ms) ||
	    !write_end(h, exit_code, s, critical_ms) || !drop_oldest(h) || !run_sql(h, "COMMIT"))
		give_up(h, "cannot write");
	h->run = 0;
}
