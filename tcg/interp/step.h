/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks as the interpreter runs them: a step for each operation, which names the function that does it.
 *
 * What guests do most (moves, addresses, arithmetic, jumps) has functions made for one operation, one width and one kind of
 * operands, which find memory through the shadow table as generated code does.  Everything else, and every access that isn't
 * found there, is interp_insn()'s: the words of the reference are the same.  From block to block it goes through the jump cache.
 */
#ifndef TCG_INTERP_STEP_H
#define TCG_INTERP_STEP_H

#include "tcg/block.h"

/* The step to go on with; NULL: the block is left, f->rip is where to go on. */
typedef const struct interp_step *interp_fn(struct tcg_frame *f, const struct interp_step *s);

struct interp_step {
	interp_fn *run;
	uint64_t rip;              /* of the guest instruction */
	uint16_t dst, src;         /* registers, temporaries and fields: bytes into the frame */
	uint16_t base, index;
	bool src_is_imm;
	struct ir_insn insn;
};

/* Makes the steps of a block: at the most as many as IR has operations. */
void interp_prepare(struct interp_step *to, const struct ir *ir);
/* Runs from B on, until there is something for the run loop to do. */
void interp_run(struct tcg_frame *f, const struct tcg_block *b);

#endif
