/* part_select.c -- the words that mean one part of the graph: its folders where they are whole,
 * else its nodes; then the tests that these words would leave out or bring along too many.
 *
 * What words mean is worked out as dbt does (graph/selector.py): a word's own matches, and in the
 * mode `cautious` every test all of whose parents are among them.
 */
#include "exporters/steps_work.h"

#include <stdlib.h>
#include <string.h>

#include "graph/plan.h"
#include "util/map.h"
#include "util/xalloc.h"

#define LONGEST_COMMAND 120000   /* bytes; leaves room for the program and its flags */

struct wording {
	struct work *w;
	struct step *s;
	unsigned kinds;            /* that the step's verb runs */
	/* dotted beginning of an fqn -> how many nodes of the part have it */
	struct map inside;
	struct arena scratch;
	struct set direct;         /* what the words match */
	struct set wanted;         /* nodes and tests of the part */
	const char **words;
	size_t nwords, cap;
};

static bool
is_run(const struct node *n, unsigned kinds)
{
	return (KIND_BIT(n->kind) & kinds) && !node_is_ephemeral(n) &&
		!(n->blank && n->kind != KIND_SEED);
}

/* fqn[0..n) with dots between. */
static const char *
beginning(struct wording *x, const struct node *n, size_t nparts)
{
	struct buf b = BUF_INIT;
	const char *text;

	for (size_t i = 0; i < nparts; i++)
		buf_addf(&b, "%s%s", i ? "." : "", n->fqn.v[i]);
	text = arena_strdup(&x->scratch, buf_str(&b));
	buf_release(&b);
	return text;
}

static void
count_inside(struct wording *x)
{
	for (size_t i = 0; i < x->s->nnodes; i++)
		for (size_t k = 1; k <= x->s->nodes[i]->fqn.n; k++) {
			const char *text = beginning(x, x->s->nodes[i], k);
			uintptr_t n = (uintptr_t)map_get(&x->inside, text);

			map_put(&x->inside, text, (void *)(n + 1));
		}
}

/* Does fqn:text run nothing but nodes of the part? */
static bool
is_inside(struct wording *x, const char *text)
{
	size_t n, found = 0;
	const uint32_t *match = selects_matching(x->w->selects, text, &n);

	for (size_t i = 0; i < n; i++) {
		if (!is_run(&x->w->graph->nodes[match[i]], x->kinds))
			continue;
		if (!set_has(&x->wanted, match[i]))
			return false;
		found++;
	}
	return found == (size_t)(uintptr_t)map_get(&x->inside, text);
}

static void
add_word(struct wording *x, const char *word)
{
	x->words = xgrow(x->words, x->nwords, &x->cap, sizeof(*x->words));
	x->words[x->nwords++] = arena_strdup(&x->w->s->arena, word);
}

/* The shortest beginning of the node's fqn that means the part's nodes only, else the node
 * alone. */
