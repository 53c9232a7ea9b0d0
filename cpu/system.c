/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control registers, flags, time, halting and identification. */
#include "cpu/system.h"

#include <sys/random.h>

static void
need_cpl0(struct cpu *c)
{
	if (c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
}

enum { UNWATCHED_NS = 1000000 };

static void
look_soon(struct cpu *c)
{
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
}

/* ---- control registers ---- */

static void
select_address_space(struct cpu *c)
{
	shadow_select(c->shadow, c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0);
}

static void
enter_or_leave_long_mode(struct cpu *c, uint64_t value)
{
	bool paging = value & CR0_PG, was = c->cr0 & CR0_PG;

	if (paging && !was && c->efer & EFER_LME) {
		if (!(c->cr4 & CR4_PAE) || c->seg[SEG_CS].flags & SF_L)
			cpu_raise_error(c, EXC_GP, 0);
		c->efer |= EFER_LMA;
	} else if (!paging && was) {
		if (in_mode64(c) || c->cr4 & CR4_PCIDE)
			cpu_raise_error(c, EXC_GP, 0);
		c->efer &= ~(uint64_t)EFER_LMA;
	}
}

void
cpu_write_cr0(struct cpu *c, uint64_t value)
{
	uint64_t changed;

	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
		cpu_raise_error(c, EXC_GP, 0);
	value = (value & 0xe005003f) | CR0_ET;
	if (c->cr4 & CR4_CET && !(value & CR0_WP))
		cpu_raise_error(c, EXC_GP, 0);
	changed = value ^ c->cr0;
	if (changed & CR0_PG && value & CR0_PG && c->cr4 & CR4_PAE && !(c->efer & EFER_LME) && !pdptes_valid(c, c->cr3))
		cpu_raise_error(c, EXC_GP, 0);
	if (changed & CR0_PG)
		enter_or_leave_long_mode(c, value);
	c->cr0 = value;
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		tlb_flush_all(c);
	if (changed & CR0_PE) {
		c->cpl = 0;
		for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
			cpu_segment_changed(c, seg);
	}
	cpu_update_mode(c);
}

void
cpu_write_cr3(struct cpu *c, uint64_t value)
{
	bool pcids = c->cr4 & CR4_PCIDE, keep = pcids && value >> 63;

	if (pcids)
		value &= ~(1ull << 63);
	if (in_long_mode(c)) {
		if (value >> PHYS_BITS)
			cpu_raise_error(c, EXC_GP, 0);
	} else {
		value = (uint32_t)value;
		if (c->cr0 & CR0_PG && c->cr4 & CR4_PAE && !pdptes_valid(c, value))
			cpu_raise_error(c, EXC_GP, 0);
	}
	c->cr3 = value;
	select_address_space(c);
	if (!keep)
		shadow_flush_slot(c->shadow, pcids ? value & 0xfff : 0);
	cpu_update_mode(c);
}

void
cpu_write_cr4(struct cpu *c, uint64_t value)
{
	uint64_t changed = value ^ c->cr4;

	if (value & ~cpuid_cr4_mask(c) || (in_long_mode(c) && (!(value & CR4_PAE) || changed & CR4_LA57)))
		cpu_raise_error(c, EXC_GP, 0);
	if (value & CR4_CET && !(c->cr0 & CR0_WP))
		cpu_raise_error(c, EXC_GP, 0);
	if (changed & value & CR4_PCIDE && (!in_long_mode(c) || c->cr3 & 0xfff))
		cpu_raise_error(c, EXC_GP, 0);
	if (changed & CR4_PAE && value & CR4_PAE && c->cr0 & CR0_PG && !in_long_mode(c) && !pdptes_valid(c, c->cr3))
		cpu_raise_error(c, EXC_GP, 0);
	c->cr4 = value;
	if (changed & (CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE | CR4_PKE)) {
		tlb_flush_all(c);
		select_address_space(c);
	}
	cpu_update_mode(c);
}

static uint64_t
read_cr8(struct cpu *c)
{
	const struct cpu_board *b = c->config.board;
	uint64_t tpr;

	if (!b || !b->get_tpr)
		return 0;
	cpu_lock(c);
	tpr = b->get_tpr(b->opaque);
	cpu_unlock(c);
	return tpr & 0xf;
}

static void
write_cr8(struct cpu *c, uint64_t value)
{
	const struct cpu_board *b = c->config.board;

	if (value >> 4)
		cpu_raise_error(c, EXC_GP, 0);
	if (!b || !b->set_tpr)
		return;
	cpu_lock(c);
	b->set_tpr(b->opaque, value);
	cpu_unlock(c);
}

uint64_t
do_rd_cr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	need_cpl0(c);
	switch (aux_n(aux)) {
	case 0:
		return c->cr0;
	case 2:
		return c->cr2;
	case 3:
		return c->cr3;
	case 4:
		return c->cr4;
	}
	return read_cr8(c);
}

