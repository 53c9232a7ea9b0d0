/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 back end's state while it compiles one block.
 *
 * Registers.  rsp is the frame.  Eleven guest registers are pinned (host_of), the other five are operands in the frame.
 * r13 and r14 are scratch, r15 is the shadow's read table, rax holds the guest's flags: AH as LAHF gives them, OF in AL.
 *
 * Flags.  After an operation that defines the guest's flags they are in the host's own; before anything that destroys those
 * (the check of a memory access, mostly) `seto al; lahf` brings them into rax (two operations, no store), and
 * `cmp al, 81h; sahf` back.  g->flags says where they are valid.  Between blocks and at every call they are in rax.  Flags that are
 * overwritten soon and that only the slow path of an access on the way would show are not saved: its stub makes them anew.
 *
 * A memory access compares nothing but the shadow's entry with 0; the delta is added by the access itself (those through rSP
 * are predicted, stack.c, and in a kernel those to its mapping of all memory, look_up_direct).  What doesn't pass (a miss, MMIO, code, a page crossing) calls the slow thunk, which has the interpreter execute this one operation.
 */
#ifndef TCG_X64_GEN_H
#define TCG_X64_GEN_H

#include "tcg/block.h"
#include "tcg/x64/asm.h"

enum { S1 = H_R13, S2 = H_R14, TABLE = H_R15 };

enum { IN_AX = 1, IN_HOST = 2, LOST = 4 /* alone: from g->flags_by they are made anew */ };

/* Out-of-line code at the end of the block. */
struct stub {
	uint8_t *from[6];    /* jumps that come here */
	unsigned count;
	struct tcg_site *site;
	uint8_t *unaligned;  /* the jump of a misaligned access, or NULL */
	uint8_t *back;       /* where it goes on when it stays in its page (writable view) */
	uint8_t *wrong_guess; /* the jump of an access whose page hasn't the guessed delta, or NULL */
	uint8_t *guessed;     /* where it goes on once it has the page's own */
	bool s1_free;         /* in S1, not S2 */
	uint8_t addr, size;
	bool flags_in_frame; /* rax was used: flags come from the frame */
	bool flags_in_host;  /* rax doesn't hold them yet */
	const struct ir_insn *flags_by; /* nothing does, but this made them; or NULL */
};

struct gen {
	struct assembler a;
	struct tcg *t;
	struct tcg_block *b;
	struct ir *ir;
	unsigned flags;
	const struct ir_insn *flags_by; /* while they are LOST: what made them, and would again */
	struct stub stub[IR_MAX_INSNS];
	unsigned stubs;
	struct { uint8_t *from; uint64_t rip; } pending[4];
	unsigned pendings;
	uint8_t *miss[2];
	unsigned misses;
	unsigned vec_level;
	uint8_t *vec_load, *vec_back, *x87_load, *x87_back;
	uint8_t *stack_miss, *stack_back;      /* the check of the predicted stack, if there is one */
	int32_t stack_low;
	uint32_t stack_length;
	bool target_in_s1;                     /* of the indirect jump that ends the block */
	uint8_t on_stack[IR_MAX_INSNS / 8];    /* the accesses that rely on it */
};

extern const uint8_t host_of[16];

#define FRAME(member) rm_at(H_RSP, offsetof(struct tcg_frame, member))

/* ---- piece.c ---- */
void make_pieces(struct tcg *t);
void put_jump_line(struct assembler *a); /* S2 = the index of S1's line in a jump cache */
/* Copies one, with CONSTANT where it has one; where the displacement of its jump is. */
uint8_t *put_piece(struct gen *g, enum x64_piece_name n, uint32_t constant);
/* Jumps unless the exec table has FRAME at OFFSET. */
uint8_t *put_guard(struct gen *g, uint64_t offset, uint32_t frame);

/* ---- flags.c ---- */
void flags_save(struct gen *g);      /* rax is valid */
void flags_clobber(struct gen *g);   /* the host's are about to be destroyed; rax is valid then, unless they are LOST */
void flags_to_rax(struct gen *g);    /* ... and they are wanted there */
void flags_clobber_by(struct gen *g, const struct ir_insn *i); /* ... by the check of I's memory operand */
/* The host's flags as INSN made them, of the same operands; S2 is lost. */
void flags_again(struct gen *g, const struct ir_insn *insn);
void flags_to_host(struct gen *g);
void carry_to_host(struct gen *g);   /* CF alone, before an operation that overwrites the rest */
/* After an operation that wrote all flags. */
void flags_defined(struct gen *g, const struct ir_insn *i);
/* Before and after one that leaves some as they were. */
void flags_partial(struct gen *g, const struct ir_insn *i);
void flags_after_partial(struct gen *g, const struct ir_insn *i, unsigned before);

