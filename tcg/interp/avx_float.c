/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX, FMA and F16C floating point that SSE has not: SDM volume 2. */
#include "tcg/interp/avx_op.h"
#include "tcg/interp/fma.h"

static bool
is_scalar(const struct avx_op *o)
{
	return o->row->l == AVX_L_IG;
}

static unsigned
count_of(const struct avx_op *o, unsigned size)
{
	return is_scalar(o) ? 1 : o->bytes / size;
}

/* ---- VCMPxx: 32 predicates ---- */

/* What each of the first sixteen says of less, equal, greater, unordered; bit 4 changes which NaNs are invalid. */
static const struct { uint8_t holds, quiet; } predicates[16] = {
	{ 2, 1 }, { 1, 0 }, { 3, 0 }, { 8, 1 }, { 13, 1 }, { 14, 0 }, { 12, 0 }, { 7, 1 },
	{ 10, 1 }, { 9, 0 }, { 11, 0 }, { 0, 1 }, { 5, 1 }, { 6, 0 }, { 4, 0 }, { 15, 1 },
};

bool
avx_compare_holds(struct fp_env *e, unsigned imm, unsigned size, uint64_t a, uint64_t b)
{
	static const uint8_t bit[] = { [FP_LESS] = 1, [FP_EQUAL] = 2, [FP_GREATER] = 4, [FP_UNORDERED] = 8 };
	unsigned predicate = imm & 15;
	bool quiet = predicates[predicate].quiet != (imm >> 4 & 1);

	return predicates[predicate].holds & bit[fp_compare(e, size, a, b, quiet)];
}

/* ARG: size of an element. */
static void
compare(struct avx_op *o)
{
	if (is_scalar(o))
		o->r.lane[0] = o->a.lane[0];
	for (unsigned n = 0; n < count_of(o, o->arg); n++) {
		bool yes = avx_compare_holds(&o->env, o->imm, o->arg, avx_lane(&o->a, o->arg, n), avx_lane(&o->b, o->arg, n));

		avx_set_lane(&o->r, o->arg, n, yes ? ~0ull : 0);
	}
}

/* ---- FMA ---- */

/* ARG: size of an element, and FMA_. */
static void
multiply_add(struct avx_op *o)
{
	unsigned size = o->arg & 15;

	if (is_scalar(o))
		o->r.lane[0] = o->c.lane[0];
	for (unsigned n = 0; n < count_of(o, size); n++)
		avx_set_lane(&o->r, size, n, fp_fma_element(&o->env, size, o->arg, n, avx_lane(&o->c, size, n), avx_lane(&o->a, size, n),
			avx_lane(&o->b, size, n)));
}

/* FMA4: four operands in their order; of a scalar the rest is cleared. */
static void
multiply_add_four(struct avx_op *o)
{
	unsigned size = o->arg & 15;

	for (unsigned n = 0; n < count_of(o, size); n++)
		avx_set_lane(&o->r, size, n, fp_fma_element(&o->env, size, o->arg | FMA_213, n, avx_lane(&o->b, size, n),
			avx_lane(&o->a, size, n), avx_lane(&o->c, size, n)));
}

/* ---- F16C ---- */

static void
half_to_single(struct avx_op *o)
{
	for (unsigned n = 0; n < o->bytes / 4; n++)
		o->r.d[n] = fp_from_half(&o->env, o->b.w[n]);
}

static void
single_to_half(struct avx_op *o)
{
	for (unsigned n = 0; n < o->bytes / 4; n++)
		o->r.w[n] = fp_to_half(&o->env, o->a.d[n], o->imm);
}

#define FMA_ORDERS(name, type, arg) \
	[AVX_ROW_v##name##132##type] = { multiply_add, (arg) | FMA_132 }, \
	[AVX_ROW_v##name##213##type] = { multiply_add, (arg) | FMA_213 }, \
	[AVX_ROW_v##name##231##type] = { multiply_add, (arg) | FMA_231 }
#define FMA_PACKED(name, arg) FMA_ORDERS(name, ps, (arg) | 4), FMA_ORDERS(name, pd, (arg) | 8)
#define FMA_ALL(name, arg) FMA_PACKED(name, arg), FMA_ORDERS(name, ss, (arg) | 4), FMA_ORDERS(name, sd, (arg) | 8)

#define FMA4(name, arg) [AVX_ROW_v##name] = { multiply_add_four, arg }, [AVX_ROW_v##name##_w1] = { multiply_add_four, arg }
#define FMA4_PACKED(name, arg) FMA4(name##ps, (arg) | 4), FMA4(name##pd, (arg) | 8)
#define FMA4_ALL(name, arg) FMA4_PACKED(name, arg), FMA4(name##ss, (arg) | 4), FMA4(name##sd, (arg) | 8)

const struct avx_impl avx_float_ops[AVX_ROWS] = {
	[AVX_ROW_vcmpps] = { compare, 4 }, [AVX_ROW_vcmppd] = { compare, 8 }, [AVX_ROW_vcmpss] = { compare, 4 },
	[AVX_ROW_vcmpsd] = { compare, 8 },
	FMA_ALL(fmadd, 0), FMA_ALL(fmsub, FMA_SUBTRACT), FMA_ALL(fnmadd, FMA_NEGATE_PRODUCT),
	FMA_ALL(fnmsub, FMA_NEGATE_PRODUCT | FMA_SUBTRACT),
	FMA_PACKED(fmaddsub, FMA_ALTERNATE), FMA_PACKED(fmsubadd, FMA_ALTERNATE | FMA_SUBTRACT),
	FMA4_ALL(fmadd, 0), FMA4_ALL(fmsub, FMA_SUBTRACT), FMA4_ALL(fnmadd, FMA_NEGATE_PRODUCT),
	FMA4_ALL(fnmsub, FMA_NEGATE_PRODUCT | FMA_SUBTRACT),
	FMA4_PACKED(fmaddsub, FMA_ALTERNATE), FMA4_PACKED(fmsubadd, FMA_ALTERNATE | FMA_SUBTRACT),
	[AVX_ROW_vcvtph2ps] = { half_to_single, 0 }, [AVX_ROW_vcvtps2ph] = { single_to_half, 0 },
};
