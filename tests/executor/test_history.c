/* What runs leave in the history, and what is made of it. */
#include "tests/check.h"

#include <sys/stat.h>

#include "executor/history_read.h"
#include "tests/executor/past.h"
#include "tests/executor/past_read.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

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
		T(test_cost_of_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
