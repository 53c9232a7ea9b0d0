/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions and interrupts: raising, and delivery through the IDT.
 *
 * An instruction raises by leaving it (cpu_raise and its like never return): the run loop then delivers.  Delivery may itself raise,
 * which ends in the run loop again, with what was being delivered in cpu->delivering: that makes double faults.
 * Registers change only after the last step that can fault.
 */
#include "cpu/cet.h"
#include "cpu/system.h"

#include "base/trace.h"

/* Beside the vector in cpu->delivering: no INT n, but an interrupt or exception; errors on its way have EXT set. */
enum { BENIGN = 256, DELIVERING_EXT = 0x10000 };

/* ---- raising ---- */

_Noreturn void
cpu_leave(struct cpu *c)
{
	if (c->in_tcg)
		tcg_unwind(&c->f);
	longjmp(c->leave, 1);
}

_Noreturn void
cpu_retry(struct cpu *c)
{
	/* RF is for it still. */
	c->resume = c->eflags & EFL_RF;
	cpu_leave(c);
}

void
cpu_raise(struct cpu *c, enum vector v)
{
	c->exc.vector = v;
	c->exc.error = 0;
	c->exc.has_error = false;
	c->exc.software = false;
	c->exc.raised = true;
	cpu_leave(c);
}

void
cpu_raise_error(struct cpu *c, enum vector v, uint32_t error)
{
	if (c->delivering >= 0 && c->delivering & DELIVERING_EXT && v >= EXC_TS && v <= EXC_GP)
		error |= 1;
	c->exc.vector = v;
	c->exc.error = error & 0xffff;
	c->exc.has_error = true;
	c->exc.software = false;
	c->exc.raised = true;
	cpu_leave(c);
}

void
cpu_raise_page_fault(struct cpu *c, uint64_t linear, uint32_t error)
{
	c->cr2 = linear;
	cpu_raise_error(c, EXC_PF, error);
}

void
cpu_soft_int(struct cpu *c, unsigned vector, unsigned len, bool int3_or_into)
{
	c->exc.vector = vector;
	c->exc.error = 0;
	c->exc.has_error = false;
	c->exc.software = true;
	c->exc.software_len = len | (int3_or_into ? 0x80 : 0);
	c->exc.raised = true;
	cpu_leave(c);
}

/* ---- stacks ---- */

struct stack
stack_current(struct cpu *c)
{
	const struct segment *ss = &c->seg[SEG_SS];
	bool mode64 = in_mode64(c);
	struct stack s = {
		.c = c, .base = mode64 ? 0 : ss->base, .sp = c->f.gpr[4], .limit = ss->limit, .flags = ss->flags, .view = c->view,
		.mode64 = mode64,
		.mask = mode64 ? ~0ull : ss->flags & SF_DB ? 0xffffffff : 0xffff,
	};

	return s;
}

static uint64_t
stack_linear(const struct stack *s, uint64_t at, unsigned width, bool write)
{
	bool plain = !in_protected(s->c) || in_vm86(s->c);
	uint64_t last = at + width - 1;
	bool ok;

	(void)write;
	if (s->mode64)
		return at;
	if (!plain && s->flags & SF_DOWN)
		ok = at > s->limit && last <= (s->flags & SF_DB ? 0xffffffff : 0xffff);
	else
		ok = last <= s->limit;
	if (!ok)
		cpu_raise_error(s->c, EXC_SS, s->error);
	return (uint32_t)(s->base + at);
}

void
stack_push(struct stack *s, uint64_t value, unsigned width)
{
	uint64_t sp = (s->sp - width) & s->mask, linear = stack_linear(s, sp, width, true);

	span_store(s->c, linear, &value, width, s->view, SEG_SS);
	debug_check_stack(s->c, linear, width, true);
	s->sp = (s->sp & ~s->mask) | sp;
}

void
stack_check(struct stack *s, unsigned width)
{
	uint64_t linear = stack_linear(s, s->sp & s->mask, width, true);

	if (s->c->mode & MODE_SLOW_MEM)
		check_slow(s->c, linear, width, width, true);
	span_check(s->c, linear, width, true, s->view, SEG_SS);
}

uint64_t
stack_pop(struct stack *s, unsigned width)
{
	uint64_t sp = s->sp & s->mask, linear = stack_linear(s, sp, width, false), value = 0;

	span_load(s->c, linear, &value, width, s->view, SEG_SS);
	debug_check_stack(s->c, linear, width, false);
	s->sp = (s->sp & ~s->mask) | ((sp + width) & s->mask);
	return value;
}

