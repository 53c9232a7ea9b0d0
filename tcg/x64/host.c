/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor has: SDM volume 2, CPUID. */
#include <cpuid.h>

#include "base/util.h"
#include "tcg/x64/gen.h"

enum { A, B, C, D };

static const struct {
	uint32_t leaf;
	uint8_t reg, bit;
	bool ymm; /* the host's system has to keep the upper halves */
	uint32_t has;
} features[] = {
	{ 1, C, 0, false, HOST_SSE3 }, { 1, C, 1, false, HOST_PCLMUL }, { 1, C, 9, false, HOST_SSSE3 }, { 1, C, 12, true, HOST_FMA },
	{ 1, C, 19, false, HOST_SSE41 }, { 1, C, 20, false, HOST_SSE42 }, { 1, C, 23, false, HOST_POPCNT }, { 1, C, 25, false, HOST_AES },
	{ 1, C, 28, true, HOST_AVX }, { 1, C, 29, true, HOST_F16C }, { 7, B, 3, false, HOST_BMI1 }, { 7, B, 5, true, HOST_AVX2 },
	{ 7, B, 8, false, HOST_BMI2 }, { 7, B, 19, false, HOST_ADX }, { 7, B, 29, false, HOST_SHA }, { 7, C, 8, false, HOST_GFNI },
	{ 7, C, 9, true, HOST_VAES }, { 7, C, 10, true, HOST_VPCLMUL }, { 0x80000001, C, 5, false, HOST_LZCNT },
	{ 0x80000001, C, 6, false, HOST_SSE4A },
};

static bool
keeps_ymm(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

unsigned
host_features(void)
{
	unsigned has = HOST_SSE2;
	bool ymm = keeps_ymm();

	for (unsigned n = 0; n < ARRAY_SIZE(features); n++) {
		unsigned r[4] = { 0 };

		if (__get_cpuid_count(features[n].leaf, 0, &r[A], &r[B], &r[C], &r[D]) && r[features[n].reg] >> features[n].bit & 1 &&
			(ymm || !features[n].ymm))
			has |= features[n].has;
	}
	return has;
}
