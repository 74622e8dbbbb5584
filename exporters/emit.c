#include "exporters/emit.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/text.h"

#define REPLACEMENT 0xfffdu

/* The next character, moving *s past it; what is not UTF-8 reads as U+FFFD. */
static uint32_t
next_char(const char **s, size_t *len)
{
	uint32_t c;

	*len = text_decode(*s, &c);
	if (*len == 0) {
		c = REPLACEMENT;
		*s += 1;
	} else {
		*s += *len;
	}
	return c;
}

/* Appends the character that ends at `end` and took len bytes; 0 = it was no UTF-8. */
static void
add_char(struct buf *out, const char *end, size_t len)
{
	if (len)
		buf_add(out, end - len, len);
	else
		buf_adds(out, "\xef\xbf\xbd");
}

static bool
is_unwritable(uint32_t c)
{
	return text_is_control(c) || c == 0xfffe || c == 0xffff;
}

/* ---- Graphviz: inside quotes only \" is special to the scanner; labels then read \n, \\ and
 * HTML entities. An id keeps its backslashes, and cannot end with one: those are %5C there. ---- */

static void
dot_value(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", (int)c);
		else if (c == '&')
			buf_adds(out, "&amp;");
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (is_unwritable(c))
			buf_addc(out, ' ');
		else
			add_char(out, s, len);
	}
	buf_addc(out, '"');
}

static void
dot_identifier(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		if (c == '"')
			buf_adds(out, "\\\"");
		else if (c == '\\' || c == '%' || is_unwritable(c))
			buf_addf(out, "%%%02X", (unsigned)c);
		else
			add_char(out, s, len);
	}
	buf_addc(out, '"');
}

/* ---- XML, for text and for attributes in double quotes ---- */

static void
xml_value(struct buf *out, const char *text)
{
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		switch (c) {
		case '&':  buf_adds(out, "&amp;"); break;
		case '<':  buf_adds(out, "&lt;"); break;
		case '>':  buf_adds(out, "&gt;"); break;
		case '"':  buf_adds(out, "&quot;"); break;
		case '\'': buf_adds(out, "&#39;"); break;
		case '\n': buf_adds(out, "&#10;"); break;
		case '\t': buf_adds(out, "&#9;"); break;
		default:
			if (is_unwritable(c))
				buf_adds(out, "\xef\xbf\xbd");
			else
				add_char(out, s, len);
		}
	}
}

/* ---- JSON ---- */

/* Inside <script> neither "</script" nor "<!--" may appear, and old readers of JavaScript stumble
 * over U+2028 and U+2029. */
static void
script_value(struct buf *out, const char *text)
{
	struct buf json = BUF_INIT;

	text_add_json(&json, text);
	for (const char *s = buf_str(&json); *s;) {
		size_t len = 0;
		uint32_t c;

		while (s[len] > 0 && !strchr("<>&", s[len]))
			len++;
		buf_add(out, s, len);
		s += len;
		if (*s == '\0')
			break;
		c = next_char(&s, &len);
		if (c < 0x80 || is_unwritable(c))
			buf_addf(out, "\\u%04x", (unsigned)c);
		else
			add_char(out, s, len);
	}
	buf_release(&json);
}

/* ---- Mermaid: a text in quotes; everything that is a mark somewhere in the language is #NN;
 * ---- */

static void
mermaid_value(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		if (is_unwritable(c))
			buf_addc(out, ' ');
		else if (c < 0x80 && !isalnum((int)c) && !strchr(" _.", (int)c))
			buf_addf(out, "#%u;", (unsigned)c);
		else
			add_char(out, s, len);
	}
	buf_addc(out, '"');
}

/* ---- Python: letters stay, what cannot be seen is \\u ---- */

static void
add_python(struct buf *out, const char *text, char quote)
{
	buf_addc(out, quote);
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		if (c == (uint32_t)quote || c == '\\')
			buf_addf(out, "\\%c", (int)c);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c > 0xffff && is_unwritable(c))
			buf_addf(out, "\\U%08x", (unsigned)c);
		else if (is_unwritable(c))
			buf_addf(out, "\\u%04x", (unsigned)c);
		else
			add_char(out, s, len);
	}
	buf_addc(out, quote);
}

/* In double quotes, unless single ones save backslashes: as Python's own style guides have it. */
static void
python_value(struct buf *out, const char *text)
{
	add_python(out, text, strchr(text, '"') && !strchr(text, '\'') ? '\'' : '"');
}

/* ---- YAML: plain where no reader could take it for something else, else in double quotes ---- */

static bool
yaml_is_plain(const char *text)
{
	static const char *const taken[] = {
		"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"
	};

	if (!isalpha((unsigned char)*text))
		return false;
	for (const char *s = text; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_-./", *s))
			return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strcasecmp(text, taken[i]) == 0)
			return false;
	return true;
}

