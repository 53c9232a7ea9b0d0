/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a block is entered and left. */
#include "tcg/x64/gen.h"

#include <assert.h>

#include "base/util.h"

static void
set_rip(struct gen *g, uint64_t rip)
{
	if (rip == (uint64_t)(int64_t)(int32_t)rip) {
		mov_store_imm(&g->a, 8, FRAME(rip), (int32_t)rip);
	} else {
		mov_imm(&g->a, S2, rip);
		mov_store(&g->a, 8, FRAME(rip), S2);
	}
}

/* Leaves the chain when something is pending for this vCPU; flags are in rax. */
static void
check_pending(struct gen *g, uint64_t rip)
{
	g->pending[g->pendings].from = put_piece(g, PIECE_PENDING, 0);
	g->pending[g->pendings++].rip = rip;
}

static bool
same_page(const struct gen *g, uint64_t rip)
{
	return g->b->phys2 == ~0ull && (g->ir->cs_base + rip) >> 12 == (g->ir->cs_base + g->ir->rip) >> 12;
}

/* No chain may run without bound: what goes back (or nowhere) asks for interrupts. */
static bool
goes_back(const struct gen *g, const struct ir_insn *i, uint64_t rip)
{
	return rip <= g->ir->guest_rip[i->guest];
}

void
slot_jump(struct gen *g, unsigned n, unsigned cc, uint64_t rip)
{
	struct tcg_slot *s = &g->b->slot[n];

	s->same_page = same_page(g, rip);
	s->patch = jump_aligned(&g->a, cc);
}

void
slot_stub(struct gen *g, unsigned n, uint64_t rip)
{
	struct tcg_slot *s = &g->b->slot[n];

	s->rip = rip;
	s->stub = g->a.p + g->a.to_rx;
	here(&g->a, s->patch);
	jump_to(&g->a, CC_CALL, g->t->thunk.leave_slot);
	put_place(&g->a, s);
}

/* The condition as a host's one: from the host's flags, or by a test of rax. */
static unsigned
host_condition(struct gen *g, unsigned cond)
{
	static const uint8_t mask[] = { 0, 0x01, 0x40, 0x41, 0x80, 0x04 };

	if (g->flags & IN_HOST) {
		flags_save(g);
		return cond;
	}
	if (cond >> 1 >= sizeof(mask)) {
		flags_to_host(g);
		return cond;
	}
	assert(g->flags & IN_AX);
	if (cond >> 1 == 0) {
		put8(&g->a, 0xa8); /* test al, 1 */
		put8(&g->a, 1);
	} else {
		put8(&g->a, 0xf6); /* test ah, mask */
		put8(&g->a, 0xc4);
		put8(&g->a, mask[cond >> 1]);
	}
	return 5 ^ (cond & 1);
}

static void
conditional(struct gen *g, const struct ir_insn *i)
{
	uint64_t taken = (uint64_t)i->imm;
	unsigned cc = host_condition(g, i->cond);
	uint8_t *over;

	if (!goes_back(g, i, taken)) {
		slot_jump(g, 1, cc, taken);
		return;
	}
	over = jump(&g->a, cc ^ 1);
	check_pending(g, taken);
	slot_jump(g, 1, CC_JMP, taken);
	here(&g->a, over);
	g->flags = IN_AX;
}

static void
direct(struct gen *g, const struct ir_insn *i)
{
	uint64_t rip = (uint64_t)i->imm;

	flags_save(g);
	if (goes_back(g, i, rip))
		check_pending(g, rip);
	slot_jump(g, 0, CC_JMP, rip);
	slot_stub(g, 0, rip);
}

/*
 * S1's line of the jump cache is another target's, or something is pending.  Where the target isn't canonical the jump itself
 * faults.
 */
static void
indirect_stub(struct gen *g, const struct ir_insn *i, uint8_t *pending, uint8_t *miss)
{
	here(&g->a, pending);
	here(&g->a, miss);
	mov_rr(&g->a, 8, S2, S1);
	shift_imm(&g->a, 8, 4, S2, g->ir->wide ? 7 : 16);
	shift_imm(&g->a, 8, 7, S2, g->ir->wide ? 7 : 16);
	op_rm(&g->a, 0, 8, 0x3b, S2, rm_reg(S1)); /* cmp */
	jump_to(&g->a, 4, g->t->thunk.other_line);
	if (g->target_in_s1)
		mov_store(&g->a, 8, operand_rm(i->dst), S1);
	emit_slow(g, i);
}

/* Through the jump cache: S1 is the target, its line's code has a guard. */
static void
indirect(struct gen *g, const struct ir_insn *i)
{
	uint8_t *pending, *miss;

	flags_clobber(g);
	if (!g->target_in_s1)
		mov_load(&g->a, 8, S1, operand_rm(i->dst));
	pending = put_piece(g, PIECE_PENDING, 0);
	miss = put_piece(g, PIECE_JUMP_LINE, 0);
	indirect_stub(g, i, pending, miss);
}

