#include "executor/report.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

#define MAX_CELLS 150000         /* of series: some 2 MB of page */
#define MIN_GOOD 3               /* runs before "usual" means something */
#define DATA_MARK "@DATA@"

static const char report_html[] = {
#include "executor/report.inc"
	0
};

/* What goes into a page. Its nodes are those of the run, in the order of their ids. */
struct page {
	const struct history_run *run;
	struct history_attempts attempts;
	struct history_grid grid;
	struct history_runs last_good;
	size_t *row_of;          /* node of the run -> row of the grid, or SIZE_MAX */
	struct buf *b;
};

void
report_add_json(struct buf *b, const char *text)
{
	struct buf json = BUF_INIT;

	text_add_json(&json, text);
	for (const char *s = json.data; *s; s++) {
		if (*s == '<' || *s == '>' || *s == '&')
			buf_addf(b, "\\u%04x", (unsigned)*s);
		else if (strncmp(s, "\xe2\x80\xa8", 3) == 0 || strncmp(s, "\xe2\x80\xa9", 3) == 0)
			buf_addf(b, "\\u202%c", s[2] == '\xa8' ? '8' : '9'), s += 2;
		else
			buf_addc(b, *s);
	}
	buf_release(&json);
}

/* ---- pieces of JSON ---- */

static void
add_text(struct buf *b, const char *text)
{
	if (text)
		report_add_json(b, text);
	else
		buf_adds(b, "null");
}

static void
add_number(struct buf *b, long long n)
{
	if (n >= 0)
		buf_addf(b, "%lld", n);
	else
		buf_adds(b, "null");
}

static void
key_text(struct buf *b, const char *key, const char *text)
{
	buf_addf(b, ",\"%s\":", key);
	add_text(b, text);
}

static void
key_number(struct buf *b, const char *key, long long n)
{
	buf_addf(b, ",\"%s\":", key);
	add_number(b, n);
}

static void
add_run(struct buf *b, const struct history_run *r)
{
	buf_adds(b, "{\"id\":");
	add_text(b, r->id);
	key_text(b, "state", run_state_name(r->state));
	key_text(b, "project", r->project);
	key_text(b, "target", r->target);
	key_text(b, "command", r->command);
	key_text(b, "selection", r->selection);
	key_text(b, "commit", r->git_commit);
	key_text(b, "resumes", r->resumes);
	key_text(b, "heddle", r->heddle_version);
	key_text(b, "dbt", r->dbt_version);
	key_text(b, "adapter", r->adapter);
	key_text(b, "adapter_version", r->adapter_version);
	key_number(b, "threads", r->nthreads);
	key_number(b, "tasks", r->ntasks);
	key_number(b, "started", r->started_ms);
	key_number(b, "wall", r->wall_ms);
	key_number(b, "nodes", r->nodes_ms);
	key_number(b, "critical", r->critical_ms);
	key_number(b, "work", r->work_ms);
	key_number(b, "exit", r->exit_code);
	key_number(b, "signal", r->signo);
	key_number(b, "ok", r->ngood);
	key_number(b, "warned", r->nwarned);
	key_number(b, "failed", r->nfailed);
	key_number(b, "skipped", r->nskipped);
	key_number(b, "retried", r->nretried);
	buf_addc(b, '}');
}

static void
add_runs(struct page *p)
{
	for (size_t i = 0; i < p->grid.nruns; i++) {
		buf_adds(p->b, i ? ",\n" : "\n");
		add_run(p->b, &p->grid.runs[i]);
	}
}

/* ---- nodes ---- */

/* [id, kind, name, path, materialized, usual time] */
static void
add_node(struct page *p, const struct history_node *n, size_t row)
{
	struct history_stats s = { .median_ms = -1 };

	buf_addc(p->b, '[');
	add_text(p->b, n->id);
	buf_addc(p->b, ',');
	add_text(p->b, n->kind);
	buf_addc(p->b, ',');
	add_text(p->b, n->name);
	buf_addc(p->b, ',');
	add_text(p->b, n->path);
	buf_addc(p->b, ',');
	add_text(p->b, n->materialized);
	buf_addc(p->b, ',');
	if (row != SIZE_MAX)
		s = history_stats(&p->grid, row, p->grid.nruns - 1);    /* without this run */
	add_number(p->b, s.ngood >= MIN_GOOD ? s.median_ms : -1);
	buf_addc(p->b, ']');
}

