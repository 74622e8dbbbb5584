#include "graph/selector.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph/selector_methods.h"
#include "util/text.h"
#include "util/xalloc.h"

static const char *const mode_names[NSELECTOR_MODES] = { "eager", "cautious", "buildable",
    "empty" };

const char *
selector_mode_name(enum selector_mode mode)
{
	return mode_names[mode];
}

int
selector_mode_find(const char *name)
{
	for (int i = 0; i < NSELECTOR_MODES; i++)
		if (strcmp(mode_names[i], name) == 0)
			return i;
	return -1;
}

static struct selector_value
text_value(const char *text)
{
	return (struct selector_value){ .type = VALUE_TEXT, .text = text };
}

/* Without a method: a slash means path, the ending of a node's file means file, else a name. */
static const char *
implied_method(const char *value)
{
	static const char *const endings[] = { ".sql", ".py", ".csv" };
	size_t len = strlen(value);

	if (strchr(value, '/'))
		return "path";
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t n = strlen(endings[i]);

		if (len >= n && strcasecmp(value + len - n, endings[i]) == 0)
			return "file";
	}
	return "fqn";
}

static struct strs
split(struct arena *a, const char *text, size_t len, char by)
{
	struct strs out = { NULL, 1 };
	size_t from = 0, n = 0;

	for (size_t i = 0; i < len; i++)
		out.n += text[i] == by;
	out.v = arena_alloc(a, out.n * sizeof(*out.v));
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != by)
			continue;
		out.v[n++] = arena_strndup(a, text + from, i - from);
		from = i + 1;
	}
	return out;
}

static int
unknown_method(const char *raw, const char *name, struct err *err)
{
	const char *names[SELECTOR_METHODS_MAX], *near;
	size_t n;
	const struct selector_method *all = selector_method_all(&n);

	for (size_t i = 0; i < n; i++)
		names[i] = all[i].name;
	near = text_closest(name, names, n);
	err_set(err, "selection criterion '%s': '%s' is not a selection method", raw, name);
	if (near)
		return err_hint(err, "did you mean '%s'?", near);
	return err_hint(err, "methods are listed by `heddle ls --help`, for example tag:, path:, "
	    "config.materialized:");
}

struct selector *
selector_criterion(struct arena *a, const char *raw, const char *method,
    const struct selector_value *value, enum selector_mode mode, struct err *err)
{
	struct selector *s = arena_zalloc(a, 1, sizeof(*s));
	struct strs parts;

	if (!method)
		method = implied_method(value->text);
	parts = split(a, method, strlen(method), '.');
	s->op = SELECTOR_CRITERION;
	s->mode = mode;
	s->raw = raw;
	s->method = selector_method_find(parts.v[0]);
	if (!s->method) {
		unknown_method(raw, parts.v[0], err);
		return NULL;
	}
	s->words = (struct strs){ parts.v + 1, parts.n - 1 };
	s->value = *value;
	s->up_depth = s->down_depth = DEPTH_ALL;
	return s;
}

int
selector_check(const struct selector *s, struct err *err)
{
	if (!s->at || !s->down)
		return 0;
	err_set(err, "selection criterion '%s': '@' in front and '+' behind exclude each other",
	    s->raw);
	return err_hint(err, "'@' already takes every descendant");
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* \w of Python's re: letters of any script. Beyond ASCII every byte counts as part of one. */
static bool
is_method_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
		c == '.' || (unsigned char)c >= 0x80;
}

static size_t
read_depth(const char *digits, size_t n)
{
	size_t depth = 0;

	if (n == 0)
		return DEPTH_ALL;
	for (size_t i = 0; i < n; i++) {
		if (depth > (DEPTH_ALL - 10) / 10)
			return DEPTH_ALL;    /* more levels than any graph has */
		depth = depth * 10 + (size_t)(digits[i] - '0');
	}
	return depth;
}

/*
 * dbt's own pattern (selector_spec.py), read from both ends:
 *   \A (@)? ((\d*)\+)? (([\w.]+):)? (.*?) (\+(\d*))? \Z
 * Signs that are left over become part of the value.
 */
