#include "util/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

extern char **environ;

#define SECRET_PREFIX "DBT_ENV_SECRET"   /* dbt/constants.py SECRET_ENV_PREFIX */

static struct {
	char **v;
	size_t n, cap;
} secrets;

size_t
text_decode(const char *text, uint32_t *cp)
{
	const unsigned char *s = (const unsigned char *)text;
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;

	if (n == 0)
		return 0;
	*cp = n == 1 ? *s : *s & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < smallest[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return n;
}

bool
text_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void
add_visible(struct buf *b, uint32_t c)
{
	if (c == '\n')
		buf_adds(b, "\\n");
	else if (c == '\r')
		buf_adds(b, "\\r");
	else if (c == '\t')
		buf_adds(b, "\\t");
	else if (c < 0x100)
		buf_addf(b, "\\x%02x", (unsigned)c);
	else
		buf_addf(b, "\\u%04x", (unsigned)c);
}

/* "::" at the start of a line, after any blanks, is a command to GitHub's runner. */
static bool
is_ci_command(const char *s)
{
	s += strspn(s, " \t");
	return s[0] == ':' && s[1] == ':';
}

void
text_add_safe(struct buf *b, const char *text, bool lines, const char *indent)
{
	size_t from = b->len;
	bool fresh = from == 0 || b->data[from - 1] == '\n';
	const char *s = text;

	while (*s) {
		uint32_t c;
		size_t n;

		if (fresh && is_ci_command(s)) {
			size_t blanks = strspn(s, " \t");

			buf_add(b, s, blanks);
			buf_adds(b, "\\:");
			s += blanks + 1;
			fresh = false;
			continue;
		}
		fresh = false;
		n = text_decode(s, &c);
		if (n == 0) {
			buf_adds(b, "\xef\xbf\xbd");
			s++;
			continue;
		}
		if (c == '\n' && lines) {
			buf_addc(b, '\n');
			buf_adds(b, indent ? indent : "");
			fresh = true;
		} else if (c == '\t' && lines) {
			buf_adds(b, "    ");
		} else if (text_is_control(c)) {
			add_visible(b, c);
		} else {
			buf_add(b, s, n);
		}
		s += n;
	}
	if (b->data)
		secrets_mask(b, from);
}

char *
text_safe_line(const char *text)
{
	struct buf b = BUF_INIT;

	text_add_safe(&b, text, false, NULL);
	return buf_detach(&b);
}

/* Bytes that stand for themselves in a JSON string: most of them, so they are copied in runs. */
static size_t
json_run(const char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void
text_add_shell_word(struct buf *b, const char *word)
{
	if (*word &&
	    word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "_./:=@%+,-")] == '\0') {
		buf_adds(b, word);
		return;
	}
	buf_addc(b, '\'');
	for (const char *s = word; *s; s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

void
text_add_json(struct buf *b, const char *text)
{
	size_t from;

	buf_addc(b, '"');
	from = b->len;
	for (const char *s = text; *s;) {
		uint32_t c;
		size_t n = json_run(s);

		if (n) {
			buf_add(b, s, n);
			s += n;
			continue;
		}
		n = text_decode(s, &c);
		if (n == 0) {
			buf_adds(b, "\\ufffd");
			s++;
			continue;
		}
		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", (int)c);
		else if (c == '\n')
			buf_adds(b, "\\n");
		else if (c == '\t')
			buf_adds(b, "\\t");
		/* JSON need not, but it is read on terminals as well */
		else if (text_is_control(c))
			buf_addf(b, "\\u%04x", (unsigned)c);
		else
			buf_add(b, s, n);
		s += n;
	}
	secrets_mask(b, from);
	buf_addc(b, '"');
}

static bool
is_wide(uint32_t c)
{
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
		(c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
		(c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
		(c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
		(c >= 0x20000 && c <= 0x3fffd);
}

size_t
text_width(const char *text)
{
	size_t width = 0;

	for (const char *s = text; *s;) {
		uint32_t c = 0;
		size_t n = text_decode(s, &c);

		if (!(c >= 0x0300 && c <= 0x036f) && c != 0x200d && !(c >= 0xfe00 && c <= 0xfe0f))
			width += n && is_wide(c) ? 2 : 1;
		s += n ? n : 1;
	}
	return width;
}

bool
text_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
text_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

bool
text_is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n\f\v")] == '\0';
}

char **
text_copy_list(const char *const *v)
{
	size_t n = 0;
	char **copy;

	while (v && v[n])
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(v[i]);
	return copy;
}

void
text_free_list(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

/* Letters changed, left out, put in, or two swapped; words over 64 bytes are never near. */
static size_t
distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), rows[3][65];
	size_t *older = rows[0], *old = rows[1], *row = rows[2];

	if (n > 64 || m > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *spare = older;

		older = old;
		old = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = old[j - 1] + (a[i - 1] != b[j - 1]);

			if (old[j] + 1 < best)
				best = old[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    older[j - 2] + 1 < best)
				best = older[j - 2] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

const char *
text_closest(const char *word, const char *const *words, size_t nwords)
{
	size_t limit = (strlen(word) + 2) / 3, best = limit + 1;
	const char *found = NULL;

	for (size_t i = 0; i < nwords; i++) {
		size_t d = distance(word, words[i]);

		/* The beginning of a longer word is near, unless another is nearer. */
		if (d >= best && !found && strlen(word) >= 3 && text_starts(words[i], word)) {
			found = words[i];
			continue;
		}
		if (d < best && d < strlen(words[i])) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

static void
remember(const char *value, size_t len)
{
	for (size_t i = 0; i < secrets.n; i++)
		if (strlen(secrets.v[i]) == len && memcmp(secrets.v[i], value, len) == 0)
			return;
	secrets.v = xgrow(secrets.v, secrets.n, &secrets.cap, sizeof(*secrets.v));
	secrets.v[secrets.n++] = xstrndup(value, len);
}

void
secrets_add(const char *value)
{
	struct buf json = BUF_INIT;
	size_t known = secrets.n;

	if (strlen(value) < 4)
		return;
	/* As it looks inside JSON too, quoted before it counts as a secret itself. */
	text_add_json(&json, value);
	remember(value, strlen(value));
	if (secrets.n > known)
		remember(json.data + 1, json.len - 2);
	buf_release(&json);
}

void
secrets_init(void)
{
	for (char **e = environ; *e; e++)
		if (text_starts(*e, SECRET_PREFIX) && strchr(*e, '='))
			secrets_add(strchr(*e, '=') + 1);
}

/* The secret that starts at s, longest first, or NULL. */
static const char *
secret_at(const char *s, size_t len)
{
	const char *found = NULL;

	for (size_t i = 0; i < secrets.n; i++) {
		size_t n = strlen(secrets.v[i]);

		if (n <= len && memcmp(s, secrets.v[i], n) == 0 && (!found || n > strlen(found)))
			found = secrets.v[i];
	}
	return found;
}

void
secrets_mask(struct buf *b, size_t from)
{
	struct buf out = BUF_INIT;
	bool first[256] = { false };
	size_t done = from;

	for (size_t i = 0; i < secrets.n; i++)
		first[(unsigned char)secrets.v[i][0]] = true;
	for (size_t i = from; secrets.n && i < b->len;) {
		const char *hit = first[(unsigned char)b->data[i]] ? secret_at(b->data + i,
		    b->len - i) : NULL;

		if (!hit) {
			i++;
			continue;
		}
		buf_add(&out, b->data + done, i - done);
		buf_adds(&out, SECRETS_MASK);
		i += strlen(hit);
		done = i;
	}
	if (done > from) {
		buf_add(&out, b->data + done, b->len - done);
		buf_truncate(b, from);
		buf_add(b, out.data, out.len);
	}
	buf_release(&out);
}

void
secrets_release(void)
{
	for (size_t i = 0; i < secrets.n; i++)
		free(secrets.v[i]);
	free(secrets.v);
	memset(&secrets, 0, sizeof(secrets));
}
