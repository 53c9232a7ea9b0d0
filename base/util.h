/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small words that every folder uses: sizes, bits, and memory access in a stated byte order. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KiB 1024ull
#define MiB (1024ull * KiB)
#define GiB (1024ull * MiB)
#define NS_PER_SEC 1000000000ull

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Bits LOW..LOW+COUNT-1 of V, moved down; COUNT is 1 to 63. */
static inline uint64_t
bits(uint64_t v, unsigned low, unsigned count)
{
	return v >> low & ((1ull << count) - 1);
}

/* The lowest COUNT bits, 0 to 64. */
static inline uint64_t
low_bits(unsigned count)
{
	return count < 64 ? (1ull << count) - 1 : ~0ull;
}

static inline uint64_t
align_up(uint64_t v, uint64_t power_of_two)
{
	return (v + power_of_two - 1) & ~(power_of_two - 1);
}

/* Little-endian load and store of SIZE bytes (1 to 8) at any alignment. */
static inline uint64_t
load_le(const void *p, unsigned size)
{
	const uint8_t *b = p;
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

static inline void
store_le(void *p, uint64_t v, unsigned size)
{
	uint8_t *b = p;

	for (unsigned i = 0; i < size; i++)
		b[i] = v >> 8 * i;
}

/* A * B / C without losing bits in between. */
static inline uint64_t
mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	return (unsigned __int128)a * b / c;
}

/* Allocation that never returns NULL: the process ends with one line when the host is out of memory. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* Zeroed pages of 4 KiB, for I/O past the host's cache; free() frees them. */
void *xaligned(size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes an unsigned number (0x..., 0... or decimal) from *TEXT, and moves it on; false: none is there, or it is too large. */
bool take_number(const char **text, uint64_t *v);

#endif
