#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "executor/history_read.h"
#include "tests/executor/past.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

static struct history_reader *
reader(void)
{
	struct err err = ERR_INIT;
	struct history_reader *r = history_read_open("state/shop.db", &err);

	if (!r)
		fail_msg("%s", err.msg);
	return r;
}

static struct history_runs
all_runs(struct history_reader *r)
{
	struct history_filter f = { 0 };
	struct history_runs runs;
	struct err err = ERR_INIT;

	if (history_read_runs(r, &f, &runs, &err) < 0)
		fail_msg("%s", err.msg);
	return runs;
}

static struct history_attempts
attempts(struct history_reader *r, int64_t run)
{
	struct history_attempts a;
	struct err err = ERR_INIT;

	if (history_read_attempts(r, run, &a, &err) < 0)
		fail_msg("%s", err.msg);
	return a;
}

/* "m0/1 error wait 0; ..." : every attempt of the newest run in short. */
static const char *
told(struct buf *b)
{
	struct history_reader *r = reader();
	struct history_runs runs = all_runs(r);
	struct history_attempts a = attempts(r, runs.v[0].key);

	buf_truncate(b, 0);
	for (size_t i = 0; i < a.n; i++) {
		const struct history_attempt *t = &a.v[i];

		buf_addf(b, "%s%s/%u%s %s", i ? "; " : "", a.nodes[t->node].name, t->attempt,
		    t->last ? "" : "..", result_status_name(t->status));
		if (t->waited_for != SIZE_MAX)
			buf_addf(b, " after %s", a.nodes[t->waited_for].name);
		if (t->critical)
			buf_adds(b, " !");
	}
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(r);
	return buf_str(b);
}

/* ---- what is kept ---- */

