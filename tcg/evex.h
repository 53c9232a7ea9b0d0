/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evex.def as a table. */
#ifndef TCG_EVEX_H
#define TCG_EVEX_H

#include <stdbool.h>

#include "tcg/avx.h"

enum { EVEX_L_Y = AVX_L_IG + 1, EVEX_L_2 };
enum { EVEX_SIZE_Q = AVX_SIZE_H - 1, EVEX_SIZE_E = AVX_SIZE_H - 2 };
/* Flags beside those of avx.h. */
enum {
	EVEX_ER = 1 << 19, EVEX_SAE = 1 << 20, EVEX_NOT_MASKED = 1 << 21, EVEX_PACKED = 1 << 22, EVEX_BLEND = 1 << 23, EVEX_HALF = 1 << 24,
	EVEX_NARROW4 = 1 << 25, EVEX_PAIR = 1 << 26, EVEX_DISTINCT = 1 << 27,
};

enum evex_feature {
	EVEX_FEATURE_avx512f, EVEX_FEATURE_avx512bw, EVEX_FEATURE_avx512cd, EVEX_FEATURE_avx512dq, EVEX_FEATURE_avx512ifma,
	EVEX_FEATURE_avx512vbmi, EVEX_FEATURE_avx512_vbmi2, EVEX_FEATURE_avx512_vnni, EVEX_FEATURE_avx512_bitalg,
	EVEX_FEATURE_avx512_vpopcntdq, EVEX_FEATURE_avx512_bf16, EVEX_FEATURE_avx512_fp16,
	EVEX_FEATURE_avx512_vp2intersect, EVEX_FEATURE_gfni, EVEX_FEATURE_vaes, EVEX_FEATURE_vpclmulqdq,
	EVEX_FEATURES
};

enum evex {
#define EVEX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, broadcast, mask, feature, twin, flags) EVEX_ROW_##name,
#include "tcg/evex.def"
#undef EVEX
	EVEX_ROWS
};

struct evex_row {
	const char *name;
	uint8_t prefix, map, opcode;
	int8_t ext;
	uint8_t form, reg, rm, l, w, size;
	uint8_t broadcast, mask;
	uint8_t feature; /* enum evex_feature */
	int16_t twin;    /* row of avx.def, or -1 */
	uint32_t flags;  /* its own */
};

extern const struct evex_row evex_rows[EVEX_ROWS];

/* In insn.aux: the immediate; mask register; zeroing; EVEX.b; EVEX.L'L; number of the vector of indices. */
#define EVEX_AUX(imm8, k, z, b, ll, index) \
	(((imm8) & 0xffu) | (uint32_t)(k) << 8 | (uint32_t)(z) << 11 | (uint32_t)(b) << 12 | (uint32_t)(ll) << 13 | (uint32_t)(index) << 15)
#define EVEX_AUX_K(aux) ((aux) >> 8 & 7)
#define EVEX_AUX_Z(aux) ((aux) >> 11 & 1)
#define EVEX_AUX_B(aux) ((aux) >> 12 & 1)
#define EVEX_AUX_LL(aux) ((aux) >> 13 & 3)
#define EVEX_AUX_INDEX(aux) ((aux) >> 15 & 31)

/* The row's flags and its twin's. */
uint32_t evex_flags(const struct evex_row *r);
/* Bytes of the vector: with EVEX.b and registers L'L says something else. */
unsigned evex_length(const struct evex_row *r, unsigned ll, bool b, bool memory);
/* Bytes of its memory operand with a vector of LENGTH bytes and general registers of GPR_WIDTH. */
unsigned evex_memory_size(const struct evex_row *r, unsigned length, bool broadcast, unsigned gpr_width);
/* What an 8-bit displacement is multiplied by. */
unsigned evex_displacement_unit(const struct evex_row *r, unsigned length, bool broadcast, unsigned gpr_width);
/* Elements that a mask's bits stand for. */
unsigned evex_elements(const struct evex_row *r, unsigned length);

#endif
