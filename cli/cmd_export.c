/* cmd_export.c -- writes the plan or the lineage in another language; see exporters/exporter.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/connection.h"
#include "cli/export_check.h"
#include "cli/export_folder.h"
#include "cli/export_help.h"
#include "cli/export_options.h"
#include "cli/policies.h"
#include "cli/post_events.h"
#include "cli/project.h"
#include "cli/select_opts.h"
#include "cli/task_opts.h"
#include "executor/weights.h"
#include "exporters/exporter.h"
#include "exporters/lineage_run.h"
#include "exporters/stamp.h"
#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

static struct {
	/* what the output depends on: goes into its stamp */
	const char *focus, *colour_by, *group_by, *name, *data_namespace;
	unsigned limit;
	/* where things are, and what to do */
	const char *output, *url, *run_results, *check;
	bool list, help;
} o;

static const struct opt shape_opts[] = {
	{ 0, "focus", "WORD", OPT_TEXT, &o.focus,
	  "these nodes and their neighbours, e.g. +orders+2; the same as --select" },
	{ 0, "colour-by|color-by", "WHAT", OPT_TEXT, &o.colour_by,
	  "kind (default), folder, status or time; the last two read run_results.json" },
	{ 0, "group-by", "WHAT", OPT_TEXT, &o.group_by, "folder, tag or none" },
	{ 0, "name", "TEXT", OPT_TEXT, &o.name, "title (the project's name)" },
	{ 0, "dataset-namespace", "URI", OPT_TEXT, &o.data_namespace,
	  "openlineage: where the tables are (of the profile: postgres://host:5432)" },
	{ 0, "limit", "N", OPT_COUNT, &o.limit, "take up to N nodes where the target has a limit" },
	{ 0 }
};

static const struct opt file_opts[] = {
	{ 'o', "output", "FILE", OPT_TEXT, &o.output, "write here, not to standard output" },
	{ 0, "url", "URL", OPT_TEXT, &o.url,
	  "openlineage: post each event there (key: $OPENLINEAGE_API_KEY)" },
	{ 0, "run-results", "FILE", OPT_TEXT, &o.run_results,
	  "times and states of that run (run_results.json beside the manifest)" },
	{ 0, "check", "FILE", OPT_TEXT, &o.check,
	  "make an exported file again by its own options: exit 1 when it differs" },
	{ 0, "list", NULL, OPT_FLAG, &o.list, "list the targets" },
	{ 'h', "help", NULL, OPT_FLAG, &o.help, "show this" },
	{ 0 }
};

static const struct opt *const tables[] = {
	shape_opts, task_opts, select_opts, models_as_select_opts, source_opts, file_opts, NULL
};
static const struct opt_group help_groups[] = {
	{ "What it looks like", shape_opts }, { "Which nodes", select_opts },
	{ "Of targets whose tasks run dbt", task_opts },
	{ "Where from", source_opts }, { "Where to", file_opts }, { NULL, NULL }
};

/* ---- options ---- */

static int
find_target(const char *name, const struct exporter **found, struct err *err)
{
	size_t n;
	const struct exporter *const *all = exporter_all(&n);
	const char **names = xcalloc(n, sizeof(*names));
	const char *near;

	*found = exporter_find(name);
	for (size_t i = 0; i < n; i++)
		names[i] = all[i]->name;
	near = text_closest(name, names, n);
	free(names);
	if (*found)
		return 0;
	err_set(err, "unknown target '%s'", name);
	if (near)
		return err_hint(err, "did you mean `heddle export %s`?", near);
	return err_hint(err, "`heddle export --list` lists them");
}

/* target: what was named, or NULL. */
static int
help(const char *target, struct err *err)
{
	const struct exporter *x;

	if (target) {
		if (find_target(target, &x, err) < 0)
			return EXIT_BAD_INPUT;
		export_help_target(x, help_groups);
		return EXIT_GOOD;
	}
	command_help(&cmd_export, help_groups);
	puts("\nTargets (`heddle export TARGET --help` tells what each takes):");
	export_help_list("  ");
	return EXIT_GOOD;
}

