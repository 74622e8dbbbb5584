#include "executor/runner_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/lock.h"
#include "executor/worker_message.h"
#include "executor/worker_process.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/map.h"
#include "util/signals.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	DEFAULT_GRACE_MS = 10 * 1000,
	WRITE_MANIFEST_MS = 120 * 1000,  /* after on-run-end; large projects take seconds */
	END_MS = 5 * 1000,               /* more than dbt_worker.py's EXIT_GRACE */
};

/* One pool thread's socket to its Python thread. */
struct channel {
	int fd;                  /* -1 = none */
	struct buf rest;         /* read, not yet a whole line; the pool thread's own */
	const struct job *job;   /* the pool thread is inside run(), or NULL; borrowed */
	bool running;            /* the request is with the process */
	int64_t cancelled_ms;    /* monotonic; 0 = not cancelled */
};

/* What a restarted worker is given. */
struct entry {
	char *id;
	char *text;
};

struct worker {
	struct worker_options o;         /* strings copied */
	struct worker_info info;
	struct worker_ready ready;
	struct worker_end end;
	char **ids;
	size_t nids;
	int lock_fd;
	struct worker_past past;         /* strings copied; dead_runs until begun */
	double started_at;               /* dbt's clock: start of the run phase */
	bool begun, interrupted;

	pthread_mutex_t lock;            /* guards all below */
	pthread_cond_t changed;
	struct worker_process *process;
	struct channel *channels;
	size_t nchannels;
	struct entry **entries;          /* last result of each node */
	size_t nentries, entries_cap;
	struct map by_id;                /* id -> struct entry */
	bool lost;                       /* the process died; until a restart succeeded */
	bool restarting;
	bool killed;                     /* it was killed for a stuck node */
	size_t nrunning_at_loss;
	int64_t kill_at_ms;              /* 0 = no stuck node; else: at the latest */
	unsigned restarts;
};

static void
log_line(void *self, const char *id, const char *level, const char *code, const char *text)
{
	struct worker *w = self;

	if (w->o.log)
		w->o.log(w->o.self, id, level ? level : "info", code ? code : "", text);
}

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
static int64_t
supervise(void *self)
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

/* -- start ------------------------------------------------------------------------------------ */

static struct worker_process *
spawn(struct worker *w, struct err *err)
{
	const struct process_options o = {
		.python = w->o.python, .env = w->o.env, .dir = w->o.dir,
		.self = w, .log = log_line, .supervise = supervise,
	};
	struct worker_process *p = process_start(&o, err);

	if (p)
		process_send(p, worker_start_message(w->o.verb, w->o.argv), NULL, 0);
	return p;
}

struct worker *
worker_start(const struct worker_options *o, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->o = *o;
	w->o.python = xstrdup(o->python);
	w->o.verb = xstrdup(o->verb);
	w->o.argv = (const char *const *)text_copy_list(o->argv);
	w->o.env = (const char *const *)text_copy_list(o->env);
	w->o.dir = o->dir ? xstrdup(o->dir) : NULL;
	if (w->o.grace_ms <= 0)
		w->o.grace_ms = DEFAULT_GRACE_MS;
	w->lock_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->process = spawn(w, err);
	if (!w->process) {
		worker_free(w);
		return NULL;
	}
	return w;
}

/* Waits for a stage, with err on any other end. */
static int
await(struct worker *w, struct worker_process *p, enum process_stage stage, int signal_fd,
    struct err *err)
{
	bool interrupted;
	enum process_stage reached = process_wait(p, stage, signal_fd, -1, &interrupted);
	char *epitaph;

	if (interrupted) {
		w->interrupted = true;
		return err_set(err, "interrupted");
	}
	if (reached <= PROCESS_DONE)
		return 0;
	if (reached == PROCESS_LOST)
		process_join(p);
	epitaph = process_epitaph(p);
	err_set(err, "%s", epitaph);
	free(epitaph);
	return -1;
}

