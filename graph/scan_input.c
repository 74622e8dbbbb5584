#include "graph/scan_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/xalloc.h"

#define BUFFER_BYTES ((size_t)256 << 10)

static void
start(struct scan *s, const char *name, size_t cap, struct err *err)
{
	memset(s, 0, sizeof(*s));
	s->name = name;
	s->err = err;
	s->fd = -1;
	s->cap = s->chunk = cap;
	s->buf = s->p = s->end = xmalloc(s->cap + 1 + SCAN_STEP);
	memset(s->buf, 0, 1 + SCAN_STEP);
	s->frames = xcalloc(SCAN_DEPTH, sizeof(*s->frames));
}

int
scan_open(struct scan *s, const char *path, struct err *err)
{
	start(s, path, BUFFER_BYTES, err);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) {
		s->failed = true;
		return err_sys(err, "%s: cannot open", path);
	}
	return 0;
}

void
scan_memory(struct scan *s, const char *name, const char *data, size_t len, struct err *err)
{
	start(s, name, len < BUFFER_BYTES ? len + 1 : BUFFER_BYTES, err);
	s->data = data;
	s->left = len;
}

void
scan_close(struct scan *s)
{
	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; s->frames && i < SCAN_DEPTH; i++)
		buf_release(&s->frames[i].kept);
	free(s->frames);
	free(s->buf);
	buf_release(&s->decoded);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* ---- messages ---- */

static bool
is_plain_key(const char *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(key[i] == '_' || (key[i] >= 'a' && key[i] <= 'z') ||
		    (key[i] >= 'A' && key[i] <= 'Z') || (i && key[i] >= '0' && key[i] <= '9')))
			return false;
	return len > 0;
}

/* nodes['model.shop.x'].depends_on.nodes[2] */
static void
add_path(const struct scan *s, struct buf *b)
{
	for (size_t i = 0; i < s->depth; i++) {
		const struct scan_frame *f = &s->frames[i];

		if (f->type == SCAN_ARRAY && f->begun) {
			buf_addf(b, "[%zu]", f->index);
		} else if (f->key && is_plain_key(f->key, f->len)) {
			buf_addf(b, "%s%.*s", i ? "." : "", (int)f->len, f->key);
		} else if (f->key) {
			buf_adds(b, "['");
			buf_add(b, f->key, f->len);
			buf_adds(b, "']");
		}
	}
}

static int
vfail(struct scan *s, const char *prefix, const char *fmt, va_list ap)
{
	struct buf b = BUF_INIT;
	size_t path;

	if (s->failed)
		return -1;
	s->failed = true;
	buf_addf(&b, "%s: ", s->name);
	path = b.len;
	add_path(s, &b);
	if (b.len > path)
		buf_adds(&b, ": ");
	buf_adds(&b, prefix);
	buf_vaddf(&b, fmt, ap);
	err_set(s->err, "%s", b.data);
	buf_release(&b);
	return -1;
}

int
scan_fail(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(s, "", fmt, ap);
	va_end(ap);
	return -1;
}

int
scan_broken(struct scan *s, const char *at, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	if (s->eof && at == s->end)
		buf_addf(&b, "cut off at byte %llu: ",
		    (unsigned long long)(s->passed + (uint64_t)(at - s->buf)));
	else
		buf_addf(&b, "not valid JSON at byte %llu: ",
		    (unsigned long long)(s->passed + (uint64_t)(at - s->buf)));
	va_start(ap, fmt);
	vfail(s, b.data, fmt, ap);
	va_end(ap);
	buf_release(&b);
	return -1;
}

/* ---- the buffer ---- */

/* Keys of open objects are needed for messages after the buffer has moved on. */
static void
keep_keys(struct scan *s)
{
	for (size_t i = 0; i < s->depth; i++) {
		struct scan_frame *f = &s->frames[i];

		if (!f->key || f->key == f->kept.data)
			continue;
		buf_truncate(&f->kept, 0);
		buf_add(&f->kept, f->key, f->len);
		f->key = f->kept.data;
	}
}

/* Drops what nobody needs, moves the rest to the front, and grows when that made no room. */
static void
make_room(struct scan *s)
{
	char *from = s->token ? s->token : s->p;
	size_t left, p, token, mark;

	keep_keys(s);
	if (s->mark && s->mark < from)
		from = s->mark;
	left = (size_t)(s->end - from);
	p = (size_t)(s->p - from);
	token = s->token ? (size_t)(s->token - from) : 0;
	mark = s->mark ? (size_t)(s->mark - from) : 0;
	memmove(s->buf, from, left);
	s->passed += (uint64_t)(from - s->buf);
	if (left > s->cap / 2) {
		s->cap *= 2;
		s->buf = xrealloc(s->buf, s->cap + 1 + SCAN_STEP);
	}
	s->p = s->buf + p;
	s->end = s->buf + left;
	s->token = s->token ? s->buf + token : NULL;
	s->mark = s->mark ? s->buf + mark : NULL;
}

static ssize_t
read_some(struct scan *s, char *to, size_t n)
{
	ssize_t got;

	if (s->fd < 0) {
		got = (ssize_t)(s->left < n ? s->left : n);
		if (got)
			memcpy(to, s->data, (size_t)got);
		s->data += got;
		s->left -= (size_t)got;
		return got;
	}
	do
		got = read(s->fd, to, n);
	while (got < 0 && errno == EINTR);
	return got;
}

bool
scan_more(struct scan *s)
{
	size_t room;
	ssize_t n;

	if (s->eof || s->failed)
		return false;
	make_room(s);
	room = s->cap - (size_t)(s->end - s->buf);
	n = read_some(s, s->end, room < s->chunk ? room : s->chunk);
	if (n < 0) {
		err_sys(s->err, "%s: cannot read", s->name);
		s->failed = true;
		return false;
	}
	s->eof = n == 0;
	s->end += n;
	memset(s->end, 0, 1 + SCAN_STEP);
	return n > 0;
}

bool
scan_have(struct scan *s, size_t n)
{
	while ((size_t)(s->end - s->p) < n)
		if (!scan_more(s))
			return false;
	return true;
}
