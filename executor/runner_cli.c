#include "executor/runner_cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/child.h"
#include "executor/classify.h"
#include "executor/sources.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	DEFAULT_GRACE_MS = 10 * 1000,
	TAIL_BYTES = 2000,       /* of the output, shown when there is no result to show */
};

/* One pool thread: its target path and the child it waits for. */
struct slot {
	struct child child;
	char *dir;
	bool made;               /* dir exists and is seeded */
};

/* As struct cli_args. */
struct args {
	char *command;
	char **words;
};

struct cli_runner {
	char **dbt, **env;
	struct args *args;
	size_t nargs;
	char *dir, *target_path, *nodes_path;
	int64_t grace_ms;
	int lock_fd;             /* borrowed */
	struct slot *slots;
	unsigned nslots;
};

struct cli_runner *
cli_runner_new(const struct cli_options *o, struct err *err)
{
	struct cli_runner *r = xcalloc(1, sizeof(*r));

	r->dbt = text_copy_list(o->dbt);
	for (size_t cap = 0; o->args && o->args[r->nargs].command; r->nargs++) {
		r->args = xgrow(r->args, r->nargs, &cap, sizeof(*r->args));
		r->args[r->nargs] = (struct args){ xstrdup(o->args[r->nargs].command),
			text_copy_list(o->args[r->nargs].words) };
	}
	r->env = text_copy_list(o->env);
	r->dir = o->dir ? xstrdup(o->dir) : NULL;
	r->target_path = fs_absolute(o->target_path);
	r->nodes_path = fs_join(r->target_path, "heddle/nodes");
	r->grace_ms = o->grace_ms > 0 ? o->grace_ms : DEFAULT_GRACE_MS;
	r->lock_fd = o->lock_fd;
	r->nslots = o->nthreads;
	r->slots = xcalloc(r->nslots + 1, sizeof(*r->slots));
	for (unsigned i = 0; i < r->nslots; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i + 1);
		child_init(&r->slots[i].child);
		r->slots[i].dir = fs_join(r->nodes_path, name);
	}
	if (fs_mkdirs(r->nodes_path, err) < 0) {
		cli_runner_free(r);
		return NULL;
	}
	return r;
}

/* Saves the parse: dbt takes the project's state when it is still good, and else parses. */
static int
make_target(const struct cli_runner *r, struct slot *s, struct err *err)
{
	static const char name[] = "partial_parse.msgpack";
	struct err ignored = ERR_INIT;
	struct buf state = BUF_INIT;
	char *from, *to;

	if (s->made)
		return 0;
	if (fs_mkdirs(s->dir, err) < 0)
		return -1;
	from = fs_join(r->target_path, name);
	to = fs_join(s->dir, name);
	if (fs_read(from, &state, &ignored) == 0)
		fs_replace(to, state.data, state.len, 0644, &ignored);
	err_release(&ignored);
	buf_release(&state);
	free(from);
	free(to);
	s->made = true;
	return 0;
}

struct words {
	const char **v;
	size_t n, cap;
};

static void
add_word(struct words *w, const char *word)
{
	w->v = xgrow(w->v, w->n, &w->cap, sizeof(*w->v));
	w->v[w->n++] = word;
}

static void
add_words(struct words *w, char *const *list)
{
	for (size_t i = 0; list[i]; i++)
		add_word(w, list[i]);
}

static const char *
verb_of(const struct job *job)
{
	return job->kind == KIND_SOURCE ? "source" : job->verb;
}

/* dbt VERB --no-use-colors ARGS --select SELECTOR --target-path DIR */
static const char **
command_of(const struct cli_runner *r, const struct slot *s, const struct job *job)
{
	const char *verb = verb_of(job);
	struct words w = {0};

	add_words(&w, r->dbt);
	add_word(&w, verb);
	if (job->kind == KIND_SOURCE)
		add_word(&w, "freshness");
	add_word(&w, "--no-use-colors");
	for (size_t i = 0; i < r->nargs; i++)
		if (strcmp(r->args[i].command, verb) == 0)
			add_words(&w, r->args[i].words);
	add_word(&w, "--select");
	add_word(&w, job->select);
	add_word(&w, "--target-path");
	add_word(&w, s->dir);
	add_word(&w, NULL);
	return w.v;
}

static void
fail(struct result *result, enum error_class class, const char *message)
{
	result->status = RESULT_ERROR;
	result->class = class;
	result->message = xstrdup(message);
}

static const char *
text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static double
number_of(const cJSON *object, const char *name, double otherwise)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static const cJSON *
find_entry(const cJSON *file, const char *id)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(file, "results")) {
		const char *unique_id = text_of(entry, "unique_id");

		if (unique_id && strcmp(unique_id, id) == 0)
			return entry;
	}
	return NULL;
}

/* Of sources.json. A check that failed has no entry in dbt 1.9 and later. */
static void
take_source(const cJSON *entry, struct result *result)
{
	const char *status = text_of(entry, "status"), *error = text_of(entry, "error");
	char *text = cJSON_PrintUnformatted(entry);
	struct failure f = { .status = RESULT_RUNTIME_ERROR, .message = error };
	int found = status ? result_status_find(status) : -1;

	result->status = found >= 0 ? (enum result_status)found : RESULT_RUNTIME_ERROR;
	if (result->status == RESULT_ERROR)
		result->class = CLASS_STALE;
	else if (result->status == RESULT_RUNTIME_ERROR)
		result->class = classify(&f);
	result->message = error ? xstrdup(error) : text ? source_age(text) : NULL;
	result->entry = text ? xstrdup(text) : NULL;
	cJSON_free(text);
}

