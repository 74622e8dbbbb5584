/* util/map.h -- text -> pointer, open addressing.
 * Keys are borrowed: they must live as long as the map (keep them in an arena).
 * Values are never NULL. Iteration order is not defined: sort before anything is shown.
 * Owner: caller. Thread: one struct belongs to one thread; concurrent map_get is fine. */
#ifndef HEDDLE_UTIL_MAP_H
#define HEDDLE_UTIL_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const char *key;   /* NULL = free */
	void *value;
	size_t len;
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t nslots;     /* a power of two, or 0 */
	size_t nused;
};

#define MAP_INIT {0}

void map_reserve(struct map *m, size_t n);              /* room for n keys without rehashing */
void *map_get(const struct map *m, const char *key);    /* NULL when absent */
void *map_getn(const struct map *m, const char *key, size_t len);

/* Adds or replaces; returns the value replaced, or NULL. value must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
void map_release(struct map *m);                        /* not the keys, not the values */

#endif
