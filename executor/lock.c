#include "executor/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/process.h"
#include "util/text.h"

#define POLL_MS 100
#define AFTER_KILL_MS 5000
#define MAX_TEXT 65536        /* of the file that is read */

/* ---- what is in the file ---- */

/* The whole of it, in lines; a holder may be writing, so what makes no sense is left out later. */
static void
read_file(int fd, struct buf *b)
{
	char piece[4096];
	ssize_t n;

	buf_truncate(b, 0);
	while (b->len < MAX_TEXT && (n = pread(fd, piece, sizeof(piece), (off_t)b->len)) > 0)
		buf_add(b, piece, (size_t)n);
}

static void
add_line(int fd, const char *line, off_t at)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s\n", line);
	if (pwrite(fd, b.data, b.len, at) < 0) {
		/* Best effort: the lock holds without it. */
	}
	buf_release(&b);
}

static off_t
end_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_size;
}

static void
sign(int fd, const char *command)
{
	char host[256] = "", iso[CLOCK_ISO_SIZE];
	struct buf b = BUF_INIT;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	clock_iso(clock_wall_us(), iso);
	buf_addf(&b, "heddle %s, pid %ld on %s, since %s", command, (long)getpid(), host, iso);
	if (ftruncate(fd, 0) == 0)
		add_line(fd, b.data, 0);
	buf_release(&b);
	lock_shared_with(fd, (long)getpid());
}

void
lock_shared_with(int fd, long pid)
{
	char *mark = fd >= 0 ? process_mark(pid) : NULL;

	if (mark)
		add_line(fd, mark, end_of(fd));
	free(mark);
}

/* ---- who holds it ---- */

struct holder {
	char *run;                /* the line for people; safe */
	struct buf text;          /* the file; lines end in NUL */
	const char *marks[64];    /* of processes that inherited it, in text */
	size_t nmarks;
	bool dead;                /* the run itself, surely */
};

static void
holder_read(struct holder *h, int fd)
{
	char *line, *end;
	bool first = true;
	long pid;

	read_file(fd, &h->text);
	free(h->run);
	h->run = NULL;
	h->nmarks = 0;
	h->dead = false;
	line = h->text.data;
	for (; line && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!h->run) {
			h->run = text_safe_line(line);
		} else if (first) {
			h->dead = process_find(line, &pid) == PROCESS_IS_DEAD;
			first = false;
		} else if (h->nmarks < sizeof(h->marks) / sizeof(h->marks[0])) {
			h->marks[h->nmarks++] = line;
		}
	}
}

static void
holder_release(struct holder *h)
{
	free(h->run);
	buf_release(&h->text);
}

/* A process of the dead run that still lives; 0: none is known. */
static long
holder_left(const struct holder *h)
{
	long pid;

	for (size_t i = 0; i < h->nmarks; i++)
		if (process_find(h->marks[i], &pid) == PROCESS_IS_ALIVE)
			return pid;
	return 0;
}

/* With all its children: it leads a process group of its own (executor/proc.h). */
static void
holder_kill(const struct holder *h)
{
	long pid;

	for (size_t i = 0; i < h->nmarks; i++)
		if (process_find(h->marks[i], &pid) == PROCESS_IS_ALIVE)
			kill((pid_t)(getpgid((pid_t)pid) == (pid_t)pid ? -pid : pid), SIGKILL);
}

static void
say_holder(const struct holder *h, const char *path, struct err *err)
{
	const char *run = h->run ? h->run : "";

	err_set(err, "%s: another run holds the target folder%s%s", path, *run ? ": " : "", run);
	err_hint(err, "wait for it to end, or use another --target-path");
}

/* ---- taking it ---- */

/* True: a signal. */
static bool
pause_or_signal(int signal_fd)
{
	struct pollfd p = { .fd = signal_fd, .events = POLLIN };

	return poll(&p, 1, POLL_MS) > 0;
}

static void
say(const struct lock_request *rq, const char *level, const char *what, long pid, const char *run)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s ", what);
	if (pid)
		buf_addf(&b, "process %ld", pid);
	else
		buf_adds(&b, "a process");
	buf_addf(&b, ", left by a run that was killed (%s)", run ? run : "");
	if (rq->say)
		rq->say(rq->self, level, b.data);
	buf_release(&b);
}

/* 0 taken, 1 held, -1 with err. */
static int
try_lock(int fd, const char *path, struct err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : err_sys(err, "%s: cannot lock", path);
}

/* The same answers, after at most ms. */
static int
try_for(int fd, const char *path, int64_t ms, int signal_fd, struct err *err)
{
	int64_t until = clock_mono_ms() + ms;
	int rc;

	while ((rc = try_lock(fd, path, err)) > 0 && clock_mono_ms() < until)
		if (pause_or_signal(signal_fd))
			return err_set(err, "interrupted");
	return rc;
}

/* The holder writes who it is a moment after it got the lock; then it is alive, and told so. */
static int
wait_for_left(const struct lock_request *rq, int fd, const char *path, struct err *err)
{
	struct holder h = { .text = BUF_INIT };
	int rc = 1;

	holder_read(&h, fd);
	if (h.dead) {
		say(rq, "info", "waiting for", holder_left(&h), h.run);
		rc = try_for(fd, path, rq->patience_ms ? rq->patience_ms : LOCK_PATIENCE_MS,
		    rq->signal_fd, err);
		if (rc > 0)
			holder_read(&h, fd);   /* somebody else may have taken it meanwhile */
	}
	if (rc > 0 && h.dead && holder_left(&h)) {
		say(rq, "warn", "killing", holder_left(&h), h.run);
		holder_kill(&h);
		rc = try_for(fd, path, AFTER_KILL_MS, rq->signal_fd, err);
	}
	if (rc > 0)
		say_holder(&h, path, err);
	holder_release(&h);
	return rc ? -1 : 0;
}

int
lock_take(const struct lock_request *rq, struct err *err)
{
	char *path = fs_join(rq->target_dir, "heddle.lock");
	int fd = -1, rc = -1;

	if (fs_mkdirs(rq->target_dir, err) < 0)
		goto out;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_sys(err, "%s: cannot open", path);
		goto out;
	}
	rc = try_lock(fd, path, err);
	if (rc > 0)
		rc = wait_for_left(rq, fd, path, err);
	if (rc == 0)
		sign(fd, rq->command);
out:
	if (rc < 0) {
		lock_release(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

void
lock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
