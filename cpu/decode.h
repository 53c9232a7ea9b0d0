/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to one decoded instruction: prefixes, opcode maps, ModRM, immediates, and the rules that make an encoding
 * undefined whatever the processor's features are.
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/feature.h"
#include "tcg/ir.h"

struct trans;

/*
 * Operands, as the SDM's appendix A writes them.  E: ModRM.rm, register or memory; G: ModRM.reg; M: ModRM.rm, memory
 * only; R: ModRM.rm, register only; S, C, D: segment, control and debug register in ModRM.reg; I: immediate; J: relative
 * to the next instruction; A: far pointer; O: offset without ModRM; Z: register in the opcode; X, Y: [rSI], [rDI].
 * b w d q t: 1 2 4 8 10 bytes; v: the operand size; z: the same, but 4 for 8; y: 8 with REX.W, else 4; r: 8 in 64-bit mode,
 * else 4; s: an immediate byte, sign-extended; a: a pair of the operand size; p: a far pointer of the operand size.
 * B: VEX.vvvv.  Rm: a register of the operand size or 2 bytes of memory.  rAX: the operand size; eAX: 4 for 8.
 */
#define FORMS(FORM) \
	FORM(Eb) FORM(Ew) FORM(Ed) FORM(Eq) FORM(Ev) FORM(Ey) FORM(Gb) FORM(Gw) FORM(Gd) FORM(Gv) FORM(Gy) FORM(Gr) FORM(M) FORM(Mw) \
	FORM(Md) FORM(Mq) FORM(Mt) FORM(Mp) FORM(Mv) FORM(My) FORM(Ma) FORM(Rr) FORM(Ry) FORM(Rm) FORM(Sw) FORM(Cd) FORM(Dd) \
	FORM(Ib) FORM(Is) FORM(Iw) FORM(Id) FORM(Iz) FORM(Iv) FORM(I1) FORM(Jb) FORM(Jz) FORM(Ap) FORM(Ob) FORM(Ov) FORM(Zb) FORM(Zv) \
	FORM(AL) FORM(rAX) FORM(eAX) FORM(CL) FORM(DX) FORM(By) FORM(Xb) FORM(Xv) FORM(Xz) FORM(Yb) FORM(Yv) FORM(Yz)

enum form {
	O___,
#define FORM(name) O_##name,
	FORMS(FORM)
#undef FORM
	O_FORMS,
	O_LAST_MODRM = O_Dd,
};

/* Flags of a row; bits 31:24 hold the feature's number plus 1. */
enum {
	ROW_LOCK = 1, /* LOCK is allowed when the first operand is memory */
	ROW_I64 = 2,
	ROW_O64 = 4,
	ROW_D64 = 8,
	ROW_F64 = 0x10,
	ROW_MOD3 = 0x20,  /* ModRM.mod is taken as 3 */
	/* Derived: there is a ModRM byte; an immediate or an offset; an operand that has to be memory; one that has to be a register. */
	ROW_MODRM = 0x40,
	ROW_IMM = 0x80,
	ROW_MEMORY = 0x100,
	ROW_REGISTER = 0x200,
};
#define ROW_NEED(feature) ((uint32_t)(FEAT_##feature + 1) << 24)

struct row {
	const char *name;
	void (*gen)(struct trans *t); /* NULL and no group: undefined */
	uint8_t group;                /* enum group + 1 */
	uint8_t opnd[3];              /* enum form */
	uint32_t flags;
};

/* How the opcode is given: after legacy prefixes, or by one (VEX, XOP, EVEX) that holds the map, the mandatory prefix and REX's bits. */
enum insn_encoding { ENC_LEGACY, ENC_VEX, ENC_EVEX };
enum map { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A, MAP_5 = 5 /* EVEX alone */, MAP_6, MAP_XOP8 = 8, MAP_XOP9, MAP_XOPA };
enum prefix { NP, P66, PF3, PF2 };
enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

/* What decoding depends on beside the bytes. */
struct decode_mode {
	uint8_t code;  /* 2, 4, 8: 16-, 32-, 64-bit code */
	bool flat;     /* DS, ES, SS are flat 4 GiB segments (not 64-bit code) */
};

struct insn {
	uint64_t rip;
	uint8_t len;
	uint8_t map, opcode; /* enum map */
	uint8_t prefix;      /* enum prefix: the mandatory one */
	uint8_t rex;         /* low 4 bits; valid if HAS_REX */
	bool has_rex, lock, opsize_prefix, addr_prefix;
	uint8_t rep;         /* 0, F2h, F3h: the last one */
	uint8_t encoding;    /* enum insn_encoding; the next three by VEX or EVEX */
	uint8_t vvvv;        /* with EVEX.V' */
	uint8_t vl;          /* vector length: 0 16 bytes, 1 32, 2 64 */
	bool vex_w;          /* W as it stands; REX.W only in 64-bit mode */
	bool no_such;        /* undefined by its prefixes alone */
	bool notrack;        /* 3Eh is the last of its segment prefixes */
	uint8_t opmask;      /* EVEX.aaa; the next three by EVEX too */
	uint8_t reg_high;    /* 0 or 16: the fifth bit of ModRM.reg's register */
	bool zeroing, evex_b;
	bool vsib;           /* the index of its address is a vector */
	uint8_t seg;         /* override in force, or IR_NO_REG */
	uint8_t modrm, mod, reg, rm; /* REG and RM without REX */
	uint8_t width;       /* operand size: 2, 4, 8 */
	uint8_t addr_width;
	const struct row *row; /* NULL: undefined, or a vector instruction (VEC) */
	const struct vec_row *vec;
	const struct avx_row *avx; /* the same with VEX */
	const struct evex_row *evex;
	uint8_t disp_unit;         /* what an 8-bit displacement is multiplied by */
	uint8_t opnd[3];
	uint32_t flags;        /* of the rows */
	struct ir_mem mem;     /* if mod is not 3, and for Ob, Ov */
	int64_t imm;           /* for Ap: offset */
	uint32_t imm2;         /* the second immediate (ENTER, Ap's selector) */
};

enum decode_result {
	DECODE_OK,
	DECODE_UD,   /* #UD */
	DECODE_LONG, /* more than 15 bytes: #GP */
	DECODE_MORE, /* AVAIL bytes were not enough */
};

/* Decodes the instruction at RIP, of which AVAIL bytes (at least 1) are at hand. */
enum decode_result decode(struct insn *i, const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m);

/* Width in bytes of operand N of I; 0 if it has none of its own (M). */
unsigned insn_width(const struct insn *i, unsigned n, bool code64);

/* How an address in segment SEG becomes linear. */
enum ir_addr insn_addressing(struct decode_mode m, unsigned seg);

#endif
