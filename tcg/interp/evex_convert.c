/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: conversions to and from unsigned integers, those of 64 bits, and BF16.  SDM volume 2. */
#include "tcg/interp/evex_op.h"
#include "tcg/interp/fma.h"
#include "tcg/interp/half.h"

enum { TRUNCATE = 0x100, IS_SIGNED = 0x200 };

static uint64_t
to_integer(struct evex_op *e, unsigned size, uint64_t v, unsigned width)
{
	bool truncate = e->v.arg & TRUNCATE;

	return e->v.arg & IS_SIGNED ? fp_to_int(&e->v.env, size, v, width, truncate) : fp_to_unsigned(&e->v.env, size, v, width, truncate);
}

/* ARG: size of the source's elements. */
static void
floats_to_integers(struct evex_op *e)
{
	unsigned from = e->v.arg & 15;

	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			avx_set_lane(&e->v.r, e->size, n, to_integer(e, from, avx_lane(&e->v.b, from, n), e->size));
}

static void
float_to_general(struct evex_op *e)
{
	unsigned from = e->v.arg & 15;

	e->v.r.q[0] = to_integer(e, from, avx_lane(&e->v.b, from, 0), e->general);
}

/* ARG: size of the source's elements. */
static void
integers_to_floats(struct evex_op *e)
{
	unsigned from = e->v.arg & 15;

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t v = avx_lane(&e->v.b, from, n);

		if (!evex_wants(e, n))
			continue;
		v = e->v.arg & IS_SIGNED ? fp_from_int(&e->v.env, e->size, v, from) : fp_from_unsigned(&e->v.env, e->size, v, from);
		avx_set_lane(&e->v.r, e->size, n, v);
	}
}

/* ARG: size of the result. */
static void
general_to_float(struct evex_op *e)
{
	unsigned to = e->v.arg & 15;
	uint64_t v = e->v.b.q[0];

	v = e->v.arg & IS_SIGNED ? fp_from_int(&e->v.env, to, v, e->general) : fp_from_unsigned(&e->v.env, to, v, e->general);
	e->v.r.lane[0] = e->v.a.lane[0];
	avx_set_lane(&e->v.r, to, 0, v);
}

/* ARG: size of the source's elements.  One of them is a half; a scalar passes its first source on. */
static void
resize(struct evex_op *e)
{
	if (e->row->l == AVX_L_IG)
		e->v.r.lane[0] = e->v.a.lane[0];
	for (unsigned n = 0; n < e->count; n++)
		if (evex_wants(e, n))
			avx_set_lane(&e->v.r, e->size, n, half_resize(&e->v.env, e->v.arg, e->size, avx_lane(&e->v.b, e->v.arg, n)));
}

/* ---- BF16: rounding to nearest, denormals are zero, and no flags ---- */

