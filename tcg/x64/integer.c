/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic: mostly the guest's own instruction on other operands. */
#include "tcg/x64/gen.h"
#include "tcg/op.h"

static unsigned
lock_of(const struct ir_insn *i)
{
	return i->attr & IR_LOCKED ? ASM_LOCK : 0;
}

/* The byte form of `op r/m, r`. */
static unsigned
classic_base(unsigned op)
{
	static const uint8_t base[IR_OPS] = { [IR_add] = 0x00, [IR_or] = 0x08, [IR_adc] = 0x10, [IR_sbb] = 0x18, [IR_and] = 0x20,
		[IR_sub] = 0x28, [IR_xor] = 0x30, [IR_cmp] = 0x38, [IR_test] = 0x84 };

	return base[op];
}

/* op RM, src where src is an immediate that fits or a register. */
static void
classic_imm(struct gen *g, const struct ir_insn *i, unsigned base, struct rm rm)
{
	if (base != 0x84) {
		alu_imm(&g->a, i->width, base >> 3 | lock_of(i), rm, (int32_t)i->imm);
		return;
	}
	op_w(&g->a, i->width, 0xf6, ASM_EXT, rm);
	put8(&g->a, (unsigned)i->imm);
	if (i->width > 1)
		put8(&g->a, (unsigned)i->imm >> 8);
	if (i->width > 2) {
		put8(&g->a, (unsigned)i->imm >> 16);
		put8(&g->a, (unsigned)i->imm >> 24);
	}
}

static bool
imm_fits(const struct ir_insn *i, struct ir_opnd o)
{
	return o.kind == IR_IMM && (i->width < 8 || i->imm == (int32_t)i->imm);
}

/* `op reg, r/m` for the classic ones; test has one form only. */
static void
classic_load(struct gen *g, const struct ir_insn *i, unsigned base, unsigned reg, struct rm rm)
{
	op_w(&g->a, i->width, base == 0x84 ? base : base + 2, reg, rm);
}

static void
classic_on_memory(struct gen *g, const struct ir_insn *i, unsigned base)
{
	struct rm m = memory_operand(g, i, i->width);
	unsigned src;

	if (!imm_fits(i, i->src) && !is_pinned(i->src))
		m = fold(g, m);
	if (imm_fits(i, i->src)) {
		if (i->reads & FL_CF)
			carry_to_host(g);
		classic_imm(g, i, base, m);
		return;
	}
	src = operand_reg(g, i, i->src, i->width, S2);
	if (i->reads & FL_CF)
		carry_to_host(g);
	op_w(&g->a, i->width, base, src | lock_of(i), m);
}

/* The destination's value in a register: its own, or S1 or S2. */
static void
classic_on_register(struct gen *g, const struct ir_insn *i, unsigned base)
{
	bool high = i->dst.kind == IR_GPRH || i->src.kind == IR_GPRH, writes = !(ir_ops[i->op].traits & READS);
	struct rm src = { 0 };
	unsigned dst;

	if (high)
		flags_clobber(g);
	if (i->src.kind == IR_MEM) {
		src = memory_operand(g, i, i->width);
		if (!is_pinned(i->dst))
			src = fold(g, src);
		if (i->dst.kind == IR_GPRH) { /* both scratch registers are wanted */
			mov_load(&g->a, 1, S1, src);
			src = rm_reg(S1);
		}
		dst = operand_reg(g, i, i->dst, i->width, S2);
	} else {
		dst = operand_reg(g, i, i->dst, i->width, S2);
		if (is_pinned(i->src) || is_slot(i->src))
			src = operand_rm(i->src);
		else if (!imm_fits(i, i->src))
			src = rm_reg(operand_reg(g, i, i->src, i->width, S1));
	}
	if (i->reads & FL_CF)
		carry_to_host(g);
	if (imm_fits(i, i->src))
		classic_imm(g, i, base, rm_reg(dst));
	else
		classic_load(g, i, base, dst, src);
	flags_defined(g, i);
	if (!is_pinned(i->dst) && writes) {
		if (i->dst.kind == IR_GPRH)
			flags_clobber(g);
		store_operand(g, i->dst, i->width, dst);
	}
}

