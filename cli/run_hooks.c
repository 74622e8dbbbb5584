/* run_hooks.c -- on-run-start or on-run-end without nodes: the first and the last task of an
 * orchestrator whose other tasks run their nodes with --no-hooks.
 *
 * on-run-end gets the results that those tasks left since on-run-start, as one `dbt build` would
 * have given them: from the records of the target folder (or --state-dir) and of the folders right
 * in the target folder, each of which may be the target folder of a task. Tasks that kept nothing
 * there (a pod, a temporary folder) are not known of. run_results.json then is that of the whole.
 *
 * When that was is in a file beside the records, on-run-start.json:
 *   {"on-run-start": 1, "started_ms": N}        another version is taken for none
 */
#include "cli/run_inside.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cmd.h"
#include "cli/record.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define STAMP "on-run-start.json"
#define KILLED "its process was killed"

/* What other runs left. */
struct elsewhere {
	struct journal_run *runs;      /* the oldest first */
	size_t nruns, runs_cap;
	struct worker_outcome *outcomes;   /* strings are the runs' */
	const char **entries;          /* of each outcome, or NULL */
	size_t noutcomes, outcomes_cap, entries_cap;
};

const char *
run_hooks_name(enum run_hooks h)
{
	static const char *const names[] = {
#define X(id, name) name,
		RUN_HOOKS(X)
#undef X
	};

	return names[h];
}

bool
run_only_hooks(const struct run *r)
{
	return r->rq->hooks == HOOKS_START || r->rq->hooks == HOOKS_END;
}

/* ---- when on-run-start was ---- */

static int
write_stamp(const struct run *r, struct err *err)
{
	char *path = fs_join(r->record_dir, STAMP);
	struct buf b = BUF_INIT;
	int rc;

	buf_addf(&b, "{\"on-run-start\": 1, \"started_ms\": %lld}\n", (long long)r->began_ms);
	rc = fs_mkdirs(r->record_dir, err);
	if (rc == 0)
		rc = fs_replace(path, b.data, b.len, 0600, err);
	buf_release(&b);
	free(path);
	return rc;
}

/* -1: never, as far as is known here. */
static int64_t
read_stamp(const struct run *r)
{
	char *path = fs_join(r->record_dir, STAMP);
	struct err ignored = ERR_INIT;
	struct buf b = BUF_INIT;
	const cJSON *version, *started;
	int64_t ms = -1;
	cJSON *doc;

	if (fs_read(path, &b, &ignored) == 0 && (doc = cJSON_Parse(buf_str(&b)))) {
		version = cJSON_GetObjectItemCaseSensitive(doc, "on-run-start");
		started = cJSON_GetObjectItemCaseSensitive(doc, "started_ms");
		if (cJSON_IsNumber(version) && version->valueint == 1 && cJSON_IsNumber(started))
			ms = (int64_t)started->valuedouble;
		cJSON_Delete(doc);
	}
	err_release(&ignored);
	buf_release(&b);
	free(path);
	return ms;
}

/* ---- what ran since ---- */

/* The runs of one folder of records. A record that cannot be read is left out with a warning. */
static void
read_runs(struct run *r, struct elsewhere *e, const char *dir, int64_t since_ms)
{
	char **paths;
	size_t n = journal_list(dir, &paths);
	bool older = false;

	for (size_t i = 0; i < n && !older; i++) {
		struct err err = ERR_INIT;
		struct journal_run *run;

		e->runs = xgrow(e->runs, e->nruns, &e->runs_cap, sizeof(*e->runs));
		run = &e->runs[e->nruns];
		if (journal_read(run, paths[i], &err) < 0) {
			progress_log(r->progress, NULL, "warn", err.msg);
			journal_run_release(run);
		} else if (run->started_ms < since_ms) {
			older = true;
			journal_run_release(run);
		} else {
			e->nruns++;
		}
		err_release(&err);
	}
	journal_list_free(paths, n);
}

static int
by_start(const void *a, const void *b)
{
	const struct journal_run *x = a, *y = b;

	return (x->started_ms > y->started_ms) - (x->started_ms < y->started_ms);
}

static void
find_runs(struct run *r, struct elsewhere *e, int64_t since_ms)
{
	DIR *d = opendir(r->info->target_path);
	struct dirent *entry;

	read_runs(r, e, r->record_dir, since_ms);
	while (d && (entry = readdir(d))) {
		char *folder = fs_join(r->info->target_path, entry->d_name);
		char *records = record_dir(NULL, folder);

		if (entry->d_name[0] != '.' && strcmp(records, r->record_dir) != 0)
			read_runs(r, e, records, since_ms);
		free(records);
		free(folder);
	}
	if (d)
		closedir(d);
	if (e->nruns)
		qsort(e->runs, e->nruns, sizeof(*e->runs), by_start);
}

static void
take_node(struct elsewhere *e, const struct journal_node *n)
{
	int status = n->status && !n->running ? result_status_find(n->status) : -1;
	struct worker_outcome o = { .id = n->id, .message = n->why };

	if (status >= 0)
		o.status = (enum result_status)status;
	else
		o.status = n->running ? RESULT_ERROR : RESULT_SKIPPED;
	if (n->running)
		o.message = KILLED;
	e->outcomes = xgrow(e->outcomes, e->noutcomes, &e->outcomes_cap, sizeof(*e->outcomes));
	e->entries = xgrow(e->entries, e->noutcomes, &e->entries_cap, sizeof(*e->entries));
	e->entries[e->noutcomes] = status >= 0 ? n->entry : NULL;
	e->outcomes[e->noutcomes++] = o;
}

