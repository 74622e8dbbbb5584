#include "executor/history_read.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "executor/history_db.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define SILENT_MS (60 * 60 * 1000)   /* a run on another host that is silent for so long is lost */

struct history_reader {
	char *path;
	struct sqlite3 *db;
};

struct history_reader *
history_read_open(const char *path, struct err *err)
{
	struct history_reader *r = xcalloc(1, sizeof(*r));

	r->path = xstrdup(path);
	r->db = history_db_open(path, HISTORY_READ, err);
	if (!r->db) {
		history_read_close(r);
		return NULL;
	}
	return r;
}

void
history_read_close(struct history_reader *r)
{
	if (!r)
		return;
	sqlite3_close(r->db);
	free(r->path);
	free(r);
}

/* ---- columns ---- */

static struct sqlite3_stmt *
prepare(struct history_reader *r, const char *sql, struct err *err)
{
	struct sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(r->db, sql, -1, &q, NULL) == SQLITE_OK)
		return q;
	history_db_err(r->db, r->path, "cannot read", err);
	return NULL;
}

/* 1 = a row, 0 = the end, -1 = err. */
static int
step(struct history_reader *r, struct sqlite3_stmt *q, struct err *err)
{
	int rc = sqlite3_step(q);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : history_db_err(r->db, r->path, "cannot read", err);
}

static const char *
column_text(struct arena *a, struct sqlite3_stmt *q, int at)
{
	const char *text = (const char *)sqlite3_column_text(q, at);

	return text ? arena_strdup(a, text) : NULL;
}

/* As column_text, for what the schema says is never NULL. */
static const char *
column_name(struct arena *a, struct sqlite3_stmt *q, int at)
{
	const char *text = column_text(a, q, at);

	return text ? text : "";
}

static int64_t
column_count(struct sqlite3_stmt *q, int at)
{
	return sqlite3_column_type(q, at) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, at);
}

static enum result_status
column_status(struct sqlite3_stmt *q, int at)
{
	const char *text = (const char *)sqlite3_column_text(q, at);
	int s = text ? result_status_find(text) : -1;

	return s < 0 ? RESULT_ERROR : (enum result_status)s;
}

/* One moment of the file for all statements of a call. */
static void
begin(struct history_reader *r)
{
	history_db_exec(r->db, "BEGIN");
}

static void
end(struct history_reader *r)
{
	history_db_exec(r->db, "COMMIT");
}

/* ---- runs ---- */

#define RUN_COLUMNS "id, run_id, resumes, project, target, command, selection, git_commit," \
	" heddle_version, dbt_version, adapter, adapter_version, threads, tasks, started_ms, ended_ms," \
	" seen_ms, nodes_ms, critical_ms, work_ms, exit_code, signal, good, warned, failed, skipped," \
	" retried, host, pid"

static const char *const state_names[NRUN_STATES] = {
	[RUN_GOOD] = "good", [RUN_FAILED] = "failed", [RUN_ERROR] = "error", [RUN_STOPPED] = "stopped",
	[RUN_RUNNING] = "running", [RUN_LOST] = "lost",
};

const char *
run_state_name(enum run_state s)
{
	return state_names[s];
}

