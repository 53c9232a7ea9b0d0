/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow MMU: the guest's page tables as the linear tables that generated code reads (tcg/frame.h).
 *
 * A slot is one address space, named by its PCID (0 without PCIDs); it has a table for each view, that is, for each set of
 * rights.  An entry may be missing or too strict, never too permissive.  What was filled is kept in lists, so that a flush costs
 * what the fills did; the memory behind the tables is bounded, and given back whole when the bound is reached.
 *
 * Filling and flushing belong to the vCPU's thread; shadow_drop_writes() may be called from any.
 */
#ifndef CPU_SHADOW_H
#define CPU_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct shadow;
struct tcg;
struct tcg_frame;

enum shadow_view {
	VIEW_USER,
	VIEW_SUPER, /* also user pages, as without SMAP, or with EFLAGS.AC */
	VIEW_SMAP,  /* without the user's pages */
	SHADOW_VIEWS
};

enum { SHADOW_R = 1, SHADOW_W = 2, SHADOW_X = 4 };

/* SLOTS at the most; they are reserved as they are used, but for the first. */
struct shadow *shadow_new(unsigned slots, struct err *e);
void shadow_free(struct shadow *s);
/* The vCPU whose predicted stack is forgotten when entries change or go. */
void shadow_attach(struct shadow *s, struct tcg_frame *f);

/* Makes the slot of address space ID the current one. */
void shadow_select(struct shadow *s, uint32_t id);
uint64_t *shadow_table(const struct shadow *s, unsigned view);
uint32_t *shadow_exec(const struct shadow *s, unsigned view);

/* What the guest's page tables say of a page. */
struct shadow_page {
	uint64_t bytes;
	bool global;
	uint8_t key; /* protection key; its rights are in those that are filled */
};

/*
 * Enters the 4 KiB of LINEAR, which is HOST in the host and PHYS in the guest, in the current slot's VIEW.  A write entry is left out
 * when the page has code in T.
 */
void shadow_fill(struct shadow *s, unsigned view, uint64_t linear, const uint8_t *host, uint64_t phys, unsigned rights,
	const struct shadow_page *page, const struct tcg *t);

void shadow_flush_all(struct shadow *s);                   /* every slot, global pages too */
void shadow_flush_slot(struct shadow *s, uint32_t id);     /* all but the global pages of one address space */
void shadow_flush_local(struct shadow *s);                 /* all but the global pages of all of them */
void shadow_flush_page(struct shadow *s, uint64_t linear); /* in every slot */
void shadow_flush_keys(struct shadow *s, unsigned keys);   /* users' pages with a protection key of the set, in every slot */
/* No view keeps a write entry for the page with number PAGE (phys >> 12).  True: one did. */
bool shadow_drop_writes(struct shadow *s, uint64_t page);

/* Another number after each flush and change of address space: what was derived from the tables before is no longer valid. */
uint32_t shadow_generation(const struct shadow *s);

/* How many pages are entered, for info jit. */
uint64_t shadow_count(const struct shadow *s);

#endif
