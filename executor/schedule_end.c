/* What the end of an attempt means: another try, or the task's end, which lets what follows it go
 * on or skips it. */
#include <stdlib.h>

#include "executor/retry.h"
#include "executor/schedule_impl.h"
#include "util/xalloc.h"

void
schedule_skip(struct schedule *s, struct run_task *t, size_t cause, const char *why)
{
	t->status = RESULT_SKIPPED;
	t->cause = cause;
	task_move(s, t, TASK_SKIPPED, NULL, "%s", why);
}

/* Everything after a task that did not end well, naming it as the root cause. */
static void
skip_what_follows(struct schedule *s, const struct run_task *root)
{
	struct buf why = BUF_INIT;
	size_t *stack = NULL, n = 0, cap = 0, at = root->task->index;

	buf_addf(&why, "'%s' ended with %s", root->task->node->id,
	    result_status_name(root->status));
	for (;;) {
		const struct task *t = &s->plan->tasks[at];

		for (size_t i = 0; i < t->nchildren; i++) {
			struct run_task *child = &s->tasks[t->children[i]];

			if (child->state != TASK_WAITING)
				continue;
			schedule_skip(s, child, root->task->index, why.data);
			stack = xgrow(stack, n, &cap, sizeof(*stack));
			stack[n++] = t->children[i];
		}
		if (n == 0)
			break;
		at = stack[--n];
	}
	free(stack);
	buf_release(&why);
}

/* A source that is not fresh holds nothing back by itself: that is for the excuse to say. */
static bool
holds_back(const struct schedule *s, const struct run_task *t)
{
	return !t->excused && t->task->node->kind != KIND_SOURCE &&
		plan_blocks(s->plan->command, t->status);
}

/* All before it has ended: true when it need not run. */
static bool
excuse(struct schedule *s, struct run_task *t)
{
	const char *why = s->o.excuse ? s->o.excuse(s->o.excuse_self, t) : NULL;

	if (!why)
		return false;
	t->excused = true;
	schedule_skip(s, t, SIZE_MAX, why);
	return true;
}

void
schedule_release_children(struct schedule *s, const struct run_task *t)
{
	size_t *excused = NULL, n = 0, cap = 0;

	for (;;) {
		bool held = holds_back(s, t);

		if (held)
			skip_what_follows(s, t);
		for (size_t i = 0; !held && i < t->task->nchildren; i++) {
			struct run_task *child = &s->tasks[t->task->children[i]];

			if (--child->waiting_for > 0 || child->state != TASK_WAITING)
				continue;
			if (!excuse(s, child)) {
				schedule_make_ready(s, child, "all before it has ended");
				continue;
			}
			excused = xgrow(excused, n, &cap, sizeof(*excused));
			excused[n++] = child->task->index;
		}
		if (n == 0)
			break;
		t = &s->tasks[excused[--n]];
	}
	free(excused);
}

static double
random_unit(struct schedule *s)
{
	uint64_t x = s->random += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (double)((x ^ (x >> 31)) >> 11) / (double)(1ull << 53);
}

/* Puts our words before the runner's. dbt's entry does not have them: it is made anew later. */
static void
prefix_message(struct result *r, const char *prefix)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, prefix);
	if (r->message && *r->message)
		buf_addf(&b, ": %s", r->message);
	free(r->message);
	free(r->entry);
	r->message = buf_detach(&b);
	r->entry = NULL;
}

/* An attempt that we cancelled and that failed, failed for our reason. A test's verdict stands. */
static void
explain_cancelled(const struct attempt *a, struct result *r)
{
	if (!a->asked_ms || r->class == CLASS_STALE)
		return;
	if (r->status != RESULT_ERROR && r->status != RESULT_RUNTIME_ERROR &&
	    r->status != RESULT_SKIPPED)
		return;
	r->status = RESULT_ERROR;
	r->class = a->asked_class == CLASS_TIMEOUT &&
	    r->unstarted ? CLASS_TRANSIENT : a->asked_class;
	r->blameless = false;
	prefix_message(r, a->asked_why);
}

static void
free_thread(struct schedule *s, unsigned thread)
{
	struct attempt *a = &s->attempts[thread];
	struct slots *slots = schedule_slots_of(s, &s->tasks[a->task]);

	if (slots) {
		slots->used--;
		if (slots->parked.n > 0)
			ready_add(&s->ready, heap_pop(&slots->parked));
	}
	free(a->asked_why);
	*a = (struct attempt){ .due_ms = NEVER };
	s->nrunning--;
	s->alone_runs = false;
}

