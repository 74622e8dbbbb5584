#include "exporters/k8s.h"

#include <ctype.h>
#include <string.h>

#include "util/hash.h"

void
k8s_add_name(struct buf *out, const char *text, size_t max)
{
	size_t from = out->len;
	bool changed = false;

	for (const char *s = text; *s; s++) {
		char c = (char)tolower((unsigned char)*s);
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		/* _ and - are the same here, as nearly everybody takes them */
		changed = changed || (!plain && !strchr("_-", c));
		if (plain || (out->len > from && out->data[out->len - 1] != '-'))
			buf_addc(out, plain ? c : '-');
	}
	if (out->len == from)
		buf_adds(out, "dbt");
	if (changed || out->len - from > max) {
		if (out->len - from > max - 9)
			buf_truncate(out, from + max - 9);
		buf_addf(out, "-%08x", (unsigned)(hash_text(HASH_START, text) >> 32));
	}
	while (out->data[out->len - 1] == '-')
		buf_truncate(out, out->len - 1);
}

/* Does $( at s open a name that an environment variable may have? */
static bool
opens_variable(const char *s)
{
	size_t n = strspn(s + 2,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return s[1] == '(' && n && s[2 + n] == ')';
}

void
k8s_add_literal(struct buf *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		if (s[0] == '$' && (s[1] == '$' || opens_variable(s))) {
			buf_adds(out, "$$");
			if (s[1] == '$') {
				buf_adds(out, "$$");
				s++;
			}
		} else {
			buf_addc(out, *s);
		}
	}
}

void
k8s_write_list(struct emit *e, const char *key, const struct argv *words)
{
	emit_indent(e);
	emit_add(e, "%s: [", key);
	for (size_t i = 0; i < words->n; i++)
		emit_add(e, "%s%q", i ? ", " : "", words->v[i]);
	emit_add(e, "]\n");
}
