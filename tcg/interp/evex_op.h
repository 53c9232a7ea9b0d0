/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the part of the interpreter for instructions with an EVEX prefix: those that have no twin in avx.def. */
#ifndef TCG_INTERP_EVEX_OP_H
#define TCG_INTERP_EVEX_OP_H

#include "tcg/evex.h"
#include "tcg/interp/avx_op.h"

/*
 * A function leaves its result in v.r; elements that the mask leaves out are put right by the caller, and floating point passes them
 * over, since they raise nothing.  A comparison's result is a mask in v.r.q[0].  A twin computes all elements: those that are left out
 * have a source of 4.0 then.
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
extern const struct evex_impl evex_half_ops[EVEX_ROWS];
/* All of these tables. */
enum { EVEX_IMPLS = 5 };
extern const struct evex_impl *const evex_impls[EVEX_IMPLS];

/* Does the mask select element N? */
static inline bool
evex_wants(const struct evex_op *e, unsigned n)
{
	return e->k >> n & 1;
}

#endif
