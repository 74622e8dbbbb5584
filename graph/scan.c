/*
 * Three rules keep the fast path short:
 *  - *end is always NUL and no JSON token holds a NUL, so loops look for the end only when they
 *    meet one. more() then refills; it may move the text, so pointers are fetched again after it.
 *  - `token` and `mark` name the first byte that must survive a refill.
 *  - a string is walked sixteen bytes a step; only quotes, backslashes, control characters and
 *    bytes outside ASCII stop the walk.
 */
#include "graph/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/xalloc.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define STEP ((size_t)16)   /* readable bytes past the NUL, and of one step through a string */

struct scan_frame {
	enum scan_type type;   /* SCAN_OBJECT or SCAN_ARRAY */
	bool begun;            /* an element was seen: a comma comes before the next one */
	size_t index;          /* arrays: of the current element */
	const char *key;       /* objects: the current key as written, in the buffer or in `kept` */
	size_t len;
	struct buf kept;       /* the key, once the buffer moved on without it */
};

static void
start(struct scan *s, const char *name, size_t cap, struct err *err)
{
	memset(s, 0, sizeof(*s));
	s->name = name;
	s->err = err;
	s->fd = -1;
	s->cap = s->chunk = cap;
	s->buf = s->p = s->end = xmalloc(s->cap + 1 + STEP);
	memset(s->buf, 0, 1 + STEP);
	s->frames = xcalloc(SCAN_DEPTH, sizeof(*s->frames));
}

int
scan_open(struct scan *s, const char *path, struct err *err)
{
	start(s, path, BUFFER_BYTES, err);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) {
		s->failed = true;
		return err_sys(err, "%s: cannot open", path);
	}
	return 0;
}

void
scan_memory(struct scan *s, const char *name, const char *data, size_t len, struct err *err)
{
	start(s, name, len < BUFFER_BYTES ? len + 1 : BUFFER_BYTES, err);
	s->data = data;
	s->left = len;
}

void
scan_close(struct scan *s)
{
	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; s->frames && i < SCAN_DEPTH; i++)
		buf_release(&s->frames[i].kept);
	free(s->frames);
	free(s->buf);
	buf_release(&s->decoded);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* ---- messages ---- */

static bool
is_plain_key(const char *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(key[i] == '_' || (key[i] >= 'a' && key[i] <= 'z') ||
		    (key[i] >= 'A' && key[i] <= 'Z') || (i && key[i] >= '0' && key[i] <= '9')))
			return false;
	return len > 0;
}

/* nodes['model.shop.x'].depends_on.nodes[2] */
static void
add_path(const struct scan *s, struct buf *b)
{
	for (size_t i = 0; i < s->depth; i++) {
		const struct scan_frame *f = &s->frames[i];

		if (f->type == SCAN_ARRAY && f->begun) {
			buf_addf(b, "[%zu]", f->index);
		} else if (f->key && is_plain_key(f->key, f->len)) {
			buf_addf(b, "%s%.*s", i ? "." : "", (int)f->len, f->key);
		} else if (f->key) {
			buf_adds(b, "['");
			buf_add(b, f->key, f->len);
			buf_adds(b, "']");
		}
	}
}

static int
vfail(struct scan *s, const char *prefix, const char *fmt, va_list ap)
{
	struct buf b = BUF_INIT;
	size_t path;

	if (s->failed)
		return -1;
	s->failed = true;
	buf_addf(&b, "%s: ", s->name);
	path = b.len;
	add_path(s, &b);
	if (b.len > path)
		buf_adds(&b, ": ");
	buf_adds(&b, prefix);
	buf_vaddf(&b, fmt, ap);
	err_set(s->err, "%s", b.data);
	buf_release(&b);
	return -1;
}

int
scan_fail(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(s, "", fmt, ap);
	va_end(ap);
	return -1;
}

/* Not JSON at `at`, a place in the buffer. The end of the file is its own message. */
static int ERR_PRINTF(3, 4)
broken(struct scan *s, const char *at, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	if (s->eof && at == s->end)
		buf_addf(&b, "cut off at byte %llu: ",
		    (unsigned long long)(s->passed + (uint64_t)(at - s->buf)));
	else
		buf_addf(&b, "not valid JSON at byte %llu: ",
		    (unsigned long long)(s->passed + (uint64_t)(at - s->buf)));
	va_start(ap, fmt);
	vfail(s, b.data, fmt, ap);
	va_end(ap);
	buf_release(&b);
	return -1;
}