/* Which value of an option's list `word` is; -1 with err when none. */
static int
choose(const char *option, const char *word, const char *(*name)(int), int n, struct err *err)
{
	struct buf all = BUF_INIT;
	int k;

	for (k = 0; k < n && strcmp(word, name(k)) != 0; k++)
		buf_addf(&all, "%s%s", k ? ", " : "", name(k));
	if (k == n) {
		err_set(err, "--%s: unknown value '%s'", option, word);
		err_hint(err, "one of: %s", buf_str(&all));
	}
	buf_release(&all);
	return k < n ? k : -1;
}

static const char *
grouping(int k)
{
	return grouping_name((enum grouping)k);
}

static const char *
colouring(int k)
{
	return colouring_name((enum colouring)k);
}

static int
read_shape(struct export_job *job, const struct exporter *x, struct err *err)
{
	int k;

	job->group_by = x->group_by;
	if (o.group_by) {
		k = choose("group-by", o.group_by, grouping, NGROUPINGS, err);
		if (k < 0)
			return -1;
		job->group_by = (enum grouping)k;
	}
	if (o.colour_by) {
		k = choose("colour-by", o.colour_by, colouring, NCOLOURINGS, err);
		if (k < 0)
			return -1;
		job->colour_by = (enum colouring)k;
	}
	if (o.focus && (selecting.select.n || selecting.selector))
		return err_set(err, "--focus and --select exclude each other");
	if (o.focus)
		words_add(&selecting.select, o.focus);
	return 0;
}

/* What makes the file again: the first half of its stamp. */
static void
write_command(struct buf *line, const struct exporter *x)
{
	stamp_word(line, "heddle");
	stamp_word(line, "export");
	stamp_word(line, x->name);
	export_options_add(line, shape_opts);
	export_options_add(line, task_opts);
	export_options_add(line, select_opts);
}

/* ---- what is exported ---- */

/* Without a selection a picture leaves out what nothing in it reads: declared sources. */
static void
drop_unread_sources(const struct graph *g, struct set *nodes)
{
	for (size_t i = set_next(nodes, 0); i < nodes->nbits; i = set_next(nodes, i + 1)) {
		const struct node *n = &g->nodes[i];
		bool read = n->kind != KIND_SOURCE;

		for (size_t k = 0; !read && k < n->nchildren; k++)
			read = set_has(nodes, n->children[k]);
		if (!read)
			set_del(nodes, i);
	}
}

/* From the selection to what the target shows of it. */
static void
keep_shown(const struct exporter *x, const struct graph *g, struct set *nodes)
{
	bool chosen = selecting.types.n || selecting.exclude_types.n;

	for (size_t i = set_next(nodes, 0); !chosen && i < nodes->nbits; i = set_next(nodes, i + 1))
		if (!(x->kinds & KIND_BIT(g->nodes[i].kind)))
			set_del(nodes, i);
	if (x->draws && !chosen && !selecting.select.n && !selecting.selector)
		drop_unread_sources(g, nodes);
}

static int
check_limit(const struct exporter *x, size_t n, struct err *err)
{
	size_t limit = o.limit ? o.limit : x->limit;

	if (x->limit == 0 || n <= limit)
		return 0;
	err_set(err, "%zu nodes are too many for a readable %s (limit %zu)", n, x->name, limit);
	return err_hint(err,
	    "narrow them with --select or --focus, or allow them with --limit %zu", n);
}

/* Times come into an export only when asked for: else it would change with every run. */
static int
fill_times(struct export_job *job, struct plan *plan, struct err *err)
{
	bool wanted = job->colour_by == COLOUR_BY_STATUS || job->colour_by == COLOUR_BY_TIME;
	char *beside = NULL;
	const char *file = o.run_results;
	int rc = 0;

	if (!file && wanted)
		file = beside = select_opts_run_results();
	if (file && !fs_exists(file)) {
		rc = err_set(err, "%s: no such file", file);
		err_hint(err, "run `heddle build` first, or name another file with --run-results");
	} else if (file) {
		job->timed = weights_fill(plan, file, NULL) > 0;
	}
	free(beside);
	return rc;
}

/* The nodes that --focus names, without their neighbours. out: the caller releases it. */
static int
find_focus(const struct graph *g, struct set *out, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct selector_env env = { .graph = g };
	const struct selector *s = selector_parse(&a, o.focus, MODE_EMPTY, err);
	int rc = -1;

	if (s) {
		struct selector bare = *s;

		bare.at = bare.up = bare.down = false;
		rc = selector_eval(&bare, &env, out, err);
	}
	arena_release(&a);
	return rc;
}

