#include "cli/export_folder.h"

#include <errno.h>
#include <ftw.h>
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

#define NEW ".heddle-new"
#define OLD ".heddle-old"

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

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

	remove_tree(old);
	if (rename(place, old) < 0 && errno != ENOENT)
		rc = err_set(err, "%s: cannot be renamed: %s", place, strerror(errno));
	else if (rename(new, place) < 0) {
		rc = err_set(err, "%s: cannot be renamed: %s", new, strerror(errno));
		(void)!rename(old, place);
	}
	remove_tree(rc == 0 ? old : new);
	free(new);
	free(old);
	return rc;
}

/* Into a folder nobody reads yet: it needs no renaming of its own. */
static int
write_file(const char *path, const struct bundle_file *f, struct err *err)
{
	FILE *file = fopen(path, "w");
	bool whole = file && fwrite(f->text, 1, f->len, file) == f->len;

	if (file && fclose(file) != 0)
		whole = false;
	return whole ? 0 : err_set(err, "%s: cannot be written: %s", path, strerror(errno));
}

/* The files of one folder, from *at on, into a folder beside; *at is moved past them. */
static int
write_folder(const char *place, const char *folder, const struct buf *bundle, size_t *at, struct err *err)
{
	char *new = joined(place, NEW);
	struct bundle_file f;
	int rc;

	remove_tree(new);
	rc = fs_mkdirs(new, err);
	for (size_t next = *at; rc == 0 && bundle_next(bundle, &next, &f); *at = next) {
		char *here = folder_of(f.path), *path;
		bool ours = strcmp(here, folder) == 0;

		free(here);
		if (!ours)
			break;
		path = fs_join(new, fs_base(f.path));
		rc = write_file(path, &f, err);
		free(path);
	}
	if (rc < 0)
		remove_tree(new);
	free(new);
	return rc;
}

static int
put_folder(const char *dir, const char *folder, const struct bundle_file *first, const struct buf *bundle,
    size_t *at, struct err *err)
{
	char *place = fs_join(dir, folder), *stamped = fs_join(dir, first->path);
	int rc = 0;

	if (fs_exists(place) && !has_stamp(stamped)) {
		rc = err_set(err, "%s: was not made by heddle export, and would be replaced", place);
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
		err_hint(err, "name the folder of one: --check %.*s", (int)(strrchr(found, '/') - found), found);
		free(found);
		found = NULL;
	} else if (n == 0) {
		err_set(err, "%s: not made by heddle export: it has no file %s with a line "
		    "`heddle export ... plan=...`", dir, pattern);
	}
	return found;
}

int
export_folder_find(const char *dir, const char *pattern, struct buf *out, char **root, struct err *err)
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

const char *
export_folder_differs(const char *root, const struct buf *bundle)
{
	struct err ignored = ERR_INIT;
	struct bundle_file f;
	const char *other = NULL;

	for (size_t at = 0; !other && bundle_next(bundle, &at, &f);) {
		char *path = fs_join(root, f.path);
		struct buf was = BUF_INIT;

		if (strchr(f.path, '/') && (fs_read(path, &was, &ignored) < 0 || was.len != f.len ||
		    memcmp(was.data, f.text, f.len) != 0))
			other = f.path;
		buf_release(&was);
		free(path);
	}
	err_release(&ignored);
	return other;
}
