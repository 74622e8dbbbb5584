/* git.c -- gitrepository-layout(5): HEAD, refs, packed-refs, commondir, and .git as a file. */
#include "util/git.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define MAX_HOPS 5      /* symbolic refs to symbolic refs */

/* The first line of a small file, without its end; NULL when it cannot be read. */
static char *
read_line(const char *dir, const char *name)
{
	struct err ignored = ERR_INIT;
	struct buf b = BUF_INIT;
	char *path = fs_join(dir, name);

	if (!fs_is_dir(path) && fs_read(path, &b, &ignored) == 0)
		buf_truncate(&b, strcspn(buf_str(&b), "\r\n"));
	free(path);
	err_release(&ignored);
	return b.data ? buf_detach(&b) : NULL;
}

static bool
is_hash(const char *s, size_t len)
{
	return (len == 40 || len == 64) && strspn(s, "0123456789abcdef") >= len;
}

/* The folder with HEAD in it, for the checkout that dir is in. */
static char *
find_git_dir(const char *dir)
{
	char *at = fs_absolute(dir), *found = NULL;

	while (!found) {
		char *dot_git = fs_join(at, ".git"), *line;
		char *slash = strrchr(at, '/');

		if (fs_is_dir(dot_git)) {
			found = xstrdup(dot_git);
		} else if ((line = read_line(at, ".git")) != NULL) {
			if (text_starts(line, "gitdir: "))
				found = fs_join(at, line + strlen("gitdir: "));
			free(line);
		}
		free(dot_git);
		if (!slash || at[1] == '\0')
			break;
		*(slash == at ? slash + 1 : slash) = '\0';
	}
	free(at);
	return found;
}

/* packed-refs: "HASH NAME" lines, comments and peeled tags between them. */
static char *
find_packed(const char *git_dir, const char *ref)
{
	struct err ignored = ERR_INIT;
	struct buf b = BUF_INIT;
	char *path = fs_join(git_dir, "packed-refs"), *hash = NULL;

	if (fs_read(path, &b, &ignored) == 0)
		for (const char *s = buf_str(&b); *s && !hash;) {
			size_t len = strcspn(s, "\n"), at = strcspn(s, " \n");

			if (at < len && len - at - 1 == strlen(ref) && memcmp(s + at + 1, ref,
			    strlen(ref)) == 0 &&
			    is_hash(s, at))
				hash = xstrndup(s, at);
			s += len + (s[len] == '\n');
		}
	free(path);
	buf_release(&b);
	err_release(&ignored);
	return hash;
}

/* What a ref of this checkout holds: a hash, or "ref: NAME"; NULL when it is not there. */
static char *
read_ref(const char *git_dir, const char *common_dir, const char *ref)
{
	char *value = read_line(git_dir, ref);

	if (!value)
		value = read_line(common_dir, ref);
	return value ? value : find_packed(common_dir, ref);
}

char *
git_commit(const char *dir)
{
	char *git_dir = find_git_dir(dir), *common = NULL, *common_dir = NULL, *value = NULL;

	if (!git_dir)
		return NULL;
	common = read_line(git_dir, "commondir");
	common_dir = common ? fs_join(git_dir, common) : xstrdup(git_dir);
	value = read_line(git_dir, "HEAD");
	for (int i = 0; value && text_starts(value, "ref: ") && i < MAX_HOPS; i++) {
		char *next = read_ref(git_dir, common_dir, value + strlen("ref: "));

		free(value);
		value = next;
	}
	if (value && !is_hash(value, strlen(value))) {
		free(value);
		value = NULL;
	}
	free(git_dir);
	free(common);
	free(common_dir);
	return value;
}
