#include "executor/progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "executor/board.h"
#include "executor/events.h"
#include "executor/screen.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

#define NAME_COLUMN 60       /* dots fill names up to this width */
#define NSLOWEST 5
#define NEXAMPLES 3          /* skipped nodes named beside their root cause */
#define LATE_MS 300          /* a line waits no longer for a tick that does not come */
#define NCAUSES 20           /* failures listed at the end; each was shown when it happened */

enum colour { PLAIN, GREEN, YELLOW, RED, DIM };

static const char *const colour_codes[] = { "", "\033[32m", "\033[33m", "\033[31m", "\033[2m" };

/* Who wants events: our own output, in place of lines for people, and --events. */
enum { OUTPUT, ALSO, NEVENTS };

#define EACH_EVENTS(g, e) \
	for (struct events **e = (g)->events; e < (g)->events + NEVENTS; e++) \
		if (*e)

struct progress {
	const struct plan *plan;   /* NULL before progress_start() */
	size_t nended;
	size_t nkept;              /* of an earlier run */

	unsigned nthreads;
	bool timed;

	pthread_mutex_t lock;      /* guards what follows and the order of lines */
	struct progress_options o;
	struct buf line;           /* under construction; empty between calls */
	struct events *events[NEVENTS];   /* NULL: nobody wants them */
	struct board *board;       /* NULL: none, lines are written at once */
	struct screen screen;
	struct buf held;           /* lines for above the board, at its next drawing */
	int64_t drawn_ms;          /* monotonic */
};

/* All that waits to be shown, and the board below it. */
static void
redraw(struct progress *g)
{
	struct board_view v = { .colour = g->o.colour, .now_ms = clock_mono_ms() };
	size_t nlines;

	screen_size(&g->screen, &v.columns, &v.rows);
	nlines = board_draw(g->board, &v, &g->line);
	screen_show(&g->screen, buf_str(&g->held), buf_str(&g->line), nlines);
	buf_truncate(&g->held, 0);
	buf_truncate(&g->line, 0);
	g->drawn_ms = v.now_ms;
}

/* Writes the line and empties it. Above a board it waits for the next tick: one write shows both,
 * and however many lines there are, the board is drawn no more often. */
static void
flush(struct progress *g)
{
	if (g->board)
		buf_add(&g->held, buf_str(&g->line), g->line.len);
	else
		screen_write(g->o.fd, buf_str(&g->line), g->line.len);
	buf_truncate(&g->line, 0);
	if (g->board && clock_mono_ms() - g->drawn_ms >= LATE_MS)
		redraw(g);
}

static void
open_board(struct progress *g)
{
	g->board = board_new(g->plan, g->nthreads, g->timed, clock_mono_ms());
	screen_open(&g->screen, g->o.fd);
}

/* What waited is written, the board is gone. */
static void
close_board(struct progress *g)
{
	if (!g->board)
		return;
	screen_show(&g->screen, buf_str(&g->held), "", 0);
	screen_close(&g->screen);
	board_free(g->board);
	g->board = NULL;
	buf_truncate(&g->held, 0);
}

struct progress *
progress_new(const struct progress_options *o)
{
	struct progress *g = xcalloc(1, sizeof(*g));

	pthread_mutex_init(&g->lock, NULL);
	g->o = *o;
	return g;
}