static bool
is_alive(const struct history_run *run, const char *host, int64_t pid)
{
	char here[256] = "";

	gethostname(here, sizeof(here) - 1);
	if (strcmp(host, here) != 0)
		return clock_wall_ms() - run->seen_ms < SILENT_MS;
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static enum run_state
state_of(const struct history_run *run, const char *host, int64_t pid)
{
	if (run->exit_code < 0)
		return is_alive(run, host, pid) ? RUN_RUNNING : RUN_LOST;
	if (run->signo > 0)
		return RUN_STOPPED;
	return run->exit_code == 0 ? RUN_GOOD : run->exit_code == 1 ? RUN_FAILED : RUN_ERROR;
}

static struct history_run
run_of_row(struct arena *a, struct sqlite3_stmt *q)
{
	struct history_run run = {
		.key = sqlite3_column_int64(q, 0),
		.id = column_name(a, q, 1),
		.resumes = column_text(a, q, 2),
		.project = column_name(a, q, 3),
		.target = column_name(a, q, 4),
		.command = column_name(a, q, 5),
		.selection = column_text(a, q, 6),
		.git_commit = column_text(a, q, 7),
		.heddle_version = column_text(a, q, 8),
		.dbt_version = column_text(a, q, 9),
		.adapter = column_text(a, q, 10),
		.adapter_version = column_text(a, q, 11),
		.nthreads = sqlite3_column_int64(q, 12),
		.ntasks = sqlite3_column_int64(q, 13),
		.started_ms = sqlite3_column_int64(q, 14),
		.ended_ms = column_count(q, 15),
		.seen_ms = sqlite3_column_int64(q, 16),
		.nodes_ms = column_count(q, 17),
		.critical_ms = column_count(q, 18),
		.work_ms = column_count(q, 19),
		.exit_code = (int)column_count(q, 20),
		.signo = (int)column_count(q, 21),
		.ngood = sqlite3_column_int64(q, 22),
		.nwarned = sqlite3_column_int64(q, 23),
		.nfailed = sqlite3_column_int64(q, 24),
		.nskipped = sqlite3_column_int64(q, 25),
		.nretried = sqlite3_column_int64(q, 26),
	};
	const char *host = column_name(a, q, 27);

	run.state = state_of(&run, host, sqlite3_column_int64(q, 28));
	run.wall_ms = (run.ended_ms >= 0 ? run.ended_ms : run.state == RUN_RUNNING ? clock_wall_ms() :
	    run.seen_ms) - run.started_ms;
	return run;
}

static int
take_runs(struct history_reader *r, struct sqlite3_stmt *q, struct history_runs *out, struct err *err)
{
	struct history_run *v = NULL;
	size_t n = 0, cap = 0;
	int rc;

	while ((rc = step(r, q, err)) > 0) {
		v = xgrow(v, n, &cap, sizeof(*v));
		v[n++] = run_of_row(&out->arena, q);
	}
	out->v = arena_zalloc(&out->arena, n + 1, sizeof(*v));
	if (n)
		memcpy(out->v, v, n * sizeof(*v));
	out->n = n;
	free(v);
	return rc;
}

int
history_read_runs(struct history_reader *r, const struct history_filter *f,
    struct history_runs *out, struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT " RUN_COLUMNS " FROM runs"
	    " WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR target = ?2) AND (?3 = 0 OR id <= ?3)"
	    " AND (?4 = 0 OR exit_code = 0) ORDER BY id DESC LIMIT ?5", err);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!q)
		return -1;
	history_bind_text(q, 1, f->project);
	history_bind_text(q, 2, f->target);
	sqlite3_bind_int64(q, 3, f->upto);
	sqlite3_bind_int64(q, 4, f->good);
	sqlite3_bind_int64(q, 5, f->limit ? (int64_t)f->limit : -1);
	rc = take_runs(r, q, out, err);
	sqlite3_finalize(q);
	return rc;
}

void
history_runs_release(struct history_runs *runs)
{
	arena_release(&runs->arena);
	memset(runs, 0, sizeof(*runs));
}

int
history_read_run(struct history_reader *r, const char *id, struct history_runs *out,
    struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT " RUN_COLUMNS " FROM runs"
	    " WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 2", err);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!q)
		return -1;
	history_bind_text(q, 1, id);
	rc = take_runs(r, q, out, err);
	sqlite3_finalize(q);
	if (rc == 0 && out->n == 0)
		rc = err_set(err, "no run '%s' in %s", id, r->path);
	else if (rc == 0 && out->n > 1 && strcmp(out->v[0].id, id) != 0)
		rc = err_set(err, "'%s' is the beginning of more than one run", id);
	if (rc < 0) {
		history_runs_release(out);
		err_hint(err, "`heddle history` lists the runs");
	}
	return rc;
}

/* ---- nodes ---- */

/* Which nodes of the file a call has met, and their places in its list, sorted by unique id. */
struct places {
	bool *met;
	size_t *place;
	int64_t n;
};

static int
places_init(struct places *p, struct history_reader *r, struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT coalesce(max(id), 0) FROM nodes", err);

	memset(p, 0, sizeof(*p));
	if (!q || step(r, q, err) < 0) {
		sqlite3_finalize(q);
		return -1;
	}
	p->n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	p->met = xcalloc((size_t)p->n + 1, sizeof(*p->met));
	p->place = xcalloc((size_t)p->n + 1, sizeof(*p->place));
	return 0;
}

static void
places_release(struct places *p)
{
	free(p->met);
	free(p->place);
}

/* A node key as the file has it -> 0..n, or -1. */
static int64_t
meet(struct places *p, int64_t node)
{
	if (node < 1 || node > p->n)
		return -1;
	p->met[node] = true;
	return node;
}

