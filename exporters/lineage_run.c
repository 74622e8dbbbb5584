#include "exporters/lineage_run.h"

#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "graph/scan.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define UNKNOWN INT64_MIN    /* of times, while the file is read */

bool
lineage_failed(const char *status)
{
	return strcmp(status, "error") == 0 || strcmp(status, "fail") == 0 ||
		strcmp(status, "runtime error") == 0 || strcmp(status, "partial success") == 0;
}

bool
lineage_skipped(const char *status)
{
	return strcmp(status, "skipped") == 0;
}

/* ---- values; one of another type counts as absent ---- */

/* The value as it is written. */
static int
read_json(struct scan *s, struct arena *a, const char **out)
{
	struct scan_text t;

	scan_mark(s);
	if (scan_skip(s) < 0)
		return -1;
	t = scan_marked(s);
	*out = arena_strndup(a, t.s, t.len);
	return 0;
}

static int
read_time(struct scan *s, int64_t *us)
{
	struct scan_text t;
	char text[64];

	if (scan_text_or_skip(s, &t) < 0)
		return -1;
	if (t.len == 0 || t.len >= sizeof(text))
		return 0;
	memcpy(text, t.s, t.len);
	text[t.len] = '\0';
	*us = clock_parse_iso_us(text);
	return 0;
}

static int
read_seconds(struct scan *s, int64_t *us)
{
	struct scan_text t;
	double seconds;

	if (scan_peek(s) != SCAN_NUMBER)
		return scan_skip(s);
	if (scan_number(s, &t) < 0)
		return -1;
	seconds = strtod(t.s, NULL);    /* what follows a number in JSON ends it */
	*us = seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1e6) : 0;
	return 0;
}

/* ---- results ---- */

static int
read_timing(struct scan *s, struct lineage_row *row)
{
	int64_t from = UNKNOWN, to = UNKNOWN;
	struct scan_text key;
	int more;

	if (scan_peek(s) != SCAN_OBJECT)
		return scan_skip(s);
	more = scan_object(s);
	while (more >= 0 && (more = scan_key(s, &key)) > 0)
		more = scan_is(&key, "started_at") ? read_time(s, &from) :
			scan_is(&key, "completed_at") ? read_time(s, &to) : scan_skip(s);
	if (from != UNKNOWN && (row->started_us == UNKNOWN || from < row->started_us))
		row->started_us = from;
	if (to > row->ended_us)
		row->ended_us = to;
	return more;
}

static int
read_timings(struct scan *s, struct lineage_row *row)
{
	int more;

	if (scan_peek(s) != SCAN_ARRAY)
		return scan_skip(s);
	more = scan_array(s);
	while (more >= 0 && (more = scan_item(s)) > 0)
		more = read_timing(s, row);
	return more;
}

static int
read_member(struct scan *s, struct arena *a, struct lineage_row *row, const struct scan_text *key)
{
	const struct { const char *key, **value; } kept[] = {
		{ "message", &row->message }, { "adapter_response", &row->adapter_response },
		{ "compiled_code", &row->compiled_code }, { "failures", &row->failures },
	};

	if (scan_is(key, "unique_id"))
		return scan_keep_text(s, a, &row->id);
	if (scan_is(key, "status"))
		return scan_keep_text(s, a, &row->status);
	if (scan_is(key, "timing"))
		return read_timings(s, row);
	if (scan_is(key, "execution_time"))
		return read_seconds(s, &row->took_us);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (scan_is(key, kept[i].key))
			return read_json(s, a, kept[i].value);
	return scan_skip(s);
}

static int
read_row(struct lineage_run *run, struct scan *s)
{
	struct lineage_row row = { .started_us = UNKNOWN, .ended_us = UNKNOWN };
	struct scan_text key;
	int more = scan_object(s);

	while (more >= 0 && (more = scan_key(s, &key)) > 0)
		more = read_member(s, &run->arena, &row, &key);
	if (more < 0)
		return -1;
	if (!row.id || !row.status)
		return scan_fail(s, "no %s", row.id ? "status" : "unique_id");
	run->rows = xgrow(run->rows, run->nrows, &run->cap, sizeof(row));
	run->rows[run->nrows++] = row;
	run->failed = run->failed || lineage_failed(row.status) || lineage_skipped(row.status);
	return 0;
}

