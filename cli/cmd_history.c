/* cmd_history.c -- `heddle history`: past runs, and how nodes did in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/history_file.h"
#include "cli/table.h"
#include "executor/history_read.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_LIMIT 20
#define DEFAULT_RUNS 30
#define SHORT_ID 8

struct history_opts {
	bool help, slowest, flaky;
	const char *node, *target, *history, *project_dir, *output;
	unsigned limit, runs;
};

struct view {
	struct history_opts o;
	enum table_format format;
	struct history_reader *reader;
	char *project;
};

static void
add_short_id(struct table *t, const char *id)
{
	char *in_short = xstrndup(id, SHORT_ID);

	table_long_text(t, id, in_short);
	free(in_short);
}

static void
add_first_line(struct table *t, const char *text)
{
	char *line = text ? xstrndup(text, strcspn(text, "\n")) : NULL;

	table_long_text(t, text, line);
	free(line);
}

static struct history_filter
filter_of(const struct view *v, size_t limit)
{
	return (struct history_filter){ .project = v->project, .target = v->o.target,
	    .limit = limit };
}

/* Nothing found is no error; programs get an empty list. */
static void
print(const struct view *v, const struct table *t, const char *nothing)
{
	if (table_rows(t) == 0 && v->format == TABLE_TEXT)
		log_warn("%s", nothing);
	else
		table_print(t, v->format);
}

/* ---- runs ---- */

static const struct column run_columns[] = {
	{ "run", "run" }, { "started", "started" }, { "command", "command" },
	{ "target", "target" },
	{ "state", "state" }, { "exit_code", NULL }, { "tasks", NULL }, { "ok", "ok" },
	{ "warn", "warn" }, { "failed", "failed" }, { "skipped", "skipped" },
	{ "retried", "retried" },
	{ "seconds", "time" }, { "nodes_seconds", NULL }, { "critical_path_seconds", NULL },
	{ "work_seconds", NULL }, { "threads", "threads" }, { "selection", "selection" },
	{ "git_commit", "commit" }, { "project", NULL }, { "resumes", NULL },
	{ "heddle_version", NULL },
	{ "dbt_version", NULL }, { "adapter", NULL }, { "adapter_version", NULL },
	{ 0 }
};

static void
add_run(struct table *t, const struct history_run *r)
{
	add_short_id(t, r->id);
	table_time(t, r->started_ms);
	table_text(t, r->command);
	table_text(t, r->target);
	table_text(t, run_state_name(r->state));
	table_count(t, r->exit_code);
	table_count(t, r->ntasks);
	table_count(t, r->ngood);
	table_count(t, r->nwarned);
	table_count(t, r->nfailed);
	table_count(t, r->nskipped);
	table_count(t, r->nretried);
	table_ms(t, r->wall_ms);
	table_ms(t, r->nodes_ms);
	table_ms(t, r->critical_ms);
	table_ms(t, r->work_ms);
	table_count(t, r->nthreads);
	table_text(t, r->selection);
	if (r->git_commit)
		add_short_id(t, r->git_commit);
	else
		table_text(t, NULL);
	table_text(t, r->project);
	table_text(t, r->resumes);
	table_text(t, r->heddle_version);
	table_text(t, r->dbt_version);
	table_text(t, r->adapter);
	table_text(t, r->adapter_version);
}

static int
list_runs(struct view *v, struct err *err)
{
	struct history_filter f = filter_of(v, v->o.limit);
	struct table *t = table_new(run_columns);
	struct history_runs runs;
	int rc = history_read_runs(v->reader, &f, &runs, err);

	for (size_t i = 0; rc == 0 && i < runs.n; i++)
		add_run(t, &runs.v[i]);
	if (rc == 0)
		print(v, t, "no runs are recorded for this project and target");
	history_runs_release(&runs);
	table_free(t);
	return rc;
}

/* ---- one node ---- */

static const struct column node_columns[] = {
	{ "run", "run" }, { "started", "started" }, { "target", "target" }, { "unique_id", "node" },
	{ "attempt", "try" }, { "status", "status" }, { "seconds", "time" }, { "rows", "rows" },
	{ "failures", "failures" }, { "class", "class" }, { "code", NULL },
	{ "message", "message" },
	{ "reason", NULL }, { "sql", NULL },
	{ 0 }
};

static void
add_attempt(struct table *t, const struct history_attempts *all, const struct history_attempt *a,
    const struct history_run *run)
{
	add_short_id(t, run->id);
	table_time(t, a->started_ms >= 0 ? a->started_ms : run->started_ms);
	table_text(t, run->target);
	table_text(t, all->nodes[a->node].id);
	table_count(t, a->attempt);
	table_text(t, result_status_name(a->status));
	table_ms(t, a->took_ms);
	table_count(t, a->rows);
	table_count(t, a->failures);
	table_text(t, a->class);
	table_text(t, a->code);
	add_first_line(t, a->message ? a->message : a->attempt == 0 ? a->reason : NULL);
	table_text(t, a->reason);
	table_text(t, a->sql);
}