bool
emit_classic(struct gen *g, const struct ir_insn *i)
{
	unsigned base = classic_base(i->op);
	bool direct = is_slot(i->dst) && i->width != 4 && (is_pinned(i->src) || imm_fits(i, i->src));

	if (i->dst.kind == IR_MEM) {
		if (i->src.kind == IR_GPRH)
			flags_clobber(g);
		classic_on_memory(g, i, base);
		flags_defined(g, i);
		memory_done(g);
	} else if (direct) {
		if (i->reads & FL_CF)
			carry_to_host(g);
		if (i->src.kind == IR_IMM)
			classic_imm(g, i, base, operand_rm(i->dst));
		else
			op_w(&g->a, i->width, base, host_of[i->src.reg], operand_rm(i->dst));
		flags_defined(g, i);
	} else {
		classic_on_register(g, i, base);
		if (i->src.kind == IR_MEM)
			memory_done(g);
	}
	return true;
}

/* inc, dec, neg, not: opcode and extension. */
bool
emit_unary(struct gen *g, const struct ir_insn *i)
{
	unsigned base = i->op == IR_inc || i->op == IR_dec ? 0xfe : 0xf6, before;
	unsigned ext = i->op == IR_inc ? 0 : i->op == IR_dec ? 1 : i->op == IR_neg ? 3 : 2;
	bool step = base == 0xfe, scratch = !is_pinned(i->dst) && i->dst.kind != IR_MEM && (i->width == 4 || i->dst.kind == IR_GPRH);
	struct rm rm;

	if (i->dst.kind == IR_MEM) {
		rm = memory_operand(g, i, i->width);
	} else {
		if (i->dst.kind == IR_GPRH)
			flags_clobber(g);
		rm = scratch ? rm_reg(operand_reg(g, i, i->dst, i->width, S2)) : operand_rm(i->dst);
	}
	before = g->flags;
	if (step && i->attr & IR_FLAGS_LIVE)
		carry_to_host(g);
	op_w(&g->a, i->width, base, ext | ASM_EXT | lock_of(i), rm);
	if (step)
		flags_after_partial(g, i, before);
	else if (i->op == IR_neg)
		flags_defined(g, i);
	if (scratch) {
		if (i->dst.kind == IR_GPRH)
			flags_clobber(g);
		store_operand(g, i->dst, i->width, S2);
	}
	if (i->dst.kind == IR_MEM)
		memory_done(g);
	return true;
}

/* mul, imul1, div, idiv: the host's rax takes the accumulator's part, so that the guest's flags step aside. */
bool
emit_accumulator(struct gen *g, const struct ir_insn *i)
{
	bool can_fault = i->op == IR_div || i->op == IR_idiv || i->dst.kind == IR_MEM;
	unsigned ext = i->op == IR_mul ? 4 : i->op == IR_imul1 ? 5 : i->op == IR_div ? 6 : 7;
	struct rm rm;
	struct stub *s = NULL;

	if (can_fault) {
		flags_to_rax(g);
		mov_store(&g->a, 8, FRAME(flags), H_RAX);
	}
	if (i->dst.kind == IR_MEM)
		rm = memory_operand(g, i, i->width);
	else if (i->dst.kind == IR_GPRH) {
		flags_clobber(g);
		rm = rm_reg(operand_reg(g, i, i->dst, 1, S2));
	} else {
		rm = operand_rm(i->dst);
	}
	if (can_fault) {
		/* A fault of the host's division, or at an address that isn't canonical, ends in the slow path, by way of the signal handler. */
		if (i->dst.kind != IR_MEM) {
			s = new_stub(g, i);
		} else {
			s = &g->stub[g->stubs - 1];
		}
		s->flags_in_frame = true;
		s->site->start = g->a.p + g->a.to_rx;
	}
	mov_rr(&g->a, 8, H_RAX, host_of[0]);
	op_w(&g->a, i->width, 0xf6, ext | ASM_EXT, rm);
	if (i->width == 1)
		mov_store(&g->a, 2, rm_reg(host_of[0]), H_RAX);
	else
		mov_store(&g->a, i->width, rm_reg(host_of[0]), H_RAX);
	g->flags = IN_HOST;
	if (s != NULL || i->dst.kind == IR_MEM)
		memory_done(g);
	return true;
}

