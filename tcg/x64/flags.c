/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the guest's flags are: in the host's, in rax, or in neither (LOST), while what made them can be repeated by a slow path. */
#include "tcg/x64/gen.h"

#include <assert.h>

void
flags_save(struct gen *g)
{
	if (g->flags & IN_AX)
		return;
	if (g->flags == LOST) {
		flags_again(g, g->flags_by);
		g->flags = IN_HOST;
	}
	put32(&g->a, 0x9fc0900f); /* seto al; lahf */
	g->flags |= IN_AX;
}

void
flags_clobber(struct gen *g)
{
	if (g->flags == LOST)
		return;
	flags_save(g);
	g->flags = IN_AX;
}

void
flags_to_rax(struct gen *g)
{
	flags_clobber(g);
	assert(g->flags == IN_AX);
}

/* ---- flags that are made anew where somebody asks for them ---- */

/* Operations that are looked at, in either direction. */
enum { AHEAD = 16 };

/* Leaves the flags alone, and needs none. */
static bool
is_neutral(const struct ir_insn *i)
{
	switch (i->op) {
	case IR_insn:
		return true;
	case IR_mov:
	case IR_movzx:
	case IR_movsx:
	case IR_lea:
		return i->dst.kind != IR_FIELD && i->src.kind != IR_FIELD;
	case IR_vec:
	case IR_avx:
	case IR_evex:
		return i->reads == 0 && i->writes == 0 && !is_gather(i);
	default:
		return false;
	}
}

static bool
overwrites(const struct ir_insn *i)
{
	switch (i->op) {
	case IR_add:
	case IR_sub:
	case IR_cmp:
	case IR_test:
	case IR_and:
	case IR_or:
	case IR_xor:
		return !(i->attr & IR_LOCKED);
	default:
		return false;
	}
}

static bool
is_logical(const struct ir_insn *i)
{
	return i->op == IR_and || i->op == IR_or || i->op == IR_xor;
}

/* Are its operands, or its result, enough to have its flags once more? */
static bool
can_be_repeated(const struct ir_insn *i)
{
	if (!overwrites(i) || i->width < 4 || !is_pinned(i->dst))
		return false;
	if (is_logical(i) || (i->src.kind == IR_IMM && i->imm == (int32_t)i->imm))
		return true;
	return is_pinned(i->src) && (i->op == IR_cmp || i->op == IR_test || i->src.reg != i->dst.reg);
}

/* Does I write a register that MADE would be repeated with? */
static bool
spoils(const struct ir_insn *i, const struct ir_insn *made)
{
	if (i->dst.kind != IR_GPR && i->dst.kind != IR_GPRH)
		return false;
	return i->dst.reg == made->dst.reg || (made->src.kind == IR_GPR && i->dst.reg == made->src.reg);
}

/* What made the flags, if they can be lost from I on until they are overwritten; else NULL. */
static const struct ir_insn *
repeatable(const struct gen *g, const struct ir_insn *i)
{
	const struct ir_insn *first = g->ir->insn, *end = first + g->ir->count, *made = i, *n;

	do {
		if (made-- == first || i - made > AHEAD)
			return NULL;
	} while (is_neutral(made));
	if (!can_be_repeated(made))
		return NULL;
	for (n = made + 1; n < end && n - i < AHEAD && is_neutral(n); n++)
		if (spoils(n, made))
			return NULL;
	return n < end && overwrites(n) ? made : NULL;
}

void
flags_clobber_by(struct gen *g, const struct ir_insn *i)
{
	const struct ir_insn *made = g->flags == IN_HOST ? repeatable(g, i) : NULL;

	if (made == NULL) {
		flags_clobber(g);
		return;
	}
	g->flags = LOST;
	g->flags_by = made;
}

/* ADD, SUB or CMP of a register, by EXT, with the second operand of INSN. */
static void
with_source(struct gen *g, const struct ir_insn *insn, unsigned ext, unsigned reg)
{
	if (insn->src.kind == IR_IMM)
		alu_imm(&g->a, insn->width, ext, rm_reg(reg), (int32_t)insn->imm);
	else
		op_rm(&g->a, 0, insn->width, ext << 3 | 3, reg, operand_rm(insn->src));
}

void
flags_again(struct gen *g, const struct ir_insn *insn)
{
	enum { ADD = 0, SUB = 5, CMP = 7 };
	unsigned dst = host_of[insn->dst.reg];

	if (insn->op == IR_cmp) {
		with_source(g, insn, CMP, dst);
	} else if (insn->op == IR_test && insn->src.kind == IR_IMM) {
		op_rm(&g->a, 0, insn->width, 0xf7, ASM_EXT, rm_reg(dst));
		put32(&g->a, (uint32_t)insn->imm);
	} else if (insn->op == IR_test) {
		op_rm(&g->a, 0, insn->width, 0x85, dst, operand_rm(insn->src));
	} else if (is_logical(insn)) {
		op_rm(&g->a, 0, insn->width, 0x85, dst, rm_reg(dst));
	} else {
		/* Back to what the destination was, and forth. */
		mov_rr(&g->a, 8, S2, dst);
		with_source(g, insn, insn->op == IR_add ? SUB : ADD, S2);
		with_source(g, insn, insn->op == IR_add ? ADD : SUB, S2);
	}
}

/* ---- from one place to the other ---- */

void
flags_to_host(struct gen *g)
{
	if (g->flags & IN_HOST)
		return;
	assert(g->flags != LOST);
	put8(&g->a, 0x3c); /* cmp al, 81h: OF = bit 0 of al */
	put8(&g->a, 0x81);
	put8(&g->a, 0x9e); /* sahf */
	g->flags |= IN_HOST;
}

void
carry_to_host(struct gen *g)
{
	if (g->flags & IN_HOST)
		return;
	assert(g->flags != LOST);
	op_rm(&g->a, 0, 4, 0x0fba, ASM_EXT | 4, rm_reg(H_RAX)); /* bt eax, 8 */
	put8(&g->a, 8);
}

void
flags_defined(struct gen *g, const struct ir_insn *i)
{
	g->flags = i->attr & IR_FLAGS_LIVE ? IN_HOST : IN_AX;
}

void
flags_partial(struct gen *g, const struct ir_insn *i)
{
	if (i->attr & IR_FLAGS_LIVE)
		flags_to_host(g);
}

/* BEFORE: g->flags as it was ahead of the operation.  What it did not write is still where it was. */
void
flags_after_partial(struct gen *g, const struct ir_insn *i, unsigned before)
{
	if (i->attr & IR_FLAGS_LIVE || before & IN_HOST)
		g->flags = IN_HOST;
	else
		g->flags = IN_AX;
}
