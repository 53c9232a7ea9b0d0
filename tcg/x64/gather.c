/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers and scatters.  The host's own would fault at the guest's addresses, so it is a loop over the elements, in general
 * registers: indices and masks go through the frame's copies of their registers, which are nobody's while the host's are in
 * use.  It brought 25 times the speed of the interpreter (tests/bench/vector.sh).
 *
 * Nothing of the guest's changes before all elements have passed their checks: a gather's data is collected in the frame, a scatter
 * first collects the host's addresses there.  An element that doesn't pass (a miss, a device, a page crossing) leaves the whole
 * instruction to the slow path, which knows what a fault halfway leaves behind.  An address that isn't canonical passes, and faults at the
 * access: the slow path then stores again what a scatter has stored already.
 */
#include "tcg/x64/gen.h"

#include "tcg/evex.h"

struct gather {
	const struct ir_insn *insn;
	unsigned data, index, mask; /* registers; of the mask: a vector's, or with EVEX a mask's */
	unsigned ll, size, index_size, count;
	bool evex, scatters;
};

bool
is_gather(const struct ir_insn *i)
{
	if (i->op == IR_avx)
		return avx_rows[i->sub].form == AVX_GATHER;
	return i->op == IR_evex && (evex_rows[i->sub].form == AVX_GATHER || evex_rows[i->sub].form == AVX_SCATTER);
}

static struct gather
gather_of(const struct ir_insn *i)
{
	bool evex = i->op == IR_evex, scatters = evex && evex_rows[i->sub].form == AVX_SCATTER;
	unsigned opcode = evex ? evex_rows[i->sub].opcode : avx_rows[i->sub].opcode;
	struct gather d = { .insn = i, .evex = evex, .scatters = scatters, .data = scatters ? i->src.reg : i->dst.reg };

	d.mask = evex ? EVEX_AUX_K(i->aux) : i->src.reg;
	d.index = evex ? EVEX_AUX_INDEX(i->aux) : AVX_AUX_INDEX(i->aux);
	d.ll = evex ? EVEX_AUX_LL(i->aux) : AVX_AUX_L(i->aux);
	d.size = evex ? evex_rows[i->sub].size : avx_rows[i->sub].size;
	d.index_size = avx_index_size(opcode);
	d.count = (16u << d.ll) / (d.size > d.index_size ? d.size : d.index_size);
	return d;
}

bool
gather_is_native(const struct ir *ir, const struct ir_insn *i)
{
	return !ir->wide && !ir->slow_mem && i->mem.how != ADDR_CHECKED && i->mem.addr_width >= 4 &&
		(i->mem.base == IR_NO_REG || i->mem.base < IR_TEMP_REG);
}

/* Where the frame has element RAX of a register. */
static struct rm
element(unsigned reg, unsigned size)
{
	return rm_sib(H_RSP, H_RAX, size == 8 ? 3 : 2, (int32_t)(offsetof(struct tcg_frame, vec) + 64 * reg));
}

/* A vector to or from the frame, as it was with 16 << LL bytes. */
static void
move_vector(struct gen *g, const struct gather *d, bool to_frame, unsigned reg, unsigned ll)
{
	const struct evex_bits bits = { .ll = (uint8_t)ll, .unit = (uint8_t)(16u << ll) };
	struct rm at = rm_at(H_RSP, (int32_t)(offsetof(struct tcg_frame, vec) + 64 * reg));

	if (d->evex)
		op_evex(&g->a, 0, 1, to_frame ? 0x29 : 0x28, reg, 0, at, &bits); /* vmovaps */
	else
		op_vex(&g->a, 0, 1, false, ll, to_frame ? 0x29 : 0x28, reg, 0, at);
}

/* Jumps over what isn't selected; where the displacement is. */
static uint8_t *
unless_selected(struct gen *g, const struct gather *d)
{
	if (!d->evex) {
		struct rm at = element(d->mask, d->size);

		at.disp += (int32_t)d->size - 1;
		alu_imm(&g->a, 1, 7, at, 0); /* cmp: its sign */
		return jump(&g->a, 9);
	}
	mov_load(&g->a, 4, S1, rm_at(H_RSP, (int32_t)(offsetof(struct tcg_frame, k) + 8 * d->mask)));
	op_rm(&g->a, 0, 4, 0x0fa3, H_RAX, rm_reg(S1)); /* bt */
	return jump(&g->a, 3);
}

/* S1 = the linear address of element RAX. */
static void
address(struct gen *g, const struct gather *d)
{
	const struct ir_mem *m = &d->insn->mem;
	struct rm ea = rm_sib(H_NONE, S1, m->scale, (int32_t)m->disp);

	op_rm(&g->a, 0, 8, d->index_size == 8 ? 0x8b : 0x63, S1, element(d->index, d->index_size)); /* mov, movsxd */
	if (m->base != IR_NO_REG)
		ea.base = (uint8_t)operand_reg(g, d->insn, (struct ir_opnd){ IR_GPR, m->base, 0 }, 8, S2);
	lea(&g->a, m->addr_width == 8 ? 8 : 4, S1, ea);
	if (m->how == ADDR_BASE)
		op_rm(&g->a, 0, 8, 0x03, S1,
			rm_at(H_RSP, (int32_t)(offsetof(struct tcg_frame, seg) + m->seg * sizeof(struct tcg_seg) + offsetof(struct tcg_seg, base))));
}

