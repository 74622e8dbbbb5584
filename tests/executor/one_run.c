#include "tests/check.h"

#include "tests/executor/fake_runner.h"
#include "tests/executor/one_run.h"
#include "tests/executor/sim_pool.h"
#include "tests/tiny.h"
#include "util/xalloc.h"

static int
watch(void *self, const struct run_event *ev, struct err *err)
{
	struct run *r = self;
	struct buf step = BUF_INIT;
	int rc = 0;

	assert_true(ev->at_ms > 0);
	if (ev->kind == EVENT_TICK)
		r->nticks++;
	if (ev->kind == EVENT_LOG)
		buf_addf(&r->log, "%s: %s\n", ev->level, ev->text);
	if (ev->kind != EVENT_TASK)
		return 0;
	assert_true(task_step_legal(ev->from, ev->to));
	assert_int_equal(ev->task->state, ev->to);
	assert_non_null(ev->text);
	if (ev->to == TASK_DONE || ev->to == TASK_SKIPPED)
		r->nended++;
	buf_addf(&step, "%s:%s", ev->task->task->node->name, task_state_name(ev->to));
	buf_addf(&r->steps, "%s%s", r->steps.len ? " " : "", step.data);
	if (r->break_at && strcmp(step.data, r->break_at) == 0)
		rc = err_set(err, "journal: disk full");
	buf_release(&step);
	return rc;
}

struct run *
prepare(const char *graph, const char *script, enum plan_command c, unsigned nthreads)
{
	struct run *r = xcalloc(1, sizeof(*r));

	sim_pool_reset();
	r->g = tiny_graph(graph);
	r->p = tiny_plan(r->g, c, NULL);
	for (size_t i = 0; i < r->p->ntasks; i++)
		r->p->tasks[i].policy = (struct task_policy){ .max_attempts = 3, .delay_ms = 1000,
			.factor = 2 };
	r->f = fake_new_simulated(script);
	r->observer = (struct observer){ .self = r, .event = watch };
	r->o = (struct schedule_options){ .runner = fake_runner(r->f), .nthreads = nthreads,
		.signal_fd = -1, .observers = &r->observer, .nobservers = 1, .grace_ms = 5000 };
	return r;
}

void
go(struct run *r)
{
	r->s = schedule_new(r->p, &r->o);
	r->rc = schedule_run(r->s, &r->sum, &r->err);
	assert_int_equal(r->nended, r->p->ntasks);
}

void
finish(struct run *r)
{
	schedule_free(r->s);
	plan_free(r->p);
	graph_free(r->g);
	fake_free(r->f);
	buf_release(&r->log);
	buf_release(&r->steps);
	err_release(&r->err);
	free(r);
}

struct task *
task(struct run *r, const char *name)
{
	return (struct task *)plan_find(r->p, tiny_node(r->g, name));
}

const struct run_task *
ended(struct run *r, const char *name)
{
	size_t n;

	return &schedule_tasks(r->s, &n)[task(r, name)->index];
}

void
check_ends(struct run *r, const char *expected)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < r->p->ntasks; i++) {
		const struct run_task *t = ended(r, r->p->tasks[i].node->name);

		buf_addf(&b, "%s%s %s%s", i ? ", " : "", t->task->node->name,
		    result_status_name(t->status), t->state == TASK_SKIPPED ? "!" : "");
	}
	assert_string_equal(b.data, expected);
	buf_release(&b);
}

void
check_text(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "(nothing)");
}
