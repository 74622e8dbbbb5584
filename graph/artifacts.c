#include "graph/artifacts.h"

#include <stdlib.h>
#include <string.h>

#include "graph/scan.h"
#include "util/buf.h"

struct kind {
	const char *path;    /* in the schema's address, before the number */
	const char *what;
	int oldest, newest;
};

static int
check_schema(struct scan *s, const struct kind *kind)
{
	struct scan_text t;
	struct buf b = BUF_INIT;
	const char *number;
	int version = 0;

	if (scan_string(s, &t) < 0)
		return -1;
	buf_add(&b, t.s, t.len);
	number = strstr(b.data, kind->path);
	if (number)
		version = (int)strtol(number + strlen(kind->path), NULL, 10);
	buf_release(&b);
	if (version < kind->oldest || version > kind->newest)
		return scan_fail(s, "not %s of version %d to %d: '%.*s'", kind->what, kind->oldest,
			kind->newest, (int)t.len, t.s);
	return 0;
}

static int
read_metadata(struct scan *s, const struct kind *kind)
{
	struct scan_text key;
	int more;

	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0)
		if ((scan_is(&key, "dbt_schema_version") ? check_schema(s, kind) :
		    scan_skip(s)) < 0)
			return -1;
	return more;
}

/* A text into b; null leaves it empty and *there false. */
static int
read_text(struct scan *s, struct buf *b, bool *there)
{
	struct scan_text t;

	buf_truncate(b, 0);
	*there = scan_peek(s) != SCAN_NULL;
	if (!*there)
		return scan_skip(s);
	if (scan_string(s, &t) < 0)
		return -1;
	buf_add(b, t.s, t.len);
	return 0;
}

enum { ID, STATUS, LOADED, NTEXTS };

static int
read_row(struct scan *s, struct buf texts[NTEXTS], artifact_fn *each, void *self)
{
	static const char *const keys[NTEXTS] = { "unique_id", "status", "max_loaded_at" };
	bool there[NTEXTS] = { false };
	struct scan_text key;
	int more;

	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0) {
		size_t i = 0;

		while (i < NTEXTS && !scan_is(&key, keys[i]))
			i++;
		if ((i < NTEXTS ? read_text(s, &texts[i], &there[i]) : scan_skip(s)) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	if (!there[ID] || !there[STATUS])
		return scan_fail(s, "no %s", keys[there[ID] ? STATUS : ID]);
	each(self, &(struct artifact_row){
		.id = buf_str(&texts[ID]), .status = buf_str(&texts[STATUS]),
		.max_loaded_at = there[LOADED] ? buf_str(&texts[LOADED]) : NULL,
	});
	return 0;
}

static int
read_rows(struct scan *s, artifact_fn *each, void *self)
{
	struct buf texts[NTEXTS] = { BUF_INIT, BUF_INIT, BUF_INIT };
	int more = scan_array(s);

	while (more >= 0 && (more = scan_item(s)) > 0)
		more = read_row(s, texts, each, self);
	for (size_t i = 0; i < NTEXTS; i++)
		buf_release(&texts[i]);
	return more;
}

static int
read_file(const char *path, const struct kind *kind, artifact_fn *each, void *self, struct err *err)
{
	struct scan s;
	struct scan_text key;
	bool known = false;
	int more = scan_open(&s, path, err);

	if (more == 0)
		more = scan_object(&s);
	while (more >= 0 && (more = scan_key(&s, &key)) > 0) {
		if (scan_is(&key, "metadata")) {
			known = true;
			more = read_metadata(&s, kind);
		} else {
			more = scan_is(&key, "results") ? read_rows(&s, each, self) : scan_skip(&s);
		}
	}
	if (more == 0)
		more = scan_end(&s);
	if (more == 0 && !known)
		more = err_set(err, "%s: no metadata: not %s", path, kind->what);
	scan_close(&s);
	return more;
}

int
artifact_run_results(const char *path, artifact_fn *each, void *self, struct err *err)
{
	static const struct kind kind = { "/run-results/v", "run results", 4, 6 };

	return read_file(path, &kind, each, self, err);
}

int
artifact_sources(const char *path, artifact_fn *each, void *self, struct err *err)
{
	static const struct kind kind = { "/sources/v", "source freshness results", 3, 3 };

	return read_file(path, &kind, each, self, err);
}
