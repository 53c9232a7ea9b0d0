/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87, and the instructions that save and restore the state of x87, MMX and SSE. */
#include "cpu/gen.h"

/* ---- x87 ---- */

/* True: it has raised #NM. */
static bool
x87_off(struct trans *t)
{
	if (!(t->mode & MODE_NM))
		return false;
	gen_raise(t, EXC_NM);
	return true;
}

static void
x87(struct trans *t, unsigned width, val dst, val src)
{
	const struct insn *i = &t->insn;
	struct ir_insn *n = ir_op2(t->ir, IR_x87, width, dst, src);
	unsigned op = i->opcode & 7;

	n->sub = op << 8 | (i->mod == 3 ? i->modrm : i->reg << 3);
	/* FCMOVcc reads flags, FCOMI and its kin write them. */
	if (i->mod != 3 || (op != 2 && op != 3 && op != 7))
		n->reads = n->writes = 0;
}

/* Reads memory. */
void
gen_FLOAD(struct trans *t)
{
	if (!x87_off(t))
		x87(t, t->width, ir_none(), opnd(t, 0));
}

/* Writes memory. */
void
gen_FSTORE(struct trans *t)
{
	if (!x87_off(t))
		x87(t, t->width, opnd(t, 0), ir_none());
}

/* Works on the register stack. */
void
gen_FREG(struct trans *t)
{
	if (!x87_off(t))
		x87(t, 0, ir_none(), ir_none());
}

void
gen_FNSTSW_AX(struct trans *t)
{
	if (!x87_off(t))
		x87(t, 2, ir_gpr(RAX), ir_none());
}

/* FENI, FDISI and FSETPM of old. */
void
gen_FNOP(struct trans *t)
{
	x87_off(t);
}

void
gen_FWAIT(struct trans *t)
{
	if (t->mode & MODE_WAIT_NM)
		gen_raise(t, EXC_NM);
	else if (t->mode & MODE_X87_SLOW)
		gen_helper(t, &helper_fwait, ir_none(), ir_none(), ir_none(), 0);
}

void
gen_FNINIT(struct trans *t)
{
	if (x87_off(t))
		return;
	gen_helper(t, &helper_fninit, ir_none(), ir_none(), ir_none(), 0);
	end_next(t);
}

void
gen_FLDCW(struct trans *t)
{
	/* What is pending comes before the operand is read. */
	if (x87_off(t))
		return;
	gen_helper(t, &helper_fldcw, ir_none(), temp_ea(t), ir_none(), 0);
	end_next(t);
}

/* ---- state in memory ---- */

static void
state(struct trans *t, const struct ir_helper *h, bool ends)
{
	t->width = t->insn.width;
	gen_helper(t, h, ir_none(), temp_ea(t), ir_none(), 0);
	if (ends)
		end_next(t);
}

static void
x87_state(struct trans *t, const struct ir_helper *h)
{
	if (!x87_off(t))
		state(t, h, true);
}

void
gen_FNSTENV(struct trans *t)
{
	x87_state(t, &helper_fnstenv);
}

void
gen_FLDENV(struct trans *t)
{
	x87_state(t, &helper_fldenv);
}

void
gen_FNSAVE(struct trans *t)
{
	x87_state(t, &helper_fnsave);
}

void
gen_FRSTOR(struct trans *t)
{
	x87_state(t, &helper_frstor);
}

void
gen_FXSAVE(struct trans *t)
{
	if (!x87_off(t))
		state(t, &helper_fxsave, false);
}

void
gen_FXRSTOR(struct trans *t)
{
	x87_state(t, &helper_fxrstor);
}

void
gen_XSAVE(struct trans *t)
{
	state(t, &helper_xsave, false);
}

void
gen_XSAVEOPT(struct trans *t)
{
	state(t, &helper_xsaveopt, false);
}

void
gen_XSAVEC(struct trans *t)
{
	state(t, &helper_xsavec, false);
}

void
gen_XSAVES(struct trans *t)
{
	state(t, &helper_xsaves, false);
}

void
gen_XRSTOR(struct trans *t)
{
	state(t, &helper_xrstor, true);
}

void
gen_XRSTORS(struct trans *t)
{
	state(t, &helper_xrstors, true);
}

/* ---- MXCSR ---- */

bool
gen_sse_off(struct trans *t)
{
	bool undefined = t->mode & MODE_EM || !(t->cpu->cr4 & CR4_OSFXSR);

	if (!(t->mode & MODE_NO_SSE))
		return false;
	gen_raise(t, undefined ? EXC_UD : EXC_NM);
	return true;
}

void
gen_LDMXCSR(struct trans *t)
{
	if (gen_sse_off(t))
		return;
	gen_helper(t, &helper_ldmxcsr, ir_none(), temp_zero_extended(t, 4, opnd(t, 0)), ir_none(), 0);
	end_next(t);
}

void
gen_STMXCSR(struct trans *t)
{
	val v = ir_temp(t->ir);

	if (gen_sse_off(t))
		return;
	gen_helper(t, &helper_stmxcsr, v, ir_none(), ir_none(), 0);
	ir_op2(t->ir, IR_mov, 4, opnd(t, 0), v);
}
