/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Internet checksum (RFC 1071). */
#include "net/net.h"

#include <string.h>

typedef uint32_t lanes __attribute__((vector_size(16)));

enum { BLOCK = 2 * sizeof(lanes), BLOCKS_MOST = 16384 };

/* Whole blocks, words of 16 bits added up in lanes of 32: these don't run over in BLOCKS_MOST blocks. */
static uint64_t
sum_blocks(const uint8_t *p, size_t count)
{
	lanes low = { 0 }, high = { 0 }, a, b;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++, p += BLOCK) {
		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + sizeof(a), sizeof(b));
		low += (a & 0xffff) + (b & 0xffff);
		high += (a >> 16) + (b >> 16);
	}
	for (unsigned i = 0; i < sizeof(lanes) / sizeof(low[0]); i++)
		sum += (uint64_t)low[i] + high[i];
	return sum;
}

/* A one's complement sum may be made in any width and folded. */
uint16_t
net_sum(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *p = bytes;
	uint64_t total = sum, word;
	uint8_t tail[8] = { 0 };

	while (len >= BLOCK) {
		size_t count = len / BLOCK < BLOCKS_MOST ? len / BLOCK : BLOCKS_MOST;

		total += sum_blocks(p, count);
		p += count * BLOCK;
		len -= count * BLOCK;
	}
	for (; len > 0; p += sizeof(word)) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		memset(tail, 0, sizeof(tail));
		memcpy(tail, p, n);
		memcpy(&word, tail, sizeof(word));
		total += (word & UINT32_MAX) + (word >> 32);
		len -= n;
	}
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	return total;
}
