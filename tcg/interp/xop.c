/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XOP, of some of AMD's processors: AMD64 APM volumes 4 and 6. */
#include "tcg/interp/avx_op.h"

#include "base/util.h"

/* In ARG: bytes of a source's element, of the result's; and what differs. */
#define TO(bytes) ((bytes) << 4)
enum { SATURATES = 0x100, ODD = 0x200, PAIRS = 0x400, UNSIGNED = 0x800, SUBTRACTS = 0x1000, ARITHMETIC = 0x2000 };

static int64_t
lane_signed(const union vec512 *v, unsigned size, unsigned n)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(avx_lane(v, size, n) << shift) >> shift;
}

/* ---- sums ---- */

static __int128
clamp(__int128 v, unsigned size)
{
	__int128 limit = (__int128)1 << (8 * size - 1);

	return v >= limit ? limit - 1 : v < -limit ? -limit : v;
}

/* VPMACS..., VPMADCS...: of all elements, of every other one, or of both of a pair. */
static void
multiply_accumulate(struct avx_op *o)
{
	unsigned from = o->arg & 15, to = o->arg >> 4 & 15;

	for (unsigned n = 0; n < 16 / to; n++) {
		unsigned at = n * (to / from) + (o->arg & ODD ? 1 : 0);
		__int128 sum = lane_signed(&o->c, to, n) + (__int128)lane_signed(&o->a, from, at) * lane_signed(&o->b, from, at);

		if (o->arg & PAIRS)
			sum += lane_signed(&o->a, from, at + 1) * lane_signed(&o->b, from, at + 1);
		avx_set_lane(&o->r, to, n, (uint64_t)(o->arg & SATURATES ? clamp(sum, to) : sum));
	}
}

/* VPHADD..., VPHSUB...: of the elements that a wider one is made of. */
static void
horizontal(struct avx_op *o)
{
	unsigned from = o->arg & 15, to = o->arg >> 4 & 15, count = to / from;

	for (unsigned n = 0; n < 16 / to; n++) {
		uint64_t sum = 0;

		for (unsigned k = 0; k < count; k++) {
			uint64_t v = o->arg & UNSIGNED ? avx_lane(&o->b, from, n * count + k) : (uint64_t)lane_signed(&o->b, from, n * count + k);

			sum += k != 0 && o->arg & SUBTRACTS ? -v : v;
		}
		avx_set_lane(&o->r, to, n, sum);
	}
}

/* ---- comparisons ---- */

static void
compare(struct avx_op *o)
{
	/* Which of less, equal, greater each predicate holds for. */
	static const uint8_t predicates[8] = { 1, 3, 4, 6, 2, 5, 0, 7 };
	unsigned size = o->arg & 15;

	for (unsigned n = 0; n < 16 / size; n++) {
		uint64_t a = avx_lane(&o->a, size, n), b = avx_lane(&o->b, size, n);
		bool less = o->arg & UNSIGNED ? a < b : lane_signed(&o->a, size, n) < lane_signed(&o->b, size, n);
		unsigned order = a == b ? 2 : less ? 1 : 4;

		avx_set_lane(&o->r, size, n, predicates[o->imm & 7] & order ? ~0ull : 0);
	}
}

/* ---- rotations and shifts ---- */

/* To the left by a signed count, the immediate or the low byte of each element: modulo the width. */
static void
rotate(struct avx_op *o)
{
	unsigned size = o->arg, bits = 8 * size;

	for (unsigned n = 0; n < 16 / size; n++) {
		unsigned count = (o->row->flags & VEC_IMM8 ? o->imm : o->b.b[n * size]) & (bits - 1);
		uint64_t v = avx_lane(&o->a, size, n);

		avx_set_lane(&o->r, size, n, v << count | v >> (-count & (bits - 1)));
	}
}

