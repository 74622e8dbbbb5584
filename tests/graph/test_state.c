#include "tests/check.h"

#include "graph/json.h"
#include "graph/manifest.h"
#include "graph/state.h"
#include "util/buf.h"
#include "util/fs.h"

/* Manifests are written with ' for ", so that they can be read here. */
static void
add_json(struct buf *b, const char *text)
{
	for (; *text; text++)
		buf_addc(b, *text == '\'' ? '"' : *text);
}

#define HEAD "{'metadata':{" \
	"'dbt_schema_version':'https://schemas.getdbt.com/dbt/manifest/v12.json'," \
	"'project_name':'shop','adapter_type':'duckdb'},"

#define NODE(kind, id, more) "'" id "':{'unique_id':'" id "','name':'n','package_name':'shop'," \
	"'resource_type':'" kind "','original_file_path':'models/n.sql'," more "}"
#define MODEL(more) HEAD "'nodes':{" NODE("model", "model.shop.n", more) "}}"
#define TEST(more) HEAD "'nodes':{" NODE("test", "test.shop.n", more) "}}"

static struct graph *
parse(const char *text)
{
	struct graph *g = graph_new();
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	char *warning = NULL;

	add_json(&b, text);
	if (manifest_parse(g, "new", b.data, b.len, GRAPH_STATE | GRAPH_MACROS, &warning, &e) < 0)
		fail_msg("%s", e.msg);
	buf_release(&b);
	free(warning);
	return g;
}

static bool as_written;        /* of state_new() */

static struct state *
open_old(const char *text)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	add_json(&b, text);
	assert_int_equal(fs_mkdirs("old", &e), 0);
	assert_int_equal(fs_replace("old/manifest.json", b.data, b.len, 0644, &e), 0);
	buf_release(&b);
	return state_new("old", "new", as_written);
}

static void
show_report(struct buf *b, const struct node *n, const struct state_report *r)
{
	static const char *const verdicts[] = { "same", "new", "modified" };

	if (r->verdict == STATE_SAME)
		return;
	buf_addf(b, "%s%s %s", b->len ? "\n" : "", n->id, verdicts[r->verdict]);
	for (size_t i = 0; i < r->nchanges; i++) {
		const struct state_change *c = &r->changes[i];

		buf_addf(b, "; %s%s: %s", state_part_name(c->part), c->breaking ? " broken" : "",
		    c->what);
		if (c->before || c->after)
			buf_addf(b, " %s -> %s", c->before ? c->before : "-",
			    c->after ? c->after : "-");
		if (c->note)
			buf_addf(b, " (%s)", c->note);
	}
}

/* Every node that is not the same, with its reasons. Borrowed until the next call. */
static const char *
reasons(const char *old, const char *now)
{
	static struct buf b;
	struct graph *g = parse(now);
	struct state *s = open_old(old);
	const struct state_warning *warnings;
	struct err e = ERR_INIT;
	struct set modified;
	size_t n;

	buf_truncate(&b, 0);
	set_init(&modified, g->nnodes);
	if (state_match(s, g, "modified", &modified, &e) < 0)
		buf_addf(&b, "FAILS: %s\n", e.msg);
	for (size_t i = 0; i < g->nnodes; i++) {
		struct state_report r;

		if (state_compare(s, g, &g->nodes[i], &r, &e) < 0)
			fail_msg("%s", e.msg);
		show_report(&b, &g->nodes[i], &r);
		if (r.verdict != STATE_NEW && !strstr(buf_str(&b), "FAILS"))
			assert_int_equal(r.verdict == STATE_MODIFIED, set_has(&modified, i));
	}
	warnings = state_warnings(s, &n);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "\nwarning: %s", warnings[i].text);
	err_release(&e);
	set_release(&modified);
	state_free(s);
	graph_free(g);
	return buf_str(&b);
}

