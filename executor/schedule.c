/* When tasks start. schedule_end.c has what their ends mean, schedule_stop.c the clock and
 * signals. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "executor/retry.h"
#include "executor/schedule_impl.h"
#include "util/xalloc.h"

/* ---- telling ---- */

void
schedule_tell(struct schedule *s, struct run_event *ev)
{
	ev->at_ms = pool_wall_ms(s->pool);
	for (size_t i = 0; i < s->o.nobservers; i++) {
		const struct observer *o = &s->o.observers[i];
		struct err err = ERR_INIT;

		if (o->event(o->self, ev, &err) < 0 && !s->broken) {
			s->broken = true;
			err_set(&s->err, "%s", err.msg ? err.msg : "an observer failed");
		}
		err_release(&err);
	}
}

void
schedule_tell_line(struct schedule *s, const struct run_task *t, const char *level,
    const char *text)
{
	struct run_event ev = { .kind = EVENT_LOG, .task = t, .level = level, .text = text };

	schedule_tell(s, &ev);
}

void
task_move(struct schedule *s, struct run_task *t, enum task_state to, const struct result *result,
    const char *fmt, ...)
{
	struct run_event ev = { .kind = EVENT_TASK, .task = t, .from = t->state, .to = to,
		.result = result };
	struct buf text = BUF_INIT;
	va_list ap;

	assert(task_step_legal(t->state, to));
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	free(t->why);
	t->why = buf_detach(&text);
	t->state = to;
	if (to == TASK_DONE || to == TASK_SKIPPED) {
		s->nended++;
		ready_ended(&s->ready, t->task->index);
	}
	ev.text = t->why;
	schedule_tell(s, &ev);
}

/* ---- starting ---- */

struct slots *
schedule_slots_of(struct schedule *s, const struct run_task *t)
{
	for (size_t i = 0; t->task->policy.pool && i < s->o.nslots; i++)
		if (strcmp(s->slots[i].pool, t->task->policy.pool) == 0)
			return &s->slots[i];
	return NULL;
}

void
schedule_make_ready(struct schedule *s, struct run_task *t, const char *why)
{
	task_move(s, t, TASK_READY, NULL, "%s", why);
	if (t->lost >= SCHEDULE_ALONE_AFTER)
		heap_push(&s->alone, t->task->index);
	else
		ready_add(&s->ready, t->task->index);
}

/* The next ready task whose pool has room; the others are parked. */
static size_t
next_task(struct schedule *s)
{
	size_t i;

	if (s->alone_runs)
		return READY_NONE;
	if (s->alone.n > 0) {
		if (s->nrunning > 0)
			return READY_NONE;
		s->alone_runs = true;
		return heap_pop(&s->alone);
	}
	while ((i = ready_take(&s->ready)) != READY_NONE) {
		struct slots *slots = schedule_slots_of(s, &s->tasks[i]);

		if (!slots || slots->used < slots->slots)
			break;
		heap_push(&slots->parked, i);
	}
	return i;
}

static void
dispatch(struct schedule *s, struct run_task *t)
{
	const struct node *n = t->task->node;
	const char *verb = kind_verb(n->kind);
	struct attempt *a = &s->attempts[t->thread];
	struct buf select = BUF_INIT;
	struct job job = {
		.task = t->task->index, .thread = t->thread, .attempt = t->attempts,
		.kind = n->kind, .id = n->id, .name = n->name, .verb = verb ? verb : "build",
		.timeout_ms = t->task->policy.timeout_ms,
	};

	plan_add_selector(&select, n);
	job.select = buf_str(&select);
	*a = (struct attempt){ .task = t->task->index, .busy = true, .due_ms = NEVER,
		.began_ms = pool_now_ms(s->pool) };
	if (job.timeout_ms > 0)
		a->due_ms = a->began_ms + job.timeout_ms;
	pool_submit(s->pool, &job);
	buf_release(&select);
}

