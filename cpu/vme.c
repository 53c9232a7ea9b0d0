/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts and the interrupt flag of virtual-8086 mode (Intel SDM volume 3, "Interrupt and Exception Handling in Virtual-8086
 * Mode") and of protected mode (CR4.PVI).  Where IOPL doesn't let the program have IF, CR4.VME gives it VIF in its
 * place: a monitor that has an interrupt for it sets VIP, and gets #GP as soon as VIF would be set.
 */
#include "cpu/system.h"

bool
vme_is_virtual(const struct cpu *c)
{
	if (in_vm86(c))
		return c->cr4 & CR4_VME && cpu_iopl(c) < 3;
	return c->cr4 & CR4_PVI && in_protected(c) && c->cpl == 3 && cpu_iopl(c) < 3;
}

void
vme_set_vif(struct cpu *c, bool vif)
{
	if (vif && c->eflags & EFL_VIP)
		cpu_raise_error(c, EXC_GP, 0);
	c->eflags = vif ? c->eflags | EFL_VIF : c->eflags & ~(uint32_t)EFL_VIF;
}

uint64_t
vme_flags(const struct cpu *c)
{
	return (cpu_eflags(c) & ~(uint64_t)EFL_IF) | (c->eflags & EFL_VIF ? EFL_IF : 0) | EFL_IOPL;
}

void
vme_check_flags(struct cpu *c, uint64_t flags)
{
	if (flags & EFL_TF || (flags & EFL_IF && c->eflags & EFL_VIP))
		cpu_raise_error(c, EXC_GP, 0);
}

void
vme_take_flags(struct cpu *c, uint64_t flags)
{
	uint64_t vif = flags & EFL_IF ? EFL_VIF : 0;

	set_eflags_masked(c, (flags & ~(uint64_t)EFL_VIF) | vif, EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_VIF);
}

/* Has the bitmap in front of the TSS's I/O bitmap a 0 for INT N? */
static bool
is_redirected(struct cpu *c, unsigned n)
{
	uint32_t at;

	if (!(c->tr.flags & SF_P) || !(c->tr.flags & 8) || c->tr.limit < 103)
		cpu_raise_error(c, EXC_GP, 0);
	at = (uint32_t)sys_load(c, c->tr.base + 102, 2) - 32 + n / 8;
	if (at > c->tr.limit)
		cpu_raise_error(c, EXC_GP, 0);
	return !(sys_load(c, (uint32_t)(c->tr.base + at), 1) >> n % 8 & 1);
}

bool
vme_interrupt(struct cpu *c, unsigned n, uint64_t next)
{
	bool is_virtual = vme_is_virtual(c);
	struct stack s = stack_current(c);
	uint32_t vector;

	if (!(c->cr4 & CR4_VME) || !is_redirected(c, n))
		return false;
	vector = sys_load(c, n * 4, 4);
	stack_push(&s, (uint16_t)(is_virtual ? vme_flags(c) : cpu_eflags(c)), 2);
	stack_push(&s, c->seg[SEG_CS].selector, 2);
	stack_push(&s, (uint16_t)next, 2);
	stack_commit(&s);
	c->eflags &= ~(uint32_t)(EFL_TF | EFL_RF | (is_virtual ? EFL_VIF : EFL_IF));
	c->f.rip = vector & 0xffff;
	segment_set_real(c, SEG_CS, vector >> 16);
	cpu_update_mode(c);
	return true;
}
