#include "tests/check.h"

#include "exporters/ids.h"
#include "util/map.h"

static struct graph graph = { .project_name = "shop" };

static const char *
id_in(const struct id_style *style, struct node n)
{
	static struct buf b;

	if (!n.package)
		n.package = "shop";
	if (!n.id)
		n.id = n.name;
	buf_truncate(&b, 0);
	id_add(&b, &graph, &n, style);
	return buf_str(&b);
}

#define ID(...) id_in(&id_plain, (struct node){ __VA_ARGS__ })

static void
test_ids_read_like_names(void **state)
{
	(void)state;
	assert_string_equal(ID(.kind = KIND_MODEL, .name = "stg_orders"), "stg_orders");
	assert_string_equal(ID(.kind = KIND_MODEL, .name = "dim", .versioned = true,
	    .version = "2"),
	    "dim__v2");
	assert_string_equal(ID(.kind = KIND_SEED, .name = "raw"), "raw__seed");
	assert_string_equal(ID(.kind = KIND_MODEL, .name = "holidays", .package = "tea_utils"),
	    "holidays__in_tea_utils");
	assert_string_equal(ID(.kind = KIND_SOURCE, .name = "orders", .source_name = "shop"),
	    "shop__orders__source");
	assert_string_equal(ID(.kind = KIND_MODEL, .name = "stg_shop__orders"), "stg_shop__orders");
}

static void
test_what_was_lost_is_told_apart_by_a_hash(void **state)
{
	(void)state;
	assert_string_equal(ID(.kind = KIND_MODEL, .name = "with-dash",
	    .id = "model.shop.with-dash"),
	    "with_dash_c8ee2278");
	assert_string_not_equal(ID(.kind = KIND_MODEL, .name = "a-b", .id = "model.shop.a-b"),
	    "a_b");
	assert_int_equal(strncmp(ID(.kind = KIND_MODEL, .name = "0starts"), "n_0starts_", 10), 0);
	assert_int_equal(strncmp(ID(.kind = KIND_MODEL, .name = "\xe6\xa8\xa1"), "n__", 3), 0);
	/* A name that looks like another node's id is not left alone. */
	assert_int_equal(strncmp(ID(.kind = KIND_MODEL, .name = "raw__seed"), "raw__seed_", 10), 0);
	assert_int_equal(strncmp(ID(.kind = KIND_MODEL, .name = "dim__v2"), "dim__v2_", 8), 0);
	assert_int_equal(strncmp(ID(.kind = KIND_MODEL, .name = "x__in_y"), "x__in_y_", 8), 0);
}

static void
test_long_names_are_cut(void **state)
{
	char x[301], y[301];
	char first[ID_MAX + 1];

	(void)state;
	memset(x, 'x', 300);
	memset(y, 'x', 300);
	x[300] = y[300] = '\0';
	y[299] = 'y';
	snprintf(first, sizeof(first), "%s", ID(.kind = KIND_MODEL, .name = x));
	assert_int_equal(strlen(first), ID_MAX);
	assert_string_not_equal(ID(.kind = KIND_MODEL, .name = y), first);
	assert_int_equal(strlen(ID(.kind = KIND_SEED, .name = x)), ID_MAX);
}

static void
test_styles_of_stricter_targets(void **state)
{
	static const struct id_style argo = { '-', false, true }, mage = { '_', true, false };

	(void)state;
	assert_string_equal(id_in(&argo, (struct node){ .kind = KIND_MODEL, .name = "stg_orders" }),
	    "stg-orders");
	assert_string_equal(id_in(&mage, (struct node){ .kind = KIND_MODEL, .name = "upper" }),
	    "upper");
	assert_int_equal(strncmp(id_in(&mage, (struct node){ .kind = KIND_MODEL, .name = "Upper" }),
	    "upper_", 6), 0);
}

/* Every pair of these was one id in some tool. */
static void
test_no_two_nodes_share_an_id(void **state)
{
	static const struct node nodes[] = {
		{ .id = "model.shop.a", .kind = KIND_MODEL, .package = "shop", .name = "a" },
		{ .id = "seed.shop.a", .kind = KIND_SEED, .package = "shop", .name = "a" },
		{ .id = "snapshot.shop.a", .kind = KIND_SNAPSHOT, .package = "shop", .name = "a" },
		{ .id = "model.vendor.a", .kind = KIND_MODEL, .package = "vendor", .name = "a" },
		{ .id = "model.shop.a_seed", .kind = KIND_MODEL, .package = "shop",
		  .name = "a_seed" },
		{ .id = "model.shop.a__seed", .kind = KIND_MODEL, .package = "shop",
		  .name = "a__seed" },
		{ .id = "model.shop.a.v1", .kind = KIND_MODEL, .package = "shop", .name = "a",
		  .versioned = true, .version = "1" },
		{ .id = "model.shop.a__v1", .kind = KIND_MODEL, .package = "shop",
		  .name = "a__v1" },
		{ .id = "model.shop.a.v1_5", .kind = KIND_MODEL, .package = "shop", .name = "a",
		  .versioned = true, .version = "1_5" },
		{ .id = "model.shop.a.v1.5", .kind = KIND_MODEL, .package = "shop", .name = "a",
		  .versioned = true, .version = "1.5" },
		{ .id = "model.shop.a.b", .kind = KIND_MODEL, .package = "shop", .name = "a.b" },
		{ .id = "model.shop.a-b", .kind = KIND_MODEL, .package = "shop", .name = "a-b" },
		{ .id = "model.shop.a_b", .kind = KIND_MODEL, .package = "shop", .name = "a_b" },
		{ .id = "model.shop.a  b", .kind = KIND_MODEL, .package = "shop", .name = "a  b" },
		{ .id = "source.shop.a.b__c", .kind = KIND_SOURCE, .package = "shop",
		  .source_name = "a",
		  .name = "b__c" },
		{ .id = "source.shop.a__b.c", .kind = KIND_SOURCE, .package = "shop",
		  .source_name = "a__b", .name = "c" },
		{ .id = "model.shop.a__b__c__source", .kind = KIND_MODEL, .package = "shop",
		  .name = "a__b__c__source" },
	};
	struct graph g = { .project_name = "shop", .nodes = (struct node *)(uintptr_t)nodes,
		.nnodes = sizeof(nodes) / sizeof(nodes[0]) };
	struct set all;
	struct err err = ERR_INIT;

	(void)state;
	set_init(&all, g.nnodes);
	set_fill(&all);
	assert_int_equal(ids_check(&g, &all, &id_plain, &err), 0);
	assert_int_equal(ids_check(&g, &all, &(struct id_style){ '-', true, true }, &err), 0);
	set_release(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_read_like_names),
		cmocka_unit_test(test_what_was_lost_is_told_apart_by_a_hash),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_styles_of_stricter_targets),
		cmocka_unit_test(test_no_two_nodes_share_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
