/* The scheduler's decisions, with the simulated pool: time is exact and costs nothing. How a run
 * ends early is in test_schedule_stop.c. */
#include "tests/check.h"

#include "executor/schedule.h"
#include "tests/executor/fake_runner.h"
#include "tests/executor/one_run.h"
#include "tests/executor/sim_pool.h"
#include "util/buf.h"

/* ---- order ---- */

static void
runs_parents_first(void **state)
{
	struct run *r = prepare("model c: b\nmodel b: a\nmodel a\n", "", PLAN_RUN, 4);

	(void)state;
	go(r);
	assert_int_equal(r->rc, 0);
	assert_string_equal(fake_started(r->f), "a b c");
	check_ends(r, "a success, b success, c success");
	assert_string_equal(r->steps.data, "a:ready a:running a:done b:ready b:running b:done "
	    "c:ready c:running c:done");
	assert_int_equal(r->sum.count[RESULT_SUCCESS], 3);
	finish(r);
}

static void
longest_path_first(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d: c\n", "*: ok@1000",
	    PLAN_RUN, 1);

	(void)state;
	task(r, "b")->seconds = 1.5;
	task(r, "c")->seconds = 1;
	plan_weigh(r->p);
	go(r);
	assert_string_equal(fake_started(r->f), "c b a d");
	assert_int_equal(r->sum.wall_ms, 4000);
	finish(r);
}

static void
fifo_is_first_come(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d: c\n", "", PLAN_RUN, 1);

	(void)state;
	r->o.order = ORDER_FIFO;
	go(r);
	assert_string_equal(fake_started(r->f), "a b c d");
	finish(r);
}

static void
priority_goes_above_the_path(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel z\n", "", PLAN_RUN, 1);

	(void)state;
	task(r, "z")->policy.priority = 1;
	go(r);
	assert_string_equal(fake_started(r->f), "z a b");
	finish(r);
}

static void
tests_that_hold_nothing_back_wait_for_idle_threads(void **state)
{
	struct run *r = prepare("model a\ntest gate: a\nmodel b: a\ntest leaf: b\nmodel c: a\n"
	    "model d: a\n", "*: ok@100", PLAN_BUILD, 1);

	(void)state;
	task(r, "b")->policy.priority = 1;
	go(r);
	assert_string_equal(fake_started(r->f), "a gate b c d leaf");
	finish(r);
}

static void
a_long_test_does_not_wait_for_idle_threads(void **state)
{
	struct run *r = prepare("model a\nmodel b\ntest t: a b\nmodel c: a\nmodel d: a\n",
	    "b: ok@900; t: ok@10000; *: ok@1000", PLAN_BUILD, 2);

	(void)state;
	task(r, "t")->seconds = 10;
	plan_weigh(r->p);
	go(r);
	assert_string_equal(fake_started(r->f), "a b t c d");
	assert_int_equal(r->sum.wall_ms, 11000);
	finish(r);
}

static void
threads_limit_what_runs_together(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d\nmodel e\n", "*: ok@100",
	    PLAN_RUN, 3);

	(void)state;
	go(r);
	assert_int_equal(r->sum.wall_ms, 200);
	finish(r);
}

static void
pools_limit_what_runs_together(void **state)
{
	const struct schedule_slots slots[] = { { "heavy", 2 }, { "lone", 0 } };
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d\nmodel e\nmodel f\nmodel g\n",
	    "*: ok@100", PLAN_RUN, 8);

	(void)state;
	for (const char *name = "abcd"; *name; name++)
		task(r, (char[2]){ *name, 0 })->policy.pool = "heavy";
	task(r, "e")->policy.pool = "lone";
	task(r, "f")->policy.pool = "lone";
	task(r, "g")->policy.pool = "unknown";
	r->o.slots = slots;
	r->o.nslots = 2;
	go(r);
	assert_int_equal(r->rc, 0);
	assert_int_equal(r->sum.wall_ms, 200);
	assert_string_equal(fake_started(r->f), "a b e g c d f");
	finish(r);
}

