#include "executor/results.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

struct entry {
	char *json;      /* NULL = no result yet */
	size_t order;    /* when it ended */
};

struct results {
	const struct plan *plan;
	struct entry *tasks;       /* by task index */
	size_t nended;
	struct buf start, end;     /* hooks, each entry followed by ", " */
	struct buf others;         /* nodes that are no tasks, likewise */
};

struct results *
results_new(const struct plan *p)
{
	struct results *r = xcalloc(1, sizeof(*r));

	r->plan = p;
	r->tasks = xcalloc(p->ntasks, sizeof(*r->tasks));
	return r;
}

void
results_free(struct results *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->plan->ntasks; i++)
		free(r->tasks[i].json);
	free(r->tasks);
	buf_release(&r->start);
	buf_release(&r->end);
	buf_release(&r->others);
	free(r);
}

/* Nodes that dbt compiles carry compiled, compiled_code and relation_name (CompiledResource). */
static bool
is_compiled_kind(enum node_kind k)
{
	return k == KIND_MODEL || k == KIND_TEST || k == KIND_SNAPSHOT || k == KIND_ANALYSIS ||
		k == KIND_FUNCTION;
}

static char *
make_entry(const struct node *n, enum result_status status, const char *message, double seconds)
{
	bool compiled = is_compiled_kind(n->kind);
	struct buf b = BUF_INIT;

	buf_reserve(&b, 400);    /* as long as most are */
	buf_addf(&b, "{\"status\": \"%s\", \"timing\": [], \"thread_id\": \"\", "
	    "\"execution_time\": %.6f, \"adapter_response\": {}, \"message\": ",
	    result_status_name(status), seconds);
	if (message)
		text_add_json(&b, message);
	else
		buf_adds(&b, "null");
	buf_adds(&b, ", \"failures\": null, \"unique_id\": ");
	text_add_json(&b, n->id);
	buf_addf(&b, ", \"compiled\": %s, \"compiled_code\": null, \"relation_name\": ",
	    compiled ? "false" : "null");
	if (compiled && n->relation_name)
		text_add_json(&b, n->relation_name);
	else
		buf_adds(&b, "null");
	buf_adds(&b, ", \"batch_results\": null}");
	return buf_detach(&b);
}

static void
take(struct results *r, size_t task, char *json)
{
	struct entry *e = &r->tasks[task];

	free(e->json);
	e->json = json;
	e->order = r->nended++;
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct results *r = self;
	const struct run_task *t = ev->task;

	(void)err;
	if (ev->kind != EVENT_TASK || t->task->node->kind == KIND_SOURCE)
		return 0;
	if (ev->to == TASK_SKIPPED)
		take(r, t->task->index, make_entry(t->task->node, RESULT_SKIPPED, t->why, 0));
	else if (ev->to == TASK_DONE && t->entry)
		take(r, t->task->index, xstrdup(t->entry));
	else if (ev->to == TASK_DONE)
		take(r, t->task->index, make_entry(t->task->node, t->status,
		    t->message ? t->message : t->why, (double)t->busy_ms / 1000));
	return 0;
}

struct observer
results_observer(struct results *r)
{
	return (struct observer){ .self = r, .event = on_event };
}

void
results_add_hook(struct results *r, const char *entry, bool at_start)
{
	struct buf *b = at_start ? &r->start : &r->end;

	buf_adds(b, entry);
	buf_adds(b, ", ");
}

void
results_add(struct results *r, const char *entry)
{
	buf_adds(&r->others, entry);
	buf_adds(&r->others, ", ");
}

void
results_add_ended(struct results *r, const struct node *n, enum result_status status,
    const char *why)
{
	char *entry = make_entry(n, status, why, 0);

	results_add(r, entry);
	free(entry);
}

void
results_skip_rest(struct results *r, const char *why)
{
	for (size_t i = 0; i < r->plan->ntasks; i++)
		if (!r->tasks[i].json && r->plan->tasks[i].node->kind != KIND_SOURCE)
			take(r, i, make_entry(r->plan->tasks[i].node, RESULT_SKIPPED, why, 0));
}

static int
by_order(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

static void
add_tasks(const struct results *r, struct buf *b)
{
	const struct entry **ended = xcalloc(r->plan->ntasks, sizeof(*ended));
	size_t n = 0;

	for (size_t i = 0; i < r->plan->ntasks; i++)
		if (r->tasks[i].json)
			ended[n++] = &r->tasks[i];
	if (n)
		qsort(ended, n, sizeof(*ended), by_order);
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, ended[i]->json);
		buf_adds(b, ", ");
	}
	free(ended);
}

int
results_write(const struct results *r, const struct results_head *head, const char *path,
    struct err *err)
{
	struct buf b = BUF_INIT;
	int rc;

	buf_addf(&b, "{\"metadata\": %s, \"results\": [", head->metadata);
	buf_add(&b, buf_str(&r->start), r->start.len);
	add_tasks(r, &b);
	buf_add(&b, buf_str(&r->others), r->others.len);
	buf_add(&b, buf_str(&r->end), r->end.len);
	if (text_ends(b.data, ", "))
		buf_truncate(&b, b.len - 2);
	buf_addf(&b, "], \"elapsed_time\": %.6f, \"args\": %s}", head->elapsed_s, head->args);
	secrets_mask(&b, 0);
	rc = fs_replace(path, b.data, b.len, 0666 & ~fs_umask(), err);
	buf_release(&b);
	return rc;
}
