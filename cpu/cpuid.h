/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processor says that it is: models, features, and the answers of CPUID. */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include "cpu/feature.h"
#include "cpu/state.h"

struct cpuid_model {
	char vendor[13], brand[49];
	uint32_t signature;            /* CPUID 1: EAX */
	uint32_t max_leaf, max_ext_leaf;
	bool amd; /* by the vendor */
	bool has[CPU_FEATURES];
};

/* From "model,+feature,-feature,feature=on|off"; `max` has of AVX-512 what FAST_AVX512 (TCG_) says.  NULL with E set. */
struct cpuid_model *cpuid_parse(const char *text, unsigned fast_avx512, struct err *e);

static inline bool
cpu_has(const struct cpu *c, enum cpu_feature f)
{
	return c->model->has[f];
}

/* EAX, EBX, ECX, EDX of LEAF and SUBLEAF. */
void cpuid_query(const struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Physical address bits above this are reserved in page tables and MTRRs. */
enum { PHYS_BITS = 40 };

/* The bits that may be set in CR4, EFER. */
uint64_t cpuid_cr4_mask(const struct cpu *c);
uint64_t cpuid_efer_mask(const struct cpu *c);

#endif
