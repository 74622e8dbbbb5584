#include "util/process.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/sysctl.h>
#include <sys/types.h>
#else
#include <dirent.h>
#include <sys/stat.h>
#endif

#include "util/buf.h"
#include "util/err.h"
#include "util/fs.h"
#include "util/text.h"

/* A mark is "PID START PLACE PROGRAM": START and PLACE hold no blank, PROGRAM is the rest. */

#ifdef __APPLE__

static bool
read_start(long pid, struct buf *b)
{
	int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)pid };
	struct kinfo_proc found;
	size_t size = sizeof(found);

	if (sysctl(name, 4, &found, &size, NULL, 0) < 0 || size == 0 ||
	    found.kp_proc.p_stat == SZOMB)
		return false;
	buf_addf(b, "%lld.%06d", (long long)found.kp_proc.p_starttime.tv_sec,
	    (int)found.kp_proc.p_starttime.tv_usec);
	return true;
}

static bool
read_place(struct buf *b)
{
	char id[64];
	size_t size = sizeof(id);

	if (sysctlbyname("kern.bootsessionuuid", id, &size, NULL, 0) < 0)
		return false;
	buf_adds(b, id);
	return true;
}

static void
read_program(long pid, struct buf *b)
{
	(void)pid;
	buf_adds(b, "-");
}

size_t
process_lock_holders(int fd, long *pids, size_t n)
{
	(void)fd;
	(void)pids;
	(void)n;
	return 0;
}

#else

/* Clock ticks since boot, the 22nd word of the line; the second is a name that may hold anything,
 * up to the last ')'. The third is the state. */
static bool
read_start(long pid, struct buf *b)
{
	char path[64], state, *rest;
	unsigned long long ticks;
	struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	bool ok = false;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (fs_read(path, &text, &ignored) == 0 && (rest = strrchr(buf_str(&text), ')')) &&
	    sscanf(rest + 1,
	    " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	    "%*s %llu", &state, &ticks) == 2 && state != 'Z' && state != 'X') {
		buf_addf(b, "%llu", ticks);
		ok = true;
	}
	err_release(&ignored);
	buf_release(&text);
	return ok;
}

static bool
add_link(struct buf *b, const char *path)
{
	char target[1024];
	ssize_t n = readlink(path, target, sizeof(target));

	if (n <= 0)
		return false;
	buf_add(b, target, (size_t)n);
	return true;
}

/* The boot, and the namespace that gives process numbers their meaning. */
static bool
read_place(struct buf *b)
{
	struct err ignored = ERR_INIT;
	bool ok = fs_read("/proc/sys/kernel/random/boot_id", b, &ignored) == 0;

	err_release(&ignored);
	while (ok && b->len && b->data[b->len - 1] == '\n')
		buf_truncate(b, b->len - 1);
	buf_addc(b, '/');
	return ok && add_link(b, "/proc/self/ns/pid");
}

/* A program that was replaced while it runs (an upgrade) is still the same one. */
static void
read_program(long pid, struct buf *b)
{
	static const char gone[] = " (deleted)";
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	if (!add_link(b, path))
		buf_addc(b, '-');
	if (text_ends(buf_str(b), gone))
		buf_truncate(b, b->len - strlen(gone));
}

/* Of /proc/PID/fdinfo/FD; there is a line `lock:` for each lock that this very open file holds. */
static bool
holds_flock(const char *pid, const char *fd)
{
	char path[128];
	struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	const char *lock = NULL;

	snprintf(path, sizeof(path), "/proc/%.32s/fdinfo/%.32s", pid, fd);
	if (fs_read(path, &text, &ignored) == 0)
		lock = strstr(buf_str(&text), "\nlock:");
	lock = lock ? strstr(lock, "FLOCK") : NULL;
	err_release(&ignored);
	buf_release(&text);
	return lock != NULL;
}

static bool
process_holds(const char *pid, const struct stat *file)
{
	char path[128];
	const struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%.32s/fd", pid);
	fds = opendir(path);
	while (fds && !found && (e = readdir(fds))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%.32s/fd/%.32s", pid, e->d_name);
		found = stat(path, &st) == 0 && st.st_dev == file->st_dev &&
		    st.st_ino == file->st_ino && holds_flock(pid, e->d_name);
	}
	if (fds)
		closedir(fds);
	return found;
}

size_t
process_lock_holders(int fd, long *pids, size_t n)
{
	const struct dirent *e;
	struct stat file;
	size_t found = 0;
	DIR *all = fstat(fd, &file) == 0 ? opendir("/proc") : NULL;

	while (all && found < n && (e = readdir(all))) {
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && process_holds(e->d_name, &file))
			pids[found++] = strtol(e->d_name, NULL, 10);
	}
	if (all)
		closedir(all);
	return found;
}

#endif

char *
process_mark(long pid)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%ld ", pid);
	if (!read_start(pid, &b))
		goto none;
	buf_addc(&b, ' ');
	if (!read_place(&b))
		goto none;
	buf_addc(&b, ' ');
	read_program(pid, &b);
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '\n')
			b.data[i] = '?';
	return buf_detach(&b);
none:
	buf_release(&b);
	return NULL;
}

enum process_found
process_find(const char *mark, long *pid)
{
	struct buf here = BUF_INIT;
	const char *start, *place;
	enum process_found found = PROCESS_IS_ELSEWHERE;
	char *end, *now = NULL;
	long n = strtol(mark, &end, 10);

	*pid = 0;
	start = end;
	place = *start == ' ' ? strchr(start + 1, ' ') : NULL;
	if (n <= 0 || !place || !read_place(&here))
		goto out;
	if (strncmp(place + 1, here.data, here.len) != 0 || place[1 + here.len] != ' ')
		goto out;
	*pid = n;
	now = process_mark(n);
	found = now && strcmp(now, mark) == 0 ? PROCESS_IS_ALIVE : PROCESS_IS_DEAD;
out:
	free(now);
	buf_release(&here);
	return found;
}
