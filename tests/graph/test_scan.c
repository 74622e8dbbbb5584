#include "tests/check.h"

#include <unistd.h>

#include "graph/scan.h"

/* Reads one value through the pull interface and writes it again, without blanks. */
static int
rewrite(struct scan *s, struct buf *out)
{
	struct scan_text t;
	bool truth, first = true;
	int more;

	switch (scan_peek(s)) {
	case SCAN_OBJECT:
		if (scan_object(s) < 0)
			return -1;
		buf_addc(out, '{');
		while ((more = scan_key(s, &t)) > 0) {
			buf_addf(out, "%s<%.*s>:", first ? "" : ",", (int)t.len, t.s);
			first = false;
			if (rewrite(s, out) < 0)
				return -1;
		}
		buf_addc(out, '}');
		return more;
	case SCAN_ARRAY:
		if (scan_array(s) < 0)
			return -1;
		buf_addc(out, '[');
		while ((more = scan_item(s)) > 0) {
			buf_adds(out, first ? "" : ",");
			first = false;
			if (rewrite(s, out) < 0)
				return -1;
		}
		buf_addc(out, ']');
		return more;
	case SCAN_STRING:
		if (scan_string(s, &t) < 0)
			return -1;
		buf_addf(out, "<%.*s>", (int)t.len, t.s);
		return 0;
	case SCAN_NUMBER:
		if (scan_number(s, &t) < 0)
			return -1;
		buf_add(out, t.s, t.len);
		return 0;
	case SCAN_TRUE:
	case SCAN_FALSE:
		if (scan_bool(s, &truth) < 0)
			return -1;
		buf_adds(out, truth ? "yes" : "no");
		return 0;
	case SCAN_NULL:
		buf_adds(out, "-");
		return scan_skip(s);
	default:
		return -1;
	}
}

enum { READ, SKIP };

/* What reading (or skipping) the text gives, with refills of `chunk` bytes: the value rewritten
 * (skipped: the text itself), or the error. Good until the next call. */
static const char *
result(const char *json, size_t len, size_t chunk, int how)
{
	static struct buf out;
	struct err e = ERR_INIT;
	struct scan s;
	int rc;

	buf_truncate(&out, 0);
	scan_memory(&s, "f", json, len, &e);
	s.chunk = chunk;
	if (how == SKIP) {
		struct scan_text t;

		scan_mark(&s);
		rc = scan_skip(&s);
		t = scan_marked(&s);
		buf_add(&out, t.s, rc < 0 ? 0 : t.len);
	} else {
		rc = rewrite(&s, &out);
	}
	if (rc == 0)
		rc = scan_end(&s);
	if (rc < 0) {
		buf_truncate(&out, 0);
		assert_non_null(e.msg);
		buf_adds(&out, e.msg);
	} else {
		assert_null(e.msg);
	}
	err_release(&e);
	scan_close(&s);
	return buf_str(&out);
}

static const size_t chunks[] = { 1, 2, 3, 5, 15, 16, 17, 31, 1 << 18 };
#define NCHUNKS (sizeof(chunks) / sizeof(chunks[0]))

static void
assert_reads(const char *json, const char *expected)
{
	for (size_t i = 0; i < NCHUNKS; i++) {
		assert_string_equal(result(json, strlen(json), chunks[i], READ), expected);
		assert_memory_equal(result(json, strlen(json), chunks[i], SKIP), json, 1);
	}
}

static void
assert_refused(const char *json, size_t len, const char *read, const char *skipped)
{
	for (size_t i = 0; i < NCHUNKS; i++) {
		assert_string_equal(result(json, len, chunks[i], READ), read);
		assert_string_equal(result(json, len, chunks[i], SKIP), skipped);
	}
}

static void
test_values_are_read_whatever_the_refills(void **state)
{
	(void)state;
	assert_reads("{}", "{}");
	assert_reads("[ ]", "[]");
	assert_reads("{\"a\" : [1, -0.5e+3,true ,false,null], \"\": {\"b\":\"\"}}",
	    "{<a>:[1,-0.5e+3,yes,no,-],<>:{<b>:<>}}");
	assert_reads("[NaN,Infinity,-Infinity,0,-0,10,1E2]",
	    "[NaN,Infinity,-Infinity,0,-0,10,1E2]");
	assert_reads("\"0123456789abcdef0123456789abcde\"", "<0123456789abcdef0123456789abcde>");
	assert_reads("7", "7");
	assert_reads("[[[],{}],[[]],\t\r\n[{\"x\":[{}]}]]", "[[[],{}],[[]],[{<x>:[{}]}]]");
}

