/* run_resume.c -- the earlier run that this one continues: which it is, what of it stays done, what
 * changed in the project since; and the record that lets another run continue this one. */
#include "cli/run_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/changes.h"
#include "cli/cmd.h"
#include "cli/record.h"
#include "cli/resume.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

static bool
by_dbt(const struct journal_run *earlier)
{
	return !text_ends(earlier->path, JOURNAL_SUFFIX);
}

static const char *
name_of(const struct journal_run *earlier)
{
	return by_dbt(earlier) ? earlier->run_id : fs_base(earlier->path);
}

/* ---- which run ---- */

/* dbt's own account of its start, where it gives one: since 1.10. */
static void
set_since(struct run *r)
{
	cJSON *metadata = cJSON_Parse(r->info->metadata);
	const char *own = cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(metadata, "invocation_started_at"));
	char began[CLOCK_ISO_SIZE];

	clock_iso(r->began_ms * 1000, began);
	if (r->earlier && r->earlier->since && clock_parse_iso_us(r->earlier->since) != INT64_MIN)
		own = r->earlier->since;
	snprintf(r->since, sizeof(r->since), "%s", own ? own : began);
	cJSON_Delete(metadata);
}

int
run_find_earlier(struct run *r, struct err *err)
{
	char *settings;
	int rc = 0;

	r->record_dir = record_dir(r->rq->state_dir, r->info->target_path);
	r->earlier = r->rq->earlier;
	if (!r->earlier && r->rq->resume) {
		settings = record_settings(r->rq, r->info);
		rc = record_find_unfinished(&r->found, r->record_dir, settings, err);
		r->earlier = rc > 0 ? &r->found : NULL;
		free(settings);
	}
	if (rc < 0)
		return -1;
	set_since(r);
	if (!r->earlier)
		return 0;
	/* The lock of the target folder tells of this machine, this of all that share the
	 * record. */
	if (!by_dbt(r->earlier) && journal_is_open(r->earlier->path)) {
		err_set(err, "%s: that run is still under way", r->earlier->path);
		return err_hint(err, "wait for it to end");
	}
	r->resumes = r->earlier->run_id;
	return record_check_target(r->earlier->settings, r->info, err);
}

/* ---- the same target, for a run by dbt ---- */

static const char *
relation_then(const struct journal_node *n, cJSON **entry)
{
	*entry = n && n->entry ? cJSON_Parse(n->entry) : NULL;
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(*entry, "relation_name"));
}

/* dbt's file does not name its target, but where its nodes are. A node may have moved by itself;
 * when all have, it is another target. */
static int
check_relations(const struct run *r, struct err *err)
{
	size_t same = 0, moved = 0;

	for (size_t i = 0; by_dbt(r->earlier) && i < r->plan->ntasks; i++) {
		const struct node *n = r->plan->tasks[i].node;
		const struct journal_node *was = map_get(&r->earlier->by_id, n->id);
		cJSON *entry;
		const char *then = relation_then(was, &entry);

		if (then && n->relation_name && strcmp(then, n->relation_name) == 0)
			same++;
		else if (then && n->relation_name && moved++ == 0)
			err_set(err, "the run to continue made %s as %s, now it would be %s", n->id,
			    then, n->relation_name);
		cJSON_Delete(entry);
	}
	if (moved == 0 || same > 0) {
		err_release(err);
		return 0;
	}
	return err_hint(err, "continue it with the --target it had, or start anew");
}

/* ---- what stays done ---- */

static void
say_resumed(struct run *r, const struct resume_counts *c)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "continuing %s %s: %zu done before, %zu to run",
	    by_dbt(r->earlier) ? "dbt's run" : "run", name_of(r->earlier), c->kept, c->again);
	if (c->rebuilt)
		buf_addf(&b, ", %zu of them for the sake of failed tests", c->rebuilt);
	/* A run that was cut off, or could not write, has no word of what it had not started. */
	if (c->new_tasks && r->earlier->ended && r->earlier->exit_code <= EXIT_NODE_FAILED)
		buf_addf(&b, ", %zu of them new in the manifest", c->new_tasks);
	if (c->gone)
		buf_addf(&b, "; %zu of its nodes are no longer selected", c->gone);
	progress_log(r->progress, NULL, "info", b.data);
	buf_release(&b);
}

int
run_resume_earlier(struct run *r, struct err *err)
{
	struct resume_counts counts;
	char *before;

	if (!r->earlier)
		return 0;
	if (check_relations(r, err) < 0)
		return -1;
	r->known = resume_known(r->plan, r->earlier, r->info->adapter, r->rq->rebuild_tested,
	    &counts);
	r->nagain = counts.again + counts.unknown;
	r->unwritten = !r->earlier->ended || r->earlier->exit_code == EXIT_BAD_INPUT;
	say_resumed(r, &counts);
	before = record_manifest_dir(r->earlier->path);
	if (r->nagain > 0)
		changes_say(r->progress, before, r->graph, &r->selected, r->plan, r->known);
	free(before);
	return 0;
}

/* ---- the record of this run ---- */

/* All that is known so far, before anything starts. */
static int
keep_earlier(struct run *r, struct err *err)
{
	for (size_t i = 0; r->earlier && i < r->earlier->nnodes; i++)
		if (journal_keep(r->journal, r->earlier->nodes[i], err) < 0)
			return -1;
	return journal_publish(r->journal, err);
}

int
run_open_journal(struct run *r, struct err *err)
{
	char *settings = record_settings(r->rq, r->info), *before;
	struct journal_head head = {
		.run_id = r->info->invocation_id,
		.settings = settings,
		.since = r->since,
	};

	r->journal = journal_new(r->record_dir, &head, err);
	free(settings);
	if (!r->journal || keep_earlier(r, err) < 0)
		return -1;
	before = record_manifest_dir(journal_path(r->journal));
	changes_keep_manifest(r->info->manifest_path, r->record_dir, before);
	free(before);
	return 0;
}

/* Models done in part, with their batches; new JSON text, or NULL. */
static char *
batches_of(const struct journal_run *earlier)
{
	cJSON *all = cJSON_CreateObject();
	char *printed = NULL, *own;

	for (size_t i = 0; earlier && i < earlier->nnodes; i++) {
		const struct journal_node *n = earlier->nodes[i];
		const char *partial = result_status_name(RESULT_PARTIAL);
		cJSON *entry, *batches;

		if (n->running || !n->entry || strcmp(n->status, partial) != 0)
			continue;
		entry = cJSON_Parse(n->entry);
		batches = cJSON_DetachItemFromObjectCaseSensitive(entry, "batch_results");
		if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(batches, "successful")) &&
		    cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(batches, "failed")))
			cJSON_AddItemToObject(all, n->id, batches);
		else
			cJSON_Delete(batches);
		cJSON_Delete(entry);
	}
	if (all->child)
		printed = cJSON_PrintUnformatted(all);
	own = printed ? xstrdup(printed) : NULL;
	cJSON_free(printed);
	cJSON_Delete(all);
	return own;
}

void
run_tell_past(struct run *r)
{
	char *batches = batches_of(r->earlier);
	struct worker_past past = { .batches = batches, .started_at = r->since,
		.elsewhere = r->elsewhere };

	r->dead_runs = journal_killed_runs(r->record_dir, r->resumes);
	past.dead_runs = (const char *const *)r->dead_runs;
	if (r->dbt_runs.past)
		r->dbt_runs.past(r->dbt_runs.self, &past);
	free(batches);
}
