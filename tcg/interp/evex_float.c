/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: floating point that AVX has not.  SDM volume 2. */
#include "tcg/interp/evex_op.h"
#include "tcg/interp/ieee.h"

static const struct fp_format *
format_of(const struct evex_op *e)
{
	return fp_format_of(e->size);
}

/* A denormal as fraction and exponent of a normal number. */
static uint64_t
normalized(const struct fp_format *f, uint64_t v, int *exponent)
{
	uint64_t fraction = fp_fraction(f, v);

	*exponent = (int)((v & f->infinity) >> f->bits) - f->bias;
	if (!fp_is_denormal(f, v))
		return fraction;
	*exponent = 1 - f->bias;
	while (!(fraction >> f->bits)) {
		fraction <<= 1;
		--*exponent;
	}
	return fp_fraction(f, fraction);
}

/* ---- comparisons and classes into a mask ---- */

static void
compare(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		uint64_t a = avx_lane(&e->v.a, e->size, n), b = avx_lane(&e->v.b, e->size, n);

		if (evex_wants(e, n))
			e->v.r.q[0] |= (uint64_t)avx_compare_holds(&e->v.env, e->v.imm, e->size, a, b) << n;
	}
}

static void
classify(struct evex_op *e)
{
	const struct fp_format *f = format_of(e);

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t v = avx_lane(&e->v.b, e->size, n);
		bool negative, zero, denormal;
		unsigned is;

		if (fp_is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ)
			v &= f->sign;
		negative = (v & f->sign) != 0;
		zero = fp_is_zero(f, v);
		denormal = fp_is_denormal(f, v);
		is = (fp_is_nan(f, v) && !fp_is_signalling(f, v)) | (zero && !negative) << 1 | (zero && negative) << 2 |
			(fp_is_infinite(f, v) && !negative) << 3 | (fp_is_infinite(f, v) && negative) << 4 | denormal << 5 |
			(negative && !zero && !fp_is_nan(f, v) && !fp_is_infinite(f, v)) << 6 | fp_is_signalling(f, v) << 7;
		e->v.r.q[0] |= (uint64_t)((is & e->v.imm) != 0) << n;
	}
}

/* ---- of one source ---- */

static uint64_t
get_exponent(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	struct fp_env exact = { .mxcsr = e->v.env.mxcsr };
	int exponent;

	if (fp_is_nan(f, v))
		return fp_quieted(&e->v.env, f, v);
	if (fp_is_infinite(f, v))
		return f->infinity;
	v = fp_denormal_rules(&e->v.env, f, v);
	if (fp_is_zero(f, v))
		return f->sign | f->infinity;
	normalized(f, v, &exponent);
	return fp_from_int(&exact, f->size, (uint64_t)(int64_t)exponent, 8);
}

/* The immediate: the interval in bits 1:0, what becomes of the sign in 3:2. */
static uint64_t
get_mantissa(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	unsigned interval = e->v.imm & 3;
	uint64_t sign = e->v.imm & 4 ? 0 : v & f->sign, fraction;
	int exponent;
	bool lower;

	if (fp_is_nan(f, v))
		return fp_quieted(&e->v.env, f, v);
	if (fp_is_zero(f, v) || (fp_is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ))
		return sign | f->one;
	if (v & f->sign && e->v.imm & 8)
		return fp_invalid(&e->v.env, f);
	if (fp_is_infinite(f, v))
		return sign | f->one;
	v = fp_denormal_rules(&e->v.env, f, v);
	fraction = normalized(f, v, &exponent);
	lower = interval == 1 ? exponent & 1 : interval == 2 || (interval == 3 && fraction >> (f->bits - 1));
	return sign | (f->one - (lower ? 1ull << f->bits : 0)) | fraction;
}

static uint64_t
round_scaled(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	return fp_round(&e->v.env, f->size, v, e->v.imm);
}

/* What rounding has cut off. */
static uint64_t
reduce(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	struct fp_env env = { .mxcsr = e->v.env.mxcsr }, quiet;
	uint64_t r;

	if (fp_is_nan(f, v))
		return fp_quieted(&e->v.env, f, v);
	if (fp_is_infinite(f, v))
		return 0;
	if (!(e->v.imm & 4))
		env.mxcsr = (env.mxcsr & ~MX_RC) | (e->v.imm & 3) << MX_RC_SHIFT;
	quiet = env;
	r = fp_arith(&env, FP_SUB, f->size, v, fp_round(&quiet, f->size, v, e->v.imm));
	if (!(e->v.imm & 8))
		e->v.env.raised |= env.raised & MX_PE;
	return r;
}

static uint64_t
reciprocal(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	return fp_reciprocal14(&e->v.env, f->size, v, false);
}

static uint64_t
reciprocal_root(struct evex_op *e, const struct fp_format *f, uint64_t v)
{
	return fp_reciprocal14(&e->v.env, f->size, v, true);
}

