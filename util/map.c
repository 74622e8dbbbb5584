#include "util/map.h"

#include <stdlib.h>
#include <string.h>

#include "util/xalloc.h"

/* wyhash-like mixing, eight bytes a step: unique ids share long prefixes, so every byte counts. */
static uint64_t
mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 32);
}

static uint64_t
hash_bytes(const char *s, size_t len)
{
	uint64_t h = 0x2545f4914f6cdd1du ^ len;
	uint64_t x;

	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&x, s, 8);
		h = mix(h, x);
	}
	x = 0;
	memcpy(&x, s, len);
	return mix(mix(h, x), 0x632be59bd9b4e019u);
}

static struct map_slot *
find(const struct map *m, const char *key, size_t len, uint64_t hash)
{
	size_t mask = m->nslots - 1;
	size_t i = (size_t)hash & mask;

	while (m->slots[i].key) {
		const struct map_slot *s = &m->slots[i];

		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			break;
		i = (i + 1) & mask;
	}
	return &m->slots[i];
}

static void
rehash(struct map *m, size_t nslots)
{
	struct map old = *m;

	m->slots = xcalloc(nslots, sizeof(*m->slots));
	m->nslots = nslots;
	for (size_t i = 0; i < old.nslots; i++) {
		const struct map_slot *s = &old.slots[i];

		if (s->key)
			*find(m, s->key, s->len, s->hash) = *s;
	}
	free(old.slots);
}

void
map_reserve(struct map *m, size_t n)
{
	size_t nslots = m->nslots ? m->nslots : 16;

	while (nslots / 4 * 3 < n)
		nslots *= 2;
	if (nslots != m->nslots)
		rehash(m, nslots);
}

void *
map_getn(const struct map *m, const char *key, size_t len)
{
	if (!m->nslots)
		return NULL;
	return find(m, key, len, hash_bytes(key, len))->value;
}

void *
map_get(const struct map *m, const char *key)
{
	return map_getn(m, key, strlen(key));
}

void *
map_put(struct map *m, const char *key, void *value)
{
	size_t len = strlen(key);
	uint64_t hash = hash_bytes(key, len);
	struct map_slot *s;
	void *old;

	map_reserve(m, m->nused + 1);
	s = find(m, key, len, hash);
	old = s->value;
	if (!s->key) {
		*s = (struct map_slot){ .key = key, .len = len, .hash = hash };
		m->nused++;
	}
	s->value = value;
	return old;
}

void
map_release(struct map *m)
{
	free(m->slots);
	memset(m, 0, sizeof(*m));
}
