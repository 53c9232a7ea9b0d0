/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differential tester of instructions: the host's processor says what a snippet of user code does, and every way that
 * translated code can be run has to do the same.
 *
 * A snippet is code, initial registers and the seed of its data.  It runs at the same linear addresses everywhere: two pages of
 * code, which it can't write, three pages of data, a page that can only be read, and nothing around them.  It ends by a fault or
 * by jumping to FUZZ_EXIT, where each runner has code of its own.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FUZZ_CODE 0x10000000ull
#define FUZZ_EXIT 0x10010000ull
#define FUZZ_EXIT32 (FUZZ_EXIT + 0x40)
#define FUZZ_DATA 0x20000000ull
#define FUZZ_GS_BASE (FUZZ_DATA + 0x810)

enum { FUZZ_PAGE = 4096, CODE_PAGES = 2, DATA_PAGES = 3 };
enum { DATA_BYTES = DATA_PAGES * FUZZ_PAGE, CODE_BYTES = CODE_PAGES * FUZZ_PAGE };
/* The selectors of Linux. */
enum { USER_CS32 = 0x23, USER_SS = 0x2b, USER_CS = 0x33 };
enum { SNIPPET_BYTES = 1024, SNIPPET_INSNS = 160, JUMP_BYTES = 5, CODE_FILL = 0xcc };

/* Offsets in an FXSAVE image, and in what XSAVE has behind it. */
enum {
	FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_POINTERS = 6, FX_MXCSR = 24, FX_MXCSR_MASK = 28, FX_ST = 32, FX_XMM = 160,
	FX_END = 416, FX_BYTES = 512, FX_HEADER = 512, FX_YMM = 576, FX_AREA = 832,
};

enum { ZMM = 32 };

struct registers {
	uint64_t gpr[16];
	uint64_t flags;
	_Alignas(64) uint8_t fx[FX_AREA];
	uint8_t zmm[ZMM][64]; /* of the first 16 the lower halves are not used: they are in FX */
	uint64_t k[8];
};

/*
 * What processors may differ in when an instruction faults: which address, whether it does, what is below the stack, #AC in the
 * place of another fault; #AC where the host has nothing, or its #DB in the place of a fault.
 */
enum { LOOSE_ADDRESS = 1, LOOSE_FAULT = 2, LOOSE_STACK = 4, LOOSE_ALIGNMENT = 8, LOOSE_GATHER = 16, LOOSE_NO_AC = 32 };

struct snippet {
	uint8_t code[SNIPPET_BYTES];
	unsigned len;
	unsigned at; /* where the code begins in its pages */
	bool code32; /* compatibility mode, with flat segments */
	bool variant; /* its code is that of the one before it in its batch */
	uint64_t data_seed;
	struct registers start;
	/* What snippet_analyse() finds out: */
	unsigned insns;
	uint16_t insn_at[SNIPPET_INSNS + 1];
	uint16_t undefined[SNIPPET_INSNS + 1]; /* flags without a defined value before that instruction */
	uint16_t undefined_anywhere;
	uint8_t loose[SNIPPET_INSNS + 1]; /* LOOSE_ bits of each instruction */
};

/* Beside the processor's vectors. */
enum { VECTOR_EXIT = 0x80, VECTOR_TIMEOUT = 0x81, VECTOR_LOST = 0x82 };

struct outcome {
	struct registers regs;
	uint64_t rip;
	unsigned vector;
	uint32_t error;
	uint64_t cr2;
	bool same_data; /* as in the beginning (the host's), as the host's (ours): there is nothing in DATA */
	uint8_t data[DATA_BYTES];
};

/* ---- random.c ---- */
struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
unsigned random_below(struct random *r, unsigned n);
bool random_percent(struct random *r, unsigned percent);
uint64_t random_value(struct random *r); /* often at a border */
void random_float(struct random *r, uint8_t to[16]);
void random_x87(struct random *r, uint8_t to[10]);
/* The data that a snippet begins with. */
void fill_data(uint64_t seed, uint8_t data[DATA_BYTES]);
/* The page that can only be read. */
void fill_constants(uint8_t page[FUZZ_PAGE]);

