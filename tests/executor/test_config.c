#include "tests/check.h"

#include "executor/config.h"
#include "util/fs.h"

static int
load(struct config *c, const char *text, struct err *err)
{
	assert_int_equal(fs_replace("heddle.yml", text, strlen(text), 0600, err), 0);
	return config_load(c, "heddle.yml", err);
}

static void
test_whole_file(void **state)
{
	struct config c;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(load(&c,
	    "threads: 8\n"
	    "runner: shell\n"
	    "command: docker run shop dbt {verb} -s {select}\n"
	    "retries: {attempts: 3, delay: 5s, factor: 2, max_delay: 5m, jitter: 0.2}\n"
	    "timeout: 1h\n"
	    "rules:\n"
	    "  - {select: 'tag:api', retries: {attempts: 6, on: any}}\n"
	    "  - select: config.materialized:incremental\n"
	    "    timeout: 2h\n"
	    "    pool: heavy\n"
	    "    priority: -3\n"
	    "pools: {heavy: 2, api: {slots: 3, select: 'tag:api'}}\n"
	    "transient: ['lock timeout', 'HTTP 5..']\n", &err), 0);
	assert_int_equal(c.threads, 8);
	assert_string_equal(c.runner, "shell");
	assert_string_equal(c.command, "docker run shop dbt {verb} -s {select}");
	assert_int_equal(c.defaults.value.delay_ms, 5000);
	assert_int_equal(c.defaults.value.max_delay_ms, 300000);
	assert_int_equal(c.defaults.value.timeout_ms, 3600000);
	assert_int_equal(c.nrules, 2);
	assert_string_equal(c.rules[0].select, "tag:api");
	assert_int_equal(c.rules[0].patch.has, 1u << POLICY_ATTEMPTS | 1u << POLICY_ON);
	assert_string_equal(c.rules[1].origin, "heddle.yml:8");
	assert_string_equal(c.rules[1].patch.value.pool, "heavy");
	assert_int_equal(c.rules[1].patch.value.priority, -3);
	assert_int_equal(config_pool(&c, "api")->slots, 3);
	assert_string_equal(config_pool(&c, "api")->select, "tag:api");
	assert_null(config_pool(&c, "none"));
	assert_int_equal(c.ntransient, 2);
	config_release(&c);
}

static void
test_later_rule_wins_key_by_key(void **state)
{
	struct config c;
	struct err err = ERR_INIT;
	struct task_policy p = { .max_attempts = 1, .timeout_ms = 7 };
	const char *from[NPOLICY_SETTINGS] = { 0 };

	(void)state;
	assert_int_equal(load(&c, "rules:\n"
	    "- {select: a, retries: {attempts: 2, delay: 1s}}\n"
	    "- {select: a, retries: {attempts: 4}}\n", &err), 0);
	for (size_t i = 0; i < c.nrules; i++)
		policy_patch(&p, &c.rules[i].patch, c.rules[i].origin, from);
	assert_int_equal(p.max_attempts, 4);
	assert_int_equal(p.delay_ms, 1000);
	assert_int_equal(p.timeout_ms, 7);
	assert_string_equal(from[POLICY_ATTEMPTS], "heddle.yml:3");
	assert_string_equal(from[POLICY_DELAY], "heddle.yml:2");
	assert_null(from[POLICY_TIMEOUT]);
	config_release(&c);
}

static void
test_absent_and_empty_files_set_nothing(void **state)
{
	struct config c;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(config_load(&c, "absent.yml", &err), 0);
	assert_int_equal(c.defaults.has, 0);
	config_release(&c);
	assert_int_equal(load(&c, "# nothing\n", &err), 0);
	assert_int_equal(c.nrules, 0);
	config_release(&c);
}

