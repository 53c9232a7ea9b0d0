/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SDM volume 2, "Intel AVX-512 Encoding". */
#include "cpu/evex.h"

#include <stddef.h>

#include "cpu/avx.h"

static const uint8_t features[EVEX_ROWS] = {
#define EVEX(name, prefix, map, opcode, ext, form, reg, rm, l, w, size, broadcast, mask, feature, twin, flags) FEAT_##feature,
#include "tcg/evex.def"
#undef EVEX
};

static unsigned
key_of(unsigned row)
{
	return avx_key(evex_rows[row].map, evex_rows[row].opcode, evex_rows[row].prefix);
}

/* With EVEX.b and registers, L'L isn't the length. */
static bool
length_fits(const struct evex_row *r, const struct insn *i)
{
	unsigned ll = i->evex_b && i->mod == 3 ? 2 : i->vl;

	switch (r->l) {
	case AVX_L_0:
		return i->vl == 0;
	case EVEX_L_Y:
		return ll == 1 || ll == 2;
	case EVEX_L_2:
		return ll == 2;
	default:
		return ll <= 2;
	}
}

static bool
fits(const struct evex_row *r, const struct insn *i)
{
	/* Beside a general register W counts in 64-bit mode alone. */
	bool w = r->reg == VEC_KIND_G || r->rm == VEC_KIND_G ? (i->rex & REX_W) != 0 : i->vex_w;

	if (!length_fits(r, i) || (r->w <= AVX_W_1 && w != (r->w == AVX_W_1)))
		return false;
	if (r->ext >= 0 && r->ext != i->reg)
		return false;
	return i->mod == 3 ? r->rm != VEC_KIND_N : !(r->flags & VEC_REGS);
}

const struct evex_row *
evex_find(const struct insn *i)
{
	unsigned wanted = avx_wanted(i);

	for (unsigned n = avx_first_row(EVEX_ROWS, wanted, key_of); n < EVEX_ROWS && key_of(n) == wanted; n++)
		if (fits(&evex_rows[n], i))
			return &evex_rows[n];
	return NULL;
}

unsigned
evex_unit(const struct insn *i)
{
	unsigned length = evex_length(i->evex, i->vl, i->evex_b, i->mod != 3);

	return evex_displacement_unit(i->evex, length, i->evex_b, i->rex & REX_W ? 8 : 4);
}

static bool
is_memory_form(const struct evex_row *r)
{
	return r->form == AVX_GATHER || r->form == AVX_SCATTER;
}

static bool
mask_is_legal(const struct evex_row *r, const struct insn *i)
{
	if (is_memory_form(r))
		return i->opmask != 0 && !i->zeroing;
	if (r->mask == 0)
		return i->opmask == 0 && !i->zeroing;
	if (!i->zeroing)
		return true;
	return i->opmask != 0 && r->reg != VEC_KIND_K && !((r->form == AVX_MR || r->form == AVX_MVR) && i->mod != 3);
}

static bool
b_is_legal(const struct evex_row *r, const struct insn *i)
{
	if (!i->evex_b)
		return true;
	return i->mod == 3 ? r->flags & (EVEX_ER | EVEX_SAE) : r->broadcast != 0;
}

/* EVEX.vvvv, with its fifth bit, names nothing. */
static bool
vvvv_is_legal(const struct evex_row *r, const struct insn *i)
{
	if (is_memory_form(r))
		return (i->vvvv & 15) == 0;
	return i->vvvv == 0 || (r->form != AVX_RM && r->form != AVX_MR);
}

static bool
registers_are_legal(const struct evex_row *r, const struct insn *i)
{
	unsigned reg = i->reg | (i->rex & REX_R ? 8 : 0) | i->reg_high;
	unsigned rm = i->rm | (i->rex & REX_B ? 8 : 0) | (i->rex & REX_X ? 16 : 0);

	if ((r->reg == VEC_KIND_K && reg > 7) || (r->reg == VEC_KIND_G && i->reg_high != 0))
		return false;
	if (r->flags & EVEX_DISTINCT && (reg == i->vvvv || (i->mod == 3 && reg == rm)))
		return false;
	/* The address has an index; what is gathered doesn't overwrite it. */
	if (is_memory_form(r) && (i->rm != 4 || i->addr_width == 2))
		return false;
	return r->form != AVX_GATHER || reg != (i->mem.index | (i->vvvv & 16u));
}

bool
evex_is_legal(const struct insn *i)
{
	const struct evex_row *r = i->evex;

	return mask_is_legal(r, i) && b_is_legal(r, i) && vvvv_is_legal(r, i) && registers_are_legal(r, i);
}

enum cpu_feature
evex_row_feature(const struct evex_row *r)
{
	return features[r - evex_rows];
}

bool
evex_needs_vl(const struct insn *i)
{
	unsigned l = i->evex->l;

	return l != AVX_L_0 && l != AVX_L_IG && evex_length(i->evex, i->vl, i->evex_b, i->mod != 3) != 64;
}
