/* cli/export_check.h -- an export made earlier, compared with what its options give now.
 *
 *   if (export_check_open(&c, path, err) == 0) ... make the export by c.stamp.words ...
 *       export_check_same(&c, &text, err) ...
 *   export_check_release(&c);
 *
 * Errors: -1 with err. Thread: main. */
#ifndef HEDDLE_CLI_EXPORT_CHECK_H
#define HEDDLE_CLI_EXPORT_CHECK_H

#include <stdbool.h>

#include "exporters/exporter.h"
#include "exporters/stamp.h"
#include "util/arena.h"
#include "util/buf.h"
#include "util/err.h"

struct export_check {
	const char *path;       /* as given; borrowed */
	struct buf was;         /* the file; of a folder: the file in it that has the stamp */
	char *root;             /* of a folder: where the export stands; else NULL */
	struct arena arena;     /* of the stamp */
	struct stamp stamp;     /* at least three words: heddle export TARGET */
};

/* path: a file, or a folder that holds an export. export_check_release() in both cases. */
int export_check_open(struct export_check *c, const char *path, struct err *err);

/* is: the export made anew by x, of a folder a bundle (exporters/bundle.h). false with err: out of
 * date, and why. */
bool export_check_same(const struct export_check *c, const struct exporter *x,
    const struct buf *is, struct err *err);

void export_check_release(struct export_check *c);

#endif
