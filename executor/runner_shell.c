#include "executor/runner_shell.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "executor/child.h"
#include "executor/classify.h"
#include "executor/template.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	DEFAULT_GRACE_MS = 10 * 1000,
	KEPT_BYTES = 8000,       /* of the output, for the class of an error */
	TAIL_BYTES = 2000,       /* of it in the message */
	LINE_BYTES = 200,        /* of the last line, the message of a success */
	NCALL_VARIABLES = 32,    /* the template's, and HEDDLE_ATTEMPT */
};

/* One pool thread: its child, and what it is called with. */
struct slot {
	struct child child;
	struct template_call call;
	const char **env;        /* the runner's, then the call's */
	char attempt[32];
	struct buf out;
};

struct shell_runner {
	struct template *template;
	char *file;              /* of the program, when it is the same for all and was on PATH */
	char **env, *dir, *adapter;
	size_t nenv;
	int64_t grace_ms;
	int lock_fd;             /* borrowed */
	struct slot *slots;
	unsigned nslots;
};

/* ---- making one ---- */

/* The file of a program on PATH, looked for once. New string, or NULL. */
static char *
find_on_path(const char *program)
{
	const char *path = getenv("PATH");
	struct buf b = BUF_INIT;

	for (const char *at = path ? path : "/bin:/usr/bin";; at++) {
		size_t n = strcspn(at, ":");
		char *folder = n ? xstrndup(at, n) : xstrdup("."), *whole = fs_absolute(folder);

		buf_truncate(&b, 0);
		buf_addf(&b, "%s/%s", whole, program);
		free(folder);
		free(whole);
		if (access(b.data, X_OK) == 0 && !fs_is_dir(b.data))
			return buf_detach(&b);
		at += n;
		if (!*at)
			break;
	}
	buf_release(&b);
	return NULL;
}

struct shell_runner *
shell_runner_new(const struct shell_options *o, struct err *err)
{
	struct template *t = template_parse(o->command, err);
	const char *program = t ? template_program(t) : NULL;
	char *file = program ? find_on_path(program) : NULL;
	struct shell_runner *r;

	if (program && !file) {
		err_set(err, "'%s' is not on PATH", program);
		template_free(t);
		t = NULL;
	}
	if (!t) {
		err_prefix(err, "the command '%s'", o->command);
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->template = t;
	r->file = file;
	r->env = text_copy_list(o->env);
	while (r->env[r->nenv])
		r->nenv++;
	r->dir = o->dir && strcmp(o->dir, ".") != 0 ? xstrdup(o->dir) : NULL;
	r->adapter = o->adapter ? xstrdup(o->adapter) : NULL;
	r->grace_ms = o->grace_ms > 0 ? o->grace_ms : DEFAULT_GRACE_MS;
	r->lock_fd = -1;
	r->nslots = o->nthreads;
	r->slots = xcalloc(r->nslots + 1, sizeof(*r->slots));
	for (unsigned i = 0; i < r->nslots; i++) {
		child_init(&r->slots[i].child);
		r->slots[i].env = xcalloc(r->nenv + NCALL_VARIABLES, sizeof(*r->slots[i].env));
		for (size_t k = 0; k < r->nenv; k++)
			r->slots[i].env[k] = r->env[k];
	}
	return r;
}

void
shell_runner_share_lock(struct shell_runner *r, int lock_fd)
{
	r->lock_fd = lock_fd;
}

void
shell_runner_free(struct shell_runner *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->nslots; i++) {
		child_release(&r->slots[i].child);
		template_call_release(&r->slots[i].call);
		buf_release(&r->slots[i].out);
		free(r->slots[i].env);
	}
	template_free(r->template);
	text_free_list(r->env);
	free(r->file);
	free(r->dir);
	free(r->adapter);
	free(r->slots);
	free(r);
}

/* ---- one node ---- */

static void
fill(const struct shell_runner *r, struct slot *s, const struct job *job)
{
	const char *values[NTEMPLATE_FIELDS];
	size_t n = r->nenv;

	values[FIELD_UNIQUE_ID] = job->id;
	values[FIELD_FQN] = text_starts(job->select, "fqn:") ? job->select + 4 : job->select;
	values[FIELD_NAME] = job->name;
	values[FIELD_RESOURCE_TYPE] = kind_name(job->kind);
	values[FIELD_VERB] = job->verb;
	values[FIELD_SELECT] = job->select;
	template_fill(r->template, values, &s->call);
	for (size_t i = 0; s->call.env[i]; i++)
		s->env[n++] = s->call.env[i];
	snprintf(s->attempt, sizeof(s->attempt), "HEDDLE_ATTEMPT=%u", job->attempt);
	s->env[n++] = s->attempt;
	s->env[n] = NULL;
}

static bool
is_test(enum node_kind k)
{
	return k == KIND_TEST || k == KIND_UNIT_TEST;
}

