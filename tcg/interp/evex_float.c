/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: floating point that AVX has not.  SDM volume 2. */
#include "tcg/interp/evex_op.h"

#include "base/util.h"

/* ---- a format's parts ---- */

struct format {
	unsigned size, bits; /* bytes; bits of the fraction */
	uint64_t sign, infinity, quiet, one;
	int bias;
};

static const struct format single = { 4, 23, 1ull << 31, 0xffull << 23, 1ull << 22, 0x7full << 23, 0x7f };
static const struct format whole = { 8, 52, 1ull << 63, 0x7ffull << 52, 1ull << 51, 0x3ffull << 52, 0x3ff };

static const struct format *
format_of(const struct evex_op *e)
{
	return e->size == 4 ? &single : &whole;
}

static bool
is_nan(const struct format *f, uint64_t v)
{
	return (v & ~f->sign) > f->infinity;
}

static bool
is_signalling(const struct format *f, uint64_t v)
{
	return is_nan(f, v) && !(v & f->quiet);
}

static bool
is_infinite(const struct format *f, uint64_t v)
{
	return (v & ~f->sign) == f->infinity;
}

static bool
is_zero(const struct format *f, uint64_t v)
{
	return (v & ~f->sign) == 0;
}

static bool
is_denormal(const struct format *f, uint64_t v)
{
	return (v & f->infinity) == 0 && !is_zero(f, v);
}

static uint64_t
indefinite(const struct format *f)
{
	return f->sign | f->infinity | f->quiet;
}

/* Denormals are zero where MXCSR says so, else they are noted. */
static uint64_t
denormal_rules(struct evex_op *e, const struct format *f, uint64_t v)
{
	if (!is_denormal(f, v))
		return v;
	if (e->v.env.mxcsr & MX_DAZ)
		return v & f->sign;
	e->v.env.raised |= MX_DE;
	return v;
}

static uint64_t
quieted(struct evex_op *e, const struct format *f, uint64_t nan)
{
	if (!(nan & f->quiet))
		e->v.env.raised |= MX_IE;
	return nan | f->quiet;
}

static uint64_t
invalid(struct evex_op *e, const struct format *f)
{
	e->v.env.raised |= MX_IE;
	return indefinite(f);
}

/* A denormal as fraction and exponent of a normal number. */
static uint64_t
normalized(const struct format *f, uint64_t v, int *exponent)
{
	uint64_t fraction = v & ((1ull << f->bits) - 1);

	*exponent = (int)((v & f->infinity) >> f->bits) - f->bias;
	if (!is_denormal(f, v))
		return fraction;
	*exponent = 1 - f->bias;
	while (!(fraction >> f->bits)) {
		fraction <<= 1;
		--*exponent;
	}
	return fraction & ((1ull << f->bits) - 1);
}

/* ---- comparisons and classes into a mask ---- */

static void
compare(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		uint64_t a = avx_lane(&e->v.a, e->size, n), b = avx_lane(&e->v.b, e->size, n);

		e->v.r.q[0] |= (uint64_t)avx_compare_holds(&e->v.env, e->v.imm, e->size, a, b) << n;
	}
}

static void
classify(struct evex_op *e)
{
	const struct format *f = format_of(e);

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t v = avx_lane(&e->v.b, e->size, n);
		bool negative, zero, denormal;
		unsigned is;

		if (is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ)
			v &= f->sign;
		negative = (v & f->sign) != 0;
		zero = is_zero(f, v);
		denormal = is_denormal(f, v);
		is = (is_nan(f, v) && !is_signalling(f, v)) | (zero && !negative) << 1 | (zero && negative) << 2 |
			(is_infinite(f, v) && !negative) << 3 | (is_infinite(f, v) && negative) << 4 | denormal << 5 |
			(negative && !zero && !is_nan(f, v) && !is_infinite(f, v)) << 6 | is_signalling(f, v) << 7;
		e->v.r.q[0] |= (uint64_t)((is & e->v.imm) != 0) << n;
	}
}

/* ---- of one source ---- */