static void
find_rows(struct page *p)
{
	size_t row = 0;

	/* Both lists are sorted by id. */
	p->row_of = xcalloc(p->attempts.nnodes + 1, sizeof(*p->row_of));
	for (size_t i = 0; i < p->attempts.nnodes; i++) {
		const char *id = p->attempts.nodes[i].id;

		while (row < p->grid.nnodes && strcmp(p->grid.nodes[row].id, id) < 0)
			row++;
		p->row_of[i] = row < p->grid.nnodes && strcmp(p->grid.nodes[row].id, id) == 0 ?
		    row : SIZE_MAX;
	}
}

/* ---- tasks ---- */

static void
add_since(struct page *p, int64_t at_ms)
{
	buf_addc(p->b, ',');
	add_number(p->b, at_ms < 0 ? -1 : at_ms < p->run->started_ms ?
	    0 : at_ms - p->run->started_ms);
}

static void
add_attempt(struct page *p, const struct history_attempt *a)
{
	struct buf *b = p->b;

	buf_addf(b, "[%zu,%u,%d,%d,", a->node, a->attempt, a->last, a->critical);
	add_text(b, result_status_name(a->status));
	buf_addc(b, ',');
	add_number(b, a->thread);
	add_since(p, a->ready_ms);
	add_since(p, a->started_ms);
	buf_addc(b, ',');
	add_number(b, a->took_ms);
	buf_addc(b, ',');
	add_number(b, a->waited_for == SIZE_MAX ? -1 : (long long)a->waited_for);
	buf_addc(b, ',');
	add_number(b, a->rows);
	buf_addc(b, ',');
	add_number(b, a->failures);
	buf_addc(b, ',');
	if (a->age_s >= 0)
		buf_addf(b, "%.0f", a->age_s);
	else
		buf_adds(b, "null");
	for (int i = 0; i < 5; i++) {
		buf_addc(b, ',');
		add_text(b, (const char *[]){ a->class, a->code, a->reason, a->message,
		    a->sql }[i]);
	}
	buf_addc(b, ']');
}

static void
add_tasks(struct page *p)
{
	static const char *const keys[] = { "node", "attempt", "last", "critical", "status",
	    "thread",
		"ready", "start", "took", "waited", "rows", "failures", "age", "class", "code",
		    "reason",
		"message", "sql" };

	buf_adds(p->b, "],\n\"keys\":[");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		buf_addf(p->b, "%s\"%s\"", i ? "," : "", keys[i]);
	buf_adds(p->b, "],\n\"tasks\":[");
	for (size_t i = 0; i < p->attempts.n; i++) {
		buf_adds(p->b, i ? ",\n" : "\n");
		add_attempt(p, &p->attempts.v[i]);
	}
}

/* ---- series ---- */

/* One letter a run; '.' = it was not part of it. */
static char
letter_of(const struct history_cell *c)
{
	if (!c->there)
		return '.';
	switch (c->status) {
	case RESULT_SUCCESS:
	case RESULT_PASS:
	case RESULT_NO_OP:
		return c->attempts > 1 ? 'r' : 'o';
	case RESULT_WARN:
		return 'w';
	case RESULT_FAIL:
		return 'f';
	case RESULT_SKIPPED:
		return 's';
	default:
		return 'e';
	}
}

/* Whole numbers with trailing nulls left out. */
static void
add_series_numbers(struct page *p, const char *key, const struct history_cell *row, bool rows)
{
	size_t n = p->grid.nruns;

	while (n > 0 && (rows ? row[n - 1].rows : row[n - 1].took_ms) < 0)
		n--;
	buf_addf(p->b, ",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		long long v = rows ? row[i].rows : row[i].took_ms;

		buf_adds(p->b, i ? "," : "");
		add_number(p->b, row[i].there && row[i].attempts > 0 ? v : -1);
	}
	buf_addc(p->b, ']');
}

static void
add_series(struct page *p, size_t node, size_t row)
{
	const struct history_cell *cells = &p->grid.cells[row * p->grid.nruns];

	buf_addf(p->b, "{\"node\":%zu,\"runs\":\"", node);
	for (size_t i = 0; i < p->grid.nruns; i++)
		buf_addc(p->b, letter_of(&cells[i]));
	buf_addc(p->b, '"');
	add_series_numbers(p, "took", cells, false);
	add_series_numbers(p, "rows", cells, true);
	buf_addc(p->b, '}');
}

