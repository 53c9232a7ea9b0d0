/* SPDX-License-Identifier: GPL-2.0-or-later */
/* avx.def as a table. */
#ifndef TCG_AVX_H
#define TCG_AVX_H

#include "tcg/vec.h"

enum avx_form { AVX_RVM, AVX_RM, AVX_MR, AVX_MVR, AVX_VM, AVX_RVMR, AVX_RVRM, AVX_RMV, AVX_GATHER, AVX_SCATTER, AVX_MASK,
	AVX_NONE };
enum { AVX_L_0, AVX_L_1, AVX_L_V, AVX_L_IG };
enum { AVX_W_0, AVX_W_1, AVX_W_IG, AVX_W_X };
enum { AVX_SIZE_V = 0xff, AVX_SIZE_H = 0xfe }; /* else bytes */
/* Flags beside those of vec.h. */
enum {
	VEC_INT256 = 1 << 8, VEC_VAES256 = 1 << 9, VEC_VCLMUL256 = 1 << 10, VEC_REG_AVX2 = 1 << 11, VEC_COUNT = 1 << 12, VEC_WIDEN = 1 << 13,
	VEC_NARROW = 1 << 14, VEC_DUP = 1 << 15, VEC_STEP2 = 1 << 16, VEC_STEP3 = 1 << 17, VEC_STEP4 = 1 << 18,
};

enum avx_feature { AVX_FEATURE_avx, AVX_FEATURE_avx2, AVX_FEATURE_fma, AVX_FEATURE_f16c, AVX_FEATURE_aes, AVX_FEATURE_pclmulqdq,
	AVX_FEATURE_gfni, AVX_FEATURE_avx512f, AVX_FEATURE_avx512bw, AVX_FEATURE_avx512dq, AVX_FEATURE_fma4,
	AVX_FEATURE_xop };

enum avx {
#define AVX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, feature, twin, flags) AVX_ROW_##name,
#include "tcg/avx.def"
#undef AVX
	AVX_ROWS
};

struct avx_row {
	const char *name;
	uint8_t prefix, map, opcode;
	int8_t ext;
	uint8_t form, reg, rm, l, w, size;
	int16_t twin; /* row of vec.def, or -1 */
	uint32_t flags;
	uint8_t feature; /* enum avx_feature */
};

extern const struct avx_row avx_rows[AVX_ROWS];

/* In insn.aux: the immediate; the number of a gather's vector of indices, or of the last register that VZEROALL clears; VEX.L. */
#define AVX_AUX(imm8, index, l) (((imm8) & 0xffu) | (index) << 8 | (l) << 16)
#define AVX_AUX_INDEX(aux) ((aux) >> 8 & 15)
#define AVX_AUX_L(aux) ((aux) >> 16 & 1)

/* Bytes of its memory operand with VEX.L as L, and general registers of GPR_WIDTH. */
unsigned avx_memory_size(const struct avx_row *r, unsigned l, unsigned gpr_width);

/* Bytes of an index of a gather or scatter, by its opcode. */
static inline unsigned
avx_index_size(unsigned opcode)
{
	return opcode & 1 ? 8 : 4;
}

#endif
