/* The real pool: threads, wake-ups, signals; and the scheduler on top of it. */
#include "tests/check.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "executor/pool.h"
#include "executor/runner_dry.h"
#include "executor/schedule.h"
#include "tests/executor/fake_runner.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/signals.h"
#include "util/xalloc.h"

static struct job
job_of(const char *name, unsigned thread)
{
	return (struct job){ .thread = thread, .attempt = 1, .kind = KIND_MODEL, .id = name,
		.name = name, .verb = "run", .select = "fqn:x" };
}

static struct pool *
start_pool(struct fake *f, unsigned nthreads, int signal_fd)
{
	struct pool *p = pool_new(fake_runner(f), nthreads);
	struct err err = ERR_INIT;

	assert_int_equal(pool_start(p, signal_fd, &err), 0);
	return p;
}

static void
jobs_come_back_with_their_thread(void **state)
{
	struct fake *f = fake_new("a: ok@20; b: warn");
	struct pool *p = start_pool(f, 2, -1);
	struct job a = job_of("a", 0), b = job_of("b", 1);
	struct pool_event ev;

	(void)state;
	pool_submit(p, &a);
	pool_submit(p, &b);
	pool_wait(p, INT64_MAX, &ev);
	assert_int_equal(ev.kind, POOL_ENDED);
	assert_int_equal(ev.thread, 1);
	assert_int_equal(ev.result.status, RESULT_WARN);
	pool_event_release(&ev);
	pool_wait(p, INT64_MAX, &ev);
	assert_int_equal(ev.thread, 0);
	assert_true(ev.took_ms >= 19);
	assert_string_equal(ev.result.message, "a 1");
	pool_event_release(&ev);
	pool_free(p);
	fake_free(f);
}

static void
the_clock_ends_a_wait(void **state)
{
	struct fake *f = fake_new("");
	struct pool *p = start_pool(f, 1, -1);
	int64_t began = pool_now_ms(p);
	struct pool_event ev;

	(void)state;
	pool_wait(p, began + 30, &ev);
	assert_int_equal(ev.kind, POOL_TIME);
	assert_true(pool_now_ms(p) >= began + 30);
	pool_wait(p, began, &ev);
	assert_int_equal(ev.kind, POOL_TIME);
	pool_free(p);
	fake_free(f);
}

static void
a_signal_ends_a_wait(void **state)
{
	struct fake *f = fake_new("");
	struct err err = ERR_INIT;
	struct pool_event ev;
	struct pool *p;

	(void)state;
	assert_int_equal(signals_open(&err), 0);
	p = start_pool(f, 1, signals_fd());
	raise(SIGHUP);
	pool_wait(p, INT64_MAX, &ev);
	assert_int_equal(ev.kind, POOL_SIGNAL);
	assert_int_equal(signals_next(), SIGHUP);
	pool_free(p);
	fake_free(f);
	signals_close();
}

static void
cancel_reaches_the_runner(void **state)
{
	struct fake *f = fake_new("a: hang");
	struct pool *p = start_pool(f, 1, -1);
	struct job a = job_of("a", 0);
	struct pool_event ev;

	(void)state;
	pool_cancel(p, 0);     /* nothing runs: nobody is asked */
	pool_submit(p, &a);
	for (ev.kind = POOL_TIME; ev.kind != POOL_ENDED;) {
		pool_cancel(p, 0);
		pool_wait(p, pool_now_ms(p) + 20, &ev);
	}
	assert_int_equal(ev.result.class, CLASS_CONNECTION);
	assert_true(fake_cancels(f, "a") >= 1);
	pool_event_release(&ev);
	pool_free(p);
	fake_free(f);
}

static void
a_pool_is_freed_without_its_stuck_threads(void **state)
{
	struct fake *f = fake_new("a: deaf; b: deaf");
	struct pool *p = start_pool(f, 3, -1);
	struct job a = job_of("a", 0), b = job_of("b", 1);
	int64_t began = clock_mono_ms();
	struct pool_event ev;

	(void)state;
	pool_submit(p, &a);
	pool_submit(p, &b);
	pool_wait(p, began + 20, &ev);
	assert_int_equal(ev.kind, POOL_TIME);
	pool_abandon(p, 0);
	pool_free(p);                 /* b is left behind as well */
	assert_true(clock_mono_ms() - began < 2000);
	/* They end by themselves and free what is left (sanitizers look). */
	fake_release(f);
	while (fake_running(f) > 0)
		usleep(1000);
	usleep(20000);
	fake_free(f);
}

