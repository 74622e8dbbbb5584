/* tests/executor/past_read.h -- what the runs of past.h left in state/shop.db, read back. A mistake
 * fails the test; what is handed out is released as executor/history_read.h says. */
#ifndef HEDDLE_TESTS_EXECUTOR_PAST_READ_H
#define HEDDLE_TESTS_EXECUTOR_PAST_READ_H

#include "executor/history_read.h"
#include "util/buf.h"

static inline struct history_reader *
reader(void)
{
	struct err err = ERR_INIT;
	struct history_reader *r = history_read_open("state/shop.db", &err);

	if (!r)
		fail_msg("%s", err.msg);
	return r;
}

static inline struct history_runs
all_runs(struct history_reader *r)
{
	struct history_filter f = { 0 };
	struct history_runs runs;
	struct err err = ERR_INIT;

	if (history_read_runs(r, &f, &runs, &err) < 0)
		fail_msg("%s", err.msg);
	return runs;
}

static inline struct history_attempts
attempts(struct history_reader *r, int64_t run)
{
	struct history_attempts a;
	struct err err = ERR_INIT;

	if (history_read_attempts(r, run, &a, &err) < 0)
		fail_msg("%s", err.msg);
	return a;
}

/* "m0/1 error wait 0; ..." : every attempt of the newest run in short. */
static inline const char *
told(struct buf *b)
{
	struct history_reader *r = reader();
	struct history_runs runs = all_runs(r);
	struct history_attempts a = attempts(r, runs.v[0].key);

	buf_truncate(b, 0);
	for (size_t i = 0; i < a.n; i++) {
		const struct history_attempt *t = &a.v[i];

		buf_addf(b, "%s%s/%u%s %s", i ? "; " : "", a.nodes[t->node].name, t->attempt,
		    t->last ? "" : "..", result_status_name(t->status));
		if (t->waited_for != SIZE_MAX)
			buf_addf(b, " after %s", a.nodes[t->waited_for].name);
		if (t->critical)
			buf_adds(b, " !");
	}
	history_attempts_release(&a);
	history_runs_release(&runs);
	history_read_close(r);
	return buf_str(b);
}

#endif
