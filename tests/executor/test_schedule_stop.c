/* Runs that end early: fail-fast, deadlines, clocks that are set, signals. Simulated pool. */
#include "tests/check.h"

#include <signal.h>

#include "tests/executor/fake_runner.h"
#include "tests/executor/one_run.h"
#include "tests/executor/sim_pool.h"
#include "util/signals.h"

/* ---- fail-fast, deadlines, clocks ---- */

static void
fail_fast_cancels_on_a_final_failure(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d: b\n",
	    "a: transient ok@100 ; b: hang; c: transient@10 compile@10", PLAN_RUN, 3);

	(void)state;
	r->o.fail_fast = true;
	go(r);
	/* c's first error is retried; its second is final. */
	check_ends(r, "a success, b error, c error, d skipped!");
	assert_int_equal(ended(r, "b")->class, CLASS_CANCELLED);
	check_text(ended(r, "b")->message, "fail-fast: 'model.p.c' ended with error: b 1");
	check_text(ended(r, "d")->why, "fail-fast: 'model.p.c' ended with error");
	assert_int_equal(r->sum.wall_ms, 1020);
	finish(r);
}

static void
fail_fast_ends_what_waits_for_another_try(void **state)
{
	struct run *r = prepare("model a\nmodel b\n", "a: transient@10; b: database@20",
	    PLAN_RUN, 2);

	(void)state;
	r->o.fail_fast = true;
	go(r);
	check_ends(r, "a error, b error");
	assert_int_equal(ended(r, "a")->attempts, 1);
	check_text(ended(r, "a")->why, "not tried again: fail-fast");
	assert_int_equal(r->sum.wall_ms, 20);
	finish(r);
}

static void
a_skip_by_dbt_or_a_warning_is_no_failure_to_stop_for(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\n", "a: skip; b: warn", PLAN_BUILD, 1);

	(void)state;
	r->o.fail_fast = true;
	go(r);
	check_ends(r, "a skipped, b warn, c success");
	finish(r);
}

static void
nothing_starts_past_the_deadline(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c: b\nmodel d\n",
	    "a: ok@600; b: ok@600; d: transient@700 ok", PLAN_RUN, 2);

	(void)state;
	r->o.stop_at_ms = sim_pool_wall_at(1000);
	go(r);
	assert_int_equal(r->rc, 0);
	check_ends(r, "a success, b success, c skipped!, d error");
	assert_true(r->sum.late);
	assert_int_equal(ended(r, "c")->cause, SIZE_MAX);
	check_text(ended(r, "c")->why, "before the time was up");
	assert_int_equal(r->sum.wall_ms, 1200);      /* what ran may end */
	finish(r);
}

static void
the_deadline_ends_a_wait_for_the_next_try(void **state)
{
	struct run *r = prepare("model a\n", "a: transient@100", PLAN_RUN, 1);

	(void)state;
	task(r, "a")->policy.delay_ms = 60000;
	r->o.stop_at_ms = sim_pool_wall_at(1000);
	go(r);
	check_ends(r, "a error");
	assert_int_equal(r->sum.wall_ms, 1000);
	assert_true(r->sum.late);
	finish(r);
}

static void
a_run_that_ends_in_time_is_not_late(void **state)
{
	struct run *r = prepare("model a\nmodel b\n", "*: ok@600", PLAN_RUN, 2);

	(void)state;
	r->o.stop_at_ms = sim_pool_wall_at(500);
	go(r);
	check_ends(r, "a success, b success");
	assert_false(r->sum.late);
	finish(r);
}

static void
set_clock_forward(int64_t now_ms)
{
	(void)now_ms;
	sim_pool_jump_wall(3600000);
}

static void
the_deadline_follows_the_wall_clock(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "*: ok@100", PLAN_RUN, 1);

	(void)state;
	r->o.stop_at_ms = sim_pool_wall_at(1000000);
	sim_pool_at(50, set_clock_forward);
	go(r);
	check_ends(r, "a success, b skipped!");
	finish(r);
}

static void
set_clock_back(int64_t now_ms)
{
	(void)now_ms;
	sim_pool_jump_wall(-3600000);
}

/* Timeouts, waits and --max-time are durations: a clock set back does not stretch them. */
static void
a_clock_set_back_changes_no_duration(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c\nmodel d: c\nmodel e: d\n",
	    "a: transient@100 ok@100; b: ok@100; c: hang; d: ok@10; e: ok@10", PLAN_RUN, 2);

	(void)state;
	task(r, "a")->policy.delay_ms = 2000;
	task(r, "c")->policy.max_attempts = 1;
	task(r, "c")->policy.timeout_ms = 1000;
	sim_pool_at(50, set_clock_back);
	sim_pool_at(1500, set_clock_back);
	go(r);
	assert_int_equal(r->rc, 0);
	check_ends(r, "a success, b success, c error, d skipped!, e skipped!");
	assert_int_equal(ended(r, "c")->class, CLASS_TIMEOUT);
	assert_int_equal(r->sum.wall_ms, 100 + 2000 + 100 + 100);
	for (const char *name = "abc"; *name; name++)
		assert_in_range(ended(r, (char[]){ *name, 0 })->busy_ms, 100, 1100);
	finish(r);
}

