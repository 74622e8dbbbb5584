/* The board's lines, and what progress does to a terminal with them. */
#include "tests/check.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "executor/board.h"
#include "executor/progress.h"
#include "executor/screen.h"
#include "tests/tiny.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

/* A plan, its tasks as the scheduler would have them, and a board that is told of them. */
struct stage {
	struct graph *g;
	struct plan *p;
	struct run_task *tasks;
	struct board *b;
	struct buf lines;
};

static void
weigh(struct stage *s, const char *name, double seconds)
{
	s->p->tasks[plan_find(s->p, tiny_node(s->g, name))->index].seconds = seconds;
	plan_weigh(s->p);
}

static struct stage
prepare(const char *graph)
{
	struct stage s = { .g = tiny_graph(graph) };

	s.g->project_name = "p";
	s.p = tiny_plan(s.g, PLAN_BUILD, NULL);
	s.tasks = xcalloc(s.p->ntasks + 1, sizeof(*s.tasks));
	for (size_t i = 0; i < s.p->ntasks; i++)
		s.tasks[i] = (struct run_task){ .task = &s.p->tasks[i], .cause = SIZE_MAX };
	return s;
}

static void
finish(struct stage *s)
{
	board_free(s->b);
	buf_release(&s->lines);
	free(s->tasks);
	plan_free(s->p);
	graph_free(s->g);
}

static struct run_event
step(struct stage *s, const char *name, enum task_state to, enum result_status status)
{
	struct run_task *t = &s->tasks[plan_find(s->p, tiny_node(s->g, name))->index];
	struct run_event ev = { .kind = EVENT_TASK, .task = t, .from = t->state, .to = to,
		.at_ms = 1000, .text = "because" };

	t->state = to;
	t->status = status;
	t->attempts += to == TASK_RUNNING;
	return ev;
}

static void
note(struct stage *s, const char *name, enum task_state to, enum result_status status,
    int64_t now_ms)
{
	struct run_event ev = step(s, name, to, status);

	board_note(s->b, &ev, now_ms);
}

static void
starts(struct stage *s, const char *name, int64_t now_ms)
{
	note(s, name, TASK_RUNNING, RESULT_SUCCESS, now_ms);
}

static void
ends(struct stage *s, const char *name, enum result_status status, int64_t now_ms)
{
	note(s, name, TASK_DONE, status, now_ms);
}

static const char *
drawn(struct stage *s, unsigned columns, unsigned rows, int64_t now_ms)
{
	struct board_view v = { .columns = columns, .rows = rows, .now_ms = now_ms };
	size_t n, found = 1;

	buf_truncate(&s->lines, 0);
	n = board_draw(s->b, &v, &s->lines);
	for (const char *c = buf_str(&s->lines); *c; c++)
		found += *c == '\n';
	assert_int_equal(n, found);
	return buf_str(&s->lines);
}

static const char three[] =
    "model a\n"
    "model b: a\n"
    "model c\n";

static void
test_what_runs_and_how_far_it_is(void **state)
{
	struct stage s = prepare(three);

	(void)state;
	s.b = board_new(s.p, 2, false, 1000);
	starts(&s, "a", 1000);
	starts(&s, "c", 2000);
	assert_string_equal(drawn(&s, 80, 24, 4200),
	    "[..............................]  0/3  3s\n"
	    "   3.2s  model a\n"
	    "   2.2s  model c");
	ends(&s, "a", RESULT_SUCCESS, 5000);
	assert_string_equal(drawn(&s, 80, 24, 90000),
	    "[##########....................]  1/3  1:29\n"
	    "   1:28  model c");
	ends(&s, "c", RESULT_FAIL, 90000);
	starts(&s, "b", 90000);
	assert_string_equal(drawn(&s, 80, 24, 7300000),
	    "[####################..........]  2/3  2:01:39  1 failed\n"
	    "2:00:10  model b");
	finish(&s);
}

