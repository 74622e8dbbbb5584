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

/* ---- what a dead run left ---- */

struct left {
	long pids[64];
	size_t n;
};

static bool
is_in(const struct left *l, long pid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->pids[i] == pid)
			return true;
	return false;
}

/* Of the processes that live those it recorded, and those that hold the lock at this moment. */
static void
left_find(struct left *l, const struct holder *h, int fd)
{
	const size_t most = sizeof(l->pids) / sizeof(l->pids[0]);
	long pid;

	l->n = process_lock_holders(fd, l->pids, most);
	for (size_t i = 0; i < h->nmarks && l->n < most; i++)
		if (process_find(h->marks[i], &pid) == PROCESS_IS_ALIVE && !is_in(l, pid))
			l->pids[l->n++] = pid;
}

/* Another run may have the lock by now, and not have said so yet: it was not there `before`. Its
 * children go with it: it leads a process group of its own (executor/proc.h). Who was signalled,
 * the first of them; 0: nobody is left. */
static long
left_signal(const struct left *before, const struct holder *h, int fd, int signo)
{
	struct left now;
	long first = 0;

	left_find(&now, h, fd);
	for (size_t i = 0; i < now.n; i++) {
		pid_t pid = (pid_t)now.pids[i];

		if (!is_in(before, pid))
			continue;
		kill(getpgid(pid) == pid ? -pid : pid, signo);
		first = first ? first : pid;
	}
	return first;
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

/* It had its time to end by itself; as try_for(). */
static int
end_left(const struct lock_request *rq, int fd, const char *path, struct holder *h,
    const struct left *left, struct err *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGKILL };
	const int64_t third_ms = (rq->patience_ms ? rq->patience_ms : LOCK_PATIENCE_MS) / 3;
	int rc = try_for(fd, path, third_ms, rq->signal_fd, err);

	for (size_t i = 0; rc > 0 && i < sizeof(signals) / sizeof(signals[0]); i++) {
		bool last = signals[i] == SIGKILL;
		long pid;

		holder_read(h, fd);   /* somebody else may have taken it meanwhile */
		pid = h->dead ? left_signal(left, h, fd, signals[i]) : 0;
		if (!pid)
			return rc;
		if (last)
			say(rq, "warn", "killing", pid, h->run);
		rc = try_for(fd, path, last ? AFTER_KILL_MS : third_ms, rq->signal_fd, err);
	}
	return rc;
}

/* The holder writes who it is a moment after it got the lock; then it is alive, and told so. */
static int
wait_for_left(const struct lock_request *rq, int fd, const char *path, struct err *err)
{
	struct holder h = { .text = BUF_INIT };
	struct left left = { .n = 0 };
	int rc = 1;

	holder_read(&h, fd);
	if (h.dead) {
		left_find(&left, &h, fd);
		say(rq, "info", "waiting for", left.n ? left.pids[0] : 0, h.run);
		rc = end_left(rq, fd, path, &h, &left, err);
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
	if (fd < 0)
		return;
	flock(fd, LOCK_UN);
	close(fd);
}
