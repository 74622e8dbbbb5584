/* cmd_ls.c -- `heddle ls`: which nodes a selection takes, as `dbt ls` writes them. Reads the
 * manifest only; starts nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cmd.h"
#include "cli/dbt_opts.h"
#include "cli/ls_json.h"
#include "cli/select_opts.h"
#include "graph/graph.h"
#include "graph/selector_methods.h"
#include "graph/set.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

#define LS_KINDS (KIND_BIT(NKINDS) - 1 - KIND_BIT(KIND_ANALYSIS) - KIND_BIT(KIND_OPERATION))

/* ---- lines ---- */

static void
add_line(struct buf *out, const struct node *n, const char *text)
{
	(void)n;
	text_add_safe(out, text, false, "");
	buf_addc(out, '\n');
}

static void
write_unique_id(struct buf *out, const struct node *n)
{
	add_line(out, n, n->id);
}

static void
write_path(struct buf *out, const struct node *n)
{
	add_line(out, n, n->path);
}

static void
write_name(struct buf *out, const struct node *n)
{
	struct buf b = BUF_INIT;

	if (n->kind == KIND_SOURCE)
		buf_addf(&b, "%s.%s", n->source_name, n->name);
	else if (n->kind == KIND_MODEL && n->versioned)
		buf_addf(&b, "%s.v%s", n->name, n->version);
	else
		buf_adds(&b, n->name);
	add_line(out, n, b.data);
	buf_release(&b);
}

/* What finds exactly this node again. */
static void
write_selector(struct buf *out, const struct node *n)
{
	struct buf b = BUF_INIT;

	switch (n->kind) {
	case KIND_SOURCE:
		buf_addf(&b, "source:%s.%s.%s", n->package, n->source_name, n->name);
		break;
	case KIND_EXPOSURE:
	case KIND_METRIC:
	case KIND_SAVED_QUERY:
	case KIND_SEMANTIC_MODEL:
		buf_addf(&b, "%s:%s.%s", kind_name(n->kind), n->package, n->name);
		break;
	case KIND_UNIT_TEST:
		buf_addf(&b, "unit_test:%s.%s", n->package, n->name);
		if (n->version)
			buf_addf(&b, "_v%s", n->version);
		break;
	default:
		for (size_t i = 0; i < n->fqn.n; i++)
			buf_addf(&b, "%s%s", i == 0 ? "" : ".", n->fqn.v[i]);
	}
	add_line(out, n, buf_str(&b));
	buf_release(&b);
}

/* ---- the command ---- */

static const struct output {
	const char *name;
	void (*write)(struct buf *out, const struct node *n);   /* NULL: json */
} outputs[] = {
	{ "selector", write_selector },
	{ "name", write_name },
	{ "path", write_path },
	{ "json", NULL },
	{ "unique-id", write_unique_id },
};
#define NOUTPUTS (sizeof(outputs) / sizeof(outputs[0]))

static const struct output *
find_output(const char *name, struct err *err)
{
	const char *names[NOUTPUTS], *near;

	for (size_t i = 0; i < NOUTPUTS; i++) {
		names[i] = outputs[i].name;
		if (strcasecmp(outputs[i].name, name) == 0)
			return &outputs[i];
	}
	near = text_closest(name, names, NOUTPUTS);
	err_set(err, "--output: '%s' is not a form of output", name);
	err_hint(err,
	    near ? "did you mean '%s'?" : "one of selector, name, path, json, unique-id", near);
	return NULL;
}

static void
list(const struct listing *l, const struct output *output)
{
	struct buf out = BUF_INIT;

	for (size_t i = set_next(l->set, 0); i < l->g->nnodes; i = set_next(l->set, i + 1))
		output->write(&out, &l->g->nodes[i]);
	fwrite(buf_str(&out), 1, out.len, stdout);
	buf_release(&out);
}

struct ls_opts {
	const char *output;
	struct words keys, stray;
	bool quiet, help;
};

/* Options of dbt that decide nothing once the manifest is there: taken, like `dbt ls` takes
 * them. */
static int
take_dbt_option(void *self, char **argv, int at, int argc)
{
	static const char *const telling[] = { "--target", "--vars", "--profile", "-t" };
	int n = dbt_opt_take(argv, at, argc);

	(void)self;
	if (n > 0)
		warn_given_note(&selecting.warn_given, argv, at);
	for (size_t i = 0; n > 0 && i < sizeof(telling) / sizeof(telling[0]); i++)
		if (strncmp(argv[at], telling[i], strlen(telling[i])) == 0 &&
		    (argv[at][strlen(telling[i])] == '\0' || argv[at][strlen(telling[i])] == '='))
			log_warn("%s changes nothing here: the manifest was written with its own",
			    argv[at]);
	return n;
}

