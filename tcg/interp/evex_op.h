/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the part of the interpreter for instructions with an EVEX prefix: those that have no twin in avx.def. */
#ifndef TCG_INTERP_EVEX_OP_H
#define TCG_INTERP_EVEX_OP_H

#include "tcg/evex.h"
#include "tcg/interp/avx_op.h"

/*
 * A function leaves its result in v.r, as if every element counted: elements that the mask leaves out are put right by the caller.  A
 * comparison's result is a mask in v.r.q[0].  Elements that are left out of floating point operations have a source of 4.0, which
 * raises nothing.
 */
struct evex_op {
	struct avx_op v;     /* a, b as there; c is dst as it was */
	const struct evex_row *row;
	uint64_t k;          /* the mask; all ones without one */
	unsigned size;       /* of an element of the result, or that a comparison looks at */
	unsigned count;      /* of such elements */
	unsigned general;    /* bytes of a general register */
	bool in_memory;      /* the result goes there */
};

struct evex_impl {
	void (*run)(struct evex_op *e);
	uint16_t arg;
};

/* The rows' functions; each row without a twin is in one of these, but for gathers and scatters. */
extern const struct evex_impl evex_move_ops[EVEX_ROWS];
extern const struct evex_impl evex_int_ops[EVEX_ROWS];
extern const struct evex_impl evex_convert_ops[EVEX_ROWS];
extern const struct evex_impl evex_float_ops[EVEX_ROWS];

static inline int64_t
avx_lane_signed(const union vec512 *v, unsigned size, unsigned n)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(avx_lane(v, size, n) << shift) >> shift;
}

#endif
