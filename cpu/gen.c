/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the semantics of instructions share: operands, temporaries, the stack, helpers, ends of blocks. */
#include "cpu/gen.h"

#include "cpu/cpuid.h"

/* ---- operands ---- */

static struct ir_opnd
reg_operand(const struct trans *t, unsigned low, unsigned rex_bit)
{
	return (struct ir_opnd){ IR_GPR, (uint8_t)(low | (t->insn.rex & rex_bit ? 8 : 0)), 0 };
}

static struct ir_opnd
byte_operand(const struct trans *t, unsigned low, unsigned rex_bit)
{
	if (!t->insn.has_rex && low >= 4)
		return (struct ir_opnd){ IR_GPRH, (uint8_t)(low - 4), 0 };
	return reg_operand(t, low, rex_bit);
}

unsigned
opnd_width(const struct trans *t, unsigned n)
{
	return insn_width(&t->insn, n, t->dm.code == 8);
}

bool
opnd_is_mem(const struct trans *t, unsigned n)
{
	enum form form = t->insn.opnd[n];

	if (form == O_Ob || form == O_Ov)
		return true;
	return t->insn.mod != 3 && ((form >= O_Eb && form <= O_Ey) || (form >= O_M && form <= O_Rm));
}

static bool
is_second_immediate(const struct insn *i, unsigned n)
{
	return n > 0 && i->opnd[n - 1] >= O_Ib && i->opnd[n - 1] <= O_I1;
}

/* Which kind of operand N is, and which register. */
static struct ir_opnd
operand_of(const struct trans *t, unsigned n)
{
	const struct insn *i = &t->insn;

	switch ((enum form)i->opnd[n]) {
	case O_Eb:
		return i->mod == 3 ? byte_operand(t, i->rm, REX_B) : (struct ir_opnd){ IR_MEM, 0, 0 };
	case O_Ew: case O_Ed: case O_Eq: case O_Ev: case O_Ey: case O_Rr: case O_Ry: case O_Rm:
	case O_M: case O_Mw: case O_Md: case O_Mq: case O_Mt: case O_Mp: case O_Mv: case O_My: case O_Ma:
		return i->mod == 3 ? reg_operand(t, i->rm, REX_B) : (struct ir_opnd){ IR_MEM, 0, 0 };
	case O_Gb:
		return byte_operand(t, i->reg, REX_R);
	case O_Gw: case O_Gd: case O_Gv: case O_Gy: case O_Gr:
		return reg_operand(t, i->reg, REX_R);
	case O_Zb:
		return byte_operand(t, i->opcode & 7, REX_B);
	case O_Zv:
		return reg_operand(t, i->opcode & 7, REX_B);
	case O_AL: case O_rAX: case O_eAX:
		return (struct ir_opnd){ IR_GPR, RAX, 0 };
	case O_CL:
		return (struct ir_opnd){ IR_GPR, RCX, 0 };
	case O_By:
		return (struct ir_opnd){ IR_GPR, i->vvvv, 0 };
	case O_DX:
		return (struct ir_opnd){ IR_GPR, RDX, 0 };
	case O_Ob: case O_Ov:
		return (struct ir_opnd){ IR_MEM, 0, 0 };
	case O_Ib: case O_Is: case O_Iw: case O_Id: case O_Iz: case O_Iv: case O_I1:
		return (struct ir_opnd){ IR_IMM, 0, 0 };
	default:
		return (struct ir_opnd){ IR_NONE, 0, 0 };
	}
}

static int64_t
immediate_of(const struct insn *i, unsigned n)
{
	return is_second_immediate(i, n) ? (int64_t)i->imm2 : i->imm;
}

val
opnd(struct trans *t, unsigned n)
{
	val v = { .o = operand_of(t, n) };

	if (v.o.kind == IR_MEM)
		v.mem = t->insn.mem;
	else if (v.o.kind == IR_IMM)
		v.imm = immediate_of(&t->insn, n);
	return v;
}

/* Operand N as one of I. */
static struct ir_opnd
take(const struct trans *t, struct ir_insn *i, unsigned n)
{
	struct ir_opnd o = operand_of(t, n);

	if (o.kind == IR_MEM)
		i->mem = t->insn.mem;
	else if (o.kind == IR_IMM)
		i->imm = immediate_of(&t->insn, n);
	return o;
}

struct ir_insn *
gen_on_operands(struct trans *t, enum ir_op op, unsigned count)
{
	struct ir_insn *i = ir_append(t->ir, op, t->width);

	i->dst = take(t, i, 0);
	if (count > 1)
		i->src = take(t, i, 1);
	ir_appended(i);
	return i;
}

void
gen_binary(struct trans *t, enum ir_op op)
{
	struct ir_insn *i = gen_on_operands(t, op, 2);

	if (t->insn.lock)
		i->attr |= IR_LOCKED;
}

void
gen_unary(struct trans *t, enum ir_op op)
{
	struct ir_insn *i = gen_on_operands(t, op, 1);

	if (t->insn.lock)
		i->attr |= IR_LOCKED;
}

