/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mmu.c finds pages with: walks through the page tables, which check rights and set A and D bits, and physical memory.
 */
#ifndef CPU_WALK_H
#define CPU_WALK_H

#include "cpu/system.h"

/* ---- physical memory ---- */

/* Where PHYS is in the host; *R is its range.  NULL: not memory. */
uint8_t *phys_host(struct cpu *c, uint64_t phys, struct mem_range *r);
/* Of devices, under the machine's lock. */
uint64_t phys_io_read(struct cpu *c, uint64_t phys, unsigned size);
void phys_io_write(struct cpu *c, uint64_t phys, uint64_t value, unsigned size);

/* ---- page walks ---- */

enum access { ACCESS_READ = SHADOW_R, ACCESS_WRITE = SHADOW_W, ACCESS_FETCH = SHADOW_X };

/* One walk: where it stands, and what the levels above allow. */
struct walker {
	struct cpu *c;
	uint64_t linear;
	enum access access;
	unsigned view;
	bool probe;        /* set nothing, ask nothing */
	bool shadow_stack; /* an access to a shadow stack */
	uint32_t error;    /* of the page fault */
	uint64_t reserved; /* bits that no entry may have */
};

/* Walks; raises a page fault.  The physical address of the page. */
uint64_t walk_to(struct walker *k, struct walk *w);
/* SHADOW_R, _W, _X: what VIEW may do with the page. */
unsigned walk_rights(const struct cpu *c, const struct walk *w, unsigned view);
/* What PKRU leaves of a page: data of users' pages alone have keys. */
unsigned walk_key_rights(const struct cpu *c, const struct walk *w, unsigned view);

#endif
