/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A number is SIGN, and MANTISSA times 2^EXPONENT.  For rounding its top bit stands at TOP, and bits that fell off to the right
 * are remembered by the lowest one; a format's precision lies far above that.
 */
#include "tcg/interp/fma.h"

typedef unsigned __int128 wide;

enum { TOP = 124 };
enum { NEAREST, DOWN, UP, TRUNCATE };

struct format {
	unsigned size, fraction; /* bytes; bits of the fraction */
	int special, bias;
};

static const struct format half = { 2, 10, 31, 15 }, single = { 4, 23, 0xff, 0x7f }, whole = { 8, 52, 0x7ff, 0x3ff };

struct number {
	bool sign, zero;
	int exponent;
	wide mantissa;
};

static uint64_t
sign_bit(const struct format *f)
{
	return 1ull << (8 * f->size - 1);
}

static uint64_t
quiet_bit(const struct format *f)
{
	return 1ull << (f->fraction - 1);
}

static int
exponent_of(const struct format *f, uint64_t v)
{
	return (int)(v >> f->fraction) & f->special;
}

static uint64_t
fraction_of(const struct format *f, uint64_t v)
{
	return v & ((1ull << f->fraction) - 1);
}

static bool
is_nan(const struct format *f, uint64_t v)
{
	return exponent_of(f, v) == f->special && fraction_of(f, v) != 0;
}

static bool
is_infinite(const struct format *f, uint64_t v)
{
	return exponent_of(f, v) == f->special && fraction_of(f, v) == 0;
}

static bool
is_denormal(const struct format *f, uint64_t v)
{
	return exponent_of(f, v) == 0 && fraction_of(f, v) != 0;
}

static bool
is_zero(const struct format *f, uint64_t v)
{
	return (v & ~sign_bit(f)) == 0;
}

static uint64_t
infinity(const struct format *f)
{
	return (uint64_t)f->special << f->fraction;
}

static int
bit_length(wide v)
{
	uint64_t high = (uint64_t)(v >> 64), low = (uint64_t)v;

	return high != 0 ? 128 - __builtin_clzll(high) : low != 0 ? 64 - __builtin_clzll(low) : 0;
}

/* Right by N, with what falls off in the lowest bit. */
static wide
shift_jam(wide v, unsigned n)
{
	if (n == 0)
		return v;
	if (n > 127)
		return v != 0;
	return v >> n | ((v & (((wide)1 << n) - 1)) != 0);
}

static struct number
normal(struct number n)
{
	int shift = TOP + 1 - bit_length(n.mantissa);

	n.mantissa = shift >= 0 ? n.mantissa << shift : shift_jam(n.mantissa, (unsigned)-shift);
	n.exponent -= shift;
	return n;
}

/* A finite number. */
static struct number
unpack(const struct format *f, uint64_t v)
{
	int e = exponent_of(f, v);
	struct number n = { .sign = (v & sign_bit(f)) != 0, .zero = is_zero(f, v), .exponent = (e != 0 ? e : 1) - f->bias - (int)f->fraction,
		.mantissa = fraction_of(f, v) | (e != 0 ? 1ull << f->fraction : 0) };

	return n.zero ? n : normal(n);
}

/* ---- rounding ---- */

/* V without its N lowest bits, rounded; *INEXACT if they weren't 0. */
static uint64_t
round_off(wide v, unsigned n, bool sign, unsigned mode, bool *inexact)
{
	wide low = n > 127 ? v : v & (((wide)1 << n) - 1), middle = n > 127 ? ~(wide)0 : (wide)1 << (n - 1);
	uint64_t kept = n > 127 ? 0 : (uint64_t)(v >> n);
	bool up;

	*inexact = low != 0;
	switch (mode) {
	case NEAREST:
		up = low > middle || (low == middle && kept & 1);
		break;
	case DOWN:
		up = sign && low != 0;
		break;
	case UP:
		up = !sign && low != 0;
		break;
	default:
		up = false;
	}
	return kept + up;
}

