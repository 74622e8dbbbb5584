#include "cli/ls_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/json.h"
#include "graph/scan.h"
#include "util/buf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define WORD(s) { s, sizeof(s) - 1 }

struct line {
	size_t at, len;      /* in the text; len 0 = the node is not listed */
};

/* The key among the words, or NULL. */
static const char *
find_word(const struct scan_text *words, size_t n, const struct scan_text *key)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].len == key->len && memcmp(words[i].s, key->s, key->len) == 0)
			return words[i].s;
	return NULL;
}

/* ---- values ---- */

static char *
add_code_point(char *to, unsigned c)
{
	static const char hex[] = "0123456789abcdef";

	if (c >= 0x10000) {
		to = add_code_point(to, 0xd800 + ((c - 0x10000) >> 10));
		c = 0xdc00 + ((c - 0x10000) & 0x3ff);
	}
	*to++ = '\\';
	*to++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*to++ = hex[c >> shift & 0xf];
	return to;
}

/* A character that JSON has as an escape already, or that is not ASCII. */
static char *
add_rare(char *to, const char **at)
{
	const char *s = *at;
	unsigned c = (unsigned char)*s, n, code;

	if (c == '\\') {
		if (s[1] != '/')
			*to++ = '\\';
		*to++ = s[1];
		*at = s + 2;
		return to;
	}
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	code = n == 1 ? c : c & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	*at = s + n;
	return add_code_point(to, code);
}

/* A string as json.dumps() has it: what is not ASCII is escaped. The scanner checked the UTF-8. */
static char *
add_string(char *to, const char **at)
{
	const char *s = *at;

	*to++ = *s++;
	while (*s != '"') {
		if (*s >= ' ' && *s < 0x7f && *s != '\\')
			*to++ = *s++;
		else
			to = add_rare(to, &s);
	}
	*to++ = *s++;
	*at = s;
	return to;
}

/* A whole JSON value in Python's own spacing: ", " and ": ". */
static void
add_json(struct buf *out, struct scan_text value)
{
	const char *s = value.s, *end = s + value.len;
	char *to;

	buf_reserve(out, 6 * value.len);    /* at worst: all of it "\u007f" */
	to = out->data + out->len;
	while (s < end) {
		char c = *s;

		if (c == '"') {
			to = add_string(to, &s);
			continue;
		}
		if (c > ' ')
			*to++ = c;
		if (c == ',' || c == ':')
			*to++ = ' ';
		s++;
	}
	out->len = (size_t)(to - out->data);
}

static void
add_pair(struct buf *out, const char *key, struct scan_text value)
{
	if (out->data[out->len - 1] != '{')
		buf_adds(out, ", ");
	text_add_json(out, key);
	buf_adds(out, ": ");
	add_json(out, value);
}

/* ---- keys ---- */

static bool
is_first_part(const char *path, const char *s, size_t len)
{
	return strcspn(path, ".") == len && memcmp(path, s, len) == 0;
}

/* Past the first part of "config.materialized". */
static const char *
rest_of(const char *path)
{
	const char *dot = strchr(path, '.');

	return dot ? dot + 1 : NULL;
}

/* The value under the further parts of the path, or NULL. */
static const char *
nested(const char *value, const char *path)
{
	while (value && path) {
		char *key = xstrndup(path, strcspn(path, "."));

		value = json_get(value, key);
		free(key);
		path = rest_of(path);
	}
	return value;
}