bool
emit_multiply(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM;
	struct rm src;
	unsigned dst = S2;

	if (i->op == IR_imul3) { /* dst = src * imm */
		src = memory ? memory_operand(g, i, i->width) : operand_rm(i->src);
		if (is_pinned(i->dst))
			dst = host_of[i->dst.reg];
		op_rm(&g->a, 0, i->width, 0x69, dst, src);
		put8(&g->a, (unsigned)i->imm);
		put8(&g->a, (unsigned)i->imm >> 8);
		if (i->width > 2) {
			put8(&g->a, (unsigned)i->imm >> 16);
			put8(&g->a, (unsigned)i->imm >> 24);
		}
	} else {
		src = memory ? memory_operand(g, i, i->width) : operand_rm(i->src);
		if (memory && !is_pinned(i->dst))
			src = fold(g, src);
		dst = operand_reg(g, i, i->dst, i->width, S2);
		op_rm(&g->a, 0, i->width, 0x0faf, dst, src);
	}
	flags_defined(g, i);
	if (!is_pinned(i->dst))
		store_operand(g, i->dst, i->width, dst);
	if (memory)
		memory_done(g);
	return true;
}

bool
emit_compare_exchange(struct gen *g, const struct ir_insn *i)
{
	struct rm m;

	if (i->dst.kind != IR_MEM || i->src.kind == IR_GPRH)
		return false;
	/* RAX isn't free for the flags where the host's operation faults: they are in the frame. */
	flags_to_rax(g);
	mov_store(&g->a, 8, FRAME(flags), H_RAX);
	m = memory_operand(g, i, i->width);
	g->stub[g->stubs - 1].flags_in_frame = true;
	if (!is_pinned(i->src))
		m = fold(g, m);
	unsigned src = operand_reg(g, i, i->src, i->width, S2);

	mov_rr(&g->a, 8, H_RAX, host_of[0]);
	op_w(&g->a, i->width, 0x0fb0, src | lock_of(i), m);
	mov_rr(&g->a, 8, host_of[0], H_RAX);
	g->flags = IN_HOST;
	memory_done(g);
	return true;
}

/* RDX, RCX and RBX are the guest's own.  It changes ZF alone, so the others have to be in the host's flags before. */
bool
emit_compare_exchange_pair(struct gen *g, const struct ir_insn *i)
{
	struct rm m;

	if (i->width == 16 && !(g->t->host_has & HOST_CX16))
		return false;
	flags_to_rax(g);
	mov_store(&g->a, 8, FRAME(flags), H_RAX);
	m = memory_operand(g, i, i->width);
	g->stub[g->stubs - 1].flags_in_frame = true;
	flags_to_host(g);
	mov_rr(&g->a, 8, H_RAX, host_of[0]);
	op_rm(&g->a, 0, i->width / 2, 0x0fc7, ASM_EXT | 1 | lock_of(i), m);
	mov_rr(&g->a, 8, host_of[0], H_RAX);
	g->flags = IN_HOST;
	memory_done(g);
	return true;
}

bool
emit_exchange_add(struct gen *g, const struct ir_insn *i)
{
	struct rm m;

	if (i->dst.kind != IR_MEM || i->src.kind == IR_GPRH)
		return false;
	m = memory_operand(g, i, i->width);
	if (!is_pinned(i->src))
		m = fold(g, m);
	unsigned src = operand_reg(g, i, i->src, i->width, S2);

	op_w(&g->a, i->width, 0x0fc0, src | lock_of(i), m);
	flags_defined(g, i);
	if (!is_pinned(i->src))
		store_operand(g, i->src, i->width, src);
	memory_done(g);
	return true;
}
