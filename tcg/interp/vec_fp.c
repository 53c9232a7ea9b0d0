/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IEEE arithmetic on one element by the host's own SSE unit, under the guest's rounding mode and denormal handling.  This is the
 * only file about vectors that needs an x86 host: another one gets arithmetic in software behind the same header.
 */
#include "tcg/interp/half.h"
#include "tcg/interp/ieee.h"

#include <string.h>

#ifndef __x86_64__
#error "vec_fp.h has no implementation for this host yet"
#endif

static bool
underflow_unmasked(const struct fp_env *e)
{
	return !(e->mxcsr & MX_UE << MX_MASKS);
}

/* What the host computes under.  Flush-to-zero counts with underflow masked only. */
static uint32_t
control(const struct fp_env *e)
{
	uint32_t c = (e->mxcsr & (MX_RC | MX_DAZ | MX_FTZ)) | MX_FLAGS << MX_MASKS;

	return underflow_unmasked(e) ? c & ~MX_FTZ : c;
}

/* INSN with the guest's control bits: [r] is read and written, [s] is the source.  MX: guest's, afterwards, the host's. */
#define UNDER(e, insn, out, in) \
	do { \
		uint32_t mx[3] = { control(e) }; \
		__asm__ volatile("stmxcsr 8+%[mx]\n\tldmxcsr %[mx]\n\t" insn "\n\tstmxcsr 4+%[mx]\n\tldmxcsr 8+%[mx]" \
				 : [mx] "+o"(mx), out : [s] in : "cc"); \
		(e)->raised |= mx[1] & MX_FLAGS; \
	} while (0)

static float
to_float(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float v;

	memcpy(&v, &low, sizeof v);
	return v;
}

