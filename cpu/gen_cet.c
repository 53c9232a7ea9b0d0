/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control-flow enforcement: ENDBR, and the instructions for shadow stacks; calls of helpers in cet.c.  Near transfers are in
 * gen_flow.c.
 */
#include "cpu/cet.h"
#include "cpu/gen.h"

/* ---- ENDBR: a no-operation, but where one is waited for or suppressed ---- */

static void
endbr(struct trans *t, bool right_mode)
{
	if (!right_mode || !(t->mode & (MODE_ENDBR | MODE_IBT_OFF)))
		return;
	gen_helper(t, &helper_endbr, ir_none(), ir_none(), ir_none(), 0);
	t->mode &= ~(uint32_t)(MODE_ENDBR | MODE_IBT_OFF);
}

void
gen_ENDBR64(struct trans *t)
{
	endbr(t, t->dm.code == 8);
}

void
gen_ENDBR32(struct trans *t)
{
	endbr(t, t->dm.code != 8);
}

/* ---- shadow stacks ---- */

/* True: this level has none; #UD has been raised. */
static bool
has_no_stack(struct trans *t)
{
	if (t->mode & MODE_SHSTK)
		return false;
	gen_raise(t, EXC_UD);
	return true;
}

void
gen_RDSSP(struct trans *t)
{
	if (t->mode & MODE_SHSTK)
		ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), ir_field(offsetof(struct cpu, ssp)));
}

void
gen_INCSSP(struct trans *t)
{
	if (!has_no_stack(t))
		gen_helper(t, &helper_incssp, ir_none(), temp_zero_extended(t, t->width, opnd(t, 0)), ir_none(), 0);
}

void
gen_SAVEPREVSSP(struct trans *t)
{
	if (!has_no_stack(t))
		gen_helper(t, &helper_saveprevssp, ir_none(), ir_none(), ir_none(), 0);
}

void
gen_RSTORSSP(struct trans *t)
{
	if (!has_no_stack(t))
		gen_helper(t, &helper_rstorssp, ir_none(), temp_ea(t), ir_none(), 0);
}

static void
write_stack(struct trans *t, const struct ir_helper *h)
{
	val v = temp_zero_extended(t, t->width, opnd(t, 1));

	gen_helper(t, h, ir_none(), temp_ea(t), v, 0);
}

void
gen_WRSS(struct trans *t)
{
	if (!has_no_stack(t))
		write_stack(t, &helper_wrss);
}

void
gen_WRUSS(struct trans *t)
{
	write_stack(t, &helper_wruss);
}

void
gen_SETSSBSY(struct trans *t)
{
	gen_helper(t, &helper_setssbsy, ir_none(), ir_none(), ir_none(), 0);
}

void
gen_CLRSSBSY(struct trans *t)
{
	gen_helper(t, &helper_clrssbsy, ir_none(), temp_ea(t), ir_none(), 0);
}
