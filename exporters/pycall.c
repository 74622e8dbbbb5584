#include "exporters/pycall.h"

#include <string.h>

#define WIDTH 100

static void
write_line(struct emit *e, const char *open, const struct buf *args, const char *close)
{
	emit_indent(e);
	emit_add(e, "%s", open);
	for (size_t i = 0; i < args->len; i++)
		buf_addc(e->out, args->data[i] == *PYCALL_BREAK ? ' ' : args->data[i]);
	emit_add(e, "%s\n", close);
}

void
pycall_write(struct emit *e, const char *open, const struct buf *args, const char *close)
{
	size_t room, column = 0, indent = e->depth * strlen(e->language->tab);

	if (indent + strlen(open) + args->len + strlen(close) <= WIDTH) {
		write_line(e, open, args, close);
		return;
	}
	emit_open(e, "%s", open);
	room = WIDTH - indent - strlen(e->language->tab);
	for (const char *s = buf_str(args), *end; ; s = end + 1) {
		end = s + strcspn(s, PYCALL_BREAK);
		if (column && column + 1 + (size_t)(end - s) > room) {
			emit_add(e, "\n");
			column = 0;
		}
		if (column == 0)
			emit_indent(e);
		emit_add(e, column ? " " : "");
		buf_add(e->out, s, (size_t)(end - s));
		column += (size_t)(end - s) + (column > 0);
		if (!*end)
			break;
	}
	emit_add(e, "%s\n", close);
	e->depth--;
}

void
pycall_list(struct emit *args, const char *const *words, size_t n)
{
	emit_add(args, "[");
	for (size_t i = 0; i < n; i++)
		emit_add(args, "%s%q", i ? "," PYCALL_BREAK : "", words[i]);
	emit_add(args, "]");
}
