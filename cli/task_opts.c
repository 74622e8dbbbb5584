#include "cli/task_opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/select_opts.h"
#include "exporters/emit.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/ytree.h"

#define EMPTY_SELECTION "NoNodesForSelectionCriteria"   /* dbt's event, events/types.py */

static struct {
	const char *tests, *granularity, *runner, *command, *target, *vars, *profile,
	    *project_dir, *profiles_dir;
	const char *image, *secret, *timezone, *schedule, *style, *op, *space, *branch;
	unsigned slots, retries;
	int64_t retry_delay_ms, timeout_ms;
	bool unit_tests, assets;
} o;

const struct opt task_opts[] = {
	{ 0, "tests", "WHEN", OPT_TEXT, &o.tests,
	  "after_each (default), after_all, build (dbt build a node) or none" },
	{ 0, "granularity", "WHAT", OPT_TEXT, &o.granularity,
	  "what one task is: node (default), folder, layer or all" },
	{ 0, "unit-tests", NULL, OPT_FLAG, &o.unit_tests, "unit tests too, before their models" },
	{ 0, "runner", "WHAT", OPT_TEXT, &o.runner, "what a task calls: dbt (default) or heddle" },
	{ 0, "command", "WORDS", OPT_TEXT, &o.command,
	  "call this in place of dbt: 'poetry run dbt'" },
	{ 0, "target", "NAME", OPT_TEXT, &o.target, "dbt's --target of every task" },
	{ 0, "profile", "NAME", OPT_TEXT, &o.profile, "dbt's --profile" },
	{ 0, "vars", "YAML", OPT_TEXT, &o.vars, "dbt's --vars" },
	{ 0, "task-project-dir", "DIR", OPT_TEXT, &o.project_dir,
	  "where the tasks find the project ($DBT_PROJECT_DIR there)" },
	{ 0, "profiles-dir", "DIR", OPT_TEXT, &o.profiles_dir,
	  "where the tasks find profiles.yml ($DBT_PROFILES_DIR there)" },
	{ 0, "schedule", "CRON", OPT_TEXT, &o.schedule, "when it runs; none = by hand" },
	{ 0, "timezone", "NAME", OPT_TEXT, &o.timezone, "of the schedule: Europe/Berlin (UTC)" },
	{ 0, "image", "IMAGE", OPT_TEXT, &o.image, "container image with dbt and the project" },
	{ 0, "secret", "NAME", OPT_TEXT, &o.secret,
	  "Kubernetes secret whose keys are environment variables; "
	  "kestra, github: names of secrets, A,B" },
	{ 0, "branch", "NAME", OPT_TEXT, &o.branch, "github: the branch that is deployed (main)" },
	{ 0, "namespace", "NAME", OPT_TEXT, &o.space, "kestra: of the flow (dbt)" },
	{ 0, "slots", "N", OPT_UINT, &o.slots, "tasks at once (8)" },
	{ 0, "retries", "N", OPT_UINT, &o.retries,
	  "further tries of a task (2, or as heddle.yml says)" },
	{ 0, "retry-delay", "TIME", OPT_DURATION, &o.retry_delay_ms,
	  "wait before the second try (1m)" },
	{ 0, "timeout", "TIME", OPT_DURATION, &o.timeout_ms, "end a task after this long (1h)" },
	{ 0, "style", "NAME", OPT_TEXT, &o.style, "a form of the target; see docs/exports.md" },
	{ 0, "operator", "NAME", OPT_TEXT, &o.op, "airflow: bash (default), docker or kubernetes" },
	{ 0, "assets", NULL, OPT_FLAG, &o.assets, "airflow: each node updates an asset" },
	{ 0 }
};

bool
task_opts_given(void)
{
	for (const struct opt *t = task_opts; t->name; t++)
		if ((t->type == OPT_FLAG && *(bool *)t->value) ||
		    (t->type == OPT_TEXT && *(const char **)t->value) ||
		    (t->type == OPT_UINT && *(unsigned *)t->value) ||
		    (t->type == OPT_DURATION && *(int64_t *)t->value))
			return true;
	return false;
}

/* Position of word in a NULL-ended list; NULL is the first. -1 with err. */
static int
find_word(const char *option, const char *word, const char *const *names, struct err *err)
{
	struct buf all = BUF_INIT;
	int k;

	if (!word)
		return 0;
	for (k = 0; names && names[k] && strcmp(names[k], word) != 0; k++)
		buf_addf(&all, "%s%s", k ? ", " : "", names[k]);
	if (!names || !names[k]) {
		err_set(err, "--%s: unknown value '%s'", option, word);
		if (all.len)
			err_hint(err, "one of: %s", all.data);
		else
			err_hint(err, "this target has no choice there");
		k = -1;
	}
	buf_release(&all);
	return k;
}

