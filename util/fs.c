#include "util/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/xalloc.h"

int
fs_read(const char *path, struct buf *out, struct err *err)
{
	size_t before = out->len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "%s: cannot open", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		buf_reserve(out, (size_t)st.st_size);
	for (;;) {
		buf_reserve(out, 65536);
		n = read(fd, out->data + out->len, out->cap - out->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	out->data[out->len] = '\0';
	if (n < 0) {
		err_sys(err, "%s: cannot read", path);
		buf_truncate(out, before);
	}
	close(fd);
	return n < 0 ? -1 : 0;
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fs_replace(const char *path, const void *data, size_t len, unsigned mode, struct err *err)
{
	struct buf tmp = BUF_INIT;
	int fd, rc = -1;

	buf_addf(&tmp, "%s.XXXXXX", path);
	fd = mkstemp(tmp.data);
	if (fd < 0) {
		err_sys(err, "%s: cannot write", path);
		goto out;
	}
	if (fchmod(fd, (mode_t)mode) < 0 || write_all(fd, data, len) < 0) {
		err_sys(err, "%s: cannot write", path);
		close(fd);
		unlink(tmp.data);
		goto out;
	}
	if (close(fd) < 0 || rename(tmp.data, path) < 0) {
		err_sys(err, "%s: cannot write", path);
		unlink(tmp.data);
		goto out;
	}
	rc = 0;
out:
	buf_release(&tmp);
	return rc;
}

int
fs_write_new(int dir, const char *name, const void *data, size_t len, struct err *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int rc = 0;

	if (fd < 0 || write_all(fd, data, len) < 0)
		rc = err_sys(err, "%s: cannot write", name);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = err_sys(err, "%s: cannot write", name);
	return rc;
}

unsigned
fs_umask(void)
{
	mode_t m = umask(077);

	umask(m);
	return (unsigned)m;
}

int
fs_mkdirs(const char *path, struct err *err)
{
	char *p = xstrdup(path);
	int rc = 0;

	for (char *s = p + 1; rc == 0; s++) {
		char c = *s;

		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		if (mkdir(p, 0777) < 0 && errno != EEXIST)
			rc = err_sys(err, "%s: cannot make folder", p);
		*s = c;
		if (c == '\0')
			break;
	}
	if (rc == 0 && !fs_is_dir(path))
		rc = err_set(err, "%s: not a folder", path);
	free(p);
	return rc;
}

/* A file, or a folder with what is in it. Most are files: asking first would cost a call each. */
static void
remove_at(int dir, const char *name)
{
	struct dirent *entry;
	DIR *folder;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_at(fd, entry->d_name);
	closedir(folder);
	unlinkat(dir, name, AT_REMOVEDIR);
}

void
fs_remove_tree(const char *path)
{
	remove_at(AT_FDCWD, path);
}

bool
fs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool
fs_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int64_t
fs_mtime_ms(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -1;
	return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

char *
fs_join(const char *dir, const char *name)
{
	struct buf b = BUF_INIT;

	if (*name != '/' && *dir) {
		buf_adds(&b, dir);
		if (dir[strlen(dir) - 1] != '/')
			buf_addc(&b, '/');
	}
	buf_adds(&b, name);
	return buf_detach(&b);
}

char *
fs_absolute(const char *path)
{
	char *cwd, *p;

	if (*path == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return xstrdup(path);
	p = fs_join(cwd, path);
	free(cwd);
	return p;
}

const char *
fs_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
