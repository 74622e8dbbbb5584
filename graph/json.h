/* graph/json.h -- JSON text as the manifest has it: looked up and compared where it stands.
 *
 * A value is the address of its first byte in NUL-terminated text, as node_json() gives it; NULL
 * stands for an absent value and is taken everywhere. Nothing is parsed into a tree, nothing is
 * allocated, numbers keep all their digits. The text was checked by its reader; on text that is
 * not JSON these functions stay inside it and answer as if the value were absent or different.
 *
 *   for (const char *at = json_first(list); at; at = json_next(at)) ...
 *
 * Thread: any.
 */
#ifndef HEDDLE_GRAPH_JSON_H
#define HEDDLE_GRAPH_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

/* Past the value, or NULL when it is not whole. */
const char *json_end(const char *value);
size_t json_len(const char *value);               /* bytes; 0 for NULL */

/* Items of a list or object; of an object each item is its key, json_value() the value. */
const char *json_first(const char *container);    /* NULL when empty or no container */
const char *json_next(const char *item);          /* NULL after the last one */
const char *json_value(const char *key);

const char *json_get(const char *object, const char *key);    /* NULL when absent */
size_t json_count(const char *container);

bool json_is_string(const char *value, const char *text);     /* whatever its escapes */
bool json_is_true(const char *value);
bool json_is_null(const char *value);                         /* null, or absent */
bool json_truth(const char *value);                           /* bool(value) in Python */

/* Appends the string's text; nothing when the value is no string. */
void json_add_string(struct buf *b, const char *value);

/* Appends the value without the blanks between its parts. */
void json_add_compact(struct buf *b, const char *value);

/* a == b in Python: keys in any order, 1 == 1.0 == true, "true" != true, absent == absent. */
bool json_equal(const char *a, const char *b);

/*
 * The same for values that dbt reads into classes with defaults (freshness, constraints, entities,
 * ...): a key that is absent on one side counts as equal when the other holds its default.
 */
bool json_equal_typed(const char *a, const char *b);

#endif
