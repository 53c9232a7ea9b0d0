/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intermediate representation.
 *
 * One block of guest code becomes a list of two-address operations on guest registers, temporaries, immediates, fields
 * of the guest's state and at most one whole memory operand.  They mean what the x86 instruction of the same name means
 * (op.def), so that an x86 host copies them across and any other expands them.
 *
 * The rule that keeps exceptions precise: inside one guest instruction nothing that the guest can see (register, flag,
 * memory) changes before the last operation that can fault, and an operation that faults has changed nothing.  (Stores
 * of an instruction with several may repeat.)
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tcg_frame;

enum ir_op {
#define OP(name, reads, writes, traits) IR_##name,
#include "tcg/op.def"
#undef OP
	IR_OPS
};

/* Operands. */
enum ir_kind {
	IR_NONE,
	IR_GPR,   /* reg 0-15 */
	IR_GPRH,  /* reg 0-3: AH CH DH BH; width 1 */
	IR_TEMP,  /* reg 0-15; 16 bytes each; holds what was last written at that width or less */
	IR_IMM,   /* insn.imm, sign-extended; one an operation */
	IR_MEM,   /* insn.mem; one an operation */
	IR_FIELD, /* OFF bytes into the guest's state, which the frame begins */
	IR_XMM,   /* reg 0-15, with evex 0-31 */
	IR_MM,    /* MMX reg 0-7 */
	IR_K,     /* mask reg 0-7 */
};

struct ir_opnd {
	uint8_t kind;
	uint8_t reg;
	uint16_t off;
};

enum { IR_NO_REG = 0xff, IR_TEMP_REG = 16 }; /* in ir_mem: base or index 16+n is temporary n (its low 8 bytes) */

enum ir_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/* How the effective address becomes a linear one. */
enum ir_addr {
	ADDR_FLAT,    /* it is linear already */
	ADDR_BASE,    /* 64-bit mode, FS and GS: plus the base */
	ADDR_CHECKED, /* limit, rights and base of the segment; linear addresses wrap at 32 bits */
};

struct ir_mem {
	uint8_t seg;        /* decides #SS or #GP too */
	uint8_t base;       /* register or IR_NO_REG */
	uint8_t index;
	uint8_t scale;      /* 0-3: log2 */
	uint8_t addr_width; /* 2, 4, 8: base + index << scale + disp is cut to this many bytes */
	uint8_t how;        /* enum ir_addr */
	uint8_t align;      /* 0, or the alignment without which it is #GP(0) */
	uint8_t size;       /* bytes accessed, if not the operation's width (0) */
	int64_t disp;
};

/* Flags in masks; at their places in the low byte of EFLAGS, but for OF. */
enum { FL_CF = 1, FL_OF = 2, FL_PF = 4, FL_AF = 0x10, FL_ZF = 0x40, FL_SF = 0x80, FL_ALL = 0xd7 };

/* insn.attr */
enum {
	IR_LOCKED = 1,    /* atomic */
	IR_WRITE = 2,     /* set by ir_emit: the memory operand is written */
	IR_READ = 4,      /* ... and read */
	IR_HINT_CALL = 8, /* jind, jmp: a near call; AUX is the low half of the return address (its page is the block's) */
	IR_HINT_RET = 16, /* jind: a near return; AUX is how many bytes it popped */
	IR_RIP_SET = 32,
	IR_FLAGS_LIVE = 64, /* set by the flags pass: something reads what this operation writes */
};

/* Condition codes as in the low nibble of Jcc: O NO B AE E NE BE A S NS P NP L GE LE G. */

struct ir_insn {
	uint16_t op;
	uint16_t sub;       /* vec, avx, evex: row of their table.  x87: (opcode - D8h) << 8 | modrm; the r/m of a memory form is 0 */
	uint8_t width;
	uint8_t src_width;  /* movzx, movsx, crc32 */
	uint8_t cond;
	uint8_t attr;
	uint8_t reads, writes;
	uint16_t guest;     /* which guest instruction of the block */
	struct ir_opnd dst, src, src2;
	uint32_t aux;       /* call: constant third argument; vec: imm8 */
	int64_t imm;
	struct ir_mem mem;
};

/* A function that translated code may call.  A and B are src and src2 at the operation's width, zero-extended. */
struct ir_helper {
	const char *name;
	uint64_t (*call)(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux);
	bool x87; /* it uses the x87 or MMX state */
};

enum { IR_MAX_INSNS = 512, IR_MAX_GUEST = 64, IR_TEMPS = 16 };

