/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BMI1, BMI2 and ADX from the manual's words: SDM volume 2.  Flags it leaves undefined stay as they are. */
#include "tcg/interp/alu.h"

enum { RDX = 2 };

static uint64_t
deposit(uint64_t v, uint64_t mask)
{
	uint64_t r = 0;

	for (; mask != 0; mask &= mask - 1, v >>= 1)
		if (v & 1)
			r |= mask & -mask;
	return r;
}

static uint64_t
extract(uint64_t v, uint64_t mask)
{
	uint64_t r = 0;

	for (unsigned n = 0; mask != 0; mask &= mask - 1, n++)
		if (v & mask & -mask)
			r |= 1ull << n;
	return r;
}

static uint64_t
bit_field(uint64_t v, unsigned start, unsigned len)
{
	v = start < 64 ? v >> start : 0;
	return len < 64 ? v & ((1ull << len) - 1) : v;
}

static uint64_t
shifted(unsigned op, unsigned width, uint64_t v, uint64_t count)
{
	unsigned bits = 8 * width, n = count & (bits - 1);

	switch (op) {
	case IR_shlx:
		return v << n;
	case IR_shrx:
		return v >> n;
	case IR_rorx:
		return n != 0 ? v >> n | v << (bits - n) : v;
	default:
		return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits) >> n);
	}
}

/* What the operation makes of A and B; *CARRY where it writes CF. */
static uint64_t
value(unsigned op, unsigned width, uint64_t a, uint64_t b, bool *carry)
{
	unsigned bits = 8 * width, n = b & 0xff;

	switch (op) {
	case IR_andn:
		return ~a & b;
	case IR_bextr:
		return bit_field(a, n, b >> 8 & 0xff);
	case IR_bzhi:
		*carry = n >= bits;
		return n < bits ? bit_field(a, 0, n) : a;
	case IR_blsi:
		*carry = a != 0;
		return a & -a;
	case IR_blsmsk:
		*carry = a == 0;
		return a ^ (a - 1);
	case IR_blsr:
		*carry = a == 0;
		return a & (a - 1);
	case IR_pdep:
		return deposit(a, b);
	case IR_pext:
		return extract(a, b);
	default:
		return shifted(op, width, a, b);
	}
}

void
interp_bmi(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t mask = interp_mask(i->width), a = interp_read_any(f, i, i->src, i->width), r;
	uint64_t b = i->src2.kind != IR_NONE ? interp_read_any(f, i, i->src2, i->width) : 0;
	bool carry = false;

	r = value(i->op, i->width, a, b, &carry) & mask;
	if (i->writes != 0) {
		unsigned changed = FL_CF | FL_ZF | FL_SF | EFL_OF, old = flags_to_eflags(f->flags);
		unsigned now = (carry ? FL_CF : 0) | (alu_szp(r, i->width) & (FL_ZF | FL_SF));

		f->flags = flags_from_eflags((old & ~changed) | now);
	}
	interp_write(f, i->dst, i->width, r);
}

/* The low half goes to src first. */
void
interp_mulx(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t b = interp_read_any(f, i, i->src2, i->width);
	unsigned __int128 product = (unsigned __int128)(f->gpr[RDX] & interp_mask(i->width)) * b;

	interp_write(f, i->src, i->width, (uint64_t)product);
	interp_write(f, i->dst, i->width, (uint64_t)(product >> 8 * i->width));
}

/* ADCX and ADOX: the carry is one flag, and no other changes. */
void
interp_adx(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned flag = i->op == IR_adcx ? FL_CF : EFL_OF, eflags = flags_to_eflags(f->flags);
	uint64_t b = interp_read_any(f, i, i->src, i->width), a = interp_read(f, i, i->dst, i->width);
	unsigned __int128 sum = (unsigned __int128)a + b + (eflags & flag ? 1 : 0);

	f->flags = flags_from_eflags((eflags & ~flag) | (sum >> 8 * i->width != 0 ? flag : 0));
	interp_write(f, i->dst, i->width, (uint64_t)sum);
}
