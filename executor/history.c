#include "executor/history.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "executor/history_write.h"
#include "util/arena.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define FLUSH_ROWS 1000
#define FLUSH_MS 500
#define SEEN_MS 30000                /* a run that says nothing shows in this way that it lives */
#define MAX_WAITING 100000           /* rows kept while another process holds the file */
#define BEGIN_WAIT_MS 1000           /* for the lock; during the run nothing waits for it */
#define END_WAIT_MS 2000
#define MAX_TEXT ((size_t)16 << 10)  /* of one message or statement */
#define MAX_TEXTS ((size_t)16 << 20) /* of a run; then only MAX_TEXT_LATE of each message */
#define MAX_TEXT_LATE ((size_t)200)
#define NONE SIZE_MAX

/* What has to be remembered of a task between its events. */
struct mark {
	int64_t node;             /* id in the file; 0 = not there */
	int64_t ready_ms, busy_ms;
	size_t waited_for;        /* task whose end made this one ready, or NONE */
	size_t ended;             /* 1 = the first that ended; 0 = not yet */
	unsigned announced;       /* attempt that started */
	unsigned noted;           /* attempt that has a row */
};

struct history {
	char *path, *project, *target;
	void *self;
	void (*warn)(void *self, const char *text);
	struct history_writer *writer;
	bool broken;              /* nothing is recorded any more */

	int64_t run;              /* 0 before history_begin() */
	const struct plan *plan;
	struct mark *marks;       /* by task index */
	size_t nended;
	struct history_counts counts;

	struct history_row *rows; /* waiting to be written */
	size_t nrows, rows_cap;
	struct arena texts;       /* of the rows */
	size_t texts_kept;        /* bytes, of the whole run */
	int64_t flushed_ms;       /* monotonic */
};

/* The first failure ends the record, not the run. */
static void
give_up(struct history *h)
{
	struct buf b = BUF_INIT;

	if (h->broken)
		return;
	h->broken = true;
	buf_addf(&b, "%s: cannot write: %s; the run goes on, its history is not kept", h->path,
	    history_writer_trouble(h->writer));
	history_writer_rollback(h->writer);
	if (h->warn)
		h->warn(h->self, b.data);
	buf_release(&b);
}

struct history *
history_open(const struct history_options *o, struct err *err)
{
	struct history *h = xcalloc(1, sizeof(*h));

	h->path = xstrdup(o->path);
	h->project = xstrdup(o->project ? o->project : "");
	h->target = xstrdup(o->target ? o->target : "");
	h->self = o->self;
	h->warn = o->warn;
	h->writer = history_writer_open(h->path, err);
	if (!h->writer) {
		history_close(h);
		return NULL;
	}
	return h;
}

void
history_close(struct history *h)
{
	if (!h)
		return;
	history_writer_close(h->writer);
	arena_release(&h->texts);
	free(h->rows);
	free(h->marks);
	free(h->path);
	free(h->project);
	free(h->target);
	free(h);
}

size_t
history_medians(struct history *h, const struct plan *p, double *seconds, const char **last)
{
	if (!h || h->broken) {
		for (size_t i = 0; i < p->ntasks; i++) {
			seconds[i] = -1;
			if (last)
				last[i] = NULL;
		}
		return 0;
	}
	return history_writer_medians(h->writer, h->project, h->target, p, seconds, last);
}

/* ---- the beginning of a run ---- */

static bool
note_nodes(struct history *h)
{
	for (size_t i = 0; i < h->plan->ntasks; i++) {
		const struct node *n = h->plan->tasks[i].node;
		const struct history_node_facts f = { n->id, kind_name(n->kind), n->name, n->path,
			n->materialized };

		h->marks[i].waited_for = NONE;
		h->marks[i].node = history_writer_node(h->writer, &f);
		if (!h->marks[i].node)
			return false;
	}
	return true;
}

static bool
note_run(struct history *h, const struct history_facts *given)
{
	struct history_facts f = *given;
	struct buf selection = BUF_INIT;

	if (f.selection) {
		buf_adds(&selection, f.selection);
		secrets_mask(&selection, 0);
		f.selection = selection.data;
	}
	h->run = history_writer_run(h->writer, h->project, h->target, &f, h->plan->ntasks);
	buf_release(&selection);
	return h->run != 0;
}

void
history_begin(struct history *h, const struct history_facts *f, const struct plan *plan)
{
	bool busy;

	if (!h || h->broken)
		return;
	h->plan = plan;
	h->marks = xcalloc(plan->ntasks + 1, sizeof(*h->marks));
	h->flushed_ms = clock_mono_ms();
	history_writer_patience(h->writer, BEGIN_WAIT_MS);
	if (!history_writer_begin(h->writer, &busy) || !note_nodes(h) || !note_run(h, f) ||
	    !history_writer_commit(h->writer))
		give_up(h);
	history_writer_patience(h->writer, 0);
}

/* ---- texts ---- */

