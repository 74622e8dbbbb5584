#include "tests/check.h"

#include "exporters/exporter.h"
#include "exporters/lineage_run.h"
#include "exporters/picture.h"
#include "exporters/stamp.h"
#include "graph/manifest.h"
#include "util/err.h"

/*
 * source shop.orders -> stg (ephemeral) -> orders -> report (exposure); seed raw -> orders;
 * a model `orders` of another package; a metric `raw`; a test on orders.
 */
static const char manifest[] =
"{\"metadata\": {\"dbt_schema_version\": \"https://schemas.getdbt.com/dbt/manifest/v12.json\","
"  \"dbt_version\": \"1.11.0\", \"project_name\": \"shop\", \"adapter_type\": \"duckdb\"},"
"\"sources\": {\"source.shop.shop.orders\": {\"resource_type\": \"source\","
"  \"unique_id\": \"source.shop.shop.orders\", \"name\": \"orders\", \"source_name\": \"shop\","
"  \"package_name\": \"shop\", \"fqn\": [\"shop\", \"shop\", \"orders\"],"
"  \"original_file_path\": \"models/sources.yml\"}},"
"\"nodes\": {"
"\"model.shop.stg\": {\"resource_type\": \"model\", \"unique_id\": \"model.shop.stg\","
"  \"name\": \"stg\", \"package_name\": \"shop\", \"fqn\": [\"shop\", \"stg\"],"
"  \"original_file_path\": \"models/staging/stg.sql\", \"config\": {\"materialized\": "
"\"ephemeral\"},"
"  \"tags\": [\"night\"], \"raw_code\": \"x\","
"  \"depends_on\": {\"nodes\": [\"source.shop.shop.orders\"]}},"
"\"model.shop.orders\": {\"resource_type\": \"model\", \"unique_id\": \"model.shop.orders\","
"  \"name\": \"orders\", \"package_name\": \"shop\", \"fqn\": [\"shop\", \"orders\"],"
"  \"original_file_path\": \"models/orders.sql\", \"config\": {\"materialized\": \"table\"},"
"  \"tags\": [], \"raw_code\": \"x\","
"  \"depends_on\": {\"nodes\": [\"model.shop.stg\", \"seed.shop.raw\"]}},"
"\"model.vendor.orders\": {\"resource_type\": \"model\", \"unique_id\": \"model.vendor.orders\","
"  \"name\": \"orders\", \"package_name\": \"vendor\", \"fqn\": [\"vendor\", \"orders\"],"
"  \"original_file_path\": \"models/orders.sql\", \"config\": {\"materialized\": \"view\"},"
"  \"tags\": [], \"raw_code\": \"x\", \"depends_on\": {\"nodes\": []}},"
"\"seed.shop.raw\": {\"resource_type\": \"seed\", \"unique_id\": \"seed.shop.raw\", \"name\": "
"\"raw\","
"  \"package_name\": \"shop\", \"fqn\": [\"shop\", \"raw\"], \"original_file_path\": "
"\"seeds/raw.csv\","
"  \"config\": {\"materialized\": \"seed\"}, \"tags\": []},"
"\"test.shop.t.1\": {\"resource_type\": \"test\", \"unique_id\": \"test.shop.t.1\", \"name\": "
"\"t\","
"  \"package_name\": \"shop\", \"fqn\": [\"shop\", \"t\"], \"original_file_path\": "
"\"models/x.yml\","
"  \"attached_node\": \"model.shop.orders\", \"config\": {\"materialized\": \"test\"}, \"tags\": "
"[],"
"  \"raw_code\": \"x\", \"depends_on\": {\"nodes\": [\"model.shop.orders\"]}}},"
"\"exposures\": {\"exposure.shop.report\": {\"resource_type\": \"exposure\","
"  \"unique_id\": \"exposure.shop.report\", \"name\": \"report\", \"package_name\": \"shop\","
"  \"fqn\": [\"shop\", \"report\"], \"original_file_path\": \"models/x.yml\","
"  \"depends_on\": {\"nodes\": [\"model.shop.orders\"]}}},"
"\"metrics\": {\"metric.shop.raw\": {\"resource_type\": \"metric\","
"  \"unique_id\": \"metric.shop.raw\", \"name\": \"raw\", \"package_name\": \"shop\","
"  \"fqn\": [\"shop\", \"raw\"], \"original_file_path\": \"models/x.yml\","
"  \"depends_on\": {\"nodes\": []}}},"
"\"macros\": {}, \"disabled\": {}}";

struct fixture {
	struct graph *g;
	struct set nodes;
	struct plan *plan;
	struct task_options tasks;
	struct lineage_run run;
	struct export_job job;
};

