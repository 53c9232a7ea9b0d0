/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers, near the borders where results change. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* Splitmix: every seed is good. */
uint64_t
random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

unsigned
random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

bool
random_percent(struct random *r, unsigned percent)
{
	return random_below(r, 100) < percent;
}

uint64_t
random_value(struct random *r)
{
	uint64_t v = random_next(r);
	unsigned bit = v >> 8 & 63;

	switch (v & 15) {
	case 0:
		return v & 16 ? 0 : ~0ull;
	case 1:
		return 1ull << bit;
	case 2:
		return (1ull << bit) - 1;
	case 3:
		return ~0ull << bit;
	case 4:
		return (v >> 16 & 0xff) - 0x80;
	case 5:
		return v >> 48;
	case 6:
		return (v >> 32) * 0x100000001ull;
	case 7:
		return 0x7f80ff8000017fffull << (v >> 16 & 31);
	default:
		return random_next(r);
	}
}

static uint64_t
random_single(struct random *r)
{
	static const uint32_t special[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345,
		0x7f800001, 0xffa00000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x5f000000, 0x3f000000 };
	uint64_t v = random_next(r);

	if ((v & 3) == 0)
		return special[(v >> 8) % (sizeof(special) / sizeof(special[0]))];
	/* Exponents close to each other, so that sums are interesting. */
	if ((v & 3) < 3)
		return (v >> 16 & 0x807fffff) | (0x78 + (v >> 8 & 0xf)) << 23;
	return v >> 32;
}

static uint64_t
random_double(struct random *r)
{
	static const uint64_t special[] = { 0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
		0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000012345, 0x7ff0000000000001, 0xfff4000000000000,
		1, 0x800fffffffffffff, 0x0010000000000000,
		0x7fefffffffffffff, 0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000, 0xc3e0000000000000, 0x3fe0000000000000,
		0x3810000000000000, 0x36a0000000000000, 0x47efffffe0000000 };
	uint64_t v = random_next(r);

	if ((v & 3) == 0)
		return special[(v >> 8) % (sizeof(special) / sizeof(special[0]))];
	if ((v & 3) < 3)
		return (random_next(r) & 0x800fffffffffffff) | (0x3f8 + (v >> 8 & 0xf)) << 52;
	return random_next(r);
}

void
random_float(struct random *r, uint8_t to[16])
{
	uint64_t v[2];
	unsigned kind = random_below(r, 3);

	for (unsigned n = 0; n < 2; n++)
		v[n] = kind == 0 ? random_single(r) | random_single(r) << 32 : kind == 1 ? random_double(r) : random_value(r);
	memcpy(to, v, 16);
}

void
random_x87(struct random *r, uint8_t to[10])
{
	static const struct { uint64_t mantissa; uint16_t exponent; } special[] = {
		{ 0, 0 }, { 0, 0x8000 }, { 1ull << 63, 0x3fff }, { 1ull << 63, 0xbfff }, { 1ull << 63, 0x7fff }, { 1ull << 63, 0xffff },
		{ 3ull << 62, 0x7fff }, { 3ull << 62, 0xffff }, { (1ull << 63) + 1, 0x7fff }, { 1, 0 }, { ~0ull >> 1, 0 }, { 1ull << 63, 0 },
		{ ~0ull, 0x7ffe }, { 1ull << 63, 1 }, { 1ull << 62, 0x3fff }, { 1, 0x7fff }, { 0, 0x7fff }, { 1ull << 63, 0x403e },
		{ 1ull << 63, 0x401e }, { 1ull << 63, 0xc03e }, { 0xc90fdaa22168c235, 0x4000 },
	};
	uint64_t v = random_next(r), mantissa = random_next(r) | 1ull << 63;
	uint16_t exponent = (uint16_t)(0x3ff8 + (v >> 8 & 0xf)) | (uint16_t)(v >> 16 & 0x8000);

	if ((v & 3) == 0) {
		unsigned n = (v >> 8) % (sizeof(special) / sizeof(special[0]));

		mantissa = special[n].mantissa;
		exponent = special[n].exponent;
	} else if ((v & 3) == 1) {
		exponent = v >> 16;
		if ((v & 0x700) == 0)
			mantissa = random_next(r);
	}
	memcpy(to, &mantissa, 8);
	memcpy(to + 8, &exponent, 2);
}

void
fill_data(uint64_t seed, uint8_t data[DATA_BYTES])
{
	struct random r = { seed };

	for (unsigned n = 0; n < DATA_BYTES;) {
		uint64_t v = random_next(&r);

		if (v & 1) {
			random_float(&r, data + n);
			n += 16;
		} else if ((v & 0xe) == 0) {
			uint8_t image[16] = { 0 };

			random_x87(&r, image);
			memcpy(data + n, image, 16);
			n += 16;
		} else {
			for (unsigned k = 0; k < 2; k++, n += 8)
				memcpy(data + n, &(uint64_t){ random_value(&r) }, 8);
		}
	}
}

void
fill_constants(uint8_t page[FUZZ_PAGE])
{
	uint8_t data[DATA_BYTES];

	fill_data(1, data);
	memcpy(page, data, FUZZ_PAGE);
}
