/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor has: SDM volume 2, CPUID. */
#include <cpuid.h>

#include "tcg/x64/gen.h"

unsigned
host_features(void)
{
	unsigned a, b, c, d, has = 0;

	if (__get_cpuid(1, &a, &b, &c, &d))
		has |= (c >> 20 & 1 ? HOST_SSE42 : 0) | (c >> 23 & 1 ? HOST_POPCNT : 0);
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		has |= (b >> 3 & 1 ? HOST_BMI1 : 0) | (b >> 8 & 1 ? HOST_BMI2 : 0) | (b >> 19 & 1 ? HOST_ADX : 0);
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		has |= c >> 5 & 1 ? HOST_LZCNT : 0;
	return has;
}
