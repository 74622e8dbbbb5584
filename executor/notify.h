/* executor/notify.h -- who is told how a run ended: a command, or a web server by a POST.
 *
 *   (config_load() fills the hooks) -> notify_hide -> notify
 *
 * Never fails a run: what cannot be sent is a warning. Bounded: a hook has its own timeout, all of
 * them together NOTIFY_TOTAL_MS.
 * docs/notify.md describes the bodies. Thread: main. */
#ifndef HEDDLE_EXECUTOR_NOTIFY_H
#define HEDDLE_EXECUTOR_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include "executor/runner.h"
#include "graph/graph.h"

#define NOTIFY_TIMEOUT_MS 10000   /* of one hook, unless it says otherwise */
#define NOTIFY_TOTAL_MS 30000

enum notify_event { NOTIFY_FAILURE, NOTIFY_SUCCESS, NOTIFY_RECOVERY, NNOTIFY_EVENTS };

const char *notify_event_name(enum notify_event e);   /* "failure" */

enum notify_format { NOTIFY_JSON, NOTIFY_SLACK };

struct notify_header {
	const char *name, *value;     /* value: a text, or "env:NAME" */
};

struct notify_hook {
	enum notify_event event;
	const char *command;          /* for /bin/sh -c; NULL: a POST */
	const char *url;              /* "env:NAME", or a URL without secrets */
	enum notify_format format;
	/* only nodes of this owner or group, and only if there are any */
	const char *owner;
	struct notify_header *headers;
	size_t nheaders;
	int64_t timeout_ms;
	const char *origin;           /* "heddle.yml:7" */
};

/* A node that failed; or one that is well again. */
struct notify_node {
	const struct node *node;
	const char *owner;            /* or NULL */
	enum result_status status;
	enum error_class class;
	const char *message;          /* or NULL */
	unsigned attempts;
	int64_t busy_ms;
};

struct notify_run {
	const char *project, *target, *command, *run_id;   /* any may be NULL but command */
	int exit_code;
	const char *error;            /* why there was no run at all, or NULL */
	int64_t started_ms, took_ms;
	size_t ngood, nwarned, nfailed, nskipped;
	const struct notify_node *failed, *recovered;
	size_t nrecovered;            /* failed: nfailed of them */
};

/* Values of the environment that hooks name are secrets from here on (util/text.h). */
void notify_hide(const struct notify_hook *hooks, size_t nhooks);

/* Tells those who want to know of a run that ended like this: exit code 0 is a success, and a
 * recovery too when nodes recovered. warn: a line for the user. */
void notify(const struct notify_hook *hooks, size_t nhooks, const struct notify_run *run,
    void (*warn)(void *self, const char *text), void *self);

#endif