/* The ids `state:VALUE` selects, or the message. Borrowed until the next call. */
static const char *
matches(const char *old, const char *now, const char *value)
{
	static struct buf b;
	struct graph *g = parse(now);
	struct state *s = open_old(old);
	struct err e = ERR_INIT;
	struct set out;

	buf_truncate(&b, 0);
	set_init(&out, g->nnodes);
	if (state_match(s, g, value, &out, &e) < 0)
		buf_adds(&b, e.msg);
	else
		for (size_t i = set_next(&out, 0); i < out.nbits; i = set_next(&out, i + 1))
			buf_addf(&b, "%s%s", b.len ? " " : "", g->nodes[i].id);
	err_release(&e);
	set_release(&out);
	state_free(s);
	graph_free(g);
	return buf_str(&b);
}

static void
test_code(void **state)
{
	(void)state;
	assert_string_equal(reasons(MODEL("'raw_code':'a'"), MODEL("'raw_code':'a'")), "");
	assert_string_equal(reasons(MODEL("'raw_code':'a\\nb\\nc'"),
		MODEL("'raw_code':'a\\nx\\nc'")),
		"model.shop.n modified; body: code (line 2 changed)");
	assert_string_equal(reasons(MODEL("'raw_code':'a'"), MODEL("'raw_code':'a\\nb\\nc'")),
		"model.shop.n modified; body: code (lines 2 to 3 added)");
	assert_string_equal(reasons(MODEL("'raw_code':'a\\nb'"), MODEL("'raw_code':'b'")),
		"model.shop.n modified; body: code (line 1 removed)");
	assert_string_equal(reasons(MODEL("'raw_code':'a'"), MODEL("'raw_code':'a\\n'")),
		"model.shop.n modified; body: code (only the end of the text differs)");
	assert_string_equal(reasons(MODEL("'raw_code':'\\u00e9\\/'"),
	    MODEL("'raw_code':'\xc3\xa9/'")), "");
}

static void
test_configs_are_those_the_user_wrote(void **state)
{
	(void)state;
	assert_string_equal(reasons(
		MODEL("'unrendered_config':{'materialized':'view','meta':{'a':1,'b':[1]},'x':1}"),
		MODEL("'unrendered_config':{'x':true,'meta':{'b':[1.0],'a':2},"
		    "'materialized':'table'}")),
		"model.shop.n modified; configs: config.materialized \"view\" -> \"table\"; "
		"configs: config.meta.a 1 -> 2");
	assert_string_equal(reasons(MODEL("'unrendered_config':{'x':null}"),
		MODEL("'unrendered_config':{'y':null}")),
		"model.shop.n modified; configs: config.x null -> -; configs: config.y - -> null");
	assert_string_equal(reasons(MODEL("'unrendered_config':{'tags':['a'],'group':'g'}"),
		MODEL("'unrendered_config':{'tags':['b']}")), "");
	assert_string_equal(reasons(MODEL("'unrendered_config':{'schema':'s'}"),
		MODEL("'unrendered_config':{'schema':null,'alias':'a'}")),
		"model.shop.n modified; relation: alias - -> \"a\"; relation: schema \"s\" -> -");
	assert_string_equal(reasons(MODEL("'config':{'materialized':'view'}"),
		MODEL("'config':{'materialized':'table'}")), "");
}

static void
test_tests_compare_what_changes_their_verdict(void **state)
{
	(void)state;
	assert_string_equal(reasons(TEST("'raw_code':'a','unrendered_config':{'tags':['x'],"
		"'enabled':1}"),
		TEST("'raw_code':'a','unrendered_config':{'meta':{}}")), "");
	assert_string_equal(reasons(TEST("'unrendered_config':{'limit':50}"),
		TEST("'unrendered_config':{'limit':60,'severity':'warn'}")),
		"test.shop.n modified; configs: config.limit 50 -> 60; configs: config.severity "
		"- -> \"warn\"");
	/* the code of a generic test is dbt's own; `modified.body` looks at it all the same */
	assert_string_equal(reasons(TEST("'raw_code':'a','test_metadata':{'name':'unique'}"),
		TEST("'raw_code':'b','test_metadata':{'name':'unique'}")), "");
	assert_string_equal(matches(TEST("'raw_code':'a','test_metadata':{'name':'unique'}"),
		TEST("'raw_code':'b','test_metadata':{'name':'unique'}"), "modified.body"),
		    "test.shop.n");
	assert_string_equal(reasons(TEST("'raw_code':'a'"), TEST("'raw_code':'b'")),
		"test.shop.n modified; body: code (line 1 changed)");
}