static void
start(struct schedule *s, struct run_task *t)
{
	unsigned most = t->task->policy.max_attempts ? t->task->policy.max_attempts : 1;
	struct slots *slots = schedule_slots_of(s, t);

	t->thread = s->idle[s->nidle - 1];
	t->started_ms = pool_wall_ms(s->pool);
	t->attempts++;
	task_move(s, t, TASK_RUNNING, NULL, "try %u of %u", t->faults + 1, most);
	if (s->broken) {     /* nobody would know of this attempt */
		t->attempts--;
		s->alone_runs = false;
		if (t->attempts > 0)
			task_move(s, t, TASK_DONE, NULL, "not tried again: %s", s->err.msg);
		else
			schedule_skip(s, t, SIZE_MAX, s->err.msg);
		return;
	}
	s->nidle--;
	s->nrunning++;
	if (slots)
		slots->used++;
	dispatch(s, t);
}

static bool
schedule_finished(const struct schedule *s)
{
	return s->nended == s->plan->ntasks;
}

static void
start_ready_tasks(struct schedule *s)
{
	size_t i;

	if (s->stop == GOING && schedule_time_is_up(s) &&
	    s->nended + s->nrunning < s->plan->ntasks) {
		s->late = true;
		schedule_tell_line(s, NULL, "warn", "the time is up: nothing new starts");
		schedule_stop(s, FINISHING, "not started before the time was up");
	}
	while (s->stop == GOING && !s->broken && s->nidle > 0 && (i = next_task(s)) != READY_NONE)
		start(s, &s->tasks[i]);
	if (s->stop == GOING && !s->broken && s->nrunning == 0 && s->backoff.n == 0 &&
	    !schedule_finished(s)) {
		/* A mistake of ours: better an error than a run that waits for ever. */
		s->broken = true;
		err_set(&s->err, "internal error: tasks wait for nothing");
	}
	if (s->broken)
		schedule_stop(s, FINISHING, s->err.msg);
}

/* ---- the run ---- */

static bool
due_earlier(const void *self, size_t a, size_t b)
{
	const struct schedule *s = self;

	if (s->tasks[a].due_ms != s->tasks[b].due_ms)
		return s->tasks[a].due_ms < s->tasks[b].due_ms;
	return a < b;
}

static bool
first_by_index(const void *self, size_t a, size_t b)
{
	(void)self;
	return a < b;
}

static void
take_known_results(struct schedule *s)
{
	for (size_t i = 0; s->o.known && i < s->plan->ntasks; i++) {
		const struct schedule_known *k = &s->o.known[i];
		struct run_task *t = &s->tasks[i];

		if (!k->known || t->state != TASK_WAITING)
			continue;
		t->status = k->status;
		t->entry = k->entry ? xstrdup(k->entry) : NULL;
		task_move(s, t, TASK_DONE, NULL, "%s", k->why ? k->why : "done in an earlier run");
	}
}

/* What has nothing before it, or only what is known already. */
static void
open_the_gates(struct schedule *s)
{
	for (size_t i = 0; i < s->plan->ntasks; i++)
		if (s->tasks[i].state == TASK_WAITING && s->tasks[i].waiting_for == 0)
			schedule_make_ready(s, &s->tasks[i], "nothing is before it");
	for (size_t i = 0; i < s->plan->ntasks; i++)
		if (s->tasks[i].state == TASK_DONE)
			schedule_release_children(s, &s->tasks[i]);
}

static void
tell_log(struct schedule *s, const struct pool_event *ev)
{
	const struct node *n = ev->id ? graph_find(s->plan->graph, ev->id) : NULL;
	const struct task *t = n ? plan_find(s->plan, n) : NULL;

	schedule_tell_line(s, t ? &s->tasks[t->index] : NULL, ev->level, ev->text);
}

static void
take_result(struct schedule *s, struct pool_event *ev)
{
	struct result *r = &ev->result;

	if (r->started_ms == 0)
		r->started_ms = ev->started_ms;
	if (r->took_ms < 0)
		r->took_ms = ev->took_ms;
	s->idle[s->nidle++] = ev->thread;
	schedule_attempt_ended(s, ev->thread, r, NULL);
}

static void
summarize(const struct schedule *s, struct schedule_summary *out)
{
	out->signo = s->signo;
	out->late = s->late;
	for (size_t i = 0; i < s->plan->ntasks; i++) {
		const struct run_task *t = &s->tasks[i];

		if (t->state != TASK_DONE && t->state != TASK_SKIPPED)
			continue;
		out->count[t->status]++;
		if (t->attempts > 1 && result_status_good(t->status))
			out->nretried++;
	}
}