/* ---- memory.c ---- */
struct tcg_site *new_site(struct gen *g, const struct ir_insn *i);
/* The same with out-of-line code that leads there. */
struct stub *new_stub(struct gen *g, const struct ir_insn *i);
/* The checked memory operand of I, for SIZE bytes.  Host flags are gone (but for mov's).  S2 is in use; S1 unless base is pinned. */
struct rm memory_operand(struct gen *g, const struct ir_insn *i, unsigned size);
/* The same operand as [S1], which frees S2. */
struct rm fold(struct gen *g, struct rm m);
/* Where the operation that used memory ends: the slow path comes back here. */
void memory_done(struct gen *g);
/* The whole operation by the interpreter. */
void emit_slow(struct gen *g, const struct ir_insn *i);
void emit_stubs(struct gen *g);
/* S1 = the effective address, cut to its width; host flags stay. */
void emit_address(struct gen *g, const struct ir_mem *m);

/* ---- operand.c ---- */
bool is_pinned(struct ir_opnd o);
bool is_slot(struct ir_opnd o);                 /* in the frame: an unpinned register, a temporary, a field */
struct rm operand_rm(struct ir_opnd o);         /* pinned or slot */
/* A host register that holds O at WIDTH: its own, or SCRATCH, loaded.  High bytes and flags: flags_clobber first. */
unsigned operand_reg(struct gen *g, const struct ir_insn *i, struct ir_opnd o, unsigned width, unsigned scratch);
/* Stores SCRATCH into the slot or high byte O, as a register write of WIDTH does. */
void store_operand(struct gen *g, struct ir_opnd o, unsigned width, unsigned scratch);

/* ---- integer.c, shift.c, control.c, vector.c: each returns false for what it has no host code for ---- */
bool emit_classic(struct gen *g, const struct ir_insn *i);
bool emit_unary(struct gen *g, const struct ir_insn *i);
bool emit_accumulator(struct gen *g, const struct ir_insn *i);
bool emit_multiply(struct gen *g, const struct ir_insn *i);
bool emit_compare_exchange(struct gen *g, const struct ir_insn *i);
bool emit_compare_exchange_pair(struct gen *g, const struct ir_insn *i);
bool emit_exchange_add(struct gen *g, const struct ir_insn *i);
bool emit_move(struct gen *g, const struct ir_insn *i);
bool emit_bits(struct gen *g, const struct ir_insn *i);
bool emit_bmi(struct gen *g, const struct ir_insn *i);
bool emit_control(struct gen *g, const struct ir_insn *i);
bool emit_vector(struct gen *g, const struct ir_insn *i);
bool vector_is_native(const struct tcg *t, const struct ir *ir, const struct ir_insn *i);
/* What of the vector registers has to be in the host's: 0 nothing, 1 XMM, 2 YMM, 3 ZMM registers and masks. */
unsigned vector_level(const struct tcg *t, const struct ir *ir, const struct ir_insn *i);
bool vector_needs_x87(const struct ir_insn *i);

/* ---- gather.c ---- */
bool is_gather(const struct ir_insn *i); /* or a scatter */
bool gather_is_native(const struct ir *ir, const struct ir_insn *i);
bool emit_gather(struct gen *g, const struct ir_insn *i);

/* ---- control.c ---- */
void emit_entry(struct gen *g);
void emit_entry_stubs(struct gen *g);
/* The block's exit N as a direct jump to RIP, and where that goes while it is not chained. */
void slot_jump(struct gen *g, unsigned n, unsigned cc, uint64_t rip);
void slot_stub(struct gen *g, unsigned n, uint64_t rip);

/* ---- stack.c ---- */
void stack_entry(struct gen *g);
void stack_entry_stub(struct gen *g);
bool is_on_stack(const struct gen *g, const struct ir_insn *i);
struct rm stack_operand(struct gen *g, const struct ir_insn *i);

/* ---- host.c: HOST_ bits ---- */
uint64_t host_features(void);

/* Of struct back_end. */
void x64_compile(struct tcg *t, struct tcg_block *b, struct ir *ir);
void x64_disassemble(const struct tcg *t, const struct tcg_block *b);

#endif
