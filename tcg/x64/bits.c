/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shifts, bit operations, and those on flags alone. */
#include "tcg/x64/gen.h"

#include <assert.h>

static bool
is_rcx(struct ir_opnd o)
{
	return o.kind == IR_GPR && o.reg == 1;
}

/* The destination of a shift: memory, a pinned register, or a slot (through S2 where the upper half is to be cleared). */
static struct rm
shift_target(struct gen *g, const struct ir_insn *i, bool *scratch)
{
	*scratch = false;
	if (i->dst.kind == IR_MEM)
		return memory_operand(g, i, i->width);
	if (is_pinned(i->dst) || (is_slot(i->dst) && i->width != 4))
		return operand_rm(i->dst);
	if (i->dst.kind == IR_GPRH)
		flags_clobber(g);
	*scratch = true;
	return rm_reg(operand_reg(g, i, i->dst, i->width, S2));
}

static void
shift_done(struct gen *g, const struct ir_insn *i, bool scratch)
{
	if (scratch) {
		if (i->dst.kind == IR_GPRH)
			flags_clobber(g);
		store_operand(g, i->dst, i->width, S2);
	}
	if (i->dst.kind == IR_MEM)
		memory_done(g);
}

static bool
shift(struct gen *g, const struct ir_insn *i)
{
	static const uint8_t ext[] = { [IR_shl - IR_shl] = 4, [IR_shr - IR_shl] = 5, [IR_sar - IR_shl] = 7, [IR_rol - IR_shl] = 0,
		[IR_ror - IR_shl] = 1, [IR_rcl - IR_shl] = 2, [IR_rcr - IR_shl] = 3 };
	unsigned before, count = (unsigned)i->imm & (i->width == 8 ? 63 : 31);
	bool scratch, rotates = i->op >= IR_rol && i->op <= IR_rcr;
	struct rm rm;

	if (i->op < IR_shl || i->op > IR_rcr || (i->src.kind != IR_IMM && !is_rcx(i->src)))
		return false;
	rm = shift_target(g, i, &scratch);
	before = g->flags;
	if (rotates || i->src.kind != IR_IMM || count == 0)
		flags_partial(g, i);
	if (i->op == IR_rcl || i->op == IR_rcr)
		carry_to_host(g);
	if (i->src.kind == IR_IMM) {
		op_w(&g->a, i->width, 0xc0, ext[i->op - IR_shl] | ASM_EXT, rm);
		put8(&g->a, count);
	} else {
		op_w(&g->a, i->width, 0xd2, ext[i->op - IR_shl] | ASM_EXT, rm);
	}
	flags_after_partial(g, i, before);
	shift_done(g, i, scratch);
	return true;
}

static bool
double_shift(struct gen *g, const struct ir_insn *i)
{
	unsigned opcode = i->op == IR_shld ? 0x0fa4 : 0x0fac, before, src;
	bool scratch;
	struct rm rm;

	if ((i->op != IR_shld && i->op != IR_shrd) || (i->src2.kind != IR_IMM && !is_rcx(i->src2)))
		return false;
	rm = shift_target(g, i, &scratch);
	if (i->dst.kind == IR_MEM && !is_pinned(i->src))
		rm = fold(g, rm);
	src = operand_reg(g, i, i->src, i->width, i->dst.kind == IR_MEM ? S2 : S1);
	before = g->flags;
	flags_partial(g, i);
	op_rm(&g->a, 0, i->width, i->src2.kind == IR_IMM ? opcode : opcode + 1, src, rm);
	if (i->src2.kind == IR_IMM)
		put8(&g->a, (unsigned)i->imm);
	flags_after_partial(g, i, before);
	shift_done(g, i, scratch);
	return true;
}