int
schedule_run(struct schedule *s, struct schedule_summary *out, struct err *err)
{
	int64_t began_ms = pool_now_ms(s->pool);
	struct pool_event ev;

	memset(out, 0, sizeof(*out));
	if (pool_start(s->pool, s->o.signal_fd, err) < 0)
		return -1;
	s->stop_ms = s->o.stop_after_ms ? began_ms + s->o.stop_after_ms : NEVER;
	s->tick_ms = s->o.tick_ms > 0 ? began_ms + s->o.tick_ms : NEVER;
	take_known_results(s);
	open_the_gates(s);
	for (;;) {
		start_ready_tasks(s);
		if (schedule_finished(s))
			break;
		pool_wait(s->pool, schedule_next_wakeup(s), &ev);
		switch (ev.kind) {
		case POOL_ENDED:
			take_result(s, &ev);
			break;
		case POOL_LOG:
			tell_log(s, &ev);
			break;
		case POOL_SIGNAL:
			schedule_take_signals(s);
			break;
		case POOL_TIME:
			break;
		}
		pool_event_release(&ev);
		schedule_watch_clock(s);
	}
	summarize(s, out);
	out->wall_ms = pool_now_ms(s->pool) - began_ms;
	if (!s->broken)
		return 0;
	return err_set(err, "%s", s->err.msg);
}

struct schedule *
schedule_new(const struct plan *p, const struct schedule_options *o)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	s->plan = p;
	s->o = *o;
	if (s->o.nthreads == 0)
		s->o.nthreads = 1;
	if (s->o.grace_ms <= 0)
		s->o.grace_ms = SCHEDULE_GRACE_MS;
	s->random = o->seed;
	s->force_ms = s->stop_ms = s->tick_ms = NEVER;
	s->pool = pool_new(o->runner, s->o.nthreads);
	ready_init(&s->ready, p, o->order, s->o.nthreads);
	s->alone = (struct heap){ .before = first_by_index };
	s->backoff = (struct heap){ .before = due_earlier, .self = s };
	s->tasks = xcalloc(p->ntasks + 1, sizeof(*s->tasks));
	for (size_t i = 0; i < p->ntasks; i++)
		s->tasks[i] = (struct run_task){ .task = &p->tasks[i], .cause = SIZE_MAX,
			.waiting_for = p->tasks[i].nparents };
	s->slots = xcalloc(o->nslots + 1, sizeof(*s->slots));
	for (size_t i = 0; i < o->nslots; i++) {
		s->slots[i].pool = o->slots[i].pool;
		s->slots[i].slots = o->slots[i].slots ? o->slots[i].slots : 1;
		s->slots[i].parked = s->ready.first;    /* the same order */
	}
	s->attempts = xcalloc(s->o.nthreads, sizeof(*s->attempts));
	s->idle = xcalloc(s->o.nthreads, sizeof(*s->idle));
	s->nidle = s->nthreads_left = s->o.nthreads;
	for (unsigned i = 0; i < s->o.nthreads; i++) {
		s->attempts[i].due_ms = NEVER;
		s->idle[i] = s->o.nthreads - 1 - i;
	}
	return s;
}

const struct run_task *
schedule_tasks(const struct schedule *s, size_t *n)
{
	*n = s->plan->ntasks;
	return s->tasks;
}

void
schedule_free(struct schedule *s)
{
	if (!s)
		return;
	pool_free(s->pool);
	ready_release(&s->ready);
	heap_release(&s->alone);
	heap_release(&s->backoff);
	for (size_t i = 0; i < s->o.nslots; i++)
		heap_release(&s->slots[i].parked);
	for (size_t i = 0; i < s->plan->ntasks; i++) {
		free(s->tasks[i].why);
		free(s->tasks[i].message);
		free(s->tasks[i].entry);
	}
	for (unsigned i = 0; i < s->o.nthreads; i++)
		free(s->attempts[i].asked_why);
	free(s->tasks);
	free(s->slots);
	free(s->attempts);
	free(s->idle);
	free(s->stop_why);
	err_release(&s->err);
	free(s);
}

void
schedule_log(struct schedule *s, const char *id, const char *level, const char *text)
{
	pool_log(s->pool, id, level, text);
}
