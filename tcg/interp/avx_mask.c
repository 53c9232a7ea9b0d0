/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512's instructions on masks alone.  SDM volume 2, the instructions that begin with K. */
#include "tcg/interp/avx_op.h"

#include "base/util.h"
#include "tcg/ir.h"

enum { MASK_AND, MASK_ANDN, MASK_OR, MASK_XNOR, MASK_XOR, MASK_ADD, MASK_NOT, MASK_MOVE };

/* ARG: bits | the operation << 8. */
static void
logic(struct avx_op *o)
{
	uint64_t a = o->a.q[0], b = o->b.q[0], r = 0;

	switch (o->arg >> 8) {
	case MASK_AND:
		r = a & b;
		break;
	case MASK_ANDN:
		r = ~a & b;
		break;
	case MASK_OR:
		r = a | b;
		break;
	case MASK_XNOR:
		r = ~(a ^ b);
		break;
	case MASK_XOR:
		r = a ^ b;
		break;
	case MASK_ADD:
		r = a + b;
		break;
	case MASK_NOT:
		r = ~b;
		break;
	default:
		r = b;
	}
	o->r.q[0] = r & low_bits(o->arg & 0xff);
}

/* ARG: bits of a half.  The first source becomes the upper one. */
static void
unpack(struct avx_op *o)
{
	o->r.q[0] = (o->a.q[0] & low_bits(o->arg)) << o->arg | (o->b.q[0] & low_bits(o->arg));
}

enum { SHIFT_RIGHT = 0x100 };

/* ARG: bits, and the way. */
static void
shift(struct avx_op *o)
{
	unsigned bits = o->arg & 0xff;
	uint64_t v = o->b.q[0] & low_bits(bits);

	if (o->imm < bits)
		o->r.q[0] = (o->arg & SHIFT_RIGHT ? v >> o->imm : v << o->imm) & low_bits(bits);
}

/* ZF: none in either; CF: all. */
static void
or_test(struct avx_op *o)
{
	uint64_t v = (o->c.q[0] | o->b.q[0]) & low_bits(o->arg);

	o->eflags = (v == 0 ? FL_ZF : 0) | (v == low_bits(o->arg) ? FL_CF : 0);
}

/* ZF: none in both; CF: none in the second that isn't in the first. */
static void
test(struct avx_op *o)
{
	uint64_t v = o->b.q[0] & low_bits(o->arg);

	o->eflags = ((o->c.q[0] & v) == 0 ? FL_ZF : 0) | ((~o->c.q[0] & v) == 0 ? FL_CF : 0);
}

#define WIDTHS(name, suffix, fn, arg) \
	[AVX_ROW_##name##b##suffix] = { fn, (arg) | 8 }, [AVX_ROW_##name##w##suffix] = { fn, (arg) | 16 }, \
	[AVX_ROW_##name##d##suffix] = { fn, (arg) | 32 }, [AVX_ROW_##name##q##suffix] = { fn, (arg) | 64 }

const struct avx_impl avx_mask_ops[AVX_ROWS] = {
	WIDTHS(kand, , logic, MASK_AND << 8), WIDTHS(kandn, , logic, MASK_ANDN << 8), WIDTHS(kor, , logic, MASK_OR << 8),
	WIDTHS(kxnor, , logic, MASK_XNOR << 8), WIDTHS(kxor, , logic, MASK_XOR << 8), WIDTHS(kadd, , logic, MASK_ADD << 8),
	WIDTHS(knot, , logic, MASK_NOT << 8), WIDTHS(kmov, , logic, MASK_MOVE << 8), WIDTHS(kmov, _st, logic, MASK_MOVE << 8),
	WIDTHS(kmov, _gpr, logic, MASK_MOVE << 8), WIDTHS(kmov, _to_gpr, logic, MASK_MOVE << 8),
	[AVX_ROW_kunpckbw] = { unpack, 8 }, [AVX_ROW_kunpckwd] = { unpack, 16 }, [AVX_ROW_kunpckdq] = { unpack, 32 },
	WIDTHS(kshiftl, , shift, 0), WIDTHS(kshiftr, , shift, SHIFT_RIGHT),
	WIDTHS(kortest, , or_test, 0), WIDTHS(ktest, , test, 0),
};
