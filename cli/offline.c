#include "cli/offline.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cjson/cJSON.h>

#include "cli/dbt_opts.h"
#include "graph/manifest.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/xalloc.h"

#define MAX_THREADS 10000

/* ---- arguments ---- */

/* As dbt would, of a word that is for another command. */
static int
refuse(const char *word, const char *verb, struct err *err)
{
	return err_set(err, "%.*s: `dbt %s%s` has no such option", (int)strcspn(word, "="), word,
	    strcmp(verb, "freshness") == 0 ? "source " : "", verb);
}

static int
check_options(const struct offline *o, const char *verb, struct err *err)
{
	const char *command = strcmp(verb, "freshness") == 0 ? "source" : verb;

	if (o->output && !dbt_opt_is_for("--output", command))
		return refuse("--output", verb, err);
	for (int i = 0, n; i < (int)o->rest.n; i += n > 0 ? n : 1) {
		n = dbt_opt_take((char **)(uintptr_t)o->rest.v, i, (int)o->rest.n);
		if (n > 0 && !dbt_opt_is_for(o->rest.v[i], command))
			return refuse(o->rest.v[i], verb, err);
	}
	return 0;
}

static int
keep(void *self, char **argv, int at, int argc)
{
	struct offline *o = self;
	int n = dbt_opt_take(argv, at, argc);

	if (n > 0)
		warn_given_note(&o->warn_given, argv, at);
	for (int i = 0; i < n; i++)
		words_add(&o->rest, argv[at + i]);
	return n;
}

int
offline_arguments(struct offline *o, const struct backend_request *rq, const char *manifest,
    struct err *err)
{
	char **argv = (char **)(uintptr_t)rq->argv;
	struct words verb = { 0 };
	struct project_given given = { .manifest = manifest };
	const struct opt own[] = {
		{ 's', "select", "expr", OPT_WORDS, &o->select, "" },
		{ 'm', "models|model", "expr", OPT_WORDS, &o->select, "" },
		{ 0, "exclude", "expr", OPT_WORDS, &o->exclude, "" },
		{ 0, "selector", "name", OPT_TEXT, &o->selector, "" },
		{ 0, "resource-type|resource-types", "kind", OPT_WORDS, &o->types, "" },
		{ 0, "exclude-resource-type|exclude-resource-types", "kind", OPT_WORDS,
		  &o->exclude_types, "" },
		{ 0, "indirect-selection", "mode", OPT_TEXT, &o->indirect, "" },
		{ 0, "threads", "N", OPT_UINT, &o->threads, "" },
		{ 'x', "fail-fast", NULL, OPT_FLAG, &o->fail_fast, "" },
		{ 'q', "quiet", NULL, OPT_FLAG, &o->quiet, "" },
		{ 0, "log-format", "format", OPT_TEXT, &o->log_format, "" },
		{ 'o', "output", "FILE", OPT_TEXT, &o->output, "" },
		{ 0, "target-path", "DIR", OPT_TEXT, &given.target_path, "" },
		{ 0, "project-dir", "DIR", OPT_TEXT, &given.project_dir, "" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, NULL };
	const struct opt_unknown unknown = { o, keep, NULL };
	int argc = 0, rc;

	while (argv[argc])
		argc++;
	rc = opts_parse(argc, argv, tables, &verb, &unknown, err);
	words_release(&verb);
	if (rc < 0 || check_options(o, rq->verb, err) < 0)
		return -1;
	project_find(&o->project, &given);
	o->state = dbt_opt_value(argv, argc, "state");
	o->target = dbt_opt_value(argv, argc, "target");
	return 0;
}

/* ---- what dbt would say ---- */

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
make_args(const struct offline *o, const char *verb)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "which", verb);
	add_words(doc, "select", &o->select);
	add_words(doc, "exclude", &o->exclude);
	if (o->types.n)
		add_words(doc, "resource_types", &o->types);
	if (o->exclude_types.n)
		add_words(doc, "exclude_resource_types", &o->exclude_types);
	if (o->selector)
		cJSON_AddStringToObject(doc, "selector", o->selector);
	if (o->state)
		cJSON_AddStringToObject(doc, "state", o->state);
	cJSON_AddItemToObject(doc, "vars", cJSON_CreateObject());
	return print(doc);
}

static char *
make_flags(const struct offline *o)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "indirect_selection", o->indirect ? o->indirect : "eager");
	cJSON_AddStringToObject(doc, "log_format", o->log_format ? o->log_format : "default");
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
make_metadata(const struct offline *o)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "dbt_schema_version",
	    "https://schemas.getdbt.com/dbt/run-results/v6.json");
	cJSON_AddStringToObject(doc, "dbt_version", o->graph->dbt_version ? o->graph->dbt_version
	    : "");
	cJSON_AddStringToObject(doc, "invocation_id", o->info.invocation_id);
	cJSON_AddItemToObject(doc, "env", cJSON_CreateObject());
	return print(doc);
}

static char *
copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static unsigned
threads_for(const struct offline *o, unsigned otherwise)
{
	const char *env = project_env(NULL, "THREADS");
	long n = env ? strtol(env, NULL, 10) : 0;

	if (o->threads)
		return o->threads;
	return n > 0 && n <= MAX_THREADS ? (unsigned)n : otherwise;
}

int
offline_resolve(struct offline *o, const struct backend_request *rq, unsigned threads,
    struct run_args *args, struct err *err)
{
	struct worker_info *i = &o->info;
	char *warning = NULL;

	o->graph = graph_new();
	if (manifest_load(o->graph, o->project.manifest, 0, &warning, err) < 0)
		return -1;
	if (warning)
		log_warn("%s", warning);
	free(warning);
	i->dbt_version = copy(o->graph->dbt_version);
	i->adapter = copy(o->graph->adapter_type);
	i->project_name = copy(o->graph->project_name);
	i->target_name = copy(o->target);
	i->project_root = copy(o->project.dir);
	i->target_path = copy(o->project.target);
	i->manifest_path = copy(o->project.manifest);
	if (o->output)           /* dbt is in the project's folder by then */
		i->result_path = o->output[0] == '/' ? xstrdup(o->output) :
		    fs_join(o->project.dir, o->output);
	i->args = make_args(o, rq->verb);
	i->flags = make_flags(o);
	i->invocation_id = make_uuid();
	i->metadata = make_metadata(o);
	i->nthreads = threads_for(o, threads);
	i->fail_fast = o->fail_fast;
	i->quiet = o->quiet;
	i->write_json = true;
	if (run_args_read(args, i->args, i->flags, err) < 0)
		return -1;
	args->as_written = project_flag(&o->project, STATE_AS_WRITTEN);
	return warn_rules_find(&args->warnings, &args->arena, &o->warn_given, &o->project, err);
}

void
offline_release(struct offline *o)
{
	struct worker_info *i = &o->info;
	char *const texts[] = {
		i->dbt_version, i->adapter, i->project_name, i->target_name, i->project_root,
		i->target_path, i->manifest_path, i->result_path, i->invocation_id, i->args,
		    i->flags,
		i->metadata,
	};

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		free(texts[k]);
	graph_free(o->graph);
	project_release(&o->project);
	words_release(&o->select);
	words_release(&o->exclude);
	words_release(&o->types);
	words_release(&o->exclude_types);
	words_release(&o->rest);
	memset(o, 0, sizeof(*o));
}