/* To the left, or by a negative count to the right; further than the width, nothing or the sign is left. */
static void
shift(struct avx_op *o)
{
	unsigned size = o->arg & 15, bits = 8 * size;

	for (unsigned n = 0; n < 16 / size; n++) {
		int count = (int8_t)o->b.b[n * size];
		unsigned distance = count < 0 ? (unsigned)-count : (unsigned)count;
		uint64_t v = avx_lane(&o->a, size, n);

		if (count < 0 && o->arg & ARITHMETIC)
			v = (uint64_t)(lane_signed(&o->a, size, n) >> MIN(distance, 63u));
		else if (distance >= bits)
			v = 0;
		else
			v = count < 0 ? v >> distance : v << distance;
		avx_set_lane(&o->r, size, n, v);
	}
}

/* ---- selections ---- */

static void
select_bits(struct avx_op *o)
{
	for (unsigned n = 0; n < o->bytes / 8; n++)
		o->r.q[n] = (o->a.q[n] & o->c.q[n]) | (o->b.q[n] & ~o->c.q[n]);
}

static uint8_t
reversed(uint8_t v)
{
	uint8_t r = 0;

	for (unsigned n = 0; n < 8; n++)
		r |= (v >> n & 1) << (7 - n);
	return r;
}

/* What the upper three bits of a selector make of a byte. */
static uint8_t
transformed(unsigned how, uint8_t v)
{
	if (how & 1)
		v = (uint8_t)~v;
	switch (how >> 1) {
	case 0:
		return v;
	case 1:
		return reversed(v);
	case 2:
		return how & 1 ? 0xff : 0;
	default:
		return v & 0x80 ? 0xff : 0;
	}
}

static void
permute_bytes(struct avx_op *o)
{
	for (unsigned n = 0; n < 16; n++) {
		unsigned control = o->c.b[n];

		o->r.b[n] = transformed(control >> 5, (control & 0x10 ? &o->b : &o->a)->b[control & 15]);
	}
}

/* VPERMIL2: of two sources, and 0 where the selector's bit 3 is as the immediate asks for.  ARG: size of an element. */
static void
permute_two(struct avx_op *o)
{
	unsigned size = o->arg, count = 16 / size;

	for (unsigned n = 0; n < o->bytes / size; n++) {
		unsigned control = (unsigned)avx_lane(&o->c, size, n), from = size == 8 ? control >> 1 & 1 : control & 3;
		bool zero = o->imm & 2 && (control >> 3 & 1) != (o->imm & 1);

		if (!zero)
			avx_set_lane(&o->r, size, n, avx_lane(control & 4 ? &o->b : &o->a, size, n / count * count + from));
	}
}

/* ---- fractions ---- */

enum { SCALAR = 0x10, TRUNCATE = 3, NO_INEXACT = 8 };

/* What is left of a number without its integral part; the rest of the register is cleared. */
static void
fraction(struct avx_op *o)
{
	unsigned size = o->arg & 15;

	for (unsigned n = 0; n < (o->arg & SCALAR ? 1 : o->bytes / size); n++) {
		struct fp_env silent = { .mxcsr = o->env.mxcsr };
		uint64_t v = avx_lane(&o->b, size, n), integral = fp_round(&silent, size, v, TRUNCATE | NO_INEXACT);

		avx_set_lane(&o->r, size, n, fp_arith(&o->env, FP_SUB, size, v, integral));
	}
}