/* Without blanks at its end. */
static size_t
trimmed_length(const struct buf *b)
{
	size_t n = b->len;

	while (n > 0 && isspace((unsigned char)b->data[n - 1]))
		n--;
	return n;
}

static void
take_success(const struct job *job, const struct buf *out, struct result *result)
{
	size_t n = trimmed_length(out), from = n;

	while (from > 0 && out->data[from - 1] != '\n' && n - from < LINE_BYTES)
		from--;
	result->status = is_test(job->kind) ? RESULT_PASS : RESULT_SUCCESS;
	if (n > from)
		result->message = xstrndup(out->data + from, n - from);
}

static enum error_class
class_of(const struct shell_runner *r, int code, const char *output)
{
	const struct failure f = { .adapter = r->adapter, .status = RESULT_ERROR,
	    .message = output };
	enum error_class class;

	if (code > 128 && code < 128 + NSIG)
		return CLASS_WORKER_LOST;
	if (code == EX_TEMPFAIL)
		return CLASS_TRANSIENT;
	class = classify(&f);
	return class == CLASS_DATABASE ? CLASS_COMMAND : class;
}

static void
take_failure(const struct shell_runner *r, const struct job *job, int code, struct buf *out,
    struct result *result)
{
	size_t n = trimmed_length(out), from;
	struct buf b = BUF_INIT;

	buf_truncate(out, n);
	from = n > TAIL_BYTES ? n - TAIL_BYTES : 0;
	result->status = RESULT_ERROR;
	result->class = class_of(r, code, buf_str(out));
	if (result->class == CLASS_WORKER_LOST)
		buf_addf(&b, "the command was ended by signal %d (%s)", code - 128,
		    strsignal(code - 128));
	else
		buf_addf(&b, "the command ended with exit code %d", code);
	if (is_test(job->kind) && code == 1 && !error_class_transient(result->class)) {
		result->status = RESULT_FAIL;
		result->class = CLASS_TEST_FAILURE;
	}
	if (n > 0)
		buf_addf(&b, ":\n%s%s", from ? "..." : "", out->data + from);
	result->message = buf_detach(&b);
}

static void
run_command(const struct shell_runner *r, struct slot *s, const struct job *job,
    struct result *result)
{
	const struct proc_options o = { .argv = s->call.argv, .file = r->file, .env = s->env,
		.dir = r->dir, .keep_fd = r->lock_fd, .tail = KEPT_BYTES };
	struct err err = ERR_INIT;
	int code;

	buf_truncate(&s->out, 0);
	if (child_run(&s->child, &o, &code, &s->out, &err) < 0) {
		result->status = RESULT_ERROR;
		result->class = CLASS_COMMAND;
		result->message = xstrdup(err.msg);
	} else if (code == 0) {
		take_success(job, &s->out, result);
	} else {
		take_failure(r, job, code, &s->out, result);
	}
	err_release(&err);
}

static bool
runs_nothing(enum node_kind k)
{
	return k == KIND_EXPOSURE || k == KIND_SAVED_QUERY;
}

static void
runner_run(void *self, const struct job *job, struct result *result)
{
	struct shell_runner *r = self;
	struct slot *s = &r->slots[job->thread];

	if (runs_nothing(job->kind)) {
		result->status = RESULT_NO_OP;
		return;
	}
	fill(r, s, job);
	child_begin(&s->child, job);
	run_command(r, s, job, result);
	if (child_end(&s->child) && result->status == RESULT_ERROR)
		result->class = CLASS_CANCELLED;
}

static void
runner_cancel(void *self, const struct job *job)
{
	struct shell_runner *r = self;

	child_cancel(&r->slots[job->thread].child, job, r->grace_ms, true);
}

struct runner
shell_runner(struct shell_runner *r)
{
	return (struct runner){ .self = r, .run = runner_run, .cancel = runner_cancel };
}

/* ---- dry ---- */

static void
dry_run(void *self, const struct job *job, struct result *result)
{
	struct shell_runner *r = self;
	struct slot *s = &r->slots[job->thread];
	struct buf b = BUF_INIT;

	if (runs_nothing(job->kind)) {
		result->status = RESULT_NO_OP;
		return;
	}
	fill(r, s, job);
	if (template_needs_shell(r->template))
		for (size_t i = 0; s->call.env[i]; i++) {
			size_t n = strcspn(s->call.env[i], "=") + 1;

			buf_add(&b, s->call.env[i], n);
			text_add_shell_word(&b, s->call.env[i] + n);
			buf_addc(&b, ' ');
		}
	for (size_t i = 0; s->call.argv[i]; i++) {
		buf_adds(&b, i ? " " : "");
		text_add_shell_word(&b, s->call.argv[i]);
	}
	result->status = is_test(job->kind) ? RESULT_PASS : RESULT_SUCCESS;
	result->message = buf_detach(&b);
}

static void
dry_cancel(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

struct runner
shell_runner_dry(struct shell_runner *r)
{
	return (struct runner){ .self = r, .run = dry_run, .cancel = dry_cancel };
}
