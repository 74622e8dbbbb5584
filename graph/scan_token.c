#include "graph/scan_inside.h"

/* ---- strings ---- */

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
	bool whole = scan_have(s, 12);
	size_t n = (size_t)(s->end - s->p);

	if ((n > 6 && s->p[6] != '\\') || (n > 7 && s->p[7] != 'u'))
		return scan_broken(s, s->p, "half of a surrogate pair");
	if (!whole)
		return scan_broken(s, s->end, "the file ends inside a string");
	if ((hex4(s->p + 8) & ~0x3ff) != 0xdc00)
		return scan_broken(s, s->p, "half of a surrogate pair");
	s->p += 12;
	return 0;
}

/* s->p at a backslash. */
static int
skip_escape(struct scan *s)
{
	int unit;

	if (!scan_have(s, 2))
		return scan_broken(s, s->end, "the file ends inside a string");
	switch (s->p[1]) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		s->p += 2;
		return 0;
	case 'u':
		break;
	default:
		return scan_broken(s, s->p, "unknown escape in a string");
	}
	if (!scan_have(s, 6))
		return scan_broken(s, s->end, "the file ends inside a string");
	unit = hex4(s->p + 2);
	if (unit < 0)
		return scan_broken(s, s->p, "a \\u without four hexadecimal digits");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return scan_broken(s, s->p, "half of a surrogate pair");
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

	scan_have(s, 4);   /* fewer is fine: a NUL is no continuation byte */
	u = (const unsigned char *)s->p;
	n = u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 :
	    u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return scan_broken(s, s->p + i == s->end ? s->end : s->p,
			    "text that is not UTF-8");
	if (!n || (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return scan_broken(s, s->p, "text that is not UTF-8");
	s->p += n;
	return 0;
}

int
scan_rest_of_string(struct scan *s)
{
	int escapes = 0;

	for (;; s->p = scan_special(s->p)) {
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
				if (!scan_more(s))
					return scan_broken(s, s->end,
					    "the file ends inside a string");
				break;
			}
			/* fall through */
		default:
			if ((unsigned char)*s->p < ' ')
				return scan_broken(s, s->p, "a control character in a string");
			if (skip_utf8(s) < 0)
				return -1;
		}
	}
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

int
scan_decode(struct scan *s, const struct scan_text *raw, struct scan_text *text)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = raw->s, *end = raw->s + raw->len;
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
	*text = (struct scan_text){ buf_str(b), b->len };
	return 0;
}

int
scan_read_raw(struct scan *s, struct scan_text *raw)
{
	int escapes;

	s->token = s->p;
	s->p = scan_special(s->p + 1);
	escapes = scan_rest_of_string(s);
	*raw = (struct scan_text){ s->token + 1, (size_t)(s->p - s->token) - 2 };
	s->token = NULL;
	return escapes;
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

enum scan_type
scan_read_bare(struct scan *s, struct scan_text *text)
{
	enum scan_type type;

	s->token = s->p;
	do
		while (is_bare(*s->p))
			s->p++;
	while (s->p == s->end && scan_more(s));
	*text = (struct scan_text){ s->token, (size_t)(s->p - s->token) };
	s->token = NULL;
	type = bare_type(text);
	if (type == SCAN_ERROR && is_odd_number(text)) {
		s->odd = true;
		return SCAN_NUMBER;
	}
	if (type == SCAN_ERROR && scan_type_of(text->s[0]) == SCAN_ERROR)
		scan_broken(s, text->s, "expected a value");
	else if (type == SCAN_ERROR)
		scan_broken(s, s->eof && s->p == s->end ? s->end : text->s,
		    "neither a number nor true, false, null");
	return type;
}