static int
read_nodes(struct history_reader *r, struct places *p, struct arena *a, struct history_node **nodes,
    size_t *nnodes, struct err *err)
{
	struct sqlite3_stmt *q;
	size_t n = 0;
	int rc;

	for (int64_t i = 1; i <= p->n; i++)
		n += p->met[i];
	*nodes = arena_zalloc(a, n + 1, sizeof(**nodes));
	*nnodes = 0;
	q = prepare(r, "SELECT id, unique_id, kind, name, path, materialized FROM nodes"
	    " ORDER BY unique_id", err);
	if (!q)
		return -1;
	while ((rc = step(r, q, err)) > 0) {
		int64_t key = sqlite3_column_int64(q, 0);

		if (key < 1 || key > p->n || !p->met[key])
			continue;
		p->place[key] = *nnodes;
		(*nodes)[(*nnodes)++] = (struct history_node){ column_name(a, q, 1), column_name(a, q, 2),
			column_name(a, q, 3), column_text(a, q, 4), column_text(a, q, 5) };
	}
	sqlite3_finalize(q);
	return rc;
}

/* ---- the grid ---- */

struct entry {
	int64_t node;
	size_t run;
	struct history_cell cell;
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

static int
read_cells(struct history_reader *r, int64_t run, size_t at, struct places *p, struct entries *e,
    struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT node, status, attempt, took_ms, rows, failures"
	    " FROM attempts WHERE run = ?1 AND last = 1", err);
	int rc;

	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, run);
	while ((rc = step(r, q, err)) > 0) {
		int64_t node = meet(p, sqlite3_column_int64(q, 0));

		if (node < 0)
			continue;
		e->v = xgrow(e->v, e->n, &e->cap, sizeof(*e->v));
		e->v[e->n++] = (struct entry){ node, at, {
			.there = true,
			.status = column_status(q, 1),
			.attempts = (unsigned)sqlite3_column_int64(q, 2),
			.took_ms = column_count(q, 3),
			.rows = column_count(q, 4),
			.failures = column_count(q, 5),
		} };
	}
	sqlite3_finalize(q);
	return rc;
}

static void
reverse(struct history_run *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct history_run run = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = run;
	}
}

static int
fill_grid(struct history_reader *r, struct places *p, struct history_grid *g, struct err *err)
{
	struct entries e = { 0 };
	int rc = 0;

	reverse(g->list.v, g->list.n);
	g->runs = g->list.v;
	g->nruns = g->list.n;
	for (size_t i = 0; rc == 0 && i < g->nruns; i++)
		rc = read_cells(r, g->runs[i].key, i, p, &e, err);
	if (rc == 0)
		rc = read_nodes(r, p, &g->arena, &g->nodes, &g->nnodes, err);
	if (rc == 0) {
		g->cells = arena_zalloc(&g->arena, g->nnodes * g->nruns + 1, sizeof(*g->cells));
		for (size_t i = 0; i < e.n; i++)
			g->cells[p->place[e.v[i].node] * g->nruns + e.v[i].run] = e.v[i].cell;
	}
	free(e.v);
	return rc;
}

int
history_read_grid(struct history_reader *r, const struct history_filter *f,
    struct history_grid *out, struct err *err)
{
	struct places p = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	begin(r);
	rc = history_read_runs(r, f, &out->list, err);
	if (rc == 0)
		rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_grid(r, &p, out, err);
	end(r);
	places_release(&p);
	if (rc < 0)
		history_grid_release(out);
	return rc;
}

void
history_grid_release(struct history_grid *g)
{
	history_runs_release(&g->list);
	arena_release(&g->arena);
	memset(g, 0, sizeof(*g));
}

/* ---- one run ---- */

static struct history_attempt
attempt_of_row(struct arena *a, struct sqlite3_stmt *q, struct places *p)
{
	int64_t waited_for = meet(p, column_count(q, 2));

	return (struct history_attempt){
		.node = (size_t)meet(p, sqlite3_column_int64(q, 0)),     /* keys, until they have places */
		.attempt = (unsigned)sqlite3_column_int64(q, 1),
		.waited_for = waited_for < 0 ? SIZE_MAX : (size_t)waited_for,
		.last = sqlite3_column_int(q, 3),
		.critical = sqlite3_column_int(q, 4),
		.status = column_status(q, 5),
		.class = column_text(a, q, 6),
		.thread = (int)column_count(q, 7),
		.ready_ms = column_count(q, 8),
		.started_ms = column_count(q, 9),
		.took_ms = column_count(q, 10),
		.rows = column_count(q, 11),
		.failures = column_count(q, 12),
		.age_s = sqlite3_column_type(q, 13) == SQLITE_NULL ? -1 : sqlite3_column_double(q, 13),
		.code = column_text(a, q, 14),
		.reason = column_text(a, q, 15),
		.message = column_text(a, q, 16),
		.sql = column_text(a, q, 17),
	};
}