struct chatter {
	struct pool *pool;
	int n;
};

static void *
chat(void *arg)
{
	struct chatter *c = arg;

	for (int i = 0; i < c->n; i++)
		pool_log(c->pool, i % 2 ? "model.p.a" : NULL, "info", "line");
	return NULL;
}

static void
lines_come_from_any_thread(void **state)
{
	struct fake *f = fake_new("");
	struct pool *p = start_pool(f, 1, -1);
	struct chatter c = { p, 5000 };
	pthread_t threads[3];
	struct pool_event ev;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, chat, &c), 0);
	for (int i = 0; i < 15000; i++) {
		pool_wait(p, INT64_MAX, &ev);
		assert_int_equal(ev.kind, POOL_LOG);
		assert_string_equal(ev.text, "line");
		pool_event_release(&ev);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	pool_free(p);
	fake_free(f);
}

static void
a_pool_that_never_started(void **state)
{
	struct runner r = runner_dry();

	(void)state;
	pool_free(pool_new(&r, 4));
	pool_free(NULL);
}

/* ---- the scheduler on real threads ---- */

struct run {
	struct graph *g;
	struct plan *p;
	struct schedule *s;
	struct schedule_summary sum;
	struct err err;
};

static int
ignore(void *self, const struct run_event *ev, struct err *err)
{
	size_t *n = self;

	(void)ev;
	(void)err;
	(*n)++;
	return 0;
}

static void
run(struct run *r, const char *graph, struct schedule_options o)
{
	size_t nevents = 0;
	struct observer observer = { &nevents, ignore };

	r->g = tiny_graph(graph);
	r->p = tiny_plan(r->g, PLAN_BUILD, NULL);
	for (size_t i = 0; i < r->p->ntasks; i++)
		r->p->tasks[i].policy = (struct task_policy){ .max_attempts = 3, .delay_ms = 10 };
	o.observers = &observer;
	o.nobservers = 1;
	o.signal_fd = signals_fd();
	r->s = schedule_new(r->p, &o);
	assert_int_equal(schedule_run(r->s, &r->sum, &r->err), 0);
	assert_true(nevents > 0);
}

static void
finish(struct run *r)
{
	schedule_free(r->s);
	plan_free(r->p);
	graph_free(r->g);
	err_release(&r->err);
}

static void
a_wide_graph_uses_every_thread(void **state)
{
	struct fake *f = fake_new("*: ok@30");
	struct buf b = BUF_INIT;
	struct run r = { 0 };

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_addf(&b, "model m%d\n", i);
	run(&r, b.data, (struct schedule_options){ .runner = fake_runner(f), .nthreads = 8 });
	assert_int_equal(r.sum.count[RESULT_SUCCESS], 40);
	assert_int_equal(fake_most_at_once(f), 8);
	finish(&r);
	fake_free(f);
	buf_release(&b);
}

static void
many_small_tasks(void **state)
{
	struct fake *f = fake_new("*: ok transient ok lost ok");
	struct buf b = BUF_INIT;
	struct run r = { 0 };

	(void)state;
	for (int i = 0; i < 400; i++)
		buf_addf(&b, i >= 20 ? "model m%d: m%d m%d\n" : "model m%d\n", i, i - 20, i - 19);
	run(&r, b.data, (struct schedule_options){ .runner = fake_runner(f), .nthreads = 16 });
	assert_int_equal(r.sum.count[RESULT_SUCCESS], 400);
	finish(&r);
	fake_free(f);
	buf_release(&b);
}

static void
a_node_lost_twice_runs_alone(void **state)
{
	struct fake *f = fake_new("a: bystander@5 bystander@5 ok@50; *: ok@15");
	struct buf b = BUF_INIT;
	struct run r = { 0 };

	(void)state;
	buf_adds(&b, "model a\n");
	for (int i = 0; i < 30; i++)
		buf_addf(&b, "model m%d: a\nmodel n%d\n", i, i);
	run(&r, b.data, (struct schedule_options){ .runner = fake_runner(f), .nthreads = 4 });
	assert_int_equal(r.sum.count[RESULT_SUCCESS], 61);
	assert_int_equal(fake_beside_last(f, "a"), 0);
	finish(&r);
	fake_free(f);
	buf_release(&b);
}

