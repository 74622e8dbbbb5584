#include "exporters/bundle.h"

#include <string.h>

/* path, NUL, text, NUL, path, NUL, text */
void
bundle_open(struct buf *out, const char *path)
{
	if (out->len)
		buf_addc(out, '\0');
	buf_adds(out, path);
	buf_addc(out, '\0');
}

bool
bundle_next(const struct buf *bundle, size_t *at, struct bundle_file *f)
{
	if (*at >= bundle->len)
		return false;
	f->path = bundle->data + *at;
	f->text = f->path + strlen(f->path) + 1;
	f->len = strlen(f->text);
	*at = (size_t)(f->text - bundle->data) + f->len + 1;
	return true;
}
