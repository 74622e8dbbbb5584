/* util/log.h -- what the program says on standard error, in one shape:
 *   heddle: error: where: what
 *   heddle: hint: what helps
 * Texts may come from outside: they are made safe and secrets are masked here.
 * Thread: any; one call is one write. */
#ifndef HEDDLE_UTIL_LOG_H
#define HEDDLE_UTIL_LOG_H

#include <stdbool.h>

#include "util/err.h"

void log_error(const char *fmt, ...) ERR_PRINTF(1, 2);
void log_warn(const char *fmt, ...) ERR_PRINTF(1, 2);
void log_hint(const char *fmt, ...) ERR_PRINTF(1, 2);
void log_debug(const char *fmt, ...) ERR_PRINTF(1, 2);  /* only after log_set_debug(true) */

void log_err(const struct err *err);   /* error and, where there is one, hint */
void log_set_debug(bool on);

#endif