/* ---- failures ---- */

static void
a_failure_skips_its_descendants_only(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c: b\n"
	    "model x\nmodel y: x c\nmodel z: x\n", "a: database", PLAN_RUN, 2);

	(void)state;
	go(r);
	assert_int_equal(r->rc, 0);
	check_ends(r, "a error, b skipped!, c skipped!, x success, y skipped!, z success");
	assert_int_equal(ended(r, "y")->cause, task(r, "a")->index);
	assert_string_equal(ended(r, "y")->why, "'model.p.a' ended with error");
	assert_int_equal(ended(r, "z")->cause, SIZE_MAX);
	assert_int_equal(r->sum.count[RESULT_SKIPPED], 3);
	finish(r);
}

static void
the_first_failed_ancestor_is_the_root_cause(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c: a b\n",
	    "a: database@50; b: database@20", PLAN_RUN, 2);

	(void)state;
	go(r);
	assert_int_equal(ended(r, "c")->cause, task(r, "b")->index);
	finish(r);
}

static void
commands_have_their_own_blocking_statuses(void **state)
{
	static const struct { const char *step; enum plan_command c; const char *ends; } cases[] = {
		{ "fail", PLAN_BUILD, "a fail, b skipped!" },
		{ "fail", PLAN_RUN, "a fail, b success" },
		{ "skip", PLAN_BUILD, "a skipped, b skipped!" },
		{ "skip", PLAN_RUN, "a skipped, b success" },
		{ "partial", PLAN_BUILD, "a partial success, b skipped!" },
		{ "partial", PLAN_RUN, "a partial success, b skipped!" },
		{ "warn", PLAN_BUILD, "a warn, b success" },
		{ "no-op", PLAN_BUILD, "a no-op, b success" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char script[32];
		struct run *r;

		snprintf(script, sizeof(script), "a: %s", cases[i].step);
		r = prepare("model a\nmodel b: a\n", script, cases[i].c, 1);
		go(r);
		check_ends(r, cases[i].ends);
		finish(r);
	}
}

static void
a_failed_test_or_unit_test_skips_what_it_holds_back(void **state)
{
	struct run *r = prepare("model a\ntest t: a\nmodel b: a\nmodel c: b\n"
	    "model x\nunit_test u: x\nmodel y: x\n", "t: fail; u: fail", PLAN_BUILD, 2);

	(void)state;
	go(r);
	check_ends(r, "a success, b skipped!, c skipped!, x skipped!, y skipped!, t fail, u fail");
	assert_int_equal(ended(r, "c")->cause, task(r, "t")->index);
	assert_int_equal(ended(r, "y")->cause, task(r, "u")->index);
	finish(r);
}

/* ---- retries ---- */

static void
a_transient_error_is_tried_again(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "a: transient@10 transient@10 ok@10",
	    PLAN_RUN, 1);

	(void)state;
	go(r);
	check_ends(r, "a success, b success");
	assert_string_equal(fake_started(r->f), "a a a b");
	assert_int_equal(r->sum.wall_ms, 10 + 1000 + 10 + 2000 + 10);
	assert_int_equal(r->sum.nretried, 1);
	assert_int_equal(ended(r, "a")->attempts, 3);
	assert_int_equal(ended(r, "a")->busy_ms, 30);
	assert_string_equal(ended(r, "a")->message, "a 3");
	assert_string_equal(r->steps.data, "a:ready a:running a:backoff a:ready a:running "
	    "a:backoff a:ready a:running a:done b:ready b:running b:done");
	finish(r);
}

static void
backoff_holds_no_thread(void **state)
{
	struct run *r = prepare("model a\nmodel b\n", "a: transient ok; b: ok@500", PLAN_RUN, 1);

	(void)state;
	go(r);
	assert_string_equal(fake_started(r->f), "a b a");
	assert_int_equal(r->sum.wall_ms, 1000);
	finish(r);
}

