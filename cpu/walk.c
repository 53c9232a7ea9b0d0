/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical memory as the processor sees it, and the walks through its page tables: cpu/walk.h. */
#include "cpu/walk.h"

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX (1ull << 63)
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16, PF_PK = 32, PF_SS = 64 };
#define PHYS_MASK ((1ull << PHYS_BITS) - 1)

/* ---- physical memory ---- */

static uint64_t
a20_masked(const struct cpu *c, uint64_t phys)
{
	return c->a20 ? phys : phys & ~0x100000ull;
}

uint8_t *
phys_host(struct cpu *c, uint64_t phys, struct mem_range *r)
{
	if (c->near.region && c->near_smm == c->smm && phys >= c->near.first && phys <= c->near.last) {
		*r = c->near;
	} else {
		*r = space_find(c->config.mem, phys, c->smm);
		if (!r->region || r->region->kind == REGION_IO)
			return NULL;
		c->near = *r;
		c->near_smm = c->smm;
	}
	return r->region->host + r->offset + (phys - r->first);
}

uint64_t
phys_io_read(struct cpu *c, uint64_t phys, unsigned size)
{
	uint64_t v;

	cpu_lock(c);
	v = space_read(c->config.mem, phys, size, c->smm);
	cpu_unlock(c);
	return v;
}

void
phys_io_write(struct cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
	cpu_lock(c);
	space_write(c->config.mem, phys, value, size, c->smm);
	cpu_unlock(c);
}

/* ---- page walks ---- */

/* A page-table entry where it lies. */
struct entry {
	uint64_t phys, value;
	uint8_t *host;
	bool ram;
	unsigned size;
};

/* PROBE: what a device holds is left alone, and counts as zero; the prober may have the machine's lock. */
static void
entry_load(struct cpu *c, struct entry *e, uint64_t phys, unsigned size, bool probe)
{
	struct mem_range r;

	e->phys = a20_masked(c, phys);
	e->size = size;
	e->host = phys_host(c, e->phys, &r);
	e->ram = e->host && r.region->kind == REGION_RAM;
	if (!e->host)
		e->value = probe ? 0 : phys_io_read(c, e->phys, size);
	else if (size == 8)
		e->value = __atomic_load_n((uint64_t *)e->host, __ATOMIC_RELAXED);
	else
		e->value = __atomic_load_n((uint32_t *)e->host, __ATOMIC_RELAXED);
}

/* Sets bits of the entry.  False: another processor changed it meanwhile. */
static bool
entry_set(struct cpu *c, struct entry *e, uint64_t set)
{
	uint64_t old = e->value;
	uint32_t old32 = old;

	if ((old & set) == set)
		return true;
	e->value |= set;
	if (!e->host) {
		phys_io_write(c, e->phys, e->value, e->size);
		return true;
	}
	if (!e->ram)
		return true;
	if (tcg_page_has_code(c->tcg, e->phys))
		tcg_invalidate(c->tcg, e->phys, e->size);
	space_set_dirty(c->config.mem, e->phys, e->size);
	if (e->size == 8)
		return __atomic_compare_exchange_n((uint64_t *)e->host, &old, e->value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)e->host, &old32, (uint32_t)e->value, false, __ATOMIC_SEQ_CST,
		__ATOMIC_RELAXED);
}

enum walk_result { WALK_OK, WALK_FAULT, WALK_AGAIN };

unsigned
walk_key_rights(const struct cpu *c, const struct walk *w, unsigned view)
{
	unsigned no = w->user ? c->pkru >> 2 * w->key & 3 : 0;

	if (!no || !(c->cr4 & CR4_PKE) || !in_long_mode(c))
		return SHADOW_R | SHADOW_W | SHADOW_X;
	if (no & 1)
		return SHADOW_X;
	return SHADOW_R | SHADOW_X | (view == VIEW_USER || c->cr0 & CR0_WP ? 0 : SHADOW_W);
}

