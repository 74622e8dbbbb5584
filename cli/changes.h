/* cli/changes.h -- what changed in a project between a run and the one that continues it.
 *
 * A run keeps its manifest beside its record, the newest run alone: it may be large. Nothing here
 * is an error: a run without a kept manifest can be continued as well. Thread: main. */
#ifndef HEDDLE_CLI_CHANGES_H
#define HEDDLE_CLI_CHANGES_H

#include "executor/progress.h"
#include "executor/schedule.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "graph/set.h"

/* Copies the manifest to folder/manifest.json, and removes those of other runs in dir. */
void changes_keep_manifest(const char *manifest, const char *dir, const char *folder);

/* Fields of the graph that changes_say() needs, when there is something to compare with. */
unsigned changes_fields(const char *folder);

/* Warns of nodes of `selected` that are new or modified, with reasons, and of removed ones; and of
 * those that stay done although they changed. known: by task, or NULL. */
void changes_say(struct progress *progress, const char *folder, const struct graph *g,
    const struct set *selected, const struct plan *plan, const struct schedule_known *known);

#endif
