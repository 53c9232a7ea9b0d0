/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks, their sites and jumps, and the memory they live in; for the files of tcg/ alone. */
#ifndef TCG_BLOCK_H
#define TCG_BLOCK_H

#include <pthread.h>
#include <stdatomic.h>

#include "tcg/tcg.h"

/* A place where generated code may go to C: a memory operand's slow path, a helper, an operation without host code. */
struct tcg_site {
	_Alignas(16) struct tcg_block *block; /* those of a block lie side by side, as cache_meta() aligns them */
	const uint8_t *start, *resume; /* host code of the fast path, and where to go on behind it */
	const uint8_t *stub;           /* the call of the slow thunk */
	uint64_t rip;                  /* of the guest instruction */
	uint64_t delta;                /* host - guest of the page that this access went to last: what it will go to next, we guess */
	uint32_t since;                /* when CREDIT was given, in us; 0: never */
	int32_t credit;                /* wrong guesses until it is asked whether guessing pays */
	struct ir_insn insn;
};

/* A direct jump to another block: chained, or to the stub that leaves. */
struct tcg_slot {
	uint8_t *patch;      /* the rel32, in the writable view */
	const uint8_t *stub; /* where it goes while not chained */
	uint64_t rip;        /* where it goes in the guest */
	struct tcg_block *owner, *to;
	struct tcg_slot *next, **prev; /* among those that go to TO */
	bool same_page;      /* the target needs no guard */
};

/* A block's exits: the way on, a condition's other way, and to its twin that predicts nothing of the stack. */
enum { TCG_SLOT_NEXT, TCG_SLOT_TAKEN, TCG_SLOT_PLAIN, TCG_SLOTS };

struct tcg_block {
	struct tcg_key key;
	uint64_t phys2;
	unsigned bytes;
	bool kept, dead;
	const uint8_t *code, *guarded, *end;
	const uint8_t *again; /* where its own jumps to its start go: registers that it found in the host's are still there */
	struct tcg_block *_Atomic hash_next;
	struct tcg_block *page_next[2], **page_prev[2]; /* of the blocks of its first and second page; PREV leads here */
	struct tcg_slot slot[TCG_SLOTS];
	struct tcg_slot *incoming;
	struct interp_step *step; /* the interpreter's */
	unsigned sites, guests;
	struct tcg_site *site;
};

/* A page with code: granules of 64 bytes, and the blocks that touch it (by their first or second page, once if both are it). */
struct tcg_page {
	uint64_t page;
	_Atomic uint64_t granules;
	struct tcg_block *blocks;
	unsigned hits;           /* writes that dropped blocks, since the last one was made here */
	struct tcg_page *_Atomic next;
};

enum { RECYCLED_HITS = 8 }; /* so many, and the page is taken to hold something else from now on: the rest is dropped too */
enum { GUESS_HASH = 1 << 16 }; /* of the addresses of instructions whose accesses go to ever other pages */
/* Programs that start look for blocks in vain: twice as many heads as blocks, so that few cold ones are met on the way. It
   saves 14 % of the time of a boot and 2,000 short programs. */
enum { BLOCK_HASH = 1 << 19, PAGE_HASH = 1 << 13, SEGMENTS = 16, JUMP_CACHES = 64 };
enum { THUNK_BYTES = 16384 }; /* of the code memory, before its segments */

/* One part of the code memory with the blocks in it: filled from below, dropped as a whole. */
struct tcg_segment {
	uint8_t *code, *code_next, *code_end; /* writable view */
	uint8_t *meta, *meta_next, *meta_end;
	uint8_t *code_warm, *meta_warm; /* up to here the host's pages were asked for */
	struct tcg_block **order; /* by address, for finding the block of a host address */
	unsigned blocks, capacity;
};

/* Code of the x86-64 back end that is copied into blocks (x64/piece.c): where its jump's displacement is and its constants are. */
struct x64_piece {
	uint8_t bytes[44];
	uint8_t length, jump, constant, wide;
};

enum x64_piece_name {
	PIECE_INDEX_READ, PIECE_INDEX_WRITE, PIECE_LOOK_UP_READ, PIECE_LOOK_UP_WRITE, PIECE_DIRECT_S1_READ, PIECE_DIRECT_S1_WRITE,
	PIECE_DIRECT_S2_READ, PIECE_DIRECT_S2_WRITE, PIECE_OFFSET_OF_S1, PIECE_OFFSET_OF_S2, PIECE_STACK_CHECK, PIECE_STACK_CROSSES,
	PIECE_GUARD, PIECE_PENDING, PIECE_JUMP_LINE, PIECES
};

