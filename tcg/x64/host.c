/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor has: SDM volume 2, CPUID. */
#include <cpuid.h>

#include "base/util.h"
#include "tcg/x64/gen.h"

enum { A, B, C, D };
enum { KEEPS_YMM = 1, KEEPS_ZMM = 2 };

static const struct {
	uint32_t leaf;
	uint8_t subleaf, reg;
	uint32_t bits; /* all of them */
	uint8_t keeps; /* registers that the host's system has to keep */
	uint64_t has;
} features[] = {
#define BIT(n) (1u << (n))
	{ 1, 0, C, BIT(0), 0, HOST_SSE3 }, { 1, 0, C, BIT(1), 0, HOST_PCLMUL },
	{ 1, 0, C, BIT(9), 0, HOST_SSSE3 }, { 1, 0, C, BIT(12), KEEPS_YMM, HOST_FMA },
	{ 1, 0, C, BIT(13), 0, HOST_CX16 },
	{ 1, 0, C, BIT(19), 0, HOST_SSE41 }, { 1, 0, C, BIT(20), 0, HOST_SSE42 },
	{ 1, 0, C, BIT(23), 0, HOST_POPCNT }, { 1, 0, C, BIT(25), 0, HOST_AES },
	{ 1, 0, C, BIT(28), KEEPS_YMM, HOST_AVX }, { 1, 0, C, BIT(29), KEEPS_YMM, HOST_F16C },
	{ 7, 0, B, BIT(3), 0, HOST_BMI1 }, { 7, 0, B, BIT(5), KEEPS_YMM, HOST_AVX2 },
	{ 7, 0, B, BIT(8), 0, HOST_BMI2 }, { 7, 0, B, BIT(19), 0, HOST_ADX },
	{ 7, 0, B, BIT(29), 0, HOST_SHA }, { 7, 0, C, BIT(8), 0, HOST_GFNI },
	{ 7, 0, C, BIT(9), KEEPS_YMM, HOST_VAES }, { 7, 0, C, BIT(10), KEEPS_YMM, HOST_VPCLMUL },
	{ 1, 0, C, BIT(27), 0, HOST_XSAVE }, /* and the system lets programs use it */
	{ 0x80000001, 0, C, BIT(5), 0, HOST_LZCNT }, { 7, 0, B, BIT(21), KEEPS_ZMM, HOST_IFMA },
	{ 7, 0, C, BIT(1), KEEPS_ZMM, HOST_VBMI }, { 7, 0, C, BIT(6), KEEPS_ZMM, HOST_VBMI2 },
	{ 7, 0, C, BIT(11), KEEPS_ZMM, HOST_VNNI }, { 7, 0, C, BIT(12), KEEPS_ZMM, HOST_BITALG },
	{ 7, 0, C, BIT(14), KEEPS_ZMM, HOST_VPOPCNTDQ }, { 0x80000001, 0, C, BIT(6), 0, HOST_SSE4A },
	{ 7, 0, B, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31), KEEPS_ZMM, HOST_AVX512 }, { 7, 1, A, BIT(5), KEEPS_ZMM, HOST_BF16 },
	{ 7, 0, D, BIT(23), KEEPS_ZMM, HOST_FP16 }, { 7, 0, D, BIT(8), KEEPS_ZMM, HOST_VP2INTERSECT },
#undef BIT
};

/* KEEPS_ bits of the host's system, by XCR0. */
static unsigned
kept(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
		return 0;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return ((a & 6) == 6 ? KEEPS_YMM : 0) | ((a & 0xe6) == 0xe6 ? KEEPS_ZMM : 0);
}

uint64_t
host_features(void)
{
	uint64_t has = HOST_SSE2;
	unsigned keeps = kept();

	for (unsigned n = 0; n < ARRAY_SIZE(features); n++) {
		unsigned r[4] = { 0 };

		if (__get_cpuid_count(features[n].leaf, features[n].subleaf, &r[A], &r[B], &r[C], &r[D]) &&
			(r[features[n].reg] & features[n].bits) == features[n].bits && !(features[n].keeps & ~keeps))
			has |= features[n].has;
	}
	/* What is beside it needs it. */
	return has & HOST_AVX512 ? has : has & ~(HOST_IFMA | HOST_VBMI | HOST_VBMI2 | HOST_VNNI | HOST_BITALG | HOST_VPOPCNTDQ | HOST_BF16 |
						 HOST_FP16 | HOST_VP2INTERSECT);
}