unsigned
walk_rights(const struct cpu *c, const struct walk *w, unsigned view)
{
	bool nx = w->no_execute;
	unsigned key = walk_key_rights(c, w, view);

	if (view == VIEW_USER)
		return !w->user ? 0 : key & (SHADOW_R | (w->write ? SHADOW_W : 0) | (nx ? 0 : SHADOW_X));
	if (c->cr4 & CR4_SMEP && w->user)
		nx = true;
	if (view == VIEW_SMAP && w->user)
		return nx ? 0 : SHADOW_X;
	return key & (SHADOW_R | (w->write || !(c->cr0 & CR0_WP) ? SHADOW_W : 0) | (nx ? 0 : SHADOW_X));
}

/* A shadow stack's page is dirty, and read-only by its last level alone; users and supervisor have theirs apart. */
static bool
is_shadow_stack(const struct walker *k, const struct entry *e, const struct walk *w)
{
	bool user = k->view == VIEW_USER;

	return w->tables_write && (e->value & (PTE_W | PTE_D)) == PTE_D && w->user == user &&
		walk_key_rights(k->c, w, k->view) & k->access;
}

static bool
is_allowed(const struct walker *k, const struct entry *e, const struct walk *w)
{
	return k->shadow_stack ? is_shadow_stack(k, e, w) : walk_rights(k->c, w, k->view) & k->access;
}

/* The last level: may it be, and A and D. */
static enum walk_result
walk_leaf(struct walker *k, struct entry *e, struct walk *w)
{
	w->global = e->value & PTE_G && k->c->cr4 & CR4_PGE;
	w->dirty = e->value & PTE_D;
	w->key = e->size == 8 ? e->value >> 59 & 15 : 0;
	if (k->probe)
		return WALK_OK;
	if (!is_allowed(k, e, w)) {
		k->error |= PF_P | (walk_key_rights(k->c, w, k->view) & k->access ? 0 : PF_PK);
		return WALK_FAULT;
	}
	if (!entry_set(k->c, e, PTE_A | (k->access == ACCESS_WRITE ? PTE_D : 0)))
		return WALK_AGAIN;
	w->dirty = e->value & PTE_D;
	return WALK_OK;
}

/* What one entry adds to the rights; false: not present or malformed. */
static bool
walk_entry(struct walker *k, const struct entry *e, struct walk *w, uint64_t reserved)
{
	if (!(e->value & PTE_P))
		return false;
	if (e->value & reserved) {
		k->error |= PF_P | PF_RSVD;
		return false;
	}
	w->tables_write = w->write;
	w->user &= e->value >> 2 & 1;
	w->write &= e->value >> 1 & 1;
	w->no_execute |= e->size == 8 && e->value >> 63;
	return true;
}

static enum walk_result
walk32(struct walker *k, struct walk *w)
{
	struct cpu *c = k->c;
	struct entry e;

	entry_load(c, &e, (c->cr3 & 0xfffff000) + (k->linear >> 22 & 0x3ff) * 4, 4, k->probe);
	if (e.value & PTE_PS && c->cr4 & CR4_PSE) {
		if (!walk_entry(k, &e, w, 0x200000))
			return WALK_FAULT;
		w->bytes = 4 * MiB;
		w->phys = (e.value & 0xffc00000) | (e.value >> 13 & 0xff) << 32;
		return walk_leaf(k, &e, w);
	}
	if (!walk_entry(k, &e, w, 0))
		return WALK_FAULT;
	if (!k->probe && !entry_set(c, &e, PTE_A))
		return WALK_AGAIN;
	entry_load(c, &e, (e.value & 0xfffff000) + (k->linear >> 12 & 0x3ff) * 4, 4, k->probe);
	if (!walk_entry(k, &e, w, 0))
		return WALK_FAULT;
	w->bytes = 4 * KiB;
	w->phys = e.value & 0xfffff000;
	return walk_leaf(k, &e, w);
}

