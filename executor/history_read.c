#include "executor/history_read.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "executor/history_db.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define SILENT_MS (60 * 60 * 1000)   /* a run on another host that is silent for so long is lost */

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

/* ---- runs ---- */

#define RUN_COLUMNS "id, run_id, resumes, project, target, command, selection, git_commit," \
	" heddle_version, dbt_version, adapter, adapter_version, threads, tasks, started_ms," \
	" ended_ms, seen_ms, nodes_ms, critical_ms, work_ms, exit_code, signal, good, warned," \
	" failed, skipped, retried, host, pid"

static const char *const state_names[NRUN_STATES] = {
	[RUN_GOOD] = "good", [RUN_FAILED] = "failed", [RUN_ERROR] = "error",
	    [RUN_STOPPED] = "stopped",
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
		.id = history_column_name(a, q, 1),
		.resumes = history_column_text(a, q, 2),
		.project = history_column_name(a, q, 3),
		.target = history_column_name(a, q, 4),
		.command = history_column_name(a, q, 5),
		.selection = history_column_text(a, q, 6),
		.git_commit = history_column_text(a, q, 7),
		.heddle_version = history_column_text(a, q, 8),
		.dbt_version = history_column_text(a, q, 9),
		.adapter = history_column_text(a, q, 10),
		.adapter_version = history_column_text(a, q, 11),
		.nthreads = sqlite3_column_int64(q, 12),
		.ntasks = sqlite3_column_int64(q, 13),
		.started_ms = sqlite3_column_int64(q, 14),
		.ended_ms = history_column_count(q, 15),
		.seen_ms = sqlite3_column_int64(q, 16),
		.nodes_ms = history_column_count(q, 17),
		.critical_ms = history_column_count(q, 18),
		.work_ms = history_column_count(q, 19),
		.exit_code = (int)history_column_count(q, 20),
		.signo = (int)history_column_count(q, 21),
		.ngood = sqlite3_column_int64(q, 22),
		.nwarned = sqlite3_column_int64(q, 23),
		.nfailed = sqlite3_column_int64(q, 24),
		.nskipped = sqlite3_column_int64(q, 25),
		.nretried = sqlite3_column_int64(q, 26),
	};
	const char *host = history_column_name(a, q, 27);

	run.state = state_of(&run, host, sqlite3_column_int64(q, 28));
	run.wall_ms = (run.ended_ms >= 0 ? run.ended_ms : run.state == RUN_RUNNING ?
	    clock_wall_ms() :
	    run.seen_ms) - run.started_ms;
	return run;
}

static int
take_runs(struct history_reader *r, struct sqlite3_stmt *q, struct history_runs *out,
    struct err *err)
{
	struct history_run *v = NULL;
	size_t n = 0, cap = 0;
	int rc;

	while ((rc = history_step(r, q, err)) > 0) {
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
	struct sqlite3_stmt *q = history_query(r, "SELECT " RUN_COLUMNS " FROM runs"
	    " WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR target = ?2) AND (?3 = 0 OR"
	    " id <= ?3)"
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
	struct sqlite3_stmt *q = history_query(r, "SELECT " RUN_COLUMNS " FROM runs"
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

size_t
history_read_medians(struct history_reader *r, const char *project, const char *target,
    const struct plan *p, double *seconds)
{
	return history_db_medians(r->db, project, target, p, seconds, NULL);
}
