#include "executor/screen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* ECMA-48; no wrapping (DECAWM) while the picture is drawn, so that a character wider than we think
 * cannot make a line two. */
#define CLEAR_BELOW "\r\033[J"
#define CLEAR_REST "\033[K"
#define NO_WRAP "\033[?7l"
#define WRAP "\033[?7h"

static volatile sig_atomic_t stop_fd = -1;     /* where on_stop() clears */
static struct sigaction before;                /* of SIGTSTP, while a screen is open */

void
screen_write(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return;
		p += done;
		n -= (size_t)done;
	}
}

bool
screen_able(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

/* Ctrl-Z: what the shell says next stands on a clean screen. Then it stops as it would have. */
static void
on_stop(int signo)
{
	struct sigaction stop = { .sa_handler = SIG_DFL }, again;
	int saved = errno;
	sigset_t set;

	if (stop_fd >= 0 && write((int)stop_fd, CLEAR_BELOW, sizeof(CLEAR_BELOW) - 1) < 0) {
	}
	sigemptyset(&stop.sa_mask);
	sigaction(signo, &stop, &again);
	raise(signo);
	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);     /* stops here, goes on after SIGCONT */
	sigaction(signo, &again, NULL);
	errno = saved;
}

void
screen_open(struct screen *s, int fd)
{
	struct sigaction sa = { .sa_handler = on_stop, .sa_flags = SA_RESTART };

	s->fd = fd;
	stop_fd = fd;
	sigemptyset(&sa.sa_mask);
	/* Who ignores it started us without job control. */
	if (sigaction(SIGTSTP, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGTSTP, &sa, NULL);
}

void
screen_close(struct screen *s)
{
	if (s->shown)
		screen_show(s, "", "", 0);
	if (stop_fd >= 0)
		sigaction(SIGTSTP, &before, NULL);
	stop_fd = -1;
	buf_release(&s->out);
}

void
screen_size(struct screen *s, unsigned *columns, unsigned *rows)
{
	struct winsize w = { 0 };

	if (ioctl(s->fd, TIOCGWINSZ, &w) < 0)
		memset(&w, 0, sizeof(w));
	s->resized = s->resized || w.ws_col != s->columns;
	s->columns = *columns = w.ws_col;
	*rows = w.ws_row;
}

/* In the background the screen is the shell's. Without job control (-1) it is ours. */
static bool
in_front(int fd)
{
	pid_t front = tcgetpgrp(fd);

	return front < 0 || front == getpgrp();
}

static void
add_picture(struct buf *out, const char *picture, size_t nlines)
{
	buf_adds(out, NO_WRAP CLEAR_REST);
	for (const char *s = picture, *end; nlines; s = end + 1, nlines--) {
		end = s + strcspn(s, "\n");
		buf_addc(out, '\n');
		buf_add(out, s, (size_t)(end - s));
		if (nlines > 1)
			buf_adds(out, CLEAR_REST);
	}
}

void
screen_show(struct screen *s, const char *lines, const char *picture, size_t nlines)
{
	bool front = in_front(s->fd);

	/* Lines that a narrower terminal has wrapped are cleared first, else it joins them
	 * again. */
	if (s->shown && front)
		buf_adds(&s->out, *lines || !nlines || s->resized ? CLEAR_BELOW : "\r");
	s->resized = false;
	buf_adds(&s->out, lines);
	if (nlines && front) {
		add_picture(&s->out, picture, nlines);
		buf_addf(&s->out, "\033[J\r\033[%zuA" WRAP, nlines);
	}
	s->shown = nlines && front;
	screen_write(s->fd, buf_str(&s->out), s->out.len);
	buf_truncate(&s->out, 0);
}
