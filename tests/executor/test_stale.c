/* Sources as tasks: what hangs on stale ones, what their results mean, sources.json. Simulated
 * pool. */
#include "tests/check.h"

#include "executor/sources.h"
#include "executor/stale.h"
#include "tests/executor/fake_runner.h"
#include "tests/executor/sim_pool.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/xalloc.h"

struct run {
	struct graph *g;
	struct plan *p;
	struct fake *f;
	struct stale *stale;
	struct observer observer;
	struct schedule_options o;
	struct schedule *s;
	struct schedule_summary sum;
};

/* names: what is selected besides the sources it comes from; NULL = everything. */
static struct run *
prepare(const char *graph, const char *names, const char *script, enum stale_rule rule)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct err err = ERR_INIT;
	struct set chosen;

	sim_pool_reset();
	r->g = tiny_graph(graph);
	set_init(&chosen, r->g->nnodes);
	for (size_t i = 0; i < r->g->nnodes; i++)
		if (!names || strstr(names, r->g->nodes[i].name))
			set_add(&chosen, i);
	plan_add_sources(r->g, PLAN_BUILD, &chosen);
	r->p = plan_new_with_sources(r->g, &chosen, PLAN_BUILD, &err);
	assert_non_null(r->p);
	for (size_t i = 0; i < r->p->ntasks; i++)
		r->p->tasks[i].policy = (struct task_policy){ .max_attempts = 2, .delay_ms = 1000,
			.factor = 2 };
	r->f = fake_new_simulated(script);
	r->stale = stale_new(r->p, rule);
	r->observer = stale_observer(r->stale);
	r->o = (struct schedule_options){ .runner = fake_runner(r->f), .nthreads = 2,
		.signal_fd = -1,
		.observers = &r->observer, .nobservers = 1, .grace_ms = 5000, .excuse = stale_why,
		.excuse_self = r->stale };
	set_release(&chosen);
	return r;
}

static const struct run_task *
ended(const struct run *r, const char *name)
{
	size_t n;

	return &schedule_tasks(r->s, &n)[plan_find(r->p, tiny_node(r->g, name))->index];
}

/* expected: "a success, b skipped!"; `!` = excused. */
static void
check(struct run *r, const char *expected)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	r->s = schedule_new(r->p, &r->o);
	assert_int_equal(schedule_run(r->s, &r->sum, &err), 0);
	for (size_t i = 0; i < r->p->ntasks; i++) {
		const struct run_task *t = ended(r, r->p->tasks[i].node->name);

		buf_addf(&b, "%s%s %s%s", i ? ", " : "", t->task->node->name,
		    result_status_name(t->status), t->excused ? "!" : "");
	}
	assert_string_equal(b.data, expected);
	buf_release(&b);
}

static void
finish(struct run *r)
{
	schedule_free(r->s);
	stale_free(r->stale);
	plan_free(r->p);
	graph_free(r->g);
	fake_free(r->f);
	free(r);
}

#define SHOP \
	"checked s\nchecked f\nmodel a: s\nmodel b: a\ntest t: a\n" \
	"model c: f\nmodel d: b c\ntest u: s\n"

static void
without_a_rule_nothing_is_skipped(void **state)
{
	struct run *r = prepare(SHOP, NULL, "s: stale; f: warn", STALE_NEVER);

	(void)state;
	check(r,
	    "a success, b success, c success, d success, f warn, s error, t success, u success");
	finish(r);
}

static void
any_skips_all_that_comes_from_a_stale_source(void **state)
{
	struct run *r = prepare(SHOP, NULL, "s: stale", STALE_ANY);

	(void)state;
	check(r, "a skipped!, b skipped!, c success, d skipped!, f success, s error, t skipped!, "
	    "u skipped!");
	assert_string_equal(ended(r, "d")->why, "'source.p.s' is stale: s 1");
	finish(r);
	/* Past the lower limit is stale too. */
	r = prepare(SHOP, NULL, "f: warn", STALE_ANY);
	check(r, "a success, b success, c skipped!, d skipped!, f warn, s success, t success, u "
	    "success");
	finish(r);
}

static void
all_spares_what_has_a_fresh_parent(void **state)
{
	struct run *r = prepare(SHOP, NULL, "s: stale", STALE_ALL);

	(void)state;
	check(r, "a skipped!, b skipped!, c success, d success, f success, s error, t skipped!, "
	    "u skipped!");
	assert_string_equal(ended(r, "b")->why,
	    "all it comes from is stale, 'source.p.s' among it: s 1");
	finish(r);
	r = prepare(SHOP, NULL, "s: stale; f: warn", STALE_ALL);
	check(r, "a skipped!, b skipped!, c skipped!, d skipped!, f warn, s error, t skipped!, u "
	    "skipped!");
	finish(r);
	/* Seeds, and sources that nobody checks, are not stale. */
	r = prepare("checked s\nsource n\nseed x\nmodel a: s n\nmodel b: s x\nmodel c: s\n", NULL,
	    "s: warn",
	    STALE_ALL);
	check(r, "a success, b success, c skipped!, x success, s warn");
	finish(r);
}

/* c's test holds d back in a build; skipped for staleness it must not. */
static void
an_excused_test_holds_nothing_back(void **state)
{
	struct run *r = prepare("checked s\nmodel a: s\ntest t: a\nmodel b\nmodel d: a b\n", NULL,
	    "s: warn",
	    STALE_ALL);

	(void)state;
	check(r, "a skipped!, b success, d success, s warn, t skipped!");
	finish(r);
}

