/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operands: the inline path through the shadow table, and the stubs behind it. */
#include "tcg/x64/gen.h"

#include <assert.h>

struct tcg_site *
new_site(struct gen *g, const struct ir_insn *i)
{
	struct tcg_site *s = cache_meta(g->t, sizeof(*s));

	s->block = g->b;
	s->rip = g->ir->guest_rip[i->guest];
	s->insn = *i;
	s->start = g->a.p + g->a.to_rx;
	s->delta = TCG_NO_DELTA;
	s->since = 0;
	s->credit = 0;
	if (g->b->sites++ == 0)
		g->b->site = s;
	return s;
}

struct stub *
new_stub(struct gen *g, const struct ir_insn *i)
{
	struct stub *s = &g->stub[g->stubs++];

	s->count = 0;
	s->site = new_site(g, i);
	s->unaligned = s->wrong_guess = NULL;
	s->flags_in_frame = s->flags_in_host = false;
	s->flags_by = g->flags == LOST ? g->flags_by : NULL;
	return s;
}

/* The host register for a base or index: pinned, or loaded into SCRATCH. */
static unsigned
address_reg(struct gen *g, unsigned reg, unsigned scratch)
{
	struct ir_opnd o = { reg < IR_TEMP_REG ? IR_GPR : IR_TEMP, reg < IR_TEMP_REG ? reg : reg - IR_TEMP_REG, 0 };

	if (is_pinned(o))
		return host_of[o.reg];
	mov_load(&g->a, 8, scratch, operand_rm(o));
	return scratch;
}

/* The effective address as a host operand; S1 and S2 may be in use.  False: the displacement takes 64 bits, S1 holds it all. */
static bool
effective(struct gen *g, const struct ir_mem *m, struct rm *out)
{
	*out = (struct rm){ .mem = true, .base = H_NONE, .index = H_NONE, .scale = m->scale, .disp = (int32_t)m->disp };
	if (m->index != IR_NO_REG)
		out->index = address_reg(g, m->index, S2);
	if (m->base != IR_NO_REG)
		out->base = address_reg(g, m->base, S1);
	if (m->disp == (int32_t)m->disp)
		return true;
	assert(m->index == IR_NO_REG || m->base == IR_NO_REG);
	if (out->base == H_NONE && out->index == H_NONE) {
		mov_imm(&g->a, S1, m->disp);
		return false;
	}
	/* base + disp64: rare (moffs has none; RIP-relative has none) */
	if (out->base != H_NONE) {
		mov_rr(&g->a, 8, S2, out->base);
		mov_imm(&g->a, S1, m->disp);
		out->base = S1, out->index = S2, out->scale = 0, out->disp = 0;
	} else {
		mov_imm(&g->a, S1, m->disp);
		out->base = S1, out->disp = 0;
	}
	lea(&g->a, 8, S1, *out);
	return false;
}

void
emit_address(struct gen *g, const struct ir_mem *m)
{
	struct rm ea;

	if (effective(g, m, &ea))
		lea(&g->a, m->addr_width == 8 ? 8 : 4, S1, ea);
	else if (m->addr_width == 4)
		mov_rr(&g->a, 4, S1, S1);
	if (m->addr_width == 2)
		op_rm(&g->a, 0, 4, 0x0fb7, S1, rm_reg(S1)); /* movzx */
}

/* S1 = linear address. */
static void
linear(struct gen *g, const struct ir_insn *i, unsigned size, struct stub *s)
{
	unsigned seg = offsetof(struct tcg_frame, seg) + i->mem.seg * sizeof(struct tcg_seg);

	emit_address(g, &i->mem);
	if (i->mem.how == ADDR_BASE) {
		op_rm(&g->a, 0, 8, 0x03, S1, rm_at(H_RSP, seg + offsetof(struct tcg_seg, base)));
	} else if (i->mem.how == ADDR_CHECKED) {
		unsigned limit = i->attr & IR_WRITE ? offsetof(struct tcg_seg, write_limit) : offsetof(struct tcg_seg, read_limit);

		lea(&g->a, 8, S2, rm_at(S1, (int32_t)size - 1));
		op_rm(&g->a, 0, 8, 0x3b, S2, rm_at(H_RSP, seg + limit)); /* cmp */
		s->from[s->count++] = jump(&g->a, 3);                    /* jae */
		op_rm(&g->a, 0, 4, 0x03, S1, rm_at(H_RSP, seg + offsetof(struct tcg_seg, base)));
	}
}

