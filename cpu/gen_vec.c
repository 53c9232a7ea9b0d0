/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector instructions, all of them alike: operands by the row of vec.def, one operation. */
#include "cpu/gen.h"
#include "cpu/vec.h"
#include "tcg/interp/x87.h"

static bool
uses(const struct vec_row *v, enum vec_kind kind)
{
	return v->reg == kind || v->rm == kind;
}

/* True: MMX isn't to be used now; it has raised #UD or #NM. */
static bool
mmx_off(struct trans *t)
{
	if (!(t->mode & MODE_NM))
		return false;
	gen_raise(t, t->mode & MODE_EM ? EXC_UD : EXC_NM);
	return true;
}

static bool
is_off(struct trans *t, const struct vec_row *v)
{
	if (!trans_has(t, vec_feature(v))) {
		gen_raise(t, EXC_UD);
		return true;
	}
	if (uses(v, VEC_KIND_X) && gen_sse_off(t))
		return true;
	return uses(v, VEC_KIND_M) && mmx_off(t);
}

static val
vector_register(const struct trans *t, unsigned kind, unsigned low, unsigned rex_bit)
{
	unsigned reg = low | (t->insn.rex & rex_bit ? 8 : 0);

	return kind == VEC_KIND_M ? ir_mm(low) : kind == VEC_KIND_G ? ir_gpr(reg) : ir_xmm(reg);
}

static val
rm_operand(const struct trans *t, const struct vec_row *v)
{
	val m = ir_mem(t->insn.mem);

	if (t->insn.mod == 3)
		return vector_register(t, v->rm, t->insn.rm, REX_B);
	if (v->flags & VEC_ALIGN)
		m.mem.align = 16;
	return m;
}

val
gen_masked_memory(struct trans *t)
{
	unsigned seg = t->insn.seg != IR_NO_REG ? t->insn.seg : SEG_DS;

	return mem_at(t, seg, RDI, 0, t->insn.addr_width);
}

static struct ir_insn *
emit(struct trans *t, const struct vec_row *v, unsigned width)
{
	val reg = vector_register(t, v->reg, t->insn.reg, REX_R), rm = rm_operand(t, v);

	switch ((enum vec_form)v->form) {
	case VEC_RM:
		return ir_op2(t->ir, IR_vec, width, reg, rm);
	case VEC_MR:
		return ir_op2(t->ir, IR_vec, width, rm, reg);
	case VEC_EXT:
		return ir_op1(t->ir, IR_vec, width, rm);
	default:
		return ir_emit(t->ir, IR_vec, v->reg == VEC_KIND_M ? 8 : 16, gen_masked_memory(t), reg, rm);
	}
}

void
gen_VEC(struct trans *t)
{
	const struct vec_row *v = t->insn.vec;
	unsigned general = t->insn.rex & REX_W ? 8 : 4, width = 16;
	struct ir_insn *i;

	if (is_off(t, v))
		return;
	if (t->insn.mod != 3)
		width = v->size != 0 ? v->size : general;
	i = emit(t, v, width);
	i->sub = (uint16_t)(v - vec_rows);
	i->aux = (uint32_t)t->insn.imm;
	i->src_width = general;
	i->reads = 0;
	i->writes = v->flags & VEC_FLAGS ? FL_ALL : 0;
}

void
gen_EMMS(struct trans *t)
{
	if (!mmx_off(t))
		gen_helper(t, &helper_emms, ir_none(), ir_none(), ir_none(), 0);
}

/* All registers are empty, and the stack's top is 0 as after every MMX instruction. */
uint64_t
do_emms(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	if (x87_fsw(f) & FSW_ES)
		f->guest->x87_exception(f);
	x87_set_top(f, 0);
	f->x87[X87_FTW] = 0;
	return 0;
}
