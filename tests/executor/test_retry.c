#include "tests/check.h"

#include "executor/retry.h"
#include "tests/tiny.h"

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
		struct task_policy p = { .max_attempts = UINT32_MAX, .delay_ms = cases[i].delay,
			.factor = cases[i].factor, .max_delay_ms = cases[i].cap, .jitter = cases[i].jitter };
		struct result r = { .status = RESULT_ERROR, .class = CLASS_TRANSIENT };
		int64_t got = retry_decide(&p, cases[i].faults, false, &r, cases[i].random).delay_ms;

		if (got != cases[i].expected)
			fail_msg("case %zu: %lld, not %lld", i, (long long)got, (long long)cases[i].expected);
	}
}

static void
which_nodes_append(void **state)
{
	static const struct { const char *node, *adapter; bool appends; } cases[] = {
		{ "model m {}", "postgres", false },
		{ "ephemeral m {}", "postgres", false },
		{ "snapshot m {}", "postgres", false },
		{ "incremental m", "postgres", true },                /* config was not loaded */
		{ "incremental m {}", "postgres", true },
		{ "incremental m {\"unique_key\": null}", "duckdb", true },
		{ "incremental m {\"unique_key\": \"\"}", "duckdb", true },
		{ "incremental m {\"unique_key\": []}", "duckdb", true },
		{ "incremental m {\"unique_key\": 7}", "duckdb", true },
		{ "incremental m {\"unique_key\": \"id\"}", "postgres", false },
		{ "incremental m {\"unique_key\": [\"id\", \"day\"]}", "snowflake", false },
		/* dbt's own default strategy is append, whatever the key. */
		{ "incremental m {\"unique_key\": \"id\"}", "spark", true },
		{ "incremental m {\"unique_key\": \"id\"}", NULL, true },
		{ "incremental m {\"unique_key\": \"id\", \"incremental_strategy\": \"merge\"}", "spark", false },
		{ "incremental m {\"unique_key\": \"id\", \"incremental_strategy\": \"append\"}", "postgres", true },
		{ "incremental m {\"incremental_strategy\": \"append\"}", "postgres", true },
		{ "incremental m {\"incremental_strategy\": \"merge\"}", "postgres", true },
		{ "incremental m {\"incremental_strategy\": \"delete+insert\"}", "postgres", true },
		{ "incremental m {\"incremental_strategy\": \"delete+insert\", \"unique_key\": \"id\"}", NULL, false },
		{ "incremental m {\"incremental_strategy\": \"microbatch\"}", "postgres", false },
		{ "incremental m {\"incremental_strategy\": \"insert_overwrite\"}", "bigquery", false },
		{ "incremental m {\"incremental_strategy\": \"replace_where\"}", "databricks", false },
		{ "incremental m {\"incremental_strategy\": 3, \"unique_key\": \"id\"}", "duckdb", false },
		{ "incremental m {\"incremental_strategy\": \"default\", \"unique_key\": \"id\"}", "duckdb", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct graph *g = tiny_graph(cases[i].node);

		if (retry_node_appends(&g->nodes[0], cases[i].adapter) != cases[i].appends)
			fail_msg("%s on %s: should %sappend", cases[i].node,
			    cases[i].adapter ? cases[i].adapter : "?", cases[i].appends ? "" : "not ");
		graph_free(g);
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