/* Everything between the manifest and the text. */
struct making {
	const struct exporter *x;
	struct export_job job;
	struct task_options tasks;
	struct policies policies;
	struct graph *g;
	struct plan *plan;
	struct set nodes, focus;
	struct groups groups;         /* for targets that name owners */
	struct buf stamp;
	struct lineage_run run;       /* for targets that tell of one */
	char *data_namespace;
};

/* heddle.yml of the project; only tasks have a policy. */
static int
load_policies(struct making *m, struct err *err)
{
	struct project p = { 0 };
	int rc;

	project_find(&p, &selecting.given);
	rc = policies_load(&m->policies, p.dir, err);
	project_release(&p);
	return rc;
}

static int
read_options(struct making *m, struct err *err)
{
	if (read_shape(&m->job, m->x, err) < 0)
		return -1;
	if (!m->x->tells && (o.url || o.data_namespace))
		return err_set(err, "%s tells of no run: --url and --dataset-namespace are "
		    "openlineage's", m->x->name);
	if (!m->x->runs && task_opts_given()) {
		err_set(err, "%s runs nothing: it takes no option of tasks", m->x->name);
		return err_hint(err, "`heddle export --help` lists them apart");
	}
	if (!m->x->runs)
		return 0;
	m->job.tasks = &m->tasks;
	if (task_opts_read(m->x, &m->tasks, err) < 0)
		return -1;
	return load_policies(m, err);
}

/* The finished run that the target tells of. */
static int
read_run(struct making *m, struct err *err)
{
	char *beside = o.run_results ? NULL : select_opts_run_results();
	const char *file = o.run_results ? o.run_results : beside;
	int rc = lineage_run_read(&m->run, file, err);

	free(beside);
	if (rc < 0)
		return err_hint(err,
		    "run `heddle build` first, or name another file with --run-results");
	m->job.run = &m->run;
	m->data_namespace = o.data_namespace ? xstrdup(o.data_namespace) :
		connection_namespace(&selecting.project, m->g->adapter_type, m->run.args);
	m->job.data_namespace = m->data_namespace;
	return 0;
}

/* The file once more, if there is something to find. */
static int
read_groups(struct making *m, struct err *err)
{
	bool any = false;

	for (size_t i = 0; m->x->owners && i < m->g->nnodes; i++)
		any = any || m->g->nodes[i].group;
	m->job.groups = &m->groups;
	return any ? groups_load(&m->groups, selecting.project.manifest, err) : 0;
}

/* Nodes and plan. */
static int
choose_nodes(struct making *m, struct err *err)
{
	unsigned all = (1u << NKINDS) - 1;

	if (select_opts_resolve(all, all, m->x->fields | m->policies.fields, m->g, &m->nodes,
	    err) < 0)
		return -1;
	if (o.focus && find_focus(m->g, &m->focus, err) < 0)
		return -1;
	if (m->x->runs) {
		task_opts_finish(m->g, &m->tasks);
		task_opts_keep(m->g, &m->tasks, &m->nodes);
	}
	m->plan = plan_new(m->g, &m->nodes, PLAN_BUILD, err);
	if (!m->plan)
		return -1;
	if ((m->x->tells ? read_run(m, err) : fill_times(&m->job, m->plan, err)) < 0)
		return -1;
	if (read_groups(m, err) < 0)
		return -1;
	if (m->x->runs)
		return policies_apply(&m->policies, m->plan, task_opts_policy(), NULL, err);
	keep_shown(m->x, m->g, &m->nodes);
	return 0;
}

/* The whole way from the manifest to the text. */
static int
make_export(const struct exporter *x, struct buf *out, struct err *err)
{
	struct making m = { .x = x, .g = graph_new() };
	int rc = -1;

	write_command(&m.stamp, x);
	if (read_options(&m, err) < 0 || choose_nodes(&m, err) < 0)
		goto out;
	if (set_is_empty(&m.nodes))
		log_warn("nothing is selected: the export is empty");
	if (check_limit(x, set_count(&m.nodes), err) < 0)
		goto out;
	m.job.graph = m.g;
	m.job.nodes = &m.nodes;
	m.job.focus = o.focus ? &m.focus : NULL;
	m.job.plan = m.plan;
	m.job.title = o.name ? o.name : m.g->project_name ? m.g->project_name : "dbt";
	stamp_plan(&m.stamp, &m.job);
	m.job.stamp = buf_str(&m.stamp);
	rc = x->write(&m.job, out, err);
	if (out->data)
		secrets_mask(out, 0);
out:
	buf_release(&m.stamp);
	lineage_run_release(&m.run);
	free(m.data_namespace);
	plan_free(m.plan);
	policies_release(&m.policies);
	task_opts_release(&m.tasks);
	set_release(&m.focus);
	set_release(&m.nodes);
	groups_release(&m.groups);
	graph_free(m.g);
	return rc;
}