static int
word_of(struct wording *x, const struct node *n, struct err *err)
{
	const char *word;

	for (size_t k = 1; k <= n->fqn.n; k++) {
		const char *text = beginning(x, n, k);
		const uint32_t *match;
		size_t nmatch;

		if (!is_inside(x, text) || !(word = selects_fqn(&x->scratch, text)))
			continue;
		match = selects_matching(x->w->selects, text, &nmatch);
		for (size_t i = 0; i < nmatch; i++)
			set_add(&x->direct, match[i]);
		add_word(x, word);
		return 0;
	}
	word = step_alone(x->w, n, err);
	if (!word)
		return -1;
	set_add(&x->direct, n->index);
	add_word(x, word);
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted words out of x->words, which is empty then. */
static const char *const *
take_words(struct wording *x, size_t *n)
{
	const char **v = arena_zalloc(&x->w->s->arena, x->nwords + 1, sizeof(*v));

	if (x->nwords) {
		memcpy(v, x->words, x->nwords * sizeof(*v));
		qsort(v, x->nwords, sizeof(*v), by_text);
	}
	*n = x->nwords;
	x->nwords = 0;
	return v;
}

/* Would the words bring the test along? */
static bool
is_brought(const struct wording *x, const struct node *test)
{
	if (set_has(&x->direct, test->index))
		return true;
	for (size_t i = 0; i < test->nparents; i++)
		if (!set_has(&x->direct, test->parents[i]))
			return false;
	return test->nparents > 0 && !test->parent_disabled;
}

static bool
has_unit_tests(const struct plan *p)
{
	for (size_t i = 0; i < p->ntasks; i++)
		if (p->tasks[i].node->kind == KIND_UNIT_TEST)
			return true;
	return false;
}

/* Words for tests that would be missing, and exclusions for those that are too many. */
static int
settle_tests(struct wording *x, struct err *err)
{
	const struct graph *g = x->w->graph;
	bool units = false, no_units = !has_unit_tests(x->w->plan);
	size_t nmissing = 0;
	const struct node **missing = xcalloc(x->s->ntests + 1, sizeof(*missing));
	int rc = 0;

	for (size_t i = 0; i < x->s->ntests; i++)
		if (!is_brought(x, x->s->tests[i]))
			missing[nmissing++] = x->s->tests[i];
	x->s->select = take_words(x, &x->s->nselect);
	for (size_t i = 0; i < g->nnodes && rc == 0; i++) {
		const struct node *n = &g->nodes[i];
		const char *word;

		if (!(KIND_BIT(n->kind) & TEST_KINDS) || set_has(&x->wanted, i) ||
		    !is_brought(x, n))
			continue;
		if (n->kind == KIND_UNIT_TEST && no_units) {
			units = true;
			continue;
		}
		word = step_alone(x->w, n, err);
		if (word)
			add_word(x, word);
		rc = word ? 0 : -1;
	}
	if (units)
		add_word(x, "resource_type:unit_test");
	x->s->exclude = take_words(x, &x->s->nexclude);
	for (size_t i = 0; i < x->s->nselect; i++)
		add_word(x, x->s->select[i]);
	for (size_t i = 0; i < nmissing && rc == 0; i++) {
		const char *word = step_alone(x->w, missing[i], err);

		if (word)
			add_word(x, word);
		rc = word ? 0 : -1;
	}
	x->s->select = take_words(x, &x->s->nselect);
	free(missing);
	return rc;
}

/* A part of one kind without tests is run by that kind's own verb. */
static void
choose_verb(struct wording *x)
{
	struct step *s = x->s;

	x->kinds = STEP_BUILT_KINDS;
	for (size_t i = 1; i < s->nnodes; i++)
		if (s->nodes[i]->kind != s->nodes[0]->kind)
			return;
	if (s->ntests || s->nnodes == 0 || kind_verb(s->nodes[0]->kind) == NULL)
		return;
	s->verb = kind_verb(s->nodes[0]->kind);
	if (strcmp(s->verb, "build") != 0)
		x->kinds = KIND_BIT(s->nodes[0]->kind);
}

/* Is the part all that its verb would run? Without words dbt takes the project's default selector:
 * that is who speaks only where the user did not. */
static bool
is_everything(const struct wording *x)
{
	const struct task_options *o = x->w->o;

	if (o->nselect || o->nexclude || o->selector)
		return false;
	for (size_t i = 0; i < x->w->graph->nnodes; i++)
		if (is_run(&x->w->graph->nodes[i], x->kinds) && !set_has(&x->wanted, i))
			return false;
	return true;
}

/* A shell takes no word longer than 128 KiB, and the whole command is one: sh -c '...'. */
static int
check_length(const struct wording *x, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < x->s->nselect; i++)
		n += strlen(x->s->select[i]) + 1;
	for (size_t i = 0; i < x->s->nexclude; i++)
		n += strlen(x->s->exclude[i]) + 1;
	if (n < LONGEST_COMMAND)
		return 0;
	err_set(err, "task '%s' would select %zu nodes by %zu words: too long for a command",
	    x->s->id, x->s->nnodes, x->s->nselect + x->s->nexclude);
	return err_hint(err, "--granularity folder makes smaller parts");
}