static void
test_usual_times_and_retries(void **state)
{
	struct stage s = prepare(three);

	(void)state;
	weigh(&s, "a", 10);
	weigh(&s, "b", 70);
	weigh(&s, "c", 20);
	s.b = board_new(s.p, 2, true, 0);
	starts(&s, "a", 0);
	starts(&s, "c", 0);
	assert_string_equal(drawn(&s, 80, 24, 5000),
	    "[##............................]  0/3  5s  ~1:15 left\n"
	    "   5.0s  model a  usually 10s\n"
	    "   5.0s  model c  usually 20s");
	note(&s, "c", TASK_BACKOFF, RESULT_ERROR, 5000);
	note(&s, "c", TASK_READY, RESULT_ERROR, 6000);
	starts(&s, "c", 6000);
	assert_string_equal(drawn(&s, 80, 24, 6000),
	    "[#.............................]  0/3  6s  ~1:14 left  1 retry\n"
	    "   6.0s  model a  usually 10s\n"
	    "   0.0s  model c  try 2  usually 20s");
	ends(&s, "a", RESULT_WARN, 10000);
	note(&s, "b", TASK_SKIPPED, RESULT_SKIPPED, 10000);
	assert_string_equal(drawn(&s, 80, 24, 10000),
	    "[#####################.....]  2/3  10s  ~16s left  1 warned  1 skipped  1 retry\n"
	    "   4.0s  model c  try 2  usually 20s");
	finish(&s);
}

static void
expect_left(struct stage *s, int64_t now_ms, double seconds)
{
	double left = board_left_s(s->b, now_ms);

	if (left < seconds - 0.001 || left > seconds + 0.001)
		fail_msg("at %lld ms: %.3f s left, not %.3f", (long long)now_ms, left, seconds);
}

/* A chain of 3 + 5 + 2 beside four tests' worth of other work. */
static void
test_time_left(void **state)
{
	struct stage s = prepare("model a\nmodel b: a\nmodel c: b\nmodel d\nmodel e\n");

	(void)state;
	weigh(&s, "a", 3);
	weigh(&s, "b", 5);
	weigh(&s, "c", 2);
	weigh(&s, "d", 4);
	weigh(&s, "e", 4);
	s.b = board_new(s.p, 2, true, 0);
	expect_left(&s, 0, 10);
	starts(&s, "a", 0);
	starts(&s, "d", 0);
	expect_left(&s, 1000, 9);
	expect_left(&s, 60000, 7);      /* late: what follows still takes its time */
	ends(&s, "a", RESULT_SUCCESS, 3000);
	starts(&s, "b", 3000);
	expect_left(&s, 3000, 7);
	/* b fails, is tried again, and is the longest way once more while it waits. */
	note(&s, "b", TASK_BACKOFF, RESULT_ERROR, 4000);
	expect_left(&s, 4000, 7);
	note(&s, "b", TASK_READY, RESULT_ERROR, 9000);
	starts(&s, "b", 9000);
	ends(&s, "d", RESULT_SUCCESS, 9000);
	ends(&s, "b", RESULT_ERROR, 9500);
	note(&s, "c", TASK_SKIPPED, RESULT_SKIPPED, 9500);
	expect_left(&s, 9500, 4);
	starts(&s, "e", 9500);
	expect_left(&s, 11500, 2);
	ends(&s, "e", RESULT_SUCCESS, 13500);
	expect_left(&s, 13500, 0);
	finish(&s);
	s = prepare(three);
	s.b = board_new(s.p, 1, false, 0);
	expect_left(&s, 0, -1);
	finish(&s);
	s = prepare(three);             /* one thread: all the work */
	s.b = board_new(s.p, 1, true, 0);
	expect_left(&s, 0, 3);
	finish(&s);
}

#define NOTES "\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87"    /* four wide characters */
#define LONG_NAME NOTES NOTES NOTES "_and_a_name_as_long_as_those_of_tests_are_" NOTES NOTES