void
stack_commit(const struct stack *s)
{
	s->c->f.gpr[4] = (s->c->f.gpr[4] & ~s->mask) | (s->sp & s->mask);
}

uint64_t
tss_rsp(struct cpu *c, unsigned index)
{
	/* RSP0-2 at 4, IST1-7 at 24h: INDEX counts quadwords from 4. */
	uint32_t offset = 4 + index * 8;
	uint64_t rsp;

	if (!(c->tr.flags & SF_P) || offset + 7 > c->tr.limit)
		cpu_raise_error(c, EXC_TS, c->tr.selector & ~3u);
	rsp = sys_load(c, c->tr.base + offset, 8);
	if (!is_canonical(c, rsp))
		cpu_raise_error(c, EXC_SS, 0);
	return rsp;
}

struct stack
stack_inner(struct cpu *c, unsigned cpl, uint16_t *ss, uint64_t *ss_raw)
{
	bool tss32 = c->tr.flags & 8;
	uint32_t offset = tss32 ? 4 + cpl * 8 : 2 + cpl * 4;
	struct segment seg;
	struct stack s;
	uint64_t sp;

	if (!(c->tr.flags & SF_P) || offset + (tss32 ? 5 : 3) > c->tr.limit)
		cpu_raise_error(c, EXC_TS, c->tr.selector & ~3u);
	sp = sys_load(c, c->tr.base + offset, tss32 ? 4 : 2);
	*ss = sys_load(c, c->tr.base + offset + (tss32 ? 4 : 2), 2);
	if (!(*ss & ~3))
		cpu_raise_error(c, EXC_TS, 0);
	*ss_raw = desc_fetch(c, *ss, EXC_TS, 0);
	seg = desc_segment(*ss, *ss_raw);
	if ((*ss & SEL_RPL) != cpl || desc_dpl(*ss_raw) != cpl || !(seg.flags & SF_S) || seg.flags & SF_CODE ||
		!(seg.flags & SF_WRITE))
		cpu_raise_error(c, EXC_TS, *ss & ~3u);
	if (!(seg.flags & SF_P))
		cpu_raise_error(c, EXC_SS, *ss & ~3u);
	s = (struct stack){
		.c = c, .base = seg.base, .sp = sp, .limit = seg.limit, .flags = seg.flags, .view = cpl == 3 ? VIEW_USER : system_view(c),
		.mask = seg.flags & SF_DB ? 0xffffffff : 0xffff, .error = *ss & ~3u,
	};
	return s;
}

/* ---- delivery ---- */

/* One event on its way. */
struct event {
	unsigned vector;
	bool software;     /* INT n, INT3, INTO: the gate's DPL counts */
	bool has_error;
	bool sets_rf;      /* a fault: RF is set in the flags pushed */
	uint32_t error;
	uint64_t rip;      /* to push */
	unsigned ext;      /* EXT bit of error codes raised on the way */
	bool benign;       /* no exception: a fault on the way is just that fault */
};

static uint64_t
pushed_flags(const struct cpu *c, const struct event *e)
{
	return cpu_eflags(c) | (e->sets_rf ? EFL_RF : 0);
}

/* EFLAGS on entry to a handler. */
static void
enter_flags(struct cpu *c, bool interrupt_gate)
{
	c->eflags &= ~(uint32_t)(EFL_TF | EFL_NT | EFL_RF | EFL_VM | (interrupt_gate ? EFL_IF : 0));
}

static void
deliver_real(struct cpu *c, const struct event *e)
{
	struct stack s = stack_current(c);
	uint32_t vector;

	if (e->vector * 4 + 3 > c->idtr.limit)
		cpu_raise_error(c, EXC_GP, e->vector * 8 + 2 + e->ext);
	vector = sys_load(c, c->idtr.base + e->vector * 4, 4);
	stack_push(&s, (uint16_t)pushed_flags(c, e), 2);
	stack_push(&s, c->seg[SEG_CS].selector, 2);
	stack_push(&s, (uint16_t)e->rip, 2);
	stack_commit(&s);
	c->eflags &= ~(uint32_t)(EFL_IF | EFL_TF | EFL_AC | EFL_RF);
	c->f.rip = vector & 0xffff;
	segment_set_real(c, SEG_CS, vector >> 16);
	cpu_update_mode(c);
}