static uint64_t
get_exponent(struct evex_op *e, const struct format *f, uint64_t v)
{
	struct fp_env exact = { .mxcsr = e->v.env.mxcsr };
	int exponent;

	if (is_nan(f, v))
		return quieted(e, f, v);
	if (is_infinite(f, v))
		return f->infinity;
	v = denormal_rules(e, f, v);
	if (is_zero(f, v))
		return f->sign | f->infinity;
	normalized(f, v, &exponent);
	return fp_from_int(&exact, f->size, (uint64_t)(int64_t)exponent, 8);
}

/* The immediate: the interval in bits 1:0, what becomes of the sign in 3:2. */
static uint64_t
get_mantissa(struct evex_op *e, const struct format *f, uint64_t v)
{
	unsigned interval = e->v.imm & 3;
	uint64_t sign = e->v.imm & 4 ? 0 : v & f->sign, fraction;
	int exponent;
	bool lower;

	if (is_nan(f, v))
		return quieted(e, f, v);
	if (is_zero(f, v) || (is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ))
		return sign | f->one;
	if (v & f->sign && e->v.imm & 8)
		return invalid(e, f);
	if (is_infinite(f, v))
		return sign | f->one;
	v = denormal_rules(e, f, v);
	fraction = normalized(f, v, &exponent);
	lower = interval == 1 ? exponent & 1 : interval == 2 || (interval == 3 && fraction >> (f->bits - 1));
	return sign | (f->one - (lower ? 1ull << f->bits : 0)) | fraction;
}

static uint64_t
round_scaled(struct evex_op *e, const struct format *f, uint64_t v)
{
	return fp_round(&e->v.env, f->size, v, e->v.imm);
}

