/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that move: flags stay as they are, but for the check of a memory operand. */
#include "tcg/x64/gen.h"

static bool
fits32(const struct ir_insn *i)
{
	return i->width < 8 || i->imm == (int32_t)i->imm;
}

static void
store_to_memory(struct gen *g, const struct ir_insn *i)
{
	struct rm m;

	if (i->src.kind == IR_GPRH)
		flags_clobber(g);
	m = memory_operand(g, i, i->width);
	if (i->src.kind == IR_IMM && fits32(i)) {
		mov_store_imm(&g->a, i->width, m, (int32_t)i->imm);
	} else {
		if (!is_pinned(i->src))
			m = fold(g, m);
		mov_store(&g->a, i->width, m, operand_reg(g, i, i->src, i->width, S2));
	}
	memory_done(g);
}

static void
immediate(struct gen *g, const struct ir_insn *i)
{
	bool wide = i->dst.kind != IR_FIELD && i->width == 4;
	uint64_t v = wide ? (uint32_t)i->imm : (uint64_t)i->imm;

	if (is_pinned(i->dst)) {
		if (i->width >= 4)
			mov_imm(&g->a, host_of[i->dst.reg], i->width == 4 ? (uint32_t)v : v);
		else
			mov_store_imm(&g->a, i->width, rm_reg(host_of[i->dst.reg]), (int32_t)v);
	} else if (i->dst.kind == IR_GPRH) {
		flags_clobber(g);
		mov_imm(&g->a, S2, (uint8_t)v);
		store_operand(g, i->dst, 1, S2);
	} else if (i->width < 4 || (i->dst.kind == IR_FIELD && i->width == 4)) {
		mov_store_imm(&g->a, i->width, operand_rm(i->dst), (int32_t)v);
	} else if (v == (uint64_t)(int64_t)(int32_t)v) {
		mov_store_imm(&g->a, 8, operand_rm(i->dst), (int32_t)v);
	} else {
		mov_imm(&g->a, S2, v);
		mov_store(&g->a, 8, operand_rm(i->dst), S2);
	}
}

/*
 * I pops what the block's end jumps to: RET.  Then the target goes no way through the frame; the slow path, which has it in t0,
 * brings it into S1.
 */
static bool
is_return(const struct gen *g, const struct ir_insn *i)
{
	const struct ir_insn *end = &g->ir->insn[g->ir->count - 1];

	return i == end - 2 && end->op == IR_jind && end->dst.kind == IR_TEMP && end->dst.reg == 0 && i->width == 8 &&
		i->dst.kind == IR_TEMP && i->dst.reg == 0 && end[-1].op == IR_lea && is_pinned(end[-1].dst) &&
		end[-1].mem.base == end[-1].dst.reg && end[-1].mem.index == IR_NO_REG && end[-1].width == 8 &&
		end[-1].mem.addr_width == 8;
}

static void
move(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM;
	struct rm src;

	if (i->dst.kind == IR_MEM) {
		store_to_memory(g, i);
		return;
	}
	if (i->src.kind == IR_IMM) {
		immediate(g, i);
		return;
	}
	if (i->src.kind == IR_GPRH || i->dst.kind == IR_GPRH)
		flags_clobber(g);
	if (memory)
		src = memory_operand(g, i, i->width);
	else if (i->src.kind == IR_GPRH)
		src = rm_reg(operand_reg(g, i, i->src, 1, S1));
	else
		src = operand_rm(i->src);
	if (is_pinned(i->dst)) {
		mov_load(&g->a, i->width, host_of[i->dst.reg], src);
	} else if (!src.mem) {
		if (is_slot(i->dst) && (i->width != 4 || i->dst.kind == IR_FIELD)) {
			mov_store(&g->a, i->width, operand_rm(i->dst), src.reg);
		} else {
			mov_load(&g->a, i->width, S2, src);
			store_operand(g, i->dst, i->width, S2);
		}
	} else if (memory && is_return(g, i)) {
		mov_load(&g->a, 8, S1, src);
		g->target_in_s1 = true;
	} else {
		mov_load(&g->a, i->width, S2, src);
		store_operand(g, i->dst, i->width, S2);
	}
	if (memory)
		memory_done(g);
}

/* movzx, movsx: the destination is always written. */
static void
extend(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM, sign = i->op == IR_movsx;
	unsigned dst = is_pinned(i->dst) ? host_of[i->dst.reg] : S2;
	struct rm src;

	if (i->src.kind == IR_GPRH) {
		flags_clobber(g);
		src = rm_reg(operand_reg(g, i, i->src, 1, S1));
	} else {
		src = memory ? memory_operand(g, i, i->src_width) : operand_rm(i->src);
	}
	if (i->src_width == 1)
		op_rm(&g->a, 0, i->width, sign ? 0x0fbe : 0x0fb6, dst | ASM_RM_BYTE, src);
	else if (i->src_width == 2)
		op_rm(&g->a, 0, i->width, sign ? 0x0fbf : 0x0fb7, dst, src);
	else if (sign)
		op_rm(&g->a, 0, 8, 0x63, dst, src);
	else
		mov_load(&g->a, 4, dst, src);
	if (!is_pinned(i->dst))
		store_operand(g, i->dst, i->width, dst);
	if (memory)
		memory_done(g);
}