/* What the result says about the task. */
static void
note_result(struct schedule *s, struct run_task *t, struct result *r)
{
	t->started_ms = r->started_ms;
	t->ended_ms = pool_wall_ms(s->pool);
	t->busy_ms += r->took_ms;
	t->status = r->status;
	t->class = r->class;
	if (result_status_good(r->status))
		return;
	if (r->class == CLASS_WORKER_LOST || r->blameless)
		t->lost++;
	/* Whoever is lost even when it runs alone is to blame. */
	if (t->lost > SCHEDULE_ALONE_AFTER)
		r->blameless = false;
	if (!r->blameless)
		t->faults++;
}

/* The task has the result's texts from here on; the result keeps borrowed ones for the event. */
static void
hand_over_texts(struct run_task *t, const struct result *r)
{
	free(t->message);
	free(t->entry);
	t->message = r->message;
	t->entry = r->entry;
}

static bool
ends_fail_fast(enum result_status s)
{
	return s == RESULT_ERROR || s == RESULT_FAIL || s == RESULT_PARTIAL ||
		s == RESULT_RUNTIME_ERROR;
}

static void
task_ended(struct schedule *s, struct run_task *t, const struct result *r, const char *why)
{
	task_move(s, t, TASK_DONE, r, "%s", why);
	schedule_release_children(s, t);
	if (s->o.fail_fast && s->stop == GOING && t->task->node->kind != KIND_SOURCE &&
	    ends_fail_fast(t->status)) {
		struct buf b = BUF_INIT;

		buf_addf(&b, "fail-fast: '%s' ended with %s", t->task->node->id,
		    result_status_name(t->status));
		schedule_stop(s, CANCELLING, b.data);
		buf_release(&b);
	}
}

static void
wait_for_next_try(struct schedule *s, struct run_task *t, const struct result *r,
    const struct retry_verdict *v)
{
	t->due_ms = pool_now_ms(s->pool) + v->delay_ms;
	if (r->blameless)
		task_move(s, t, TASK_BACKOFF, r, "%s through no fault of its own; again at once",
		    v->why);
	else
		task_move(s, t, TASK_BACKOFF, r, "try %u of %u failed: %s; again in %.3g s",
		    t->faults, t->task->policy.max_attempts, v->why, (double)v->delay_ms / 1000);
	heap_push(&s->backoff, t->task->index);
}

static void
attempt_failed(struct schedule *s, struct run_task *t, struct result *r, const char *final)
{
	bool appends = retry_node_appends(t->task->node, s->plan->graph->adapter_type);
	struct retry_verdict v = retry_decide(&t->task->policy, t->faults, appends, r,
	    random_unit(s));
	struct buf why = BUF_INIT;

	if (v.outcome_unknown && !final)
		prefix_message(r, "outcome unknown");
	hand_over_texts(t, r);
	if (v.delay_ms >= 0 && s->stop == GOING && !final) {
		wait_for_next_try(s, t, r, &v);
		return;
	}
	if (final)
		buf_adds(&why, final);
	else if (v.delay_ms >= 0)
		buf_addf(&why, "not tried again: %s", s->stop_why);
	else if (t->attempts > 1 && !v.outcome_unknown)
		buf_addf(&why, "%s after %u tries", v.why, t->attempts);
	else
		buf_adds(&why, v.why);
	task_ended(s, t, r, why.data);
	buf_release(&why);
}

void
schedule_attempt_ended(struct schedule *s, unsigned thread, struct result *r, const char *final)
{
	struct attempt *a = &s->attempts[thread];
	struct run_task *t = &s->tasks[a->task];

	explain_cancelled(a, r);
	/* Of a source `error` is dbt's verdict that it is stale. */
	if (t->task->node->kind == KIND_SOURCE && r->status == RESULT_ERROR &&
	    r->class != CLASS_STALE)
		r->status = RESULT_RUNTIME_ERROR;
	note_result(s, t, r);
	free_thread(s, thread);
	if (result_status_good(r->status) || r->status == RESULT_SKIPPED) {
		hand_over_texts(t, r);
		task_ended(s, t, r, result_status_name(r->status));
	} else {
		attempt_failed(s, t, r, final);
	}
	r->message = r->entry = NULL;    /* the task's now */
}