uint64_t
do_wr_cr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	need_cpl0(c);
	switch (aux_n(aux)) {
	case 0:
		cpu_write_cr0(c, a);
		break;
	case 2:
		c->cr2 = a;
		break;
	case 3:
		cpu_write_cr3(c, a);
		break;
	case 4:
		cpu_write_cr4(c, a);
		break;
	default:
		write_cr8(c, a);
	}
	return 0;
}

uint64_t
do_smsw(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (c->cpl && c->cr4 & CR4_UMIP)
		cpu_raise_error(c, EXC_GP, 0);
	return c->cr0;
}

uint64_t
do_lmsw(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b, (void)aux;
	need_cpl0(c);
	/* It sets PE, but doesn't clear it. */
	cpu_write_cr0(c, (c->cr0 & ~0xeull) | (a & 0xf));
	return 0;
}

uint64_t
do_clts(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	need_cpl0(c);
	c->cr0 &= ~(uint64_t)CR0_TS;
	cpu_update_mode(c);
	return 0;
}

uint64_t
do_clflush(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);

	(void)b;
	span_check(c, seg_linear(c, seg, a, 1, false), 1, false, c->view, seg);
	return 0;
}

uint64_t
do_invlpg(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);

	(void)b;
	need_cpl0(c);
	if (!in_mode64(c) || seg >= SEG_FS)
		a += c->seg[seg].base;
	if (in_mode64(c) && !is_loadable(c, a))
		return 0;
	tlb_flush_page(c, a);
	return 0;
}

uint64_t
do_invpcid(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);
	uint64_t linear, descriptor[2];

	need_cpl0(c);
	linear = seg_linear(c, seg, b, 16, false);
	descriptor[0] = lin_load(c, linear, 8, seg);
	descriptor[1] = lin_load(c, linear + 8, 8, seg);
	if (a > 3 || (a < 2 && descriptor[0] >> 12) || (a < 2 && descriptor[0] && !(c->cr4 & CR4_PCIDE)) ||
		(a == 0 && !is_loadable(c, descriptor[1])))
		cpu_raise_error(c, EXC_GP, 0);
	switch (a) {
	case 0:
		tlb_flush_page(c, descriptor[1]);
		break;
	case 1:
		shadow_flush_slot(c->shadow, descriptor[0]);
		break;
	case 2:
		tlb_flush_all(c);
		break;
	default:
		tlb_flush_nonglobal(c);
	}
	return 0;
}

uint64_t
do_wbinvd(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	need_cpl0(cpu_of(f));
	return 0;
}

/* ---- flags ---- */

uint64_t
do_pushf(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	if (vme_is_virtual(c) && aux_width(aux) == 2)
		return vme_flags(c);
	if (cpu_iopl(c) < 3)
		cpu_raise_error(c, EXC_GP, 0);
	return cpu_eflags(c) & ~(uint64_t)(EFL_RF | EFL_VM);
}

uint64_t
do_popf(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;

	(void)b;
	if (in_vm86(c) && vme_is_virtual(c) && aux_width(aux) == 2) {
		vme_check_flags(c, a);
		vme_take_flags(c, a);
		return 0;
	}
	if (in_vm86(c) && cpu_iopl(c) < 3)
		cpu_raise_error(c, EXC_GP, 0);
	if (aux_width(aux) > 2)
		mask |= EFL_AC | EFL_ID | EFL_RF;
	if (c->cpl == 0)
		mask |= EFL_IOPL;
	if (c->cpl <= cpu_iopl(c))
		mask |= EFL_IF;
	change_eflags(c, a & ~(uint64_t)EFL_RF, mask);
	return 0;
}

/* CLI and STI: false when VIF took the place of IF. */
static bool
may_set_if(struct cpu *c, bool on)
{
	if (!in_protected(c) || c->cpl <= cpu_iopl(c))
		return true;
	if (!vme_is_virtual(c))
		cpu_raise_error(c, EXC_GP, 0);
	vme_set_vif(c, on);
	return false;
}

