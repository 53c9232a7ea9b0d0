/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random programs: 4 KiB of code that a machine of a processor and memory begins with, in one of three modes. */
#ifndef TESTS_FUZZ_PROGRAM_H
#define TESTS_FUZZ_PROGRAM_H

#include "tests/fuzz/generate.h"

struct cpu;

/* A boot sector in real mode, and a kernel, paging on. */
enum program_mode { PROGRAM_REAL, PROGRAM_32, PROGRAM_64, PROGRAM_MODES };

enum { PROGRAM_AT = 0x7c00, PROGRAM_BYTES = 4096, PROGRAM_STACK = 0x7000, PROGRAM_RAM = 0x120000 };
/* Where a handler of exceptions asks where to go on, and where it's told to go in the end: to a HLT. */
enum { PROGRAM_PORT = 0xe0, PROGRAM_END = 0xff80 };

extern const char *const program_modes[PROGRAM_MODES];

/* The memory that the program of a SEED begins with. */
void program_make(struct generator *g, enum program_mode mode, uint64_t seed, uint8_t ram[PROGRAM_RAM]);
/* The processor, after a reset. */
void program_start(struct cpu *c, enum program_mode mode, uint64_t seed);

#endif
