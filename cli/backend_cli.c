/*
 * backend_cli.c -- one dbt command a node (executor/runner_cli.h), for a dbt that is not dbt-core
 * in Python. `dbt parse` writes the manifest; what dbt would resolve is read from the command line
 * and the manifest (cli/offline.h): profile, environment and project flags still count in every
 * command dbt runs, but not for what heddle itself decides (selection, threads).
 */
#include "cli/backend.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/dbt_opts.h"
#include "cli/offline.h"
#include "executor/proc.h"
#include "executor/runner_cli.h"
#include "util/buf.h"
#include "util/signals.h"
#include "util/xalloc.h"

#define DEFAULT_THREADS 4

/* What is run for a node. */
static const char *const commands[] = {
	"run", "test", "seed", "snapshot", "build", "source",
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

struct cli_backend {
	struct backend_request rq;
	struct offline known;
	struct worker_ready ready;
	struct worker_end end;
	struct words words[NCOMMANDS];   /* options for each command */
	struct cli_args args[NCOMMANDS + 1];
	struct cli_runner *runner;
	bool interrupted;             /* a signal ended the parse */
};

/* What is no business of ours, as far as the command knows it. */
static void
add_options(struct words *to, const struct words *rest, const char *command)
{
	char **argv = (char **)(uintptr_t)rest->v;
	int argc = (int)rest->n, n;

	for (int i = 0; i < argc; i += n) {
		n = dbt_opt_take(argv, i, argc);
		n = n > 0 ? n : 1;
		for (int k = 0; k < n && dbt_opt_is_for(argv[i], command); k++)
			words_add(to, argv[i + k]);
	}
}

/* Its output, until it ends or a signal waits for us. */
static void
watch(struct cli_backend *b, struct proc *p, struct buf *out)
{
	struct pollfd fds[] = {
		{ .fd = p->out, .events = POLLIN },
		{ .fd = signals_fd(), .events = POLLIN },
	};
	char piece[4096];
	ssize_t n = 1;

	while (n > 0 && !b->interrupted) {
		if (poll(fds, 2, -1) < 0)
			continue;
		b->interrupted = fds[1].revents != 0;
		if (fds[0].revents)
			n = read(p->out, piece, sizeof(piece));
		if (fds[0].revents && n > 0)
			buf_add(out, piece, (size_t)n);
	}
}

static int
run_parse(struct cli_backend *b, struct err *err)
{
	struct words argv = { 0 };
	struct proc_options po = { .keep_fd = -1 };
	struct proc p = PROC_INIT;
	struct buf out = BUF_INIT;
	int code, rc;

	words_add(&argv, "dbt");
	words_add(&argv, "parse");
	add_options(&argv, &b->known.rest, "parse");
	words_add(&argv, "--target-path");
	words_add(&argv, b->known.project.target);
	words_add(&argv, NULL);
	po.argv = argv.v;
	rc = proc_start(&p, &po, err);
	if (rc == 0)
		watch(b, &p, &out);
	if (rc < 0)
		err_hint(err, "is dbt on PATH? `heddle doctor` looks for it");
	else if (b->interrupted)
		rc = err_set(err, "interrupted");
	else if ((code = proc_wait(&p, &out)) != 0)
		rc = err_set(err, "dbt parse: exit code %d\n%s", code, buf_str(&out));
	proc_release(&p);        /* kills one that was interrupted */
	pthread_mutex_destroy(&p.lock);
	buf_release(&out);
	words_release(&argv);
	return rc;
}

static int
parsed(void *self, const struct worker_info **info, struct run_args *args, struct err *err)
{
	struct cli_backend *b = self;
	struct offline *o = &b->known;
	const char *adapter;

	if (offline_arguments(o, &b->rq, NULL, err) < 0)
		return -1;
	words_add(&o->rest, "--project-dir");
	words_add(&o->rest, o->project.dir);
	for (size_t i = 0; i < NCOMMANDS; i++) {
		add_options(&b->words[i], &o->rest, commands[i]);
		words_add(&b->words[i], NULL);
		b->args[i] = (struct cli_args){ commands[i], b->words[i].v };
	}
	if (run_parse(b, err) < 0 || offline_resolve(o, &b->rq, DEFAULT_THREADS, args, err) < 0)
		return -1;
	/* DuckDB lets one process at a time open its file. */
	adapter = o->graph->adapter_type;
	if (!o->threads && adapter && strcmp(adapter, "duckdb") == 0)
		o->info.nthreads = 1;
	*info = &o->info;
	return 0;
}

/* ---- the nodes ---- */

static int
begin(void *self, const char *const *ids, size_t nids, int lock_fd,
    const struct worker_ready **ready, struct err *err)
{
	static const char *const command[] = { "dbt", NULL };
	struct cli_backend *b = self;
	const struct cli_options o = {
		.dbt = command,
		.args = b->args,
		.target_path = b->known.info.target_path,
		.nthreads = b->known.info.nthreads,
		.grace_ms = b->rq.grace_ms,
		.lock_fd = lock_fd,
	};

	(void)ids;
	(void)nids;
	b->runner = cli_runner_new(&o, err);
	b->ready.nthreads = b->known.info.nthreads;
	*ready = &b->ready;
	return b->runner ? 0 : -1;
}

static struct runner
runner(void *self)
{
	return cli_runner(((struct cli_backend *)self)->runner);
}

/* Hooks ran with every node: there is nothing left to do at the end. */
static int
finish(void *self, const struct worker_outcome *outcomes, size_t noutcomes, bool cancelled,
    const struct worker_end **end, struct err *err)
{
	(void)outcomes;
	(void)noutcomes;
	(void)cancelled;
	(void)err;
	*end = &((struct cli_backend *)self)->end;
	return 0;
}

static bool
interrupted(void *self)
{
	return ((struct cli_backend *)self)->interrupted;
}

static void
release(void *self)
{
	struct cli_backend *b = self;

	cli_runner_free(b->runner);
	offline_release(&b->known);
	for (size_t i = 0; i < NCOMMANDS; i++)
		words_release(&b->words[i]);
	free(b);
}

int
backend_start_cli(struct backend *b, const struct backend_request *rq, struct err *err)
{
	struct cli_backend *self = xcalloc(1, sizeof(*self));

	(void)err;
	self->rq = *rq;
	*b = (struct backend){ .self = self, .parsed = parsed, .begin = begin, .runner = runner,
		.finish = finish, .interrupted = interrupted, .free = release };
	return 0;
}
