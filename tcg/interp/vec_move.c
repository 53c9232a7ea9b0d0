/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector moves, shuffles, blends, inserts and extracts. */
#include "tcg/interp/vec_op.h"

/* ---- moves ---- */

/* The whole register, or what memory has of it. */
static void
move_all(struct vec_op *o)
{
	o->a = o->b;
}

/* ARG bytes; a load clears the rest, a move between registers keeps it. */
static void
move_scalar(struct vec_op *o)
{
	if (o->from_memory)
		o->a = o->b;
	else
		memcpy(o->a.b, o->b.b, o->arg);
}

/* 8 bytes, the rest of a register cleared. */
static void
move_quad(struct vec_op *o)
{
	o->a = (union vec128){ .q = { o->b.q[0], 0 } };
}

static void
move_low(struct vec_op *o)
{
	o->a.q[0] = o->b.q[0];
}

/* MOVLPS's form between registers is MOVHLPS. */
static void
movlps(struct vec_op *o)
{
	o->a.q[0] = o->b.q[o->from_memory ? 0 : 1];
}

static void
move_to_high(struct vec_op *o)
{
	o->a.q[1] = o->b.q[0];
}

static void
move_from_high(struct vec_op *o)
{
	o->a.q[0] = o->b.q[1];
}

static void
movsldup(struct vec_op *o)
{
	o->a = (union vec128){ .d = { o->b.d[0], o->b.d[0], o->b.d[2], o->b.d[2] } };
}

static void
movshdup(struct vec_op *o)
{
	o->a = (union vec128){ .d = { o->b.d[1], o->b.d[1], o->b.d[3], o->b.d[3] } };
}

static void
movddup(struct vec_op *o)
{
	o->a = (union vec128){ .q = { o->b.q[0], o->b.q[0] } };
}

/* The top bit of each lane of ARG bytes. */
static void
move_mask(struct vec_op *o)
{
	unsigned mask = 0;

	for (unsigned n = 0; n < o->bytes / o->arg; n++)
		mask |= (unsigned)(vec_lane(&o->b, o->arg, n) >> (8 * o->arg - 1)) << n;
	o->a.q[0] = mask;
}

/* ---- shuffles ---- */

enum { UNPACK_HIGH = 0x10 };

/* Lanes of ARG bytes of both operands' low or high halves by turns. */
static void
unpack(struct vec_op *o)
{
	unsigned size = o->arg & 15, half = o->bytes / size / 2, from = o->arg & UNPACK_HIGH ? half : 0;
	union vec128 r = o->a;

	for (unsigned n = 0; n < half; n++) {
		vec_set_lane(&r, size, 2 * n, vec_lane(&o->a, size, from + n));
		vec_set_lane(&r, size, 2 * n + 1, vec_lane(&o->b, size, from + n));
	}
	o->a = r;
}

static void
pshufb(struct vec_op *o)
{
	union vec128 r = o->a;

	for (unsigned n = 0; n < o->bytes; n++)
		r.b[n] = o->b.b[n] & 0x80 ? 0 : o->a.b[o->b.b[n] & (o->bytes - 1)];
	o->a = r;
}

static void
pshufd(struct vec_op *o)
{
	for (unsigned n = 0; n < 4; n++)
		o->a.d[n] = o->b.d[o->imm >> 2 * n & 3];
}

/* Four words from ARG on; the others are copied. */
static void
shuffle_words(struct vec_op *o)
{
	o->a = o->b;
	for (unsigned n = 0; n < 4; n++)
		o->a.w[o->arg + n] = o->b.w[o->arg + (o->imm >> 2 * n & 3)];
}

static void
shufps(struct vec_op *o)
{
	union vec128 r;

	for (unsigned n = 0; n < 4; n++)
		r.d[n] = (n < 2 ? &o->a : &o->b)->d[o->imm >> 2 * n & 3];
	o->a = r;
}

static void
shufpd(struct vec_op *o)
{
	o->a = (union vec128){ .q = { o->a.q[o->imm & 1], o->b.q[o->imm >> 1 & 1] } };
}