int
worker_wait_parsed(struct worker *w, const struct worker_info **info, struct err *err)
{
	if (await(w, w->process, PROCESS_PARSED, signals_fd(), err) < 0)
		return -1;
	if (!w->info.manifest_path)
		worker_info_read(&w->info, process_message(w->process, PROCESS_PARSED));
	if (!w->info.manifest_path || !w->info.args || !w->info.metadata || !w->info.target_path)
		return err_set(err, "the dbt process does not speak this program's protocol");
	*info = &w->info;
	return 0;
}

/* -- begin ------------------------------------------------------------------------------------ */

static cJSON *
restore_object(const struct worker *w)
{
	cJSON *restore = cJSON_CreateObject();
	cJSON *entries = cJSON_AddArrayToObject(restore, "entries");

	cJSON_AddNumberToObject(restore, "started_at", w->started_at);
	cJSON_AddStringToObject(restore, "invocation_id",
	    w->info.invocation_id ? w->info.invocation_id : "");
	for (size_t i = 0; i < w->ready.nhooks; i++)
		cJSON_AddItemToArray(entries, cJSON_CreateString(w->ready.hooks[i]));
	for (size_t i = 0; i < w->nentries; i++)
		cJSON_AddItemToArray(entries, cJSON_CreateString(w->entries[i]->text));
	return restore;
}

static void
add_past(cJSON *message, const struct worker_past *past)
{
	cJSON *dead = cJSON_AddArrayToObject(message, "dead_runs");

	for (const char *const *id = past->dead_runs; id && *id; id++)
		cJSON_AddItemToArray(dead, cJSON_CreateString(*id));
	if (past->started_at)
		cJSON_AddStringToObject(message, "first_started_at", past->started_at);
	if (past->batches)
		cJSON_AddItemToObject(message, "batches", cJSON_Parse(past->batches));
}

static void
send_begin(struct worker *w, struct worker_process *p, bool again)
{
	cJSON *message = cJSON_CreateObject();
	cJSON *ids = cJSON_AddArrayToObject(message, "ids");

	cJSON_AddStringToObject(message, "op", "begin");
	for (size_t i = 0; i < w->nids; i++)
		cJSON_AddItemToArray(ids, cJSON_CreateString(w->ids[i]));
	if (again)
		cJSON_AddItemToObject(message, "restore", restore_object(w));
	add_past(message, &w->past);
	lock_shared_with(w->lock_fd, process_pid(p));
	process_send(p, message, &w->lock_fd, w->lock_fd >= 0);
}

static void
close_channel(struct channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_truncate(&c->rest, 0);
}

/* One socket pair a thread; the process gets the other ends. */
static int
open_channels(struct worker *w, struct worker_process *p, struct err *err)
{
	int theirs[PROCESS_FDS], ends[2];
	size_t n = 0;

	for (size_t i = 0; i < w->nchannels; i++) {
		struct channel *c = &w->channels[i];

		close_channel(c);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
			return err_sys(err, "cannot make a socket for thread %zu", i + 1);
		fcntl(ends[0], F_SETFD, FD_CLOEXEC);
		fcntl(ends[1], F_SETFD, FD_CLOEXEC);
		c->fd = ends[0];
		theirs[n++] = ends[1];
		if (n == PROCESS_FDS || i + 1 == w->nchannels) {
			cJSON *message = cJSON_CreateObject();

			cJSON_AddStringToObject(message, "op", "channels");
			process_send(p, message, theirs, n);
			while (n > 0)
				close(theirs[--n]);
		}
	}
	return 0;
}

static void
make_channels(struct worker *w)
{
	w->nchannels = w->ready.nthreads;
	w->channels = xcalloc(w->nchannels + 1, sizeof(*w->channels));
	for (size_t i = 0; i < w->nchannels; i++)
		w->channels[i].fd = -1;
}