static void
test_a_run_is_read_back(void **state)
{
	struct world w;
	struct result r = RESULT_INIT;
	struct history_reader *rd;
	struct history_runs runs;
	struct history_attempts a;
	struct stat st;

	(void)state;
	world_init(&w, 2);
	world_edge(&w, 0, 1);
	begin(&w, "run-1");
	history_hook(w.h, "operation.shop.shop-on-run-start-0", RESULT_SUCCESS, "OK", 12);
	start(&w, 0, 3);
	w.now += 250;
	r.status = RESULT_ERROR;
	r.class = CLASS_DATABASE;
	r.message = xstrdup("Runtime Error\n  no such column: \xc3\xa9");
	r.code = xstrdup("42703");
	r.entry = xstrdup("{\"status\": \"error\", \"compiled_code\": \"select nothing\"}");
	r.took_ms = 240;
	r.started_ms = w.now - 245;
	r.rows = 7;
	w.tasks[0].started_ms = r.started_ms;
	w.tasks[0].status = r.status;
	w.tasks[0].class = r.class;
	move(&w, 0, TASK_DONE, &r, "the database refused the statement");
	w.tasks[1].cause = 0;
	move(&w, 1, TASK_SKIPPED, NULL, "'model.shop.m0' ended with error");
	end(&w, 1);

	assert_int_equal(stat("state/shop.db", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	rd = reader();
	runs = all_runs(rd);
	assert_int_equal(runs.n, 1);
	assert_string_equal(runs.v[0].id, "run-1");
	assert_string_equal(runs.v[0].project, "shop");
	assert_string_equal(runs.v[0].target, "dev");
	assert_string_equal(runs.v[0].selection, "tag:nightly");
	assert_string_equal(runs.v[0].git_commit, "c1");
	assert_string_equal(runs.v[0].adapter_version, "1.9.0");
	assert_string_equal(runs.v[0].heddle_version, HEDDLE_VERSION);
	assert_null(runs.v[0].resumes);
	assert_int_equal(runs.v[0].nthreads, 4);
	assert_int_equal(runs.v[0].exit_code, 1);
	assert_string_equal(run_state_name(runs.v[0].state), "failed");
	assert_int_equal(runs.v[0].ngood, 1);       /* the hook */
	assert_int_equal(runs.v[0].nfailed, 1);
	assert_int_equal(runs.v[0].nskipped, 1);
	assert_int_equal(runs.v[0].nodes_ms, 1234);
	assert_int_equal(runs.v[0].work_ms, 240);
	a = attempts(rd, runs.v[0].key);
	assert_int_equal(a.n, 3);
	assert_string_equal(a.nodes[a.v[0].node].id, "model.shop.m0");
	assert_string_equal(a.nodes[a.v[0].node].path, "models/m.sql");
	assert_int_equal(a.v[0].status, RESULT_ERROR);
	assert_string_equal(a.v[0].class, "database");
	assert_string_equal(a.v[0].code, "42703");
	assert_string_equal(a.v[0].message, r.message);
	assert_string_equal(a.v[0].reason, "the database refused the statement");
	assert_string_equal(a.v[0].sql, "select nothing");
	assert_int_equal(a.v[0].thread, 3);
	assert_int_equal(a.v[0].took_ms, 240);
	assert_int_equal(a.v[0].started_ms, r.started_ms);
	assert_int_equal(a.v[0].rows, 7);
	assert_int_equal(a.v[0].failures, -1);
	assert_int_equal(a.v[1].attempt, 0);
	assert_int_equal(a.v[1].took_ms, -1);
	assert_int_equal(a.v[1].waited_for, a.v[0].node);
	assert_string_equal(a.nodes[a.v[2].node].kind, "operation");
	assert_int_equal(a.v[2].took_ms, 12);
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(rd);
	result_release(&r);
	world_release(&w);
}

/* m0 -> m2, m1 -> m2, m2 -> m3; m1 ends after m0. */
static void
test_waits_tries_and_the_critical_path(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	struct history_reader *r;
	struct history_runs runs;

	(void)state;
	world_init(&w, 5);
	world_edge(&w, 0, 2);
	world_edge(&w, 1, 2);
	world_edge(&w, 2, 3);
	begin(&w, "run-1");
	start(&w, 0, 0);
	finish(&w, 0, TASK_BACKOFF, RESULT_ERROR, 100);
	start(&w, 0, 0);
	finish(&w, 0, TASK_DONE, RESULT_SUCCESS, 100);
	run_task(&w, 1, RESULT_SUCCESS, 150);
	run_task(&w, 2, RESULT_SUCCESS, 10);
	run_task(&w, 3, RESULT_WARN, 10);
	/* Its delay was cut short by the end of the run. */
	start(&w, 4, 1);
	finish(&w, 4, TASK_BACKOFF, RESULT_ERROR, 5);
	move(&w, 4, TASK_DONE, NULL, "not tried again: stopped by SIGTERM");
	end_with_path(&w, 143, (const size_t[]){ 0, 2, 3 }, 3);
	assert_string_equal(told(&b), "m0/1.. error !; m0/2 success !; m1/1 success; m2/1 success"
	    " after m1 !; "
	    "m3/1 warn after m2 !; m4/1 error");
	r = reader();
	runs = all_runs(r);
	assert_int_equal(runs.v[0].critical_ms, 220);    /* both tries of m0 */
	assert_int_equal(runs.v[0].work_ms, 375);
	assert_int_equal(runs.v[0].nretried, 1);
	assert_string_equal(run_state_name(runs.v[0].state), "error");
	history_runs_release(&runs);
	history_read_close(r);
	buf_release(&b);
	world_release(&w);
}

/* A task known from an earlier run leaves nothing, a thread that never answered its attempt. */
static void
test_ends_without_a_result(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;

	(void)state;
	world_init(&w, 3);
	begin(&w, "run-1");
	w.tasks[0].status = RESULT_SUCCESS;
	move(&w, 0, TASK_DONE, NULL, "done in an earlier run");
	start(&w, 1, 0);
	w.now += 500;
	w.tasks[1].status = RESULT_ERROR;
	w.tasks[1].class = CLASS_TIMEOUT;
	move(&w, 1, TASK_DONE, NULL, "it did not answer");
	/* Announced, never dispatched: an observer failed. */
	move(&w, 2, TASK_READY, NULL, "");
	w.tasks[2].attempts = 1;
	move(&w, 2, TASK_RUNNING, NULL, "");
	w.tasks[2].attempts = 0;
	move(&w, 2, TASK_SKIPPED, NULL, "disk full");
	end(&w, 1);
	assert_string_equal(told(&b), "m1/1 error; m2/0 skipped");
	buf_release(&b);
	world_release(&w);
}

static void
test_texts_are_masked_and_cut(void **state)
{
	struct world w;
	struct result r = RESULT_INIT;
	struct history_reader *rd;
	struct history_runs runs;
	struct history_attempts a;
	struct buf long_text = BUF_INIT;

	(void)state;
	secrets_add("hunter22");
	world_init(&w, 2);
	begin(&w, "run-1");
	start(&w, 0, 0);
	r.status = w.tasks[0].status = RESULT_ERROR;
	r.class = w.tasks[0].class = CLASS_DATABASE;
	r.took_ms = 1;
	r.message = xstrdup("login of hunter22 failed");
	r.entry = xstrdup("{\"compiled_code\": \"select 'hunter22'\"}");
	move(&w, 0, TASK_DONE, &r, "hunter22");
	free(r.message);
	for (int i = 0; i < 1 << 19; i++)
		buf_adds(&long_text, "\xc3\xa9");
	r.message = buf_detach(&long_text);
	start(&w, 1, 0);
	w.tasks[1].status = RESULT_ERROR;
	move(&w, 1, TASK_DONE, &r, NULL);
	end(&w, 1);
	rd = reader();
	runs = all_runs(rd);
	a = attempts(rd, runs.v[0].key);
	assert_string_equal(a.v[0].message, "login of ***** failed");
	assert_string_equal(a.v[0].sql, "select '*****'");
	assert_string_equal(a.v[0].reason, "*****");
	assert_true(strlen(a.v[1].message) < 17000);
	assert_string_equal(strchr(a.v[1].message, '\n'), "\n... (1032192 bytes more)");
	assert_int_equal(strlen(a.v[1].message) - strlen(strchr(a.v[1].message, '\n')), 16384);
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(rd);
	result_release(&r);
	world_release(&w);
	secrets_release();
}

static void
test_age_of_a_source(void **state)
{
	struct world w;
	struct result r = RESULT_INIT;
	struct history_reader *rd;
	struct history_runs runs;
	struct history_attempts a;

	(void)state;
	world_init(&w, 1);
	w.nodes[0].kind = KIND_SOURCE;
	begin(&w, "run-1");
	start(&w, 0, 0);
	r.status = w.tasks[0].status = RESULT_PASS;
	r.entry = xstrdup("{\"unique_id\": \"x\", \"max_loaded_at_time_ago_in_s\": 3600.5}");
	move(&w, 0, TASK_DONE, &r, NULL);
	end(&w, 0);
	rd = reader();
	runs = all_runs(rd);
	a = attempts(rd, runs.v[0].key);
	assert_true(a.v[0].age_s > 3600.4 && a.v[0].age_s < 3600.6);
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(rd);
	result_release(&r);
	world_release(&w);
}

/* ---- medians ---- */

static void
test_medians_are_of_the_last_good_runs(void **state)
{
	struct world w;
	double seconds[64];
	struct history_options ho;
	struct err err = ERR_INIT;
	struct history *h;
	size_t whole;

	(void)state;
	world_init(&w, 60);
	/* m0 takes 1 ms in run 1, 2 ms in run 2 ...; m1 fails in each; m2 is always skipped. */
	for (int i = 1; i <= 25; i++) {
		char id[16];

		snprintf(id, sizeof(id), "run-%d", i);
		rewind_tasks(&w);
		begin(&w, id);
		run_task(&w, 0, RESULT_SUCCESS, i);
		run_task(&w, 1, RESULT_ERROR, 5000);
		move(&w, 2, TASK_SKIPPED, NULL, "why");
		for (size_t k = 3; k < 60; k++)
			run_task(&w, k, k % 2 ? RESULT_PASS : RESULT_FAIL, 100);
		end(&w, 1);
	}
	rewind_tasks(&w);
	begin_at(&w, "prod", "run-prod", NULL);
	run_task(&w, 0, RESULT_SUCCESS, 90000);
	end(&w, 0);

	ho = options_of(&w, "dev");
	h = history_open(&ho, &err);
	assert_non_null(h);
	assert_int_equal(history_medians(h, &w.plan, seconds, NULL), 58);
	/* runs 6..25: their median is 15.5 ms */
	assert_true(seconds[0] > 0.01549 && seconds[0] < 0.01551);
	assert_true(seconds[1] < 0 && seconds[2] < 0);
	assert_true(seconds[3] > 0.099 && seconds[3] < 0.101);
	assert_true(seconds[4] > 0.099 && seconds[4] < 0.101);
	/* A plan of few tasks asks for each; the answer is the same. */
	whole = w.plan.ntasks;
	w.plan.ntasks = 4;
	seconds[0] = seconds[3] = 0;
	assert_int_equal(history_medians(h, &w.plan, seconds, NULL), 2);
	assert_true(seconds[0] > 0.01549 && seconds[0] < 0.01551);
	assert_true(seconds[3] > 0.099 && seconds[3] < 0.101);
	w.plan.ntasks = whole;
	history_close(h);
	assert_int_equal(history_medians(NULL, &w.plan, seconds, NULL), 0);
	assert_true(seconds[0] < 0);
	world_release(&w);
}

/* ---- many runs ---- */

static struct history_stats
stats_of(const char *id)
{
	struct history_filter f = { .project = "shop", .target = "dev", .limit = 30 };
	struct history_reader *r = reader();
	struct history_grid g;
	struct history_stats s = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(history_read_grid(r, &f, &g, &err), 0);
	for (size_t i = 0; i < g.nnodes; i++)
		if (strcmp(g.nodes[i].id, id) == 0)
			s = history_stats(&g, i, g.nruns);
	history_grid_release(&g);
	history_read_close(r);
	return s;
}

static void
test_flaky_is_what_changes_without_a_change(void **state)
{
	/* of each run: commit, m0, m1; m2 is retried in run 2 */
	static const struct { const char *commit; enum result_status m0, m1; } runs[] = {
		{ "c1", RESULT_SUCCESS, RESULT_FAIL },
		{ "c1", RESULT_ERROR, RESULT_FAIL },
		{ "c1", RESULT_SUCCESS, RESULT_FAIL },
		{ "c2", RESULT_ERROR, RESULT_PASS },
		{ NULL, RESULT_SUCCESS, RESULT_PASS },
	};
	struct history_stats s;
	struct world w;

	(void)state;
	world_init(&w, 3);
	for (size_t i = 0; i < 5; i++) {
		char id[16];

		snprintf(id, sizeof(id), "run-%zu", i);
		rewind_tasks(&w);
		begin_at(&w, "dev", id, runs[i].commit);
		run_task(&w, 0, runs[i].m0, 10 * (int64_t)(i + 1));
		run_task(&w, 1, runs[i].m1, 10);
		start(&w, 2, 0);
		if (i == 1) {
			finish(&w, 2, TASK_BACKOFF, RESULT_ERROR, 10);
			start(&w, 2, 0);
		}
		finish(&w, 2, TASK_DONE, RESULT_SUCCESS, 10);
		end(&w, 1);
	}
	s = stats_of("model.shop.m0");
	assert_int_equal(s.nruns, 5);
	assert_int_equal(s.nfailed, 2);
	assert_int_equal(s.nflips, 3);       /* c1 -> c2 is a change of code; unknown code counts */
	assert_int_equal(s.nflaky, 3);
	assert_int_equal(s.median_ms, 30);   /* of 10, 30, 50 */
	assert_int_equal(s.longest_ms, 50);
	assert_int_equal(s.last_ms, 50);
	assert_int_equal(s.total_ms, 150);
	s = stats_of("model.shop.m1");
	assert_int_equal(s.nflips, 0);
	assert_int_equal(s.nfailed, 3);
	s = stats_of("model.shop.m2");
	assert_int_equal(s.nretried, 1);
	assert_int_equal(s.nflaky, 1);
	world_release(&w);
}

static void
test_runs_are_filtered_and_found(void **state)
{
	struct history_filter f = { .target = "prod", .limit = 2 };
	struct history_reader *r;
	struct history_runs runs;
	struct err err = ERR_INIT;
	struct world w;

	(void)state;
	world_init(&w, 1);
	for (int i = 0; i < 6; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%d%d-run", i, i);
		rewind_tasks(&w);
		begin_at(&w, i % 2 ? "dev" : "prod", id, "c");
		run_task(&w, 0, RESULT_SUCCESS, 1);
		end(&w, i == 4);
	}
	r = reader();
	assert_int_equal(history_read_runs(r, &f, &runs, &err), 0);
	assert_int_equal(runs.n, 2);
	assert_string_equal(runs.v[0].id, "44-run");
	assert_string_equal(runs.v[1].id, "22-run");
	history_runs_release(&runs);
	f.good = true;
	f.upto = 3;
	assert_int_equal(history_read_runs(r, &f, &runs, &err), 0);
	assert_int_equal(runs.n, 2);
	assert_string_equal(runs.v[0].id, "22-run");
	history_runs_release(&runs);
	assert_int_equal(history_read_run(r, "33", &runs, &err), 0);
	assert_string_equal(runs.v[0].id, "33-run");
	history_runs_release(&runs);
	assert_int_equal(history_read_run(r, "99", &runs, &err), -1);
	assert_string_equal(err.msg, "no run '99' in state/shop.db");
	err_release(&err);
	history_read_close(r);
	world_release(&w);
}

/* ---- trouble never reaches the run ---- */

static void
refused(const char *why)
{
	struct world w;
	struct history_options ho = options_of(&w, "dev");
	struct err err = ERR_INIT;

	assert_null(history_open(&ho, &err));
	assert_string_equal(err.msg, why);
	err_release(&err);
}

static sqlite3 *
raw(void)
{
	struct err err = ERR_INIT;
	sqlite3 *db;

	assert_int_equal(fs_mkdirs("state", &err), 0);
	assert_int_equal(sqlite3_open("state/shop.db", &db), SQLITE_OK);
	return db;
}

static void
test_files_that_are_not_ours_are_refused(void **state)
{
	sqlite3 *db = raw();
	struct err err = ERR_INIT;

	(void)state;
	sqlite3_exec(db, "CREATE TABLE songs (title TEXT)", NULL, NULL, NULL);
	sqlite3_close(db);
	refused("state/shop.db: not a history of heddle");
	unlink("state/shop.db");
	assert_int_equal(fs_replace("state/shop.db", "once upon a time, long before databases", 39,
	    0600,
	    &err), 0);
	refused("state/shop.db: cannot read: file is not a database");
	unlink("state/shop.db");
	assert_int_equal(fs_mkdirs("state/shop.db", &err), 0);
	refused("state/shop.db: cannot open: Is a directory");
}

static void
test_a_newer_schema_is_refused(void **state)
{
	struct world w;
	sqlite3 *db;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	db = raw();
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	refused("state/shop.db: written by a newer heddle (version 99; this one knows 1)");
	world_release(&w);
}

static void
test_a_missing_history_says_so(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(history_read_open("state/shop.db", &err));
	assert_string_equal(err.msg, "state/shop.db: there is no history yet");
	err_release(&err);
	assert_false(fs_exists("state"));
}

static void
test_a_lock_of_another_process_is_waited_out(void **state)
{
	struct world w;
	sqlite3 *db;
	struct buf b = BUF_INIT;
	int64_t began;

	(void)state;
	world_init(&w, 3000);
	begin(&w, "run-1");
	db = raw();
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	began = clock_mono_ms();
	for (size_t i = 0; i < 3000; i++)
		run_task(&w, i, RESULT_SUCCESS, 1);
	history_hook(w.h, "operation.shop.shop-on-run-end-0", RESULT_SUCCESS, NULL, -1);
	assert_true(clock_mono_ms() - began < 1000);    /* nothing waited for the lock */
	sqlite3_close(db);
	end(&w, 0);
	assert_int_equal(w.nwarnings, 0);
	assert_true(strlen(told(&b)) > 3000 * 12);
	assert_true(text_ends(b.data, "; shop-on-run-end-0/1 success"));
	buf_release(&b);
	world_release(&w);
}

static void
test_a_lock_that_stays_costs_the_record_alone(void **state)
{
	struct world w;
	sqlite3 *db;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	db = raw();
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	assert_int_equal(w.nwarnings, 1);
	assert_string_equal(w.warning, "state/shop.db: cannot write: database is locked; the run"
	    " goes on, its "
	    "history is not kept");
	sqlite3_close(db);
	world_release(&w);
}

static void
test_a_full_disk_costs_the_record_alone(void **state)
{
	struct rlimit old, small;
	struct history_runs runs;
	struct history_reader *r;
	struct world w;

	(void)state;
	world_init(&w, 4000);
	begin(&w, "run-1");
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 200 << 10;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (size_t i = 0; i < 4000; i++)
		run_task(&w, i, RESULT_SUCCESS, 1);
	end(&w, 0);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(w.nwarnings, 1);
	assert_non_null(strstr(w.warning, "state/shop.db: cannot write: "));
	/* The file is as good as it was: this run without its end, and the next one. */
	rewind_tasks(&w);
	begin(&w, "run-2");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	r = reader();
	runs = all_runs(r);
	assert_int_equal(runs.n, 2);
	assert_int_equal(runs.v[0].exit_code, 0);
	assert_int_equal(runs.v[1].exit_code, -1);
	history_runs_release(&runs);
	history_read_close(r);
	world_release(&w);
}

/* A full disk has no place for the shared memory of WAL. */
static void
test_a_full_disk_can_be_read(void **state)
{
	struct world w;
	struct history_runs runs;
	struct history_reader *r;
	struct rlimit old, none;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	r = reader();
	runs = all_runs(r);
	assert_int_equal(runs.n, 1);
	history_runs_release(&runs);
	history_read_close(r);
	setrlimit(RLIMIT_FSIZE, &old);
	world_release(&w);
}

static void
test_kill_keeps_what_was_written(void **state)
{
	struct history_reader *r;
	struct history_runs runs;
	struct history_attempts a;
	struct world w;
	int status;
	pid_t pid;

	(void)state;
	world_init(&w, 2500);
	pid = fork();
	if (pid == 0) {
		begin(&w, "run-1");
		for (size_t i = 0; i < 2500; i++)
			run_task(&w, i, RESULT_SUCCESS, 1);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	r = reader();
	runs = all_runs(r);
	assert_string_equal(run_state_name(runs.v[0].state), "lost");
	assert_int_equal(runs.v[0].ntasks, 2500);
	assert_true(runs.v[0].ngood >= 2000);
	a = attempts(r, runs.v[0].key);
	assert_int_equal(a.n, runs.v[0].ngood);
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(r);
	/* The next run writes as if nothing had been. */
	begin(&w, "run-2");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	assert_int_equal(w.nwarnings, 0);
	world_release(&w);
}

static void
test_two_runs_write_one_file(void **state)
{
	struct world a, b;
	struct history_runs runs;
	struct history_reader *r;

	(void)state;
	world_init(&a, 1500);
	world_init(&b, 1500);
	begin_at(&a, "dev", "run-a", NULL);
	begin_at(&b, "prod", "run-b", NULL);
	for (size_t i = 0; i < 1500; i++) {
		run_task(&a, i, RESULT_SUCCESS, 1);
		run_task(&b, i, RESULT_SUCCESS, 1);
	}
	r = reader();      /* while both are at it */
	runs = all_runs(r);
	assert_int_equal(runs.n, 2);
	assert_string_equal(run_state_name(runs.v[0].state), "running");
	assert_int_equal(runs.v[0].ngood, 1000);
	history_runs_release(&runs);
	end(&a, 0);
	end(&b, 0);
	runs = all_runs(r);
	assert_int_equal(runs.v[0].ngood, 1500);
	assert_int_equal(runs.v[1].ngood, 1500);
	assert_int_equal(a.nwarnings + b.nwarnings, 0);
	history_runs_release(&runs);
	history_read_close(r);
	world_release(&a);
	world_release(&b);
}

static void
test_quiet_time_is_used_to_write(void **state)
{
	struct history_reader *r;
	struct history_runs runs;
	struct world w;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	usleep(550 * 1000);
	tick(&w);
	r = reader();
	runs = all_runs(r);
	assert_int_equal(runs.v[0].ngood, 1);
	history_runs_release(&runs);
	history_read_close(r);
	end(&w, 0);
	world_release(&w);
}

static void
test_a_long_record_loses_its_oldest_runs(void **state)
{
	struct history_reader *r;
	struct history_runs runs;
	struct world w;
	sqlite3 *db;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	db = raw();
	assert_int_equal(sqlite3_exec(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i +"
	    " 1 FROM n"
	    " WHERE i < 50) INSERT INTO runs (run_id, project, target, command, threads, tasks,"
	    " started_ms,"
	    " seen_ms) SELECT 'old-' || i, 'shop', 'dev', 'build', 1, 50000, 1, 1 FROM n", NULL,
	    NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	rewind_tasks(&w);
	begin(&w, "run-2");
	run_task(&w, 0, RESULT_SUCCESS, 1);
	end(&w, 0);
	r = reader();
	runs = all_runs(r);
	assert_int_equal(runs.n, 50);
	assert_string_equal(runs.v[0].id, "run-2");
	assert_string_equal(runs.v[49].id, "old-2");     /* run-1 and old-1 are gone */
	history_runs_release(&runs);
	history_read_close(r);
	assert_int_equal(w.nwarnings, 0);
	world_release(&w);
}

/* ---- cost ---- */

static void
test_cost_of_many_tasks(void **state)
{
	struct world w;
	double *seconds;
	int64_t began;

	(void)state;
	world_init(&w, 20000);
	seconds = xcalloc(20000, sizeof(*seconds));
	for (int run = 0; run < 3; run++) {
		char id[16];
		int64_t opened, ran;

		snprintf(id, sizeof(id), "run-%d", run);
		rewind_tasks(&w);
		began = clock_mono_us();
		begin(&w, id);
		opened = clock_mono_us();
		for (size_t i = 0; i < 20000; i++)
			run_task(&w, i, RESULT_SUCCESS, 1);
		ran = clock_mono_us();
		end(&w, 0);
		printf("20,000 tasks: begin %.2f us, events %.2f us, end %.2f us a task\n",
		    (double)(opened - began) / 20000, (double)(ran - opened) / 20000,
		    (double)(clock_mono_us() - ran) / 20000);
	}
	begin(&w, "run-x");
	began = clock_mono_us();
	assert_int_equal(history_medians(w.h, &w.plan, seconds, NULL), 20000);
	printf("medians of 3 runs: %.2f us a task\n", (double)(clock_mono_us() - began) / 20000);
	end(&w, 0);
	free(seconds);
	world_release(&w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_run_is_read_back),
		T(test_waits_tries_and_the_critical_path),
		T(test_ends_without_a_result),
		T(test_texts_are_masked_and_cut),
		T(test_age_of_a_source),
		T(test_medians_are_of_the_last_good_runs),
		T(test_flaky_is_what_changes_without_a_change),
		T(test_runs_are_filtered_and_found),
		T(test_files_that_are_not_ours_are_refused),
		T(test_a_newer_schema_is_refused),
		T(test_a_missing_history_says_so),
		T(test_a_lock_of_another_process_is_waited_out),
		T(test_a_lock_that_stays_costs_the_record_alone),
		T(test_a_full_disk_costs_the_record_alone),
		T(test_a_full_disk_can_be_read),
		T(test_kill_keeps_what_was_written),
		T(test_two_runs_write_one_file),
		T(test_quiet_time_is_used_to_write),
		T(test_a_long_record_loses_its_oldest_runs),
		T(test_cost_of_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
