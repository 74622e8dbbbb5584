#include "executor/sources.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define SCHEMA "https://schemas.getdbt.com/dbt/sources/v3.json"

struct sources {
	const struct plan *plan;
	char **entries;          /* in the order the checks ended */
	size_t n;                /* no task ends twice: at most plan->ntasks */
};

struct sources *
sources_new(const struct plan *p)
{
	struct sources *s = xcalloc(1, sizeof(*s));

	s->plan = p;
	s->entries = xcalloc(p->ntasks + 1, sizeof(*s->entries));
	return s;
}

void
sources_free(struct sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->entries[i]);
	free(s->entries);
	free(s);
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct sources *s = self;

	(void)err;
	if (ev->kind == EVENT_TASK && ev->to == TASK_DONE &&
	    ev->task->task->node->kind == KIND_SOURCE && ev->task->entry)
		s->entries[s->n++] = xstrdup(ev->task->entry);
	return 0;
}

struct observer
sources_observer(struct sources *s)
{
	return (struct observer){ .self = s, .event = on_event };
}

static void
add_metadata(struct buf *b, const char *metadata)
{
	cJSON *doc = cJSON_Parse(metadata);
	char *printed;

	cJSON_DeleteItemFromObjectCaseSensitive(doc, "dbt_schema_version");
	cJSON_AddStringToObject(doc, "dbt_schema_version", SCHEMA);
	printed = cJSON_PrintUnformatted(doc);
	buf_adds(b, printed ? printed : "{}");
	cJSON_free(printed);
	cJSON_Delete(doc);
}

int
sources_write(const struct sources *s, const struct results_head *head, const char *path,
    struct err *err)
{
	struct buf b = BUF_INIT;
	int rc;

	buf_adds(&b, "{\"metadata\": ");
	add_metadata(&b, head->metadata);
	buf_adds(&b, ", \"results\": [");
	for (size_t i = 0; i < s->n; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", s->entries[i]);
	buf_addf(&b, "], \"elapsed_time\": %.6f}", head->elapsed_s);
	secrets_mask(&b, 0);
	rc = fs_replace(path, b.data, b.len, 0666 & ~fs_umask(), err);
	buf_release(&b);
	return rc;
}

/* ---- an age in words; executor/dbt_worker.py has the same ones ---- */

static void
add_duration(struct buf *b, double s)
{
	static const struct {
		const char *name;
		double s;
	} units[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	const size_t last = sizeof(units) / sizeof(units[0]) - 1;
	size_t i = 0, from = b->len;

	while (i < last && s < units[i].s && -s < units[i].s)
		i++;
	buf_addf(b, "%.3g", s / units[i].s);
	buf_addf(b, " %s%s", units[i].name, strcmp(b->data + from, "1") == 0 ? "" : "s");
}

/* "2026-01-02T03:04:05.678+00:00" */
static void
add_moment(struct buf *b, const char *iso)
{
	size_t day = strcspn(iso, "T"), clock = strcspn(iso + day, ".+-Z"), rest = day + clock;

	buf_add(b, iso, day);
	if (clock > 0)
		buf_addf(b, " %.*s", (int)clock - 1, iso + day + 1);
	rest += iso[rest] == '.' ? strcspn(iso + rest, "+-Z") : 0;
	if (strcmp(iso + rest, "Z") == 0 || strcmp(iso + rest, "+00:00") == 0)
		buf_adds(b, " UTC");
	else if (iso[rest])
		buf_addf(b, " %s", iso + rest);
}

static void
add_limit(struct buf *b, const cJSON *criteria, const char *key, const char *word)
{
	const cJSON *limit = cJSON_GetObjectItemCaseSensitive(criteria, key);
	const cJSON *count = cJSON_GetObjectItemCaseSensitive(limit, "count");
	const char *period = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(limit,
	    "period"));

	if (!cJSON_IsNumber(count) || !period)
		return;
	buf_addf(b, "%s%s after %.0f %s%s", b->len && b->data[b->len - 1] != ' ' ? ", " : "", word,
	    count->valuedouble, period, count->valuedouble == 1 ? "" : "s");
}

char *
source_age(const char *entry)
{
	cJSON *doc = cJSON_Parse(entry);
	const cJSON *age = cJSON_GetObjectItemCaseSensitive(doc, "max_loaded_at_time_ago_in_s");
	const cJSON *criteria = cJSON_GetObjectItemCaseSensitive(doc, "criteria");
	const char *at = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc,
	    "max_loaded_at"));
	struct buf b = BUF_INIT;
	char *said = NULL;

	if (at && cJSON_IsNumber(age)) {
		if (text_starts(at, "0001-")) {
			buf_adds(&b, "never loaded");
		} else {
			buf_adds(&b, "last loaded ");
			add_duration(&b, age->valuedouble);
			buf_adds(&b, " ago, at ");
			add_moment(&b, at);
		}
		buf_adds(&b, "; ");
		add_limit(&b, criteria, "warn_after", "warn");
		add_limit(&b, criteria, "error_after", "error");
		said = buf_detach(&b);
	}
	buf_release(&b);
	cJSON_Delete(doc);
	return said;
}
