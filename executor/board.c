#include "executor/board.h"

#include <stdlib.h>
#include <string.h>

#include "util/text.h"
#include "util/xalloc.h"

#define COLUMNS 80           /* of a terminal that does not say */
#define ROWS 24
#define BAR_MIN 12           /* brackets included */
#define BAR_MAX 32
#define NAME_MIN 16          /* what follows a name is left out before the name is cut shorter */
#define SLOW 2               /* times the usual: shown as slow */

#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED "\033[31m"
#define DIM "\033[2m"

struct row {
	size_t task;
	unsigned attempt;
	int64_t began_ms;
};

struct board {
	const struct plan *plan;
	unsigned nthreads;
	bool timed;
	int64_t began_ms;
	size_t nended, nfailed, nwarned, nskipped, nretries;

	struct row *running;     /* in the order they started */
	size_t nrunning, cap;

	/* Tasks by their remaining path, the longest first: the first of them that has not started
	 * is the longest way to the end besides what runs: what it waits for has a longer one. */
	size_t *by_path, *place;
	bool *away;              /* by task: runs or has ended */
	size_t first;            /* in by_path; all before it are away */
	double work;             /* seconds of the tasks that have not ended */
};

static int
longer_path(const void *a, const void *b)
{
	const struct task *x = *(const struct task *const *)a, *y = *(const struct task *const *)b;

	if (x->path != y->path)
		return x->path < y->path ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

struct board *
board_new(const struct plan *p, unsigned nthreads, bool timed, int64_t now_ms)
{
	struct board *b = xcalloc(1, sizeof(*b));
	const struct task **v = xcalloc(p->ntasks + 1, sizeof(*v));

	*b = (struct board){ .plan = p, .nthreads = nthreads ? nthreads : 1, .timed = timed,
		.began_ms = now_ms, .work = p->work };
	b->by_path = xcalloc(p->ntasks + 1, sizeof(*b->by_path));
	b->place = xcalloc(p->ntasks + 1, sizeof(*b->place));
	b->away = xcalloc(p->ntasks + 1, sizeof(*b->away));
	for (size_t i = 0; i < p->ntasks; i++)
		v[i] = &p->tasks[i];
	if (p->ntasks)
		qsort(v, p->ntasks, sizeof(*v), longer_path);
	for (size_t i = 0; i < p->ntasks; i++) {
		b->by_path[i] = v[i]->index;
		b->place[v[i]->index] = i;
	}
	free(v);
	return b;
}

void
board_free(struct board *b)
{
	if (!b)
		return;
	free(b->running);
	free(b->by_path);
	free(b->place);
	free(b->away);
	free(b);
}

/* ---- what happens ---- */

static void
take_off(struct board *b, size_t task)
{
	size_t i = 0;

	while (i < b->nrunning && b->running[i].task != task)
		i++;
	if (i == b->nrunning)
		return;
	b->nrunning--;
	memmove(b->running + i, b->running + i + 1, (b->nrunning - i) * sizeof(*b->running));
}

static void
count_end(struct board *b, const struct run_task *t)
{
	b->nended++;
	b->work -= t->task->seconds;
	if (t->status == RESULT_SKIPPED)
		b->nskipped++;
	else if (!result_status_good(t->status))
		b->nfailed++;
	else if (t->status == RESULT_WARN)
		b->nwarned++;
}

static void
set_away(struct board *b, size_t task, bool away)
{
	b->away[task] = away;
	if (!away && b->place[task] < b->first)
		b->first = b->place[task];
	while (b->first < b->plan->ntasks && b->away[b->by_path[b->first]])
		b->first++;
}

void
board_note(struct board *b, const struct run_event *ev, int64_t now_ms)
{
	const struct run_task *t = ev->task;

	if (ev->kind != EVENT_TASK)
		return;
	if (ev->from == TASK_RUNNING)
		take_off(b, t->task->index);
	if (ev->to == TASK_RUNNING) {
		b->running = xgrow(b->running, b->nrunning, &b->cap, sizeof(*b->running));
		b->running[b->nrunning++] = (struct row){ t->task->index, t->attempts, now_ms };
	}
	if (ev->to == TASK_BACKOFF)
		b->nretries++;
	if (ev->to == TASK_DONE || ev->to == TASK_SKIPPED)
		count_end(b, t);
	set_away(b, t->task->index, ev->to == TASK_RUNNING || ev->to == TASK_DONE ||
	    ev->to == TASK_SKIPPED);
}

/* ---- time ---- */

static double
elapsed_s(const struct row *r, int64_t now_ms)
{
	return now_ms > r->began_ms ? (double)(now_ms - r->began_ms) / 1000 : 0;
}

/* What of a running task's expected seconds has passed. */
static double
passed_s(const struct board *b, const struct row *r, int64_t now_ms)
{
	double s = elapsed_s(r, now_ms), expected = b->plan->tasks[r->task].seconds;

	return s < expected ? s : expected;
}

static double
work_left(const struct board *b, int64_t now_ms)
{
	double work = b->work;

	for (size_t i = 0; i < b->nrunning; i++)
		work -= passed_s(b, &b->running[i], now_ms);
	return work > 0 ? work : 0;
}

double
board_left_s(const struct board *b, int64_t now_ms)
{
	double share = work_left(b, now_ms) / b->nthreads, longest = 0;

	if (!b->timed)
		return -1;
	if (b->first < b->plan->ntasks)
		longest = b->plan->tasks[b->by_path[b->first]].path;
	for (size_t i = 0; i < b->nrunning; i++) {
		const struct row *r = &b->running[i];
		double path = b->plan->tasks[r->task].path - passed_s(b, r, now_ms);

		if (path > longest)
			longest = path;
	}
	return share > longest ? share : longest;
}

/* "42s", "1:05", "2:03:04". */
static void
add_whole_seconds(struct buf *b, double s)
{
	unsigned long n = (unsigned long)(s + 0.5);

	if (n < 60)
		buf_addf(b, "%lus", n);
	else if (n < 3600)
		buf_addf(b, "%lu:%02lu", n / 60, n % 60);
	else
		buf_addf(b, "%lu:%02lu:%02lu", n / 3600, n / 60 % 60, n % 60);
}

/* Short times with a tenth: "3.2s". */
static void
add_seconds(struct buf *b, double s)
{
	if (s < 9.95)
		buf_addf(b, "%.1fs", s);
	else
		add_whole_seconds(b, s);
}

/* ---- lines ---- */

static void
paint(struct buf *out, const struct board_view *v, const char *code, const char *text)
{
	if (v->colour && *code)
		buf_addf(out, "%s%s\033[0m", code, text);
	else
		buf_adds(out, text);
}

/* As much of a safe text as fits; what is cut ends with an ellipsis. */
static void
add_cut(struct buf *out, const char *text, size_t width)
{
	size_t used = 0;

	if (text_width(text) <= width) {
		buf_adds(out, text);
		return;
	}
	for (const char *s = text; *s;) {
		uint32_t c;
		size_t n = text_decode(s, &c), w;
		char one[5] = { 0 };

		n = n ? n : 1;
		memcpy(one, s, n);
		w = text_width(one);
		if (used + w + 1 > width)
			break;
		buf_add(out, s, n);
		used += w;
		s += n;
	}
	if (used < width)
		buf_adds(out, "\xe2\x80\xa6");
}

/* The parts of the first line, as they stand from left to right. */
enum part { BAR, COUNT, ELAPSED, LEFT, FAILED, WARNED, SKIPPED, RETRIES, NPARTS };

/* Which of them a narrow terminal has room for first. */
static const enum part matters[NPARTS] = { COUNT, FAILED, LEFT, ELAPSED, BAR, SKIPPED, RETRIES,
	WARNED };

static const char *const part_colours[NPARTS] = { [FAILED] = RED, [WARNED] = YELLOW,
	[SKIPPED] = YELLOW, [RETRIES] = YELLOW };

static void
fill_parts(const struct board *b, int64_t now_ms, struct buf parts[NPARTS])
{
	double left = board_left_s(b, now_ms);
	int64_t elapsed_s = (now_ms - b->began_ms) / 1000;
	size_t total = 0;

	for (size_t n = b->plan->ntasks; n; n /= 10)
		total++;
	buf_addf(&parts[COUNT], "%*zu/%zu", (int)total, b->nended, b->plan->ntasks);
	add_whole_seconds(&parts[ELAPSED], (double)elapsed_s);
	if (left >= 0) {
		buf_addc(&parts[LEFT], '~');
		add_whole_seconds(&parts[LEFT], left);
		buf_adds(&parts[LEFT], " left");
	}
	if (b->nfailed)
		buf_addf(&parts[FAILED], "%zu failed", b->nfailed);
	if (b->nwarned)
		buf_addf(&parts[WARNED], "%zu warned", b->nwarned);
	if (b->nskipped)
		buf_addf(&parts[SKIPPED], "%zu skipped", b->nskipped);
	if (b->nretries)
		buf_addf(&parts[RETRIES], b->nretries == 1 ? "%zu retry" : "%zu retries",
		    b->nretries);
}

/* By work where times are known, else by tasks. */
static double
share_done(const struct board *b, int64_t now_ms)
{
	double all = b->timed ? b->plan->work : (double)b->plan->ntasks;
	double left = b->timed ? work_left(b, now_ms) : (double)(b->plan->ntasks - b->nended);

	return all > 0 && left < all ? 1 - left / all : 0;
}

static void
draw_bar(const struct board *b, const struct board_view *v, size_t width, struct buf *out)
{
	size_t inside = width - 2, done = (size_t)(share_done(b, v->now_ms) * (double)inside);
	struct buf hashes = BUF_INIT;

	buf_pad(&hashes, '#', done);
	buf_addc(out, '[');
	paint(out, v, b->nfailed ? RED : GREEN, buf_str(&hashes));
	buf_pad(out, '.', inside - done);
	buf_addc(out, ']');
	buf_release(&hashes);
}

static void
draw_status(const struct board *b, const struct board_view *v, size_t width, struct buf *out)
{
	struct buf parts[NPARTS] = { 0 };
	bool shown[NPARTS] = { false };
	size_t used = 0, bar = 0;
	const char *gap = "";

	fill_parts(b, v->now_ms, parts);
	for (size_t i = 0; i < NPARTS; i++) {
		enum part p = matters[i];
		size_t need = (used ? 2 : 0) + (p == BAR ? BAR_MIN : parts[p].len);

		if ((p != BAR && !parts[p].len) || used + need > width)
			continue;
		shown[p] = true;
		used += need;
	}
	if (shown[BAR])
		bar = BAR_MIN + width - used < BAR_MAX ? BAR_MIN + width - used : BAR_MAX;
	for (size_t p = 0; p < NPARTS; p++) {
		if (!shown[p])
			continue;
		buf_adds(out, gap);
		if (p == BAR)
			draw_bar(b, v, bar, out);
		else
			paint(out, v, part_colours[p] ? part_colours[p] : "", parts[p].data);
		gap = "  ";
	}
	for (size_t p = 0; p < NPARTS; p++)
		buf_release(&parts[p]);
}

/* "    12s  model orders  try 2  usually 10s" */
static void
draw_row(const struct board *b, const struct row *r, const struct board_view *v, size_t width,
    struct buf *out)
{
	const struct task *t = &b->plan->tasks[r->task];
	double s = elapsed_s(r, v->now_ms);
	bool slow = b->timed && s > SLOW * t->seconds && s > t->seconds + 1;
	struct buf time = BUF_INIT, name = BUF_INIT, more = BUF_INIT;
	size_t room, from;

	add_seconds(&time, s);
	from = out->len;
	buf_pad(out, ' ', time.len < 7 ? 7 - time.len : 0);
	room = width - (out->len - from) - time.len - 2;
	paint(out, v, slow ? YELLOW : "", time.data);
	buf_adds(out, "  ");
	if (room > 2 * NAME_MIN)
		buf_addf(&name, "%s ", kind_name(t->node->kind));
	task_add_name(&name, b->plan->graph, t->node);
	if (r->attempt > 1)
		buf_addf(&more, "  try %u", r->attempt);
	if (b->timed) {
		buf_adds(&more, "  usually ");
		add_seconds(&more, t->seconds);
	}
	if (room < NAME_MIN + more.len && room < text_width(name.data) + more.len)
		buf_truncate(&more, 0);
	add_cut(out, name.data, room - more.len);
	if (more.len)
		paint(out, v, slow || r->attempt > 1 ? YELLOW : DIM, more.data);
	buf_release(&time);
	buf_release(&name);
	buf_release(&more);
}

size_t
board_draw(const struct board *b, const struct board_view *v, struct buf *out)
{
	size_t width = (v->columns ? v->columns : COLUMNS) - 1, rows = v->rows ? v->rows : ROWS;
	size_t most = rows * 2 / 3, shown = b->nrunning, lines = 1;

	if (width < 12)
		width = 12;
	if (most < 1)
		most = 1;
	/* One line is the status, and one says what is left out. */
	if (shown + 1 > most)
		shown = most > 2 ? most - 2 : 0;
	draw_status(b, v, width, out);
	for (size_t i = 0; i < shown; i++, lines++) {
		buf_addc(out, '\n');
		draw_row(b, &b->running[i], v, width, out);
	}
	if (shown < b->nrunning && most > 1) {
		buf_addf(out, "\nand %zu more", b->nrunning - shown);
		lines++;
	}
	return lines;
}
