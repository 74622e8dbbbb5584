#include "tests/check.h"

#include "graph/manifest.h"
#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "util/buf.h"

/* Nodes that a plain reading of dbt's documentation gets wrong, one manifest of them. */

#define NODE(id, kind, name, rest) \
	"\"" id "\": {\"unique_id\": \"" id "\", \"resource_type\": \"" kind "\", " \
	"\"name\": \"" name "\", " \
	"\"package_name\": \"p\", " rest "}"
#define MODEL(name, fqn, path, rest) \
	NODE("model.p." name, "model", name, \
	"\"fqn\": [\"p\", " fqn "], \"original_file_path\": \"" path \
	"\", \"tags\": [], \"depends_on\": {\"nodes\": []}, " rest)
#define PLAIN "\"config\": {\"enabled\": true}"
#define VERSION(name, tag, version, latest) \
	NODE("model.p." name "." tag, "model", name, \
	"\"fqn\": [\"p\", \"marts\", \"" name "\", \"" tag "\"], " \
	"\"original_file_path\": \"models/marts/" name ".sql\", \"tags\": [], " \
	"\"depends_on\": {\"nodes\": []}, " \
	"\"version\": " version ", \"latest_version\": " latest ", " PLAIN)

static const char manifest[] =
    "{\"metadata\": {\"dbt_schema_version\": \"https://schemas.getdbt.com/dbt/manifest/v12.json\","
    " \"project_name\": \"p\"}, \"nodes\": {"
    MODEL("outside", "\"..\", \"..\", \"src\", \"outside\"", "../../src/outside.sql", PLAIN) ", "
    MODEL("dots.in.name", "\"dots.in.name\"", "models/dots.in.name.sql", PLAIN) ", "
    MODEL("leaf.one", "\"far\", \"leaf.one\"", "models/far/leaf.one.sql", PLAIN) ", "
    MODEL("messy", "\"x\", \"messy\"", "models//x/./messy.sql", PLAIN) ", "
    MODEL("hidden", "\"hidden\"", "models/.hidden", PLAIN) ", "
    MODEL("ending", "\"ending\"", "models/ending.", PLAIN) ", "
    MODEL("odd", "\"odd\"", "models/odd.sql",
        "\"patch_path\": \"p://models/./deep//odd.yml\", "
        "\"config\": {\"enabled\": true, \"materialized\": \"view\", \"get\": \"got\", "
        "\"custom\": \"it\", "
        "\"absent\": null, \"group\": \"g\", \"pre-hook\": [\"h\"], \"one\": 1, \"yes\": true, "
        "\"severity\": \"ERROR\", "
        "\"list\": [\"a\", 1, false], \"text_true\": \"True\", "
        "\"meta\": {\"keys\": \"k\", \"severity\": \"error\", \"tier\": 1, \"half\": 0.5, "
        "\"null\": null, "
        "\"deep\": {\"er\": \"caf\\u00e9\"}, \"pair\": {\"a\": 1, \"b\": [2]}}}") ", "
    VERSION("num", "v1", "1", "2") ", " VERSION("num", "v2", "2.0", "2") ", "
    VERSION("num", "v10", "10", "2") ", " VERSION("zero", "v0", "0", "2") ", "
    VERSION("text", "vb", "\"b\"", "\"b\"") ", " VERSION("text", "va", "\"a\"", "\"b\"") ", "
    VERSION("text", "vB10", "\"10\"", "\"9\"") ", " VERSION("mixed", "v2", "\"2\"", "2") ", "
    VERSION("point", "v1.5", "1.5", "2") ", "
    NODE("operation.p.hook", "operation", "hook", "\"fqn\": [\"p\", \"hooks\", \"hook\"], "
        "\"original_file_path\": \"./dbt_project.yml\", \"tags\": [\"on-run-end\"], " PLAIN) ", "
    NODE("test.p.reads_disabled", "test", "reads_disabled", "\"fqn\": [\"p\", \"reads_disabled\"], "
        "\"original_file_path\": \"tests/t.sql\", \"tags\": [], "
        "\"depends_on\": {\"nodes\": [\"model.p.odd\", \"model.p.off\"]}, " PLAIN) ", "
    NODE("model.p.off", "model", "off",
    "\"fqn\": [\"p\", \"off\"], \"original_file_path\": \"models/off.sql\", "
        "\"tags\": [], \"config\": {\"enabled\": false}")
    "}, \"sources\": {"
    NODE("source.p.s.t", "source", "t", "\"source_name\": \"s\", \"fqn\": [\"p\", \"s\", \"t\"], "
        "\"original_file_path\": \"models/s.yml\", \"tags\": [], \"config\": {\"enabled\": true, "
        "\"custom\": \"it\"}")
    "}, \"functions\": {"
    NODE("function.p.f", "function", "f",
    "\"fqn\": [\"p\", \"f\"], \"original_file_path\": \"functions/f.sql\", "
        "\"tags\": [], \"config\": {\"enabled\": true, \"group\": \"g\", \"custom\": \"it\"}")
    "}, \"metrics\": {"
    NODE("metric.p.m", "metric", "m",
    "\"fqn\": [\"p\", \"m\"], \"original_file_path\": \"models/m.yml\", "
        "\"tags\": [], \"config\": {\"enabled\": true, \"group\": \"g\"}")
    "}, \"unit_tests\": {"
    NODE("unit_test.p.odd.u", "unit_test", "u", "\"fqn\": [\"p\", \"odd\", \"u\"], "
        "\"original_file_path\": \"models/u.yml\", \"config\": {\"tags\": \"alone\", \"custom\": "
        "\"it\"}, "
        "\"depends_on\": {\"nodes\": [\"model.p.odd\"]}")
    "}}";

