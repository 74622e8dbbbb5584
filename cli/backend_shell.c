/*
 * backend_shell.c -- a command of the user's for each node (executor/runner_shell.h). Nothing
 * parses the project: the manifest is the one given, or that of the target folder. Options that
 * only dbt understands would reach nobody, so they are refused.
 */
#include "cli/backend.h"

#include <stdlib.h>
#include <string.h>

#include "cli/offline.h"
#include "executor/runner_shell.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

#define DEFAULT_THREADS 4

struct shell_backend {
	struct backend_request rq;
	struct offline known;
	struct worker_ready ready;
	struct worker_end end;
	struct shell_runner *runner;
};

/* Of dbt's options those that mean something to heddle, or nothing that could be missed. */
static int
check_rest(const struct offline *o, struct err *err)
{
	static const char *const fine[] = {
		"--state", "--target", "-t", "--use-colors", "--no-use-colors", "--version-check",
		"--no-version-check", "--send-anonymous-usage-stats",
		"--no-send-anonymous-usage-stats",
		"--partial-parse", "--no-partial-parse", "--print", "--no-print",
	};

	for (size_t i = 0; i < o->rest.n; i++) {
		const char *word = o->rest.v[i];
		size_t n = strcspn(word, "="), k = 0;

		while (word[0] == '-' && k < sizeof(fine) / sizeof(fine[0]) &&
		    (strlen(fine[k]) != n || strncmp(fine[k], word, n) != 0))
			k++;
		if (word[0] != '-' || k < sizeof(fine) / sizeof(fine[0]))
			continue;
		err_set(err, "%.*s: the shell runner cannot hand an option of dbt on", (int)n,
		    word);
		return err_hint(err, "write it into the command");
	}
	return 0;
}

static void
warn_if_old(const struct project *p)
{
	char *newer = project_newer_file(p);
	char *safe = newer ? text_safe_line(newer) : NULL;

	if (newer)
		log_warn("%s: older than '%s'; `dbt parse` writes it anew", p->manifest, safe);
	free(safe);
	free(newer);
}

/* Made before the run begins, so that a bad command is known at once. */
static int
make_runner(struct shell_backend *b, struct err *err)
{
	const struct worker_info *i = &b->known.info;
	struct buf run_id = BUF_INIT, target = BUF_INIT;
	const char *env[3] = { NULL };
	const struct shell_options o = {
		.command = b->rq.command,
		.env = env,
		.dir = b->known.project.dir,
		.adapter = i->adapter,
		.nthreads = i->nthreads,
		.grace_ms = b->rq.grace_ms,
	};

	buf_addf(&run_id, "HEDDLE_RUN_ID=%s", i->invocation_id);
	env[0] = run_id.data;
	if (i->target_name) {
		buf_addf(&target, "HEDDLE_TARGET=%s", i->target_name);
		env[1] = target.data;
	}
	b->runner = shell_runner_new(&o, err);
	buf_release(&run_id);
	buf_release(&target);
	return b->runner ? 0 : -1;
}

static int
parsed(void *self, const struct worker_info **info, struct run_args *args, struct err *err)
{
	struct shell_backend *b = self;
	struct offline *o = &b->known;

	if (offline_arguments(o, &b->rq, b->rq.manifest, err) < 0 || check_rest(o, err) < 0)
		return -1;
	if (!fs_exists(o->project.manifest)) {
		err_set(err,
		    "%s: no manifest, and the shell runner has no dbt that would write one",
		    o->project.manifest);
		return err_hint(err, "name one: --manifest FILE, or `dbt parse` writes it");
	}
	warn_if_old(&o->project);
	if (offline_resolve(o, &b->rq, DEFAULT_THREADS, args, err) < 0)
		return -1;
	*info = &o->info;
	return make_runner(b, err);
}

static int
begin(void *self, const char *const *ids, size_t nids, int lock_fd,
    const struct worker_ready **ready, struct err *err)
{
	struct shell_backend *b = self;

	(void)ids;
	(void)nids;
	(void)err;
	shell_runner_share_lock(b->runner, lock_fd);
	b->ready.nthreads = b->known.info.nthreads;
	*ready = &b->ready;
	return 0;
}

static struct runner
runner(void *self)
{
	return shell_runner(((struct shell_backend *)self)->runner);
}

static struct runner
dry(void *self)
{
	return shell_runner_dry(((struct shell_backend *)self)->runner);
}

/* Hooks are the command's business. */
static int
finish(void *self, const struct worker_outcome *outcomes, size_t noutcomes, bool cancelled,
    const struct worker_end **end, struct err *err)
{
	(void)outcomes;
	(void)noutcomes;
	(void)cancelled;
	(void)err;
	*end = &((struct shell_backend *)self)->end;
	return 0;
}

static bool
interrupted(void *self)
{
	(void)self;
	return false;
}

static void
release(void *self)
{
	struct shell_backend *b = self;

	shell_runner_free(b->runner);
	offline_release(&b->known);
	free(b);
}

int
backend_start_shell(struct backend *b, const struct backend_request *rq, struct err *err)
{
	struct shell_backend *self;

	if (!rq->command || text_is_blank(rq->command)) {
		err_set(err, "--runner shell: which command?");
		return err_hint(err,
		    "--command 'docker run --rm shop dbt {verb} --select {select}', or "
		    "`command:` in heddle.yml");
	}
	self = xcalloc(1, sizeof(*self));
	self->rq = *rq;
	*b = (struct backend){ .self = self, .parsed = parsed, .begin = begin, .runner = runner,
		.dry = dry, .finish = finish, .interrupted = interrupted, .free = release };
	return 0;
}