/* The upper elements of a scalar operation come from the first source. */
static void
begin(struct evex_op *e)
{
	if (e->row->l == AVX_L_IG)
		e->v.r.lane[0] = e->v.a.lane[0];
}

static void
each(struct evex_op *e, uint64_t (*of)(struct evex_op *e, const struct fp_format *f, uint64_t v))
{
	begin(e);
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			avx_set_lane(&e->v.r, e->size, n, of(e, format_of(e), avx_lane(&e->v.b, e->size, n)));
}

#define EACH(name) \
	static void \
	each_##name(struct evex_op *e) \
	{ \
		each(e, name); \
	}

EACH(get_exponent)
EACH(get_mantissa)
EACH(round_scaled)
EACH(reduce)
EACH(reciprocal)
EACH(reciprocal_root)

/* ---- VSCALEFx: times two to the power of the second source, rounded down ---- */

/* A finite number, not 0, times a power of two. */
static uint64_t
scaled(struct evex_op *e, const struct fp_format *f, uint64_t v, int power)
{
	struct fp_number n = fp_unpack(f, v);

	n.exponent += power;
	return fp_pack(&e->v.env, f, n, fp_mode(&e->v.env), fp_flushes(&e->v.env));
}

static uint64_t
scale(struct evex_op *e, const struct fp_format *f, uint64_t a, uint64_t b)
{
	struct fp_env quiet = { .mxcsr = MX_FLAGS << MX_MASKS | (e->v.env.mxcsr & MX_DAZ) };
	uint64_t down;

	if (fp_is_signalling(f, a) || fp_is_signalling(f, b))
		e->v.env.raised |= MX_IE;
	if (fp_is_nan(f, a) && (fp_is_signalling(f, a) || fp_is_nan(f, b) || !fp_is_infinite(f, b)))
		return a | f->quiet;
	if (fp_is_nan(f, a))
		return b & f->sign ? 0 : f->infinity;
	if (fp_is_nan(f, b))
		return b | f->quiet;
	a = fp_denormal_rules(&e->v.env, f, a);
	if (fp_is_infinite(f, b)) {
		bool shrinks = b & f->sign;

		if (shrinks ? fp_is_infinite(f, a) : fp_is_zero(f, a))
			return fp_invalid(&e->v.env, f);
		return (a & f->sign) | (shrinks ? 0 : f->infinity);
	}
	if (fp_is_infinite(f, a) || fp_is_zero(f, a))
		return a;
	down = fp_round(&quiet, f->size, b, 1 | 8);
	/* What doesn't fit into 20 bits is far beyond all exponents. */
	if ((down & ~f->sign) >= (uint64_t)(f->bias + 20) << f->bits)
		return scaled(e, f, a, down & f->sign ? -5000 : 5000);
	return scaled(e, f, a, (int)fp_to_int(&quiet, f->size, down, 8, true));
}

/* ---- VRANGEx ---- */

/* The immediate: minimum, maximum, of absolute values in bits 1:0; the sign in 3:2: the first source's, its own, 0, 1. */
static uint64_t
range(struct evex_op *e, const struct fp_format *f, uint64_t a, uint64_t b)
{
	struct fp_env quiet = { .mxcsr = e->v.env.mxcsr };
	bool absolute = e->v.imm & 2, want_max = e->v.imm & 1, greater;
	uint64_t sign, r, x, y;
	enum fp_order order;

	if (fp_is_signalling(f, a))
		return fp_quieted(&e->v.env, f, a);
	if (fp_is_signalling(f, b))
		return fp_quieted(&e->v.env, f, b);
	sign = a & f->sign;
	/* Beside a NaN a denormal isn't noted. */
	if (!fp_is_nan(f, a) && !fp_is_nan(f, b)) {
		a = fp_denormal_rules(&e->v.env, f, a);
		b = fp_denormal_rules(&e->v.env, f, b);
	} else if (e->v.env.mxcsr & MX_DAZ) {
		a = fp_is_denormal(f, a) ? a & f->sign : a;
		b = fp_is_denormal(f, b) ? b & f->sign : b;
	}
	x = absolute ? a & ~f->sign : a;
	y = absolute ? b & ~f->sign : b;
	if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
		r = fp_is_nan(f, a) && !fp_is_nan(f, b) ? b : a;
	} else {
		order = fp_compare(&quiet, f->size, x, y, true);
		/* Equal but for the sign: the positive one is greater. */
		greater = order == FP_GREATER || (order == FP_EQUAL && !(a & f->sign));
		r = greater == want_max ? a : b;
	}
	switch (e->v.imm >> 2 & 3) {
	case 0:
		return (r & ~f->sign) | sign;
	case 1:
		return r;
	case 2:
		return r & ~f->sign;
	default:
		return r | f->sign;
	}
}

static void
each_pair(struct evex_op *e, uint64_t (*of)(struct evex_op *e, const struct fp_format *f, uint64_t a, uint64_t b))
{
	begin(e);
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			avx_set_lane(&e->v.r, e->size, n, of(e, format_of(e), avx_lane(&e->v.a, e->size, n), avx_lane(&e->v.b, e->size, n)));
}

