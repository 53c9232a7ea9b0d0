/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/evex.h"

enum { AVX_ROW_own = -1 };

#define L_0 AVX_L_0
#define L_V AVX_L_V
#define L_IG AVX_L_IG
#define L_Y EVEX_L_Y
#define L_2 EVEX_L_2
#define W_0 AVX_W_0
#define W_1 AVX_W_1
#define W_IG AVX_W_IG
#define W_X AVX_W_X
#define V AVX_SIZE_V
#define H AVX_SIZE_H
#define Q EVEX_SIZE_Q
#define E EVEX_SIZE_E
#define IMM8 VEC_IMM8
#define REGS VEC_REGS
#define WIDE VEC_WIDE
#define FLAGS VEC_FLAGS
#define COUNT VEC_COUNT
#define WIDEN VEC_WIDEN
#define NARROW VEC_NARROW
#define ER EVEX_ER
#define SAE EVEX_SAE
#define NOT_MASKED EVEX_NOT_MASKED
#define PACKED EVEX_PACKED
#define BLEND EVEX_BLEND
#define HALF EVEX_HALF
#define NARROW4 EVEX_NARROW4
#define PAIR EVEX_PAIR
#define DISTINCT EVEX_DISTINCT

const struct evex_row evex_rows[EVEX_ROWS] = {
#define EVEX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, broadcast, mask, feature, twin, flags) \
	{ #name, prefix, map, opcode, ext, AVX_##form, VEC_KIND_##reg, VEC_KIND_##rm, L_##l, W_##w, size, broadcast, mask, \
		EVEX_FEATURE_##feature, AVX_ROW_##twin, flags },
#include "tcg/evex.def"
#undef EVEX
};

/* Of the twin's flags, those that don't say when it exists. */
enum {
	INHERITED = VEC_ALIGN | VEC_IMM8 | VEC_FLAGS | VEC_WIDE | VEC_COUNT | VEC_WIDEN | VEC_NARROW | VEC_DUP | VEC_STEP2 | VEC_STEP3 |
		VEC_STEP4
};

uint32_t
evex_flags(const struct evex_row *r)
{
	return r->flags | (r->twin >= 0 ? avx_rows[r->twin].flags & INHERITED : 0);
}

unsigned
evex_length(const struct evex_row *r, unsigned ll, bool b, bool memory)
{
	if (r->l == AVX_L_IG)
		return 16;
	return b && !memory ? 64 : 16u << ll;
}

unsigned
evex_memory_size(const struct evex_row *r, unsigned length, bool broadcast, unsigned gpr_width)
{
	if (broadcast)
		return r->broadcast;
	switch (r->size) {
	case AVX_SIZE_V:
		return length;
	case AVX_SIZE_H:
		return length / 2;
	case EVEX_SIZE_Q:
		return length / 4;
	case EVEX_SIZE_E:
		return length / 8;
	case 0:
		return gpr_width;
	default:
		return evex_flags(r) & VEC_DUP && length != 16 ? length : r->size;
	}
}

unsigned
evex_displacement_unit(const struct evex_row *r, unsigned length, bool broadcast, unsigned gpr_width)
{
	return r->flags & EVEX_PACKED ? r->mask : evex_memory_size(r, length, broadcast, gpr_width);
}

unsigned
evex_elements(const struct evex_row *r, unsigned length)
{
	if (r->l == AVX_L_IG)
		return 1;
	/* What is stored may be less than the vector. */
	if (r->form == AVX_MR && !(r->flags & EVEX_PACKED))
		length = evex_memory_size(r, length, false, 0);
	else if (evex_flags(r) & VEC_NARROW)
		length /= 2;
	else if (r->flags & EVEX_NARROW4)
		length /= 4;
	return r->mask != 0 ? length / r->mask : 1;
}
