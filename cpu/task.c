/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Task switches (Intel SDM volume 3, "Task Management"). */
#include "cpu/cet.h"
#include "cpu/system.h"

enum { TYPE_TSS16 = 1, TYPE_TSS32 = 9, TYPE_BUSY = 2, TSS16_LIMIT = 0x2b, TSS32_LIMIT = 0x67, TSS_SSP = 0x68,
	NO_SSP = 1 /* not aligned: refused where it is needed */ };

/* What a TSS holds of a task's state. */
struct task {
	uint32_t cr3, eip, eflags, gpr[8], ssp;
	uint16_t seg[6], ldt;
	bool trap;
};

/* Segments as a TSS lists them. */
static const uint8_t order[] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

static void
task_load(struct cpu *c, uint64_t base, bool tss32, struct task *t)
{
	unsigned width = tss32 ? 4 : 2, at = tss32 ? 0x20 : 0x0e, segs = tss32 ? 6 : 4;

	*t = (struct task){ .cr3 = c->cr3, .ssp = NO_SSP };
	if (tss32)
		t->cr3 = sys_load(c, base + 0x1c, 4);
	t->eip = sys_load(c, base + at, width);
	t->eflags = sys_load(c, base + at + width, width);
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = sys_load(c, base + at + (2 + i) * width, width) | (tss32 ? 0 : 0xffff0000);
	for (unsigned i = 0; i < segs; i++)
		t->seg[i] = sys_load(c, base + at + (10 + i) * width, 2);
	t->ldt = sys_load(c, base + at + (10 + segs) * width, 2);
	if (tss32)
		t->trap = sys_load(c, base + 0x64, 2) & 1;
}

static void
task_save(struct cpu *c, uint64_t base, bool tss32, uint64_t next, uint64_t flags)
{
	unsigned width = tss32 ? 4 : 2, at = tss32 ? 0x20 : 0x0e, segs = tss32 ? 6 : 4;

	sys_store(c, base + at, next, width);
	sys_store(c, base + at + width, flags, width);
	for (unsigned i = 0; i < 8; i++)
		sys_store(c, base + at + (2 + i) * width, c->f.gpr[i], width);
	for (unsigned i = 0; i < segs; i++)
		sys_store(c, base + at + (10 + i) * width, c->seg[order[i]].selector, 2);
}

static void
set_busy(struct cpu *c, uint16_t selector, bool busy)
{
	uint64_t at = c->gdtr.base + (selector & ~7u) + 5;
	unsigned type = sys_load(c, at, 1);

	sys_store(c, at, busy ? type | TYPE_BUSY : type & ~TYPE_BUSY, 1);
}

/* The new task's segments; faults come in the new task, as #TS mostly. */
static void
load_code_and_stack(struct cpu *c, const struct task *t)
{
	uint16_t cs = t->seg[1], ss = t->seg[2];
	unsigned cpl = cs & SEL_RPL;
	uint64_t cs_raw, ss_raw;
	unsigned flags;

	if (!(cs & ~3))
		cpu_raise_error(c, EXC_TS, 0);
	cs_raw = desc_fetch(c, cs, EXC_TS, 0);
	flags = desc_flags(cs_raw);
	if (!(flags & SF_S) || !(flags & SF_CODE) || (flags & SF_CONFORMING ? desc_dpl(cs_raw) > cpl : desc_dpl(cs_raw) != cpl))
		cpu_raise_error(c, EXC_TS, cs & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, cs & ~3u);
	if (!(ss & ~3))
		cpu_raise_error(c, EXC_TS, 0);
	ss_raw = desc_fetch(c, ss, EXC_TS, 0);
	flags = desc_flags(ss_raw);
	if (!(flags & SF_S) || flags & SF_CODE || !(flags & SF_WRITE) || (ss & SEL_RPL) != cpl || desc_dpl(ss_raw) != cpl)
		cpu_raise_error(c, EXC_TS, ss & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_SS, ss & ~3u);
	set_cs(c, cs, cs_raw, cpl);
	set_ss(c, ss, ss_raw);
	cpu_update_mode(c);
}