const struct selector *
selector_parse(struct arena *a, const char *text, enum selector_mode mode, struct err *err)
{
	const char *raw = arena_strdup(a, text), *s = raw, *end = raw + strlen(raw), *tail = end;
	const char *method = NULL;
	struct selector_value value;
	struct selector *sel;
	bool at, up, down;
	size_t n, up_depth = DEPTH_ALL, down_depth = DEPTH_ALL;

	if (strchr(raw, '\n')) {
		err_set(err, "selection criterion '%s': a line break cannot be part of it", raw);
		return NULL;
	}
	at = *s == '@';
	s += at;
	n = strspn(s, "0123456789");
	up = s[n] == '+';
	if (up) {
		up_depth = read_depth(s, n);
		s += n + 1;
	}
	for (n = 0; is_method_char(s[n]); n++)
		;
	if (n > 0 && s[n] == ':') {
		method = arena_strndup(a, s, n);
		s += n + 1;
	}
	while (tail > s && is_digit(tail[-1]))
		tail--;
	down = tail > s && tail[-1] == '+';
	if (down)
		down_depth = read_depth(tail, (size_t)(end - tail));
	value = text_value(arena_strndup(a, s, (size_t)((down ? tail - 1 : end) - s)));

	sel = selector_criterion(a, raw, method, &value, mode, err);
	if (!sel)
		return NULL;
	sel->at = at;
	sel->up = up;
	sel->down = down;
	sel->up_depth = up_depth;
	sel->down_depth = down_depth;
	return selector_check(sel, err) < 0 ? NULL : sel;
}

struct selector *
selector_group(struct arena *a, enum selector_op op, const struct selector *const *parts,
    size_t nparts, enum selector_mode mode)
{
	struct selector *s = arena_zalloc(a, 1, sizeof(*s));

	s->op = op;
	s->mode = mode;
	s->raw = "";
	s->parts = arena_alloc(a, (nparts + 1) * sizeof(*s->parts));
	for (size_t i = 0; i < nparts; i++)
		s->parts[i] = parts[i];
	s->nparts = nparts;
	return s;
}

struct selector *
selector_difference(struct arena *a, const struct selector *from, const struct selector *minus)
{
	const struct selector *parts[] = { from, minus };

	return selector_group(a, SELECTOR_DIFFERENCE, parts, 2, MODE_EAGER);
}

/* "x,y": an intersection, also of one. */
static const struct selector *
parse_word(struct arena *a, const char *word, bool expected, enum selector_mode mode,
    struct err *err)
{
	struct strs texts = split(a, word, strlen(word), ',');
	const struct selector **parts = arena_alloc(a, texts.n * sizeof(*parts));
	struct selector *s;

	for (size_t i = 0; i < texts.n; i++)
		if (!(parts[i] = selector_parse(a, texts.v[i], mode, err)))
			return NULL;
	s = selector_group(a, SELECTOR_INTERSECTION, parts, texts.n, mode);
	s->expected = expected;
	s->raw = word;
	return s;
}

const struct selector *
selector_parse_words(struct arena *a, const struct strs *words, bool expected,
    enum selector_mode mode, struct err *err)
{
	const struct selector **parts = NULL, *s = NULL;
	size_t nparts = 0, cap = 0;

	for (size_t i = 0; i < words->n; i++) {
		struct strs texts = split(a, words->v[i], strlen(words->v[i]), ' ');

		for (size_t j = 0; j < texts.n; j++) {
			parts = xgrow(parts, nparts, &cap, sizeof(*parts));
			if (!(parts[nparts++] = parse_word(a, texts.v[j], expected, mode, err)))
				goto out;
		}
	}
	s = selector_group(a, SELECTOR_UNION, parts, nparts, mode);
out:
	free(parts);
	return s;
}

const struct selector *
selector_of_words(struct arena *a, const struct strs *select, const struct strs *exclude,
    enum selector_mode mode, struct err *err)
{
	static const char *everything[] = { "fqn:*", "source:*", "exposure:*", "metric:*",
	    "semantic_model:*" };
	const struct strs all = { everything, sizeof(everything) / sizeof(*everything) };
	const struct strs none = { NULL, 0 };
	const struct selector *from, *minus;

	from = selector_parse_words(a, select ? select : &all, select != NULL, mode, err);
	if (!from)
		return NULL;
	minus = selector_parse_words(a, exclude ? exclude : &none, true, mode, err);
	return minus ? selector_difference(a, from, minus) : NULL;
}

unsigned
selector_fields(const struct selector *s)
{
	unsigned fields = 0;

	if (s->op == SELECTOR_CRITERION)
		return s->method->fields(s);
	for (size_t i = 0; i < s->nparts; i++)
		fields |= selector_fields(s->parts[i]);
	return fields;
}
