/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer operations by number, shifts and rotates, conditions. */
#include "tcg/interp/alu.h"

uint64_t
interp_alu(unsigned op, unsigned width, uint64_t a, uint64_t b, unsigned *eflags)
{
	return alu_compute(op, width, a, b, eflags);
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
	*eflags = alu_szp(r, width) | out;
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
	*eflags = alu_szp(r, width) | out;
	return r;
}

uint64_t
interp_shift(unsigned op, unsigned width, uint64_t a, uint64_t in, unsigned count, unsigned *eflags)
{
	uint64_t mask = interp_mask(width), sign = a & alu_sign_bit(width), r, out;

	count &= width == 8 ? 63 : 31;
	if (count == 0)
		return a & mask;
	switch (op) {
	case IR_shl:
		out = count <= 8 * width ? (a & mask) >> (8 * width - count) & 1 : 0;
		r = count < 8 * width ? a << count & mask : 0;
		*eflags = alu_szp(r, width) | out;
		set_overflow(eflags, (r & alu_sign_bit(width) ? 1 : 0) != out);
		return r;
	case IR_shr:
		out = (a & mask) >> (count - 1) & 1;
		r = (a & mask) >> count;
		*eflags = alu_szp(r, width) | out;
		set_overflow(eflags, sign != 0);
		return r;
	case IR_sar: {
		int64_t wide = (int64_t)(a << (64 - 8 * width)) >> (64 - 8 * width);

		out = wide >> (count - 1) & 1;
		r = (uint64_t)(wide >> count) & mask;
		*eflags = alu_szp(r, width) | out;
		return r;
	}
	case IR_shld:
		return shift_left(width, a, in, count, eflags);
	case IR_shrd:
		r = shift_right(width, a, in, count, eflags);
		set_overflow(eflags, ((r ^ r << 1) & alu_sign_bit(width)) != 0);
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
