/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/x64/asm.h"

#include <string.h>

void
put8(struct assembler *a, unsigned v)
{
	*a->p++ = v;
}

void
put32(struct assembler *a, uint32_t v)
{
	memcpy(a->p, &v, 4);
	a->p += 4;
}

void
put_place(struct assembler *a, const void *what)
{
	put32(a, (uint32_t)((const uint8_t *)what - (a->p + a->to_rx)));
}

void
put64(struct assembler *a, uint64_t v)
{
	memcpy(a->p, &v, 8);
	a->p += 8;
}

/*
 * An instruction is written from front to back at P; what may be absent is written all the same, and then not counted: its
 * place is the next byte's.  Jumps on what an instruction looks like would mostly be mispredicted here.
 */
static uint8_t *
write32(uint8_t *p, uint32_t v, unsigned bytes)
{
	memcpy(p, &v, 4);
	return p + bytes;
}

/* ModRM of memory without a base, or of RIP's. */
static uint8_t *
modrm_odd(const struct assembler *a, uint8_t *p, unsigned r, struct rm rm)
{
	if (rm.base == H_RIP) {
		*p++ = (uint8_t)(r | 5);
		return write32(p, (uint32_t)(rm.target - (p + 4 + rm.tail + a->to_rx)), 4);
	}
	/* index alone, or an absolute address */
	*p++ = (uint8_t)(r | 4);
	*p++ = (uint8_t)(rm.scale << 6 | (rm.index & 7) << 3 | 5);
	return write32(p, (uint32_t)rm.disp, 4);
}

static inline uint8_t *
modrm(const struct assembler *a, uint8_t *p, unsigned reg, struct rm rm)
{
	unsigned r = (reg & 7) << 3, base = rm.base & 7, mod;
	bool sib;

	if (!rm.mem) {
		*p = (uint8_t)(0xc0 | r | base);
		return p + 1;
	}
	if (rm.base >= H_NONE)
		return modrm_odd(a, p, r, rm);
	sib = (rm.index != H_NONE) | (base == 4);
	mod = ((rm.disp != 0) | (base == 5)) + (rm.disp != (int8_t)rm.disp);
	p[0] = (uint8_t)(mod << 6 | r | (sib ? 4 : base));
	p[1] = (uint8_t)(rm.scale << 6 | (rm.index & 7) << 3 | base);
	return write32(p + 1 + sib, (uint32_t)rm.disp, mod * mod);
}

static void
put_modrm(struct assembler *a, unsigned reg, struct rm rm)
{
	a->p = modrm(a, a->p, reg, rm);
}

/* LOCK, and REX for what is seldom: byte registers that have no number without it. */
static bool
seldom(uint8_t **p, unsigned reg_and_flags, struct rm rm)
{
	if (reg_and_flags & ASM_LOCK)
		*(*p)++ = 0xf0;
	return (reg_and_flags & ASM_REG_BYTE && (reg_and_flags & 15) >= 4) || (reg_and_flags & ASM_RM_BYTE && !rm.mem && rm.reg >= 4);
}

void
put_op(struct assembler *a, uint64_t op, unsigned reg_and_flags, struct rm rm)
{
	unsigned reg = reg_and_flags & 15, rex;
	bool wants_rex = false;
	uint8_t *p = a->p, *at = p;

	if (reg_and_flags & (ASM_LOCK | ASM_REG_BYTE | ASM_RM_BYTE)) {
		wants_rex = seldom(&at, reg_and_flags, rm);
		p = at;
	}
	*p = (uint8_t)(op >> 24);
	p += op >> 36 & 1;
	/* No bit 3 in H_NONE and H_RIP. */
	rex = (unsigned)(op >> 40) | reg >> 3 << 2 | (rm.index >> 3 & 1) << 1 | (rm.base >> 3 & 1);
	*p = (uint8_t)(0x40 | rex);
	p += (rex != 0) | wants_rex;
	p = write32(p, (uint32_t)op, op >> 32 & 3);
	a->p = modrm(a, p, reg, rm);
}

