#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/buf.h"
#include "util/text.h"

static bool debug_on;

static void
say(const char *severity, const char *fmt, va_list ap)
{
	struct buf text = BUF_INIT, line = BUF_INIT;

	buf_vaddf(&text, fmt, ap);
	buf_addf(&line, "heddle: %s: ", severity);
	text_add_safe(&line, buf_str(&text), true, "  ");
	buf_addc(&line, '\n');
	fwrite(line.data, 1, line.len, stderr);
	buf_release(&text);
	buf_release(&line);
}

#define DEFINE_LOG(name, severity) \
	void \
	log_##name(const char *fmt, ...) \
	{ \
		va_list ap; \
 \
		va_start(ap, fmt); \
		say(severity, fmt, ap); \
		va_end(ap); \
	}

DEFINE_LOG(error, "error")
DEFINE_LOG(warn, "warning")
DEFINE_LOG(hint, "hint")

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!debug_on)
		return;
	va_start(ap, fmt);
	say("debug", fmt, ap);
	va_end(ap);
}

void
log_err(const struct err *err)
{
	log_error("%s", err->msg ? err->msg : "unknown error");
	if (err->hint)
		log_hint("%s", err->hint);
}

void
log_set_debug(bool on)
{
	debug_on = on;
}
