/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX512-FP16: arithmetic, complex numbers, comparisons to flags, and moves.  SDM volume 2. */
#include "tcg/interp/evex_op.h"
#include "tcg/interp/fma.h"
#include "tcg/ir.h"

enum { HALF = 2 };

static bool
is_scalar(const struct evex_op *e)
{
	return e->row->l == AVX_L_IG;
}

/* ---- real numbers ---- */

/* ARG: enum fp_op.  The upper elements of a scalar operation come from the first source. */
static void
arith(struct evex_op *e)
{
	if (is_scalar(e))
		e->v.r.lane[0] = e->v.a.lane[0];
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			e->v.r.w[n] = (uint16_t)fp_arith(&e->v.env, e->v.arg, HALF, e->v.a.w[n], e->v.b.w[n]);
}

/* ARG: FMA_.  Here they are the destination's. */
static void
multiply_add(struct evex_op *e)
{
	if (is_scalar(e))
		e->v.r.lane[0] = e->v.c.lane[0];
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			e->v.r.w[n] = (uint16_t)fp_fma_element(&e->v.env, HALF, e->v.arg, n, e->v.c.w[n], e->v.a.w[n], e->v.b.w[n]);
}

/* ARG: only signalling NaNs are invalid. */
static void
compare(struct evex_op *e)
{
	static const uint16_t flags[] = { [FP_LESS] = FL_CF, [FP_EQUAL] = FL_ZF, [FP_GREATER] = 0, [FP_UNORDERED] = FL_ZF | FL_PF | FL_CF };

	e->v.eflags = flags[fp_compare(&e->v.env, HALF, e->v.a.w[0], e->v.b.w[0], e->v.arg)];
}

/* ---- complex numbers ---- */

enum { CONJUGATE = 1, ACCUMULATE = 2 };

/*
 * Pairs of a real and an imaginary part.  The second source's real part comes first, rounded, then its imaginary one, negative with
 * CONJUGATE.  With ACCUMULATE the destination is added.
 */
static void
complex_product(struct evex_op *e, unsigned n)
{
	const uint16_t *a = &e->v.a.w[2 * n], *b = &e->v.b.w[2 * n], *c = &e->v.c.w[2 * n];
	struct fp_env *env = &e->v.env;
	bool conjugate = e->v.arg & CONJUGATE;
	uint64_t real, imaginary;

	if (e->v.arg & ACCUMULATE) {
		real = fp_fma(env, HALF, a[0], b[0], c[0], false, false);
		imaginary = fp_fma(env, HALF, a[1], b[0], c[1], false, false);
	} else {
		real = fp_arith(env, FP_MUL, HALF, a[0], b[0]);
		imaginary = fp_arith(env, FP_MUL, HALF, a[1], b[0]);
	}
	e->v.r.w[2 * n] = (uint16_t)fp_fma(env, HALF, a[1], b[1], real, !conjugate, false);
	e->v.r.w[2 * n + 1] = (uint16_t)fp_fma(env, HALF, a[0], b[1], imaginary, conjugate, false);
}

/* They are computed as if all exceptions were masked. */
static void
complex(struct evex_op *e)
{
	e->v.env.mxcsr |= MX_FLAGS << MX_MASKS;
	if (is_scalar(e))
		e->v.r.lane[0] = e->v.a.lane[0];
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			complex_product(e, n);
}

/* ---- moves ---- */

/* Of two registers: the rest comes from the first one. */
static void
merge(struct evex_op *e)
{
	e->v.r.lane[0] = e->v.a.lane[0];
	e->v.r.w[0] = e->v.b.w[0];
}

static void
move(struct evex_op *e)
{
	e->v.r.w[0] = e->v.b.w[0];
}

#define BOTH(name, fn, arg) [EVEX_ROW_v##name##ph] = { fn, arg }, [EVEX_ROW_v##name##sh] = { fn, arg }
#define ORDERS(name, type, arg) \
	[EVEX_ROW_v##name##132##type] = { multiply_add, (arg) | FMA_132 }, \
	[EVEX_ROW_v##name##213##type] = { multiply_add, (arg) | FMA_213 }, \
	[EVEX_ROW_v##name##231##type] = { multiply_add, (arg) | FMA_231 }
#define BOTH_ORDERS(name, arg) ORDERS(name, ph, arg), ORDERS(name, sh, arg)

const struct evex_impl evex_half_ops[EVEX_ROWS] = {
	BOTH(add, arith, FP_ADD), BOTH(sub, arith, FP_SUB), BOTH(mul, arith, FP_MUL), BOTH(div, arith, FP_DIV), BOTH(min, arith, FP_MIN),
	BOTH(max, arith, FP_MAX), BOTH(sqrt, arith, FP_SQRT),
	BOTH_ORDERS(fmadd, 0), BOTH_ORDERS(fmsub, FMA_SUBTRACT), BOTH_ORDERS(fnmadd, FMA_NEGATE_PRODUCT),
	BOTH_ORDERS(fnmsub, FMA_NEGATE_PRODUCT | FMA_SUBTRACT), ORDERS(fmaddsub, ph, FMA_ALTERNATE),
	ORDERS(fmsubadd, ph, FMA_ALTERNATE | FMA_SUBTRACT),
	[EVEX_ROW_vcomish] = { compare, false }, [EVEX_ROW_vucomish] = { compare, true },
	BOTH(fmulc, complex, 0), BOTH(fcmulc, complex, CONJUGATE), BOTH(fmaddc, complex, ACCUMULATE),
	BOTH(fcmaddc, complex, ACCUMULATE | CONJUGATE),
	[EVEX_ROW_vmovsh] = { merge, 0 }, [EVEX_ROW_vmovsh_ld] = { move, 0 }, [EVEX_ROW_vmovsh_st] = { merge, 0 },
	[EVEX_ROW_vmovsh_mem] = { move, 0 }, [EVEX_ROW_vmovw] = { move, 0 }, [EVEX_ROW_vmovw_st] = { move, 0 },
};
