/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host code that is the same wherever it stands, but for a constant or two: it is assembled once, and then copied.  What blocks
 * are made of most are checks, and they are all alike.
 */
#include "tcg/x64/gen.h"

#include <assert.h>
#include <string.h>

static void
index_of_page(struct assembler *a, bool write)
{
	shift_imm(a, 8, 4, S2, 16);
	shift_imm(a, 8, 5, S2, 28);
	if (write)
		op_rm(a, 0, 8, 0x03, S2, FRAME(shadow_write)); /* add: one operation, where bts would be two */
}

/* S2 = delta of the page that S2's address is in; none: jumps. */
static void
look_up(struct assembler *a, bool write, struct x64_piece *p)
{
	index_of_page(a, write);
	mov_load(a, 8, S2, rm_sib(TABLE, S2, 3, 0));
	op_rm(a, 0, 8, 0x85, S2, rm_reg(S2));
	p->jump = jump(a, 4) - p->bytes;
}

/* The same into S1, if it is the kernel's guess; else jumps. */
static void
direct_s1(struct assembler *a, bool write, struct x64_piece *p)
{
	index_of_page(a, write);
	mov_load(a, 8, S1, FRAME(direct_delta));
	op_rm(a, 0, 8, 0x3b, S1, rm_sib(TABLE, S2, 3, 0));
	p->jump = jump(a, 5) - p->bytes;
}

static void
direct_s2(struct assembler *a, bool write, struct x64_piece *p)
{
	index_of_page(a, write);
	mov_load(a, 8, S2, rm_sib(TABLE, S2, 3, 0));
	op_rm(a, 0, 8, 0x3b, S2, FRAME(direct_delta));
	p->jump = jump(a, 5) - p->bytes;
	mov_load(a, 8, S2, FRAME(direct_delta));
}

/* FREE = ADDR's offset in its page; jumps by CC of the comparison with a constant, in the four bytes before the jump. */
static void
page_offset(struct assembler *a, unsigned free, unsigned addr, unsigned cc, struct x64_piece *p)
{
	mov_rr(a, 4, free, addr);
	alu_imm(a, 4, 4, rm_reg(free), 0xfff);
	alu_imm(a, 4, 7, rm_reg(free), 0xfff);
	p->jump = jump(a, cc) - p->bytes;
	p->constant = p->jump - 6;
}

/* Jumps unless S1 is past the start of the predicted page of the stack by no more than a constant. */
static void
stack_check(struct assembler *a, struct x64_piece *p)
{
	op_rm(a, 0, 8, 0x2b, S1, FRAME(stack_page)); /* sub */
	alu_imm(a, 8, 7, rm_reg(S1), 0xfff);
	p->jump = jump(a, 7) - p->bytes;
	p->constant = p->jump - 6;
}

/* Jumps unless the exec table has a constant at a constant offset, which takes 64 bits. */
static void
guard(struct assembler *a, struct x64_piece *p)
{
	mov_load(a, 8, S2, FRAME(exec));
	mov_imm(a, S1, INT64_MAX);
	p->wide = (uint8_t)(a->p - p->bytes - 8);
	alu_imm(a, 4, 7, rm_sib(S2, S1, 0, 0), 0xfff);
	p->jump = jump(a, 5) - p->bytes;
	p->constant = p->jump - 6;
}

static void
check_pending(struct assembler *a, struct x64_piece *p)
{
	alu_imm(a, 4, 7, FRAME(pending), 0);
	p->jump = jump(a, 5) - p->bytes;
}

void
put_jump_line(struct assembler *a)
{
	mov_rr(a, 8, S2, S1);
	shift_imm(a, 8, 5, S2, TCG_JUMP_BITS);
	op_rm(a, 0, 4, 0x33, S2, rm_reg(S1));
	alu_imm(a, 4, 4, rm_reg(S2), TCG_JUMPS - 1);
}

/* S2 = the line of the jump cache for S1; jumps if it holds another target. */
static void
jump_line(struct assembler *a, struct x64_piece *p)
{
	put_jump_line(a);
	shift_imm(a, 4, 4, S2, 4);
	op_rm(a, 0, 8, 0x03, S2, FRAME(jumps));
	op_rm(a, 0, 8, 0x3b, S1, rm_at(S2, 0));
	p->jump = jump(a, 5) - p->bytes;
	op_rm(a, 0, 4, 0xff, 4 | ASM_EXT, rm_at(S2, offsetof(struct tcg_jump, code)));
}

static void
make(enum x64_piece_name n, struct assembler *a, struct x64_piece *p)
{
	switch (n) {
	case PIECE_INDEX_READ:
	case PIECE_INDEX_WRITE:
		index_of_page(a, n == PIECE_INDEX_WRITE);
		break;
	case PIECE_LOOK_UP_READ:
	case PIECE_LOOK_UP_WRITE:
		look_up(a, n == PIECE_LOOK_UP_WRITE, p);
		break;
	case PIECE_DIRECT_S1_READ:
	case PIECE_DIRECT_S1_WRITE:
		direct_s1(a, n == PIECE_DIRECT_S1_WRITE, p);
		break;
	case PIECE_DIRECT_S2_READ:
	case PIECE_DIRECT_S2_WRITE:
		direct_s2(a, n == PIECE_DIRECT_S2_WRITE, p);
		break;
	case PIECE_OFFSET_OF_S1:
		page_offset(a, S2, S1, 6, p);
		break;
	case PIECE_OFFSET_OF_S2:
		page_offset(a, S1, S2, 6, p);
		break;
	case PIECE_STACK_CHECK:
		stack_check(a, p);
		break;
	case PIECE_STACK_CROSSES:
		page_offset(a, S2, S1, 7, p);
		break;
	case PIECE_GUARD:
		guard(a, p);
		break;
	case PIECE_PENDING:
		check_pending(a, p);
		break;
	case PIECE_JUMP_LINE:
		jump_line(a, p);
		break;
	case PIECES:
		break;
	}
}

void
make_pieces(struct tcg *t)
{
	for (unsigned n = 0; n < PIECES; n++) {
		struct x64_piece *p = &t->thunk.piece[n];
		struct assembler a = { p->bytes, 0 };

		make(n, &a, p);
		p->length = (uint8_t)(a.p - p->bytes);
		/* An instruction's writing runs up to three bytes past its end. */
		assert(p->length + 3u <= sizeof(p->bytes));
	}
}

uint8_t *
put_piece(struct gen *g, enum x64_piece_name n, uint32_t constant)
{
	const struct x64_piece *p = &g->t->thunk.piece[n];
	uint8_t *at = g->a.p;

	memcpy(at, p->bytes, sizeof(p->bytes));
	if (p->constant != 0)
		memcpy(at + p->constant, &constant, sizeof(constant));
	g->a.p = at + p->length;
	return at + p->jump;
}

uint8_t *
put_guard(struct gen *g, uint64_t offset, uint32_t frame)
{
	uint8_t *at = g->a.p, *jump = put_piece(g, PIECE_GUARD, frame);

	memcpy(at + g->t->thunk.piece[PIECE_GUARD].wide, &offset, sizeof(offset));
	return jump;
}