/* ---- the buffer ---- */

/* Keys of open objects are needed for messages after the buffer has moved on. */
static void
keep_keys(struct scan *s)
{
	for (size_t i = 0; i < s->depth; i++) {
		struct scan_frame *f = &s->frames[i];

		if (!f->key || f->key == f->kept.data)
			continue;
		buf_truncate(&f->kept, 0);
		buf_add(&f->kept, f->key, f->len);
		f->key = f->kept.data;
	}
}

/* Drops what nobody needs, moves the rest to the front, and grows when that made no room. */
static void
make_room(struct scan *s)
{
	char *from = s->token ? s->token : s->p;
	size_t left, p, token, mark;

	keep_keys(s);
	if (s->mark && s->mark < from)
		from = s->mark;
	left = (size_t)(s->end - from);
	p = (size_t)(s->p - from);
	token = s->token ? (size_t)(s->token - from) : 0;
	mark = s->mark ? (size_t)(s->mark - from) : 0;
	memmove(s->buf, from, left);
	s->passed += (uint64_t)(from - s->buf);
	if (left > s->cap / 2) {
		s->cap *= 2;
		s->buf = xrealloc(s->buf, s->cap + 1 + STEP);
	}
	s->p = s->buf + p;
	s->end = s->buf + left;
	s->token = s->token ? s->buf + token : NULL;
	s->mark = s->mark ? s->buf + mark : NULL;
}

