/* executor/board.h -- the live picture of a run, as lines of text: how far it is, what failed, what
 * runs for how long.
 *
 *   [########............]  12/28  0:42  ~1:05 left  1 failed  3 skipped
 *      12s  model orders  usually 10s
 *     0.4s  test unique_orders_id
 *   and 3 more
 *
 * It is told of the scheduler's events and asked for its lines; it knows no terminal and no clock
 * (executor/screen.h shows it, executor/progress.h has both). An event costs O(1) on average
 * besides the running tasks, a drawing O(threads), whatever the size of the plan. Names are made
 * safe.
 * Times are milliseconds of any one clock. Owner: caller. Thread: one at a time. */
#ifndef HEDDLE_EXECUTOR_BOARD_H
#define HEDDLE_EXECUTOR_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/schedule.h"
#include "graph/plan.h"
#include "util/buf.h"

struct board_view {
	unsigned columns, rows;      /* of the terminal; 0 = not known */
	bool colour;
	int64_t now_ms;
};

struct board;

/* timed: the plan's seconds come from the past, so that there is a usual time and time left. The
 * plan is weighed, outlives the board and does not change meanwhile. */
struct board *board_new(const struct plan *p, unsigned nthreads, bool timed, int64_t now_ms);
void board_free(struct board *b);

/* Other events than EVENT_TASK are ignored. */
void board_note(struct board *b, const struct run_event *ev, int64_t now_ms);

/* Appends the lines, "\n" between them and none at the end; returns how many. None is wider than
 * columns - 1, and they take at most two thirds of the rows. */
size_t board_draw(const struct board *b, const struct board_view *v, struct buf *out);

/* Seconds to the end: the longest remaining path, or the remaining work shared by all threads if
 * that takes longer. -1 when nothing is known of the past. */
double board_left_s(const struct board *b, int64_t now_ms);

#endif