/* The gate's target: CS's descriptor, checked; the level that the handler runs at. */
static unsigned
handler_level(struct cpu *c, const struct event *e, uint16_t selector, uint64_t raw, bool mode64)
{
	unsigned flags = desc_flags(raw), dpl = desc_dpl(raw);
	uint32_t error = (selector & ~3u) | e->ext;

	if (!(flags & SF_S) || !(flags & SF_CODE) || dpl > c->cpl)
		cpu_raise_error(c, EXC_GP, error);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, error);
	if (mode64 && (flags & (SF_L | SF_DB)) != SF_L)
		cpu_raise_error(c, EXC_GP, error);
	return flags & SF_CONFORMING ? c->cpl : dpl;
}

static void
deliver_long(struct cpu *c, const struct event *e)
{
	uint64_t at = c->idtr.base + e->vector * 16, gate, offset, raw, frame[6], sp;
	uint32_t error = e->vector * 8 + 2 + e->ext;
	unsigned type, ist, level, first = e->has_error ? 0 : 1;
	uint16_t selector;
	struct cet_move move;

	if (e->vector * 16 + 15 > c->idtr.limit)
		cpu_raise_error(c, EXC_GP, error);
	gate = sys_load(c, at, 8);
	offset = (gate & 0xffff) | (gate >> 32 & 0xffff0000) | sys_load(c, at + 8, 4) << 32;
	type = gate >> 40 & 0x1f;
	ist = gate >> 32 & 7;
	selector = gate >> 16;
	if ((type != 0xe && type != 0xf) || (e->software && desc_dpl(gate) < c->cpl))
		cpu_raise_error(c, EXC_GP, error);
	if (!(gate >> 47 & 1))
		cpu_raise_error(c, EXC_NP, error);
	if (!(selector & ~3))
		cpu_raise_error(c, EXC_GP, e->ext);
	raw = desc_fetch(c, selector, EXC_GP, e->ext);
	level = handler_level(c, e, selector, raw, true);
	if (!is_canonical(c, offset))
		cpu_raise_error(c, EXC_GP, 0);
	if (ist)
		sp = tss_rsp(c, 3 + ist);
	else if (level < c->cpl)
		sp = tss_rsp(c, level);
	else
		sp = c->f.gpr[4];
	sp &= ~15ull;
	frame[0] = e->error;
	frame[1] = e->rip;
	frame[2] = c->seg[SEG_CS].selector;
	frame[3] = pushed_flags(c, e);
	frame[4] = c->f.gpr[4];
	frame[5] = c->seg[SEG_SS].selector;
	/* The first push is that which faults. */
	span_check(c, sp - 8, 8, true, level == 3 ? VIEW_USER : system_view(c), SEG_SS);
	sp -= (6 - first) * 8;
	span_store(c, sp, &frame[first], (6 - first) * 8, level == 3 ? VIEW_USER : system_view(c), SEG_SS);
	debug_check_stack(c, sp, (6 - first) * 8, true);
	move = cet_enter(c, level, ist, linear_rip(c, e->rip));
	if (level != c->cpl) {
		set_cs(c, selector, raw, level);
		segment_set_null(c, SEG_SS, level);
	} else {
		set_cs(c, selector, raw, level);
	}
	c->f.gpr[4] = sp;
	c->f.rip = offset;
	enter_flags(c, type == 0xe);
	cet_commit(c, &move);
	cpu_update_mode(c);
}

/* Out of virtual-8086 mode the data segments are pushed too, and null for the handler. */
static void
push_vm86_segments(struct cpu *c, struct stack *s, unsigned width)
{
	stack_push(s, c->seg[SEG_GS].selector, width);
	stack_push(s, c->seg[SEG_FS].selector, width);
	stack_push(s, c->seg[SEG_DS].selector, width);
	stack_push(s, c->seg[SEG_ES].selector, width);
}

static void
push_frame(struct cpu *c, const struct event *e, struct stack *s, bool inner, unsigned width)
{
	if (inner) {
		stack_push(s, c->seg[SEG_SS].selector, width);
		stack_push(s, c->f.gpr[4], width);
	}
	stack_push(s, pushed_flags(c, e), width);
	stack_push(s, c->seg[SEG_CS].selector, width);
	stack_push(s, e->rip, width);
	if (e->has_error)
		stack_push(s, e->error, width);
}

