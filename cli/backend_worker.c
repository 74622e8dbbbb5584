/* backend_worker.c -- one long-lived dbt runs every node (executor/runner_worker.h). */
#include "cli/backend.h"

#include <stdlib.h>

#include "executor/python.h"
#include "util/fs.h"
#include "util/xalloc.h"

struct worker_backend {
	struct worker *worker;
	struct progress *progress;
	char *python, *project_dir;
};

static void
on_log(void *self, const char *id, const char *level, const char *code, const char *text)
{
	const struct worker_backend *b = self;

	(void)code;
	progress_log(b->progress, id, level, text);
}

/* dbt does not say that it is in the wrong folder; it complains about what it misses first. */
static int
hint_at_folder(const struct worker_backend *b, struct err *err)
{
	char *file = fs_join(b->project_dir, "dbt_project.yml");

	if (!fs_exists(file) && !err->hint)
		err_hint(err, "there is no dbt_project.yml here; go to the project's folder, or "
		    "give --project-dir");
	free(file);
	return -1;
}

static int
parsed(void *self, const struct worker_info **info, struct run_args *args, struct err *err)
{
	struct worker_backend *b = self;

	if (worker_wait_parsed(b->worker, info, err) < 0)
		return hint_at_folder(b, err);
	return run_args_read(args, (*info)->args, (*info)->flags, err);
}

static int
begin(void *self, const char *const *ids, size_t nids, int lock_fd,
    const struct worker_ready **ready, struct err *err)
{
	return worker_begin(((struct worker_backend *)self)->worker, ids, nids, lock_fd, ready,
	    err);
}

static struct runner
runner(void *self)
{
	return worker_runner(((struct worker_backend *)self)->worker);
}

static int
finish(void *self, const struct worker_outcome *outcomes, size_t noutcomes, bool cancelled,
    const struct worker_end **end, struct err *err)
{
	return worker_finish(((struct worker_backend *)self)->worker, outcomes, noutcomes,
	    cancelled, end, err);
}

static bool
interrupted(void *self)
{
	return worker_interrupted(((struct worker_backend *)self)->worker);
}

static void
past(void *self, const struct worker_past *earlier)
{
	worker_set_past(((struct worker_backend *)self)->worker, earlier);
}

static void
release(void *self)
{
	struct worker_backend *b = self;

	worker_free(b->worker);
	free(b->python);
	free(b->project_dir);
	free(b);
}

int
backend_start_worker(struct backend *b, const struct backend_request *rq, struct err *err)
{
	struct worker_backend *self = xcalloc(1, sizeof(*self));
	struct worker_options wo = {
		.verb = rq->verb,
		.argv = rq->argv,
		.grace_ms = rq->grace_ms,
		.no_start_hooks = rq->no_start_hooks,
		.no_end_hooks = rq->no_end_hooks,
		.self = self,
		.log = on_log,
	};

	*b = (struct backend){ .self = self, .parsed = parsed, .begin = begin, .runner = runner,
		.finish = finish, .interrupted = interrupted, .free = release, .past = past };
	self->progress = rq->progress;
	self->project_dir = xstrdup(rq->project_dir);
	self->python = python_find(rq->python, rq->project_dir, err);
	if (self->python) {
		wo.python = self->python;
		self->worker = worker_start(&wo, err);
	}
	if (self->worker)
		return 0;
	backend_release(b);
	return -1;
}
