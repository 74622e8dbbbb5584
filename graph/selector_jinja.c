#include "graph/selector_jinja.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/text.h"

#define SECRET_PREFIX "DBT_ENV_SECRET"   /* dbt refuses these outside profiles */
#define BLANKS " \t\r\n\f\v"

enum filter { NO_FILTER, AS_TEXT, AS_BOOL, AS_NUMBER };

/* One value on its way through: its text, and the parts that become the result. */
struct render {
	struct arena *arena;
	const char *name;
	struct err *err;
	const struct ynode *node;
	struct buf out;
	size_t npieces;        /* texts and expressions that gave something */
	enum filter filter;    /* of the last expression */
};

static int
fault(struct render *r, const char *what)
{
	err_set(r->err, "%s:%zu: cannot render '%s': %s", r->name, r->node->line, r->node->text,
		what);
	return err_hint(r->err, "only {{ env_var('NAME') }} and {{ env_var('NAME', 'default') }} "
		"are understood in selectors.yml");
}

static const char *
skip(const char *s)
{
	return s + strspn(s, BLANKS);
}

/* 'text' or "text" without escapes; NULL when there is none. */
static char *
read_string(struct render *r, const char **s)
{
	char quote = **s;
	const char *end;
	char *text;

	if (quote != '\'' && quote != '"')
		return NULL;
	end = strchr(*s + 1, quote);
	if (!end || memchr(*s, '\\', (size_t)(end - *s)))
		return NULL;
	text = arena_strndup(r->arena, *s + 1, (size_t)(end - *s - 1));
	*s = skip(end + 1);
	return text;
}

static bool
eat(const char **s, const char *token)
{
	size_t n = strlen(token);

	if (strncmp(*s, token, n) != 0)
		return false;
	*s = skip(*s + n);
	return true;
}

static int
read_filter(struct render *r, const char **s)
{
	static const struct { const char *name; enum filter filter; } filters[] = {
		{ "as_text", AS_TEXT }, { "as_bool", AS_BOOL }, { "as_number", AS_NUMBER },
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (eat(s, filters[i].name)) {
			r->filter = filters[i].filter;
			return 0;
		}
	return fault(r, "unknown filter");
}

/* env_var('NAME'[, 'default']) [| filter], up to the closing braces. Moves *s past them. */
static int
read_expression(struct render *r, const char **s)
{
	const char *variable, *value, *fallback = NULL;

	if (!eat(s, "env_var") || !eat(s, "("))
		return fault(r, "Jinja that needs dbt");
	variable = read_string(r, s);
	if (variable && eat(s, ",")) {
		if (eat(s, "default") && !eat(s, "="))
			return fault(r, "'default' is not followed by =");
		fallback = read_string(r, s);
		if (!fallback)
			return fault(r, "the default must be one quoted text");
	}
	if (!variable || !eat(s, ")"))
		return fault(r, "env_var takes a quoted name and a quoted default");
	r->filter = NO_FILTER;
	if (eat(s, "|") && read_filter(r, s) < 0)
		return -1;
	eat(s, "-");
	if (strncmp(*s, "}}", 2) != 0)
		return fault(r, "Jinja that needs dbt");
	*s += 2;
	if (text_starts(variable, SECRET_PREFIX))
		return fault(r, "secrets are not allowed here");
	value = getenv(variable);
	if (!value)
		value = fallback;
	if (!value)
		return err_set(r->err, "%s:%zu: environment variable '%s' is not set", r->name,
			r->node->line, variable);
	buf_adds(&r->out, value);
	r->npieces++;
	return 0;
}

/* Plain text up to the next "{{". */
static int
read_text(struct render *r, const char **s, bool trim_start)
{
	const char *end = strstr(*s, "{{"), *from = trim_start ? skip(*s) : *s;
	size_t n = end ? (size_t)(end - *s) : strlen(*s);
	bool trim_end = end && end[2] == '-';

	for (const char *p = *s; p < *s + n; p++)
		if (p[0] == '{' && (p[1] == '%' || p[1] == '#'))
			return fault(r, p[1] == '%' ? "a Jinja statement" : "a Jinja comment");
	end = *s + n;
	*s = end;
	while (trim_end && end > from && strchr(BLANKS, end[-1]))
		end--;
	if (end > from) {
		buf_add(&r->out, from, (size_t)(end - from));
		r->npieces++;
	}
	return 0;
}

static int
read_template(struct render *r, const char *s)
{
	bool trim = false;

	for (;;) {
		if (read_text(r, &s, trim) < 0)
			return -1;
		if (!*s)
			return 0;
		s += 2;
		s = skip(*s == '-' ? s + 1 : s);
		if (read_expression(r, &s) < 0)
			return -1;
		trim = s[-3] == '-';
	}
}

/* A lone expression with a filter takes the type asked for; Python's words, not YAML's. */
static int
convert(struct render *r, struct ynode *y)
{
	char *end;

	if (r->filter == AS_BOOL) {
		y->truth = strcmp(y->text, "True") == 0;
		y->type = YT_BOOL;
		if (!y->truth && strcmp(y->text, "False") != 0)
			return fault(r, "the value is not True or False");
	} else if (r->filter == AS_NUMBER) {
		y->number = strtod(y->text, &end);
		y->type = YT_NUMBER;
		if (end == y->text || *end || strpbrk(y->text, "xXnN"))
			return fault(r, "the value is not a number");
	}
	return 0;
}

/* Jinja drops a newline at the end and writes every line end as \n, also without an expression. */
static const char *
plain_lines(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text), *to = copy;

	for (const char *s = copy; *s; s++)
		if (*s != '\r')
			*to++ = *s;
		else if (s[1] != '\n')
			*to++ = '\n';
	if (to > copy && to[-1] == '\n')
		to--;
	*to = '\0';
	return copy;
}