static void
tries_run_out(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "a: transient", PLAN_RUN, 1);

	(void)state;
	go(r);
	check_ends(r, "a error, b skipped!");
	assert_string_equal(fake_started(r->f), "a a a");
	check_text(ended(r, "a")->why, "no tries left after 3 tries");
	assert_int_equal(r->sum.nretried, 0);
	finish(r);
}

static void
final_errors_are_not_tried_again(void **state)
{
	static const char *const steps[] = { "database", "compile", "fail", "internal" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char script[32];
		struct run *r;

		snprintf(script, sizeof(script), "a: %s", steps[i]);
		r = prepare("model a\n", script, PLAN_RUN, 1);
		go(r);
		assert_string_equal(fake_started(r->f), "a");
		finish(r);
	}
}

static void
an_appending_node_with_unknown_outcome_is_not_tried_again(void **state)
{
	struct run *r = prepare("incremental a {}\n"
	    "incremental b {\"incremental_strategy\": \"microbatch\"}\n"
	    "incremental c {}\nincremental d {}\n",
	    "a: connection; b: connection ok; c: connection ok; d: transient ok", PLAN_RUN, 1);

	(void)state;
	task(r, "c")->policy.retry_any = true;
	go(r);
	check_ends(r, "a error, b success, c success, d success");
	assert_string_equal(ended(r, "a")->message, "outcome unknown: a 1");
	check_text(ended(r, "a")->why, "it appends");
	finish(r);
}

static void
jitter_depends_on_the_seed_alone(void **state)
{
	int64_t wall[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct run *r = prepare("model a\n", "a: transient ok", PLAN_RUN, 1);

		task(r, "a")->policy.jitter = 0.5;
		r->o.seed = i == 2 ? 8 : 7;
		go(r);
		wall[i] = r->sum.wall_ms;
		assert_in_range(wall[i], 500, 1500);
		finish(r);
	}
	assert_int_equal(wall[0], wall[1]);
	assert_int_not_equal(wall[0], wall[2]);
}

/* ---- lost workers ---- */

static void
bystanders_are_not_blamed(void **state)
{
	struct run *r = prepare("model a\nmodel b\n", "a: bystander bystander ok", PLAN_RUN, 2);

	(void)state;
	task(r, "a")->policy.max_attempts = 1;
	go(r);
	check_ends(r, "a success, b success");
	assert_int_equal(ended(r, "a")->attempts, 3);
	assert_int_equal(ended(r, "a")->faults, 0);
	assert_int_equal(r->sum.wall_ms, 0);
	finish(r);
}

static void
a_node_at_two_deaths_runs_alone(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\nmodel d\n",
	    "a: bystander@10 bystander@10 ok@10; *: ok@100", PLAN_RUN, 2);

	(void)state;
	task(r, "a")->policy.priority = 1;
	go(r);
	/* Lost at 10 and 20. A thread is free then, but b runs until 100: a waits, and so do c and
	 * d, until a has run from 100 to 110. */
	check_ends(r, "a success, b success, c success, d success");
	assert_string_equal(fake_started(r->f), "a b a a c d");
	assert_int_equal(r->sum.wall_ms, 210);
	assert_int_equal(ended(r, "a")->faults, 0);
	finish(r);
}

static void
who_is_lost_alone_is_to_blame(void **state)
{
	struct run *r = prepare("model a\nmodel b\n", "a: bystander@10", PLAN_RUN, 2);

	(void)state;
	go(r);
	check_ends(r, "a error, b success");
	assert_int_equal(ended(r, "a")->attempts, 5);
	assert_int_equal(ended(r, "a")->faults, 3);
	assert_int_equal(r->sum.wall_ms, 50 + 1000 + 2000);
	finish(r);
}

/* ---- timeouts ---- */

