/* cmd_lint.c -- `heddle lint`: what the plan of a build leaves uncovered. Reads the manifest,
 * starts nothing. Exit code 1 when something was found. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/select_opts.h"
#include "graph/lint.h"
#include "util/buf.h"
#include "util/text.h"

#define ALL_KINDS (KIND_BIT(NKINDS) - 1)

struct lint_opts {
	const char *output;
	struct words off, only;
	bool packages, quiet, help;
	unsigned many;
};

/* ---- text ---- */

static void
write_finding(struct buf *out, const struct lint_finding *f)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "%s: %s: %s [%s]", f->node->path, f->node->id, f->message,
		lint_code(f->check));
	text_add_safe(out, line.data, false, "");
	buf_addc(out, '\n');
	for (size_t i = 0; i < f->nothers; i++) {
		buf_truncate(&line, 0);
		buf_addf(&line, "%s: %s", f->others[i]->path, f->others[i]->id);
		buf_adds(out, "    and ");
		text_add_safe(out, line.data, false, "");
		buf_addc(out, '\n');
	}
	buf_release(&line);
}

static void
write_text(struct buf *out, const struct lint *l)
{
	size_t counts[NLINT_CHECKS] = { 0 };
	const char *sep = ": ";

	for (size_t i = 0; i < l->n; i++) {
		write_finding(out, &l->v[i]);
		counts[l->v[i].check]++;
	}
	if (!l->n)
		return;
	buf_addf(out, "%zu finding%s", l->n, l->n == 1 ? "" : "s");
	for (int i = 0; i < NLINT_CHECKS; i++)
		if (counts[i]) {
			buf_addf(out, "%s%zu %s", sep, counts[i], lint_code((enum lint_check)i));
			sep = ", ";
		}
	buf_addc(out, '\n');
}

/* ---- JSON ---- */

static void
write_json(struct buf *out, const struct lint *l)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct lint_finding *f = &l->v[i];

		buf_addf(out, "%s\n  {\"code\": \"%s\", \"unique_id\": ", i ? "," : "",
			lint_code(f->check));
		text_add_json(out, f->node->id);
		buf_adds(out, ", \"original_file_path\": ");
		text_add_json(out, f->node->path);
		buf_adds(out, ", \"others\": [");
		for (size_t k = 0; k < f->nothers; k++) {
			buf_adds(out, k ? ", " : "");
			text_add_json(out, f->others[k]->id);
		}
		buf_adds(out, "], \"message\": ");
		text_add_json(out, f->message);
		buf_addc(out, '}');
	}
	buf_adds(out, l->n ? "\n]\n" : "]\n");
}

/* ---- the command ---- */

static int
unknown_code(const char *option, const char *code, struct err *err)
{
	const char *codes[NLINT_CHECKS], *near;

	for (int i = 0; i < NLINT_CHECKS; i++)
		codes[i] = lint_code((enum lint_check)i);
	near = text_closest(code, codes, NLINT_CHECKS);
	err_set(err, "--%s: '%s' is not the code of a check", option, code);
	if (near)
		return err_hint(err, "did you mean '%s'?", near);
	return err_hint(err, "`heddle lint --help` lists them");
}

static int
read_options(const struct lint_opts *o, struct lint_options *options, struct err *err)
{
	int check;

	options->packages = o->packages;
	options->many = o->many;
	for (int i = 0; i < NLINT_CHECKS; i++)
		options->off[i] = o->only.n > 0;
	for (size_t i = 0; i < o->only.n; i++) {
		check = lint_find(o->only.v[i]);
		if (check < 0)
			return unknown_code("only", o->only.v[i], err);
		options->off[check] = false;
	}
	for (size_t i = 0; i < o->off.n; i++) {
		check = lint_find(o->off.v[i]);
		if (check < 0)
			return unknown_code("off", o->off.v[i], err);
		options->off[check] = true;
	}
	return 0;
}

static int
show_findings(const struct lint_opts *o, struct err *err)
{
	struct graph *g = graph_new();
	struct set set = SET_INIT;
	struct plan *plan = NULL;
	struct lint l = { .n = 0 };
	struct lint_options options = { .many = 0 };
	struct buf out = BUF_INIT;
	bool json = strcmp(o->output, "json") == 0;
	int code = EXIT_BAD_INPUT;

	if (!json && strcmp(o->output, "text") != 0) {
		err_set(err, "--output: '%s' is not a form of output", o->output);
		err_hint(err, "one of text, json");
		goto out;
	}
	if (read_options(o, &options, err) < 0 ||
	    select_opts_resolve(ALL_KINDS, ALL_KINDS, lint_fields(), g, &set, err) < 0)
		goto out;
	plan = plan_new(g, &set, PLAN_BUILD, err);
	if (!plan)
		goto out;
	lint_run(&l, plan, &set, &options);
	(json ? write_json : write_text)(&out, &l);
	fwrite(buf_str(&out), 1, out.len, stdout);
	code = l.n ? EXIT_NODE_FAILED : EXIT_GOOD;
out:
	buf_release(&out);
	lint_release(&l);
	plan_free(plan);
	set_release(&set);
	graph_free(g);
	return code;
}

static int
show_help(const struct opt_group *groups)
{
	command_help(&cmd_lint, groups);
	printf("\nchecks:\n");
	for (int i = 0; i < NLINT_CHECKS; i++)
		printf("  %-20s %s\n", lint_code((enum lint_check)i),
			lint_summary((enum lint_check)i));
	return EXIT_GOOD;
}

static int
lint_main(int argc, char **argv, struct err *err)
{
	struct lint_opts o = { .output = "text", .many = 3 };
	const struct opt own[] = {
		{ 0, "off", "CODES", OPT_WORDS, &o.off, "leave these checks out" },
		{ 0, "only", "CODES", OPT_WORDS, &o.only, "these checks alone" },
		{ 0, "many", "N", OPT_UINT, &o.many,
		  "no-freshness: from this many readers on (3)" },
		{ 0, "packages", NULL, OPT_FLAG, &o.packages, "look at installed packages too" },
		{ 'o', "output", "FORM", OPT_TEXT, &o.output, "text or json (text)" },
		{ 'q', "quiet", NULL, OPT_FLAG, &o.quiet, "no warnings" },
		{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, select_opts, models_as_select_opts, source_opts,
		NULL };
	const struct opt_group groups[] = {
		{ "options", own }, { "selection: the build to look at", select_opts },
		{ "what to read", source_opts }, { 0 }
	};
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, NULL, NULL, err) == 0) {
		selecting.quiet = o.quiet;
		code = o.help ? show_help(groups) : show_findings(&o, err);
	}
	words_release(&o.off);
	words_release(&o.only);
	select_opts_release();
	return code;
}

const struct command cmd_lint = {
	.name = "lint",
	.summary = "what the plan of a build leaves uncovered",
	.usage = "[options]",
	.examples =
	    "  heddle lint\n"
	    "  heddle lint --off dead-end folder-name\n"
	    "  heddle lint --only test-not-run --select nightly --indirect-selection cautious\n",
	.run = lint_main,
};
