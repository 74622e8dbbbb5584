#include "cli/resume.h"

#include <string.h>

#include "executor/retry.h"
#include "util/xalloc.h"

/* The commit may have happened although no end was written, or the end did not know. */
static bool
outcome_unknown(const struct journal_node *n)
{
	if (n->running)
		return true;
	return n->class && (strcmp(n->class, error_class_name(CLASS_CONNECTION)) == 0 ||
	    strcmp(n->class, error_class_name(CLASS_WORKER_LOST)) == 0 ||
	    strcmp(n->class, error_class_name(CLASS_TIMEOUT)) == 0 ||
	    strcmp(n->class, error_class_name(CLASS_CANCELLED)) == 0);
}

static struct schedule_known
judge(const struct task *t, const struct journal_node *n, const char *adapter)
{
	int status = n->status ? result_status_find(n->status) : -1;
	struct schedule_known k = { 0 };

	/* A stale source may be fresh by now, and what was skipped for it may run. */
	if (t->node->kind == KIND_SOURCE && status != RESULT_PASS)
		return k;
	if (!n->running && status >= 0 && result_status_good((enum result_status)status)) {
		k.known = true;
		k.status = (enum result_status)status;
		k.entry = n->entry;
	} else if (outcome_unknown(n) && retry_node_appends(t->node, adapter) &&
	    !t->policy.retry_any && !t->policy.rerun_unknown) {
		k.known = true;
		k.status = RESULT_ERROR;
		k.why = "outcome unknown: its rows may be there already, and it appends; "
		    "look, then run it with --rerun-unknown";
	}
	return k;
}

struct schedule_known *
resume_known(const struct plan *p, const struct journal_run *earlier, const char *adapter,
    struct resume_counts *counts)
{
	struct schedule_known *known = xcalloc(p->ntasks, sizeof(*known));
	size_t met = 0;

	memset(counts, 0, sizeof(*counts));
	for (size_t i = 0; i < p->ntasks; i++) {
		const struct journal_node *n = map_get(&earlier->by_id, p->tasks[i].node->id);

		if (n) {
			met++;
			known[i] = judge(&p->tasks[i], n, adapter);
		} else {
			counts->new_tasks++;
		}
		if (!known[i].known)
			counts->again++;
		else if (known[i].status == RESULT_ERROR)
			counts->unknown++;
		else
			counts->kept++;
	}
	counts->gone = earlier->nnodes - met;
	return known;
}