/* One block under construction. */
struct ir {
	uint64_t rip;       /* of its first instruction */
	uint64_t cs_base;
	bool mode64;        /* linear addresses have 64 bits */
	bool wide;          /* ... of which 57 count, not 48 */
	bool slow_mem;      /* every access takes the slow path (alignment checks, watchpoints) */
	bool direct;        /* most accesses go to one mapping of all memory: a kernel's */
	bool native_sse;    /* vec may run on the host: no exception of MXCSR is unmasked */
	bool zmm;           /* registers of 64 bytes and masks are in use: what writes a register with avx clears those bytes too */
	bool native_x87;    /* the same for the x87's control word */
	bool vectors;       /* there is an operation with trait VECTOR */
	uint16_t count;
	uint16_t guests;    /* guest instructions so far */
	uint16_t temps;
	uint64_t guest_rip[IR_MAX_GUEST];
	uint8_t guest_len[IR_MAX_GUEST];
	struct ir_insn insn[IR_MAX_INSNS];
};

void ir_reset(struct ir *ir, uint64_t rip, uint64_t cs_base, bool mode64);
/* Room for one more guest instruction, which takes 40 operations at the most? */
bool ir_has_room(const struct ir *ir);

/* An operand while code is generated: carries the immediate or the memory operand with it. */
typedef struct val {
	struct ir_opnd o;
	int64_t imm;
	struct ir_mem mem;
} val;

static inline val
ir_none(void)
{
	return (val){ .o.kind = IR_NONE };
}

static inline val
ir_gpr(unsigned reg)
{
	return (val){ .o = { IR_GPR, reg, 0 } };
}

static inline val
ir_gprh(unsigned reg)
{
	return (val){ .o = { IR_GPRH, reg, 0 } };
}

static inline val
ir_xmm(unsigned reg)
{
	return (val){ .o = { IR_XMM, reg, 0 } };
}

static inline val
ir_mm(unsigned reg)
{
	return (val){ .o = { IR_MM, reg, 0 } };
}

static inline val
ir_opmask(unsigned reg)
{
	return (val){ .o = { IR_K, reg, 0 } };
}

static inline val
ir_imm(int64_t v)
{
	return (val){ .o.kind = IR_IMM, .imm = v };
}

static inline val
ir_field(size_t offset)
{
	return (val){ .o = { IR_FIELD, 0, (uint16_t)offset } };
}

static inline val
ir_mem(struct ir_mem m)
{
	return (val){ .o.kind = IR_MEM, .mem = m };
}

/* A fresh temporary; they are per guest instruction (ir_begin frees them). */
val ir_temp(struct ir *ir);

/* Starts a guest instruction of LEN bytes at RIP. */
void ir_begin(struct ir *ir, uint64_t rip, unsigned len);

/*
 * The two halves of appending an operation: ir_append() without its operands, and what follows from them, once the caller has put
 * them in.  For what is appended most; all others use ir_emit().
 */
struct ir_insn *ir_append(struct ir *ir, enum ir_op op, unsigned width);
void ir_appended(struct ir_insn *i);

/*
 * Appends an operation: fills flags, READ and WRITE from op.def.  The pointer is valid until the next call; the caller
 * may still set cond, src_width, sub, aux, attr bits, mem.size.
 */
struct ir_insn *ir_emit(struct ir *ir, enum ir_op op, unsigned width, val dst, val src, val src2);

static inline struct ir_insn *
ir_op2(struct ir *ir, enum ir_op op, unsigned width, val dst, val src)
{
	return ir_emit(ir, op, width, dst, src, ir_none());
}

static inline struct ir_insn *
ir_op1(struct ir *ir, enum ir_op op, unsigned width, val dst)
{
	return ir_emit(ir, op, width, dst, ir_none(), ir_none());
}

/* dst (IR_NONE allowed) = helper(a, b, aux). */
struct ir_insn *ir_call(struct ir *ir, const struct ir_helper *h, val dst, val a, val b, uint32_t aux);
void ir_jmp(struct ir *ir, uint64_t rip);
void ir_jcc(struct ir *ir, unsigned cond, uint64_t taken, uint64_t not_taken);
/* H is called if any of BITS is set in the four bytes of FIELD. */
void ir_call_if(struct ir *ir, val field, uint16_t bits, const struct ir_helper *h, uint32_t aux);
void ir_jind(struct ir *ir, val target, unsigned hint);
void ir_exit(struct ir *ir, uint64_t rip);
void ir_exit_rip_set(struct ir *ir);

/* Backward pass: sets IR_FLAGS_LIVE where what is written is read before it is overwritten.  An operation that can fault reads all. */
void ir_pass_flags(struct ir *ir);

/* The text form, both ways; golden tests and -d op, op_opt speak it. */
void ir_print(const struct ir *ir, FILE *to);
void ir_print_insn(const struct ir *ir, const struct ir_insn *i, char *text, size_t size);
/* False, with a message, for a text that isn't IR.  Helpers are looked up by name in HELPERS (ends with a NULL name). */
bool ir_parse(struct ir *ir, const char *text, const struct ir_helper *const *helpers, char *why, size_t why_size);
/* What a correct block never has; NULL when all is well. */
const char *ir_verify(const struct ir *ir);

const char *ir_op_name(unsigned op);

static inline bool
ir_has_mem(const struct ir_insn *i)
{
	return i->dst.kind == IR_MEM || i->src.kind == IR_MEM || i->src2.kind == IR_MEM;
}

#endif