static const struct ynode *
render_text(struct render *r)
{
	const char *text = r->node->text;
	struct ynode *y;
	int rc = 0;

	if (!strpbrk(text, "{\r\n"))
		return r->node;
	y = arena_alloc(r->arena, sizeof(*y));
	*y = *r->node;
	y->text = plain_lines(r->arena, text);
	if (strchr(text, '{')) {
		r->npieces = 0;
		r->filter = NO_FILTER;
		buf_truncate(&r->out, 0);
		rc = read_template(r, y->text);
		y->text = arena_strdup(r->arena, buf_str(&r->out));
		if (rc == 0 && r->npieces == 1)
			rc = convert(r, y);
	}
	return rc < 0 ? NULL : y;
}

/* How deep a tree can be is bounded by its reader, so this may call itself. */
static const struct ynode *
render_node(struct render *r, const struct ynode *y)
{
	struct ynode *copy = NULL;

	r->node = y;
	if (y->type == YT_TEXT)
		return render_text(r);
	if (y->type == YT_DATE) {
		copy = arena_alloc(r->arena, sizeof(*copy));
		*copy = *y;
		copy->type = YT_TEXT;
		return copy;
	}
	for (size_t i = 0; i < y->n; i++) {
		const struct ynode *item = render_node(r, y->items[i]);

		if (!item)
			return NULL;
		if (item == y->items[i])
			continue;
		if (!copy) {
			copy = arena_alloc(r->arena, sizeof(*copy));
			*copy = *y;
			copy->items = arena_alloc(r->arena, y->n * sizeof(*copy->items));
			memcpy(copy->items, y->items, y->n * sizeof(*copy->items));
		}
		copy->items[i] = item;
	}
	return copy ? copy : y;
}

const struct ynode *
selector_jinja(struct arena *a, const char *name, const struct ynode *y, struct err *err)
{
	struct render r = { .arena = a, .name = name, .err = err };
	const struct ynode *out = render_node(&r, y);

	buf_release(&r.out);
	return out;
}
