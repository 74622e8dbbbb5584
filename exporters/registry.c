/* registry.c -- the targets, in the order of help. */
#include "exporters/exporter.h"

#include <string.h>

static const struct exporter *const exporters[] = {
	&exporter_airflow,
	&exporter_dagster,
	&exporter_prefect,
	&exporter_mage,
	&exporter_argo,
	&exporter_kubernetes,
	&exporter_github,
	&exporter_kestra,
	&exporter_openlineage,
	&exporter_html,
	&exporter_svg,
	&exporter_dot,
	&exporter_mermaid,
	&exporter_graphml,
	&exporter_json,
};

#define NEXPORTERS (sizeof(exporters) / sizeof(exporters[0]))

const char *const test_mode_names[] = {
#define X(id, name) name,
	TEST_MODES(X) NULL
#undef X
};
const char *const task_runner_names[] = {
#define X(id, name) name,
	RUNNERS(X) NULL
#undef X
};
const char *const granularity_names[] = {
#define X(id, name) name,
	GRANULARITIES(X) NULL
#undef X
};
static const char *const groupings[] = {
#define X(id, name) name,
	GROUPINGS(X)
#undef X
};
static const char *const colourings[] = {
#define X(id, name) name,
	COLOURINGS(X)
#undef X
};

const char *
grouping_name(enum grouping g)
{
	return groupings[g];
}

const char *
colouring_name(enum colouring c)
{
	return colourings[c];
}

const struct exporter *const *
exporter_all(size_t *n)
{
	*n = NEXPORTERS;
	return exporters;
}

const struct exporter *
exporter_find(const char *name)
{
	for (size_t i = 0; i < NEXPORTERS; i++)
		if (strcmp(exporters[i]->name, name) == 0)
			return exporters[i];
	return NULL;
}
