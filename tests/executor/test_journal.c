/* fdatasync() is replaced here: it counts, and fails when told to. */
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/journal.h"
#include "tests/tiny.h"
#include "util/clock.h"
#include "util/fs.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* guards all below */
static unsigned nsyncs;
static int64_t synced_ms;
static pthread_t syncer;
static int sync_errno;

int
fdatasync(int fd)
{
	int rc;

	(void)fd;
	pthread_mutex_lock(&lock);
	nsyncs++;
	synced_ms = clock_mono_ms();
	syncer = pthread_self();
	rc = sync_errno ? -1 : 0;
	pthread_mutex_unlock(&lock);
	errno = sync_errno;
	return rc;
}

static struct err err;
static struct graph *graph;
static struct plan *plan;

static struct journal *
new_journal(const char *dir, const char *run_id)
{
	const struct journal_head head = { run_id, "2026-01-31T09:30:00Z",
	    "{\"command\": \"build\"}" };
	struct journal *j = journal_new(dir, &head, &err);

	if (!j || journal_publish(j, &err) < 0)
		fail_msg("%s", err.msg);
	return j;
}

/* One step of a task, as the scheduler tells it. */
static int
tell(struct journal *j, const char *name, enum task_state from, enum task_state to)
{
	char entry[] = "{\"status\": \"success\", \"n\": 1}", why[] = "because";
	struct run_task t = { .task = plan_find(plan, tiny_node(graph, name)), .attempts = 1 };
	struct run_event ev = { .kind = EVENT_TASK, .at_ms = 7, .task = &t, .from = from,
	    .to = to };
	struct observer o = journal_observer(j);

	t.state = to;
	t.entry = to == TASK_DONE ? entry : NULL;
	t.why = to == TASK_SKIPPED ? why : NULL;
	return o.event(o.self, &ev, &err);
}

static void
run_one(struct journal *j, const char *name)
{
	assert_int_equal(tell(j, name, TASK_READY, TASK_RUNNING), 0);
	assert_int_equal(tell(j, name, TASK_RUNNING, TASK_DONE), 0);
}

static const struct journal_node *
node(const struct journal_run *run, const char *id)
{
	const struct journal_node *n = map_get(&run->by_id, id);

	assert_non_null(n);
	return n;
}

static void
read_back(struct journal_run *run, const char *path)
{
	if (journal_read(run, path, &err) < 0)
		fail_msg("%s", err.msg);
}

static void
test_what_was_told_is_read(void **state)
{
	struct journal *j = new_journal("told", "run-1");
	struct journal_run run;

	(void)state;
	run_one(j, "a");
	assert_int_equal(tell(j, "b", TASK_READY, TASK_RUNNING), 0);
	assert_int_equal(tell(j, "c", TASK_WAITING, TASK_SKIPPED), 0);
	read_back(&run, journal_path(j));             /* as after kill -9: nothing is held back */
	assert_string_equal(run.run_id, "run-1");
	assert_string_equal(run.since, "2026-01-31T09:30:00Z");
	assert_string_equal(run.settings, "{\"command\":\"build\"}");
	assert_int_equal(run.nnodes, 3);
	assert_string_equal(node(&run, "model.p.a")->status, "success");
	assert_string_equal(node(&run, "model.p.a")->entry, "{\"status\":\"success\",\"n\":1}");
	assert_false(node(&run, "model.p.a")->running);
	assert_true(node(&run, "model.p.b")->running);
	assert_true(node(&run, "model.p.c")->skipped);
	assert_string_equal(node(&run, "model.p.c")->why, "because");
	assert_false(run.ended);
	journal_run_release(&run);
	assert_int_equal(journal_end(j, 1, &err), 0);
	read_back(&run, journal_path(j));
	assert_true(run.ended);
	assert_int_equal(run.exit_code, 1);
	journal_run_release(&run);
	journal_free(j);
}

static void
put(const char *path, const char *text)
{
	assert_int_equal(fs_mkdirs("files", &err), 0);
	assert_int_equal(fs_replace(path, text, strlen(text), 0600, &err), 0);
}

#define HEAD "{\"journal\": 1, \"started_ms\": 5, \"run\": \"r\", \"settings\": {}}\n"

