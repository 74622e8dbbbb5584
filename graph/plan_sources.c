/* The sources whose freshness a selection depends on. */
#include "graph/plan.h"

#include "graph/dag.h"

void
plan_add_sources(const struct graph *g, enum plan_command command, struct set *selected)
{
	unsigned kinds = plan_command_kinds(command);
	struct set from, before;
	struct dag *d = dag_of_graph(g);

	set_init(&from, g->nnodes);
	set_init(&before, g->nnodes);
	for (size_t i = set_next(selected, 0); i < g->nnodes; i = set_next(selected, i + 1))
		if (kinds & KIND_BIT(g->nodes[i].kind))
			set_add(&from, i);
	dag_reach(d, &from, DAG_UP, SIZE_MAX, &before);
	for (size_t i = set_next(&before, 0); i < g->nnodes; i = set_next(&before, i + 1))
		if (g->nodes[i].has_freshness)
			set_add(selected, i);
	dag_free(d);
	set_release(&from);
	set_release(&before);
}
