/* util/fs.h -- files: read whole, replace whole, directories.
 * Errors: 0, or -1 with err filled ("path: what: system text"). Thread: any. */
#ifndef HEDDLE_UTIL_FS_H
#define HEDDLE_UTIL_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

int fs_read(const char *path, struct buf *out, struct err *err);  /* appends */

/* Written beside and renamed: the file is complete or untouched. mode: 0600 for what is private,
 * 0666 & ~fs_umask() for what is not. */
int fs_replace(const char *path, const void *data, size_t len, unsigned mode, struct err *err);

unsigned fs_umask(void);                                /* main thread: it is read by setting it */

/* A new file in a folder that is open as `dir`: for folders that are renamed whole. */
int fs_write_new(int dir, const char *name, const void *data, size_t len, struct err *err);

int fs_mkdirs(const char *path, struct err *err);       /* like mkdir -p */
void fs_remove_tree(const char *path);                  /* as much of it as can be removed */
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
int64_t fs_mtime_ms(const char *path);                  /* -1 when absent */
char *fs_join(const char *dir, const char *name);       /* new string; an absolute name wins */
/* new string; not resolved, need not exist */
char *fs_absolute(const char *path);
const char *fs_base(const char *path);                  /* borrowed: after the last '/' */

#endif
