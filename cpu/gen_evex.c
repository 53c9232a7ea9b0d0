/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector instructions with an EVEX prefix, all of them alike: operands by the row of evex.def, one operation. */
#include "cpu/evex.h"
#include "cpu/gen.h"

static val
reg_operand(const struct trans *t, const struct evex_row *r)
{
	unsigned reg = t->insn.reg | (t->insn.rex & REX_R ? 8 : 0) | t->insn.reg_high;

	return gen_vector_reg(r->reg, r->flags & EVEX_PAIR ? reg & ~1u : reg);
}

/* A vector's fifth bit is EVEX.X here. */
static val
rm_operand(const struct trans *t, const struct evex_row *r)
{
	unsigned reg = t->insn.rm | (t->insn.rex & REX_B ? 8 : 0) | (t->insn.rex & REX_X ? 16 : 0);
	val m = ir_mem(t->insn.mem);

	if (t->insn.mod == 3)
		return gen_vector_reg(r->rm, reg);
	if (evex_flags(r) & VEC_ALIGN)
		m.mem.align = (uint8_t)(16u << t->insn.vl);
	if (t->insn.vsib)
		m.mem.index = IR_NO_REG;
	return m;
}

static struct ir_insn *
emit(struct trans *t, const struct evex_row *r, unsigned width)
{
	val reg = reg_operand(t, r), rm = rm_operand(t, r), v = ir_xmm(t->insn.vvvv), none = ir_none();

	switch ((enum avx_form)r->form) {
	case AVX_RVM:
		return ir_emit(t->ir, IR_evex, width, reg, v, rm);
	case AVX_MVR:
		return ir_emit(t->ir, IR_evex, width, rm, v, reg);
	case AVX_MR:
	case AVX_SCATTER:
		return ir_emit(t->ir, IR_evex, width, rm, reg, none);
	case AVX_VM:
		return ir_emit(t->ir, IR_evex, width, v, rm, none);
	default:
		return ir_emit(t->ir, IR_evex, width, reg, rm, none);
	}
}

void
gen_EVEX(struct trans *t)
{
	const struct insn *d = &t->insn;
	const struct evex_row *r = d->evex;
	unsigned general = d->rex & REX_W ? 8 : 4, width = 16, index = d->vsib ? d->mem.index | (d->vvvv & 16u) : 0;
	struct ir_insn *i;

	if (!trans_has(t, FEAT_avx512f) || !trans_has(t, evex_row_feature(r)) || (evex_needs_vl(d) && !trans_has(t, FEAT_avx512vl))) {
		gen_raise(t, EXC_UD);
		return;
	}
	if (gen_avx_off(t, true))
		return;
	if (d->mod != 3)
		width = evex_memory_size(r, evex_length(r, d->vl, d->evex_b, true), d->evex_b, general);
	i = emit(t, r, width);
	i->sub = (uint16_t)(r - evex_rows);
	i->aux = EVEX_AUX((uint32_t)d->imm, d->opmask, d->zeroing, d->evex_b, d->vl, index);
	i->src_width = (uint8_t)general;
	i->reads = 0;
	i->writes = evex_flags(r) & VEC_FLAGS ? FL_ALL : 0;
}