/* Through a 16- or 32-bit interrupt or trap gate. */
static void
deliver_gate(struct cpu *c, const struct event *e, uint64_t gate, unsigned type)
{
	unsigned width = type & 8 ? 4 : 2, level;
	uint64_t offset = (gate & 0xffff) | (width == 4 ? gate >> 32 & 0xffff0000 : 0), raw, ss_raw = 0;
	uint16_t selector = gate >> 16, ss = 0;
	bool vm86 = in_vm86(c), inner;
	struct stack s;
	struct cet_move move;

	if (!(selector & ~3))
		cpu_raise_error(c, EXC_GP, e->ext);
	raw = desc_fetch(c, selector, EXC_GP, e->ext);
	level = handler_level(c, e, selector, raw, false);
	if (vm86 && level != 0)
		cpu_raise_error(c, EXC_GP, (selector & ~3u) | e->ext);
	if (offset > desc_segment(0, raw).limit)
		cpu_raise_error(c, EXC_GP, e->ext);
	inner = level < c->cpl;
	s = inner ? stack_inner(c, level, &ss, &ss_raw) : stack_current(c);
	if (vm86)
		push_vm86_segments(c, &s, width);
	push_frame(c, e, &s, inner, width);
	move = cet_enter(c, level, 0, linear_rip(c, e->rip));
	enter_flags(c, !(type & 1));
	if (vm86)
		for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
			if (seg != SEG_CS && seg != SEG_SS)
				segment_set_null(c, seg, 0);
	if (inner) {
		set_ss(c, ss, ss_raw);
		c->f.gpr[4] = (c->f.gpr[4] & ~s.mask & 0xffffffff) | (s.sp & s.mask);
	} else {
		stack_commit(&s);
	}
	set_cs(c, selector, raw, level);
	c->f.rip = offset;
	cet_commit(c, &move);
	cpu_update_mode(c);
}

static void
deliver_task(struct cpu *c, const struct event *e, uint16_t selector)
{
	bool tss32;
	struct stack s;

	/* The flags that the old task is left with. */
	if (e->sets_rf)
		c->eflags |= EFL_RF;
	task_switch(c, selector, TASK_INT, e->rip);
	if (!e->has_error)
		return;
	tss32 = c->tr.flags & 8;
	s = stack_current(c);
	stack_push(&s, e->error, tss32 ? 4 : 2);
	stack_commit(&s);
}

static void
deliver_protected(struct cpu *c, const struct event *e)
{
	uint32_t error = e->vector * 8 + 2 + e->ext;
	uint64_t gate;
	unsigned type;

	if (e->vector * 8 + 7 > c->idtr.limit)
		cpu_raise_error(c, EXC_GP, error);
	gate = sys_load(c, (uint32_t)(c->idtr.base + e->vector * 8), 8);
	type = gate >> 40 & 0x1f;
	if ((type != 5 && type != 6 && type != 7 && type != 0xe && type != 0xf) || (e->software && desc_dpl(gate) < c->cpl))
		cpu_raise_error(c, EXC_GP, error);
	if (!(gate >> 47 & 1))
		cpu_raise_error(c, EXC_NP, error);
	if (type == 5)
		deliver_task(c, e, gate >> 16);
	else
		deliver_gate(c, e, gate, type);
}

static void
log_event(const struct cpu *c, const struct event *e)
{
	log_printf("event %02x%s error %04x rip %04x:%016llx sp %04x:%016llx cpl %u cr2 %016llx rax %016llx\n", e->vector,
		e->software ? " (INT)" : "", e->has_error ? e->error : 0, c->seg[SEG_CS].selector, (unsigned long long)e->rip,
		c->seg[SEG_SS].selector, (unsigned long long)c->f.gpr[4], c->cpl, (unsigned long long)c->cr2,
		(unsigned long long)c->f.gpr[0]);
}

static void
deliver(struct cpu *c, const struct event *e)
{
	if (log_on(LOG_BIT_int))
		log_event(c, e);
	c->delivering = (e->benign ? BENIGN : (int)e->vector) | (e->ext ? DELIVERING_EXT : 0);
	c->delivering_dbg = c->pending_dbg;
	if (!in_protected(c))
		deliver_real(c, &(struct event){ .vector = e->vector, .rip = e->rip, .ext = e->ext });
	else if (in_long_mode(c))
		deliver_long(c, e);
	else
		deliver_protected(c, e);
	c->delivering = -1;
	c->inhibit = c->inhibit_db = false;
	c->resume = false;
	c->monitor_armed = c->umonitor_armed = false;
}

