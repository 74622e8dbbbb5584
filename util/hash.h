/* util/hash.h -- FNV-1a, 64 bits: a fingerprint that is the same on every machine and in every
 * version, for things that are written down. Not for security, not for hash tables (util/map.h).
 *
 *   uint64_t h = HASH_START;  h = hash_text(h, "a");  h = hash_text(h, "b");
 */
#ifndef HEDDLE_UTIL_HASH_H
#define HEDDLE_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

uint64_t hash_bytes(uint64_t h, const void *p, size_t n);
/* with its end, so "ab" "c" is not "a" "bc"; NULL is fine */
uint64_t hash_text(uint64_t h, const char *text);
uint64_t hash_number(uint64_t h, uint64_t x);

#endif
