/* executor/config_read.h -- values of heddle.yml out of a YAML tree (util/ytree.h), each checked,
 * for config.c and config_notify.c alone.
 *
 * Scalars are read by their text, so that `on:` is a key and 1:30 no number of seconds; node meta,
 * which is JSON, comes through the same readers.
 * Errors: -1 with err "FILE:LINE: what", and "did you mean" for unknown keys. */
#ifndef HEDDLE_EXECUTOR_CONFIG_READ_H
#define HEDDLE_EXECUTOR_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/arena.h"
#include "util/err.h"
#include "util/ytree.h"

struct config_reader {
	struct arena *arena;         /* of the strings read */
	const char *where;           /* file name in messages */
	bool has_lines;              /* the lines mean something to the user */
	struct err *err;
};

/* fmt takes both texts; what is not needed is "". */
int config_refuse(struct config_reader *rd, const struct ynode *at, const char *fmt, const char *a,
    const char *b);

const char *config_scalar(const struct ynode *n);      /* its text; NULL for a list or a mapping */
const char *config_origin(struct config_reader *rd, const struct ynode *at);   /* "heddle.yml:7" */

int config_text(struct config_reader *rd, const struct ynode *n, const char *key, const char **out);
int config_number(struct config_reader *rd, const struct ynode *n, const char *key,
    const double range[2], bool whole, double *out);
int config_duration(struct config_reader *rd, const struct ynode *n, const char *key, int64_t *out);

/* One of the words (NULL-ended); *out is its position. expected: for the message. */
int config_word(struct config_reader *rd, const struct ynode *n, const char *key,
    const char *const *words, size_t *out);

/* A mapping is read by a table: each key at most once, unknown ones refused. */
struct config_key {
	const char *name;
	int (*read)(struct config_reader *rd, const struct ynode *value, const char *name,
	    void *into);
};

int config_mapping(struct config_reader *rd, const struct ynode *map, const char *what,
    const struct config_key *keys, size_t nkeys, void *into);

#define CONFIG_MAPPING(rd, map, what, keys, into) \
	config_mapping(rd, map, what, keys, sizeof(keys) / sizeof((keys)[0]), into)

#endif