static void
timeouts_cancel_real_threads(void **state)
{
	struct fake *f = fake_new("a: hang ok; b: hang");
	struct run r = { 0 };
	struct schedule_options o = { .runner = fake_runner(f), .nthreads = 2, .signal_fd = -1 };
	size_t n;

	(void)state;
	r.g = tiny_graph("model a\nmodel b\nmodel c: a\n");
	r.p = tiny_plan(r.g, PLAN_BUILD, NULL);
	for (size_t i = 0; i < r.p->ntasks; i++)
		r.p->tasks[i].policy = (struct task_policy){ .max_attempts = 2, .delay_ms = 5,
			.timeout_ms = 40 };
	r.s = schedule_new(r.p, &o);
	assert_int_equal(schedule_run(r.s, &r.sum, &r.err), 0);
	assert_int_equal(r.sum.count[RESULT_SUCCESS], 2);
	assert_int_equal(schedule_tasks(r.s, &n)[1].class, CLASS_TIMEOUT);
	assert_string_equal(schedule_tasks(r.s, &n)[1].message, "timed out after 0.04 s: b 2");
	finish(&r);
	fake_free(f);
}

static void *
terminate_soon(void *arg)
{
	usleep(50000);
	kill(getpid(), *(int *)arg);
	return NULL;
}

static void
a_signal_ends_a_run_within_the_grace(void **state)
{
	struct fake *f = fake_new("a: hang; b: deaf; c: ok@20");
	struct run r = { 0 };
	pthread_t thread;
	int signo = SIGTERM;

	(void)state;
	assert_int_equal(signals_open(&r.err), 0);
	pthread_create(&thread, NULL, terminate_soon, &signo);
	run(&r, "model a\nmodel b\nmodel c\nmodel d: a\n",
	    (struct schedule_options){ .runner = fake_runner(f), .nthreads = 3, .grace_ms = 200 });
	pthread_join(thread, NULL);
	assert_int_equal(r.sum.signo, SIGTERM);
	assert_in_range(r.sum.wall_ms, 240, 3000);
	assert_int_equal(r.sum.count[RESULT_ERROR], 2);
	assert_int_equal(r.sum.count[RESULT_SKIPPED], 1);
	finish(&r);
	signals_close();
	fake_release(f);
	while (fake_running(f) > 0)
		usleep(1000);
	usleep(20000);
	fake_free(f);
}

static void
dry_runs_say_what_would_run(void **state)
{
	struct runner dry = runner_dry();
	struct run r = { 0 };
	size_t n;

	(void)state;
	run(&r, "model a\ntest t: a\nexposure e: a\nseed s\n",
	    (struct schedule_options){ .runner = &dry, .nthreads = 2 });
	assert_int_equal(r.sum.count[RESULT_SUCCESS], 2);
	assert_int_equal(r.sum.count[RESULT_PASS], 1);
	assert_int_equal(r.sum.count[RESULT_NO_OP], 1);
	assert_string_equal(schedule_tasks(r.s, &n)[1].message, "dbt run --select fqn:p.a");
	finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_come_back_with_their_thread),
		cmocka_unit_test(the_clock_ends_a_wait),
		cmocka_unit_test(a_signal_ends_a_wait),
		cmocka_unit_test(cancel_reaches_the_runner),
		cmocka_unit_test(a_pool_is_freed_without_its_stuck_threads),
		cmocka_unit_test(lines_come_from_any_thread),
		cmocka_unit_test(a_pool_that_never_started),
		cmocka_unit_test(a_wide_graph_uses_every_thread),
		cmocka_unit_test(many_small_tasks),
		cmocka_unit_test(a_node_lost_twice_runs_alone),
		cmocka_unit_test(timeouts_cancel_real_threads),
		cmocka_unit_test(a_signal_ends_a_run_within_the_grace),
		cmocka_unit_test(dry_runs_say_what_would_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
