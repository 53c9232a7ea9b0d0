/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the vector part of the interpreter: one operation between its operands' loading and its result's storing.
 *
 * A function gets both operands' values and leaves its result in A.  It may not touch the frame, except that those with a
 * result in a fixed register (PCMPESTRI and its kin) write it there, as the last thing.
 */
#ifndef TCG_INTERP_VEC_OP_H
#define TCG_INTERP_VEC_OP_H

#include <string.h>

#include "tcg/interp/interp.h"
#include "tcg/interp/vec_fp.h"
#include "tcg/vec.h"

/* Lanes as a little-endian host has them in memory. */
union vec128 {
	uint8_t b[16];
	uint16_t w[8];
	uint32_t d[4];
	uint64_t q[2];
	int8_t sb[16];
	int16_t sw[8];
	int32_t sd[4];
	int64_t sq[2];
};

struct vec_op {
	struct tcg_frame *f;
	const struct vec_row *row;
	union vec128 a;      /* dst before, and the result; a general register's value is q[0] */
	union vec128 b;      /* src */
	unsigned bytes;      /* lanes it works on: 8 for MMX, 16 */
	unsigned arg;        /* from the table of functions */
	unsigned imm;
	unsigned gpr_width;  /* of general registers: 4 or 8 */
	bool from_memory;
	bool mmx;            /* it switches the x87 over to MMX */
	unsigned eflags;     /* rows with FLAGS: what they set */
	struct fp_env env;
	uint32_t settled;    /* flags of steps that are over, none of them unmasked: all ... */
	uint8_t step[2], steps; /* ... and each one's */
};

struct vec_impl {
	void (*run)(struct vec_op *o);
	uint16_t arg;
};

/* The rows' functions; each row is in one of these, the others have NULL there. */
extern const struct vec_impl vec_lane_ops[VEC_ROWS];   /* integer arithmetic, lane by lane */
extern const struct vec_impl vec_move_ops[VEC_ROWS];   /* moves, shuffles, blends, inserts, extracts */
extern const struct vec_impl vec_float_ops[VEC_ROWS];
extern const struct vec_impl vec_string_ops[VEC_ROWS]; /* PCMPxSTRx */
extern const struct vec_impl vec_crypto_ops[VEC_ROWS]; /* AES, PCLMULQDQ */
extern const struct vec_impl vec_sha_ops[VEC_ROWS];    /* SHA, GFNI */
/* All of these tables, and the one entry for ROW in them. */
enum { VEC_IMPLS = 6 };
extern const struct vec_impl *const vec_impls[VEC_IMPLS];
const struct vec_impl *vec_impl_of(unsigned row);

/*
 * The elements of SIZE bytes, COUNT of them, that MASK's bits select: those from the one at *AT on that stand side by side.  Their
 * bytes, or 0, and in *AT where they begin.
 */
unsigned vec_next_run(uint64_t mask, unsigned count, unsigned size, unsigned *at);

/* A row and its MMX twin. */
#define VEC_BOTH(name, fn, arg) [VEC_##name] = { fn, arg }, [VEC_##name##_mm] = { fn, arg }

/* Has the step raised what isn't masked? */
static inline bool
vec_is_unmasked(const struct fp_env *e)
{
	return e->raised & ~(e->mxcsr >> MX_MASKS);
}

/* Lane N of SIZE bytes, zero-extended. */
static inline uint64_t
vec_lane(const union vec128 *v, unsigned size, unsigned n)
{
	uint64_t r = 0;

	memcpy(&r, v->b + size * n, size);
	return r;
}

static inline int64_t
vec_lane_signed(const union vec128 *v, unsigned size, unsigned n)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(vec_lane(v, size, n) << shift) >> shift;
}

static inline void
vec_set_lane(union vec128 *v, unsigned size, unsigned n, uint64_t value)
{
	memcpy(v->b + size * n, &value, size);
}

#endif