static void
a_timeout_cancels_and_counts_as_transient(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "a: hang ok@10", PLAN_RUN, 1);

	(void)state;
	task(r, "a")->policy.timeout_ms = 300;
	go(r);
	check_ends(r, "a success, b success");
	assert_int_equal(fake_cancels(r->f, "a"), 1);
	assert_int_equal(r->sum.wall_ms, 300 + 1000 + 10);
	check_text(r->log.data, "cancelling 'model.p.a': timed out after 0.3 s");
	finish(r);
}

static void
a_timed_out_attempt_says_so(void **state)
{
	struct run *r = prepare("model a\n", "a: hang", PLAN_RUN, 1);

	(void)state;
	task(r, "a")->policy.timeout_ms = 300;
	task(r, "a")->policy.max_attempts = 1;
	go(r);
	assert_int_equal(ended(r, "a")->class, CLASS_TIMEOUT);
	assert_string_equal(ended(r, "a")->message, "timed out after 0.3 s: a 1");
	finish(r);
}

static void
a_cancel_that_comes_too_late_is_a_success(void **state)
{
	struct run *r = prepare("model a\n", "a: late", PLAN_RUN, 1);

	(void)state;
	task(r, "a")->policy.timeout_ms = 300;
	go(r);
	check_ends(r, "a success");
	finish(r);
}

static void
an_attempt_that_never_answers_is_given_up_with_its_thread(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c\nmodel d\n",
	    "a: deaf; *: ok@90000", PLAN_RUN, 2);

	(void)state;
	task(r, "a")->policy.timeout_ms = 1000;
	go(r);
	assert_int_equal(r->rc, 0);
	check_ends(r, "a error, b skipped!, c success, d success");
	/* Asked at 1 s and each second after, given up four times the grace later. */
	assert_int_equal(fake_cancels(r->f, "a"), 20);
	assert_int_equal(ended(r, "a")->attempts, 1);
	check_text(ended(r, "a")->message,
	    "timed out after 1 s: it did not answer within 20 s: outcome unknown");
	assert_int_equal(r->sum.wall_ms, 180000);     /* one thread did the rest */
	finish(r);
}

static void
a_run_without_threads_ends(void **state)
{
	struct run *r = prepare("model a\nmodel b\nmodel c\n", "a: deaf; b: deaf", PLAN_RUN, 2);

	(void)state;
	task(r, "a")->policy.timeout_ms = task(r, "b")->policy.timeout_ms = 1000;
	go(r);
	check_ends(r, "a error, b error, c skipped!");
	check_text(ended(r, "c")->why, "no thread is left");
	finish(r);
}

/* ---- observers, resume, the rest ---- */

static void
an_attempt_nobody_could_record_is_not_dispatched(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\nmodel c\nmodel d: c\n",
	    "*: ok@100; c: ok@200", PLAN_RUN, 2);

	(void)state;
	r->break_at = "b:running";
	go(r);
	assert_int_equal(r->rc, -1);
	check_text(r->err.msg, "journal: disk full");
	assert_string_equal(fake_started(r->f), "a c");
	check_ends(r, "a success, b skipped!, c success, d skipped!");
	assert_int_equal(ended(r, "b")->attempts, 0);
	finish(r);
}

static void
a_run_whose_first_record_fails_ends(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "", PLAN_RUN, 1);

	(void)state;
	r->break_at = "a:running";
	go(r);
	assert_int_equal(r->rc, -1);
	assert_string_equal(fake_started(r->f), "");
	check_ends(r, "a skipped!, b skipped!");
	check_text(ended(r, "b")->why, "journal: disk full");
	finish(r);
}

static void
a_failed_record_of_an_end_stops_new_starts(void **state)
{
	struct run *r = prepare("model a\nmodel b: a\n", "", PLAN_RUN, 2);

	(void)state;
	r->break_at = "a:done";
	go(r);
	assert_int_equal(r->rc, -1);
	assert_string_equal(fake_started(r->f), "a");
	check_ends(r, "a success, b skipped!");
	finish(r);
}

