/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vec.def as a table. */
#ifndef TCG_VEC_H
#define TCG_VEC_H

#include <stdint.h>

enum vec_form { VEC_RM, VEC_MR, VEC_EXT, VEC_MASK };
enum vec_kind { VEC_KIND__, VEC_KIND_X, VEC_KIND_M, VEC_KIND_G, VEC_KIND_N, VEC_KIND_K };
enum { VEC_ALIGN = 1, VEC_IMM8 = 2, VEC_REGS = 4, VEC_FLAGS = 8, VEC_WIDE = 16, VEC_XMM0 = 32, VEC_STRING = 64,
	VEC_IMM16 = 128 };

enum vec_feature {
	VEC_FEATURE_mmx, VEC_FEATURE_sse, VEC_FEATURE_sse2, VEC_FEATURE_sse3, VEC_FEATURE_ssse3, VEC_FEATURE_sse4_1, VEC_FEATURE_sse4_2,
	VEC_FEATURE_aes, VEC_FEATURE_pclmulqdq, VEC_FEATURE_sha_ni, VEC_FEATURE_gfni, VEC_FEATURE_sse4a, VEC_FEATURES
};

enum vec {
#define VEC(name, prefix, map, opcode, ext, form, reg, rm, size, feature, flags) VEC_##name,
#include "tcg/vec.def"
#undef VEC
	VEC_ROWS
};

struct vec_row {
	const char *name;
	uint8_t prefix, map, opcode;
	int8_t ext;
	uint8_t form, reg, rm, size, flags;
	uint8_t feature; /* enum vec_feature */
};

extern const struct vec_row vec_rows[VEC_ROWS];

#endif
