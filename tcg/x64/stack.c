/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The predicted delta of the stack.
 *
 * f->stack_page names one page of the guest's stack that may be read and written, f->stack_delta leads from its linear addresses to
 * the host's.  A block whose accesses through rSP lie in a known range around rSP checks once, at its entry, that this range is in
 * that page; each access then is an add of the delta, which no address depends on, and leaves the flags alone.
 *
 * A miss lets a thunk set the window to the page where rSP is now; a range that crosses pages, or a page that isn't filled, goes to
 * the block's plain twin, which makes no prediction.  Whoever removes an entry of the shadow sets the delta to TCG_NO_STACK: that
 * makes every address non-canonical, so an access that is past its check faults on the host and takes its slow path.
 */
#include "tcg/x64/gen.h"

#include "base/util.h"

enum { RSP = 4, MAX_RANGE = 512, PAGE_BYTES = 4096 };

static unsigned
bytes_of(const struct ir_insn *i)
{
	if (i->mem.size != 0)
		return i->mem.size;
	return i->op == IR_movzx || i->op == IR_movsx ? i->src_width : i->width;
}

/* Not gathers, whose memory operand is but a base. */
static bool
through_rsp(const struct ir_insn *i)
{
	const struct ir_mem *m = &i->mem;

	return i->attr & (IR_READ | IR_WRITE) && m->base == RSP && m->index == IR_NO_REG && m->how == ADDR_FLAT && m->addr_width == 8 &&
		m->align == 0 && m->disp >= -PAGE_BYTES && m->disp <= PAGE_BYTES && !is_gather(i);
}

static bool
names_rsp(struct ir_opnd o)
{
	return o.kind == IR_GPR && o.reg == RSP;
}

/* Follows rSP through I: AT is its distance from what it was at the block's entry.  False: it is lost. */
static bool
follow(const struct ir_insn *i, int64_t *at)
{
	if (i->op == IR_call || (names_rsp(i->src) && (i->op == IR_xchg || i->op == IR_xadd || i->op == IR_mulx)))
		return false;
	if (!names_rsp(i->dst) || i->op == IR_cmp || i->op == IR_test || i->op == IR_jind)
		return true;
	if (i->width != 8)
		return false;
	if (i->op == IR_lea && i->mem.base == RSP && i->mem.index == IR_NO_REG && i->mem.addr_width == 8)
		*at += i->mem.disp;
	else if ((i->op == IR_add || i->op == IR_sub) && i->src.kind == IR_IMM)
		*at += i->op == IR_add ? i->imm : -i->imm;
	else
		return false;
	return *at > -PAGE_BYTES && *at < PAGE_BYTES;
}

static bool
uses_stack(const struct ir *ir)
{
	for (unsigned n = 0; n < ir->count; n++)
		if (ir->insn[n].mem.base == RSP && ir->insn[n].attr & (IR_READ | IR_WRITE))
			return true;
	return false;
}

/* Which accesses are predicted, and the range they take: from rSP at the entry plus LOW, LENGTH bytes. */
static void
plan(struct gen *g, int64_t *low, int64_t *length)
{
	int64_t at = 0, lo = 0, hi = 0;
	bool any = false;

	*low = *length = 0;
	if (!uses_stack(g->ir))
		return;
	for (unsigned n = 0; n < g->ir->count; n++) {
		const struct ir_insn *i = &g->ir->insn[n];

		if (i->op == IR_insn)
			continue;
		if (through_rsp(i)) {
			int64_t first = at + i->mem.disp, end = first + bytes_of(i);
			int64_t l = any ? MIN(lo, first) : first, h = any ? MAX(hi, end) : end;

			if (h - l <= MAX_RANGE) {
				lo = l, hi = h;
				any = true;
				g->on_stack[n / 8] |= 1 << n % 8;
			}
		}
		if (!follow(i, &at))
			break;
	}
	*low = lo;
	*length = hi - lo;
}

void
stack_entry(struct gen *g)
{
	int64_t low, length;

	if (!g->ir->mode64 || g->ir->slow_mem || g->ir->guests < 2 || g->b->key.mode & TCG_PLAIN)
		return;
	plan(g, &low, &length);
	if (length == 0)
		return;
	g->stack_low = (int32_t)low;
	g->stack_length = (uint32_t)length;
	lea(&g->a, 8, S1, rm_at(host_of[RSP], g->stack_low));
	g->stack_miss = put_piece(g, PIECE_STACK_CHECK, PAGE_BYTES - (uint32_t)length);
	g->stack_back = g->a.p;
}

/* Out of line: moves the window, or goes to the plain twin. */
void
stack_entry_stub(struct gen *g)
{
	uint8_t *crosses;

	if (g->stack_miss == NULL)
		return;
	here(&g->a, g->stack_miss);
	lea(&g->a, 8, S1, rm_at(host_of[RSP], g->stack_low));
	crosses = put_piece(g, PIECE_STACK_CROSSES, PAGE_BYTES - g->stack_length);
	jump_to(&g->a, CC_CALL, g->t->thunk.stack_fill[g->ir->wide]);
	jump_to(&g->a, 4, g->stack_back + g->a.to_rx);
	here(&g->a, crosses);
	slot_jump(g, TCG_SLOT_PLAIN, CC_JMP, g->ir->rip);
	slot_stub(g, TCG_SLOT_PLAIN, g->ir->rip);
}

bool
is_on_stack(const struct gen *g, const struct ir_insn *i)
{
	size_t n = (size_t)(i - g->ir->insn);

	return g->on_stack[n / 8] >> n % 8 & 1;
}

struct rm
stack_operand(struct gen *g, const struct ir_insn *i)
{
	mov_load(&g->a, 8, S2, FRAME(stack_delta));
	return rm_sib(host_of[RSP], S2, 0, (int32_t)i->mem.disp);
}
