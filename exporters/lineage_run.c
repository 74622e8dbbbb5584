#include "exporters/lineage_run.h"

#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "util/buf.h"
#include "util/clock.h"

static const char *
text_of(struct arena *a, const char *value)
{
	const char *s = NULL;
	struct buf b = BUF_INIT;

	json_add_string(&b, value);
	if (b.len)
		s = arena_strdup(a, b.data);
	buf_release(&b);
	return s;
}

static const char *
text_in(struct arena *a, const char *object, const char *key)
{
	return text_of(a, json_get(object, key));
}

static int64_t
time_in(struct arena *a, const char *object, const char *key)
{
	const char *text = text_in(a, object, key);

	return text ? clock_parse_iso_us(text) : INT64_MIN;
}

static double
number_in(const char *object, const char *key)
{
	const char *value = json_get(object, key);

	return value ? strtod(value, NULL) : 0;    /* null and texts are 0 */
}

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

/* The values of one result, found in one pass: entries hold whole queries. */
struct members {
	const char *unique_id, *status, *message, *adapter_response, *compiled_code, *failures,
	    *timing, *execution_time;
};

static struct members
find_members(const char *entry)
{
	struct members m = { 0 };
	const struct { const char *key, **value; } wanted[] = {
		{ "unique_id", &m.unique_id }, { "status", &m.status }, { "message", &m.message },
		{ "adapter_response", &m.adapter_response }, { "compiled_code", &m.compiled_code },
		{ "failures", &m.failures }, { "timing", &m.timing },
		{ "execution_time", &m.execution_time },
	};

	for (const char *item = json_first(entry); item; item = json_next(item))
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (json_is_string(item, wanted[i].key))
				*wanted[i].value = json_value(item);
	return m;
}

/* From the first timing to the last; dbt leaves the one out in which a node failed, so the
 * execution time counts too. A node never tried has neither: it stands at the end of the run. */
static void
read_times(struct lineage_run *run, struct lineage_row *row, const struct members *m)
{
	double seconds = m->execution_time ? strtod(m->execution_time, NULL) : 0;
	int64_t took = seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1e6) : 0;

	row->started_us = row->ended_us = INT64_MIN;
	for (const char *t = json_first(m->timing); t; t = json_next(t)) {
		int64_t from = time_in(&run->arena, t, "started_at");
		int64_t to = time_in(&run->arena, t, "completed_at");

		if (from != INT64_MIN && (row->started_us == INT64_MIN || from < row->started_us))
			row->started_us = from;
		if (to > row->ended_us)
			row->ended_us = to;
	}
	if (row->started_us == INT64_MIN)
		row->started_us = run->ended_us - took;
	if (row->ended_us < row->started_us + took)
		row->ended_us = row->started_us + took;
}

static int
read_row(struct lineage_run *run, struct lineage_row *row, const char *entry, struct err *err)
{
	const struct members m = find_members(entry);

	row->id = text_of(&run->arena, m.unique_id);
	row->status = text_of(&run->arena, m.status);
	if (!row->id || !row->status)
		return err_set(err, "result %zu has no unique_id or no status", run->nrows + 1);
	row->message = m.message;
	row->adapter_response = m.adapter_response;
	row->compiled_code = m.compiled_code;
	row->failures = m.failures;
	read_times(run, row, &m);
	run->failed = run->failed || lineage_failed(row->status) || lineage_skipped(row->status);
	return 0;
}

int
lineage_run_read(struct lineage_run *run, const char *text, struct err *err)
{
	struct arena *a = &run->arena;
	const char *metadata = json_get(text, "metadata"), *results = json_get(text, "results");

	memset(run, 0, sizeof(*run));
	run->invocation_id = text_in(a, metadata, "invocation_id");
	run->dbt_version = text_in(a, metadata, "dbt_version");
	run->command = text_in(a, json_get(text, "args"), "which");
	run->ended_us = time_in(a, metadata, "generated_at");
	run->started_us = time_in(a, metadata, "invocation_started_at");
	if (!results || !run->invocation_id || run->ended_us == INT64_MIN)
		return err_set(err, "not the results of a run: no results, invocation_id or "
		    "generated_at");
	run->rows = arena_zalloc(a, json_count(results) + 1, sizeof(*run->rows));
	for (const char *entry = json_first(results); entry; entry = json_next(entry)) {
		if (read_row(run, &run->rows[run->nrows], entry, err) < 0)
			return -1;
		run->nrows++;
	}
	/* Before dbt 1.9 only the end is written; a node may have begun before what is written. */
	if (run->started_us == INT64_MIN)
		run->started_us = run->ended_us - (int64_t)(number_in(text, "elapsed_time") * 1e6);
	for (size_t i = 0; i < run->nrows; i++) {
		if (run->rows[i].started_us < run->started_us)
			run->started_us = run->rows[i].started_us;
		if (run->rows[i].ended_us > run->ended_us)
			run->ended_us = run->rows[i].ended_us;
	}
	return 0;
}

void
lineage_run_release(struct lineage_run *run)
{
	arena_release(&run->arena);
}
