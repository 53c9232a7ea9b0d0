/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor has: SDM volume 2, CPUID. */
#include <cpuid.h>

#include "tcg/x64/gen.h"

static unsigned
xcr0(void)
{
	unsigned low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

unsigned
host_features(void)
{
	unsigned a, b, c = 0, d, has = 0;
	bool ymm;

	if (__get_cpuid(1, &a, &b, &c, &d))
		has |= (c >> 20 & 1 ? HOST_SSE42 : 0) | (c >> 23 & 1 ? HOST_POPCNT : 0) | (c >> 25 & 1 ? HOST_AES : 0) |
			(c >> 1 & 1 ? HOST_PCLMUL : 0);
	/* The host's system has to keep the upper halves. */
	ymm = c >> 27 & 1 && c >> 28 & 1 && (xcr0() & 6) == 6;
	if (ymm)
		has |= HOST_AVX | (c >> 12 & 1 ? HOST_FMA : 0) | (c >> 29 & 1 ? HOST_F16C : 0);
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		has |= (b >> 3 & 1 ? HOST_BMI1 : 0) | (b >> 8 & 1 ? HOST_BMI2 : 0) | (b >> 19 & 1 ? HOST_ADX : 0) |
			(!ymm ? 0 : (b >> 5 & 1 ? HOST_AVX2 : 0) | (c >> 9 & 1 ? HOST_VAES : 0) | (c >> 10 & 1 ? HOST_VPCLMUL : 0));
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		has |= c >> 5 & 1 ? HOST_LZCNT : 0;
	return has;
}
