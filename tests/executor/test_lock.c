/* Runs and what they leave behind are played by forks of this program. */
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
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

enum left_kind {
	LEFT_WORKER,        /* it recorded itself, and is deaf to all but SIGKILL */
	LEFT_UNRECORDED,    /* it is not */
	LEFT_CHILD,         /* not recorded, and ends at SIGINT, with code 130 */
};

static void
on_interrupt(int signo)
{
	(void)signo;
	_exit(130);
}

/* It holds the lock, in a process group of its own. */
static void
be_left(int fd, int tell, long live_ms, enum left_kind kind)
{
	setpgid(0, 0);
	if (kind == LEFT_WORKER)
		lock_shared_with(fd, (long)getpid());
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, kind == LEFT_CHILD ? on_interrupt : SIG_IGN);
	if (write(tell, &(pid_t){ getpid() }, sizeof(pid_t)) < 0)
		_exit(3);
	close(tell);
	nap_ms(live_ms);
	_exit(0);
}

/* A run that takes the lock, leaves a process behind and is killed; the number of that process. */
static pid_t
killed_run(const char *dir, long live_ms, enum left_kind kind)
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
			be_left(fd, ends[1], live_ms, kind);
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
	pid_t left = killed_run("waits", 1500, LEFT_WORKER);
	int fd = take("waits", 60000, -1);
	char expected[128];

	(void)state;
	assert_true(fd >= 0);
	snprintf(expected, sizeof(expected),
	    "info: waiting for process %d, left by a run that was killed "
	    "(heddle build", (int)left);
	assert_true(strncmp(buf_str(&said), expected, strlen(expected)) == 0);
	assert_null(strstr(buf_str(&said), "killing"));
	lock_release(fd);
}

static void
test_it_is_killed_when_it_does_not_end(void **state)
{
	pid_t left = killed_run("kills", 60000, LEFT_WORKER);
	int fd = take("kills", 300, -1);

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(strstr(buf_str(&said), "warn: killing process "));
	assert_true(gone(left));
	lock_release(fd);
}

/* Who inherited the lock is found by that, where the system tells. */
static void
test_what_was_not_recorded_is_ended_too(void **state)
{
	pid_t left = killed_run("child", 60000, LEFT_CHILD), deaf;
	int fd = take("child", 900, -1);

	(void)state;
#ifdef __linux__
	assert_true(fd >= 0);
	assert_null(strstr(buf_str(&said), "killing"));      /* SIGINT was enough */
	assert_true(gone(left));
	lock_release(fd);
	deaf = killed_run("deaf", 60000, LEFT_UNRECORDED);
	fd = take("deaf", 300, -1);
	assert_true(fd >= 0);
	assert_non_null(strstr(buf_str(&said), "warn: killing process "));
	assert_true(gone(deaf));
	lock_release(fd);
#else
	(void)deaf;
	assert_int_equal(fd, -1);
	kill(left, SIGKILL);
#endif
}

/* The number of a living process that started at another time, and does not hold the lock. */
static void
test_a_process_that_is_not_surely_ours_is_not_killed(void **state)
{
	pid_t stranger = fork(), left;
	char *mark;
	int fd;

	(void)state;
	if (stranger == 0) {
		nap_ms(60000);
		_exit(0);
	}
	left = killed_run("stranger", 60000, LEFT_WORKER);
	mark = process_mark(stranger);
	assert_non_null(mark);
	{
		struct buf text = BUF_INIT;

		buf_addf(&text, "%d 1%s\n", (int)stranger, strchr(mark, ' ') + 1);
		fd = open("stranger/heddle.lock", O_WRONLY | O_APPEND);
		assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
		close(fd);
		buf_release(&text);
	}
	free(mark);
	fd = take("stranger", 300, -1);
	assert_true(fd >= 0);
	assert_true(gone(left));
	nap_ms(50);
	assert_int_equal(kill(stranger, 0), 0);
	assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
	lock_release(fd);
}

/* What the dead run left ended, and another run was quicker than we; it has yet to say who it
 * is. */
static void
test_a_run_that_has_just_begun_is_not_killed(void **state)
{
	pid_t left = killed_run("quick", 300, LEFT_WORKER), other = fork();

	(void)state;
	if (other == 0) {
		int fd = open("quick/heddle.lock", O_RDWR);

		while (flock(fd, LOCK_EX | LOCK_NB) < 0)
			nap_ms(1);
		nap_ms(60000);
		_exit(0);
	}
	assert_int_equal(take("quick", 1500, -1), -1);
	assert_non_null(strstr(err.msg, "another run holds the target folder"));
	assert_null(strstr(buf_str(&said), "killing"));
	assert_true(gone(left));
	assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

static void
test_what_outlives_the_end_of_a_run_holds_nothing(void **state)
{
	int fd = take("daemon", 0, -1), again;
	pid_t left = fork();

	(void)state;
	if (left == 0) {
		nap_ms(60000);
		_exit(0);
	}
	lock_release(fd);
	again = take("daemon", 0, -1);
	assert_true(again >= 0);
	assert_int_equal(said.len, 0);
	lock_release(again);
	kill(left, SIGKILL);
	waitpid(left, NULL, 0);
}

static void
test_a_signal_ends_the_wait(void **state)
{
	pid_t left = killed_run("signal", 60000, LEFT_WORKER);
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
		cmocka_unit_test(test_what_was_not_recorded_is_ended_too),
		cmocka_unit_test(test_a_process_that_is_not_surely_ours_is_not_killed),
		cmocka_unit_test(test_a_run_that_has_just_begun_is_not_killed),
		cmocka_unit_test(test_what_outlives_the_end_of_a_run_holds_nothing),
		cmocka_unit_test(test_a_signal_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
