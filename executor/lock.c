#include "executor/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"

#define POLL_MS 100

static void
say_holder(int fd, const char *path, struct err *err)
{
	char text[512];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *line;

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	line = text_safe_line(text);
	err_set(err, "%s: another run holds the target folder%s%s", path, *line ? ": " : "", line);
	err_hint(err, "wait for it to end, or use another --target-path");
	free(line);
}

/* What the next one is told. Best effort: the lock holds without it. */
static void
sign(int fd, const char *command)
{
	char host[256] = "", iso[CLOCK_ISO_SIZE];
	struct buf b = BUF_INIT;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	clock_iso(clock_wall_us(), iso);
	buf_addf(&b, "heddle %s, pid %ld on %s, since %s\n", command, (long)getpid(), host, iso);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, b.data, b.len, 0) < 0) {
	}
	buf_release(&b);
}

int
lock_take(const char *target_dir, const char *command, long long wait_ms, struct err *err)
{
	int64_t until = clock_mono_ms() + wait_ms;
	char *path = fs_join(target_dir, "heddle.lock");
	int fd = -1;

	if (fs_mkdirs(target_dir, err) < 0)
		goto out;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_sys(err, "%s: cannot open", path);
		goto out;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

		if (errno == EWOULDBLOCK && clock_mono_ms() < until) {
			nanosleep(&pause, NULL);
			continue;
		}
		if (errno == EWOULDBLOCK)
			say_holder(fd, path, err);
		else
			err_sys(err, "%s: cannot lock", path);
		close(fd);
		fd = -1;
		goto out;
	}
	sign(fd, command);
out:
	free(path);
	return fd;
}

void
lock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