/* "poetry run dbt" -> words; quotes of a shell are not known here. */
static void
split_command(struct task_options *out)
{
	char *text = xstrdup(o.command);
	const char **v = NULL;
	size_t n = 0, cap = 0;

	for (char *save = NULL, *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t",
	    &save)) {
		v = xgrow(v, n, &cap, sizeof(*v));
		v[n++] = xstrdup(w);
	}
	free(text);
	out->command = v;
	out->ncommand = n;
}

static bool
is_style(const char *name)
{
	return o.style && strcmp(o.style, name) == 0;
}

/* What a style settles; and whether the selection can be said again where the output has to. */
static int
settle_style(struct task_options *out, struct err *err)
{
	const char *again = NULL;

	if (is_style("layers")) {    /* as by hand: one task tests, at the end */
		if (o.granularity)
			return err_set(err, "--style layers and --granularity exclude each other");
		out->granularity = GRANULARITY_LAYER;
		if (!o.tests)
			out->tests = TESTS_AFTER_ALL;
	}
	if (is_style("dbt_assets") || is_style("cosmos"))
		again = o.style;
	else if (out->tests == TESTS_AFTER_ALL)
		again = "after_all";
	else if (out->granularity == GRANULARITY_ALL)
		again = "granularity all";
	if (again && (selecting.selector || selecting.types.n || selecting.exclude_types.n))
		return err_set(err,
		    "%s says the selection again: only --select and --exclude can be said there",
		    again);
	return 0;
}

int
task_opts_read(const struct exporter *x, struct task_options *out, struct err *err)
{
	static const char *const tests[] = {
#define X(id, name) name,
		TEST_MODES(X)
#undef X
		NULL
	}, *const granularities[] = {
#define X(id, name) name,
		GRANULARITIES(X)
#undef X
		NULL
	}, *const runners[] = {
#define X(id, name) name,
		RUNNERS(X)
#undef X
		NULL
	};
	int test_mode = find_word("tests", o.tests, tests, err);
	int runner = o.runner ? find_word("runner", o.runner, runners, err) : (int)x->runner;
	int granularity = find_word("granularity", o.granularity, x->parts ? granularities : NULL,
	    err);

	if (test_mode < 0 || granularity < 0 || runner < 0 ||
	    find_word("style", o.style, x->styles, err) < 0 ||
	    find_word("operator", o.op, x->ops, err) < 0)
		return -1;
	if (x->image && !o.image) {
		err_set(err, "%s needs --image: its tasks run in containers", x->name);
		return err_hint(err,
		    "an image with the project and dbt in it: --image registry.example/shop:1.0");
	}
	if (o.op && strcmp(o.op, "bash") != 0 && !o.image)
		return err_set(err, "--operator %s needs --image", o.op);
	*out = (struct task_options){
		.tests = (enum test_mode)test_mode, .runner = (enum task_runner)runner,
		.granularity = (enum granularity)granularity, .unit_tests = o.unit_tests,
		.target = o.target, .vars = o.vars, .profile = o.profile,
		.project_dir = o.project_dir,
		.profiles_dir = o.profiles_dir, .image = o.image, .secret = o.secret,
		.timezone = o.timezone,
		.schedule = o.schedule, .style = o.style, .op = o.op, .space = o.space,
		.branch = o.branch,
		.select = selecting.select.v, .nselect = selecting.select.n,
		.exclude = selecting.exclude.v, .nexclude = selecting.exclude.n,
		.selector = selecting.selector, .indirect = selecting.indirect,
		.types = selecting.types.v, .ntypes = selecting.types.n,
		.exclude_types = selecting.exclude_types.v,
		.nexclude_types = selecting.exclude_types.n,
		.retries = o.retries, .timeout_ms = o.timeout_ms,
		.slots = o.slots, .assets = o.assets,
		.hook_steps = x->hooks && runner == RUNNER_HEDDLE,
	};
	if (settle_style(out, err) < 0)
		return -1;
	if (o.command)
		split_command(out);
	return 0;
}

/* ---- warn_error_options: what the project has, and an empty selection ---- */