static void
call_if(struct gen *g, const struct ir_insn *i)
{
	struct stub *s;

	flags_save(g);
	s = new_stub(g, i);
	op_rm(&g->a, 0, 4, 0xf7, ASM_EXT, operand_rm(i->dst)); /* test */
	put32(&g->a, i->sub);
	s->from[s->count++] = jump(&g->a, 5);
	memory_done(g);
	g->flags = IN_AX;
}

bool
emit_control(struct gen *g, const struct ir_insn *i)
{
	switch (i->op) {
	case IR_jcc:
		conditional(g, i);
		return true;
	case IR_call_if:
		call_if(g, i);
		return true;
	case IR_jmp:
		direct(g, i);
		break;
	case IR_jind:
		indirect(g, i);
		break;
	case IR_exit:
		flags_save(g);
		if (!(i->attr & IR_RIP_SET))
			set_rip(g, (uint64_t)i->imm);
		mov_imm(&g->a, S1, 0);
		jump_to(&g->a, CC_JMP, g->t->thunk.leave);
		break;
	default:
		return false;
	}
	/* The end: what the conditional jump before it still needs. */
	if (g->b->slot[1].patch != NULL)
		slot_stub(g, 1, (uint64_t)i[-1].imm);
	for (unsigned n = 0; n < g->pendings; n++) {
		here(&g->a, g->pending[n].from);
		mov_imm(&g->a, S1, g->pending[n].rip);
		jump_to(&g->a, CC_JMP, g->t->thunk.leave_pending);
	}
	return true;
}

/* Goes on only if the page at LINEAR is still the frame PHYS. */
static void
guard(struct gen *g, uint64_t linear, uint64_t phys)
{
	uint64_t offset = SHADOW_INDEX(linear) * sizeof(uint32_t);

	if (offset > INT32_MAX) {
		g->miss[g->misses++] = put_guard(g, offset, (uint32_t)(phys >> 12) + 1);
		return;
	}
	mov_load(&g->a, 8, S2, FRAME(exec));
	alu_imm(&g->a, 4, 7, rm_at(S2, (int32_t)offset), (int32_t)((phys >> 12) + 1));
	g->miss[g->misses++] = jump(&g->a, 5);
}

/* CMP byte [FIELD], 0 and a jump to out-of-line code when it is. */
static uint8_t *
unless(struct gen *g, struct rm flag)
{
	alu_imm(&g->a, 1, 7, flag, 0);
	return jump(&g->a, 4);
}

void
emit_entry(struct gen *g)
{
	uint64_t linear = g->ir->cs_base + g->ir->rip;
	bool x87 = false;
	unsigned level = 0;

	if (!g->ir->mode64)
		linear = (uint32_t)linear;
	g->b->guarded = g->a.p + g->a.to_rx;
	guard(g, linear, g->b->key.phys);
	if (g->b->phys2 != ~0ull)
		guard(g, g->ir->mode64 ? linear + 0x1000 : (uint32_t)(linear + 0x1000), g->b->phys2);
	g->b->code = g->a.p + g->a.to_rx;
	stack_entry(g);
	for (unsigned n = 0; g->ir->vectors && n < g->ir->count; n++) {
		const struct ir_insn *i = &g->ir->insn[n];

		level = MAX(level, vector_level(g->t, g->ir, i));
		if ((i->op == IR_vec || i->op == IR_x87) && vector_is_native(g->t, g->ir, i))
			x87 |= vector_needs_x87(i);
	}
	if (level != 0) {
		alu_imm(&g->a, 1, 7, FRAME(vec_resident), (int32_t)level);
		g->vec_level = level;
		g->vec_load = jump(&g->a, 2); /* jb */
		g->vec_back = g->a.p;
	}
	if (x87) {
		g->x87_load = unless(g, FRAME(x87_resident));
		g->x87_back = g->a.p;
	}
	/* A block that checks its stack, whose pointer may have moved, or the x87 goes through all of its entry again. */
	g->b->again = g->stack_miss == NULL && !x87 ? g->a.p + g->a.to_rx : g->b->code;
}

/* Out of line: the guard's miss, and loading what is not resident. */
void
emit_entry_stubs(struct gen *g)
{
	if (g->vec_load != NULL) {
		here(&g->a, g->vec_load);
		jump_to(&g->a, CC_CALL, g->t->thunk.vec_load[g->vec_level - 1]);
		jump_to(&g->a, CC_JMP, g->vec_back + g->a.to_rx);
	}
	if (g->x87_load != NULL) {
		here(&g->a, g->x87_load);
		jump_to(&g->a, CC_CALL, g->t->thunk.x87_load);
		jump_to(&g->a, CC_JMP, g->x87_back + g->a.to_rx);
	}
	stack_entry_stub(g);
	for (unsigned n = 0; n < g->misses; n++)
		here(&g->a, g->miss[n]);
	mov_imm(&g->a, S1, g->ir->rip);
	jump_to(&g->a, CC_JMP, g->t->thunk.leave_indirect);
}