/* Leaves for the stub when ADDR + SIZE may cross into the next page; FREE is a register that holds nothing yet. */
static void
alignment(struct gen *g, const struct ir_insn *i, struct stub *s, unsigned addr, unsigned free, unsigned size)
{
	unsigned need = i->mem.align;

	if (need == 0 && size == 1)
		return;
	if (need != 0 || (size & (size - 1)) == 0) {
		op_rm(&g->a, 0, 1, 0xf6, ASM_EXT | ASM_RM_BYTE, rm_reg(addr)); /* test addr, size - 1 */
		put8(&g->a, (need ? need : size) - 1);
		if (need != 0 && need >= size) {
			s->from[s->count++] = jump(&g->a, 5);
			return;
		}
		s->unaligned = jump(&g->a, 5);
		s->addr = addr;
		s->size = size;
		s->back = g->a.p;
		return;
	}
	mov_rr(&g->a, 4, free, addr);
	alu_imm(&g->a, 4, 4, rm_reg(free), 0xfff);
	alu_imm(&g->a, 4, 7, rm_reg(free), 0x1000 - size);
	s->from[s->count++] = jump(&g->a, 7); /* ja */
}

/* S2 = an address of 57 bits, from that in S1 and S2, as the tables' index is taken of it. */
static void
turn(struct gen *g)
{
	shift_imm(&g->a, 8, 7, S2, 48);
	alu_imm(&g->a, 8, 2, rm_reg(S2), 0); /* adc: the nearest multiple of 2^48 */
	shift_imm(&g->a, 8, 4, S2, SHADOW_TURN);
	op_rm(&g->a, 0, 8, 0x03, S2, rm_reg(S1));
}

/* S2 = the delta of the page whose address is in S2. */
static void
look_up(struct gen *g, const struct ir_insn *i, struct stub *s)
{
	s->from[s->count++] = put_piece(g, i->attr & IR_WRITE ? PIECE_LOOK_UP_WRITE : PIECE_LOOK_UP_READ, 0);
}

/* By the site's own guess. */
static void
compare_guess(struct gen *g, struct stub *s, bool write, bool s1_free)
{
	struct rm guess = rm_rip(&s->site->delta, 0);

	put_piece(g, write ? PIECE_INDEX_WRITE : PIECE_INDEX_READ, 0);
	if (s1_free) {
		mov_load(&g->a, 8, S1, guess);
		op_rm(&g->a, 0, 8, 0x3b, S1, rm_sib(TABLE, S2, 3, 0));
		s->wrong_guess = jump(&g->a, 5);
	} else {
		mov_load(&g->a, 8, S2, rm_sib(TABLE, S2, 3, 0));
		op_rm(&g->a, 0, 8, 0x3b, S2, guess);
		s->wrong_guess = jump(&g->a, 5);
		mov_load(&g->a, 8, S2, guess);
	}
}

/*
 * The same by a guess: the entry is only compared with it, so the access doesn't wait for the entry.  The delta comes into S1 where
 * that is free (the address then is base + displacement), else into S2.
 */
static void
look_up_guessing(struct gen *g, const struct ir_insn *i, struct stub *s, bool s1_free)
{
	bool write = i->attr & IR_WRITE;

	if (!g->ir->direct)
		compare_guess(g, s, write, s1_free);
	else if (s1_free)
		s->wrong_guess = put_piece(g, write ? PIECE_DIRECT_S1_WRITE : PIECE_DIRECT_S1_READ, 0);
	else
		s->wrong_guess = put_piece(g, write ? PIECE_DIRECT_S2_WRITE : PIECE_DIRECT_S2_READ, 0);
	s->s1_free = s1_free;
	s->guessed = g->a.p;
}

/* Out of line: takes the page's own delta, and guesses it the next time. */
static void
wrong_guess(struct gen *g, struct stub *s)
{
	unsigned delta = s->s1_free ? S1 : S2;

	here(&g->a, s->wrong_guess);
	if (!g->ir->direct) {
		jump_to(&g->a, CC_CALL, s->s1_free ? g->t->thunk.guess_s1 : g->t->thunk.guess_s2);
	} else {
		if (s->s1_free)
			mov_load(&g->a, 8, S1, rm_sib(TABLE, S2, 3, 0));
		op_rm(&g->a, 0, 8, 0x85, delta, rm_reg(delta));
		s->from[s->count++] = jump(&g->a, 4);
	}
	jump_to(&g->a, CC_JMP, s->guessed + g->a.to_rx);
	if (!g->ir->direct)
		put_place(&g->a, s->site);
}

/* Is the operand's address known here, all of it in one page? */
static bool
is_fixed(const struct gen *g, const struct ir_insn *i, unsigned size)
{
	const struct ir_mem *m = &i->mem;

	return !g->ir->wide && m->how == ADDR_FLAT && m->addr_width >= 4 && m->index == IR_NO_REG && m->base == IR_NO_REG &&
		(m->disp & 0xfff) + size <= 0x1000 && (m->align == 0 || (m->disp & (m->align - 1)) == 0);
}

