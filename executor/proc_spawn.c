#include "executor/proc_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/proc_guard.h"
#include "util/xalloc.h"

/* ThreadSanitizer would take what the child does in our memory for our own doing. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
#define BORROWS_STACK 1
#include <sched.h>
#else
#define BORROWS_STACK 0
#include <spawn.h>
#endif

extern char **environ;

/* ---- descriptors ---- */

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

int
proc_pipe(int ends[2])
{
	if (pipe_cloexec(ends) < 0)
		return -1;
	ends[0] = move_up(ends[0]);
	ends[1] = move_up(ends[1]);
	return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

/* ---- environment ---- */

static bool
is_set_by(const char *const *extra, const char *assignment)
{
	size_t n = strcspn(assignment, "=") + 1;

	while (*extra && strncmp(*extra, assignment, n) != 0)
		extra++;
	return *extra != NULL;
}

char **
proc_environment(const char *const *extra)
{
	size_t n = 0, nextra = 0;
	char **env;

	while (environ[n])
		n++;
	while (extra[nextra])
		nextra++;
	env = xcalloc(n + nextra + 1, sizeof(*env));
	n = 0;
	for (char **e = environ; *e; e++)
		if (!is_set_by(extra, *e))
			env[n++] = *e;
	for (size_t i = 0; i < nextra; i++)
		env[n++] = (char *)extra[i];
	return env;
}

/* ---- the child ---- */

#if BORROWS_STACK

/*
 * As posix_spawn does it: the child lives in our memory, on a stack that the calling thread lends
 * it, and that thread stands still until the child has a program of its own. What posix_spawn costs
 * besides is a new stack for each child, whose end every other thread feels; and the child can note
 * itself with the guard, so that it has no moment unguarded.
 */
#define STACK_BYTES (64 * 1024)

struct start {
	const struct proc_options *o;
	char *const *env;
	int in, out, keep;
	unsigned guarded;
	int failed;              /* errno of the child */
};

static pthread_once_t null_once = PTHREAD_ONCE_INIT;
static int null_fd = -1;

static void
open_null(void)
{
	null_fd = move_up(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void
default_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&none);
	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &sa, NULL);       /* fails for SIGKILL and SIGSTOP */
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* It leaves its frame behind when it becomes another program: AddressSanitizer is not to mark
 * it. */
static __attribute__((no_sanitize_address)) int
be_child(void *arg)
{
	struct start *s = arg;
	const struct proc_options *o = s->o;
	char *const *argv = (char *const *)o->argv;

	setpgid(0, 0);
	s->guarded = proc_guard_add(getpid());
	if (dup2(s->in, 0) >= 0 && dup2(s->out, 1) >= 0 && (o->separate || dup2(s->out, 2) >= 0) &&
	    (s->keep < 0 || dup2(s->keep, 3) >= 0) && (!o->dir || chdir(o->dir) == 0)) {
		default_signals();
		if (o->file)
			execve(o->file, argv, s->env);
		else
			execvpe(argv[0], argv, s->env);
	}
	s->failed = errno;
	return 127;
}

int
proc_spawn(const struct proc_options *o, char *const *env, int out, pid_t *pid, unsigned *guarded)
{
	struct start s = { .o = o, .env = env, .out = out, .keep = o->keep_fd };
	_Alignas(16) char stack[STACK_BYTES];
	sigset_t all, old;

	pthread_once(&null_once, open_null);
	s.in = o->in_fd > 0 ? o->in_fd : null_fd;
	/* A descriptor that is 3 already would be closed by exec. */
	if (s.keep >= 0 && s.keep <= 3 && (s.keep = fcntl(s.keep, F_DUPFD_CLOEXEC, 4)) < 0)
		return errno;
	/* A signal that came before the child has let go of our handlers would run them here. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	*pid = clone(be_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &s);
	if (*pid < 0)
		s.failed = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (s.keep != o->keep_fd)
		close(s.keep);
	if (*pid > 0 && s.failed) {
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
		proc_guard_remove(s.guarded);
	}
	*guarded = s.guarded;
	return s.failed;
}

#else

/* A child is guarded from when its start has returned. */
int
proc_spawn(const struct proc_options *o, char *const *env, int out, pid_t *pid, unsigned *guarded)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int keep = o->keep_fd, code;

	/* A descriptor that is 3 already would be closed by exec. */
	if (keep >= 0 && keep <= 3 && (keep = fcntl(keep, F_DUPFD_CLOEXEC, 4)) < 0)
		return errno;
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
	if (code == 0)
		*guarded = proc_guard_add(*pid);
	return code;
}

#endif