struct candidate {
	size_t node, row;        /* in the run; of the grid */
	bool odd;                /* something to show besides its time */
	int64_t total_ms;
};

static int
by_interest(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->odd != y->odd)
		return x->odd ? -1 : 1;
	if (x->total_ms != y->total_ms)
		return x->total_ms < y->total_ms ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

static bool
is_odd(const struct page *p, size_t row, const struct history_stats *s)
{
	return s->nfailed > 0 || s->nflaky > 0 ||
		p->grid.cells[row * p->grid.nruns + p->grid.nruns - 1].status == RESULT_WARN;
}

/* The nodes of this run over the past ones: all, or those that matter most of a large project. */
static void
add_all_series(struct page *p)
{
	struct candidate *v = xcalloc(p->attempts.nnodes + 1, sizeof(*v));
	size_t n = 0, ntests = 0, nperfect = 0, max;

	for (size_t i = 0; i < p->attempts.nnodes; i++) {
		struct history_stats s;
		bool test = strcmp(p->attempts.nodes[i].kind, "test") == 0 ||
			strcmp(p->attempts.nodes[i].kind, "unit_test") == 0;

		if (p->row_of[i] == SIZE_MAX)
			continue;
		s = history_stats(&p->grid, p->row_of[i], p->grid.nruns);
		ntests += test;
		nperfect += test && s.nruns > 0 && s.nfailed == 0;
		v[n++] = (struct candidate){ i, p->row_of[i], is_odd(p, p->row_of[i], &s),
		    s.total_ms };
	}
	qsort(v, n, sizeof(*v), by_interest);
	max = MAX_CELLS / (p->grid.nruns ? p->grid.nruns : 1);
	buf_addf(p->b, "],\n\"tests\":%zu,\"perfect\":%zu,\"left_out\":%zu,\n\"series\":[", ntests,
	    nperfect,
	    n > max ? n - max : 0);
	for (size_t i = 0; i < n && i < max; i++) {
		buf_adds(p->b, i ? ",\n" : "\n");
		add_series(p, v[i].node, v[i].row);
	}
	free(v);
}

/* ---- the page ---- */

static void
add_data(struct page *p)
{
	buf_addf(p->b, "{\"made\":%lld,\"by\":\"" HEDDLE_VERSION "\",\n\"run\":",
	    (long long)clock_wall_ms());
	add_run(p->b, p->run);
	buf_adds(p->b, ",\n\"last_good\":");
	if (p->last_good.n)
		add_run(p->b, &p->last_good.v[0]);
	else
		buf_adds(p->b, "null");
	buf_adds(p->b, ",\n\"runs\":[");
	add_runs(p);
	buf_adds(p->b, "],\n\"nodes\":[");
	for (size_t i = 0; i < p->attempts.nnodes; i++) {
		buf_adds(p->b, i ? ",\n" : "\n");
		add_node(p, &p->attempts.nodes[i], p->row_of[i]);
	}
	add_tasks(p);
	add_all_series(p);
	buf_adds(p->b, "]}");
}

int
report_make(struct history_reader *r, const struct history_run *run, struct buf *out,
    struct err *err)
{
	struct history_filter f = { .project = run->project, .target = run->target,
	    .upto = run->key,
		.limit = REPORT_RUNS };
	struct history_filter good = { .project = run->project, .target = run->target,
	    .upto = run->key,
		.good = true, .limit = 1 };
	const char *mark = strstr(report_html, DATA_MARK);
	struct page p = { .run = run, .b = out };
	int rc = -1;

	if (history_read_attempts(r, run->key, &p.attempts, err) < 0 ||
	    history_read_grid(r, &f, &p.grid, err) < 0 ||
	    history_read_runs(r, &good, &p.last_good, err) < 0)
		goto out;
	find_rows(&p);
	buf_add(out, report_html, (size_t)(mark - report_html));
	add_data(&p);
	buf_adds(out, mark + strlen(DATA_MARK));
	rc = 0;
out:
	free(p.row_of);
	history_attempts_release(&p.attempts);
	history_grid_release(&p.grid);
	history_runs_release(&p.last_good);
	return rc;
}
