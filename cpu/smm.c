/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System management mode, with the save area of AMD64 (AMD64 Architecture Programmer's Manual, volume 2, "SMM State-Save Area"): offsets are
 * from SMBASE + 8000h.
 */
#include "cpu/system.h"

enum {
	SAVE_SEGMENTS = 0x7e00, SAVE_GDTR = 0x7e60, SAVE_LDTR = 0x7e70, SAVE_IDTR = 0x7e80, SAVE_TR = 0x7e90, SAVE_HALT = 0x7ec9,
	SAVE_EFER = 0x7ed0, SAVE_REVISION = 0x7efc, SAVE_SMBASE = 0x7f00, SAVE_CR4 = 0x7f48, SAVE_CR3 = 0x7f50, SAVE_CR0 = 0x7f58,
	SAVE_DR7 = 0x7f60, SAVE_DR6 = 0x7f68, SAVE_RFLAGS = 0x7f70, SAVE_RIP = 0x7f78, SAVE_GPR = 0x7ff8,
	REVISION = 0x20064,
};

static void
save(struct cpu *c, unsigned at, uint64_t value, unsigned size)
{
	space_write(c->config.mem, c->smbase + 0x8000 + at, value, size, true);
}

static uint64_t
saved(struct cpu *c, unsigned at, unsigned size)
{
	return space_read(c->config.mem, c->smbase + 0x8000 + at, size, true);
}

static void
save_segment(struct cpu *c, unsigned at, const struct segment *s)
{
	save(c, at, s->selector, 2);
	save(c, at + 2, s->flags, 2); /* a descriptor's bits 40 to 55, without the limit's */
	save(c, at + 4, s->limit, 4);
	save(c, at + 8, s->base, 8);
}

static void
load_segment(struct cpu *c, unsigned at, struct segment *s)
{
	s->selector = saved(c, at, 2);
	s->flags = saved(c, at + 2, 2) & 0xf0ff;
	s->limit = saved(c, at + 4, 4);
	s->base = saved(c, at + 8, 8);
}

static void
save_state(struct cpu *c)
{
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		save_segment(c, SAVE_SEGMENTS + seg * 16, &c->seg[seg]);
	save_segment(c, SAVE_LDTR, &c->ldtr);
	save_segment(c, SAVE_TR, &c->tr);
	save(c, SAVE_GDTR + 4, c->gdtr.limit, 4);
	save(c, SAVE_GDTR + 8, c->gdtr.base, 8);
	save(c, SAVE_IDTR + 4, c->idtr.limit, 4);
	save(c, SAVE_IDTR + 8, c->idtr.base, 8);
	for (unsigned i = 0; i < 16; i++)
		save(c, SAVE_GPR - i * 8, c->f.gpr[i], 8);
	save(c, SAVE_RIP, c->f.rip, 8);
	save(c, SAVE_RFLAGS, cpu_eflags(c), 8);
	save(c, SAVE_DR6, c->dr[6], 8);
	save(c, SAVE_DR7, c->dr[7], 8);
	save(c, SAVE_CR0, c->cr0, 8);
	save(c, SAVE_CR3, c->cr3, 8);
	save(c, SAVE_CR4, c->cr4, 8);
	save(c, SAVE_EFER, c->efer, 8);
	save(c, SAVE_REVISION, REVISION, 4);
	save(c, SAVE_SMBASE, c->smbase, 4);
	save(c, SAVE_HALT, c->halted, 1);
}

static void
tell_board(struct cpu *c)
{
	if (c->config.board && c->config.board->smm_changed)
		c->config.board->smm_changed(c->config.board->opaque, c->smm);
}

void
smm_reset(struct cpu *c)
{
	if (!c->smm)
		return;
	c->smm = false;
	tell_board(c);
}

void
smm_enter(struct cpu *c)
{
	cpu_lock(c);
	c->smm = true;
	tell_board(c);
	save_state(c);
	cpu_unlock(c);
	c->halted = false;
	c->smm_held.pending_dbg = c->pending_dbg;
	c->smm_held.ssp = c->ssp;
	c->smm_held.inhibit = c->inhibit;
	c->smm_held.inhibit_db = c->inhibit_db;
	c->pending_dbg = 0;
	c->inhibit = c->inhibit_db = false;
	c->mwait = MWAIT_NONE;
	c->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
	c->cr4 = 0;
	c->efer = 0;
	c->dr[7] = 0x400;
	c->has_code_breakpoints = false;
	c->cpl = 0;
	c->eflags = 2;
	c->f.flags = flags_from_eflags(2);
	c->f.df = 1;
	c->f.rip = 0x8000;
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		c->seg[seg] = (struct segment){ .flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED | SF_G, .limit = 0xffffffff };
	c->seg[SEG_CS].selector = (c->smbase >> 4) & 0xffff;
	c->seg[SEG_CS].base = c->smbase;
	shadow_select(c->shadow, 0);
	tlb_flush_all(c);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		cpu_segment_changed(c, seg);
}

static void
load_state(struct cpu *c)
{
	uint64_t flags;

	c->efer = saved(c, SAVE_EFER, 8) & cpuid_efer_mask(c);
	c->cr0 = (saved(c, SAVE_CR0, 8) & 0xe005003f) | CR0_ET;
	c->cr3 = saved(c, SAVE_CR3, 8) & ((1ull << PHYS_BITS) - 1);
	c->cr4 = saved(c, SAVE_CR4, 8) & cpuid_cr4_mask(c);
	c->dr[6] = (saved(c, SAVE_DR6, 8) & 0xe00f) | 0xffff0ff0;
	c->dr[7] = (saved(c, SAVE_DR7, 8) & 0xffff2bff) | 0x400;
	for (unsigned i = 0; i < 16; i++)
		c->f.gpr[i] = saved(c, SAVE_GPR - i * 8, 8);
	c->f.rip = saved(c, SAVE_RIP, 8);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		load_segment(c, SAVE_SEGMENTS + seg * 16, &c->seg[seg]);
	load_segment(c, SAVE_LDTR, &c->ldtr);
	load_segment(c, SAVE_TR, &c->tr);
	c->gdtr.limit = saved(c, SAVE_GDTR + 4, 4);
	c->gdtr.base = saved(c, SAVE_GDTR + 8, 8);
	c->idtr.limit = saved(c, SAVE_IDTR + 4, 4);
	c->idtr.base = saved(c, SAVE_IDTR + 8, 8);
	c->halted = saved(c, SAVE_HALT, 1) & 1;
	flags = saved(c, SAVE_RFLAGS, 8);
	c->f.flags = flags_from_eflags(flags);
	c->f.df = flags & EFL_DF ? -1 : 1;
	c->eflags = (flags & 0x3f7fd5 & ~(uint64_t)(EFL_ARITH | EFL_DF)) | 2;
	c->smbase = saved(c, SAVE_SMBASE, 4);
}

/* The handler wrote what it liked: nothing that the rest of this emulator relies on may be broken by it. */
static void
make_consistent(struct cpu *c)
{
	bool pe = c->cr0 & CR0_PE, pg = c->cr0 & CR0_PG;

	if (!pe)
		c->cr0 &= ~(uint64_t)CR0_PG, pg = false;
	if (pg && c->efer & EFER_LME && c->cr4 & CR4_PAE)
		c->efer |= EFER_LMA;
	else
		c->efer &= ~(uint64_t)EFER_LMA;
	if (!(c->efer & EFER_LMA)) {
		c->cr4 &= ~(uint64_t)CR4_PCIDE;
		c->f.rip = (uint32_t)c->f.rip;
	}
	if (!pe || c->efer & EFER_LMA)
		c->eflags &= ~(uint32_t)EFL_VM;
	c->cpl = !pe ? 0 : c->eflags & EFL_VM ? 3 : c->seg[SEG_SS].flags >> SF_DPL_SHIFT & 3;
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		if (!is_loadable(c, c->seg[seg].base))
			c->seg[seg].base = 0;
	if (!is_loadable(c, c->gdtr.base))
		c->gdtr.base = 0;
	if (!is_loadable(c, c->idtr.base))
		c->idtr.base = 0;
	if (!is_loadable(c, c->tr.base))
		c->tr.base = 0;
	if (!is_loadable(c, c->ldtr.base))
		c->ldtr.base = 0;
}

uint64_t
do_rsm(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (!c->smm)
		cpu_raise(c, EXC_UD);
	cpu_lock(c);
	load_state(c);
	c->smm = false;
	tell_board(c);
	cpu_unlock(c);
	make_consistent(c);
	c->pending_dbg = c->smm_held.pending_dbg;
	c->ssp = c->smm_held.ssp;
	c->inhibit = c->smm_held.inhibit;
	c->inhibit_db = c->smm_held.inhibit_db;
	c->has_code_breakpoints = debug_has_code(c);
	shadow_select(c->shadow, c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0);
	tlb_flush_all(c);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		cpu_segment_changed(c, seg);
	__atomic_store_n(&f->pending, 1, __ATOMIC_RELAXED);
	return 0;
}