/* ---- native.c ---- */
enum { BATCHES = 3, BATCH = 64 };
struct batch {
	unsigned count, current;
	atomic_bool wanted; /* and not done yet */
	struct snippet snippet[BATCH];
	struct outcome outcome[BATCH];
};
/* False: this host can't. */
bool native_init(void);
/* Has the host's processor a feature (enum cpu_feature)? */
bool native_has(unsigned feature);
/* Of any maker but Intel, like cpuid_model's AMD. */
bool native_is_amd(void);
/* Are there YMM registers, and all that is in avx.def? */
bool native_has_avx(void);
/* Are there ZMM registers and masks, and AVX512F, CD, BW, DQ and VL? */
bool native_has_avx512(void);
struct batch *native_batch(unsigned n);
/* One batch runs at a time; false: the process is gone. */
bool native_start(unsigned n);
bool native_wait(unsigned n);

/* ---- guest.c ---- */
struct guest;
/* The last one has vectors and optional instructions by our own code, where the others take the host's. */
enum guest_kind { GUEST_INTERP, GUEST_NATIVE, GUEST_NATIVE_ONE, GUEST_PORTABLE, GUEST_KINDS };
extern const char *const guest_names[GUEST_KINDS];
struct guest *guest_new(enum guest_kind kind);
void guest_free(struct guest *g);
/* From the timer, every 10 ms: a snippet that doesn't end is stopped after 3 seconds. */
void guest_tick(void);
/* DATA is what it begins with. */
void guest_run(struct guest *g, const struct snippet *s, const uint8_t *data, const struct outcome *host, struct outcome *ours);

/* ---- analyse.c ---- */
struct insn;
/* Finds the instructions.  False: it does something that the host may not be asked to do, or reads what is not defined. */
bool snippet_analyse(struct snippet *s);
/* Addresses of bytes whose value after S isn't compared; how many. */
enum { MAX_HOLES = 3 };
struct hole {
	uint64_t from, to;
};
unsigned snippet_holes(const struct snippet *s, const struct outcome *host, struct hole holes[MAX_HOLES]);
/* Names that are never generated, and why; NULL: none of them. */
const char *excluded_reason(const char *name);
const char *insn_name(const struct insn *i);
enum decode_result snippet_decode(const struct snippet *s, struct insn *i, const uint8_t *bytes, unsigned avail, unsigned at);
/* Flags that I reads; U, those undefined before it, becomes those undefined after it. */
unsigned flags_read(const struct insn *i);
unsigned flags_undefined(const struct insn *i, unsigned undefined);

/* ---- generate.c ---- */
struct generator;
/* ALL: also of instructions that the host may not be asked to run, or that processors differ in. */
struct generator *generator_new(uint64_t seed, bool all);
void generator_free(struct generator *g);
/* Which template stands where in a snippet, and in which form: a width's number, and MADE_MEMORY. */
enum { MADE_MEMORY = 4, MADE_CELLS = 8 };
struct made {
	unsigned count;
	struct { uint16_t at, template; uint8_t cell; } where[SNIPPET_INSNS];
};
void generate(struct generator *g, struct snippet *s, struct made *made);
/* Gives S, a copy of what was generated last, other registers. */
void generate_variant(struct generator *g, struct snippet *s);

/* ---- templates.c ---- */
/* Counts what a snippet met on its way to an outcome. */
void generator_cover(struct generator *g, const struct snippet *s, const struct made *made, const struct outcome *o);
unsigned generator_covered(const struct generator *g);
/* How often templates were met; those that make up for what a snippet needs beside them don't count. */
uint64_t generator_instructions(const struct generator *g);
unsigned generator_templates(const struct generator *g);
/* Templates that were never met, and forms of them that were, but less than LIMIT times. */
void generator_print_seldom(const struct generator *g, uint64_t limit, FILE *to);
/* Counts of earlier runs are in a file: added to ours, and written with EXECUTIONS more. */
void generator_load_totals(struct generator *g, const char *name);
bool generator_save_totals(const struct generator *g, uint64_t executions, const char *name);
uint64_t generator_executions(const struct generator *g);

/* ---- compare.c ---- */
/* False, with what is different in WHAT.  DATA is what they began with. */
bool outcome_equal(const struct snippet *s, const uint8_t *data, const struct outcome *host, const struct outcome *ours,
	char *what, size_t size);

/* ---- text.c ---- */
void snippet_print(const struct snippet *s, FILE *to);
bool snippet_parse(struct snippet *s, FILE *from);
void snippet_disassemble(const struct snippet *s, FILE *to);

#endif
