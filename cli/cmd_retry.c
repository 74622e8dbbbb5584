/* cmd_retry.c -- continue a run: what succeeded stays, the rest runs again with the same
 * settings. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/project.h"
#include "cli/record.h"
#include "cli/run.h"
#include "util/arena.h"
#include "util/fs.h"

static struct run_request rq = RUN_REQUEST_INIT;
static struct {
	bool help;
	const char *threads;
	struct project_given given;
	struct words run;          /* at most one: which run */
} o;

static const struct opt own_opts[] = {
	{ 0, "threads", "N", OPT_TEXT, &o.threads, "another number of threads" },
	{ 0, "retries", "N", OPT_UINT, &rq.retries,
	  "further tries after a transient error" },
	{ 0, "retry-delay", "TIME", OPT_DURATION, &rq.retry_delay_ms,
	  "wait before the second try" },
	{ 0, "timeout", "TIME", OPT_DURATION, &rq.timeout_ms,
	  "cancel a node's attempt after this long" },
	{ 0, "max-time", "TIME", OPT_DURATION, &rq.max_time_ms,
	  "start nothing after this long" },
	{ 0, "deadline", "HH:MM", OPT_CLOCK, &rq.deadline_ms,
	  "start nothing past this local time; already past means tomorrow" },
	{ 0, "rerun-unknown", NULL, OPT_FLAG, &rq.rerun_unknown,
	  "run appending nodes even when their commit may have happened" },
	{ 0, "rebuild-tested", NULL, OPT_FLAG, &rq.rebuild_tested,
	  "what a failed test reads runs again first" },
	{ 0, "state-dir", "DIR", OPT_TEXT, &rq.state_dir,
	  "where the records of runs are (TARGET/heddle/runs)" },
	{ 0, "dry-run", NULL, OPT_FLAG, &rq.dry_run,
	  "say what would run, in order; run nothing" },
	{ 0, "events", "FD|FILE", OPT_TEXT, &rq.events,
	  "what happens as JSON lines, for another program (docs/events.md)" },
	{ 0, "no-board", NULL, OPT_FLAG, &rq.no_board, "a line a node, on a terminal too" },
	{ 0, "python", "FILE", OPT_TEXT, &rq.python, "interpreter that has dbt" },
	{ 0, "project-dir", "DIR", OPT_TEXT, &o.given.project_dir,
	  "where dbt_project.yml is" },
	{ 0, "target-path", "DIR", OPT_TEXT, &o.given.target_path,
	  "the project's target folder" },
	{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
	{ 0 }
};

static int
retry_found(struct journal_run *earlier, struct err *err)
{
	const struct record_given given = { o.threads, o.given.project_dir,
	    o.given.target_path };
	struct arena arena = ARENA_INIT;
	int code = EXIT_BAD_INPUT;

	rq.earlier = earlier;
	if (record_restore(&rq, &arena, earlier->settings, &given, err) == 0)
		code = run_project(&rq, err);
	else
		err_prefix(err, "%s", earlier->path);
	words_release(&rq.dbt);
	arena_release(&arena);
	return code;
}

/* dbt's run is in the target folder alone. Our dbt will write another manifest there, by rename: a
 * link keeps the one of that run for comparison. When the one that is there is newer than the
 * results, only a link made earlier will do (a retry that was refused). Returns the link's name. */
static char *
link_manifest(const struct project *project, const char *results)
{
	char *folder = record_manifest_dir(results);
	char *manifest = fs_join(project->target, "manifest.json");
	char *kept = fs_join(folder, "manifest.json");
	int64_t run_ms = fs_mtime_ms(results);
	struct err ignored = ERR_INIT;

	if (fs_mtime_ms(manifest) <= run_ms || fs_mtime_ms(kept) > run_ms)
		unlink(kept);
	if (fs_mtime_ms(manifest) <= run_ms && fs_mkdirs(folder, &ignored) == 0 &&
	    link(manifest, kept) < 0) {
		/* Then nothing is said of changes. */
	}
	err_release(&ignored);
	free(folder);
	free(manifest);
	return kept;
}

static int
retry(struct err *err)
{
	struct journal_run earlier = { 0 };
	struct project project;
	int code = EXIT_BAD_INPUT, found = 0;
	char *dir, *kept = NULL;

	project_find(&project, &o.given);
	dir = record_dir(rq.state_dir, project.target);
	if (o.run.n == 0 && (found = record_find_dbt(&earlier, dir, project.target, err)) > 0)
		kept = link_manifest(&project, earlier.path);
	if (found == 0)
		found = record_find(&earlier, dir, o.run.n ? o.run.v[0] : NULL, err);
	if (found == 0) {
		err_set(err, "%s: no run to continue", dir);
		err_hint(err,
		    "neither heddle nor dbt has left one here; `heddle build` starts one");
	} else if (found > 0) {
		code = retry_found(&earlier, err);
	}
	if (kept && code != EXIT_BAD_INPUT)
		unlink(kept);
	journal_run_release(&earlier);
	project_release(&project);
	free(kept);
	free(dir);
	return code;
}

static int
retry_main(int argc, char **argv, struct err *err)
{
	const struct opt *const tables[] = { own_opts, NULL };
	const struct opt_group groups[] = { { "options", own_opts }, { 0 } };
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &o.run, NULL, err) < 0)
		goto out;
	if (o.help)
		code = command_help(&cmd_retry, groups);
	else if (o.run.n > 1)
		err_set(err, "unexpected argument '%s'", o.run.v[1]);
	else
		code = retry(err);
out:
	words_release(&o.run);
	return code;
}

const struct command cmd_retry = {
	.name = "retry",
	.summary = "continue the last (or a given) run: only what had not succeeded",
	.usage = "[RUN] [options]",
	.examples = "  heddle retry\n"
	    "  heddle retry --threads 2 --retries 5\n"
	    "  heddle retry 20260131T093000.123-4711\n",
	.run = retry_main,
};
