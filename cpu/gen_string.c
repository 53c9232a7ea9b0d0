/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions.  A single one is inline: the element is moved first (it may fault), then the index registers go on
 * by DF times the width.  With REP a helper moves whole runs of pages.
 */
#include "cpu/gen.h"

static unsigned
source_segment(const struct trans *t)
{
	return t->insn.seg != IR_NO_REG ? t->insn.seg : SEG_DS;
}

static val
source(struct trans *t)
{
	return mem_at(t, source_segment(t), RSI, 0, t->insn.addr_width);
}

static val
destination(struct trans *t)
{
	return mem_at(t, SEG_ES, RDI, 0, t->insn.addr_width);
}

static unsigned
scale_of(unsigned width)
{
	return width == 8 ? 3 : width == 4 ? 2 : width - 1;
}

/* reg += DF * width */
static void
step(struct trans *t, unsigned reg, val df)
{
	val m = mem_at(t, SEG_DS, reg, 0, t->insn.addr_width);

	m.mem.index = IR_TEMP_REG + df.o.reg;
	m.mem.scale = scale_of(t->width);
	ir_op2(t->ir, IR_lea, t->insn.addr_width, ir_gpr(reg), m);
}

static val
direction(struct trans *t)
{
	return temp_of(t, 8, ir_field(offsetof(struct tcg_frame, df)));
}

/* With REP: the helper does all of it.  False: there was no prefix. */
static bool
repeated(struct trans *t, const struct ir_helper *h)
{
	if (t->insn.rep == 0)
		return false;
	t->insn.mem.seg = source_segment(t);
	gen_helper(t, h, ir_none(), ir_none(), ir_none(), 0);
	end_rip_set(t);
	return true;
}

void
gen_MOVS(struct trans *t)
{
	val v, df;

	if (repeated(t, &helper_rep_movs))
		return;
	v = temp_of(t, t->width, source(t));
	ir_op2(t->ir, IR_mov, t->width, destination(t), v);
	df = direction(t);
	step(t, RSI, df);
	step(t, RDI, df);
}

void
gen_STOS(struct trans *t)
{
	if (repeated(t, &helper_rep_stos))
		return;
	ir_op2(t->ir, IR_mov, t->width, destination(t), ir_gpr(RAX));
	step(t, RDI, direction(t));
}

void
gen_LODS(struct trans *t)
{
	if (repeated(t, &helper_rep_lods))
		return;
	ir_op2(t->ir, IR_mov, t->width, ir_gpr(RAX), source(t));
	step(t, RSI, direction(t));
}

void
gen_CMPS(struct trans *t)
{
	val v, df;

	if (repeated(t, &helper_rep_cmps))
		return;
	v = temp_of(t, t->width, source(t));
	ir_op2(t->ir, IR_cmp, t->width, v, destination(t));
	df = direction(t);
	step(t, RSI, df);
	step(t, RDI, df);
}

void
gen_SCAS(struct trans *t)
{
	if (repeated(t, &helper_rep_scas))
		return;
	ir_op2(t->ir, IR_cmp, t->width, ir_gpr(RAX), destination(t));
	step(t, RDI, direction(t));
}

/* INS and OUTS are the helper's with and without REP: a port is slow anyway. */
static void
port_string(struct trans *t, const struct ir_helper *h)
{
	t->insn.mem.seg = source_segment(t);
	gen_helper(t, h, ir_none(), ir_none(), ir_none(), 0);
	end_rip_set(t);
}

void
gen_INS(struct trans *t)
{
	port_string(t, &helper_ins);
}

void
gen_OUTS(struct trans *t)
{
	port_string(t, &helper_outs);
}
