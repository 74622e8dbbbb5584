#include "tests/executor/fake_runner.h"

#include <pthread.h>
#include <time.h>

#include "tests/check.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/xalloc.h"

struct step {
	enum result_status status;
	enum error_class class;
	bool blameless, hangs, deaf;
	int64_t ms;
};

struct part {
	char *name;
	struct step *steps;
	size_t nsteps, cap;
	size_t next;
	unsigned cancels, beside;
	bool running, cancelled;
};

struct fake {
	struct runner runner;
	bool simulated;
	pthread_mutex_t lock;        /* guards all below */
	pthread_cond_t changed;
	struct part *parts;
	size_t nparts, cap;
	bool released;
	unsigned nrunning, most;
	struct buf started;
};

static const struct {
	const char *word;
	struct step step;
} words[] = {
	{ "ok", { .status = RESULT_SUCCESS } },
	{ "fail", { .status = RESULT_FAIL, .class = CLASS_TEST_FAILURE } },
	{ "error", { .status = RESULT_ERROR, .class = CLASS_DATABASE } },
	{ "warn", { .status = RESULT_WARN } },
	{ "skip", { .status = RESULT_SKIPPED } },
	{ "partial", { .status = RESULT_PARTIAL } },
	{ "no-op", { .status = RESULT_NO_OP } },
	{ "database", { .status = RESULT_ERROR, .class = CLASS_DATABASE } },
	{ "stale", { .status = RESULT_ERROR, .class = CLASS_STALE } },
	{ "compile", { .status = RESULT_ERROR, .class = CLASS_COMPILE } },
	{ "transient", { .status = RESULT_ERROR, .class = CLASS_TRANSIENT } },
	{ "connection", { .status = RESULT_ERROR, .class = CLASS_CONNECTION } },
	{ "timeout", { .status = RESULT_ERROR, .class = CLASS_TIMEOUT } },
	{ "internal", { .status = RESULT_ERROR, .class = CLASS_INTERNAL } },
	{ "lost", { .status = RESULT_ERROR, .class = CLASS_WORKER_LOST } },
	{ "bystander", { .status = RESULT_ERROR, .class = CLASS_WORKER_LOST, .blameless = true } },
	{ "hang", { .status = RESULT_ERROR, .class = CLASS_CONNECTION, .hangs = true } },
	{ "deaf", { .status = RESULT_ERROR, .class = CLASS_CONNECTION, .deaf = true } },
	{ "late", { .status = RESULT_SUCCESS, .hangs = true } },
};

static struct part *
part_of(struct fake *f, const char *name)
{
	struct part *rest = NULL, *p;
	size_t from;

	for (size_t i = 0; i < f->nparts; i++) {
		if (strcmp(f->parts[i].name, name) == 0)
			return &f->parts[i];
		if (strcmp(f->parts[i].name, "*") == 0)
			rest = &f->parts[i];
	}
	from = rest ? (size_t)(rest - f->parts) : 0;
	f->parts = xgrow(f->parts, f->nparts, &f->cap, sizeof(*f->parts));
	p = &f->parts[f->nparts++];
	*p = (struct part){ .name = xstrdup(name) };
	for (size_t i = 0; rest && i < f->parts[from].nsteps; i++) {
		p->steps = xgrow(p->steps, p->nsteps, &p->cap, sizeof(*p->steps));
		p->steps[p->nsteps++] = f->parts[from].steps[i];
	}
	return p;
}

static void
add_step(struct part *p, const char *word, size_t len)
{
	const char *at = memchr(word, '@', len);
	size_t n = at ? (size_t)(at - word) : len;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) != n || memcmp(words[i].word, word, n) != 0)
			continue;
		p->steps = xgrow(p->steps, p->nsteps, &p->cap, sizeof(*p->steps));
		p->steps[p->nsteps] = words[i].step;
		p->steps[p->nsteps++].ms = at ? strtoll(at + 1, NULL, 10) : 0;
		return;
	}
	fail_msg("fake_runner: no step '%.*s'", (int)len, word);
}