/* Adds `"key": [...]` of a list; extra, when not NULL, is added where it is missing. */
static void
add_events(struct buf *b, const char *key, const struct ynode *list, const char *extra)
{
	bool first = true;

	if (list && (ytree_is(list, "all") || ytree_is(list, "*"))) {
		buf_addf(b, "%s\"%s\": \"%s\"", b->len > 1 ? ", " : "", key, list->text);
		return;
	}
	if (!extra && (!list || list->type != YT_LIST || list->n == 0))
		return;
	buf_addf(b, "%s\"%s\": [", b->len > 1 ? ", " : "", key);
	for (size_t i = 0; list && list->type == YT_LIST && i < list->n; i++) {
		if (extra && ytree_is(list->items[i], extra))
			continue;
		buf_adds(b, first ? "" : ", ");
		text_add_json(b, list->items[i]->text);
		first = false;
	}
	if (extra)
		buf_addf(b, "%s\"%s\"", first ? "" : ", ", extra);
	buf_addc(b, ']');
}

static const struct ynode *
either(const struct ynode *map, const char *key, const char *old_key)
{
	const struct ynode *y = ytree_get(map, key);

	return y ? y : ytree_get(map, old_key);
}

/* dbt 1.5 to 1.7 know the old names of the keys only. */
static bool
has_new_keys(const char *dbt_version)
{
	unsigned major = 1, minor = 11;

	if (dbt_version && sscanf(dbt_version, "%u.%u", &major, &minor) != 2)
		return true;
	return major > 1 || minor >= 8;
}

static char *
merge_warn_errors(const char *project_dir, const char *dbt_version)
{
	struct err ignored = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct buf text = BUF_INIT, b = BUF_INIT;
	char *path = fs_join(project_dir ? project_dir : ".", "dbt_project.yml");
	const struct ynode *root = NULL, *set;
	bool new_keys = has_new_keys(dbt_version);

	/* A project file that cannot be read only means that nothing is merged. */
	if (fs_read(path, &text, &ignored) == 0)
		root = ytree_parse(&a, path, buf_str(&text), text.len, &ignored);
	set = root ? ytree_get(ytree_get(root, "flags"), "warn_error_options") : NULL;
	buf_addc(&b, '{');
	add_events(&b, new_keys ? "error" : "include", either(set, "error", "include"),
	    EMPTY_SELECTION);
	add_events(&b, new_keys ? "warn" : "exclude", either(set, "warn", "exclude"), NULL);
	add_events(&b, "silence", ytree_get(set, "silence"), NULL);
	buf_addc(&b, '}');
	free(path);
	buf_release(&text);
	arena_release(&a);
	err_release(&ignored);
	return buf_detach(&b);
}

void
task_opts_finish(const struct graph *g, const char *project_dir, struct task_options *out)
{
	bool any = false;

	for (size_t i = 0; i < g->nnodes; i++)
		any = any || g->nodes[i].kind == KIND_OPERATION;
	out->hook_steps = out->hook_steps && any;
	out->hooks = any && !out->hook_steps;
	out->warn_errors = merge_warn_errors(project_dir, g->dbt_version);
}

void
task_opts_release(struct task_options *out)
{
	for (size_t i = 0; i < out->ncommand; i++)
		free((char *)(uintptr_t)out->command[i]);
	free((void *)(uintptr_t)out->command);
	free((char *)(uintptr_t)out->warn_errors);
}

void
task_opts_keep(const struct graph *g, const struct task_options *out, struct set *nodes)
{
	unsigned drop = out->unit_tests ? 0 : KIND_BIT(KIND_UNIT_TEST);

	if (out->tests == TESTS_NONE)
		drop |= KIND_BIT(KIND_TEST);
	for (size_t i = set_next(nodes, 0); i < nodes->nbits; i = set_next(nodes, i + 1))
		if (KIND_BIT(g->nodes[i].kind) & drop)
			set_del(nodes, i);
}

const struct policy_patch *
task_opts_policy(void)
{
	static struct policy_patch patch;

	patch = (struct policy_patch){ 0 };
	if (o.retries) {
		patch.has |= 1u << POLICY_ATTEMPTS;
		patch.value.max_attempts = o.retries + 1;
	}
	if (o.retry_delay_ms) {
		patch.has |= 1u << POLICY_DELAY;
		patch.value.delay_ms = o.retry_delay_ms;
	}
	if (o.timeout_ms) {
		patch.has |= 1u << POLICY_TIMEOUT;
		patch.value.timeout_ms = o.timeout_ms;
	}
	return &patch;
}
