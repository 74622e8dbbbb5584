#include "cli/opts.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/arena.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

void
words_add(struct words *w, const char *word)
{
	w->v = xgrow(w->v, w->n, &w->cap, sizeof(*w->v));
	w->v[w->n++] = word;
}

void
words_release(struct words *w)
{
	free(w->v);
	memset(w, 0, sizeof(*w));
}

static bool
is_end(const struct opt *o)
{
	return !o->name;
}

/* Whether one of the spellings "a|b|c" is name[0..len). */
static bool
has_name(const struct opt *o, const char *name, size_t len)
{
	for (const char *s = o->name; *s;) {
		size_t n = strcspn(s, "|");

		if (n == len && memcmp(s, name, n) == 0)
			return true;
		s += n + (s[n] == '|');
	}
	return false;
}

static const struct opt *
find_long(const struct opt *const *tables, const char *name, size_t len)
{
	for (; *tables; tables++)
		for (const struct opt *o = *tables; !is_end(o); o++)
			if (has_name(o, name, len))
				return o;
	return NULL;
}

static const struct opt *
find_letter(const struct opt *const *tables, char letter)
{
	for (; *tables; tables++)
		for (const struct opt *o = *tables; !is_end(o); o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int
bad_value(const struct opt *o, const char *value, const char *wanted, struct err *err)
{
	return err_set(err, "--%.*s: expected %s, found '%s'", (int)strcspn(o->name, "|"), o->name,
	    wanted, value);
}

static int
assign(const struct opt *o, const char *value, struct err *err)
{
	unsigned long n;
	int64_t ms;
	char *end;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPT_TEXT:
		*(const char **)o->value = value;
		return 0;
	case OPT_WORDS:
		words_add(o->value, value);
		return 0;
	case OPT_UINT:
	case OPT_COUNT:
		errno = 0;
		n = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || errno || n > INT32_MAX)
			return bad_value(o, value, "a whole number", err);
		if (n == 0 && o->type == OPT_COUNT)
			return bad_value(o, value, "a whole number above 0", err);
		*(unsigned *)o->value = (unsigned)n;
		return 0;
	case OPT_DURATION:
		ms = clock_parse_duration_ms(value);
		if (ms < 0)
			return bad_value(o, value, "a duration like 30s, 5m or 2h", err);
		*(int64_t *)o->value = ms;
		return 0;
	case OPT_CLOCK:
		ms = clock_next_local_ms(value, clock_wall_ms());
		if (ms < 0)
			return bad_value(o, value, "a time of day like 06:00", err);
		*(int64_t *)o->value = ms;
		return 0;
	}
	return err_set(err, "--%s: no such type", o->name);
}

struct reader {
	int argc, at;
	char **argv;
	const struct opt *const *tables;
	const struct opt_unknown *unknown;
};

/* The nearest of all spellings; new string, or NULL. */
static char *
closest_option(const struct opt *const *tables, const struct opt_unknown *unknown, const char *name)
{
	struct words all = { 0 };
	struct arena spellings = ARENA_INIT;
	unsigned nmore = 0;
	const char *const *more = unknown && unknown->names ? unknown->names(&nmore) : NULL;
	const char *best;
	char *found;

	for (const struct opt *const *t = tables; *t; t++) {
		for (const struct opt *o = *t; !is_end(o); o++) {
			for (const char *s = o->name; *s;) {
				size_t len = strcspn(s, "|");

				words_add(&all, arena_strndup(&spellings, s, len));
				s += len + (s[len] == '|');
			}
		}
	}
	for (unsigned i = 0; i < nmore; i++)
		words_add(&all, more[i]);
	best = text_closest(name, all.v, all.n);
	found = best ? xstrdup(best) : NULL;
	words_release(&all);
	arena_release(&spellings);
	return found;
}

static int
unknown_option(const struct reader *r, const char *arg, struct err *err)
{
	char *name = xstrndup(arg + 2 * (arg[1] == '-'), strcspn(arg + 2 * (arg[1] == '-'), "="));
	char *near = arg[1] == '-' ? closest_option(r->tables, r->unknown, name) : NULL;

	err_set(err, "unknown option '%s'", arg);
	if (near)
		err_hint(err, "did you mean --%s?", near);
	else
		err_hint(err, "--help lists the options");
	free(near);
	free(name);
	return -1;
}

