/* cmd_report.c -- `heddle report`: one run as an HTML page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/history_file.h"
#include "cli/project.h"
#include "executor/report.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define DEFAULT_FILE "heddle_report.html"      /* in the target folder */

struct report_opts {
	bool help;
	const char *output, *target, *history, *project_dir;
	struct words rest;
};

/* The run asked for by the beginning of its id; else the last one. */
static int
find_run(struct history_reader *r, const struct report_opts *o, const char *project,
    struct history_runs *runs, struct err *err)
{
	struct history_filter f = { .project = project, .target = o->target, .limit = 1 };

	if (o->rest.n > 0)
		return history_read_run(r, o->rest.v[0], runs, err);
	if (history_read_runs(r, &f, runs, err) < 0)
		return -1;
	if (runs->n)
		return 0;
	history_runs_release(runs);
	err_set(err, "no runs are recorded for this project and target");
	return err_hint(err, "`heddle build` and its like record each run");
}

/* A new string: -o, or a file in the target folder. */
static char *
place_of(const struct report_opts *o, struct err *err)
{
	struct project_given pg = { .project_dir = o->project_dir };
	struct project p;
	char *path;

	if (o->output)
		return xstrdup(o->output);
	project_find(&p, &pg);
	path = fs_mkdirs(p.target, err) < 0 ? NULL : fs_join(p.target, DEFAULT_FILE);
	project_release(&p);
	return path;
}

static int
write_page(const struct report_opts *o, const struct buf *page, struct err *err)
{
	char *path;
	int rc;

	if (o->output && strcmp(o->output, "-") == 0) {
		fwrite(page->data, 1, page->len, stdout);
		return 0;
	}
	path = place_of(o, err);
	if (!path)
		return -1;
	rc = fs_replace(path, page->data, page->len, 0600, err);
	if (rc == 0)
		puts(path);
	free(path);
	return rc;
}

static int
report(const struct report_opts *o, struct err *err)
{
	struct history_runs runs = { 0 };
	struct buf page = BUF_INIT;
	char *project;
	struct history_reader *r = history_file_open(o->history, o->project_dir, &project, err);
	int rc = -1;

	if (!r)
		return -1;
	if (find_run(r, o, project, &runs, err) == 0) {
		rc = report_make(r, &runs.v[0], &page, err);
		history_runs_release(&runs);
	}
	if (rc == 0)
		rc = write_page(o, &page, err);
	buf_release(&page);
	history_read_close(r);
	free(project);
	return rc;
}

static int
report_main(int argc, char **argv, struct err *err)
{
	struct report_opts o = { 0 };
	const struct opt opts[] = {
		{ 'o', "output", "FILE", OPT_TEXT, &o.output,
		  "where to; - is standard output (heddle_report.html in the target folder)" },
		{ 't', "target", "NAME", OPT_TEXT, &o.target, "the last run of this target" },
		{ 0, "history", "FILE", OPT_TEXT, &o.history, "the record ($HEDDLE_HISTORY)" },
		{ 0, "project-dir", "FOLDER", OPT_TEXT, &o.project_dir,
		    "where dbt_project.yml is" },
		{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { opts, NULL };
	const struct opt_group groups[] = { { "options", opts }, { 0 } };
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &o.rest, NULL, err) < 0)
		goto out;
	if (o.help)
		code = command_help(&cmd_report, groups);
	else if (o.rest.n > 1)
		err_set(err, "unexpected argument '%s': a report is of one run", o.rest.v[1]);
	else if (report(&o, err) == 0)
		code = EXIT_GOOD;
out:
	words_release(&o.rest);
	return code;
}

const struct command cmd_report = {
	.name = "report",
	.summary = "a run as an HTML page: timeline, failures, trends, morning check",
	.usage = "[RUN] [-o FILE] [options]",
	.examples =
	    "  heddle report                 the last run, written to target/heddle_report.html\n"
	    "  heddle report 3f2a91bc -o -   that run (see heddle history), on standard output\n",
	.run = report_main,
};
