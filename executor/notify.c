#include "executor/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/http.h"
#include "executor/notify_body.h"
#include "executor/proc.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

static const char *const event_names[] = { "failure", "success", "recovery" };

const char *
notify_event_name(enum notify_event e)
{
	return event_names[e];
}

/* ---- secrets ---- */

static const char *
named_variable(const char *text)
{
	return text && text_starts(text, "env:") ? text + 4 : NULL;
}

static void
hide(const char *text)
{
	const char *name = named_variable(text), *value = name ? getenv(name) : NULL;

	if (value)
		secrets_add(value);
}

void
notify_hide(const struct notify_hook *hooks, size_t nhooks)
{
	for (size_t i = 0; i < nhooks; i++) {
		hide(hooks[i].url);
		for (size_t k = 0; k < hooks[i].nheaders; k++)
			hide(hooks[i].headers[k].value);
	}
}

/* The text, or that of the variable it names; NULL with err when there is no such. */
static const char *
value_of(const char *text, struct err *err)
{
	const char *name = named_variable(text), *value = name ? getenv(name) : text;

	if (!value || !*value) {
		err_set(err, "the environment has no %s", name ? name : "value");
		return NULL;
	}
	return value;
}

/* ---- sending ---- */

static int
post(const struct notify_hook *h, const char *body, int64_t timeout_ms, struct err *err)
{
	char **headers = xcalloc(h->nheaders + 1, sizeof(*headers));
	struct http_post p = { .body = body, .headers = (const char *const *)headers,
		.timeout_ms = timeout_ms };
	int rc = (p.url = value_of(h->url, err)) ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < h->nheaders; i++) {
		const char *value = value_of(h->headers[i].value, err);
		struct buf b = BUF_INIT;

		if (!value) {
			rc = -1;
			break;
		}
		buf_addf(&b, "%s: %s", h->headers[i].name, value);
		headers[i] = buf_detach(&b);
	}
	if (rc == 0)
		rc = http_post(&p, err);
	text_free_list(headers);
	return rc;
}

static void
add_variable(char **env, size_t *n, const char *name, const char *value)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s=%s", name, value ? value : "");
	env[(*n)++] = buf_detach(&b);
}

/* The body on standard input, what a short script wants to know as variables. */
static int
run_command(const struct notify_hook *h, const struct notify_run *run, const char *body,
    int64_t timeout_ms, struct err *err)
{
	const char *const argv[] = { "/bin/sh", "-c", h->command, NULL };
	char **env = xcalloc(8, sizeof(*env)), code_text[16];
	struct proc_options o = { .argv = argv, .env = (const char *const *)env, .keep_fd = -1,
		.tail = 2000, .timeout_ms = timeout_ms };
	FILE *input = tmpfile();
	struct buf out = BUF_INIT;
	size_t n = 0;
	int rc = -1, code;

	snprintf(code_text, sizeof(code_text), "%d", run->exit_code);
	add_variable(env, &n, "HEDDLE_EVENT", notify_event_name(h->event));
	add_variable(env, &n, "HEDDLE_PROJECT", run->project);
	add_variable(env, &n, "HEDDLE_TARGET", run->target);
	add_variable(env, &n, "HEDDLE_COMMAND", run->command);
	add_variable(env, &n, "HEDDLE_RUN_ID", run->run_id);
	add_variable(env, &n, "HEDDLE_EXIT_CODE", code_text);
	if (!input || fputs(body, input) < 0 || fflush(input) != 0) {
		err_sys(err, "cannot write what to tell");
		goto out;
	}
	rewind(input);
	o.in_fd = fileno(input);
	rc = proc_run(&o, &code, &out, err);
	if (rc == 0 && code != 0) {
		while (out.len > 0 && out.data[out.len - 1] == '\n')
			buf_truncate(&out, out.len - 1);
		rc = err_set(err, "exit code %d%s%s", code, out.len ? ": " : "", buf_str(&out));
	}
out:
	if (input)
		fclose(input);
	text_free_list(env);
	buf_release(&out);
	return rc;
}

/* ---- who is told ---- */

/* The run as this hook's owner sees it; v holds its nodes. */
static struct notify_run
part_of_owner(const struct notify_hook *h, const struct notify_run *run, struct notify_node *v)
{
	const struct notify_node *from = h->event == NOTIFY_RECOVERY ? run->recovered : run->failed;
	size_t nfrom = h->event == NOTIFY_RECOVERY ? run->nrecovered : run->nfailed, n = 0;
	struct notify_run part = *run;

	for (size_t i = 0; i < nfrom; i++) {
		const char *group = from[i].node->group;

		if (!h->owner || (from[i].owner && strcmp(from[i].owner, h->owner) == 0) ||
		    (group && strcmp(group, h->owner) == 0))
			v[n++] = from[i];
	}
	if (h->event == NOTIFY_RECOVERY) {
		part.recovered = v;
		part.nrecovered = n;
	} else {
		part.failed = v;
		part.nfailed = n;
	}
	return part;
}

static bool
concerns(const struct notify_hook *h, const struct notify_run *part)
{
	switch (h->event) {
	case NOTIFY_FAILURE:
		return part->exit_code != 0 && (!h->owner || part->nfailed > 0);
	case NOTIFY_SUCCESS:
		return part->exit_code == 0;
	case NOTIFY_RECOVERY:
		return part->exit_code == 0 && part->nrecovered > 0;
	default:
		return false;
	}
}

static void
tell(const struct notify_hook *h, const struct notify_run *part, int64_t timeout_ms,
    void (*warn)(void *self, const char *text), void *self)
{
	char *body = h->format == NOTIFY_SLACK ? notify_slack_body(h->event, part) :
	    notify_json_body(h->event, part);
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	int rc;

	if (timeout_ms <= 0)
		rc = err_set(&err, "no time left for it");
	else if (h->command)
		rc = run_command(h, part, body, timeout_ms, &err);
	else
		rc = post(h, body, timeout_ms, &err);
	if (rc < 0) {
		buf_addf(&b, "%s: on_%s: nobody was told: %s", h->origin,
		    notify_event_name(h->event), err.msg);
		warn(self, b.data);
	}
	buf_release(&b);
	err_release(&err);
	free(body);
}

void
notify(const struct notify_hook *hooks, size_t nhooks, const struct notify_run *run,
    void (*warn)(void *self, const char *text), void *self)
{
	size_t most = run->nfailed > run->nrecovered ? run->nfailed : run->nrecovered;
	struct notify_node *v = xcalloc(most + 1, sizeof(*v));
	int64_t until_ms = clock_mono_ms() + NOTIFY_TOTAL_MS;

	for (size_t i = 0; i < nhooks; i++) {
		const struct notify_hook *h = &hooks[i];
		struct notify_run part = part_of_owner(h, run, v);
		int64_t left_ms = until_ms - clock_mono_ms();

		if (concerns(h, &part))
			tell(h, &part, left_ms < h->timeout_ms ? left_ms : h->timeout_ms, warn,
			    self);
	}
	free(v);
}
