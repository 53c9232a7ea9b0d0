/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer vector arithmetic: Intel SDM volume 2, the "Operation" of each instruction. */
#include "tcg/interp/vec_op.h"

/* V kept within what SIZE bytes hold. */
static int64_t
saturate_signed(int64_t v, unsigned size)
{
	int64_t max = (1ll << (8 * size - 1)) - 1;

	return v > max ? max : v < -max - 1 ? -max - 1 : v;
}

static int64_t
saturate_unsigned(int64_t v, unsigned size)
{
	int64_t max = (1ll << 8 * size) - 1;

	return v > max ? max : v < 0 ? 0 : v;
}

/* ---- one lane of each operand gives one lane: X and Y are dst's and src's ---- */

#define LANES(name, lane, expr) \
	static void \
	name(struct vec_op *o) \
	{ \
		for (unsigned n = 0; n < o->bytes / sizeof o->a.lane[0]; n++) { \
			__typeof__(o->a.lane[0]) x = o->a.lane[n], y = o->b.lane[n]; \
			\
			(void)x; \
			o->a.lane[n] = (__typeof__(x))(expr); \
		} \
	}

LANES(paddb, b, x + y)
LANES(paddw, w, x + y)
LANES(paddd, d, x + y)
LANES(paddq, q, x + y)
LANES(psubb, b, x - y)
LANES(psubw, w, x - y)
LANES(psubd, d, x - y)
LANES(psubq, q, x - y)
LANES(paddsb, sb, saturate_signed(x + y, 1))
LANES(paddsw, sw, saturate_signed(x + y, 2))
LANES(psubsb, sb, saturate_signed(x - y, 1))
LANES(psubsw, sw, saturate_signed(x - y, 2))
LANES(paddusb, b, saturate_unsigned(x + y, 1))
LANES(paddusw, w, saturate_unsigned(x + y, 2))
LANES(psubusb, b, saturate_unsigned(x - y, 1))
LANES(psubusw, w, saturate_unsigned(x - y, 2))
LANES(pand, q, x & y)
LANES(pandn, q, ~x & y)
LANES(por, q, x | y)
LANES(pxor, q, x ^ y)
LANES(pcmpeqb, b, x == y ? -1 : 0)
LANES(pcmpeqw, w, x == y ? -1 : 0)
LANES(pcmpeqd, d, x == y ? -1 : 0)
LANES(pcmpeqq, q, x == y ? -1ll : 0)
LANES(pcmpgtb, sb, x > y ? -1 : 0)
LANES(pcmpgtw, sw, x > y ? -1 : 0)
LANES(pcmpgtd, sd, x > y ? -1 : 0)
LANES(pcmpgtq, sq, x > y ? -1ll : 0)
LANES(pminub, b, x < y ? x : y)
LANES(pminuw, w, x < y ? x : y)
LANES(pminud, d, x < y ? x : y)
LANES(pminsb, sb, x < y ? x : y)
LANES(pminsw, sw, x < y ? x : y)
LANES(pminsd, sd, x < y ? x : y)
LANES(pmaxub, b, x > y ? x : y)
LANES(pmaxuw, w, x > y ? x : y)
LANES(pmaxud, d, x > y ? x : y)
LANES(pmaxsb, sb, x > y ? x : y)
LANES(pmaxsw, sw, x > y ? x : y)
LANES(pmaxsd, sd, x > y ? x : y)
LANES(pavgb, b, (x + y + 1) >> 1)
LANES(pavgw, w, (x + y + 1) >> 1)
LANES(pmullw, sw, x * y)
LANES(pmulld, d, x * y)
LANES(pmulhw, sw, (x * y) >> 16)
LANES(pmulhuw, w, ((uint32_t)x * y) >> 16)
LANES(pmulhrsw, sw, (((x * y) >> 14) + 1) >> 1)
LANES(pmuludq, q, (x & 0xffffffff) * (y & 0xffffffff))
LANES(pmuldq, q, (uint64_t)((int64_t)(int32_t)x * (int32_t)y))
LANES(pabsb, sb, y < 0 ? -y : y)
LANES(pabsw, sw, y < 0 ? -y : y)
LANES(pabsd, d, (int32_t)y < 0 ? -y : y)
LANES(psignb, sb, y < 0 ? -x : y == 0 ? 0 : x)
LANES(psignw, sw, y < 0 ? -x : y == 0 ? 0 : x)
LANES(psignd, d, (int32_t)y < 0 ? -x : y == 0 ? 0 : x)

