/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the part of the interpreter for instructions with a VEX prefix: those that have no twin in vec.def. */
#ifndef TCG_INTERP_AVX_OP_H
#define TCG_INTERP_AVX_OP_H

#include "tcg/avx.h"
#include "tcg/interp/vec_op.h"

union vec256 {
	union vec128 lane[2];
	uint8_t b[32];
	uint16_t w[16];
	uint32_t d[8];
	uint64_t q[4];
	int32_t sd[8];
};

struct avx_op {
	struct tcg_frame *f;
	const struct avx_row *row;
	union vec256 a;      /* src: VEX.vvvv where there is one */
	union vec256 b;      /* the last source: ModRM.rm */
	union vec256 c;      /* dst as it was, or the fourth register */
	union vec256 r;      /* the result; what is not written is 0 */
	unsigned bytes;      /* 16 or 32 */
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
extern const struct avx_impl avx_xop_ops[AVX_ROWS];
/* All of these tables, and the one entry for ROW in them. */
enum { AVX_IMPLS = 3 };
extern const struct avx_impl *const avx_impls[AVX_IMPLS];

/* Lane N of SIZE bytes. */
static inline uint64_t
avx_lane(const union vec256 *v, unsigned size, unsigned n)
{
	uint64_t r = 0;

	memcpy(&r, v->b + size * n, size);
	return r;
}

static inline void
avx_set_lane(union vec256 *v, unsigned size, unsigned n, uint64_t value)
{
	memcpy(v->b + size * n, &value, size);
}

#endif
