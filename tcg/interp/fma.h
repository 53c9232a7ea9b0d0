/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IEEE arithmetic in integers, with SSE's rules for rounding, denormals, NaNs and flags: what is not left to the host. */
#ifndef TCG_INTERP_FMA_H
#define TCG_INTERP_FMA_H

#include "tcg/interp/vec_fp.h"

/* A * B + C rounded once; the product's sign may be turned, and C be subtracted.  SIZE 4 or 8. */
uint64_t fp_fma(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, uint64_t c, bool negate_product, bool subtract);
/* VCVTPH2PS, VCVTPS2PH: IMM bit 2 rounds by MXCSR, else bits 1:0 do. */
uint32_t fp_from_half(struct fp_env *e, uint16_t v);
uint16_t fp_to_half(struct fp_env *e, uint32_t v, unsigned imm);

#endif
