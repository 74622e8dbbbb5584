/* cli/post_events.h -- the lines of an export to a web server, one POST each, in their order.
 *
 * A key in $OPENLINEAGE_API_KEY goes along as `Authorization: Bearer KEY`, and is a secret.
 * Stops at the first that is not taken: what was sent stays there; sending it again changes
 * nothing.
 */
#ifndef HEDDLE_CLI_POST_EVENTS_H
#define HEDDLE_CLI_POST_EVENTS_H

#include "util/err.h"

/* 0, or -1 with err "event 3 of 97: what". The url stands in no message. */
int post_events(const char *url, const char *lines, struct err *err);

#endif
