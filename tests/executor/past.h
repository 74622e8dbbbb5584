/* tests/executor/past.h -- runs by hand: a plan, a scheduler's events, and the history they leave
 * in state/shop.db below the working folder, which each test has for itself. */
#ifndef HEDDLE_TESTS_EXECUTOR_PAST_H
#define HEDDLE_TESTS_EXECUTOR_PAST_H

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/history.h"
#include "util/fs.h"
#include "util/xalloc.h"

struct world {
	struct graph graph;
	struct plan plan;
	struct node *nodes;
	struct run_task *tasks;
	size_t *parents[64];         /* of the first tasks; the others have none */
	struct history *h;
	struct observer o;
	int64_t now;
	int nwarnings;
	char warning[512];
};

static inline void
on_warn(void *self, const char *text)
{
	struct world *w = self;

	w->nwarnings++;
	snprintf(w->warning, sizeof(w->warning), "%s", text);
}

/* n models m0, m1, ... without edges. */
static inline void
world_init(struct world *w, size_t n)
{
	memset(w, 0, sizeof(*w));
	w->now = 1700000000000;
	w->nodes = xcalloc(n, sizeof(*w->nodes));
	w->tasks = xcalloc(n, sizeof(*w->tasks));
	w->plan.tasks = xcalloc(n, sizeof(*w->plan.tasks));
	w->plan.ntasks = n;
	w->plan.nwaves = 1;
	w->plan.graph = &w->graph;
	w->plan.task_of = xcalloc(n, sizeof(*w->plan.task_of));
	w->graph.nodes = w->nodes;
	w->graph.nnodes = n;
	for (size_t i = 0; i < n; i++) {
		char id[64];

		snprintf(id, sizeof(id), "model.shop.m%zu", i);
		w->nodes[i] = (struct node){ .id = xstrdup(id), .kind = KIND_MODEL,
		    .path = "models/m.sql",
			.materialized = "table", .index = (uint32_t)i };
		w->plan.task_of[i] = i;
		map_put(&w->graph.by_id, w->nodes[i].id, &w->nodes[i]);
		w->nodes[i].name = strrchr(w->nodes[i].id, '.') + 1;
		w->plan.tasks[i] = (struct task){ .node = &w->nodes[i], .index = i };
		w->tasks[i] = (struct run_task){ .task = &w->plan.tasks[i], .cause = SIZE_MAX };
	}
}

/* child waits for parent; called with children in order of their waves. */
static inline void
world_edge(struct world *w, size_t parent, size_t child)
{
	struct task *c = &w->plan.tasks[child];

	w->parents[child] = xreallocarray(w->parents[child], c->nparents + 1, sizeof(size_t));
	w->parents[child][c->nparents++] = parent;
	c->parents = w->parents[child];
	if (c->wave <= w->plan.tasks[parent].wave)
		c->wave = w->plan.tasks[parent].wave + 1;
	if (w->plan.nwaves <= c->wave)
		w->plan.nwaves = c->wave + 1;
}

static inline void
world_release(struct world *w)
{
	for (size_t i = 0; i < w->plan.ntasks; i++)
		free((char *)(uintptr_t)w->nodes[i].id);
	for (size_t i = 0; i < sizeof(w->parents) / sizeof(w->parents[0]); i++)
		free(w->parents[i]);
	free(w->nodes);
	free(w->tasks);
	free(w->plan.tasks);
	free(w->plan.task_of);
	map_release(&w->graph.by_id);
}

static inline struct history_options
options_of(struct world *w, const char *target)
{
	return (struct history_options){ .path = "state/shop.db", .project = "shop",
	    .target = target,
		.self = w, .warn = on_warn };
}

static inline void
begin_at(struct world *w, const char *target, const char *run_id, const char *commit)
{
	struct history_options ho = options_of(w, target);
	struct history_facts f = { .run_id = run_id, .command = "build", .selection = "tag:nightly",
		.git_commit = commit, .dbt_version = "1.11.16", .adapter = "duckdb",
		.adapter_version = "1.9.0", .nthreads = 4, .started_ms = w->now };
	struct err err = ERR_INIT;

	w->h = history_open(&ho, &err);
	if (!w->h)
		fail_msg("%s", err.msg);
	history_begin(w->h, &f, &w->plan);
	w->o = history_observer(w->h);
}

static inline void
begin(struct world *w, const char *run_id)
{
	begin_at(w, "dev", run_id, "c1");
}

static inline void
move(struct world *w, size_t i, enum task_state to, const struct result *r, const char *text)
{
	struct run_task *t = &w->tasks[i];
	struct run_event ev = { .kind = EVENT_TASK, .at_ms = w->now, .task = t, .from = t->state,
		.to = to, .result = r, .text = text };
	struct err err = ERR_INIT;

	t->state = to;
	assert_int_equal(w->o.event(w->o.self, &ev, &err), 0);
	assert_null(err.msg);
}

static inline void
start(struct world *w, size_t i, unsigned thread)
{
	struct run_task *t = &w->tasks[i];

	move(w, i, TASK_READY, NULL, "");
	t->attempts++;
	t->thread = thread;
	t->started_ms = w->now;
	move(w, i, TASK_RUNNING, NULL, "");
}

static inline void
tick(struct world *w)
{
	struct run_event ev = { .kind = EVENT_TICK, .at_ms = w->now };
	struct err err = ERR_INIT;

	assert_int_equal(w->o.event(w->o.self, &ev, &err), 0);
}

/* The attempt ends after took_ms; to: DONE or BACKOFF. */
static inline void
finish(struct world *w, size_t i, enum task_state to, enum result_status s, int64_t took_ms)
{
	struct result r = RESULT_INIT;

	w->now += took_ms;
	r.status = s;
	r.class = result_status_good(s) ? CLASS_NONE : CLASS_TRANSIENT;
	r.took_ms = took_ms;
	r.started_ms = w->now - took_ms;
	w->tasks[i].status = s;
	w->tasks[i].class = r.class;
	move(w, i, to, &r, "because");
}

static inline void
run_task(struct world *w, size_t i, enum result_status s, int64_t took_ms)
{
	start(w, i, 0);
	finish(w, i, TASK_DONE, s, took_ms);
}

/* critical: the path, given by hand as well. */
static inline void
end_with_path(struct world *w, int exit_code, const size_t *critical, size_t ncritical)
{
	const struct schedule_summary s = { .wall_ms = 1234 };
	const struct history_outcome o = { exit_code, &s, critical, ncritical };

	w->now += 10;
	history_end(w->h, &o);
	history_close(w->h);
	w->h = NULL;
}

static inline void
end(struct world *w, int exit_code)
{
	end_with_path(w, exit_code, (const size_t[]){ 0 }, 1);
}

/* Ready for the next run. */
static inline void
rewind_tasks(struct world *w)
{
	for (size_t i = 0; i < w->plan.ntasks; i++)
		w->tasks[i] = (struct run_task){ .task = &w->plan.tasks[i], .cause = SIZE_MAX };
}

static inline int
set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = fs_join(tmp ? tmp : "/tmp", "heddle-history.XXXXXX");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	char *dir = *state;
	int status;
	pid_t pid;

	if (chdir("/") < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	free(dir);
	return 0;
}

#endif
