#include "cli/task_opts.h"

#include <stdlib.h>
#include <string.h>

#include "cli/select_opts.h"
#include "cli/warn_errors.h"
#include "exporters/cron.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/ytree.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static struct {
	const char *tests, *granularity, *runner, *command, *target, *vars, *profile,
	    *project_dir, *profiles_dir;
	const char *image, *secret, *timezone, *schedule, *style, *op, *space, *branch;
	unsigned slots, retries;
	int64_t retry_delay_ms, timeout_ms;
	bool unit_tests, assets;
} o = { .retries = OPT_NOT_GIVEN, .retry_delay_ms = -1, .timeout_ms = -1 };

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
	{ 0, "slots", "N", OPT_COUNT, &o.slots, "tasks at once (8)" },
	{ 0, "retries", "N", OPT_UINT, &o.retries,
	  "further tries of a task (2, or as heddle.yml says)" },
	{ 0, "retry-delay", "TIME", OPT_DURATION, &o.retry_delay_ms,
	  "wait before the second try (5s)" },
	{ 0, "timeout", "TIME", OPT_DURATION, &o.timeout_ms, "end a task after this long (1h)" },
	{ 0, "style", "NAME", OPT_TEXT, &o.style,
	  "airflow: nodes (default), layers, cosmos; dagster: assets (default), dbt_assets" },
	{ 0, "operator", "NAME", OPT_TEXT, &o.op, "airflow: bash (default), docker or kubernetes" },
	{ 0, "assets", NULL, OPT_FLAG, &o.assets, "airflow: each node updates an asset" },
	{ 0 }
};

bool
task_opts_given(void)
{
	for (const struct opt *t = task_opts; t->name; t++)
		if (opt_given(t))
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

/* ---- texts that the output hands on: what is wrong there for sure is said here ---- */

/* A template of the orchestrator makes the text: what comes of it is not known here. */
static bool
is_template(const char *text)
{
	return strstr(text, "{{") || strstr(text, "{%") || strstr(text, "${");
}

static int
check_vars(struct err *err)
{
	struct arena a = ARENA_INIT;
	const struct ynode *y;
	bool map;

	if (!o.vars || is_template(o.vars))
		return 0;
	y = ytree_parse(&a, "--vars", o.vars, strlen(o.vars), err);
	map = y && y->type == YT_MAP;
	arena_release(&a);
	if (map)
		return 0;
	if (y)
		err_set(err, "--vars: expected names and values, found '%s'", o.vars);
	return err_hint(err, "--vars '{day: 2026-01-31, full: true}'");
}

static int
check_image(struct err *err)
{
	if (!o.image || is_template(o.image))
		return 0;
	for (const char *s = o.image; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return err_set(err, "--image: '%s' is no name of an image", o.image);
	return *o.image ? 0 : err_set(err, "--image: the name is empty");
}

/* Zones come and go with each machine's copy of the list: one that is not in ours is a warning. */
static int
check_timezone(struct err *err)
{
	static const char zones[] = "/usr/share/zoneinfo";
	const char *z = o.timezone;
	char *file;

	if (!z)
		return 0;
	if (*z == '\0')
		return err_set(err, "--timezone: the name is empty");
	if (*z == '/' || z[strspn(z, LETTERS "0123456789_+-/")])
		return err_set(err, "--timezone: '%s' is no time zone", z);
	file = fs_join(zones, z);
	if (fs_is_dir(zones) && (!fs_exists(file) || fs_is_dir(file)))
		log_warn("--timezone: this machine knows no zone '%s'", z);
	free(file);
	return 0;
}

static int
check_values(const struct exporter *x, struct err *err)
{
	if (o.command && text_is_blank(o.command))
		return err_set(err, "--command: it is empty");
	if (o.timeout_ms == 0)
		return err_set(err, "--timeout: a task of an export has a limit above 0");
	if (cron_check(o.schedule, x->cron_words, err) < 0)
		return -1;
	if (check_timezone(err) < 0 || check_image(err) < 0)
		return -1;
	return check_vars(err);
}

/* ---- the table's values ---- */

int
task_opts_read(const struct exporter *x, struct task_options *out, struct err *err)
{
	int test_mode = find_word("tests", o.tests, test_mode_names, err);
	int runner = o.runner ? find_word("runner", o.runner, task_runner_names, err) :
		(int)x->runner;
	int granularity = find_word("granularity", o.granularity,
	    x->parts ? granularity_names : NULL, err);

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
	if (check_values(x, err) < 0)
		return -1;
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
		.retries = o.retries == OPT_NOT_GIVEN ? -1 : (int64_t)o.retries,
		.timeout_ms = o.timeout_ms > 0 ? o.timeout_ms : 0,
		.slots = o.slots, .assets = o.assets,
		.hook_steps = x->hooks && runner == RUNNER_HEDDLE,
	};
	if (settle_style(out, err) < 0)
		return -1;
	if (o.command)
		split_command(out);
	return 0;
}

void
task_opts_finish(const struct graph *g, struct task_options *out)
{
	bool any = false;

	for (size_t i = 0; i < g->nnodes; i++)
		any = any || g->nodes[i].kind == KIND_OPERATION;
	out->hook_steps = out->hook_steps && any;
	out->hooks = any && !out->hook_steps;
	out->warn_errors = warn_errors_merge(&selecting.project, g->dbt_version);
	out->by_default = selecting.by_default;
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
	if (o.retries != OPT_NOT_GIVEN) {
		patch.has |= 1u << POLICY_ATTEMPTS;
		patch.value.max_attempts = o.retries + 1;
	}
	if (o.retry_delay_ms >= 0) {
		patch.has |= 1u << POLICY_DELAY;
		patch.value.delay_ms = o.retry_delay_ms;
	}
	if (o.timeout_ms >= 0) {
		patch.has |= 1u << POLICY_TIMEOUT;
		patch.value.timeout_ms = o.timeout_ms;
	}
	return &patch;
}