/* ---- files ---- */

static int
put(const struct exporter *x, const struct buf *out, struct err *err)
{
	struct buf path = BUF_INIT;
	int rc;

	if (x->folder && !o.output) {
		err_set(err, "%s is a folder: it needs -o FOLDER", x->name);
		return -1;
	}
	if (x->folder)
		return export_folder_put(o.output, out, err);
	if (o.url && post_events(o.url, buf_str(out), err) < 0)
		return -1;
	if (o.url && !o.output)
		return 0;
	if (!o.output) {
		fwrite(out->data, 1, out->len, stdout);
		return 0;
	}
	buf_adds(&path, o.output);
	if (fs_is_dir(o.output))
		buf_addf(&path, "%s%s%s", text_ends(o.output, "/") ? "" : "/", x->file ? x->file :
		    x->runs ? x->name : "lineage", x->suffix);
	rc = fs_replace(buf_str(&path), out->data, out->len, 0644, err);
	buf_release(&path);
	return rc;
}

/* The options of the file's stamp are read as if they stood on the command line. */
static int
check_file(struct err *err)
{
	const struct exporter *x;
	struct export_check c;
	struct buf is = BUF_INIT;
	int code = EXIT_BAD_INPUT;

	if (export_check_open(&c, o.check, err) < 0)
		goto out;
	if (find_target(c.stamp.words[2], &x, err) < 0 ||
	    opts_parse((int)c.stamp.nwords - 2, (char **)(uintptr_t)(c.stamp.words + 2), tables,
	        NULL, NULL, err) < 0) {
		err_prefix(err, "%s", o.check);
		goto out;
	}
	if (make_export(x, &is, err) == 0)
		code = export_check_same(&c, x, &is, err) ? EXIT_GOOD : EXIT_NODE_FAILED;
	if (code == EXIT_GOOD)
		printf("%s: up to date\n", o.check);
out:
	buf_release(&is);
	export_check_release(&c);
	return code;
}

static int
run_export(int argc, char **argv, struct err *err)
{
	const struct exporter *x;
	struct words rest = { 0 };
	struct buf out = BUF_INIT;
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &rest, NULL, err) < 0)
		goto out;
	if (o.help) {
		code = help(rest.n == 1 ? rest.v[0] : NULL, err);
	} else if (o.list) {
		export_help_list("");
		code = EXIT_GOOD;
	} else if (o.check && rest.n == 0) {
		code = check_file(err);
	} else if (rest.n != 1 || o.check) {
		err_set(err, o.check ? "--check takes no target: the file names it" :
		    rest.n ? "one target at a time" : "no target given");
		err_hint(err,
		    "heddle export svg -o lineage.svg; `heddle export --list` lists the targets");
	} else if (find_target(rest.v[0], &x, err) == 0 && make_export(x, &out, err) == 0) {
		code = put(x, &out, err) < 0 ? EXIT_BAD_INPUT : EXIT_GOOD;
	}
out:
	buf_release(&out);
	words_release(&rest);
	select_opts_release();
	return code;
}

const struct command cmd_export = {
	.name = "export",
	.summary = "write the lineage or the plan in another language",
	.usage = "TARGET [options]",
	.examples =
	    "  heddle export svg -o lineage.svg\n"
	    "  heddle export svg --focus 2+orders+1 --colour-by time > orders.svg\n"
	    "  heddle export dot --group-by none | dot -Tpdf > lineage.pdf\n"
	    "  heddle export airflow --schedule '0 6 * * *' -o dags/shop.py\n"
	    "  heddle export airflow --help\n"
	    "  heddle export --check dags/shop.py\n",
	.run = run_export,
};