static void
print_stats(const struct history_node *n, const struct history_stats *s)
{
	struct buf b = BUF_INIT;
	char *safe;

	buf_addf(&b, "%s: ran in %zu of the last runs: %zu good, %zu failed, %zu after a retry, "
	    "%zu times changed without a new commit", n->id, s->nruns, s->ngood, s->nfailed,
	    s->nretried, s->nflips);
	if (s->median_ms >= 0) {
		buf_adds(&b, "; usually ");
		table_add_duration(&b, s->median_ms);
		buf_adds(&b, ", at most ");
		table_add_duration(&b, s->longest_ms);
	}
	safe = text_safe_line(b.data);
	puts(safe);
	free(safe);
	buf_release(&b);
}

static int
list_node(struct view *v, struct err *err)
{
	struct history_filter f = filter_of(v, v->o.runs);
	struct table *t = table_new(node_columns);
	struct history_runs runs = { 0 };
	struct history_attempts a = { 0 };
	int rc = history_read_runs(v->reader, &f, &runs, err);

	if (rc == 0)
		rc = history_read_node(v->reader, &runs, v->o.node, &a, err);
	if (rc == 0 && a.n == 0) {
		rc = err_set(err, "no node '%s' in the last %zu runs", v->o.node, runs.n);
		err_hint(err,
		    "give its name, PACKAGE.NAME or unique id; --runs N looks further back");
	}
	for (size_t i = 0; rc == 0 && i < a.n; i++)
		add_attempt(t, &a, &a.v[i], &runs.v[a.v[i].run]);
	if (rc == 0)
		table_print(t, v->format);
	history_attempts_release(&a);
	history_runs_release(&runs);
	table_free(t);
	return rc;
}

/* ---- nodes over runs ---- */

struct line {
	const struct history_node *node;
	struct history_stats s;
	enum result_status last;
};

static const struct column slowest_columns[] = {
	{ "unique_id", "node" }, { "kind", "kind" }, { "runs", "runs" },
	{ "median_seconds", "usually" },
	{ "longest_seconds", "at most" }, { "last_seconds", "last" }, { "share", "of all time" },
	{ 0 }
};

static const struct column flaky_columns[] = {
	{ "unique_id", "node" }, { "kind", "kind" }, { "runs", "runs" }, { "flaky_share", "flaky" },
	{ "flaky_runs", NULL }, { "retried_runs", "retried" }, { "flips", "flips" },
	{ "failed_runs", "failed" }, { "last_status", "last" },
	{ 0 }
};

static int
by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->s.median_ms != y->s.median_ms)
		return x->s.median_ms < y->s.median_ms ? 1 : -1;
	return strcmp(x->node->id, y->node->id);
}

static int
by_flakiness(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->s.nflaky != y->s.nflaky)
		return x->s.nflaky < y->s.nflaky ? 1 : -1;
	return strcmp(x->node->id, y->node->id);
}

static enum result_status
last_status(const struct history_grid *g, size_t node)
{
	for (size_t i = g->nruns; i > 0; i--)
		if (g->cells[node * g->nruns + i - 1].there)
			return g->cells[node * g->nruns + i - 1].status;
	return RESULT_SKIPPED;
}

static bool
is_named(const struct history_node *n, const char *name)
{
	return !name || strcmp(n->id, name) == 0 || strcmp(n->name, name) == 0;
}

static void
add_slow(struct table *t, const struct line *l, int64_t total_ms)
{
	table_text(t, l->node->id);
	table_text(t, l->node->kind);
	table_count(t, (long long)l->s.nruns);
	table_ms(t, l->s.median_ms);
	table_ms(t, l->s.longest_ms);
	table_ms(t, l->s.last_ms);
	table_share(t, total_ms ? (double)l->s.total_ms / (double)total_ms : 0);
}

static void
add_flaky(struct table *t, const struct line *l)
{
	table_text(t, l->node->id);
	table_text(t, l->node->kind);
	table_count(t, (long long)l->s.nruns);
	table_share(t, (double)l->s.nflaky / (double)l->s.nruns);
	table_count(t, (long long)l->s.nflaky);
	table_count(t, (long long)l->s.nretried);
	table_count(t, (long long)l->s.nflips);
	table_count(t, (long long)l->s.nfailed);
	table_text(t, result_status_name(l->last));
}