static double
number_of(const cJSON *message, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(message, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

void
worker_set_past(struct worker *w, const struct worker_past *past)
{
	w->past.dead_runs = past->dead_runs;
	w->past.started_at = past->started_at ? xstrdup(past->started_at) : NULL;
	w->past.batches = past->batches ? xstrdup(past->batches) : NULL;
}

int
worker_begin(struct worker *w, const char *const *ids, size_t nids, int lock_fd,
    const struct worker_ready **ready, struct err *err)
{
	const cJSON *message;

	w->ids = xcalloc(nids + 1, sizeof(*w->ids));
	for (size_t i = 0; i < nids; i++)
		w->ids[i] = xstrdup(ids[i]);
	w->nids = nids;
	w->lock_fd = lock_fd;
	send_begin(w, w->process, false);
	w->past.dead_runs = NULL;
	if (await(w, w->process, PROCESS_READY, signals_fd(), err) < 0)
		return -1;
	message = process_message(w->process, PROCESS_READY);
	if (!message) {                  /* dbt had nothing to do and has ended */
		worker_end_read(&w->end, process_message(w->process, PROCESS_DONE));
		if (w->end.failure || nids > 0)
			return err_set(err, "%s", w->end.failure ? w->end.failure :
			    "dbt ended before it ran a node");
	} else {
		worker_ready_read(&w->ready, message);
		w->started_at = number_of(message, "started_at");
		pthread_mutex_lock(&w->lock);
		make_channels(w);
		pthread_mutex_unlock(&w->lock);
		if (!w->ready.skip_nodes && open_channels(w, w->process, err) < 0)
			return -1;
	}
	w->begun = true;
	*ready = &w->ready;
	return 0;
}

/* -- restart ---------------------------------------------------------------------------------- */

static bool
any_running(const struct worker *w)
{
	for (size_t i = 0; i < w->nchannels; i++)
		if (w->channels[i].running)
			return true;
	return false;
}

/* Without the lock: takes seconds. */
static int
start_again(struct worker *w, struct err *err)
{
	struct worker_process *p = spawn(w, err);
	int code = -1;

	if (!p)
		return -1;
	pthread_mutex_lock(&w->lock);
	w->process = p;                  /* from here on cancel() can end it */
	pthread_mutex_unlock(&w->lock);
	if (await(w, p, PROCESS_PARSED, -1, err) == 0) {
		send_begin(w, p, true);
		if (await(w, p, PROCESS_READY, -1, err) == 0)
			code = open_channels(w, p, err);
	}
	return code;
}

/* With the lock, which is given up meanwhile. Everybody else waits. */
static int
restart(struct worker *w, struct err *err)
{
	struct worker_process *old;
	int code;

	w->restarting = true;
	w->restarts++;
	while (any_running(w))
		pthread_cond_wait(&w->changed, &w->lock);
	old = w->process;
	w->process = NULL;
	pthread_mutex_unlock(&w->lock);
	process_free(old, 0, -1);
	log_line(w, NULL, "warn", "worker", "the dbt process is gone; starting another");
	code = start_again(w, err);
	pthread_mutex_lock(&w->lock);
	w->lost = code < 0;
	w->killed = false;
	w->kill_at_ms = 0;
	w->restarting = false;
	pthread_cond_broadcast(&w->changed);
	return code;
}

/* -- run -------------------------------------------------------------------------------------- */

static void
fail(struct result *result, enum error_class class, const char *message)
{
	result->status = RESULT_ERROR;
	result->class = class;
	result->message = xstrdup(message);
}

static bool
is_alive(struct worker *w)
{
	return !w->lost && w->process && process_stage(w->process) == PROCESS_READY;
}

/* With the lock. Waits for, or makes, a process to run on. False: result says why not. */
static bool
acquire(struct worker *w, const struct channel *c, struct result *result)
{
	struct err err = ERR_INIT;
	struct buf why = BUF_INIT;
	bool failed = false;

	while (!failed) {
		if (c->cancelled_ms) {
			fail(result, CLASS_CANCELLED, "cancelled before it started");
			return false;
		}
		if (w->restarting || (w->kill_at_ms && is_alive(w))) {
			pthread_cond_wait(&w->changed, &w->lock);
		} else if (is_alive(w)) {
			return true;
		} else if (w->restarts >= WORKER_RESTARTS) {
			buf_addf(&why, "no dbt process any more: it was lost %u times",
			    w->restarts + 1);
			fail(result, CLASS_INTERNAL, buf_str(&why));
			failed = true;
		} else if (restart(w, &err) < 0) {
			buf_addf(&why, "cannot start dbt again: %s", err.msg);
			fail(result, c->cancelled_ms ? CLASS_CANCELLED : CLASS_WORKER_LOST,
			    buf_str(&why));
			failed = true;
		}
	}
	buf_release(&why);
	err_release(&err);
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
		else if (c->cancelled_ms && result->status == RESULT_ERROR && result->class != CLASS_STALE)
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

static bool
all_cancelled(const struct worker *w)
{
	for (size_t i = 0; i < w->nchannels; i++)
		if (w->channels[i].job && !w->channels[i].cancelled_ms)
			return false;
	return true;
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
		} else if (w->restarting && w->process && all_cancelled(w)) {
			process_kill(w->process);   /* nobody is left to wait for it */
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

/* -- finish ----------------------------------------------------------------------------------- */

int
worker_finish(struct worker *w, const struct worker_outcome *outcomes, size_t noutcomes,
    bool cancelled, const struct worker_end **end, struct err *err)
{
	int code = 0;

	*end = &w->end;
	worker_end_release(&w->end);
	pthread_mutex_lock(&w->lock);
	if (process_stage(w->process) == PROCESS_LOST && !cancelled &&
	    w->restarts < WORKER_RESTARTS)
		code = restart(w, err);
	pthread_mutex_unlock(&w->lock);
	if (code < 0)
		return -1;
	if (process_stage(w->process) == PROCESS_LOST && cancelled)
		return 0;                /* as dbt after Ctrl-C: no hooks */
	process_send(w->process, worker_finish_message(outcomes, noutcomes, cancelled), NULL, 0);
	if (await(w, w->process, PROCESS_DONE, signals_fd(), err) < 0)
		return -1;
	worker_end_read(&w->end, process_message(w->process, PROCESS_DONE));
	return 0;
}

bool
worker_interrupted(const struct worker *w)
{
	return w->interrupted;
}

int
worker_pid(struct worker *w)
{
	int pid;

	pthread_mutex_lock(&w->lock);
	pid = w->process ? process_pid(w->process) : 0;
	pthread_mutex_unlock(&w->lock);
	return pid;
}

unsigned
worker_restarts(struct worker *w)
{
	unsigned n;

	pthread_mutex_lock(&w->lock);
	n = w->restarts;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void
worker_free(struct worker *w)
{
	bool done;

	if (!w)
		return;
	done = w->process && process_stage(w->process) == PROCESS_DONE;
	process_free(w->process, done ? WRITE_MANIFEST_MS : END_MS, done ? signals_fd() : -1);
	for (size_t i = 0; i < w->nchannels; i++) {
		close_channel(&w->channels[i]);
		buf_release(&w->channels[i].rest);
	}
	for (size_t i = 0; i < w->nentries; i++) {
		free(w->entries[i]->id);
		free(w->entries[i]->text);
		free(w->entries[i]);
	}
	map_release(&w->by_id);
	free(w->entries);
	free(w->channels);
	text_free_list(w->ids);
	worker_info_release(&w->info);
	worker_ready_release(&w->ready);
	worker_end_release(&w->end);
	free((char *)w->past.started_at);
	free((char *)w->past.batches);
	free((char *)w->o.python);
	free((char *)w->o.verb);
	free((char *)w->o.dir);
	text_free_list((char **)w->o.argv);
	text_free_list((char **)w->o.env);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}
