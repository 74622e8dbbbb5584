/* exporters/steps_work.h -- what steps*.c share while the steps are made; nobody else reads it.
 *
 *   steps.c         which steps there are        steps_select.c   their names and selections
 *   steps_order.c   what each waits for, and the order they stand in
 *   steps_parts.c   coarse steps             part_select.c    the words that mean one
 */
#ifndef HEDDLE_EXPORTERS_STEPS_WORK_H
#define HEDDLE_EXPORTERS_STEPS_WORK_H

#include "exporters/selects.h"
#include "exporters/steps.h"

#define NONE SIZE_MAX
#define STEP_BUILT_KINDS (KIND_BIT(KIND_MODEL) | KIND_BIT(KIND_SEED) | KIND_BIT(KIND_SNAPSHOT) | \
	KIND_BIT(KIND_FUNCTION))

struct edge {
	size_t from, to;
};

struct work {
	struct steps *s;
	const struct graph *graph;
	const struct plan *plan;
	const struct task_options *o;
	struct selects *selects;
	size_t cap;
	size_t *build_of, *test_of, *unit_of;   /* by node->index: a step, or NONE */
	size_t *step_of;              /* by task: a step, or NONE */
	struct edge *edges;
	size_t nedges, edges_cap;
	uint32_t *seen, *stack;       /* of walks; by node->index */
	uint32_t walk;
};

/* What a test reads, each once: the only one, or NULL when it reads none or several. */
const struct node *step_only_parent(const struct graph *g, const struct node *test);

bool step_is_test(const struct task *t);    /* data test or unit test */

size_t steps_add(struct work *w, enum step_role role, const char *verb, const struct node *node);
void steps_add_edge(struct work *w, size_t from, size_t to);    /* NONE at either end: nothing */

/* Steps of folders, of layers, of everything, with names and edges. 0, or -1 with err. */
int steps_add_parts(struct work *w, const struct id_style *style, struct err *err);
int steps_select_part(struct work *w, struct step *s, struct err *err);
/* Everything that was selected, by the user's own words; without tests of these kinds. */
void steps_select_everything(struct work *w, struct step *s, bool no_data_tests,
    bool no_unit_tests);
/* The word that selects a node alone, or NULL with err. */
const char *step_alone(struct work *w, const struct node *n, struct err *err);

/* Name and selection of every step. 0, or -1 with err: a node that cannot be selected alone. */
int steps_select(struct work *w, const struct id_style *style, struct err *err);

/* Fills each step's `after`, and puts the steps in their order. */
void steps_order(struct work *w);

#endif
