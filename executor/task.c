#include "executor/task.h"

#include <string.h>

#include "util/text.h"

static const char *const names[NTASK_STATES] = {
#define X(id, name) name,
	TASK_STATES(X)
#undef X
};

/*
 * WAITING -> READY -> RUNNING -> DONE, with RUNNING -> BACKOFF -> READY for each further try.
 * What never ran is SKIPPED, from any state before the first attempt; what was known from an
 * earlier run is DONE from the start; a task waiting for its next try is DONE with its last result
 * when the run stops. An attempt that was announced but never dispatched leaves RUNNING for SKIPPED
 * (or DONE, if it was not the first).
 */
static const unsigned next[NTASK_STATES] = {
	[TASK_WAITING] = 1u << TASK_READY | 1u << TASK_SKIPPED | 1u << TASK_DONE,
	[TASK_READY] = 1u << TASK_RUNNING | 1u << TASK_SKIPPED | 1u << TASK_DONE,
	[TASK_RUNNING] = 1u << TASK_DONE | 1u << TASK_BACKOFF | 1u << TASK_SKIPPED,
	[TASK_BACKOFF] = 1u << TASK_READY | 1u << TASK_DONE,
};

const char *
task_state_name(enum task_state s)
{
	return names[s];
}

bool
task_step_legal(enum task_state from, enum task_state to)
{
	return next[from] >> to & 1;
}

bool
plan_blocks(enum plan_command c, enum result_status s)
{
	switch (s) {
	case RESULT_ERROR:
	case RESULT_PARTIAL:
		return true;
	case RESULT_FAIL:
	case RESULT_SKIPPED:
		return c == PLAN_BUILD;
	default:
		return false;
	}
}

void
task_add_name(struct buf *b, const struct graph *g, const struct node *n)
{
	if (!g->project_name || strcmp(n->package, g->project_name) != 0) {
		text_add_safe(b, n->package, false, NULL);
		buf_addc(b, '.');
	}
	if (n->kind == KIND_SOURCE && n->source_name) {
		text_add_safe(b, n->source_name, false, NULL);
		buf_addc(b, '.');
	}
	text_add_safe(b, n->name, false, NULL);
	if (n->version) {
		buf_adds(b, ".v");
		text_add_safe(b, n->version, false, NULL);
	}
}
