/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tiny guest for tests of the translator: sixteen pages of memory of several kinds at linear address 10000h, blocks of IR
 * that come from texts or from the test itself, exceptions that are only noted.
 */
#ifndef TESTS_TCG_GUEST_H
#define TESTS_TCG_GUEST_H

#include "tcg/tcg.h"

enum { GUEST_MEMORY = 0x10000, GUEST_PAGES = 16, GUEST_PAGE = 4096 };

/* What a page of memory is: what the shadow has of it, and what an access does. */
enum guest_page {
	PAGE_FAST,  /* read and write entries */
	PAGE_CODE,  /* a read entry; writes take the slow path */
	PAGE_SLOW,  /* no entry; still memory */
	PAGE_IO,    /* no entry, and no host address */
	PAGE_ROM,   /* a read entry; writes fault */
	PAGE_NONE,  /* faults */
};

enum guest_fault { FAULT_NONE, FAULT_PAGE, FAULT_SEGMENT, FAULT_DIVIDE, FAULT_PROTECTION, FAULT_SIMD, FAULT_X87 };

/* A block by its address; the last one has no text. */
struct guest_text {
	uint64_t rip;
	const char *text;
};

struct guest {
	struct tcg_frame f;
	uint64_t field[8];
	struct tcg *tcg;
	uint8_t *memory;
	uint64_t limit[6];          /* of segments, last byte; CS is read-only */
	const struct guest_text *program;
	const struct ir *prepared;  /* instead of a program: the next block */
	bool one_frame;             /* pages one after the other are one frame */
	enum tcg_exit how;          /* of the last entry */
	unsigned entered;
	enum guest_fault fault;
	uint64_t fault_address;
};

struct guest *guest_new(enum tcg_accel accel);
void guest_free(struct guest *g);
enum guest_page guest_page_kind(unsigned page);
/* The frame behind an address of code, at first; then another one's. */
static inline uint64_t
guest_phys(uint64_t rip)
{
	return rip & 0xffffff;
}
void guest_map(struct guest *g, uint64_t linear, uint64_t phys);
/* The program from f.rip on, until it comes to UNTIL, leaves otherwise, or has been entered MAX times. */
void guest_run(struct guest *g, uint64_t until, unsigned max);
/* The block IR alone, once. */
void guest_run_block(struct guest *g, const struct ir *ir);

#endif