static int
set_up(void **state)
{
	static struct fixture f;
	struct err err = ERR_INIT;
	char *warning;

	f.g = graph_new();
	if (manifest_parse(f.g, "manifest", manifest, sizeof(manifest) - 1, 0, &warning, &err) < 0)
		fail_msg("%s", err.msg);
	free(warning);
	set_init(&f.nodes, f.g->nnodes);
	set_fill(&f.nodes);
	f.plan = plan_new(f.g, &f.nodes, PLAN_BUILD, &err);
	assert_non_null(f.plan);
	plan_weigh(f.plan);
	f.tasks = (struct task_options){ .retries = -1, .warn_errors = "{}" };
	f.run = (struct lineage_run){ .invocation_id = "1" };
	f.job = (struct export_job){
		.graph = f.g, .nodes = &f.nodes, .plan = f.plan, .tasks = &f.tasks, .title = "shop",
		.stamp = "", .data_namespace = "duckdb",
		.run = &f.run,
		.group_by = GROUP_BY_FOLDER
	};
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	plan_free(f->plan);
	set_release(&f->nodes);
	graph_free(f->g);
	return 0;
}

static void
leave_out(struct fixture *f, const char *id)
{
	set_del(&f->nodes, graph_find(f->g, id)->index);
}

static const struct picture_node *
find(const struct picture *p, const char *id)
{
	for (size_t i = 0; i < p->nnodes; i++)
		if (strcmp(p->nodes[i].node->id, id) == 0)
			return &p->nodes[i];
	fail_msg("%s is not drawn", id);
	return NULL;
}

/* "a>b a~>c": labels, ~ = over nodes not drawn, ! = critical */
static const char *
edges(const struct picture *p)
{
	static struct buf b;

	buf_truncate(&b, 0);
	for (size_t i = 0; i < p->nedges; i++)
		buf_addf(&b, "%s%s%s>%s%s", i ? " " : "", p->nodes[p->edges[i].from].label,
		    p->edges[i].through ? "~" : "", p->nodes[p->edges[i].to].label,
		    p->edges[i].critical ? "!" : "");
	return buf_str(&b);
}

static void
test_labels_are_unique(void **state)
{
	struct fixture *f = *state;
	struct picture *p = picture_new(&f->job);

	assert_string_equal(find(p, "model.vendor.orders")->label, "vendor.orders");
	assert_string_equal(find(p, "metric.shop.raw")->label, "raw (metric)");
	/* A model's second form is the source's first one: ids settle it. */
	assert_string_equal(find(p, "model.shop.orders")->label, "model.shop.orders");
	assert_string_equal(find(p, "source.shop.shop.orders")->label, "source.shop.shop.orders");
	assert_string_equal(find(p, "seed.shop.raw")->label, "raw");
	picture_free(p);
}

static void
test_edges_lead_over_what_is_not_drawn(void **state)
{
	struct fixture *f = *state;
	struct picture *p;

	leave_out(f, "model.shop.stg");
	leave_out(f, "model.vendor.orders");
	leave_out(f, "metric.shop.raw");
	leave_out(f, "test.shop.t.1");
	p = picture_new(&f->job);
	assert_string_equal(edges(p),
	    "orders>report! raw>orders! shop.orders~>orders");
	picture_free(p);
}

static void
test_the_critical_path_passes_ephemeral_models(void **state)
{
	struct fixture *f = *state;
	struct picture *p;

	leave_out(f, "test.shop.t.1");
	p = picture_new(&f->job);
	assert_true(find(p, "model.shop.orders")->critical);
	assert_true(find(p, "exposure.shop.report")->critical);
	assert_true(find(p, "seed.shop.raw")->critical);
	assert_false(find(p, "model.vendor.orders")->critical);
	assert_int_equal(p->npath, 3);
	assert_string_equal(p->critical_name, "longest chain, 3 tasks");
	picture_free(p);
}

static void
test_groups_are_folders(void **state)
{
	struct fixture *f = *state;
	struct picture *p = picture_new(&f->job);

	assert_int_equal(p->ngroups, 7);
	assert_string_equal(p->groups[0].name, "exposures");
	assert_string_equal(p->groups[1].name, "metrics");
	assert_string_equal(p->groups[2].name, "models");
	assert_string_equal(p->groups[3].name, "models/staging");
	assert_string_equal(p->groups[4].name, "seeds");
	assert_string_equal(p->groups[5].name, "source shop");
	assert_string_equal(p->groups[6].name, "vendor: models");
	/* A test stands with what it tests. */
	assert_int_equal(find(p, "test.shop.t.1")->group, 2);
	picture_free(p);

	f->job.group_by = GROUP_BY_TAG;
	p = picture_new(&f->job);
	assert_int_equal(p->ngroups, 2);
	assert_string_equal(p->groups[find(p, "model.shop.stg")->group].name, "night");
	assert_string_equal(p->groups[find(p, "seed.shop.raw")->group].name, "untagged");
	picture_free(p);
}