/* Words that leave out tests, of the kinds there are: one that matches nothing is an error. types:
 * as resource types. */
static size_t
exclude_tests(const struct graph *g, const char **words, bool data_tests, bool unit_tests,
    bool types)
{
	static const char *const names[][2] = {
		{ "resource_type:test", "resource_type:unit_test" }, { "test", "unit_test" },
	};
	bool data = false, units = false;
	size_t n = 0;

	for (size_t i = 0; i < g->nnodes; i++) {
		data = data || g->nodes[i].kind == KIND_TEST;
		units = units || g->nodes[i].kind == KIND_UNIT_TEST;
	}
	if (data_tests && data)
		words[n++] = names[types][0];
	if (unit_tests && units)
		words[n++] = names[types][1];
	return n;
}

static int
find_words(struct wording *x, struct err *err)
{
	struct step *s = x->s;
	bool inside = x->w->o->tests == TESTS_AFTER_EACH || x->w->o->tests == TESTS_BUILD;

	choose_verb(x);
	if (strcmp(s->verb, "build") != 0 && is_everything(x))
		return 0;
	count_inside(x);
	for (size_t i = 0; i < s->nnodes; i++)
		if (!set_has(&x->direct, s->nodes[i]->index) && word_of(x, s->nodes[i], err) < 0)
			return -1;
	if (strcmp(s->verb, "build") == 0 && inside) {
		s->indirect = "cautious";
		return settle_tests(x, err);
	}
	s->select = take_words(x, &s->nselect);
	if (strcmp(s->verb, "build") == 0) {
		const char **words = arena_zalloc(&x->w->s->arena, 2, sizeof(*words));

		s->nexclude = exclude_tests(x->w->graph, words, true, true, false);
		s->exclude = words;
	}
	return 0;
}

void
steps_select_everything(struct work *w, struct step *s, bool no_data_tests, bool no_unit_tests)
{
	const char **words = arena_zalloc(&w->s->arena, w->o->nexclude + 2, sizeof(*words));

	for (size_t i = 0; i < w->o->nexclude; i++)
		words[s->nexclude++] = w->o->exclude[i];
	s->exclude_types = w->o->by_default;
	s->nexclude += exclude_tests(w->graph, words + s->nexclude, no_data_tests, no_unit_tests,
	    s->exclude_types);
	s->exclude = words;
	s->select = w->o->select;
	s->nselect = w->o->nselect;
}

static void
select_whole(struct work *w, struct step *s)
{
	bool inside = w->o->tests == TESTS_AFTER_EACH || w->o->tests == TESTS_BUILD;

	steps_select_everything(w, s, !inside, !inside || !w->o->unit_tests);
	s->indirect = w->o->indirect;
}

int
steps_select_part(struct work *w, struct step *s, struct err *err)
{
	struct wording x = { .w = w, .s = s };
	int rc;

	if (s->nnodes + s->ntests == 0) {
		select_whole(w, s);
		return 0;
	}
	set_init(&x.direct, w->graph->nnodes);
	set_init(&x.wanted, w->graph->nnodes);
	for (size_t i = 0; i < s->nnodes; i++)
		set_add(&x.wanted, s->nodes[i]->index);
	for (size_t i = 0; i < s->ntests; i++)
		set_add(&x.wanted, s->tests[i]->index);
	rc = find_words(&x, err);
	if (rc == 0)
		rc = check_length(&x, err);
	set_release(&x.direct);
	set_release(&x.wanted);
	map_release(&x.inside);
	arena_release(&x.scratch);
	free(x.words);
	return rc;
}
