#include "tests/check.h"

#include "graph/manifest.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/fs.h"

#define ALL 0xffu
#define META "'metadata':{" \
	"'dbt_schema_version':'https://schemas.getdbt.com/dbt/manifest/v12.json'," \
	"'dbt_version':'1.11.0','project_name':'shop'}"

/* One node with what every node must have; more begins with a comma. */
#define NODE_OF(kind, id, more) \
	"'" id "':{'unique_id':'" id "','resource_type':'" kind "'" \
	",'name':'n','package_name':'shop'," \
	"'original_file_path':'models/n.sql'" more "}"
#define MODEL(id, more) NODE_OF("model", id, more)
#define NODES(nodes) "{" META ",'nodes':{" nodes "}}"

/* ' -> ", so that JSON is readable in C. */
static char *
quoted(const char *json)
{
	char *s = strdup(json);

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static struct graph *
parse(const char *json, unsigned fields)
{
	struct err e = ERR_INIT;
	struct graph *g = graph_new();
	char *text = quoted(json), *warning;
	int rc = manifest_parse(g, "m.json", text, strlen(text), fields, &warning, &e);

	if (rc < 0)
		fail_msg("%s", e.msg);
	free(warning);
	free(text);
	return g;
}

static void
assert_refused(const char *json, const char *message)
{
	struct err e = ERR_INIT;
	struct graph *g = graph_new();
	char *text = quoted(json), *warning;

	assert_int_equal(manifest_parse(g, "m.json", text, strlen(text), 0, &warning, &e), -1);
	assert_string_equal(e.msg, message);
	assert_null(warning);
	err_release(&e);
	graph_free(g);
	free(text);
}

/* ---- everything a graph says, as text ---- */

static void
dump_strs(struct buf *b, const char *name, const struct strs *s)
{
	buf_addf(b, " %s=[", name);
	for (size_t i = 0; i < s->n; i++)
		buf_addf(b, "%s%s", i ? "," : "", s->v[i]);
	buf_addc(b, ']');
}

static void
dump_node(struct buf *b, const struct graph *g, const struct node *n)
{
	const struct {
		const char *name, *value;
	} texts[] = {
		{ "name", n->name }, { "package", n->package }, { "path", n->path },
		{ "patch", n->patch_path }, { "relation", n->relation_name },
		{ "database", n->database }, { "schema", n->schema }, { "alias", n->alias },
		{ "materialized", n->materialized }, { "access", n->access }, { "group", n->group },
		{ "version", n->version }, { "latest", n->latest_version },
		{ "source", n->source_name }, { "test", n->test_name }, { "attached", n->attached },
	};

	buf_addf(b, "%s %s", kind_name(n->kind), n->id);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].value)
			buf_addf(b, " %s=%s", texts[i].name, texts[i].value);
	buf_addf(b, "%s%s%s%s%s%s", n->versioned ? " versioned" : "", n->blank ? " blank" : "",
	    n->has_freshness ? " checked" : "", n->parked ? " parked" : "",
	    n->version_is_number ? " n" : "", n->latest_is_number ? " m" : "");
	dump_strs(b, "fqn", &n->fqn);
	dump_strs(b, "tags", &n->tags);
	for (size_t i = 0; i < n->nparents; i++)
		buf_addf(b, " <%s", g->nodes[n->parents[i]].id);
	for (size_t i = 0; i < n->nchildren; i++)
		buf_addf(b, " >%s", g->nodes[n->children[i]].id);
	for (int i = 0; i < NNODE_JSON; i++)
		if (node_json(n, (enum node_json)i))
			buf_addf(b, " %d:%s", i, node_json(n, (enum node_json)i));
	buf_addc(b, '\n');
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* New string. */
static char *
dump(const struct graph *g)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "v%d %s %s\n", g->schema_version, g->project_name ? g->project_name : "-",
	    g->dbt_version);
	for (size_t i = 0; i < g->nnodes; i++) {
		assert_int_equal(g->nodes[i].index, i);
		assert_ptr_equal(graph_find(g, g->nodes[i].id), &g->nodes[i]);
		dump_node(&b, g, &g->nodes[i]);
		if (g->node_macros)
			dump_strs(&b, "macros", &g->node_macros[i]);
	}
	for (size_t i = 0; i < g->ndisabled; i++)
		dump_node(&b, g, &g->disabled[i]);
	for (size_t i = 0; i < g->nmacros; i++) {
		buf_addf(&b, "%s %s %s %s", g->macros[i].id, g->macros[i].package,
		    g->macros[i].path, g->macros[i].sql);
		dump_strs(&b, "macros", &g->macros[i].parents);
	}
	if (g->paths.n)
		qsort(g->paths.v, g->paths.n, sizeof(*g->paths.v), by_text);
	dump_strs(&b, "paths", &g->paths);
	return buf_detach(&b);
}