static void
test_escapes_mean_what_they_say(void **state)
{
	(void)state;
	assert_reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "<\"\\/\b\f\n\r\t>");
	assert_reads("\"a\\u0041\\u00e9\\u20ac\\uD83D\\ude00z\"",
	    "<aA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z>");
	assert_reads("{\"k\\u0065y\":\"\xc3\xa9\xf0\x9f\x98\x80\"}",
	    "{<key>:<\xc3\xa9\xf0\x9f\x98\x80>}");
	assert_reads("\"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"", "<\\\\\\\\\\\\\\\\\\>");
}

static void
test_what_is_no_json_is_refused_read_or_skipped(void **state)
{
	static const struct {
		const char *json, *what;
	} cases[] = {
		{ "", "f: cut off at byte 0: expected a value" },
		{ "   ", "f: cut off at byte 3: expected a value" },
		{ "nul", "f: cut off at byte 3: neither a number nor true, false, null" },
		{ "nulll", "f: cut off at byte 5: neither a number nor true, false, null" },
		{ "01 ", "f: not valid JSON at byte 0: neither a number nor true, false, null" },
		{ "1. ", "f: not valid JSON at byte 0: neither a number nor true, false, null" },
		{ "1e ", "f: not valid JSON at byte 0: neither a number nor true, false, null" },
		{ "-Inf ", "f: not valid JSON at byte 0: neither a number nor true, false, null" },
		{ "+1", "f: not valid JSON at byte 0: expected a value" },
		{ ".5", "f: not valid JSON at byte 0: expected a value" },
		{ "'a'", "f: not valid JSON at byte 0: expected a value" },
		{ "\xef\xbb\xbf{}", "f: not valid JSON at byte 0: expected a value" },
		{ "1 2", "f: not valid JSON at byte 2: text after the end" },
		{ "{} x", "f: not valid JSON at byte 3: text after the end" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].json, strlen(cases[i].json), cases[i].what, cases[i].what);
}

