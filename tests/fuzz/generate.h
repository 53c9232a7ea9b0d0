/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes snippets: templates out of the decoder's tables, instructions of them, and lists of these. */
#ifndef TESTS_FUZZ_GENERATE_H
#define TESTS_FUZZ_GENERATE_H

#include "tests/fuzz/fuzz.h"

struct row;
struct vec_row;
struct avx_row;
struct evex_row;

enum { MAX_TEMPLATES = 4096, MAX_INSN = 40, TRIES = 60, MAX_FIXUPS = 64 };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum class { CLASS_INTEGER, CLASS_VECTOR, CLASS_X87, CLASS_FAULT, CLASS_CONTROL, CLASS_SAVE, CLASSES };
enum { FORM_MEM = 1, FORM_REG = 2 };
enum flavour { STRAIGHT, FORWARD, LOOPS };
enum { OUTCOME_DONE, OUTCOME_FAULT, OUTCOMES };
enum { POOL = 8192, POOL_RENEWED = 32 }; /* vectors; how many of them are new for each code */

struct template {
	const char *name;
	const struct row *row;
	const struct vec_row *vec;
	const struct avx_row *avx;
	const struct evex_row *evex;
	uint32_t flags;     /* of the rows */
	unsigned feature;   /* that the host needs, plus 1 */
	uint8_t map, opcode, prefix;
	int8_t digit, rm;   /* fixed parts of ModRM, or -1 */
	uint8_t forms;      /* FORM_ bits; 0: no ModRM */
	bool prefix_fixed;
	bool vex;           /* by a VEX prefix of three bytes, or an EVEX prefix */
	bool not64, only64;
	enum class class;
	uint64_t met[OUTCOMES][MADE_CELLS];
};

/* A distance to be filled in when all instructions have their places. */
struct fixup {
	uint16_t at, from; /* of the bytes; of the next instruction */
	uint8_t bytes;
	bool absolute;
	uint16_t to; /* number of the instruction */
};

struct build {
	struct generator *g;
	struct random *r;
	struct snippet *s;
	struct made *made;
	bool edge;                 /* addresses at the edges of pages */
	uint32_t reserved, strict; /* registers that are rarely, or never, touched */
	unsigned bases, base[3], index;
	unsigned vector_index;     /* a vector register with small indices for gathers */
	unsigned undefined;        /* flags */
	unsigned fixups;
	struct fixup fixup[MAX_FIXUPS];
};

struct generator {
	struct random random;
	bool all;
	unsigned count;
	struct template template[MAX_TEMPLATES];
	unsigned of_class[CLASSES];
	uint16_t by_class[CLASSES][MAX_TEMPLATES];
	uint8_t pool[POOL][16];
	struct build last; /* what the latest code was made with */
	uint64_t executions; /* of earlier runs, by generator_load_totals() */
};

bool in_words(const char *list, const char *name);

/* ---- templates.c ---- */
void add_templates(struct generator *g);

/* ---- encode.c ---- */
/* A register for an operand: seldom a reserved one. */
unsigned pick_register(struct build *b, unsigned high);
bool is_string(const struct template *t);
/* Escape bytes and opcode of T; how many. */
unsigned put_opcode(const struct template *t, uint8_t *to);
/* One try at an instruction of T at BYTES; its length, or 0. */
unsigned encode(struct build *b, const struct template *t, uint8_t *bytes);

#endif