static void
load_data(struct cpu *c, unsigned seg, uint16_t selector)
{
	uint64_t raw;
	unsigned flags;

	if (!(selector & ~3)) {
		segment_set_null(c, seg, selector);
		return;
	}
	raw = desc_fetch(c, selector, EXC_TS, 0);
	flags = desc_flags(raw);
	if (!(flags & SF_S) || (flags & (SF_CODE | SF_READ)) == SF_CODE ||
		((flags & (SF_CODE | SF_CONFORMING)) != (SF_CODE | SF_CONFORMING) &&
		desc_dpl(raw) < MAX(c->cpl, (unsigned)(selector & SEL_RPL))))
		cpu_raise_error(c, EXC_TS, selector & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	desc_set_accessed(c, selector, raw);
	c->seg[seg] = desc_segment(selector, raw | 1ull << 40);
	cpu_segment_changed(c, seg);
}

/*
 * All selectors are there before any is looked at.  Until the stack is, faults need another one: as if at level 3, that which the
 * new TSS has for their handlers.
 */
static void
load_selectors(struct cpu *c, const struct task *t)
{
	c->cpl = 3;
	for (unsigned i = 0; i < 6; i++) {
		c->seg[order[i]] = (struct segment){ .selector = t->seg[i] };
		cpu_segment_changed(c, order[i]);
	}
	c->ldtr = (struct segment){ .selector = t->ldt };
}

static void
load_segments(struct cpu *c, const struct task *t)
{
	load_selectors(c, t);
	if (in_vm86(c)) {
		for (unsigned i = 0; i < 6; i++)
			segment_set_real(c, order[i], t->seg[i]);
		cpu_update_mode(c);
		return;
	}
	load_ldt(c, t->ldt, EXC_TS);
	load_code_and_stack(c, t);
	load_data(c, SEG_ES, t->seg[0]);
	load_data(c, SEG_DS, t->seg[3]);
	load_data(c, SEG_FS, t->seg[4]);
	load_data(c, SEG_GS, t->seg[5]);
}

/* The new TSS's descriptor, checked. */
static uint64_t
check_tss(struct cpu *c, uint16_t selector, enum task_cause cause)
{
	enum vector v = cause == TASK_IRET ? EXC_TS : EXC_GP;
	unsigned type, busy = cause == TASK_IRET ? TYPE_BUSY : 0;
	uint64_t raw;

	if (selector & SEL_TI || !(selector & ~3))
		cpu_raise_error(c, v, selector & ~3u);
	raw = desc_fetch(c, selector, v, 0);
	type = raw >> 40 & 0x1f;
	if (type != (TYPE_TSS16 | busy) && type != (TYPE_TSS32 | busy))
		cpu_raise_error(c, v, selector & ~3u);
	if (!(raw >> 47 & 1))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	if (desc_segment(selector, raw).limit < (type & 8 ? TSS32_LIMIT : TSS16_LIMIT))
		cpu_raise_error(c, EXC_TS, selector & ~3u);
	return raw;
}

void
task_switch(struct cpu *c, uint16_t selector, enum task_cause cause, uint64_t next)
{
	uint64_t raw = check_tss(c, selector, cause), flags = cpu_eflags(c);
	struct segment tss = desc_segment(selector, raw);
	bool tss32 = tss.flags & 8, nests = cause == TASK_CALL || cause == TASK_INT;
	struct cet_task cet;
	struct task t;

	/* Everything that can fault in the old task comes first. */
	span_check(c, c->tr.base, (c->tr.flags & 8 ? TSS32_LIMIT : TSS16_LIMIT) + 1, true, system_view(c), SEG_DS);
	span_check(c, tss.base, (tss32 ? TSS32_LIMIT : TSS16_LIMIT) + 1, true, system_view(c), SEG_DS);
	task_load(c, tss.base, tss32, &t);
	if (tss32 && c->cr4 & CR4_CET && tss.limit >= TSS_SSP + 3)
		t.ssp = sys_load(c, tss.base + TSS_SSP, 4);
	cet = cet_task_out(c, t.eflags & EFL_VM ? 3 : t.seg[1] & SEL_RPL, nests, cause == TASK_IRET, next);
	if (cause == TASK_IRET)
		flags &= ~(uint64_t)EFL_NT;
	if (cause == TASK_IRET || cause == TASK_JMP)
		set_busy(c, c->tr.selector, false);
	task_save(c, c->tr.base, c->tr.flags & 8, next, flags);
	if (nests) {
		sys_store(c, tss.base, c->tr.selector, 2);
		t.eflags |= EFL_NT;
	}
	if (cause != TASK_IRET)
		set_busy(c, selector, true);
	c->tr = tss;
	c->tr.flags |= TYPE_BUSY;
	/* From here on faults belong to the new task. */
	c->cr0 |= CR0_TS;
	if (tss32 && c->cr0 & CR0_PG)
		cpu_write_cr3(c, t.cr3);
	c->f.rip = t.eip;
	for (unsigned i = 0; i < 8; i++)
		c->f.gpr[i] = t.gpr[i];
	set_eflags_masked(c, t.eflags, tss32 ? ~0ull : 0xffff);
	c->dr[7] &= ~0x155ull;
	c->has_code_breakpoints = debug_has_code(c);
	load_segments(c, &t);
	cet_task_in(c, &cet, cause == TASK_IRET, t.ssp);
	if (t.trap)
		c->pending_dbg |= 1ull << 63 | 1 << 15;
	if (c->f.rip > c->seg[SEG_CS].limit)
		cpu_raise_error(c, EXC_GP, 0);
	cpu_update_mode(c);
}
