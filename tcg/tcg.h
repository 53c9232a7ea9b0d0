/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator's public face: find, compile, run, invalidate blocks of guest code.
 *
 * One struct tcg serves all vCPUs of a machine; it knows the guest through struct tcg_guest alone.
 */
#ifndef TCG_TCG_H
#define TCG_TCG_H

#include "tcg/frame.h"
#include "tcg/ir.h"

struct err;

/* A bit of the mode that is the translator's own: the block predicts nothing of the stack. */
#define TCG_PLAIN (1u << 31)

/* What makes two blocks the same. */
struct tcg_key {
	uint64_t phys;    /* guest-physical address of the first byte */
	uint64_t rip;
	uint64_t cs_base; /* linear = cs_base + rip */
	uint32_t mode;    /* the guest's: everything else that the code depends on */
	uint32_t cs_limit; /* the limit of its segment, 0 where there is none to check */
};

/* What translate() tells of a block's guest code. */
struct tcg_code {
	unsigned bytes;
	uint64_t phys2; /* guest-physical page that it runs over into; ~0: it does not */
};

enum tcg_access { TCG_READ = 1, TCG_WRITE = 2 };

/* The guest's side of the translator: all of them may raise an exception of the guest, that is, never return. */
struct tcg_guest {
	/* The linear address of SIZE bytes at EA in a segment, checked (enum ir_addr ADDR_CHECKED). */
	uint64_t (*linear)(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access);
	/* SIZE 1 to 512, any alignment, across pages too; all of it is checked before anything happens.  SEG tells #SS from #GP. */
	void (*load)(struct tcg_frame *f, uint64_t linear, void *to, unsigned size, unsigned seg);
	void (*store)(struct tcg_frame *f, uint64_t linear, const void *from, unsigned size, unsigned seg);
	/*
	 * For read-modify-write: the host's address when all of it is RAM that may be written (any code there is dropped), in one piece
	 * there too, or NULL after all checks for a write have passed: then load and store, exclusively if LOCKED (tcg_lock_bus).
	 */
	void *(*modify)(struct tcg_frame *f, uint64_t linear, unsigned size, unsigned seg);
	void (*divide_error)(struct tcg_frame *f) __attribute__((noreturn));
	void (*general_protection)(struct tcg_frame *f) __attribute__((noreturn));  /* #GP(0): a misaligned vector operand */
	void (*simd_exception)(struct tcg_frame *f) __attribute__((noreturn));      /* unmasked bits of MXCSR were hit */
	void (*x87_exception)(struct tcg_frame *f); /* a waiting instruction found one pending; goes on with it when this returns */
	void (*x87_cleared)(struct tcg_frame *f);   /* none is pending any more */
	/*
	 * Decodes the code at KEY into IR (ir_reset is done; up to MAX instructions).  A block never leaves its first page, but for
	 * one whose only instruction does.
	 */
	void (*translate)(struct tcg_frame *f, const struct tcg_key *key, struct ir *ir, unsigned max, struct tcg_code *out);
	/* For -d in_asm: disassembles the LEN bytes of the block. */
	void (*disassemble)(struct tcg_frame *f, const struct tcg_key *key, unsigned bytes);
	/* A page got its first code: no shadow may keep a write entry for it. */
	void (*protect)(void *opaque, uint64_t phys_page);
	void *opaque;
};

enum tcg_accel { ACCEL_NATIVE, ACCEL_INTERP };

struct tcg_options {
	enum tcg_accel accel;
	bool one_insn;          /* blocks of one instruction */
	bool portable;          /* vector and other optional instructions by our own code; approximations stay the host's */
	bool verify;            /* ir_verify() for each block, as with -d op */
	uint64_t cache_bytes;   /* code memory; 0: 64 MiB */
};

/* Does this host have one?  ACCEL_NATIVE is refused where not. */
bool tcg_has_back_end(void);
/* What of AVX-512 would run natively with these options? */
enum { TCG_AVX512 = 1 /* F, CD, BW, DQ, VL */, TCG_FP16 = 2, TCG_VP2INTERSECT = 4 };
unsigned tcg_native_avx512(const struct tcg_options *o);

struct tcg *tcg_new(const struct tcg_options *o, const struct tcg_guest *guest, struct err *e);
void tcg_free(struct tcg *t);
/* What tcg_new was given. */
const struct tcg_guest *tcg_guest_of(const struct tcg *t);

/* Lock-free for readers.  NULL: not translated yet. */
struct tcg_block *tcg_find(struct tcg *t, const struct tcg_key *key);
/* The next one with the key of B: code that runs over into a second page may have been translated with several of these. */
struct tcg_block *tcg_find_next(const struct tcg_block *b);
/* The guest-physical address of the second page of B's code; ~0 if there is none. */
uint64_t tcg_second_page(const struct tcg_block *b);
/*
 * Translates, up to MAX guest instructions (0: as many as fit).  KEEP false: a block for one run, which nothing finds
 * again and whose own stores into its code don't end it.
 */
struct tcg_block *tcg_translate(struct tcg *t, struct tcg_frame *f, const struct tcg_key *key, unsigned max, bool keep);

enum tcg_exit {
	TCG_NEXT,    /* f->rip is where to go on; *from says what may be chained or remembered */
	TCG_PENDING, /* f->pending was seen; f->rip is exact */
	TCG_LEFT,    /* a helper unwound; the state is exact */
};

/* Where an exit came from, for tcg_chain and tcg_remember: a direct jump not chained yet, or an indirect one that missed. */
struct tcg_from {
	void *slot;    /* a direct jump, or NULL */
	bool indirect;
	bool plain;    /* what comes next is the block's plain twin */
	uint64_t epoch;
};

/* Runs from BLOCK on until it leaves. */
enum tcg_exit tcg_enter(struct tcg_frame *f, struct tcg_block *block, struct tcg_from *from);
/* Lets the jump that FROM came out of go to BLOCK directly from now on. */
void tcg_chain(struct tcg *t, const struct tcg_from *from, struct tcg_block *block);
/* Enters BLOCK into the jump cache F uses now, under RIP. */
void tcg_remember(struct tcg_frame *f, uint64_t rip, struct tcg_block *block);
/* A jump cache with every line empty; one for each mode that has its own. */
struct tcg_jump *tcg_jumps_new(struct tcg *t);
void tcg_jumps_free(struct tcg *t, struct tcg_jump *jumps);

/* Does any block stand in the 4 KiB page of PHYS?  Lock-free. */
bool tcg_page_has_code(const struct tcg *t, uint64_t phys);
/* Does code stand in these bytes, to the granule of 64?  Does the block that F runs? */
bool tcg_hits_code(const struct tcg *t, uint64_t phys, uint64_t len);
bool tcg_hits_current(const struct tcg_frame *f, uint64_t phys, uint64_t len);
/* Drops every block that touches these bytes. */
void tcg_invalidate(struct tcg *t, uint64_t phys, uint64_t len);
void tcg_flush(struct tcg *t);

/* Executes one operation that is not of control, on F: the reference that all back ends and slow paths share. */
void interp_insn(struct tcg_frame *f, const struct ir_insn *i);

struct tcg_stats {
	uint64_t blocks, guest_insns, guest_bytes, code_bytes, code_used, flushes, invalidated, chained;
	uint64_t timed_ns, timed_insns; /* of a sample */
};
struct tcg_stats tcg_stats(const struct tcg *t);

#endif
