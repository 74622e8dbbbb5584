#include "cli/resume.h"

#include <string.h>

#include "executor/retry.h"
#include "util/text.h"
#include "util/xalloc.h"

#define UNKNOWN "outcome unknown: its rows may be there already, and it appends; "

/* The commit may have happened although no end was written, or the end did not know. A retry that
 * left such a node alone knows no more than the run before it. */
static bool
outcome_unknown(const struct journal_node *n)
{
	if (n->running || (n->why && text_starts(n->why, UNKNOWN)))
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
		k.why = UNKNOWN "look, then run it with --rerun-unknown";
	}
	return k;
}

static bool
has_failed(const struct journal_node *n)
{
	return n && !n->running && n->status && (strcmp(n->status, "fail") == 0 ||
	    strcmp(n->status, "error") == 0);
}

static void
run_again(struct schedule_known *k, struct resume_counts *counts)
{
	if (k->known && k->status != RESULT_ERROR) {
		memset(k, 0, sizeof(*k));
		counts->rebuilt++;
	}
}

/* The model a generic test hangs on; what another test reads. */
static void
rebuild_parents(const struct plan *p, const struct task *test, struct schedule_known *known,
    struct resume_counts *counts)
{
	const struct node *n = test->node;
	const struct node *attached = n->attached ? graph_find(p->graph, n->attached) : NULL;
	const struct task *own = attached ? plan_find(p, attached) : NULL;

	for (size_t i = 0; !own && i < n->nparents; i++) {
		const struct task *parent = plan_find(p, &p->graph->nodes[n->parents[i]]);

		if (parent)
			run_again(&known[parent->index], counts);
	}
	if (own)
		run_again(&known[own->index], counts);
}

static bool
reads_rebuilt(const struct plan *p, const struct task *test, const struct schedule_known *known,
    const struct journal_run *earlier)
{
	for (size_t i = 0; i < test->node->nparents; i++) {
		const struct task *parent = plan_find(p, &p->graph->nodes[test->node->parents[i]]);
		const struct journal_node *was = parent ? map_get(&earlier->by_id,
		    parent->node->id) : NULL;

		if (was && !known[parent->index].known)
			return true;
	}
	return false;
}

static void
rebuild(const struct plan *p, const struct journal_run *earlier, struct schedule_known *known,
    struct resume_counts *counts)
{
	for (size_t i = 0; i < p->ntasks; i++)
		if (p->tasks[i].node->kind == KIND_TEST &&
		    has_failed(map_get(&earlier->by_id, p->tasks[i].node->id)))
			rebuild_parents(p, &p->tasks[i], known, counts);
	for (size_t i = 0; counts->rebuilt && i < p->ntasks; i++)
		if (p->tasks[i].node->kind == KIND_TEST && reads_rebuilt(p, &p->tasks[i], known,
		    earlier))
			run_again(&known[i], counts);
}

struct schedule_known *
resume_known(const struct plan *p, const struct journal_run *earlier, const char *adapter,
    bool rebuild_tested, struct resume_counts *counts)
{
	struct schedule_known *known = xcalloc(p->ntasks + 1, sizeof(*known));
	size_t met = 0;

	memset(counts, 0, sizeof(*counts));
	for (size_t i = 0; i < p->ntasks; i++) {
		const struct journal_node *n = map_get(&earlier->by_id, p->tasks[i].node->id);

		met += n != NULL;
		counts->new_tasks += n == NULL;
		if (n)
			known[i] = judge(&p->tasks[i], n, adapter);
	}
	if (rebuild_tested)
		rebuild(p, earlier, known, counts);
	for (size_t i = 0; i < p->ntasks; i++) {
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