static char *
dump_parsed(const char *json, size_t len, unsigned fields)
{
	struct err e = ERR_INIT;
	struct graph *g = graph_new();
	char *text;

	if (manifest_parse(g, "m.json", json, len, fields, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	text = dump(g);
	graph_free(g);
	return text;
}

static void
read_sample(const char *path, struct buf *b)
{
	struct err e = ERR_INIT;
	char *full = fs_join(getenv("ROOT") ? getenv("ROOT") : ".", path);

	if (fs_read(full, b, &e) < 0)
		fail_msg("%s", e.msg);
	free(full);
}

#define SAMPLE "samples/shop/manifests/before/manifest.json"

/* ---- what is read ---- */

static void
test_a_model_in_full(void **state)
{
	struct graph *g = parse(NODES(
		MODEL("model.shop.a",
		    ",'fqn':['shop','x','a'],'tags':['t','u'],'config':{'materialized':"
		    "'table','group':'g','enabled':true,'tags':['c'],'meta':{'k':[1,{}]}},"
		    "'patch_path':'shop://models/m.yml','relation_name':'d.s.a','database':'d',"
		    "'schema':'s','alias':'al','access':'public','version':1.5,"
		    "'latest_version':'two',"
		    "'raw_code':'select 1','depends_on':{'macros':['macro.b'],"
		    "'nodes':['model.shop.z']}")
		","
		MODEL("model.shop.z",
		    ",'version':2,'latest_version':2,'group':'h','fqn':['shop','x','z']")),
		ALL & ~(unsigned)GRAPH_STATE & ~(unsigned)GRAPH_SQL);
	char *text = dump(g);

	(void)state;
	assert_string_equal(text,
	    "v12 shop 1.11.0\n"
	    "model model.shop.a name=n package=shop path=models/n.sql patch=shop://models/m.yml"
	    " relation=d.s.a database=d schema=s alias=al materialized=table access=public group=g"
	    " version=1.5 latest=two versioned n fqn=[shop,x,a] tags=[t,u] <model.shop.z"
	    " 0:{\"materialized\":\"table\",\"group\":\"g\",\"enabled\":true,\"tags\":[\"c\"],"
	    "\"meta\":{\"k\":[1,{}]}}\n"
	    " macros=[macro.b]"
	    "model model.shop.z name=n package=shop path=models/n.sql group=h version=2 latest=2"
	    " versioned n m fqn=[shop,x,z] tags=[] >model.shop.a\n"
	    " macros=[]"
	    " paths=[models/m.yml,models/n.sql,models/n.sql]");
	free(text);
	graph_free(g);
}

static void
test_fields_nobody_asked_for_are_left_out(void **state)
{
	static const char json[] = NODES(MODEL("model.shop.a",
	    ",'config':{'x':1},'raw_code':'q','description':'d','columns':{},"
	    "'checksum':{'name':'c'}"));
	struct graph *g = parse(json, 0);

	(void)state;
	assert_null(g->nodes[0].json);
	assert_null(g->node_macros);
	assert_null(node_json(&g->nodes[0], NODE_CONFIG));
	graph_free(g);
	g = parse(json, GRAPH_SQL | GRAPH_DOCS);
	assert_string_equal(node_json(&g->nodes[0], NODE_RAW_CODE), "\"q\"");
	assert_string_equal(node_json(&g->nodes[0], NODE_COLUMNS), "{}");
	assert_null(node_json(&g->nodes[0], NODE_CONFIG));
	assert_null(node_json(&g->nodes[0], NODE_CHECKSUM));
	graph_free(g);
}

static void
test_each_kind_in_its_own_way(void **state)
{
	struct graph *g = parse("{" META ",'nodes':{"
	    NODE_OF("seed", "seed.shop.s", ",'depends_on':{'nodes':['model.nobody.knows']}") ","
	    NODE_OF("test", "test.shop.t",
	    ",'test_metadata':{'kwargs':{'name':'no'},'name':'unique',"
		"'namespace':null},'attached_node':'seed.shop.s','raw_code':'  \\n\\t\\u00a0'") ","
	    NODE_OF("test", "test.shop.u",
	    ",'test_metadata':null,'attached_node':null,'raw_code':'  x'") ","
	    NODE_OF("model", "model.shop.m",
	    ",'raw_code':'','config':{'group':null},'group':'top'") "},"
	    "'sources':{" NODE_OF("source", "source.shop.a.b",
	    ",'identifier':'ident','source_name':'a'") "},"
	    "'exposures':{" NODE_OF("exposure", "exposure.shop.e",
	    ",'config':{'enabled':false}") "},"
	    "'unit_tests':{" NODE_OF("unit_test", "unit_test.shop.m.u", ",'config':{'tags':'one'},"
		"'depends_on':{'nodes':['model.shop.m']},'version':2") "},"
	    "'functions':{" NODE_OF("function", "function.shop.f", ",'raw_code':''") "},"
	    "'metrics':{" NODE_OF("metric", "metric.shop.x", ",'config':{'enabled':false}") "},"
	    "'semantic_models':null,'saved_queries':{}}", 0);

	(void)state;
	assert_int_equal(g->nnodes, 8);
	assert_int_equal(g->ndisabled, 1);
	assert_string_equal(g->disabled[0].id, "metric.shop.x");
	assert_false(g->disabled[0].parked);
	assert_int_equal(graph_find(g, "seed.shop.s")->nparents, 0);
	assert_string_equal(graph_find(g, "test.shop.t")->test_name, "unique");
	assert_string_equal(graph_find(g, "test.shop.t")->attached, "seed.shop.s");
	assert_true(graph_find(g, "test.shop.t")->blank);
	assert_false(graph_find(g, "test.shop.u")->blank);
	assert_null(graph_find(g, "test.shop.u")->test_name);
	assert_true(graph_find(g, "model.shop.m")->blank);
	assert_null(graph_find(g, "model.shop.m")->group);
	assert_false(graph_find(g, "function.shop.f")->blank);
	assert_string_equal(graph_find(g, "source.shop.a.b")->alias, "ident");
	assert_string_equal(graph_find(g, "source.shop.a.b")->source_name, "a");
	assert_int_equal(graph_find(g, "unit_test.shop.m.u")->tags.n, 1);
	assert_string_equal(graph_find(g, "unit_test.shop.m.u")->tags.v[0], "one");
	assert_string_equal(graph_find(g, "unit_test.shop.m.u")->version, "2");
	assert_int_equal(graph_find(g, "model.shop.m")->nchildren, 1);
	graph_free(g);
}

/* dbt's bool(FreshnessThreshold): a limit needs a count and a period. */
static void
test_which_sources_have_a_freshness_check(void **state)
{
	static const struct { const char *json; bool checked; } cases[] = {
		{ "", false },
		{ ",'freshness':null", false },
		{ ",'freshness':{}", false },
		{ ",'freshness':{'warn_after':{'count':null,'period':null},'error_after':{},"
		"'filter':null}", false },
		{ ",'freshness':{'warn_after':{'count':12},'error_after':{'period':'day'},"
		"'filter':'x > 1'}", false },
		{ ",'freshness':{'warn_after':null,'error_after':{'count':0,'period':'day'}}",
		  true },
		{ ",'freshness':{'error_after':null,'warn_after':{'period':'hour','count':12}}",
		  true },
		{ ",'freshness':{'build_after':{'count':1,'period':'day'}}", false },
		{ ",'freshness':[1]", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;
		struct graph *g;

		buf_addf(&b, "{" META ",'sources':{" NODE_OF("source", "source.shop.a.b", "%s") "},"
		    "'nodes':{" MODEL("model.shop.m", "%s") "}}", cases[i].json, cases[i].json);
		g = parse(b.data, GRAPH_STATE);
		assert_int_equal(graph_find(g, "source.shop.a.b")->has_freshness, cases[i].checked);
		assert_false(graph_find(g, "model.shop.m")->has_freshness);
		graph_free(g);
		buf_release(&b);
	}
}

static void
test_disabled_nodes_stand_aside(void **state)
{
	struct graph *g = parse("{" META ",'disabled':{"
	    "'model.shop.gone':["
	    "{'unique_id':'model.shop.gone','resource_type':'model','name':'second',"
		"'package_name':'shop','original_file_path':'b.sql'},"
		"{'unique_id':'model.shop.gone','resource_type':'model','name':'first',"
		"'package_name':'shop','original_file_path':'a.sql'}]},"
	    "'nodes':{"
	    MODEL("model.shop.a",
	    ",'depends_on':{'nodes':['model.shop.gone','model.shop.off','model.shop.b']}") ","
	    MODEL("model.shop.b", "") ","
	    MODEL("model.shop.off",
	    ",'config':{'enabled':false},'depends_on':{'nodes':['model.shop.b']}")
	    "}}", 0);

	(void)state;
	assert_int_equal(g->nnodes, 2);
	assert_int_equal(g->nodes[0].nparents, 1);
	assert_int_equal(g->nodes[0].parents[0], 1);
	assert_int_equal(g->nodes[1].nchildren, 1);
	assert_int_equal(g->ndisabled, 3);
	assert_string_equal(g->disabled[0].name, "second");
	assert_string_equal(g->disabled[1].name, "first");
	assert_true(g->disabled[1].parked);
	assert_string_equal(g->disabled[2].id, "model.shop.off");
	assert_null(graph_find(g, "model.shop.off"));
	graph_free(g);
}

static void
test_a_parent_named_twice_is_one_edge(void **state)
{
	struct graph *g = parse(NODES(
		MODEL("model.a", ",'depends_on':{'nodes':['model.c','model.b','model.c']}") ","
		MODEL("model.b", "") "," MODEL("model.c", "")), 0);

	(void)state;
	assert_int_equal(g->nodes[0].nparents, 2);
	assert_int_equal(g->nodes[0].parents[0], 2);   /* the manifest's order */
	assert_int_equal(g->nodes[0].parents[1], 1);
	assert_int_equal(g->nodes[2].nchildren, 1);
	graph_free(g);
}

static void
test_paths_prove_files_of_the_root_project_only(void **state)
{
	struct graph *g = parse("{'nodes':{"
	    MODEL("model.a", ",'patch_path':'shop://models/p.yml'") "},"
	    "'macros':{'macro.shop.m':{'unique_id':'macro.shop.m','package_name':'shop',"
		"'original_file_path':'macros/m.sql','macro_sql':'x','patch_path':'dbt://no.yml'},"
	    "'macro.dbt.d':{'unique_id':'macro.dbt.d','package_name':'dbt',"
		"'original_file_path':'macros/d.sql','macro_sql':'y',"
		"'patch_path':'shop://over.yml'}},"
	    "'docs':{'doc.d':{'unique_id':'doc.d','package_name':'shop',"
	    "'original_file_path':'d.md'}},"
	    "'groups':{'group.g':{'unique_id':'group.g','package_name':'shop',"
	    "'original_file_path':'g.yml'}},"
	    "'disabled':{'model.z':[{'unique_id':'model.z','resource_type':'model','name':'z',"
		"'package_name':'shop','original_file_path':'models/z.sql'}]}," META "}",
		GRAPH_PATHS);
	char *text = dump(g);

	(void)state;
	assert_non_null(strstr(text,
	    " paths=[d.md,g.yml,macros/m.sql,models/n.sql,models/p.yml,models/z.sql,over.yml]"));
	assert_int_equal(g->nmacros, 0);
	free(text);
	graph_free(g);
}

static void
test_macros_with_what_they_call(void **state)
{
	struct graph *g = parse("{" META ",'macros':{"
	    "'macro.b':{'unique_id':'macro.b','package_name':'shop','original_file_path':'b.sql',"
		"'macro_sql':'{% b %}\\n','depends_on':{'macros':['macro.a','macro.c']}},"
	    "'macro.a':{'unique_id':'macro.a','package_name':'shop','original_file_path':'a.sql',"
		"'macro_sql':''}},'nodes':{"
	    MODEL("model.m", ",'depends_on':{'macros':['macro.b']}") "}}", GRAPH_MACROS);

	(void)state;
	assert_int_equal(g->nmacros, 2);
	assert_string_equal(g->macros[0].id, "macro.a");
	assert_string_equal(g->macros[1].sql, "\"{% b %}\\n\"");
	assert_int_equal(g->macros[1].parents.n, 2);
	assert_string_equal(g->macros[1].parents.v[1], "macro.c");
	assert_string_equal(g->node_macros[0].v[0], "macro.b");
	graph_free(g);
}

/* dbt writes NaN for a YAML .nan; what is kept as JSON text must be JSON for whoever parses it. */
static void
test_numbers_that_json_lacks(void **state)
{
	struct graph *g = parse(NODES(MODEL("model.a",
	    ",'config':{'a':NaN,'b':[-Infinity,'NaN'],'c':Infinity}")), GRAPH_CONFIG);

	(void)state;
	assert_string_equal(node_json(&g->nodes[0], NODE_CONFIG),
	    "{\"a\":null,\"b\":[null,\"NaN\"],\"c\":null}");
	graph_free(g);
}

static void
test_older_manifests(void **state)
{
	static const struct {
		const char *file;
		size_t nnodes, npaths;
	} cases[] = {
		{ "tests/graph/manifests/v9.json", 16, 1 },
		{ "tests/graph/manifests/v10.json", 18, 1 },
		{ "tests/graph/manifests/v11.json", 19, 1 },
		{ "tests/graph/manifests/v12.json", 20, 1 },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct err e = ERR_INIT;
		struct buf b = BUF_INIT;
		struct graph *g = graph_new();
		const struct node *bread, *v2;
		char *warning;

		read_sample(cases[i].file, &b);
		if (manifest_parse(g, cases[i].file, b.data, b.len, ALL, &warning, &e) < 0)
			fail_msg("%s", e.msg);
		assert_null(warning);
		assert_int_equal(g->schema_version, 9 + i);
		assert_int_equal(g->nnodes, cases[i].nnodes);
		assert_int_equal(g->ndisabled, 3);
		assert_true(g->paths.n >= cases[i].npaths);
		bread = graph_find(g, "model.mill.bread");
		assert_string_equal(bread->group, "bakers");
		assert_string_equal(bread->materialized, "incremental");
		assert_string_equal(g->nodes[bread->parents[0]].id, "model.mill.flour.v1");
		v2 = graph_find(g, "model.mill.flour.v2");
		assert_true(v2->versioned);
		assert_string_equal(v2->version, "2");
		assert_string_equal(v2->latest_version, "2");
		assert_string_equal(v2->access, "public");
		assert_string_equal(v2->tags.v[0], "daily");
		graph_free(g);
		buf_release(&b);
	}
}

/* ---- the same file in other shapes ---- */

static void
test_sections_in_any_order(void **state)
{
	struct graph *a = parse("{" META ",'nodes':{" MODEL("model.b",
	    ",'depends_on':{'nodes':['source.a']}")
	    "},'sources':{" NODE_OF("source", "source.a", "") "},'x':[{}]}", ALL);
	struct graph *b = parse("{'x':[{}],'sources':{" NODE_OF("source", "source.a",
	    "") "},'nodes':{"
	    MODEL("model.b", ",'depends_on':{'nodes':['source.a']}") "}," META "}", ALL);
	char *x = dump(a), *y = dump(b);

	(void)state;
	assert_string_equal(x, y);
	free(x);
	free(y);
	graph_free(a);
	graph_free(b);
}

/* Blanks in front move every token over the edge of the buffer. */
static void
test_refills_change_nothing(void **state)
{
	struct buf b = BUF_INIT, shifted = BUF_INIT;
	char *expected;

	(void)state;
	read_sample(SAMPLE, &b);
	expected = dump_parsed(b.data, b.len, ALL);
	for (size_t shift = 0; shift < 40; shift++) {
		char *text;

		buf_truncate(&shifted, 0);
		buf_pad(&shifted, ' ', ((size_t)256 << 10) - 70000 + shift * 1601);
		buf_add(&shifted, b.data, b.len);
		text = dump_parsed(shifted.data, shifted.len, ALL);
		assert_string_equal(text, expected);
		free(text);
	}
	free(expected);
	buf_release(&b);
	buf_release(&shifted);
}

static void
test_reading_a_file_is_parsing_its_bytes(void **state)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct graph *g = graph_new();
	char *x, *y;

	(void)state;
	read_sample(SAMPLE, &b);
	assert_int_equal(fs_replace("m.json", b.data, b.len, 0600, &e), 0);
	assert_int_equal(manifest_load(g, "m.json", ALL, NULL, &e), 0);
	x = dump(g);
	y = dump_parsed(b.data, b.len, ALL);
	assert_string_equal(x, y);
	free(x);
	free(y);
	graph_free(g);
	g = graph_new();
	assert_int_equal(manifest_load(g, "absent.json", ALL, NULL, &e), -1);
	assert_string_equal(e.msg, "absent.json: cannot open: No such file or directory");
	err_release(&e);
	graph_free(g);
	buf_release(&b);
}

/* ---- what is refused ---- */

static void
test_versions(void **state)
{
	struct graph *g = graph_new();
	struct err e = ERR_INIT;
	char *warning, *text;

	(void)state;
	assert_refused("{}", "m.json: not a dbt manifest: no metadata.dbt_schema_version");
	assert_refused("{'metadata':{'dbt_schema_version':'https://x/dbt/catalog/v1.json'}}",
	    "m.json: metadata.dbt_schema_version: not a dbt manifest: its schema is "
	    "'https://x/dbt/catalog/v1.json'");
	assert_refused("{'metadata':{'dbt_schema_version':'https://x/dbt/manifest/v8.json'}}",
	    "m.json: metadata.dbt_schema_version: manifest v8 is too old");
	assert_refused("{'metadata':{'dbt_schema_version':'https://x/dbt/manifest/vX.json'}}",
	    "m.json: metadata.dbt_schema_version: not a dbt manifest: its schema is "
	    "'https://x/dbt/manifest/vX.json'");
	text = quoted("{'metadata':{'dbt_schema_version':'https://x/dbt/manifest/v13.json',"
	    "'dbt_version':'2.0.0'},'nodes':{" MODEL("model.a",
	    ",'depends_on':{'nodes':['thing.b']}") ","
	    NODE_OF("thing", "thing.b", "") "}}");
	assert_int_equal(manifest_parse(g, "m.json", text, strlen(text), 0, &warning, &e), 0);
	assert_string_equal(warning,
	    "m.json: manifest v13 (dbt 2.0.0) is newer than v12, the newest "
	    "known; left out: nodes['thing.b']: unknown resource_type 'thing'");
	assert_int_equal(g->nnodes, 1);
	assert_int_equal(g->nodes[0].nparents, 0);
	free(warning);
	free(text);
	graph_free(g);
}

static void
test_wrong_types_are_refused_with_their_path(void **state)
{
	static const struct {
		const char *more, *what;
	} cases[] = {
		{ ",'depends_on':{'nodes':['x','y',3]}",
		  ".depends_on.nodes[2]: expected a string, found a number" },
		{ ",'depends_on':{'nodes':'x'}",
		  ".depends_on.nodes: expected a list, found a string" },
		{ ",'depends_on':['x']", ".depends_on: expected an object, found a list" },
		{ ",'config':[]", ".config: expected an object, found a list" },
		{ ",'config':{'enabled':'yes'}",
		  ".config.enabled: expected true or false, found a string" },
		{ ",'config':{'materialized':{}}",
		  ".config.materialized: expected a string, found an object" },
		{ ",'config':{'tags':[null]}", ".config.tags[0]: expected a string, found null" },
		{ ",'fqn':['shop',['x']]", ".fqn[1]: expected a string, found a list" },
		{ ",'tags':true", ".tags: expected a list, found true" },
		{ ",'version':[1]", ".version: expected a string or a number, found a list" },
		{ ",'raw_code':7", ".raw_code: expected a string, found a number" },
		{ ",'test_metadata':'unique'",
		  ".test_metadata: expected an object, found a string" },
		{ ",'test_metadata':{'name':1}",
		  ".test_metadata.name: expected a string, found a number" },
		{ ",'alias':false", ".alias: expected a string, found false" },
		{ ",'name':null", ": no name" },
		{ ",'package_name':null", ": no package_name" },
		{ ",'original_file_path':null", ": no original_file_path" },
		{ ",'unique_id':'other'", ".unique_id: 'other' is not the key it stands under" },
		{ ",'alias':'a\\u0000b'", ".alias: a text with a NUL character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[1000], what[300];

		snprintf(json, sizeof(json),
		    NODES("'model.a':{'unique_id':'model.a','resource_type':'model',"
		    "'name':'n','package_name':'shop','original_file_path':'n.sql'%s}"),
		    cases[i].more);
		snprintf(what, sizeof(what), "m.json: nodes['model.a']%s", cases[i].what);
		assert_refused(json, what);
	}
	assert_refused("[]", "m.json: expected an object, found a list");
	assert_refused("{'metadata':7}", "m.json: metadata: expected an object, found a number");
	assert_refused("{'metadata':{'project_name':[]}}",
	    "m.json: metadata.project_name: expected a string, found a list");
	assert_refused("{" META ",'nodes':[]}", "m.json: nodes: expected an object, found a list");
	assert_refused("{" META ",'nodes':{'a':1}}",
	    "m.json: nodes.a: expected an object, found a number");
	assert_refused("{" META ",'nodes':{'a':{}}}", "m.json: nodes.a: no unique_id");
	assert_refused("{" META ",'nodes':{'a':{'unique_id':'a'}}}",
	    "m.json: nodes.a: no resource_type");
	assert_refused("{" META ",'disabled':{'a':{}}}",
	    "m.json: disabled.a: expected a list, found an object");
	assert_refused("{" META ",'disabled':{'a':[{},3]}}", "m.json: disabled.a[0]: no unique_id");
	assert_refused(NODES(NODE_OF("thing", "thing.b", "")),
	    "m.json: nodes['thing.b']: unknown resource_type 'thing'");
}

static void
test_unknown_parents_and_twins_are_refused(void **state)
{
	struct err e = ERR_INIT;
	struct graph *g = graph_new();
	char *text = quoted(NODES(MODEL("model.a", ",'depends_on':{'nodes':['model.b']}")));

	(void)state;
	assert_int_equal(manifest_parse(g, "m.json", text, strlen(text), 0, NULL, &e), -1);
	assert_string_equal(e.msg, "m.json: node 'model.a': unknown parent 'model.b'");
	assert_string_equal(e.hint, "`dbt parse` writes target/manifest.json anew");
	err_release(&e);
	graph_free(g);
	free(text);
	assert_refused(NODES(MODEL("model.a", "") "," MODEL("model.a", "")),
	    "m.json: node 'model.a': there twice");
	assert_refused("{" META ",'nodes':{" MODEL("model.a", "") "},'metrics':{" MODEL("model.a",
	    "") "}}",
	    "m.json: node 'model.a': there twice");
}

#define ON(id, parent) MODEL(id, ",'depends_on':{'nodes':['" parent "']}")

static void
test_cycles_are_named_in_full(void **state)
{
	(void)state;
	assert_refused(NODES(ON("a", "a")), "m.json: a cycle: a -> a");
	assert_refused(NODES(ON("a", "b") "," ON("b", "a")), "m.json: a cycle: a -> b -> a");
	assert_refused(NODES(ON("z", "y") "," ON("y", "x") "," ON("x", "w") "," ON("w", "y") ","
	    ON("a", "w") "," MODEL("free", "")), "m.json: a cycle: w -> x -> y -> w");
}

static char *
chain(size_t n, bool closed)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{" META ",'nodes':{");
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s'm%zu':{'unique_id':'m%zu','resource_type':'model','name':'n',"
		    "'package_name':'shop','original_file_path':'n.sql',"
		    "'depends_on':{'nodes':[%s%.*zu%s]}}",
		    i ? "," : "", i, i, i || closed ? "'m" : "", i || closed ? 1 : 0,
		    i ? i - 1 : closed ? n - 1 : 0, i || closed ? "'" : "");
	buf_adds(&b, "}}");
	return buf_detach(&b);
}

static void
test_a_chain_of_100000(void **state)
{
	char *json = chain(100000, false), *text;
	struct err e = ERR_INIT;
	struct graph *g = parse(json, 0);

	(void)state;
	assert_int_equal(g->nnodes, 100000);
	assert_int_equal(graph_find(g, "m0")->nparents, 0);
	assert_int_equal(graph_find(g, "m99999")->nparents, 1);
	graph_free(g);
	free(json);

	json = chain(100000, true);
	text = quoted(json);
	g = graph_new();
	assert_int_equal(manifest_parse(g, "m.json", text, strlen(text), 0, NULL, &e), -1);
	assert_memory_equal(e.msg, "m.json: a cycle: m", 18);
	assert_true(strlen(e.msg) > 100000 * 9);
	err_release(&e);
	graph_free(g);
	free(json);
	free(text);
}

/* Wherever the file stops it is refused; whatever byte is turned nothing breaks. */
static void
test_every_cut_is_refused(void **state)
{
	char *text = quoted(NODES(MODEL("model.shop.a", ",'config':{'tags':[],'x':1.5},"
	    "'depends_on':{'nodes':['source.s'],'macros':[]},'raw_code':'\xc3\xa9\\n'"))
	    );
	size_t len = strlen(text);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct err e = ERR_INIT;
		struct graph *g = graph_new();

		assert_int_equal(manifest_parse(g, "m.json", text, cut, ALL, NULL, &e), -1);
		assert_non_null(strstr(e.msg, "cut off at byte"));
		assert_string_equal(e.hint, "`dbt parse` writes target/manifest.json anew");
		err_release(&e);
		graph_free(g);
	}
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct err e = ERR_INIT;
			struct graph *g = graph_new();

			text[i] = (char)(text[i] ^ 1 << bit);
			if (manifest_parse(g, "m.json", text, len, ALL, NULL, &e) < 0)
				assert_memory_equal(e.msg, "m.json: ", 8);
			text[i] = (char)(text[i] ^ 1 << bit);
			err_release(&e);
			graph_free(g);
		}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_model_in_full),
		cmocka_unit_test(test_fields_nobody_asked_for_are_left_out),
		cmocka_unit_test(test_each_kind_in_its_own_way),
		cmocka_unit_test(test_which_sources_have_a_freshness_check),
		cmocka_unit_test(test_disabled_nodes_stand_aside),
		cmocka_unit_test(test_a_parent_named_twice_is_one_edge),
		cmocka_unit_test(test_paths_prove_files_of_the_root_project_only),
		cmocka_unit_test(test_macros_with_what_they_call),
		cmocka_unit_test(test_numbers_that_json_lacks),
		cmocka_unit_test(test_older_manifests),
		cmocka_unit_test(test_sections_in_any_order),
		cmocka_unit_test(test_refills_change_nothing),
		cmocka_unit_test(test_reading_a_file_is_parsing_its_bytes),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_wrong_types_are_refused_with_their_path),
		cmocka_unit_test(test_unknown_parents_and_twins_are_refused),
		cmocka_unit_test(test_cycles_are_named_in_full),
		cmocka_unit_test(test_a_chain_of_100000),
		cmocka_unit_test(test_every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
