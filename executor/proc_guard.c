#include "executor/proc_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "executor/proc_spawn.h"
#include "util/clock.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

enum {
	GROUPS = 4096,
	NO_PLACE = GROUPS,
	INT_MS = 3000,           /* SIGINT at once, then SIGTERM, then SIGKILL */
	TERM_MS = 5000,
};

/*
 * The process holds the other end of a pipe of ours, and kills the groups that are alive when the
 * pipe ends. They stand in memory that both share, so that noting one costs nothing. It is forked
 * from a program with threads, so it calls nothing but what is safe in a signal handler.
 */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int32_t *groups;    /* 0 = free */
static _Atomic unsigned hint;      /* where to look for a free one */

static void
close_all_but_stdin(void)
{
#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, 1u, ~0u, 0u) == 0)
		return;
#endif
	for (int fd = 1; fd < 65536; fd++)
		close(fd);
}

static bool
signal_groups(int signo)
{
	bool any = false;

	for (size_t i = 0; i < GROUPS; i++) {
		int32_t group = atomic_load(&groups[i]);

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
	if (!signal_groups(SIGINT))
		return;
	began = clock_mono_ms();
	while ((ms = clock_mono_ms() - began) < TERM_MS) {
		nanosleep(&pause, NULL);
		if (!signal_groups(ms >= INT_MS ? SIGTERM : 0))
			return;
	}
	signal_groups(SIGKILL);
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
start(void)
{
	void *shared = mmap(NULL, GROUPS * sizeof(*groups), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t all, old;
	int ends[2];
	pid_t pid;

	if (shared == MAP_FAILED)
		return;   /* then children outlive a kill -9 of ours; nothing else changes */
	groups = shared;
	if (proc_pipe(ends) < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		setsid();
		ignore_all();
		dup2(ends[0], 0);
		close_all_but_stdin();
		guard_main();
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(ends[0]);
	if (pid < 0)
		close(ends[1]);   /* else it stays open for as long as we live */
}

void
proc_guard_start(void)
{
	pthread_once(&once, start);
}

unsigned
proc_guard_add(pid_t group)
{
	for (unsigned tries = 0; groups && tries < GROUPS; tries++) {
		unsigned i = atomic_fetch_add(&hint, 1) % GROUPS;
		int32_t none = 0;

		if (atomic_compare_exchange_strong(&groups[i], &none, (int32_t)group))
			return i;
	}
	return NO_PLACE;
}

void
proc_guard_remove(unsigned place)
{
	if (place < GROUPS)
		atomic_store(&groups[place], 0);
}