static bool
is_contributory(int vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP) || vector == EXC_CP;
}

static bool
has_error_code(unsigned vector)
{
	return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC || vector == EXC_CP;
}

static void
shut_down(struct cpu *c)
{
	if (log_on(LOG_BIT_int) || log_on(LOG_BIT_guest_errors))
		log_printf("triple fault at rip %016llx\n", (unsigned long long)c->f.rip);
	c->delivering = -1;
	c->shutdown = true;
	if (c->config.board && c->config.board->shutdown) {
		cpu_lock(c);
		c->config.board->shutdown(c->config.board->opaque);
		cpu_unlock(c);
	}
}

void
cpu_deliver_pending_exception(struct cpu *c)
{
	struct event e = {
		.vector = c->exc.vector, .software = c->exc.software, .has_error = c->exc.has_error, .error = c->exc.error,
		.rip = c->f.rip, .sets_rf = !c->exc.software, .benign = c->exc.software, .ext = !c->exc.software,
	};
	int old = c->delivering < 0 ? -1 : c->delivering & ~DELIVERING_EXT;

	c->exc.raised = false;
	if (old >= 0)
		c->pending_dbg = c->delivering_dbg;
	if (e.software) {
		e.rip += c->exc.software_len & 0x7f;
		if (!in_mode64(c))
			e.rip = c->mode & MODE_CS32 ? (uint32_t)e.rip : (uint16_t)e.rip;
	} else {
		e.has_error = has_error_code(e.vector);
		if (e.vector < 32)
			c->exceptions[e.vector]++;
	}
	if (old == EXC_DF) {
		shut_down(c);
		return;
	}
	if ((is_contributory(old) && is_contributory(e.vector)) ||
		(old == EXC_PF && (is_contributory(e.vector) || e.vector == EXC_PF))) {
		e.vector = EXC_DF;
		e.has_error = true;
		e.error = 0;
		e.sets_rf = true;
		c->exceptions[EXC_DF]++;
	}
	if (e.vector == EXC_DB && !e.software) {
		/* Raised by an instruction it is a fault (a general-detect); handlers see DR6, and DR7.GD off. */
		c->dr[7] &= ~0x2000ull;
	}
	deliver(c, &e);
}

void
cpu_deliver_interrupt(struct cpu *c, unsigned vector)
{
	c->interrupts++;
	deliver(c, &(struct event){ .vector = vector, .rip = c->f.rip, .ext = 1, .benign = true });
}

void
cpu_deliver_nmi(struct cpu *c)
{
	c->nmi_blocked = true;
	deliver(c, &(struct event){ .vector = EXC_NMI, .rip = c->f.rip, .ext = 1, .benign = true });
}

void
cpu_deliver_debug(struct cpu *c, uint64_t bits)
{
	c->dr[6] = (c->dr[6] & ~0xfull) | (bits & 0xe00f) | 0xffff0ff0;
	c->dr[7] &= ~0x2000ull;
	c->exceptions[EXC_DB]++;
	/* RF isn't set even by the fault of an instruction breakpoint. */
	deliver(c, &(struct event){ .vector = EXC_DB, .rip = c->f.rip, .ext = 1 });
}

/* ---- the instructions ---- */

uint64_t
do_raise(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	if (has_error_code(aux_n(aux)))
		cpu_raise_error(cpu_of(f), aux_n(aux), 0);
	cpu_raise(cpu_of(f), aux_n(aux));
}

uint64_t
do_int_n(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	/* TF doesn't trap behind it. */
	if (in_vm86(c) && vme_interrupt(c, aux_n(aux), next_rip(c, aux)))
		cpu_leave(c);
	if (in_vm86(c) && cpu_iopl(c) < 3)
		cpu_raise_error(c, EXC_GP, 0);
	cpu_soft_int(c, aux_n(aux), aux_len(aux), false);
}

uint64_t
do_int3(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	cpu_soft_int(cpu_of(f), EXC_BP, aux_len(aux), true);
}

uint64_t
do_int1(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	/* A trap without the gate's check of DPL. */
	c->f.rip = next_rip(c, aux);
	c->pending_dbg |= 1ull << 63;
	__atomic_store_n(&f->pending, 1, __ATOMIC_RELAXED);
	cpu_leave(c);
}

uint64_t
do_into(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	if (f->flags & 1)
		cpu_soft_int(cpu_of(f), EXC_OF, aux_len(aux), true);
	return 0;
}