static uint64_t
from_float(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static double
to_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

static uint64_t
from_double(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

/*
 * Is X op Y, rounded to the precision of SIZE but without a bound to its exponent, inexact?  The x87 has such numbers: its
 * precision control rounds the fraction alone.  The guest's x87 state may be in there, so what is there stays.
 */
static bool
inexact_unbounded(const struct fp_env *e, enum fp_op op, unsigned size, double x, double y)
{
	uint16_t control = (uint16_t)(0x7f | (size == 8 ? 0x200 : 0) | (e->mxcsr & MX_RC) >> MX_RC_SHIFT << 10), status;
	uint8_t saved[108];

#define ON_X87(insn) \
	__asm__ volatile("fnsave %[saved]\n\tfldcw %[control]\n\tfldl %[x]\n\tfldl %[y]\n\t" insn "\n\t" \
			 "fnstsw %[status]\n\tfrstor %[saved]" \
			 : [status] "=a"(status), [saved] "=&m"(saved) \
			 : [control] "m"(control), [x] "m"(x), [y] "m"(y) \
			 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")
	if (op == FP_ADD)
		ON_X87("faddp");
	else if (op == FP_SUB)
		ON_X87("fsubrp");
	else if (op == FP_MUL)
		ON_X87("fmulp");
	else
		ON_X87("fdivrp");
#undef ON_X87
	return status & MX_PE;
}

/*
 * What an unmasked underflow or overflow changes: underflow is raised for an exact tiny result too, and inexact is about the
 * result with an unbounded exponent.  The host with its masks tells neither.  R is X op Y, RAISED by it.
 */
static uint32_t
adjust_unmasked(const struct fp_env *e, enum fp_op op, unsigned size, double x, double y, uint64_t r, uint32_t raised)
{
	if (underflow_unmasked(e) && fp_is_denormal(fp_format_of(size), r))
		raised |= MX_UE;
	if (!(raised & ~(e->mxcsr >> MX_MASKS) & (MX_UE | MX_OE)))
		return raised;
	return (raised & ~MX_PE) | (inexact_unbounded(e, op, size, x, y) ? MX_PE : 0);
}

#define SINGLE(insn) UNDER(e, insn " %[s], %[r]", [r] "+x"(x), "x"(y))

static uint64_t
arith_single(struct fp_env *e, enum fp_op op, float x, float y)
{
	switch (op) {
	case FP_ADD:
		SINGLE("addss");
		break;
	case FP_SUB:
		SINGLE("subss");
		break;
	case FP_MUL:
		SINGLE("mulss");
		break;
	case FP_DIV:
		SINGLE("divss");
		break;
	case FP_MIN:
		SINGLE("minss");
		break;
	case FP_MAX:
		SINGLE("maxss");
		break;
	case FP_SQRT:
		SINGLE("sqrtss");
		break;
	case FP_RCP:
		SINGLE("rcpss");
		break;
	case FP_RSQRT:
		SINGLE("rsqrtss");
		break;
	}
	return from_float(x);
}

static uint64_t
arith_double(struct fp_env *e, enum fp_op op, double x, double y)
{
	switch (op) {
	case FP_ADD:
		SINGLE("addsd");
		break;
	case FP_SUB:
		SINGLE("subsd");
		break;
	case FP_MUL:
		SINGLE("mulsd");
		break;
	case FP_DIV:
		SINGLE("divsd");
		break;
	case FP_MIN:
		SINGLE("minsd");
		break;
	case FP_MAX:
		SINGLE("maxsd");
		break;
	default:
		SINGLE("sqrtsd");
		break;
	}
	return from_double(x);
}

uint64_t
fp_arith(struct fp_env *e, enum fp_op op, unsigned size, uint64_t a, uint64_t b)
{
	struct fp_env one = { .mxcsr = e->mxcsr };
	double x = size == 4 ? to_float(a) : to_double(a), y = size == 4 ? to_float(b) : to_double(b);
	uint64_t r;

	if (size == 2)
		return half_arith(e, op, a, b);
	r = size == 4 ? arith_single(&one, op, to_float(a), to_float(b)) : arith_double(&one, op, x, y);
	e->raised |= op <= FP_DIV ? adjust_unmasked(e, op, size, x, y, r, one.raised) : one.raised;
	return r;
}

enum fp_order
fp_compare(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, bool quiet)
{
	float fx = to_float(a), fy = to_float(b);
	double dx = to_double(a), dy = to_double(b);
	uint32_t mx[3] = { control(e) };
	unsigned char parity, below, zero;

	if (size == 2)
		return half_compare(e, a, b, quiet);

#define ORDER(insn, x, y) \
	__asm__ volatile("stmxcsr 8+%[mx]\n\tldmxcsr %[mx]\n\t" insn " %[y_], %[x_]\n\t" \
			 "setp %[p]\n\tsetb %[c]\n\tsetz %[z]\n\tstmxcsr 4+%[mx]\n\tldmxcsr 8+%[mx]" \
			 : [mx] "+o"(mx), [p] "=&q"(parity), [c] "=&q"(below), [z] "=&q"(zero) \
			 : [x_] "x"(x), [y_] "x"(y) \
			 : "cc")
	if (size == 4 && quiet)
		ORDER("ucomiss", fx, fy);
	else if (size == 4)
		ORDER("comiss", fx, fy);
	else if (quiet)
		ORDER("ucomisd", dx, dy);
	else
		ORDER("comisd", dx, dy);
#undef ORDER
	e->raised |= mx[1] & MX_FLAGS;
	if (parity)
		return FP_UNORDERED;
	return zero ? FP_EQUAL : below ? FP_LESS : FP_GREATER;
}

uint64_t
fp_resize(struct fp_env *e, unsigned size, uint64_t a)
{
	struct fp_env one = { .mxcsr = e->mxcsr };
	float single = to_float(a);
	double wide = to_double(a);

	if (size == 4) {
		UNDER(e, "cvtss2sd %[s], %[r]", [r] "=&x"(wide), "x"(single));
		return from_double(wide);
	}
	UNDER(&one, "cvtsd2ss %[s], %[r]", [r] "=&x"(single), "x"(wide));
	e->raised |= adjust_unmasked(e, FP_ADD, 4, wide, 0, from_float(single), one.raised);
	return from_float(single);
}

static uint64_t
single_to_int(struct fp_env *e, float v, unsigned width, bool truncate)
{
	uint64_t r;

	if (width == 8 && truncate)
		UNDER(e, "cvttss2si %[s], %q[r]", [r] "=&r"(r), "x"(v));
	else if (width == 8)
		UNDER(e, "cvtss2si %[s], %q[r]", [r] "=&r"(r), "x"(v));
	else if (truncate)
		UNDER(e, "cvttss2si %[s], %k[r]", [r] "=&r"(r), "x"(v));
	else
		UNDER(e, "cvtss2si %[s], %k[r]", [r] "=&r"(r), "x"(v));
	return r;
}

static uint64_t
double_to_int(struct fp_env *e, double v, unsigned width, bool truncate)
{
	uint64_t r;

	if (width == 8 && truncate)
		UNDER(e, "cvttsd2si %[s], %q[r]", [r] "=&r"(r), "x"(v));
	else if (width == 8)
		UNDER(e, "cvtsd2si %[s], %q[r]", [r] "=&r"(r), "x"(v));
	else if (truncate)
		UNDER(e, "cvttsd2si %[s], %k[r]", [r] "=&r"(r), "x"(v));
	else
		UNDER(e, "cvtsd2si %[s], %k[r]", [r] "=&r"(r), "x"(v));
	return r;
}

uint64_t
fp_to_int(struct fp_env *e, unsigned size, uint64_t a, unsigned width, bool truncate)
{
	if (size == 2)
		return half_to_int(e, a, width, truncate, true);
	return size == 4 ? single_to_int(e, to_float(a), width, truncate) : double_to_int(e, to_double(a), width, truncate);
}

uint64_t
fp_from_int(struct fp_env *e, unsigned size, uint64_t v, unsigned width)
{
	int64_t wide = width == 4 ? (int32_t)v : (int64_t)v;
	float single = 0;
	double r = 0;

	if (size == 2)
		return half_from_int(e, v, width, true);
	if (size == 4) {
		UNDER(e, "cvtsi2ssq %[s], %[r]", [r] "+x"(single), "r"(wide));
		return from_float(single);
	}
	UNDER(e, "cvtsi2sdq %[s], %[r]", [r] "+x"(r), "r"(wide));
	return from_double(r);
}

uint64_t
fp_to_unsigned(struct fp_env *e, unsigned size, uint64_t a, unsigned width, bool truncate)
{
	unsigned bits = size == 4 ? 23 : 52;
	int special = size == 4 ? 0xff : 0x7ff, exponent;
	struct fp_env one = { .mxcsr = e->mxcsr };
	uint64_t v = fp_round(&one, size, a, truncate ? 3 : 4), mantissa = (v & ((1ull << bits) - 1)) | 1ull << bits;
	bool negative = v >> (8 * size - 1);

	if (size == 2)
		return half_to_int(e, a, width, truncate, false);
	if (v << (64 - 8 * size + 1) == 0) {
		e->raised |= one.raised;
		return 0;
	}
	exponent = ((int)(v >> bits) & special) - (special >> 1);
	if (negative || exponent >= (int)(8 * width)) {
		e->raised |= MX_IE;
		return width == 8 ? ~0ull : 0xffffffff;
	}
	e->raised |= one.raised;
	return exponent >= (int)bits ? mantissa << (exponent - (int)bits) : mantissa >> ((int)bits - exponent);
}

uint64_t
fp_from_unsigned(struct fp_env *e, unsigned size, uint64_t v, unsigned width)
{
	unsigned bits = size == 4 ? 23 : 52;

	if (size == 2)
		return half_from_int(e, v, width, false);
	if (width == 4)
		v = (uint32_t)v;
	if (!(v >> 63))
		return fp_from_int(e, size, v, 8);
	/* Half of it, whose lowest bit remembers the one that is lost; twice that has an exponent of one more. */
	return fp_from_int(e, size, v >> 1 | (v & 1), 8) + (1ull << bits);
}

/* ---- rounding to an integral value ---- */

/* Is a magnitude, whose cut-off part LOW stands against HALF, to be increased? */
static bool
rounds_up(unsigned mode, bool negative, uint64_t low, uint64_t half, bool odd)
{
	switch (mode) {
	case FP_NEAREST:
		return low > half || (low == half && odd);
	case FP_DOWN:
		return negative;
	case FP_UP:
		return !negative;
	default:
		return false;
	}
}

uint64_t
fp_round(struct fp_env *e, unsigned size, uint64_t a, unsigned imm)
{
	unsigned bits = size == 4 ? 23 : 52, mode = imm & 4 ? (e->mxcsr & MX_RC) >> MX_RC_SHIFT : imm & 3;
	int special = size == 4 ? 0xff : 0x7ff, bias = (special >> 1) - (int)(imm >> 4 & 15), exponent = (int)(a >> bits) & special;
	uint64_t one = 1ull << bits, fraction = a & (one - 1), sign = a & 1ull << (8 * size - 1), low, half, rest;
	bool odd = false;

	if (size == 2)
		return half_round(e, a, imm);
	if (exponent == special) {
		if (fraction != 0 && !(fraction & one >> 1))
			e->raised |= MX_IE;
		return fraction != 0 ? a | one >> 1 : a;
	}
	if (exponent == 0 && (fraction == 0 || e->mxcsr & MX_DAZ))
		return sign;
	if (exponent >= bias + (int)bits)
		return a;
	if (exponent < bias) {
		/* Below one, or the last bit that stays: compared with one half of it by the bits themselves. */
		low = a ^ sign;
		half = (uint64_t)(bias - 1) << bits;
		rest = sign;
	} else {
		unsigned cut = bits - (unsigned)(exponent - bias);

		low = a & ((1ull << cut) - 1);
		half = 1ull << (cut - 1);
		rest = a - low;
		one = 1ull << cut;
		odd = cut == bits ? true : rest >> cut & 1;
		if (low == 0)
			return a;
	}
	if (!(imm & 8))
		e->raised |= MX_PE;
	if (!rounds_up(mode, sign != 0, low, half, odd))
		return rest;
	return exponent < bias ? sign | (uint64_t)bias << bits : rest + one;
}

/* ---- approximations ---- */

/* Zero stays zero, what is too small for a normal number too where denormals are. */
static uint64_t
approximation(const struct fp_env *e, unsigned size, double v)
{
	uint64_t r = size == 4 ? from_float((float)v) : from_double(v);

	return fp_is_denormal(fp_format_of(size), r) && e->mxcsr & MX_FTZ ? r & 1ull << (8 * size - 1) : r;
}

#define HOST_APPROXIMATION(insn, v) \
	__asm__ volatile("stmxcsr 4+%[mx]\n\tldmxcsr %[mx]\n\t" insn " %[s], %[s], %[r]\n\tldmxcsr 4+%[mx]" \
			 : [mx] "+o"(mx), [r] "=x"(v) : [s] "x"(v))

/* It never underflows: denormals become zero whether that is masked or not. */
__attribute__((target("avx512f"))) static uint64_t
host_reciprocal14(const struct fp_env *e, unsigned size, uint64_t a, bool root)
{
	uint32_t mx[2] = { control(e) | (e->mxcsr & MX_FTZ) };
	float single = to_float(a);
	double wide = to_double(a);

	if (size == 4 && root)
		HOST_APPROXIMATION("vrsqrt14ss", single);
	else if (size == 4)
		HOST_APPROXIMATION("vrcp14ss", single);
	else if (root)
		HOST_APPROXIMATION("vrsqrt14sd", wide);
	else
		HOST_APPROXIMATION("vrcp14sd", wide);
	return size == 4 ? from_float(single) : from_double(wide);
}

uint64_t
fp_reciprocal14(const struct fp_env *e, unsigned size, uint64_t a, bool root)
{
	uint64_t sign = a & 1ull << (8 * size - 1), quiet = 1ull << (size == 4 ? 22 : 51);
	uint64_t infinite = (size == 4 ? 0xffull : 0x7ffull) << (size == 4 ? 23 : 52);
	double v;

	if (size == 2)
		return half_reciprocal(a, root);
	if (__builtin_cpu_supports("avx512f"))
		return host_reciprocal14(e, size, a, root);
	if ((a & ~sign) > infinite)
		return a | quiet;
	if ((a & ~sign) == 0 || (fp_is_denormal(fp_format_of(size), a) && e->mxcsr & MX_DAZ))
		return sign | infinite;
	if (root && sign)
		return sign | infinite | quiet;
	v = size == 4 ? (double)to_float(a) : to_double(a);
	if (root)
		__asm__("sqrtsd %1, %0" : "=x"(v) : "x"(v));
	return approximation(e, size, 1 / v);
}