/* Nothing waits for the entry here, so there is no need to guess it. */
static struct rm
fixed_operand(struct gen *g, const struct ir_insn *i, struct stub *s)
{
	uint64_t addr = i->mem.addr_width == 8 ? (uint64_t)i->mem.disp : (uint32_t)i->mem.disp;

	mov_imm(&g->a, S2, SHADOW_INDEX(addr) + (i->attr & IR_WRITE ? SHADOW_WRITE : 0));
	mov_load(&g->a, 8, S2, rm_sib(TABLE, S2, 3, 0));
	op_rm(&g->a, 0, 8, 0x85, S2, rm_reg(S2));
	s->from[s->count++] = jump(&g->a, 4);
	if (addr == (uint64_t)(int64_t)(int32_t)addr)
		return rm_at(S2, (int32_t)addr);
	mov_imm(&g->a, S1, addr);
	return rm_sib(S1, S2, 0, 0);
}

/*
 * Would what comes next wait for the entry?  What goes to a vector register hardly ever becomes an address, and loops over vectors
 * come to another page soon, where a guess is wrong: some 15 times of about 13 ns in a round of
 * tests/bench/vector.sh's integer-avx2, of 1,275 ns then.
 */
static bool
waits_for_memory(const struct ir_insn *i)
{
	return i->op != IR_vec && i->op != IR_avx && i->op != IR_evex;
}

struct rm
memory_operand(struct gen *g, const struct ir_insn *i, unsigned size)
{
	const struct ir_mem *m = &i->mem;
	struct stub *s;
	bool simple = !g->ir->wide && m->how == ADDR_FLAT && m->addr_width == 8 && m->index == IR_NO_REG && m->base < IR_TEMP_REG &&
		host_of[m->base] != H_NONE && m->disp == (int32_t)m->disp;
	bool guesses = g->ir->direct || (waits_for_memory(i) && tcg_guess_pays(g->t, g->ir->guest_rip[i->guest]));

	if (is_on_stack(g, i)) {
		if (i->op != IR_mov && i->op != IR_movzx && i->op != IR_movsx)
			flags_clobber(g);
		s = new_stub(g, i);
		s->flags_in_host = g->flags == IN_HOST;
		return stack_operand(g, i);
	}
	flags_clobber_by(g, i);
	s = new_stub(g, i);
	if (is_fixed(g, i, size))
		return fixed_operand(g, i, s);
	if (simple) {
		if (m->disp == 0)
			mov_rr(&g->a, 8, S2, host_of[m->base]);
		else
			lea(&g->a, 8, S2, rm_at(host_of[m->base], (int32_t)m->disp));
		alignment(g, i, s, S2, S1, size);
		if (guesses) {
			look_up_guessing(g, i, s, true);
			return rm_sib(host_of[m->base], S1, 0, (int32_t)m->disp);
		}
		look_up(g, i, s);
		return rm_sib(host_of[m->base], S2, 0, (int32_t)m->disp);
	}
	linear(g, i, size, s);
	alignment(g, i, s, S1, S2, size);
	mov_rr(&g->a, 8, S2, S1);
	if (g->ir->wide)
		turn(g);
	if (guesses)
		look_up_guessing(g, i, s, false);
	else
		look_up(g, i, s);
	return rm_sib(S1, S2, 0, 0);
}

struct rm
fold(struct gen *g, struct rm m)
{
	lea(&g->a, 8, S1, m);
	return rm_at(S1, 0);
}

void
memory_done(struct gen *g)
{
	struct stub *s = &g->stub[g->stubs - 1];

	s->site->resume = g->a.p + g->a.to_rx;
}

static void
call_slow(struct gen *g, struct tcg_site *site)
{
	jump_to(&g->a, CC_CALL, g->t->thunk.slow);
	put_place(&g->a, site);
}

void
emit_slow(struct gen *g, const struct ir_insn *i)
{
	struct tcg_site *s;

	flags_save(g);
	s = new_site(g, i);
	s->stub = g->a.p + g->a.to_rx;
	call_slow(g, s);
	s->resume = g->a.p + g->a.to_rx;
	g->flags = IN_AX | IN_HOST;
}

void
emit_stubs(struct gen *g)
{
	for (unsigned n = 0; n < g->stubs; n++) {
		struct stub *s = &g->stub[n];

		if (s->wrong_guess != NULL)
			wrong_guess(g, s);
		if (s->unaligned != NULL) {
			uint8_t *back;

			here(&g->a, s->unaligned);
			back = put_piece(g, s->addr == S1 ? PIECE_OFFSET_OF_S1 : PIECE_OFFSET_OF_S2, 0x1000 - s->size);
			set_rel32(back, g->a.to_rx, s->back + g->a.to_rx);
		}
		for (unsigned k = 0; k < s->count; k++)
			here(&g->a, s->from[k]);
		s->site->stub = g->a.p + g->a.to_rx;
		if (s->flags_by != NULL)
			flags_again(g, s->flags_by);
		if (s->flags_in_host || s->flags_by != NULL) {
			g->flags = IN_HOST;
			flags_save(g);
		}
		assert(!(s->flags_in_frame && s->flags_by != NULL));
		if (s->flags_in_frame)
			mov_load(&g->a, 8, H_RAX, FRAME(flags));
		call_slow(g, s->site);
	}
}