/* ---- temporaries and addresses ---- */

val
temp_of(struct trans *t, unsigned width, val src)
{
	val v = ir_temp(t->ir);

	ir_op2(t->ir, IR_mov, width, v, src);
	return v;
}

val
temp_zero_extended(struct trans *t, unsigned width, val src)
{
	val v = ir_temp(t->ir);

	if (width == 8)
		ir_op2(t->ir, IR_mov, 8, v, src);
	else
		ir_op2(t->ir, IR_movzx, 8, v, src)->src_width = width;
	return v;
}

val
temp_imm(struct trans *t, int64_t imm)
{
	return temp_of(t, 8, ir_imm(imm));
}

val
temp_ea(struct trans *t)
{
	val v = ir_temp(t->ir);

	ir_op2(t->ir, IR_lea, 8, v, ir_mem(t->insn.mem));
	return v;
}

val
mem_at(struct trans *t, unsigned seg, unsigned base, int64_t disp, unsigned addr_width)
{
	return ir_mem((struct ir_mem){ .seg = seg, .base = base, .index = IR_NO_REG, .addr_width = addr_width,
		.how = insn_addressing(t->dm, seg), .disp = disp });
}

void
gen_bump(struct trans *t, unsigned reg, unsigned width, int64_t disp)
{
	ir_op2(t->ir, IR_lea, width, ir_gpr(reg), mem_at(t, SEG_DS, reg, disp, width));
}

/* ---- stack ---- */

val
stack_at(struct trans *t, int64_t disp)
{
	return mem_at(t, SEG_SS, RSP, disp, t->stack_width);
}

void
gen_push(struct trans *t, unsigned width, val v)
{
	/* A store takes no immediate of 64 bits. */
	if (v.o.kind == IR_IMM && v.imm != (int32_t)v.imm)
		v = temp_imm(t, v.imm);
	ir_op2(t->ir, IR_mov, width, stack_at(t, -(int64_t)width), v);
	gen_bump(t, RSP, t->stack_width, -(int64_t)width);
}

val
gen_pop_load(struct trans *t, unsigned width)
{
	return temp_zero_extended(t, width, stack_at(t, 0));
}

/* ---- helpers ---- */

static uint32_t
aux_of(const struct trans *t, unsigned n)
{
	const struct insn *i = &t->insn;
	uint32_t aux = aux_pack(i->len, t->width ? t->width : i->width, i->mem.seg, i->addr_width, n);

	if (i->rep == 0xf3)
		aux |= AUX_REP;
	else if (i->rep == 0xf2)
		aux |= AUX_REPNE;
	return aux;
}

struct ir_insn *
gen_helper(struct trans *t, const struct ir_helper *h, val dst, val a, val b, unsigned n)
{
	return ir_call(t->ir, h, dst, a, b, aux_of(t, n));
}

void
gen_helper_if(struct trans *t, const struct ir_helper *h, val field, uint16_t bits)
{
	ir_call_if(t->ir, field, bits, h, aux_of(t, 0));
}

void
gen_raise(struct trans *t, enum vector v)
{
	gen_helper(t, &helper_raise, ir_none(), ir_none(), ir_none(), v);
	end_exit_rip_set(t);
}

void
gen_UNDEFINED(struct trans *t)
{
	gen_raise(t, EXC_UD);
}

/* ---- ends of a block ---- */

uint64_t
target_of(const struct trans *t, uint64_t rip)
{
	if (t->dm.code == 8)
		return rip;
	return rip & (t->insn.width == 2 ? 0xffff : 0xffffffff);
}

void
end_jmp(struct trans *t, uint64_t rip, unsigned hint)
{
	t->ended = true;
	if (t->one) {
		ir_exit(t->ir, rip);
		return;
	}
	ir_jmp(t->ir, rip);
	t->ir->insn[t->ir->count - 1].attr |= hint;
	t->ir->insn[t->ir->count - 1].aux = (uint32_t)t->next;
}

void
end_jind(struct trans *t, val target, unsigned hint)
{
	t->ended = true;
	ir_jind(t->ir, target, hint);
	t->ir->insn[t->ir->count - 1].aux = (uint32_t)t->next;
}

void
end_next(struct trans *t)
{
	if (t->one)
		end_jmp(t, t->next, 0);
	else
		end_jind(t, temp_imm(t, (int64_t)t->next), 0);
}

void
end_rip_set(struct trans *t)
{
	if (t->one) {
		end_exit_rip_set(t);
		return;
	}
	t->ended = true;
	ir_jind(t->ir, ir_field(offsetof(struct tcg_frame, rip)), 0);
}

void
end_exit_rip_set(struct trans *t)
{
	t->ended = true;
	ir_exit_rip_set(t->ir);
}

bool
trans_has(const struct trans *t, enum cpu_feature feature)
{
	return cpu_has(t->cpu, feature);
}