void
op_vex(struct assembler *a, unsigned prefix, unsigned map, bool w, unsigned l, unsigned opcode, unsigned reg, unsigned vvvv, struct rm rm)
{
	unsigned pp = prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix == 0xf2 ? 3 : 0;
	bool b = rm.mem ? rm.base != H_NONE && rm.base != H_RIP && rm.base & 8 : rm.reg & 8;
	bool x = rm.mem && rm.index != H_NONE && rm.index & 8;

	if (map == 1 && !w && !x && !b) {
		put8(a, 0xc5);
		put8(a, (reg & 8 ? 0 : 0x80) | (~vvvv & 15) << 3 | l << 2 | pp);
	} else {
		put8(a, 0xc4);
		put8(a, (reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map);
		put8(a, (w ? 0x80 : 0) | (~vvvv & 15) << 3 | l << 2 | pp);
	}
	put8(a, opcode);
	put_modrm(a, reg, rm);
}

/* ModRM of memory with a base and a displacement of 32 bits. */
static void
put_modrm32(struct assembler *a, unsigned reg, struct rm rm)
{
	unsigned base = rm.base & 7;
	bool sib = rm.index != H_NONE || base == 4;

	put8(a, 0x80 | (reg & 7) << 3 | (sib ? 4 : base));
	if (sib)
		put8(a, rm.scale << 6 | (rm.index == H_NONE ? 4 : rm.index & 7) << 3 | base);
	put32(a, (uint32_t)rm.disp);
}

void
op_evex(struct assembler *a, unsigned prefix, unsigned map, unsigned opcode, unsigned reg, unsigned vvvv, struct rm rm,
	const struct evex_bits *e)
{
	unsigned pp = prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix == 0xf2 ? 3 : 0;
	bool based = rm.mem && rm.base < H_NONE, b = rm.mem ? based && rm.base & 8 : rm.reg & 8;
	bool x = rm.mem ? rm.index != H_NONE && rm.index & 8 : rm.reg & 16;
	int units = rm.disp / e->unit;

	put8(a, 0x62);
	put8(a, (reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | (reg & 16 ? 0 : 0x10) | map);
	put8(a, (e->w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | pp);
	put8(a, (e->z ? 0x80 : 0) | e->ll << 5 | (e->b ? 0x10 : 0) | (vvvv & 16 ? 0 : 8) | e->k);
	put8(a, opcode);
	if (based && (rm.disp % e->unit != 0 || units != (int8_t)units)) {
		put_modrm32(a, reg, rm);
		return;
	}
	if (based)
		rm.disp = units;
	put_modrm(a, reg, rm);
}

void
op_vzero(struct assembler *a, bool all)
{
	put8(a, 0xc5);
	put8(a, all ? 0xfc : 0xf8);
	put8(a, 0x77);
}

void
op_w(struct assembler *a, unsigned width, unsigned base, unsigned reg_and_flags, struct rm rm)
{
	unsigned flags = 0;

	if (width == 1)
		flags = ASM_RM_BYTE | (reg_and_flags & ASM_EXT ? 0 : ASM_REG_BYTE);
	op_rm(a, 0, width, width == 1 ? base : base | 1, reg_and_flags | flags, rm);
}

void
mov_rr(struct assembler *a, unsigned width, unsigned to, unsigned from)
{
	if (to != from || width < 8)
		op_rm(a, 0, width, 0x8b, to, rm_reg(from));
}

void
mov_load(struct assembler *a, unsigned width, unsigned to, struct rm rm)
{
	op_w(a, width, 0x8a, to, rm);
}

void
mov_store(struct assembler *a, unsigned width, struct rm rm, unsigned from)
{
	op_w(a, width, 0x88, from, rm);
}

void
mov_imm(struct assembler *a, unsigned to, uint64_t v)
{
	if (v <= 0xffffffff) {
		if (to >= 8)
			put8(a, 0x41);
		put8(a, 0xb8 | (to & 7));
		put32(a, v);
	} else if ((int64_t)v == (int32_t)v) {
		op_rm(a, 0, 8, 0xc7, ASM_EXT, rm_reg(to));
		put32(a, v);
	} else {
		put8(a, to >= 8 ? 0x49 : 0x48);
		put8(a, 0xb8 | (to & 7));
		put64(a, v);
	}
}

void
mov_store_imm(struct assembler *a, unsigned width, struct rm rm, int32_t v)
{
	op_w(a, width, 0xc6, ASM_EXT, rm);
	if (width == 1)
		put8(a, v);
	else if (width == 2) {
		put8(a, v);
		put8(a, v >> 8);
	} else {
		put32(a, v);
	}
}

void
lea(struct assembler *a, unsigned width, unsigned to, struct rm rm)
{
	op_rm(a, 0, width, 0x8d, to, rm);
}

void
alu_imm(struct assembler *a, unsigned width, unsigned ext, struct rm rm, int32_t v)
{
	bool small = v == (int8_t)v;

	op_rm(a, 0, width, width == 1 ? 0x80 : small ? 0x83 : 0x81, ext | ASM_EXT | (width == 1 ? ASM_RM_BYTE : 0), rm);
	if (width == 1 || small)
		put8(a, v);
	else if (width == 2) {
		put8(a, v);
		put8(a, v >> 8);
	} else {
		put32(a, v);
	}
}

void
shift_imm(struct assembler *a, unsigned width, unsigned ext, unsigned reg, unsigned count)
{
	op_w(a, width, 0xc0, ext | ASM_EXT, rm_reg(reg));
	put8(a, count);
}

uint8_t *
jump(struct assembler *a, unsigned cc)
{
	if (cc < CC_JMP) {
		put8(a, 0x0f);
		put8(a, 0x80 | cc);
	} else {
		put8(a, cc == CC_JMP ? 0xe9 : 0xe8);
	}
	put32(a, 0);
	return a->p - 4;
}

uint8_t *
jump_aligned(struct assembler *a, unsigned cc)
{
	static const uint8_t nops[4][3] = { { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 } };
	unsigned opcode = cc < CC_JMP ? 2 : 1, pad = -((uintptr_t)a->p + opcode) & 3;

	memcpy(a->p, nops[pad], pad);
	a->p += pad;
	return jump(a, cc);
}

void
set_rel32(uint8_t *at, int64_t to_rx, const uint8_t *rx_target)
{
	int32_t rel = (int32_t)(rx_target - (at + 4 + to_rx));

	if (((uintptr_t)at & 3) == 0)
		__atomic_store_n((int32_t *)at, rel, __ATOMIC_RELEASE);
	else
		memcpy(at, &rel, 4);
}

void
jump_to(struct assembler *a, unsigned cc, const uint8_t *rx_target)
{
	set_rel32(jump(a, cc), a->to_rx, rx_target);
}

void
here(struct assembler *a, uint8_t *at)
{
	set_rel32(at, a->to_rx, a->p + a->to_rx);
}
