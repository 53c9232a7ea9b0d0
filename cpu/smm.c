/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System management mode: AMD64 Architecture Programmer's Manual, volume 2, "System-Management Mode".
 *
 * The state lies in the last 512 bytes of the 64 KiB from SMBASE on, as "AMD64 SMRAM State-Save Area" lays it out; SMBASE can be
 * moved (bit 17 of the revision), I/O instructions are not restarted (bit 16).  Which of NMI and interrupt shadow held is where
 * that manual has its NMI mask and the byte behind it; debug traps that wait for delivery take reserved bytes behind these.
 */
#include "cpu/system.h"

enum { SMM_ENTRY = 0x8000, SMM_AREA = 0xfe00, AREA_BYTES = 0x200, REVISION = 0x20064 };

/* Offsets from SMM_AREA. */
enum {
	AREA_SEGMENTS = 0x00, AREA_GDTR = 0x60, AREA_LDTR = 0x70, AREA_IDTR = 0x80, AREA_TR = 0x90,
	AREA_AUTO_HALT = 0xc9, AREA_NMI_MASK = 0xca, AREA_SHADOW = 0xcb, AREA_DEBUG = 0xcc, AREA_EFER = 0xd0,
	AREA_REVISION = 0xfc, AREA_SMBASE = 0x100,
	AREA_CR4 = 0x148, AREA_CR3 = 0x150, AREA_CR0 = 0x158, AREA_DR7 = 0x160, AREA_DR6 = 0x168, AREA_RFLAGS = 0x170,
	AREA_RIP = 0x178, AREA_RAX = 0x1f8,
};

/* In AREA_DEBUG: it is a trap; the bits below are those of DR6. */
#define SAVED_TRAP 0x80000000u
enum { DR6_CAUSES = 0xe00f };

struct area {
	uint8_t bytes[AREA_BYTES];
};

static void
put(struct area *a, unsigned at, uint64_t value, unsigned size)
{
	store_le(a->bytes + at, value, size);
}

static uint64_t
get(const struct area *a, unsigned at, unsigned size)
{
	return load_le(a->bytes + at, size);
}

/* ---- between the area and SMRAM ---- */

static uint64_t
area_phys(const struct cpu *c)
{
	uint64_t phys = (uint64_t)c->smbase + SMM_AREA;

	return c->a20 ? phys : phys & ~0x100000ull;
}

static void
area_write(struct cpu *c, const struct area *a)
{
	uint64_t phys = area_phys(c);

	cpu_lock(c);
	for (unsigned i = 0; i < AREA_BYTES; i += 4)
		space_write(c->config.mem, phys + i, get(a, i, 4), 4, true);
	cpu_unlock(c);
	tcg_invalidate(c->tcg, phys, AREA_BYTES);
}

static void
area_read(struct cpu *c, struct area *a)
{
	uint64_t phys = area_phys(c);

	cpu_lock(c);
	for (unsigned i = 0; i < AREA_BYTES; i += 4)
		put(a, i, space_read(c->config.mem, phys + i, 4, true), 4);
	cpu_unlock(c);
}

/* ---- into the area ---- */

static void
save_segment(struct area *a, unsigned at, const struct segment *s)
{
	put(a, at, s->selector, 2);
	put(a, at + 2, s->flags, 2);
	put(a, at + 4, s->limit, 4);
	put(a, at + 8, s->base, 8);
}

static void
save_tables(struct area *a, const struct cpu *c)
{
	for (unsigned n = 0; n < 6; n++)
		save_segment(a, AREA_SEGMENTS + 16 * n, &c->seg[n]);
	save_segment(a, AREA_LDTR, &c->ldtr);
	save_segment(a, AREA_TR, &c->tr);
	put(a, AREA_GDTR + 4, c->gdtr.limit, 2);
	put(a, AREA_GDTR + 8, c->gdtr.base, 8);
	put(a, AREA_IDTR + 4, c->idtr.limit, 2);
	put(a, AREA_IDTR + 8, c->idtr.base, 8);
}