static void
print_lines(const struct view *v, const struct history_grid *g)
{
	struct table *t = table_new(v->o.flaky ? flaky_columns : slowest_columns);
	struct line *lines = xcalloc(g->nnodes + 1, sizeof(*lines));
	int64_t total_ms = 0;
	size_t n = 0;

	for (size_t i = 0; i < g->nnodes; i++) {
		struct line l = { &g->nodes[i], history_stats(g, i, g->nruns), last_status(g, i) };

		total_ms += l.s.total_ms;
		if (is_named(l.node, v->o.node) &&
		    (v->o.flaky ? l.s.nflaky > 0 : l.s.median_ms >= 0))
			lines[n++] = l;
	}
	qsort(lines, n, sizeof(*lines), v->o.flaky ? by_flakiness : by_time);
	for (size_t i = 0; i < n && (v->o.limit == 0 || i < v->o.limit); i++) {
		if (v->o.flaky)
			add_flaky(t, &lines[i]);
		else
			add_slow(t, &lines[i], total_ms);
	}
	print(v, t, v->o.flaky ? "no node was flaky in these runs" :
	    "no node ran well in these runs");
	free(lines);
	table_free(t);
}

static int
list_lines(struct view *v, struct err *err)
{
	struct history_filter f = filter_of(v, v->o.runs);
	struct history_grid g;

	if (history_read_grid(v->reader, &f, &g, err) < 0)
		return -1;
	print_lines(v, &g);
	history_grid_release(&g);
	return 0;
}

/* What people want to know of a node after its attempts. */
static int
sum_up_node(struct view *v, struct err *err)
{
	struct history_filter f = filter_of(v, v->o.runs);
	struct history_grid g;

	if (history_read_grid(v->reader, &f, &g, err) < 0)
		return -1;
	for (size_t i = 0; i < g.nnodes; i++) {
		struct history_stats s = history_stats(&g, i, g.nruns);

		if (is_named(&g.nodes[i], v->o.node))
			print_stats(&g.nodes[i], &s);
	}
	history_grid_release(&g);
	return 0;
}

/* ---- the command ---- */

static int
show(struct view *v, struct err *err)
{
	if (v->o.slowest || v->o.flaky)
		return list_lines(v, err);
	if (!v->o.node)
		return list_runs(v, err);
	if (list_node(v, err) < 0)
		return -1;
	return v->format == TABLE_TEXT ? sum_up_node(v, err) : 0;
}

static int
history_main(int argc, char **argv, struct err *err)
{
	struct view v = { .o = { .output = "text", .limit = DEFAULT_LIMIT, .runs = DEFAULT_RUNS } };
	const struct opt opts[] = {
		{ 0, "node", "NAME", OPT_TEXT, &v.o.node, "one node: its attempts, run by run" },
		{ 0, "slowest", NULL, OPT_FLAG, &v.o.slowest, "nodes by their usual time" },
		{ 0, "flaky", NULL, OPT_FLAG, &v.o.flaky,
		  "nodes that needed retries, or changed between good and bad on one commit" },
		{ 't', "target", "NAME", OPT_TEXT, &v.o.target, "runs of this target (all)" },
		{ 0, "limit", "N", OPT_UINT, &v.o.limit, "lines at most; 0 = all (20)" },
		{ 0, "runs", "N", OPT_UINT, &v.o.runs,
		    "runs that --node, --slowest, --flaky look at (30)" },
		{ 'o', "output", "text|json|csv", OPT_TEXT, &v.o.output,
		    "form of the answer (text)" },
		{ 0, "history", "FILE", OPT_TEXT, &v.o.history, "the record ($HEDDLE_HISTORY)" },
		{ 0, "project-dir", "FOLDER", OPT_TEXT, &v.o.project_dir,
		    "where dbt_project.yml is" },
		{ 'h', "help", NULL, OPT_FLAG, &v.o.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { opts, NULL };
	const struct opt_group groups[] = { { "options", opts }, { 0 } };
	int rc;

	if (opts_parse(argc, argv, tables, NULL, NULL, err) < 0 ||
	    table_format_parse(v.o.output, &v.format, err) < 0)
		return EXIT_BAD_INPUT;
	if (v.o.help)
		return command_help(&cmd_history, groups);
	if (v.o.slowest && v.o.flaky) {
		err_set(err, "--slowest and --flaky are two lists: give one of them");
		return EXIT_BAD_INPUT;
	}
	v.reader = history_file_open(v.o.history, v.o.project_dir, &v.project, err);
	if (!v.reader)
		return EXIT_BAD_INPUT;
	rc = show(&v, err);
	history_read_close(v.reader);
	free(v.project);
	return rc < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
}

const struct command cmd_history = {
	.name = "history",
	.summary = "past runs, slow nodes, flaky nodes",
	.usage = "[--node NAME] [--slowest | --flaky] [options]",
	.examples =
	    "  heddle history                    the last runs\n"
	    "  heddle history --node orders      how one node did in them\n"
	    "  heddle history --slowest -o csv   usual times, for a spreadsheet\n"
	    "  heddle history --flaky            what fails without a change\n",
	.run = history_main,
};
