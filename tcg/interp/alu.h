/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic with x86's flags, from the manuals' words: AMD64 Architecture Programmer's Manual, volume 3.
 * In a header, so that an interpreter's function for one operation and one width is made of the same words.
 */
#ifndef TCG_INTERP_ALU_H
#define TCG_INTERP_ALU_H

#include "tcg/interp/interp.h"

enum { EFL_OF = 0x800 };

static inline unsigned
alu_parity(uint64_t v)
{
	return __builtin_parity(v & 0xff) ? 0 : FL_PF;
}

static inline uint64_t
alu_sign_bit(unsigned width)
{
	return 1ull << (8 * width - 1);
}

static inline unsigned
alu_szp(uint64_t result, unsigned width)
{
	return ((result & interp_mask(width)) == 0 ? FL_ZF : 0) | (result & alu_sign_bit(width) ? FL_SF : 0) | alu_parity(result);
}

/* a + b + carry: flags of an addition. */
static inline uint64_t
alu_add(unsigned width, uint64_t a, uint64_t b, unsigned carry, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), r = (a + b + carry) & mask;
	bool out = carry ? r <= (a & mask) : r < (a & mask);

	*eflags = alu_szp(r, width) | (out ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) | ((a ^ r) & (b ^ r) & alu_sign_bit(width) ? EFL_OF : 0);
	return r;
}

static inline uint64_t
alu_subtract(unsigned width, uint64_t a, uint64_t b, unsigned borrow, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), r = (a - b - borrow) & mask;
	bool out = borrow ? (a & mask) <= (b & mask) : (a & mask) < (b & mask);

	*eflags = alu_szp(r, width) | (out ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) | ((a ^ b) & (a ^ r) & alu_sign_bit(width) ? EFL_OF : 0);
	return r;
}

static inline uint64_t
alu_logic(unsigned width, uint64_t r, unsigned *eflags)
{
	*eflags = alu_szp(r, width);
	return r & interp_mask(width);
}

static inline uint64_t
alu_step(unsigned width, uint64_t a, bool up, unsigned *eflags)
{
	unsigned carry = *eflags & FL_CF;
	uint64_t r = up ? alu_add(width, a, 1, 0, eflags) : alu_subtract(width, a, 1, 0, eflags);

	*eflags = (*eflags & ~FL_CF) | carry;
	return r;
}

static inline uint64_t
alu_bit_op(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	uint64_t bit = 1ull << (b & (8 * width - 1));

	*eflags = (*eflags & ~FL_CF) | (a & bit ? FL_CF : 0);
	if (op == IR_bts)
		return a | bit;
	if (op == IR_btr)
		return a & ~bit;
	return op == IR_btc ? a ^ bit : a;
}

static inline uint64_t
alu_count_bits(unsigned op, unsigned width, uint64_t b, unsigned *eflags)
{
	uint64_t v = b & interp_mask(width), r;

	if (op == IR_popcnt) {
		*eflags = v == 0 ? FL_ZF : 0;
		return __builtin_popcountll(v);
	}
	if (op == IR_tzcnt)
		r = v ? (unsigned)__builtin_ctzll(v) : 8 * width;
	else
		r = v ? (unsigned)__builtin_clzll(v) - (64 - 8 * width) : 8 * width;
	*eflags = (*eflags & ~(FL_CF | FL_ZF)) | (v == 0 ? FL_CF : 0) | (r == 0 ? FL_ZF : 0);
	return r;
}

static inline uint64_t
alu_multiply(unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	unsigned shift = 64 - 8 * width;
	int64_t x = (int64_t)(a << shift) >> shift, y = (int64_t)(b << shift) >> shift;
	__int128 wide = (__int128)x * y;
	uint64_t r = (uint64_t)wide & interp_mask(width);
	bool over = (__int128)((int64_t)(r << shift) >> shift) != wide;

	*eflags = alu_szp(r, width) | (over ? FL_CF | EFL_OF : 0);
	return r;
}

/* The value of A op B at WIDTH bytes, as interp_alu. */
static inline __attribute__((always_inline)) uint64_t
alu_compute(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	unsigned carry = *eflags & FL_CF;

	switch (op) {
	case IR_add:
	case IR_xadd:
		return alu_add(width, a, b, 0, eflags);
	case IR_adc:
		return alu_add(width, a, b, carry, eflags);
	case IR_sub:
	case IR_cmp:
		return alu_subtract(width, a, b, 0, eflags);
	case IR_sbb:
		return alu_subtract(width, a, b, carry, eflags);
	case IR_and:
	case IR_test:
		return alu_logic(width, a & b, eflags);
	case IR_or:
		return alu_logic(width, a | b, eflags);
	case IR_xor:
		return alu_logic(width, a ^ b, eflags);
	case IR_inc:
		return alu_step(width, a, true, eflags);
	case IR_dec:
		return alu_step(width, a, false, eflags);
	case IR_neg:
		return alu_subtract(width, 0, a, 0, eflags);
	case IR_not:
		return ~a & interp_mask(width);
	case IR_bt:
	case IR_bts:
	case IR_btr:
	case IR_btc:
		return alu_bit_op(op, width, a, b, eflags);
	case IR_tzcnt:
	case IR_lzcnt:
	case IR_popcnt:
		return alu_count_bits(op, width, b, eflags);
	case IR_imul2:
	case IR_imul3:
		return alu_multiply(width, a, b, eflags);
	default:
		__builtin_unreachable();
	}
}

#endif