static const char *
colour_of(const struct picture *p, const char *id)
{
	return p->colours[find(p, id)->colour].name;
}

static void
test_colours_by_kind_status_and_time(void **state)
{
	struct fixture *f = *state;
	struct picture *p = picture_new(&f->job);
	struct task *orders = (struct task *)(uintptr_t)plan_find(f->plan,
	    graph_find(f->g, "model.shop.orders"));
	struct task *raw = (struct task *)(uintptr_t)plan_find(f->plan,
	    graph_find(f->g, "seed.shop.raw"));

	assert_string_equal(colour_of(p, "seed.shop.raw"), "seeds");
	assert_string_equal(colour_of(p, "model.shop.stg"), "models");
	assert_int_equal(p->ncolours, 6);
	picture_free(p);

	orders->last_status = "error";
	raw->last_status = "success";
	raw->seconds = 10;
	f->job.timed = true;
	f->job.colour_by = COLOUR_BY_STATUS;
	p = picture_new(&f->job);
	assert_string_equal(colour_of(p, "model.shop.orders"), "failed");
	assert_string_equal(colour_of(p, "seed.shop.raw"), "succeeded");
	assert_string_equal(colour_of(p, "model.shop.stg"), "no result");
	picture_free(p);

	f->job.colour_by = COLOUR_BY_TIME;
	p = picture_new(&f->job);
	assert_string_equal(colour_of(p, "seed.shop.raw"), "up to 10 s");
	assert_string_equal(colour_of(p, "model.shop.orders"), "no time");   /* it failed at once */
	picture_free(p);
}

static const char *
written(const struct exporter *x, struct fixture *f)
{
	static struct buf out;
	struct err err = ERR_INIT;

	buf_truncate(&out, 0);
	if (x->write(&f->job, &out, &err) < 0)
		fail_msg("%s: %s", x->name, err.msg);
	/* The files of a folder as one text. */
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '\0')
			out.data[i] = '\n';
	return buf_str(&out);
}

static void
test_every_target_is_deterministic_and_stamped(void **state)
{
	struct fixture *f = *state;
	struct buf line = BUF_INIT;
	struct arena a = ARENA_INIT;
	struct stamp s;
	size_t n;
	const struct exporter *const *all = exporter_all(&n);

	for (size_t i = 0; i < n; i++) {
		char *first;

		f->tasks.image = all[i]->image ? "shop:1" : NULL;
		buf_truncate(&line, 0);
		stamp_word(&line, "heddle");
		stamp_word(&line, "export");
		stamp_word(&line, all[i]->name);
		stamp_plan(&line, &f->job);
		f->job.stamp = line.data;
		first = strdup(written(all[i], f));
		assert_string_equal(written(all[i], f), first);
		if (!stamp_find(&s, &a, first))
			fail_msg("%s: no stamp", all[i]->name);
		assert_int_equal(s.nwords, 3);
		assert_string_equal(s.words[2], all[i]->name);
		assert_ptr_equal(exporter_find(all[i]->name), all[i]);
		free(first);
	}
	buf_release(&line);
	arena_release(&a);
}

static void
test_the_plan_hash_sees_edges_and_policies(void **state)
{
	struct fixture *f = *state;
	struct buf a = BUF_INIT, b = BUF_INIT;

	stamp_plan(&a, &f->job);
	f->plan->tasks[0].policy.max_attempts = 7;
	stamp_plan(&b, &f->job);
	assert_string_not_equal(a.data, b.data);
	f->plan->tasks[0].policy.max_attempts = 0;
	leave_out(f, "seed.shop.raw");
	buf_truncate(&b, 0);
	stamp_plan(&b, &f->job);
	assert_string_not_equal(a.data, b.data);
	buf_release(&a);
	buf_release(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_labels_are_unique),
		TEST(test_edges_lead_over_what_is_not_drawn),
		TEST(test_the_critical_path_passes_ephemeral_models),
		TEST(test_groups_are_folders),
		TEST(test_colours_by_kind_status_and_time),
		TEST(test_every_target_is_deterministic_and_stamped),
		TEST(test_the_plan_hash_sees_edges_and_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
