/* cmd_explain_error.c -- which class an error has, so whether it is tried again. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/policies.h"
#include "cli/project.h"
#include "executor/classify.h"
#include "executor/retry.h"
#include "executor/transient.h"
#include "util/text.h"

struct explain_opts {
	bool help;
	const char *adapter, *code, *type;
	struct project_given given;
	struct words text;
};

static void
say_why(const char *pattern, const struct classified *c)
{
	char *safe = pattern ? text_safe_line(pattern) : NULL;

	if (pattern)
		printf("because: it matches '%s' of heddle.yml\n", safe);
	else if (!c->by)
		puts("because: nothing known says otherwise: the database refused the statement");
	else
		printf("because: %s (%s '%s'%s%s)\nsource:  %s\n", c->why, c->by,
		    c->what + (*c->what == '^'), c->adapter ? " of " : "",
		    c->adapter ? c->adapter : "", c->source);
	free(safe);
}

static void
say(const char *pattern, const struct classified *c)
{
	enum error_class class = pattern ? CLASS_TRANSIENT : c->class;
	const struct result r = { .status = RESULT_ERROR, .class = class };
	struct retry_verdict v = retry_decide(&policy_built_in, 1, false, &r, 0.5);

	printf("class:   %s\n", error_class_name(class));
	say_why(pattern, c);
	if (v.delay_ms >= 0)
		printf("retried: yes, after %.1f s unless a rule says otherwise\n",
		    (double)v.delay_ms / 1000);
	else
		printf("retried: no, %s\n", v.why);
	if (class == CLASS_CONNECTION || class == CLASS_WORKER_LOST || class == CLASS_TIMEOUT)
		puts("         a node that appends is not retried: its rows may be there already");
}

static int
explain(const struct explain_opts *o, struct err *err)
{
	const char *message = o->text.v[0];
	const struct failure f = {
		.adapter = o->adapter ? o->adapter : CLASSIFY_ANY_ADAPTER,
		.status = RESULT_ERROR,
		.code = o->code,
		.types = &o->type,
		.ntypes = o->type ? 1 : 0,
		.message = message,
	};
	struct policies policies;
	struct project project;
	struct transient *t;
	int code = EXIT_BAD_INPUT;

	project_find(&project, &o->given);
	if (policies_load(&policies, project.dir, err) == 0) {
		struct classified c = classify_why(&f);
		const char *pattern;

		t = transient_new(policies.config.transient, policies.config.ntransient);
		pattern = error_class_transient(c.class) ? NULL : transient_match(t, message);
		say(pattern, &c);
		transient_free(t);
		code = EXIT_GOOD;
	}
	policies_release(&policies);
	project_release(&project);
	return code;
}

static int
explain_main(int argc, char **argv, struct err *err)
{
	struct explain_opts o = { 0 };
	const struct opt own[] = {
		{ 0, "adapter", "NAME", OPT_TEXT, &o.adapter,
		  "postgres, snowflake, ...: only what is known of it counts (any)" },
		{ 0, "code", "CODE", OPT_TEXT, &o.code,
		  "SQLSTATE or HTTP status the database gave" },
		{ 0, "type", "CLASS", OPT_TEXT, &o.type,
		  "exception class, as psycopg2.errors.LockNotAvailable" },
		{ 0, "project-dir", "DIR", OPT_TEXT, &o.given.project_dir,
		  "whose heddle.yml counts" },
		{ 'h', "help", NULL, OPT_FLAG, &o.help, "this text" },
		{ 0 }
	};
	const struct opt *const tables[] = { own, NULL };
	const struct opt_group groups[] = { { "options", own }, { 0 } };
	int code = EXIT_BAD_INPUT;

	if (opts_parse(argc, argv, tables, &o.text, NULL, err) < 0)
		goto out;
	if (o.help) {
		code = command_help(&cmd_explain_error, groups);
	} else if (o.text.n != 1) {
		err_set(err, "expected the text of one error, in quotes");
		err_hint(err, "heddle explain-error \"deadlock detected\"");
	} else {
		code = explain(&o, err);
	}
out:
	words_release(&o.text);
	return code;
}

const struct command cmd_explain_error = {
	.name = "explain-error",
	.summary = "which class an error has and why, and whether it is retried",
	.usage = "TEXT [options]",
	.examples = "  heddle explain-error \"deadlock detected\"\n"
	    "  heddle explain-error \"[DELTA_CONCURRENT_APPEND] Transaction conflict detected\"\n"
	    "  heddle explain-error --adapter postgres --code 57P01 \"terminating connection\"\n",
	.run = explain_main,
};
