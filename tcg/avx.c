/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/avx.h"

enum { VEC_own = -1 };

#define L_0 AVX_L_0
#define L_1 AVX_L_1
#define L_V AVX_L_V
#define L_IG AVX_L_IG
#define W_0 AVX_W_0
#define W_1 AVX_W_1
#define W_IG AVX_W_IG
#define W_X AVX_W_X
#define V AVX_SIZE_V
#define H AVX_SIZE_H
#define ALIGN VEC_ALIGN
#define IMM8 VEC_IMM8
#define REGS VEC_REGS
#define FLAGS VEC_FLAGS
#define WIDE VEC_WIDE
#define STRING VEC_STRING
#define INT256 VEC_INT256
#define VAES256 VEC_VAES256
#define VCLMUL256 VEC_VCLMUL256
#define REG_AVX2 VEC_REG_AVX2
#define COUNT VEC_COUNT
#define WIDEN VEC_WIDEN
#define NARROW VEC_NARROW
#define DUP VEC_DUP
#define STEP2 VEC_STEP2
#define STEP3 VEC_STEP3
#define STEP4 VEC_STEP4

const struct avx_row avx_rows[AVX_ROWS] = {
#define AVX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, feature, twin, flags) \
	{ #name, prefix, map, opcode, ext, AVX_##form, VEC_KIND_##reg, VEC_KIND_##rm, L_##l, W_##w, size, VEC_##twin, flags, AVX_FEATURE_##feature },
#include "tcg/avx.def"
#undef AVX
};

unsigned
avx_memory_size(const struct avx_row *r, unsigned l, unsigned gpr_width)
{
	if (r->size == AVX_SIZE_V || (r->flags & VEC_DUP && l != 0))
		return 16u << l;
	if (r->size == AVX_SIZE_H)
		return 8u << l;
	if (r->flags & VEC_WIDEN)
		return (unsigned)r->size << l;
	return r->size != 0 ? r->size : gpr_width;
}
