#include "cli/post_events.h"

#include <stdlib.h>
#include <string.h>

#include "executor/http.h"
#include "util/buf.h"
#include "util/text.h"

#define POST_TIMEOUT_MS 30000

static size_t
count_lines(const char *lines)
{
	size_t n = 0;

	for (const char *s = lines; (s = strchr(s, '\n')); s++)
		n++;
	return n;
}

int
post_events(const char *url, const char *lines, struct err *err)
{
	const char *key = getenv("OPENLINEAGE_API_KEY"), *headers[2] = { NULL, NULL };
	struct buf header = BUF_INIT, body = BUF_INIT;
	size_t total = count_lines(lines), sent = 0;
	int rc = 0;

	if (key && *key) {
		secrets_add(key);
		buf_addf(&header, "Authorization: Bearer %s", key);
		headers[0] = header.data;
	}
	for (const char *s = lines, *end; rc == 0 && (end = strchr(s, '\n')); s = end + 1) {
		struct http_post post = { .url = url, .headers = headers,
		    .timeout_ms = POST_TIMEOUT_MS };

		buf_truncate(&body, 0);
		buf_add(&body, s, (size_t)(end - s));
		post.body = body.data;
		rc = http_post(&post, err);
		if (rc < 0)
			err_prefix(err, "event %zu of %zu", sent + 1, total);
		sent++;
	}
	buf_release(&header);
	buf_release(&body);
	return rc;
}
