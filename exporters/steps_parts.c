/* steps_parts.c -- coarse steps: a folder, a layer or everything as one dbt command.
 *
 * The plan is cut (parts.h) with those tests in it that run inside the parts, so a test that reads
 * several parts runs in the last of them, and what it holds back stands in the same part after it,
 * or in a later one. dbt, or heddle, keeps the order inside a part.
 */
#include "exporters/steps_work.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/layers.h"
#include "exporters/parts.h"
#include "util/xalloc.h"

#define NODE_TIMEOUT_MS (60 * 60 * 1000)          /* of a node that has none */
#define MOST_TIMEOUT_MS (24 * (int64_t)NODE_TIMEOUT_MS)

struct cut {
	struct work *w;
	/* without tests that run elsewhere, and without what dbt only notes */
	struct plan *plan;
	struct part_key *keys;
	struct parts parts;
};

/* ---- keys ---- */

/* "marts/finance"; a package before it unless it is the project; "seeds" and so on for other
 * kinds. */
static const char *
folder_of(struct work *w, const struct node *n)
{
	struct buf b = BUF_INIT;
	const char *root = w->graph->project_name, *key;
	bool test = n->kind == KIND_TEST || n->kind == KIND_UNIT_TEST;

	if (n->kind != KIND_MODEL && !test)
		for (const char *s = kind_plural(n->kind); *s; s++)
			buf_addc(&b, *s == ' ' ? '_' : *s);
	for (size_t i = 1; i + 1 + n->versioned < n->fqn.n; i++)
		buf_addf(&b, "%s%s", b.len ? "/" : "", n->fqn.v[i]);
	if (b.len == 0)
		buf_adds(&b, kind_plural(KIND_MODEL));
	if (root && n->package && strcmp(root, n->package) != 0)
		buf_addf(&b, " %s", n->package);
	key = arena_strdup(&w->s->arena, b.data);
	buf_release(&b);
	return key;
}

static struct part_key
key_of(struct work *w, const struct task *t)
{
	enum layer l;

	if (t->node->kind == KIND_TEST && t->nparents)
		return (struct part_key){ NULL, 0 };
	if (w->o->granularity == GRANULARITY_FOLDER)
		return (struct part_key){ folder_of(w, t->node), 0 };
	l = layer_of(w->graph, t->node);
	return (struct part_key){ layer_name(l), l };
}

/* A unit test stands with its model. */
static void
fill_keys(struct cut *c)
{
	c->keys = xcalloc(c->plan->ntasks + 1, sizeof(*c->keys));
	for (size_t i = 0; i < c->plan->ntasks; i++)
		c->keys[i] = key_of(c->w, &c->plan->tasks[i]);
	for (size_t i = 0; i < c->plan->ntasks; i++) {
		const struct task *t = &c->plan->tasks[i], *model;

		if (t->node->kind != KIND_UNIT_TEST || t->node->nparents == 0)
			continue;
		model = plan_find(c->plan, &c->w->graph->nodes[t->node->parents[0]]);
		if (model)
			c->keys[i] = c->keys[model->index];
	}
}

/* ---- steps ---- */

/* "marts/finance" and number 2 -> "marts__finance_2". */
static void
name_part(struct work *w, struct step *s, const struct part *part, const struct id_style *style)
{
	struct buf b = BUF_INIT, text = BUF_INIT;
	bool clear = !strstr(part->key, "__");

	for (const char *k = part->key; *k; k++) {
		if (*k == '/')
			buf_adds(&text, "__");
		else if (*k == ' ')
			buf_adds(&text, "__in_");
		else
			buf_addc(&text, *k);
	}
	if (!clear)    /* a folder a__b is not b in a */
		buf_addc(&text, '/');
	id_add_text(&b, text.data, part->key, style);
	if (part->number > 1)
		buf_addf(&b, "%c%u", style->blank, part->number);
	s->id = s->base = arena_strdup(&w->s->arena, b.data);
	buf_release(&b);
	buf_release(&text);
}

/* The part's policy from those of its tasks; `first`: it has none yet. */
static void
add_policy(struct step *s, const struct task *t, bool first)
{
	int64_t timeout = t->policy.timeout_ms ? t->policy.timeout_ms : NODE_TIMEOUT_MS;
	int64_t sum = s->policy.timeout_ms + (step_is_test(t) ? 0 : timeout);

	if (first)
		s->policy = t->policy;
	if (t->policy.max_attempts > s->policy.max_attempts)
		s->policy.max_attempts = t->policy.max_attempts;
	if (s->policy.pool && (!t->policy.pool || strcmp(s->policy.pool, t->policy.pool) != 0))
		s->policy.pool = NULL;
	s->policy.timeout_ms = sum < MOST_TIMEOUT_MS ? sum : MOST_TIMEOUT_MS;
	if (t->path > s->path)
		s->path = t->path;
}