static void
test_descriptions_count_when_they_are_persisted(void **state)
{
#define DOCS(persist, text, column) MODEL("'config':{'persist_docs':" persist "}," \
	"'description':'" text "','columns':{'id':{'description':'" column "'}}")
	(void)state;
	assert_string_equal(reasons(DOCS("{}", "a", "c"), DOCS("{}", "b", "d")), "");
	assert_string_equal(reasons(DOCS("{}", "a", "c"), DOCS("{'relation':true}", "b", "d")),
		"model.shop.n modified; persisted_descriptions: description \"a\" -> \"b\"");
	assert_string_equal(reasons(DOCS("{}", "a", "c"), DOCS("{'columns':'false'}", "b", "d")),
		"model.shop.n modified; persisted_descriptions: description of column 'id' \"c\" "
		"-> \"d\"");
	assert_string_equal(reasons(DOCS("{'relation':true}", "a", "c"), DOCS("{}", "b", "d")), "");
}

static void
test_names_and_access(void **state)
{
	(void)state;
	assert_string_equal(reasons(MODEL("'fqn':['shop','n']"), MODEL("'fqn':['shop','x','n']")),
		"model.shop.n modified; fqn: fqn \"shop.n\" -> \"shop.x.n\"");
	assert_string_equal(reasons(MODEL("'latest_version':1"),
		MODEL("'latest_version':2,'access':'public'")),
		"model.shop.n modified; access: access \"protected\" -> \"public\"; "
		"access: latest_version 1 -> 2");
	assert_string_equal(reasons(MODEL("'latest_version':1.0"), MODEL("'latest_version':1")),
	    "");
	assert_string_equal(reasons(MODEL("'latest_version':'1'"), MODEL("'latest_version':1")),
		"model.shop.n modified; access: latest_version \"1\" -> 1");
	assert_string_equal(reasons(MODEL("'deprecation_date':'2026-01-31T00:00:00+00:00'"),
		MODEL("'deprecation_date':'2026-01-31T02:00:00+02:00'")), "");
}

static void
test_seeds_compare_hashes(void **state)
{
#define SEED(name, sum) HEAD "'nodes':{" NODE("seed", "seed.shop.n", \
	"'checksum':{'name':'" name "','checksum':'" sum "'}") "}}"
	(void)state;
	assert_string_equal(reasons(SEED("sha256", "a"), SEED("sha256", "a")), "");
	assert_string_equal(reasons(SEED("sha256", "a"), SEED("sha256", "b")),
		"seed.shop.n modified; body: checksum \"a\" -> \"b\" (of the data differs)");
	assert_string_equal(reasons(SEED("path", "a"), SEED("path", "a")),
		"\nwarning: seed 'seed.shop.n' is above 1 MB at the same path: dbt takes it for "
		"unchanged");
	assert_string_equal(reasons(SEED("none", "a"), SEED("none", "a")),
		"seed.shop.n modified; body: checksum \"a\" -> \"a\" (of the data differs)");
}

/* ---- kinds with rules of their own ---- */

#define SECTION(section, kind, id, more) HEAD "'" section "':{" NODE(kind, id, more) "}}"
#define SOURCE(more) SECTION("sources", "source", "source.shop.a.n", "'source_name':'a'," more)
#define EXPOSURE(more) SECTION("exposures", "exposure", "exposure.shop.n", more)
#define METRIC(more) SECTION("metrics", "metric", "metric.shop.n", more)
#define SEMANTIC(more) SECTION("semantic_models", "semantic_model", "semantic_model.shop.n", more)
#define SAVED(more) SECTION("saved_queries", "saved_query", "saved_query.shop.n", more)
#define UNIT(more) SECTION("unit_tests", "unit_test", "unit_test.shop.n", more)