static void
address(struct gen *g, const struct ir_insn *i)
{
	const struct ir_mem *m = &i->mem;
	bool direct = is_pinned(i->dst) && i->width >= 4 && m->addr_width >= 4 && m->disp == (int32_t)m->disp &&
		(m->base == IR_NO_REG || (m->base < IR_TEMP_REG && host_of[m->base] != H_NONE)) &&
		(m->index == IR_NO_REG || (m->index < IR_TEMP_REG && host_of[m->index] != H_NONE)) &&
		(m->base != IR_NO_REG || m->index != IR_NO_REG);

	if (direct) {
		struct rm ea = { .mem = true, .base = m->base == IR_NO_REG ? H_NONE : host_of[m->base],
			.index = m->index == IR_NO_REG ? H_NONE : host_of[m->index], .scale = m->scale, .disp = (int32_t)m->disp };

		lea(&g->a, i->width == 8 && m->addr_width == 8 ? 8 : 4, host_of[i->dst.reg], ea);
		return;
	}
	if (m->base == IR_NO_REG && m->index == IR_NO_REG && is_pinned(i->dst) && i->width >= 4) {
		unsigned width = i->width < m->addr_width ? i->width : m->addr_width;

		mov_imm(&g->a, host_of[i->dst.reg], (uint64_t)m->disp << (64 - 8 * width) >> (64 - 8 * width));
		return;
	}
	emit_address(g, m);
	if (i->width == 8 || i->width == 4) {
		if (i->width == 4)
			mov_rr(&g->a, 4, S1, S1);
		mov_store(&g->a, i->dst.kind == IR_FIELD ? i->width : 8, operand_rm(i->dst), S1);
	} else {
		store_operand(g, i->dst, i->width, S1);
	}
}

static void
sign_fill(struct gen *g, const struct ir_insn *i)
{
	unsigned width = i->width < 4 ? 4 : i->width;

	flags_clobber(g);
	if (i->width == 2)
		op_rm(&g->a, 0, 4, 0x0fbf, S2, operand_rm(i->src));
	else
		mov_load(&g->a, width, S2, operand_rm(i->src));
	shift_imm(&g->a, width, 7, S2, 8 * width - 1);
	if (is_pinned(i->dst))
		mov_load(&g->a, i->width, host_of[i->dst.reg], rm_reg(S2));
	else
		store_operand(g, i->dst, i->width, S2);
}

static bool
set_condition(struct gen *g, const struct ir_insn *i)
{
	struct rm m;

	if (i->dst.kind == IR_MEM)
		m = memory_operand(g, i, 1);
	else if (i->dst.kind == IR_GPRH)
		m = rm_reg(S2);
	else
		m = operand_rm(i->dst);
	flags_to_host(g);
	op_rm(&g->a, 0, 4, 0x0f90 | i->cond, ASM_EXT | ASM_RM_BYTE, m);
	if (i->dst.kind == IR_GPRH) {
		flags_clobber(g);
		store_operand(g, i->dst, 1, S2);
	}
	if (i->dst.kind == IR_MEM)
		memory_done(g);
	return true;
}

static bool
move_if(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM;
	struct rm src = memory ? memory_operand(g, i, i->width) : operand_rm(i->src);
	unsigned dst;

	if (memory && !is_pinned(i->dst))
		src = fold(g, src);
	flags_to_host(g);
	dst = operand_reg(g, i, i->dst, i->width, S2);
	op_rm(&g->a, 0, i->width, 0x0f40 | i->cond, dst, src);
	if (!is_pinned(i->dst))
		store_operand(g, i->dst, i->width, dst);
	if (memory)
		memory_done(g);
	return true;
}

static bool
swap(struct gen *g, const struct ir_insn *i)
{
	if (i->dst.kind == IR_MEM && i->src.kind != IR_GPRH) {
		struct rm m = memory_operand(g, i, i->width);

		if (!is_pinned(i->src))
			m = fold(g, m);
		unsigned src = operand_reg(g, i, i->src, i->width, S2);

		op_w(&g->a, i->width, 0x86, src, m);
		if (!is_pinned(i->src))
			store_operand(g, i->src, i->width, src);
		memory_done(g);
		return true;
	}
	if (i->dst.kind != IR_GPR || i->src.kind != IR_GPR)
		return false;
	/* Through the scratch registers, so that any pair will do. */
	mov_load(&g->a, i->width < 4 ? 4 : i->width, S1, operand_rm(i->dst));
	mov_load(&g->a, i->width < 4 ? 4 : i->width, S2, operand_rm(i->src));
	store_operand(g, i->src, i->width, S1);
	store_operand(g, i->dst, i->width, S2);
	return true;
}

static bool
byte_swap(struct gen *g, const struct ir_insn *i)
{
	unsigned dst;

	if (i->width < 4 || (i->dst.kind != IR_GPR && i->dst.kind != IR_TEMP))
		return false;
	dst = operand_reg(g, i, i->dst, i->width, S2);
	put8(&g->a, (i->width == 8 ? 0x48 : 0x40) | dst >> 3);
	put8(&g->a, 0x0f);
	put8(&g->a, 0xc8 | (dst & 7));
	if (!is_pinned(i->dst))
		store_operand(g, i->dst, i->width, dst);
	return true;
}

bool
emit_move(struct gen *g, const struct ir_insn *i)
{
	switch (i->op) {
	case IR_mov:
		move(g, i);
		return true;
	case IR_movzx:
	case IR_movsx:
		if (i->dst.kind != IR_GPR && i->dst.kind != IR_TEMP)
			return false;
		extend(g, i);
		return true;
	case IR_lea:
		if (i->dst.kind == IR_GPRH || i->dst.kind == IR_MEM)
			return false;
		address(g, i);
		return true;
	case IR_cwd:
		if (i->width == 1 || i->src.kind == IR_MEM || i->src.kind == IR_GPRH)
			return false;
		sign_fill(g, i);
		return true;
	case IR_setcc:
		return set_condition(g, i);
	case IR_cmovcc:
		return move_if(g, i);
	case IR_xchg:
		return swap(g, i);
	case IR_bswap:
		return byte_swap(g, i);
	default:
		return false;
	}
}
