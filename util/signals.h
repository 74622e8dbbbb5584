/* util/signals.h -- SIGINT, SIGTERM, SIGHUP as bytes on a pipe, so that every wait can poll it.
 * Call signals_open() once, from main, before threads start. SIGPIPE and SIGXFSZ are ignored from
 * then on: a reader that left and a file at its limit are failed writes. A SIGHUP that is ignored
 * already stays so (nohup).
 *
 * The end of the process that started us comes as SIGHUP too (Linux): a scheduler that was killed
 * cannot stop its tasks any more. Not when we are meant to live on: with a terminal, which has its
 * own SIGHUP; as leader of a session (setsid, daemons); with SIGINT or SIGHUP ignored (`&` of a
 * script, nohup). */
#ifndef HEDDLE_UTIL_SIGNALS_H
#define HEDDLE_UTIL_SIGNALS_H

#include "util/err.h"

int signals_open(struct err *err);   /* 0 or -1 */
int signals_fd(void);                /* readable when a signal waits; -1 before signals_open() */
int signals_next(void);              /* the next waiting signal number, or 0; does not block */
void signals_close(void);            /* default handling again */

#endif
