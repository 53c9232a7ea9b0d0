/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: integer arithmetic and comparisons that AVX2 has not.  SDM volume 2. */
#include "tcg/interp/evex_op.h"

#include "base/util.h"

/* ---- one element out of each source ---- */

static uint64_t
cut(uint64_t v, unsigned bits)
{
	return bits == 64 ? v : v & ((1ull << bits) - 1);
}

static uint64_t
rotate_left(uint64_t v, unsigned bits, unsigned by)
{
	by %= bits;
	return by == 0 ? v : cut(v << by, bits) | v >> (bits - by);
}

enum shift { SHIFT_LEFT, SHIFT_RIGHT, SHIFT_SIGNED, ROTATE_LEFT, ROTATE_RIGHT };

static uint64_t
shifted(enum shift how, unsigned bits, uint64_t v, uint64_t by)
{
	switch (how) {
	case SHIFT_LEFT:
		return by < bits ? v << by : 0;
	case SHIFT_RIGHT:
		return by < bits ? v >> by : 0;
	case SHIFT_SIGNED:
		return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits) >> MIN(by, bits - 1u));
	case ROTATE_LEFT:
		return rotate_left(v, bits, by % bits);
	default:
		return rotate_left(v, bits, bits - by % bits);
	}
}

/* ARG: the way.  The count is the second source's. */
static void
shift_each(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		avx_set_lane(&e->v.r, e->size, n,
			shifted((enum shift)e->v.arg, 8 * e->size, avx_lane(&e->v.a, e->size, n), avx_lane(&e->v.b, e->size, n)));
}

static void
shift_imm(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		avx_set_lane(&e->v.r, e->size, n, shifted((enum shift)e->v.arg, 8 * e->size, avx_lane(&e->v.b, e->size, n), e->v.imm));
}

static void
shift_all(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		avx_set_lane(&e->v.r, e->size, n, shifted((enum shift)e->v.arg, 8 * e->size, avx_lane(&e->v.a, e->size, n), e->v.b.q[0]));
}

/* The upper, or lower, half of two elements side by side that were shifted. */
static uint64_t
double_shift(unsigned bits, bool left, uint64_t high, uint64_t low, unsigned by)
{
	by %= bits;
	if (by == 0)
		return left ? high : low;
	return left ? high << by | low >> (bits - by) : low >> by | high << (bits - by);
}

enum { LEFT = 1, BY_VECTOR = 2 };

/* VPSHLDx, VPSHRDx.  Of the sources the first is where the result begins. */
static void
shift_double(struct evex_op *e)
{
	bool left = e->v.arg & LEFT, vector = e->v.arg & BY_VECTOR;

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t one = avx_lane(vector ? &e->v.c : &e->v.a, e->size, n), two = avx_lane(vector ? &e->v.a : &e->v.b, e->size, n);
		unsigned by = vector ? avx_lane(&e->v.b, e->size, n) % (8 * e->size) : e->v.imm;

		avx_set_lane(&e->v.r, e->size, n, double_shift(8 * e->size, left, left ? one : two, left ? two : one, by));
	}
}

enum { ABSOLUTE, LEADING_ZEROS, POPULATION, MIN_SIGNED, MIN_UNSIGNED, MAX_SIGNED, MAX_UNSIGNED, MULTIPLY };

/* ARG: one of those. */
static void
arith(struct evex_op *e)
{
	unsigned size = e->size;

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t a = avx_lane(&e->v.a, size, n), b = avx_lane(&e->v.b, size, n), r;
		int64_t sa = avx_lane_signed(&e->v.a, size, n), sb = avx_lane_signed(&e->v.b, size, n);

		switch (e->v.arg) {
		case ABSOLUTE:
			r = sb < 0 ? -b : b;
			break;
		case LEADING_ZEROS:
			r = b == 0 ? 8 * size : (unsigned)__builtin_clzll(b) - (64 - 8 * size);
			break;
		case POPULATION:
			r = (unsigned)__builtin_popcountll(b);
			break;
		case MIN_SIGNED:
			r = sa < sb ? a : b;
			break;
		case MIN_UNSIGNED:
			r = a < b ? a : b;
			break;
		case MAX_SIGNED:
			r = sa > sb ? a : b;
			break;
		case MAX_UNSIGNED:
			r = a > b ? a : b;
			break;
		default:
			r = a * b;
		}
		avx_set_lane(&e->v.r, size, n, r);
	}
}

/* Which elements before it are equal to it. */
static void
conflict(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		uint64_t r = 0;

		for (unsigned k = 0; k < n; k++)
			r |= (uint64_t)(avx_lane(&e->v.b, e->size, k) == avx_lane(&e->v.b, e->size, n)) << k;
		avx_set_lane(&e->v.r, e->size, n, r);
	}
}

