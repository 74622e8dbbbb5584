#include "util/hash.h"

#include <string.h>

#define PRIME UINT64_C(0x100000001b3)

uint64_t
hash_bytes(uint64_t h, const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * PRIME;
	return h;
}

uint64_t
hash_text(uint64_t h, const char *text)
{
	if (!text)
		return hash_bytes(h, "\xff", 1);   /* no text starts with it: it is not UTF-8 */
	return hash_bytes(h, text, strlen(text) + 1);
}

uint64_t
hash_number(uint64_t h, uint64_t x)
{
	for (int i = 0; i < 8; i++, x >>= 8)
		h = (h ^ (x & 0xff)) * PRIME;
	return h;
}
