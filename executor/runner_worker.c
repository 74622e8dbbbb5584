#include "executor/runner_worker_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/lock.h"
#include "executor/worker_message.h"
#include "util/signals.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	DEFAULT_GRACE_MS = 10 * 1000,
	SETTLE_POLL_MS = 50,
	WRITE_MANIFEST_MS = 120 * 1000,  /* after on-run-end; large projects take seconds */
	END_MS = 5 * 1000,               /* more than EXIT_GRACE of dbt_worker/cancel.py */
};

static void
log_line(void *self, const char *id, const char *level, const char *code, const char *text)
{
	struct worker *w = self;

	if (w->o.log)
		w->o.log(w->o.self, id, level ? level : "info", code ? code : "", text);
}

/* -- start ------------------------------------------------------------------------------------ */

static struct worker_process *
spawn(struct worker *w, struct err *err)
{
	const struct process_options o = {
		.python = w->o.python, .env = w->o.env, .dir = w->o.dir,
		.self = w, .log = log_line, .supervise = worker_supervise,
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

/* v: NULL-ended, or NULL. */
static cJSON *
text_array(const char *const *v)
{
	cJSON *array = cJSON_CreateArray();

	for (; v && *v; v++)
		cJSON_AddItemToArray(array, cJSON_CreateString(*v));
	return array;
}

static void
add_past(cJSON *message, const struct worker_past *past)
{
	cJSON_AddItemToObject(message, "dead_runs", text_array(past->dead_runs));
	if (past->started_at)
		cJSON_AddStringToObject(message, "first_started_at", past->started_at);
	if (past->batches)
		cJSON_AddItemToObject(message, "batches", cJSON_Parse(past->batches));
	if (past->elsewhere)
		cJSON_AddItemToObject(message, "elsewhere", text_array(past->elsewhere));
}

static void
add_hooks(cJSON *message, const struct worker_options *o)
{
	cJSON *skip = cJSON_AddArrayToObject(message, "skip_hooks");

	if (o->no_start_hooks)
		cJSON_AddItemToArray(skip, cJSON_CreateString("on-run-start"));
	if (o->no_end_hooks)
		cJSON_AddItemToArray(skip, cJSON_CreateString("on-run-end"));
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
	add_hooks(message, &w->o);
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
	w->past.elsewhere = (const char *const *)text_copy_list(past->elsewhere);
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

bool
worker_is_alive(const struct worker *w)
{
	return !w->lost && w->process && process_stage(w->process) == PROCESS_READY;
}

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
start_again(struct worker *w, int signal_fd, struct err *err)
{
	struct worker_process *p = spawn(w, err);
	int code = -1;

	if (!p)
		return -1;
	pthread_mutex_lock(&w->lock);
	w->process = p;                  /* from here on settle() can end it */
	if (w->stopping)
		process_kill(p);
	pthread_mutex_unlock(&w->lock);
	if (await(w, p, PROCESS_PARSED, signal_fd, err) == 0) {
		send_begin(w, p, true);
		if (await(w, p, PROCESS_READY, signal_fd, err) == 0)
			code = open_channels(w, p, err);
	}
	return code;
}

/* With the lock, which is given up meanwhile; everybody else waits. */
static int
restart(struct worker *w, int signal_fd, struct err *err)
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
	code = start_again(w, signal_fd, err);
	pthread_mutex_lock(&w->lock);
	w->lost = code < 0;
	w->killed = false;
	w->kill_at_ms = 0;
	w->restarting = false;
	pthread_cond_broadcast(&w->changed);
	return code;
}

static void *
restarter_main(void *arg)
{
	struct worker *w = arg;
	struct err err = ERR_INIT;

	pthread_mutex_lock(&w->lock);
	if (restart(w, -1, &err) < 0)
		w->restart_why = xstrdup(err.msg);
	pthread_mutex_unlock(&w->lock);
	err_release(&err);
	return NULL;
}

/* The last one has given up the lock for good when it is no longer restarting. */
static void
join_restarter(struct worker *w)
{
	if (w->has_restarter)
		pthread_join(w->restarter, NULL);
	w->has_restarter = false;
	free(w->restart_why);
	w->restart_why = NULL;
}

void
worker_restart_begin(struct worker *w)
{
	join_restarter(w);
	w->restarting = true;
	errno = pthread_create(&w->restarter, NULL, restarter_main, w);
	w->has_restarter = errno == 0;
	if (errno) {
		w->restart_why = xstrdup("no thread for it");
		w->restarts++;
		w->restarting = false;
	}
}

/* No node runs any more; what they started may still be on its way. stop: it is of no use; so it is
 * when a signal comes. */
static void
settle(struct worker *w, bool stop)
{
	struct pollfd signal = { .fd = signals_fd(), .events = POLLIN };

	pthread_mutex_lock(&w->lock);
	while (w->restarting) {
		w->stopping |= stop || w->interrupted;
		if (w->stopping && w->process)
			process_kill(w->process);
		pthread_mutex_unlock(&w->lock);
		w->interrupted |= poll(&signal, w->interrupted ? 0 : 1, SETTLE_POLL_MS) > 0;
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	join_restarter(w);
}

/* -- finish ----------------------------------------------------------------------------------- */

int
worker_finish(struct worker *w, const struct worker_outcome *outcomes, size_t noutcomes,
    bool cancelled, const struct worker_end **end, struct err *err)
{
	bool alive;
	int code = 0;

	*end = &w->end;
	worker_end_release(&w->end);
	settle(w, cancelled);
	if (w->interrupted && !cancelled)
		return err_set(err, "interrupted");
	pthread_mutex_lock(&w->lock);
	alive = worker_is_alive(w) || (w->process && process_stage(w->process) == PROCESS_DONE);
	if (!alive && !cancelled)
		code = w->restarts < WORKER_RESTARTS ? restart(w, signals_fd(), err) :
		    err_set(err, "on-run-end did not run: the dbt process was lost %u times",
		    w->restarts + 1);
	pthread_mutex_unlock(&w->lock);
	if (code < 0)
		return -1;
	if (!alive && cancelled)
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
	settle(w, true);
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
	text_free_list((char **)w->past.elsewhere);
	free((char *)w->o.python);
	free((char *)w->o.verb);
	free((char *)w->o.dir);
	text_free_list((char **)w->o.argv);
	text_free_list((char **)w->o.env);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}