static void
save_events(struct area *a, const struct cpu *c)
{
	/* MWAIT may end for any reason: only HLT is taken up again. */
	put(a, AREA_AUTO_HALT, c->halted && !c->mwait, 1);
	put(a, AREA_NMI_MASK, c->nmi_blocked, 1);
	put(a, AREA_SHADOW, c->inhibit | c->inhibit_db << 1, 1);
	put(a, AREA_DEBUG, (c->pending_dbg & DR6_CAUSES) | (c->pending_dbg >> 63 ? SAVED_TRAP : 0), 4);
}

static void
save(struct area *a, const struct cpu *c)
{
	save_tables(a, c);
	save_events(a, c);
	put(a, AREA_EFER, c->efer, 8);
	put(a, AREA_REVISION, REVISION, 4);
	put(a, AREA_SMBASE, c->smbase, 4);
	put(a, AREA_CR4, c->cr4, 8);
	put(a, AREA_CR3, c->cr3, 8);
	put(a, AREA_CR0, c->cr0, 8);
	put(a, AREA_DR7, c->dr[7], 8);
	put(a, AREA_DR6, c->dr[6], 8);
	put(a, AREA_RFLAGS, cpu_eflags(c), 8);
	put(a, AREA_RIP, c->f.rip, 8);
	for (unsigned n = 0; n < 16; n++)
		put(a, AREA_RAX - 8 * n, c->f.gpr[n], 8);
}

/* ---- out of the area ---- */

static uint64_t
canonical(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << 16) >> 16);
}

static struct segment
saved_segment(const struct area *a, unsigned at, bool long_mode)
{
	uint64_t base = get(a, at + 8, 8);

	return (struct segment){
		.selector = get(a, at, 2),
		.flags = get(a, at + 2, 2) & 0xf0ff,
		.limit = get(a, at + 4, 4),
		.base = long_mode ? canonical(base) : (uint32_t)base,
	};
}

static bool
is_long(const struct area *a)
{
	return get(a, AREA_EFER, 8) & EFER_LME && get(a, AREA_CR0, 8) & CR0_PG;
}

/* Is this a state that a processor can be in? */
static bool
is_legal(const struct cpu *c, const struct area *a)
{
	uint64_t cr0 = get(a, AREA_CR0, 8), cr4 = get(a, AREA_CR4, 8);

	if (cr0 >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)))
		return false;
	if (cr4 & ~cpuid_cr4_mask(c) || get(a, AREA_EFER, 8) & ~cpuid_efer_mask(c) || get(a, AREA_CR3, 8) >> PHYS_BITS)
		return false;
	if (get(a, AREA_DR6, 8) >> 32 || get(a, AREA_DR7, 8) >> 32)
		return false;
	if (is_long(a))
		return cr4 & CR4_PAE && !(get(a, AREA_RFLAGS, 8) & EFL_VM);
	return !(cr4 & CR4_PCIDE);
}

static void
restore_control(struct cpu *c, const struct area *a)
{
	c->cr0 = (get(a, AREA_CR0, 8) & 0xe005003f) | CR0_ET;
	c->cr3 = get(a, AREA_CR3, 8);
	c->cr4 = get(a, AREA_CR4, 8);
	c->efer = (get(a, AREA_EFER, 8) & ~(uint64_t)EFER_LMA) | (is_long(a) ? EFER_LMA : 0);
	c->dr[6] = (get(a, AREA_DR6, 8) & DR6_CAUSES) | 0xffff0ff0;
	c->dr[7] = (get(a, AREA_DR7, 8) & 0xffff23ff) | 0x400;
	c->has_code_breakpoints = debug_has_code(c);
	c->smbase = get(a, AREA_SMBASE, 4);
}

