/* A pool (executor/pool.h) whose clock moves only when the scheduler waits: a run of hours takes
 * milliseconds and comes out the same each time. Linked in place of executor/pool.c. run() is
 * called at once, on the main thread; its result is handed over when result.took_ms has passed. A
 * hook (sim_pool.h) lets a test act at a moment: raise a signal, log a line. */
#include "tests/executor/sim_pool.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/executor/fake_runner.h"
#include "util/xalloc.h"

#define WALL_AT_START 1700000000000

struct slot {
	struct job job;
	struct result result;
	int64_t began_ms, ends_ms;
	bool busy, given_up;
};

struct pool {
	struct runner runner;
	unsigned nthreads;
	struct slot *slots;
	int64_t now_ms;
	int signal_fd;
	struct pool_event *logs;
	size_t nlogs, logs_cap, log_at;
};

static int64_t wall_jump_ms;
static void (*hook)(int64_t now_ms);
static int64_t hook_at_ms[8];
static size_t nhooks, hooks_done;

void
sim_pool_at(int64_t ms, void (*fn)(int64_t now_ms))
{
	hook = fn;
	hook_at_ms[nhooks++] = ms;
}

void
sim_pool_reset(void)
{
	nhooks = hooks_done = 0;
	hook = NULL;
	wall_jump_ms = 0;
}

void
sim_pool_jump_wall(int64_t ms)
{
	wall_jump_ms += ms;
}

int64_t
sim_pool_wall_at(int64_t ms)
{
	return WALL_AT_START + ms;
}

struct pool *
pool_new(const struct runner *runner, unsigned nthreads)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->runner = *runner;
	p->nthreads = nthreads;
	p->slots = xcalloc(nthreads, sizeof(*p->slots));
	return p;
}

int
pool_start(struct pool *p, int signal_fd, struct err *err)
{
	(void)err;
	p->signal_fd = signal_fd;
	return 0;
}

void
pool_free(struct pool *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->nthreads; i++)
		result_release(&p->slots[i].result);
	for (size_t i = p->log_at; i < p->nlogs; i++)
		pool_event_release(&p->logs[i]);
	free(p->logs);
	free(p->slots);
	free(p);
}

void
pool_submit(struct pool *p, const struct job *job)
{
	struct slot *s = &p->slots[job->thread];

	if (s->busy)
		abort();
	s->job = *job;
	s->job.select = NULL;
	s->busy = true;
	s->began_ms = p->now_ms;
	s->result = (struct result)RESULT_INIT;
	p->runner.run(p->runner.self, job, &s->result);
	if (s->result.took_ms < 0)
		s->result.took_ms = 0;
	s->ends_ms = s->result.took_ms >= FAKE_HANGS ? s->result.took_ms :
		p->now_ms + s->result.took_ms;
}

void
pool_cancel(struct pool *p, unsigned thread)
{
	struct slot *s = &p->slots[thread];

	if (!s->busy)
		return;
	p->runner.cancel(p->runner.self, &s->job);
	if (s->ends_ms == FAKE_DEAF)
		return;
	if (s->ends_ms > p->now_ms)
		s->ends_ms = p->now_ms;
	s->result.took_ms = s->ends_ms - s->began_ms;
}

void
pool_abandon(struct pool *p, unsigned thread)
{
	p->slots[thread].given_up = true;
	p->slots[thread].ends_ms = INT64_MAX;
}

static bool
signal_waits(const struct pool *p)
{
	struct pollfd fd = { .fd = p->signal_fd, .events = POLLIN };

	return p->signal_fd >= 0 && poll(&fd, 1, 0) == 1;
}

static struct slot *
first_to_end(const struct pool *p)
{
	struct slot *first = NULL;

	for (unsigned i = 0; i < p->nthreads; i++) {
		struct slot *s = &p->slots[i];

		if (s->busy && !s->given_up && s->ends_ms < FAKE_HANGS &&
		    (!first || s->ends_ms < first->ends_ms))
			first = s;
	}
	return first;
}

void
pool_wait(struct pool *p, int64_t until_ms, struct pool_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	for (;;) {
		struct slot *s = first_to_end(p);
		int64_t next = s && s->ends_ms < until_ms ? s->ends_ms : until_ms;

		if (hooks_done < nhooks && hook_at_ms[hooks_done] <= next) {
			if (hook_at_ms[hooks_done] > p->now_ms)
				p->now_ms = hook_at_ms[hooks_done];
			hooks_done++;
			hook(p->now_ms);
			continue;
		}
		if (signal_waits(p)) {
			ev->kind = POOL_SIGNAL;
			return;
		}
		if (p->log_at < p->nlogs) {
			*ev = p->logs[p->log_at++];
			return;
		}
		if (next == INT64_MAX)
			abort();        /* the scheduler would sleep for ever */
		if (next > p->now_ms)
			p->now_ms = next;
		if (!s || s->ends_ms > next) {
			ev->kind = POOL_TIME;
			return;
		}
		ev->kind = POOL_ENDED;
		ev->thread = (unsigned)(s - p->slots);
		ev->result = s->result;
		ev->started_ms = pool_wall_ms(p) - ev->result.took_ms;
		ev->took_ms = ev->result.took_ms;
		s->busy = false;
		s->result = (struct result)RESULT_INIT;
		return;
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
	p->logs = xgrow(p->logs, p->nlogs, &p->logs_cap, sizeof(*p->logs));
	p->logs[p->nlogs++] = (struct pool_event){ .kind = POOL_LOG, .id = id ? xstrdup(id) : NULL,
		.level = xstrdup(level), .text = xstrdup(text) };
}

int64_t
pool_now_ms(const struct pool *p)
{
	return p->now_ms;
}

int64_t
pool_wall_ms(const struct pool *p)
{
	return sim_pool_wall_at(p->now_ms) + wall_jump_ms;
}
