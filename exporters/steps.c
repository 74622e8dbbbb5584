#include "exporters/steps_work.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/policy.h"
#include "util/map.h"
#include "util/xalloc.h"

size_t
steps_add(struct work *w, enum step_role role, const char *verb, const struct node *node)
{
	w->s->v = xgrow(w->s->v, w->s->n, &w->cap, sizeof(*w->s->v));
	w->s->v[w->s->n] = (struct step){ .role = role, .verb = verb, .node = node };
	return w->s->n++;
}

/* ---- steps ---- */

const struct node *
step_only_parent(const struct graph *g, const struct node *test)
{
	for (size_t i = 1; i < test->nparents; i++)
		if (test->parents[i] != test->parents[0])
			return NULL;
	return test->nparents ? &g->nodes[test->parents[0]] : NULL;
}

bool
step_is_test(const struct task *t)
{
	return t->node->kind == KIND_TEST || t->node->kind == KIND_UNIT_TEST;
}

static void
take_policy(struct step *s, const struct task *t)
{
	if (s->policy.max_attempts == 0)
		s->policy = t->policy;
	if (t->policy.timeout_ms > s->policy.timeout_ms)
		s->policy.timeout_ms = t->policy.timeout_ms;
	if (t->path > s->path)
		s->path = t->path;
}

static void
add_builds(struct work *w)
{
	for (size_t i = 0; i < w->plan->ntasks; i++) {
		const struct task *t = &w->plan->tasks[i];
		const char *verb = w->o->tests == TESTS_BUILD ? "build" : kind_verb(t->node->kind);

		if (!(KIND_BIT(t->node->kind) & STEP_BUILT_KINDS))
			continue;
		w->step_of[i] = steps_add(w, STEP_BUILD, verb, t->node);
		w->build_of[t->node->index] = w->step_of[i];
		take_policy(&w->s->v[w->step_of[i]], t);
	}
}

/* The step a data test belongs to. */
static size_t
home_of_test(struct work *w, const struct node *test)
{
	const struct node *parent = step_only_parent(w->graph, test);

	if (w->o->tests == TESTS_AFTER_ALL) {
		for (size_t i = 0; i < w->s->n; i++)
			if (w->s->v[i].role == STEP_TEST_ALL)
				return i;
		return steps_add(w, STEP_TEST_ALL, "test", NULL);
	}
	if (!parent)
		return steps_add(w, STEP_TEST_ALONE, "test", test);
	if (w->o->tests == TESTS_BUILD && w->build_of[parent->index] != NONE)
		return w->build_of[parent->index];
	if (w->test_of[parent->index] == NONE)
		w->test_of[parent->index] = steps_add(w, STEP_TEST, "test", parent);
	return w->test_of[parent->index];
}

static size_t
home_of_unit_test(struct work *w, const struct node *test)
{
	const struct node *model = step_only_parent(w->graph, test);

	if (!model)
		return steps_add(w, STEP_TEST_ALONE, "test", test);
	if (w->unit_of[model->index] == NONE)
		w->unit_of[model->index] = steps_add(w, STEP_UNIT_TEST, "test", model);
	return w->unit_of[model->index];
}

static void
add_tests(struct work *w)
{
	for (size_t i = 0; i < w->plan->ntasks; i++) {
		const struct task *t = &w->plan->tasks[i];

		if (t->node->kind == KIND_TEST)
			w->step_of[i] = home_of_test(w, t->node);
		else if (t->node->kind == KIND_UNIT_TEST)
			w->step_of[i] = home_of_unit_test(w, t->node);
		else
			continue;
		take_policy(&w->s->v[w->step_of[i]], t);
	}
}

static int
check_ids(const struct steps *s, struct err *err)
{
	struct map seen = MAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++) {
		const struct step *twin = map_put(&seen, s->v[i].id, &s->v[i]);

		if (twin)
			rc = err_set(err, "nodes '%s' and '%s' would share the task id '%s'",
			    twin->node ? twin->node->id : "test",
			    s->v[i].node ? s->v[i].node->id : "test", s->v[i].id);
	}
	map_release(&seen);
	return rc;
}

/* ---- all of it ---- */