static int
by_node(const void *a, const void *b)
{
	const struct history_attempt *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

/* Attempts under construction. */
struct tries {
	struct history_attempt *v;
	size_t n, cap;
};

/* Runs a bound query for the attempts of one run. */
static int
take_attempts(struct history_reader *r, struct sqlite3_stmt *q, size_t run, struct places *p,
    struct tries *t, struct arena *a, struct err *err)
{
	int rc;

	while ((rc = step(r, q, err)) > 0) {
		t->v = xgrow(t->v, t->n, &t->cap, sizeof(*t->v));
		t->v[t->n] = attempt_of_row(a, q, p);
		t->v[t->n].run = run;
		t->n += t->v[t->n].node != (size_t)-1;
	}
	sqlite3_reset(q);
	return rc;
}

/* Gives nodes their places and the attempts their order; t is used up. */
static int
place_attempts(struct history_reader *r, struct places *p, struct tries *t,
    struct history_attempts *out, struct err *err)
{
	int rc = read_nodes(r, p, &out->arena, &out->nodes, &out->nnodes, err);

	for (size_t i = 0; i < t->n; i++) {
		t->v[i].node = p->place[t->v[i].node];
		if (t->v[i].waited_for != SIZE_MAX)
			t->v[i].waited_for = p->place[t->v[i].waited_for];
	}
	out->v = arena_zalloc(&out->arena, t->n + 1, sizeof(*out->v));
	out->n = t->n;
	if (t->n) {
		memcpy(out->v, t->v, t->n * sizeof(*out->v));
		qsort(out->v, out->n, sizeof(*out->v), by_node);
	}
	free(t->v);
	return rc;
}

#define ATTEMPT_COLUMNS "node, attempt, waited_for, last, critical, status, class, thread, ready_ms," \
	" started_ms, took_ms, rows, failures, age_s, code, reason, message, sql"

static int
fill_attempts(struct history_reader *r, int64_t run, struct places *p, struct history_attempts *out,
    struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE run = ?1", err);
	struct tries t = { 0 };
	int rc = -1;

	if (q) {
		sqlite3_bind_int64(q, 1, run);
		rc = take_attempts(r, q, 0, p, &t, &out->arena, err);
	}
	sqlite3_finalize(q);
	if (rc == 0)
		return place_attempts(r, p, &t, out, err);
	free(t.v);
	return -1;
}

int
history_read_attempts(struct history_reader *r, int64_t run, struct history_attempts *out,
    struct err *err)
{
	struct places p = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	begin(r);
	rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_attempts(r, run, &p, out, err);
	end(r);
	places_release(&p);
	if (rc < 0)
		history_attempts_release(out);
	return rc;
}

static int
fill_node(struct history_reader *r, const struct history_runs *runs, const char *name,
    struct places *p, struct history_attempts *out, struct err *err)
{
	struct sqlite3_stmt *q = prepare(r, "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE run = ?1"
	    " AND node IN (SELECT id FROM nodes WHERE unique_id = ?2 OR name = ?2)", err);
	struct tries t = { 0 };
	int rc = q ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < runs->n; i++) {
		sqlite3_bind_int64(q, 1, runs->v[i].key);
		history_bind_text(q, 2, name);
		rc = take_attempts(r, q, i, p, &t, &out->arena, err);
	}
	sqlite3_finalize(q);
	if (rc == 0)
		return place_attempts(r, p, &t, out, err);
	free(t.v);
	return -1;
}

int
history_read_node(struct history_reader *r, const struct history_runs *runs, const char *name,
    struct history_attempts *out, struct err *err)
{
	struct places p = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	begin(r);
	rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_node(r, runs, name, &p, out, err);
	end(r);
	places_release(&p);
	if (rc < 0)
		history_attempts_release(out);
	return rc;
}

void
history_attempts_release(struct history_attempts *a)
{
	arena_release(&a->arena);
	memset(a, 0, sizeof(*a));
}

size_t
history_read_medians(struct history_reader *r, const char *project, const char *target,
    const struct plan *p, double *seconds)
{
	return history_db_medians(r->db, project, target, p, seconds);
}