/* Has the task to be with a node that is in another part? */
static bool
is_apart(const struct cut *c, size_t task)
{
	const struct node *const *homes = c->w->s->job->homes;
	const struct node *home = homes ? homes[c->plan->tasks[task].node->index] : NULL;
	const struct task *t = home ? plan_find(c->plan, home) : NULL;

	return t && c->parts.of[t->index] != c->parts.of[task];
}

/* Nodes, tests and policies of each part; the weights are those of the whole plan. */
static void
fill_parts(struct cut *c)
{
	struct work *w = c->w;

	for (size_t i = 0; i < c->plan->ntasks; i++) {
		struct step *s = &w->s->v[c->parts.of[i]];

		if (is_apart(c, i))
			continue;
		add_policy(s, plan_find(w->plan, c->plan->tasks[i].node),
		    s->nnodes + s->ntests == 0);
		if (step_is_test(&c->plan->tasks[i]))
			s->ntests++;
		else
			s->nnodes++;
	}
	for (size_t i = 0; i < w->s->n; i++) {
		struct step *s = &w->s->v[i];

		s->nodes = arena_zalloc(&w->s->arena, s->nnodes + 1, sizeof(*s->nodes));
		s->tests = arena_zalloc(&w->s->arena, s->ntests + 1, sizeof(*s->tests));
		s->nnodes = s->ntests = 0;
	}
	for (size_t i = 0; i < c->plan->ntasks; i++) {
		struct step *s = &w->s->v[c->parts.of[i]];

		if (is_apart(c, i))
			continue;
		if (step_is_test(&c->plan->tasks[i]))
			s->tests[s->ntests++] = c->plan->tasks[i].node;
		else
			s->nodes[s->nnodes++] = c->plan->tasks[i].node;
	}
}

static void
join_parts(struct cut *c)
{
	for (size_t i = 0; i < c->plan->ntasks; i++) {
		const struct task *t = &c->plan->tasks[i];

		for (size_t k = 0; !is_apart(c, i) && k < t->nparents; k++)
			if (!is_apart(c, t->parents[k]))
				steps_add_edge(c->w, c->parts.of[t->parents[k]], c->parts.of[i]);
	}
}

/* Tests that are in no part wait for all they read, and nothing waits for them. */
static void
add_apart(struct cut *c)
{
	struct work *w = c->w;

	for (size_t i = 0; i < c->plan->ntasks; i++) {
		const struct task *t = &c->plan->tasks[i];
		struct step *s;
		size_t at;

		if (!is_apart(c, i))
			continue;
		at = steps_add(w, STEP_TEST_ALONE, "test", t->node);
		s = &w->s->v[at];
		s->policy = plan_find(w->plan, t->node)->policy;
		s->tests = arena_zalloc(&w->s->arena, 1, sizeof(*s->tests));
		s->tests[s->ntests++] = t->node;
		for (size_t k = 0; k < t->nparents; k++)
			steps_add_edge(w, c->parts.of[t->parents[k]], at);
	}
}

static struct plan *
plan_of_parts(struct work *w, struct err *err)
{
	unsigned kinds = STEP_BUILT_KINDS;
	struct set nodes;
	struct plan *plan;

	if (w->o->tests == TESTS_AFTER_EACH || w->o->tests == TESTS_BUILD)
		kinds |= TEST_KINDS;
	set_init(&nodes, w->graph->nnodes);
	for (size_t i = 0; i < w->plan->ntasks; i++)
		if (KIND_BIT(w->plan->tasks[i].node->kind) & kinds)
			set_add(&nodes, w->plan->tasks[i].node->index);
	plan = plan_new(w->graph, &nodes, PLAN_BUILD, err);
	set_release(&nodes);
	return plan;
}

/* Everything: the user's own words for the selection. */
static void
add_whole(struct work *w, const struct id_style *style)
{
	size_t at;
	struct step *s;

	if (w->plan->ntasks == 0)
		return;
	at = steps_add(w, STEP_PART, "build", NULL);
	s = &w->s->v[at];
	s->id = s->base = style->blank == '_' ? "dbt_build" : "dbt-build";
	for (size_t i = 0; i < w->plan->ntasks; i++)
		add_policy(s, &w->plan->tasks[i], i == 0);
}

int
steps_add_parts(struct work *w, const struct id_style *style, struct err *err)
{
	struct cut c = { .w = w };

	if (w->o->granularity == GRANULARITY_ALL) {
		add_whole(w, style);
		return 0;
	}
	c.plan = plan_of_parts(w, err);
	if (!c.plan)
		return -1;
	fill_keys(&c);
	parts_cut(&c.parts, &w->s->arena, c.plan, c.keys);
	for (size_t i = 0; i < c.parts.n; i++) {
		steps_add(w, STEP_PART, "build", NULL);
		name_part(w, &w->s->v[i], &c.parts.v[i], style);
	}
	fill_parts(&c);
	join_parts(&c);
	add_apart(&c);
	plan_free(c.plan);
	free(c.keys);
	return 0;
}