static void
test_sources(void **state)
{
	(void)state;
	assert_string_equal(reasons(SOURCE("'identifier':'n','schema':'a'"),
		SOURCE("'identifier':'m','schema':'a','quoting':{'identifier':true,"
		    "'column':null}")),
		"source.shop.a.n modified; relation: identifier \"n\" -> \"m\"; "
		"definition: quoting - -> {\"identifier\":true,\"column\":null}");
	assert_string_equal(reasons(SOURCE("'freshness':{'filter':null}"),
		SOURCE("'freshness':{'warn_after':{'count':null,'period':null},'filter':null}")),
		    "");
	assert_string_equal(reasons(SOURCE("'freshness':null"),
		SOURCE("'freshness':{'warn_after':{'count':1,'period':'day'}}")),
		"source.shop.a.n modified; definition: freshness null -> "
		"{\"warn_after\":{\"count\":1,\"period\":\"day\"}}");
	assert_string_equal(reasons(SOURCE("'description':'a','tags':['a']"),
	    SOURCE("'description':'b'")), "");
	/* a tag written in the source's config is a change, unlike a model's */
	assert_string_equal(reasons(SOURCE("'unrendered_config':{'tags':['a']}"),
		SOURCE("'unrendered_config':{}")),
		"source.shop.a.n modified; configs: config.tags [\"a\"] -> -");
}

/* With the project's flag another target's schema is no change, another text of it is one. */
static void
test_sources_as_they_are_written(void **state)
{
	const char *dev = SOURCE("'schema':'dev','unrendered_schema':'{{ target.schema }}'");
	const char *prod = SOURCE("'schema':'prod','unrendered_schema':'{{ target.schema }}'");
	const char *fixed = SOURCE("'schema':'prod','unrendered_schema':'prod',"
	    "'unrendered_database':null");

	(void)state;
	assert_string_equal(reasons(prod, dev),
		"source.shop.a.n modified; relation: schema \"prod\" -> \"dev\"");
	assert_string_equal(reasons(prod, fixed), "");
	as_written = true;
	assert_string_equal(reasons(prod, dev), "");
	assert_string_equal(reasons(prod, fixed), "source.shop.a.n modified; relation: "
		"schema \"{{ target.schema }}\" -> \"prod\"");
	as_written = false;
}

static void
test_exposures_metrics_and_the_semantic_layer(void **state)
{
	(void)state;
	assert_string_equal(reasons(EXPOSURE("'depends_on':{'nodes':[]},'owner':{'email':'a'}"),
		EXPOSURE("'depends_on':{'nodes':[]},'owner':{'email':'b','name':null}")),
		"exposure.shop.n modified; definition: owner.email \"a\" -> \"b\"");
	assert_string_equal(reasons(METRIC("'type':'simple','type_params':{'expr':'a'},"
		"'unrendered_config':{'group':'g'}"),
		METRIC("'type':'simple','type_params':{'expr':'b'},'unrendered_config':{}")), "");
	assert_string_equal(reasons(METRIC("'label':'a'"), METRIC("'label':'b'")),
		"metric.shop.n modified; definition: label \"a\" -> \"b\"");
	assert_string_equal(reasons(SEMANTIC("'dimensions':[{'name':'a','type':'time'}]"),
		SEMANTIC("'dimensions':[{'name':'a','type':'time','config':null},{'name':'b',"
		    "'type':'x'}]")),
		"semantic_model.shop.n modified; definition: dimensions.b - -> "
		"{\"name\":\"b\",\"type\":\"x\"}");
	assert_string_equal(reasons(
		SAVED("'query_params':{'metrics':['a'],'where':null,'limit':1},"
		    "'config':{'cache':{}}"),
		SAVED("'query_params':{'metrics':['a'],'where':null,'limit':2},"
		    "'config':{'enabled':true}")), "");
	assert_string_equal(reasons(SAVED("'exports':[{'name':'e',"
		"'unrendered_config':{'alias':'a'}}]"),
		SAVED("'exports':[{'name':'e','unrendered_config':{'alias':'b'}}]")),
		"saved_query.shop.n modified; definition: exports.e.unrendered_config.alias "
		"\"a\" -> \"b\"");
	assert_string_equal(reasons(UNIT("'checksum':'a','description':'a'"),
		UNIT("'checksum':'a','description':'b'")), "");
	assert_string_equal(reasons(UNIT("'checksum':'a'"), UNIT("'checksum':'b'")),
		"unit_test.shop.n modified; definition: checksum \"a\" -> \"b\" "
		"(of what is given and expected differs)");
}

