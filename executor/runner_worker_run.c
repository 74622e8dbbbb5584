#include "executor/runner_worker_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/worker_message.h"
#include "util/clock.h"
#include "util/xalloc.h"

/* -- stuck nodes -------------------------------------------------------------------------- */

/* When the first cancelled attempt overstays, or -1. Sets *others: attempts nobody cancelled. */
static int64_t
first_overdue_ms(const struct worker *w, bool *others)
{
	int64_t first = -1;

	*others = false;
	for (size_t i = 0; i < w->nchannels; i++) {
		const struct channel *c = &w->channels[i];

		if (c->running && !c->cancelled_ms)
			*others = true;
		if (c->running && c->cancelled_ms &&
		    (first < 0 || c->cancelled_ms + w->o.grace_ms < first))
			first = c->cancelled_ms + w->o.grace_ms;
	}
	return first;
}

/* Called by the process' reading thread. */
int64_t
worker_supervise(void *self)
{
	struct worker *w = self;
	int64_t now = clock_mono_ms(), overdue, wait_ms = -1;
	bool others;

	pthread_mutex_lock(&w->lock);
	overdue = first_overdue_ms(w, &others);
	if (overdue < 0) {
		if (w->kill_at_ms && !w->killed)
			pthread_cond_broadcast(&w->changed);   /* it did end: go on as before */
		w->kill_at_ms = 0;
	} else if (now < overdue) {
		wait_ms = overdue - now;
	} else {
		if (!w->kill_at_ms)
			w->kill_at_ms = now + w->o.grace_ms;
		if (!others || now >= w->kill_at_ms) {
			w->killed = true;
			process_kill(w->process);
		} else {
			wait_ms = w->kill_at_ms - now;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return wait_ms;
}

/* -- run -------------------------------------------------------------------------------------- */

static void
fail(struct result *result, enum error_class class, const char *message)
{
	result->status = RESULT_ERROR;
	result->class = class;
	result->message = xstrdup(message);
}

/* With the lock. Waits for, or makes, a process to run on. False: result says why not. */
static bool
acquire(struct worker *w, const struct channel *c, struct result *result)
{
	struct buf why = BUF_INIT;
	bool failed = false, asked = false;   /* asked: the last restart was on our account */

	while (!failed) {
		if (c->cancelled_ms) {
			fail(result, CLASS_CANCELLED, "cancelled before it started");
			result->unstarted = true;
			return false;
		}
		if (w->restarting || (w->kill_at_ms && worker_is_alive(w))) {
			pthread_cond_wait(&w->changed, &w->lock);
		} else if (worker_is_alive(w)) {
			return true;
		} else if (asked && w->restart_why) {
			buf_addf(&why, "cannot start dbt again: %s", w->restart_why);
			fail(result, CLASS_WORKER_LOST, buf_str(&why));
			failed = true;
		} else if (w->restarts >= WORKER_RESTARTS) {
			buf_addf(&why, "no dbt process any more: it was lost %u times",
			    w->restarts + 1);
			fail(result, CLASS_INTERNAL, buf_str(&why));
			failed = true;
		} else {
			worker_restart_begin(w);
			asked = true;
		}
	}
	buf_release(&why);
	return false;
}

static int
send_line(int fd, cJSON *message)
{
	char *text = cJSON_PrintUnformatted(message);
	size_t len = text ? strlen(text) : 0, sent = 0;

	cJSON_Delete(message);
	if (!text)
		return -1;
	text[len++] = '\n';      /* in place of the NUL: sent by length */
	while (sent < len) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	cJSON_free(text);
	return sent == len ? 0 : -1;
}

/* The next line, NUL-ended, without its newline; NULL at the end of file. */
static char *
receive_line(struct channel *c)
{
	size_t seen = 0;

	for (;;) {
		char *end = c->rest.len > seen ?
		    memchr(c->rest.data + seen, '\n', c->rest.len - seen) : NULL;
		char piece[16384];
		ssize_t n;

		if (end) {
			*end = '\0';
			return c->rest.data;
		}
		seen = c->rest.len;
		n = read(c->fd, piece, sizeof(piece));
		if (n == 0 || (n < 0 && errno != EINTR))
			return NULL;
		if (n > 0)
			buf_add(&c->rest, piece, (size_t)n);
	}
}

static bool
exchange(struct worker *w, struct channel *c, const struct job *job, struct result *result)
{
	const char *line;
	bool understood = false;

	buf_truncate(&c->rest, 0);   /* one answer a request: nothing is ever left */
	if (send_line(c->fd, worker_run_message("run", job->id, job->attempt)) < 0)
		return false;
	line = receive_line(c);
	if (line)
		understood = worker_result_read(result, line, job->id, w->info.adapter) == 0;
	if (line && !understood)
		fail(result, CLASS_INTERNAL, "the dbt process sent an answer that is none");
	return line != NULL;
}

/* With the lock. */
static void
remember(struct worker *w, const char *id, const char *text)
{
	struct entry *e = map_get(&w->by_id, id);

	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->id = xstrdup(id);
		w->entries = xgrow(w->entries, w->nentries, &w->entries_cap, sizeof(*w->entries));
		w->entries[w->nentries++] = e;
		map_put(&w->by_id, e->id, e);
	}
	free(e->text);
	e->text = xstrdup(text);
}

/* With the lock, which is given up while the process ends. */
static void
report_loss(struct worker *w, const struct channel *c, struct result *result)
{
	struct worker_process *p = w->process;
	struct buf message = BUF_INIT;
	char *epitaph;

	if (!w->lost) {
		w->lost = true;
		w->nrunning_at_loss = 0;
		for (size_t i = 0; i < w->nchannels; i++)
			w->nrunning_at_loss += w->channels[i].running;
	}
	pthread_mutex_unlock(&w->lock);
	process_kill(p);
	process_join(p);
	epitaph = process_epitaph(p);
	pthread_mutex_lock(&w->lock);
	if (c->cancelled_ms && w->killed)
		buf_addf(&message, "did not end within %lld s of being cancelled; its dbt process "
		    "was killed", (long long)(w->o.grace_ms / 1000));
	else if (w->killed)
		buf_adds(&message, "lost with its dbt process, which was killed for another node");
	else
		buf_adds(&message, epitaph);
	free(epitaph);
	fail(result, c->cancelled_ms ? CLASS_CANCELLED : CLASS_WORKER_LOST, buf_str(&message));
	result->blameless = !c->cancelled_ms && (w->killed || w->nrunning_at_loss > 1);
	buf_release(&message);
}

static void
runner_run(void *self, const struct job *job, struct result *result)
{
	struct worker *w = self;
	struct channel *c = &w->channels[job->thread];

	pthread_mutex_lock(&w->lock);
	c->job = job;
	c->cancelled_ms = 0;
	if (acquire(w, c, result)) {
		bool answered;

		c->running = true;
		pthread_mutex_unlock(&w->lock);
		answered = exchange(w, c, job, result);
		pthread_mutex_lock(&w->lock);
		if (!answered)
			report_loss(w, c, result);
		else if (c->cancelled_ms && result->status == RESULT_ERROR &&
		    result->class != CLASS_STALE)
			result->class = CLASS_CANCELLED;
		if (result->entry)
			remember(w, job->id, result->entry);
		c->running = false;
		if (w->kill_at_ms && w->process)
			process_poke(w->process);
		pthread_cond_broadcast(&w->changed);
	}
	c->job = NULL;
	pthread_mutex_unlock(&w->lock);
}

static void
runner_cancel(void *self, const struct job *job)
{
	struct worker *w = self;
	struct channel *c = &w->channels[job->thread];

	pthread_mutex_lock(&w->lock);
	if (c->job && c->job->attempt == job->attempt && strcmp(c->job->id, job->id) == 0 &&
	    !c->cancelled_ms) {
		c->cancelled_ms = clock_mono_ms();
		if (c->running) {
			process_send(w->process,
			    worker_run_message("cancel", job->id, job->attempt), NULL, 0);
			process_poke(w->process);
		}
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
}

struct runner
worker_runner(struct worker *w)
{
	return (struct runner){ .self = w, .run = runner_run, .cancel = runner_cancel };
}

