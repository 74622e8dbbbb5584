/* selector_methods_name.c -- methods that ask for a name: fqn, tag, package, group, and
 * source, exposure, metric, semantic_model, saved_query, unit_test. */
#include <string.h>

#include "graph/glob.h"
#include "graph/selector_methods.h"
#include "util/buf.h"

static struct glob
compile(const struct selector_query *q, const char *pattern, size_t len)
{
	struct glob g;

	glob_compile(&g, q->scratch, pattern, len);
	return g;
}

static struct glob
value_glob(const struct selector_query *q)
{
	return compile(q, q->c->value.text, strlen(q->c->value.text));
}

/*
 * fqn. The value stands for the last item of a node's fqn, for the first dot-parts of it (a
 * folder), or, from its first part with *?[] on, for all of the rest. Asked twice: of the whole
 * list and of the list without the package. Comparing part by part is comparing the lists joined
 * by dots, because dots inside items split too.
 */
struct fqn_want {
	const char *text;
	size_t len;
	size_t ndots;
	struct buf tail;       /* the last two dot-parts joined by '_': dim.v2 is dim_v2 */
	bool wild;
	size_t fixed;          /* bytes before the first part with a wildcard */
	struct glob rest;      /* that part and all after it */
	struct buf *joined;    /* room for a node's list */
};

static void
fqn_prepare(struct fqn_want *w, const struct selector_query *q, struct buf *joined)
{
	const char *dots[2] = { NULL, NULL };
	size_t part = 0;

	*w = (struct fqn_want){ .text = q->c->value.text, .joined = joined };
	w->len = strlen(w->text);
	for (size_t i = 0; i < w->len && !w->wild; i++) {
		if (w->text[i] == '.')
			part = i + 1;
		w->wild = strchr("*?[]", w->text[i]) != NULL;
	}
	for (const char *p = w->text; (p = strchr(p, '.')); p++) {
		w->ndots++;
		dots[0] = dots[1];
		dots[1] = p;
	}
	if (dots[1]) {
		const char *from = dots[0] ? dots[0] + 1 : w->text;

		buf_addf(&w->tail, "%.*s_%s", (int)(dots[1] - from), from, dots[1] + 1);
	} else {
		buf_adds(&w->tail, w->text);
	}
	w->fixed = w->wild ? part : w->len;
	if (w->wild)
		w->rest = compile(q, w->text + part, w->len - part);
}

/* Whether the value is the list's own name: its last item, or for a versioned model the item
 * before it, or both joined. */
static bool
fqn_is_name(const struct fqn_want *w, const char *const *item, size_t n, bool versioned)
{
	size_t len;

	if (!versioned)
		return strcmp(item[n - 1], w->text) == 0;
	if (n < 2)
		return false;
	if (strcmp(item[n - 2], w->text) == 0)
		return true;
	len = strlen(item[n - 2]);
	return strncmp(item[n - 2], buf_str(&w->tail), len) == 0 && w->tail.data[len] == '_' &&
		strcmp(item[n - 1], w->tail.data + len + 1) == 0;
}

/* Whether the items joined by dots begin with text[0..len), and there, if asked, a dot-part
 * ends. */
static bool
fqn_begins(const char *const *item, size_t n, const char *text, size_t len, bool part_ends)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const char *s = item[i];

		if (i > 0 && text[at++] != '.')
			return false;
		while (*s && at < len)
			if (*s++ != text[at++])
				return false;
		if (at == len)
			return !part_ends || *s == '\0' || *s == '.';
	}
	return false;
}

static void
fqn_join(struct buf *b, const char *const *item, size_t n)
{
	buf_truncate(b, 0);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(b, '.');
		buf_adds(b, item[i]);
	}
}

static bool
fqn_is_under(const struct fqn_want *w, const char *const *item, size_t n, bool versioned)
{
	struct buf *b = w->joined;
	size_t ndots = 0;

	if (!fqn_begins(item, n, w->text, w->fixed, !w->wild))
		return false;
	if (!w->wild)
		return true;
	fqn_join(b, item, n);
	for (size_t i = 0; i < b->len; i++)
		ndots += b->data[i] == '.';
	if (ndots < w->ndots)
		return false;
	if (glob_matchn(&w->rest, b->data + w->fixed, b->len - w->fixed))
		return true;
	if (w->ndots > 0 || (versioned && n < 2))
		return false;
	return glob_match(&w->rest, item[versioned ? n - 2 : n - 1]);
}

