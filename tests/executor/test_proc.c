#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/proc.h"
#include "util/clock.h"

static struct buf out;
static struct err err;
static const char *self;

static int
run(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct proc_options o = { .argv = argv, .keep_fd = -1 };
	int code = -1;

	buf_truncate(&out, 0);
	assert_int_equal(proc_run(&o, &code, &out, &err), 0);
	return code;
}

static void
nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void
test_exit_codes_and_signals(void **state)
{
	(void)state;
	assert_int_equal(run("exit 0"), 0);
	assert_int_equal(run("exit 7"), 7);
	assert_int_equal(run("kill -TERM $$"), 128 + SIGTERM);
}

static void
test_both_outputs_arrive_whole(void **state)
{
	(void)state;
	assert_int_equal(run("echo one; echo two >&2; echo three"), 0);
	assert_string_equal(buf_str(&out), "one\ntwo\nthree\n");
	run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done");
	assert_int_equal(out.len, 220000);
}

static void
test_a_program_that_is_not_there_is_an_error(void **state)
{
	const char *const argv[] = { "heddle-no-such-program", NULL };
	const struct proc_options o = { .argv = argv, .keep_fd = -1 };
	int code = 0;

	(void)state;
	assert_int_equal(proc_run(&o, &code, NULL, &err), -1);
	assert_string_equal(err.msg,
	    "cannot run 'heddle-no-such-program': No such file or directory");
	err_release(&err);
}

static void
test_a_child_has_null_input_own_group_and_no_stray_descriptors(void **state)
{
	int stray = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char script[256];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(script, sizeof(script), "read line; echo $?; "
	    "test \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ && echo own; "
	    "test -e /proc/$$/fd/%d && echo stray; kill -PIPE $$; echo ignored", stray);
	assert_int_equal(run(script), 128 + SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(stray);
	assert_string_equal(buf_str(&out), "1\nown\n");
}

static void
test_environment_directory_and_one_descriptor_are_given(void **state)
{
	const char *const argv[] = { "sh", "-c", "pwd; echo $A $B; cat <&3", NULL };
	const char *const env[] = { "A=new", NULL };
	int ends[2], code = -1;
	struct proc_options o = { .argv = argv, .env = env, .dir = "/" };

	(void)state;
	setenv("A", "old", 1);
	setenv("B", "kept", 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	close(ends[1]);
	o.keep_fd = ends[0];
	buf_truncate(&out, 0);
	assert_int_equal(proc_run(&o, &code, &out, &err), 0);
	close(ends[0]);
	assert_string_equal(buf_str(&out), "/\nnew kept\nhello");
}

static void
test_a_grandchild_that_keeps_the_output_is_not_waited_for(void **state)
{
	int64_t began = clock_mono_ms();

	(void)state;
	assert_int_equal(run("sleep 60 & echo started; exit 3"), 3);
	assert_string_equal(buf_str(&out), "started\n");
	assert_true(clock_mono_ms() - began < 10000);
}

static void *
signal_soon(void *arg)
{
	nap_ms(200);
	proc_signal(arg, SIGINT);
	return NULL;
}

static void
test_the_whole_group_gets_a_signal_from_another_thread(void **state)
{
	const char *const argv[] = { "sh", "-c", "sleep 60 | cat; echo never", NULL };
	const struct proc_options o = { .argv = argv, .keep_fd = -1 };
	struct proc p = PROC_INIT;
	pthread_t thread;
	int64_t began = clock_mono_ms();

	(void)state;
	assert_int_equal(proc_start(&p, &o, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, signal_soon, &p), 0);
	assert_int_equal(proc_wait(&p, NULL), 128 + SIGINT);
	pthread_join(thread, NULL);
	proc_signal(&p, SIGKILL);   /* reaped: nobody is hit */
	proc_release(&p);
	assert_true(clock_mono_ms() - began < 10000);
}

static bool
is_gone(pid_t pid)
{
	for (int i = 0; i < 300; i++) {
		char path[64], state = 'X';
		FILE *f;

		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		/* Whoever adopted it may be slow to reap: a zombie is gone as well. */
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (f && fscanf(f, "%*d %*s %c", &state) != 1)
			state = 'X';
		if (f)
			fclose(f);
		if (state == 'Z')
			return true;
		nap_ms(100);
	}
	return false;
}

/* This program again, as one that starts a child with a grandchild and waits to be killed. */
static int
be_killed(int fd)
{
	const char *const argv[] = { "sh", "-c",
		"trap '' INT TERM; sleep 61 & echo $$ $! >&3; wait; sleep 62", NULL };
	const struct proc_options o = { .argv = argv, .keep_fd = fd };
	struct proc p = PROC_INIT;

	if (proc_start(&p, &o, &err) == 0 && write(fd, "started\n", 8) == 8)
		proc_wait(&p, NULL);
	return 1;
}

static void
test_children_end_when_the_program_is_killed(void **state)
{
	int ends[2], child = 0, grandchild = 0;
	char number[16];
	pid_t program;
	FILE *f;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(number, sizeof(number), "%d", ends[1]);
	program = fork();
	if (program == 0) {
		execl(self, self, number, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	f = fdopen(ends[0], "r");
	/* The guard knows of the child when the program goes on, which may be after the child's
	 * word. */
	for (int heard = 0; heard < 2; heard++) {
		char line[64];

		assert_non_null(fgets(line, sizeof(line), f));
		if (strcmp(line, "started\n") != 0)
			assert_int_equal(sscanf(line, "%d %d", &child, &grandchild), 2);
	}
	fclose(f);
	nap_ms(1000);   /* the child may speak before its start was noted */
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	assert_true(is_gone(child));
	assert_true(is_gone(grandchild));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes_and_signals),
		cmocka_unit_test(test_both_outputs_arrive_whole),
		cmocka_unit_test(test_a_program_that_is_not_there_is_an_error),
		cmocka_unit_test(test_a_child_has_null_input_own_group_and_no_stray_descriptors),
		cmocka_unit_test(test_environment_directory_and_one_descriptor_are_given),
		cmocka_unit_test(test_a_grandchild_that_keeps_the_output_is_not_waited_for),
		cmocka_unit_test(test_the_whole_group_gets_a_signal_from_another_thread),
		cmocka_unit_test(test_children_end_when_the_program_is_killed),
	};
	int failed;

	self = argv[0];
	if (argc > 1)
		return be_killed((int)strtol(argv[1], NULL, 10));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_release(&out);
	return failed;
}