static void
test_narrow_and_low(void **state)
{
	struct stage s = prepare(
	    "model a_model_with_quite_a_name\n"
	    "model " NOTES NOTES "\n"
	    "model c\nmodel d\nmodel e\n");

	(void)state;
	s.b = board_new(s.p, 5, true, 0);
	starts(&s, "a_model_with_quite_a_name", 0);
	starts(&s, NOTES NOTES, 0);
	starts(&s, "c", 0);
	starts(&s, "d", 0);
	starts(&s, "e", 0);
	assert_string_equal(drawn(&s, 20, 6, 500),
	    "0/5  0s  ~1s left\n"
	    "   0.5s  a_model_w\xe2\x80\xa6\n"
	    "   0.5s  " NOTES "\xe2\x80\xa6\n"
	    "and 3 more");
	assert_string_equal(drawn(&s, 40, 3, 500),
	    "[#########.........]  0/5  0s  ~1s left\nand 5 more");
	finish(&s);
}

static void
test_no_line_is_too_wide(void **state)
{
	struct stage s = prepare("model a\nmodel b\nmodel c\n"
	    "model " LONG_NAME "\n");

	(void)state;
	s.p->tasks[0].seconds = 4000;
	plan_weigh(s.p);
	s.b = board_new(s.p, 3, true, 0);
	starts(&s, "a", 0);
	starts(&s, "c", 0);
	note(&s, "c", TASK_BACKOFF, RESULT_ERROR, 0);
	starts(&s, "c", 0);
	starts(&s, LONG_NAME, 0);
	for (unsigned columns = 20; columns < 140; columns++)
		for (unsigned rows = 1; rows < 12; rows++) {
			char *text = xstrdup(drawn(&s, columns, rows, 5000000));
			unsigned n = 0;

			for (char *line = text, *end; line; line = end, n++) {
				if ((end = strchr(line, '\n')))
					*end++ = '\0';
				if (text_width(line) >= columns)
					fail_msg("%u columns: '%s'", columns, line);
			}
			if (n > 1 && n + 1 > rows)
				fail_msg("%u lines and an empty one on %u rows", n, rows);
			free(text);
		}
	finish(&s);
}

static void
test_hostile_names(void **state)
{
	struct stage s = prepare("model evil\n");
	struct board_view v = { .columns = 60, .rows = 24, .colour = true, .now_ms = 100 };
	struct run_event ev;

	(void)state;
	assert_int_equal(s.g->nnodes, 1);
	s.g->nodes[0].name = "\033[2J\nx\xff\xe2\x80\xaey";
	s.b = board_new(s.p, 1, false, 0);
	ev = (struct run_event){ .kind = EVENT_TASK, .task = s.tasks, .to = TASK_RUNNING };
	board_note(s.b, &ev, 0);
	assert_int_equal(board_draw(s.b, &v, &s.lines), 2);
	assert_non_null(strstr(s.lines.data, "model \\x1b[2J\\nx\xef\xbf\xbd\\u202ey"));
	finish(&s);
}

/* ---- on a terminal ---- */

struct terminal {
	int master, slave;
	struct buf out;
};

static struct terminal
open_terminal(unsigned short columns, unsigned short rows)
{
	struct terminal t = { .master = posix_openpt(O_RDWR | O_NOCTTY) };
	struct winsize w = { .ws_col = columns, .ws_row = rows };
	struct termios raw;

	assert_true(t.master >= 0);
	assert_int_equal(grantpt(t.master), 0);
	assert_int_equal(unlockpt(t.master), 0);
	t.slave = open(ptsname(t.master), O_RDWR | O_NOCTTY);
	assert_true(t.slave >= 0);
	assert_int_equal(tcgetattr(t.slave, &raw), 0);
	raw.c_oflag &= ~(tcflag_t)OPOST;      /* what was written is what is read */
	assert_int_equal(tcsetattr(t.slave, TCSANOW, &raw), 0);
	assert_int_equal(ioctl(t.slave, TIOCSWINSZ, &w), 0);
	fcntl(t.master, F_SETFL, O_NONBLOCK);
	return t;
}