/* bt, bts, btr, btc.  A memory operand is the word itself, so a register's bit number is cut to it first. */
static bool
bit_test(struct gen *g, const struct ir_insn *i)
{
	static const uint8_t ext[] = { 4, 5, 6, 7 };
	unsigned k = ext[i->op - IR_bt], src, before, lock = i->attr & IR_LOCKED ? ASM_LOCK : 0;
	bool memory = i->dst.kind == IR_MEM;
	struct rm rm;

	if (memory) {
		rm = memory_operand(g, i, i->width);
		if (i->src.kind != IR_IMM) {
			rm = fold(g, rm);
			mov_load(&g->a, 4, S2, operand_rm(i->src));
			alu_imm(&g->a, 4, 4, rm_reg(S2), 8 * i->width - 1);
		}
	} else {
		rm = rm_reg(operand_reg(g, i, i->dst, i->width, S2));
	}
	before = g->flags;
	flags_partial(g, i);
	if (i->src.kind == IR_IMM) {
		op_rm(&g->a, 0, i->width, 0x0fba, k | ASM_EXT | lock, rm);
		put8(&g->a, (unsigned)i->imm & (8 * i->width - 1));
	} else {
		src = memory ? S2 : operand_reg(g, i, i->src, i->width, S1);
		op_rm(&g->a, 0, i->width, 0x0f83 | k << 3, src | lock, rm);
	}
	flags_after_partial(g, i, before);
	if (!memory && !is_pinned(i->dst) && i->op != IR_bt)
		store_operand(g, i->dst, i->width, S2);
	if (memory)
		memory_done(g);
	return true;
}

/* bsf, bsr, tzcnt, lzcnt, popcnt, crc32: register from r/m. */
static bool
scan(struct gen *g, const struct ir_insn *i)
{
	static const struct {
		uint8_t op, prefix;
		uint16_t opcode;
		uint8_t needs; /* HOST_ bits */
	} form[] = { { IR_bsf, 0, 0x0fbc, 0 }, { IR_bsr, 0, 0x0fbd, 0 }, { IR_tzcnt, 0xf3, 0x0fbc, HOST_BMI1 },
		{ IR_lzcnt, 0xf3, 0x0fbd, HOST_LZCNT }, { IR_popcnt, 0xf3, 0x0fb8, HOST_POPCNT } };
	bool memory = i->src.kind == IR_MEM;

	for (unsigned n = 0; n < sizeof(form) / sizeof(form[0]); n++) {
		struct rm src;
		unsigned dst;

		if (form[n].op != i->op)
			continue;
		if (form[n].needs & ~g->t->host_has)
			return false;
		src = memory ? memory_operand(g, i, i->width) : operand_rm(i->src);
		if (memory && !is_pinned(i->dst))
			src = fold(g, src);
		/* bsf and bsr keep all 64 bits of the destination when there is nothing to find. */
		dst = operand_reg(g, i, i->dst, 8, S2);
		if (form[n].prefix != 0 && i->width == 2)
			put8(&g->a, 0x66);
		op_rm(&g->a, form[n].prefix, i->width, form[n].opcode, dst, src);
		flags_defined(g, i);
		if (!is_pinned(i->dst))
			mov_store(&g->a, 8, operand_rm(i->dst), dst);
		if (memory)
			memory_done(g);
		return true;
	}
	return false;
}

static bool
checksum(struct gen *g, const struct ir_insn *i)
{
	bool memory = i->src.kind == IR_MEM;
	struct rm src;
	unsigned dst;

	if (i->src.kind == IR_GPRH || !(g->t->host_has & HOST_SSE42))
		return false;
	src = memory ? memory_operand(g, i, i->src_width) : operand_rm(i->src);
	if (memory && !is_pinned(i->dst))
		src = fold(g, src);
	dst = operand_reg(g, i, i->dst, 8, S2);
	if (i->src_width == 2)
		put8(&g->a, 0x66);
	op_rm(&g->a, 0xf2, i->width == 8 || i->src_width == 8 ? 8 : 4, i->src_width == 1 ? 0x0f38f0 : 0x0f38f1,
		dst | (i->src_width == 1 ? ASM_RM_BYTE : 0), src);
	if (!is_pinned(i->dst))
		mov_store(&g->a, 8, operand_rm(i->dst), dst);
	if (memory)
		memory_done(g);
	return true;
}

/* clc, stc, cmc: where the flags are. */
static void
carry(struct gen *g, const struct ir_insn *i)
{
	if (g->flags & IN_HOST) {
		put8(&g->a, i->op == IR_clc ? 0xf8 : i->op == IR_stc ? 0xf9 : 0xf5);
		g->flags = IN_HOST;
		return;
	}
	assert(g->flags & IN_AX);
	put8(&g->a, 0x80); /* and, or, xor ah, imm8 */
	put8(&g->a, i->op == IR_clc ? 0xe4 : i->op == IR_stc ? 0xcc : 0xf4);
	put8(&g->a, i->op == IR_clc ? 0xfe : 1);
}