/* ---- lanes that widen or narrow ---- */

static void
pmaddwd(struct vec_op *o)
{
	for (unsigned n = 0; n < o->bytes / 4; n++) {
		int32_t low = o->a.sw[2 * n] * o->b.sw[2 * n], high = o->a.sw[2 * n + 1] * o->b.sw[2 * n + 1];

		o->a.d[n] = (uint32_t)low + (uint32_t)high;
	}
}

static void
pmaddubsw(struct vec_op *o)
{
	for (unsigned n = 0; n < o->bytes / 2; n++) {
		int sum = o->a.b[2 * n] * o->b.sb[2 * n] + o->a.b[2 * n + 1] * o->b.sb[2 * n + 1];

		o->a.sw[n] = (int16_t)saturate_signed(sum, 2);
	}
}

static void
psadbw(struct vec_op *o)
{
	for (unsigned n = 0; n < o->bytes / 8; n++) {
		unsigned sum = 0;

		for (unsigned k = 8 * n; k < 8 * n + 8; k++)
			sum += o->a.b[k] > o->b.b[k] ? o->a.b[k] - o->b.b[k] : o->b.b[k] - o->a.b[k];
		o->a.q[n] = sum;
	}
}

static void
mpsadbw(struct vec_op *o)
{
	unsigned from = o->imm & 4, against = (o->imm & 3) * 4;
	union vec128 r;

	for (unsigned n = 0; n < 8; n++) {
		unsigned sum = 0;

		for (unsigned k = 0; k < 4; k++) {
			unsigned x = o->a.b[from + n + k], y = o->b.b[against + k];

			sum += x > y ? x - y : y - x;
		}
		r.w[n] = (uint16_t)sum;
	}
	o->a = r;
}

static void
phminposuw(struct vec_op *o)
{
	unsigned at = 0;

	for (unsigned n = 1; n < 8; n++)
		if (o->b.w[n] < o->b.w[at])
			at = n;
	o->a = (union vec128){ .w = { o->b.w[at], (uint16_t)at } };
}

enum { PACK_UNSIGNED = 0x10 };

/* ARG: size of the lanes that become half as wide. */
static void
pack(struct vec_op *o)
{
	unsigned size = o->arg & 15, count = o->bytes / size;
	union vec128 r = o->a;

	for (unsigned n = 0; n < 2 * count; n++) {
		int64_t v = vec_lane_signed(n < count ? &o->a : &o->b, size, n % count);

		v = o->arg & PACK_UNSIGNED ? saturate_unsigned(v, size / 2) : saturate_signed(v, size / 2);
		vec_set_lane(&r, size / 2, n, (uint64_t)v);
	}
	o->a = r;
}

enum { HORIZONTAL_SUB = 0x10, HORIZONTAL_SATURATE = 0x20 };

/* PHADD, PHSUB.  ARG: size of the lanes. */
static void
horizontal(struct vec_op *o)
{
	unsigned size = o->arg & 15, count = o->bytes / size;
	union vec128 r = o->a;

	for (unsigned n = 0; n < count; n++) {
		const union vec128 *from = n < count / 2 ? &o->a : &o->b;
		unsigned k = 2 * n % count;
		int64_t x = vec_lane_signed(from, size, k), y = vec_lane_signed(from, size, k + 1);
		int64_t v = o->arg & HORIZONTAL_SUB ? x - y : x + y;

		vec_set_lane(&r, size, n, (uint64_t)(o->arg & HORIZONTAL_SATURATE ? saturate_signed(v, size) : v));
	}
	o->a = r;
}

enum { EXTEND_SIGN = 0x100 };

/* PMOVSX, PMOVZX.  ARG: from | to << 4 bytes. */
static void
extend(struct vec_op *o)
{
	unsigned from = o->arg & 15, to = o->arg >> 4 & 15;

	for (unsigned n = 0; n < 16 / to; n++)
		vec_set_lane(&o->a, to, n,
			     o->arg & EXTEND_SIGN ? (uint64_t)vec_lane_signed(&o->b, from, n) : vec_lane(&o->b, from, n));
}

/* ---- shifts ---- */

enum { SHIFT_LEFT = 0x00, SHIFT_RIGHT = 0x10, SHIFT_ARITHMETIC = 0x20 };