static void
restore_tables(struct cpu *c, const struct area *a)
{
	bool long_mode = in_long_mode(c);

	for (unsigned n = 0; n < 6; n++)
		c->seg[n] = saved_segment(a, AREA_SEGMENTS + 16 * n, long_mode);
	if (long_mode && c->seg[SEG_CS].flags & SF_L)
		c->seg[SEG_CS].base = 0;
	c->ldtr = saved_segment(a, AREA_LDTR, long_mode);
	c->tr = saved_segment(a, AREA_TR, long_mode);
	c->gdtr.limit = get(a, AREA_GDTR + 4, 2);
	c->gdtr.base = canonical(get(a, AREA_GDTR + 8, 8));
	c->idtr.limit = get(a, AREA_IDTR + 4, 2);
	c->idtr.base = canonical(get(a, AREA_IDTR + 8, 8));
}

static void
restore_events(struct cpu *c, const struct area *a)
{
	uint32_t debug = get(a, AREA_DEBUG, 4);

	c->halted = get(a, AREA_AUTO_HALT, 1) & 1;
	c->mwait = false;
	c->nmi_blocked = get(a, AREA_NMI_MASK, 1) & 1;
	c->inhibit = get(a, AREA_SHADOW, 1) & 1;
	c->inhibit_db = get(a, AREA_SHADOW, 1) >> 1 & 1;
	c->pending_dbg = (debug & DR6_CAUSES) | (debug & SAVED_TRAP ? 1ull << 63 : 0);
}

/* ---- entering and leaving ---- */

/* Segments, paging and SMRAM are others from here on. */
static void
switch_world(struct cpu *c, bool smm)
{
	const struct cpu_board *b = c->config.board;

	c->smm = smm;
	if (b && b->smm_changed) {
		cpu_lock(c);
		b->smm_changed(b->opaque, smm);
		cpu_unlock(c);
	}
	shadow_select(c->shadow, c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0);
	tlb_flush_all(c);
	c->monitor_armed = false;
	for (unsigned n = 0; n < 6; n++)
		cpu_segment_changed(c, n);
	/* What the change lets through, or the halt that goes on, is for the run loop. */
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
}

void
smm_enter(struct cpu *c)
{
	struct area a = { { 0 } };

	save(&a, c);
	area_write(c, &a);
	c->halted = c->mwait = c->inhibit = c->inhibit_db = false;
	c->nmi_blocked = true;
	c->pending_dbg = 0;
	c->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
	c->cr4 = 0;
	c->efer = 0;
	c->dr[7] = 0x400;
	c->has_code_breakpoints = false;
	c->cpl = 0;
	for (unsigned n = 0; n < 6; n++)
		c->seg[n] = (struct segment){ .flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED | SF_G, .limit = 0xffffffff };
	c->seg[SEG_CS].selector = c->smbase >> 4;
	c->seg[SEG_CS].base = (uint32_t)c->smbase;
	c->f.rip = SMM_ENTRY;
	cpu_set_eflags(c, 2);
	switch_world(c, true);
}

/* RSM to a state that can't be: the processor shuts down, as after a third fault. */
static _Noreturn void
refuse(struct cpu *c)
{
	c->delivering = EXC_DF;
	cpu_raise(c, EXC_DF);
}

uint64_t
do_rsm(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	struct area area;
	uint64_t flags;

	(void)a, (void)b, (void)aux;
	if (!c->smm)
		cpu_raise(c, EXC_UD);
	area_read(c, &area);
	if (!is_legal(c, &area))
		refuse(c);
	restore_control(c, &area);
	restore_tables(c, &area);
	restore_events(c, &area);
	flags = get(&area, AREA_RFLAGS, 8);
	if (!in_protected(c))
		flags &= ~(uint64_t)EFL_VM;
	/* The level is that of the stack. */
	c->cpl = !in_protected(c) ? 0 : flags & EFL_VM ? 3 : c->seg[SEG_SS].flags >> SF_DPL_SHIFT & 3;
	for (unsigned n = 0; n < 16; n++)
		f->gpr[n] = get(&area, AREA_RAX - 8 * n, 8);
	f->rip = get(&area, AREA_RIP, 8);
	if (!(in_long_mode(c) && c->seg[SEG_CS].flags & SF_L))
		f->rip = (uint32_t)f->rip;
	cpu_set_eflags(c, flags);
	switch_world(c, false);
	return 0;
}
