/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board for tests of the CPU that run programs: one or more processors, a megabyte of RAM that they share, and a port for each.
 * What a processor writes to its port ends its run.
 */
#ifndef TESTS_CPU_BOARD_H
#define TESTS_CPU_BOARD_H

#include <pthread.h>
#include <string.h>

#include "cpu/system.h"

enum { PROCESSORS = 2, WAYS = 4, PORT = 0x10, VECTOR = 0x20 };

struct board {
	struct space *mem, *io;
	struct region ram, port;
	uint8_t *bytes;
	unsigned processors;
	struct cpu *cpu[PROCESSORS];
	struct cpu_board face;
	pthread_t thread[PROCESSORS];
	pthread_mutex_t lock;
	int written[PROCESSORS]; /* -1: nothing yet */
	bool interrupted;        /* VECTOR waits for the first one */
	bool smm;
};

/* Those of running programs; the last one is the portable one. */
extern const struct tcg_options ways[WAYS];

/* PROCESSORS at the most.  All of them have CS 0, and are stopped. */
struct board *board_new(const struct tcg_options *way, unsigned processors);
void board_free(struct board *b);
/* Processor N from AT on, with its port in DX, until it writes there: what it wrote, or -1. */
int board_run(struct board *b, unsigned n, uint64_t at);
/* The same in a thread of its own, and the wait for it. */
void board_start(struct board *b, unsigned n, uint64_t at);
int board_end(struct board *b, unsigned n);

#define PUT(board, at, ...) memcpy((board)->bytes + (at), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define END 0xee, 0xeb, 0xfe /* out dx, al; jmp $ */

#endif
