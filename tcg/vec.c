/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/vec.h"

enum { ALIGN = VEC_ALIGN, IMM8 = VEC_IMM8, IMM16 = VEC_IMM16, REGS = VEC_REGS, FLAGS = VEC_FLAGS, WIDE = VEC_WIDE, XMM0 = VEC_XMM0,
	STRING = VEC_STRING };

const struct vec_row vec_rows[VEC_ROWS] = {
#define VEC(name, prefix, map, opcode, ext, form, reg, rm, size, feature, flags) \
	{ #name, prefix, map, opcode, ext, VEC_##form, VEC_KIND_##reg, VEC_KIND_##rm, size, flags, VEC_FEATURE_##feature },
#include "tcg/vec.def"
#undef VEC
};
