#include "graph/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 256   /* as the manifest's reader */

static const char *
skip_blank(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* Past a string's closing quote, or NULL. */
static const char *
string_end(const char *s)
{
	for (s++; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if (*s == '\0')
			return NULL;
	}
	return s + 1;
}

static const char *
scalar_end(const char *s)
{
	size_t n = strcspn(s, " \t\r\n,:]}[{\"");

	return n > 0 ? s + n : NULL;
}

const char *
json_end(const char *value)
{
	size_t depth = 0;
	const char *s = value;

	if (!s)
		return NULL;
	do {
		s = skip_blank(s);
		if (*s == '{' || *s == '[') {
			depth++;
			s++;
		} else if (*s == '}' || *s == ']') {
			if (depth == 0)
				return NULL;
			depth--;
			s++;
		} else if (depth > 0 && (*s == ',' || *s == ':')) {
			s++;
		} else {
			s = *s == '"' ? string_end(s) : scalar_end(s);
		}
	} while (s && depth > 0);
	return s;
}

size_t
json_len(const char *value)
{
	const char *end = json_end(value);

	return end ? (size_t)(end - value) : 0;
}

const char *
json_first(const char *container)
{
	if (!container || (*container != '{' && *container != '['))
		return NULL;
	container = skip_blank(container + 1);
	return *container == '}' || *container == ']' || *container == '\0' ? NULL : container;
}

const char *
json_value(const char *key)
{
	const char *s = key && *key == '"' ? string_end(key) : NULL;

	s = s ? skip_blank(s) : NULL;
	return s && *s == ':' ? skip_blank(s + 1) : NULL;
}

const char *
json_next(const char *item)
{
	const char *value = json_value(item);
	const char *s = json_end(value ? value : item);

	s = s ? skip_blank(s) : NULL;
	return s && *s == ',' ? skip_blank(s + 1) : NULL;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four hex digits after \u, or -1. */
static int
hex4(const char *s)
{
	int cp = 0;

	for (int i = 0; i < 4; i++) {
		int d = hex_digit(s[i]);

		if (d < 0)
			return -1;
		cp = cp << 4 | d;
	}
	return cp;
}

static size_t
encode(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/*
 * One character of a string's inside: up to four bytes of UTF-8. A lone surrogate is encoded as it
 * stands. Returns the number of bytes, 0 at the closing quote; moves *s on.
 */
static size_t
next_char(const char **s, char out[4])
{
	static const char escapes[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
	const char *hit;
	int cp, low;

	if (**s == '"' || **s == '\0')
		return 0;
	if (**s != '\\') {
		size_t n = 0;

		do
			out[n++] = *(*s)++;
		while (n < 4 && ((unsigned char)out[0] & 0x80) &&
		    ((unsigned char)**s & 0xc0) == 0x80);
		return n;
	}
	(*s)++;
	hit = **s ? strchr(escapes, **s) : NULL;
	if (hit) {
		out[0] = plain[hit - escapes];
		(*s)++;
		return 1;
	}
	cp = **s == 'u' ? hex4(*s + 1) : -1;
	if (cp < 0)
		return 0;
	*s += 5;
	if (cp >= 0xd800 && cp < 0xdc00 && (*s)[0] == '\\' && (*s)[1] == 'u') {
		low = hex4(*s + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			*s += 6;
			cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return encode((uint32_t)cp, out);
}

void
json_add_string(struct buf *b, const char *value)
{
	char c[4];
	size_t n;

	if (!value || *value != '"')
		return;
	value++;
	do {
		size_t plain = strcspn(value, "\"\\");

		buf_add(b, value, plain);
		value += plain;
		n = next_char(&value, c);
		buf_add(b, c, n);
	} while (n > 0);
}

void
json_add_compact(struct buf *b, const char *value)
{
	const char *end = json_end(value), *next;

	for (const char *at = value; at < end; at = next) {
		next = *at == '"' ? string_end(at) : at + 1;
		if (!strchr(" \t\r\n", *at))
			buf_add(b, at, (size_t)(next - at));
	}
}

bool
json_is_string(const char *value, const char *text)
{
	char c[4];
	size_t n;

	if (!value || *value != '"')
		return false;
	value++;
	while ((n = next_char(&value, c)) > 0) {
		if (strncmp(text, c, n) != 0)
			return false;
		text += n;
	}
	return *text == '\0';
}

/* Both are strings. The common case, the same bytes, was ruled out by the caller. */
static bool
equal_strings(const char *a, const char *b)
{
	char ca[4], cb[4];
	size_t na, nb;

	a++;
	b++;
	do {
		na = next_char(&a, ca);
		nb = next_char(&b, cb);
		if (na != nb || memcmp(ca, cb, na) != 0)
			return false;
	} while (na > 0);
	return true;
}

const char *
json_get(const char *object, const char *key)
{
	if (!object || *object != '{')
		return NULL;
	for (const char *at = json_first(object); at; at = json_next(at))
		if (json_is_string(at, key))
			return json_value(at);
	return NULL;
}

size_t
json_count(const char *container)
{
	size_t n = 0;

	for (const char *at = json_first(container); at; at = json_next(at))
		n++;
	return n;
}

static bool
is_word(const char *value, const char *word)
{
	return value && strncmp(value, word, strlen(word)) == 0;
}

bool
json_is_true(const char *value)
{
	return is_word(value, "true");
}

bool
json_is_null(const char *value)
{
	return !value || *value == 'n';
}

static bool
is_number(const char *value)
{
	return *value == '-' || (*value >= '0' && *value <= '9');
}

bool
json_truth(const char *value)
{
	if (json_is_null(value) || is_word(value, "false"))
		return false;
	if (*value == '"')
		return value[1] != '"';
	if (*value == '{' || *value == '[')
		return json_first(value) != NULL;
	return !is_number(value) || strtod(value, NULL) != 0;
}

static bool
is_whole(const char *number, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(".eE", number[i]))
			return false;
	return true;
}

/* Whole numbers by all their digits: account numbers have more than a double. Others by value. */
static bool
equal_numbers(const char *a, const char *b)
{
	size_t na, nb;

	if (!is_number(a))
		a = is_word(a, "true") ? "1" : "0";
	if (!is_number(b))
		b = is_word(b, "true") ? "1" : "0";
	na = json_len(a);
	nb = json_len(b);
	if ((na > 15 || nb > 15) && is_whole(a, na) && is_whole(b, nb))
		return na == nb && memcmp(a, b, na) == 0;
	return strtod(a, NULL) == strtod(b, NULL);
}

static bool
counts_as_number(const char *value)
{
	return is_number(value) || is_word(value, "true") || is_word(value, "false");
}

/* The defaults of dbt's classes: empty, except for constraints and `enabled` of a config itself. */
static bool
is_default(const char *key, const char *value, unsigned depth)
{
	if (key && depth <= 1 && json_is_string(key, "enabled"))
		return json_is_true(value);
	if (key && (json_is_string(key, "warn_unenforced") ||
	    json_is_string(key, "warn_unsupported")))
		return json_is_true(value);
	if (*value == '{' && depth < MAX_DEPTH) {
		for (const char *at = json_first(value); at; at = json_next(at))
			if (!json_value(at) || !is_default(at, json_value(at), depth + 1))
				return false;
		return true;
	}
	return *value == '[' ? !json_first(value) : !json_truth(value) && !is_number(value);
}

static bool equal(const char *a, const char *b, bool typed, unsigned depth);

static bool
equal_lists(const char *a, const char *b, bool typed, unsigned depth)
{
	a = json_first(a);
	b = json_first(b);
	for (; a && b; a = json_next(a), b = json_next(b))
		if (!equal(a, b, typed, depth))
			return false;
	return !a && !b;
}

/* The same key in an object; looks at the likely place first, as both come from one writer. */
static const char *
same_key(const char *key, const char *likely, const char *object)
{
	size_t n = json_len(key);

	if (likely && json_len(likely) == n && memcmp(likely, key, n) == 0)
		return likely;
	for (const char *at = json_first(object); at; at = json_next(at))
		if ((json_len(at) == n && memcmp(at, key, n) == 0) ||
		    (*at == '"' && *key == '"' && equal_strings(at, key)))
			return at;
	return NULL;
}

/* Keys of a that b lacks are defaults, if `typed`; else there are none. */
static bool
lacks_only_defaults(const char *a, const char *b, bool typed, unsigned depth)
{
	const char *likely = json_first(b);

	for (const char *at = json_first(a); at; at = json_next(at)) {
		const char *key = same_key(at, likely, b);

		if (key)
			likely = json_next(key);
		else if (!typed || !json_value(at) || !is_default(at, json_value(at), depth))
			return false;
	}
	return true;
}

static bool
equal_objects(const char *a, const char *b, bool typed, unsigned depth)
{
	const char *likely = json_first(b);

	for (const char *at = json_first(a); at; at = json_next(at)) {
		const char *key = same_key(at, likely, b);

		if (!key)
			continue;
		if (!equal(json_value(at), json_value(key), typed, depth))
			return false;
		likely = json_next(key);
	}
	return lacks_only_defaults(a, b, typed, depth) && lacks_only_defaults(b, a, typed, depth);
}

static bool
equal(const char *a, const char *b, bool typed, unsigned depth)
{
	size_t na = json_len(a), nb = json_len(b);

	if (na == 0 || nb == 0 || depth > MAX_DEPTH)
		return false;
	if (na == nb && memcmp(a, b, na) == 0)
		return true;
	if (counts_as_number(a) && counts_as_number(b))
		return equal_numbers(a, b);
	if (*a != *b)
		return false;
	switch (*a) {
	case '"': return equal_strings(a, b);
	case '[': return equal_lists(a, b, typed, depth + 1);
	case '{': return equal_objects(a, b, typed, depth + 1);
	default:  return *a == 'n';
	}
}

bool
json_equal(const char *a, const char *b)
{
	return a && b ? equal(a, b, false, 0) : a == b;
}

bool
json_equal_typed(const char *a, const char *b)
{
	if (a && b)
		return equal(a, b, true, 0);
	return a == b || is_default(NULL, a ? a : b, 0);
}
