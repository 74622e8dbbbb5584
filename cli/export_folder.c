#include "cli/export_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/bundle.h"
#include "exporters/stamp.h"
#include "util/arena.h"
#include "util/fs.h"
#include "util/xalloc.h"
#include "util/ytree.h"

#define NEW ".heddle-new"
#define OLD ".heddle-old"

/* "custom/shop" of "custom/shop/orders_run.py"; "" at the top. New string. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

static bool
has_stamp(const char *path)
{
	struct err ignored = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct buf text = BUF_INIT;
	struct stamp stamp;
	bool found = fs_read(path, &text, &ignored) == 0 && stamp_find(&stamp, &a, buf_str(&text));

	buf_release(&text);
	arena_release(&a);
	err_release(&ignored);
	return found;
}

static char *
joined(const char *a, const char *b)
{
	struct buf path = BUF_INIT;

	buf_addf(&path, "%s%s", a, b);
	return buf_detach(&path);
}

/* Whole new folder in the place of the old one: between the two renames there is none. */
static int
swap(const char *place, struct err *err)
{
	char *new = joined(place, NEW), *old = joined(place, OLD);
	int rc = 0;

	fs_remove_tree(old);
	if (rename(place, old) < 0 && errno != ENOENT)
		rc = err_set(err, "%s: cannot be renamed: %s", place, strerror(errno));
	else if (rename(new, place) < 0) {
		rc = err_set(err, "%s: cannot be renamed: %s", new, strerror(errno));
		(void)!rename(old, place);
	}
	fs_remove_tree(rc == 0 ? old : new);
	free(new);
	free(old);
	return rc;
}

/* A folder that is made beside its place, as nobody reads it before it is there. */
struct making {
	int dir;
	int old;             /* the one in the place now; -1: there is none */
	struct buf was;      /* room for a file of that */
};

