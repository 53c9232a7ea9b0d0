/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX512-FP16's arithmetic: SDM volume 2, and volume 1, "Programming with Intel AVX-512 FP16".  MXCSR.DAZ and FTZ don't count for
 * half precision: who calls leaves them out of the environment.
 */
#include "tcg/interp/half.h"

#include "tcg/interp/ieee.h"

/* For results that are exact, or whose flags don't count. */
static const struct fp_env quiet_env = { .mxcsr = MX_FLAGS << MX_MASKS };

static uint64_t
sign_of(uint64_t v)
{
	return v & fp_half.sign;
}

/* Of two of which one is a NaN: the first one that is. */
static uint64_t
nan_of(struct fp_env *e, uint64_t a, uint64_t b)
{
	if (fp_is_signalling(&fp_half, a) || fp_is_signalling(&fp_half, b))
		e->raised |= MX_IE;
	return (fp_is_nan(&fp_half, a) ? a : b) | fp_half.quiet;
}

static bool
any_nan(uint64_t a, uint64_t b)
{
	return fp_is_nan(&fp_half, a) || fp_is_nan(&fp_half, b);
}

static uint64_t
packed(struct fp_env *e, struct fp_number n)
{
	return fp_pack(e, &fp_half, fp_normal(n), fp_mode(e), false);
}

/* The eleven bits of a normal mantissa that can be other than 0; *EXPONENT goes with them. */
static uint64_t
significant(struct fp_number n, int *exponent)
{
	*exponent = n.exponent + (FP_TOP - (int)fp_half.bits);
	return (uint64_t)(n.mantissa >> (FP_TOP - fp_half.bits));
}

/* The greatest integer whose square is not above V. */
static uint64_t
root_of(uint64_t v)
{
	uint64_t r = 0;

	for (uint64_t bit = 1ull << 31; bit != 0; bit >>= 1)
		if ((r | bit) * (r | bit) <= v)
			r |= bit;
	return r;
}

/* ---- sums, products, quotients, roots ---- */

static uint64_t
add(struct fp_env *e, uint64_t a, uint64_t b)
{
	struct fp_number n, m;

	if (fp_is_infinite(&fp_half, a))
		return fp_is_infinite(&fp_half, b) && a != b ? fp_invalid(e, &fp_half) : a;
	if (fp_is_infinite(&fp_half, b))
		return b;
	n = fp_unpack(&fp_half, a);
	m = fp_unpack(&fp_half, b);
	if (n.zero && m.zero)
		return a == b ? a : fp_mode(e) == FP_DOWN ? fp_half.sign : 0;
	if (!n.zero && !m.zero)
		n = fp_sum(n, m);
	else if (n.zero)
		n = m;
	if (n.zero)
		return fp_mode(e) == FP_DOWN ? fp_half.sign : 0;
	return packed(e, n);
}

static uint64_t
multiply(struct fp_env *e, uint64_t a, uint64_t b)
{
	uint64_t sign = sign_of(a ^ b);
	bool zero = fp_is_zero(&fp_half, a) || fp_is_zero(&fp_half, b);

	if (fp_is_infinite(&fp_half, a) || fp_is_infinite(&fp_half, b))
		return zero ? fp_invalid(e, &fp_half) : sign | fp_half.infinity;
	if (zero)
		return sign;
	return packed(e, fp_product(fp_unpack(&fp_half, a), fp_unpack(&fp_half, b)));
}

/* Finite numbers, not 0. */
static struct fp_number
quotient(uint64_t a, uint64_t b)
{
	int ea, eb;
	uint64_t ma = significant(fp_unpack(&fp_half, a), &ea) << 40, mb = significant(fp_unpack(&fp_half, b), &eb);

	return (struct fp_number){ .sign = sign_of(a ^ b) != 0, .mantissa = ma / mb << 1 | (ma % mb != 0), .exponent = ea - eb - 41 };
}

static uint64_t
divide(struct fp_env *e, uint64_t a, uint64_t b)
{
	uint64_t sign = sign_of(a ^ b);

	if (fp_is_infinite(&fp_half, a))
		return fp_is_infinite(&fp_half, b) ? fp_invalid(e, &fp_half) : sign | fp_half.infinity;
	if (fp_is_infinite(&fp_half, b))
		return sign;
	if (fp_is_zero(&fp_half, b)) {
		if (fp_is_zero(&fp_half, a))
			return fp_invalid(e, &fp_half);
		e->raised |= MX_ZE;
		return sign | fp_half.infinity;
	}
	return fp_is_zero(&fp_half, a) ? sign : packed(e, quotient(a, b));
}

static uint64_t
square_root(struct fp_env *e, uint64_t a)
{
	int exponent;
	uint64_t m, r;

	if (fp_is_zero(&fp_half, a))
		return a;
	if (sign_of(a))
		return fp_invalid(e, &fp_half);
	if (fp_is_infinite(&fp_half, a))
		return a;
	m = significant(fp_unpack(&fp_half, a), &exponent) << 50;
	exponent -= 50;
	if (exponent & 1) {
		m <<= 1;
		exponent--;
	}
	r = root_of(m);
	return packed(e, (struct fp_number){ .mantissa = r << 1 | (r * r != m), .exponent = exponent / 2 - 1 });
}

/* The second one if they are both 0, or one is a NaN. */
static uint64_t
extreme(struct fp_env *e, bool greatest, uint64_t a, uint64_t b)
{
	enum fp_order order = half_compare(e, a, b, false);

	return order == (greatest ? FP_GREATER : FP_LESS) ? a : b;
}

