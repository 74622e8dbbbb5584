/* The worker with a real dbt on DuckDB. Needs $HEDDLE_TEST_PYTHON: an interpreter with dbt-core and
 * dbt-duckdb; skipped without. */
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/runner_worker.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/xalloc.h"

static const char *self, *python;
static struct worker *current;   /* of the running test; freed by end() */
static struct err err;
static struct buf logged;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;   /* guards logged */

static void
write_file(const char *path, const char *text)
{
	char *dir = xstrndup(path, (size_t)(fs_base(path) - path));

	if (*dir)
		assert_int_equal(fs_mkdirs(dir, &err), 0);
	free(dir);
	assert_int_equal(fs_replace(path, text, strlen(text), 0644, &err), 0);
}

/* A folder with a project whose parts fail, wait and hang on purpose. */
static void
make_project(void)
{
	write_file("shop/dbt_project.yml",
	    "name: shop\nversion: '1.0'\nprofile: shop\n"
	    "on-run-start: [\"create table if not exists log_of_hooks as select 'start' as what\", "
	    "\"insert into log_of_hooks values ('started')\"]\n"
	    "on-run-end: [\"{% for r in results %}insert into log_of_hooks values "
	    "('{{ r.node.name }} {{ r.status }}'); {% endfor %}\"]\n"
	    "flags: {send_anonymous_usage_stats: false}\n");
	write_file("shop/profiles.yml",
	    "shop:\n  target: dev\n  outputs:\n"
	    "    dev: {type: duckdb, path: shop.duckdb, threads: 3}\n");
	write_file("shop/models/good.sql", "select 1 as id");
	write_file("shop/models/view_of_base.sql", "select * from {{ ref('base') }}");
	write_file("shop/models/base.sql",
	    "{{ config(materialized='ephemeral') }} select 1 as id");
	write_file("shop/models/flaky.sql",
	    "{{ config(materialized='table') }} select f.id from read_csv('flag.csv') f "
	    "join {{ ref('base') }} using (id)");
	write_file("shop/models/no_sql.sql", "selekt 1");
	write_file("shop/models/no_jinja.sql", "select {% if execute %}"
	    "{{ exceptions.raise_compiler_error('oops') }}{% endif %}");
	write_file("shop/models/bad_base.sql",
	    "{{ config(materialized='ephemeral') }} "
	    "select {% if execute %}{{ exceptions.raise_compiler_error('bad base') }}{% endif %}");
	write_file("shop/models/child_1.sql", "select * from {{ ref('bad_base') }}");
	write_file("shop/models/child_2.sql", "select * from {{ ref('bad_base') }}");
	write_file("shop/models/slow.sql",
	    "{{ config(materialized='table') }} select count(*) as n from range(1000000) a, "
	    "range(1000000) b where a.range * b.range % 7 = 3");
	write_file("shop/models/deaf.sql",
	    "{% if execute %}{% for i in range(90000) %}{% for j in range(90000) %}"
	    "{% set x = i * j %}{% endfor %}{% endfor %}{% endif %}select 1 as id");
	write_file("shop/models/loud.sql",
	    "{% if execute %}{{ log('a word from a macro', info=true) }}"
	    "{% do exceptions.warn('a warning') %}{% endif %}select 2 as id");
	write_file("shop/tests/never_holds.sql", "select id from {{ ref('good') }}");
	write_file("shop/queue.py", "raise SystemExit('a module of the project was imported')");
	write_file("shop/json.py", "raise SystemExit('a module of the project was imported')");
	write_file("broken/dbt_project.yml", "name: broken\nversion: '1.0'\nprofile: shop\n");
	write_file("broken/profiles.yml",
	    "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb}\n");
	write_file("broken/models/a.sql", "select * from {{ ref('nobody') }}");
}

static void
take_log(void *unused, const char *id, const char *level, const char *code, const char *text)
{
	(void)unused;
	(void)code;
	pthread_mutex_lock(&log_lock);
	buf_addf(&logged, "[%s %s] %s\n", level, id ? id : "-", text);
	pthread_mutex_unlock(&log_lock);
}

static void
nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Lines come on a way of their own: one may arrive a moment after its node's result. */
static bool
was_logged(const char *what)
{
	bool found = false;

	for (int i = 0; i < 50 && !found; i++) {
		pthread_mutex_lock(&log_lock);
		found = strstr(buf_str(&logged), what) != NULL;
		pthread_mutex_unlock(&log_lock);
		if (!found)
			nap_ms(50);
	}
	return found;
}