uint64_t
do_cli(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (may_set_if(c, false))
		c->eflags &= ~(uint32_t)EFL_IF;
	return 0;
}

/* Does the run loop see to each instruction now? */
static bool
runs_alone(const struct cpu *c)
{
	return c->inhibit || c->mode & (MODE_ONE | MODE_TF);
}

uint64_t
do_sti(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	if (!may_set_if(c, true) || c->eflags & EFL_IF)
		return 0;
	c->eflags |= EFL_IF;
	if (runs_alone(c)) {
		c->inhibit = true;
		look_soon(c);
	} else if (atomic_load_explicit(&c->pins, memory_order_relaxed) & 1u << PIN_INTR) {
		c->inhibit = true;
		look_soon(c);
		f->rip = next_rip(c, aux);
		tcg_unwind(f);
	}
	return 0;
}

uint64_t
do_inhibit(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	c->inhibit = true;
	look_soon(c);
	return 0;
}

/* AC changes the view alone. */
static void
set_ac(struct cpu *c, bool ac)
{
	if (c->cpl != 0)
		cpu_raise(c, EXC_UD);
	c->eflags = ac ? c->eflags | EFL_AC : c->eflags & ~(uint32_t)EFL_AC;
	c->view = view_of(c, c->cpl);
	tcg_forget_stack(&c->f);
	c->f.shadow = shadow_table(c->shadow, c->view);
	c->f.exec = shadow_exec(c->shadow, c->view);
}

uint64_t
do_clac(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	set_ac(cpu_of(f), false);
	return 0;
}

uint64_t
do_stac(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	set_ac(cpu_of(f), true);
	return 0;
}

/* ---- time, identification ---- */

static void
return_tsc(struct cpu *c)
{
	uint64_t tsc;

	if (c->cpl && c->cr4 & CR4_TSD)
		cpu_raise_error(c, EXC_GP, 0);
	tsc = cpu_tsc(c);
	if (c->config.time_read)
		c->config.time_read(c->config.clock_opaque, tsc - c->tsc_offset);
	c->f.gpr[0] = (uint32_t)tsc;
	c->f.gpr[2] = tsc >> 32;
}

uint64_t
do_rdtsc(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	return_tsc(cpu_of(f));
	return 0;
}

uint64_t
do_rdtscp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	return_tsc(cpu_of(f));
	f->gpr[1] = (uint32_t)cpu_of(f)->tsc_aux;
	return 0;
}

uint64_t
do_rdpid(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	return cpu_of(f)->tsc_aux;
}

/* RDRAND and RDSEED: the host's own generator never runs dry. */
uint64_t
do_rdrand(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	uint64_t v = 0;
	bool there = getrandom(&v, sizeof(v), 0) == sizeof(v);

	(void)a, (void)b, (void)aux;
	f->flags = flags_from_eflags(there ? FL_CF : 0);
	return v;
}

/* 64 bytes at once, to an aligned address of ES. */
uint64_t
do_movdir64b(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned view = view_of(c, c->cpl), seg = aux_seg(aux);
	uint64_t from = seg_linear(c, seg, a, 64, false), to = seg_linear(c, SEG_ES, b, 64, true);
	uint8_t bytes[64];

	if (to & 63)
		cpu_raise_error(c, EXC_GP, 0);
	span_load(c, from, bytes, 64, view, seg);
	span_store(c, to, bytes, 64, view, SEG_ES);
	return 0;
}

uint64_t
do_rdpmc(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if ((c->cpl && !(c->cr4 & CR4_PCE)) || (uint32_t)f->gpr[1] > 3)
		cpu_raise_error(c, EXC_GP, 0);
	/* Four counters that stand still. */
	f->gpr[0] = f->gpr[2] = 0;
	return 0;
}

uint64_t
do_cpuid(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	uint32_t out[4];

	(void)a, (void)b, (void)aux;
	cpuid_query(cpu_of(f), (uint32_t)f->gpr[0], (uint32_t)f->gpr[1], out);
	f->gpr[0] = out[0];
	f->gpr[3] = out[1];
	f->gpr[1] = out[2];
	f->gpr[2] = out[3];
	return 0;
}

/* ---- waiting ---- */

uint64_t
do_hlt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	need_cpl0(c);
	f->rip = next_rip(c, aux);
	c->halted = true;
	look_soon(c);
	return 0;
}