void
progress_free(struct progress *g)
{
	if (!g)
		return;
	close_board(g);
	events_free(g->events[OUTPUT]);
	buf_release(&g->line);
	buf_release(&g->held);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void
progress_also(struct progress *g, struct events *e)
{
	g->events[ALSO] = e;
}

static void
paint(struct progress *g, enum colour c, const char *text)
{
	if (g->o.colour && c != PLAIN)
		buf_addf(&g->line, "%s%s\033[0m", colour_codes[c], text);
	else
		buf_adds(&g->line, text);
}

static void
add_time(struct progress *g, int64_t at_ms)
{
	char hms[9];

	clock_hms(at_ms, hms);
	buf_addf(&g->line, "%s  ", hms);
}

/* ---- text ---- */

static const struct look {
	const char *word;
	enum colour colour;
} looks[] = {
	[RESULT_SUCCESS] = { "OK", GREEN },
	[RESULT_ERROR] = { "ERROR", RED },
	[RESULT_FAIL] = { "FAIL", RED },
	[RESULT_WARN] = { "WARN", YELLOW },
	[RESULT_PASS] = { "PASS", GREEN },
	[RESULT_SKIPPED] = { "SKIP", YELLOW },
	[RESULT_PARTIAL] = { "PARTIAL", YELLOW },
	[RESULT_NO_OP] = { "NO-OP", DIM },
	[RESULT_RUNTIME_ERROR] = { "ERROR", RED },
}, stale_look = { "ERROR STALE", RED };

static const struct look *
look_of(const struct run_task *t)
{
	return t->class == CLASS_STALE ? &stale_look : &looks[t->status];
}

static void
add_status(struct progress *g, const struct look *look)
{
	size_t n = strlen(look->word), width = g->plan->command == PLAN_FRESHNESS ? 13 : 8;

	paint(g, look->colour, look->word);
	buf_pad(&g->line, ' ', n < width ? width - n : 1);
}

static void
add_name(struct progress *g, const struct node *n)
{
	size_t from = g->line.len, width;

	buf_addf(&g->line, "%s ", kind_name(n->kind));
	task_add_name(&g->line, g->plan->graph, n);
	width = text_width(g->line.data + from);
	buf_addc(&g->line, ' ');
	buf_pad(&g->line, '.', width + 4 < NAME_COLUMN ? NAME_COLUMN - width : 4);
}

static void
add_detail(struct progress *g, const char *text)
{
	if (!text || !*text)
		return;
	buf_adds(&g->line, "  ");
	text_add_safe(&g->line, text, true, "  ");
	buf_addc(&g->line, '\n');
}

static const char *
below_root(const struct progress *g, const char *path)
{
	size_t n = g->o.root ? strlen(g->o.root) : 0;

	return n && text_starts(path, g->o.root) && path[n] == '/' ? path + n + 1 : path;
}

/* Beside a board: it counts the good ones and those held back by what was shown before. */
static bool
is_news(const struct run_event *ev)
{
	const struct run_task *t = ev->task;

	return ev->to == TASK_DONE && (!result_status_good(t->status) || t->status == RESULT_WARN);
}

static void
say_ended(struct progress *g, const struct run_event *ev)
{
	const struct run_task *t = ev->task;
	bool bad = !result_status_good(t->status);
	int total = 0;

	g->nended++;
	if (t->attempts == 0 && ev->to == TASK_DONE && !bad)
		g->nkept++;
	if ((g->o.quiet && !bad) || (t->attempts == 0 && ev->to == TASK_DONE && !bad) ||
	    (g->board && !is_news(ev)))
		return;
	for (size_t n = g->plan->ntasks; n; n /= 10)
		total++;
	add_time(g, ev->at_ms);
	buf_addf(&g->line, "%*zu/%zu  ", total, g->nended, g->plan->ntasks);
	add_status(g, look_of(t));
	add_name(g, t->task->node);
	if (ev->to == TASK_SKIPPED)
		buf_adds(&g->line, " [skipped]");
	else
		buf_addf(&g->line, " [%.2fs]", (double)t->busy_ms / 1000);
	if (t->attempts > 1)
		buf_addf(&g->line, " try %u", t->attempts);
	buf_addc(&g->line, '\n');
	if (ev->to == TASK_SKIPPED) {
		add_detail(g, t->why);
	} else if (bad || t->status == RESULT_WARN) {
		add_detail(g, t->message);
		if (bad && t->why && (t->class != CLASS_NONE || t->attempts == 0))
			add_detail(g, t->why);
		if (ev->result && ev->result->compiled_path) {
			buf_adds(&g->line, "  compiled code: ");
			text_add_safe(&g->line, below_root(g, ev->result->compiled_path), false,
			    NULL);
			buf_addc(&g->line, '\n');
		}
	}
	flush(g);
}

static void
say_retry(struct progress *g, const struct run_event *ev)
{
	if (g->o.quiet)
		return;
	add_time(g, ev->at_ms);
	paint(g, YELLOW, "RETRY   ");
	add_name(g, ev->task->task->node);
	buf_addc(&g->line, '\n');
	add_detail(g, ev->text);
	add_detail(g, ev->result ? ev->result->message : NULL);
	flush(g);
}

static void
say_log(struct progress *g, const char *level, const char *text)
{
	bool info = strcmp(level, "info") == 0;

	if (g->o.quiet && info)
		return;
	add_time(g, clock_wall_ms());
	if (!info)
		paint(g, strcmp(level, "error") == 0 ? RED : YELLOW,
		    strcmp(level, "error") == 0 ? "error: " : "warning: ");
	text_add_safe(&g->line, text, true, "          ");
	buf_addc(&g->line, '\n');
	flush(g);
}

/* ---- JSON lines ---- */

/* A file or program that wanted the events takes no more: said once, the run goes on. */
static void
check_events(struct progress *g)
{
	int failed = g->events[ALSO] ? events_failed(g->events[ALSO]) : 0;
	struct buf b = BUF_INIT;

	if (!failed)
		return;
	buf_addf(&b, "--events: no more events are written: %s", strerror(failed));
	if (g->o.format != PROGRESS_JSON)
		say_log(g, "warn", b.data);
	buf_release(&b);
}

/* ---- events ---- */

void
progress_log(struct progress *g, const char *id, const char *level, const char *text)
{
	int64_t now = clock_wall_ms();

	pthread_mutex_lock(&g->lock);
	EACH_EVENTS(g, e)
		events_log(*e, now, id, level, text);
	if (g->o.format != PROGRESS_JSON)
		say_log(g, level, text);
	pthread_mutex_unlock(&g->lock);
}

static void
on_task(struct progress *g, const struct run_event *ev)
{
	if (g->o.board && !g->board && g->nended == 0)
		open_board(g);
	if (g->board)
		board_note(g->board, ev, clock_mono_ms());
	EACH_EVENTS(g, e)
		events_task(*e, ev);
	check_events(g);
	if (g->o.format != PROGRESS_JSON && (ev->to == TASK_DONE || ev->to == TASK_SKIPPED))
		say_ended(g, ev);
	else if (g->o.format != PROGRESS_JSON && ev->to == TASK_BACKOFF)
		say_retry(g, ev);
	if (g->nended == g->plan->ntasks)
		close_board(g);
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct progress *g = self;

	(void)err;
	if (ev->kind == EVENT_LOG)
		progress_log(g, NULL, ev->level, ev->text);
	pthread_mutex_lock(&g->lock);
	if (ev->kind == EVENT_TASK)
		on_task(g, ev);
	else if (ev->kind == EVENT_TICK && g->board)
		redraw(g);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

struct observer
progress_observer(struct progress *g)
{
	return (struct observer){ .self = g, .event = on_event };
}

static void
start(struct progress *g, const struct progress_head *h)
{
	int64_t now = clock_wall_ms();

	g->plan = h->plan;
	g->o = h->options;
	g->nthreads = h->nthreads;
	g->timed = h->timed;
	if (g->o.format == PROGRESS_JSON)
		g->events[OUTPUT] = events_new(g->o.fd);
	EACH_EVENTS(g, e)
		events_start(*e, now, h);
	if (g->o.format == PROGRESS_JSON)
		return;
	if (g->o.quiet)
		return;
	add_time(g, now);
	buf_addf(&g->line, "heddle " HEDDLE_VERSION ": %s of ", h->command);
	text_add_safe(&g->line, h->project ? h->project : "?", false, NULL);
	if (g->plan->ntasks)    /* else hooks alone */
		buf_addf(&g->line, ", %zu %s, %u %s", g->plan->ntasks,
		    g->plan->ntasks == 1 ? "task" : "tasks",
		    h->nthreads, h->nthreads == 1 ? "thread" : "threads");
	buf_adds(&g->line, ", ");
	text_add_safe(&g->line, h->adapter ? h->adapter : "?", false, NULL);
	if (h->target) {
		buf_adds(&g->line, " target ");
		text_add_safe(&g->line, h->target, false, NULL);
	}
	if (h->dbt_version) {
		buf_adds(&g->line, ", dbt ");
		text_add_safe(&g->line, h->dbt_version, false, NULL);
	}
	buf_addc(&g->line, '\n');
	flush(g);
}

void
progress_start(struct progress *g, const struct progress_head *h)
{
	pthread_mutex_lock(&g->lock);
	start(g, h);
	pthread_mutex_unlock(&g->lock);
}

static void
hook(struct progress *g, const char *id, enum result_status status, const char *message)
{
	bool bad = !result_status_good(status);
	int64_t now = clock_wall_ms();

	EACH_EVENTS(g, e)
		events_hook(*e, now, id, status, message);
	if (g->o.format == PROGRESS_JSON)
		return;
	if (g->o.quiet && !bad)
		return;
	add_time(g, now);
	buf_adds(&g->line, "hook  ");
	add_status(g, &looks[status]);
	text_add_safe(&g->line, id, false, NULL);
	buf_addc(&g->line, '\n');
	if (bad)
		add_detail(g, message);
	flush(g);
}

void
progress_hook(struct progress *g, const char *id, enum result_status status, const char *message)
{
	pthread_mutex_lock(&g->lock);
	hook(g, id, status, message);
	pthread_mutex_unlock(&g->lock);
}

/* ---- summary ---- */

static void
add_counts(struct progress *g, const struct progress_tail *t)
{
	static const struct { enum result_status s; const char *word; } order[] = {
		{ RESULT_SUCCESS, "ok" }, { RESULT_PASS, "passed" }, { RESULT_NO_OP, "no-op" },
		{ RESULT_WARN, "warned" }, { RESULT_PARTIAL, "partly done" },
		{ RESULT_FAIL, "failed" },
		{ RESULT_ERROR, "errored" }, { RESULT_RUNTIME_ERROR, "errored at run time" },
		{ RESULT_SKIPPED, "skipped" },
	};
	const char *sep = "";
	size_t nstale = 0;

	for (size_t i = 0; i < g->plan->ntasks; i++)
		nstale += t->tasks[i].class == CLASS_STALE;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		size_t n = t->summary->count[order[i].s] - (order[i].s == RESULT_ERROR ? nstale
		    : 0);
		struct buf word = BUF_INIT;

		if (!n)
			continue;
		buf_addf(&word, "%zu %s", n, order[i].word);
		buf_adds(&g->line, sep);
		paint(g, looks[order[i].s].colour, word.data);
		buf_release(&word);
		sep = ", ";
	}
	if (nstale)
		buf_addf(&g->line, "%s%zu stale", sep, nstale);
	else if (!*sep)
		buf_adds(&g->line, "nothing ran");
	if (t->summary->nretried)
		buf_addf(&g->line, "; %zu needed a retry", t->summary->nretried);
	if (g->nkept)
		buf_addf(&g->line, "; %zu of them in an earlier run", g->nkept);
}

static int
by_time(const void *a, const void *b)
{
	const struct run_task *x = *(const struct run_task *const *)a;
	const struct run_task *y = *(const struct run_task *const *)b;

	if (x->busy_ms != y->busy_ms)
		return x->busy_ms < y->busy_ms ? 1 : -1;
	return (x->task->index > y->task->index) - (x->task->index < y->task->index);
}

static void
add_slowest(struct progress *g, const struct progress_tail *t)
{
	const struct run_task **v = xcalloc(g->plan->ntasks, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < g->plan->ntasks; i++)
		if (t->tasks[i].busy_ms > 0)
			v[n++] = &t->tasks[i];
	if (n > 1) {
		qsort(v, n, sizeof(*v), by_time);
		buf_adds(&g->line, "  slowest: ");
		for (size_t i = 0; i < n && i < NSLOWEST; i++) {
			buf_adds(&g->line, i ? ", " : "");
			task_add_name(&g->line, g->plan->graph, v[i]->task->node);
			buf_addf(&g->line, " %.2fs", (double)v[i]->busy_ms / 1000);
		}
		buf_addc(&g->line, '\n');
	}
	free(v);
}

static void
add_retried(struct progress *g, const struct progress_tail *t)
{
	for (size_t i = 0; i < g->plan->ntasks; i++) {
		const struct run_task *r = &t->tasks[i];

		if (r->attempts < 2)
			continue;
		buf_adds(&g->line, "  retried: ");
		task_add_name(&g->line, g->plan->graph, r->task->node);
		buf_addf(&g->line, ", %u tries, ended %s\n", r->attempts,
		    result_status_name(r->status));
	}
}

/* Each failure with how many nodes it held back, a few of them by name. */
static void
add_causes(struct progress *g, const struct progress_tail *t)
{
	size_t *held = xcalloc(g->plan->ntasks, sizeof(*held));
	size_t ncauses = 0;

	for (size_t i = 0; i < g->plan->ntasks; i++)
		if (t->tasks[i].state == TASK_SKIPPED && t->tasks[i].cause < g->plan->ntasks)
			held[t->tasks[i].cause]++;
	for (size_t i = 0; i < g->plan->ntasks; i++) {
		const struct run_task *r = &t->tasks[i];
		size_t shown = 0;

		if (r->state != TASK_DONE || result_status_good(r->status) || ncauses++ >= NCAUSES)
			continue;
		buf_adds(&g->line, "  ");
		add_status(g, look_of(r));
		text_add_safe(&g->line, r->task->node->id, false, NULL);
		for (size_t k = 0; held[i] && k < g->plan->ntasks && shown < NEXAMPLES; k++) {
			if (t->tasks[k].state != TASK_SKIPPED || t->tasks[k].cause != i)
				continue;
			buf_adds(&g->line, shown++ ? ", " : ": held back ");
			task_add_name(&g->line, g->plan->graph, t->tasks[k].task->node);
		}
		if (held[i] > shown)
			buf_addf(&g->line, " and %zu more", held[i] - shown);
		buf_addc(&g->line, '\n');
	}
	if (ncauses > NCAUSES)
		buf_addf(&g->line, "  and %zu more failures\n", ncauses - NCAUSES);
	free(held);
}

static void
text_end(struct progress *g, const struct progress_tail *t)
{
	buf_addc(&g->line, '\n');
	add_time(g, clock_wall_ms());
	add_counts(g, t);
	buf_addf(&g->line,
	    "\n  nodes took %.2fs; at best %.2fs (critical path %.2fs, work %.2fs on %u %s);"
	    " %.2fs in all\n", (double)t->summary->wall_ms / 1000, t->lower_bound_s,
	    t->critical_path_s,
	    t->work_s, t->nthreads, t->nthreads == 1 ? "thread" : "threads",
	    (double)t->total_ms / 1000);
	add_slowest(g, t);
	add_retried(g, t);
	add_causes(g, t);
	if (t->summary->signo)
		buf_addf(&g->line, "  stopped by signal %d\n", t->summary->signo);
	else if (t->summary->late)
		buf_adds(&g->line, "  stopped by the time limit\n");
	if (t->next) {
		buf_adds(&g->line, "  next: ");
		text_add_safe(&g->line, t->next, false, NULL);
		buf_addc(&g->line, '\n');
	}
	flush(g);
}

void
progress_end(struct progress *g, const struct progress_tail *t)
{
	int64_t now = clock_wall_ms();

	pthread_mutex_lock(&g->lock);
	EACH_EVENTS(g, e)
		events_end(*e, now, t);
	check_events(g);
	if (g->o.format != PROGRESS_JSON && !g->o.quiet && g->plan->ntasks)
		text_end(g, t);
	pthread_mutex_unlock(&g->lock);
}