/* SAHF from the guest's AH: the five flags change, OF stays. */
static bool
store_ah(struct gen *g, const struct ir_insn *i)
{
	if (i->dst.kind != IR_GPRH)
		return false;
	flags_to_rax(g);
	mov_rr(&g->a, 4, S2, host_of[i->dst.reg]);
	alu_imm(&g->a, 4, 4, rm_reg(S2), 0xd500);
	alu_imm(&g->a, 4, 1, rm_reg(S2), 0x200);
	alu_imm(&g->a, 4, 4, rm_reg(H_RAX), 0xff);
	op_rm(&g->a, 0, 4, 0x0b, H_RAX, rm_reg(S2));
	return true;
}

/* S2 = the five flags of AH as they stand in EFLAGS. */
static void
low_flags(struct gen *g)
{
	flags_to_rax(g);
	mov_rr(&g->a, 4, S2, H_RAX);
	shift_imm(&g->a, 4, 5, S2, 8);
	alu_imm(&g->a, 4, 4, rm_reg(S2), 0xd5);
}

static bool
get_flags(struct gen *g, const struct ir_insn *i)
{
	if (i->dst.kind == IR_MEM || (i->op == IR_lahf && i->dst.kind != IR_GPRH))
		return false;
	low_flags(g);
	if (i->op == IR_lahf) {
		alu_imm(&g->a, 4, 1, rm_reg(S2), 2);
	} else {
		op_rm(&g->a, 0, 4, 0x0fb6, S1 | ASM_RM_BYTE, rm_reg(H_RAX));
		shift_imm(&g->a, 4, 4, S1, 11);
		op_rm(&g->a, 0, 4, 0x0b, S2, rm_reg(S1));
	}
	store_operand(g, i->dst, i->width, S2);
	return true;
}

static bool
set_flags(struct gen *g, const struct ir_insn *i)
{
	if (i->dst.kind == IR_MEM || i->dst.kind == IR_GPRH || i->width < 2)
		return false;
	mov_load(&g->a, 4, H_RAX, operand_rm(i->dst));
	mov_rr(&g->a, 4, S2, H_RAX);
	shift_imm(&g->a, 4, 5, H_RAX, 11);
	alu_imm(&g->a, 4, 4, rm_reg(H_RAX), 1);
	alu_imm(&g->a, 4, 4, rm_reg(S2), 0xd5);
	shift_imm(&g->a, 4, 4, S2, 8);
	op_rm(&g->a, 0, 4, 0x0b, H_RAX, rm_reg(S2));
	g->flags = IN_AX;
	return true;
}

/* Of what is in the frame, in place. */
static void
change_bits(struct gen *g, const struct ir_insn *i)
{
	enum { OR = 1, AND = 4 };

	flags_clobber(g);
	alu_imm(&g->a, i->width, i->op == IR_set_bits ? OR : AND, operand_rm(i->dst), (int32_t)i->imm);
}

bool
emit_bits(struct gen *g, const struct ir_insn *i)
{
	switch (i->op) {
	case IR_keep_bits:
	case IR_set_bits:
		change_bits(g, i);
		return true;
	case IR_mfence:
	case IR_sfence:
		put8(&g->a, 0x0f), put8(&g->a, 0xae), put8(&g->a, i->op == IR_mfence ? 0xf0 : 0xf8);
		return true;
	case IR_bt:
	case IR_bts:
	case IR_btr:
	case IR_btc:
		return bit_test(g, i);
	case IR_crc32:
		return checksum(g, i);
	case IR_clc:
	case IR_stc:
	case IR_cmc:
		carry(g, i);
		return true;
	case IR_sahf:
		return store_ah(g, i);
	case IR_lahf:
	case IR_getflags:
		return get_flags(g, i);
	case IR_setflags:
		return set_flags(g, i);
	default:
		return shift(g, i) || double_shift(g, i) || scan(g, i);
	}
}