/* The place inside a skipped value is not tracked, the byte is. */
static void
test_broken_insides_name_path_and_byte(void **state)
{
	static const struct {
		const char *json, *path, *what;
	} cases[] = {
		{ "[1", "[0]: ", "cut off at byte 2: expected ',' or ']'" },
		{ "[1,", "[1]: ", "cut off at byte 3: expected a value" },
		{ "[1 2]", "[0]: ", "not valid JSON at byte 3: expected ',' or ']'" },
		{ "[1,]", "[1]: ", "not valid JSON at byte 3: expected a value" },
		{ "[,1]", "[0]: ", "not valid JSON at byte 1: expected a value" },
		{ "[1}", "[0]: ", "not valid JSON at byte 2: expected ',' or ']'" },
		{ "{\"a\":1]", "a: ", "not valid JSON at byte 6: expected ',' or '}'" },
		{ "{\"a\" 1}", "a: ", "not valid JSON at byte 5: expected ':' after a key" },
		{ "{\"a\":}", "a: ", "not valid JSON at byte 5: expected a value" },
		{ "{\"a\":1,}", "a: ", "not valid JSON at byte 7: expected a key in quotes" },
		{ "{a:1}", "", "not valid JSON at byte 1: expected a key in quotes" },
		{ "{\"a", "", "cut off at byte 3: the file ends inside a string" },
		{ "{\"a\":{\"b c\":\"x", "a['b c']: ",
		  "cut off at byte 14: the file ends inside a string" },
		{ "[\"\\x\"]", "[0]: ", "not valid JSON at byte 2: unknown escape in a string" },
		{ "[\"\\", "[0]: ", "cut off at byte 3: the file ends inside a string" },
		{ "[\"\\u12", "[0]: ", "cut off at byte 6: the file ends inside a string" },
		{ "[\"\\u12g4\"]", "[0]: ",
		  "not valid JSON at byte 2: a \\u without four hexadecimal digits" },
		{ "[\"\\ud800x\"]", "[0]: ", "not valid JSON at byte 2: half of a surrogate pair" },
		{ "[\"\\ud800\\u0041\"]", "[0]: ",
		  "not valid JSON at byte 2: half of a surrogate pair" },
		{ "[\"\\udc00\"]", "[0]: ", "not valid JSON at byte 2: half of a surrogate pair" },
		{ "[\"a\nb\"]", "[0]: ",
		  "not valid JSON at byte 3: a control character in a string" },
		{ "[\"\x80\"]", "[0]: ", "not valid JSON at byte 2: text that is not UTF-8" },
		{ "[\"\xc0\xaf\"]", "[0]: ", "not valid JSON at byte 2: text that is not UTF-8" },
		{ "[\"\xe0\x9f\xbf\"]", "[0]: ",
		  "not valid JSON at byte 2: text that is not UTF-8" },
		{ "[\"\xed\xa0\x80\"]", "[0]: ",
		  "not valid JSON at byte 2: text that is not UTF-8" },
		{ "[\"\xf4\x90\x80\x80\"]", "[0]: ",
		  "not valid JSON at byte 2: text that is not UTF-8" },
		{ "[\"\xc3\"]", "[0]: ", "not valid JSON at byte 2: text that is not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char read[200], skipped[200];

		snprintf(read, sizeof(read), "f: %s%s", cases[i].path, cases[i].what);
		snprintf(skipped, sizeof(skipped), "f: %s", cases[i].what);
		assert_refused(cases[i].json, strlen(cases[i].json), read, skipped);
	}
}

static void
test_a_nul_is_no_end(void **state)
{
	(void)state;
	assert_refused("[\0]", 3, "f: [0]: not valid JSON at byte 1: expected a value",
	    "f: not valid JSON at byte 1: expected a value");
	assert_refused("[\"\0\"]", 5,
	    "f: [0]: not valid JSON at byte 2: a control character in a string",
	    "f: not valid JSON at byte 2: a control character in a string");
	assert_refused("[]\0", 3, "f: not valid JSON at byte 2: text after the end",
	    "f: not valid JSON at byte 2: text after the end");
	/* written as an escape it is JSON, but no text for C */
	assert_string_equal(result("[\"a\\u0000\"]", 11, 64, READ),
	    "f: [0]: a text with a NUL character");
	assert_string_equal(result("[\"a\\u0000\"]", 11, 64, SKIP), "[\"a\\u0000\"]");
}

static void
test_every_cut_is_noticed(void **state)
{
	static const char json[] =
	    "{\"a\\n\": [1.5, \"\xc3\xa9\\u20ac\", {\"b\": null}], \"c\": true}";

	(void)state;
	for (size_t len = 0; len < sizeof(json) - 1; len++)
		for (size_t i = 0; i < NCHUNKS; i++) {
			assert_memory_equal(result(json, len, chunks[i], READ), "f: ", 3);
			assert_memory_equal(result(json, len, chunks[i], SKIP), "f: cut off", 10);
		}
	assert_string_equal(result(json, sizeof(json) - 1, 1, SKIP), json);
}

static char *
nested(size_t depth, const char *open, const char *close)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < depth; i++)
		buf_adds(&b, open);
	buf_adds(&b, "1");
	for (size_t i = 0; i < depth; i++)
		buf_adds(&b, close);
	return buf_detach(&b);
}

static void
test_nesting_has_a_limit(void **state)
{
	char *fits = nested(SCAN_DEPTH, "{\"a\":[", "]}");
	char *deep = nested(SCAN_DEPTH + 1, "[", "]");
	char *half = nested(SCAN_DEPTH / 2, "{\"a\":[", "]}");
	char *absurd = nested(1000000, "[", "]");

	(void)state;
	assert_non_null(strstr(result(fits, strlen(fits), 64, SKIP), "nested deeper than 256"));
	assert_non_null(strstr(result(deep, strlen(deep), 64, READ), "nested deeper than 256"));
	assert_non_null(strstr(result(deep, strlen(deep), 64, SKIP), "nested deeper than 256"));
	assert_string_equal(result(half, strlen(half), 64, SKIP), half);
	assert_int_equal(result(half, strlen(half), 64, READ)[0], '{');
	assert_string_equal(result(absurd, strlen(absurd), 4096, SKIP),
	    "f: nested deeper than 256");
	free(fits);
	free(deep);
	free(half);
	free(absurd);
}

