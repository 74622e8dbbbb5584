/* cmd_plan.c -- what a run would do, in which order, and how long it would take; runs nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/history_file.h"
#include "cli/select_opts.h"
#include "executor/weights.h"
#include "exporters/emit.h"
#include "exporters/picture.h"
#include "exporters/plan_json.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

static struct {
	const char *command, *output, *run_results;
	unsigned threads;
	bool freshness, help;
} o;

static const struct opt plan_opts[] = {
	{ 0, "command", "NAME", OPT_TEXT, &o.command,
	  "build (default), run, test, seed, snapshot or freshness" },
	{ 0, "freshness", NULL, OPT_FLAG, &o.freshness,
	  "with the checks of the sources that the selection comes from" },
	{ 't', "threads", "N", OPT_COUNT, &o.threads, "estimate the time with N threads" },
	{ 0, "run-results", "FILE", OPT_TEXT, &o.run_results,
	  "times of an earlier run (the history, else run_results.json beside the manifest)" },
	{ 0, "output", "FORM", OPT_TEXT, &o.output, "text (default) or json" },
	{ 'h', "help", NULL, OPT_FLAG, &o.help, "show this" },
	{ 0 }
};

static const struct opt *const tables[] = {
	plan_opts, select_opts, models_as_select_opts, source_opts, NULL
};
static const struct opt_group help_groups[] = {
	{ "The plan", plan_opts }, { "Which nodes", select_opts }, { "Where from", source_opts },
	{ NULL, NULL }
};

struct view {
	const struct plan *plan;
	bool timed;
	char *critical;      /* by task: on the critical path */
};

static const unsigned usual_threads[] = { 1, 2, 4, 8, 16 };

static size_t
thread_counts(const unsigned **v)
{
	*v = o.threads ? &o.threads : usual_threads;
	return o.threads ? 1 : sizeof(usual_threads) / sizeof(*usual_threads);
}

/* ---- text ---- */

static void
print_safe(const char *text)
{
	char *line = text_safe_line(text);

	fputs(line, stdout);
	free(line);
}

static void
print_seconds(double seconds, int width)
{
	struct buf b = BUF_INIT;

	picture_seconds(&b, seconds);
	printf("%*s", width, buf_str(&b));
	buf_release(&b);
}

static void
print_task(const struct view *v, const struct task *t)
{
	printf("  %c ", v->critical[t->index] ? '*' : ' ');
	if (v->timed) {
		print_seconds(t->seconds, 9);
		fputs("  ", stdout);
	}
	printf("%-12s  ", kind_name(t->node->kind));
	print_safe(t->node->id);
	if (t->gate)
		printf("  (holds back what follows)");
	putchar('\n');
}

static void
print_counts(const struct plan *p)
{
	size_t n[NKINDS] = { 0 };
	const char *comma = " (";

	for (size_t i = 0; i < p->ntasks; i++)
		n[p->tasks[i].node->kind]++;
	for (int k = 0; k < NKINDS; k++) {
		if (!n[k])
			continue;
		printf("%s%s %zu", comma, kind_plural((enum node_kind)k), n[k]);
		comma = ", ";
	}
	if (p->ntasks)
		putchar(')');
}

static void
print_estimates(const struct view *v)
{
	const unsigned *threads;
	size_t n = thread_counts(&threads);

	if (v->timed) {
		fputs("critical path ", stdout);
		print_seconds(v->plan->critical_path, 0);
		fputs(", work ", stdout);
		print_seconds(v->plan->work, 0);
		fputs("\nexpected time: ", stdout);
	} else {
		printf("critical path %.0f tasks\n", v->plan->critical_path);
		fputs("expected steps (no times of an earlier run, so each task counts one): ",
		    stdout);
	}
	for (size_t i = 0; i < n; i++) {
		double seconds = plan_makespan(v->plan, threads[i]);

		if (v->timed)
			print_seconds(seconds, 0);
		else
			printf("%.0f", seconds);
		printf(" with %u thread%s%s", threads[i], threads[i] == 1 ? "" : "s",
		    i + 1 < n ? ", " : "\n");
	}
}