/* What came since the last call. */
static const char *
seen(struct terminal *t)
{
	char chunk[4096];
	ssize_t n;

	buf_truncate(&t->out, 0);
	while ((n = read(t->master, chunk, sizeof(chunk))) > 0)
		buf_add(&t->out, chunk, (size_t)n);
	return buf_str(&t->out);
}

static void
close_terminal(struct terminal *t)
{
	close(t->master);
	close(t->slave);
	buf_release(&t->out);
}

static void
test_who_is_able(void **state)
{
	struct terminal t = open_terminal(80, 24);
	int null = open("/dev/null", O_WRONLY);

	(void)state;
	setenv("TERM", "xterm", 1);
	assert_true(screen_able(t.slave));
	assert_false(screen_able(null));
	setenv("TERM", "dumb", 1);
	assert_false(screen_able(t.slave));
	unsetenv("TERM");
	assert_false(screen_able(t.slave));
	close(null);
	close_terminal(&t);
}

static void
test_screen_writes(void **state)
{
	struct terminal t = open_terminal(80, 24);
	struct screen s = { 0 };

	(void)state;
	screen_open(&s, t.slave);
	screen_show(&s, "", "one\ntwo", 2);
	assert_string_equal(seen(&t), "\033[?7l\033[K\none\033[K\ntwo\033[J\r\033[2A\033[?7h");
	screen_show(&s, "", "one", 1);
	assert_string_equal(seen(&t), "\r\033[?7l\033[K\none\033[J\r\033[1A\033[?7h");
	screen_show(&s, "said\n", "one", 1);
	assert_string_equal(seen(&t), "\r\033[Jsaid\n\033[?7l\033[K\none\033[J\r\033[1A\033[?7h");
	screen_close(&s);
	assert_string_equal(seen(&t), "\r\033[J");
	screen_close(&s);
	assert_string_equal(seen(&t), "");
	close_terminal(&t);
}

static struct progress *
start_progress(const struct stage *s, int fd, bool board)
{
	struct progress_head h = { .plan = s->p, .project = "p", .adapter = "duckdb",
		.command = "build", .nthreads = 2, .options = { .fd = fd, .board = board } };
	struct progress *g = progress_new(&h.options);

	progress_start(g, &h);
	return g;
}

static void
tell(struct stage *s, struct progress *g, const char *name, enum task_state to,
    enum result_status status)
{
	struct run_event ev = step(s, name, to, status);
	struct observer o = progress_observer(g);
	struct err err = ERR_INIT;

	assert_int_equal(o.event(o.self, &ev, &err), 0);
}

static void
tick(struct progress *g)
{
	struct run_event ev = { .kind = EVENT_TICK };
	struct observer o = progress_observer(g);
	struct err err = ERR_INIT;

	assert_int_equal(o.event(o.self, &ev, &err), 0);
}

static void
test_news_above_the_board(void **state)
{
	struct terminal t = open_terminal(80, 24);
	struct stage s = prepare(three);
	struct progress *g = start_progress(&s, t.slave, true);
	const char *out;

	(void)state;
	assert_non_null(strstr(seen(&t), "build of p, 3 tasks"));
	tell(&s, g, "a", TASK_RUNNING, RESULT_SUCCESS);
	tell(&s, g, "c", TASK_RUNNING, RESULT_SUCCESS);
	tick(g);
	out = seen(&t);
	assert_non_null(strstr(out, "0/3"));
	assert_non_null(strstr(out, "model a"));
	tell(&s, g, "c", TASK_DONE, RESULT_SUCCESS);
	tick(g);
	out = seen(&t);
	assert_non_null(strstr(out, "1/3"));
	assert_null(strstr(out, "OK"));
	s.tasks[0].message = xstrdup("no such column\nline 2");
	tell(&s, g, "a", TASK_DONE, RESULT_ERROR);
	progress_log(g, NULL, "info", "from a macro");
	tick(g);
	out = seen(&t);
	assert_non_null(strstr(out, "ERROR"));
	assert_non_null(strstr(out, "no such column\n  line 2\n"));
	assert_non_null(strstr(out, "from a macro\n"));
	assert_true(strstr(out, "from a macro") < strstr(out, "1 failed"));
	/* The last task: nothing stays, and lines are written at once again. */
	tell(&s, g, "b", TASK_SKIPPED, RESULT_SKIPPED);
	assert_string_equal(seen(&t), "\r\033[J");
	progress_log(g, NULL, "info", "after it");
	assert_non_null(strstr(seen(&t), "after it\n"));
	progress_free(g);
	assert_string_equal(seen(&t), "");
	free(s.tasks[0].message);
	finish(&s);
	close_terminal(&t);
}

