/*
 * Any bytes as JSON: reading piece by piece, skipping, and reading with refills of a few bytes
 * agree; what is accepted cJSON accepts too, with the same strings in the same order. The first
 * byte is the size of a refill.
 */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "graph/scan.h"

static int
walk(struct scan *s, struct buf *out)
{
	enum scan_type type = scan_peek(s);
	struct scan_text t;
	bool truth;
	int more;

	switch (type) {
	case SCAN_OBJECT:
	case SCAN_ARRAY:
		if ((type == SCAN_OBJECT ? scan_object(s) : scan_array(s)) < 0)
			return -1;
		while ((more = type == SCAN_OBJECT ? scan_key(s, &t) : scan_item(s)) > 0) {
			if (type == SCAN_OBJECT)
				buf_addf(out, "%.*s\n", (int)t.len, t.s);
			if (walk(s, out) < 0)
				return -1;
		}
		return more;
	case SCAN_STRING:
		if (scan_string(s, &t) < 0)
			return -1;
		buf_addf(out, "%.*s\n", (int)t.len, t.s);
		return 0;
	case SCAN_NUMBER:
		return scan_number(s, &t);
	case SCAN_TRUE:
	case SCAN_FALSE:
		return scan_bool(s, &truth);
	case SCAN_NULL:
		return scan_skip(s);
	default:
		return -1;
	}
}

struct outcome {
	int rc;
	bool odd;
	struct buf strings;
	struct err err;
};

static void
run(struct outcome *o, const uint8_t *data, size_t len, size_t chunk, bool skip)
{
	struct scan s;

	memset(o, 0, sizeof(*o));
	scan_memory(&s, "f", (const char *)data, len, &o->err);
	s.chunk = chunk;
	o->rc = skip ? scan_skip(&s) : walk(&s, &o->strings);
	if (o->rc == 0)
		o->rc = scan_end(&s);
	o->odd = s.odd;
	MUST((o->rc < 0) == (o->err.msg != NULL));
	scan_close(&s);
}

static void
release(struct outcome *o)
{
	buf_release(&o->strings);
	err_release(&o->err);
}

static void
add_strings(const cJSON *j, struct buf *out)
{
	for (; j; j = j->next) {
		if (j->string)
			buf_addf(out, "%s\n", j->string);
		if (cJSON_IsString(j))
			buf_addf(out, "%s\n", j->valuestring);
		add_strings(j->child, out);
	}
}

static void
compare_with_cjson(const struct outcome *o, const uint8_t *data, size_t len)
{
	struct buf text = BUF_INIT, strings = BUF_INIT;
	cJSON *j;

	buf_add(&text, data, len);
	j = cJSON_ParseWithOpts(text.data, NULL, true);
	MUST(j);
	add_strings(j, &strings);
	MUST(strcmp(buf_str(&strings), buf_str(&o->strings)) == 0);
	cJSON_Delete(j);
	buf_release(&text);
	buf_release(&strings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome whole, pieces, skipped;

	if (!len)
		return 0;
	run(&whole, data + 1, len - 1, SIZE_MAX, false);
	run(&pieces, data + 1, len - 1, data[0] ? data[0] : 1, false);
	run(&skipped, data + 1, len - 1, data[0] ? data[0] : 1, true);
	MUST(whole.rc == pieces.rc);
	MUST(strcmp(buf_str(&whole.strings), buf_str(&pieces.strings)) == 0);
	MUST(whole.rc == 0 || strcmp(whole.err.msg, pieces.err.msg) == 0);
	MUST(whole.rc < 0 || skipped.rc == 0);
	MUST(skipped.rc < 0 || whole.rc == 0 || strstr(whole.err.msg, "NUL character"));
	if (whole.rc == 0 && !whole.odd)
		compare_with_cjson(&whole, data + 1, len - 1);
	release(&whole);
	release(&pieces);
	release(&skipped);
	return 0;
}
