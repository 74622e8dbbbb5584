#include "executor/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/proc.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	PROTOCOL = 1,
	TAIL_BYTES = 4096,       /* of the output, kept for the epitaph */
	AFTER_END_MS = 300,      /* for output that is still on its way when the socket has ended */
};

/* Python's module path gets rid of the project folder before anything is imported: a queue.py
 * there is not ours. The package follows over the socket, each file behind a line `NAME BYTES`
 * (see the Makefile); argv shows the length of all alone. */
static const char bootstrap[] =
    "import sys\n"
    "sys.path[:] = [p for p in sys.path if p]\n"
    "import importlib.abc, importlib.util, socket\n"
    "control = socket.socket(fileno=3)\n"
    "rest, sources = control.recv(int(sys.argv[1]), socket.MSG_WAITALL), {}\n"
    "while rest:\n"
    "    head, rest = rest.split(b'\\n', 1)\n"
    "    name, size = head.decode().split()\n"
    "    name = ('dbt_worker.' + name).replace('.__init__', '')\n"
    "    sources[name], rest = rest[:int(size)].decode(), rest[int(size):]\n"
    "class Embedded(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):\n"
    "    def find_spec(self, name, path, target=None):\n"
    "        return importlib.util.spec_from_loader(name, self) if name in sources else None\n"
    "    def is_package(self, name):\n"
    "        return name == 'dbt_worker'\n"
    "    def get_source(self, name):\n"
    "        return sources[name]\n"
    "sys.meta_path.insert(0, Embedded())\n"
    "from dbt_worker.main import main\n"
    "main(control)\n";

static const unsigned char package[] = {
#include "executor/dbt_worker.inc"
};

struct worker_process {
	struct process_options o;
	struct proc proc;
	int control;
	int poke[2];             /* a byte wakes the reading thread */
	int wake[2];             /* a byte wakes the waiting thread: the stage changed */
	pthread_t reader;
	bool reading;

	pthread_mutex_t send_lock;   /* one message at a time */

	pthread_mutex_t lock;    /* guards all below */
	pthread_cond_t gone;     /* ended became true */
	enum process_stage stage;
	cJSON *messages[NPROCESS_STAGES];
	struct buf tail;         /* the last output */
	bool ended;
	int code;
};

static void
poke(int fd)
{
	while (write(fd, "", 1) < 0 && errno == EINTR)
		;   /* a full pipe is as good: whoever reads it will wake */
}

static void
drain(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}

static int
open_pipe(int ends[2])
{
	if (pipe(ends) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(ends[i], F_SETFD, FD_CLOEXEC);
		fcntl(ends[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static void
reach(struct worker_process *p, enum process_stage stage, cJSON *message)
{
	pthread_mutex_lock(&p->lock);
	if (p->stage < PROCESS_DONE) {
		p->stage = stage;
		cJSON_Delete(p->messages[stage]);
		p->messages[stage] = message;
		message = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	cJSON_Delete(message);
	poke(p->wake[1]);
}

static const char *
text_of(const cJSON *message, const char *field)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, field));
}

static void
take_message(struct worker_process *p, const char *line)
{
	static const struct {
		const char *name;
		enum process_stage stage;
	} stages[] = {
		{ "parsed", PROCESS_PARSED },
		{ "ready", PROCESS_READY },
		{ "done", PROCESS_DONE },
		{ "failed", PROCESS_FAILED },
	};
	cJSON *message = cJSON_Parse(line);
	const char *ev = text_of(message, "ev");

	if (ev && strcmp(ev, "log") == 0) {
		const char *text = text_of(message, "text");

		if (text && p->o.log)
			p->o.log(p->o.self, text_of(message, "id"), text_of(message, "level"),
			    text_of(message, "code"), text);
	}
	for (size_t i = 0; ev && i < sizeof(stages) / sizeof(stages[0]); i++) {
		if (strcmp(ev, stages[i].name) == 0) {
			reach(p, stages[i].stage, message);
			return;
		}
	}
	cJSON_Delete(message);   /* "hello", or one of a later protocol */
}

static void
take_output(struct worker_process *p, const char *line)
{
	if (text_is_blank(line))
		return;
	pthread_mutex_lock(&p->lock);
	buf_adds(&p->tail, line);
	buf_addc(&p->tail, '\n');
	if (p->tail.len > 2 * TAIL_BYTES) {
		memmove(p->tail.data, p->tail.data + p->tail.len - TAIL_BYTES, TAIL_BYTES);
		buf_truncate(&p->tail, TAIL_BYTES);
	}
	pthread_mutex_unlock(&p->lock);
	if (p->o.log)
		p->o.log(p->o.self, NULL, "info", "output", line);
}

/* Hands on every whole line. False at the end of file. */
static bool
take_lines(struct worker_process *p, int fd, struct buf *rest,
    void (*take)(struct worker_process *, const char *))
{
	char piece[65536];
	ssize_t n = read(fd, piece, sizeof(piece));
	char *line, *end;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0) {
		if (rest->len)
			take(p, buf_str(rest));
		return false;
	}
	buf_add(rest, piece, (size_t)n);
	line = rest->data;
	while ((end = memchr(line, '\n', rest->len - (size_t)(line - rest->data)))) {
		*end = '\0';
		take(p, line);
		line = end + 1;
	}
	n = line - rest->data;
	memmove(rest->data, line, rest->len - (size_t)n);
	buf_truncate(rest, rest->len - (size_t)n);
	return true;
}

/* Until both ends of file; not for long after the socket's: a grandchild may hold the output. */
static void
read_all(struct worker_process *p)
{
	struct buf control = BUF_INIT, output = BUF_INIT;
	struct pollfd fds[] = {
		{ .fd = p->control, .events = POLLIN },
		{ .fd = p->proc.out, .events = POLLIN },
		{ .fd = p->poke[0], .events = POLLIN },
	};
	int64_t next_ms = -1;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		int64_t timeout_ms = fds[0].fd < 0 ? AFTER_END_MS : next_ms;
		int n = poll(fds, 3, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);

		if (n < 0)
			continue;
		if (n == 0 && fds[0].fd < 0)
			break;
		if (fds[2].revents)
			drain(p->poke[0]);
		if (fds[0].fd >= 0 && fds[0].revents &&
		    !take_lines(p, p->control, &control, take_message))
			fds[0].fd = -1;
		if (fds[1].fd >= 0 && fds[1].revents &&
		    !take_lines(p, p->proc.out, &output, take_output))
			fds[1].fd = -1;
		if (fds[0].fd >= 0 && p->o.supervise)
			next_ms = p->o.supervise(p->o.self);
	}
	buf_release(&control);
	buf_release(&output);
}

