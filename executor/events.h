/* executor/events.h -- the events of a run as JSON lines, for other programs: docs/events.md. They
 * are made here and nowhere else; executor/progress.h hands them to whoever wants them
 * (`--log-format json`, `--events`).
 *
 *   events_new -> events_start -> events_log, events_hook, events_task ... -> events_end
 *       -> events_free
 *
 * A reader that has gone, or a full disk, ends the events, not the run: events_failed() says why.
 * Thread: one at a time. */
#ifndef HEDDLE_EXECUTOR_EVENTS_H
#define HEDDLE_EXECUTOR_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/progress.h"
#include "executor/schedule.h"
#include "util/err.h"

struct events;

/* fd: stays the caller's. */
struct events *events_new(int fd);

/* where: the number of a descriptor we were given ("3"), or a file, which is made anew, 0600. NULL
 * with err. */
struct events *events_open(const char *where, struct err *err);
void events_free(struct events *e);     /* NULL is fine; closes what events_open() opened */

/* at_ms: since 1970, the caller's, so that an event is one text wherever it goes. */
void events_start(struct events *e, int64_t at_ms, const struct progress_head *h);
void events_hook(struct events *e, int64_t at_ms, const char *id, enum result_status status,
    const char *message);
void events_log(struct events *e, int64_t at_ms, const char *id, const char *level,
    const char *text);
void events_task(struct events *e, const struct run_event *ev);   /* of kind EVENT_TASK */
void events_end(struct events *e, int64_t at_ms, const struct progress_tail *t);

/* The errno of the write that failed, once; then and otherwise 0. */
int events_failed(struct events *e);

#endif
