#include "executor/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/proc_guard.h"
#include "executor/proc_spawn.h"
#include "util/clock.h"

enum {
	OUTPUT_POLL_MS = 200,    /* how often a child with open output is asked for its end */
	OUTPUT_GRACE_MS = 1000,  /* for output held open by a grandchild, after the child's end */
};

extern char **environ;

int
proc_start(struct proc *p, const struct proc_options *o, struct err *err)
{
	char **env = o->env ? proc_environment(o->env) : NULL;
	int ends[2] = { -1, -1 }, code;
	pid_t pid = 0;

	proc_guard_start();
	if (proc_pipe(ends) < 0) {
		code = errno;
	} else {
		code = proc_spawn(o, env ? env : environ, ends[1], &pid, &p->guarded);
		close(ends[1]);
	}
	free(env);
	if (code) {
		if (ends[0] >= 0)
			close(ends[0]);
		errno = code;
		return err_sys(err, "cannot run '%s'%s%s", o->argv[0], o->dir ? " in " : "",
		    o->dir ? o->dir : "");
	}
	p->pid = pid;
	p->out = ends[0];
	p->tail = o->tail;
	p->due_ms = o->timeout_ms > 0 ? clock_mono_ms() + o->timeout_ms : 0;
	return 0;
}

static int
exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps under the lock, so that nobody signals a number that is no longer ours. */
static bool
reap(struct proc *p, int flags, int *code)
{
	int status = 0;
	pid_t pid;

	pthread_mutex_lock(&p->lock);
	do
		pid = waitpid(p->pid, &status, flags);
	while (pid < 0 && errno == EINTR);
	if (pid != 0) {
		proc_guard_remove(p->guarded);
		p->pid = 0;
	}
	pthread_mutex_unlock(&p->lock);
	if (pid != 0)
		*code = pid > 0 ? exit_code(status) : 255;
	return pid != 0;
}

/* Whether the child has ended; it stays a zombie. */
static bool
has_ended(pid_t pid, int flags)
{
	siginfo_t info;
	int code;

	info.si_pid = 0;
	do
		code = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | flags);
	while (code < 0 && errno == EINTR);
	return code < 0 || info.si_pid == pid;
}

/* Moved only when there is twice as much, so that each byte is moved once. */
static void
keep_tail(struct buf *out, size_t n)
{
	if (out->len <= 2 * n)
		return;
	memmove(out->data, out->data + out->len - n, n);
	buf_truncate(out, n);
}

/* One piece of output. 1 = more, 0 = the end, -1 = nothing within the time. */
static int
read_piece(const struct proc *p, struct buf *out, int timeout_ms)
{
	struct pollfd pfd = { .fd = p->out, .events = POLLIN };
	char piece[8192];
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) == 0)
		return -1;
	if (pfd.revents == POLLHUP)
		return 0;
	n = read(p->out, piece, sizeof(piece));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : 0;
	if (n > 0 && out)
		buf_add(out, piece, (size_t)n);
	if (n > 0 && out && p->tail)
		keep_tail(out, p->tail);
	return n > 0;
}

static void
kill_when_due(struct proc *p)
{
	if (p->due_ms && clock_mono_ms() >= p->due_ms)
		proc_signal(p, SIGKILL);
}

/* Outside the lock: signals must reach it meanwhile. */
static void
await_end(struct proc *p)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	while (p->due_ms && !has_ended(p->pid, WNOHANG)) {
		nanosleep(&pause, NULL);
		kill_when_due(p);
	}
	has_ended(p->pid, 0);
}

int
proc_wait(struct proc *p, struct buf *out)
{
	int64_t ended_ms = 0;
	int code = 255, more;

	while (p->out >= 0 && (more = read_piece(p, out, OUTPUT_POLL_MS)) != 0) {
		kill_when_due(p);
		if (more > 0 && !ended_ms)
			continue;
		if (!ended_ms && has_ended(p->pid, WNOHANG))
			ended_ms = clock_mono_ms();
		if (ended_ms && clock_mono_ms() - ended_ms > OUTPUT_GRACE_MS) {
			proc_signal(p, SIGKILL);
			break;
		}
	}
	if (p->pid > 0) {
		await_end(p);
		reap(p, 0, &code);
	}
	return code;
}

bool
proc_ended(struct proc *p, int *code)
{
	return p->pid == 0 || reap(p, WNOHANG, code);
}

void
proc_signal(struct proc *p, int signo)
{
	pthread_mutex_lock(&p->lock);
	if (p->pid > 0)
		kill(-p->pid, signo);
	pthread_mutex_unlock(&p->lock);
}

void
proc_release(struct proc *p)
{
	int code;

	if (p->pid > 0) {
		proc_signal(p, SIGKILL);
		reap(p, 0, &code);
	}
	if (p->out >= 0)
		close(p->out);
	p->out = -1;
}

int
proc_run(const struct proc_options *o, int *code, struct buf *out, struct err *err)
{
	struct proc p = PROC_INIT;

	if (proc_start(&p, o, err) < 0)
		return -1;
	*code = proc_wait(&p, out);
	proc_release(&p);
	return 0;
}