static void
take_entry(const cJSON *entry, struct result *result)
{
	const char *message = text_of(entry, "message"), *status = text_of(entry, "status");
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(entry, "adapter_response");
	struct failure f = {0};
	char *text = cJSON_PrintUnformatted(entry);
	int found = status ? result_status_find(status) : -1;

	result->status = found >= 0 ? (enum result_status)found : RESULT_ERROR;
	result->message = message ? xstrdup(message) : NULL;
	result->failures = (long long)number_of(entry, "failures", -1);
	result->rows = (long long)number_of(response, "rows_affected", -1);
	/* took_ms stays with the scheduler: starting dbt is part of what the node costs here */
	if (text)
		result->entry = xstrdup(text);
	cJSON_free(text);
	f.status = result->status;
	f.message = result->message;
	result->class = classify(&f);
}

/* False: the file is not there or does not hold the node. */
static bool
read_result(const char *path, const struct job *job, struct result *result)
{
	struct err ignored = ERR_INIT;
	struct buf b = BUF_INIT;
	const cJSON *entry = NULL;
	cJSON *file = NULL;

	if (fs_read(path, &b, &ignored) == 0) {
		file = cJSON_ParseWithLength(buf_str(&b), b.len);
		entry = find_entry(file, job->id);
	}
	if (entry && job->kind == KIND_SOURCE)
		take_source(entry, result);
	else if (entry)
		take_entry(entry, result);
	cJSON_Delete(file);
	buf_release(&b);
	err_release(&ignored);
	return entry != NULL;
}

/* dbt ended without a result for the node. */
static void
explain(const struct job *job, int code, const struct buf *out, struct result *result)
{
	const char *command = job->kind == KIND_SOURCE ? "source freshness" : job->verb;
	struct failure f = { .status = RESULT_ERROR };
	struct buf b = BUF_INIT;

	if (code > 128) {
		buf_addf(&b, "dbt was ended by signal %d", code - 128);
		fail(result, CLASS_WORKER_LOST, buf_str(&b));
	} else if (code == 0) {
		buf_addf(&b, "dbt %s --select '%s' ran, but not this node", command, job->select);
		fail(result, CLASS_INTERNAL, buf_str(&b));
	} else {
		size_t from = out->len > TAIL_BYTES ? out->len - TAIL_BYTES : 0;

		buf_addf(&b, "dbt %s ended with exit code %d", command, code);
		if (out->len)
			buf_addf(&b, ":\n%s", out->data + from);
		f.message = buf_str(&b);
		fail(result, classify(&f), buf_str(&b));
	}
	buf_release(&b);
}

static void
run_dbt(struct cli_runner *r, struct slot *s, const struct job *job, struct result *result)
{
	const char **argv = command_of(r, s, job);
	const struct proc_options o = { .argv = argv, .env = (const char *const *)r->env,
		.dir = r->dir, .keep_fd = r->lock_fd };
	char *path = fs_join(s->dir, job->kind == KIND_SOURCE ? "sources.json"
	    : "run_results.json");
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	int code;

	unlink(path);            /* that of the thread's last node */
	result->started_ms = clock_wall_ms();
	if (child_run(&s->child, &o, &code, &out, &err) < 0)
		fail(result, CLASS_INTERNAL, err.msg);
	else if (!read_result(path, job, result))
		explain(job, code, &out, result);
	err_release(&err);
	buf_release(&out);
	free(path);
	free(argv);
}

static void
runner_run(void *self, const struct job *job, struct result *result)
{
	struct cli_runner *r = self;
	struct slot *s = &r->slots[job->thread];
	struct err err = ERR_INIT;

	child_begin(&s->child, job);
	if (make_target(r, s, &err) < 0)
		fail(result, CLASS_INTERNAL, err.msg);
	else
		run_dbt(r, s, job, result);
	err_release(&err);
	if (child_end(&s->child) && result->class != CLASS_STALE &&
	    (result->status == RESULT_ERROR || result->status == RESULT_RUNTIME_ERROR))
		result->class = CLASS_CANCELLED;
}

/* dbt cancels its queries at SIGINT, and would not at SIGTERM. */
static void
runner_cancel(void *self, const struct job *job)
{
	struct cli_runner *r = self;

	child_cancel(&r->slots[job->thread].child, job, r->grace_ms, false);
}

struct runner
cli_runner(struct cli_runner *r)
{
	return (struct runner){ .self = r, .run = runner_run, .cancel = runner_cancel };
}

void
cli_runner_free(struct cli_runner *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->nslots; i++) {
		struct slot *s = &r->slots[i];

		child_release(&s->child);
		if (s->made)
			fs_remove_tree(s->dir);
		free(s->dir);
	}
	rmdir(r->nodes_path);
	text_free_list(r->dbt);
	for (size_t i = 0; i < r->nargs; i++) {
		free(r->args[i].command);
		text_free_list(r->args[i].words);
	}
	free(r->args);
	text_free_list(r->env);
	free(r->dir);
	free(r->target_path);
	free(r->nodes_path);
	free(r->slots);
	free(r);
}