static void
test_new_ones_of_some_kinds_are_not_modified(void **state)
{
	(void)state;
	assert_string_equal(matches(HEAD "'nodes':{}}", MODEL("'raw_code':''"), "modified"),
	    "model.shop.n");
	assert_string_equal(matches(HEAD "'nodes':{}}", SOURCE("'tags':[]"), "modified"), "");
	assert_string_equal(matches(HEAD "'nodes':{}}", SOURCE("'tags':[]"), "new"),
	    "source.shop.a.n");
	assert_string_equal(matches(HEAD "'nodes':{}}", SOURCE("'tags':[]"), "modified.relation"),
		"source.shop.a.n");
	assert_string_equal(matches(HEAD "'nodes':{}}", SOURCE("'tags':[]"), "modified.body"), "");
	assert_string_equal(matches(HEAD "'nodes':{}}", UNIT("'tags':[]"), "modified.configs"), "");
	assert_string_equal(matches(HEAD "'nodes':{}}", UNIT("'tags':[]"), "modified"),
	    "unit_test.shop.n");
	assert_string_equal(matches(HEAD "'nodes':{}}", TEST("'tags':[]"), "modified.contract"),
		"test.shop.n");
	/* a node switched off among the nodes has an old self; one in `disabled` has none */
	assert_string_equal(matches(TEST("'config':{'enabled':false}"), TEST("'tags':[]"), "new"),
	    "");
	assert_string_equal(matches(HEAD "'disabled':{'test.shop.n':[{'unique_id':'test.shop.n',"
		"'resource_type':'test','name':'n','package_name':'shop',"
		"'original_file_path':'x'}]}}",
		TEST("'tags':[]"), "new"), "test.shop.n");
}

/* ---- macros ---- */

#define MACRO(id, sql, calls) "'macro.shop." id "':{'unique_id':'macro.shop." id "','name':'" id \
	"','package_name':'shop','original_file_path':'m.sql','macro_sql':'" sql \
	"','depends_on':{'macros':[" calls "]}}"
#define CALLS(macros) HEAD "'nodes':{" NODE("model", "model.shop.n", \
	"'depends_on':{'macros':['macro.shop.a'],'nodes':[]}") "},'macros':{" macros "}}"

static void
test_macros_are_followed_to_the_one_that_changed(void **state)
{
	const char *old = CALLS(MACRO("a", "1", "'macro.shop.b','macro.shop.c'") ","
		MACRO("b", "2", "'macro.shop.d'") "," MACRO("c", "3", "") "," MACRO("d", "4",
		    "'macro.shop.b'"));

	(void)state;
	assert_string_equal(reasons(old, old), "");
	assert_string_equal(reasons(old, CALLS(MACRO("a", "1", "'macro.shop.b','macro.shop.c'") ","
		MACRO("b", "2", "'macro.shop.d'") "," MACRO("c", "3", "") ","
		MACRO("d", "x", "'macro.shop.b'"))),
		"model.shop.n modified; macros: macro.shop.d "
		"(macro.shop.a -> macro.shop.b -> macro.shop.d changed)");
	assert_string_equal(reasons(old, CALLS(MACRO("a", "1", "'macro.shop.b','macro.shop.e'") ","
		MACRO("b", "2", "") "," MACRO("e", "3", ""))),
		"model.shop.n modified; macros: macro.shop.e (macro.shop.a -> macro.shop.e is "
		"new)");
	assert_string_equal(reasons(old, CALLS(MACRO("a", "1", "'macro.shop.b','macro.shop.c'") ","
		MACRO("b", "2", "'macro.shop.d'") "," MACRO("d", "4", ""))),
		"model.shop.n modified; macros: macro.shop.c (macro.shop.a -> macro.shop.c was "
		"removed)");
	/* one that nothing leads to does not matter */
	assert_string_equal(matches(CALLS(MACRO("a", "1", "")),
		CALLS(MACRO("a", "1", "") "," MACRO("z", "1", "")), "modified.macros"), "");
}