/* A copy for the row: masked, and cut between two characters where it is long. */
static const char *
keep_text(struct history *h, const char *text)
{
	size_t max = h->texts_kept < MAX_TEXTS ? MAX_TEXT : MAX_TEXT_LATE, len;
	struct buf b = BUF_INIT;
	const char *kept;

	if (!text || !*text)
		return NULL;
	/* Masked before it is cut: half a secret would not be found. */
	buf_adds(&b, text);
	secrets_mask(&b, 0);
	len = b.len;
	if (len > max) {
		len = max;
		while (len > 0 && ((unsigned char)b.data[len] & 0xc0) == 0x80)
			len--;
		kept = arena_printf(&h->texts, "%.*s\n... (%zu bytes more)", (int)len, b.data,
		    b.len - len);
	} else {
		kept = arena_strndup(&h->texts, b.data, len);
	}
	h->texts_kept += len;
	buf_release(&b);
	return kept;
}

/* The SQL of an attempt that failed: from dbt's entry, else from the file dbt compiled it to. */
static const char *
keep_sql(struct history *h, const struct result *r)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	const char *kept;
	const cJSON *code;
	cJSON *entry;

	if (h->texts_kept >= MAX_TEXTS)
		return NULL;
	entry = r->entry ? cJSON_Parse(r->entry) : NULL;
	code = cJSON_GetObjectItemCaseSensitive(entry, "compiled_code");
	kept = keep_text(h, cJSON_GetStringValue(code));
	if (!kept && r->compiled_path && fs_read(r->compiled_path, &b, &err) == 0)
		kept = keep_text(h, buf_str(&b));
	cJSON_Delete(entry);
	buf_release(&b);
	err_release(&err);
	return kept;
}

/* How old a source's data was: dbt's entry of a freshness check has it (sources.json). */
static double
age_of(const struct result *r)
{
	cJSON *entry = r->entry ? cJSON_Parse(r->entry) : NULL;
	const cJSON *age = cJSON_GetObjectItemCaseSensitive(entry, "max_loaded_at_time_ago_in_s");
	double s = cJSON_IsNumber(age) ? age->valuedouble : -1;

	cJSON_Delete(entry);
	return s;
}

/* ---- rows ---- */

static struct history_row *
add_row(struct history *h, int64_t node)
{
	struct history_row *r;

	h->rows = xgrow(h->rows, h->nrows, &h->rows_cap, sizeof(*h->rows));
	r = &h->rows[h->nrows++];
	*r = (struct history_row){ .node = node, .thread = -1, .ready_ms = -1, .started_ms = -1,
		.took_ms = -1, .waited_for = -1, .failures = -1, .rows = -1, .age_s = -1 };
	return r;
}

static void
count(struct history *h, enum result_status s, unsigned attempts)
{
	if (s == RESULT_SKIPPED)
		h->counts.nskipped++;
	else if (!result_status_good(s))
		h->counts.nfailed++;
	else if (s == RESULT_WARN)
		h->counts.nwarned++;
	else
		h->counts.ngood++;
	if (attempts > 1 && result_status_good(s))
		h->counts.nretried++;
}

/* What made the task ready: the one of its parents that ended last. */
static size_t
last_of_parents(const struct history *h, const struct task *t)
{
	size_t last = NONE;

	for (size_t i = 0; i < t->nparents; i++) {
		size_t p = t->parents[i];

		if (h->marks[p].ended && (last == NONE || h->marks[p].ended > h->marks[last].ended))
			last = p;
	}
	return last;
}

static void
note_attempt(struct history *h, const struct run_event *ev)
{
	const struct run_task *t = ev->task;
	const struct result *res = ev->result;
	struct mark *m = &h->marks[t->task->index];
	bool good = result_status_good(t->status);
	struct history_row *r = add_row(h, m->node);

	r->attempt = t->attempts;
	r->last = ev->to == TASK_DONE;
	r->status = t->status;
	r->class = t->class;
	r->thread = (int)t->thread;
	r->ready_ms = m->ready_ms;
	r->started_ms = t->started_ms;
	r->took_ms = res && res->took_ms >= 0 ? res->took_ms : ev->at_ms - t->started_ms;
	if (r->took_ms < 0)
		r->took_ms = 0;
	if (m->waited_for != NONE)
		r->waited_for = h->marks[m->waited_for].node;
	r->message = keep_text(h, res ? res->message : t->message);
	if (!good)
		r->reason = keep_text(h, ev->text);
	if (res) {
		r->code = keep_text(h, res->code);
		r->failures = res->failures;
		r->rows = res->rows;
		if (!good)
			r->sql = keep_sql(h, res);
		if (t->task->node->kind == KIND_SOURCE)
			r->age_s = age_of(res);
	}
	m->noted = t->attempts;
	m->busy_ms += r->took_ms;
}

