/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One block of IR to host code. */
#include "tcg/x64/gen.h"

#include <string.h>

#include "base/trace.h"

static void
emit_insn(struct gen *g, const struct ir_insn *i)
{
	if (i->op == IR_insn)
		return;
	if (g->ir->slow_mem && i->attr & (IR_READ | IR_WRITE)) {
		emit_slow(g, i);
		return;
	}
	if (!emit_integer(g, i) && !emit_move(g, i) && !emit_control(g, i) && !emit_bits(g, i) && !emit_bmi(g, i) && !emit_vector(g, i))
		emit_slow(g, i);
}

void
x64_compile(struct tcg *t, struct tcg_block *b, struct ir *ir)
{
	struct tcg_segment *s = &t->segment[t->current];
	struct gen g;

	g.a = (struct assembler){ s->code_next + (-(uintptr_t)s->code_next & 15), t->to_rx };
	g.t = t;
	g.b = b;
	g.ir = ir;
	g.flags = IN_AX;
	g.stubs = g.pendings = g.misses = 0;
	g.target_in_s1 = false;
	g.vec_load = g.vec_back = g.x87_load = g.x87_back = g.stack_miss = NULL;
	memset(g.on_stack, 0, sizeof(g.on_stack));
	emit_entry(&g);
	for (unsigned n = 0; n < ir->count; n++)
		emit_insn(&g, &ir->insn[n]);
	emit_stubs(&g);
	emit_entry_stubs(&g);
	b->end = g.a.p + t->to_rx;
	s->code_next = g.a.p;
}
