#include "tests/check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/process.h"

static pid_t
start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void
is_found(const char *mark, enum process_found expected, long expected_pid)
{
	long pid = -1;

	assert_int_equal(process_find(mark, &pid), expected);
	assert_int_equal(pid, expected_pid);
}

static void
test_a_living_process_is_found_until_it_dies(void **state)
{
	pid_t pid = start_sleeper();
	char *mark = process_mark(pid);
	siginfo_t info;

	(void)state;
	assert_non_null(mark);
	is_found(mark, PROCESS_IS_ALIVE, pid);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	is_found(mark, PROCESS_IS_DEAD, pid);      /* not reaped yet */
	waitpid(pid, NULL, 0);
	is_found(mark, PROCESS_IS_DEAD, pid);
	assert_null(process_mark(pid));
	free(mark);
}

static void
test_the_same_number_is_not_the_same_process(void **state)
{
	char *mark = process_mark(getpid()), other[4096];

	(void)state;
	snprintf(other, sizeof(other), "%ld 1%s", (long)getpid(), strchr(mark, ' ') + 1);
	is_found(other, PROCESS_IS_DEAD, getpid());
	snprintf(other, sizeof(other), "%s-other", mark);      /* the same start, another program */
	is_found(other, PROCESS_IS_DEAD, getpid());
	free(mark);
}

/* An upgrade in mid-run: whoever takes the run for dead would kill what it started. */
static void
test_a_process_outlives_its_program_file(void **state)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	int ends[2], status;
	char *mark;
	pid_t pid;

	(void)state;
	assert_int_equal(fs_read("/bin/cat", &b, &err), 0);
	assert_int_equal(fs_replace("program", b.data, b.len, 0700, &err), 0);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[0], 0);
		close(ends[1]);
		execl("./program", "program", "-", "/dev/null", NULL);
		_exit(127);
	}
	close(ends[0]);
	/* Until it is no longer ourselves; "-" where the system names no programs. */
	while ((mark = process_mark(pid)) && !strstr(mark, "/program") && !strstr(mark, " -")) {
		free(mark);
		usleep(1000);
	}
	assert_non_null(mark);
	assert_int_equal(unlink("program"), 0);
	is_found(mark, PROCESS_IS_ALIVE, pid);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	is_found(mark, PROCESS_IS_DEAD, pid);
	free(mark);
	buf_release(&b);
}

static void
test_other_places_and_nonsense_tell_nothing(void **state)
{
	char *mark = process_mark(getpid()), other[4096];
	char *place = strchr(strchr(mark, ' ') + 1, ' ') + 1;

	(void)state;
	snprintf(other, sizeof(other), "%.*sx%s", (int)(place - mark), mark, place);
	is_found(other, PROCESS_IS_ELSEWHERE, 0);
	is_found("", PROCESS_IS_ELSEWHERE, 0);
	is_found("4711", PROCESS_IS_ELSEWHERE, 0);
	is_found("-1 2 3 4", PROCESS_IS_ELSEWHERE, 0);
	is_found("heddle build, pid 4711 on here", PROCESS_IS_ELSEWHERE, 0);
	free(mark);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_living_process_is_found_until_it_dies),
		cmocka_unit_test(test_the_same_number_is_not_the_same_process),
		cmocka_unit_test(test_a_process_outlives_its_program_file),
		cmocka_unit_test(test_other_places_and_nonsense_tell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
