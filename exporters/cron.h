/* exporters/cron.h -- when what is exported starts by itself: --schedule.
 *
 * A cron line of five fields, or a word that the target knows ("@daily"). Each orchestrator reads
 * such lines with a library of its own; names, steps, ranges, lists, ?, L and # are what they read
 * between them, so here only what none of them takes is refused.
 */
#ifndef HEDDLE_EXPORTERS_CRON_H
#define HEDDLE_EXPORTERS_CRON_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/err.h"

/* Words most targets know: @hourly, @daily, @weekly, @monthly, ...; NULL-ended. */
extern const char *const cron_words[];
/* The same, and "@every 90m": of targets that read cron lines with Go's robfig/cron. */
extern const char *const cron_words_go[];

/* Is there a schedule? NULL and "none" are none. */
bool cron_is_given(const char *schedule);

/* Appends ", @daily, @every 1h, ...": what a user may write. words: as below. */
void cron_add_words(struct buf *out, const char *const *words);

/* words: those the target knows, NULL-ended, one that ends in ':' with anything behind it; NULL: it
 * knows none. 0, or -1 with err. */
int cron_check(const char *schedule, const char *const *words, struct err *err);

#endif
