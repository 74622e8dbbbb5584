/* executor/notify_body.h -- what a notification says; for notify.c and its tests.
 * docs/notify.md. */
#ifndef HEDDLE_EXECUTOR_NOTIFY_BODY_H
#define HEDDLE_EXECUTOR_NOTIFY_BODY_H

#include "executor/notify.h"

#define NOTIFY_NODES 50           /* named in a body; the rest is counted */

/* New JSON texts. Secrets are masked. */
char *notify_json_body(enum notify_event e, const struct notify_run *run);
char *notify_slack_body(enum notify_event e, const struct notify_run *run);

#endif
