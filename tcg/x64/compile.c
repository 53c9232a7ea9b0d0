/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One block of IR to host code. */
#include "tcg/x64/gen.h"

#include <assert.h>
#include <string.h>

#include "base/trace.h"

typedef bool emitter(struct gen *g, const struct ir_insn *i);

/* By operation, in op.def's order; what has none here is the interpreter's. */
static emitter *const emitters[IR_OPS] = {
	[IR_mov] = emit_move, [IR_movzx] = emit_move, [IR_movsx] = emit_move, [IR_lea] = emit_move, [IR_xchg] = emit_move,
	[IR_bswap] = emit_move, [IR_setcc] = emit_move, [IR_cmovcc] = emit_move, [IR_cwd] = emit_move,
	[IR_add] = emit_classic, [IR_adc] = emit_classic, [IR_sub] = emit_classic, [IR_sbb] = emit_classic, [IR_and] = emit_classic,
	[IR_or] = emit_classic, [IR_xor] = emit_classic, [IR_cmp] = emit_classic, [IR_test] = emit_classic,
	[IR_inc] = emit_unary, [IR_dec] = emit_unary, [IR_neg] = emit_unary, [IR_not] = emit_unary,
	[IR_mul] = emit_accumulator, [IR_imul1] = emit_accumulator, [IR_div] = emit_accumulator, [IR_idiv] = emit_accumulator,
	[IR_imul2] = emit_multiply, [IR_imul3] = emit_multiply,
	[IR_shl] = emit_bits, [IR_shr] = emit_bits, [IR_sar] = emit_bits, [IR_rol] = emit_bits, [IR_ror] = emit_bits,
	[IR_rcl] = emit_bits, [IR_rcr] = emit_bits, [IR_shld] = emit_bits, [IR_shrd] = emit_bits, [IR_bt] = emit_bits,
	[IR_bts] = emit_bits, [IR_btr] = emit_bits, [IR_btc] = emit_bits, [IR_bsf] = emit_bits, [IR_bsr] = emit_bits,
	[IR_tzcnt] = emit_bits, [IR_lzcnt] = emit_bits, [IR_popcnt] = emit_bits,
	[IR_andn] = emit_bmi, [IR_bextr] = emit_bmi, [IR_bzhi] = emit_bmi, [IR_blsi] = emit_bmi, [IR_blsmsk] = emit_bmi,
	[IR_blsr] = emit_bmi, [IR_pdep] = emit_bmi, [IR_pext] = emit_bmi, [IR_sarx] = emit_bmi, [IR_shlx] = emit_bmi,
	[IR_shrx] = emit_bmi, [IR_rorx] = emit_bmi, [IR_mulx] = emit_bmi, [IR_adcx] = emit_bmi, [IR_adox] = emit_bmi,
	[IR_crc32] = emit_bits, [IR_clc] = emit_bits, [IR_stc] = emit_bits, [IR_cmc] = emit_bits, [IR_lahf] = emit_bits,
	[IR_sahf] = emit_bits, [IR_getflags] = emit_bits, [IR_setflags] = emit_bits, [IR_keep_bits] = emit_bits,
	[IR_set_bits] = emit_bits, [IR_mfence] = emit_bits, [IR_sfence] = emit_bits, [IR_call_if] = emit_control,
	[IR_cmpxchg] = emit_compare_exchange, [IR_cmpxchg8b] = emit_compare_exchange_pair,
	[IR_xadd] = emit_exchange_add,
	[IR_vec] = emit_vector, [IR_avx] = emit_vector, [IR_evex] = emit_vector, [IR_x87] = emit_vector,
	[IR_jcc] = emit_control, [IR_jmp] = emit_control, [IR_jind] = emit_control, [IR_exit] = emit_control,
};

static void
emit_insn(struct gen *g, const struct ir_insn *i)
{
	emitter *emit = emitters[i->op];

	if (i->op == IR_insn)
		return;
	if (emit == NULL || (g->ir->slow_mem && i->attr & (IR_READ | IR_WRITE)) || !emit(g, i))
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
	assert(g.a.p <= s->code_end);
	s->code_next = g.a.p;
}