struct x64_thunks {
	struct x64_piece piece[PIECES];
	const uint8_t *enter, *leave, *leave_slot, *leave_indirect, *other_line, *leave_pending, *unwind;
	const uint8_t *slow, *guess_s1, *guess_s2, *vec_load[3], *x87_load, *stack_fill[2];
};

/* Host pages that a thread is asked to make. */
struct warm_range {
	uint8_t *at;
	size_t len;
	bool write;
};

struct warmer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool running, ending;
	struct warm_range range[9];
	unsigned count;
};

/* What the host's processor has beyond the back end's base line. */
enum { HOST_BMI1 = 1, HOST_BMI2 = 2, HOST_LZCNT = 4, HOST_ADX = 8, HOST_POPCNT = 16, HOST_SSE42 = 32,
	HOST_AVX = 64, HOST_AVX2 = 128, HOST_FMA = 256, HOST_F16C = 512, HOST_VAES = 1024, HOST_VPCLMUL = 2048, HOST_AES = 4096,
	HOST_PCLMUL = 1 << 13, HOST_SSE2 = 1 << 14, HOST_SSE3 = 1 << 15, HOST_SSSE3 = 1 << 16, HOST_SSE41 = 1 << 17, HOST_SHA = 1 << 18,
	HOST_GFNI = 1 << 19, HOST_SSE4A = 1 << 20,
	HOST_AVX512 = 1 << 21 /* F, CD, BW, DQ, VL */, HOST_IFMA = 1 << 22, HOST_VBMI = 1 << 23, HOST_VBMI2 = 1 << 24, HOST_VNNI = 1 << 25,
	HOST_BITALG = 1 << 26, HOST_VPOPCNTDQ = 1 << 27, HOST_BF16 = 1 << 28, HOST_FP16 = 1 << 29,
	HOST_VP2INTERSECT = 1 << 30 };
#define HOST_XSAVE (1ull << 31) /* without it, the x87 alone can't be loaded */
#define HOST_CX16 (1ull << 32)

struct tcg {
	struct tcg_options options;
	const struct tcg_guest *guest;
	const struct back_end *host; /* NULL: interpreted */
	pthread_mutex_t lock;
	pthread_mutex_t bus; /* tcg_lock_bus() */
	bool swaps16;        /* the host compares and exchanges 16 bytes in one operation */
	struct tcg_block *_Atomic hash[BLOCK_HASH];
	struct tcg_page *_Atomic pages[PAGE_HASH];
	struct tcg_segment segment[SEGMENTS];
	unsigned current;
	uint64_t epoch; /* counts the segments dropped: what was remembered of an older one may be gone */
	uint8_t *code_rw, *meta;
	uint64_t host_has; /* HOST_ bits, of what code may be made of */
	ptrdiff_t to_rx; /* executable view - writable view */
	uint64_t code_bytes, meta_bytes;
	struct tcg_jump *jumps[JUMP_CACHES];
	struct x64_thunks thunk;
	struct warmer warmer;
	uint64_t no_guess[GUESS_HASH / 64];
	struct tcg_stats stats;
	struct ir ir; /* under construction, under the lock */
};

/* Room in the current segment; opens the next one, dropping what is in it, when fewer than these bytes are left. */
void cache_reserve(struct tcg *t, size_t code, size_t meta);
void *cache_meta(struct tcg *t, size_t size);
/* The block whose host code holds PC, or NULL. */
struct tcg_block *cache_block_at(struct tcg *t, const uint8_t *pc);
bool cache_init(struct tcg *t, struct err *e);
void cache_free(struct tcg *t);

/* ---- warm.c ---- */
void warm_start(struct tcg *t);
void warm_end(struct tcg *t);
/* The pages that blocks in S take next are made. */
void warm_ahead(struct tcg *t, struct tcg_segment *s);

/* Is it worth while to guess the page that the access of the guest instruction at RIP goes to? */
bool tcg_guess_pays(const struct tcg *t, uint64_t rip);
/* S has no credit left: gives it more, or lets its block be made anew without that guess. */
void tcg_settle_guess(struct tcg *t, struct tcg_site *s);

/* What a back end is. */
struct back_end {
	bool (*init)(struct tcg *t, struct err *e);
	void (*compile)(struct tcg *t, struct tcg_block *b, struct ir *ir);
	void (*patch)(struct tcg *t, struct tcg_slot *s, const uint8_t *target);
	enum tcg_exit (*enter)(struct tcg_frame *f, struct tcg_block *b, struct tcg_from *from);
	void (*unwind)(struct tcg_frame *f);
	void (*x87_sync)(struct tcg_frame *f); /* called while x87_resident */
	void (*disassemble)(const struct tcg *t, const struct tcg_block *b);
	unsigned (*native_avx512)(void); /* TCG_ */
};

/* The host's; NULL: it has none, and there is the interpreter. */
extern const struct back_end *const host_back_end;

#endif