static struct graph *g;

static int
load(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	g = graph_new();
	if (manifest_parse(g, "odd", manifest, sizeof(manifest) - 1, GRAPH_CONFIG | GRAPH_PATHS,
	    NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return 0;
}

static int
release(void **state)
{
	(void)state;
	graph_free(g);
	return 0;
}

static const char *
ids_of(const struct set *s)
{
	static struct buf b;

	buf_truncate(&b, 0);
	for (size_t i = set_next(s, 0); i < s->nbits; i = set_next(s, i + 1)) {
		const char *id = g->nodes[i].id;

		buf_addf(&b, "%s%s", b.len ? " " : "", strstr(id, ".p.") + 3);
	}
	return buf_str(&b);
}

static const char *
resolve(const struct selector *s)
{
	struct selector_env env = { .graph = g };
	struct err err = ERR_INIT;
	struct set out;
	const char *text;

	if (selector_eval(s, &env, &out, &err) < 0)
		print_error("%s\n", err.msg);
	text = err.msg ? "refused" : ids_of(&out);
	set_release(&out);
	err_release(&err);
	return text;
}

struct method_case {
	const char *select, *ids;
};

static void
check_all(const struct method_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		const char *got = resolve(selector_parse(&a, cases[i].select, MODE_EMPTY, &err));

		if (strcmp(got, cases[i].ids) != 0)
			fail_msg("%s: expected '%s', got '%s'", cases[i].select, cases[i].ids, got);
		arena_release(&a);
	}
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof((cases)[0]))

static void
test_names_of_versions(void **state)
{
	static const struct method_case cases[] = {
		{ "num", "num.v1 num.v10 num.v2" },
		{ "num.v1", "num.v1" },
		{ "num_v1", "num.v1" },
		{ "any.where.num.v1", "num.v1" },
		{ "v1", "" },
		{ "point.v1.5", "" },               /* the last two dot-parts are "1" and "5" */
		{ "marts.point.v1.5", "point.v1.5" },
		{ "point_v1.5", "" },
		{ "n?m", "num.v1 num.v10 num.v2" }, /* the name before the version */
		{ "v1*", "" },
		{ "marts.*.v1", "num.v1" },
	};

	(void)state;
	CHECK_ALL(cases);
}

static void
test_names_with_dots(void **state)
{
	static const struct method_case cases[] = {
		{ "dots.in.name", "dots.in.name" },
		{ "dots", "dots.in.name" },
		{ "dots.in", "dots.in.name" },
		{ "dots.*", "dots.in.name" },
		{ "dots.in.*", "dots.in.name" },
		{ "in.name", "" },
		{ "dots.in.name.*", "" },
		/* no more parts than the node has: ".." is three */
		{ "*.*.*.*.*.*", "outside" },
		{ "d*.n*", "dots.in.name" },
		{ "l*", "leaf.one" },               /* a pattern without dots: the last item, too */
		/* a folder named ".." begins with an empty part */
		{ "", "outside" },
		{ "l*.one", "" },                   /* with dots: only from the left */
		{ "i*", "" },
		{ "o[d]d", "odd" },
		/* two parts, as the dot counts before the bracket */
		{ "od[!.]", "" },
		{ "odd]", "" },
	};

	(void)state;
	CHECK_ALL(cases);
}

static void
test_versions(void **state)
{
	static const struct method_case cases[] = {
		{ "version:latest", "num.v2 text.vb" },
		{ "version:old", "num.v1 point.v1.5 text.va" },
		/* 0 counts as none here, "10" as a number */
		{ "version:prerelease", "num.v10 text.vB10" },
	};

	(void)state;
	CHECK_ALL(cases);
}

static void
test_paths_and_files(void **state)
{
	static const struct method_case cases[] = {
		{ "path:models/x/messy.sql", "messy" },
		{ "path:models/x", "messy" },
		{ "path:models/deep/odd.yml", "odd" },
		{ "path:models/deep", "" },           /* folders of a patch file do not count */
		{ "path:dbt_project.yml", "hook" },
		{ "path:../../src", "outside" },
		{ "path:../../src/*.sql", "outside" },
		{ "path:**/outside.sql", "" },
		{ "path:models/off.sql", "" },
		{ "path:functions", "f" },
		{ "file:.hidden", "hidden" },
		{ "file:", "" },
		{ "file:ending.", "ending" },
		{ "file:ending", "" },
		{ "file:dots.in.name", "dots.in.name" },
		{ "dots.in.name.sql", "dots.in.name" },
		{ "file:dbt_project", "hook" },
	};

	(void)state;
	CHECK_ALL(cases);
}

static void
test_config_compares_exactly(void **state)
{
	static const struct method_case cases[] = {
		{ "config.custom:it", "odd s.t" },    /* not functions and unit tests */
		{ "config.custom:IT", "" },
		{ "config.custom:i*", "" },
		{ "config.materialized:view", "odd" },
		{ "config:view", "" },
		{ "config.one:1", "" },
		{ "config.one:true", "" },            /* only the list counts 1 as true */
		{ "config.list:true", "odd" },
		{ "config.list:FALSE", "odd" },
		{ "config.list:a", "odd" },
		{ "config.list:1", "" },
		{ "config.yes:TRUE", "odd" },
		{ "config.yes:false", "" },
		{ "config.text_true:true", "" },
		{ "config.text_true:True", "odd" },
		{ "config.severity:error", "odd" },
		{ "config.meta.severity:ERROR", "" },
		{ "config.pre_hook:h", "odd" },
		{ "config.get:got", "" },             /* a method of dbt's config hides it */
		{ "config.meta.keys:k", "" },         /* a method of a Python dict hides it */
		{ "config.meta.deep.er:caf\xc3\xa9", "odd" },
		{ "config.meta.deep:er", "" },
		{ "config.custom.deeper:it", "" },
		{ "config.:it", "" },
		{ "config.absent:null", "" },
	};

	(void)state;
	CHECK_ALL(cases);
}

static const char *
with_value(const char *method, struct selector_value value)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *got = resolve(selector_criterion(&a, "yaml", method, &value, MODE_EMPTY, &err));

	arena_release(&a);
	return got;
}