static ssize_t
read_some(struct scan *s, char *to, size_t n)
{
	ssize_t got;

	if (s->fd < 0) {
		got = (ssize_t)(s->left < n ? s->left : n);
		if (got)
			memcpy(to, s->data, (size_t)got);
		s->data += got;
		s->left -= (size_t)got;
		return got;
	}
	do
		got = read(s->fd, to, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Adds text behind s->end. False at the end of the input or on error. */
static bool
more(struct scan *s)
{
	size_t room;
	ssize_t n;

	if (s->eof || s->failed)
		return false;
	make_room(s);
	room = s->cap - (size_t)(s->end - s->buf);
	n = read_some(s, s->end, room < s->chunk ? room : s->chunk);
	if (n < 0) {
		err_sys(s->err, "%s: cannot read", s->name);
		s->failed = true;
		return false;
	}
	s->eof = n == 0;
	s->end += n;
	memset(s->end, 0, 1 + STEP);
	return n > 0;
}

/* Steps over blanks. The next character stays unread; 0 is the end of the input (or an error). */
static inline char
next_char(struct scan *s)
{
	for (;;) {
		char c = *s->p;

		if (c > ' ')
			return c;
		if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
			s->p++;
		else if (c != '\0' || s->p != s->end)
			return c ? c : '\x01';  /* a NUL in the file is no blank and no end */
		else if (!more(s))
			return '\0';
	}
}

/* ---- strings ---- */

typedef signed char bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

/* The first quote, backslash, control character or byte outside ASCII at or after p. */
static inline char *
find_special(char *p)
{
	for (;; p += STEP) {
		bytes16 v;
		words2 hit;

		memcpy(&v, p, sizeof(v));
		/* signed: bytes outside ASCII are below ' ' too */
		hit = (words2)((v == '"') | (v == '\\') | (v < ' '));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		if (hit[0])
			return p + __builtin_ctzll(hit[0]) / 8;
		if (hit[1])
			return p + 8 + __builtin_ctzll(hit[1]) / 8;
#else
		if (hit[0])
			return p + __builtin_clzll(hit[0]) / 8;
		if (hit[1])
			return p + 8 + __builtin_clzll(hit[1]) / 8;
#endif
	}
}

/* Makes n bytes readable at s->p, if the input has them. */
static bool
have(struct scan *s, size_t n)
{
	while ((size_t)(s->end - s->p) < n)
		if (!more(s))
			return false;
	return true;
}

static int
hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* s->p at the first half of a surrogate pair, the second must follow. */
static int
skip_pair(struct scan *s)
{
	bool whole = have(s, 12);
	size_t n = (size_t)(s->end - s->p);

	if ((n > 6 && s->p[6] != '\\') || (n > 7 && s->p[7] != 'u'))
		return broken(s, s->p, "half of a surrogate pair");
	if (!whole)
		return broken(s, s->end, "the file ends inside a string");
	if ((hex4(s->p + 8) & ~0x3ff) != 0xdc00)
		return broken(s, s->p, "half of a surrogate pair");
	s->p += 12;
	return 0;
}

/* s->p at a backslash. */
static int
skip_escape(struct scan *s)
{
	int unit;

	if (!have(s, 2))
		return broken(s, s->end, "the file ends inside a string");
	if (s->p[1] != 'u') {
		if (!s->p[1] || !strchr("\"\\/bfnrt", s->p[1]))
			return broken(s, s->p, "unknown escape in a string");
		s->p += 2;
		return 0;
	}
	if (!have(s, 6))
		return broken(s, s->end, "the file ends inside a string");
	unit = hex4(s->p + 2);
	if (unit < 0)
		return broken(s, s->p, "a \\u without four hexadecimal digits");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return broken(s, s->p, "half of a surrogate pair");
	if (unit >= 0xd800 && unit <= 0xdbff)
		return skip_pair(s);
	s->p += 6;
	return 0;
}

/* s->p at a byte outside ASCII: one UTF-8 sequence (RFC 3629). */
static int
skip_utf8(struct scan *s)
{
	const unsigned char *u;
	size_t n;

	have(s, 4);   /* fewer is fine: a NUL is no continuation byte */
	u = (const unsigned char *)s->p;
	n = u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 :
	    u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return broken(s, s->p + i == s->end ? s->end : s->p, "text that is not UTF-8");
	if (!n || (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return broken(s, s->p, "text that is not UTF-8");
	s->p += n;
	return 0;
}

/* The rest of a string, from the first special byte on. 1 when there were escapes. */
static int
skip_special(struct scan *s)
{
	int escapes = 0;

	for (;; s->p = find_special(s->p)) {
		switch (*s->p) {
		case '"':
			s->p++;
			return escapes;
		case '\\':
			escapes = 1;
			if (skip_escape(s) < 0)
				return -1;
			break;
		case '\0':
			if (s->p == s->end) {
				if (!more(s))
					return broken(s, s->end, "the file ends inside a string");
				break;
			}
			/* fall through */
		default:
			if ((unsigned char)*s->p < ' ')
				return broken(s, s->p, "a control character in a string");
			if (skip_utf8(s) < 0)
				return -1;
		}
	}
}

/* s->p after the opening quote; afterwards after the closing one. 1 when there were escapes. */
static inline int
skip_string(struct scan *s)
{
	s->p = find_special(s->p);
	if (*s->p != '"')
		return skip_special(s);
	s->p++;
	return 0;
}

static void
add_utf8(struct buf *b, unsigned c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addc(b, (char)(0xe0 | c >> 12));
		} else {
			buf_addc(b, (char)(0xf0 | c >> 18));
			buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_addc(b, (char)(0x80 | (c & 0x3f)));
}

/* A checked string with escapes -> s->decoded. -1 when it holds a NUL. */
static int
decode(struct scan *s, const char *p, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	struct buf *b = &s->decoded;

	buf_truncate(b, 0);
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		unsigned c;

		buf_add(b, p, (size_t)((slash ? slash : end) - p));
		if (!slash)
			break;
		p = slash + 2;
		if (slash[1] != 'u') {
			buf_addc(b, to[strchr(from, slash[1]) - from]);
			continue;
		}
		c = (unsigned)hex4(p);
		p += 4;
		if (c >= 0xd800 && c <= 0xdbff) {
			c = 0x10000 + ((c & 0x3ff) << 10) + ((unsigned)hex4(p + 2) & 0x3ff);
			p += 6;
		}
		if (c == 0)
			return scan_fail(s, "a text with a NUL character");
		add_utf8(b, c);
	}
	return 0;
}

/* The string at s->p (its quote), as written. 1 when it has escapes. */
static inline int
read_raw(struct scan *s, struct scan_text *raw)
{
	int escapes;

	s->token = s->p++;
	escapes = skip_string(s);
	raw->s = s->token + 1;
	raw->len = (size_t)(s->p - s->token) - 2;
	s->token = NULL;
	return escapes;
}

/* raw -> what it means; `escapes` is what read_raw() said. */
static inline int
cook(struct scan *s, const struct scan_text *raw, int escapes, struct scan_text *text)
{
	*text = *raw;
	if (escapes <= 0)
		return escapes;
	if (decode(s, raw->s, raw->s + raw->len) < 0)
		return -1;
	text->s = buf_str(&s->decoded);
	text->len = s->decoded.len;
	return 0;
}

/* ---- numbers and words ---- */

static const char *
digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* The end of the number at p, or NULL. Something that is no part of it follows in the buffer. */
static const char *
number_end(const char *p)
{
	const char *q;

	p += *p == '-';
	q = digits(p);
	if (q == p || (*p == '0' && q > p + 1))
		return NULL;
	if (*q == '.') {
		p = q + 1;
		q = digits(p);
		if (q == p)
			return NULL;
	}
	if (*q == 'e' || *q == 'E') {
		p = q + 1 + (q[1] == '+' || q[1] == '-');
		q = digits(p);
		if (q == p)
			return NULL;
	}
	return q;
}

static bool
is_bare(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '-' || c == '+' || c == '.';
}

static bool
text_is(const struct scan_text *t, const char *word)
{
	return strlen(word) == t->len && memcmp(t->s, word, t->len) == 0;
}

static enum scan_type
bare_type(const struct scan_text *t)
{
	switch (t->len ? t->s[0] : '\0') {
	case 'n': return text_is(t, "null") ? SCAN_NULL : SCAN_ERROR;
	case 't': return text_is(t, "true") ? SCAN_TRUE : SCAN_ERROR;
	case 'f': return text_is(t, "false") ? SCAN_FALSE : SCAN_ERROR;
	default: return number_end(t->s) == t->s + t->len ? SCAN_NUMBER : SCAN_ERROR;
	}
}

static bool
is_odd_number(const struct scan_text *t)
{
	return text_is(t, "NaN") || text_is(t, "Infinity") || text_is(t, "-Infinity");
}

/* Of the value that starts with c. */
static inline enum scan_type
type_of(char c)
{
	switch (c) {
	case '"': return SCAN_STRING;
	case '{': return SCAN_OBJECT;
	case '[': return SCAN_ARRAY;
	case 't': return SCAN_TRUE;
	case 'f': return SCAN_FALSE;
	case 'n': return SCAN_NULL;
	case '-': case 'N': case 'I':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return SCAN_NUMBER;
	default:
		return SCAN_ERROR;
	}
}

/* The number or word at s->p. */
static enum scan_type
read_bare(struct scan *s, struct scan_text *text)
{
	enum scan_type type;

	s->token = s->p;
	do
		while (is_bare(*s->p))
			s->p++;
	while (s->p == s->end && more(s));
	*text = (struct scan_text){ s->token, (size_t)(s->p - s->token) };
	s->token = NULL;
	type = bare_type(text);
	if (type == SCAN_ERROR && is_odd_number(text)) {
		s->odd = true;
		return SCAN_NUMBER;
	}
	if (type == SCAN_ERROR && type_of(text->s[0]) == SCAN_ERROR)
		broken(s, text->s, "expected a value");
	else if (type == SCAN_ERROR)
		broken(s, s->eof && s->p == s->end ? s->end : text->s,
		    "neither a number nor true, false, null");
	return type;
}

/* ---- values ---- */

enum scan_type
scan_peek(struct scan *s)
{
	enum scan_type type = s->failed ? SCAN_ERROR : type_of(next_char(s));

	if (type == SCAN_ERROR)
		broken(s, s->p, "expected a value");
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
static int
element(struct scan *s, struct scan_frame *f, char close)
{
	char c;

	if (s->failed)
		return -1;
	c = next_char(s);
	if (c == close) {
		s->p++;
		s->depth--;
		return 0;
	}
	if (f->begun) {
		if (c != ',')
			return broken(s, s->p, "expected ',' or '%c'", close);
		s->p++;
		next_char(s);
	}
	f->begun = true;
	return 1;
}

static int
colon(struct scan *s)
{
	if (next_char(s) != ':')
		return broken(s, s->p, "expected ':' after a key");
	s->p++;
	return 0;
}

int
scan_key(struct scan *s, struct scan_text *key)
{
	struct scan_frame *f = &s->frames[s->depth - 1];
	struct scan_text raw;
	int rc = element(s, f, '}'), escapes;

	if (rc <= 0)
		return rc;
	if (next_char(s) != '"')
		return broken(s, s->p, "expected a key in quotes");
	f->key = NULL;
	escapes = read_raw(s, &raw);
	if (cook(s, &raw, escapes, key) < 0)
		return -1;
	f->key = raw.s;
	f->len = raw.len;
	if (s->p[0] == ':') {
		s->p++;
		return 1;
	}
	/* a blank, or the end of the buffer: the key must stay readable for the caller */
	if (key->s == raw.s) {
		buf_truncate(&s->decoded, 0);
		buf_add(&s->decoded, raw.s, raw.len);
		key->s = s->decoded.data;
	}
	return colon(s) < 0 ? -1 : 1;
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

int
scan_string(struct scan *s, struct scan_text *text)
{
	struct scan_text raw;
	int escapes;

	if (scan_peek(s) != SCAN_STRING)
		return scan_expected(s, "a string");
	escapes = read_raw(s, &raw);
	return cook(s, &raw, escapes, text);
}

int
scan_raw_string(struct scan *s, struct scan_text *text)
{
	if (scan_peek(s) != SCAN_STRING)
		return scan_expected(s, "a string");
	return read_raw(s, text) < 0 ? -1 : 0;
}

int
scan_number(struct scan *s, struct scan_text *text)
{
	if (scan_peek(s) != SCAN_NUMBER)
		return scan_expected(s, "a number");
	return read_bare(s, text) == SCAN_ERROR ? -1 : 0;
}

int
scan_bool(struct scan *s, bool *value)
{
	enum scan_type type = scan_peek(s);
	struct scan_text text;

	if (type != SCAN_TRUE && type != SCAN_FALSE)
		return scan_expected(s, "true or false");
	*value = type == SCAN_TRUE;
	return read_bare(s, &text) == SCAN_ERROR ? -1 : 0;
}

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
	s->p++;
	return 0;
}

/* A key and its colon. */
static int
skip_key(struct scan *s)
{
	if (next_char(s) != '"')
		return broken(s, s->p, "expected a key in quotes");
	s->p++;
	return skip_string(s) < 0 ? -1 : colon(s);
}

/* null, true or false at p and nothing of a longer word after it: its length, else 0. Reads at
 * most six bytes, which are there (STEP). */
static inline size_t
word_length(const char *p)
{
	size_t n = memcmp(p, "null", 4) == 0 || memcmp(p, "true", 4) == 0 ? 4 :
	    memcmp(p, "false", 5) == 0 ? 5 : 0;

	return n && (p[n] == ',' || p[n] == '}' || p[n] == ']') ? n : 0;
}

/* One value, or its opening bracket: 1 when the value is complete, 0 when one must follow. */
static int
skip_value(struct scan *s, struct nest *n)
{
	struct scan_text text;
	char c = next_char(s);
	size_t word;

	switch (c) {
	case '"':
		s->p++;
		return skip_string(s) < 0 ? -1 : 1;
	case 'n':
	case 't':
	case 'f':
		word = word_length(s->p);
		s->p += word;
		return word || read_bare(s, &text) != SCAN_ERROR ? 1 : -1;
	case '{':
	case '[':
		if (push(s, n, c == '[') < 0)
			return -1;
		if (next_char(s) == (c == '[' ? ']' : '}')) {
			s->p++;
			n->depth--;
			return 1;
		}
		return c == '[' ? 0 : skip_key(s);
	default:
		return read_bare(s, &text) == SCAN_ERROR ? -1 : 1;
	}
}

int
scan_skip(struct scan *s)
{
	struct nest n = { .depth = s->depth, .base = s->depth };
	int done;

	if (s->failed)
		return -1;
	for (;;) {
		done = skip_value(s, &n);
		if (done < 0)
			return -1;
		while (done && n.depth > n.base) {
			bool array = in_array(&n);
			char c = next_char(s);

			if (c == ',') {
				s->p++;
				if (!array && skip_key(s) < 0)
					return -1;
				done = 0;
			} else if (c == (array ? ']' : '}')) {
				s->p++;
				n.depth--;
			} else {
				return broken(s, s->p, "expected ',' or '%c'", array ? ']' : '}');
			}
		}
		if (done)
			return 0;
	}
}

int
scan_end(struct scan *s)
{
	if (s->failed)
		return -1;
	if (next_char(s) != '\0')
		return broken(s, s->p, "text after the end");
	return s->failed ? -1 : 0;
}

void
scan_mark(struct scan *s)
{
	if (!s->failed)
		next_char(s);
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