static void *
reader_main(void *arg)
{
	struct worker_process *p = arg;
	int code;

	read_all(p);
	if (process_stage(p) < PROCESS_DONE)
		process_kill(p);     /* without its socket it is of no use */
	code = proc_wait(&p->proc, NULL);
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	p->code = code;
	if (p->stage < PROCESS_DONE)
		p->stage = PROCESS_LOST;
	pthread_cond_broadcast(&p->gone);
	pthread_mutex_unlock(&p->lock);
	poke(p->wake[1]);
	return NULL;
}

static int
send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The first byte carries the descriptors; the rest follows as usual. */
static int
send_fds(int fd, char first, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(PROCESS_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &first, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	msg.msg_control = &control;
	msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	header = CMSG_FIRSTHDR(&msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	for (size_t i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(header) + i * sizeof(int), &fds[i], sizeof(int));
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

void
process_send(struct worker_process *p, cJSON *message, const int *fds, size_t nfds)
{
	char *text = cJSON_PrintUnformatted(message);
	size_t len = text ? strlen(text) : 0, sent = 0;

	cJSON_Delete(message);
	if (!text)
		return;
	text[len] = '\n';        /* in place of the NUL: the message is sent by length */
	pthread_mutex_lock(&p->send_lock);
	if (nfds && send_fds(p->control, text[0], fds, nfds) == 0)
		sent = 1;
	if (!nfds || sent)
		send_all(p->control, text + sent, len + 1 - sent);
	pthread_mutex_unlock(&p->send_lock);
	cJSON_free(text);
}

static int
spawn(struct worker_process *p, struct err *err)
{
	char length[24];
	const char *const argv[] = { p->o.python, "-c", bootstrap, length, NULL };
	int ends[2];
	struct proc_options o = { .argv = argv, .env = p->o.env, .dir = p->o.dir };
	int code;

	snprintf(length, sizeof(length), "%zu", sizeof(package));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return err_sys(err, "cannot make a socket for the worker");
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	o.keep_fd = ends[1];
	p->control = ends[0];
	code = proc_start(&p->proc, &o, err);
	close(ends[1]);
	if (code == 0)
		send_all(p->control, package, sizeof(package));
	return code;
}

struct worker_process *
process_start(const struct process_options *o, struct err *err)
{
	struct worker_process *p = xcalloc(1, sizeof(*p));

	p->o = *o;
	p->proc = (struct proc)PROC_INIT;
	p->control = p->poke[0] = p->poke[1] = p->wake[0] = p->wake[1] = -1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->send_lock, NULL);
	pthread_cond_init(&p->gone, NULL);
	if (open_pipe(p->poke) < 0 || open_pipe(p->wake) < 0) {
		err_sys(err, "cannot make a pipe for the worker");
		goto fail;
	}
	if (spawn(p, err) < 0)
		goto fail;
	errno = pthread_create(&p->reader, NULL, reader_main, p);
	if (errno) {
		err_sys(err, "cannot start a thread for the worker");
		goto fail;
	}
	p->reading = true;
	return p;
fail:
	process_free(p, 0, -1);
	return NULL;
}

enum process_stage
process_stage(struct worker_process *p)
{
	enum process_stage stage;

	pthread_mutex_lock(&p->lock);
	stage = p->stage;
	pthread_mutex_unlock(&p->lock);
	return stage;
}

static bool
has_ended(struct worker_process *p)
{
	bool ended;

	pthread_mutex_lock(&p->lock);
	ended = p->ended;
	pthread_mutex_unlock(&p->lock);
	return ended;
}

/* False: the time passed, or signal_fd is readable (then *interrupted). */
static bool
wait_for_change(struct worker_process *p, int signal_fd, int64_t deadline_ms, bool *interrupted)
{
	struct pollfd fds[] = {
		{ .fd = p->wake[0], .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	int64_t left_ms = -1;

	if (deadline_ms >= 0) {
		left_ms = deadline_ms - clock_mono_ms();
		if (left_ms <= 0)
			return false;
	}
	if (poll(fds, 2, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0)
		return errno == EINTR;
	if (fds[0].revents)
		drain(p->wake[0]);
	else if (signal_fd >= 0 && fds[1].revents)
		*interrupted = true;
	return !*interrupted;
}

enum process_stage
process_wait(struct worker_process *p, enum process_stage stage, int signal_fd,
    int64_t timeout_ms, bool *interrupted)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;

	*interrupted = false;
	while (process_stage(p) < stage && wait_for_change(p, signal_fd, deadline_ms, interrupted))
		;
	return process_stage(p);
}

const cJSON *
process_message(struct worker_process *p, enum process_stage stage)
{
	const cJSON *message;

	pthread_mutex_lock(&p->lock);
	message = p->messages[stage];
	pthread_mutex_unlock(&p->lock);
	return message;
}

void
process_join(struct worker_process *p)
{
	pthread_mutex_lock(&p->lock);
	while (!p->ended)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void
add_ending(struct worker_process *p, struct buf *b)
{
	if (p->code > 128)
		buf_addf(b, "the dbt process was ended by signal %d", p->code - 128);
	else
		buf_addf(b, "the dbt process ended with exit code %d", p->code);
	if (p->tail.len) {
		size_t from = p->tail.len > TAIL_BYTES ? p->tail.len - TAIL_BYTES : 0;

		buf_addf(b, "; its last output:\n%s", p->tail.data + from);
		while (b->len && b->data[b->len - 1] == '\n')
			buf_truncate(b, b->len - 1);
	}
}

char *
process_epitaph(struct worker_process *p)
{
	struct buf b = BUF_INIT;
	const char *message;

	pthread_mutex_lock(&p->lock);
	message = text_of(p->messages[PROCESS_FAILED], "message");
	if (message)
		buf_adds(&b, message);
	else
		add_ending(p, &b);
	pthread_mutex_unlock(&p->lock);
	return buf_detach(&b);
}

void
process_poke(struct worker_process *p)
{
	poke(p->poke[1]);
}

void
process_kill(struct worker_process *p)
{
	proc_signal(&p->proc, SIGKILL);
}

int
process_pid(struct worker_process *p)
{
	int pid;

	pthread_mutex_lock(&p->proc.lock);
	pid = (int)p->proc.pid;
	pthread_mutex_unlock(&p->proc.lock);
	return pid;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
process_free(struct worker_process *p, int64_t timeout_ms, int signal_fd)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	bool interrupted = false;

	if (!p)
		return;
	if (p->reading) {
		/* End of file for the process; it cancels what runs and ends. */
		shutdown(p->control, SHUT_WR);
		while (!has_ended(p) && wait_for_change(p, signal_fd, deadline_ms, &interrupted))
			;
		if (!has_ended(p))
			process_kill(p);
		pthread_join(p->reader, NULL);
	}
	proc_release(&p->proc);
	close_fd(p->control);
	for (int i = 0; i < 2; i++) {
		close_fd(p->poke[i]);
		close_fd(p->wake[i]);
	}
	for (size_t i = 0; i < NPROCESS_STAGES; i++)
		cJSON_Delete(p->messages[i]);
	buf_release(&p->tail);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->send_lock);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->proc.lock);
	free(p);
}