static void
the_time_a_run_may_take_is_no_time_of_day(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c: b\n", "*: ok@600", PLAN_RUN, 1);

	(void)state;
	r->o.stop_after_ms = 1000;
	sim_pool_at(50, set_clock_back);
	go(r);
	check_ends(r, "a success, b success, c skipped!");
	assert_true(r->sum.late);
	finish(r);
	r = prepare("model a\n", "*: ok@600", PLAN_RUN, 1);
	r->o.stop_after_ms = 1000;
	sim_pool_at(50, set_clock_forward);
	go(r);
	check_ends(r, "a success");
	assert_false(r->sum.late);
	finish(r);
	r = prepare("model a\n", "*: ok@600", PLAN_RUN, 1);
	r->o.stop_after_ms = -1;                     /* dbt took longer to start */
	go(r);
	check_ends(r, "a skipped!");
	finish(r);
}

/* ---- signals ---- */

static int next_signal[4];

static void
send_signal(int64_t now_ms)
{
	size_t i;

	(void)now_ms;
	for (i = 0; next_signal[i] == 0; i++)
		;
	raise(next_signal[i]);
	next_signal[i] = 0;
}

static struct run *
prepare_signals(const char *graph, const char *script, int first, int second)
{
	struct run *r = prepare(graph, script, PLAN_RUN, 2);

	assert_int_equal(signals_open(&r->err), 0);
	r->o.signal_fd = signals_fd();
	next_signal[0] = first;
	next_signal[1] = second;
	sim_pool_at(100, send_signal);
	if (second)
		sim_pool_at(200, send_signal);
	return r;
}

static void
the_first_interrupt_on_a_terminal_lets_tasks_end(void **state)
{
	struct run *r = prepare_signals("model a\nmodel b: a\nmodel c\n",
	    "a: ok@500; c: transient@300 ok", SIGINT, 0);

	(void)state;
	r->o.interactive = true;
	go(r);
	assert_int_equal(r->rc, 0);
	check_ends(r, "a success, b skipped!, c error");
	assert_int_equal(r->sum.signo, SIGINT);
	assert_int_equal(r->sum.wall_ms, 500);
	assert_int_equal(fake_cancels(r->f, "a"), 0);
	check_text(ended(r, "b")->why, "stopped by SIGINT");
	check_text(ended(r, "c")->why, "not tried again: stopped by SIGINT");
	finish(r);
	signals_close();
}

static void
the_second_interrupt_cancels(void **state)
{
	struct run *r = prepare_signals("model a\nmodel b: a\n", "a: hang", SIGINT, SIGINT);

	(void)state;
	r->o.interactive = true;
	go(r);
	check_ends(r, "a error, b skipped!");
	assert_int_equal(ended(r, "a")->class, CLASS_CANCELLED);
	assert_int_equal(r->sum.wall_ms, 200);
	finish(r);
	signals_close();
}

static void
other_signals_cancel_at_once(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct run *r = prepare_signals("model a\nmodel b: a\n", "a: hang", signals[i], 0);

		r->o.interactive = signals[i] != SIGINT;
		go(r);
		check_ends(r, "a error, b skipped!");
		assert_int_equal(r->sum.signo, signals[i]);
		assert_int_equal(r->sum.wall_ms, 100);
		assert_int_equal(fake_cancels(r->f, "a"), 1);
		finish(r);
		signals_close();
	}
}

static void
a_stopped_run_is_over_within_the_grace(void **state)
{
	struct run *r = prepare_signals("model a\nmodel b: a\n", "a: deaf", SIGTERM, 0);

	(void)state;
	go(r);
	check_ends(r, "a error, b skipped!");
	assert_int_equal(r->sum.wall_ms, 5100);
	check_text(ended(r, "a")->message, "stopped by SIGTERM: it did not answer within 5 s");
	finish(r);
	signals_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fail_fast_cancels_on_a_final_failure),
		cmocka_unit_test(fail_fast_ends_what_waits_for_another_try),
		cmocka_unit_test(a_skip_by_dbt_or_a_warning_is_no_failure_to_stop_for),
		cmocka_unit_test(nothing_starts_past_the_deadline),
		cmocka_unit_test(the_deadline_ends_a_wait_for_the_next_try),
		cmocka_unit_test(a_run_that_ends_in_time_is_not_late),
		cmocka_unit_test(the_deadline_follows_the_wall_clock),
		cmocka_unit_test(a_clock_set_back_changes_no_duration),
		cmocka_unit_test(the_time_a_run_may_take_is_no_time_of_day),
		cmocka_unit_test(the_first_interrupt_on_a_terminal_lets_tasks_end),
		cmocka_unit_test(the_second_interrupt_cancels),
		cmocka_unit_test(other_signals_cancel_at_once),
		cmocka_unit_test(a_stopped_run_is_over_within_the_grace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
