/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Internet checksum (RFC 1071). */
#include "net/net.h"

#include <string.h>

/* A one's complement sum may be made in any width and folded: eight bytes at a time, carries counted apart. */
uint16_t
net_sum(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *p = bytes;
	uint64_t low = sum, high = 0, word;
	uint8_t tail[8] = { 0 };

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		low += word & UINT32_MAX;
		high += word >> 32;
	}
	memcpy(tail, p, len);
	memcpy(&word, tail, sizeof(word));
	low += (word & UINT32_MAX) + (word >> 32);
	low = (low & UINT32_MAX) + (low >> 32) + (high & UINT32_MAX) + (high >> 32);
	while (low >> 16 != 0)
		low = (low & 0xffff) + (low >> 16);
	return low;
}
