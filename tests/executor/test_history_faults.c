/* Trouble with the history never reaches the run: files that are not ours, locks, full disks, a
 * kill, another run beside. And when it is written, what a long one loses. */
#include "tests/check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "executor/history_read.h"
#include "tests/executor/past.h"
#include "tests/executor/past_read.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"

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

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