static void
test_wrong_types_are_named_with_their_path(void **state)
{
	static const char json[] = "{\"nodes\":{\"model.a\":{\"fqn\":[\"x\",7]}}}";
	struct err e = ERR_INIT;
	struct scan_text t;
	struct scan s;

	(void)state;
	scan_memory(&s, "m.json", json, sizeof(json) - 1, &e);
	assert_int_equal(scan_object(&s), 0);
	assert_int_equal(scan_key(&s, &t), 1);
	assert_int_equal(scan_object(&s), 0);
	assert_int_equal(scan_key(&s, &t), 1);
	assert_int_equal(scan_object(&s), 0);
	assert_int_equal(scan_key(&s, &t), 1);
	assert_int_equal(scan_array(&s), 0);
	assert_int_equal(scan_item(&s), 1);
	assert_int_equal(scan_string(&s, &t), 0);
	assert_int_equal(scan_item(&s), 1);
	assert_int_equal(scan_string(&s, &t), -1);
	assert_string_equal(e.msg,
	    "m.json: nodes['model.a'].fqn[1]: expected a string, found a number");
	/* the first error stays, and nothing works after it */
	assert_int_equal(scan_skip(&s), -1);
	assert_int_equal(scan_item(&s), -1);
	assert_int_equal(scan_end(&s), -1);
	assert_string_equal(e.msg,
	    "m.json: nodes['model.a'].fqn[1]: expected a string, found a number");
	err_release(&e);
	scan_close(&s);
}

/* A mark survives refills and growth, also around values that are read piece by piece. */
static void
test_marked_text_is_whole(void **state)
{
	struct buf json = BUF_INIT;
	struct err e = ERR_INIT;
	struct scan_text t;
	struct scan s;

	(void)state;
	buf_adds(&json, "[ {\"key\" : [\"");
	buf_pad(&json, 'x', 700000);
	buf_adds(&json, "\", 1]}");
	buf_adds(&json, ",2]");
	scan_memory(&s, "f", json.data, json.len, &e);
	assert_int_equal(scan_array(&s), 0);
	assert_int_equal(scan_item(&s), 1);
	scan_mark(&s);
	assert_int_equal(scan_object(&s), 0);
	assert_int_equal(scan_key(&s, &t), 1);
	assert_int_equal(scan_skip(&s), 0);
	assert_int_equal(scan_key(&s, &t), 0);
	t = scan_marked(&s);
	assert_int_equal(t.len, json.len - strlen("[ ") - strlen(",2]"));
	assert_memory_equal(t.s, json.data + 2, t.len);
	assert_int_equal(scan_item(&s), 1);
	assert_int_equal(scan_number(&s, &t), 0);
	assert_memory_equal(t.s, "2", 1);
	scan_close(&s);
	buf_release(&json);
}

static void
test_memory_is_bound_by_a_token(void **state)
{
	struct buf json = BUF_INIT;
	struct err e = ERR_INIT;
	struct scan s;

	(void)state;
	buf_adds(&json, "[0");
	for (int i = 0; i < 400000; i++)
		buf_addf(&json, ",{\"k%d\":\"some text\"}", i);
	buf_addc(&json, ']');
	scan_memory(&s, "f", json.data, json.len, &e);
	assert_int_equal(scan_skip(&s), 0);
	assert_int_equal(scan_end(&s), 0);
	assert_true(s.cap <= (size_t)256 << 10);
	scan_close(&s);
	buf_release(&json);
}

static void
test_a_pipe_and_a_folder(void **state)
{
	struct err e = ERR_INIT;
	struct scan_text t;
	struct scan s;
	char path[32];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "\"hel", 4), 4);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(scan_open(&s, path, &e), 0);
	assert_int_equal(write(ends[1], "lo\" ", 4), 4);
	close(ends[1]);
	assert_int_equal(scan_string(&s, &t), 0);
	assert_int_equal(t.len, 5);
	assert_int_equal(scan_end(&s), 0);
	scan_close(&s);
	close(ends[0]);

	assert_int_equal(scan_open(&s, ".", &e), 0);
	assert_int_equal(scan_skip(&s), -1);
	assert_string_equal(e.msg, ".: cannot read: Is a directory");
	scan_close(&s);
	assert_int_equal(scan_open(&s, "absent", &e), -1);
	assert_string_equal(e.msg, "absent: cannot open: No such file or directory");
	assert_int_equal(scan_skip(&s), -1);
	scan_close(&s);
	err_release(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_read_whatever_the_refills),
		cmocka_unit_test(test_escapes_mean_what_they_say),
		cmocka_unit_test(test_what_is_no_json_is_refused_read_or_skipped),
		cmocka_unit_test(test_broken_insides_name_path_and_byte),
		cmocka_unit_test(test_a_nul_is_no_end),
		cmocka_unit_test(test_every_cut_is_noticed),
		cmocka_unit_test(test_nesting_has_a_limit),
		cmocka_unit_test(test_wrong_types_are_named_with_their_path),
		cmocka_unit_test(test_marked_text_is_whole),
		cmocka_unit_test(test_memory_is_bound_by_a_token),
		cmocka_unit_test(test_a_pipe_and_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
