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