/* VP2INTERSECTx: which elements of the first source are in the second one, and which of the second in the first.  ARG: their size. */
static void
intersect(struct evex_op *e)
{
	unsigned size = e->v.arg, count = e->v.bytes / size;

	for (unsigned n = 0; n < count; n++)
		for (unsigned k = 0; k < count; k++)
			if (avx_lane(&e->v.a, size, n) == avx_lane(&e->v.b, size, k)) {
				e->v.r.q[0] |= 1ull << n;
				e->v.r.q[1] |= 1ull << k;
			}
}

/* The immediate is a table of eight bits, by a bit of each source. */
static void
ternary(struct evex_op *e)
{
	for (unsigned n = 0; n < e->v.bytes / 8; n++) {
		uint64_t a = e->v.c.q[n], b = e->v.a.q[n], c = e->v.b.q[n], r = 0;

		for (unsigned k = 0; k < 8; k++)
			if (e->v.imm >> k & 1)
				r |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
		e->v.r.q[n] = r;
	}
}

/* ---- comparisons into a mask ---- */

static bool
holds(unsigned predicate, bool less, bool equal)
{
	switch (predicate) {
	case 0:
		return equal;
	case 1:
		return less;
	case 2:
		return less || equal;
	case 3:
		return false;
	default:
		return !holds(predicate & 3, less, equal);
	}
}

enum { IS_SIGNED = 1, FIXED = 2, FIXED_SHIFT = 2 };

/* VPCMPx; ARG: signed, and a predicate that takes the place of the immediate. */
static void
compare(struct evex_op *e)
{
	unsigned predicate = e->v.arg & FIXED ? e->v.arg >> FIXED_SHIFT : e->v.imm & 7;

	for (unsigned n = 0; n < e->count; n++) {
		uint64_t a = avx_lane(&e->v.a, e->size, n), b = avx_lane(&e->v.b, e->size, n);
		bool less = e->v.arg & IS_SIGNED ? avx_lane_signed(&e->v.a, e->size, n) < avx_lane_signed(&e->v.b, e->size, n) : a < b;

		e->v.r.q[0] |= (uint64_t)holds(predicate, less, a == b) << n;
	}
}

/* VPTESTMx, VPTESTNMx; ARG: none in common. */
static void
test(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		bool none = (avx_lane(&e->v.a, e->size, n) & avx_lane(&e->v.b, e->size, n)) == 0;

		e->v.r.q[0] |= (uint64_t)(none == (e->v.arg != 0)) << n;
	}
}

/* VPSHUFBITQMB: each byte names a bit of its quadword. */
static void
shuffle_bits(struct evex_op *e)
{
	for (unsigned n = 0; n < e->v.bytes; n++)
		e->v.r.q[0] |= (e->v.a.q[n / 8] >> (e->v.b.b[n] & 63) & 1) << n;
}

/* VPMULTISHIFTQB: eight bits of the second source, from where each byte of the first says. */
static void
multishift(struct evex_op *e)
{
	for (unsigned n = 0; n < e->v.bytes; n++)
		e->v.r.b[n] = (uint8_t)rotate_left(e->v.b.q[n / 8], 64, 64 - (e->v.a.b[n] & 63));
}

/* ---- sums of products ---- */

/* VDBPSADBW: four bytes of the first source against four of the second, which the immediate has shuffled. */
static void
sad(struct evex_op *e)
{
	union vec512 t;

	for (unsigned n = 0; n < e->v.bytes / 4; n++)
		t.d[n] = e->v.b.d[(n & ~3u) + (e->v.imm >> 2 * (n & 3) & 3)];
	for (unsigned n = 0; n < e->v.bytes / 2; n++) {
		/* Of eight bytes the sums begin at 0 and 4 in the first source, at 0 to 3 in the second. */
		unsigned a = (n & ~3u) * 2 + (n & 2) * 2, b = (n & ~3u) * 2 + (n & 3), sum = 0;

		for (unsigned k = 0; k < 4; k++)
			sum += e->v.a.b[a + k] > t.b[b + k] ? e->v.a.b[a + k] - t.b[b + k] : t.b[b + k] - e->v.a.b[a + k];
		e->v.r.w[n] = (uint16_t)sum;
	}
}

enum { OF_WORDS = 1, SATURATE = 2 };

/* VPDPxSSDx: products of words, or of unsigned with signed bytes, added to the destination. */
static void
dot(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		int64_t sum = (int32_t)e->v.c.d[n];

		for (unsigned k = 0; k < (e->v.arg & OF_WORDS ? 2u : 4u); k++)
			sum += e->v.arg & OF_WORDS ? (int64_t)avx_lane_signed(&e->v.a, 2, 2 * n + k) * avx_lane_signed(&e->v.b, 2, 2 * n + k) :
						     (int64_t)e->v.a.b[4 * n + k] * avx_lane_signed(&e->v.b, 1, 4 * n + k);
		if (e->v.arg & SATURATE)
			sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
		e->v.r.d[n] = (uint32_t)sum;
	}
}