static void
test_faults_name_line_and_key(void **state)
{
	static const struct { const char *text, *message, *hint; } cases[] = {
		{ "retires: {}\n", "heddle.yml:1: top level: unknown key 'retires'",
		  "did you mean 'retries'?" },
		{ "\nretries: {atempts: 2}\n", "heddle.yml:2: retries: unknown key 'atempts'",
		  "did you mean 'attempts'?" },
		{ "retries: {attempts: 0}\n",
		  "heddle.yml:1: attempts: expected a whole number from 1 to 1000", NULL },
		{ "retries: {attempts: 2.5}\n",
		  "heddle.yml:1: attempts: expected a whole number from 1 to 1000", NULL },
		{ "retries: {jitter: nan}\n",
		  "heddle.yml:1: jitter: expected a number from 0 to 1", NULL },
		{ "timeout: soon\n",
		  "heddle.yml:1: timeout: expected a duration like 30s, 5m or 2h", NULL },
		{ "rules: {select: a}\n", "heddle.yml:1: rules: expected a list", NULL },
		{ "rules:\n- {timeout: 1h}\n", "heddle.yml:2: rule: 'select' is missing", NULL },
		{ "rules:\n- {select: a, pool: big}\n", "heddle.yml:2: pool 'big' is not defined",
		  "add it: pools: {big: 2}" },
		{ "pools: {a: 1, a: 2}\n", "heddle.yml:1: pools: 'a' stands twice", NULL },
		{ "pools: {a: {select: x}}\n", "heddle.yml:1: pool 'a': 'slots' is missing", NULL },
		{ "transient: ['(']\n", "heddle.yml:1: transient: '(' is no regular expression",
		  NULL },
		{ "timeout: 1h\ntimeout: 2h\n", "heddle.yml:2: top level: 'timeout' stands twice",
		  NULL },
		{ "- a\n", "heddle.yml:1: top level: expected a mapping", NULL },
		{ "runner: shel\n", "heddle.yml:1: runner: expected 'worker', 'cli' or 'shell'",
		  NULL },
		{ "a: [\n", "heddle.yml:2: not YAML: did not find expected node content", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		struct err err = ERR_INIT;

		assert_int_equal(load(&c, cases[i].text, &err), -1);
		assert_string_equal(err.msg, cases[i].message);
		if (cases[i].hint)
			assert_string_equal(err.hint, cases[i].hint);
		err_release(&err);
		config_release(&c);
	}
}

static void
test_meta_of_a_node(void **state)
{
	struct config c;
	struct err err = ERR_INIT;
	struct policy_patch p;

	(void)state;
	assert_int_equal(load(&c, "pools: {heavy: 2}\n", &err), 0);
	assert_int_equal(config_node_patch(&c,
	    "{\"owner\": \"x\", \"heddle\": {\"timeout\": \"90s\", "
	    "\"retries\": {\"attempts\": 5}, \"pool\": \"heavy\"}}", false, &p, &err), 0);
	assert_int_equal(p.value.timeout_ms, 90000);
	assert_int_equal(p.value.max_attempts, 5);
	assert_string_equal(p.value.pool, "heavy");
	assert_int_equal(config_node_patch(&c, "{\"owner\": \"heddle\"}", false, &p, &err), 0);
	assert_int_equal(p.has, 0);
	assert_int_equal(config_node_patch(&c, "{\"meta\": {\"heddle\": {\"priority\": 4}}}",
	    true, &p, &err), 0);
	assert_int_equal(p.value.priority, 4);
	assert_int_equal(config_node_patch(&c, NULL, false, &p, &err), 0);
	assert_int_equal(config_node_patch(&c, "{\"heddle\": {\"pool\": \"big\"}}", false, &p,
	    &err), -1);
	assert_string_equal(err.msg, "config.meta.heddle: pool 'big' is not defined");
	assert_int_equal(config_node_patch(&c, "{\"heddle\": {\"time\": 1}}", false, &p, &err), -1);
	assert_string_equal(err.msg, "config.meta: heddle: unknown key 'time'");
	assert_string_equal(err.hint, "did you mean 'timeout'?");
	err_release(&err);
	config_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_later_rule_wins_key_by_key),
		cmocka_unit_test(test_absent_and_empty_files_set_nothing),
		cmocka_unit_test(test_faults_name_line_and_key),
		cmocka_unit_test(test_meta_of_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