/* The words after a multi option, up to the next one that starts with '-'. */
static int
take_words(struct reader *r, const struct opt *o, const char *first, struct err *err)
{
	if (!first) {
		if (r->at + 1 >= r->argc)
			return err_set(err, "%s: expected %s", r->argv[r->at], o->arg);
		first = r->argv[++r->at];
	}
	words_add(o->value, first);
	while (r->at + 1 < r->argc && r->argv[r->at + 1][0] != '-')
		words_add(o->value, r->argv[++r->at]);
	return 0;
}

static int
take_option(struct reader *r, const struct opt *o, const char *value, struct err *err)
{
	if (o->type == OPT_FLAG) {
		if (value)
			return err_set(err, "--%s takes no value", o->name);
		return assign(o, NULL, err);
	}
	if (o->type == OPT_WORDS)
		return take_words(r, o, value, err);
	if (!value) {
		if (r->at + 1 >= r->argc)
			return err_set(err, "%s: expected %s", r->argv[r->at], o->arg);
		value = r->argv[++r->at];
	}
	return assign(o, value, err);
}

/* 1 = taken, 0 = no table knows it, -1 = error. */
static int
take_long(struct reader *r, struct err *err)
{
	const char *name = r->argv[r->at] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct opt *o = find_long(r->tables, name, len);

	if (o)
		return take_option(r, o, value, err) < 0 ? -1 : 1;
	if (!value && text_starts(name, "no-")) {
		o = find_long(r->tables, name + 3, len - 3);
		if (o && o->type == OPT_FLAG) {
			*(bool *)o->value = false;
			return 1;
		}
	}
	return 0;
}

/* -s value, -svalue, and flags run together: -xq. */
static int
take_short(struct reader *r, struct err *err)
{
	const char *arg = r->argv[r->at];

	for (const char *c = arg + 1; *c; c++) {
		const struct opt *o = find_letter(r->tables, *c);

		if (!o)
			return c == arg + 1 ? 0 : unknown_option(r, arg, err);
		if (o->type != OPT_FLAG)
			return take_option(r, o, c[1] ? c + 1 : NULL, err) < 0 ? -1 : 1;
		assign(o, NULL, err);
	}
	return 1;
}

int
opts_parse(int argc, char **argv, const struct opt *const *tables, struct words *rest,
    const struct opt_unknown *unknown, struct err *err)
{
	struct reader r = { argc, 1, argv, tables, unknown };

	for (; r.at < argc; r.at++) {
		char *arg = argv[r.at];
		int took;

		if (arg[0] != '-' || arg[1] == '\0') {
			if (!rest)
				return err_set(err, "unexpected argument '%s'", arg);
			words_add(rest, arg);
			continue;
		}
		took = arg[1] == '-' ? take_long(&r, err) : take_short(&r, err);
		if (took < 0)
			return -1;
		if (took > 0)
			continue;
		took = unknown ? unknown->take(unknown->self, argv, r.at, argc) : 0;
		if (took <= 0)
			return unknown_option(&r, arg, err);
		r.at += took - 1;
	}
	return 0;
}

bool
opt_given(const struct opt *o)
{
	switch (o->type) {
	case OPT_FLAG:     return *(bool *)o->value;
	case OPT_TEXT:     return *(const char **)o->value != NULL;
	case OPT_UINT:     return *(unsigned *)o->value != OPT_NOT_GIVEN;
	case OPT_COUNT:    return *(unsigned *)o->value > 0;
	case OPT_DURATION: return *(int64_t *)o->value >= 0;
	case OPT_CLOCK:    return *(int64_t *)o->value > 0;
	case OPT_WORDS:    return ((struct words *)o->value)->n > 0;
	}
	return false;
}

void
opts_print(const struct opt *table, const char *title)
{
	struct buf left = BUF_INIT;

	printf("\n%s:\n", title);
	for (const struct opt *o = table; !is_end(o); o++) {
		buf_truncate(&left, 0);
		if (o->letter)
			buf_addf(&left, "-%c, ", o->letter);
		else
			buf_adds(&left, "    ");
		buf_addf(&left, "--%.*s", (int)strcspn(o->name, "|"), o->name);
		if (o->arg)
			buf_addf(&left, " %s", o->arg);
		if (left.len > 30)
			printf("  %s\n  %-30s  %s\n", left.data, "", o->help);
		else
			printf("  %-30s  %s\n", left.data, o->help);
	}
	buf_release(&left);
}
