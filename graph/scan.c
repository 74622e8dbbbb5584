#include "graph/scan_inside.h"

/* Steps over blanks, from p; s->p follows. The next character stays unread; a NUL at s->end is the
 * end of the input (or an error). */
static char *
skip_blanks(struct scan *s, char *p)
{
	for (;;) {
		if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
			p++;
			continue;
		}
		s->p = p;
		if (*p != '\0' || p != s->end || !scan_more(s))
			return s->p;
		p = s->p;
	}
}

/* The same, for what nearly always is there: nothing, or one blank. s->p need not follow. */
static inline char *
next(struct scan *s, char *p)
{
	if (*p == ' ')
		p++;
	return (unsigned char)*p > ' ' ? p : skip_blanks(s, p);
}

bool
scan_is(const struct scan_text *text, const char *word)
{
	return text->len == strlen(word) && memcmp(text->s, word, text->len) == 0;
}

/* ---- values ---- */

enum scan_type
scan_peek(struct scan *s)
{
	enum scan_type type = SCAN_ERROR;

	if (!s->failed) {
		s->p = next(s, s->p);
		type = scan_type_of(*s->p);
	}
	if (type == SCAN_ERROR)
		scan_broken(s, s->p, "expected a value");
	return type;
}

int
scan_expected(struct scan *s, const char *what)
{
	static const char *const names[] = {
		NULL, "an object", "a list", "a string", "a number", "true", "false", "null",
	};
	enum scan_type found = scan_peek(s);

	if (found == SCAN_ERROR)
		return -1;
	return scan_fail(s, "expected %s, found %s", what, names[found]);
}

static int
enter(struct scan *s, enum scan_type type)
{
	struct scan_frame *f;

	if (s->depth == SCAN_DEPTH)
		return scan_fail(s, "nested deeper than %d", SCAN_DEPTH);
	f = &s->frames[s->depth++];
	f->type = type;
	f->begun = false;
	f->key = NULL;
	f->index = 0;
	s->p++;
	return 0;
}

int
scan_object(struct scan *s)
{
	return scan_peek(s) == SCAN_OBJECT ? enter(s, SCAN_OBJECT) : scan_expected(s, "an object");
}

int
scan_array(struct scan *s)
{
	return scan_peek(s) == SCAN_ARRAY ? enter(s, SCAN_ARRAY) : scan_expected(s, "a list");
}

/* Before an element: 1 when there is one, with the comma eaten; 0 when `close` was. */
static inline int
element(struct scan *s, struct scan_frame *f, char close)
{
	char *p;

	if (s->failed)
		return -1;
	p = next(s, s->p);
	if (*p == close) {
		s->p = p + 1;
		s->depth--;
		return 0;
	}
	if (f->begun) {
		if (*p != ',')
			return scan_broken(s, p, "expected ',' or '%c'", close);
		p = next(s, p + 1);
	}
	f->begun = true;
	s->p = p;
	return 1;
}

/* The key at s->p, when it is not the plain case: escapes, or a blank before the colon. */
static int
read_key(struct scan *s, struct scan_frame *f, struct scan_text *key)
{
	struct scan_text raw;
	int escapes;

	if (*s->p != '"')
		return scan_broken(s, s->p, "expected a key in quotes");
	f->key = NULL;
	escapes = scan_read_raw(s, &raw);
	if (escapes < 0 || scan_decode(s, &raw, key) < 0)   /* a copy: the buffer may move */
		return -1;
	f->key = raw.s;
	f->len = raw.len;
	s->p = next(s, s->p);
	if (*s->p != ':')
		return scan_broken(s, s->p, "expected ':' after a key");
	s->p++;
	return 1;
}

int
scan_key(struct scan *s, struct scan_text *key)
{
	struct scan_frame *f = &s->frames[s->depth - 1];
	int rc = element(s, f, '}');
	char *end;

	if (rc <= 0)
		return rc;
	if (*s->p == '"') {
		end = scan_special(s->p + 1);
		if (*end == '"' && end[1] == ':') {
			*key = (struct scan_text){ s->p + 1, (size_t)(end - s->p) - 1 };
			f->key = key->s;
			f->len = key->len;
			s->p = end + 2;
			return 1;
		}
	}
	return read_key(s, f, key);
}

int
scan_item(struct scan *s)
{
	struct scan_frame *f = &s->frames[s->depth - 1];
	bool first = !f->begun;
	int rc = element(s, f, ']');

	if (rc > 0 && !first)
		f->index++;
	return rc;
}

/* As written; *escapes: it is not what it means. */
static inline int
read_string(struct scan *s, struct scan_text *text, int *escapes)
{
	char *p, *end;

	if (s->failed)
		return -1;
	p = next(s, s->p);
	*escapes = 0;
	if (*p == '"') {
		end = scan_special(p + 1);
		if (*end == '"') {
			*text = (struct scan_text){ p + 1, (size_t)(end - p) - 1 };
			s->p = end + 1;
			return 0;
		}
	}
	s->p = p;
	if (*p != '"')
		return scan_expected(s, "a string");
	*escapes = scan_read_raw(s, text);
	return *escapes < 0 ? -1 : 0;
}

int
scan_string(struct scan *s, struct scan_text *text)
{
	struct scan_text raw;
	int escapes;

	if (read_string(s, text, &escapes) < 0)
		return -1;
	raw = *text;
	return escapes ? scan_decode(s, &raw, text) : 0;
}

int
scan_raw_string(struct scan *s, struct scan_text *text)
{
	int escapes;

	return read_string(s, text, &escapes);
}