/* `--models` means models only, and goes with neither --select nor --resource-type. */
static int
check_models(struct err *err)
{
	if (selecting.models.n == 0)
		return 0;
	if (selecting.select.n > 0)
		return err_set(err, "--models and --select exclude each other");
	if (selecting.types.n > 0)
		return err_set(err, "--models and --resource-type exclude each other");
	return 0;
}

/* "name config" given as one word is two keys. */
static struct strs
split_words(struct arena *a, const struct words *words)
{
	struct strs out = { NULL, 0 };
	size_t most = words->n;

	for (size_t i = 0; i < words->n; i++)
		for (const char *s = words->v[i]; *s; s++)
			most += *s == ' ';
	out.v = arena_alloc(a, (most + 1) * sizeof(*out.v));
	for (size_t i = 0; i < words->n; i++)
		for (const char *s = words->v[i]; *s; s += strspn(s, " ")) {
			size_t n = strcspn(s, " ");

			if (n > 0)
				out.v[out.n++] = arena_strndup(a, s, n);
			s += n;
		}
	return out;
}

static int
ls_answer(struct ls_opts *o, struct err *err)
{
	struct graph *g = graph_new();
	struct set set = SET_INIT;
	struct arena scratch = ARENA_INIT;
	struct strs keys = { NULL, 0 };
	const struct output *output = find_output(o->output, err);
	struct listing l = { g, &set, &keys, NULL };
	int code = EXIT_BAD_INPUT;

	if (!output || check_models(err) < 0 ||
	    select_opts_resolve(LS_KINDS, LS_KINDS | KIND_BIT(KIND_ANALYSIS), 0, g, &set, err) < 0)
		goto out;
	if (set_is_empty(&set) && warn_rules_tell(&selecting.warnings, EMPTY_LISTING, o->quiet, err,
	    "No nodes selected!") < 0)
		goto out;
	l.manifest = selecting.project.manifest;
	keys = split_words(&scratch, &o->keys);
	if (output->write)
		list(&l, output);
	else if (ls_json(&l, err) < 0)
		goto out;
	code = EXIT_GOOD;
out:
	arena_release(&scratch);
	set_release(&set);
	graph_free(g);
	return code;
}

static int
ls_help(const struct opt_group *groups)
{
	size_t n;
	const struct selector_method *methods = selector_method_all(&n);

	command_help(&cmd_ls, groups);
	puts("\nselection: words are added up, x,y takes what both take; +x and x+ take what is "
	    "before and\n"
	    "after, 2+x two steps of it, @x all that x+ needs. Methods (METHOD:VALUE; a plain "
	    "word is a\n"
	    "name, a folder of names, a path or a file):");
	for (size_t i = 0; i < n; i++)
		printf("%s%s%s", i % 8 ? " " : "  ", methods[i].name,
		    i % 8 == 7 || i + 1 == n ? "\n" : "");
	return EXIT_GOOD;
}

static int
ls_main(int argc, char **argv, struct err *err)
{
	struct ls_opts o = { .output = "selector" };
	const struct opt own[] = {
		{ 'm', "models|model", "WORDS", OPT_WORDS, &selecting.models,
		  "like --select, models only" },
		{ 0, "output", "FORM", OPT_TEXT, &o.output,
		  "selector, name, path, json or unique-id (selector)" },
		{ 0, "output-keys", "KEYS", OPT_WORDS, &o.keys,
		  "keys of each JSON object: name config.materialized ..." },
		{ 'q', "quiet", NULL, OPT_FLAG, &o.quiet, "no warnings" },
		{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { select_opts, source_opts, own, NULL };
	const struct opt_group groups[] = {
		{ "selection", select_opts }, { "what to read", source_opts }, { "of ls", own },
		{ 0 }
	};
	const struct opt_unknown unknown = { NULL, take_dbt_option, dbt_opt_names };
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &o.stray, &unknown, err) == 0) {
		selecting.quiet = o.quiet;
		code = o.help ? ls_help(groups) : ls_answer(&o, err);
	}
	words_release(&o.keys);
	words_release(&o.stray);
	select_opts_release();
	return code;
}

const struct command cmd_ls = {
	.name = "ls",
	.summary = "which nodes a selection takes; reads the manifest, starts nothing",
	.usage = "[options]",
	.examples =
	    "  heddle ls --select +orders\n"
	    "  heddle ls --select state:modified+ --state prod --resource-type model\n"
	    "  heddle ls --select tag:nightly,config.materialized:incremental --exclude "
	    "path:models/old\n"
	    "  heddle ls --output json --output-keys name config.materialized\n",
	.run = ls_main,
};

const struct command cmd_list = {
	.name = "list",
	.summary = "the same as ls",
	.usage = "[options]",
	.run = ls_main,
};
