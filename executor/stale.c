#include "executor/stale.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/xalloc.h"

#define NONE UINT32_MAX

static const char *const names[NSTALE_RULES] = {
#define X(id, name) name,
	STALE_RULES(X)
#undef X
};

struct stale {
	const struct plan *plan;
	enum stale_rule rule;
	/* By node index. */
	uint32_t *cause;         /* the source that made it stale; NONE = not stale */
	size_t *nstale;          /* parents that are */
	const char **said;       /* of a stale source: what its check said; the task's */
	struct buf why;
};

const char *
stale_rule_name(enum stale_rule r)
{
	return names[r];
}

int
stale_rule_find(const char *name)
{
	for (int i = 0; i < NSTALE_RULES; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

struct stale *
stale_new(const struct plan *p, enum stale_rule rule)
{
	struct stale *s = xcalloc(1, sizeof(*s));

	s->plan = p;
	s->rule = rule;
	s->cause = xcalloc(p->graph->nnodes + 1, sizeof(*s->cause));
	s->nstale = xcalloc(p->graph->nnodes + 1, sizeof(*s->nstale));
	s->said = xcalloc(p->graph->nnodes + 1, sizeof(*s->said));
	for (size_t i = 0; i < p->graph->nnodes; i++)
		s->cause[i] = NONE;
	return s;
}

void
stale_free(struct stale *s)
{
	if (!s)
		return;
	free(s->cause);
	free(s->nstale);
	free(s->said);
	buf_release(&s->why);
	free(s);
}

bool
stale_found(const struct run_task *t)
{
	return t->task->node->kind == KIND_SOURCE && t->state == TASK_DONE &&
		(t->status == RESULT_WARN ||
		    (t->status == RESULT_ERROR && t->class == CLASS_STALE));
}

/* Everything that is stale because this source is. */
static void
spread(struct stale *s, const struct node *source)
{
	const struct graph *g = s->plan->graph;
	uint32_t *stack = xcalloc(g->nnodes + 1, sizeof(*stack));
	size_t n = 0;

	s->cause[source->index] = source->index;
	stack[n++] = source->index;
	while (n > 0) {
		const struct node *at = &g->nodes[stack[--n]];

		for (size_t i = 0; i < at->nchildren; i++) {
			uint32_t c = at->children[i];

			s->nstale[c]++;
			if (s->cause[c] != NONE ||
			    (s->rule == STALE_ALL && s->nstale[c] < g->nodes[c].nparents))
				continue;
			s->cause[c] = source->index;
			stack[n++] = c;
		}
	}
	free(stack);
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct stale *s = self;

	(void)err;
	if (ev->kind == EVENT_TASK && s->rule != STALE_NEVER && stale_found(ev->task)) {
		s->said[ev->task->task->node->index] = ev->task->message;
		spread(s, ev->task->task->node);
	}
	return 0;
}

struct observer
stale_observer(struct stale *s)
{
	return (struct observer){ .self = s, .event = on_event };
}

const char *
stale_why(void *self, const struct run_task *t)
{
	struct stale *s = self;
	const struct node *n = t->task->node;
	uint32_t cause = s->cause[n->index];

	if (cause == NONE || n->kind == KIND_SOURCE)
		return NULL;
	buf_truncate(&s->why, 0);
	buf_addf(&s->why, s->rule == STALE_ALL ? "all it comes from is stale, '%s' among it" :
	    "'%s' is stale", s->plan->graph->nodes[cause].id);
	if (s->said[cause])
		buf_addf(&s->why, ": %s", s->said[cause]);
	return s->why.data;
}
