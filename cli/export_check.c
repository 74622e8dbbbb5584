#include "cli/export_check.h"

#include <stdlib.h>
#include <string.h>

#include "cli/export_folder.h"
#include "util/fs.h"

/* The file with the stamp, and for a folder where the export stands in it. */
static int
read_stamped(struct export_check *c, struct err *err)
{
	const struct exporter *const *all;
	size_t n;

	if (!fs_is_dir(c->path))
		return fs_read(c->path, &c->was, err);
	all = exporter_all(&n);
	for (size_t i = 0; i < n; i++)
		if (all[i]->folder)
			return export_folder_find(c->path, all[i]->folder, &c->was, &c->root, err);
	return err_set(err, "%s: is a folder", c->path);
}

int
export_check_open(struct export_check *c, const char *path, struct err *err)
{
	*c = (struct export_check){ .path = path };
	if (read_stamped(c, err) < 0)
		return -1;
	if (!stamp_find(&c->stamp, &c->arena, buf_str(&c->was)) || c->stamp.nwords < 3)
		return err_set(err, "%s: not made by heddle export: it has no line "
			"`heddle export ... plan=...`", path);
	return 0;
}

static bool
has_same_plan(const struct export_check *c, const struct buf *is)
{
	struct arena a = ARENA_INIT;
	struct stamp now;
	bool same = stamp_find(&now, &a, buf_str(is)) && strcmp(now.plan, c->stamp.plan) == 0;

	arena_release(&a);
	return same;
}

/* What differs, or NULL. */
static const char *
difference(const struct export_check *c, const struct exporter *x, const struct buf *is)
{
	if (c->root)    /* the bundle's first file stands for all in the stamp */
		return export_folder_differs(c->root, is, x->added_to);
	if (c->was.len == is->len && memcmp(c->was.data, is->data, is->len) == 0)
		return NULL;
	return has_same_plan(c, is) ? "the plan is the same, but not the text: edited, or by "
		"another version of heddle" : "the plan has changed";
}

bool
export_check_same(const struct export_check *c, const struct exporter *x, const struct buf *is,
    struct err *err)
{
	const char *other = difference(c, x, is);

	if (!other)
		return true;
	err_set(err, "%s: out of date: %s", c->path, other);
	err_hint(err, "make it again: heddle export %s ... -o %s", x->name, c->path);
	return false;
}

void
export_check_release(struct export_check *c)
{
	free(c->root);
	buf_release(&c->was);
	arena_release(&c->arena);
}