/* Those first that the longest way to the end starts with: so they are started. */
static int
by_wave(const void *a, const void *b)
{
	const struct task *x = *(const struct task *const *)a, *y = *(const struct task *const *)b;

	if (x->wave != y->wave)
		return x->wave < y->wave ? -1 : 1;
	if (x->path != y->path)
		return x->path > y->path ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void
print_waves(const struct view *v)
{
	const struct plan *p = v->plan;
	const struct task **sorted = xcalloc(p->ntasks + 1, sizeof(*sorted));
	size_t wave = SIZE_MAX;

	for (size_t i = 0; i < p->ntasks; i++)
		sorted[i] = &p->tasks[i];
	qsort(sorted, p->ntasks, sizeof(*sorted), by_wave);
	for (size_t i = 0; i < p->ntasks; i++) {
		if (sorted[i]->wave != wave) {
			wave = sorted[i]->wave;
			printf("\nwave %zu\n", wave + 1);
		}
		print_task(v, sorted[i]);
	}
	free(sorted);
}

static void
print_text(const struct view *v)
{
	const struct plan *p = v->plan;

	printf("%s: %zu tasks", plan_command_name(p->command), p->ntasks);
	print_counts(p);
	printf(" in %zu wave%s\n", p->nwaves, p->nwaves == 1 ? "" : "s");
	if (p->ntasks == 0)
		return;
	print_estimates(v);
	print_waves(v);
	puts("\n* on the critical path");
}

/* ---- JSON ---- */

static void
print_json(const struct view *v)
{
	const unsigned *threads;
	size_t n = thread_counts(&threads);
	struct buf out = BUF_INIT;
	struct emit e;

	emit_init(&e, &out, &emit_json);
	emit_open(&e, "{");
	emit_line(&e, "\"format\": \"heddle-plan\", \"version\": 1,");
	emit_line(&e, "\"timed\": %s,", v->timed ? "true" : "false");
	emit_open(&e, "\"expected\": [");
	for (size_t i = 0; i < n; i++)
		emit_line(&e, "{\"threads\": %u, \"seconds\": %f}%s", (uint32_t)threads[i],
		    plan_makespan(v->plan, threads[i]), i + 1 < n ? "," : "");
	emit_close(&e, "],");
	plan_json_members(&e, v->plan, v->timed);
	emit_close(&e, "}");
	fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
}

/* ---- the command ---- */

static int
find_plan_command(enum plan_command *found, struct err *err)
{
	if (!o.command)
		return 0;
	for (int c = 0; c < NPLAN_COMMANDS; c++)
		if (strcmp(plan_command_name((enum plan_command)c), o.command) == 0) {
			*found = (enum plan_command)c;
			return 0;
		}
	err_set(err, "--command: unknown value '%s'", o.command);
	return err_hint(err, "one of: build, run, test, seed, snapshot, freshness");
}

static bool
fill_times(struct plan *p)
{
	char *beside = select_opts_run_results();
	double *usual = o.run_results ? NULL : history_file_usual(p);
	bool timed = weights_fill(p, o.run_results ? o.run_results : beside, usual) > 0;

	free(usual);
	free(beside);
	return timed;
}

static int
show(const struct graph *g, struct set *nodes, enum plan_command command, struct err *err)
{
	struct view v = { 0 };
	struct plan *p;
	size_t *path, n;

	if (o.freshness)
		plan_add_sources(g, command, nodes);
	p = o.freshness ? plan_new_with_sources(g, nodes, command, err) :
	    plan_new(g, nodes, command, err);
	if (!p)
		return EXIT_BAD_INPUT;
	v.plan = p;
	v.timed = fill_times(p);
	v.critical = xcalloc(p->ntasks + 1, 1);
	path = xcalloc(p->ntasks + 1, sizeof(*path));
	n = plan_critical(p, path);
	for (size_t i = 0; i < n; i++)
		v.critical[path[i]] = 1;
	if (p->ntasks == 0)
		log_warn("nothing to do: no node of the selection is run by `%s`",
		    plan_command_name(command));
	if (o.output && strcmp(o.output, "json") == 0)
		print_json(&v);
	else
		print_text(&v);
	free(path);
	free(v.critical);
	plan_free(p);
	return EXIT_GOOD;
}

static int
run_plan(int argc, char **argv, struct err *err)
{
	enum plan_command command = PLAN_BUILD;
	struct graph *g = graph_new();
	struct set nodes = SET_INIT;
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, NULL, NULL, err) < 0)
		goto out;
	if (o.help) {
		code = command_help(&cmd_plan, help_groups);
		goto out;
	}
	if (find_plan_command(&command, err) < 0)
		goto out;
	if (o.output && strcmp(o.output, "json") != 0 && strcmp(o.output, "text") != 0) {
		err_set(err, "--output: unknown value '%s'", o.output);
		err_hint(err, "one of: text, json");
		goto out;
	}
	if (o.run_results && !fs_exists(o.run_results)) {
		err_set(err, "%s: no such file", o.run_results);
		goto out;
	}
	if (select_opts_resolve(plan_command_kinds(command), plan_command_kinds(command), 0, g,
	        &nodes, err) == 0)
		code = show(g, &nodes, command, err);
out:
	set_release(&nodes);
	graph_free(g);
	select_opts_release();
	return code;
}

const struct command cmd_plan = {
	.name = "plan",
	.summary = "tasks, their order, the critical path and the expected time; runs nothing",
	.usage = "[options]",
	.examples =
	    "  heddle plan --select +orders\n"
	    "  heddle plan --command test --threads 8\n"
	    "  heddle plan --output json\n",
	.run = run_plan,
};