/* VPMADD52x; ARG: the upper half of the product of 52 bits. */
static void
multiply_52(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++) {
		unsigned __int128 product = (unsigned __int128)cut(e->v.a.q[n], 52) * cut(e->v.b.q[n], 52);

		e->v.r.q[n] = e->v.c.q[n] + cut((uint64_t)(product >> (e->v.arg ? 52 : 0)), 52);
	}
}

#define DQ(name, fn, arg) [EVEX_ROW_##name##d] = { fn, arg }, [EVEX_ROW_##name##q] = { fn, arg }
#define WDQ(name, fn, arg) [EVEX_ROW_##name##w] = { fn, arg }, DQ(name, fn, arg)
#define BWDQ(name, fn, arg) [EVEX_ROW_##name##b] = { fn, arg }, WDQ(name, fn, arg)
#define IS(predicate) (FIXED | IS_SIGNED | (predicate) << FIXED_SHIFT)

const struct evex_impl evex_int_ops[EVEX_ROWS] = {
	[EVEX_ROW_vpsrlvw] = { shift_each, SHIFT_RIGHT }, [EVEX_ROW_vpsllvw] = { shift_each, SHIFT_LEFT },
	[EVEX_ROW_vpsravw] = { shift_each, SHIFT_SIGNED }, [EVEX_ROW_vpsravq] = { shift_each, SHIFT_SIGNED },
	[EVEX_ROW_vprolvd] = { shift_each, ROTATE_LEFT }, [EVEX_ROW_vprolvq] = { shift_each, ROTATE_LEFT },
	[EVEX_ROW_vprorvd] = { shift_each, ROTATE_RIGHT }, [EVEX_ROW_vprorvq] = { shift_each, ROTATE_RIGHT },
	[EVEX_ROW_vprold_imm] = { shift_imm, ROTATE_LEFT }, [EVEX_ROW_vprolq_imm] = { shift_imm, ROTATE_LEFT },
	[EVEX_ROW_vprord_imm] = { shift_imm, ROTATE_RIGHT }, [EVEX_ROW_vprorq_imm] = { shift_imm, ROTATE_RIGHT },
	[EVEX_ROW_vpsraq_imm] = { shift_imm, SHIFT_SIGNED }, [EVEX_ROW_vpsraq] = { shift_all, SHIFT_SIGNED },
	WDQ(vpshld, shift_double, LEFT), WDQ(vpshldv, shift_double, LEFT | BY_VECTOR), WDQ(vpshrd, shift_double, 0),
	WDQ(vpshrdv, shift_double, BY_VECTOR),
	[EVEX_ROW_vpabsq] = { arith, ABSOLUTE }, DQ(vplzcnt, arith, LEADING_ZEROS), BWDQ(vpopcnt, arith, POPULATION),
	[EVEX_ROW_vpminsq] = { arith, MIN_SIGNED }, [EVEX_ROW_vpminuq] = { arith, MIN_UNSIGNED },
	[EVEX_ROW_vpmaxsq] = { arith, MAX_SIGNED }, [EVEX_ROW_vpmaxuq] = { arith, MAX_UNSIGNED }, [EVEX_ROW_vpmullq] = { arith, MULTIPLY },
	[EVEX_ROW_vp2intersectd] = { intersect, 4 }, [EVEX_ROW_vp2intersectq] = { intersect, 8 },
	DQ(vpconflict, conflict, 0), DQ(vpternlog, ternary, 0),
	BWDQ(vpcmp, compare, IS_SIGNED), BWDQ(vpcmpu, compare, 0), BWDQ(vpcmpeq, compare, IS(0)), BWDQ(vpcmpgt, compare, IS(6)),
	BWDQ(vptestm, test, 0), BWDQ(vptestnm, test, 1),
	[EVEX_ROW_vpshufbitqmb] = { shuffle_bits, 0 }, [EVEX_ROW_vpmultishiftqb] = { multishift, 0 }, [EVEX_ROW_vdbpsadbw] = { sad, 0 },
	[EVEX_ROW_vpdpbusd] = { dot, 0 }, [EVEX_ROW_vpdpbusds] = { dot, SATURATE }, [EVEX_ROW_vpdpwssd] = { dot, OF_WORDS },
	[EVEX_ROW_vpdpwssds] = { dot, OF_WORDS | SATURATE },
	[EVEX_ROW_vpmadd52luq] = { multiply_52, 0 }, [EVEX_ROW_vpmadd52huq] = { multiply_52, 1 },
};