static bool
is_same(struct making *m, const char *name, const struct bundle_file *f)
{
	int fd = m->old < 0 ? -1 : openat(m->old, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	buf_reserve(&m->was, f->len + 1);
	n = read(fd, m->was.data, f->len + 1);    /* one byte more: it may be longer */
	close(fd);
	return n == (ssize_t)f->len && memcmp(m->was.data, f->text, f->len) == 0;
}

/* A file that did not change is linked: it keeps its time, and costs less than a new one. */
static int
add_file(struct making *m, const struct bundle_file *f, struct err *err)
{
	const char *name = fs_base(f->path);

	if (is_same(m, name, f) && linkat(m->old, name, m->dir, name, 0) == 0)
		return 0;
	return fs_write_new(m->dir, name, f->text, f->len, err);
}

/* "custom/shop/orders_run.py" is in "custom/shop". */
static bool
is_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

/* The files of one folder, from *at on; *at is moved past them. */
static int
add_files(struct making *m, const char *folder, const struct buf *bundle, size_t *at,
    struct err *err)
{
	struct bundle_file f;
	int rc = 0;

	for (size_t next = *at; rc == 0 && bundle_next(bundle, &next, &f); *at = next) {
		if (!is_in(f.path, folder))
			break;
		rc = add_file(m, &f, err);
	}
	return rc;
}

static int
write_folder(const char *place, const char *folder, const struct buf *bundle, size_t *at,
    struct err *err)
{
	char *new = joined(place, NEW);
	struct making m = { .dir = -1, .old = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	int rc;

	fs_remove_tree(new);
	rc = fs_mkdirs(new, err);
	if (rc == 0) {
		m.dir = open(new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = m.dir < 0 ? err_sys(err, "%s: cannot open", new) :
			add_files(&m, folder, bundle, at, err);
	}
	if (m.dir >= 0)
		close(m.dir);
	if (m.old >= 0)
		close(m.old);
	buf_release(&m.was);
	if (rc < 0) {
		err_prefix(err, "%s", place);
		fs_remove_tree(new);
	}
	free(new);
	return rc;
}

static int
put_folder(const char *dir, const char *folder, const struct bundle_file *first,
    const struct buf *bundle, size_t *at, struct err *err)
{
	char *place = fs_join(dir, folder), *stamped = fs_join(dir, first->path);
	int rc = 0;

	if (fs_exists(place) && !has_stamp(stamped)) {
		rc = err_set(err, "%s: was not made by heddle export, and would be replaced",
		    place);
		err_hint(err, "move it away, or take another --name");
	}
	if (rc == 0)
		rc = write_folder(place, folder, bundle, at, err);
	if (rc == 0)
		rc = swap(place, err);
	free(place);
	free(stamped);
	return rc;
}

static int
put_at_top(const char *dir, const struct bundle_file *f, struct err *err)
{
	char *path = fs_join(dir, f->path);
	int rc = fs_exists(path) ? 0 : fs_replace(path, f->text, f->len, 0666 & ~fs_umask(), err);

	free(path);
	return rc;
}

int
export_folder_put(const char *dir, const struct buf *bundle, struct err *err)
{
	struct bundle_file f;
	int rc = fs_mkdirs(dir, err);

	for (size_t at = 0, next = 0; rc == 0 && bundle_next(bundle, &next, &f); next = at) {
		char *folder = folder_of(f.path);

		if (*folder) {
			rc = put_folder(dir, folder, &f, bundle, &at, err);
		} else {
			rc = put_at_top(dir, &f, err);
			at = next;
		}
		free(folder);
	}
	return rc;
}

/* ---- --check ---- */

/* The one stamped file that pattern finds below dir; new string, or NULL with err. */
static char *
find_stamped(const char *dir, const char *pattern, struct err *err)
{
	char *below = fs_join(dir, pattern), *found = NULL;
	glob_t g = { 0 };
	size_t n = 0;

	if (glob(below, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			if (!has_stamp(g.gl_pathv[i]))
				continue;
			free(found);
			found = xstrdup(g.gl_pathv[i]);
			n++;
		}
	globfree(&g);
	free(below);
	if (n > 1) {
		err_set(err, "%s: holds %zu exports", dir, n);
		err_hint(err, "name the folder of one: --check %.*s",
		    (int)(strrchr(found, '/') - found), found);
		free(found);
		found = NULL;
	} else if (n == 0) {
		err_set(err, "%s: not made by heddle export: it has no file %s with a line "
		    "`heddle export ... plan=...`", dir, pattern);
	}
	return found;
}

int
export_folder_find(const char *dir, const char *pattern, struct buf *out, char **root,
    struct err *err)
{
	char *own = fs_join(dir, fs_base(pattern)), *found;
	size_t up = 0;

	if (has_stamp(own)) {
		found = own;
		own = NULL;
	} else {
		found = find_stamped(dir, pattern, err);
	}
	free(own);
	if (!found)
		return -1;
	/* The root is as many folders above the file as the pattern has. */
	*root = fs_absolute(found);
	for (const char *c = pattern; *c; c++)
		up += *c == '/';
	for (size_t i = 0; i <= up; i++) {
		char *slash = strrchr(*root, '/');

		if (slash && slash > *root)
			*slash = '\0';
	}
	if (fs_read(found, out, err) < 0) {
		free(*root);
		*root = NULL;
		free(found);
		return -1;
	}
	free(found);
	return 0;
}

static bool
holds(const struct buf *was, const struct bundle_file *f)
{
	struct err ignored = ERR_INIT;
	struct arena a = ARENA_INIT;
	const struct ynode *has = ytree_parse(&a, f->path, was->data, was->len, &ignored);
	const struct ynode *ours = ytree_parse(&a, f->path, f->text, f->len, &ignored);
	bool all = has && ours && ytree_holds(has, ours);

	arena_release(&a);
	err_release(&ignored);
	return all;
}

static bool
is_kept(const char *root, const struct bundle_file *f, const char *added_to)
{
	char *path = fs_join(root, f->path);
	struct err ignored = ERR_INIT;
	struct buf was = BUF_INIT;
	bool kept = false;

	if (fs_read(path, &was, &ignored) == 0)
		kept = added_to && strcmp(fs_base(f->path), added_to) == 0 ? holds(&was, f) :
			was.len == f->len && memcmp(was.data, f->text, f->len) == 0;
	buf_release(&was);
	err_release(&ignored);
	free(path);
	return kept;
}

const char *
export_folder_differs(const char *root, const struct buf *bundle, const char *added_to)
{
	struct bundle_file f;

	for (size_t at = 0; bundle_next(bundle, &at, &f);)
		if (strchr(f.path, '/') && !is_kept(root, &f, added_to))
			return f.path;
	return NULL;
}
