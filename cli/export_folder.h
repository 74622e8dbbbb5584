/* cli/export_folder.h -- exports that are a folder (exporters/bundle.h): put in place, compared.
 * Errors: -1 with err. Thread: main. */
#ifndef HEDDLE_CLI_EXPORT_FOLDER_H
#define HEDDLE_CLI_EXPORT_FOLDER_H

#include "util/buf.h"
#include "util/err.h"

/* Writes each folder of the bundle beside its place in `dir` and renames it there; files with the
 * same text as those there stay what they are. A folder that stands there and was not made by an
 * export is an error; files at the top are left alone when they exist. */
int export_folder_put(const char *dir, const struct buf *bundle, struct err *err);

/* The stamped file of an export in `dir`, which pattern (of glob) finds: its text into `out`, and
 * in *root the folder to compare with (new string, caller frees). `dir` may also be the folder the
 * file itself is in. */
int export_folder_find(const char *dir, const char *pattern, struct buf *out, char **root,
    struct err *err);

/* The first file of the bundle that `root` lacks or has otherwise, or NULL; borrowed. Of files
 * named added_to (YAML; NULL = there are none) root's may say more than the bundle's. */
const char *export_folder_differs(const char *root, const struct buf *bundle,
    const char *added_to);

#endif
