/* executor/journal.h -- what happened in one run, written while it happens; survives kill -9.
 *
 *   journal_new -> (journal_keep, of the run that is continued) -> journal_publish ->
 *       (journal_observer() during the run) -> journal_end -> journal_free
 *   journal_read: the record of an earlier run, for `retry` and `--resume`
 *
 * One file a run: DIR/<started>-<pid>.journal, 0600; the newest JOURNAL_KEEP are kept. Names sort
 * by start, also when the clock was set back: the time is then that of the one before. It has that
 * name once all of the run that it continues is in it, so that the newest journal alone says what
 * is left to do, whenever its run is killed. An attempt's
 * start is in the file before it is dispatched, its end before it is acted on (the scheduler tells
 * observers first), so a kill of any process loses nothing. A thread of its own, which knows
 * nothing but the descriptor, syncs the file at most JOURNAL_SYNC_MS later: power loss may repeat
 * the last nodes, never damage the record.
 *
 * Lines are JSON objects:
 *   {"journal": 1, "started_ms": N, "run": ID, "since": TIME, "process": MARK,
 *    "settings": {...}}                                          first
 *       TIME: when the first of the runs began that this one continues, or it itself
 *       MARK: of the process that writes it (util/process.h); absent where there are none
 *   {"t": ms, "id": ID, "try": N, "to": "running"}
 *   {"t": ms, "id": ID, "try": N, "to": "backoff", "class": C, "why": TEXT}
 *   {"t": ms, "id": ID, "try": N, "to": "done", "status": S, "class": C, "why": TEXT, "entry":
 *   {...}}
 *   {"t": ms, "id": ID, "to": "skipped", "why": TEXT}
 *       of the run that is continued: with "earlier": true
 *   {"t": ms, "hook": {...}, "at": "start" | "end"}                an entry of run_results.json
 *   {"t": ms, "end": EXIT_CODE}                                    absent: the run was killed
 * A last line without its newline was cut by a crash: it is dropped. A version other than 1 is
 * refused.
 *
 * Secrets are masked in every line. Thread: main. Errors: 0, or -1 with err; a failed write makes
 * the observer fail, so the scheduler starts nothing more.
 */
#ifndef HEDDLE_EXECUTOR_JOURNAL_H
#define HEDDLE_EXECUTOR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/schedule.h"
#include "util/arena.h"
#include "util/err.h"
#include "util/map.h"

#define JOURNAL_SUFFIX ".journal"
#define JOURNAL_HIDDEN ".new"      /* after that, until it is published */
#define JOURNAL_KEEP 20
#define JOURNAL_SYNC_MS 50

struct journal;

struct journal_head {
	const char *run_id;      /* dbt's invocation id */
	const char *since;       /* as dbt writes times; or NULL */
	const char *settings;    /* JSON object: whatever the caller needs to run the same again */
};

struct journal_node;

/* New file in dir, not listed before journal_publish(). While it is open it is locked as well
 * (flock):
 * journal_is_open(). */
struct journal *journal_new(const char *dir, const struct journal_head *head, struct err *err);
/* What the run that is continued knew of a node. The scheduler's word on results it was given is
 * not written again. */
int journal_keep(struct journal *j, const struct journal_node *n, struct err *err);
int journal_publish(struct journal *j, struct err *err);   /* synced when it returns */
struct observer journal_observer(struct journal *j);
int journal_hook(struct journal *j, const char *entry, bool at_start, struct err *err);
int journal_end(struct journal *j, int exit_code, struct err *err);   /* synced when it returns */
void journal_free(struct journal *j);                                 /* NULL is fine */
const char *journal_path(const struct journal *j);

/* ---- reading ---- */

struct journal_node {
	const char *id;
	const char *status;      /* dbt's word of the last end; NULL while no attempt has ended */
	const char *entry;       /* JSON of the last end, or NULL */
	const char *why;
	/* of the last attempt's end, as error_class_name() has it, or NULL */
	const char *class;
	unsigned attempts;       /* started */
	bool running;            /* an attempt began and no end was written: killed in it */
	bool skipped;
};

struct journal_run {
	struct arena arena;
	int64_t started_ms;
	const char *path;
	const char *run_id;      /* or NULL */
	const char *since;       /* or NULL */
	const char *settings;    /* JSON object */
	struct journal_node **nodes;   /* in the order they first appear */
	size_t nnodes;
	struct map by_id;        /* id -> struct journal_node * */
	struct strs start_hooks; /* entries */
	bool ended;
	int exit_code;
	bool torn;               /* a cut last line was dropped */
};

int journal_read(struct journal_run *run, const char *path, struct err *err);
void journal_run_release(struct journal_run *run);

/* Paths of the journals in dir, newest first; new strings in a new array. 0 when there are none. */
size_t journal_list(const char *dir, char ***paths);
void journal_list_free(char **paths, size_t n);

/* Whether the run that writes it is under way, also on another machine where the file system can
 * tell. */
bool journal_is_open(const char *path);
char *journal_run_id(const char *path);   /* new string, or NULL */

/* Ids of runs of dir that were killed on this machine, and whose process is surely dead: what they
 * left in a database is nobody's. `also`: an id that is added, or NULL. NULL-ended new list of new
 * strings. What cannot be read is left out. */
char **journal_killed_runs(const char *dir, const char *also);

/* Removes all but the newest `keep` of dir. Best effort. */
void journal_prune(const char *dir, size_t keep);

#endif
