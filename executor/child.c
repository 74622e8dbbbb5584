#include "executor/child.h"

#include <signal.h>
#include <string.h>

#include "util/clock.h"

void
child_init(struct child *c)
{
	memset(c, 0, sizeof(*c));
	c->proc = (struct proc)PROC_INIT;
	pthread_mutex_init(&c->lock, NULL);
}

void
child_release(struct child *c)
{
	proc_release(&c->proc);
	pthread_mutex_destroy(&c->proc.lock);
	pthread_mutex_destroy(&c->lock);
}

void
child_begin(struct child *c, const struct job *job)
{
	pthread_mutex_lock(&c->lock);
	c->job = job;
	c->cancelled_ms = 0;
	c->terminated = false;
	pthread_mutex_unlock(&c->lock);
}

int
child_run(struct child *c, const struct proc_options *o, int *code, struct buf *out,
    struct err *err)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = c->cancelled_ms ? err_set(err, "cancelled before it started") :
	    proc_start(&c->proc, o, err);
	pthread_mutex_unlock(&c->lock);
	if (rc < 0)
		return -1;
	*code = proc_wait(&c->proc, out);
	proc_release(&c->proc);
	return 0;
}

bool
child_end(struct child *c)
{
	bool cancelled;

	pthread_mutex_lock(&c->lock);
	cancelled = c->cancelled_ms != 0;
	c->job = NULL;
	pthread_mutex_unlock(&c->lock);
	return cancelled;
}

void
child_cancel(struct child *c, const struct job *job, int64_t grace_ms, bool terminate)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&c->lock);
	if (c->job && c->job->attempt == job->attempt && strcmp(c->job->id, job->id) == 0) {
		if (!c->cancelled_ms) {
			c->cancelled_ms = now;
			proc_signal(&c->proc, SIGINT);
		} else if (now - c->cancelled_ms >= grace_ms) {
			proc_signal(&c->proc, SIGKILL);
		} else if (terminate && !c->terminated && now - c->cancelled_ms >= grace_ms / 2) {
			c->terminated = true;
			proc_signal(&c->proc, SIGTERM);
		}
	}
	pthread_mutex_unlock(&c->lock);
}
