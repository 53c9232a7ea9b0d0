/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer arithmetic with x86's flags, from the manuals' words: AMD64 Architecture Programmer's Manual, volume 3. */
#include "tcg/interp/interp.h"

static unsigned
parity(uint64_t v)
{
	return __builtin_parity(v & 0xff) ? 0 : FL_PF;
}

static uint64_t
sign_bit(unsigned width)
{
	return 1ull << (8 * width - 1);
}

enum { EFL_OF = 0x800 };

static unsigned
szp(uint64_t result, unsigned width)
{
	return ((result & interp_mask(width)) == 0 ? FL_ZF : 0) | (result & sign_bit(width) ? FL_SF : 0) | parity(result);
}

/* a + b + carry: flags of an addition. */
static uint64_t
add(unsigned width, uint64_t a, uint64_t b, unsigned carry, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), r = (a + b + carry) & mask;
	bool out = carry ? r <= (a & mask) : r < (a & mask);

	*eflags = szp(r, width) | (out ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) | ((a ^ r) & (b ^ r) & sign_bit(width) ? EFL_OF : 0);
	return r;
}

static uint64_t
subtract(unsigned width, uint64_t a, uint64_t b, unsigned borrow, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), r = (a - b - borrow) & mask;
	bool out = borrow ? (a & mask) <= (b & mask) : (a & mask) < (b & mask);

	*eflags = szp(r, width) | (out ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) | ((a ^ b) & (a ^ r) & sign_bit(width) ? EFL_OF : 0);
	return r;
}

static uint64_t
logic(unsigned width, uint64_t r, unsigned *eflags)
{
	*eflags = szp(r, width);
	return r & interp_mask(width);
}

static uint64_t
step(unsigned width, uint64_t a, bool up, unsigned *eflags)
{
	unsigned carry = *eflags & FL_CF;
	uint64_t r = up ? add(width, a, 1, 0, eflags) : subtract(width, a, 1, 0, eflags);

	*eflags = (*eflags & ~FL_CF) | carry;
	return r;
}

static uint64_t
bit_op(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	uint64_t bit = 1ull << (b & (8 * width - 1));

	*eflags = (*eflags & ~FL_CF) | (a & bit ? FL_CF : 0);
	if (op == IR_bts)
		return a | bit;
	if (op == IR_btr)
		return a & ~bit;
	return op == IR_btc ? a ^ bit : a;
}

static uint64_t
count_bits(unsigned op, unsigned width, uint64_t b, unsigned *eflags)
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

static uint64_t
multiply(unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	unsigned shift = 64 - 8 * width;
	int64_t x = (int64_t)(a << shift) >> shift, y = (int64_t)(b << shift) >> shift;
	__int128 wide = (__int128)x * y;
	uint64_t r = (uint64_t)wide & interp_mask(width);
	bool over = (__int128)((int64_t)(r << shift) >> shift) != wide;

	*eflags = szp(r, width) | (over ? FL_CF | EFL_OF : 0);
	return r;
}

uint64_t
interp_alu(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	unsigned carry = *eflags & FL_CF;

	switch (op) {
	case IR_add:
	case IR_xadd:
		return add(width, a, b, 0, eflags);
	case IR_adc:
		return add(width, a, b, carry, eflags);
	case IR_sub:
	case IR_cmp:
		return subtract(width, a, b, 0, eflags);
	case IR_sbb:
		return subtract(width, a, b, carry, eflags);
	case IR_and:
	case IR_test:
		return logic(width, a & b, eflags);
	case IR_or:
		return logic(width, a | b, eflags);
	case IR_xor:
		return logic(width, a ^ b, eflags);
	case IR_inc:
		return step(width, a, true, eflags);
	case IR_dec:
		return step(width, a, false, eflags);
	case IR_neg:
		return subtract(width, 0, a, 0, eflags);
	case IR_not:
		return ~a & interp_mask(width);
	case IR_bt:
	case IR_bts:
	case IR_btr:
	case IR_btc:
		return bit_op(op, width, a, b, eflags);
	case IR_tzcnt:
	case IR_lzcnt:
	case IR_popcnt:
		return count_bits(op, width, b, eflags);
	case IR_imul2:
	case IR_imul3:
		return multiply(width, a, b, eflags);
	default:
		__builtin_unreachable();
	}
}

static uint64_t
rotate_through_carry(bool left, unsigned width, uint64_t a, unsigned count, unsigned *eflags)
{
	unsigned bits = 8 * width;
	uint64_t mask = interp_mask(width);
	unsigned carry = *eflags & FL_CF;

	a &= mask;
	for (; count > 0; count--) {
		unsigned out = left ? a >> (bits - 1) & 1 : a & 1;

		a = left ? (a << 1 | carry) & mask : a >> 1 | (uint64_t)carry << (bits - 1);
		carry = out;
	}
	*eflags = (*eflags & ~FL_CF) | carry;
	return a;
}