/* Of a node that several runs know, the last word; of nodes that are selected here. */
static void
find_results(struct run *r, struct elsewhere *e)
{
	int64_t since_ms = read_stamp(r);
	struct map last = MAP_INIT;
	struct buf b = BUF_INIT;

	if (since_ms >= 0)
		find_runs(r, e, since_ms);
	for (size_t i = 0; i < e->nruns; i++)
		for (size_t k = 0; k < e->runs[i].nnodes; k++)
			map_put(&last, e->runs[i].nodes[k]->id, e->runs[i].nodes[k]);
	for (size_t i = 0; i < e->nruns; i++)
		for (size_t k = 0; k < e->runs[i].nnodes; k++) {
			struct journal_node *n = e->runs[i].nodes[k];
			const struct node *node = graph_find(r->graph, n->id);

			if (map_get(&last, n->id) == n && node &&
			    set_has(&r->selected, node->index) &&
			    (plan_command_kinds(r->command) & KIND_BIT(node->kind)))
				take_node(e, n);
		}
	map_release(&last);
	if (since_ms < 0)
		buf_adds(&b, "on-run-end gets no results: on-run-start did not run with this "
		    "target folder");
	else
		buf_addf(&b, "on-run-end gets the results of %zu %s", e->noutcomes,
		    e->noutcomes == 1 ? "node" : "nodes");
	progress_log(r->progress, NULL, since_ms < 0 ? "warn" : "info", b.data);
	buf_release(&b);
}

static void
elsewhere_release(struct elsewhere *e)
{
	for (size_t i = 0; i < e->nruns; i++)
		journal_run_release(&e->runs[i]);
	free(e->runs);
	free(e->outcomes);
	free(e->entries);
}

/* ---- the hooks ---- */

/* No node is a task of this run: it is none for the history either. */
static int
drop_tasks(struct run *r, struct err *err)
{
	struct set none;

	history_close(r->history);
	r->history = NULL;
	plan_free(r->plan);
	set_init(&none, r->graph->nnodes);
	r->plan = plan_new(r->graph, &none, r->command, err);
	set_release(&none);
	return r->plan ? 0 : -1;
}

static int
finish(struct run *r, const struct elsewhere *e, struct err *err)
{
	const struct worker_end *end;

	if (r->dbt_runs.finish(r->dbt_runs.self, e->outcomes, e->noutcomes, false, &end, err) < 0)
		return -1;
	r->hooks_failed |= end->hooks_failed || end->failure;
	if (end->failure)
		progress_log(r->progress, NULL, "error", end->failure);
	return run_take_hooks(r, end->hooks, end->nhooks, false, err);
}

/* dbt gets the entries that there are. */
static int
begin(struct run *r, const struct elsewhere *e, struct err *err)
{
	const char **given = xcalloc(e->noutcomes + 1, sizeof(*given));
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < e->noutcomes; i++)
		if (e->entries[i])
			given[n++] = e->entries[i];
	r->elsewhere = given;
	rc = run_begin(r, err);
	r->elsewhere = NULL;
	free(given);
	return rc;
}

/* run_results.json as that of the whole. Where nothing is known of nodes the file of the last run
 * stays: it is what `heddle retry` continues. */
static int
write_results(struct run *r, const struct elsewhere *e, struct err *err)
{
	for (size_t i = 0; i < e->noutcomes; i++) {
		const struct worker_outcome *o = &e->outcomes[i];

		if (e->entries[i])
			results_add(r->results, e->entries[i]);
		else
			results_add_ended(r->results, graph_find(r->graph, o->id), o->status,
			    o->message);
	}
	return e->noutcomes ? run_write_results(r, err) : 0;
}

static int
carry_out(struct run *r, const struct elsewhere *e, struct err *err)
{
	struct progress_tail tail = { .summary = &r->summary };

	if (begin(r, e, err) < 0)
		return -1;
	r->results = results_new(r->plan);
	run_start_progress(r);
	r->hooks_failed = r->ready->hooks_failed;
	if (run_take_hooks(r, r->ready->hooks, r->ready->nhooks, true, err) < 0)
		return -1;
	if (finish(r, e, err) < 0 || write_results(r, e, err) < 0)
		return -1;
	tail.total_ms = clock_mono_ms() - r->started_ms;
	progress_end(r->progress, &tail);
	return 0;
}

int
run_hooks_alone(struct run *r, struct err *err)
{
	struct elsewhere e = { 0 };
	int rc = drop_tasks(r, err);

	if (rc == 0 && r->rq->hooks == HOOKS_START)
		rc = write_stamp(r, err);
	else if (rc == 0)
		find_results(r, &e);
	if (rc == 0)
		rc = carry_out(r, &e, err);
	elsewhere_release(&e);
	return rc < 0 ? EXIT_BAD_INPUT : r->hooks_failed ? EXIT_NODE_FAILED : EXIT_GOOD;
}