static void
read_script(struct fake *f, const char *s)
{
	while (*(s += strspn(s, " ;\n\t"))) {
		size_t len = strcspn(s, ":");
		char *name = xstrndup(s, len);
		struct part *p = part_of(f, name);

		free(name);
		p->nsteps = 0;
		for (s += len + 1; *(s += strspn(s, " \t")) && *s != ';' && *s != '\n'; s += len) {
			len = strcspn(s, " \t;\n");
			add_step(p, s, len);
		}
	}
}

static void
note_start(struct fake *f, struct part *p, const char *name)
{
	buf_addf(&f->started, "%s%s", f->started.len ? " " : "", name);
	p->running = true;
	p->cancelled = false;
	p->beside = 0;
	if (++f->nrunning > f->most)
		f->most = f->nrunning;
	for (size_t i = 0; i < f->nparts; i++)
		if (f->parts[i].running && f->nrunning - 1 > f->parts[i].beside)
			f->parts[i].beside = f->nrunning - 1;
}

/* Sleeps as the step says; the lock is held. */
static void
take_time(struct fake *f, const char *name, const struct step *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += s->ms / 1000;
	until.tv_nsec += s->ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (s->hangs && !part_of(f, name)->cancelled)
		pthread_cond_wait(&f->changed, &f->lock);
	while (s->deaf && !f->released)
		pthread_cond_wait(&f->changed, &f->lock);
	while (s->ms > 0 && !part_of(f, name)->cancelled &&
	       pthread_cond_timedwait(&f->changed, &f->lock, &until) == 0)
		;
}

static void
run(void *self, const struct job *job, struct result *r)
{
	struct fake *f = self;
	struct step s = { .status = RESULT_SUCCESS };
	struct part *p;
	struct buf b = BUF_INIT;

	pthread_mutex_lock(&f->lock);
	p = part_of(f, job->name);
	if (p->nsteps > 0)
		s = p->steps[p->next + 1 < p->nsteps ? p->next++ : p->next];
	note_start(f, p, job->name);
	if (f->simulated)
		r->took_ms = s.deaf ? FAKE_DEAF : s.hangs ? FAKE_HANGS : s.ms;
	else
		take_time(f, job->name, &s);
	part_of(f, job->name)->running = false;
	f->nrunning--;
	r->status = s.status;
	r->class = s.class;
	r->blameless = s.blameless;
	buf_addf(&b, "%s %u", job->name, job->attempt);
	r->message = buf_detach(&b);
	pthread_mutex_unlock(&f->lock);
}

static void
cancel(void *self, const struct job *job)
{
	struct fake *f = self;
	struct part *p;

	pthread_mutex_lock(&f->lock);
	p = part_of(f, job->name);
	p->cancels++;
	p->cancelled = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

struct fake *
fake_new(const char *script)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	f->runner = (struct runner){ .self = f, .run = run, .cancel = cancel };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	read_script(f, script);
	return f;
}

struct fake *
fake_new_simulated(const char *script)
{
	struct fake *f = fake_new(script);

	f->simulated = true;
	return f;
}

void
fake_free(struct fake *f)
{
	for (size_t i = 0; i < f->nparts; i++) {
		free(f->parts[i].name);
		free(f->parts[i].steps);
	}
	free(f->parts);
	buf_release(&f->started);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

const struct runner *
fake_runner(const struct fake *f)
{
	return &f->runner;
}

void
fake_release(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	f->released = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

const char *
fake_started(struct fake *f)
{
	return buf_str(&f->started);
}

unsigned
fake_cancels(struct fake *f, const char *name)
{
	return part_of(f, name)->cancels;
}

unsigned
fake_most_at_once(struct fake *f)
{
	return f->most;
}

unsigned
fake_running(struct fake *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->nrunning;
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned
fake_beside_last(struct fake *f, const char *name)
{
	return part_of(f, name)->beside;
}
