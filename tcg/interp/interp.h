/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the interpreter: what its files call of each other. */
#ifndef TCG_INTERP_H
#define TCG_INTERP_H

#include "tcg/tcg.h"

/* The value of A op B at WIDTH bytes; EFLAGS: arithmetic flags at their places in EFLAGS, in and out. */
uint64_t interp_alu(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags);
/* Shifts and rotates; shld and shrd take the bits that come in from IN. */
uint64_t interp_shift(unsigned op, unsigned width, uint64_t a, uint64_t in, unsigned count, unsigned *eflags);
bool interp_cond(unsigned cond, unsigned eflags);

/* The linear address of the operation's memory operand of SIZE bytes; may raise. */
uint64_t interp_address(struct tcg_frame *f, const struct ir_insn *i, unsigned size);
/* The effective address alone. */
uint64_t interp_effective(const struct tcg_frame *f, const struct ir_mem *m);
/* General registers, temporaries, fields, the immediate, at WIDTH bytes; not memory. */
uint64_t interp_read(const struct tcg_frame *f, const struct ir_insn *i, struct ir_opnd o, unsigned width);
/* The same, and memory. */
uint64_t interp_read_any(struct tcg_frame *f, const struct ir_insn *i, struct ir_opnd o, unsigned width);
void interp_write(struct tcg_frame *f, struct ir_opnd o, unsigned width, uint64_t v);

/* Has the host an instruction that compares and exchanges 16 bytes? */
bool interp_swaps16(void);

/* BMI and ADX. */
void interp_bmi(struct tcg_frame *f, const struct ir_insn *i);
void interp_mulx(struct tcg_frame *f, const struct ir_insn *i);
void interp_adx(struct tcg_frame *f, const struct ir_insn *i);

/* Operations vec (tcg/vec.def) and x87, with their memory operand. */
void interp_vec(struct tcg_frame *f, const struct ir_insn *i);
void interp_evex(struct tcg_frame *f, const struct ir_insn *i);
void interp_avx(struct tcg_frame *f, const struct ir_insn *i);
void interp_x87(struct tcg_frame *f, const struct ir_insn *i);

static inline uint64_t
interp_mask(unsigned width)
{
	return width >= 8 ? ~0ull : (1ull << 8 * width) - 1;
}

#endif