static uint64_t
shift_lane(unsigned how, unsigned size, uint64_t v, uint64_t count)
{
	unsigned bits = 8 * size;

	if (how == SHIFT_ARITHMETIC) {
		int64_t wide = (int64_t)(v << (64 - bits)) >> (64 - bits);

		return (uint64_t)(wide >> (count < bits ? count : bits - 1));
	}
	if (count >= bits)
		return 0;
	return how == SHIFT_LEFT ? v << count : v >> count;
}

/* ARG: size of the lanes and the kind.  The count is the immediate, or 64 bits of src. */
static void
shift(struct vec_op *o)
{
	uint64_t count = o->row->flags & VEC_IMM8 ? o->imm : o->b.q[0];
	unsigned size = o->arg & 15;

	for (unsigned n = 0; n < o->bytes / size; n++)
		vec_set_lane(&o->a, size, n, shift_lane(o->arg & 0xf0, size, vec_lane(&o->a, size, n), count));
}

static void
psrldq(struct vec_op *o)
{
	unsigned by = o->imm < 16 ? o->imm : 16;
	union vec128 r = { .q = { 0, 0 } };

	memcpy(r.b, o->a.b + by, 16 - by);
	o->a = r;
}

static void
pslldq(struct vec_op *o)
{
	unsigned by = o->imm < 16 ? o->imm : 16;
	union vec128 r = { .q = { 0, 0 } };

	memcpy(r.b + by, o->a.b, 16 - by);
	o->a = r;
}

/* dst above src, shifted right by bytes. */
static void
palignr(struct vec_op *o)
{
	uint8_t wide[64] = { 0 };
	unsigned by = o->imm < 2 * o->bytes ? o->imm : 2 * o->bytes;

	memcpy(wide, o->b.b, o->bytes);
	memcpy(wide + o->bytes, o->a.b, o->bytes);
	memcpy(o->a.b, wide + by, o->bytes);
}

static void
ptest(struct vec_op *o)
{
	bool none = ((o->a.q[0] & o->b.q[0]) | (o->a.q[1] & o->b.q[1])) == 0;
	bool all = ((~o->a.q[0] & o->b.q[0]) | (~o->a.q[1] & o->b.q[1])) == 0;

	o->eflags = (none ? FL_ZF : 0) | (all ? FL_CF : 0);
}

#define PACKED_SHIFT(name, arg) VEC_BOTH(name, shift, arg), VEC_BOTH(name##_imm, shift, arg)