static struct work
work_new(struct steps *s, const struct export_job *job)
{
	struct work w = {
		.s = s, .graph = job->graph, .plan = job->plan, .o = job->tasks,
		.selects = selects_new(job->graph)
	};
	size_t n = job->graph->nnodes;

	w.build_of = xcalloc(n + 1, sizeof(*w.build_of));
	w.test_of = xcalloc(n + 1, sizeof(*w.test_of));
	w.unit_of = xcalloc(n + 1, sizeof(*w.unit_of));
	w.step_of = xcalloc(w.plan->ntasks + 1, sizeof(*w.step_of));
	w.seen = xcalloc(n + 1, sizeof(*w.seen));
	w.stack = xcalloc(n + 1, sizeof(*w.stack));
	for (size_t i = 0; i < n; i++)
		w.build_of[i] = w.test_of[i] = w.unit_of[i] = NONE;
	for (size_t i = 0; i < w.plan->ntasks; i++)
		w.step_of[i] = NONE;
	return w;
}

static void
work_release(struct work *w)
{
	selects_free(w->selects);
	free(w->build_of);
	free(w->test_of);
	free(w->unit_of);
	free(w->step_of);
	free(w->edges);
	free(w->seen);
	free(w->stack);
}

/* The tests each step runs. */
static void
list_tests(struct work *w)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < w->plan->ntasks; i++) {
			struct step *s = w->step_of[i] == NONE ? NULL : &w->s->v[w->step_of[i]];

			if (!s || !step_is_test(&w->plan->tasks[i]))
				continue;
			if (pass)
				s->tests[s->ntests] = w->plan->tasks[i].node;
			s->ntests++;
		}
		for (size_t i = 0; pass == 0 && i < w->s->n; i++) {
			struct step *s = &w->s->v[i];

			s->tests = arena_zalloc(&w->s->arena, s->ntests + 1, sizeof(*s->tests));
			s->ntests = 0;
		}
	}
}
/* The step of all tests after parts that run none. */
static void
add_last_tests(struct work *w)
{
	size_t at = steps_add(w, STEP_TEST_ALL, "test", NULL);
	struct step *s = &w->s->v[at];

	s->tests = arena_zalloc(&w->s->arena, w->plan->ntasks + 1, sizeof(*s->tests));
	for (size_t i = 0; i < w->plan->ntasks; i++)
		if (w->plan->tasks[i].node->kind == KIND_TEST) {
			s->tests[s->ntests++] = w->plan->tasks[i].node;
			take_policy(s, &w->plan->tasks[i]);
		}
	if (s->ntests == 0)
		w->s->n--;
}

static int
add_steps(struct work *w, const struct id_style *style, struct err *err)
{
	if (w->o->granularity != GRANULARITY_NODE) {
		if (steps_add_parts(w, style, err) < 0)
			return -1;
		if (w->o->tests == TESTS_AFTER_ALL)
			add_last_tests(w);
		return 0;
	}
	add_builds(w);
	add_tests(w);
	list_tests(w);
	return 0;
}

/* A first and a last step. They are tried as often as most others. */
static void
add_hooks(struct work *w)
{
	struct task_policy usual = policy_usual(w->s);
	double longest = 0;
	size_t at;

	for (size_t i = 0; i < w->s->n; i++) {
		w->s->v[i].no_hooks = true;
		if (w->s->v[i].path > longest)
			longest = w->s->v[i].path;
	}
	usual.pool = NULL;
	at = steps_add(w, STEP_START, "on-run-start", NULL);
	w->s->v[at].path = longest + 1;
	w->s->v[at].policy = usual;
	at = steps_add(w, STEP_END, "on-run-end", NULL);
	w->s->v[at].policy = usual;
}

struct steps *
steps_new(const struct export_job *job, const struct id_style *style, struct err *err)
{
	struct steps *s = xcalloc(1, sizeof(*s));
	struct work w = work_new(s, job);
	int rc;

	s->job = job;
	rc = add_steps(&w, style, err);
	if (rc == 0 && job->tasks->hook_steps && s->n)
		add_hooks(&w);
	if (rc == 0)
		rc = steps_select(&w, style, err);
	if (rc == 0)
		rc = check_ids(s, err);
	if (rc == 0)
		steps_order(&w);
	work_release(&w);
	if (rc < 0) {
		steps_free(s);
		return NULL;
	}
	return s;
}

const char *
steps_about_hooks(const struct task_options *o)
{
	if (o->hook_steps)
		return "The first task runs the on-run-start hooks, the last one on-run-end; the "
		    "others "
		    "leave them out.";
	return o->hooks
	    ? "Each task is a dbt command of its own: on-run-start and on-run-end hooks run "
	    "in every one." : NULL;
}

void
steps_free(struct steps *s)
{
	if (!s)
		return;
	free(s->v);
	arena_release(&s->arena);
	free(s);
}
