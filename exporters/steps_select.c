#include "exporters/steps_work.h"

#include <string.h>

#include "util/text.h"

static const char *const no_unit_tests[] = { "resource_type:unit_test" };
static const char *const no_data_tests[] = { "resource_type:test" };

/* ---- names and selections ---- */

static void
name_step(struct work *w, struct step *s, const struct id_style *style)
{
	struct buf b = BUF_INIT;
	char *mark = NULL;

	if (s->role == STEP_PART)
		return;
	if (s->role == STEP_START || s->role == STEP_END) {
		char *id = arena_strdup(&w->s->arena, s->verb);

		for (char *c = id; *c; c++)
			if (*c == '-')
				*c = style->blank;
		s->id = s->base = id;
		return;
	}
	if (!s->node) {
		s->id = s->base = style->blank == '_' ? "tests__all" : "tests--all";
		return;
	}
	id_add(&b, w->graph, s->node, style);
	s->base = arena_strdup(&w->s->arena, b.data);
	/* raw__seed is built by raw__seed, stg_orders by stg_orders_run. */
	mark = arena_printf(&w->s->arena, "%c%c%s", style->blank, style->blank,
	    kind_name(s->node->kind));
	for (char *c = mark; *c; c++)
		if (*c == '_')
			*c = style->blank;
	if (s->role == STEP_UNIT_TEST)
		buf_addf(&b, "%cunit%ctest", style->blank, style->blank);
	else if (s->role == STEP_TEST || !text_ends(s->base, mark))
		buf_addf(&b, "%c%s", style->blank, s->verb);
	s->id = arena_strdup(&w->s->arena, b.data);
	buf_release(&b);
}

static int
refuse(const struct node *n, struct err *err)
{
	err_set(err, "node '%s': no dbt selection means it alone", n->id);
	return err_hint(err,
	    "its name holds blanks, commas or * ? [, or another node shares its fqn and "
	    "path; leave it out with --exclude, or rename it");
}

const char *
step_alone(struct work *w, const struct node *n, struct err *err)
{
	const char *word = selects_alone(w->selects, &w->s->arena, n);

	if (!word)
		refuse(n, err);
	return word;
}

/* Tests of the graph that read n alone; unit: unit tests. */
static size_t
count_own_tests(const struct work *w, const struct node *n, bool unit)
{
	size_t count = 0;

	for (size_t k = 0; k < n->nchildren; k++) {
		const struct node *c = &w->graph->nodes[n->children[k]];

		if (unit ? c->kind == KIND_UNIT_TEST : c->kind == KIND_TEST &&
		    step_only_parent(w->graph, c) == n)
			count++;
	}
	return count;
}

/* Words that select the tests of one step by name: where the selection left some of them out. */
static int
select_by_name(struct work *w, const struct step *s, const char **words, size_t *n, struct err *err)
{
	for (size_t i = 0; i < s->ntests; i++)
		if (!(words[(*n)++] = step_alone(w, s->tests[i], err)))
			return -1;
	return 0;
}

/* A built node with its tests, or the tests of a node: by the node when that means just these. */
static int
select_with_tests(struct work *w, struct step *s, struct err *err)
{
	const char **words = arena_zalloc(&w->s->arena, s->ntests + 2, sizeof(*words));
	bool builds = s->role == STEP_BUILD,
	    whole = count_own_tests(w, s->node, false) == s->ntests;

	s->select = words;
	s->indirect = whole ? "cautious" : "empty";
	if (builds || whole) {
		words[s->nselect] = selects_alone(w->selects, &w->s->arena, s->node);
		if (!words[s->nselect] && builds)
			return refuse(s->node, err);
		if (words[s->nselect])
			s->nselect++;
		else
			whole = false;    /* tests of a source, and others, have names too */
	}
	if (!whole) {
		s->indirect = "empty";
		return select_by_name(w, s, words, &s->nselect, err);
	}
	if (count_own_tests(w, s->node, true)) {
		s->exclude = no_unit_tests;
		s->nexclude = 1;
	}
	return 0;
}

/* The unit tests of a model: by their names; those of two versions share them, then by the
 * model. */
static int
select_unit_tests(struct work *w, struct step *s, struct err *err)
{
	const char **words = arena_zalloc(&w->s->arena, s->ntests + 1, sizeof(*words));
	const char *model;

	s->select = words;
	if (select_by_name(w, s, words, &s->nselect, err) == 0)
		return 0;
	model = selects_alone(w->selects, &w->s->arena, s->node);
	if (!model || count_own_tests(w, s->node, true) != s->ntests)
		return -1;
	err_release(err);
	words[0] = model;
	s->nselect = 1;
	s->indirect = "cautious";
	s->exclude = no_data_tests;
	s->nexclude = 1;
	return 0;
}

const char *
steps_exclude_flag(const struct step *s)
{
	return s->exclude_types ? "--exclude-resource-type" : "--exclude";
}

/* All nodes of the export: it is they whose schemas are made, and whom the hooks are told of. What
 * --select and --exclude did not say is not said again. */
static void
select_for_hooks(struct work *w, struct step *s)
{
	static const char *const all[] = { "fqn:*" };
	bool said = !w->o->selector && w->o->ntypes == 0 && w->o->nexclude_types == 0;

	s->select = said ? w->o->select : all;
	s->nselect = said ? w->o->nselect : 1;
	s->exclude = said ? w->o->exclude : NULL;
	s->nexclude = said ? w->o->nexclude : 0;
}

static int
select_step(struct work *w, struct step *s, struct err *err)
{
	const char **word;

	if (s->role == STEP_TEST_ALL) {
		steps_select_everything(w, s, false, true);
		return 0;
	}
	if (s->role == STEP_START || s->role == STEP_END) {
		select_for_hooks(w, s);
		return 0;
	}
	if (s->role == STEP_PART)
		return steps_select_part(w, s, err);
	if (s->role == STEP_UNIT_TEST)
		return select_unit_tests(w, s, err);
	if (s->role == STEP_TEST || (s->role == STEP_BUILD && w->o->tests == TESTS_BUILD))
		return select_with_tests(w, s, err);
	word = arena_zalloc(&w->s->arena, 1, sizeof(*word));
	*word = step_alone(w, s->node, err);
	s->select = word;
	s->nselect = 1;
	/* `build` is the only verb some kinds have, and brings tests. */
	s->indirect = s->role == STEP_BUILD && strcmp(s->verb, "build") == 0 ? "empty" : NULL;
	return *word ? 0 : -1;
}

int
steps_select(struct work *w, const struct id_style *style, struct err *err)
{
	for (size_t i = 0; i < w->s->n; i++) {
		name_step(w, &w->s->v[i], style);
		if (select_step(w, &w->s->v[i], err) < 0)
			return -1;
	}
	return 0;
}
