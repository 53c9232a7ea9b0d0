/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of frames, for the tests of the network. */
#ifndef TESTS_NET_BYTES_H
#define TESTS_NET_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void
put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8 & 0xff;
	p[1] = v & 0xff;
}

static inline void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* RFC 1071, as it is written there. */
static inline unsigned
slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

#endif
