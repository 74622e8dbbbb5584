#include "executor/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "util/clock.h"
#include "util/xalloc.h"

/* The loop is asked for signals at least once in so many events. */
#define EVENTS_PER_LOOK 64

struct item {
	struct pool_event ev;
	struct item *next;
};

struct queue {
	struct item *head, **tail;
};

struct worker {
	struct pool *pool;
	uv_thread_t thread;
	uv_cond_t wake;
	struct job *job;          /* NULL = free; guarded */
	bool given_up;            /* guarded */
};

struct pool {
	struct runner runner;
	unsigned nthreads, nstarted;
	struct worker *workers;
	uv_mutex_t lock;          /* guards out, waiting, stopping, users, and what says so above */
	struct queue out;         /* events for the main thread */
	bool waiting;             /* the main thread sleeps in the loop */
	bool stopping;
	unsigned users;           /* threads and the owner: the last one frees */

	/* Main thread only: */
	struct queue taken;       /* events moved out of `out` at once */
	bool running;             /* the loop is open */
	bool has_signal_fd, signalled;
	unsigned since_look;
	uv_loop_t loop;
	uv_async_t async;
	uv_timer_t timer;
	uv_poll_t poll;
};

static void
queue_init(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void
queue_add(struct queue *q, struct item *item)
{
	item->next = NULL;
	*q->tail = item;
	q->tail = &item->next;
}

static struct item *
queue_take(struct queue *q)
{
	struct item *item = q->head;

	if (item && !(q->head = item->next))
		q->tail = &q->head;
	return item;
}

static void
queue_drop(struct queue *q)
{
	struct item *item;

	while ((item = queue_take(q))) {
		pool_event_release(&item->ev);
		free(item);
	}
}

/* Hands an event to the main thread; true when that sleeps and is to be woken. The lock is held. */
static bool
deliver(struct pool *p, struct item *item)
{
	bool asleep = p->waiting;

	queue_add(&p->out, item);
	p->waiting = false;
	return asleep;
}

/* The lock is held and released; the last user frees. */
static void
leave(struct pool *p)
{
	unsigned left = --p->users;

	uv_mutex_unlock(&p->lock);
	if (left > 0)
		return;
	queue_drop(&p->out);
	for (unsigned i = 0; i < p->nthreads; i++) {
		free(p->workers[i].job);
		uv_cond_destroy(&p->workers[i].wake);
	}
	uv_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

static struct item *
run_job(const struct runner *r, const struct job *job)
{
	struct item *item = xcalloc(1, sizeof(*item));
	int64_t began_us;

	item->ev.kind = POOL_ENDED;
	item->ev.thread = job->thread;
	item->ev.result = (struct result)RESULT_INIT;
	item->ev.started_ms = clock_wall_ms();
	began_us = clock_mono_us();
	r->run(r->self, job, &item->ev.result);
	item->ev.took_ms = (clock_mono_us() - began_us) / 1000;
	return item;
}

static void
work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	uv_mutex_lock(&p->lock);
	for (;;) {
		struct item *item;
		bool asleep;

		while (!w->job && !p->stopping)
			uv_cond_wait(&w->wake, &p->lock);
		if (!w->job)
			break;
		uv_mutex_unlock(&p->lock);
		item = run_job(&p->runner, w->job);
		uv_mutex_lock(&p->lock);
		free(w->job);
		w->job = NULL;
		if (w->given_up) {
			pool_event_release(&item->ev);
			free(item);
			break;
		}
		asleep = deliver(p, item);
		/* Not under the lock: who wakes would run into it. The loop is open till we are
		 * joined. */
		uv_mutex_unlock(&p->lock);
		if (asleep)
			uv_async_send(&p->async);
		uv_mutex_lock(&p->lock);
	}
	leave(p);
}

struct pool *
pool_new(const struct runner *runner, unsigned nthreads)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->runner = *runner;
	p->nthreads = nthreads;
	p->workers = xcalloc(nthreads, sizeof(*p->workers));
	p->users = 1;
	queue_init(&p->out);
	queue_init(&p->taken);
	uv_mutex_init(&p->lock);
	for (unsigned i = 0; i < nthreads; i++) {
		p->workers[i].pool = p;
		uv_cond_init(&p->workers[i].wake);
	}
	return p;
}

static void
on_wake(uv_async_t *async)
{
	(void)async;      /* the loop returns: that is all */
}

static void
on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void
on_signal_fd(uv_poll_t *poll, int status, int events)
{
	struct pool *p = poll->data;

	(void)status;
	(void)events;
	p->signalled = true;
}

static int
open_loop(struct pool *p, int signal_fd, struct err *err)
{
	int rc;

	if ((rc = uv_loop_init(&p->loop)) < 0)
		return err_set(err, "cannot make an event loop: %s", uv_strerror(rc));
	p->running = true;
	uv_timer_init(&p->loop, &p->timer);
	if ((rc = uv_async_init(&p->loop, &p->async, on_wake)) < 0)
		return err_set(err, "cannot make an event loop: %s", uv_strerror(rc));
	if (signal_fd < 0)
		return 0;
	if ((rc = uv_poll_init(&p->loop, &p->poll, signal_fd)) < 0)
		return err_set(err, "cannot watch for signals: %s", uv_strerror(rc));
	p->poll.data = p;
	p->has_signal_fd = true;
	if ((rc = uv_poll_start(&p->poll, UV_READABLE, on_signal_fd)) < 0)
		return err_set(err, "cannot watch for signals: %s", uv_strerror(rc));
	return 0;
}