static int
read_rows(struct lineage_run *run, struct scan *s)
{
	int more = scan_array(s);

	while (more >= 0 && (more = scan_item(s)) > 0)
		more = read_row(run, s);
	return more;
}

/* ---- the file ---- */

static int
read_metadata(struct lineage_run *run, struct scan *s)
{
	struct scan_text key;
	int more = scan_object(s);

	while (more >= 0 && (more = scan_key(s, &key)) > 0)
		more = scan_is(&key, "invocation_id") ?
			scan_keep_text(s, &run->arena, &run->invocation_id) :
			scan_is(&key, "dbt_version") ?
			scan_keep_text(s, &run->arena, &run->dbt_version) :
			scan_is(&key, "generated_at") ? read_time(s, &run->ended_us) :
			scan_is(&key, "invocation_started_at") ? read_time(s, &run->started_us) :
			scan_skip(s);
	return more;
}

/* From the first timing to the last; dbt leaves the one out in which a node failed, so the
 * execution time counts too. A node never tried has neither: it stands at the end of the run. */
static void
settle_row(struct lineage_row *row, int64_t run_ended_us)
{
	if (row->started_us == UNKNOWN)
		row->started_us = run_ended_us - row->took_us;
	if (row->ended_us < row->started_us + row->took_us)
		row->ended_us = row->started_us + row->took_us;
}

/* Before dbt 1.9 only the end is written; a node may have begun before what is written. */
static void
settle_times(struct lineage_run *run, int64_t took_us)
{
	if (run->started_us == UNKNOWN)
		run->started_us = run->ended_us - took_us;
	for (size_t i = 0; i < run->nrows; i++) {
		struct lineage_row *row = &run->rows[i];

		settle_row(row, run->ended_us);
		if (row->started_us < run->started_us)
			run->started_us = row->started_us;
	}
	for (size_t i = 0; i < run->nrows; i++)
		if (run->rows[i].ended_us > run->ended_us)
			run->ended_us = run->rows[i].ended_us;
}

/* "build", of the arguments. */
static const char *
read_command(struct lineage_run *run)
{
	struct buf b = BUF_INIT;
	const char *command = NULL;

	json_add_string(&b, json_get(run->args, "which"));
	if (b.len)
		command = arena_strdup(&run->arena, b.data);
	buf_release(&b);
	return command;
}

int
lineage_run_read(struct lineage_run *run, const char *path, struct err *err)
{
	struct scan s;
	struct scan_text key;
	bool results = false;
	int64_t took_us = 0;
	int more;

	*run = (struct lineage_run){ .started_us = UNKNOWN, .ended_us = UNKNOWN };
	more = scan_open(&s, path, err);
	if (more == 0)
		more = scan_object(&s);
	while (more >= 0 && (more = scan_key(&s, &key)) > 0) {
		if (scan_is(&key, "metadata")) {
			more = read_metadata(run, &s);
		} else if (scan_is(&key, "results")) {
			results = true;
			more = read_rows(run, &s);
		} else {
			more = scan_is(&key, "args") ? read_json(&s, &run->arena, &run->args) :
				scan_is(&key, "elapsed_time") ? read_seconds(&s, &took_us) :
				scan_skip(&s);
		}
	}
	if (more == 0)
		more = scan_end(&s);
	scan_close(&s);
	if (more == 0 && (!results || !run->invocation_id || run->ended_us == UNKNOWN))
		more = err_set(err, "%s: not the results of a run: no %s", path,
			!results ? "results" : !run->invocation_id ? "invocation_id" :
			"generated_at");
	if (more < 0)
		return -1;
	settle_times(run, took_us);
	run->command = read_command(run);
	return 0;
}

void
lineage_run_release(struct lineage_run *run)
{
	free(run->rows);
	arena_release(&run->arena);
}