static uint64_t
overflowed(const struct format *f, bool sign, unsigned mode)
{
	bool away = mode == NEAREST || (mode == DOWN && sign) || (mode == UP && !sign);

	return (sign ? sign_bit(f) : 0) | (away ? infinity(f) : infinity(f) - 1);
}

/* N is normal and not 0.  FLUSH: tiny results become 0. */
static uint64_t
pack(struct fp_env *e, const struct format *f, struct number n, unsigned mode, bool flush)
{
	unsigned drop = TOP - f->fraction;
	int biased = n.exponent + TOP + f->bias;
	bool inexact, unbounded_inexact, tiny, unmasked = !(e->mxcsr & MX_UE << MX_MASKS);
	uint64_t v = round_off(n.mantissa, drop, n.sign, mode, &unbounded_inexact), sign = n.sign ? sign_bit(f) : 0;

	/* Tiny after rounding, as if the exponent had no bound. */
	tiny = biased < 0 || (biased == 0 && v >> (f->fraction + 1) == 0);
	if (biased <= 0) {
		v = round_off(n.mantissa, drop + 1 - (unsigned)biased > 127 ? 128 : drop + 1 - (unsigned)biased, n.sign, mode, &inexact);
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
	v += (uint64_t)(biased - 1) << f->fraction;
	if (v < infinity(f))
		return sign | v;
	e->raised |= MX_OE | (e->mxcsr & MX_OE << MX_MASKS ? MX_PE : 0);
	return overflowed(f, n.sign, mode);
}

static unsigned
mode_of(const struct fp_env *e)
{
	return (e->mxcsr & MX_RC) >> MX_RC_SHIFT;
}

static bool
flushes(const struct fp_env *e)
{
	return e->mxcsr & MX_FTZ && e->mxcsr & MX_UE << MX_MASKS;
}

/* ---- multiply and add ---- */

static struct number
product_of(struct number a, struct number b)
{
	struct number p = { .sign = a.sign != b.sign, .zero = a.zero || b.zero, .exponent = a.exponent + b.exponent };

	if (p.zero)
		return p;
	/* Both have at most 53 bits, at the top. */
	p.mantissa = (a.mantissa >> (TOP - 60)) * (b.mantissa >> (TOP - 60));
	p.exponent += 2 * (TOP - 60);
	return normal(p);
}

/* Neither is 0. */
static struct number
sum_of(struct number a, struct number b)
{
	struct number s;

	if (a.exponent < b.exponent || (a.exponent == b.exponent && a.mantissa < b.mantissa)) {
		s = a;
		a = b;
		b = s;
	}
	b.mantissa = shift_jam(b.mantissa, a.exponent - b.exponent > 127 ? 128 : (unsigned)(a.exponent - b.exponent));
	s = a;
	s.mantissa = a.sign == b.sign ? a.mantissa + b.mantissa : a.mantissa - b.mantissa;
	s.zero = s.mantissa == 0;
	return s.zero ? s : normal(s);
}

/* The first NaN, quiet; signalling ones are invalid. */
static uint64_t
nan_of(struct fp_env *e, const struct format *f, const uint64_t v[3])
{
	uint64_t r = 0;

	for (unsigned n = 3; n-- > 0;)
		if (is_nan(f, v[n])) {
			r = v[n] | quiet_bit(f);
			e->raised |= v[n] & quiet_bit(f) ? 0 : MX_IE;
		}
	return r;
}

static uint64_t
invalid(struct fp_env *e, const struct format *f)
{
	e->raised |= MX_IE;
	return sign_bit(f) | infinity(f) | quiet_bit(f);
}

/* With an infinity among them; none is a NaN. */
static uint64_t
infinite(struct fp_env *e, const struct format *f, const uint64_t v[3], bool product_sign, bool c_sign)
{
	bool product = is_infinite(f, v[0]) || is_infinite(f, v[1]);

	if (product && (is_zero(f, v[0]) || is_zero(f, v[1])))
		return invalid(e, f);
	if (product && is_infinite(f, v[2]) && product_sign != c_sign)
		return invalid(e, f);
	return ((product ? product_sign : c_sign) ? sign_bit(f) : 0) | infinity(f);
}

static bool
take_denormals(struct fp_env *e, const struct format *f, uint64_t v[3])
{
	bool any = false;

	for (unsigned n = 0; n < 3; n++)
		if (is_denormal(f, v[n])) {
			any = true;
			if (e->mxcsr & MX_DAZ)
				v[n] &= sign_bit(f);
		}
	return any && !(e->mxcsr & MX_DAZ);
}

uint64_t
fp_fma(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, uint64_t c, bool negate_product, bool subtract)
{
	const struct format *f = size == 4 ? &single : &whole;
	uint64_t v[3] = { a, b, c };
	bool denormal = take_denormals(e, f, v), any_nan = is_nan(f, a) || is_nan(f, b) || is_nan(f, c);
	bool product_sign = (((v[0] ^ v[1]) & sign_bit(f)) != 0) != negate_product, c_sign = ((v[2] & sign_bit(f)) != 0) != subtract;
	struct number p, n;

	if (any_nan)
		return nan_of(e, f, v);
	if (is_infinite(f, v[0]) || is_infinite(f, v[1]) || is_infinite(f, v[2])) {
		struct fp_env one = { .mxcsr = e->mxcsr };
		uint64_t r = infinite(&one, f, v, product_sign, c_sign);

		e->raised |= one.raised | (denormal && one.raised == 0 ? MX_DE : 0);
		return r;
	}
	e->raised |= denormal ? MX_DE : 0;
	p = product_of(unpack(f, v[0]), unpack(f, v[1]));
	p.sign = product_sign;
	n = unpack(f, v[2]);
	n.sign = c_sign;
	if (p.zero && n.zero)
		return (p.sign == n.sign ? p.sign : mode_of(e) == DOWN) ? sign_bit(f) : 0;
	if (!p.zero)
		n = n.zero ? p : sum_of(p, n);
	if (n.zero)
		return mode_of(e) == DOWN ? sign_bit(f) : 0;
	return pack(e, f, n, mode_of(e), flushes(e));
}

/* ---- half precision ---- */

uint32_t
fp_from_half(struct fp_env *e, uint16_t v)
{
	uint32_t sign = (uint32_t)(v & 0x8000) << 16;

	if (is_nan(&half, v)) {
		e->raised |= v & quiet_bit(&half) ? 0 : MX_IE;
		return sign | (uint32_t)infinity(&single) | (uint32_t)fraction_of(&half, v) << 13 | (uint32_t)quiet_bit(&single);
	}
	if (is_infinite(&half, v))
		return sign | (uint32_t)infinity(&single);
	if (is_zero(&half, v))
		return sign;
	return (uint32_t)pack(e, &single, unpack(&half, v), NEAREST, false);
}

uint16_t
fp_to_half(struct fp_env *e, uint32_t v, unsigned imm)
{
	unsigned mode = imm & 4 ? mode_of(e) : imm & 3;
	uint16_t sign = v >> 16 & 0x8000;

	if (is_nan(&single, v)) {
		e->raised |= v & quiet_bit(&single) ? 0 : MX_IE;
		return (uint16_t)(sign | infinity(&half) | quiet_bit(&half) | fraction_of(&single, v) >> 13);
	}
	if (is_infinite(&single, v))
		return (uint16_t)(sign | infinity(&half));
	if (is_denormal(&single, v)) {
		if (e->mxcsr & MX_DAZ)
			return sign;
		e->raised |= MX_DE;
	}
	if (is_zero(&single, v))
		return sign;
	return (uint16_t)pack(e, &half, unpack(&single, v), mode, false);
}
