/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The enumeration of the processor's features; cpu/cpuid.h tells which of them a vCPU has. */
#ifndef CPU_FEATURE_H
#define CPU_FEATURE_H

enum cpu_feature {
#define FEATURE(name, leaf, subleaf, reg, bit) FEAT_##name,
#include "cpu/feature.def"
#undef FEATURE
	CPU_FEATURES
};

#endif
