/* selector_methods_path.c -- path: and file:
 *
 * dbt runs a path as a glob over the root project's folder. Here the glob is asked about every
 * path that the manifest proves to be there (graph->paths) and about all folders above them.
 */
#include <stdlib.h>
#include <string.h>

#include "graph/glob.h"
#include "graph/selector_methods.h"
#include "util/map.h"

/* What the glob found; keys are relative paths, "" is the project's folder. */
struct path_hits {
	struct map hits;
	struct map seen;    /* folders that were asked already */
};

/* A path without ".", "" and doubled slashes, as pathlib.Path keeps it. */
static const char *
clean_path(struct arena *a, const char *path)
{
	char *out, *to;

	if (!(path[0] == '.' && path[1] == '/') && !strstr(path, "//") && !strstr(path, "/./"))
		return path;
	out = to = arena_strdup(a, path);
	for (const char *s = path; *s;) {
		size_t n = strcspn(s, "/");

		if (n > 0 && !(n == 1 && s[0] == '.')) {
			if (to > out)
				*to++ = '/';
			memcpy(to, s, n);
			to += n;
		}
		s += n;
		s += *s == '/';
	}
	*to = '\0';
	return out;
}

static void
ask_about(struct path_hits *h, const struct path_glob *glob, const char *path, bool is_folder)
{
	if (path_glob_match(glob, path, is_folder))
		map_put(&h->hits, path, h);
}

static void
find_hits(struct path_hits *h, const struct path_glob *glob, const struct selector_query *q)
{
	ask_about(h, glob, "", true);
	for (size_t i = 0; i < q->g->paths.n; i++) {
		const char *file = clean_path(q->scratch, q->g->paths.v[i]);
		size_t n = strlen(file);

		if (map_put(&h->seen, file, h))
			continue;
		ask_about(h, glob, file, false);
		while (n > 0 && file[--n] != '/')
			;
		while (n > 0 && !map_getn(&h->seen, file, n)) {
			const char *folder = arena_strndup(q->scratch, file, n);

			map_put(&h->seen, folder, h);
			ask_about(h, glob, folder, true);
			while (n > 0 && file[--n] != '/')
				;
		}
	}
}

struct path_want {
	const struct path_hits *h;
	struct arena *scratch;
};

/* The node's file, a folder above it, or the file that describes it. */
static bool
path_match(const struct node *n, const void *arg)
{
	const struct path_want *w = arg;
	const char *file = clean_path(w->scratch, n->path);
	const char *patch = n->patch_path ? strstr(n->patch_path, "://") : NULL;

	if (map_get(&w->h->hits, ""))
		return true;
	for (size_t len = strlen(file); len > 0; len--)
		if ((file[len] == '/' || file[len] == '\0') && map_getn(&w->h->hits, file, len))
			return true;
	return patch && map_get(&w->h->hits, clean_path(w->scratch, patch + 3));
}

int
method_path(const struct selector_query *q, struct set *out, struct err *err)
{
	struct path_hits h = { MAP_INIT, MAP_INIT };
	struct path_want w = { &h, q->scratch };
	struct path_glob glob;

	if (path_glob_compile(&glob, q->scratch, q->c->value.text, err) < 0)
		return err_hint(err, "for example path:models/staging or path:models/**/*.sql");
	find_hits(&h, &glob, q);
	if (h.hits.nused > 0)
		selector_pick(q, EVERY_KIND, path_match, &w, out);
	map_release(&h.hits);
	map_release(&h.seen);
	return 0;
}

/* The file's name, with or without its last suffix; a name that begins or ends with its only dot
 * has none. */
static bool
file_match(const struct node *n, const void *arg)
{
	const char *slash = strrchr(n->path, '/');
	const char *name = slash ? slash + 1 : n->path;
	const char *dot = strrchr(name, '.');

	if (glob_match(arg, name))
		return true;
	return dot && dot != name && dot[1] != '\0' && glob_matchn(arg, name, (size_t)(dot - name));
}

int
method_file(const struct selector_query *q, struct set *out, struct err *err)
{
	struct glob want;

	(void)err;
	glob_compile(&want, q->scratch, q->c->value.text, strlen(q->c->value.text));
	selector_pick(q, EVERY_KIND, file_match, &want, out);
	return 0;
}
