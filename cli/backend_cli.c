/*
 * backend_cli.c -- one dbt command a node (executor/runner_cli.h), for a dbt that is not dbt-core in
 * Python. `dbt parse` writes the manifest; what dbt would resolve is read from the command line and
 * the manifest, since no dbt answers questions: profile, environment and project flags still count
 * in every command dbt runs, but not for what heddle itself decides (selection, threads).
 */
#include "cli/backend.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cjson/cJSON.h>

#include "cli/dbt_opts.h"
#include "cli/opts.h"
#include "cli/project.h"
#include "executor/proc.h"
#include "executor/runner_cli.h"
#include "graph/manifest.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define DEFAULT_THREADS 4

struct cli_backend {
	struct backend_request rq;
	struct words select, exclude, types, exclude_types;
	const char *selector, *indirect, *state, *target, *log_format;
	unsigned threads;
	bool fail_fast, quiet;
	struct words args;            /* for every call, NULL-ended once parsed */

	struct project project;
	struct graph *graph;          /* metadata only */
	struct worker_info info;
	struct worker_ready ready;
	struct worker_end end;
	struct cli_runner *runner;
};

/* ---- arguments ---- */

/* What is no business of ours goes to every dbt command. */
static int
pass_on(void *self, char **argv, int at, int argc)
{
	struct cli_backend *b = self;
	int n = dbt_opt_take(argv, at, argc);

	for (int i = 0; i < n; i++)
		words_add(&b->args, argv[at + i]);
	return n;
}

static int
read_arguments(struct cli_backend *b, struct err *err)
{
	char **argv = (char **)(uintptr_t)b->rq.argv;
	struct words verb = { 0 };
	const char *target_path = NULL, *project_dir = NULL;
	const struct opt own[] = {
		{ 's', "select", "expr", OPT_WORDS, &b->select, "" },
		{ 'm', "models|model", "expr", OPT_WORDS, &b->select, "" },
		{ 0, "exclude", "expr", OPT_WORDS, &b->exclude, "" },
		{ 0, "selector", "name", OPT_TEXT, &b->selector, "" },
		{ 0, "resource-type|resource-types", "kind", OPT_WORDS, &b->types, "" },
		{ 0, "exclude-resource-type|exclude-resource-types", "kind", OPT_WORDS, &b->exclude_types, "" },
		{ 0, "indirect-selection", "mode", OPT_TEXT, &b->indirect, "" },
		{ 0, "threads", "N", OPT_UINT, &b->threads, "" },
		{ 'x', "fail-fast", NULL, OPT_FLAG, &b->fail_fast, "" },
		{ 'q', "quiet", NULL, OPT_FLAG, &b->quiet, "" },
		{ 0, "log-format", "format", OPT_TEXT, &b->log_format, "" },
		{ 0, "target-path", "DIR", OPT_TEXT, &target_path, "" },
		{ 0, "project-dir", "DIR", OPT_TEXT, &project_dir, "" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, NULL };
	const struct opt_unknown unknown = { b, pass_on };
	struct project_given given = { 0 };
	int argc = 0, rc;

	while (argv[argc])
		argc++;
	rc = opts_parse(argc, argv, tables, &verb, &unknown, err);
	words_release(&verb);
	if (rc < 0)
		return -1;
	given.project_dir = project_dir;
	given.target_path = target_path;
	project_find(&b->project, &given);
	b->state = dbt_opt_value(argv, argc, "state");
	b->target = dbt_opt_value(argv, argc, "target");
	words_add(&b->args, "--project-dir");
	words_add(&b->args, b->project.dir);
	words_add(&b->args, NULL);
	return 0;
}

/* ---- parse ---- */

static int
run_parse(struct cli_backend *b, struct err *err)
{
	struct words argv = { 0 };
	struct proc_options po = { .keep_fd = -1 };
	struct buf out = BUF_INIT;
	int code, rc;

	words_add(&argv, "dbt");
	words_add(&argv, "parse");
	for (size_t i = 0; i + 1 < b->args.n; i++)
		words_add(&argv, b->args.v[i]);
	words_add(&argv, "--target-path");
	words_add(&argv, b->project.target);
	words_add(&argv, NULL);
	po.argv = argv.v;
	rc = proc_run(&po, &code, &out, err);
	if (rc < 0)
		err_hint(err, "is dbt on PATH? `heddle doctor` looks for it");
	else if (code != 0)
		rc = err_set(err, "dbt parse: exit code %d\n%s", code, buf_str(&out));
	buf_release(&out);
	words_release(&argv);
	return rc;
}

static void
add_words(cJSON *obj, const char *key, const struct words *w)
{
	cJSON *list = cJSON_AddArrayToObject(obj, key);

	for (size_t i = 0; i < w->n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(w->v[i]));
}

static char *
print(cJSON *doc)
{
	char *printed = cJSON_PrintUnformatted(doc), *own = xstrdup(printed);

	cJSON_free(printed);
	cJSON_Delete(doc);
	return own;
}

/* The part of dbt's "args" that is known here; `which` makes the file one that dbt can retry. */
static char *
make_args(const struct cli_backend *b)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "which", b->rq.verb);
	add_words(doc, "select", &b->select);
	add_words(doc, "exclude", &b->exclude);
	if (b->types.n)
		add_words(doc, "resource_types", &b->types);
	if (b->exclude_types.n)
		add_words(doc, "exclude_resource_types", &b->exclude_types);
	if (b->selector)
		cJSON_AddStringToObject(doc, "selector", b->selector);
	if (b->state)
		cJSON_AddStringToObject(doc, "state", b->state);
	cJSON_AddItemToObject(doc, "vars", cJSON_CreateObject());
	return print(doc);
}