static void
known_results_are_not_run_again(void **state)
{
	const struct schedule_known known[] = {
		{ .known = true, .entry = "{\"a\": 1}" }, { .known = true }, { 0 },
		{ .known = true, .status = RESULT_ERROR, .why = "outcome unknown" }, { 0 },
	};
	struct run *r = prepare("model a\nmodel b: a\nmodel c: b\nmodel x\nmodel y: x\n", "",
	    PLAN_RUN, 2);

	(void)state;
	r->o.known = known;
	go(r);
	assert_string_equal(fake_started(r->f), "c");
	check_ends(r, "a success, b success, c success, x error, y skipped!");
	assert_int_equal(ended(r, "a")->attempts, 0);
	assert_string_equal(ended(r, "a")->entry, "{\"a\": 1}");
	assert_string_equal(ended(r, "x")->why, "outcome unknown");
	assert_int_equal(ended(r, "y")->cause, task(r, "x")->index);
	finish(r);
}

static void
a_child_known_while_its_parent_runs(void **state)
{
	const struct schedule_known known[] = { { 0 }, { .known = true }, { 0 } };
	struct run *r = prepare("model a\nmodel b: a\nmodel c: b\n", "", PLAN_RUN, 2);

	(void)state;
	r->o.known = known;
	go(r);
	check_ends(r, "a success, b success, c success");
	finish(r);
}

static struct schedule *logging;

static void
log_lines(int64_t now_ms)
{
	(void)now_ms;
	schedule_log(logging, "model.p.a", "warn", "look here");
	schedule_log(logging, NULL, "info", "and there");
	schedule_log(logging, "model.p.unknown", "info", "or anywhere");
}

static void
lines_reach_the_observers(void **state)
{
	struct run *r = prepare("model a\n", "a: ok@100", PLAN_RUN, 1);

	(void)state;
	sim_pool_at(50, log_lines);
	r->s = logging = schedule_new(r->p, &r->o);
	r->rc = schedule_run(r->s, &r->sum, &r->err);
	assert_string_equal(r->log.data, "warn: look here\ninfo: and there\ninfo: or anywhere\n");
	finish(r);
}

static void
ticks_come_while_something_runs(void **state)
{
	struct run *r = prepare("model a\n", "a: ok@1050", PLAN_RUN, 1);

	(void)state;
	r->o.tick_ms = 100;
	go(r);
	assert_int_equal(r->nticks, 10);
	finish(r);
}

static void
empty_plans(void **state)
{
	struct run *r = prepare("source s\n", "", PLAN_RUN, 4);

	(void)state;
	go(r);
	assert_int_equal(r->rc, 0);
	assert_int_equal(r->sum.wall_ms, 0);
	finish(r);
	schedule_free(NULL);
}

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

static struct run *
random_run(uint32_t seed)
{
	static const char *const steps[] = {
		"ok", "ok", "ok", "ok", "ok@7", "fail", "error", "transient ok", "transient@3",
		"lost ok", "bystander ok", "warn", "skip", "connection@5 ok",
	};
	struct buf graph = BUF_INIT, script = BUF_INIT;
	uint32_t n = 2 + draw(&seed, 30);
	struct run *r;

	for (uint32_t i = 0; i < n; i++) {
		/* Those with even numbers are models: only they have children. */
		buf_addf(&graph, "%s n%u:", i % 2 && draw(&seed, 2) ? "test" : "model", i);
		for (int k = 0; i > 0 && k < 2; k++)
			if (draw(&seed, 3))
				buf_addf(&graph, " n%u", draw(&seed, i) & ~1u);
		buf_addc(&graph, '\n');
		buf_addf(&script, "n%u: %s; ", i,
		    steps[draw(&seed, sizeof(steps) / sizeof(steps[0]))]);
	}
	r = prepare(graph.data, script.data, draw(&seed, 2) ? PLAN_BUILD : PLAN_RUN,
	    1 + draw(&seed, 4));
	r->o.fail_fast = draw(&seed, 7) == 0;
	buf_release(&graph);
	buf_release(&script);
	return r;
}

