#include "executor/config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

int
config_refuse(struct config_reader *rd, const struct ynode *at, const char *fmt, const char *a,
    const char *b)
{
	err_set(rd->err, fmt, a, b);
	if (rd->has_lines)
		return err_prefix(rd->err, "%s:%zu", rd->where, at->line);
	return err_prefix(rd->err, "%s", rd->where);
}

const char *
config_scalar(const struct ynode *n)
{
	return n->type == YT_LIST || n->type == YT_MAP ? NULL : n->text;
}

const char *
config_origin(struct config_reader *rd, const struct ynode *at)
{
	return arena_printf(rd->arena, "%s:%zu", fs_base(rd->where), at->line);
}

int
config_text(struct config_reader *rd, const struct ynode *n, const char *key, const char **out)
{
	const char *s = config_scalar(n);

	if (!s || !*s)
		return config_refuse(rd, n, "%s: expected %s", key, "a text");
	*out = arena_strdup(rd->arena, s);
	return 0;
}

int
config_number(struct config_reader *rd, const struct ynode *n, const char *key,
    const double range[2], bool whole, double *out)
{
	const char *s = config_scalar(n);
	char *end = NULL;
	double v = s && *s ? strtod(s, &end) : 0;
	char expected[80];

	if (s && *s && *end == '\0' && v >= range[0] && v <= range[1] &&
	    (!whole || v == (double)(long long)v)) {
		*out = v;
		return 0;
	}
	snprintf(expected, sizeof(expected), "a %snumber from %g to %g", whole ? "whole " : "",
	    range[0], range[1]);
	return config_refuse(rd, n, "%s: expected %s", key, expected);
}

int
config_duration(struct config_reader *rd, const struct ynode *n, const char *key, int64_t *out)
{
	const char *s = config_scalar(n);

	*out = s ? clock_parse_duration_ms(s) : -1;
	return *out >= 0 ? 0 :
	    config_refuse(rd, n, "%s: expected %s", key, "a duration like 30s, 5m or 2h");
}

int
config_word(struct config_reader *rd, const struct ynode *n, const char *key,
    const char *const *words, size_t *out)
{
	const char *s = config_scalar(n);
	struct buf expected = BUF_INIT;

	for (*out = 0; s && words[*out]; (*out)++)
		if (strcmp(s, words[*out]) == 0)
			return 0;
	for (size_t i = 0; words[i]; i++)
		buf_addf(&expected, "%s'%s'", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	config_refuse(rd, n, "%s: expected %s", key, buf_str(&expected));
	buf_release(&expected);
	return -1;
}

static int
unknown_key(struct config_reader *rd, const struct ynode *at, const char *what,
    const struct config_key *keys, size_t nkeys)
{
	const char **names = xcalloc(nkeys, sizeof(*names)), *near;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < nkeys; i++) {
		names[i] = keys[i].name;
		buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	near = text_closest(at->text, names, nkeys);
	config_refuse(rd, at, "%s: unknown key '%s'", what, at->text);
	if (near)
		err_hint(rd->err, "did you mean '%s'?", near);
	else
		err_hint(rd->err, "known keys: %s", all.data);
	buf_release(&all);
	free(names);
	return -1;
}

int
config_mapping(struct config_reader *rd, const struct ynode *map, const char *what,
    const struct config_key *keys, size_t nkeys, void *into)
{
	if (map->type != YT_MAP)
		return config_refuse(rd, map, "%s: expected %s", what, "a mapping");
	if (map->twice)
		return config_refuse(rd, map->twice, "%s: '%s' stands twice", what,
		    map->twice->text);
	for (size_t k = 0; k < map->n; k++) {
		size_t i = 0;

		while (i < nkeys && strcmp(map->keys[k]->text, keys[i].name) != 0)
			i++;
		if (i == nkeys)
			return unknown_key(rd, map->keys[k], what, keys, nkeys);
		if (keys[i].read(rd, map->items[k], keys[i].name, into) < 0)
			return -1;
	}
	return 0;
}
