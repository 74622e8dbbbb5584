#include "tests/check.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

#include "executor/notify_body.h"
#include "util/text.h"

static struct node nodes[80];
static struct notify_node failed[80];

static struct notify_run
make_run(size_t nfailed, const char *message)
{
	for (size_t i = 0; i < nfailed; i++) {
		nodes[i] = (struct node){ .id = "model.shop.<o&o>\x1b[31m", .name = "o",
		    .kind = KIND_MODEL };
		failed[i] = (struct notify_node){ .node = &nodes[i], .status = RESULT_ERROR,
			.class = CLASS_DATABASE, .message = message, .attempts = 1,
			.busy_ms = 1500 };
	}
	return (struct notify_run){ .project = "shop", .target = "prod", .command = "build",
		.run_id = "r",
		.exit_code = 1, .took_ms = 2500, .nfailed = nfailed, .failed = failed };
}

static const char *
text_in(const cJSON *doc, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, key));
}

static void
test_json_is_bounded_and_keeps_texts(void **state)
{
	char *message = malloc(1000001), *body;
	struct notify_run run;
	const cJSON *list;
	cJSON *doc;

	(void)state;
	memset(message, '"', 1000000);
	message[1000000] = '\0';
	run = make_run(80, message);
	body = notify_json_body(NOTIFY_FAILURE, &run);
	assert_true(strlen(body) < 300000);
	doc = cJSON_Parse(body);
	assert_non_null(doc);
	assert_string_equal(text_in(doc, "event"), "failure");
	assert_string_equal(text_in(doc, "target"), "prod");
	list = cJSON_GetObjectItemCaseSensitive(doc, "nodes");
	assert_int_equal(cJSON_GetArraySize(list), NOTIFY_NODES);
	assert_string_equal(text_in(list->child, "unique_id"), nodes[0].id);
	assert_int_equal(strlen(text_in(list->child, "message")), 1000);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(doc, "more_nodes")->valueint, 30);
	cJSON_Delete(doc);
	free(body);
	free(message);
}

static void
test_slack_shows_no_markup_of_others(void **state)
{
	struct notify_run run = make_run(12, "<!channel> a & b\nsecond line");
	char *body = notify_slack_body(NOTIFY_FAILURE, &run);
	cJSON *doc = cJSON_Parse(body);

	(void)state;
	assert_non_null(doc);
	assert_true(strncmp(text_in(doc, "text"),
	    ":x: *heddle build* of shop (prod) failed: 0 good, 12 failed, "
	    "0 skipped, 2.5 s\n• model.shop.&lt;o&amp;o&gt;\\x1b[31m error: &lt;!channel&gt; a "
	    "&amp; b\n• ", 150) == 0);
	assert_non_null(strstr(text_in(doc, "text"), "\n… and 2 more"));
	assert_null(strstr(body, "second line"));
	cJSON_Delete(doc);
	free(body);
}

static void
test_secrets_are_masked(void **state)
{
	struct notify_run run = make_run(1, "cannot log in with pa55word-of-db");
	char *json, *slack;

	(void)state;
	secrets_add("pa55word-of-db");
	json = notify_json_body(NOTIFY_FAILURE, &run);
	slack = notify_slack_body(NOTIFY_FAILURE, &run);
	assert_non_null(strstr(json, "log in with " SECRETS_MASK));
	assert_non_null(strstr(slack, "log in with " SECRETS_MASK));
	assert_null(strstr(json, "pa55"));
	assert_null(strstr(slack, "pa55"));
	free(json);
	free(slack);
	secrets_release();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_is_bounded_and_keeps_texts),
		cmocka_unit_test(test_slack_shows_no_markup_of_others),
		cmocka_unit_test(test_secrets_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
