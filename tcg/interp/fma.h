/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IEEE arithmetic in integers, with SSE's rules for rounding, denormals, NaNs and flags: what is not left to the host. */
#ifndef TCG_INTERP_FMA_H
#define TCG_INTERP_FMA_H

#include "tcg/interp/vec_fp.h"

/* A * B + C rounded once; the product's sign may be turned, and C be subtracted. */
uint64_t fp_fma(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, uint64_t c, bool negate_product, bool subtract);
/* HOW of the instructions.  With FMA_ALTERNATE the even elements have the other sign. */
enum { FMA_NEGATE_PRODUCT = 0x10, FMA_SUBTRACT = 0x20, FMA_ALTERNATE = 0x40, FMA_132 = 0, FMA_213 = 0x100, FMA_231 = 0x200 };
/* Element N of such an instruction, of its operands ONE (which is the destination) to THREE. */
uint64_t fp_fma_element(struct fp_env *e, unsigned size, unsigned how, unsigned n, uint64_t one, uint64_t two, uint64_t three);
/* VCVTPH2PS, VCVTPS2PH: IMM bit 2 rounds by MXCSR, else bits 1:0 do. */
uint32_t fp_from_half(struct fp_env *e, uint16_t v);
uint16_t fp_to_half(struct fp_env *e, uint32_t v, unsigned imm);

#endif
