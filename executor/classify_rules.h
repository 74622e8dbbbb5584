/* executor/classify_rules.h -- the tables behind executor/classify.h; for classify.c alone. */
#ifndef HEDDLE_EXECUTOR_CLASSIFY_RULES_H
#define HEDDLE_EXECUTOR_CLASSIFY_RULES_H

#include <stddef.h>

#include "executor/runner.h"

struct classify_rule {
	const char *adapter;     /* NULL = any */
	const char *what;
	enum error_class class;
	const char *why;
	const char *source;
};

struct classify_table {
	const struct classify_rule *rows;
	size_t n;
};

/* Prefixes of a SQLSTATE, the longer first; HTTP status codes have three digits. */
extern const struct classify_table classify_codes;

/* By the end of the class's full name: ".X" matches any module. */
extern const struct classify_table classify_types;

/* Anywhere in the message, any case; "^x" is a line that holds nothing else. */
extern const struct classify_table classify_words;

#endif
