/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random blocks for two translators, and whether they did the same: what the tests of integers and of vectors share. */
#ifndef TESTS_TCG_RANDOM_H
#define TESTS_TCG_RANDOM_H

#include "tests/tcg_guest.h"

enum { RAX, RCX, RDX, RBX };
enum { RIP = 0x401000 };

struct maker {
	struct ir ir;
	uint64_t random;
	unsigned undefined;                   /* flags, at this point of the block */
	unsigned undefined_at[IR_MAX_GUEST];  /* before each guest instruction */
};

/* ---- chance ---- */

uint64_t any64(struct maker *m);
unsigned below(struct maker *m, unsigned n);
bool chance(struct maker *m, unsigned percent);
/* Corner cases and anything. */
uint64_t value(struct maker *m);
/* Two doubles, four floats, or whatever. */
void random_lanes(struct maker *m, uint8_t to[16]);

/* ---- pieces of a block ---- */

void begin(struct maker *m);
/* An instruction of its own that sets a register. */
void set(struct maker *m, unsigned reg, unsigned width, uint64_t v);

static inline val
temp(unsigned n)
{
	return (val){ .o = { IR_TEMP, (uint8_t)n, 0 } };
}

/* A memory operand whose registers are set, but for the temporaries: BASE and INDEX are their values, if any. */
struct address {
	struct ir_mem mem;
	val base, index;
};

/* A linear address for SIZE bytes: mostly good, in a page of any kind, now and then misaligned, across a border, or nowhere. */
uint64_t place(struct maker *m, unsigned size, bool write);
struct address address_of(struct maker *m, uint64_t linear);
void set_address_temps(struct maker *m, const struct address *a);

/* ---- states ---- */

void random_state(struct maker *m, struct guest *g);
void fill_memory(struct maker *m, struct guest *g);
void copy_state(struct guest *to, const struct guest *from);
/* The block on both, from A's state; fails the test, with its text, if they differ. */
void compare(struct maker *m, struct guest *a, struct guest *b);

#endif
