#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/events.h"
#include "util/fs.h"

static struct err err;

/* The file without its times. */
static char *
lines_of(const char *path)
{
	struct buf b = BUF_INIT;
	char *at;

	assert_int_equal(fs_read(path, &b, &err), 0);
	for (char *s = b.data; (at = strstr(s, "\"at\": \"")); s = at + 1) {
		char *end = strchr(at + 7, '"');

		memmove(at + 7, end, strlen(end) + 1);
	}
	return b.data;
}

static void
write_some(struct events *e)
{
	events_log(e, 0, "model.shop.a", "warn", "two\nlines, \"quoted\" \x1b[31m");
	events_log(e, 0, NULL, "info", "of the run");
	events_hook(e, 0, "operation.shop.h", RESULT_ERROR, "boom");
}

#define EXPECTED \
	"{\"event\": \"log\", \"at\": \"\", \"level\": \"warn\", " \
	    "\"unique_id\": \"model.shop.a\", " \
	"\"message\": \"two\\nlines, \\\"quoted\\\" \\u001b[31m\"}\n" \
	"{\"event\": \"log\", \"at\": \"\", \"level\": \"info\", \"message\": \"of the run\"}\n" \
	"{\"event\": \"hook\", \"at\": \"\", \"unique_id\": \"operation.shop.h\", " \
	    "\"status\": \"error\", " \
	"\"message\": \"boom\"}\n"

static void
test_a_file_is_made_anew_and_private(void **state)
{
	struct events *e;
	struct stat st;
	char *lines;

	(void)state;
	assert_int_equal(fs_replace("events", "old", 3, 0600, &err), 0);
	e = events_open("events", &err);
	assert_non_null(e);
	write_some(e);
	assert_int_equal(events_failed(e), 0);
	events_free(e);
	lines = lines_of("events");
	assert_string_equal(lines, EXPECTED);
	free(lines);
	assert_int_equal(stat("events", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
test_a_descriptor_stays_open_and_is_not_inherited(void **state)
{
	int fd = open("given", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char number[16], *lines;
	struct events *e;

	(void)state;
	snprintf(number, sizeof(number), "%d", fd);
	e = events_open(number, &err);
	assert_non_null(e);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	write_some(e);
	events_free(e);
	assert_int_equal(close(fd), 0);
	lines = lines_of("given");
	assert_string_equal(lines, EXPECTED);
	free(lines);
}

static void
test_what_cannot_be_opened_is_an_error(void **state)
{
	(void)state;
	assert_null(events_open("999", &err));
	assert_string_equal(err.msg, "--events 999: cannot write there: Bad file descriptor");
	assert_null(events_open("no/such/folder", &err));
	assert_string_equal(err.msg,
	    "--events no/such/folder: cannot write there: No such file or directory");
	err_release(&err);
}

static void
test_a_full_disk_ends_the_events_alone(void **state)
{
	struct events *e = events_open("/dev/full", &err);

	(void)state;
	if (!e) {
		err_release(&err);
		skip();
	}
	write_some(e);
	assert_int_equal(events_failed(e), ENOSPC);
	assert_int_equal(events_failed(e), 0);
	write_some(e);
	assert_int_equal(events_failed(e), 0);
	events_free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_made_anew_and_private),
		cmocka_unit_test(test_a_descriptor_stays_open_and_is_not_inherited),
		cmocka_unit_test(test_what_cannot_be_opened_is_an_error),
		cmocka_unit_test(test_a_full_disk_ends_the_events_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
