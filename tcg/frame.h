/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame: the part of a vCPU's state that generated code addresses, from the host's stack pointer.  The guest's own
 * state struct begins with it, so that an IR FIELD is an offset from here too.
 *
 * While generated code runs, pinned registers are in host registers and, by vec_resident, vector registers and MXCSR are in the
 * host's; in every C function that it calls, all of it is exact in here, except the x87/MMX state, which stays in the
 * host's x87 until tcg_x87_sync().
 */
#ifndef TCG_FRAME_H
#define TCG_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcg;
struct tcg_block;
struct tcg_guest;
struct tcg_site;

/* A segment as generated code needs it.  Fast limits: an access whose last byte's offset is below it is fine; 0: ask. */
struct tcg_seg {
	uint64_t base;
	uint64_t read_limit, write_limit;
};

/*
 * One view of the guest's memory (an address space seen with one set of rights): two sparse linear tables, indexed by bits
 * 12-47 of the linear address, from one reservation.  Entry: host - guest of that page, 0: take the slow path.
 * The exec table says which frame is mapped (gpa >> 12, plus 1).
 *
 * The write table stands SHADOW_WRITE entries behind the read table: 2^36, and some pages more.  Processors that look up their
 * first cache by a part of the address take two lines for one where they differ in its high bits alone, and both entries of a page
 * would ever drive each other out: standing apart made integer-avx2 of tests/bench/vector.sh 7 % faster.
 * 37 is an odd number of the table's pages, of 512 entries: the two differ in low bits too.
 *
 * Addresses of 57 bits share these tables: each span of 2^48 bytes is turned by 2^40 against its neighbour, the one around 0 not at
 * all.  Any two addresses with one index then are 2^47 bytes or more apart, so an entry that is another page's leads to no
 * address that a program of the host can have: generated code faults there and takes the slow path, others ask
 * SHADOW_IS_OWN.  The exec table has no such test, and where the host has larger addresses there is none at all: they hold
 * addresses of 48 bits alone (SHADOW_IS_NEAR).
 */
enum { SHADOW_BITS = 36, SHADOW_TURN = 40 };
#ifdef __x86_64__
enum { SHADOW_HOST_BITS = 47 };
#else
enum { SHADOW_HOST_BITS = 63 };
#endif
#define SHADOW_SPAN(lin) ((uint64_t)((int64_t)((uint64_t)(lin) + (1ull << 47)) >> 48))
#define SHADOW_INDEX(lin) (((uint64_t)(lin) + (SHADOW_SPAN(lin) << SHADOW_TURN)) << 16 >> 28)
#define SHADOW_IS_NEAR(lin) (SHADOW_SPAN(lin) == 0)
#define SHADOW_HOLDS(lin) (SHADOW_HOST_BITS == 47 || SHADOW_IS_NEAR(lin))
#define SHADOW_IS_OWN(lin, entry) (SHADOW_HOST_BITS == 47 ? ((uint64_t)(lin) + (entry)) >> 47 == 0 : SHADOW_IS_NEAR(lin))
#define SHADOW_ENTRIES (1ull << SHADOW_BITS)
#define SHADOW_WRITE (SHADOW_ENTRIES + 37 * 512)

/* One line of a jump cache.  rip is compared whole; empty lines hold an address that belongs to others. */
struct tcg_jump {
	uint64_t rip;
	const void *code; /* the block's guarded entry */
};
/*
 * Lines of a jump cache.  A target that finds its line taken has the one at tcg_jump_line() ^ TCG_JUMP_OTHER, where jumps look
 * second: by turns in one line, two targets would always be looked up.
 */
enum { TCG_JUMP_BITS = 14, TCG_JUMPS = 1 << TCG_JUMP_BITS, TCG_JUMP_OTHER = 1 };

static inline unsigned
tcg_jump_line(uint64_t rip)
{
	return (rip ^ rip >> TCG_JUMP_BITS) & (TCG_JUMPS - 1);
}

