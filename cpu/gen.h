/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The semantics of instructions, one function gen_NAME for each name in the maps: they append IR for the decoded
 * instruction.  What they share is here and in gen.c.
 */
#ifndef CPU_GEN_H
#define CPU_GEN_H

#include "cpu/decode.h"
#include "cpu/helpers.h"
#include "cpu/state.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* The translation of one block. */
struct trans {
	struct ir *ir;
	struct cpu *cpu;
	struct insn insn;
	struct decode_mode dm;
	uint32_t mode;     /* MODE_ bits */
	uint64_t rip, next;
	unsigned width;    /* of the first operand, or the operand size */
	unsigned stack_width;
	bool one;          /* the block has to leave to the run loop after its instruction */
	bool ended;
	bool after_sti;    /* interrupts wait for the next instruction */
};

/* Operand N: register, immediate or memory as it was decoded. */
val opnd(struct trans *t, unsigned n);
unsigned opnd_width(const struct trans *t, unsigned n);
bool opnd_is_mem(const struct trans *t, unsigned n);

/* An operation on the first COUNT (1 or 2) operands; the shortest way from the one to the other. */
struct ir_insn *gen_on_operands(struct trans *t, enum ir_op op, unsigned count);
/* The same, LOCKED where the prefix stood. */
void gen_binary(struct trans *t, enum ir_op op);
void gen_unary(struct trans *t, enum ir_op op);

/* dst = src in a fresh temporary at WIDTH; zero_extended: so that all 8 bytes of it hold. */
val temp_of(struct trans *t, unsigned width, val src);
val temp_zero_extended(struct trans *t, unsigned width, val src);
val temp_imm(struct trans *t, int64_t imm);
/* The effective address of the ModRM operand, as a temporary. */
val temp_ea(struct trans *t);

/* Memory at base register (or 16 + temporary) plus disp in SEG. */
val mem_at(struct trans *t, unsigned seg, unsigned base, int64_t disp, unsigned addr_width);
/* reg += disp at WIDTH, without flags. */
void gen_bump(struct trans *t, unsigned reg, unsigned width, int64_t disp);
/* Stack: memory at SP + disp; push moves SP, pop only reads (gen_bump afterwards). */
val stack_at(struct trans *t, int64_t disp);
void gen_push(struct trans *t, unsigned width, val v);
val gen_pop_load(struct trans *t, unsigned width);

/* Helper calls with the instruction's length, width, segment and address size in AUX. */
struct ir_insn *gen_helper(struct trans *t, const struct ir_helper *h, val dst, val a, val b, unsigned n);
/* ... if any of BITS is set in FIELD (see call_if in tcg/op.def). */
void gen_helper_if(struct trans *t, const struct ir_helper *h, val field, uint16_t bits);
void gen_raise(struct trans *t, enum vector v);
/* True: SSE isn't to be used now; #UD or #NM has been raised. */
bool gen_sse_off(struct trans *t);

/* Ends of a block. */
uint64_t target_of(const struct trans *t, uint64_t rip); /* cut to the width of IP */
void end_jmp(struct trans *t, uint64_t rip, unsigned hint);
void end_jind(struct trans *t, val target, unsigned hint);
void end_next(struct trans *t);     /* on with the next instruction, in whatever mode is then current */
void end_in_shadow(struct trans *t); /* ... and interrupts wait until it has run */
void end_rip_set(struct trans *t);  /* a helper has set f->rip */
void end_exit_rip_set(struct trans *t); /* the same, to the run loop */

bool trans_has(const struct trans *t, enum cpu_feature feature);

/* Every instruction of the maps. */
#define gen_GROUP(group) gen_UNDEFINED
#define OP(opcode, name, a, b, c, flags) void gen_##name(struct trans *t);
#include "cpu/map0f.def"
#include "cpu/map0f38.def"
#include "cpu/map1.def"
#undef OP
#define V(map, prefix, opcode, name, a, b, c, flags) void gen_##name(struct trans *t);
#include "cpu/map_vex.def"
#undef V
#define KIND(group, by)
#define G(group, n, name, a, b, c, flags) void gen_##name(struct trans *t);
#define GM G
#define GR G
#define GX G
#define GP G
#include "cpu/group.def"
#undef KIND
#undef G
#undef GM
#undef GR
#undef GX
#undef GP
#undef gen_GROUP

/* Vector instructions, all alike (gen_vec.c). */
void gen_VEC(struct trans *t);
void gen_AVX(struct trans *t);
void gen_EVEX(struct trans *t);
/* True: instructions with VEX, or AVX-512's, aren't to be used now; #UD or #NM has been raised. */
bool gen_avx_off(struct trans *t, bool avx512);
/* What MASKMOVQ, MASKMOVDQU and VMASKMOVDQU store to: at rDI the bytes of src whose mask in src2 has its top bit set. */
val gen_masked_memory(struct trans *t);
/* Register REG of what a row calls KIND (enum vec_kind). */
val gen_vector_reg(unsigned kind, unsigned reg);

#endif
