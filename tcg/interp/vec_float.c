/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSE floating point: which lanes go through which arithmetic of vec_fp.h, and where the results land. */
#include "tcg/interp/vec_op.h"

/*
 * The mandatory prefix says the type for nearly every row: none PS, 66 PD, F3 SS, F2 SD.  A scalar row works on lane 0
 * and leaves the others of dst alone.
 */
static unsigned
float_size(const struct vec_op *o)
{
	return o->row->prefix == 0x66 || o->row->prefix == 0xf2 ? 8 : 4;
}

static unsigned
float_count(const struct vec_op *o)
{
	return o->row->prefix >= 0xf2 ? 1 : 16 / float_size(o);
}

/* ---- lane by lane ---- */

/* ARG: enum fp_op. */
static void
arith(struct vec_op *o)
{
	unsigned size = float_size(o);

	for (unsigned n = 0; n < float_count(o); n++)
		vec_set_lane(&o->a, size, n,
			     fp_arith(&o->env, (enum fp_op)o->arg, size, vec_lane(&o->a, size, n), vec_lane(&o->b, size, n)));
}

/* The eight predicates are four and their negations: equal, less, less or equal, unordered. */
static bool
compare_holds(struct fp_env *e, unsigned predicate, unsigned size, uint64_t a, uint64_t b)
{
	unsigned kind = predicate & 3;
	enum fp_order order = fp_compare(e, size, a, b, kind == 0 || kind == 3);
	bool yes = kind == 0 ? order == FP_EQUAL :
		   kind == 1 ? order == FP_LESS :
		   kind == 2 ? order == FP_LESS || order == FP_EQUAL : order == FP_UNORDERED;

	return yes != (predicate >> 2 & 1);
}

static void
compare(struct vec_op *o)
{
	unsigned size = float_size(o);

	for (unsigned n = 0; n < float_count(o); n++) {
		bool yes = compare_holds(&o->env, o->imm & 7, size, vec_lane(&o->a, size, n), vec_lane(&o->b, size, n));

		vec_set_lane(&o->a, size, n, yes ? ~0ull : 0);
	}
}

/* COMISx and UCOMISx; ARG: quiet.  Their size follows from 66 as for packed rows. */
static void
compare_to_flags(struct vec_op *o)
{
	static const unsigned flags[] = {
		[FP_LESS] = FL_CF, [FP_EQUAL] = FL_ZF, [FP_GREATER] = 0, [FP_UNORDERED] = FL_ZF | FL_PF | FL_CF,
	};

	o->eflags = flags[fp_compare(&o->env, float_size(o), o->a.q[0], o->b.q[0], o->arg)];
}

enum { ROUND_SCALAR = 0x10 };

/* ROUNDxx; ARG: the type, since all four have prefix 66. */
static void
round_lanes(struct vec_op *o)
{
	unsigned size = o->arg & 15, count = o->arg & ROUND_SCALAR ? 1 : 16 / size;

	for (unsigned n = 0; n < count; n++)
		vec_set_lane(&o->a, size, n, fp_round(&o->env, size, vec_lane(&o->b, size, n), o->imm & 15));
}

/* ---- across lanes: F2 is PS here ---- */

static unsigned
packed_size(const struct vec_op *o)
{
	return o->row->prefix == 0x66 ? 8 : 4;
}

static void
addsub(struct vec_op *o)
{
	unsigned size = packed_size(o);

	for (unsigned n = 0; n < 16 / size; n++)
		vec_set_lane(&o->a, size, n,
			     fp_arith(&o->env, n & 1 ? FP_ADD : FP_SUB, size, vec_lane(&o->a, size, n), vec_lane(&o->b, size, n)));
}

/* HADDxx, HSUBxx; ARG: enum fp_op. */
static void
horizontal(struct vec_op *o)
{
	unsigned size = packed_size(o), count = 16 / size;
	union vec128 r;

	for (unsigned n = 0; n < count; n++) {
		const union vec128 *from = n < count / 2 ? &o->a : &o->b;
		unsigned k = 2 * n % count;

		vec_set_lane(&r, size, n,
			     fp_arith(&o->env, (enum fp_op)o->arg, size, vec_lane(from, size, k), vec_lane(from, size, k + 1)));
	}
	o->a = r;
}

/* The end of a step of several: false, if an unmasked exception ends the instruction here. */
static bool
next_step(struct vec_op *o)
{
	if (vec_is_unmasked(&o->env))
		return false;
	o->settled |= o->env.raised;
	o->step[o->steps++] = (uint8_t)o->env.raised;
	o->env.raised = 0;
	return true;
}

/* DPPS, DPPD; ARG: size.  Products that the high nibble leaves out are +0. */
static void
dot_product(struct vec_op *o)
{
	unsigned size = o->arg, count = 16 / size;
	uint64_t t[4] = { 0 }, sum;

	for (unsigned n = 0; n < count; n++)
		if (o->imm >> (4 + n) & 1)
			t[n] = fp_arith(&o->env, FP_MUL, size, vec_lane(&o->a, size, n), vec_lane(&o->b, size, n));
	if (!next_step(o))
		return;
	sum = fp_arith(&o->env, FP_ADD, size, t[0], t[1]);
	if (count == 4) {
		t[2] = fp_arith(&o->env, FP_ADD, size, t[2], t[3]);
		if (!next_step(o))
			return;
		sum = fp_arith(&o->env, FP_ADD, size, sum, t[2]);
	}
	for (unsigned n = 0; n < count; n++)
		vec_set_lane(&o->a, size, n, o->imm >> n & 1 ? sum : 0);
}

/* ---- conversions ---- */