static void
test_a_cut_line_is_dropped_and_a_broken_one_refused(void **state)
{
	struct journal_run run;

	(void)state;
	put("files/cut.journal",
	    HEAD "{\"t\": 6, \"id\": \"x\", \"try\": 1, \"to\": \"running\"}\n{\"t\": 7, \"id");
	read_back(&run, "files/cut.journal");
	assert_true(run.torn);
	assert_true(node(&run, "x")->running);
	journal_run_release(&run);
	put("files/broken.journal", HEAD "{\"t\": 6, \"id\n{\"t\": 7}\n");
	assert_int_equal(journal_read(&run, "files/broken.journal", &err), -1);
	assert_string_equal(err.msg, "files/broken.journal: line 2: not a JSON object");
	journal_run_release(&run);
	put("files/later.journal", "{\"journal\": 2}\n");
	assert_int_equal(journal_read(&run, "files/later.journal", &err), -1);
	assert_string_equal(err.msg,
	    "files/later.journal: journal version 2; this heddle reads version 1");
	journal_run_release(&run);
	err_release(&err);
}

static void
test_a_full_disk_is_an_error_and_leaves_whole_lines(void **state)
{
	struct journal *j = new_journal("full", "run-2");
	struct rlimit was, limit;
	struct journal_run run;
	struct buf b = BUF_INIT;

	(void)state;
	run_one(j, "a");
	assert_int_equal(fs_read(journal_path(j), &b, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = b.len + 20;                  /* half a line */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(tell(j, "b", TASK_READY, TASK_RUNNING), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_non_null(strstr(err.msg, ": cannot write the journal: File too large"));
	assert_non_null(strstr(err.hint, "nothing new is started"));
	err_release(&err);
	assert_int_equal(tell(j, "c", TASK_READY, TASK_RUNNING), 0);      /* there is room again */
	read_back(&run, journal_path(j));
	assert_int_equal(run.nnodes, 2);
	assert_false(run.torn);
	assert_true(node(&run, "model.p.c")->running);
	journal_run_release(&run);
	journal_free(j);
	buf_release(&b);
}

static void
nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static unsigned
count_syncs(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = nsyncs;
	pthread_mutex_unlock(&lock);
	return n;
}

static void
fail_syncs(int with)
{
	pthread_mutex_lock(&lock);
	sync_errno = with;
	pthread_mutex_unlock(&lock);
}

static void
wait_for_sync(unsigned past)
{
	for (int i = 0; i < 500 && count_syncs() <= past; i++)
		nap_ms(10);
	assert_true(count_syncs() > past);
}

/* By a thread of its own, in groups, soon; and the end of the run is synced when it returns. */
static void
test_lines_are_synced_in_groups(void **state)
{
	struct journal *j = new_journal("synced", "run-3");
	unsigned before, after;
	int64_t began, took;

	(void)state;
	wait_for_sync(1);                             /* when it was published; the first line's */
	before = count_syncs();
	began = clock_mono_ms();
	for (int i = 0; i < 500; i++)
		run_one(j, "a");
	took = clock_mono_ms() - began;
	wait_for_sync(before);
	nap_ms(2 * JOURNAL_SYNC_MS);
	after = count_syncs();
	assert_true((int64_t)(after - before) <= took / JOURNAL_SYNC_MS + 3);   /* not one a line */
	pthread_mutex_lock(&lock);
	assert_false(pthread_equal(syncer, pthread_self()));
	pthread_mutex_unlock(&lock);
	nap_ms(4 * JOURNAL_SYNC_MS);
	assert_int_equal(count_syncs(), after);       /* nothing new, nothing to do */
	assert_int_equal(journal_end(j, 0, &err), 0);
	assert_true(count_syncs() > after);
	journal_free(j);
}

static void
test_a_failed_sync_is_a_failed_write(void **state)
{
	struct journal *j;
	unsigned before = count_syncs();

	(void)state;
	fail_syncs(EINVAL);                           /* a file system that cannot: no harm */
	j = new_journal("unsynced", "run-4");
	wait_for_sync(before + 1);
	run_one(j, "a");
	before = count_syncs();
	fail_syncs(EIO);
	wait_for_sync(before);
	nap_ms(50);
	assert_int_equal(tell(j, "b", TASK_READY, TASK_RUNNING), -1);
	assert_non_null(strstr(err.msg, ": cannot write the journal: Input/output error"));
	fail_syncs(0);
	err_release(&err);
	journal_free(j);
}

/* A run in another process, which ends by itself or is killed. Returns its journal's path. */
static char *
other_run(const char *dir, const char *run_id, bool ends)
{
	char *path = NULL, **paths;
	pid_t pid = fork();
	size_t n;

	if (pid == 0) {
		struct journal *j = new_journal(dir, run_id);

		run_one(j, "a");
		if (ends)
			journal_end(j, 0, &err);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	n = journal_list(dir, &paths);
	assert_true(n > 0);
	path = strdup(paths[0]);
	journal_list_free(paths, n);
	return path;
}

static void
ids_are(const char *dir, const char *also, const char *expected)
{
	char **ids = journal_killed_runs(dir, also);
	struct buf b = BUF_INIT;

	for (size_t i = 0; ids[i]; i++) {
		buf_addf(&b, "%s ", ids[i]);
		free(ids[i]);
	}
	free(ids);
	assert_string_equal(buf_str(&b), expected);
	buf_release(&b);
}

static void
test_killed_runs_are_known(void **state)
{
	struct journal *j;
	char *path, *id;

	(void)state;
	ids_are("killed", NULL, "");
	free(other_run("killed", "run-5", true));
	path = other_run("killed", "run-6", false);
	j = new_journal("killed", "run-7");                          /* alive: ourselves */
	ids_are("killed", NULL, "run-6 ");
	ids_are("killed", "run-0", "run-0 run-6 ");
	assert_true(journal_is_open(journal_path(j)));
	assert_false(journal_is_open(path));
	id = journal_run_id(path);
	assert_string_equal(id, "run-6");
	free(id);
	free(path);
	journal_free(j);
}

static void
test_old_ones_go_but_not_those_under_way(void **state)
{
	struct journal *first = new_journal("pruned", "run-8");
	char **paths;
	size_t n;

	(void)state;
	for (int i = 0; i < JOURNAL_KEEP + 3; i++) {
		nap_ms(2);
		free(other_run("pruned", "other", true));
	}
	n = journal_list("pruned", &paths);
	assert_int_equal(n, JOURNAL_KEEP + 1);
	assert_string_equal(paths[n - 1], journal_path(first));
	journal_list_free(paths, n);
	journal_free(first);
}

/* Else the run before, which knows less, would be continued. */
static void
test_a_clock_set_back_does_not_hide_the_newest(void **state)
{
	struct journal *j;
	char **paths;
	size_t n;

	(void)state;
	assert_int_equal(fs_mkdirs("clock", &err), 0);
	assert_int_equal(fs_replace("clock/20991231T235959.999-99.journal", HEAD, strlen(HEAD),
	    0600, &err), 0);
	for (int i = 0; i < 2; i++) {
		j = new_journal("clock", "run-9");
		n = journal_list("clock", &paths);
		assert_int_equal(n, 2 + i);
		assert_string_equal(paths[0], journal_path(j));
		journal_list_free(paths, n);
		journal_free(j);
	}
	n = journal_list("clock", &paths);
	assert_true(strncmp(paths[1], "clock/21000101T000000.000-", 26) == 0);
	assert_true(strncmp(paths[0], "clock/21000101T000000.001-", 26) == 0);
	journal_list_free(paths, n);
}

static int
set_up(void **state)
{
	(void)state;
	graph = tiny_graph("model a\nmodel b\nmodel c: b\n");
	plan = tiny_plan(graph, PLAN_BUILD, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	plan_free(plan);
	graph_free(graph);
	err_release(&err);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_told_is_read),
		cmocka_unit_test(test_a_cut_line_is_dropped_and_a_broken_one_refused),
		cmocka_unit_test(test_a_full_disk_is_an_error_and_leaves_whole_lines),
		cmocka_unit_test(test_lines_are_synced_in_groups),
		cmocka_unit_test(test_a_failed_sync_is_a_failed_write),
		cmocka_unit_test(test_killed_runs_are_known),
		cmocka_unit_test(test_old_ones_go_but_not_those_under_way),
		cmocka_unit_test(test_a_clock_set_back_does_not_hide_the_newest),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