/* S2 = the delta of S1's page, or the slow path. */
static void
check(struct gen *g, const struct gather *d, struct stub *s)
{
	mov_rr(&g->a, 4, S2, S1);
	alu_imm(&g->a, 4, 4, rm_reg(S2), 0xfff);
	alu_imm(&g->a, 4, 7, rm_reg(S2), 0x1000 - (int32_t)d->size);
	s->from[s->count++] = jump(&g->a, 7); /* ja */
	mov_rr(&g->a, 8, S2, S1);
	s->from[s->count++] = put_piece(g, d->scatters ? PIECE_LOOK_UP_WRITE : PIECE_LOOK_UP_READ, 0);
}

/* Two registers' places in the frame that nobody uses here. */
static unsigned
room_for_addresses(const struct gather *d)
{
	unsigned n = 0;

	while (n / 2 == d->data / 2 || n / 2 == d->index / 2)
		n += 2;
	return n;
}

static const uint8_t *
begin_loop(struct gen *g)
{
	op_rm(&g->a, 0, 4, 0x33, H_RAX, rm_reg(H_RAX));
	return g->a.p + g->a.to_rx;
}

static void
end_loop(struct gen *g, const struct gather *d, const uint8_t *start, uint8_t *next)
{
	here(&g->a, next);
	alu_imm(&g->a, 4, 0, rm_reg(H_RAX), 1);
	alu_imm(&g->a, 4, 7, rm_reg(H_RAX), (int32_t)d->count);
	jump_to(&g->a, 2, start); /* jb */
}

static void
collect(struct gen *g, const struct gather *d, struct stub *s)
{
	const uint8_t *start = begin_loop(g);
	uint8_t *next = unless_selected(g, d);

	address(g, d);
	check(g, d, s);
	if (d->scatters) {
		op_rm(&g->a, 0, 8, 0x03, S1, rm_reg(S2));
		mov_store(&g->a, 8, element(room_for_addresses(d), 8), S1);
	} else {
		mov_load(&g->a, d->size, S1, rm_sib(S1, S2, 0, 0));
		mov_store(&g->a, d->size, element(d->data, d->size), S1);
	}
	end_loop(g, d, start, next);
}

static void
store_all(struct gen *g, const struct gather *d)
{
	const uint8_t *start = begin_loop(g);
	uint8_t *next = unless_selected(g, d);

	mov_load(&g->a, d->size, S2, element(d->data, d->size));
	mov_load(&g->a, 8, S1, element(room_for_addresses(d), 8));
	mov_store(&g->a, d->size, rm_at(S1, 0), S2);
	end_loop(g, d, start, next);
}

/* What was collected, the rest of the register 0; it may be half of a vector, or a quarter. */
static void
take_data(struct gen *g, const struct gather *d)
{
	static const struct evex_bits quadword = { .w = true, .unit = 8 };
	struct rm at = rm_at(H_RSP, (int32_t)(offsetof(struct tcg_frame, vec) + 64 * d->data));
	unsigned bytes = d->count * d->size;

	if (bytes > 8)
		move_vector(g, d, false, d->data, bytes == 16 ? 0 : bytes == 32 ? 1 : 2);
	else if (d->evex)
		op_evex(&g->a, 0xf3, 1, 0x7e, d->data, 0, at, &quadword); /* vmovq */
	else
		op_vex(&g->a, 0xf3, 1, false, 0, 0x7e, d->data, 0, at);
}

static void
clear_mask(struct gen *g, const struct gather *d)
{
	if (d->evex)
		op_vex(&g->a, 0, 1, false, 1, 0x47, d->mask, d->mask, rm_reg(d->mask)); /* kxorw */
	else
		op_vex(&g->a, 0x66, 1, false, 0, 0xef, d->mask, d->mask, rm_reg(d->mask)); /* vpxor */
}

bool
emit_gather(struct gen *g, const struct ir_insn *i)
{
	struct gather d = gather_of(i);
	struct stub *s;

	/* RAX counts: the flags are in the frame. */
	flags_to_rax(g);
	mov_store(&g->a, 8, FRAME(flags), H_RAX);
	s = new_stub(g, i);
	s->flags_in_frame = true;
	move_vector(g, &d, true, d.index, d.ll);
	move_vector(g, &d, true, d.data, d.ll);
	if (d.evex)
		op_vex(&g->a, 0, 1, true, 0, 0x91, d.mask, 0, rm_at(H_RSP, (int32_t)(offsetof(struct tcg_frame, k) + 8 * d.mask))); /* kmovq */
	else
		move_vector(g, &d, true, d.mask, d.ll);
	collect(g, &d, s);
	if (d.scatters)
		store_all(g, &d);
	else
		take_data(g, &d);
	clear_mask(g, &d);
	mov_load(&g->a, 8, H_RAX, FRAME(flags));
	memory_done(g);
	return true;
}
