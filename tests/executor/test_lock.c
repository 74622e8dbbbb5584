/* Runs and what they leave behind are played by forks of this program. */
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/lock.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/process.h"

static struct buf said;
static struct err err;

static void
hear(void *self, const char *level, const char *text)
{
	(void)self;
	buf_addf(&said, "%s: %s\n", level, text);
}

static int
take(const char *dir, int64_t patience_ms, int signal_fd)
{
	const struct lock_request rq = { .target_dir = dir, .command = "build",
		.patience_ms = patience_ms, .signal_fd = signal_fd, .say = hear };

	buf_truncate(&said, 0);
	err_release(&err);
	return lock_take(&rq, &err);
}

static void
nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool
gone(pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		char *mark = process_mark(pid);
		bool is_gone = !mark;

		free(mark);
		if (is_gone)
			return true;
		nap_ms(20);
	}
	return false;
}

/* What a worker is: it holds the lock, in a process group of its own, deaf to all but SIGKILL. */
static void
be_left(int fd, int tell, long live_ms, bool recorded)
{
	setpgid(0, 0);
	if (recorded)
		lock_shared_with(fd, (long)getpid());
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (write(tell, &(pid_t){ getpid() }, sizeof(pid_t)) < 0)
		_exit(3);
	close(tell);
	nap_ms(live_ms);
	_exit(0);
}

/* A run that takes the lock, leaves a process behind and is killed; the number of that process. */
static pid_t
killed_run(const char *dir, long live_ms, bool recorded)
{
	int ends[2];
	pid_t run, left = 0;

	assert_int_equal(pipe(ends), 0);
	run = fork();
	if (run == 0) {
		int fd = take(dir, 0, -1);

		if (fd < 0)
			_exit(2);
		if (fork() == 0)
			be_left(fd, ends[1], live_ms, recorded);
		close(ends[1]);
		nap_ms(60000);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &left, sizeof(left)), sizeof(left));
	close(ends[0]);
	kill(run, SIGKILL);
	assert_true(gone(run));            /* it waits to be reaped, which counts as dead */
	waitpid(run, NULL, 0);
	return left;
}

static void
test_a_living_run_is_named_and_left_alone(void **state)
{
	int fd = take("alive", 0, -1);
	int64_t since = clock_mono_ms();

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(take("alive", 60000, -1), -1);
	assert_true(clock_mono_ms() - since < 5000);
	assert_non_null(strstr(err.msg, "another run holds the target folder: heddle build, pid "));
	assert_int_equal(said.len, 0);
	lock_release(fd);
	fd = take("alive", 0, -1);
	assert_true(fd >= 0);
	lock_release(fd);
}

static void
test_what_a_killed_run_left_is_waited_for(void **state)
{
	pid_t left = killed_run("waits", 1500, true);
	int fd = take("waits", 60000, -1);
	char expected[128];

	(void)state;
	assert_true(fd >= 0);
	snprintf(expected, sizeof(expected), "info: waiting for process %d, left by a run that was killed "
	    "(heddle build", (int)left);
	assert_true(strncmp(buf_str(&said), expected, strlen(expected)) == 0);
	assert_null(strstr(buf_str(&said), "killing"));
	lock_release(fd);
}

static void
test_it_is_killed_when_it_does_not_end(void **state)
{
	pid_t left = killed_run("kills", 60000, true);
	int fd = take("kills", 300, -1);

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(strstr(buf_str(&said), "warn: killing process "));
	assert_true(gone(left));
	lock_release(fd);
}

static void
test_a_process_that_is_not_surely_ours_is_not_killed(void **state)
{
	pid_t left = killed_run("stranger", 60000, false);
	struct buf text = BUF_INIT;
	char *mark = process_mark(left);
	struct err ignored = ERR_INIT;

	(void)state;
	/* The number of the living one, of a process that started at another time. */
	assert_int_equal(fs_read("stranger/heddle.lock", &text, &ignored), 0);
	assert_non_null(mark);
	buf_addf(&text, "%d 1%s\n", (int)left, strchr(mark, ' ') + 1);
	free(mark);
	{
		int fd = open("stranger/heddle.lock", O_WRONLY | O_TRUNC);

		assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
		close(fd);
	}
	buf_release(&text);
	assert_int_equal(take("stranger", 300, -1), -1);
	assert_non_null(strstr(err.msg, "another run holds the target folder"));
	assert_null(strstr(buf_str(&said), "killing"));
	assert_int_equal(kill(left, 0), 0);
	kill(left, SIGKILL);
	assert_true(gone(left));
}

static void
test_a_signal_ends_the_wait(void **state)
{
	pid_t left = killed_run("signal", 60000, true);
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(take("signal", 60000, ends[0]), -1);
	assert_string_equal(err.msg, "interrupted");
	close(ends[0]);
	close(ends[1]);
	kill(left, SIGKILL);
	assert_true(gone(left));
}

static int
release(void **state)
{
	(void)state;
	buf_release(&said);
	err_release(&err);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_living_run_is_named_and_left_alone),
		cmocka_unit_test(test_what_a_killed_run_left_is_waited_for),
		cmocka_unit_test(test_it_is_killed_when_it_does_not_end),
		cmocka_unit_test(test_a_process_that_is_not_surely_ours_is_not_killed),
		cmocka_unit_test(test_a_signal_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
