#include "graph/selector_methods.h"

#include <string.h>

#include "graph/state.h"

void
selector_pick(const struct selector_query *q, unsigned kinds,
    bool (*match)(const struct node *n, const void *arg), const void *arg, struct set *out)
{
	for (size_t i = 0; i < q->g->nnodes; i++)
		if ((KIND_BIT(q->g->nodes[i].kind) & kinds) && match(&q->g->nodes[i], arg))
			set_add(out, i);
}

static int
no_state(struct err *err)
{
	err_set(err, "there is nothing to compare with");
	return err_hint(err, "give the folder of an earlier manifest.json with --state DIR");
}

static int
method_state(const struct selector_query *q, struct set *out, struct err *err)
{
	return q->state ? state_match(q->state, q->g, q->c->value.text, out, err) : no_state(err);
}

static int
method_result(const struct selector_query *q, struct set *out, struct err *err)
{
	return q->state ? state_match_result(q->state, q->g, q->c->value.text, out, err)
	    : no_state(err);
}

static int
method_source_status(const struct selector_query *q, struct set *out, struct err *err)
{
	if (!q->state)
		return no_state(err);
	return state_match_source_status(q->state, q->g, q->c->value.text, out, err);
}

static unsigned
no_fields(const struct selector *c)
{
	(void)c;
	return 0;
}

static unsigned
path_fields(const struct selector *c)
{
	(void)c;
	return GRAPH_PATHS;
}

static unsigned
state_method_fields(const struct selector *c)
{
	return state_fields(c->value.text);
}

/* The order of help. */
static const struct selector_method methods[] = {
	{ "fqn", true, method_fqn, no_fields },
	{ "tag", true, method_tag, no_fields },
	{ "path", true, method_path, path_fields },
	{ "file", true, method_file, no_fields },
	{ "package", true, method_package, no_fields },
	{ "resource_type", true, method_resource_type, no_fields },
	{ "config", false, method_config, method_config_fields },
	{ "source", true, method_source, no_fields },
	{ "exposure", true, method_exposure, no_fields },
	{ "metric", true, method_metric, no_fields },
	{ "semantic_model", true, method_semantic_model, no_fields },
	{ "saved_query", true, method_saved_query, no_fields },
	{ "unit_test", true, method_unit_test, no_fields },
	{ "test_name", true, method_test_name, no_fields },
	{ "test_type", true, method_test_type, no_fields },
	{ "group", true, method_group, no_fields },
	{ "access", false, method_access, no_fields },
	{ "version", true, method_version, no_fields },
	{ "state", true, method_state, state_method_fields },
	{ "result", true, method_result, no_fields },
	{ "source_status", true, method_source_status, no_fields },
};

#define NMETHODS (sizeof(methods) / sizeof(methods[0]))
_Static_assert(NMETHODS <= SELECTOR_METHODS_MAX, "room for every method's name");

const struct selector_method *
selector_method_find(const char *name)
{
	for (size_t i = 0; i < NMETHODS; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

const struct selector_method *
selector_method_all(size_t *n)
{
	*n = NMETHODS;
	return methods;
}