static struct worker *
start(const char *dir, const char *const *more)
{
	const char *argv[16] = { "build" };
	const char *const env[] = { "DBT_ENV_SECRET_TOKEN=hunter2hunter2", NULL };
	struct worker_options o = { .python = python, .verb = "build", .argv = argv, .env = env,
		.dir = dir, .grace_ms = 1500, .log = take_log };
	struct worker *w;

	for (size_t i = 0; more && more[i]; i++)
		argv[i + 1] = more[i];
	buf_truncate(&logged, 0);
	w = worker_start(&o, &err);
	if (!w)
		fail_msg("%s", err.msg);
	return current = w;
}

static void
stop(void)
{
	worker_free(current);
	current = NULL;
}

static int
end(void **state)
{
	(void)state;
	stop();
	unlink("shop/shop.duckdb");   /* a killed worker leaves the second one as well */
	unlink("shop/shop.duckdb.wal");
	return 0;
}

#define MODEL "model.shop."

static const char *const ids[] = {
	MODEL "good", MODEL "view_of_base", MODEL "base", MODEL "flaky", MODEL "no_sql",
	MODEL "no_jinja", MODEL "bad_base", MODEL "child_1", MODEL "child_2", MODEL "slow",
	MODEL "deaf", MODEL "loud", "test.shop.never_holds",
};
enum { NIDS = sizeof(ids) / sizeof(ids[0]) };