int
pool_start(struct pool *p, int signal_fd, struct err *err)
{
	if (open_loop(p, signal_fd, err) < 0)
		return -1;
	for (unsigned i = 0; i < p->nthreads; i++) {
		int rc;

		uv_mutex_lock(&p->lock);
		p->users++;
		uv_mutex_unlock(&p->lock);
		if ((rc = uv_thread_create(&p->workers[i].thread, work, &p->workers[i])) < 0) {
			uv_mutex_lock(&p->lock);
			p->users--;
			uv_mutex_unlock(&p->lock);
			return err_set(err, "cannot start thread %u of %u: %s", i + 1, p->nthreads,
			    uv_strerror(rc));
		}
		p->nstarted++;
	}
	return 0;
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void
close_loop(struct pool *p)
{
	if (!p->running)
		return;
	uv_walk(&p->loop, close_handle, NULL);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
}

void
pool_free(struct pool *p)
{
	if (!p)
		return;
	uv_mutex_lock(&p->lock);
	p->stopping = true;
	p->waiting = false;
	for (unsigned i = 0; i < p->nthreads; i++) {
		if (p->workers[i].job)
			p->workers[i].given_up = true;
		uv_cond_signal(&p->workers[i].wake);
	}
	uv_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nstarted; i++) {
		if (p->workers[i].given_up)
			pthread_detach(p->workers[i].thread);
		else
			uv_thread_join(&p->workers[i].thread);
	}
	close_loop(p);
	queue_drop(&p->taken);
	uv_mutex_lock(&p->lock);
	leave(p);
}

static char *
append(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *to = memcpy(*at, text, n);

	*at += n;
	return to;
}

/* One block: the job and its strings. */
static struct job *
copy_job(const struct job *job)
{
	size_t n = strlen(job->id) + strlen(job->name) + strlen(job->verb) +
		strlen(job->select) + 4;
	struct job *copy = xmalloc(sizeof(*copy) + n);
	char *at = (char *)(copy + 1);

	*copy = *job;
	copy->id = append(&at, job->id);
	copy->name = append(&at, job->name);
	copy->verb = append(&at, job->verb);
	copy->select = append(&at, job->select);
	return copy;
}

void
pool_submit(struct pool *p, const struct job *job)
{
	struct worker *w = &p->workers[job->thread];
	struct job *copy = copy_job(job);

	uv_mutex_lock(&p->lock);
	w->job = copy;
	uv_mutex_unlock(&p->lock);
	uv_cond_signal(&w->wake);
}

void
pool_cancel(struct pool *p, unsigned thread)
{
	struct job *copy = NULL;

	uv_mutex_lock(&p->lock);
	if (p->workers[thread].job)
		copy = copy_job(p->workers[thread].job);
	uv_mutex_unlock(&p->lock);
	if (copy)
		p->runner.cancel(p->runner.self, copy);
	free(copy);
}

void
pool_abandon(struct pool *p, unsigned thread)
{
	uv_mutex_lock(&p->lock);
	if (p->workers[thread].job)
		p->workers[thread].given_up = true;
	uv_mutex_unlock(&p->lock);
}

/* Moves what the threads have delivered; false: nothing, and they will wake the loop. */
static bool
take_delivered(struct pool *p)
{
	uv_mutex_lock(&p->lock);
	if (p->out.head) {
		p->taken = p->out;
		queue_init(&p->out);
	}
	p->waiting = !p->taken.head;
	uv_mutex_unlock(&p->lock);
	return p->taken.head != NULL;
}

static void
sleep_in_loop(struct pool *p, int64_t until_ms)
{
	int64_t left = until_ms - clock_mono_ms();

	if (until_ms != INT64_MAX) {
		uv_update_time(&p->loop);
		uv_timer_start(&p->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
	}
	uv_run(&p->loop, UV_RUN_ONCE);
	uv_timer_stop(&p->timer);
	p->since_look = 0;
}

static bool
look_for_signal(struct pool *p)
{
	bool was = p->signalled;

	p->signalled = false;
	return was;
}

void
pool_wait(struct pool *p, int64_t until_ms, struct pool_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	for (;;) {
		struct item *item;

		if (++p->since_look >= EVENTS_PER_LOOK) {
			uv_run(&p->loop, UV_RUN_NOWAIT);
			p->since_look = 0;
		}
		if (look_for_signal(p)) {
			ev->kind = POOL_SIGNAL;
			return;
		}
		if (p->taken.head || take_delivered(p)) {
			item = queue_take(&p->taken);
			*ev = item->ev;
			free(item);
			return;
		}
		if (clock_mono_ms() >= until_ms) {
			ev->kind = POOL_TIME;
			return;
		}
		sleep_in_loop(p, until_ms);
	}
}

void
pool_event_release(struct pool_event *ev)
{
	if (ev->kind == POOL_ENDED)
		result_release(&ev->result);
	free(ev->id);
	free(ev->level);
	free(ev->text);
	memset(ev, 0, sizeof(*ev));
}

void
pool_log(struct pool *p, const char *id, const char *level, const char *text)
{
	struct item *item = xcalloc(1, sizeof(*item));

	item->ev.kind = POOL_LOG;
	item->ev.id = id ? xstrdup(id) : NULL;
	item->ev.level = xstrdup(level);
	item->ev.text = xstrdup(text);
	uv_mutex_lock(&p->lock);
	if (deliver(p, item))
		uv_async_send(&p->async);
	uv_mutex_unlock(&p->lock);
}

int64_t
pool_now_ms(const struct pool *p)
{
	(void)p;
	return clock_mono_ms();
}

int64_t
pool_wall_ms(const struct pool *p)
{
	(void)p;
	return clock_wall_ms();
}
