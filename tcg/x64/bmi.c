/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BMI1, BMI2 and ADX, where the host has them: the guest's instruction itself on the registers where the guest's are. */
#include "tcg/x64/gen.h"

/* Which source is the r/m, and which VEX.vvvv. */
enum shape { NO_SHAPE, V_RM, RM_V, RM_ONLY, RM_IMM };

struct form {
	uint8_t shape, prefix, map, opcode, ext;
	bool bmi2;
};

static const struct form forms[IR_OPS] = {
	[IR_andn] = { V_RM, 0, 2, 0xf2, 0, false },    [IR_bextr] = { RM_V, 0, 2, 0xf7, 0, false },
	[IR_bzhi] = { RM_V, 0, 2, 0xf5, 0, true },     [IR_pdep] = { V_RM, 0xf2, 2, 0xf5, 0, true },
	[IR_pext] = { V_RM, 0xf3, 2, 0xf5, 0, true },  [IR_sarx] = { RM_V, 0xf3, 2, 0xf7, 0, true },
	[IR_shlx] = { RM_V, 0x66, 2, 0xf7, 0, true },  [IR_shrx] = { RM_V, 0xf2, 2, 0xf7, 0, true },
	[IR_rorx] = { RM_IMM, 0xf2, 3, 0xf0, 0, true },
	[IR_blsr] = { RM_ONLY, 0, 2, 0xf3, 1, false }, [IR_blsmsk] = { RM_ONLY, 0, 2, 0xf3, 2, false },
	[IR_blsi] = { RM_ONLY, 0, 2, 0xf3, 3, false },
};

/* The operand in the r/m's place; memory is folded to [S1], which leaves S2 for the others. */
static struct rm
source(struct gen *g, const struct ir_insn *i, struct ir_opnd o)
{
	if (o.kind != IR_MEM)
		return operand_rm(o);
	return fold(g, memory_operand(g, i, i->width));
}

static bool
three_operands(struct gen *g, const struct ir_insn *i)
{
	const struct form *f = &forms[i->op];
	struct ir_opnd other = f->shape == V_RM ? i->src2 : i->src, vvvv = f->shape == V_RM ? i->src : i->src2;
	unsigned dst = is_pinned(i->dst) ? host_of[i->dst.reg] : S2, v = 0;
	struct rm rm = source(g, i, other);

	if (f->shape == V_RM || f->shape == RM_V)
		v = operand_reg(g, i, vvvv, 8, S2);
	rm.tail = f->shape == RM_IMM;
	if (f->shape == RM_ONLY)
		op_vex(&g->a, f->prefix, f->map, i->width == 8, 0, f->opcode, f->ext, dst, rm);
	else
		op_vex(&g->a, f->prefix, f->map, i->width == 8, 0, f->opcode, dst, v, rm);
	if (f->shape == RM_IMM)
		put8(&g->a, (unsigned)i->imm);
	if (i->writes != 0)
		flags_defined(g, i);
	if (!is_pinned(i->dst))
		mov_store(&g->a, 8, operand_rm(i->dst), S2);
	if (other.kind == IR_MEM)
		memory_done(g);
	return true;
}

/* Both destinations pinned, or one of them in S2; two that aren't are left to the slow path. */
static bool
multiply(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src2.kind == IR_MEM, high_pinned = is_pinned(i->dst), low_pinned = is_pinned(i->src);
	struct rm rm;

	if (!high_pinned && !low_pinned)
		return false;
	rm = source(g, i, i->src2);
	op_vex(&g->a, 0xf2, 2, i->width == 8, 0, 0xf6, high_pinned ? host_of[i->dst.reg] : S2, low_pinned ? host_of[i->src.reg] : S2, rm);
	if (!low_pinned)
		mov_store(&g->a, 8, operand_rm(i->src), S2);
	if (!high_pinned)
		mov_store(&g->a, 8, operand_rm(i->dst), S2);
	if (memory)
		memory_done(g);
	return true;
}

static bool
add_with_carry(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM;
	struct rm src = source(g, i, i->src);
	unsigned before, dst = operand_reg(g, i, i->dst, i->width, S2);

	flags_to_host(g);
	before = g->flags;
	op_rm(&g->a, i->op == IR_adcx ? 0x66 : 0xf3, i->width, 0x0f38f6, dst, src);
	flags_after_partial(g, i, before);
	if (!is_pinned(i->dst))
		store_operand(g, i->dst, i->width, dst);
	if (memory)
		memory_done(g);
	return true;
}

bool
emit_bmi(struct gen *g, const struct ir_insn *i)
{
	if (i->op == IR_adcx || i->op == IR_adox)
		return g->t->host_has & HOST_ADX && add_with_carry(g, i);
	if (i->op == IR_mulx)
		return g->t->host_has & HOST_BMI2 && multiply(g, i);
	if (i->op >= IR_OPS || forms[i->op].shape == NO_SHAPE)
		return false;
	return g->t->host_has & (forms[i->op].bmi2 ? HOST_BMI2 : HOST_BMI1) && three_operands(g, i);
}