static void
yaml_value(struct buf *out, const char *text)
{
	if (yaml_is_plain(text))
		buf_adds(out, text);
	else
		add_python(out, text, '"');   /* the same escapes mean the same there */
}

void
emit_shell_word(struct buf *out, const char *word)
{
	text_add_shell_word(out, word);
}

void
emit_jinja_text(struct buf *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		if (*s == '{' && s[1] && strchr("{%#", s[1])) {
			buf_addf(out, "{{ '{%c' }}", s[1]);
			s++;
		} else {
			buf_addc(out, *s);
		}
	}
}

const struct emit_language emit_dot = { dot_value, dot_identifier, "  " };
const struct emit_language emit_xml = { xml_value, NULL, "  " };
const struct emit_language emit_json = { text_add_json, NULL, "  " };
const struct emit_language emit_script = { script_value, NULL, "" };
const struct emit_language emit_mermaid = { mermaid_value, NULL, "  " };
const struct emit_language emit_python = { python_value, NULL, "    " };
const struct emit_language emit_yaml = { yaml_value, NULL, "  " };

/* ---- the emitter ---- */

/* One line that no comment syntax ends: letters, marks and blanks; the rest becomes '?'. */
static void
add_comment(struct buf *out, const char *text)
{
	for (const char *s = text; *s;) {
		size_t len;
		uint32_t c = next_char(&s, &len);

		if (c == '\n' || c == '\t')
			buf_addc(out, ' ');
		else if (is_unwritable(c) || (c < 0x80 && strchr("\"'\\`*/<>%{}#$", (int)c)) ||
		    (c == '-' && *s == '-'))
			buf_addc(out, '?');
		else
			add_char(out, s, len);
	}
}

void
emit_number(struct buf *out, double x)
{
	double cents = round(fabs(x) * 100);
	uint64_t n;

	if (!(cents < 1e15)) {   /* infinite, not a number, or nothing a picture or a time holds */
		buf_addc(out, '0');
		return;
	}
	n = (uint64_t)cents;
	buf_addf(out, "%s%llu", x < 0 && n ? "-" : "", (unsigned long long)(n / 100));
	if (n % 10)
		buf_addf(out, ".%02u", (unsigned)(n % 100));
	else if (n % 100)
		buf_addf(out, ".%u", (unsigned)(n % 100 / 10));
}

void
emit_init(struct emit *e, struct buf *out, const struct emit_language *language)
{
	e->out = out;
	e->language = language;
	e->depth = 0;
}

static void
add_identifier(struct emit *e, const char *text)
{
	if (e->language->identifier)
		e->language->identifier(e->out, text);
	else
		e->language->value(e->out, text);
}

static void
emit_vadd(struct emit *e, const char *fmt, va_list ap)
{
	for (const char *s = fmt; *s; s++) {
		const char *end = strchr(s, '%');

		if (!end)
			end = s + strlen(s);
		buf_add(e->out, s, (size_t)(end - s));
		s = end;
		if (*s == '\0')
			return;
		switch (*++s) {
		case 'q': e->language->value(e->out, va_arg(ap, const char *)); break;
		case 'i': add_identifier(e, va_arg(ap, const char *)); break;
		case 'c': add_comment(e->out, va_arg(ap, const char *)); break;
		case 's': buf_adds(e->out, va_arg(ap, const char *)); break;
		case 'z': buf_addf(e->out, "%zu", va_arg(ap, size_t)); break;
		case 'u': buf_addf(e->out, "%u", (unsigned)va_arg(ap, uint32_t)); break;
		case 'f': emit_number(e->out, va_arg(ap, double)); break;
		case '%': buf_addc(e->out, '%'); break;
		default:  abort();   /* a mistake in an exporter's own format */
		}
	}
}

void
emit_add(struct emit *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_vadd(e, fmt, ap);
	va_end(ap);
}

void
emit_indent(struct emit *e)
{
	for (size_t i = 0; i < e->depth; i++)
		buf_adds(e->out, e->language->tab);
}

void
emit_line(struct emit *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (*fmt)
		emit_indent(e);
	emit_vadd(e, fmt, ap);
	buf_addc(e->out, '\n');
	va_end(ap);
}

void
emit_open(struct emit *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_indent(e);
	emit_vadd(e, fmt, ap);
	buf_addc(e->out, '\n');
	e->depth++;
	va_end(ap);
}

void
emit_close(struct emit *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	e->depth--;
	emit_indent(e);
	emit_vadd(e, fmt, ap);
	buf_addc(e->out, '\n');
	va_end(ap);
}
