#include "executor/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

struct events {
	int fd;                  /* -1: a write failed, nothing more is written */
	bool own;
	int failed;              /* errno, until it was told */
	struct buf line;         /* under construction; empty between calls */
};

struct events *
events_new(int fd)
{
	struct events *e = xcalloc(1, sizeof(*e));

	e->fd = fd;
	return e;
}

struct events *
events_open(const char *where, struct err *err)
{
	bool number = *where && strspn(where, "0123456789") == strlen(where) && strlen(where) < 6;
	struct events *e;
	int fd;

	if (number) {
		fd = (int)strtol(where, NULL, 10);
		if (fcntl(fd, F_GETFD) < 0)
			fd = -1;
		else if (fd > STDERR_FILENO)
			fcntl(fd, F_SETFD, FD_CLOEXEC);   /* no business of children */
	} else {
		fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	if (fd < 0) {
		err_sys(err, "--events %s: cannot write there", where);
		return NULL;
	}
	e = events_new(fd);
	e->own = !number;
	return e;
}

void
events_free(struct events *e)
{
	if (!e)
		return;
	if (e->own && e->fd >= 0)
		close(e->fd);
	buf_release(&e->line);
	free(e);
}

int
events_failed(struct events *e)
{
	int failed = e->failed;

	e->failed = 0;
	return failed;
}

/* ---- lines ---- */

static void
add_text(struct events *e, const char *key, const char *value)
{
	if (!value)
		return;
	buf_addf(&e->line, ", \"%s\": ", key);
	text_add_json(&e->line, value);
}

static void
open_line(struct events *e, const char *event, int64_t at_ms)
{
	char iso[CLOCK_ISO_SIZE];

	clock_iso(at_ms * 1000, iso);
	buf_addf(&e->line, "{\"event\": \"%s\", \"at\": \"%s\"", event, iso);
}

static void
close_line(struct events *e)
{
	size_t done = 0;

	buf_adds(&e->line, "}\n");
	while (e->fd >= 0 && done < e->line.len) {
		ssize_t n = write(e->fd, e->line.data + done, e->line.len - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			e->failed = errno;
			if (e->own)
				close(e->fd);
			e->fd = -1;
		}
	}
	buf_truncate(&e->line, 0);
}

/* ---- what happens ---- */

void
events_start(struct events *e, int64_t at_ms, const struct progress_head *h)
{
	open_line(e, "start", at_ms);
	add_text(e, "command", h->command);
	add_text(e, "project", h->project);
	add_text(e, "target", h->target);
	add_text(e, "adapter", h->adapter);
	add_text(e, "dbt", h->dbt_version);
	buf_addf(&e->line, ", \"tasks\": %zu, \"threads\": %u", h->plan->ntasks, h->nthreads);
	close_line(e);
}

void
events_hook(struct events *e, int64_t at_ms, const char *id, enum result_status status,
    const char *message)
{
	open_line(e, "hook", at_ms);
	add_text(e, "unique_id", id);
	add_text(e, "status", result_status_name(status));
	add_text(e, "message", message);
	close_line(e);
}

void
events_log(struct events *e, int64_t at_ms, const char *id, const char *level, const char *text)
{
	open_line(e, "log", at_ms);
	add_text(e, "level", level);
	add_text(e, "unique_id", id);
	add_text(e, "message", text);
	close_line(e);
}

void
events_task(struct events *e, const struct run_event *ev)
{
	const struct run_task *t = ev->task;

	open_line(e, "task", ev->at_ms);
	add_text(e, "unique_id", t->task->node->id);
	add_text(e, "resource_type", kind_name(t->task->node->kind));
	add_text(e, "from", task_state_name(ev->from));
	add_text(e, "to", task_state_name(ev->to));
	buf_addf(&e->line, ", \"attempt\": %u", t->attempts);
	if (ev->to == TASK_RUNNING)
		buf_addf(&e->line, ", \"thread\": %u", t->thread + 1);
	if (ev->to == TASK_DONE || ev->to == TASK_SKIPPED) {
		add_text(e, "status", result_status_name(t->status));
		buf_addf(&e->line, ", \"seconds\": %.3f", (double)t->busy_ms / 1000);
	}
	if (ev->result) {
		add_text(e, "message", ev->result->message);
		if (ev->result->class != CLASS_NONE)
			add_text(e, "class", error_class_name(ev->result->class));
		add_text(e, "code", ev->result->code);
		if (ev->result->failures >= 0)
			buf_addf(&e->line, ", \"failures\": %lld", ev->result->failures);
		if (ev->result->rows >= 0)
			buf_addf(&e->line, ", \"rows\": %lld", ev->result->rows);
	}
	add_text(e, "reason", ev->text);
	close_line(e);
}

void
events_end(struct events *e, int64_t at_ms, const struct progress_tail *t)
{
	bool first = true;

	open_line(e, "end", at_ms);
	buf_adds(&e->line, ", \"counts\": {");
	for (int s = 0; s < NRESULT_STATUSES; s++) {
		if (!t->summary->count[s])
			continue;
		buf_addf(&e->line, "%s\"%s\": %zu", first ? "" : ", ",
		    result_status_name((enum result_status)s), t->summary->count[s]);
		first = false;
	}
	buf_addf(&e->line, "}, \"retried\": %zu, \"seconds\": %.3f, \"lower_bound\": %.3f, "
	    "\"total_seconds\": %.3f", t->summary->nretried, (double)t->summary->wall_ms / 1000,
	    t->lower_bound_s, (double)t->total_ms / 1000);
	if (t->summary->signo)
		buf_addf(&e->line, ", \"signal\": %d", t->summary->signo);
	close_line(e);
}