int
scan_number(struct scan *s, struct scan_text *text)
{
	if (scan_peek(s) != SCAN_NUMBER)
		return scan_expected(s, "a number");
	return scan_read_bare(s, text) == SCAN_ERROR ? -1 : 0;
}

int
scan_text_or_skip(struct scan *s, struct scan_text *text)
{
	*text = (struct scan_text){ "", 0 };
	return scan_peek(s) == SCAN_STRING ? scan_string(s, text) : scan_skip(s);
}

int
scan_keep_text(struct scan *s, struct arena *a, const char **out)
{
	struct scan_text text;

	if (scan_text_or_skip(s, &text) < 0)
		return -1;
	*out = text.len ? arena_strndup(a, text.s, text.len) : NULL;
	return 0;
}

int
scan_bool(struct scan *s, bool *value)
{
	enum scan_type type = scan_peek(s);
	struct scan_text text;

	if (type != SCAN_TRUE && type != SCAN_FALSE)
		return scan_expected(s, "true or false");
	*value = type == SCAN_TRUE;
	return scan_read_bare(s, &text) == SCAN_ERROR ? -1 : 0;
}

/* ---- skipping ---- */

/* One bit a level: what the innermost open bracket is. */
struct nest {
	uint64_t array[SCAN_DEPTH / 64];
	size_t depth, base;
};

static inline bool
in_array(const struct nest *n)
{
	return n->array[(n->depth - 1) / 64] >> ((n->depth - 1) % 64) & 1;
}

static int
push(struct scan *s, struct nest *n, bool array)
{
	uint64_t bit = (uint64_t)1 << (n->depth % 64);

	if (n->depth == SCAN_DEPTH)
		return scan_fail(s, "nested deeper than %d", SCAN_DEPTH);
	if (array)
		n->array[n->depth / 64] |= bit;
	else
		n->array[n->depth / 64] &= ~bit;
	n->depth++;
	return 0;
}

/* The functions below take the place they start at and return the one after; NULL on error. The
 * place is not kept in s->p meanwhile: that would cost a round trip to memory a token. */

static inline char *
skip_string(struct scan *s, char *p)
{
	p = scan_special(p + 1);
	if (*p == '"')
		return p + 1;
	s->p = p;
	return scan_rest_of_string(s) < 0 ? NULL : s->p;
}

static inline char *
skip_key(struct scan *s, char *p)
{
	p = next(s, p);
	if (*p != '"') {
		scan_broken(s, p, "expected a key in quotes");
		return NULL;
	}
	p = skip_string(s, p);
	if (!p || *p == ':')
		return p ? p + 1 : NULL;
	p = next(s, p);
	if (*p == ':')
		return p + 1;
	scan_broken(s, p, "expected ':' after a key");
	return NULL;
}

/* Words with their delimiter in sight; numbers and everything odd the slow way. The comparison
 * reads at most six bytes, which are there (SCAN_STEP). */
static inline char *
skip_bare(struct scan *s, char *p)
{
	size_t n = memcmp(p, "null", 4) == 0 || memcmp(p, "true", 4) == 0 ? 4 :
	    memcmp(p, "false", 5) == 0 ? 5 : 0;
	struct scan_text text;

	if (n && (p[n] == ',' || p[n] == '}' || p[n] == ']'))
		return p + n;
	s->p = p;
	return scan_read_bare(s, &text) == SCAN_ERROR ? NULL : s->p;
}

/* One value, or its opening bracket and first key: then *complete is false, a value follows. */
static inline char *
skip_value(struct scan *s, char *p, struct nest *n, bool *complete)
{
	bool array;

	p = next(s, p);
	*complete = true;
	if (*p == '"')
		return skip_string(s, p);
	if (*p != '{' && *p != '[')
		return skip_bare(s, p);
	array = *p == '[';
	if (push(s, n, array) < 0)
		return NULL;
	p = next(s, p + 1);
	if (*p == (array ? ']' : '}')) {
		n->depth--;
		return p + 1;
	}
	*complete = false;
	return array ? p : skip_key(s, p);
}

/* After a complete value: over the brackets that close, up to the next value if there is one. */
static inline char *
skip_closings(struct scan *s, char *p, struct nest *n, bool *complete)
{
	while (n->depth > n->base) {
		bool array = in_array(n);
		char close = array ? ']' : '}';

		p = next(s, p);
		if (*p == ',') {
			*complete = false;
			return array ? p + 1 : skip_key(s, p + 1);
		}
		if (*p != close) {
			scan_broken(s, p, "expected ',' or '%c'", close);
			return NULL;
		}
		n->depth--;
		p++;
	}
	return p;
}

int
scan_skip(struct scan *s)
{
	struct nest n = { .depth = s->depth, .base = s->depth };
	char *p = s->p;
	bool complete = false;

	if (s->failed)
		return -1;
	while (p && !complete) {
		p = skip_value(s, p, &n, &complete);
		if (p && complete)
			p = skip_closings(s, p, &n, &complete);
	}
	if (!p)
		return -1;
	s->p = p;
	return 0;
}

int
scan_end(struct scan *s)
{
	if (s->failed)
		return -1;
	s->p = next(s, s->p);
	if (s->p != s->end)
		return scan_broken(s, s->p, "text after the end");
	return s->failed ? -1 : 0;
}

void
scan_mark(struct scan *s)
{
	if (!s->failed)
		s->p = next(s, s->p);
	s->mark = s->p;
	s->odd = false;
}

struct scan_text
scan_marked(struct scan *s)
{
	struct scan_text text = { s->mark, (size_t)(s->p - s->mark) };

	s->mark = NULL;
	return text;
}