/* However many lines, they come with the next drawing; one that stays away is not waited for. */
static void
test_lines_wait_for_the_next_drawing(void **state)
{
	struct terminal t = open_terminal(80, 24);
	struct stage s = prepare(three);
	struct progress *g = start_progress(&s, t.slave, true);

	(void)state;
	tell(&s, g, "a", TASK_RUNNING, RESULT_SUCCESS);
	tick(g);
	seen(&t);
	for (int i = 0; i < 50; i++)
		progress_log(g, NULL, "warn", "many");
	assert_string_equal(seen(&t), "");
	usleep(400 * 1000);
	progress_log(g, NULL, "warn", "late");
	assert_non_null(strstr(seen(&t), "late\n"));
	progress_log(g, NULL, "warn", "last");
	progress_free(g);
	assert_non_null(strstr(seen(&t), "last\n"));
	finish(&s);
	close_terminal(&t);
}

static void
test_without_a_board_a_line_a_node(void **state)
{
	struct terminal t = open_terminal(80, 24);
	struct stage s = prepare(three);
	struct progress *g = start_progress(&s, t.slave, false);

	(void)state;
	seen(&t);
	tell(&s, g, "a", TASK_RUNNING, RESULT_SUCCESS);
	tick(g);
	assert_string_equal(seen(&t), "");
	tell(&s, g, "a", TASK_DONE, RESULT_SUCCESS);
	assert_non_null(strstr(seen(&t), "OK      model a ..."));
	assert_null(strchr(t.out.data, '\033'));
	progress_free(g);
	finish(&s);
	close_terminal(&t);
}

/* A hundred thousand tasks, all their events, a thousand drawings: if it took seconds, something
 * would walk over all tasks each time. */
static void
test_large_plan_is_cheap(void **state)
{
	enum { N = 100000 };
	struct buf text = BUF_INIT;
	struct stage s;
	int64_t began;

	(void)state;
	for (int i = 0; i < N; i++) {
		if (i % 10)
			buf_addf(&text, "model m%d: m%d\n", i, i - 1);
		else
			buf_addf(&text, "model m%d\n", i);
	}
	s = prepare(text.data);
	buf_release(&text);
	s.b = board_new(s.p, 8, true, 0);
	began = clock_mono_ms();
	for (size_t i = 0; i < s.p->ntasks; i++) {
		struct run_event ev = { .kind = EVENT_TASK, .task = &s.tasks[i], .from = TASK_READY,
			.to = TASK_RUNNING };

		board_note(s.b, &ev, (int64_t)i);
		ev.from = TASK_RUNNING;
		ev.to = TASK_DONE;
		board_note(s.b, &ev, (int64_t)i + 1);
		if (i % 100 == 0)
			drawn(&s, 100, 40, (int64_t)i + 1);
	}
	assert_in_range((uintmax_t)(clock_mono_ms() - began), 0, 2000);
	assert_non_null(strstr(drawn(&s, 100, 40, N), "100000/100000"));
	finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_runs_and_how_far_it_is),
		cmocka_unit_test(test_usual_times_and_retries),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_narrow_and_low),
		cmocka_unit_test(test_no_line_is_too_wide),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_who_is_able),
		cmocka_unit_test(test_screen_writes),
		cmocka_unit_test(test_news_above_the_board),
		cmocka_unit_test(test_lines_wait_for_the_next_drawing),
		cmocka_unit_test(test_without_a_board_a_line_a_node),
		cmocka_unit_test(test_large_plan_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
