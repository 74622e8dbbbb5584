/* cmd_config.c -- which policy a node gets, and from where. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/policies.h"
#include "cli/select_opts.h"
#include "util/buf.h"
#include "util/text.h"
#include "util/xalloc.h"

static struct {
	bool help;
	struct words nodes;
} o;

static const struct opt own[] = {
	{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
	{ 0 }
};

static const struct opt *const tables[] = { own, select_opts, models_as_select_opts, source_opts,
    NULL };

static const struct opt_group help_groups[] = {
	{ "options", own }, { "which nodes", select_opts }, { "where from", source_opts }, { 0 }
};

static void
add_duration(struct buf *b, int64_t ms)
{
	if (ms % 1000)
		buf_addf(b, "%lldms", (long long)ms);
	else
		buf_addf(b, "%llds", (long long)(ms / 1000));
}

static void
add_value(struct buf *b, const struct task_policy *p, enum policy_setting s)
{
	switch (s) {
	case POLICY_ATTEMPTS:  buf_addf(b, "%u", p->max_attempts); break;
	case POLICY_DELAY:     add_duration(b, p->delay_ms); break;
	case POLICY_FACTOR:    buf_addf(b, "%g", p->factor); break;
	case POLICY_MAX_DELAY: add_duration(b, p->max_delay_ms); break;
	case POLICY_JITTER:    buf_addf(b, "%g", p->jitter); break;
	case POLICY_ON:        buf_adds(b, p->retry_any ? "any" : "transient"); break;
	case POLICY_TIMEOUT:
		if (p->timeout_ms)
			add_duration(b, p->timeout_ms);
		else
			buf_adds(b, "none");
		break;
	case POLICY_POOL:
		text_add_safe(b, p->pool ? p->pool : "none", false, NULL);
		break;
	case POLICY_PRIORITY:  buf_addf(b, "%d", p->priority); break;
	case NPOLICY_SETTINGS: break;
	}
}

static void
show(const struct task *t, const struct policy_origins *origins)
{
	struct buf b = BUF_INIT;

	text_add_safe(&b, t->node->id, false, NULL);
	buf_addc(&b, '\n');
	for (int s = 0; s < NPOLICY_SETTINGS; s++) {
		size_t from;

		buf_addf(&b, "  %-18s  ", policy_setting_name((enum policy_setting)s));
		from = b.len;
		add_value(&b, &t->policy, (enum policy_setting)s);
		buf_pad(&b, ' ', b.len - from < 12 ? 12 - (b.len - from) : 1);
		buf_addf(&b, "%s\n", origins->from[s] ? origins->from[s] : "built in");
	}
	fputs(b.data, stdout);
	buf_release(&b);
}

static int
show_all(struct policies *policies, const struct graph *g, const struct set *nodes, struct err *err)
{
	const struct policy_patch none = { 0 };
	struct plan *p = plan_new_with_sources(g, nodes, PLAN_BUILD, err);
	struct policy_origins *origins;
	int code = EXIT_BAD_INPUT;

	if (!p)
		return code;
	origins = xcalloc(p->ntasks, sizeof(*origins));
	if (policies_apply(policies, p, &none, origins, err) == 0) {
		for (size_t i = 0; i < p->ntasks; i++)
			show(&p->tasks[i], &origins[i]);
		code = EXIT_GOOD;
	}
	free(origins);
	plan_free(p);
	return code;
}

static int
config_main(int argc, char **argv, struct err *err)
{
	unsigned kinds = plan_command_kinds(PLAN_BUILD) | plan_command_kinds(PLAN_FRESHNESS);
	struct graph *g = graph_new();
	struct policies policies = { 0 };
	struct project project = { 0 };
	struct set nodes = SET_INIT;
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &o.nodes, NULL, err) < 0)
		goto out;
	if (o.help) {
		code = command_help(&cmd_config, help_groups);
		goto out;
	}
	for (size_t i = 0; i < o.nodes.n; i++)
		words_add(&selecting.select, o.nodes.v[i]);
	project_find(&project, &selecting.given);
	if (policies_load(&policies, project.dir, err) == 0 &&
	    select_opts_resolve(kinds, kinds, policies.fields, g, &nodes, err) == 0)
		code = show_all(&policies, g, &nodes, err);
out:
	set_release(&nodes);
	graph_free(g);
	policies_release(&policies);
	project_release(&project);
	words_release(&o.nodes);
	select_opts_release();
	return code;
}

const struct command cmd_config = {
	.name = "config",
	.summary = "the retries, timeout, pool and priority of nodes, and which rule says so",
	.usage = "[NODE...] [options]",
	.examples = "  heddle config orders\n  heddle config --select tag:nightly\n",
	.run = config_main,
};
