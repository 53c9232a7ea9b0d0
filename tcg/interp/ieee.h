/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the interpreter: the binary formats of IEEE 754, and numbers in them as integers.
 *
 * A number is SIGN, and MANTISSA times 2^EXPONENT.  For rounding its top bit stands at FP_TOP, and bits that fell off to the right
 * are remembered by the lowest one; a format's precision lies far above that.
 */
#ifndef TCG_INTERP_IEEE_H
#define TCG_INTERP_IEEE_H

#include "tcg/interp/vec_fp.h"

/* Rounding, as in MXCSR.RC. */
enum { FP_NEAREST, FP_DOWN, FP_UP, FP_TRUNCATE };
enum { FP_TOP = 124 };

struct fp_format {
	unsigned size, bits; /* bytes; bits of the fraction */
	int bias;
	uint64_t sign, infinity, quiet, one;
};

extern const struct fp_format fp_half, fp_single, fp_double;

/* By bytes: 2, 4 or 8. */
static inline const struct fp_format *
fp_format_of(unsigned size)
{
	return size == 2 ? &fp_half : size == 4 ? &fp_single : &fp_double;
}

static inline bool
fp_is_nan(const struct fp_format *f, uint64_t v)
{
	return (v & ~f->sign) > f->infinity;
}

static inline bool
fp_is_signalling(const struct fp_format *f, uint64_t v)
{
	return fp_is_nan(f, v) && !(v & f->quiet);
}

static inline bool
fp_is_infinite(const struct fp_format *f, uint64_t v)
{
	return (v & ~f->sign) == f->infinity;
}

static inline bool
fp_is_zero(const struct fp_format *f, uint64_t v)
{
	return (v & ~f->sign) == 0;
}

static inline bool
fp_is_denormal(const struct fp_format *f, uint64_t v)
{
	return (v & f->infinity) == 0 && !fp_is_zero(f, v);
}

static inline uint64_t
fp_indefinite(const struct fp_format *f)
{
	return f->sign | f->infinity | f->quiet;
}

static inline uint64_t
fp_fraction(const struct fp_format *f, uint64_t v)
{
	return v & ((1ull << f->bits) - 1);
}

/* The default NaN, and its flag. */
static inline uint64_t
fp_invalid(struct fp_env *e, const struct fp_format *f)
{
	e->raised |= MX_IE;
	return fp_indefinite(f);
}

/* A NaN made quiet; a signalling one is invalid. */
static inline uint64_t
fp_quieted(struct fp_env *e, const struct fp_format *f, uint64_t nan)
{
	if (!(nan & f->quiet))
		e->raised |= MX_IE;
	return nan | f->quiet;
}

/* Denormals are zero where MXCSR says so, else they are noted. */
static inline uint64_t
fp_denormal_rules(struct fp_env *e, const struct fp_format *f, uint64_t v)
{
	if (!fp_is_denormal(f, v))
		return v;
	if (e->mxcsr & MX_DAZ)
		return v & f->sign;
	e->raised |= MX_DE;
	return v;
}

static inline unsigned
fp_mode(const struct fp_env *e)
{
	return (e->mxcsr & MX_RC) >> MX_RC_SHIFT;
}

/* Do tiny results become 0? */
static inline bool
fp_flushes(const struct fp_env *e)
{
	return e->mxcsr & MX_FTZ && e->mxcsr & MX_UE << MX_MASKS;
}

typedef unsigned __int128 fp_wide;

struct fp_number {
	bool sign, zero;
	int exponent;
	fp_wide mantissa;
};

/* Right by N, with what falls off in the lowest bit. */
fp_wide fp_shift_jam(fp_wide v, unsigned n);
/* With its mantissa's top bit at FP_TOP; it isn't 0. */
struct fp_number fp_normal(struct fp_number n);
/* A finite number. */
struct fp_number fp_unpack(const struct fp_format *f, uint64_t v);
/* V without its N lowest bits, rounded; *INEXACT if they weren't 0. */
uint64_t fp_round_off(fp_wide v, unsigned n, bool sign, unsigned mode, bool *inexact);
/* Rounded; N is normal and not 0.  FLUSH: tiny results become 0. */
uint64_t fp_pack(struct fp_env *e, const struct fp_format *f, struct fp_number n, unsigned mode, bool flush);
/* A as a number of another format, rounded. */
uint64_t fp_reformat(struct fp_env *e, const struct fp_format *from, const struct fp_format *to, uint64_t a, unsigned mode);
struct fp_number fp_product(struct fp_number a, struct fp_number b);
/* Neither is 0. */
struct fp_number fp_sum(struct fp_number a, struct fp_number b);

#endif
