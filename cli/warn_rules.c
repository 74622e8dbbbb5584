#include "cli/warn_rules.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/project.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/text.h"
#include "util/ytree.h"

#define OPTION "--warn-error-options"

/* ---- reading ---- */

void
warn_given_note(struct warn_given *g, char **argv, int at)
{
	const char *word = argv[at];

	if (strcmp(word, "--warn-error") == 0)
		g->flag = true;
	else if (strcmp(word, OPTION) == 0)
		g->options = argv[at + 1];
	else if (text_starts(word, OPTION "="))
		g->options = word + sizeof(OPTION);
}

/* A word of the environment, as click reads it. */
static bool
is_true(const char *word)
{
	static const char *const words[] = { "1", "true", "t", "yes", "y", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;
	return false;
}

/* The value of `key`, or of its old name: a list of names, or "all". */
static int
read_names(struct arena *a, const struct ynode *map, const char *key, const char *old_key,
    struct strs *out, const char **all, struct err *err)
{
	const struct ynode *y = ytree_get(map, key);

	if (!y && old_key)
		y = ytree_get(map, old_key);
	if (!y || y->type == YT_NULL)
		return 0;
	if (all && (ytree_is(y, "all") || ytree_is(y, "*"))) {
		*all = y->text;
		return 0;
	}
	if (y->type != YT_LIST)
		return err_set(err,
		    "warn_error_options: '%s': expected a list of names%s, found %s", key,
		    all ? " or all" : "", ytype_name(y->type));
	out->v = arena_alloc(a, (y->n + 1) * sizeof(*out->v));
	for (out->n = 0; out->n < y->n; out->n++)
		out->v[out->n] = y->items[out->n]->text;
	return 0;
}

int
warn_rules_read(struct warn_rules *r, struct arena *a, const struct ynode *y, struct err *err)
{
	if (!y || y->type == YT_NULL)
		return 0;
	if (y->type != YT_MAP)
		return err_set(err, "warn_error_options: expected a map, found %s",
		    ytype_name(y->type));
	if (read_names(a, y, "error", "include", &r->error, &r->all, err) < 0 ||
	    read_names(a, y, "warn", "exclude", &r->warn, NULL, err) < 0)
		return -1;
	return read_names(a, y, "silence", NULL, &r->silence, NULL, err);
}

int
warn_rules_find(struct warn_rules *r, struct arena *a, const struct warn_given *given,
    const struct project *p, struct err *err)
{
	const struct ynode *flags = ytree_get(p->settings, "flags"), *y;
	const char *flag = project_env(NULL, "WARN_ERROR");
	const char *options = project_env(given->options, "WARN_ERROR_OPTIONS");

	memset(r, 0, sizeof(*r));
	r->always = given->flag || (flag ? is_true(flag) : project_flag(p, "warn_error"));
	if (!options)
		return warn_rules_read(r, a, ytree_get(flags, "warn_error_options"), err);
	y = ytree_parse(a, OPTION, options, strlen(options), err);
	return y ? warn_rules_read(r, a, y, err) : -1;
}

/* ---- telling ---- */

static bool
has(const struct strs *names, const char *event)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], event) == 0)
			return true;
	return false;
}

/* A name beats `all`; silence beats warn, warn beats error. */
static bool
is_error(const struct warn_rules *r, const char *event)
{
	if (r->always)
		return true;
	return (r->all || has(&r->error, event)) && !has(&r->warn, event) &&
		!has(&r->silence, event);
}

int
warn_rules_tell(const struct warn_rules *r, const char *event, bool quiet, struct err *err,
    const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;
	int rc = 0;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (event && is_error(r, event)) {
		rc = err_set(err, "%s", buf_str(&text));
		err_hint(err,
		    "a warning that --warn-error or warn_error_options makes an error: %s", event);
	} else if (!quiet && !(event && has(&r->silence, event))) {
		log_warn("%s", buf_str(&text));
	}
	buf_release(&text);
	return rc;
}