/* Until ready, with every model. */
static struct worker *
start_ready(void)
{
	const struct worker_info *info;
	const struct worker_ready *ready;
	struct worker *w = start("shop", NULL);

	if (worker_wait_parsed(w, &info, &err) < 0 ||
	    worker_begin(w, ids, NIDS, -1, &ready, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(ready->nthreads, 3);
	return w;
}

static struct result
run_on(struct worker *w, unsigned thread, const char *id, unsigned attempt)
{
	const struct job job = { .id = id, .attempt = attempt, .thread = thread };
	const struct runner r = worker_runner(w);
	struct result result = RESULT_INIT;

	r.run(r.self, &job, &result);
	return result;
}

/* "error compile: first line of the message" */
static const char *
run(struct worker *w, const char *id, unsigned attempt)
{
	static char line[256];
	struct result r = run_on(w, 0, id, attempt);

	snprintf(line, sizeof(line), "%s %s: %.*s", result_status_name(r.status),
	    error_class_name(r.class), r.message ? (int)strcspn(r.message, "\n") : 0,
	    r.message ? r.message : "");
	result_release(&r);
	return line;
}

static void
finish(struct worker *w, const struct worker_outcome *outcomes, size_t n)
{
	const struct worker_end *end;

	if (worker_finish(w, outcomes, n, false, &end, &err) < 0)
		fail_msg("%s", err.msg);
	assert_null(end->failure);
	assert_in_range(end->nhooks, 0, 1);   /* dbt 1.8 keeps no results of hooks */
	stop();
}

/* What the hooks have written, by a dbt of its own: the worker has to be gone. */
static char *
hooks_log(void)
{
	static const char script[] = "import duckdb,sys; "
	    "c = duckdb.connect('shop/shop.duckdb'); "
	    "print(', '.join(x[0] for x in c.execute('select what from log_of_hooks').fetchall()))";
	char command[1024];
	struct buf b = BUF_INIT;
	char piece[512];
	FILE *f;

	snprintf(command, sizeof(command), "'%s' -c \"%s\"", python, script);
	f = popen(command, "r");
	while (fgets(piece, sizeof(piece), f))
		buf_adds(&b, piece);
	assert_int_equal(pclose(f), 0);
	return buf_detach(&b);
}

static void
test_dbt_says_what_it_resolved(void **state)
{
	const char *const more[] = { "--threads", "2", "--vars", "{token: sesame-open}",
		"--full-refresh", NULL };
	struct worker *w = start("shop", more);
	const struct worker_info *info;
	struct buf cmdline = BUF_INIT;
	char path[64];

	(void)state;
	if (worker_wait_parsed(w, &info, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(info->adapter, "duckdb");
	assert_string_equal(info->project_name, "shop");
	assert_string_equal(info->target_name, "dev");
	assert_int_equal(info->nthreads, 2);
	assert_true(info->full_refresh);
	assert_true(info->write_json);
	assert_false(info->fail_fast);
	assert_int_equal(info->manifest_path[0], '/');
	assert_true(fs_exists(info->manifest_path));
	assert_non_null(strstr(info->args, "\"which\": \"build\""));
	assert_non_null(strstr(info->args, "\"threads\": 2"));
	assert_non_null(strstr(info->metadata, "run-results/v6.json"));
	/* Neither dbt's arguments nor what is secret in them are for everybody's `ps`. */
	snprintf(path, sizeof(path), "/proc/%d/cmdline", worker_pid(w));
	if (fs_read(path, &cmdline, &err) == 0) {
		for (size_t i = 0; i + 1 < cmdline.len; i++)
			if (!cmdline.data[i])
				cmdline.data[i] = ' ';
		assert_null(strstr(cmdline.data, "sesame"));
		assert_null(strstr(cmdline.data, "threads"));
	}
	buf_release(&cmdline);
	stop();
}

static void
test_nodes_run_and_hooks_see_their_results(void **state)
{
	static const struct worker_outcome outcomes[] = {
		{ MODEL "good", RESULT_SUCCESS, NULL },
		{ MODEL "no_sql", RESULT_ERROR, "x" },
		{ MODEL "slow", RESULT_SKIPPED, "not today" },
		{ MODEL "view_of_base", RESULT_SUCCESS, NULL },
	};
	struct worker *w = start_ready();
	struct result r;
	char *log;

	(void)state;
	assert_string_equal(run(w, MODEL "view_of_base", 1), "success none: OK");
	r = run_on(w, 2, MODEL "good", 1);
	assert_int_equal(r.status, RESULT_SUCCESS);
	assert_non_null(strstr(r.entry, "\"unique_id\": \"model.shop.good\""));
	assert_non_null(strstr(r.entry, "\"status\": \"success\""));
	assert_non_null(strstr(r.compiled_path, "target/compiled/shop/models/good.sql"));
	assert_true(r.took_ms >= 0);
	assert_true(llabs((long long)(r.started_ms - clock_wall_ms())) < 60000);
	result_release(&r);
	assert_string_equal(run(w, MODEL "loud", 1), "success none: OK");
	assert_true(was_logged("[info model.shop.loud] a word from a macro"));
	assert_true(was_logged("[warn model.shop.loud]"));
	assert_string_equal(run(w, MODEL "no_sql", 1),
	    "error database: Runtime Error in model no_sql (models/no_sql.sql)");
	assert_string_equal(run(w, MODEL "no_jinja", 1),
	    "error compile: Compilation Error in model no_jinja (models/no_jinja.sql)");
	assert_string_equal(run(w, "test.shop.never_holds", 1),
	    "fail test failure: Got 1 result, configured to fail if != 0");
	assert_string_equal(run(w, MODEL "nobody", 1),
	    "error internal: dbt has no node 'model.shop.nobody'");
	finish(w, outcomes, 4);
	log = hooks_log();
	assert_string_equal(log, "start, started, good success, no_sql error, slow skipped, "
	    "view_of_base success\n");
	free(log);
}

static void
test_an_ephemeral_that_does_not_compile_fails_each_child(void **state)
{
	struct worker *w = start_ready();
	struct result r;

	(void)state;
	assert_string_equal(run(w, MODEL "child_1", 1),
	    "error compile: ephemeral model model.shop.bad_base does not compile");
	r = run_on(w, 1, MODEL "child_2", 1);
	assert_int_equal(r.class, CLASS_COMPILE);
	assert_non_null(strstr(r.message, "bad base"));
	assert_non_null(strstr(r.entry, "\"status\": \"skipped\""));   /* dbt's word for it */
	assert_non_null(strstr(r.entry, "caused by compilation error in referenced ephemeral"));
	result_release(&r);
	stop();
}

static void
test_a_second_try_starts_clean(void **state)
{
	struct worker *w = start_ready();

	(void)state;
	unlink("shop/flag.csv");
	assert_non_null(strstr(run(w, MODEL "flaky", 1), "error transient: "));
	assert_non_null(strstr(run(w, MODEL "flaky", 2), "error transient: "));
	write_file("shop/flag.csv", "id\n1\n");
	assert_string_equal(run(w, MODEL "flaky", 3), "success none: OK");
	assert_string_equal(run(w, MODEL "flaky", 4), "success none: OK");
	stop();
}

struct background {
	struct worker *w;
	struct job job;
	struct result result;
	pthread_t thread;
};

static void *
background_main(void *arg)
{
	struct background *b = arg;
	const struct runner r = worker_runner(b->w);

	r.run(r.self, &b->job, &b->result);
	return NULL;
}

static void
run_in_background(struct background *b, struct worker *w, unsigned thread, const char *id)
{
	*b = (struct background){ .w = w, .result = RESULT_INIT,
		.job = { .id = id, .attempt = 1, .thread = thread } };
	assert_int_equal(pthread_create(&b->thread, NULL, background_main, b), 0);
}

static void
test_one_query_is_cancelled_alone(void **state)
{
	struct worker *w = start_ready();
	const struct runner r = worker_runner(w);
	struct background b;
	int64_t began = clock_mono_ms();

	(void)state;
	run_in_background(&b, w, 1, MODEL "slow");
	nap_ms(700);
	assert_string_equal(run(w, MODEL "good", 1), "success none: OK");
	r.cancel(r.self, &b.job);
	r.cancel(r.self, &b.job);
	pthread_join(b.thread, NULL);
	assert_true(clock_mono_ms() - began < 20000);
	assert_int_equal(b.result.status, RESULT_ERROR);
	assert_int_equal(b.result.class, CLASS_CANCELLED);
	result_release(&b.result);
	assert_int_equal(worker_restarts(w), 0);
	nap_ms(600);   /* a late cancel must not reach the thread's next node */
	b = (struct background){ .result = run_on(w, 1, MODEL "good", 2) };
	assert_int_equal(b.result.status, RESULT_SUCCESS);
	result_release(&b.result);
	stop();
}

static void
test_a_killed_worker_is_replaced_and_knows_earlier_results(void **state)
{
	static const struct worker_outcome outcomes[] = {
		{ MODEL "good", RESULT_SUCCESS, NULL },
		{ MODEL "slow", RESULT_ERROR, "lost" },
		{ MODEL "view_of_base", RESULT_SUCCESS, NULL },
	};
	struct worker *w = start_ready();
	struct background b;
	int old_pid = worker_pid(w);
	char *log;

	(void)state;
	assert_string_equal(run(w, MODEL "good", 1), "success none: OK");
	run_in_background(&b, w, 1, MODEL "slow");
	nap_ms(700);
	kill(old_pid, SIGKILL);
	pthread_join(b.thread, NULL);
	assert_int_equal(b.result.class, CLASS_WORKER_LOST);
	assert_string_equal(b.result.message, "the dbt process was ended by signal 9");
	assert_false(b.result.blameless);   /* it was alone */
	result_release(&b.result);
	assert_string_equal(run(w, MODEL "view_of_base", 1), "success none: OK");
	assert_int_equal(worker_restarts(w), 1);
	assert_int_not_equal(worker_pid(w), old_pid);
	assert_true(was_logged("the dbt process is gone; starting another"));
	kill(worker_pid(w), SIGKILL);   /* on-run-end is owed all the same */
	while (worker_pid(w))
		nap_ms(10);
	finish(w, outcomes, 3);
	log = hooks_log();
	assert_string_equal(log,
	    "start, started, good success, slow error, view_of_base success\n");
	free(log);
}

static void
test_a_python_that_is_gone_ends_in_words(void **state)
{
	const struct worker_end *end_of_it;
	const char *kept = python;
	struct buf script = BUF_INIT;
	struct worker *w;
	struct background b;

	(void)state;
	buf_addf(&script, "#!/bin/sh\nexec '%s' \"$@\"\n", python);
	write_file("shop/python", buf_str(&script));
	chmod("shop/python", 0755);
	buf_release(&script);
	python = "./python";
	w = start_ready();
	python = kept;
	run_in_background(&b, w, 1, MODEL "slow");
	nap_ms(300);
	unlink("shop/python");
	kill(worker_pid(w), SIGKILL);
	pthread_join(b.thread, NULL);
	result_release(&b.result);
	for (unsigned attempt = 1; attempt <= WORKER_RESTARTS; attempt++)
		if (!strstr(run(w, MODEL "good", attempt),
		    "error worker lost: cannot start dbt again: "))
			fail_msg("%s", run(w, MODEL "good", attempt));
	assert_string_equal(run(w, MODEL "good", 4),
	    "error internal: no dbt process any more: it was lost 4 times");
	assert_int_equal(worker_finish(w, NULL, 0, false, &end_of_it, &err), -1);
	assert_non_null(strstr(err.msg, "on-run-end did not run"));
	assert_int_equal(worker_finish(w, NULL, 0, true, &end_of_it, &err), 0);
	err_release(&err);
	stop();
}

/* Whoever waits for a new worker can be cancelled; the worker comes all the same. */
static void
test_waiting_for_another_worker_can_be_cancelled(void **state)
{
	const char *kept = python;
	struct buf script = BUF_INIT;
	struct worker *w;
	struct runner r;
	struct background b;
	int64_t since;

	(void)state;
	buf_addf(&script, "#!/bin/sh\n[ ! -e late ] || sleep 2\nexec '%s' \"$@\"\n", python);
	write_file("shop/python", buf_str(&script));
	chmod("shop/python", 0755);
	buf_release(&script);
	python = "./python";
	w = start_ready();
	python = kept;
	r = worker_runner(w);
	write_file("shop/late", "");
	kill(worker_pid(w), SIGKILL);
	while (worker_pid(w))
		nap_ms(10);
	run_in_background(&b, w, 1, MODEL "good");
	nap_ms(300);
	since = clock_mono_ms();
	r.cancel(r.self, &b.job);
	pthread_join(b.thread, NULL);
	assert_true(clock_mono_ms() - since < 1000);
	assert_true(b.result.unstarted);
	assert_string_equal(b.result.message, "cancelled before it started");
	result_release(&b.result);
	assert_string_equal(run(w, MODEL "good", 2), "success none: OK");
	assert_int_equal(worker_restarts(w), 1);
	/* At the end of a run nobody waits for one. */
	kill(worker_pid(w), SIGKILL);
	while (worker_pid(w))
		nap_ms(10);
	run_in_background(&b, w, 1, MODEL "good");
	nap_ms(300);
	r.cancel(r.self, &b.job);
	pthread_join(b.thread, NULL);
	result_release(&b.result);
	since = clock_mono_ms();
	stop();
	assert_true(clock_mono_ms() - since < 1500);
	unlink("shop/late");
}

static void
test_two_lost_together_are_blameless(void **state)
{
	struct worker *w = start_ready();
	struct background a, b;

	(void)state;
	run_in_background(&a, w, 0, MODEL "slow");
	run_in_background(&b, w, 1, MODEL "deaf");
	nap_ms(700);
	kill(worker_pid(w), SIGKILL);
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	assert_true(a.result.blameless);
	assert_true(b.result.blameless);
	result_release(&a.result);
	result_release(&b.result);
	stop();
}

static void
test_a_node_that_does_not_listen_costs_the_worker(void **state)
{
	struct worker *w = start_ready();
	const struct runner r = worker_runner(w);
	struct background deaf, slow;

	(void)state;
	run_in_background(&deaf, w, 0, MODEL "deaf");
	run_in_background(&slow, w, 1, MODEL "slow");
	nap_ms(500);
	r.cancel(r.self, &deaf.job);
	pthread_join(deaf.thread, NULL);
	pthread_join(slow.thread, NULL);
	assert_int_equal(deaf.result.class, CLASS_CANCELLED);
	assert_false(deaf.result.blameless);
	assert_non_null(strstr(deaf.result.message, "did not end within"));
	assert_int_equal(slow.result.class, CLASS_WORKER_LOST);
	assert_true(slow.result.blameless);
	result_release(&deaf.result);
	result_release(&slow.result);
	assert_string_equal(run(w, MODEL "good", 1), "success none: OK");
	stop();
}

static void
test_what_dbt_refuses_comes_back_whole(void **state)
{
	static const struct {
		const char *dir, *option, *value, *says;
	} rows[] = {
		{ "shop", "--target", "nowhere",
		  "The profile 'shop' does not have a target named 'nowhere'" },
		{ "shop", "--profile", "nobody", "Could not find profile named 'nobody'" },
		{ "shop", "--no-such-option", NULL, "No such option" },
		{ "broken", NULL, NULL, "depends on a node named 'nobody' which was not found" },
		{ "shop", "--profiles-dir", "nowhere",
		  "Invalid value for '--profiles-dir': Path 'nowhere' does not exist" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const more[] = { rows[i].option, rows[i].value, NULL };
		const struct worker_info *info;
		struct worker *w = start(rows[i].dir, more);

		assert_int_equal(worker_wait_parsed(w, &info, &err), -1);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("expected '%s' in: %s", rows[i].says, err.msg);
		stop();
	}
	err_release(&err);
}

static void
test_a_python_that_ends_at_once_is_reported(void **state)
{
	const char *kept = python;
	const struct worker_info *info;
	struct worker *w;

	(void)state;
	write_file("fake", "#!/bin/sh\necho no room for python >&2; exit 4\n");
	chmod("fake", 0755);
	python = "./fake";
	w = start(NULL, NULL);
	python = kept;
	assert_int_equal(worker_wait_parsed(w, &info, &err), -1);
	assert_string_equal(err.msg, "the dbt process ended with exit code 4; its last output:\n"
	    "no room for python");
	err_release(&err);
	stop();
}

static void
test_the_manifest_is_not_written_again_when_nothing_changed(void **state)
{
	const struct worker_info *info;
	struct worker *w;

	(void)state;
	w = start_ready();
	finish(w, NULL, 0);
	w = start("shop", NULL);
	assert_int_equal(worker_wait_parsed(w, &info, &err), 0);
	assert_true(info->manifest_kept);
	stop();
	write_file("shop/models/good.sql", "select 1 as id -- changed");
	w = start("shop", NULL);
	assert_int_equal(worker_wait_parsed(w, &info, &err), 0);
	assert_false(info->manifest_kept);
	stop();
	write_file("shop/models/good.sql", "select 1 as id");
}

static void
test_the_lock_is_held_until_the_worker_is_gone(void **state)
{
	const struct worker_info *info;
	const struct worker_ready *ready;
	struct worker *w = start("shop", NULL);
	struct pollfd pfd = { .events = POLLIN };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(worker_wait_parsed(w, &info, &err), 0);
	assert_int_equal(worker_begin(w, ids, NIDS, ends[1], &ready, &err), 0);
	close(ends[1]);
	pfd.fd = ends[0];
	assert_int_equal(poll(&pfd, 1, 300), 0);
	stop();
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_int_not_equal(pfd.revents & POLLHUP, 0);
	close(ends[0]);
}

static bool
is_gone(pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		char path[64], letter = 'X';
		FILE *f;

		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (f && fscanf(f, "%*d %*s %c", &letter) != 1)
			letter = 'X';
		if (f)
			fclose(f);
		if (letter == 'Z')   /* whoever adopted it is slow to reap */
			return true;
		nap_ms(100);
	}
	return false;
}

/* This program again, as one that runs a query and waits to be killed. */
static int
be_killed(int fd)
{
	struct worker *w = start_ready();
	struct background b;
	int pid = worker_pid(w);

	run_in_background(&b, w, 0, MODEL "slow");
	nap_ms(500);
	if (write(fd, &pid, sizeof(pid)) == sizeof(pid))
		pause();
	return 1;
}

static void
test_the_worker_ends_when_the_program_is_killed(void **state)
{
	int ends[2], pid = 0;
	char number[16];
	pid_t program;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(number, sizeof(number), "%d", ends[1]);
	program = fork();
	if (program == 0) {
		execl(self, self, number, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	assert_true(is_gone(pid));
	close(ends[0]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_dbt_says_what_it_resolved, end),
		cmocka_unit_test_teardown(test_nodes_run_and_hooks_see_their_results, end),
		cmocka_unit_test_teardown(
		    test_an_ephemeral_that_does_not_compile_fails_each_child, end),
		cmocka_unit_test_teardown(test_a_second_try_starts_clean, end),
		cmocka_unit_test_teardown(test_one_query_is_cancelled_alone, end),
		cmocka_unit_test_teardown(
		    test_a_killed_worker_is_replaced_and_knows_earlier_results, end),
		cmocka_unit_test_teardown(test_a_python_that_is_gone_ends_in_words, end),
		cmocka_unit_test_teardown(test_waiting_for_another_worker_can_be_cancelled, end),
		cmocka_unit_test_teardown(test_two_lost_together_are_blameless, end),
		cmocka_unit_test_teardown(test_a_node_that_does_not_listen_costs_the_worker, end),
		cmocka_unit_test_teardown(test_what_dbt_refuses_comes_back_whole, end),
		cmocka_unit_test_teardown(test_a_python_that_ends_at_once_is_reported, end),
		cmocka_unit_test_teardown(
		    test_the_manifest_is_not_written_again_when_nothing_changed, end),
		cmocka_unit_test_teardown(test_the_lock_is_held_until_the_worker_is_gone, end),
		cmocka_unit_test_teardown(test_the_worker_ends_when_the_program_is_killed, end),
	};
	int failed;

	python = getenv("HEDDLE_TEST_PYTHON");
	if (!python || !*python) {
		puts("HEDDLE_TEST_PYTHON is not set");
		return 77;
	}
	self = argv[0];
	if (argc > 1)
		return be_killed((int)strtol(argv[1], NULL, 10));
	make_project();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_release(&logged);
	return failed;
}