uint64_t
half_arith(struct fp_env *e, enum fp_op op, uint64_t a, uint64_t b)
{
	struct fp_env one = { .mxcsr = e->mxcsr };
	bool denormal = fp_is_denormal(&fp_half, b) || (op != FP_SQRT && fp_is_denormal(&fp_half, a));
	uint64_t r;

	if (op == FP_MIN || op == FP_MAX)
		return extreme(e, op == FP_MAX, a, b);
	if (op == FP_SQRT && fp_is_nan(&fp_half, b))
		return fp_quieted(e, &fp_half, b);
	if (op != FP_SQRT && any_nan(a, b))
		return nan_of(e, a, b);
	switch (op) {
	case FP_ADD:
		r = add(&one, a, b);
		break;
	case FP_SUB:
		r = add(&one, a, b ^ fp_half.sign);
		break;
	case FP_MUL:
		r = multiply(&one, a, b);
		break;
	case FP_DIV:
		r = divide(&one, a, b);
		break;
	default:
		r = square_root(&one, b);
		break;
	}
	e->raised |= one.raised | (denormal && !(one.raised & (MX_IE | MX_ZE)) ? MX_DE : 0);
	return r;
}

uint64_t
half_reciprocal(uint64_t a, bool root)
{
	struct fp_env quiet = quiet_env;
	int exponent;
	uint64_t m, r;

	if (fp_is_nan(&fp_half, a))
		return a | fp_half.quiet;
	if (fp_is_zero(&fp_half, a))
		return a | fp_half.infinity;
	if (root && sign_of(a))
		return fp_indefinite(&fp_half);
	if (fp_is_infinite(&fp_half, a))
		return sign_of(a);
	if (!root)
		return packed(&quiet, quotient(fp_half.one, a));
	m = significant(fp_unpack(&fp_half, a), &exponent);
	if (exponent & 1) {
		m <<= 1;
		exponent--;
	}
	r = root_of((1ull << 62) / m);
	return packed(&quiet, (struct fp_number){ .mantissa = r << 1 | (r * r * m != 1ull << 62), .exponent = -31 - exponent / 2 - 1 });
}

/* ---- comparisons ---- */

/* In the order of the numbers. */
static int
rank(uint64_t v)
{
	int magnitude = (int)(v & ~fp_half.sign);

	return sign_of(v) ? -magnitude : magnitude;
}

enum fp_order
half_compare(struct fp_env *e, uint64_t a, uint64_t b, bool quiet)
{
	if (any_nan(a, b)) {
		if (!quiet || fp_is_signalling(&fp_half, a) || fp_is_signalling(&fp_half, b))
			e->raised |= MX_IE;
		return FP_UNORDERED;
	}
	if (fp_is_denormal(&fp_half, a) || fp_is_denormal(&fp_half, b))
		e->raised |= MX_DE;
	return rank(a) < rank(b) ? FP_LESS : rank(a) > rank(b) ? FP_GREATER : FP_EQUAL;
}

/* ---- integers ---- */

/* A's magnitude, finite and not 0, in units of 2^-SCALE. */
static uint64_t
in_units(uint64_t a, unsigned scale, unsigned mode, bool *inexact)
{
	struct fp_number n = fp_unpack(&fp_half, a);
	int drop = -n.exponent - (int)scale;

	return fp_round_off(n.mantissa, drop > 127 ? 128 : (unsigned)drop, n.sign, mode, inexact);
}

uint64_t
half_to_int(struct fp_env *e, uint64_t a, unsigned width, bool truncate, bool is_signed)
{
	uint64_t all = ~0ull >> (64 - 8 * width), top = all ^ all >> 1, most = is_signed ? all >> 1 : all, kept;
	bool negative = sign_of(a) != 0, inexact;

	if (fp_is_zero(&fp_half, a))
		return 0;
	if ((a & ~fp_half.sign) < fp_half.infinity) {
		kept = in_units(a, 0, truncate ? FP_TRUNCATE : fp_mode(e), &inexact);
		if (kept <= (!negative ? most : is_signed ? top : 0)) {
			e->raised |= inexact ? MX_PE : 0;
			return (negative ? -kept : kept) & all;
		}
	}
	e->raised |= MX_IE;
	return is_signed ? top : all;
}

uint64_t
half_from_int(struct fp_env *e, uint64_t v, unsigned width, bool is_signed)
{
	unsigned shift = 64 - 8 * width;
	bool negative = is_signed && v >> (8 * width - 1) & 1;

	v = negative ? -(uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
	return v == 0 ? 0 : packed(e, (struct fp_number){ .sign = negative, .mantissa = v });
}

uint64_t
half_round(struct fp_env *e, uint64_t a, unsigned imm)
{
	struct fp_env quiet = quiet_env;
	unsigned scale = imm >> 4 & 15;
	uint64_t kept;
	bool inexact;

	if (fp_is_nan(&fp_half, a))
		return fp_quieted(e, &fp_half, a);
	if (fp_is_infinite(&fp_half, a) || fp_is_zero(&fp_half, a))
		return a;
	kept = in_units(a, scale, imm & 4 ? fp_mode(e) : imm & 3, &inexact);
	if (!inexact)
		return a;
	if (!(imm & 8))
		e->raised |= MX_PE;
	if (kept == 0)
		return sign_of(a);
	return packed(&quiet, (struct fp_number){ .sign = sign_of(a) != 0, .mantissa = kept, .exponent = -(int)scale });
}

/* ---- other formats ---- */

uint64_t
half_resize(struct fp_env *e, unsigned from, unsigned to, uint64_t a)
{
	return fp_reformat(e, fp_format_of(from), fp_format_of(to), a, fp_mode(e));
}
