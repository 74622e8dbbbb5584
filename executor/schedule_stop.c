/* When tasks are stopped: timeouts, signals, fail-fast, deadlines, threads that do not answer. */
#include <signal.h>
#include <stdlib.h>

#include "executor/schedule_impl.h"
#include "util/signals.h"
#include "util/xalloc.h"

#define ASK_AGAIN_MS 1000     /* a cancel is repeated so often */
#define GIVE_UP_AFTER 4       /* times grace_ms; a signal does not wait so long */

static void
cancel_attempt(struct schedule *s, unsigned thread, enum error_class class, const char *why)
{
	struct attempt *a = &s->attempts[thread];

	if (!a->asked_ms) {
		struct buf line = BUF_INIT;

		a->asked_ms = pool_now_ms(s->pool);
		a->asked_class = class;
		a->asked_why = xstrdup(why);
		buf_addf(&line, "cancelling '%s': %s", s->plan->tasks[a->task].node->id, why);
		schedule_tell_line(s, &s->tasks[a->task], "warn", line.data);
		buf_release(&line);
	}
	a->due_ms = pool_now_ms(s->pool) + ASK_AGAIN_MS;
	pool_cancel(s->pool, thread);
}

void
schedule_stop(struct schedule *s, enum stop how, const char *why)
{
	if (how <= s->stop)
		return;
	s->stop = how;
	free(s->stop_why);
	s->stop_why = xstrdup(why);
	for (size_t i = 0; i < s->plan->ntasks; i++) {
		struct run_task *t = &s->tasks[i];

		if (t->state != TASK_WAITING && t->state != TASK_READY && t->state != TASK_BACKOFF)
			continue;
		if (t->attempts > 0)
			task_move(s, t, TASK_DONE, NULL, "not tried again: %s", why);
		else
			schedule_skip(s, t, SIZE_MAX, why);
	}
	for (unsigned i = 0; how == CANCELLING && i < s->o.nthreads; i++)
		if (s->attempts[i].busy)
			cancel_attempt(s, i, CLASS_CANCELLED, why);
}

static const char *
signal_name(int signo)
{
	switch (signo) {
	case SIGINT:
		return "SIGINT";
	case SIGTERM:
		return "SIGTERM";
	case SIGHUP:
		return "SIGHUP";
	default:
		return "a signal";
	}
}

static void
stop_by_signal(struct schedule *s, int signo)
{
	bool gentle = signo == SIGINT && s->o.interactive && s->signo == 0;
	struct buf why = BUF_INIT, line = BUF_INIT;

	s->signo = signo;
	buf_addf(&why, "stopped by %s", signal_name(signo));
	buf_addf(&line, "%s: ", signal_name(signo));
	if (gentle)
		buf_addf(&line, "nothing new starts; %zu running may end (again to cancel)",
		    s->nrunning);
	else
		buf_addf(&line, "cancelling %zu running", s->nrunning);
	schedule_tell_line(s, NULL, "warn", line.data);
	schedule_stop(s, gentle ? FINISHING : CANCELLING, why.data);
	if (!gentle && s->force_ms == NEVER)
		s->force_ms = pool_now_ms(s->pool) + s->o.grace_ms;
	buf_release(&why);
	buf_release(&line);
}

void
schedule_take_signals(struct schedule *s)
{
	int signo;

	while ((signo = signals_next()) != 0)
		stop_by_signal(s, signo);
}

/* The thread does not come back: its attempt ends here, and nothing may run the node again. */
static void
give_up(struct schedule *s, unsigned thread)
{
	struct attempt *a = &s->attempts[thread];
	struct result r = RESULT_INIT;
	struct buf b = BUF_INIT;

	buf_addf(&b, "it did not answer within %.3g s: outcome unknown",
	    (double)(pool_now_ms(s->pool) - a->asked_ms) / 1000);
	r.status = RESULT_ERROR;
	r.started_ms = s->tasks[a->task].started_ms;
	r.took_ms = pool_now_ms(s->pool) - a->began_ms;
	r.message = xstrdup(b.data);
	pool_abandon(s->pool, thread);
	s->nthreads_left--;
	schedule_attempt_ended(s, thread, &r, b.data);
	result_release(&r);
	buf_release(&b);
	if (s->nthreads_left == 0)
		schedule_stop(s, FINISHING, "no thread is left: each has a node that is stuck");
}

/* ---- the clock ---- */

bool
schedule_time_is_up(const struct schedule *s)
{
	return pool_now_ms(s->pool) >= s->stop_ms ||
	    (s->o.stop_at_ms > 0 && pool_wall_ms(s->pool) >= s->o.stop_at_ms);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
schedule_next_wakeup(const struct schedule *s)
{
	int64_t at = earlier(s->force_ms, s->tick_ms), now = pool_now_ms(s->pool);

	if (s->stop == GOING && s->backoff.n > 0)
		at = earlier(at, s->tasks[heap_top(&s->backoff)].due_ms);
	if (s->stop == GOING && now < s->stop_ms)
		at = earlier(at, s->stop_ms);
	if (s->stop == GOING && s->o.stop_at_ms > 0) {
		int64_t left = s->o.stop_at_ms - pool_wall_ms(s->pool);

		/* Wall clocks jump: look again every minute. Past it, what ends brings us back. */
		if (left > 0)
			at = earlier(at, now + earlier(left, 60000));
	}
	for (unsigned i = 0; i < s->o.nthreads; i++)
		at = earlier(at, s->attempts[i].due_ms);
	return at;
}

static void
watch_attempt(struct schedule *s, unsigned thread, int64_t now)
{
	struct attempt *a = &s->attempts[thread];
	struct buf why = BUF_INIT;

	if (now >= s->force_ms ||
	    (a->asked_ms && now - a->asked_ms >= s->o.grace_ms * GIVE_UP_AFTER)) {
		give_up(s, thread);
		return;
	}
	if (now < a->due_ms)
		return;
	buf_addf(&why, "timed out after %.3g s",
	    (double)s->plan->tasks[a->task].policy.timeout_ms / 1000);
	cancel_attempt(s, thread, CLASS_TIMEOUT, why.data);
	buf_release(&why);
}

void
schedule_watch_clock(struct schedule *s)
{
	int64_t now = pool_now_ms(s->pool);

	for (unsigned i = 0; i < s->o.nthreads; i++)
		if (s->attempts[i].busy)
			watch_attempt(s, i, now);
	while (s->stop == GOING && s->backoff.n > 0 &&
	       s->tasks[heap_top(&s->backoff)].due_ms <= now)
		schedule_make_ready(s, &s->tasks[heap_pop(&s->backoff)], "its delay is over");
	if (now >= s->tick_ms) {
		struct run_event ev = { .kind = EVENT_TICK };

		s->tick_ms = now + s->o.tick_ms;
		schedule_tell(s, &ev);
	}
}
