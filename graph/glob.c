#include "graph/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

enum item_kind { ITEM_CHAR, ITEM_ANY, ITEM_STAR, ITEM_SET };

struct range {
	uint32_t from, to;
};

struct glob_item {
	enum item_kind kind;
	bool negated;               /* ITEM_SET */
	uint32_t c;                 /* ITEM_CHAR */
	const struct range *ranges; /* ITEM_SET; none = nothing, or negated anything */
	size_t nranges;
};

/* One character and how many bytes it took; a stray byte stands for itself, out of Unicode's
 * way. */
static uint32_t
decode(const unsigned char *p, size_t left, size_t *took)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	uint32_t c;

	*took = 1;
	if (n == 1)
		return p[0];
	if (n == 0 || n > left || p[0] > 0xf4)
		return 0x110000 + p[0];
	c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0x110000 + p[0];
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff)
		return 0x110000 + p[0];
	*took = n;
	return c;
}

static uint32_t *
decode_all(struct arena *a, const char *text, size_t len, size_t *n)
{
	uint32_t *out = arena_alloc(a, (len + 1) * sizeof(*out));
	size_t took;

	*n = 0;
	for (size_t i = 0; i < len; i += took)
		out[(*n)++] = decode((const unsigned char *)text + i, len - i, &took);
	return out;
}

/*
 * Inside of [...]. Python turns it into a regular expression: the text is cut at the hyphens that
 * make ranges, ranges that run backwards are cut out together with their ends, and only then is a
 * leading '!' looked for. So "[b-a!x]" is "[!x]", and we go the same way.
 */
struct chunk {
	const uint32_t *c;
	size_t n;
};

static size_t
cut_at_hyphens(struct arena *a, const uint32_t *s, size_t n, struct chunk **out)
{
	struct chunk *chunks = arena_alloc(a, (n + 1) * sizeof(*chunks));
	size_t nchunks = 0, from = 0, k = s[0] == '!' ? 2 : 1;

	for (; k < n; k++) {
		if (s[k] != '-')
			continue;
		chunks[nchunks++] = (struct chunk){ s + from, k - from };
		from = k + 1;
		k += 2;
	}
	if (from < n)
		chunks[nchunks++] = (struct chunk){ s + from, n - from };
	else
		chunks[nchunks - 1].n++;    /* a closing hyphen is a plain one */
	*out = chunks;
	return nchunks;
}

/* Joins b to a without the last of a and the first of b. */
static struct chunk
join_without_ends(struct arena *a, struct chunk x, struct chunk y)
{
	size_t n = x.n - 1 + y.n - 1;
	uint32_t *c = arena_alloc(a, (n + 1) * sizeof(*c));

	memcpy(c, x.c, (x.n - 1) * sizeof(*c));
	memcpy(c + x.n - 1, y.c + 1, (y.n - 1) * sizeof(*c));
	return (struct chunk){ c, n };
}

static void
add_range(struct range *ranges, size_t *n, uint32_t from, uint32_t to)
{
	ranges[(*n)++] = (struct range){ from, to };
}

static void
compile_set(struct glob_item *item, struct arena *a, const uint32_t *s, size_t n)
{
	struct range *ranges = arena_alloc(a, 2 * (n + 1) * sizeof(*ranges));
	struct chunk *chunks;
	size_t nchunks = cut_at_hyphens(a, s, n, &chunks), nranges = 0;

	for (size_t k = nchunks - 1; k > 0; k--) {
		if (chunks[k - 1].c[chunks[k - 1].n - 1] <= chunks[k].c[0])
			continue;
		chunks[k - 1] = join_without_ends(a, chunks[k - 1], chunks[k]);
		memmove(chunks + k, chunks + k + 1, (nchunks - k - 1) * sizeof(*chunks));
		nchunks--;
	}
	item->kind = ITEM_SET;
	item->negated = chunks[0].n > 0 && chunks[0].c[0] == '!';
	if (item->negated) {
		chunks[0].c++;
		chunks[0].n--;
	}
	for (size_t k = 0; k < nchunks; k++) {
		for (size_t i = 0; i < chunks[k].n; i++)
			add_range(ranges, &nranges, chunks[k].c[i], chunks[k].c[i]);
		if (k + 1 == nchunks)
			break;
		if (chunks[k].n > 0)
			add_range(ranges, &nranges, chunks[k].c[chunks[k].n - 1],
			    chunks[k + 1].c[0]);
		else
			add_range(ranges, &nranges, '-', '-');    /* nothing before the hyphen */
	}
	item->ranges = ranges;
	item->nranges = nranges;
}

/* The position of the ']' that ends a set whose '[' is at `open`, or n. */
static size_t
set_end(const uint32_t *s, size_t n, size_t open)
{
	size_t j = open + 1;

	if (j < n && s[j] == '!')
		j++;
	if (j < n && s[j] == ']')
		j++;
	while (j < n && s[j] != ']')
		j++;
	return j;
}