static void
each_scale(struct evex_op *e)
{
	each_pair(e, scale);
}

static void
each_range(struct evex_op *e)
{
	each_pair(e, range);
}

/* ---- VFIXUPIMMx ---- */

enum token { QUIET_NAN, SIGNALLING_NAN, ZERO, ONE, NEGATIVE_INFINITY, POSITIVE_INFINITY, NEGATIVE, POSITIVE };

static enum token
token_of(const struct fp_format *f, uint64_t v)
{
	if (fp_is_nan(f, v))
		return fp_is_signalling(f, v) ? SIGNALLING_NAN : QUIET_NAN;
	if (fp_is_zero(f, v))
		return ZERO;
	if (v == f->one)
		return ONE;
	if (fp_is_infinite(f, v))
		return v & f->sign ? NEGATIVE_INFINITY : POSITIVE_INFINITY;
	return v & f->sign ? NEGATIVE : POSITIVE;
}

static void
fixup_flags(struct evex_op *e, enum token t)
{
	static const struct { uint8_t ze, ie; } bits[] = {
		[ZERO] = { 1, 2 }, [ONE] = { 4, 8 }, [SIGNALLING_NAN] = { 0, 0x10 }, [NEGATIVE_INFINITY] = { 0, 0x20 },
		[NEGATIVE] = { 0, 0x40 }, [POSITIVE_INFINITY] = { 0, 0x80 }, [POSITIVE] = { 0, 0 },
	};

	if (bits[t].ze & e->v.imm)
		e->v.env.raised |= MX_ZE;
	if (bits[t].ie & e->v.imm)
		e->v.env.raised |= MX_IE;
}

/* What RESPONSE makes of source V and destination OLD. */
static uint64_t
fixed(const struct fp_format *f, unsigned response, uint64_t v, uint64_t old)
{
	switch (response) {
	case 0:
		return old;
	case 1:
		return v;
	case 2:
		return v | f->infinity | f->quiet;
	case 3:
		return fp_indefinite(f);
	case 4:
		return f->sign | f->infinity;
	case 5:
		return f->infinity;
	case 6:
		return (v & f->sign) | f->infinity;
	case 7:
		return f->sign;
	case 8:
		return 0;
	case 9:
		return f->sign | f->one;
	case 10:
		return f->one;
	case 11:
		return f->one - (1ull << f->bits);
	case 12: /* 90 */
		return f->size == 4 ? 0x42b40000 : 0x4056800000000000;
	case 13: /* pi / 2 */
		return f->size == 4 ? 0x3fc90fdb : 0x3ff921fb54442d18;
	case 14:
		return f->infinity - 1;
	default:
		return f->sign | (f->infinity - 1);
	}
}

/* The second source is a table of responses to what the first one is. */
static void
fixup(struct evex_op *e)
{
	const struct fp_format *f = format_of(e);

	begin(e);
	for (unsigned n = 0; n < e->count; n++) {
		uint64_t v = avx_lane(&e->v.a, e->size, n), table = avx_lane(&e->v.b, e->size, n);
		enum token t;

		if (!evex_wants(e, n))
			continue;
		if (fp_is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ)
			v &= f->sign;
		t = token_of(f, v);
		fixup_flags(e, t);
		avx_set_lane(&e->v.r, e->size, n, fixed(f, table >> 4 * t & 15, v, avx_lane(&e->v.c, e->size, n)));
	}
}

#define SIX(name, fn) FOUR(name, fn), [EVEX_ROW_##name##ph] = { fn, 0 }, [EVEX_ROW_##name##sh] = { fn, 0 }
#define FOUR(name, fn) \
	[EVEX_ROW_##name##ps] = { fn, 0 }, [EVEX_ROW_##name##pd] = { fn, 0 }, [EVEX_ROW_##name##ss] = { fn, 0 }, \
	[EVEX_ROW_##name##sd] = { fn, 0 }

const struct evex_impl evex_float_ops[EVEX_ROWS] = {
	SIX(vcmp, compare), SIX(vfpclass, classify), SIX(vgetexp, each_get_exponent), SIX(vgetmant, each_get_mantissa),
	SIX(vrndscale, each_round_scaled), SIX(vreduce, each_reduce), FOUR(vrcp14, each_reciprocal), FOUR(vrsqrt14, each_reciprocal_root),
	SIX(vscalef, each_scale), FOUR(vrange, each_range), FOUR(vfixupimm, fixup),
	[EVEX_ROW_vrcpph] = { each_reciprocal, 0 }, [EVEX_ROW_vrcpsh] = { each_reciprocal, 0 },
	[EVEX_ROW_vrsqrtph] = { each_reciprocal_root, 0 }, [EVEX_ROW_vrsqrtsh] = { each_reciprocal_root, 0 },
};