static void
staleness_passes_through_what_is_not_selected(void **state)
{
	struct run *r = prepare("checked s\nchecked z\nmodel a: s\nephemeral e: a\nmodel m: "
	    "e\nmodel k: z\n", "m",
	    "s: stale", STALE_ANY);

	(void)state;
	check(r, "m skipped!, s error");
	finish(r);
}

static void
a_failed_check_says_nothing_about_the_age(void **state)
{
	struct run *r = prepare("checked s\nmodel a: s\n", NULL, "s: database", STALE_ANY);

	(void)state;
	check(r, "a success, s runtime error");
	finish(r);
	r = prepare("checked s\nmodel a: s\n", NULL, "s: transient lost", STALE_ANY);
	check(r, "a success, s runtime error");
	assert_int_equal(ended(r, "s")->attempts, 2);
	finish(r);
	r = prepare("checked s\nmodel a: s\n", NULL, "s: hang", STALE_ANY);
	r->p->tasks[1].policy.timeout_ms = 1000;
	r->p->tasks[1].policy.max_attempts = 1;
	check(r, "a success, s runtime error");
	assert_int_equal(ended(r, "s")->class, CLASS_TIMEOUT);
	finish(r);
}

/* `on: any` waits for fresh data. */
static void
a_stale_source_is_tried_again_when_a_rule_says_so(void **state)
{
	struct run *r = prepare("checked s\nmodel a: s\n", NULL, "s: stale ok", STALE_ANY);

	(void)state;
	check(r, "a skipped!, s error");
	assert_int_equal(ended(r, "s")->attempts, 1);
	finish(r);
	r = prepare("checked s\nmodel a: s\n", NULL, "s: stale ok", STALE_ANY);
	r->p->tasks[1].policy.retry_any = true;
	check(r, "a success, s success");
	finish(r);
}

static void
fail_fast_is_for_nodes(void **state)
{
	struct run *r = prepare(SHOP, NULL, "s: stale; f: database", STALE_NEVER);

	(void)state;
	r->o.fail_fast = true;
	check(r, "a success, b success, c success, d success, f runtime error, s error, t "
	    "success, u success");
	finish(r);
}

static void
a_long_chain_is_skipped_without_recursion(void **state)
{
	struct buf b = BUF_INIT;
	struct run *r;

	(void)state;
	buf_adds(&b, "checked s\nmodel m0: s\n");
	for (int i = 1; i < 20000; i++)
		buf_addf(&b, "model m%d: m%d\n", i, i - 1);
	r = prepare(b.data, NULL, "s: stale", STALE_ANY);
	r->s = schedule_new(r->p, &r->o);
	assert_int_equal(schedule_run(r->s, &r->sum, NULL), 0);
	assert_int_equal(r->sum.count[RESULT_SKIPPED], 20000);
	finish(r);
	buf_release(&b);
}

static void
say_ended(struct observer *o, struct plan *p, const char *name, const char *entry)
{
	struct run_task t = { .task = plan_find(p, tiny_node(p->graph, name)), .state = TASK_DONE,
		.entry = (char *)(uintptr_t)entry };
	struct run_event ev = { .kind = EVENT_TASK, .task = &t, .from = TASK_RUNNING,
	    .to = TASK_DONE };
	struct err err = ERR_INIT;

	assert_int_equal(o->event(o->self, &ev, &err), 0);
}

static void
sources_json_has_the_entries_in_the_order_they_came(void **state)
{
	struct run *r = prepare(SHOP, NULL, "", STALE_NEVER);
	struct sources *s = sources_new(r->p);
	struct observer o = sources_observer(s);
	struct results_head head =
		{ .metadata = "{\"dbt_schema_version\":\"run-results/v6\",\"env\":{}}",
		.args = "{}", .elapsed_s = 1.5 };
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	say_ended(&o, r->p, "s", "{\"unique_id\": \"source.p.s\"}");
	say_ended(&o, r->p, "a", "{\"unique_id\": \"model.p.a\"}");
	say_ended(&o, r->p, "f", NULL);
	assert_int_equal(sources_write(s, &head, "sources.json", &err), 0);
	assert_int_equal(fs_read("sources.json", &b, &err), 0);
	assert_string_equal(buf_str(&b), "{\"metadata\": {\"env\":{},\"dbt_schema_version\":"
	    "\"https://schemas.getdbt.com/dbt/sources/v3.json\"}, \"results\": [{\"unique_id\": "
	    "\"source.p.s\"}], "
	    "\"elapsed_time\": 1.500000}");
	assert_int_equal(sources_write(s, &head, "no/such/folder/sources.json", &err), -1);
	assert_non_null(err.msg);
	err_release(&err);
	buf_release(&b);
	sources_free(s);
	finish(r);
}

static void
rules_by_name(void **state)
{
	(void)state;
	assert_int_equal(stale_rule_find("any"), STALE_ANY);
	assert_int_equal(stale_rule_find("all"), STALE_ALL);
	assert_int_equal(stale_rule_find("none"), STALE_NEVER);
	assert_int_equal(stale_rule_find("some"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_rule_nothing_is_skipped),
		cmocka_unit_test(any_skips_all_that_comes_from_a_stale_source),
		cmocka_unit_test(all_spares_what_has_a_fresh_parent),
		cmocka_unit_test(an_excused_test_holds_nothing_back),
		cmocka_unit_test(staleness_passes_through_what_is_not_selected),
		cmocka_unit_test(a_failed_check_says_nothing_about_the_age),
		cmocka_unit_test(a_stale_source_is_tried_again_when_a_rule_says_so),
		cmocka_unit_test(fail_fast_is_for_nodes),
		cmocka_unit_test(a_long_chain_is_skipped_without_recursion),
		cmocka_unit_test(sources_json_has_the_entries_in_the_order_they_came),
		cmocka_unit_test(rules_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