void
glob_compile(struct glob *g, struct arena *a, const char *pattern, size_t len)
{
	size_t n, nitems = 0;
	uint32_t *s = decode_all(a, pattern, len, &n);
	struct glob_item *items = arena_zalloc(a, n + 1, sizeof(*items));
	bool special = false;

	for (size_t i = 0; i < n; i++) {
		struct glob_item *item = &items[nitems];
		size_t end;

		if (s[i] == '*') {
			special = true;
			if (nitems > 0 && items[nitems - 1].kind == ITEM_STAR)
				continue;
			item->kind = ITEM_STAR;
		} else if (s[i] == '?') {
			special = true;
			item->kind = ITEM_ANY;
		} else if (s[i] == '[' && (end = set_end(s, n, i)) < n) {
			special = true;
			compile_set(item, a, s + i + 1, end - i - 1);
			i = end;
		} else {
			item->kind = ITEM_CHAR;
			item->c = s[i];
		}
		nitems++;
	}
	g->items = items;
	g->nitems = nitems;
	g->literal = special ? NULL : arena_strndup(a, pattern, len);
	g->nliteral = len;
}

static bool
item_takes(const struct glob_item *item, uint32_t c)
{
	switch (item->kind) {
	case ITEM_CHAR:
		return item->c == c;
	case ITEM_ANY:
		return true;
	case ITEM_STAR:
		return false;
	case ITEM_SET:
		for (size_t i = 0; i < item->nranges; i++)
			if (item->ranges[i].from <= c && c <= item->ranges[i].to)
				return !item->negated;
		return item->negated;
	}
	return false;
}

/* The last star is the only one worth going back to: what came before it matched as early as it
 * could. */
bool
glob_matchn(const struct glob *g, const char *text, size_t len)
{
	const unsigned char *t = (const unsigned char *)text;
	size_t i = 0, at = 0, star = SIZE_MAX, star_at = 0, took;

	if (g->literal)
		return len == g->nliteral && memcmp(text, g->literal, len) == 0;
	while (at < len) {
		uint32_t c;

		if (i < g->nitems && g->items[i].kind == ITEM_STAR) {
			star = i++;
			star_at = at;
			if (i == g->nitems)
				return true;
			continue;
		}
		c = decode(t + at, len - at, &took);
		if (i < g->nitems && item_takes(&g->items[i], c)) {
			i++;
			at += took;
			continue;
		}
		if (star == SIZE_MAX)
			return false;
		decode(t + star_at, len - star_at, &took);
		star_at += took;
		at = star_at;
		i = star + 1;
	}
	while (i < g->nitems && g->items[i].kind == ITEM_STAR)
		i++;
	return i == g->nitems;
}

bool
glob_match(const struct glob *g, const char *text)
{
	return glob_matchn(g, text, strlen(text));
}

struct path_glob_part {
	bool any_depth;     /* ** */
	bool wild;          /* holds * ? [: never enters ".." */
	struct glob glob;
};

static int
add_part(struct path_glob_part *part, struct arena *a, const char *s, size_t n, struct err *err)
{
	part->any_depth = n == 2 && memcmp(s, "**", 2) == 0;
	if (!part->any_depth && memmem(s, n, "**", 2))
		return err_set(err,
		    "invalid path pattern: '**' must be a whole part between slashes");
	part->wild = memchr(s, '*', n) || memchr(s, '?', n) || memchr(s, '[', n);
	glob_compile(&part->glob, a, s, n);
	return 0;
}

int
path_glob_compile(struct path_glob *p, struct arena *a, const char *pattern, struct err *err)
{
	size_t len = strlen(pattern);
	struct path_glob_part *parts = arena_zalloc(a, len / 2 + 1, sizeof(*parts));
	size_t n = 0;

	if (len == 0)
		return err_set(err, "the path is empty");
	if (pattern[0] == '/')
		return err_set(err,
		    "a path is relative to the project's folder, it cannot start with '/'");
	for (const char *s = pattern; *s; ) {
		size_t part = strcspn(s, "/");

		if (part > 0 && !(part == 1 && s[0] == '.') &&
		    add_part(&parts[n++], a, s, part, err) < 0)
			return -1;
		s += part;
		s += *s == '/';
	}
	if (n == 0)
		return err_set(err, "the path names no file or folder");
	p->parts = parts;
	p->nparts = n;
	p->folders_only = pattern[len - 1] == '/' || parts[n - 1].any_depth;
	return 0;
}

/* ** may also stand for no folder at all. */
static void
skip_any_depth(const struct path_glob *p, unsigned char *open)
{
	for (size_t i = 0; i < p->nparts; i++)
		if (open[i] && p->parts[i].any_depth)
			open[i + 1] = 1;
}

/* open[i]: the path so far can stand for the first i parts. */
static void
take_part(const struct path_glob *p, unsigned char *open, const char *s, size_t n)
{
	bool parent = n == 2 && memcmp(s, "..", 2) == 0;

	for (size_t i = p->nparts + 1; i-- > 0; ) {
		bool stay = i < p->nparts && open[i] && p->parts[i].any_depth && !parent;
		bool come = i > 0 && open[i - 1] && !p->parts[i - 1].any_depth &&
			!(p->parts[i - 1].wild && parent) && glob_matchn(&p->parts[i - 1].glob, s,
			    n);

		open[i] = stay || come;
	}
	skip_any_depth(p, open);
}

bool
path_glob_match(const struct path_glob *p, const char *path, bool is_folder)
{
	unsigned char few[64], *open = p->nparts < sizeof(few) ? few : xmalloc(p->nparts + 1);
	bool hit;

	if (p->folders_only && !is_folder)
		return false;
	memset(open, 0, p->nparts + 1);
	open[0] = 1;
	skip_any_depth(p, open);
	for (const char *s = path; *s; ) {
		size_t n = strcspn(s, "/");

		take_part(p, open, s, n);
		s += n;
		s += *s == '/';
	}
	hit = open[p->nparts];
	if (open != few)
		free(open);
	return hit;
}