static void
note_last(struct history *h, const struct run_event *ev)
{
	struct history_row *r = add_row(h, h->marks[ev->task->task->index].node);

	r->attempt = ev->task->attempts;
	r->known = true;
	r->reason = keep_text(h, ev->text);
}

static void
note_skip(struct history *h, const struct run_event *ev)
{
	struct history_row *r = add_row(h, h->marks[ev->task->task->index].node);

	r->last = true;
	r->status = RESULT_SKIPPED;
	r->reason = keep_text(h, ev->text);
	if (ev->task->cause != SIZE_MAX)
		r->waited_for = h->marks[ev->task->cause].node;
}

/* ---- writing ---- */

/* The waiting rows as one transaction. Another writer at work is no trouble: they wait. */
static void
flush(struct history *h)
{
	bool busy;

	if (h->broken)
		return;
	h->flushed_ms = clock_mono_ms();
	if (!history_writer_begin(h->writer, &busy)) {
		if (!busy || h->nrows > MAX_WAITING)
			give_up(h);
		return;
	}
	for (size_t i = 0; i < h->nrows && !h->broken; i++)
		if (!history_writer_row(h->writer, h->run, &h->rows[i]))
			give_up(h);
	if (h->broken)
		return;
	if (!history_writer_counts(h->writer, h->run, &h->counts) ||
	    !history_writer_commit(h->writer))
		give_up(h);
	h->nrows = 0;
	arena_release(&h->texts);
}

static void
flush_when_due(struct history *h)
{
	int64_t waited = clock_mono_ms() - h->flushed_ms;

	if (h->nrows ? h->nrows % FLUSH_ROWS == 0 || waited >= FLUSH_MS : waited >= SEEN_MS)
		flush(h);
}

/* ---- events ---- */

static void
take_task(struct history *h, const struct run_event *ev)
{
	const struct run_task *t = ev->task;
	struct mark *m = &h->marks[t->task->index];

	switch (ev->to) {
	case TASK_READY:
		m->ready_ms = ev->at_ms;
		m->waited_for = ev->from == TASK_WAITING ? last_of_parents(h, t->task) : NONE;
		break;
	case TASK_RUNNING:
		m->announced = t->attempts;
		break;
	case TASK_BACKOFF:
		note_attempt(h, ev);
		break;
	case TASK_DONE:
		/* Without a result: a thread that was given up, a last try that is not followed by
		 * another, or a task that was done in an earlier run and has nothing to tell. */
		if (ev->result || (t->attempts == m->announced && t->attempts > m->noted))
			note_attempt(h, ev);
		else if (m->noted)
			note_last(h, ev);
		break;
	case TASK_SKIPPED:
		note_skip(h, ev);
		break;
	default:
		break;
	}
	if (ev->to == TASK_DONE || ev->to == TASK_SKIPPED) {
		m->ended = ++h->nended;
		if (m->noted || ev->to == TASK_SKIPPED)
			count(h, ev->to == TASK_SKIPPED ? RESULT_SKIPPED : t->status, t->attempts);
	}
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct history *h = self;

	(void)err;
	if (!h || h->broken || !h->run)
		return 0;
	if (ev->kind == EVENT_TASK)
		take_task(h, ev);
	flush_when_due(h);
	return 0;
}

struct observer
history_observer(struct history *h)
{
	return (struct observer){ .self = h, .event = on_event };
}

void
history_hook(struct history *h, const char *id, enum result_status status, const char *message,
    int64_t took_ms)
{
	struct history_row *r;

	if (!h || h->broken || !h->run)
		return;
	r = add_row(h, 0);
	r->hook = arena_strdup(&h->texts, id);
	r->attempt = 1;
	r->last = true;
	r->status = status;
	r->took_ms = took_ms;
	r->message = keep_text(h, message);
	count(h, status, 1);
}

/* ---- the end of a run ---- */

static bool
note_end(struct history *h, const struct history_outcome *o)
{
	struct history_end e = { .exit_code = o->exit_code, .signo = o->summary->signo,
		.nodes_ms = o->summary->wall_ms };
	bool ok = true;

	for (size_t i = 0; ok && i < o->ncritical; i++) {
		e.critical_ms += h->marks[o->critical[i]].busy_ms;
		ok = history_writer_critical(h->writer, h->run, h->marks[o->critical[i]].node);
	}
	for (size_t i = 0; i < h->plan->ntasks; i++)
		e.work_ms += h->marks[i].busy_ms;
	return ok && history_writer_end(h->writer, h->run, &e);
}

void
history_end(struct history *h, const struct history_outcome *o)
{
	bool busy;

	if (!h || h->broken || !h->run)
		return;
	history_writer_patience(h->writer, END_WAIT_MS);
	flush(h);
	if (h->broken)
		return;
	if (h->nrows || !history_writer_begin(h->writer, &busy) || !note_end(h, o) ||
	    !history_writer_drop_oldest(h->writer) || !history_writer_commit(h->writer))
		give_up(h);
	h->run = 0;
}
