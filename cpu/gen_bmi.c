/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BMI1, BMI2 and ADX: SDM volume 2. */
#include "cpu/gen.h"

/* dst = src OP src2: the row's operands in this order. */
static void
three(struct trans *t, enum ir_op op)
{
	ir_emit(t->ir, op, t->width, opnd(t, 0), opnd(t, 1), opnd(t, 2));
}

static void
two(struct trans *t, enum ir_op op)
{
	ir_op2(t->ir, op, t->width, opnd(t, 0), opnd(t, 1));
}

void
gen_ANDN(struct trans *t)
{
	three(t, IR_andn);
}

void
gen_BEXTR(struct trans *t)
{
	three(t, IR_bextr);
}

void
gen_BZHI(struct trans *t)
{
	three(t, IR_bzhi);
}

void
gen_PEXT(struct trans *t)
{
	three(t, IR_pext);
}

void
gen_PDEP(struct trans *t)
{
	three(t, IR_pdep);
}

/* Of the two destinations ModRM.reg, which gets the high half, is written last. */
void
gen_MULX(struct trans *t)
{
	val low = opnd(t, 1);

	ir_emit(t->ir, IR_mulx, t->width, opnd(t, 0), low, opnd(t, 2));
}

void
gen_SHLX(struct trans *t)
{
	three(t, IR_shlx);
}

void
gen_SARX(struct trans *t)
{
	three(t, IR_sarx);
}

void
gen_SHRX(struct trans *t)
{
	three(t, IR_shrx);
}

void
gen_RORX(struct trans *t)
{
	three(t, IR_rorx);
}

void
gen_BLSR(struct trans *t)
{
	two(t, IR_blsr);
}

void
gen_BLSMSK(struct trans *t)
{
	two(t, IR_blsmsk);
}

void
gen_BLSI(struct trans *t)
{
	two(t, IR_blsi);
}

void
gen_ADCX(struct trans *t)
{
	gen_binary(t, IR_adcx);
}

void
gen_ADOX(struct trans *t)
{
	gen_binary(t, IR_adox);
}
