/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encoding x86-64 instructions: AMD64 Architecture Programmer's Manual, volume 3, "Instruction Encoding". */
#ifndef TCG_X64_ASM_H
#define TCG_X64_ASM_H

#include <stdbool.h>
#include <stdint.h>

/* The low four bits of H_NONE are those of an index that is absent. */
enum host_reg { H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI, H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
	H_NONE = 20, H_RIP };

/*
 * An r/m operand: a register, or base + index (scale 1, 2, 4, 8 as log2) + disp, or (base H_RIP) what is at TARGET.
 * Sixteen bytes: it goes from function to function in two registers.
 */
struct rm {
	bool mem;
	union {
		uint8_t reg, base;
	};
	uint8_t index, scale;
	uint8_t tail;              /* bytes of the immediate that follows; H_RIP has to know */
	union {
		int32_t disp;
		const uint8_t *target; /* within 2 GiB of the code */
	};
};

static inline struct rm
rm_reg(unsigned reg)
{
	return (struct rm){ .reg = (uint8_t)reg, .index = H_NONE };
}

static inline struct rm
rm_at(unsigned base, int32_t disp)
{
	return (struct rm){ .mem = true, .base = base, .index = H_NONE, .disp = disp };
}

static inline struct rm
rm_sib(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	return (struct rm){ .mem = true, .base = base, .index = index, .scale = scale, .disp = disp };
}

static inline struct rm
rm_rip(const void *target, unsigned tail)
{
	return (struct rm){ .mem = true, .base = H_RIP, .index = H_NONE, .tail = (uint8_t)tail, .target = target };
}

/* Where code is written: P in the writable view. */
struct assembler {
	uint8_t *p;
	int64_t to_rx;
};

void put8(struct assembler *a, unsigned v);
void put32(struct assembler *a, uint32_t v);
void put64(struct assembler *a, uint64_t v);
/* Where WHAT is, as seen from here: within 2 GiB. */
void put_place(struct assembler *a, const void *what);

/* What op_rm() makes of its constants: opcode (bits 23:0, as it is written), a prefix, how many bytes of each, and W. */
void put_op(struct assembler *a, uint64_t op, unsigned reg_and_flags, struct rm rm);

/*
 * One instruction with modrm.  PREFIX: 0, 66h, F2h, F3h; WIDTH 8 sets REX.W, 2 adds 66h, 1 asks REX for byte registers 4-7
 * (of REG too, unless REG is an opcode extension: ext).  OPCODE: one byte, 0Fxx, 0F38xx or 0F3Axx.
 */
enum { ASM_EXT = 0x100, ASM_RM_BYTE = 0x200, ASM_REG_BYTE = 0x400, ASM_LOCK = 0x800 };
static inline void
op_rm(struct assembler *a, unsigned prefix, unsigned width, unsigned opcode, unsigned reg_and_flags, struct rm rm)
{
	unsigned bytes = 1 + (opcode > 0xff) + (opcode > 0xffff), first = prefix != 0 ? prefix : width == 2 ? 0x66 : 0;

	put_op(a, __builtin_bswap32(opcode) >> (32 - 8 * bytes) | (uint64_t)first << 24 | (uint64_t)bytes << 32 |
			(uint64_t)(first != 0) << 36 | (uint64_t)(width == 8) << 43,
		reg_and_flags, rm);
}

/*
 * One instruction with a VEX prefix.  PREFIX as above; MAP: 1 0F, 2 0F38, 3 0F3A; W; L: 0 or 1; VVVV: 0 where there is none.
 */
void op_vex(struct assembler *a, unsigned prefix, unsigned map, bool w, unsigned l, unsigned opcode, unsigned reg, unsigned vvvv,
	struct rm rm);

/* One with an EVEX prefix: K the mask; UNIT what an 8-bit displacement is multiplied by. */
struct evex_bits {
	bool w, z, b;
	uint8_t ll, k, unit;
};
void op_evex(struct assembler *a, unsigned prefix, unsigned map, unsigned opcode, unsigned reg, unsigned vvvv, struct rm rm,
	const struct evex_bits *e);

/* VZEROUPPER, or VZEROALL. */
void op_vzero(struct assembler *a, bool all);

/* An integer instruction whose opcode's low bit tells bytes from wider: BASE is the byte form. */
void op_w(struct assembler *a, unsigned width, unsigned base, unsigned reg_and_flags, struct rm rm);

void mov_rr(struct assembler *a, unsigned width, unsigned to, unsigned from); /* 4, 8 */
void mov_load(struct assembler *a, unsigned width, unsigned to, struct rm rm); /* 4, 8; 1, 2 merge */
void mov_store(struct assembler *a, unsigned width, struct rm rm, unsigned from);
/* The shortest form; flags stay. */
void mov_imm(struct assembler *a, unsigned to, uint64_t v);
void mov_store_imm(struct assembler *a, unsigned width, struct rm rm, int32_t v);
void lea(struct assembler *a, unsigned width, unsigned to, struct rm rm);
/* add or and sub xor cmp (EXT 0-7 of opcode 80h-83h) with an immediate. */
void alu_imm(struct assembler *a, unsigned width, unsigned ext, struct rm rm, int32_t v);
void shift_imm(struct assembler *a, unsigned width, unsigned ext, unsigned reg, unsigned count);
/* Jumps with 32-bit displacement, to be filled in; return the place of the displacement.  CC 16: jmp; 17: call. */
enum { CC_JMP = 16, CC_CALL = 17 };
uint8_t *jump(struct assembler *a, unsigned cc);
uint8_t *jump_aligned(struct assembler *a, unsigned cc); /* the displacement is 4-byte aligned */
void jump_to(struct assembler *a, unsigned cc, const uint8_t *rx_target);
/* The displacement at AT goes to where A stands now. */
void here(struct assembler *a, uint8_t *at);
void set_rel32(uint8_t *at, int64_t to_rx, const uint8_t *rx_target);

#endif
