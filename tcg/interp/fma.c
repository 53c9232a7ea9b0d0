/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/interp/fma.h"

#include "tcg/interp/ieee.h"

/* ---- multiply and add ---- */

/* The first NaN, quiet; signalling ones are invalid. */
static uint64_t
nan_of(struct fp_env *e, const struct fp_format *f, const uint64_t v[3])
{
	uint64_t r = 0;

	for (unsigned n = 3; n-- > 0;)
		if (fp_is_nan(f, v[n]))
			r = fp_quieted(e, f, v[n]);
	return r;
}

/* With an infinity among them; none is a NaN. */
static uint64_t
infinite(struct fp_env *e, const struct fp_format *f, const uint64_t v[3], bool product_sign, bool c_sign)
{
	bool product = fp_is_infinite(f, v[0]) || fp_is_infinite(f, v[1]);

	if (product && (fp_is_zero(f, v[0]) || fp_is_zero(f, v[1])))
		return fp_invalid(e, f);
	if (product && fp_is_infinite(f, v[2]) && product_sign != c_sign)
		return fp_invalid(e, f);
	return ((product ? product_sign : c_sign) ? f->sign : 0) | f->infinity;
}

static bool
take_denormals(struct fp_env *e, const struct fp_format *f, uint64_t v[3])
{
	bool any = false;

	for (unsigned n = 0; n < 3; n++)
		if (fp_is_denormal(f, v[n])) {
			any = true;
			if (e->mxcsr & MX_DAZ)
				v[n] &= f->sign;
		}
	return any && !(e->mxcsr & MX_DAZ);
}

uint64_t
fp_fma(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, uint64_t c, bool negate_product, bool subtract)
{
	const struct fp_format *f = fp_format_of(size);
	uint64_t v[3] = { a, b, c };
	bool denormal = take_denormals(e, f, v), any_nan = fp_is_nan(f, a) || fp_is_nan(f, b) || fp_is_nan(f, c);
	bool product_sign = (((v[0] ^ v[1]) & f->sign) != 0) != negate_product, c_sign = ((v[2] & f->sign) != 0) != subtract;
	struct fp_number p, n;

	if (any_nan)
		return nan_of(e, f, v);
	if (fp_is_infinite(f, v[0]) || fp_is_infinite(f, v[1]) || fp_is_infinite(f, v[2])) {
		struct fp_env one = { .mxcsr = e->mxcsr };
		uint64_t r = infinite(&one, f, v, product_sign, c_sign);

		e->raised |= one.raised | (denormal && one.raised == 0 ? MX_DE : 0);
		return r;
	}
	e->raised |= denormal ? MX_DE : 0;
	p = fp_product(fp_unpack(f, v[0]), fp_unpack(f, v[1]));
	p.sign = product_sign;
	n = fp_unpack(f, v[2]);
	n.sign = c_sign;
	if (p.zero && n.zero)
		return (p.sign == n.sign ? p.sign : fp_mode(e) == FP_DOWN) ? f->sign : 0;
	if (!p.zero)
		n = n.zero ? p : fp_sum(p, n);
	if (n.zero)
		return fp_mode(e) == FP_DOWN ? f->sign : 0;
	return fp_pack(e, f, n, fp_mode(e), fp_flushes(e));
}

uint64_t
fp_fma_element(struct fp_env *e, unsigned size, unsigned how, unsigned n, uint64_t one, uint64_t two, uint64_t three)
{
	uint64_t x = how & (FMA_213 | FMA_231) ? two : one, y = how & FMA_213 ? one : three;
	uint64_t z = how & FMA_213 ? three : how & FMA_231 ? one : two;
	bool subtract = (how & FMA_SUBTRACT) != 0;

	if (how & FMA_ALTERNATE && !(n & 1))
		subtract = !subtract;
	return fp_fma(e, size, x, y, z, (how & FMA_NEGATE_PRODUCT) != 0, subtract);
}

/* ---- half precision ---- */

uint32_t
fp_from_half(struct fp_env *e, uint16_t v)
{
	uint32_t sign = (uint32_t)(v & 0x8000) << 16;

	if (fp_is_nan(&fp_half, v))
		return sign | (uint32_t)fp_single.infinity | (uint32_t)fp_fraction(&fp_half, fp_quieted(e, &fp_half, v)) << 13;
	if (fp_is_infinite(&fp_half, v))
		return sign | (uint32_t)fp_single.infinity;
	if (fp_is_zero(&fp_half, v))
		return sign;
	return (uint32_t)fp_pack(e, &fp_single, fp_unpack(&fp_half, v), FP_NEAREST, false);
}

uint16_t
fp_to_half(struct fp_env *e, uint32_t v, unsigned imm)
{
	return (uint16_t)fp_reformat(e, &fp_single, &fp_half, v, imm & 4 ? fp_mode(e) : imm & 3);
}