enum { TRUNCATE = 0x100, KEEP_REST = 0x200 };

/* Floating point lanes to 32-bit integers; ARG: their size. */
static void
floats_to_ints(struct vec_op *o)
{
	unsigned size = o->arg & 15;
	union vec128 r = { .q = { 0, 0 } };

	for (unsigned n = 0; n < o->bytes / 4 && n < 16 / size; n++)
		r.d[n] = (uint32_t)fp_to_int(&o->env, size, vec_lane(&o->b, size, n), 4, o->arg & TRUNCATE);
	o->a = r;
}

static void
float_to_general(struct vec_op *o)
{
	o->a.q[0] = fp_to_int(&o->env, float_size(o), o->b.q[0], o->gpr_width, o->arg & TRUNCATE);
}

static void
general_to_float(struct vec_op *o)
{
	unsigned size = float_size(o);

	vec_set_lane(&o->a, size, 0, fp_from_int(&o->env, size, o->b.q[0], o->gpr_width));
}

/* 32-bit integers to floating point lanes; ARG: count << 4 | their size. */
static void
ints_to_floats(struct vec_op *o)
{
	unsigned size = o->arg & 15;

	for (unsigned n = 0; n < o->arg >> 4; n++)
		vec_set_lane(&o->a, size, n, fp_from_int(&o->env, size, o->b.d[n], 4));
}

/* Between single and double; ARG: the size it comes from, for lane 0 alone with KEEP_REST. */
static void
resize(struct vec_op *o)
{
	unsigned from = o->arg & 15, to = 12 - from;
	union vec128 r = { .q = { 0, 0 } };

	if (o->arg & KEEP_REST) {
		vec_set_lane(&o->a, to, 0, fp_resize(&o->env, from, vec_lane(&o->b, from, 0)));
		return;
	}
	for (unsigned n = 0; n < 2; n++)
		vec_set_lane(&r, to, n, fp_resize(&o->env, from, vec_lane(&o->b, from, n)));
	o->a = r;
}

/* The four types of one operation, and the two that are for single precision only. */
#define FOUR(name, fn, arg) [VEC_##name##ps] = { fn, arg }, [VEC_##name##pd] = { fn, arg }, \
	[VEC_##name##ss] = { fn, arg }, [VEC_##name##sd] = { fn, arg }
#define SINGLE(name, fn, arg) [VEC_##name##ps] = { fn, arg }, [VEC_##name##ss] = { fn, arg }

const struct vec_impl vec_float_ops[VEC_ROWS] = {
	FOUR(add, arith, FP_ADD), FOUR(sub, arith, FP_SUB), FOUR(mul, arith, FP_MUL), FOUR(div, arith, FP_DIV),
	FOUR(min, arith, FP_MIN), FOUR(max, arith, FP_MAX), FOUR(sqrt, arith, FP_SQRT),
	SINGLE(rcp, arith, FP_RCP), SINGLE(rsqrt, arith, FP_RSQRT),
	FOUR(cmp, compare, 0),
	[VEC_ucomiss] = { compare_to_flags, 1 }, [VEC_ucomisd] = { compare_to_flags, 1 },
	[VEC_comiss] = { compare_to_flags, 0 }, [VEC_comisd] = { compare_to_flags, 0 },
	[VEC_roundps] = { round_lanes, 4 }, [VEC_roundpd] = { round_lanes, 8 },
	[VEC_roundss] = { round_lanes, 4 | ROUND_SCALAR }, [VEC_roundsd] = { round_lanes, 8 | ROUND_SCALAR },
	[VEC_addsubps] = { addsub, 0 }, [VEC_addsubpd] = { addsub, 0 },
	[VEC_haddps] = { horizontal, FP_ADD }, [VEC_haddpd] = { horizontal, FP_ADD },
	[VEC_hsubps] = { horizontal, FP_SUB }, [VEC_hsubpd] = { horizontal, FP_SUB },
	[VEC_dpps] = { dot_product, 4 }, [VEC_dppd] = { dot_product, 8 },
	[VEC_cvtps2pi] = { floats_to_ints, 4 }, [VEC_cvttps2pi] = { floats_to_ints, 4 | TRUNCATE },
	[VEC_cvtpd2pi] = { floats_to_ints, 8 }, [VEC_cvttpd2pi] = { floats_to_ints, 8 | TRUNCATE },
	[VEC_cvtps2dq] = { floats_to_ints, 4 }, [VEC_cvttps2dq] = { floats_to_ints, 4 | TRUNCATE },
	[VEC_cvtpd2dq] = { floats_to_ints, 8 }, [VEC_cvttpd2dq] = { floats_to_ints, 8 | TRUNCATE },
	[VEC_cvtss2si] = { float_to_general, 0 }, [VEC_cvttss2si] = { float_to_general, TRUNCATE },
	[VEC_cvtsd2si] = { float_to_general, 0 }, [VEC_cvttsd2si] = { float_to_general, TRUNCATE },
	[VEC_cvtsi2ss] = { general_to_float, 0 }, [VEC_cvtsi2sd] = { general_to_float, 0 },
	[VEC_cvtpi2ps] = { ints_to_floats, 0x24 }, [VEC_cvtpi2pd] = { ints_to_floats, 0x28 },
	[VEC_cvtdq2ps] = { ints_to_floats, 0x44 }, [VEC_cvtdq2pd] = { ints_to_floats, 0x28 },
	[VEC_cvtps2pd] = { resize, 4 }, [VEC_cvtpd2ps] = { resize, 8 },
	[VEC_cvtss2sd] = { resize, 4 | KEEP_REST }, [VEC_cvtsd2ss] = { resize, 8 | KEEP_REST },
};
