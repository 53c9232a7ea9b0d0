/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX512-FP16's arithmetic, which hardly any host has.  Finite results: all halves are multiples of 2^-24, so that a sum, product
 * or quotient is a fraction of integers, and the right half is found by a search among all of them.  NaNs, infinities, zeros and
 * the flags that come before a result: as single precision has them, which the host's processor has confirmed.
 */
#include <string.h>

#include "base/util.h"
#include "tcg/interp/fma.h"
#include "tcg/interp/half.h"
#include "tests/check_main.h"

typedef unsigned __int128 wide;

enum { SIGN = 0x8000, INFINITE = 0x7c00, QUIET = 0x200, SMALLEST_NORMAL = 0x400 };
enum { NEAREST, DOWN, UP, TRUNCATE };

/* Check writes each assertion down, which is slow where there are millions. */
#define EXPECT(condition, ...) \
	do { \
		if (!(condition)) \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)
#define SAME(a, b) EXPECT((a) == (b), "%s is %llx, not %llx", #a, (unsigned long long)(a), (unsigned long long)(b))

/* ---- the exact result, and its place among the halves ---- */

/* N / D in units of 2^-UNIT, or its square root in those of half as many. */
struct exact {
	bool negative, root;
	wide n, d;
	int unit;
};

/* A finite half's magnitude in units of 2^-24; infinity stands for 2^16. */
static uint64_t
units(unsigned half)
{
	unsigned e = half >> 10 & 31, fraction = half & 0x3ff;

	return e == 0 ? fraction : (uint64_t)(fraction | 0x400) << (e - 1);
}

/* Is P times 2^-26 less than, equal to, or greater than the exact magnitude: -1, 0, 1. */
static int
against(const struct exact *x, uint64_t p)
{
	/* p * 2^-26 against n / d * 2^-unit */
	wide left = x->root ? (wide)p * p * x->d : (wide)p * x->d, right = x->n;
	int shift = x->unit - (x->root ? 52 : 26);

	if (shift >= 0)
		left <<= shift;
	else
		right <<= -shift;
	return left < right ? -1 : left > right;
}

