#include "tests/check.h"

#include "executor/retry.h"
#include "tests/tiny.h"
#include "util/buf.h"

static const struct task_policy usual = {
	.max_attempts = 3, .delay_ms = 5000, .factor = 2, .max_delay_ms = 300000, .jitter = 0.2,
};

static struct retry_verdict
verdict(enum result_status status, enum error_class class, unsigned faults, bool appends, bool any)
{
	struct task_policy p = usual;
	struct result r = RESULT_INIT;

	r.status = status;
	r.class = class;
	p.retry_any = any;
	return retry_decide(&p, faults, appends, &r, 0.5);
}

static void
classes_decide(void **state)
{
	static const struct {
		enum result_status status;
		enum error_class class;
		int64_t plain, appending, any;    /* delay_ms; -2: given up, outcome unknown */
	} cases[] = {
		{ RESULT_ERROR, CLASS_NONE, -1, -1, 5000 },
		{ RESULT_ERROR, CLASS_DATABASE, -1, -1, 5000 },
		{ RESULT_ERROR, CLASS_COMPILE, -1, -1, 5000 },
		{ RESULT_FAIL, CLASS_TEST_FAILURE, -1, -1, 5000 },
		{ RESULT_ERROR, CLASS_TRANSIENT, 5000, 5000, 5000 },
		{ RESULT_PARTIAL, CLASS_TRANSIENT, 5000, 5000, 5000 },
		{ RESULT_ERROR, CLASS_CONNECTION, 5000, -2, 5000 },
		{ RESULT_ERROR, CLASS_WORKER_LOST, 5000, -2, 5000 },
		{ RESULT_ERROR, CLASS_TIMEOUT, 5000, -2, 5000 },
		{ RESULT_RUNTIME_ERROR, CLASS_TRANSIENT, 5000, 5000, 5000 },
		{ RESULT_ERROR, CLASS_CANCELLED, -1, -2, -1 },
		{ RESULT_ERROR, CLASS_INTERNAL, -1, -1, 5000 },
		{ RESULT_SUCCESS, CLASS_NONE, -1, -1, -1 },
		{ RESULT_PASS, CLASS_NONE, -1, -1, -1 },
		{ RESULT_WARN, CLASS_NONE, -1, -1, -1 },
		{ RESULT_SKIPPED, CLASS_NONE, -1, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct retry_verdict v[3] = {
			verdict(cases[i].status, cases[i].class, 1, false, false),
			verdict(cases[i].status, cases[i].class, 1, true, false),
			verdict(cases[i].status, cases[i].class, 1, false, true),
		};
		int64_t expected[3] = { cases[i].plain, cases[i].appending, cases[i].any };

		for (size_t k = 0; k < 3; k++) {
			int64_t got = v[k].outcome_unknown ? -2 : v[k].delay_ms;

			if (got != expected[k] || (v[k].outcome_unknown && v[k].delay_ms != -1))
				fail_msg("case %zu.%zu (%s): %lld, not %lld", i, k,
				    error_class_name(cases[i].class), (long long)got,
				    (long long)expected[k]);
			assert_non_null(v[k].why);
		}
	}
}

static void
an_appending_node_is_retried_when_a_rule_says_so(void **state)
{
	(void)state;
	assert_int_equal(verdict(RESULT_ERROR, CLASS_CONNECTION, 1, true, true).delay_ms, 5000);
	assert_true(verdict(RESULT_ERROR, CLASS_CANCELLED, 1, true, true).outcome_unknown);
}

static void
tries_run_out(void **state)
{
	struct task_policy once = { .max_attempts = 1, .delay_ms = 1000 }, zero = { 0 };
	struct result r = { .status = RESULT_ERROR, .class = CLASS_TRANSIENT };

	(void)state;
	assert_int_equal(verdict(RESULT_ERROR, CLASS_TRANSIENT, 2, false, false).delay_ms, 10000);
	assert_int_equal(verdict(RESULT_ERROR, CLASS_TRANSIENT, 3, false, false).delay_ms, -1);
	assert_int_equal(verdict(RESULT_ERROR, CLASS_TRANSIENT, 4, false, false).delay_ms, -1);
	assert_int_equal(retry_decide(&once, 1, false, &r, 0.5).delay_ms, -1);
	assert_int_equal(retry_decide(&zero, 1, false, &r, 0.5).delay_ms, -1);
}

static void
blameless_attempts_do_not_count(void **state)
{
	struct result r = { .status = RESULT_ERROR, .class = CLASS_WORKER_LOST, .blameless = true };

	(void)state;
	assert_int_equal(retry_decide(&usual, 0, false, &r, 0.5).delay_ms, 0);
	assert_int_equal(retry_decide(&usual, 7, false, &r, 0.5).delay_ms, 0);
	/* The rows may be there all the same. */
	assert_true(retry_decide(&usual, 0, true, &r, 0.5).outcome_unknown);
	/* An attempt that never began is safe to repeat. */
	r.class = CLASS_TRANSIENT;
	assert_int_equal(retry_decide(&usual, 0, true, &r, 0.5).delay_ms, 0);
}

static void
delays_grow_to_a_cap_and_jitter(void **state)
{
	static const struct {
		int64_t delay, cap;
		double factor, jitter, random;
		unsigned faults;
		int64_t expected;
	} cases[] = {
		{ 1000, 0, 2, 0, 0.5, 1, 1000 },
		{ 1000, 0, 2, 0, 0.5, 4, 8000 },
		{ 1000, 5000, 2, 0, 0.5, 4, 5000 },
		{ 1000, 5000, 2, 0.2, 0, 4, 4000 },
		{ 1000, 5000, 2, 0.2, 1, 4, 6000 },
		{ 1000, 0, 0, 0, 0.5, 9, 1000 },       /* a factor below 1 counts as 1 */
		{ 0, 0, 2, 0.2, 1, 3, 0 },
		{ 9000, 5000, 1, 0, 0.5, 1, 5000 },
		{ 1000, 0, 1e9, 0, 0.5, 90, 1000000000000000 },
		{ 1000, 300000, 2, 0, 0.5, 4000000000u, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct task_policy p = {
			.max_attempts = UINT32_MAX, .delay_ms = cases[i].delay,
			.factor = cases[i].factor, .max_delay_ms = cases[i].cap,
			.jitter = cases[i].jitter,
		};
		struct result r = { .status = RESULT_ERROR, .class = CLASS_TRANSIENT };
		int64_t got = retry_decide(&p, cases[i].faults, false, &r,
		    cases[i].random).delay_ms;

		if (got != cases[i].expected)
			fail_msg("case %zu: %lld, not %lld", i, (long long)got,
			    (long long)cases[i].expected);
	}
}

static void
which_nodes_append(void **state)
{
	static const struct { const char *kind, *config, *adapter; bool appends; } cases[] = {
		{ "model", "{}", "postgres", false },
		{ "ephemeral", "{}", "postgres", false },
		{ "snapshot", "{}", "postgres", false },
		{ "incremental", "", "postgres", true },      /* config was not loaded */
		{ "incremental", "{}", "postgres", true },
		{ "incremental", "{'unique_key': null}", "duckdb", true },
		{ "incremental", "{'unique_key': ''}", "duckdb", true },
		{ "incremental", "{'unique_key': []}", "duckdb", true },
		{ "incremental", "{'unique_key': 7}", "duckdb", true },
		{ "incremental", "{'unique_key': 'id'}", "postgres", false },
		{ "incremental", "{'unique_key': ['id', 'day']}", "snowflake", false },
		/* dbt's own default strategy is append, whatever the key. */
		{ "incremental", "{'unique_key': 'id'}", "spark", true },
		{ "incremental", "{'unique_key': 'id'}", NULL, true },
		{ "incremental", "{'unique_key': 'id', %: 'default'}", "duckdb", false },
		{ "incremental", "{'unique_key': 'id', %: 3}", "duckdb", false },
		{ "incremental", "{'unique_key': 'id', %: 'merge'}", "spark", false },
		{ "incremental", "{'unique_key': 'id', %: 'append'}", "postgres", true },
		{ "incremental", "{'unique_key': 'id', %: 'delete+insert'}", NULL, false },
		{ "incremental", "{%: 'append'}", "postgres", true },
		{ "incremental", "{%: 'merge'}", "postgres", true },
		{ "incremental", "{%: 'delete+insert'}", "postgres", true },
		{ "incremental", "{%: 'microbatch'}", "postgres", false },
		{ "incremental", "{%: 'insert_overwrite'}", "bigquery", false },
		{ "incremental", "{%: 'replace_where'}", "databricks", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;
		struct graph *g;

		buf_addf(&b, "%s m ", cases[i].kind);
		for (const char *c = cases[i].config; *c; c++) {
			if (*c == '%')
				buf_adds(&b, "\"incremental_strategy\"");
			else
				buf_addc(&b, *c == '\'' ? '"' : *c);
		}
		g = tiny_graph(b.data);
		if (retry_node_appends(&g->nodes[0], cases[i].adapter) != cases[i].appends)
			fail_msg("%s should %sappend", b.data, cases[i].appends ? "" : "not ");
		graph_free(g);
		buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_decide),
		cmocka_unit_test(an_appending_node_is_retried_when_a_rule_says_so),
		cmocka_unit_test(tries_run_out),
		cmocka_unit_test(blameless_attempts_do_not_count),
		cmocka_unit_test(delays_grow_to_a_cap_and_jitter),
		cmocka_unit_test(which_nodes_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