const struct vec_impl vec_lane_ops[VEC_ROWS] = {
	VEC_BOTH(paddb, paddb, 0), VEC_BOTH(paddw, paddw, 0), VEC_BOTH(paddd, paddd, 0), VEC_BOTH(paddq, paddq, 0),
	VEC_BOTH(psubb, psubb, 0), VEC_BOTH(psubw, psubw, 0), VEC_BOTH(psubd, psubd, 0), VEC_BOTH(psubq, psubq, 0),
	VEC_BOTH(paddsb, paddsb, 0), VEC_BOTH(paddsw, paddsw, 0), VEC_BOTH(psubsb, psubsb, 0), VEC_BOTH(psubsw, psubsw, 0),
	VEC_BOTH(paddusb, paddusb, 0), VEC_BOTH(paddusw, paddusw, 0),
	VEC_BOTH(psubusb, psubusb, 0), VEC_BOTH(psubusw, psubusw, 0),
	VEC_BOTH(pand, pand, 0), VEC_BOTH(pandn, pandn, 0), VEC_BOTH(por, por, 0), VEC_BOTH(pxor, pxor, 0),
	[VEC_andps] = { pand, 0 }, [VEC_andpd] = { pand, 0 }, [VEC_andnps] = { pandn, 0 }, [VEC_andnpd] = { pandn, 0 },
	[VEC_orps] = { por, 0 }, [VEC_orpd] = { por, 0 }, [VEC_xorps] = { pxor, 0 }, [VEC_xorpd] = { pxor, 0 },
	VEC_BOTH(pcmpeqb, pcmpeqb, 0), VEC_BOTH(pcmpeqw, pcmpeqw, 0), VEC_BOTH(pcmpeqd, pcmpeqd, 0), [VEC_pcmpeqq] = { pcmpeqq, 0 },
	VEC_BOTH(pcmpgtb, pcmpgtb, 0), VEC_BOTH(pcmpgtw, pcmpgtw, 0), VEC_BOTH(pcmpgtd, pcmpgtd, 0), [VEC_pcmpgtq] = { pcmpgtq, 0 },
	VEC_BOTH(pminub, pminub, 0), VEC_BOTH(pminsw, pminsw, 0), VEC_BOTH(pmaxub, pmaxub, 0), VEC_BOTH(pmaxsw, pmaxsw, 0),
	[VEC_pminsb] = { pminsb, 0 }, [VEC_pminsd] = { pminsd, 0 }, [VEC_pminuw] = { pminuw, 0 }, [VEC_pminud] = { pminud, 0 },
	[VEC_pmaxsb] = { pmaxsb, 0 }, [VEC_pmaxsd] = { pmaxsd, 0 }, [VEC_pmaxuw] = { pmaxuw, 0 }, [VEC_pmaxud] = { pmaxud, 0 },
	VEC_BOTH(pavgb, pavgb, 0), VEC_BOTH(pavgw, pavgw, 0),
	VEC_BOTH(pmullw, pmullw, 0), VEC_BOTH(pmulhw, pmulhw, 0), VEC_BOTH(pmulhuw, pmulhuw, 0), VEC_BOTH(pmulhrsw, pmulhrsw, 0),
	VEC_BOTH(pmuludq, pmuludq, 0), [VEC_pmuldq] = { pmuldq, 0 }, [VEC_pmulld] = { pmulld, 0 },
	VEC_BOTH(pabsb, pabsb, 0), VEC_BOTH(pabsw, pabsw, 0), VEC_BOTH(pabsd, pabsd, 0),
	VEC_BOTH(psignb, psignb, 0), VEC_BOTH(psignw, psignw, 0), VEC_BOTH(psignd, psignd, 0),
	VEC_BOTH(pmaddwd, pmaddwd, 0), VEC_BOTH(pmaddubsw, pmaddubsw, 0), VEC_BOTH(psadbw, psadbw, 0),
	[VEC_mpsadbw] = { mpsadbw, 0 }, [VEC_phminposuw] = { phminposuw, 0 },
	VEC_BOTH(packsswb, pack, 2), VEC_BOTH(packssdw, pack, 4), VEC_BOTH(packuswb, pack, 2 | PACK_UNSIGNED),
	[VEC_packusdw] = { pack, 4 | PACK_UNSIGNED },
	VEC_BOTH(phaddw, horizontal, 2), VEC_BOTH(phaddd, horizontal, 4), VEC_BOTH(phaddsw, horizontal, 2 | HORIZONTAL_SATURATE),
	VEC_BOTH(phsubw, horizontal, 2 | HORIZONTAL_SUB), VEC_BOTH(phsubd, horizontal, 4 | HORIZONTAL_SUB),
	VEC_BOTH(phsubsw, horizontal, 2 | HORIZONTAL_SUB | HORIZONTAL_SATURATE),
	[VEC_pmovsxbw] = { extend, 0x21 | EXTEND_SIGN }, [VEC_pmovsxbd] = { extend, 0x41 | EXTEND_SIGN },
	[VEC_pmovsxbq] = { extend, 0x81 | EXTEND_SIGN }, [VEC_pmovsxwd] = { extend, 0x42 | EXTEND_SIGN },
	[VEC_pmovsxwq] = { extend, 0x82 | EXTEND_SIGN }, [VEC_pmovsxdq] = { extend, 0x84 | EXTEND_SIGN },
	[VEC_pmovzxbw] = { extend, 0x21 }, [VEC_pmovzxbd] = { extend, 0x41 }, [VEC_pmovzxbq] = { extend, 0x81 },
	[VEC_pmovzxwd] = { extend, 0x42 }, [VEC_pmovzxwq] = { extend, 0x82 }, [VEC_pmovzxdq] = { extend, 0x84 },
	PACKED_SHIFT(psllw, 2 | SHIFT_LEFT), PACKED_SHIFT(pslld, 4 | SHIFT_LEFT), PACKED_SHIFT(psllq, 8 | SHIFT_LEFT),
	PACKED_SHIFT(psrlw, 2 | SHIFT_RIGHT), PACKED_SHIFT(psrld, 4 | SHIFT_RIGHT), PACKED_SHIFT(psrlq, 8 | SHIFT_RIGHT),
	PACKED_SHIFT(psraw, 2 | SHIFT_ARITHMETIC), PACKED_SHIFT(psrad, 4 | SHIFT_ARITHMETIC),
	[VEC_psrldq] = { psrldq, 0 }, [VEC_pslldq] = { pslldq, 0 },
	VEC_BOTH(palignr, palignr, 0),
	[VEC_ptest] = { ptest, 0 },
};
