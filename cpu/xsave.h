/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CPUID and MSRs ask of the XSAVE area and its components. */
#ifndef CPU_XSAVE_H
#define CPU_XSAVE_H

#include "cpu/state.h"

/* The bits that may be set in XCR0 and in XSS. */
uint64_t xsave_xcr0_mask(const struct cpu *c);
uint64_t xsave_xss_mask(const struct cpu *c);
bool xsave_xcr0_is_valid(const struct cpu *c, uint64_t xcr0);
/* The bytes of an area that has the components of MASK. */
uint32_t xsave_area_bytes(uint64_t mask, bool compact);
/* XINUSE: components that aren't in their initial state. */
uint64_t xsave_in_use(const struct cpu *c);
/* Leaf 0Dh of component NUMBER: EAX to ECX; nothing if there is no such component. */
void xsave_describe(const struct cpu *c, unsigned number, uint32_t out[4]);

#endif