static bool
fqn_match(const struct node *n, const void *arg)
{
	const struct fqn_want *w = arg;
	bool versioned = n->versioned && n->kind == KIND_MODEL;

	for (size_t skip = 0; skip < 2 && skip < n->fqn.n; skip++) {
		const char *const *item = n->fqn.v + skip;
		size_t nitems = n->fqn.n - skip;

		if (fqn_is_name(w, item, nitems, versioned) ||
		    fqn_is_under(w, item, nitems, versioned))
			return true;
	}
	return false;
}

int
method_fqn(const struct selector_query *q, struct set *out, struct err *err)
{
	struct buf joined = BUF_INIT;
	struct fqn_want w;

	(void)err;
	fqn_prepare(&w, q, &joined);
	selector_pick(q, EVERY_KIND & ~KIND_BIT(KIND_SOURCE), fqn_match, &w, out);
	buf_release(&w.tail);
	buf_release(&joined);
	return 0;
}

static bool
tag_match(const struct node *n, const void *arg)
{
	for (size_t i = 0; i < n->tags.n; i++)
		if (glob_match(arg, n->tags.v[i]))
			return true;
	return false;
}

int
method_tag(const struct selector_query *q, struct set *out, struct err *err)
{
	struct glob want = value_glob(q);

	(void)err;
	selector_pick(q, EVERY_KIND, tag_match, &want, out);
	return 0;
}

static bool
package_match(const struct node *n, const void *arg)
{
	return glob_match(arg, n->package);
}

int
method_package(const struct selector_query *q, struct set *out, struct err *err)
{
	const char *name = q->c->value.text;
	struct glob want;

	(void)err;
	if (strcmp(name, "this") == 0 && q->g->project_name)
		name = q->g->project_name;
	want = compile(q, name, strlen(name));
	selector_pick(q, EVERY_KIND, package_match, &want, out);
	return 0;
}

static bool
group_match(const struct node *n, const void *arg)
{
	return n->group && *n->group && glob_match(arg, n->group);
}

int
method_group(const struct selector_query *q, struct set *out, struct err *err)
{
	struct glob want = value_glob(q);

	(void)err;
	selector_pick(q, NODES_SECTION | KIND_BIT(KIND_METRIC), group_match, &want, out);
	return 0;
}

/* Names in up to three parts: [[package.]source.]name. What is not given matches anything. */
struct name_want {
	struct glob package, source, name;
};

static bool
name_match(const struct node *n, const void *arg)
{
	const struct name_want *w = arg;

	return glob_match(&w->name, n->name) && glob_match(&w->package, n->package) &&
		(n->kind != KIND_SOURCE ||
		    (n->source_name && glob_match(&w->source, n->source_name)));
}

static int
search_names(const struct selector_query *q, enum node_kind kind, const char *forms,
    struct set *out, struct err *err)
{
	size_t most = kind == KIND_SOURCE ? 3 : 2, n = 0;
	struct glob part[3], any = compile(q, "*", 1);
	struct name_want w = { any, any, any };

	for (const char *s = q->c->value.text;; s++) {
		size_t len = strcspn(s, ".");

		if (n == most)
			return err_set(err, "'%s' has too many parts, a %s is %s", q->c->value.text,
			    kind_name(kind), forms);
		part[n++] = compile(q, s, len);
		s += len;
		if (!*s)
			break;
	}
	if (kind == KIND_SOURCE) {    /* one part is the source, not the table */
		w.source = part[n == 3];
		w.name = n == 1 ? any : part[n - 1];
		w.package = n == 3 ? part[0] : any;
	} else {
		w.name = part[n - 1];
		w.package = n == 2 ? part[0] : any;
	}
	selector_pick(q, KIND_BIT(kind), name_match, &w, out);
	return 0;
}

int
method_source(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_SOURCE, "SOURCE, SOURCE.TABLE or PACKAGE.SOURCE.TABLE", out,
	    err);
}

int
method_exposure(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_EXPOSURE, "NAME or PACKAGE.NAME", out, err);
}

int
method_metric(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_METRIC, "NAME or PACKAGE.NAME", out, err);
}

int
method_semantic_model(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_SEMANTIC_MODEL, "NAME or PACKAGE.NAME", out, err);
}

int
method_saved_query(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_SAVED_QUERY, "NAME or PACKAGE.NAME", out, err);
}

int
method_unit_test(const struct selector_query *q, struct set *out, struct err *err)
{
	return search_names(q, KIND_UNIT_TEST, "NAME or PACKAGE.NAME", out, err);
}

