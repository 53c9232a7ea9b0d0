/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TBM, of some of AMD's processors: AMD64 APM volume 3.  A BEXTR by an immediate, and masks made of the lowest bits. */
#include "cpu/gen.h"

enum tbm { BLCFILL, BLCI, BLCIC, BLCMSK, BLCS, BLSFILL, BLSIC, T1MSKC, TZMSK };

static uint64_t
value(enum tbm op, uint64_t a)
{
	switch (op) {
	case BLCFILL:
		return a & (a + 1);
	case BLCI:
		return a | ~(a + 1);
	case BLCIC:
		return ~a & (a + 1);
	case BLCMSK:
		return a ^ (a + 1);
	case BLCS:
		return a | (a + 1);
	case BLSFILL:
		return a | (a - 1);
	case BLSIC:
		return ~a | (a - 1);
	case T1MSKC:
		return ~a | (a + 1);
	default:
		return ~a & (a - 1);
	}
}

static bool
counts_down(enum tbm op)
{
	return op == BLSFILL || op == BLSIC || op == TZMSK;
}

/* CF is the carry of A + 1, or the borrow of A - 1. */
uint64_t
do_tbm(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	unsigned bits = 8 * aux_width(aux);
	uint64_t mask = ~0ull >> (64 - bits), r = value(aux_n(aux), a) & mask;
	bool carry = a == (counts_down(aux_n(aux)) ? 0 : mask);

	(void)b;
	f->flags = flags_from_eflags((carry ? FL_CF : 0) | (r == 0 ? FL_ZF : 0) | (r >> (bits - 1) ? FL_SF : 0));
	return r;
}

static void
tbm(struct trans *t, enum tbm op)
{
	val v = ir_temp(t->ir);

	gen_helper(t, &helper_tbm, v, temp_zero_extended(t, t->width, opnd(t, 1)), ir_none(), op);
	ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), v);
}

void
gen_BLCFILL(struct trans *t)
{
	tbm(t, BLCFILL);
}

void
gen_BLCI(struct trans *t)
{
	tbm(t, BLCI);
}

void
gen_BLCIC(struct trans *t)
{
	tbm(t, BLCIC);
}

void
gen_BLCMSK(struct trans *t)
{
	tbm(t, BLCMSK);
}

void
gen_BLCS(struct trans *t)
{
	tbm(t, BLCS);
}

void
gen_BLSFILL(struct trans *t)
{
	tbm(t, BLSFILL);
}

void
gen_BLSIC(struct trans *t)
{
	tbm(t, BLSIC);
}

void
gen_T1MSKC(struct trans *t)
{
	tbm(t, T1MSKC);
}

void
gen_TZMSK(struct trans *t)
{
	tbm(t, TZMSK);
}

void
gen_BEXTR_IMM(struct trans *t)
{
	ir_emit(t->ir, IR_bextr, t->width, opnd(t, 0), opnd(t, 1), temp_imm(t, t->insn.imm));
}