/* ---- contracts ---- */

#define CONTRACT(sum, more) "'contract':{'enforced':true,'checksum':'" sum "'}," \
	"'config':{'materialized':'table','enabled':true}," more
#define COLUMN(type, limits) \
	"'columns':{'id':{'name':'id','data_type':'" type "','constraints':[" limits "]}}"
#define OFF "'contract':{'enforced':false,'checksum':null}"

static void
test_contracts(void **state)
{
	const char *old = MODEL(CONTRACT("a", COLUMN("int", "{'type':'not_null'}")));

	(void)state;
	assert_string_equal(reasons(MODEL(OFF), MODEL(CONTRACT("a", COLUMN("int", "")))),
		"model.shop.n modified; contract: contract.enforced false -> true");
	assert_string_equal(reasons(old, MODEL(CONTRACT("a", COLUMN("text", "")))), "");
	assert_string_equal(reasons(old, MODEL(CONTRACT("b",
		COLUMN(" INT (4)", "{'type':'not_null','warn_unenforced':true}")))),
		"model.shop.n modified; contract: contract (columns, types or constraints "
		"changed without "
		"breaking it)");
	assert_string_equal(reasons(old,
		MODEL(CONTRACT("b", COLUMN("text", "{'type':'not_null'}")))),
		"model.shop.n modified; contract broken: column 'id' \"int\" -> \"text\" "
		"(changed its type)\n"
		"warning: breaking change to the contract of unversioned model 'model.shop.n': "
		"column 'id' changed its type (\"int\" -> \"text\")");
	assert_string_equal(reasons(old, MODEL(CONTRACT("b", COLUMN("int", "")) ",'version':2")),
		"FAILS: breaking change to the contract of versioned model 'model.shop.n': "
		"not_null constraint on column 'id' was removed\n\n"
		"model.shop.n modified; contract broken: not_null constraint on column 'id' "
		"{\"type\":\"not_null\"} -> - (was removed)");
	assert_string_equal(matches(old, MODEL(OFF ",'version':2"), "modified.contract"),
		"breaking change to the contract of versioned model 'model.shop.n': "
		"contract.enforced was "
		"switched off (true -> false); column 'id' was removed; materialization no "
		"longer enforces "
		"constraints (\"table\" -> \"\")");
	assert_string_equal(matches(old, MODEL(OFF ",'version':2"), "modified.configs"), "");
}

static void
test_removed_models_and_their_promise(void **state)
{
	const char *old = MODEL(CONTRACT("a", "'version':1"));

	(void)state;
	assert_string_equal(matches(old, HEAD "'nodes':{}}", "modified"),
	    "breaking change to the contract "
		"of versioned model 'model.shop.n': the model was deleted or renamed");
	assert_string_equal(matches(old, HEAD "'nodes':{}}", "unmodified"),
	    "breaking change to the contract "
		"of versioned model 'model.shop.n': the model was deleted or renamed");
	assert_string_equal(matches(old, HEAD "'nodes':{}}", "modified.body"), "");
	assert_string_equal(matches(MODEL(CONTRACT("a",
		"'version':1,'deprecation_date':'2020-01-01T00:00:00Z'")),
		HEAD "'nodes':{}}", "modified"), "");
	assert_string_equal(matches(old,
	    HEAD "'disabled':{'model.shop.n':[{'unique_id':'model.shop.n',"
		"'resource_type':'model','name':'n','package_name':'shop',"
		"'original_file_path':'x','version':1,"
		"'contract':{'enforced':true},'config':{'enabled':false}}]}}", "modified"),
		"breaking change to the contract of versioned model 'model.shop.n': the model "
		"was disabled");
}

/* ---- questions without an answer; results ---- */