static void
set_overflow(unsigned *eflags, bool v)
{
	*eflags = (*eflags & ~EFL_OF) | (v ? EFL_OF : 0);
}

static uint64_t
rotate(unsigned op, unsigned width, uint64_t a, unsigned count, unsigned *eflags)
{
	unsigned bits = 8 * width;
	uint64_t mask = interp_mask(width), r;
	bool left = op == IR_rol || op == IR_rcl;

	a &= mask;
	if (op == IR_rcl || op == IR_rcr) {
		if (width < 4)
			count %= bits + 1;
		if (count == 0)
			return a;
		r = rotate_through_carry(left, width, a, count, eflags);
	} else {
		unsigned by = count % bits;

		if (!left)
			by = (bits - by) % bits;
		r = by ? (a << by | a >> (bits - by)) & mask : a;
		*eflags = (*eflags & ~FL_CF) | (left ? r & 1 : r >> (bits - 1) & 1);
	}
	if (left)
		set_overflow(eflags, (r >> (bits - 1) & 1) != (*eflags & FL_CF));
	else
		set_overflow(eflags, (r >> (bits - 1) & 1) != (r >> (bits - 2) & 1));
	return r;
}

/* Shifts of A, where the bits of IN come in; a 16-bit double shift's count may exceed the width (undefined): IN comes again. */
static uint64_t
shift_left(unsigned width, uint64_t a, uint64_t in, unsigned count, unsigned *eflags)
{
	unsigned bits = 8 * width;
	uint64_t mask = interp_mask(width), r = a & mask, out = 0;

	for (unsigned n = 0; n < count; n++) {
		out = r >> (bits - 1) & 1;
		r = (r << 1 | (in >> (bits - 1) & 1)) & mask;
		in = in << 1 | (in >> (bits - 1) & 1);
	}
	*eflags = szp(r, width) | out;
	set_overflow(eflags, (r >> (bits - 1) & 1) != out);
	return r;
}

static uint64_t
shift_right(unsigned width, uint64_t a, uint64_t in, unsigned count, unsigned *eflags)
{
	unsigned bits = 8 * width;
	uint64_t mask = interp_mask(width), r = a & mask, out = 0;

	in &= mask;
	for (unsigned n = 0; n < count; n++) {
		out = r & 1;
		r = r >> 1 | (in & 1) << (bits - 1);
		in = in >> 1 | (in & 1) << (bits - 1);
	}
	*eflags = szp(r, width) | out;
	return r;
}

uint64_t
interp_shift(unsigned op, unsigned width, uint64_t a, uint64_t in, unsigned count, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), sign = a & sign_bit(width), r, out;

	count &= width == 8 ? 63 : 31;
	if (count == 0)
		return a & mask;
	switch (op) {
	case IR_shl:
		out = count <= 8 * width ? (a & mask) >> (8 * width - count) & 1 : 0;
		r = count < 8 * width ? a << count & mask : 0;
		*eflags = szp(r, width) | out;
		set_overflow(eflags, (r & sign_bit(width) ? 1 : 0) != out);
		return r;
	case IR_shr:
		out = (a & mask) >> (count - 1) & 1;
		r = (a & mask) >> count;
		*eflags = szp(r, width) | out;
		set_overflow(eflags, sign != 0);
		return r;
	case IR_sar: {
		int64_t wide = (int64_t)(a << (64 - 8 * width)) >> (64 - 8 * width);

		out = wide >> (count - 1) & 1;
		r = (uint64_t)(wide >> count) & mask;
		*eflags = szp(r, width) | out;
		return r;
	}
	case IR_shld:
		return shift_left(width, a, in, count, eflags);
	case IR_shrd:
		r = shift_right(width, a, in, count, eflags);
		set_overflow(eflags, ((r ^ r << 1) & sign_bit(width)) != 0);
		return r;
	default:
		return rotate(op, width, a, count, eflags);
	}
}

bool
interp_cond(unsigned cond, unsigned eflags)
{
	bool less = !(eflags & FL_SF) != !(eflags & EFL_OF), yes;

	switch (cond >> 1) {
	case 0:
		yes = eflags & EFL_OF;
		break;
	case 1:
		yes = eflags & FL_CF;
		break;
	case 2:
		yes = eflags & FL_ZF;
		break;
	case 3:
		yes = eflags & (FL_CF | FL_ZF);
		break;
	case 4:
		yes = eflags & FL_SF;
		break;
	case 5:
		yes = eflags & FL_PF;
		break;
	case 6:
		yes = less;
		break;
	default:
		yes = less || (eflags & FL_ZF);
		break;
	}
	return yes != (cond & 1);
}
