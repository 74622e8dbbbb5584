/* history_median.c -- how long tasks usually take: the median of their last good runs. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "executor/history.h"
#include "executor/history_db.h"
#include "executor/runner.h"
#include "util/xalloc.h"

#define MAX_RUNS 100             /* looked at, newest first */
#define MAX_ROWS 500000          /* read; then what was found must do */
#define PROBE_SHARE 8            /* a plan this much smaller than a run asks node by node */

struct samples {
	int64_t node;            /* in the file; 0 = the task is new to it */
	const char *last;        /* how its newest attempt ended; NULL: none is known */
	size_t n;
	int32_t ms[HISTORY_MEDIAN_RUNS];
};

struct search {
	struct sqlite3 *db;
	struct samples *samples; /* by task index */
	size_t ntasks, nfull, nknown;
	size_t *task_of;         /* node - 1 -> task + 1; 0 = not of the plan */
	int64_t nnodes;
	size_t nrows;            /* read so far */
};

static struct sqlite3_stmt *
prepare(struct sqlite3 *db, const char *sql)
{
	struct sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return NULL;
	return q;
}

static void
find_nodes(struct search *s, const struct plan *p)
{
	struct sqlite3_stmt *q = prepare(s->db, "SELECT coalesce(max(id), 0) FROM nodes");

	if (q && sqlite3_step(q) == SQLITE_ROW)
		s->nnodes = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	s->task_of = xcalloc((size_t)s->nnodes + 1, sizeof(*s->task_of));
	q = prepare(s->db, "SELECT id FROM nodes WHERE unique_id = ?1");
	for (size_t i = 0; q && i < s->ntasks; i++) {
		history_bind_text(q, 1, p->tasks[i].node->id);
		if (sqlite3_step(q) == SQLITE_ROW) {
			int64_t node = sqlite3_column_int64(q, 0);

			s->samples[i].node = node;
			if (node > 0 && node <= s->nnodes)
				s->task_of[node - 1] = i + 1;
			s->nknown++;
		}
		sqlite3_reset(q);
	}
	sqlite3_finalize(q);
}

/* A failed assertion took its usual time too; an error or a skip did not. */
static bool
counts(const char *status)
{
	int s = status ? result_status_find(status) : -1;

	return s >= 0 && (result_status_good((enum result_status)s) || s == RESULT_FAIL);
}

static const char *
status_word(const char *status)
{
	int s = status ? result_status_find(status) : -1;

	return s >= 0 ? result_status_name((enum result_status)s) : NULL;
}

/* The row at hand: status, took_ms, node. */
static void
take(struct search *s, struct sqlite3_stmt *q)
{
	int64_t node = sqlite3_column_int64(q, 2), ms = sqlite3_column_int64(q, 1);
	size_t task = node > 0 && node <= s->nnodes ? s->task_of[node - 1] : 0;
	struct samples *v = task ? &s->samples[task - 1] : NULL;

	s->nrows++;
	if (v && !v->last)
		v->last = status_word((const char *)sqlite3_column_text(q, 0));
	if (!v || v->n == HISTORY_MEDIAN_RUNS || sqlite3_column_type(q, 1) == SQLITE_NULL ||
	    !counts((const char *)sqlite3_column_text(q, 0)))
		return;
	v->ms[v->n++] = ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
	if (v->n == HISTORY_MEDIAN_RUNS)
		s->nfull++;
}

static void
scan_run(struct search *s, struct sqlite3_stmt *all, int64_t run)
{
	sqlite3_bind_int64(all, 1, run);
	while (sqlite3_step(all) == SQLITE_ROW)
		take(s, all);
	sqlite3_reset(all);
}

static void
probe_run(struct search *s, struct sqlite3_stmt *one, int64_t run)
{
	for (size_t i = 0; i < s->ntasks; i++) {
		if (!s->samples[i].node || s->samples[i].n == HISTORY_MEDIAN_RUNS)
			continue;
		sqlite3_bind_int64(one, 1, run);
		sqlite3_bind_int64(one, 2, s->samples[i].node);
		while (sqlite3_step(one) == SQLITE_ROW)
			take(s, one);
		sqlite3_reset(one);
	}
}

static void
read_runs(struct search *s, const char *project, const char *target)
{
	struct sqlite3_stmt *runs = prepare(s->db, "SELECT id, tasks FROM runs"
	    " WHERE project = ?1 AND target = ?2 ORDER BY id DESC");
	struct sqlite3_stmt *all = prepare(s->db, "SELECT status, took_ms, node FROM attempts"
	    " WHERE run = ?1 AND last = 1 AND attempt > 0");
	struct sqlite3_stmt *one = prepare(s->db, "SELECT status, took_ms, node FROM attempts"
	    " WHERE run = ?1 AND node = ?2 AND last = 1 AND attempt > 0");

	if (!runs || !all || !one)
		goto out;
	history_bind_text(runs, 1, project);
	history_bind_text(runs, 2, target);
	for (int i = 0; i < MAX_RUNS && s->nrows < MAX_ROWS && s->nfull < s->nknown &&
	    sqlite3_step(runs) == SQLITE_ROW; i++) {
		int64_t run = sqlite3_column_int64(runs, 0);

		if ((int64_t)s->nknown * PROBE_SHARE < sqlite3_column_int64(runs, 1))
			probe_run(s, one, run);
		else
			scan_run(s, all, run);
	}
out:
	sqlite3_finalize(runs);
	sqlite3_finalize(all);
	sqlite3_finalize(one);
}

static int
by_ms(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median_s(struct samples *v)
{
	size_t half = v->n / 2;

	qsort(v->ms, v->n, sizeof(*v->ms), by_ms);
	if (v->n % 2)
		return (double)v->ms[half] / 1000;
	return ((double)v->ms[half - 1] + (double)v->ms[half]) / 2000;
}

size_t
history_db_medians(struct sqlite3 *db, const char *project, const char *target,
    const struct plan *p, double *seconds, const char **last)
{
	struct search s = { .db = db, .ntasks = p->ntasks };
	size_t n = 0;

	s.samples = xcalloc(p->ntasks + 1, sizeof(*s.samples));
	/* What cannot be read costs the order its hints, nothing else. */
	history_db_exec(db, "BEGIN");
	find_nodes(&s, p);
	read_runs(&s, project, target);
	history_db_exec(db, "COMMIT");
	for (size_t i = 0; i < p->ntasks; i++) {
		seconds[i] = s.samples[i].n ? median_s(&s.samples[i]) : -1;
		n += s.samples[i].n > 0;
		if (last)
			last[i] = s.samples[i].last;
	}
	free(s.samples);
	free(s.task_of);
	return n;
}
