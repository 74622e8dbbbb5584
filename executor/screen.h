/* executor/screen.h -- a few lines at the bottom of a terminal that are drawn anew again and again,
 * while other lines scroll away above them.
 *
 *   screen_able -> screen_open -> screen_show ... -> screen_close
 *
 * Between two drawings the cursor rests on an empty line above the picture. So the picture is taken
 * away by clearing what is below the cursor, however the terminal was resized meanwhile; what
 * others write (an echoed ^C, a line on standard error) stands above it and harms nothing. The
 * cursor is never hidden and no mode of the terminal outlasts a drawing, so that nothing need be
 * restored after a kill -9. Ctrl-Z takes the picture away before the process stops. A process in
 * the background writes lines and draws nothing.
 * One a process. Thread: one at a time. */
#ifndef HEDDLE_EXECUTOR_SCREEN_H
#define HEDDLE_EXECUTOR_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

struct screen {
	int fd;
	bool shown;              /* there is a picture below the cursor */
	unsigned columns;        /* at the last screen_size() */
	bool resized;            /* since the last drawing */
	struct buf out;          /* under construction; empty between calls */
};

/* Whether it is a terminal that knows how to move its cursor. */
bool screen_able(int fd);

/* Watches for Ctrl-Z from now on. In place; the struct may be empty. */
void screen_open(struct screen *s, int fd);
void screen_close(struct screen *s);     /* the picture is gone; an empty struct is fine */

/* As it is at this moment, before each drawing; 0 = the terminal does not say. */
void screen_size(struct screen *s, unsigned *columns, unsigned *rows);

/* In one write: whole lines that scroll, each ended by "\n" (or ""), and below them the picture of
 * nlines lines with "\n" between them, none wider than the terminal. nlines 0: no picture. */
void screen_show(struct screen *s, const char *lines, const char *picture, size_t nlines);

/* Writes all of it. A reader that went away must not end the run. */
void screen_write(int fd, const char *p, size_t n);

#endif
