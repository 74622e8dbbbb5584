/* graph/plan.h -- graph + selected set -> tasks and their order. What executor and exporters read.
 *
 *   plan_new -> (cli fills policy and seconds) -> plan_weigh -> schedule or export -> plan_free
 *
 * Order (dbt-core 1.11 graph/graph.py get_subset_graph, compilation.py add_test_edges,
 * task/build.py):
 *  - a selected node waits for each selected ancestor, also through unselected ones;
 *  - `build` only: a test holds back every node (not a test) of which all the test's parents are
 *    ancestors (graph/hold.h);
 *  - `build` only: a unit test takes over the incoming order of its model and precedes it; for an
 *    ephemeral model it precedes that model's children; one whose model is not selected is no
 *    task (so it is in dbt 1.11: `dbt build --select test_type:unit` has nothing to do);
 *  - ephemeral models are no tasks, order passes through them;
 *  - sources are tasks of `freshness`, and of another command when asked for: those that have a
 *    limit for the age of their data.
 * Edges are kept without the redundant ones (a -> c when a -> b -> c).
 *
 * Owner: plan_new() copies nothing of the graph: the graph outlives the plan. Thread: main fills,
 * then read-only. Memory: one arena.
 */
#ifndef HEDDLE_GRAPH_PLAN_H
#define HEDDLE_GRAPH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"
#include "graph/set.h"
#include "util/buf.h"
#include "util/err.h"

/* Which dbt command the plan is for: it decides which kinds become tasks, test edges, and which
 * result statuses hold back what follows (plan_blocks in executor/task.h). */
enum plan_command { PLAN_BUILD, PLAN_RUN, PLAN_TEST, PLAN_SEED, PLAN_SNAPSHOT, PLAN_FRESHNESS,
	NPLAN_COMMANDS };

const char *plan_command_name(enum plan_command c);        /* "build" */
unsigned plan_command_kinds(enum plan_command c);          /* KIND_BIT()s that become tasks */

struct task_policy {
	unsigned max_attempts;    /* all tries together; 1 = never retry */
	int64_t delay_ms;         /* before the second try */
	double factor;            /* the delay grows by this each further try; >= 1 */
	int64_t max_delay_ms;     /* cap of the grown delay */
	double jitter;            /* 0..1: share of the delay drawn at random, both ways */
	int64_t timeout_ms;       /* 0 = none */
	bool retry_any;           /* retry whatever the class of error (`on: any`) */
	bool rerun_unknown;       /* retry an appending node though it may have committed */
	int priority;             /* higher starts first, before the longest path */
	const char *pool;         /* NULL = none; borrowed, lives as long as the plan */
};

struct task {
	const struct node *node;
	size_t index;             /* position in plan->tasks: order of unique ids */
	const size_t *parents, *children;   /* indexes, sorted */
	size_t nparents, nchildren;
	size_t wave;              /* 0 = nothing before it; else 1 + the largest of its parents */
	bool gate;                /* a test or unit test that holds something back */

	struct task_policy policy;    /* filled by cli; zero until then */
	double seconds;           /* expected time; 1.0 until filled */
	double path;              /* seconds of the longest way to the end, this task included */
	const char *last_status;  /* of an earlier run, or NULL; borrowed */
};

#define PLAN_NO_TASK ((size_t)-1)

struct plan {
	struct arena arena;
	const struct graph *graph;
	enum plan_command command;
	unsigned kinds;           /* KIND_BIT()s that are tasks */
	struct task *tasks;
	size_t ntasks;
	size_t nwaves;
	size_t *task_of;          /* node->index -> index in tasks, or PLAN_NO_TASK */
	double critical_path;     /* seconds; after plan_weigh() */
	double work;              /* sum of seconds; after plan_weigh() */
};

/* selected: nodes of the selection, of any kind; those the command does not run are dropped.
 * NULL with err when the graph has a cycle. The tasks weigh one second each at first. */
struct plan *plan_new(const struct graph *g, const struct set *selected, enum plan_command command,
    struct err *err);

/* The same; the selected sources with a freshness check are tasks too, each before what reads
 * it. */
struct plan *plan_new_with_sources(const struct graph *g, const struct set *selected,
    enum plan_command command, struct err *err);
void plan_free(struct plan *p);

/* Adds the sources with a freshness check that the selected nodes of the command come from, through
 * unselected nodes too. */
void plan_add_sources(const struct graph *g, enum plan_command command, struct set *selected);

/* Recomputes path, critical_path and work from the tasks' seconds. */
void plan_weigh(struct plan *p);

/* The tasks of the critical path in their order, into tasks[ntasks]; returns how many. Of equal
 * ones the first by id. After plan_weigh(). */
size_t plan_critical(const struct plan *p, size_t *tasks);

/* The task of a node, or NULL when the plan has none for it. */
const struct task *plan_find(const struct plan *p, const struct node *n);

/* Appends dbt's selector for this node alone: "fqn:shop.marts.orders", "source:shop.raw.orders". */
void plan_add_selector(struct buf *b, const struct node *n);

/* Seconds a run with n threads would take: the scheduler's own order (graph/ready.h), without
 * retries and pools. */
double plan_makespan(const struct plan *p, unsigned nthreads);

#endif