/* ---- blends ---- */

/* Lanes of ARG bytes, by the immediate. */
static void
blend(struct vec_op *o)
{
	for (unsigned n = 0; n < 16 / o->arg; n++)
		if (o->imm >> n & 1)
			vec_set_lane(&o->a, o->arg, n, vec_lane(&o->b, o->arg, n));
}

/* ... by the top bits of XMM0's lanes. */
static void
blend_by_xmm0(struct vec_op *o)
{
	union vec128 by;

	memcpy(&by, o->f->vec[0], sizeof by);
	for (unsigned n = 0; n < 16 / o->arg; n++)
		if (vec_lane_signed(&by, o->arg, n) < 0)
			vec_set_lane(&o->a, o->arg, n, vec_lane(&o->b, o->arg, n));
}

/* ---- single lanes ---- */

/* Lane size: ARG, or a general register's width if it is 0. */
static unsigned
lane_size(const struct vec_op *o)
{
	return o->arg ? o->arg : o->gpr_width;
}

static void
insert(struct vec_op *o)
{
	unsigned size = lane_size(o);

	vec_set_lane(&o->a, size, o->imm & (o->bytes / size - 1), o->b.q[0]);
}

static void
extract(struct vec_op *o)
{
	unsigned size = lane_size(o);

	o->a = (union vec128){ .q = { vec_lane(&o->b, size, o->imm & (o->bytes / size - 1)), 0 } };
}

static void
insertps(struct vec_op *o)
{
	o->a.d[o->imm >> 4 & 3] = o->b.d[o->from_memory ? 0 : o->imm >> 6 & 3];
	for (unsigned n = 0; n < 4; n++)
		if (o->imm >> n & 1)
			o->a.d[n] = 0;
}

/* ---- bit fields: SSE4A, AMD's manual volume 4 ---- */

/*
 * Six bits each of length, where 0 says 64, and index.  Fields that go beyond the 64 bits have no result by the manual, nor
 * has the upper half; the processors cut the field, and clear the half.
 */
static uint64_t
field_mask(unsigned control)
{
	return ~0ull >> (-control & 63);
}

static void
extract_field(struct vec_op *o)
{
	unsigned control = o->row->flags & VEC_IMM16 ? o->imm : o->b.w[0];

	o->a = (union vec128){ .q = { o->a.q[0] >> (control >> 8 & 63) & field_mask(control), 0 } };
}

static void
insert_field(struct vec_op *o)
{
	unsigned control = o->row->flags & VEC_IMM16 ? o->imm : o->b.w[4], index = control >> 8 & 63;
	uint64_t mask = field_mask(control);

	o->a = (union vec128){ .q = { (o->a.q[0] & ~(mask << index)) | (o->b.q[0] & mask) << index, 0 } };
}

