/* cmd_diff.c -- `heddle diff`: what is new, modified and removed against an earlier manifest, and
 * why. Reads two manifests, starts nothing. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/diff_report.h"
#include "cli/select_opts.h"
#include "graph/state.h"
#include "util/log.h"
#include "util/text.h"

#define ALL_KINDS (KIND_BIT(NKINDS) - 1)

struct form {
	const char *name;
	void (*write)(struct buf *out, const struct diff *d);
};

static const struct form forms[] = {
	{ "text", diff_write_text },
	{ "json", diff_write_json },
	{ "markdown", diff_write_markdown },
};
#define NFORMS (sizeof(forms) / sizeof(*forms))

static const struct form *
find_form(const char *name, struct err *err)
{
	const char *names[NFORMS], *near;

	for (size_t i = 0; i < NFORMS; i++) {
		names[i] = forms[i].name;
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	}
	near = text_closest(name, names, NFORMS);
	err_set(err, "--output: '%s' is not a form of output", name);
	if (near)
		err_hint(err, "did you mean '%s'?", near);
	else
		err_hint(err, "one of text, json, markdown");
	return NULL;
}

static bool
something_chosen(void)
{
	return selecting.select.n || selecting.exclude.n || selecting.selector ||
		selecting.types.n || selecting.exclude_types.n;
}

/* What would fail a run is told here as what it is: a difference. */
static void
say_warnings(const struct state *s)
{
	size_t n;
	const struct state_warning *v = state_warnings(s, &n);

	for (size_t i = 0; i < n; i++)
		log_warn("%s", v[i].text);
}

static int
show_diff(const struct form *form, struct err *err)
{
	struct graph *g = graph_new();
	struct set set = SET_INIT;
	struct state *s = NULL;
	struct diff d = { .against = NULL };
	struct buf out = BUF_INIT;
	bool all = !something_chosen();
	int code = EXIT_BAD_INPUT;

	if (!project_env(selecting.state, "STATE")) {
		err_set(err, "no --state given");
		err_hint(err, "--state DIR names the folder with the manifest to compare with");
		goto out;
	}
	if (select_opts_resolve(ALL_KINDS, ALL_KINDS, state_fields("modified"), g, &set, err) < 0)
		goto out;
	if (all)   /* a default selector says what a build takes, not what is compared */
		set_fill(&set);
	s = state_new(selecting.state_dir, ".",
	    project_flag(&selecting.project, STATE_AS_WRITTEN));
	if (diff_collect(&d, s, g, &set, all, err) < 0)
		goto out;
	if (!selecting.quiet)
		say_warnings(s);
	form->write(&out, &d);
	fwrite(out.data, 1, out.len, stdout);
	code = EXIT_GOOD;
out:
	diff_release(&d);
	buf_release(&out);
	state_free(s);
	set_release(&set);
	graph_free(g);
	return code;
}

static int
diff_main(int argc, char **argv, struct err *err)
{
	const char *output = "text";
	bool help = false, quiet = false;
	const struct opt own[] = {
		{ 'o', "output", "FORM", OPT_TEXT, &output,
		  "text, json or markdown, for a pull request's comment (text)" },
		{ 'q', "quiet", NULL, OPT_FLAG, &quiet, "no warnings" },
		{ 'h', "help", NULL, OPT_FLAG, &help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, source_opts, select_opts, models_as_select_opts,
		NULL };
	const struct opt_group groups[] = {
		{ "options", own }, { "what to read", source_opts },
		{ "selection", select_opts }, { 0 }
	};
	const struct form *form;
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, NULL, NULL, err) == 0) {
		selecting.quiet = quiet;
		form = find_form(output, err);
		if (help)
			code = command_help(&cmd_diff, groups);
		else if (form)
			code = show_diff(form, err);
	}
	select_opts_release();
	return code;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "what is new, modified (and why) and removed against an earlier manifest",
	.usage = "--state DIR [options]",
	.examples =
	    "  heddle diff --state prod\n"
	    "  heddle diff --state prod --select tag:finance+\n"
	    "  heddle diff --state prod --output markdown > comment.md\n",
	.run = diff_main,
};