#define EITHER(name, fn, arg) [AVX_ROW_##name] = { fn, arg }, [AVX_ROW_##name##_w1] = { fn, arg }
#define SIZES(name, fn, arg) EITHER(name##b, fn, (arg) | 1), EITHER(name##w, fn, (arg) | 2), EITHER(name##d, fn, (arg) | 4), \
	EITHER(name##q, fn, (arg) | 8)

const struct avx_impl avx_xop_ops[AVX_ROWS] = {
	EITHER(vpermil2ps, permute_two, 4), EITHER(vpermil2pd, permute_two, 8),
	[AVX_ROW_vpmacssww] = { multiply_accumulate, 2 | TO(2) | SATURATES },
	[AVX_ROW_vpmacsswd] = { multiply_accumulate, 2 | TO(4) | ODD | SATURATES },
	[AVX_ROW_vpmacssdql] = { multiply_accumulate, 4 | TO(8) | SATURATES },
	[AVX_ROW_vpmacssdd] = { multiply_accumulate, 4 | TO(4) | SATURATES },
	[AVX_ROW_vpmacssdqh] = { multiply_accumulate, 4 | TO(8) | ODD | SATURATES },
	[AVX_ROW_vpmacsww] = { multiply_accumulate, 2 | TO(2) }, [AVX_ROW_vpmacswd] = { multiply_accumulate, 2 | TO(4) | ODD },
	[AVX_ROW_vpmacsdql] = { multiply_accumulate, 4 | TO(8) }, [AVX_ROW_vpmacsdd] = { multiply_accumulate, 4 | TO(4) },
	[AVX_ROW_vpmacsdqh] = { multiply_accumulate, 4 | TO(8) | ODD },
	[AVX_ROW_vpmadcsswd] = { multiply_accumulate, 2 | TO(4) | PAIRS | SATURATES },
	[AVX_ROW_vpmadcswd] = { multiply_accumulate, 2 | TO(4) | PAIRS },
	EITHER(vpcmov, select_bits, 0), EITHER(vpperm, permute_bytes, 0),
	[AVX_ROW_vprotb_imm] = { rotate, 1 }, [AVX_ROW_vprotw_imm] = { rotate, 2 }, [AVX_ROW_vprotd_imm] = { rotate, 4 },
	[AVX_ROW_vprotq_imm] = { rotate, 8 },
	[AVX_ROW_vpcomb] = { compare, 1 }, [AVX_ROW_vpcomw] = { compare, 2 }, [AVX_ROW_vpcomd] = { compare, 4 },
	[AVX_ROW_vpcomq] = { compare, 8 }, [AVX_ROW_vpcomub] = { compare, 1 | UNSIGNED }, [AVX_ROW_vpcomuw] = { compare, 2 | UNSIGNED },
	[AVX_ROW_vpcomud] = { compare, 4 | UNSIGNED }, [AVX_ROW_vpcomuq] = { compare, 8 | UNSIGNED },
	[AVX_ROW_vfrczps] = { fraction, 4 }, [AVX_ROW_vfrczpd] = { fraction, 8 }, [AVX_ROW_vfrczss] = { fraction, 4 | SCALAR },
	[AVX_ROW_vfrczsd] = { fraction, 8 | SCALAR },
	SIZES(vprot, rotate, 0), SIZES(vpshl, shift, 0), SIZES(vpsha, shift, ARITHMETIC),
	[AVX_ROW_vphaddbw] = { horizontal, 1 | TO(2) }, [AVX_ROW_vphaddbd] = { horizontal, 1 | TO(4) },
	[AVX_ROW_vphaddbq] = { horizontal, 1 | TO(8) }, [AVX_ROW_vphaddwd] = { horizontal, 2 | TO(4) },
	[AVX_ROW_vphaddwq] = { horizontal, 2 | TO(8) }, [AVX_ROW_vphadddq] = { horizontal, 4 | TO(8) },
	[AVX_ROW_vphaddubw] = { horizontal, 1 | TO(2) | UNSIGNED }, [AVX_ROW_vphaddubd] = { horizontal, 1 | TO(4) | UNSIGNED },
	[AVX_ROW_vphaddubq] = { horizontal, 1 | TO(8) | UNSIGNED }, [AVX_ROW_vphadduwd] = { horizontal, 2 | TO(4) | UNSIGNED },
	[AVX_ROW_vphadduwq] = { horizontal, 2 | TO(8) | UNSIGNED }, [AVX_ROW_vphaddudq] = { horizontal, 4 | TO(8) | UNSIGNED },
	[AVX_ROW_vphsubbw] = { horizontal, 1 | TO(2) | SUBTRACTS }, [AVX_ROW_vphsubwd] = { horizontal, 2 | TO(4) | SUBTRACTS },
	[AVX_ROW_vphsubdq] = { horizontal, 4 | TO(8) | SUBTRACTS },
};
