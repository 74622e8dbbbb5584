/* selector_methods_kind.c -- methods that ask what a node is: resource_type, test_name, test_type,
 * access, version. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "graph/glob.h"
#include "graph/selector_methods.h"
#include "util/buf.h"
#include "util/text.h"

static bool
access_match(const struct node *n, const void *arg)
{
	const struct selector_value *value = arg;

	return n->access && value->type == VALUE_TEXT && strcmp(n->access, value->text) == 0;
}

int
method_access(const struct selector_query *q, struct set *out, struct err *err)
{
	(void)err;
	selector_pick(q, KIND_BIT(KIND_MODEL), access_match, &q->c->value, out);
	return 0;
}

static bool
any_match(const struct node *n, const void *arg)
{
	(void)n;
	(void)arg;
	return true;
}

static int
bad_word(const struct selector_query *q, const char *what, const char *const *words, size_t n,
    struct err *err)
{
	const char *near = text_closest(q->c->value.text, words, n);
	struct buf all = BUF_INIT;

	err_set(err, "'%s' is not %s", q->c->value.text, what);
	for (size_t i = 0; i < n; i++)
		buf_addf(&all, "%s%s", i == 0 ? "" : ", ", words[i]);
	if (near)
		err_hint(err, "did you mean '%s'?", near);
	else
		err_hint(err, "one of %s", buf_str(&all));
	buf_release(&all);
	return -1;
}

/* Words that dbt knows but no node of a graph has (artifacts/resources/types.py) find nothing. */
int
method_resource_type(const struct selector_query *q, struct set *out, struct err *err)
{
	static const char *const others[] = { "rpc", "sql_operation", "doc", "macro", "group",
	    "fixture" };
	enum { NOTHERS = sizeof(others) / sizeof(*others) };
	const char *all[NKINDS], *value = q->c->value.text;
	int kind = kind_find(value, strlen(value));

	if (kind >= 0) {
		selector_pick(q, KIND_BIT(kind), any_match, NULL, out);
		return 0;
	}
	for (size_t i = 0; i < NOTHERS; i++)
		if (strcmp(value, others[i]) == 0)
			return 0;
	for (int i = 0; i < NKINDS; i++)
		all[i] = kind_name((enum node_kind)i);
	return bad_word(q, "a resource type", all, NKINDS, err);
}

static bool
test_name_match(const struct node *n, const void *arg)
{
	if (n->kind == KIND_UNIT_TEST)
		return glob_match(arg, n->name);
	return n->test_name && glob_match(arg, n->test_name);
}

int
method_test_name(const struct selector_query *q, struct set *out, struct err *err)
{
	struct glob want;

	(void)err;
	glob_compile(&want, q->scratch, q->c->value.text, strlen(q->c->value.text));
	selector_pick(q, KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST), test_name_match, &want,
	    out);
	return 0;
}

struct test_types {
	bool generic, singular, unit;
};

static bool
test_type_match(const struct node *n, const void *arg)
{
	const struct test_types *t = arg;

	if (n->kind == KIND_UNIT_TEST)
		return t->unit;
	return n->test_name ? t->generic : t->singular;
}

/* dbt writes `value in ("data")`, which asks for a piece of that word: "at" and "" mean data
 * too. */
int
method_test_type(const struct selector_query *q, struct set *out, struct err *err)
{
	static const char *const words[] = { "generic", "schema", "singular", "data", "unit" };
	const char *value = q->c->value.text;
	struct test_types t = { false, false, false };

	if (strcmp(value, "generic") == 0 || strcmp(value, "schema") == 0)
		t.generic = true;
	else if (strstr("data", value))
		t.generic = t.singular = true;
	else if (strstr("singular", value))
		t.singular = true;
	else if (strstr("unit", value))
		t.unit = true;
	else
		return bad_word(q, "a type of test", words, sizeof(words) / sizeof(*words), err);
	selector_pick(q, KIND_BIT(KIND_TEST) | KIND_BIT(KIND_UNIT_TEST), test_type_match, &t, out);
	return 0;
}

/*
 * float(text) of Python: blanks around, a sign, digits with single underscores between them, a
 * point, an exponent, inf and nan in any case; no hexadecimal.
 */
static bool
python_float(const char *text, double *out)
{
	char plain[64], *end;
	size_t n = 0;

	while (isspace((unsigned char)*text))
		text++;
	for (; *text && n < sizeof(plain) - 1; text++) {
		if (*text == 'x' || *text == 'X' || *text == '(')
			return false;
		if (*text == '_') {
			if (n == 0 || !isdigit((unsigned char)plain[n - 1]) ||
			    !isdigit((unsigned char)text[1]))
				return false;
			continue;
		}
		plain[n++] = *text;
	}
	if (*text)
		return false;
	while (n > 0 && isspace((unsigned char)plain[n - 1]))
		n--;
	plain[n] = '\0';
	if (n == 0)
		return false;
	*out = strtod(plain, &end);
	return *end == '\0';
}

/* < 0, 0, > 0; as numbers when both are, else as text. NaN is neither smaller nor greater. */
static int
compare_versions(const char *a, const char *b)
{
	double x, y;

	if (python_float(a, &x) && python_float(b, &y))
		return (x > y) - (x < y);
	return strcmp(a, b);
}

enum version_word { VERSION_LATEST, VERSION_PRERELEASE, VERSION_OLD, VERSION_NONE, NVERSION_WORDS };

/* 2 == 2.0 but 2 != "2". */
static bool
is_latest(const struct node *n)
{
	double x, y;

	if (n->version_is_number != n->latest_is_number)
		return false;
	if (n->version_is_number && python_float(n->version, &x) &&
	    python_float(n->latest_version, &y))
		return x == y;
	return strcmp(n->version, n->latest_version) == 0;
}

/* bool() of Python: no version, "" and 0 are false. */
static bool
is_truthy(const char *version, bool is_number)
{
	double x;

	return version && *version && !(is_number && python_float(version, &x) && x == 0);
}

static bool
version_match(const struct node *n, const void *arg)
{
	enum version_word word = *(const enum version_word *)arg;
	bool both = is_truthy(n->version, n->version_is_number) &&
		is_truthy(n->latest_version, n->latest_is_number);

	switch (word) {
	case VERSION_NONE:
		return !n->versioned;
	case VERSION_LATEST:
		return n->versioned && n->latest_version && is_latest(n);
	case VERSION_PRERELEASE:
		return both && compare_versions(n->version, n->latest_version) > 0;
	case VERSION_OLD:
		return both && compare_versions(n->version, n->latest_version) < 0;
	case NVERSION_WORDS:
		break;
	}
	return false;
}

int
method_version(const struct selector_query *q, struct set *out, struct err *err)
{
	static const char *const words[NVERSION_WORDS] = { "latest", "prerelease", "old", "none" };

	for (enum version_word i = 0; i < NVERSION_WORDS; i++)
		if (strcmp(q->c->value.text, words[i]) == 0) {
			selector_pick(q, KIND_BIT(KIND_MODEL), version_match, &i, out);
			return 0;
		}
	return bad_word(q, "a kind of version", words, NVERSION_WORDS, err);
}

