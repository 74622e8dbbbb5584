/* executor/runner_worker_impl.h -- what runner_worker.c (the life of the dbt process: start, begin,
 * restart, finish) and runner_worker_run.c (one node on it: run, cancel, stuck) share. Nobody else
 * includes it. */
#ifndef HEDDLE_EXECUTOR_RUNNER_WORKER_IMPL_H
#define HEDDLE_EXECUTOR_RUNNER_WORKER_IMPL_H

#include <pthread.h>

#include "executor/runner_worker.h"
#include "executor/worker_process.h"
#include "util/buf.h"
#include "util/map.h"

/* One pool thread's socket to its Python thread. */
struct channel {
	int fd;                  /* -1 = none */
	struct buf rest;         /* read, not yet a whole line; the pool thread's own */
	const struct job *job;   /* the pool thread is inside run(), or NULL; borrowed */
	bool running;            /* the request is with the process */
	int64_t cancelled_ms;    /* monotonic; 0 = not cancelled */
};

/* What a restarted worker is given. */
struct entry {
	char *id;
	char *text;
};

struct worker {
	struct worker_options o;         /* strings copied */
	struct worker_info info;
	struct worker_ready ready;
	struct worker_end end;
	char **ids;
	size_t nids;
	int lock_fd;
	struct worker_past past;         /* strings copied; dead_runs until begun */
	double started_at;               /* dbt's clock: start of the run phase */
	bool begun, interrupted;

	pthread_mutex_t lock;            /* guards all below */
	pthread_cond_t changed;
	struct worker_process *process;
	struct channel *channels;
	size_t nchannels;
	struct entry **entries;          /* last result of each node */
	size_t nentries, entries_cap;
	struct map by_id;                /* id -> struct entry */
	bool lost;                       /* the process died; until a restart succeeded */
	bool restarting;
	bool stopping;                   /* no restart is of use any more */
	pthread_t restarter;             /* of the last restart that a node asked for */
	bool has_restarter;              /* it is to be joined */
	char *restart_why;               /* why that failed, or NULL */
	bool killed;                     /* it was killed for a stuck node */
	size_t nrunning_at_loss;
	int64_t kill_at_ms;              /* 0 = no stuck node; else: at the latest */
	unsigned restarts;
};

/* ---- runner_worker.c: all with the lock ---- */

/* There is a process and it takes requests. */
bool worker_is_alive(const struct worker *w);

/* Another process in place of the dead one: a thread of its own makes it, so that whoever waits for
 * it can be cancelled. w->restarting until it is there, or has failed; w->changed tells. */
void worker_restart_begin(struct worker *w);

/* ---- runner_worker_run.c ---- */

/* Watches over cancelled attempts; for struct process_options. */
int64_t worker_supervise(void *worker);

#endif