static uint16_t
to_bf16(uint32_t v)
{
	if ((v & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(v >> 16 | 0x40);
	if ((v & 0x7f800000) == 0)
		return (uint16_t)(v >> 16 & 0x8000);
	return (uint16_t)((v + 0x7fff + (v >> 16 & 1)) >> 16);
}

static void
singles_to_bf16(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		e->v.r.w[n] = to_bf16(e->v.b.d[n]);
}

/* The second source becomes the lower half. */
static void
two_to_bf16(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		e->v.r.w[n] = to_bf16(n < e->count / 2 ? e->v.b.d[n] : e->v.a.d[n - e->count / 2]);
}

static void
bf16_dot(struct evex_op *e)
{
	struct fp_env env = { .mxcsr = MX_FLAGS << MX_MASKS | MX_DAZ | MX_FTZ };

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t sum = e->v.c.d[n];

		for (unsigned k = 2; k-- > 0;) {
			uint64_t a = (uint64_t)e->v.a.w[2 * n + k] << 16, b = (uint64_t)e->v.b.w[2 * n + k] << 16;

			sum = fp_fma(&env, 4, a, b, sum, false, false);
		}
		e->v.r.d[n] = (uint32_t)sum;
	}
}

#define FROM_HALVES(type, arg) \
	[EVEX_ROW_vcvtph2##type] = { floats_to_integers, 2 | (arg) }, \
	[EVEX_ROW_vcvttph2##type] = { floats_to_integers, 2 | TRUNCATE | (arg) }

const struct evex_impl evex_convert_ops[EVEX_ROWS] = {
	[EVEX_ROW_vcvttps2udq] = { floats_to_integers, 4 | TRUNCATE }, [EVEX_ROW_vcvttpd2udq] = { floats_to_integers, 8 | TRUNCATE },
	[EVEX_ROW_vcvttps2uqq] = { floats_to_integers, 4 | TRUNCATE }, [EVEX_ROW_vcvttpd2uqq] = { floats_to_integers, 8 | TRUNCATE },
	[EVEX_ROW_vcvtps2udq] = { floats_to_integers, 4 }, [EVEX_ROW_vcvtpd2udq] = { floats_to_integers, 8 },
	[EVEX_ROW_vcvtps2uqq] = { floats_to_integers, 4 }, [EVEX_ROW_vcvtpd2uqq] = { floats_to_integers, 8 },
	[EVEX_ROW_vcvttps2qq] = { floats_to_integers, 4 | TRUNCATE | IS_SIGNED },
	[EVEX_ROW_vcvttpd2qq] = { floats_to_integers, 8 | TRUNCATE | IS_SIGNED },
	[EVEX_ROW_vcvtps2qq] = { floats_to_integers, 4 | IS_SIGNED }, [EVEX_ROW_vcvtpd2qq] = { floats_to_integers, 8 | IS_SIGNED },
	[EVEX_ROW_vcvttss2usi] = { float_to_general, 4 | TRUNCATE }, [EVEX_ROW_vcvttsd2usi] = { float_to_general, 8 | TRUNCATE },
	[EVEX_ROW_vcvtss2usi] = { float_to_general, 4 }, [EVEX_ROW_vcvtsd2usi] = { float_to_general, 8 },
	[EVEX_ROW_vcvtudq2pd] = { integers_to_floats, 4 }, [EVEX_ROW_vcvtudq2ps] = { integers_to_floats, 4 },
	[EVEX_ROW_vcvtuqq2pd] = { integers_to_floats, 8 }, [EVEX_ROW_vcvtuqq2ps] = { integers_to_floats, 8 },
	[EVEX_ROW_vcvtqq2pd] = { integers_to_floats, 8 | IS_SIGNED }, [EVEX_ROW_vcvtqq2ps] = { integers_to_floats, 8 | IS_SIGNED },
	[EVEX_ROW_vcvtusi2ss] = { general_to_float, 4 }, [EVEX_ROW_vcvtusi2sd] = { general_to_float, 8 },
	[EVEX_ROW_vcvtph2psx] = { resize, 2 }, [EVEX_ROW_vcvtph2pd] = { resize, 2 }, [EVEX_ROW_vcvtsh2ss] = { resize, 2 },
	[EVEX_ROW_vcvtsh2sd] = { resize, 2 }, [EVEX_ROW_vcvtps2phx] = { resize, 4 }, [EVEX_ROW_vcvtpd2ph] = { resize, 8 },
	[EVEX_ROW_vcvtss2sh] = { resize, 4 }, [EVEX_ROW_vcvtsd2sh] = { resize, 8 },
	FROM_HALVES(w, IS_SIGNED), FROM_HALVES(uw, 0), FROM_HALVES(dq, IS_SIGNED), FROM_HALVES(udq, 0), FROM_HALVES(qq, IS_SIGNED),
	FROM_HALVES(uqq, 0),
	[EVEX_ROW_vcvtw2ph] = { integers_to_floats, 2 | IS_SIGNED }, [EVEX_ROW_vcvtuw2ph] = { integers_to_floats, 2 },
	[EVEX_ROW_vcvtdq2ph] = { integers_to_floats, 4 | IS_SIGNED }, [EVEX_ROW_vcvtudq2ph] = { integers_to_floats, 4 },
	[EVEX_ROW_vcvtqq2ph] = { integers_to_floats, 8 | IS_SIGNED }, [EVEX_ROW_vcvtuqq2ph] = { integers_to_floats, 8 },
	[EVEX_ROW_vcvtsh2si] = { float_to_general, 2 | IS_SIGNED }, [EVEX_ROW_vcvtsh2usi] = { float_to_general, 2 },
	[EVEX_ROW_vcvttsh2si] = { float_to_general, 2 | TRUNCATE | IS_SIGNED },
	[EVEX_ROW_vcvttsh2usi] = { float_to_general, 2 | TRUNCATE },
	[EVEX_ROW_vcvtsi2sh] = { general_to_float, 2 | IS_SIGNED }, [EVEX_ROW_vcvtusi2sh] = { general_to_float, 2 },
	[EVEX_ROW_vcvtneps2bf16] = { singles_to_bf16, 0 }, [EVEX_ROW_vcvtne2ps2bf16] = { two_to_bf16, 0 },
	[EVEX_ROW_vdpbf16ps] = { bf16_dot, 0 },
};