/* Values of YAML keep their type. */
static void
test_config_knows_types(void **state)
{
	struct selector_value one = { .type = VALUE_NUMBER, .text = "1", .number = 1 };
	struct selector_value half = { .type = VALUE_NUMBER, .text = ".5", .number = 0.5 };
	struct selector_value yes = { .type = VALUE_BOOL, .text = "yes", .truth = true };
	struct selector_value null = { .type = VALUE_NULL, .text = "~" };
	struct selector_value pair = { .type = VALUE_JSON, .text = "{\"b\": [2], \"a\": 1}" };
	struct selector_value date = { .type = VALUE_OTHER, .text = "2020-01-01" };

	(void)state;
	assert_string_equal(with_value("config.one", one), "odd");
	assert_string_equal(with_value("config.one", yes), "odd");        /* True == 1 */
	assert_string_equal(with_value("config.yes", one), "odd");
	assert_string_equal(with_value("config.list", one), "odd");
	assert_string_equal(with_value("config.meta.half", half), "odd");
	assert_string_equal(with_value("config.meta.pair", pair), "odd");
	assert_string_equal(with_value("config.meta.pair.b", pair), "");
	assert_string_equal(with_value("config.custom", date), "");
	/* a first key that is missing is None, a deeper one is nothing */
	assert_string_equal(with_value("config.meta.null", null), "odd");
	assert_string_equal(with_value("config.meta.nothing", null), "");
	assert_string_equal(with_value("config.custom", null),
	    "dots.in.name ending hidden leaf.one messy mixed.v2 "
	    "num.v1 num.v10 num.v2 outside point.v1.5 text.vB10 text.va text.vb zero.v0 hook "
	    "reads_disabled");
}

static void
test_other_methods_want_text(void **state)
{
	struct selector_value one = { .type = VALUE_NUMBER, .text = "1", .number = 1 };

	(void)state;
	assert_string_equal(with_value("tag", one), "refused");
	assert_string_equal(with_value("fqn", one), "refused");
	assert_string_equal(with_value("access", one), "");
}

static void
test_groups_and_tags(void **state)
{
	static const struct method_case cases[] = {
		{ "group:g", "m odd" },               /* not functions */
		{ "tag:alone", "odd.u" },             /* of its config, and no list */
		{ "tag:on-*", "hook" },
		{ "off", "" },
	};

	(void)state;
	CHECK_ALL(cases);
}

/* A disabled parent is never selected, so the test waits for ever unless the mode is eager. */
static void
test_a_disabled_parent_is_never_there(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_string_equal(resolve(selector_parse(&a, "odd", MODE_EAGER, &err)),
	    "odd reads_disabled odd.u");
	assert_string_equal(resolve(selector_parse(&a, "odd", MODE_CAUTIOUS, &err)), "odd odd.u");
	assert_string_equal(resolve(selector_parse(&a, "odd", MODE_BUILDABLE, &err)), "odd odd.u");
	arena_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_versions),
		cmocka_unit_test(test_names_with_dots),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_paths_and_files),
		cmocka_unit_test(test_config_compares_exactly),
		cmocka_unit_test(test_config_knows_types),
		cmocka_unit_test(test_other_methods_want_text),
		cmocka_unit_test(test_groups_and_tags),
		cmocka_unit_test(test_a_disabled_parent_is_never_there),
	};

	return cmocka_run_group_tests(tests, load, release);
}
