/* executor/history_write.h -- the rows of a history and how they get into its tables: the SQL of
 * the writer. executor/history.c alone uses it. Thread: main.
 * Functions that write return false on trouble, which history_writer_trouble() puts into words. */
#ifndef HEDDLE_EXECUTOR_HISTORY_WRITE_H
#define HEDDLE_EXECUTOR_HISTORY_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/history.h"
#include "executor/runner.h"
#include "graph/plan.h"
#include "util/err.h"

/* A line for the table `attempts`. Texts are borrowed. */
struct history_row {
	int64_t node;             /* history_writer_node(), or 0: then */
	const char *hook;         /* ... the unique id of a hook, which is no node of the plan */
	unsigned attempt;         /* 0 = never ran */
	bool last;
	bool known;               /* written before: it only turned out to be the last */
	enum result_status status;
	enum error_class class;
	int thread;               /* -1 = none */
	int64_t ready_ms, started_ms, took_ms;   /* -1 = none */
	int64_t waited_for;       /* node, or -1 */
	long long failures, rows; /* -1 = unknown */
	double age_s;             /* of a source's data; negative = unknown */
	const char *code, *reason, *message, *sql;
};

struct history_counts {
	size_t ngood, nwarned, nfailed, nskipped, nretried;
};

struct history_writer;

struct history_writer *history_writer_open(const char *path, struct err *err);   /* NULL: err */
void history_writer_close(struct history_writer *w);

/* How long begin() waits for another process; 0 at first. */
void history_writer_patience(struct history_writer *w, int ms);

/* A transaction around what follows. begin() fails softly when another process writes: *busy. */
bool history_writer_begin(struct history_writer *w, bool *busy);
bool history_writer_commit(struct history_writer *w);
void history_writer_rollback(struct history_writer *w);

/* The node's id in the file, made when it is new; 0 = trouble. path, materialized: or NULL. */
struct history_node_facts {
	const char *id, *kind, *name, *path, *materialized;
};
int64_t history_writer_node(struct history_writer *w, const struct history_node_facts *f);

/* The run's id in the file; 0 = trouble. */
int64_t history_writer_run(struct history_writer *w, const char *project, const char *target,
    const struct history_facts *f, size_t ntasks);

bool history_writer_row(struct history_writer *w, int64_t run, const struct history_row *r);
bool history_writer_counts(struct history_writer *w, int64_t run, const struct history_counts *c);
bool history_writer_critical(struct history_writer *w, int64_t run, int64_t node);

struct history_end {
	int exit_code, signo;                        /* signo 0: none */
	int64_t nodes_ms, critical_ms, work_ms;
};
bool history_writer_end(struct history_writer *w, int64_t run, const struct history_end *e);

/* Two runs at most, so that no end of a run takes long; a run adds only one. */
bool history_writer_drop_oldest(struct history_writer *w);

size_t history_writer_medians(struct history_writer *w, const char *project, const char *target,
    const struct plan *p, double *seconds, const char **last);

/* SQLite's words for the last trouble. */
const char *history_writer_trouble(const struct history_writer *w);

#endif
