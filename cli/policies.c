#include "cli/policies.h"

#include <stdlib.h>
#include <string.h>

#include "graph/selector_eval.h"
#include "util/fs.h"

const struct task_policy policy_built_in = {
	.max_attempts = 3,
	.delay_ms = 5000,
	.factor = 2,
	.max_delay_ms = 5 * 60 * 1000,
	.jitter = 0.2,
};

static int
parse(struct policies *p, const char *text, const char *origin, const struct selector **out,
    struct err *err)
{
	const struct strs words = { &text, 1 };

	*out = selector_parse_words(&p->arena, &words, false, MODE_EAGER, err);
	if (!*out)
		return err_prefix(err, "%s", origin);
	p->fields |= selector_fields(*out);
	return 0;
}

int
policies_load(struct policies *p, const char *project_dir, struct err *err)
{
	char *path = fs_join(project_dir, "heddle.yml");
	struct config *c = &p->config;
	int rc;

	memset(p, 0, sizeof(*p));
	p->fields = GRAPH_CONFIG;
	rc = config_load(c, path, err);
	free(path);
	if (rc < 0)
		return -1;
	p->rules = arena_zalloc(&p->arena, c->nrules, sizeof(*p->rules));
	p->pools = arena_zalloc(&p->arena, c->npools, sizeof(*p->pools));
	for (size_t i = 0; i < c->nrules; i++)
		if (parse(p, c->rules[i].select, c->rules[i].origin, &p->rules[i], err) < 0)
			return -1;
	for (size_t i = 0; i < c->npools; i++)
		if (c->pools[i].select &&
		    parse(p, c->pools[i].select, c->pools[i].origin, &p->pools[i], err) < 0)
			return -1;
	return 0;
}

void
policies_release(struct policies *p)
{
	config_release(&p->config);
	arena_release(&p->arena);
}

static const char **
origins_of(struct policy_origins *origins, size_t task)
{
	return origins ? origins[task].from : NULL;
}

/* The patch, for every task whose node the selector picks. Rules see no earlier state. */
static int
apply_selected(struct plan *plan, const struct selector *s, const struct policy_patch *patch,
    const char *origin, struct policy_origins *origins, struct err *err)
{
	const struct selector_env env = { .graph = plan->graph };
	struct set set;
	int rc = selector_eval(s, &env, &set, err);

	for (size_t i = 0; rc == 0 && i < plan->ntasks; i++)
		if (set_has(&set, plan->tasks[i].node->index))
			policy_patch(&plan->tasks[i].policy, patch, origin, origins_of(origins, i));
	set_release(&set);
	return rc < 0 ? err_prefix(err, "%s", origin) : 0;
}

static int
apply_rules(const struct policies *p, struct plan *plan, struct policy_origins *origins,
    struct err *err)
{
	const struct config *c = &p->config;

	for (size_t i = 0; i < c->npools; i++) {
		const struct policy_patch patch = {
			.has = 1u << POLICY_POOL,
			.value = { .pool = c->pools[i].name },
		};

		if (p->pools[i] &&
		    apply_selected(plan, p->pools[i], &patch, c->pools[i].origin, origins, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < c->nrules; i++)
		if (apply_selected(plan, p->rules[i], &c->rules[i].patch, c->rules[i].origin,
		    origins, err) < 0)
			return -1;
	return 0;
}

/* config.meta of the node (dbt 1.10 and newer keep it there), else its meta. */
static int
apply_meta(struct policies *p, struct task *t, const char **from, struct err *err)
{
	static const enum node_json places[] = { NODE_META, NODE_CONFIG };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *json = node_json(t->node, places[i]);
		struct policy_patch patch;

		if (!json || !strstr(json, "\"heddle\""))
			continue;
		if (config_node_patch(&p->config, json, places[i] == NODE_CONFIG, &patch, err) < 0)
			return err_prefix(err, "node '%s'", t->node->id);
		policy_patch(&t->policy, &patch, "config.meta", from);
	}
	return 0;
}

int
policies_apply(struct policies *p, struct plan *plan, const struct policy_patch *flags,
    struct policy_origins *origins, struct err *err)
{
	for (size_t i = 0; i < plan->ntasks; i++) {
		plan->tasks[i].policy = policy_built_in;
		policy_patch(&plan->tasks[i].policy, &p->config.defaults, "heddle.yml",
		    origins_of(origins, i));
	}
	if (apply_rules(p, plan, origins, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->ntasks; i++) {
		if (apply_meta(p, &plan->tasks[i], origins_of(origins, i), err) < 0)
			return -1;
		policy_patch(&plan->tasks[i].policy, flags, "command line", origins_of(origins, i));
	}
	return 0;
}
