/* run_notify.c -- tells those named in heddle.yml how a run ended (executor/notify.h). */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cmd.h"
#include "cli/run_inside.h"
#include "executor/notify.h"
#include "graph/groups.h"
#include "util/clock.h"
#include "util/xalloc.h"

static void
warn(void *self, const char *text)
{
	progress_log(self, NULL, "warn", text);
}

/* meta.owner: a text, or a mapping as dbt's groups have it. */
static const char *
owner_in(struct arena *arena, const cJSON *meta)
{
	const cJSON *owner = cJSON_GetObjectItemCaseSensitive(meta, "owner");
	const char *text = cJSON_GetStringValue(owner);

	if (!text)
		text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(owner, "name"));
	if (!text)
		text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(owner, "email"));
	return text && *text ? arena_strdup(arena, text) : NULL;
}

static const char *
owner_in_meta(struct arena *arena, const struct node *n)
{
	const char *config = node_json(n, NODE_CONFIG), *meta = node_json(n, NODE_META);
	cJSON *doc = config && strstr(config, "\"owner\"") ? cJSON_Parse(config) : NULL;
	const char *owner = owner_in(arena, cJSON_GetObjectItemCaseSensitive(doc, "meta"));

	cJSON_Delete(doc);
	if (owner || !meta || !strstr(meta, "\"owner\""))
		return owner;
	doc = cJSON_Parse(meta);
	owner = owner_in(arena, doc);
	cJSON_Delete(doc);
	return owner;
}

static bool
was_failing(const struct task *t)
{
	int s = t->last_status ? result_status_find(t->last_status) : -1;

	return s == RESULT_ERROR || s == RESULT_FAIL || s == RESULT_PARTIAL ||
	    s == RESULT_RUNTIME_ERROR;
}

/* Whom nodes belong to. */
struct owners {
	struct arena arena;
	struct groups groups;
	const char *manifest;    /* NULL: its groups were read, or cannot be */
};

/* The node's own word before its group's. */
static const char *
owner_of(struct owners *o, const struct node *n)
{
	const char *owner = owner_in_meta(&o->arena, n);
	struct err ignored = ERR_INIT;

	if (owner || !n->group)
		return owner;
	if (o->manifest)
		groups_load(&o->groups, o->manifest, &ignored);
	o->manifest = NULL;
	err_release(&ignored);
	return groups_owner(&o->groups, n->group);
}

static struct notify_node
describe(struct owners *owners, const struct run_task *t)
{
	return (struct notify_node){ .node = t->task->node,
		.owner = owner_of(owners, t->task->node),
		.status = t->status, .class = t->class, .message = t->message,
		.attempts = t->attempts,
		.busy_ms = t->busy_ms };
}

/* failed, recovered: room for all tasks. */
static void
count(const struct run *r, struct owners *owners, struct notify_run *out,
    struct notify_node *failed, struct notify_node *recovered)
{
	const struct run_task *tasks;
	size_t n;

	tasks = schedule_tasks(r->schedule, &n);
	for (size_t i = 0; i < n; i++) {
		const struct run_task *t = &tasks[i];

		if (t->state != TASK_DONE || t->status == RESULT_SKIPPED) {
			out->nskipped++;
		} else if (!result_status_good(t->status)) {
			failed[out->nfailed++] = describe(owners, t);
		} else {
			out->ngood += t->status != RESULT_WARN;
			out->nwarned += t->status == RESULT_WARN;
			if (t->attempts > 0 && was_failing(t->task))
				recovered[out->nrecovered++] = describe(owners, t);
		}
	}
	out->failed = failed;
	out->recovered = recovered;
}

void
run_notify(const struct run *r, int exit_code, const struct err *err)
{
	const struct config *c = &r->policies.config;
	size_t most = r->plan ? r->plan->ntasks : 0;
	struct notify_node *failed, *recovered;
	struct owners owners = { 0 };
	struct notify_run run = {
		.command = plan_command_name(r->command),
		.exit_code = exit_code,
		.error = err->msg,
		.started_ms = r->began_ms,
		.took_ms = clock_mono_ms() - r->started_ms,
	};

	/* Who stopped the run knows. A run without nodes is no news, unless it could not begin. */
	if (c->nhooks == 0 || r->rq->dry_run || exit_code > 127 ||
	    (exit_code == EXIT_GOOD && !r->schedule))
		return;
	if (r->info) {
		run.project = r->info->project_name;
		run.target = r->info->target_name;
		run.run_id = r->info->invocation_id;
		owners.manifest = r->info->manifest_path;
	}
	failed = xcalloc(most + 1, sizeof(*failed));
	recovered = xcalloc(most + 1, sizeof(*recovered));
	if (r->schedule)
		count(r, &owners, &run, failed, recovered);
	notify(c->hooks, c->nhooks, &run, warn, r->progress);
	free(failed);
	free(recovered);
	groups_release(&owners.groups);
	arena_release(&owners.arena);
}
