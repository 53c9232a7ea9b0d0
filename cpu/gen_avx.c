/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector instructions with a VEX prefix, all of them alike: operands by the row of avx.def, one operation. */
#include "cpu/avx.h"
#include "cpu/gen.h"

bool
gen_avx_off(struct trans *t, bool avx512)
{
	if (t->mode & (avx512 ? MODE_NO_AVX512 : MODE_NO_AVX)) {
		gen_raise(t, EXC_UD);
		return true;
	}
	if (!(t->mode & MODE_TS))
		return false;
	gen_raise(t, EXC_NM);
	return true;
}

val
gen_vector_reg(unsigned kind, unsigned reg)
{
	/* There are eight masks, whatever more bits the prefix has. */
	return kind == VEC_KIND_G ? ir_gpr(reg & 15) : kind == VEC_KIND_K ? ir_opmask(reg & 7) : ir_xmm(reg);
}

static val
reg_operand(const struct trans *t, const struct avx_row *r)
{
	unsigned reg = t->insn.reg | (t->insn.rex & REX_R ? 8 : 0);

	return gen_vector_reg(r->reg, reg);
}

static val
rm_operand(const struct trans *t, const struct avx_row *r)
{
	unsigned reg = t->insn.rm | (t->insn.rex & REX_B ? 8 : 0);
	val m = ir_mem(t->insn.mem);

	if (t->insn.mod == 3)
		return gen_vector_reg(r->rm, reg);
	if (r->flags & VEC_ALIGN)
		m.mem.align = (uint8_t)(16u << t->insn.vl);
	if (r->form == AVX_GATHER)
		m.mem.index = IR_NO_REG;
	return m;
}

static struct ir_insn *
emit(struct trans *t, const struct avx_row *r, unsigned width)
{
	val reg = reg_operand(t, r), rm = rm_operand(t, r), none = ir_none();
	val v = gen_vector_reg(r->reg == VEC_KIND_K ? VEC_KIND_K : VEC_KIND_X, t->insn.vvvv);

	switch ((enum avx_form)r->form) {
	case AVX_RVM:
	case AVX_RVMR:
	case AVX_RVRM:
	case AVX_RMV:
	case AVX_GATHER:
		return ir_emit(t->ir, IR_avx, width, reg, v, rm);
	case AVX_RM:
		return ir_emit(t->ir, IR_avx, width, reg, rm, none);
	case AVX_MR:
		return ir_emit(t->ir, IR_avx, width, rm, reg, none);
	case AVX_MVR:
		return ir_emit(t->ir, IR_avx, width, rm, v, reg);
	case AVX_VM:
		return ir_emit(t->ir, IR_avx, width, v, rm, none);
	default:
		return ir_emit(t->ir, IR_avx, width, none, none, none);
	}
}

/* VMASKMOVDQU, which changes no register, is what its SSE twin is. */
static void
emit_masked_store(struct trans *t, const struct avx_row *r)
{
	struct ir_insn *i = ir_emit(t->ir, IR_vec, 16, gen_masked_memory(t), reg_operand(t, r), rm_operand(t, r));

	i->sub = (uint16_t)r->twin;
	i->aux = 0;
	i->src_width = 4;
	i->reads = i->writes = 0;
}

/* A register's number in it has three bits outside of 64-bit mode. */
static uint32_t
immediate(const struct trans *t, const struct avx_row *r)
{
	bool names_register = r->form == AVX_RVMR || r->form == AVX_RVRM;

	return names_register && t->dm.code != 8 ? (uint32_t)t->insn.imm & 0x7f : (uint32_t)t->insn.imm;
}

static uint32_t
index_of(const struct trans *t, const struct avx_row *r)
{
	if (r->form == AVX_NONE)
		return t->dm.code == 8 ? 15 : 7;
	return r->form == AVX_GATHER ? t->insn.mem.index : 0;
}

void
gen_AVX(struct trans *t)
{
	const struct avx_row *r = t->insn.avx;
	unsigned general = t->insn.rex & REX_W ? 8 : 4;
	struct ir_insn *i;

	if (!trans_has(t, FEAT_avx) || !trans_has(t, avx_feature(&t->insn))) {
		gen_raise(t, EXC_UD);
		return;
	}
	if (gen_avx_off(t, r->reg == VEC_KIND_K || r->rm == VEC_KIND_K))
		return;
	if (r->form == AVX_MASK) {
		emit_masked_store(t, r);
		return;
	}
	i = emit(t, r, t->insn.mod != 3 && r->form != AVX_NONE ? avx_memory_size(r, t->insn.vl, general) : 16);
	i->sub = (uint16_t)(r - avx_rows);
	i->aux = AVX_AUX(immediate(t, r), index_of(t, r), (uint32_t)t->insn.vl);
	i->src_width = (uint8_t)general;
	i->reads = 0;
	i->writes = r->flags & VEC_FLAGS ? FL_ALL : 0;
}

void
gen_VLDMXCSR(struct trans *t)
{
	if (!gen_avx_off(t, false))
		gen_LDMXCSR(t);
}

void
gen_VSTMXCSR(struct trans *t)
{
	if (!gen_avx_off(t, false))
		gen_STMXCSR(t);
}