static unsigned
below(const struct exact *x)
{
	unsigned low = 0, high = INFINITE;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (against(x, units(middle) << 2) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static bool
away(const struct exact *x, unsigned mode, int middle, bool odd)
{
	if (mode == NEAREST)
		return middle < 0 || (middle == 0 && odd);
	return mode == (x->negative ? DOWN : UP);
}

/* Does it become the smallest normal number even where there are more bits below that one? */
static bool
rounds_to_normal(const struct exact *x, unsigned mode)
{
	uint64_t smallest = units(SMALLEST_NORMAL) << 2;

	/* The number before it is an odd one: 2^-25 less. */
	return against(x, smallest - 2) < 0 && away(x, mode, against(x, smallest - 1), true);
}

/* The half, and OE, UE, PE; with all exceptions masked. */
static unsigned
rounded(const struct exact *x, unsigned mode, uint32_t *flags)
{
	unsigned low = below(x), r;

	*flags = 0;
	if (against(x, units(low) << 2) == 0)
		return low | (x->negative ? SIGN : 0);
	*flags = MX_PE;
	r = low + away(x, mode, against(x, (units(low) + units(low + 1)) << 1), low & 1);
	if (r == INFINITE || against(x, units(INFINITE) << 2) <= 0) {
		*flags |= MX_OE;
		r = mode == NEAREST || mode == (x->negative ? DOWN : UP) ? INFINITE : INFINITE - 1;
	}
	if (low < SMALLEST_NORMAL && !rounds_to_normal(x, mode))
		*flags |= MX_UE;
	return r | (x->negative ? SIGN : 0);
}

/* ---- random halves ---- */

static uint64_t
random64(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static const uint16_t specials[] = { 0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0xfe12, 0x7c01, 0xfd55, 1, 0x83ff,
	0x0400, 0x7bff, 0xfbff, 0x3555, 0x0200, 0x8001 };

static unsigned
random_half(uint64_t *seed)
{
	uint64_t v = random64(seed);

	/* Of about the same size, so that sums don't vanish. */
	if (v >> 61 == 0)
		return specials[v % ARRAY_SIZE(specials)];
	return v >> 61 < 4 ? (unsigned)(v & 0x8fff) + 0x3800 : (unsigned)(v & 0xffff);
}

static bool
is_finite(unsigned v)
{
	return (v & INFINITE) != INFINITE;
}

static bool
is_zero(unsigned v)
{
	return (v & ~SIGN) == 0;
}

static bool
is_denormal(unsigned v)
{
	return (v & INFINITE) == 0 && !is_zero(v);
}

static struct fp_env
masked(unsigned mode)
{
	return (struct fp_env){ .mxcsr = MX_FLAGS << MX_MASKS | mode << MX_RC_SHIFT };
}

/* ---- finite results ---- */

static const char *const op_names[] = { [FP_ADD] = "add", [FP_SUB] = "sub", [FP_MUL] = "mul", [FP_DIV] = "div", [FP_MIN] = "min",
	[FP_MAX] = "max", [FP_SQRT] = "sqrt" };

static struct exact
signed_sum(__int128 v, int unit)
{
	return (struct exact){ .negative = v < 0, .n = (wide)(v < 0 ? -v : v), .d = 1, .unit = unit };
}

static __int128
value(unsigned half)
{
	return half & SIGN ? -(__int128)units(half & ~SIGN) : (__int128)units(half);
}

static struct exact
exactly(enum fp_op op, unsigned a, unsigned b)
{
	struct exact x = { .negative = (a ^ b) & SIGN, .n = units(a & ~SIGN), .d = units(b & ~SIGN), .unit = 0 };

	switch (op) {
	case FP_ADD:
		return signed_sum(value(a) + value(b), 24);
	case FP_SUB:
		return signed_sum(value(a) - value(b), 24);
	case FP_MUL:
		return signed_sum(value(a) * value(b), 48);
	case FP_DIV:
		return x;
	default:
		return (struct exact){ .root = true, .n = units(b), .d = 1, .unit = 24 };
	}
}

static void
check_value(const char *name, const struct exact *x, unsigned mode, unsigned a, unsigned b, bool denormal, uint64_t r,
	uint32_t raised)
{
	uint32_t flags;
	unsigned expected = rounded(x, mode, &flags);

	flags |= denormal ? MX_DE : 0;
	EXPECT(r == expected && raised == flags, "%s %04x, %04x in mode %u: %04x, flags %02x; expected %04x, %02x", name, a, b, mode,
		(unsigned)r, raised, expected, flags);
}

static const enum fp_op arithmetic[] = { FP_ADD, FP_SUB, FP_MUL, FP_DIV, FP_SQRT };

/* _i: of the operation. */
START_TEST(finite_results)
{
	enum fp_op op = arithmetic[_i];
	uint64_t seed = 1 + (uint64_t)_i;

	for (unsigned n = 0; n < 60000; n++) {
		unsigned a = op == FP_SQRT ? 0 : random_half(&seed), b = op == FP_SQRT ? n & 0x7fff : random_half(&seed);
		unsigned mode = (n / 0x8000 * 2 + n % 2) & 3;
		struct fp_env e = masked(mode);
		struct exact x;
		uint64_t r;

		if (!is_finite(a) || !is_finite(b) || (op == FP_DIV && is_zero(b)))
			continue;
		r = fp_arith(&e, op, 2, a, b);
		x = exactly(op, a, b);
		if (x.n != 0)
			check_value(op_names[op], &x, mode, a, b, is_denormal(a) || is_denormal(b), r, e.raised);
		else
			EXPECT(is_zero((unsigned)r) && !(e.raised & ~MX_DE), "%s %04x, %04x: %04x", op_names[op], a, b, (unsigned)r);
	}
}
END_TEST

START_TEST(fused)
{
	uint64_t seed = 77;

	for (unsigned n = 0; n < 100000; n++) {
		unsigned v[3] = { random_half(&seed), random_half(&seed), random_half(&seed) }, mode = n & 3;
		bool negate = n >> 2 & 1, subtract = n >> 3 & 1;
		struct fp_env e = masked(mode);
		struct exact x;
		uint64_t r;

		if (!is_finite(v[0]) || !is_finite(v[1]) || !is_finite(v[2]))
			continue;
		x = signed_sum(value(v[0]) * value(v[1]) * (negate ? -1 : 1) + value(v[2]) * (1 << 24) * (subtract ? -1 : 1), 48);
		r = fp_fma(&e, 2, v[0], v[1], v[2], negate, subtract);
		if (x.n != 0)
			check_value("fma", &x, mode, v[0], v[1], is_denormal(v[0]) || is_denormal(v[1]) || is_denormal(v[2]), r, e.raised);
		else
			EXPECT(is_zero((unsigned)r), "not as it has to be");
	}
}
END_TEST

/* The nearest half is within what the manual allows. */
START_TEST(reciprocals)
{
	for (unsigned a = 1; a < INFINITE; a++) {
		struct exact x = { .n = 1, .d = units(a), .unit = -24 }, root = { .root = true, .n = 1, .d = units(a), .unit = -24 };
		uint32_t flags;

		SAME(half_reciprocal(a, false), rounded(&x, NEAREST, &flags));
		SAME(half_reciprocal(a | SIGN, false), rounded(&x, NEAREST, &flags) | SIGN);
		SAME(half_reciprocal(a, true), rounded(&root, NEAREST, &flags));
		SAME(half_reciprocal(a | SIGN, true), 0xfe00);
	}
	SAME(half_reciprocal(0, false), INFINITE);
	SAME(half_reciprocal(SIGN, true), INFINITE | SIGN);
	SAME(half_reciprocal(INFINITE, true), 0);
	SAME(half_reciprocal(INFINITE | SIGN, false), SIGN);
	SAME(half_reciprocal(INFINITE | SIGN, true), 0xfe00);
	SAME(half_reciprocal(0x7c01, true), 0x7e01);
}
END_TEST

/* ---- as with single precision ---- */

/* A single of the same kind: a NaN with the same payload, a denormal number, zero, infinity, else the same number. */
static uint64_t
like(unsigned half)
{
	uint64_t sign = (uint64_t)(half & SIGN) << 16;

	if (is_denormal(half))
		return sign | (half & 0x3ff);
	if (is_zero(half))
		return sign;
	if (!is_finite(half))
		return sign | 0x7f800000 | (uint64_t)(half & 0x3ff) << 13;
	return sign | (((uint64_t)(half & 0x7fff) << 13) + (112u << 23));
}

/* Flags found before a result, and the result where it isn't a matter of numbers. */
static void
check_kind(const char *name, const uint16_t *v, uint64_t half, uint32_t half_flags, uint64_t single, uint32_t single_flags)
{
	bool special = (single & 0x7f800000) == 0x7f800000 && !(single_flags & MX_OE);

	EXPECT((half_flags & MX_BEFORE) == (single_flags & MX_BEFORE), "%s %04x %04x %04x: flags %02x, single precision %02x", name,
		v[0], v[1], v[2], half_flags, single_flags);
	if (special)
		EXPECT(half == ((single >> 16 & SIGN) | INFINITE | (single >> 13 & 0x3ff)), "%s %04x %04x %04x: %04x, as a single %08x",
			name, v[0], v[1], v[2], (unsigned)half, (unsigned)single);
	/* An exact zero. */
	if (!special && (single & 0x7fffffff) == 0 && single_flags == 0)
		EXPECT(half == (single >> 16 & SIGN), "%s %04x %04x %04x: %04x, not zero", name, v[0], v[1], v[2], (unsigned)half);
}

START_TEST(kinds_of_two)
{
	for (unsigned n = 0; n < ARRAY_SIZE(specials) * ARRAY_SIZE(specials) * 4; n++) {
		uint16_t v[3] = { specials[n / 4 % ARRAY_SIZE(specials)], specials[n / 4 / ARRAY_SIZE(specials)], 0 };

		for (unsigned op = FP_ADD; op <= FP_SQRT; op++) {
			struct fp_env e = masked(n & 3), f = e;
			uint64_t half = fp_arith(&e, op, 2, v[0], v[1]), single = fp_arith(&f, op, 4, like(v[0]), like(v[1]));

			if (op == FP_MIN || op == FP_MAX)
				EXPECT((half == v[0] || half == v[1]) && single == like((unsigned)half), "not as it has to be");
			check_kind(op_names[op], v, half, e.raised, single, f.raised);
		}
		for (unsigned quiet = 0; quiet < 2; quiet++) {
			struct fp_env e = masked(0), f = e;

			SAME(fp_compare(&e, 2, v[0], v[1], quiet), fp_compare(&f, 4, like(v[0]), like(v[1]), quiet));
			SAME(e.raised, f.raised);
		}
	}
}
END_TEST

START_TEST(kinds_of_three)
{
	enum { N = ARRAY_SIZE(specials) };

	for (unsigned n = 0; n < N * N * N * 2; n++) {
		uint16_t v[3] = { specials[n / 2 % N], specials[n / 2 / N % N], specials[n / 2 / N / N] };
		struct fp_env e = masked(n & 1), f = e;
		uint64_t half = fp_fma(&e, 2, v[0], v[1], v[2], false, false);
		uint64_t single = fp_fma(&f, 4, like(v[0]), like(v[1]), like(v[2]), false, false);

		check_kind("fma", v, half, e.raised, single, f.raised);
	}
}
END_TEST

/* ---- conversions ---- */

/* All halves in all modes, to an integer of _i bits; it is signed if that is odd. */
START_TEST(to_integers)
{
	unsigned bits = (unsigned)_i & ~1u, width = bits / 8;
	bool is_signed = _i & 1;
	__int128 most = is_signed ? ((__int128)1 << (bits - 1)) - 1 : ((__int128)1 << bits) - 1, least = is_signed ? -most - 1 : 0;
	uint64_t all = ~0ull >> (64 - bits);

	for (unsigned n = 0; n < 0x10000 * 5; n++) {
		unsigned a = n & 0xffff, mode = n >> 16;
		struct fp_env e = masked(mode & 3);
		__int128 v = value(a), q = v >> 24, rest = v - q * (1 << 24), half = 1 << 23;
		uint64_t r = is_signed ? fp_to_int(&e, 2, a, width, mode == 4) : fp_to_unsigned(&e, 2, a, width, mode == 4);

		if (mode == NEAREST)
			q += rest > half || (rest == half && q & 1);
		else if (mode == UP || (mode >= TRUNCATE && v < 0))
			q += rest != 0;
		if (!is_finite(a) || q > most || q < least) {
			SAME(e.raised, MX_IE);
			SAME(r, is_signed ? 1ull << (bits - 1) : all);
		} else {
			SAME(e.raised, rest != 0 ? MX_PE : 0);
			SAME(r & all, (uint64_t)q & all);
		}
	}
}
END_TEST

START_TEST(from_integers)
{
	static const uint8_t widths[] = { 2, 4, 8 };
	uint64_t seed = 5;

	for (unsigned n = 0; n < 200000; n++) {
		unsigned width = widths[n % 3], mode = n / 3 & 3;
		uint64_t v = random64(&seed) >> (64 - 8 * width), shifted = v >> random64(&seed) % (8 * width);
		bool is_signed = n & 1, negative = is_signed && shifted >> (8 * width - 1);
		struct exact x = { .negative = negative, .n = negative ? (1ull << (8 * width - 1) << 1) - shifted : shifted, .d = 1 };
		struct fp_env e = masked(mode);
		uint64_t r = is_signed ? fp_from_int(&e, 2, shifted, width) : fp_from_unsigned(&e, 2, shifted, width);

		if (shifted == 0)
			EXPECT(r == 0 && e.raised == 0, "not as it has to be");
		else
			check_value("from integer", &x, mode, (unsigned)(shifted >> 16), (unsigned)(shifted & 0xffff), false, r, e.raised);
	}
}
END_TEST

/* Bit 3:0 of the immediate and all scales, by the value itself. */
START_TEST(integral)
{
	for (unsigned n = 0; n < 0x8000 * 64; n++) {
		unsigned a = (n & 0x7fff) | (n >> 2 & 1) << 15, mode = n >> 15 & 3, scale = n >> 17 & 15;
		struct fp_env e = masked(mode ^ 1);
		uint64_t r, unit = 1ull << (24 - scale);
		__int128 v = value(a), q = v / (__int128)unit, rest = v - q * (__int128)unit;
		bool negative = a & SIGN, grows;

		r = fp_round(&e, 2, a, scale << 4 | mode);
		if (!is_finite(a)) {
			SAME(r, (a & 0x3ff) != 0 ? a | QUIET : a);
			continue;
		}
		rest = rest < 0 ? -rest : rest;
		grows = mode == NEAREST ? rest * 2 > (__int128)unit || (rest * 2 == (__int128)unit && q & 1) :
			mode == (negative ? DOWN : UP) && rest != 0;
		q += grows ? negative ? -1 : 1 : 0;
		EXPECT(value((unsigned)r) == q * (__int128)unit && (r & SIGN) == (a & SIGN), "%04x, %02x: %04x", a, scale << 4 | mode,
			(unsigned)r);
		SAME(e.raised, rest != 0 ? MX_PE : 0);
	}
}
END_TEST

static double
to_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Each half is a single and a double of the same value, and comes back. */
START_TEST(resized)
{
	for (unsigned a = 0; a < 0x10000; a++) {
		struct fp_env e = masked(NEAREST), back = e;
		uint64_t single = half_resize(&e, 2, 4, a), whole = half_resize(&back, 2, 8, a);
		bool signalling = !is_finite(a) && (a & 0x3ff) != 0 && !(a & QUIET), nan = !is_finite(a) && (a & 0x3ff) != 0;
		uint32_t raised = signalling ? MX_IE : is_denormal(a) ? MX_DE : 0;

		SAME(e.raised, raised);
		SAME(back.raised, raised);
		if (is_finite(a))
			EXPECT(to_double(whole) * 0x1p24 == (double)value(a) && fp_resize(&e, 4, single) == whole, "%04x", a);
		back = masked(UP);
		SAME(half_resize(&back, 4, 2, single), nan ? a | QUIET : a);
		SAME(half_resize(&back, 8, 2, whole), nan ? a | QUIET : a);
		SAME(back.raised, 0);
	}
}
END_TEST

/* Singles and doubles around and between halves. */
START_TEST(narrowed)
{
	uint64_t seed = 9;

	for (unsigned n = 0; n < 200000; n++) {
		unsigned size = n & 1 ? 8 : 4, mode = n >> 1 & 3, half = random_half(&seed) & 0x7bff, bits = size == 8 ? 42 : 13;
		uint64_t v, beyond;
		struct fp_env e = masked(mode), exact_env = e;
		struct exact x = { .d = 1 };
		uint64_t r;

		/* Half of them go to a tie, or halfway there. */
		beyond = random64(&seed) & low_bits(bits) & (n & 8 ? ~0ull : 3ull << (bits - 2));
		v = half_resize(&exact_env, 2, size, half) + beyond;
		if (half < 0x10)
			continue;
		x.n = (wide)((v & ((1ull << (size == 8 ? 52 : 23)) - 1)) | 1ull << (size == 8 ? 52 : 23));
		x.unit = (size == 8 ? 52 + 1023 : 23 + 127) - (int)(v >> (size == 8 ? 52 : 23));
		r = half_resize(&e, size, 2, v);
		check_value("narrowed", &x, mode, (unsigned)(v >> 48), (unsigned)(v >> 32), false, r, e.raised);
	}
}
END_TEST

/* Singles' denormals obey MXCSR, halves' don't count. */
START_TEST(denormal_singles)
{
	struct fp_env e = masked(UP), daz = masked(UP);

	daz.mxcsr |= MX_DAZ | MX_FTZ;
	SAME(half_resize(&e, 4, 2, 1), 1);
	SAME(e.raised, MX_DE | MX_UE | MX_PE);
	SAME(half_resize(&daz, 4, 2, 0x80000001), SIGN);
	SAME(daz.raised, 0);
	/* A tiny result stays in spite of FTZ. */
	SAME(half_resize(&daz, 4, 2, 0x33800001), 2);
	SAME(daz.raised, MX_UE | MX_PE);
}
END_TEST

/* Against F16C, which rounds singles the same way. */
START_TEST(as_f16c)
{
	uint64_t seed = 3;

	for (unsigned n = 0; n < 500000; n++) {
		uint32_t v = (uint32_t)random64(&seed);
		struct fp_env e = masked(n & 3), f = e;

		if (n & 4)
			v = (v & 0x87ffffff) | 0x30000000;
		SAME(half_resize(&e, 4, 2, v), fp_to_half(&f, v, 4));
		SAME(e.raised, f.raised);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("half");
	TCase *t = tcase_create("values");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, finite_results, 0, ARRAY_SIZE(arithmetic));
	tcase_add_test(t, fused);
	tcase_add_test(t, reciprocals);
	tcase_add_test(t, kinds_of_two);
	tcase_add_test(t, kinds_of_three);
	tcase_add_loop_test(t, to_integers, 16, 18);
	tcase_add_loop_test(t, to_integers, 32, 34);
	tcase_add_loop_test(t, to_integers, 64, 66);
	tcase_add_test(t, from_integers);
	tcase_add_test(t, integral);
	tcase_add_test(t, resized);
	tcase_add_test(t, narrowed);
	tcase_add_test(t, denormal_singles);
	tcase_add_test(t, as_f16c);
	suite_add_tcase(s, t);
	return run_suite(s);
}