struct tcg_frame {
	/* What most blocks address stands where a short displacement reaches it. */
	uint64_t rip;             /* exact in every C function: that of the current guest instruction */
	uint32_t *exec;           /* exec table of the current view */
	uint64_t stack_page;      /* a page of the guest's stack that may be read and written in this view ... */
	uint64_t stack_delta;     /* ... and its host - guest */
	uint64_t direct_delta;    /* the host - guest that most accesses of a kernel will have: a guess, never that of no page */
	struct tcg_jump *jumps;   /* jump cache of the current mode */
	uint32_t pending;         /* atomic; not 0: leave translated code at the next check */
	uint8_t vec_resident;     /* 1: XMM registers are in the host's; 2: YMM registers are; 3: all 32 ZMM registers and masks are */
	uint8_t x87_resident;
	uint8_t wide;             /* linear addresses have 57 bits */
	uint8_t has_bus;          /* between tcg_lock_bus() and tcg_unlock_bus() */
	uint64_t shadow_write;    /* SHADOW_WRITE */
	uint64_t gpr[16];
	uint64_t temp[16][2];
	/* Arithmetic flags: SF ZF AF PF CF in bits 15:8 as LAHF gives them, OF in bit 0. */
	uint64_t flags;
	int64_t df;               /* 1 or -1: direction of string instructions */
	uint64_t *shadow;         /* read table of the current view */
	struct tcg_seg seg[6];
	uint32_t mxcsr, host_mxcsr;
	uint64_t host_sp;         /* of the entry into generated code; 0 outside of it */
	void *leave[5];           /* the interpreter's way out (__builtin_setjmp) */
	const struct tcg_site *site; /* where generated code is, during a slow path; NULL in the run loop */
	struct tcg *tcg;
	const struct tcg_guest *guest;
	uint64_t slow_loads, slow_stores, slow_ops, jump_misses, fills; /* counters of info jit; jump_misses also chooses lines */
	_Alignas(64) uint8_t vec[32][64];
	uint64_t k[8];            /* AVX-512's masks */
	_Alignas(64) uint8_t x87[576]; /* FXSAVE image, whose XMM part is not used, and an XSAVE header */
};

/* No stack is predicted: a page that no canonical address is in, and a delta that makes every address non-canonical. */
#define TCG_NO_STACK_PAGE (1ull << 63)
#define TCG_NO_DELTA (1ull << 62)

/* To be called when an entry of the current view changes or goes, or another view becomes current; by any thread. */
static inline void
tcg_forget_stack(struct tcg_frame *f)
{
	__atomic_store_n(&f->stack_delta, TCG_NO_DELTA, __ATOMIC_SEQ_CST);
	__atomic_store_n(&f->stack_page, TCG_NO_STACK_PAGE, __ATOMIC_SEQ_CST);
}

/* OF and the five of LAHF, from and to their places in EFLAGS. */
static inline uint64_t
flags_to_eflags(uint64_t f)
{
	return (f >> 8 & 0xd5) | (f & 1) << 11;
}

static inline uint64_t
flags_from_eflags(uint64_t e)
{
	return (e & 0xd5) << 8 | 0x200 | (e >> 11 & 1);
}

/* Leaves generated code or the interpreter from inside a helper, back to tcg_enter's caller, which sees TCG_LEFT. */
_Noreturn void tcg_unwind(struct tcg_frame *f);

/*
 * Around a locked read and write of what the host can't change in one operation: devices, pages that aren't neighbours in the
 * host, and what it can't change misaligned or 16 bytes of at once.  Those exclude each other, but not what the host changes in one
 * operation, nor plain accesses.  Who leaves by tcg_unwind() has let go.
 */
void tcg_lock_bus(struct tcg_frame *f);
void tcg_unlock_bus(struct tcg_frame *f);

/* Brings the x87/MMX state into f->x87 (and lets the next block that needs it load it again). */
void tcg_x87_sync(struct tcg_frame *f);

/*
 * Memory for a state of SIZE bytes that begins with a frame: zeroed, but for the frame's constants, with a stack below it, because
 * generated code and what it calls run with the host's stack pointer there.  NULL: none to be had.
 */
enum { TCG_STACK_BYTES = 256 * 1024 };
void *tcg_frame_alloc(size_t size);
void tcg_frame_free(void *state, size_t size);

#endif