const struct vec_impl vec_move_ops[VEC_ROWS] = {
	[VEC_movups] = { move_all, 0 }, [VEC_movupd] = { move_all, 0 }, [VEC_movaps] = { move_all, 0 }, [VEC_movapd] = { move_all, 0 },
	[VEC_movups_st] = { move_all, 0 }, [VEC_movupd_st] = { move_all, 0 },
	[VEC_movaps_st] = { move_all, 0 }, [VEC_movapd_st] = { move_all, 0 },
	[VEC_movdqa] = { move_all, 0 }, [VEC_movdqu] = { move_all, 0 },
	[VEC_movdqa_st] = { move_all, 0 }, [VEC_movdqu_st] = { move_all, 0 },
	[VEC_movntps] = { move_all, 0 }, [VEC_movntpd] = { move_all, 0 }, [VEC_movntdq] = { move_all, 0 }, [VEC_movntq] = { move_all, 0 },
	[VEC_movntdqa] = { move_all, 0 }, [VEC_lddqu] = { move_all, 0 },
	[VEC_movss] = { move_scalar, 4 }, [VEC_movsd] = { move_scalar, 8 },
	[VEC_movss_st] = { move_scalar, 4 }, [VEC_movsd_st] = { move_scalar, 8 },
	[VEC_movq] = { move_quad, 0 }, [VEC_movq_st] = { move_quad, 0 }, [VEC_movq2dq] = { move_quad, 0 }, [VEC_movdq2q] = { move_quad, 0 },
	VEC_BOTH(movd, move_quad, 0), VEC_BOTH(movd_st, move_quad, 0),
	[VEC_movq_mm] = { move_quad, 0 }, [VEC_movq_st_mm] = { move_quad, 0 },
	[VEC_movlps] = { movlps, 0 }, [VEC_movlpd] = { move_low, 0 }, [VEC_movlps_st] = { move_low, 0 }, [VEC_movlpd_st] = { move_low, 0 },
	[VEC_movhps] = { move_to_high, 0 }, [VEC_movhpd] = { move_to_high, 0 },
	[VEC_movhps_st] = { move_from_high, 0 }, [VEC_movhpd_st] = { move_from_high, 0 },
	[VEC_movsldup] = { movsldup, 0 }, [VEC_movshdup] = { movshdup, 0 }, [VEC_movddup] = { movddup, 0 },
	[VEC_maskmovq] = { move_all, 0 }, [VEC_maskmovdqu] = { move_all, 0 },
	[VEC_movmskps] = { move_mask, 4 }, [VEC_movmskpd] = { move_mask, 8 }, VEC_BOTH(pmovmskb, move_mask, 1),
	[VEC_unpcklps] = { unpack, 4 }, [VEC_unpckhps] = { unpack, 4 | UNPACK_HIGH },
	[VEC_unpcklpd] = { unpack, 8 }, [VEC_unpckhpd] = { unpack, 8 | UNPACK_HIGH },
	VEC_BOTH(punpcklbw, unpack, 1), VEC_BOTH(punpcklwd, unpack, 2), VEC_BOTH(punpckldq, unpack, 4), [VEC_punpcklqdq] = { unpack, 8 },
	VEC_BOTH(punpckhbw, unpack, 1 | UNPACK_HIGH), VEC_BOTH(punpckhwd, unpack, 2 | UNPACK_HIGH),
	VEC_BOTH(punpckhdq, unpack, 4 | UNPACK_HIGH), [VEC_punpckhqdq] = { unpack, 8 | UNPACK_HIGH },
	VEC_BOTH(pshufb, pshufb, 0), [VEC_pshufd] = { pshufd, 0 }, [VEC_shufps] = { shufps, 0 }, [VEC_shufpd] = { shufpd, 0 },
	[VEC_pshufw] = { shuffle_words, 0 }, [VEC_pshuflw] = { shuffle_words, 0 }, [VEC_pshufhw] = { shuffle_words, 4 },
	[VEC_blendps] = { blend, 4 }, [VEC_blendpd] = { blend, 8 }, [VEC_pblendw] = { blend, 2 },
	[VEC_pblendvb] = { blend_by_xmm0, 1 }, [VEC_blendvps] = { blend_by_xmm0, 4 }, [VEC_blendvpd] = { blend_by_xmm0, 8 },
	VEC_BOTH(pinsrw, insert, 2), [VEC_pinsrb] = { insert, 1 }, [VEC_pinsrd] = { insert, 0 }, [VEC_insertps] = { insertps, 0 },
	VEC_BOTH(pextrw, extract, 2), [VEC_pextrw_st] = { extract, 2 }, [VEC_pextrb] = { extract, 1 }, [VEC_pextrd] = { extract, 0 },
	[VEC_extractps] = { extract, 4 },
	[VEC_movntss] = { move_scalar, 4 }, [VEC_movntsd] = { move_scalar, 8 },
	[VEC_extrq] = { extract_field, 0 }, [VEC_extrq_imm] = { extract_field, 0 },
	[VEC_insertq] = { insert_field, 0 }, [VEC_insertq_imm] = { insert_field, 0 },
};