static void
test_what_is_missing_is_named(void **state)
{
	struct graph *g = parse(MODEL("'raw_code':''"));
	struct state *s = state_new(NULL, ".", false);
	struct err e = ERR_INIT;
	struct set out;
	const struct state_warning *warnings;
	size_t n;

	(void)state;
	set_init(&out, g->nnodes);
	assert_int_equal(state_match(s, g, "new", &out, &e), -1);
	assert_string_equal(e.msg,
	    "'state:' compares with an earlier run, and no --state was given");
	state_free(s);
	s = state_new("absent", ".", false);
	assert_int_equal(state_match(s, g, "new", &out, &e), -1);
	assert_string_equal(e.msg, "absent/manifest.json: not there, and 'state:' needs it");
	assert_int_equal(state_match_result(s, g, "error", &out, &e), -1);
	assert_string_equal(e.msg, "absent/run_results.json: not there, and 'result:' needs it");
	state_free(s);
	s = state_new("target", "target", false);
	warnings = state_warnings(s, &n);
	assert_int_equal(n, 1);
	assert_string_equal(warnings[0].text, "the state and target folders are the same, "
		"'target': a run overwrites what it is compared with");
	assert_string_equal(matches(MODEL("'tags':[]"), MODEL("'tags':[]"), "modified.everything"),
		"'state:modified.everything' is unknown");
	err_release(&e);
	set_release(&out);
	state_free(s);
	graph_free(g);
}

static void
write_json(const char *path, const char *text)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	add_json(&b, text);
	if (fs_replace(path, b.data, b.len, 0644, &e) < 0)
		fail_msg("%s", e.msg);
	buf_release(&b);
}

#define RESULTS(version, rows) "{'metadata':{'dbt_schema_version':" \
	"'https://schemas.getdbt.com/dbt/run-results/v" version ".json'},'results':[" rows "]}"
#define SOURCES(rows) "{'metadata':{'dbt_schema_version':" \
	"'https://schemas.getdbt.com/dbt/sources/v3.json'},'results':[" rows "],'elapsed_time':1}"
#define LOADED(at) "{'unique_id':'source.shop.a.n','status':'pass','max_loaded_at':'" at "'}"
#define FAILED "{'unique_id':'source.shop.a.n','status':'runtime error','error':'x'}"

static void
test_results_of_an_earlier_run(void **state)
{
	struct graph *g = parse(MODEL("'raw_code':''"));
	struct state *s = open_old(MODEL("'raw_code':''"));
	struct err e = ERR_INIT;
	struct set out;

	(void)state;
	set_init(&out, g->nnodes);
	write_json("old/run_results.json",
	    RESULTS("6", "{'unique_id':'model.shop.gone','status':'error'},"
		"{'status':'error','timing':[{}],'unique_id':'model.shop.n'}"));
	assert_int_equal(state_match_result(s, g, "skipped", &out, &e), 0);
	assert_int_equal(set_count(&out), 0);
	assert_int_equal(state_match_result(s, g, "error", &out, &e), 0);
	assert_int_equal(set_count(&out), 1);
	write_json("old/run_results.json", RESULTS("9", ""));
	assert_int_equal(state_match_result(s, g, "error", &out, &e), -1);
	assert_non_null(strstr(e.msg, "not run results of version 4 to 6"));
	write_json("old/run_results.json", RESULTS("6", "{'status':'error'}"));
	assert_int_equal(state_match_result(s, g, "error", &out, &e), -1);
	assert_non_null(strstr(e.msg, "no unique_id"));
	err_release(&e);
	set_release(&out);
	state_free(s);
	graph_free(g);
}

static bool
is_fresher(const char *then, const char *now)
{
	struct graph *g = parse(SOURCE("'tags':[]"));
	struct state *s = open_old(SOURCE("'tags':[]"));
	struct err e = ERR_INIT;
	struct set out;
	bool hit;

	assert_int_equal(fs_mkdirs("new", &e), 0);
	write_json("old/sources.json", then);
	write_json("new/sources.json", now);
	set_init(&out, g->nnodes);
	if (state_match_source_status(s, g, "fresher", &out, &e) < 0)
		fail_msg("%s", e.msg);
	hit = set_has(&out, 0);
	assert_int_equal(state_match_source_status(s, g, "stale", &out, &e), 0);
	set_release(&out);
	state_free(s);
	graph_free(g);
	return hit;
}

