/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the part of the interpreter for instructions with a VEX prefix: those that have no twin in vec.def. */
#ifndef TCG_INTERP_AVX_OP_H
#define TCG_INTERP_AVX_OP_H

#include "tcg/avx.h"
#include "tcg/interp/vec_op.h"

union vec512 {
	union vec128 lane[4];
	uint8_t b[64];
	uint16_t w[32];
	uint32_t d[16];
	uint64_t q[8];
	int32_t sd[16];
};

struct avx_op {
	struct tcg_frame *f;
	const struct avx_row *row;
	union vec512 a;      /* src: VEX.vvvv where there is one */
	union vec512 b;      /* the last source: ModRM.rm */
	union vec512 c;      /* dst as it was, or the fourth register */
	union vec512 r;      /* the result; what is not written is 0 */
	unsigned bytes;      /* 16, 32 or 64 */
	unsigned arg;
	unsigned imm;
	unsigned eflags;
	struct fp_env env;
	uint32_t settled;    /* as in struct vec_op */
};

struct avx_impl {
	void (*run)(struct avx_op *o);
	uint16_t arg;
};

extern const struct avx_impl avx_move_ops[AVX_ROWS];
extern const struct avx_impl avx_float_ops[AVX_ROWS];
extern const struct avx_impl avx_mask_ops[AVX_ROWS];
extern const struct avx_impl avx_xop_ops[AVX_ROWS];
/* All of these tables, and the one entry for ROW in them. */
enum { AVX_IMPLS = 4 };
extern const struct avx_impl *const avx_impls[AVX_IMPLS];

/* From operands to result, by the row's SSE twin or its own function. */
void avx_run(struct avx_op *o, const struct ir_insn *i);
/* Has the operation raised what is not masked?  Then it ends by raising that, which does not return. */
bool avx_is_unmasked(struct avx_op *o);
void avx_raise(struct avx_op *o);
/* The predicate of VCMPxx, IMM's low five bits, of one pair. */
bool avx_compare_holds(struct fp_env *e, unsigned imm, unsigned size, uint64_t a, uint64_t b);
/* The linear address of a memory operand of which BYTES from AT on are the first that the mask selects: the others have no limit. */
uint64_t avx_masked_linear(struct tcg_frame *f, const struct ir_insn *i, unsigned at, unsigned bytes);
/* The linear address of BYTES that stand AT bytes behind LINEAR, the operand's; where there is a limit they are checked. */
uint64_t avx_element_linear(struct tcg_frame *f, const struct ir_insn *i, uint64_t linear, unsigned at, unsigned bytes);

/* A gather's or scatter's operation I with the index of element N, of BYTES in INDEX, added to its displacement. */
struct ir_insn avx_element_insn(const struct ir_insn *i, const union vec512 *index, unsigned bytes, unsigned n);

/* Lane N of SIZE bytes. */
static inline uint64_t
avx_lane(const union vec512 *v, unsigned size, unsigned n)
{
	uint64_t r = 0;

	memcpy(&r, v->b + size * n, size);
	return r;
}

static inline int64_t
avx_lane_signed(const union vec512 *v, unsigned size, unsigned n)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(avx_lane(v, size, n) << shift) >> shift;
}

static inline void
avx_set_lane(union vec512 *v, unsigned size, unsigned n, uint64_t value)
{
	memcpy(v->b + size * n, &value, size);
}

#endif
