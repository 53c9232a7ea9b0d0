/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/interp/ieee.h"

const struct fp_format fp_half = { 2, 10, 15, 0x8000, 0x7c00, 0x200, 0x3c00 };
const struct fp_format fp_single = { 4, 23, 0x7f, 1ull << 31, 0xffull << 23, 1ull << 22, 0x7full << 23 };
const struct fp_format fp_double = { 8, 52, 0x3ff, 1ull << 63, 0x7ffull << 52, 1ull << 51, 0x3ffull << 52 };

static int
bit_length(fp_wide v)
{
	uint64_t high = (uint64_t)(v >> 64), low = (uint64_t)v;

	return high != 0 ? 128 - __builtin_clzll(high) : low != 0 ? 64 - __builtin_clzll(low) : 0;
}

fp_wide
fp_shift_jam(fp_wide v, unsigned n)
{
	if (n == 0)
		return v;
	if (n > 127)
		return v != 0;
	return v >> n | ((v & (((fp_wide)1 << n) - 1)) != 0);
}

struct fp_number
fp_normal(struct fp_number n)
{
	int shift = FP_TOP + 1 - bit_length(n.mantissa);

	n.mantissa = shift >= 0 ? n.mantissa << shift : fp_shift_jam(n.mantissa, (unsigned)-shift);
	n.exponent -= shift;
	return n;
}

struct fp_number
fp_unpack(const struct fp_format *f, uint64_t v)
{
	int e = (int)((v & f->infinity) >> f->bits);
	struct fp_number n = { .sign = (v & f->sign) != 0, .zero = fp_is_zero(f, v), .exponent = (e != 0 ? e : 1) - f->bias - (int)f->bits,
		.mantissa = fp_fraction(f, v) | (e != 0 ? 1ull << f->bits : 0) };

	return n.zero ? n : fp_normal(n);
}

/* ---- rounding ---- */

uint64_t
fp_round_off(fp_wide v, unsigned n, bool sign, unsigned mode, bool *inexact)
{
	fp_wide low = n > 127 ? v : v & (((fp_wide)1 << n) - 1), middle = n > 127 ? ~(fp_wide)0 : (fp_wide)1 << (n - 1);
	uint64_t kept = n > 127 ? 0 : (uint64_t)(v >> n);
	bool up;

	*inexact = low != 0;
	switch (mode) {
	case FP_NEAREST:
		up = low > middle || (low == middle && kept & 1);
		break;
	case FP_DOWN:
		up = sign && low != 0;
		break;
	case FP_UP:
		up = !sign && low != 0;
		break;
	default:
		up = false;
	}
	return kept + up;
}

static uint64_t
overflowed(const struct fp_format *f, bool sign, unsigned mode)
{
	bool away = mode == FP_NEAREST || (mode == FP_DOWN && sign) || (mode == FP_UP && !sign);

	return (sign ? f->sign : 0) | (away ? f->infinity : f->infinity - 1);
}

uint64_t
fp_pack(struct fp_env *e, const struct fp_format *f, struct fp_number n, unsigned mode, bool flush)
{
	unsigned drop = FP_TOP - f->bits;
	int biased = n.exponent + FP_TOP + f->bias;
	bool inexact, unbounded_inexact, tiny, unmasked = !(e->mxcsr & MX_UE << MX_MASKS);
	uint64_t v = fp_round_off(n.mantissa, drop, n.sign, mode, &unbounded_inexact), sign = n.sign ? f->sign : 0;

	/* Tiny after rounding, as if the exponent had no bound. */
	tiny = biased < 0 || (biased == 0 && v >> (f->bits + 1) == 0);
	if (biased <= 0) {
		v = fp_round_off(n.mantissa, drop + 1 - (unsigned)biased > 127 ? 128 : drop + 1 - (unsigned)biased, n.sign, mode, &inexact);
		if (tiny && (inexact || unmasked || flush))
			e->raised |= MX_UE;
		if (tiny && flush) {
			e->raised |= MX_PE;
			return sign;
		}
		if (tiny && unmasked)
			inexact = unbounded_inexact;
		e->raised |= inexact ? MX_PE : 0;
		return sign | v;
	}
	e->raised |= unbounded_inexact ? MX_PE : 0;
	if (biased <= 2 * f->bias + 1)
		v += (uint64_t)(biased - 1) << f->bits;
	else
		v = f->infinity;
	if (v < f->infinity)
		return sign | v;
	e->raised |= MX_OE | (e->mxcsr & MX_OE << MX_MASKS ? MX_PE : 0);
	return overflowed(f, n.sign, mode);
}

/* ---- arithmetic ---- */

struct fp_number
fp_product(struct fp_number a, struct fp_number b)
{
	struct fp_number p = { .sign = a.sign != b.sign, .zero = a.zero || b.zero, .exponent = a.exponent + b.exponent };

	if (p.zero)
		return p;
	/* Both have at most 53 bits, at the top. */
	p.mantissa = (a.mantissa >> (FP_TOP - 60)) * (b.mantissa >> (FP_TOP - 60));
	p.exponent += 2 * (FP_TOP - 60);
	return fp_normal(p);
}

struct fp_number
fp_sum(struct fp_number a, struct fp_number b)
{
	struct fp_number s;

	if (a.exponent < b.exponent || (a.exponent == b.exponent && a.mantissa < b.mantissa)) {
		s = a;
		a = b;
		b = s;
	}
	b.mantissa = fp_shift_jam(b.mantissa, a.exponent - b.exponent > 127 ? 128 : (unsigned)(a.exponent - b.exponent));
	s = a;
	s.mantissa = a.sign == b.sign ? a.mantissa + b.mantissa : a.mantissa - b.mantissa;
	s.zero = s.mantissa == 0;
	return s.zero ? s : fp_normal(s);
}

uint64_t
fp_reformat(struct fp_env *e, const struct fp_format *from, const struct fp_format *to, uint64_t a, unsigned mode)
{
	uint64_t sign = a & from->sign ? to->sign : 0, fraction;

	if (fp_is_nan(from, a)) {
		fraction = fp_fraction(from, fp_quieted(e, from, a));
		return sign | to->infinity | (from->bits < to->bits ? fraction << (to->bits - from->bits) : fraction >> (from->bits - to->bits));
	}
	if (fp_is_infinite(from, a))
		return sign | to->infinity;
	a = fp_denormal_rules(e, from, a);
	if (fp_is_zero(from, a))
		return sign;
	return fp_pack(e, to, fp_unpack(from, a), mode, false);
}