static void
test_sources_are_fresher_by_time_not_by_text(void **state)
{
	(void)state;
	assert_true(is_fresher(SOURCES(LOADED("2026-01-31T09:00:00Z")),
	    SOURCES(LOADED("2026-01-31T09:00:01Z"))));
	assert_false(is_fresher(SOURCES(LOADED("2026-01-31T09:00:00Z")),
		SOURCES(LOADED("2026-01-31T10:00:00+01:00"))));
	assert_true(is_fresher(SOURCES(""), SOURCES(LOADED("2026-01-31T09:00:00Z"))));
	assert_true(is_fresher(SOURCES(FAILED), SOURCES(LOADED("2026-01-31T09:00:00Z"))));
	assert_false(is_fresher(SOURCES(LOADED("2026-01-31T09:00:00Z")), SOURCES(FAILED)));
}

/* ---- the sample ---- */

static void
test_the_sample_before_and_after(void **state)
{
	struct graph *g = graph_new();
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	const char *root = getenv("ROOT") ? getenv("ROOT") : ".";
	char *now = fs_join(root, "samples/shop/manifests/after/manifest.json");
	char *dir = fs_join(root, "samples/shop/manifests/before");
	struct state *s = state_new(dir, ".", false);

	(void)state;
	if (manifest_load(g, now, GRAPH_STATE | GRAPH_MACROS, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < g->nnodes; i++) {
		struct state_report r;

		if (state_compare(s, g, &g->nodes[i], &r, &e) < 0)
			fail_msg("%s", e.msg);
		/* a seed's hash says little to a reader here */
		for (size_t k = 0; k < r.nchanges; k++)
			if (g->nodes[i].kind == KIND_SEED)
				r.changes[k].before = r.changes[k].after = NULL;
		show_report(&b, &g->nodes[i], &r);
	}
	assert_string_equal(buf_str(&b),
		"model.shop.customers modified; body: code (line 5 changed); "
		"contract broken: column 'orders' \"integer\" -> \"bigint\" (changed its type)\n"
		"model.shop.order_lines modified; macros: macro.shop.in_euro (macro.shop.in_euro "
		"changed)\n"
		"model.shop.orders modified; body: code (line 15 added); "
		"macros: macro.shop.in_euro (macro.shop.in_euro changed)\n"
		"model.shop.product_sales_v1 new\n"
		"model.shop.returns new\n"
		"model.shop.visitors modified; body: code (line 1 changed); "
		"configs: config.materialized \"view\" -> \"table\"\n"
		"seed.shop.raw_customers modified; body: checksum (of the data differs)\n"
		"snapshot.shop.product_prices modified; "
		"configs: config.check_cols [\"price_cents\",\"is_sold\"] -> [\"price_cents\"]\n"
		"test.shop.unique_returns_order_id.ba283edaaf new");
	buf_release(&b);
	free(now);
	free(dir);
	state_free(s);
	graph_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_configs_are_those_the_user_wrote),
		cmocka_unit_test(test_tests_compare_what_changes_their_verdict),
		cmocka_unit_test(test_descriptions_count_when_they_are_persisted),
		cmocka_unit_test(test_names_and_access),
		cmocka_unit_test(test_seeds_compare_hashes),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_sources_as_they_are_written),
		cmocka_unit_test(test_exposures_metrics_and_the_semantic_layer),
		cmocka_unit_test(test_new_ones_of_some_kinds_are_not_modified),
		cmocka_unit_test(test_macros_are_followed_to_the_one_that_changed),
		cmocka_unit_test(test_contracts),
		cmocka_unit_test(test_removed_models_and_their_promise),
		cmocka_unit_test(test_what_is_missing_is_named),
		cmocka_unit_test(test_results_of_an_earlier_run),
		cmocka_unit_test(test_sources_are_fresher_by_time_not_by_text),
		cmocka_unit_test(test_the_sample_before_and_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