static char *
make_flags(const struct cli_backend *b)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "indirect_selection", b->indirect ? b->indirect : "eager");
	cJSON_AddStringToObject(doc, "log_format", b->log_format ? b->log_format : "default");
	return print(doc);
}

/* Version 4, as dbt's invocation ids are. */
static char *
make_uuid(void)
{
	unsigned char r[16] = { 0 };
	struct buf b = BUF_INIT;

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		memcpy(r, &(int64_t){ clock_wall_us() }, sizeof(int64_t));
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(r); i++)
		buf_addf(&b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
	return buf_detach(&b);
}

static char *
make_metadata(const struct cli_backend *b)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "dbt_schema_version",
	    "https://schemas.getdbt.com/dbt/run-results/v6.json");
	cJSON_AddStringToObject(doc, "dbt_version", b->graph->dbt_version ? b->graph->dbt_version : "");
	cJSON_AddStringToObject(doc, "invocation_id", b->info.invocation_id);
	cJSON_AddItemToObject(doc, "env", cJSON_CreateObject());
	return print(doc);
}

/* DuckDB lets one process at a time open its file. */
static unsigned
threads_for(const struct cli_backend *b)
{
	const char *adapter = b->graph->adapter_type;

	if (b->threads)
		return b->threads;
	return adapter && strcmp(adapter, "duckdb") == 0 ? 1 : DEFAULT_THREADS;
}

static char *
copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int
parsed(void *self, const struct worker_info **info, struct run_args *args, struct err *err)
{
	struct cli_backend *b = self;
	struct worker_info *i = &b->info;

	if (read_arguments(b, err) < 0 || run_parse(b, err) < 0)
		return -1;
	b->graph = graph_new();
	if (manifest_load(b->graph, b->project.manifest, 0, NULL, err) < 0)
		return -1;
	i->dbt_version = copy(b->graph->dbt_version);
	i->adapter = copy(b->graph->adapter_type);
	i->project_name = copy(b->graph->project_name);
	i->target_name = copy(b->target);
	i->project_root = copy(b->project.dir);
	i->target_path = copy(b->project.target);
	i->manifest_path = copy(b->project.manifest);
	i->args = make_args(b);
	i->flags = make_flags(b);
	i->invocation_id = make_uuid();
	i->metadata = make_metadata(b);
	i->nthreads = threads_for(b);
	i->fail_fast = b->fail_fast;
	i->quiet = b->quiet;
	i->write_json = true;
	*info = i;
	return run_args_read(args, i->args, i->flags, err);
}

/* ---- the nodes ---- */

static int
begin(void *self, const char *const *ids, size_t nids, int lock_fd, const struct worker_ready **ready,
    struct err *err)
{
	static const char *const command[] = { "dbt", NULL };
	struct cli_backend *b = self;
	const struct cli_options o = {
		.dbt = command,
		.args = b->args.v,
		.target_path = b->info.target_path,
		.nthreads = b->info.nthreads,
		.grace_ms = b->rq.grace_ms,
	};

	(void)ids;
	(void)nids;
	(void)lock_fd;
	b->runner = cli_runner_new(&o, err);
	b->ready.nthreads = b->info.nthreads;
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
	(void)self;
	return false;
}

static void
release(void *self)
{
	struct cli_backend *b = self;
	struct worker_info *i = &b->info;
	char *const texts[] = {
		i->dbt_version, i->adapter, i->project_name, i->target_name, i->project_root,
		i->target_path, i->manifest_path, i->invocation_id, i->args, i->flags, i->metadata,
	};

	cli_runner_free(b->runner);
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		free(texts[k]);
	graph_free(b->graph);
	project_release(&b->project);
	words_release(&b->select);
	words_release(&b->exclude);
	words_release(&b->types);
	words_release(&b->exclude_types);
	words_release(&b->args);
	free(b);
}

int
backend_start_cli(struct backend *b, const struct backend_request *rq, struct err *err)
{
	struct cli_backend *self = xcalloc(1, sizeof(*self));

	(void)err;
	self->rq = *rq;
	*b = (struct backend){ self, parsed, begin, runner, finish, interrupted, release };
	return 0;
}