uint64_t
do_monitor(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);

	(void)b;
	if (c->cpl != 0)
		cpu_raise(c, EXC_UD);
	if ((uint32_t)f->gpr[1] != 0)
		cpu_raise_error(c, EXC_GP, 0);
	c->monitor_addr = seg_linear(c, seg, a, 1, false);
	span_check(c, c->monitor_addr, 1, false, c->view, seg);
	c->monitor_armed = true;
	c->umonitor_armed = false;
	return 0;
}

uint64_t
do_mwait(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	if (c->cpl != 0)
		cpu_raise(c, EXC_UD);
	if ((uint32_t)f->gpr[1] > 1)
		cpu_raise_error(c, EXC_GP, 0);
	f->rip = next_rip(c, aux);
	if (c->monitor_armed) {
		c->monitor_armed = false;
		/* It may wake without a reason: a thousand times a second it does, as no store of another processor is watched. */
		cpu_halt_for(c, MWAIT_SYSTEM, UNWATCHED_NS);
		look_soon(c);
	}
	return 0;
}

/* Intel SDM volume 2: UMONITOR, UMWAIT, TPAUSE. */
uint64_t
do_umonitor(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);

	(void)b;
	c->monitor_addr = seg_linear(c, seg, a, 1, false);
	span_check(c, c->monitor_addr, 1, false, c->view, seg);
	c->umonitor_armed = true;
	c->monitor_armed = false;
	return 0;
}

/*
 * Until the TSC, which counts nanoseconds, reaches EDX:EAX, but no longer than the system allows: CF says that this was the
 * reason.  A: the state wanted.  UMWAIT waits for a store, as MWAIT does, if anything is monitored.
 */
uint64_t
do_umwait(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	bool monitors = aux_n(aux) == AUX_UMWAIT, sleeps = !monitors || c->umonitor_armed;
	uint64_t deadline = f->gpr[2] << 32 | (uint32_t)f->gpr[0], now = cpu_tsc(c), limit = c->umwait_control & ~3ull;
	uint64_t left = deadline > now ? deadline - now : 0, most = monitors ? UNWATCHED_NS : ~0ull;

	(void)b;
	if ((c->cpl != 0 && c->cr4 & CR4_TSD) || a > 1)
		cpu_raise_error(c, EXC_GP, 0);
	f->rip = next_rip(c, aux);
	f->flags = flags_from_eflags(0);
	if (sleeps && left != 0) {
		bool limited = limit != 0 && limit < MIN(left, most);

		cpu_halt_for(c, limited ? MWAIT_USER_LIMITED : MWAIT_USER, limited ? limit : MIN(left, most));
	}
	if (monitors)
		c->umonitor_armed = false;
	look_soon(c);
	return 0;
}

/* ---- the stack ---- */

uint64_t
do_enter(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux), level = b & 31;
	struct stack s = stack_current(c);
	uint64_t bp = f->gpr[5], frame;

	s.sp = (s.sp & ~s.mask) | ((s.sp - width) & s.mask);
	stack_check(&s, width);
	s.sp = f->gpr[4];
	stack_push(&s, bp, width);
	frame = s.sp;
	for (unsigned i = 1; i < level; i++) {
		uint64_t linear;

		bp = (bp & ~s.mask) | ((bp - width) & s.mask);
		linear = seg_linear(c, SEG_SS, bp & s.mask, width, false);
		stack_push(&s, lin_load(c, linear, width, SEG_SS), width);
	}
	if (level != 0)
		stack_push(&s, frame, width);
	s.sp = (s.sp & ~s.mask) | ((s.sp - a) & s.mask);
	stack_check(&s, width);
	set_gpr(f, 5, frame, width);
	stack_commit(&s);
	return 0;
}

static int64_t
sign_extended(uint64_t value, unsigned width)
{
	unsigned shift = 64 - 8 * width;

	return (int64_t)(value << shift) >> shift;
}

uint64_t
do_bound(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux), seg = aux_seg(aux);
	int64_t index = sign_extended(a, width), low, high;

	low = sign_extended(lin_load(c, seg_linear(c, seg, b, width, false), width, seg), width);
	high = sign_extended(lin_load(c, seg_linear(c, seg, b + width, width, false), width, seg), width);
	if (index < low || index > high)
		cpu_raise(c, EXC_BR);
	return 0;
}