static enum walk_result
walk64(struct walker *k, struct walk *w)
{
	struct cpu *c = k->c;
	bool lma = in_long_mode(c), has_1g = cpu_has(c, FEAT_pdpe1gb);
	uint64_t table = lma ? c->cr3 & PHYS_MASK & ~0xfffull : c->cr3 & 0xffffffe0;
	struct entry e;

	for (int level = lma ? c->cr4 & CR4_LA57 ? 4 : 3 : 2;; level--) {
		unsigned shift = 12 + 9 * level;
		unsigned mask = !lma && level == 2 ? 3 : 0x1ff;
		uint64_t reserved = k->reserved;
		bool large;

		entry_load(c, &e, table + (k->linear >> shift & mask) * 8, 8, k->probe);
		if (!lma && level == 2) {
			/* A PDPTE of PAE paging has no rights, and no A bit. */
			if (!(e.value & PTE_P))
				return WALK_FAULT;
			table = e.value & PHYS_MASK & ~0xfffull;
			continue;
		}
		large = e.value & PTE_PS && (level == 1 || (level == 2 && has_1g));
		if (large)
			reserved |= ((1ull << shift) - 1) & ~0x1fffull;
		else if (level >= 2)
			reserved |= PTE_PS;
		if (!walk_entry(k, &e, w, reserved))
			return WALK_FAULT;
		if (large || level == 0) {
			w->bytes = 1ull << shift;
			w->phys = e.value & PHYS_MASK & ~(w->bytes - 1);
			return walk_leaf(k, &e, w);
		}
		if (!k->probe && !entry_set(c, &e, PTE_A))
			return WALK_AGAIN;
		table = e.value & PHYS_MASK & ~0xfffull;
	}
}

static enum walk_result
walk_once(struct walker *k, struct walk *w)
{
	struct cpu *c = k->c;

	*w = (struct walk){ .user = true, .write = true, .tables_write = true };
	k->error = (k->access == ACCESS_WRITE ? PF_W : 0) | (k->view == VIEW_USER ? PF_U : 0) | (k->shadow_stack ? PF_SS : 0);
	if (k->access == ACCESS_FETCH && (c->cr4 & CR4_SMEP || (c->cr4 & CR4_PAE && c->efer & EFER_NXE)))
		k->error |= PF_I;
	if (!(c->cr0 & CR0_PG)) {
		w->bytes = 4 * KiB;
		w->phys = k->linear & 0xfffff000;
		w->dirty = true;
		return WALK_OK;
	}
	if (!(c->cr4 & CR4_PAE))
		return walk32(k, w);
	k->reserved = ~PHYS_MASK & (in_long_mode(c) ? 0x000fffffffffffffull : 0x7fffffffffffffffull);
	if (!(c->efer & EFER_NXE))
		k->reserved |= PTE_NX;
	return walk64(k, w);
}

bool
mmu_probe(struct cpu *c, uint64_t linear, struct walk *w)
{
	struct walker k = { .c = c, .linear = linear, .access = ACCESS_READ, .view = VIEW_SUPER, .probe = true };

	if (!in_long_mode(c))
		k.linear = (uint32_t)linear;
	else if (!is_canonical(c, linear))
		return false;
	return walk_once(&k, w) == WALK_OK;
}

bool
pdptes_valid(struct cpu *c, uint64_t cr3)
{
	for (unsigned i = 0; i < 4; i++) {
		struct entry e;

		entry_load(c, &e, (cr3 & 0xffffffe0) + i * 8, 8, false);
		if (e.value & PTE_P && e.value & (~PHYS_MASK | 0x1e6))
			return false;
	}
	return true;
}

uint64_t
walk_to(struct walker *k, struct walk *w)
{
	enum walk_result result;

	do {
		result = walk_once(k, w);
	} while (result == WALK_AGAIN);
	if (result == WALK_FAULT)
		cpu_raise_page_fault(k->c, k->linear, k->error);
	return a20_masked(k->c, (w->phys | (k->linear & (w->bytes - 1))) & ~0xfffull);
}
