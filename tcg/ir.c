/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building a block of IR, and what is known of each operation. */
#include "tcg/ir.h"

#include <assert.h>
#include <string.h>

#include "tcg/op.h"

/* Masks out of op.def's letters; `?` is noted in the traits. */
#define HAS(s, c) (__builtin_strchr(s, c) != NULL)
#define MASK(s)                                                                                                        \
	(HAS(s, '*') ? FL_ALL                                                                                          \
		     : (HAS(s, 'C') ? FL_CF : 0) | (HAS(s, 'P') ? FL_PF : 0) | (HAS(s, 'A') ? FL_AF : 0) |             \
			       (HAS(s, 'Z') ? FL_ZF : 0) | (HAS(s, 'S') ? FL_SF : 0) | (HAS(s, 'O') ? FL_OF : 0))

const struct ir_op_info ir_ops[IR_OPS] = {
#define OP(name, reads, writes, traits) { #name, MASK(reads), MASK(writes), (traits) | (HAS(writes, '?') ? MAYBE : 0) },
#include "tcg/op.def"
#undef OP
};

const char *
ir_op_name(unsigned op)
{
	return op < IR_OPS ? ir_ops[op].name : "?";
}

void
ir_reset(struct ir *ir, uint64_t rip, uint64_t cs_base, bool mode64)
{
	ir->rip = rip;
	ir->cs_base = cs_base;
	ir->mode64 = mode64;
	ir->wide = ir->slow_mem = ir->direct = ir->zmm = ir->vectors = false;
	ir->native_sse = ir->native_x87 = true;
	ir->count = ir->guests = ir->temps = 0;
}

bool
ir_has_room(const struct ir *ir)
{
	return ir->guests < IR_MAX_GUEST && ir->count + 40 < IR_MAX_INSNS;
}

val
ir_temp(struct ir *ir)
{
	assert(ir->temps < IR_TEMPS);
	return (val){ .o = { IR_TEMP, ir->temps++, 0 } };
}

static void
take_operand(struct ir_insn *i, struct ir_opnd *to, const val *v)
{
	*to = v->o;
	if (v->o.kind == IR_IMM)
		i->imm = v->imm;
	else if (v->o.kind == IR_MEM)
		i->mem = v->mem;
}

/* Whether the memory operand is read, written or both; lea touches none. */
static unsigned
memory_access(const struct ir_insn *i)
{
	if (i->op == IR_lea || !ir_has_mem(i))
		return 0;
	if (i->dst.kind != IR_MEM)
		return IR_READ;
	if (ir_ops[i->op].traits & READS)
		return IR_READ;
	if (ir_ops[i->op].traits & PURE)
		return IR_WRITE;
	return i->op == IR_vec || i->op == IR_avx || i->op == IR_evex || i->op == IR_x87 ? IR_WRITE : IR_READ | IR_WRITE;
}

struct ir_insn *
ir_append(struct ir *ir, enum ir_op op, unsigned width)
{
	struct ir_insn *i = &ir->insn[ir->count];

	assert(ir->count < IR_MAX_INSNS);
	*i = (struct ir_insn){ .op = op, .width = width, .mem = { .base = IR_NO_REG, .index = IR_NO_REG } };
	ir->count++;
	i->guest = ir->guests ? ir->guests - 1 : 0;
	i->reads = ir_ops[op].reads;
	i->writes = ir_ops[op].writes;
	ir->vectors |= (ir_ops[op].traits & VECTOR) != 0;
	return i;
}

void
ir_appended(struct ir_insn *i)
{
	i->attr = memory_access(i);
}

struct ir_insn *
ir_emit(struct ir *ir, enum ir_op op, unsigned width, val dst, val src, val src2)
{
	struct ir_insn *i = ir_append(ir, op, width);

	take_operand(i, &i->dst, &dst);
	take_operand(i, &i->src, &src);
	take_operand(i, &i->src2, &src2);
	ir_appended(i);
	return i;
}

void
ir_begin(struct ir *ir, uint64_t rip, unsigned len)
{
	struct ir_insn *i;

	assert(ir->guests < IR_MAX_GUEST);
	ir->guest_rip[ir->guests] = rip;
	ir->guest_len[ir->guests] = len;
	ir->guests++;
	ir->temps = 0;
	i = ir_append(ir, IR_insn, 0);
	i->imm = (int64_t)rip;
	i->aux = len;
}

struct ir_insn *
ir_call(struct ir *ir, const struct ir_helper *h, val dst, val a, val b, uint32_t aux)
{
	struct ir_insn *i = ir_emit(ir, IR_call, 8, dst, a, b);

	/* The helper's address needs the place of the immediate: an immediate argument goes to a temporary. */
	assert(a.o.kind != IR_IMM && b.o.kind != IR_IMM && a.o.kind != IR_MEM && b.o.kind != IR_MEM);
	i->imm = (int64_t)(uintptr_t)h;
	i->aux = aux;
	return i;
}

void
ir_call_if(struct ir *ir, val field, uint16_t bits, const struct ir_helper *h, uint32_t aux)
{
	struct ir_insn *i = ir_op1(ir, IR_call_if, 4, field);

	i->imm = (int64_t)(uintptr_t)h;
	i->aux = aux;
	i->sub = bits;
}

void
ir_jmp(struct ir *ir, uint64_t rip)
{
	ir_append(ir, IR_jmp, 8)->imm = (int64_t)rip;
}

void
ir_jcc(struct ir *ir, unsigned cond, uint64_t taken, uint64_t not_taken)
{
	struct ir_insn *i = ir_append(ir, IR_jcc, 8);

	i->cond = cond;
	i->imm = (int64_t)taken;
	ir_jmp(ir, not_taken);
}

void
ir_jind(struct ir *ir, val target, unsigned hint)
{
	ir_op1(ir, IR_jind, 8, target)->attr |= hint;
}

void
ir_exit(struct ir *ir, uint64_t rip)
{
	ir_op1(ir, IR_exit, 8, ir_none())->imm = (int64_t)rip;
}

void
ir_exit_rip_set(struct ir *ir)
{
	ir_op1(ir, IR_exit, 8, ir_none())->attr |= IR_RIP_SET;
}

/* Operations after which someone outside of the block may look at the flags: they can fault, call, or leave. */
static bool
shows_flags(const struct ir *ir, const struct ir_insn *i)
{
	switch (i->op) {
	case IR_div:
	case IR_idiv:
	case IR_call:
	case IR_call_if:
	case IR_x87:
	case IR_jmp:
	case IR_jcc:
	case IR_jind:
	case IR_exit:
		return true;
	case IR_vec:
	case IR_avx:
	case IR_evex:
		/* On registers, with all exceptions masked, it can't fault. */
		return !ir->native_sse || !ir->native_x87 || i->attr & (IR_READ | IR_WRITE);
	default:
		return i->attr & (IR_READ | IR_WRITE);
	}
}

void
ir_pass_flags(struct ir *ir)
{
	unsigned live = FL_ALL;

	for (unsigned n = ir->count; n-- > 0;) {
		struct ir_insn *i = &ir->insn[n];

		if (i->writes & live)
			i->attr |= IR_FLAGS_LIVE;
		if (!(ir_ops[i->op].traits & MAYBE))
			live &= ~i->writes;
		live |= shows_flags(ir, i) ? FL_ALL : i->reads;
	}
}