static void
check_task_of_random_run(struct run *r, const struct run_task *tasks, const struct run_task *t)
{
	bool blocked = false;

	assert_true(t->faults <= 3);
	for (size_t k = 0; k < t->task->nparents; k++) {
		const struct run_task *p = &tasks[t->task->parents[k]];

		blocked |= p->state == TASK_SKIPPED || plan_blocks(r->p->command, p->status);
		if (t->attempts > 0)
			assert_true(p->state == TASK_DONE && p->ended_ms <= t->started_ms);
	}
	if (!r->o.fail_fast)
		assert_int_equal(t->state == TASK_SKIPPED, blocked);
}

static void
random_runs_follow_the_plan(void **state)
{
	size_t nskipped = 0, nretried = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 1000; seed++) {
		struct run *r = random_run(seed);
		const struct run_task *tasks;
		size_t n;

		go(r);
		assert_int_equal(r->rc, 0);
		tasks = schedule_tasks(r->s, &n);
		for (size_t i = 0; i < n; i++) {
			check_task_of_random_run(r, tasks, &tasks[i]);
			nskipped += tasks[i].state == TASK_SKIPPED;
		}
		nretried += r->sum.nretried;
		finish(r);
	}
	/* The runs are worth something only if much of this happened. */
	assert_true(nskipped > 1000);
	assert_true(nretried > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_parents_first),
		cmocka_unit_test(longest_path_first),
		cmocka_unit_test(fifo_is_first_come),
		cmocka_unit_test(priority_goes_above_the_path),
		cmocka_unit_test(tests_that_hold_nothing_back_wait_for_idle_threads),
		cmocka_unit_test(a_long_test_does_not_wait_for_idle_threads),
		cmocka_unit_test(threads_limit_what_runs_together),
		cmocka_unit_test(pools_limit_what_runs_together),
		cmocka_unit_test(a_failure_skips_its_descendants_only),
		cmocka_unit_test(the_first_failed_ancestor_is_the_root_cause),
		cmocka_unit_test(commands_have_their_own_blocking_statuses),
		cmocka_unit_test(a_failed_test_or_unit_test_skips_what_it_holds_back),
		cmocka_unit_test(a_transient_error_is_tried_again),
		cmocka_unit_test(backoff_holds_no_thread),
		cmocka_unit_test(tries_run_out),
		cmocka_unit_test(final_errors_are_not_tried_again),
		cmocka_unit_test(an_appending_node_with_unknown_outcome_is_not_tried_again),
		cmocka_unit_test(jitter_depends_on_the_seed_alone),
		cmocka_unit_test(bystanders_are_not_blamed),
		cmocka_unit_test(a_node_at_two_deaths_runs_alone),
		cmocka_unit_test(who_is_lost_alone_is_to_blame),
		cmocka_unit_test(a_timeout_cancels_and_counts_as_transient),
		cmocka_unit_test(a_timed_out_attempt_says_so),
		cmocka_unit_test(a_cancel_that_comes_too_late_is_a_success),
		cmocka_unit_test(an_attempt_that_never_answers_is_given_up_with_its_thread),
		cmocka_unit_test(a_run_without_threads_ends),
		cmocka_unit_test(an_attempt_nobody_could_record_is_not_dispatched),
		cmocka_unit_test(a_run_whose_first_record_fails_ends),
		cmocka_unit_test(a_failed_record_of_an_end_stops_new_starts),
		cmocka_unit_test(known_results_are_not_run_again),
		cmocka_unit_test(a_child_known_while_its_parent_runs),
		cmocka_unit_test(lines_reach_the_observers),
		cmocka_unit_test(ticks_come_while_something_runs),
		cmocka_unit_test(empty_plans),
		cmocka_unit_test(random_runs_follow_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