/* What rounding has cut off. */
static uint64_t
reduce(struct evex_op *e, const struct format *f, uint64_t v)
{
	struct fp_env env = { .mxcsr = e->v.env.mxcsr }, quiet;
	uint64_t r;

	if (is_nan(f, v))
		return quieted(e, f, v);
	if (is_infinite(f, v))
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
reciprocal(struct evex_op *e, const struct format *f, uint64_t v)
{
	return fp_reciprocal14(&e->v.env, f->size, v, false);
}

static uint64_t
reciprocal_root(struct evex_op *e, const struct format *f, uint64_t v)
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
each(struct evex_op *e, uint64_t (*of)(struct evex_op *e, const struct format *f, uint64_t v))
{
	begin(e);
	for (unsigned n = 0; n < e->count; n++)
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

/*
 * A finite number times a power of two, in steps that an exponent can hold; only the last one may round: what can be taken from the
 * number's own exponent is taken first.
 */
static uint64_t
scaled(struct evex_op *e, const struct format *f, uint64_t v, int64_t power)
{
	int64_t most = f->bias - 1, exponent = (int64_t)((v & f->infinity) >> f->bits);
	/* What is denormal on the way is no operand of the guest's. */
	struct fp_env env = { .mxcsr = e->v.env.mxcsr & ~MX_DAZ };

	power = power > 5000 ? 5000 : power < -5000 ? -5000 : power;
	if (power < 0 && exponent > 1) {
		int64_t taken = MIN(exponent - 1, -power);

		v -= (uint64_t)taken << f->bits;
		power += taken;
	}
	do {
		int64_t step = power > most ? most : power < -most ? -most : power;
		uint32_t before = env.raised;

		v = fp_arith(&env, FP_MUL, f->size, v, (uint64_t)(step + f->bias) << f->bits);
		env.raised = (env.raised & (MX_OE | MX_UE | MX_PE)) | before;
		power -= step;
	} while (power != 0 && !is_zero(f, v) && !is_infinite(f, v));
	e->v.env.raised |= env.raised;
	return v;
}

static uint64_t
scale(struct evex_op *e, const struct format *f, uint64_t a, uint64_t b)
{
	struct fp_env quiet = { .mxcsr = MX_FLAGS << MX_MASKS | (e->v.env.mxcsr & MX_DAZ) };
	uint64_t down;

	if (is_signalling(f, a) || is_signalling(f, b))
		e->v.env.raised |= MX_IE;
	if (is_nan(f, a) && (is_signalling(f, a) || is_nan(f, b) || !is_infinite(f, b)))
		return a | f->quiet;
	if (is_nan(f, a))
		return b & f->sign ? 0 : f->infinity;
	if (is_nan(f, b))
		return b | f->quiet;
	a = denormal_rules(e, f, a);
	if (is_infinite(f, b)) {
		bool shrinks = b & f->sign;

		if (shrinks ? is_infinite(f, a) : is_zero(f, a))
			return invalid(e, f);
		return (a & f->sign) | (shrinks ? 0 : f->infinity);
	}
	if (is_infinite(f, a) || is_zero(f, a))
		return a;
	down = fp_round(&quiet, f->size, b, 1 | 8);
	/* What doesn't fit into 20 bits is far beyond all exponents. */
	if ((down & ~f->sign) >= (uint64_t)(f->bias + 20) << f->bits)
		return scaled(e, f, a, down & f->sign ? -5000 : 5000);
	return scaled(e, f, a, (int64_t)fp_to_int(&quiet, f->size, down, 8, true));
}

/* ---- VRANGEx ---- */

/* The immediate: minimum, maximum, of absolute values in bits 1:0; the sign in 3:2: the first source's, its own, 0, 1. */
static uint64_t
range(struct evex_op *e, const struct format *f, uint64_t a, uint64_t b)
{
	struct fp_env quiet = { .mxcsr = e->v.env.mxcsr };
	bool absolute = e->v.imm & 2, want_max = e->v.imm & 1, greater;
	uint64_t sign, r, x, y;
	enum fp_order order;

	if (is_signalling(f, a))
		return quieted(e, f, a);
	if (is_signalling(f, b))
		return quieted(e, f, b);
	sign = a & f->sign;
	/* Beside a NaN a denormal isn't noted. */
	if (!is_nan(f, a) && !is_nan(f, b)) {
		a = denormal_rules(e, f, a);
		b = denormal_rules(e, f, b);
	} else if (e->v.env.mxcsr & MX_DAZ) {
		a = is_denormal(f, a) ? a & f->sign : a;
		b = is_denormal(f, b) ? b & f->sign : b;
	}
	x = absolute ? a & ~f->sign : a;
	y = absolute ? b & ~f->sign : b;
	if (is_nan(f, a) || is_nan(f, b)) {
		r = is_nan(f, a) && !is_nan(f, b) ? b : a;
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
each_pair(struct evex_op *e, uint64_t (*of)(struct evex_op *e, const struct format *f, uint64_t a, uint64_t b))
{
	begin(e);
	for (unsigned n = 0; n < e->count; n++)
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
token_of(const struct format *f, uint64_t v)
{
	if (is_nan(f, v))
		return is_signalling(f, v) ? SIGNALLING_NAN : QUIET_NAN;
	if (is_zero(f, v))
		return ZERO;
	if (v == f->one)
		return ONE;
	if (is_infinite(f, v))
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
fixed(const struct format *f, unsigned response, uint64_t v, uint64_t old)
{
	switch (response) {
	case 0:
		return old;
	case 1:
		return v;
	case 2:
		return v | f->infinity | f->quiet;
	case 3:
		return indefinite(f);
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
	const struct format *f = format_of(e);

	begin(e);
	for (unsigned n = 0; n < e->count; n++) {
		uint64_t v = avx_lane(&e->v.a, e->size, n), table = avx_lane(&e->v.b, e->size, n);
		enum token t;

		if (is_denormal(f, v) && e->v.env.mxcsr & MX_DAZ)
			v &= f->sign;
		t = token_of(f, v);
		fixup_flags(e, t);
		avx_set_lane(&e->v.r, e->size, n, fixed(f, table >> 4 * t & 15, v, avx_lane(&e->v.c, e->size, n)));
	}
}

#define FOUR(name, fn) \
	[EVEX_ROW_##name##ps] = { fn, 0 }, [EVEX_ROW_##name##pd] = { fn, 0 }, [EVEX_ROW_##name##ss] = { fn, 0 }, \
	[EVEX_ROW_##name##sd] = { fn, 0 }

const struct evex_impl evex_float_ops[EVEX_ROWS] = {
	FOUR(vcmp, compare), FOUR(vfpclass, classify), FOUR(vgetexp, each_get_exponent), FOUR(vgetmant, each_get_mantissa),
	FOUR(vrndscale, each_round_scaled), FOUR(vreduce, each_reduce), FOUR(vrcp14, each_reciprocal), FOUR(vrsqrt14, each_reciprocal_root),
	FOUR(vscalef, each_scale), FOUR(vrange, each_range), FOUR(vfixupimm, fixup),
};
