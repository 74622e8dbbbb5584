/* exporters/bundle.h -- several files in one buffer: what a target writes that is a folder.
 *
 *   bundle_open(out, "pipelines/shop/metadata.yaml");  emit_line(&e, ...);  bundle_open(out, ...);
 *   for (size_t at = 0; bundle_next(out, &at, &f);) ...
 *
 * Files of one folder stand together, and the first one of each folder holds the stamp. The export
 * owns those folders whole: they are replaced, not filled. A file at the top (no '/') belongs to
 * the user: it is made where it is missing. Texts hold no NUL bytes.
 */
#ifndef HEDDLE_EXPORTERS_BUNDLE_H
#define HEDDLE_EXPORTERS_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

struct bundle_file {
	const char *path;    /* borrowed from the buffer, as the text */
	const char *text;
	size_t len;
};

void bundle_open(struct buf *out, const char *path);
/* at: 0 at first. false: there are no more. */
bool bundle_next(const struct buf *bundle, size_t *at, struct bundle_file *f);

#endif
