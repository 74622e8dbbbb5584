/* history_grid.c -- nodes over runs, and a run's attempts in full. */
#include "executor/history_read.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "executor/history_db.h"
#include "util/xalloc.h"

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
	struct sqlite3_stmt *q = history_query(r, "SELECT coalesce(max(id), 0) FROM nodes", err);

	memset(p, 0, sizeof(*p));
	if (!q || history_step(r, q, err) < 0) {
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
	q = history_query(r, "SELECT id, unique_id, kind, name, path, materialized FROM nodes"
	    " ORDER BY unique_id", err);
	if (!q)
		return -1;
	while ((rc = history_step(r, q, err)) > 0) {
		int64_t key = sqlite3_column_int64(q, 0);

		if (key < 1 || key > p->n || !p->met[key])
			continue;
		p->place[key] = *nnodes;
		(*nodes)[(*nnodes)++] = (struct history_node){ history_column_name(a, q, 1),
		    history_column_name(a, q, 2),
			history_column_name(a, q, 3), history_column_text(a, q, 4),
			    history_column_text(a, q, 5) };
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
	struct sqlite3_stmt *q = history_query(r,
	    "SELECT node, status, attempt, took_ms, rows, failures"
	    " FROM attempts WHERE run = ?1 AND last = 1", err);
	int rc;

	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, run);
	while ((rc = history_step(r, q, err)) > 0) {
		int64_t node = meet(p, sqlite3_column_int64(q, 0));

		if (node < 0)
			continue;
		e->v = xgrow(e->v, e->n, &e->cap, sizeof(*e->v));
		e->v[e->n++] = (struct entry){ node, at, {
			.there = true,
			.status = history_column_status(q, 1),
			.attempts = (unsigned)sqlite3_column_int64(q, 2),
			.took_ms = history_column_count(q, 3),
			.rows = history_column_count(q, 4),
			.failures = history_column_count(q, 5),
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
	history_read_begin(r);
	rc = history_read_runs(r, f, &out->list, err);
	if (rc == 0)
		rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_grid(r, &p, out, err);
	history_read_end(r);
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
	int64_t waited_for = meet(p, history_column_count(q, 2));

	return (struct history_attempt){
		.node = (size_t)meet(p, sqlite3_column_int64(q, 0)),  /* keys, not places yet */
		.attempt = (unsigned)sqlite3_column_int64(q, 1),
		.waited_for = waited_for < 0 ? SIZE_MAX : (size_t)waited_for,
		.last = sqlite3_column_int(q, 3),
		.critical = sqlite3_column_int(q, 4),
		.status = history_column_status(q, 5),
		.class = history_column_text(a, q, 6),
		.thread = (int)history_column_count(q, 7),
		.ready_ms = history_column_count(q, 8),
		.started_ms = history_column_count(q, 9),
		.took_ms = history_column_count(q, 10),
		.rows = history_column_count(q, 11),
		.failures = history_column_count(q, 12),
		.age_s = sqlite3_column_type(q, 13) == SQLITE_NULL ? -1 : sqlite3_column_double(q,
		    13),
		.code = history_column_text(a, q, 14),
		.reason = history_column_text(a, q, 15),
		.message = history_column_text(a, q, 16),
		.sql = history_column_text(a, q, 17),
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

	while ((rc = history_step(r, q, err)) > 0) {
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

#define ATTEMPT_COLUMNS "node, attempt, waited_for, last, critical, status, class, thread," \
	" ready_ms, started_ms, took_ms, rows, failures, age_s, code, reason, message, sql"

static int
fill_attempts(struct history_reader *r, int64_t run, struct places *p, struct history_attempts *out,
    struct err *err)
{
	struct sqlite3_stmt *q = history_query(r,
	    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE run = ?1", err);
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
	history_read_begin(r);
	rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_attempts(r, run, &p, out, err);
	history_read_end(r);
	places_release(&p);
	if (rc < 0)
		history_attempts_release(out);
	return rc;
}

/* ?2 is a unique id, or what one would --select: name, package.name (of a version, or a test whose
 * id ends in a hash, too), source.table. */
#define NAMED "unique_id = ?2 OR name = ?2 OR unique_id = kind || '.' || ?2" \
	" OR (substr(?2, -length(name) - 1) = '.' || name" \
	" AND (instr(unique_id, kind || '.' || ?2 || '.') = 1" \
	" OR (kind = 'source' AND substr(unique_id, -length(?2) - 1) = '.' || ?2)))"

static int
fill_node(struct history_reader *r, const struct history_runs *runs, const char *name,
    struct places *p, struct history_attempts *out, struct err *err)
{
	struct sqlite3_stmt *q = history_query(r,
	    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE run = ?1"
	    " AND node IN (SELECT id FROM nodes WHERE " NAMED ")", err);
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
	history_read_begin(r);
	rc = places_init(&p, r, err);
	if (rc == 0)
		rc = fill_node(r, runs, name, &p, out, err);
	history_read_end(r);
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
