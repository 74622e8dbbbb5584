#include "util/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

static int pipe_fd[2] = { -1, -1 };
static const int watched[] = { SIGINT, SIGTERM, SIGHUP };

static void
on_signal(int signo)
{
	unsigned char c = (unsigned char)signo;
	int saved = errno;

	/* A full pipe means the reader has plenty to read already. */
	if (write(pipe_fd[1], &c, 1) < 0) {
	}
	errno = saved;
}

static void
handle_all(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		struct sigaction was;

		/* nohup: who started us wants us to outlive the terminal. */
		if (watched[i] == SIGHUP && sigaction(SIGHUP, NULL, &was) == 0 &&
		    was.sa_handler == SIG_IGN)
			continue;
		sigaction(watched[i], &sa, NULL);
	}
}

/* ---- the end of our parent ---- */

#ifdef __linux__
#define PARENT_GONE SIGUSR2

static pid_t parent;

/* Sent for a thread of the parent as well. */
static void
on_parent_gone(int signo)
{
	(void)signo;
	if (getppid() != parent)
		on_signal(SIGHUP);
}

static bool
is_ignored(int signo)
{
	struct sigaction was;

	return sigaction(signo, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
}

static bool
outlives_parent(void)
{
	int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (terminal >= 0)
		close(terminal);
	return terminal >= 0 || getsid(0) == getpid() || is_ignored(SIGINT) || is_ignored(SIGHUP);
}

static void
watch_parent(void)
{
	struct sigaction sa = { .sa_handler = on_parent_gone, .sa_flags = SA_RESTART };

	if (outlives_parent())
		return;
	parent = getppid();
	sigemptyset(&sa.sa_mask);
	sigaction(PARENT_GONE, &sa, NULL);
	prctl(PR_SET_PDEATHSIG, PARENT_GONE);
}

static void
leave_parent(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	prctl(PR_SET_PDEATHSIG, 0);
	sigemptyset(&sa.sa_mask);
	sigaction(PARENT_GONE, &sa, NULL);
}
#else
static void
watch_parent(void)
{
}

static void
leave_parent(void)
{
}
#endif

/* ---- all of them ---- */

int
signals_open(struct err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	if (pipe(pipe_fd) < 0)
		return err_sys(err, "cannot watch signals");
	for (int i = 0; i < 2; i++) {
		fcntl(pipe_fd[i], F_SETFD, FD_CLOEXEC);
		fcntl(pipe_fd[i], F_SETFL, O_NONBLOCK);
	}
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	watch_parent();
	handle_all(on_signal);
	return 0;
}

int
signals_fd(void)
{
	return pipe_fd[0];
}

int
signals_next(void)
{
	unsigned char c;

	if (pipe_fd[0] < 0 || read(pipe_fd[0], &c, 1) != 1)
		return 0;
	return c;
}

void
signals_close(void)
{
	if (pipe_fd[0] < 0)
		return;
	leave_parent();
	handle_all(SIG_DFL);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	pipe_fd[0] = pipe_fd[1] = -1;
}