/* The keys of --output-keys, in their order. */
static int
read_asked(struct scan *s, const struct strs *keys, struct buf *out)
{
	char **values = xcalloc(keys->n, sizeof(*values));    /* of the first parts; NULL: absent */
	struct scan_text key;
	int more;

	while ((more = scan_key(s, &key)) > 0) {
		size_t slot = 0;
		struct scan_text value;

		while (slot < keys->n && !is_first_part(keys->v[slot], key.s, key.len))
			slot++;
		if (slot < keys->n)
			scan_mark(s);
		if (scan_skip(s) < 0) {
			more = -1;
			break;
		}
		if (slot == keys->n)
			continue;
		value = scan_marked(s);
		free(values[slot]);
		values[slot] = xstrndup(value.s, value.len);
	}
	for (size_t i = 0; more == 0 && i < keys->n; i++) {
		const char *path = rest_of(keys->v[i]), *value = NULL;

		for (size_t k = 0; k < keys->n && !value; k++)
			if (is_first_part(keys->v[k], keys->v[i], strcspn(keys->v[i], ".")))
				value = nested(values[k], path);
		if (value && !(path && json_is_null(value)))
			add_pair(out, keys->v[i], (struct scan_text){ value, json_len(value) });
	}
	for (size_t i = 0; i < keys->n; i++)
		free(values[i]);
	free(values);
	return more;
}

/* dbt's own choice, in the node's order. */
static int
read_usual(struct scan *s, struct buf *out)
{
	static const struct scan_text usual[] = {
		WORD("alias"), WORD("name"), WORD("package_name"), WORD("depends_on"), WORD("tags"),
		WORD("config"), WORD("resource_type"), WORD("source_name"),
		WORD("original_file_path"), WORD("unique_id"),
	};
	struct scan_text key;
	int more;

	while ((more = scan_key(s, &key)) > 0) {
		const char *wanted = find_word(usual, sizeof(usual) / sizeof(usual[0]), &key);

		if (wanted)
			scan_mark(s);
		if (scan_skip(s) < 0)
			return -1;
		if (wanted)
			add_pair(out, wanted, scan_marked(s));
	}
	return more;
}

/* ---- nodes ---- */

static int
read_node(struct scan *s, const struct strs *keys, struct buf *out)
{
	if (scan_object(s) < 0)
		return -1;
	buf_addc(out, '{');
	if ((keys->n > 0 ? read_asked(s, keys, out) : read_usual(s, out)) < 0)
		return -1;
	buf_adds(out, "}\n");
	return 0;
}

/* One section of the manifest: the lines of the nodes in it that are wanted. */
static int
read_section(struct scan *s, const struct listing *l, struct line *lines, struct buf *out)
{
	struct scan_text key;
	int more;

	if (scan_peek(s) != SCAN_OBJECT)
		return scan_skip(s);
	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0) {
		const struct node *n = map_getn(&l->g->by_id, key.s, key.len);
		size_t at = out->len;

		if (!n || !set_has(l->set, n->index)) {
			if (scan_skip(s) < 0)
				return -1;
			continue;
		}
		if (read_node(s, l->keys, out) < 0)
			return -1;
		lines[n->index] = (struct line){ at, out->len - at };
	}
	return more;
}

static int
read_all(struct scan *s, const struct listing *l, struct line *lines, struct buf *out)
{
	static const struct scan_text sections[] = {
		WORD("nodes"), WORD("sources"), WORD("exposures"), WORD("metrics"),
		WORD("semantic_models"), WORD("saved_queries"), WORD("unit_tests"),
		WORD("functions"),
	};
	struct scan_text key;
	int more = scan_object(s);

	while (more >= 0 && (more = scan_key(s, &key)) > 0)
		more = find_word(sections, sizeof(sections) / sizeof(sections[0]), &key) ?
			read_section(s, l, lines, out) : scan_skip(s);
	return more;
}

int
ls_json(const struct listing *l, struct err *err)
{
	struct line *lines = xcalloc(l->g->nnodes + 1, sizeof(*lines));
	struct buf text = BUF_INIT;
	struct scan s;
	int rc = scan_open(&s, l->manifest, err);

	if (rc == 0)
		rc = read_all(&s, l, lines, &text);
	scan_close(&s);
	for (size_t i = 0; rc >= 0 && i < l->g->nnodes; i++)
		if (lines[i].len > 0)
			fwrite(text.data + lines[i].at, 1, lines[i].len, stdout);
	free(lines);
	buf_release(&text);
	return rc < 0 ? -1 : 0;
}
