#include "exporters/airflow.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

/* Folders as task groups.
 *
 * Airflow 2 refuses a nested group whose own name is that of a group at the top, unless the nested
 * one is there first. So the folders at the top stand in an order that keeps their names where that
 * is possible; else the nested one is called name__folder.
 */

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool
is_inside(const char *path, const char *root)
{
	size_t n = strlen(root);

	return strncmp(path, root, n) == 0 && path[n] == '/';
}

/* Must root `a` stand before root `b`: does it hold a folder of that name? */
static bool
stands_before(const struct folders *f, const char *a, const char *b)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_inside(f->all[i], a) && strcmp(last_name(f->all[i]), b) == 0)
			return true;
	return false;
}

/* Folders at the top, in their order. New array, caller frees. */
static const char **
order_roots(const struct folders *f, size_t *nroots)
{
	const char **left = xcalloc(f->n + 1, sizeof(*left)), **order = xcalloc(f->n + 1,
	    sizeof(*order));
	size_t nleft = 0, n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!strchr(f->all[i], '/'))
			left[nleft++] = f->all[i];
	while (nleft) {
		size_t pick = 0;

		for (size_t i = 0; i < nleft; i++) {
			bool waits = false;

			for (size_t k = 0; k < nleft && !waits; k++)
				waits = k != i && stands_before(f, left[k], left[i]);
			if (!waits) {
				pick = i;
				break;
			}
		}
		order[n++] = left[pick];
		memmove(left + pick, left + pick + 1, (--nleft - pick) * sizeof(*left));
	}
	free(left);
	*nroots = n;
	return order;
}

static bool
is_among(const char *const *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], word) == 0)
			return true;
	return false;
}

void
airflow_write_groups(struct airflow *a)
{
	struct emit *e = &a->e;
	struct buf renamed = BUF_INIT;
	struct emit r;
	size_t nroots;
	const char **roots = order_roots(&a->folders, &nroots);

	emit_init(&r, &renamed, &emit_python);
	emit_line(e, "folders = {\"\": None}");
	if (nroots)
		emit_open(e, "for path in [");
	for (size_t k = 0; k < nroots; k++)
		for (size_t i = 0; i < a->folders.n; i++) {
			const char *path = a->folders.all[i];

			if (strcmp(path, roots[k]) != 0 && !is_inside(path, roots[k]))
				continue;
			emit_line(e, "%q,", path);
			if (strchr(path, '/') && is_among(roots, k + 1, last_name(path)))
				emit_add(&r, "%s%q: \"%s__folder\"", renamed.len ? ", " : "", path,
				    last_name(path));
		}
	if (nroots) {
		emit_close(e, "]:");
		e->depth++;
		emit_line(e, "parent, _, name = path.rpartition(\"/\")");
		if (renamed.len)
			emit_line(e, "name = {%s}.get(path, name)", renamed.data);
		emit_line(e, "folders[path] = TaskGroup(name, parent_group=folders[parent])");
		e->depth--;
	}
	emit_line(e, "");
	free(roots);
	buf_release(&renamed);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
has_folder(const struct folders *f, const char *path)
{
	return f->n && bsearch(&path, f->all, f->n, sizeof(*f->all), by_text) != NULL;
}

bool
airflow_is_folder(const struct airflow *a, const char *folder, const char *name)
{
	struct buf path = BUF_INIT;
	bool found;

	buf_addf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	found = has_folder(&a->folders, path.data) || has_folder(&a->folders, name);
	buf_release(&path);
	return found;
}
