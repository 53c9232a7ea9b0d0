/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/avx.h"

#include <stddef.h>

static const uint8_t features[AVX_ROWS] = {
#define AVX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, feature, twin, flags) FEAT_##feature,
#include "tcg/avx.def"
#undef AVX
};

static unsigned
key_of(unsigned row)
{
	return avx_key(avx_rows[row].map, avx_rows[row].opcode, avx_rows[row].prefix);
}

bool
avx_has_modrm(const struct insn *i)
{
	return i->map != MAP_0F || i->opcode != 0x77;
}

/* VEX.vvvv has to be 1111 where it names nothing. */
static bool
vvvv_fits(const struct avx_row *r, const struct insn *i)
{
	return i->vvvv == 0 || (r->form != AVX_RM && r->form != AVX_MR && r->form != AVX_NONE && r->form != AVX_MASK);
}

static bool
fits(const struct avx_row *r, const struct insn *i)
{
	if ((r->l == AVX_L_0 && i->vl != 0) || (r->l == AVX_L_1 && i->vl != 1) || (r->w <= AVX_W_1 && i->vex_w != (r->w == AVX_W_1)))
		return false;
	if (r->ext >= 0 && r->ext != i->reg)
		return false;
	if (r->form != AVX_NONE && (i->mod == 3 ? r->rm == VEC_KIND_N : (r->flags & VEC_REGS) != 0))
		return false;
	return vvvv_fits(r, i);
}

/* The three registers of a gather differ, and its address has an index. */
static bool
gather_is_legal(const struct insn *i)
{
	unsigned reg = i->reg | (i->rex & REX_R ? 8 : 0), index = i->mem.index;

	return i->rm == 4 && i->addr_width != 2 && reg != index && reg != i->vvvv && index != i->vvvv;
}

const struct avx_row *
avx_find(const struct insn *i)
{
	unsigned wanted = avx_wanted(i);

	for (unsigned n = avx_first_row(AVX_ROWS, wanted, key_of); n < AVX_ROWS && key_of(n) == wanted; n++)
		if (fits(&avx_rows[n], i))
			return &avx_rows[n];
	return NULL;
}

bool
avx_is_legal(const struct insn *i)
{
	const struct avx_row *r = i->avx;

	/* A general register beside a mask has 8 bytes in 64-bit mode alone. */
	if ((r->reg == VEC_KIND_K && r->rm == VEC_KIND_G) || (r->reg == VEC_KIND_G && r->rm == VEC_KIND_K))
		return !i->vex_w || i->rex & REX_W;
	return r->form != AVX_GATHER || gather_is_legal(i);
}

enum cpu_feature
avx_row_feature(const struct avx_row *r)
{
	return features[r - avx_rows];
}

enum cpu_feature
avx_feature(const struct insn *i)
{
	const struct avx_row *r = i->avx;

	if ((r->flags & VEC_INT256 && i->vl != 0) || (r->flags & VEC_REG_AVX2 && i->mod == 3))
		return FEAT_avx2;
	if (r->flags & VEC_VAES256 && i->vl != 0)
		return FEAT_vaes;
	if (r->flags & VEC_VCLMUL256 && i->vl != 0)
		return FEAT_vpclmulqdq;
	return features[r - avx_rows];
}
