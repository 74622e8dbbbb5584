#include "executor/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/xalloc.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

enum {
	OUTPUT_POLL_MS = 200,    /* how often a child with open output is asked for its end */
	OUTPUT_GRACE_MS = 1000,  /* for output held open by a grandchild, after the child's end */
	GUARD_GROUPS = 4096,
	GUARD_INT_MS = 3000,     /* the guard: SIGINT at once, then SIGTERM, then SIGKILL */
	GUARD_TERM_MS = 5000,
};

extern char **environ;

/* Close-on-exec from the start where possible: another thread may be spawning. */
static int
pipe_cloexec(int ends[2])
{
#ifdef __APPLE__
	if (pipe(ends) < 0)
		return -1;
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	return fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#else
	return pipe2(ends, O_CLOEXEC);
#endif
}

/* Standard descriptors of ours may be closed: keep clear of 0 to 3. */
static int
move_up(int fd)
{
	int up;

	if (fd < 0 || fd > 3)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 4);
	close(fd);
	return up;
}

static int
output_pipe(int ends[2])
{
	if (pipe_cloexec(ends) < 0)
		return -1;
	ends[0] = move_up(ends[0]);
	ends[1] = move_up(ends[1]);
	return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

/*
 * The guard: a process that holds the other end of a pipe of ours, and kills the groups that are
 * alive when the pipe ends. They stand in memory that both share, so that noting one costs nothing.
 * It is forked from a program with threads, so it calls nothing but what is safe in a signal handler.
 */
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static _Atomic int32_t *guard_groups;    /* 0 = free */
static _Atomic unsigned guard_hint;      /* where to look for a free one */

static void
guard_close_all_but_stdin(void)
{
#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, 1u, ~0u, 0u) == 0)
		return;
#endif
	for (int fd = 1; fd < 65536; fd++)
		close(fd);
}

static bool
guard_signal(int signo)
{
	bool any = false;

	for (size_t i = 0; i < GUARD_GROUPS; i++) {
		int32_t group = atomic_load(&guard_groups[i]);

		if (group > 0 && kill(-group, signo) == 0)
			any = true;
	}
	return any;
}

static void
guard_main(void)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int64_t began, ms;
	char byte;

	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	if (!guard_signal(SIGINT))
		return;
	began = clock_mono_ms();
	while ((ms = clock_mono_ms() - began) < GUARD_TERM_MS) {
		nanosleep(&pause, NULL);
		if (!guard_signal(ms >= GUARD_INT_MS ? SIGTERM : 0))
			return;
	}
	guard_signal(SIGKILL);
}

static void
ignore_all(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };

	sigemptyset(&sa.sa_mask);
	for (int signo = 1; signo < NSIG; signo++)
		if (signo != SIGCHLD)
			sigaction(signo, &sa, NULL);   /* fails for SIGKILL and SIGSTOP */
}

static void
guard_start(void)
{
	void *shared = mmap(NULL, GUARD_GROUPS * sizeof(*guard_groups), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t all, old;
	int ends[2];
	pid_t pid;

	if (shared == MAP_FAILED)
		return;   /* then children outlive a kill -9 of ours; nothing else changes */
	guard_groups = shared;
	if (output_pipe(ends) < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		setsid();
		ignore_all();
		dup2(ends[0], 0);
		guard_close_all_but_stdin();
		guard_main();
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(ends[0]);
	if (pid < 0)
		close(ends[1]);   /* else it stays open for as long as we live */
}

static unsigned
guard_add(pid_t group)
{
	for (unsigned tries = 0; guard_groups && tries < GUARD_GROUPS; tries++) {
		unsigned i = atomic_fetch_add(&guard_hint, 1) % GUARD_GROUPS;
		int32_t none = 0;

		if (atomic_compare_exchange_strong(&guard_groups[i], &none, (int32_t)group))
			return i;
	}
	return GUARD_GROUPS;
}

static void
guard_remove(unsigned i)
{
	if (i < GUARD_GROUPS)
		atomic_store(&guard_groups[i], 0);
}

static size_t
name_length(const char *assignment)
{
	return strcspn(assignment, "=") + 1;
}

/* Ours with `extra` on top; strings are borrowed. */
static char **
merged_environment(const char *const *extra)
{
	size_t n = 0, nextra = 0;
	char **env;

	for (char **e = environ; *e; e++)
		n++;
	while (extra[nextra])
		nextra++;
	env = xcalloc(n + nextra + 1, sizeof(*env));
	n = 0;
	for (char **e = environ; *e; e++) {
		size_t i = 0;

		while (i < nextra && strncmp(extra[i], *e, name_length(extra[i])) != 0)
			i++;
		if (i == nextra)
			env[n++] = *e;
	}
	for (size_t i = 0; i < nextra; i++)
		env[n++] = (char *)extra[i];
	return env;
}

static int
spawn(pid_t *pid, const struct proc_options *o, char **env, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int keep = o->keep_fd, code;

	/* A descriptor that is 3 already would be closed by exec. */
	if (keep >= 0 && keep <= 3) {
		keep = fcntl(keep, F_DUPFD_CLOEXEC, 4);
		if (keep < 0)
			return errno;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	if (o->in_fd > 0)
		posix_spawn_file_actions_adddup2(&actions, o->in_fd, 0);
	else
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (!o->separate)
		posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (keep >= 0)
		posix_spawn_file_actions_adddup2(&actions, keep, 3);
	if (o->dir)
		posix_spawn_file_actions_addchdir_np(&actions, o->dir);
	code = o->file ? posix_spawn(pid, o->file, &actions, &attr, (char *const *)o->argv, env) :
	    posix_spawnp(pid, o->argv[0], &actions, &attr, (char *const *)o->argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (keep != o->keep_fd)
		close(keep);
	return code;
}

int
proc_start(struct proc *p, const struct proc_options *o, struct err *err)
{
	char **env = o->env ? merged_environment(o->env) : NULL;
	int ends[2] = { -1, -1 }, code;
	pid_t pid = 0;

	pthread_once(&guard_once, guard_start);
	if (output_pipe(ends) < 0) {
		code = errno;
	} else {
		code = spawn(&pid, o, env ? env : environ, ends[1]);
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
	p->guarded = guard_add(pid);
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
		guard_remove(p->guarded);
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
