/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers between segments and levels: far jumps, calls and returns, call gates, IRET, SYSCALL and SYSENTER. */
#include "cpu/cet.h"
#include "cpu/system.h"

enum { FLAT_CODE = SF_P | SF_S | SF_CODE | SF_READ | SF_ACCESSED | SF_G, FLAT_DATA = SF_P | SF_S | SF_WRITE | SF_ACCESSED | SF_G | SF_DB };
enum gate_type { TSS16 = 1, GATE_CALL16 = 4, GATE_TASK = 5, TSS32 = 9, GATE_CALL32 = 0xc };

static void
set_flat(struct cpu *c, unsigned seg, uint16_t selector, unsigned flags)
{
	c->seg[seg] = (struct segment){ .selector = selector, .flags = flags | c->cpl << SF_DPL_SHIFT, .limit = 0xffffffff };
	c->f.seg[seg] = (struct tcg_seg){ .read_limit = 1ull << 32, .write_limit = flags & SF_CODE ? 0 : 1ull << 32 };
}

/* ---- near transfers ---- */

uint64_t
do_check_rip(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	if (a <= c->seg[SEG_CS].limit)
		return 0;
	if (aux_n(aux) != 0)
		set_gpr(f, 1, f->gpr[1] + 1, aux_n(aux));
	cpu_raise_error(c, EXC_GP, 0);
}

/* Is RAW a segment of 64-bit code? */
static bool
is_code64(const struct cpu *c, uint64_t raw)
{
	return in_long_mode(c) && desc_flags(raw) & SF_L;
}

/* ---- JMP and CALL ---- */

/* To code of the same level. */
static void
to_same_level(struct cpu *c, uint16_t selector, uint64_t raw, uint64_t offset, bool call, unsigned width, uint64_t next)
{
	struct stack s = stack_current(c);
	struct cet_move move;

	if (call) {
		stack_push(&s, c->seg[SEG_CS].selector, width);
		stack_push(&s, next, width);
	}
	move = cet_far(c, call, linear_rip(c, next), is_code64(c, raw));
	set_cs(c, selector, raw, c->cpl);
	if (call)
		stack_commit(&s);
	c->f.rip = offset;
	cet_commit(c, &move);
	cpu_update_mode(c);
}

static void
far_code(struct cpu *c, uint16_t selector, uint64_t raw, uint64_t offset, bool call, unsigned width, uint64_t next)
{
	check_code(c, selector, raw, selector & SEL_RPL, EXC_GP);
	check_code_offset(c, raw, offset);
	to_same_level(c, selector, raw, offset, call, width, next);
}

/* A call through a gate to an inner level: the new stack gets the old one's address and COUNT parameters. */
static void
gate_inner(struct cpu *c, uint16_t selector, uint64_t raw, uint64_t offset, unsigned width, unsigned count, uint64_t next)
{
	unsigned level = desc_dpl(raw);
	struct stack old = stack_current(c), s;
	uint64_t ss_raw = 0, param[31];
	uint16_t ss = level;
	struct cet_move move;

	if (in_long_mode(c)) {
		s = (struct stack){ .c = c, .sp = tss_rsp(c, level), .mask = ~0ull, .mode64 = true, .view = system_view(c) };
		count = 0;
	} else {
		s = stack_inner(c, level, &ss, &ss_raw);
	}
	for (unsigned i = 0; i < count; i++)
		param[i] = stack_pop(&old, width);
	stack_push(&s, c->seg[SEG_SS].selector, width);
	stack_push(&s, c->f.gpr[4], width);
	for (unsigned i = count; i-- > 0;)
		stack_push(&s, param[i], width);
	stack_push(&s, c->seg[SEG_CS].selector, width);
	stack_push(&s, next, width);
	move = cet_enter(c, level, 0, linear_rip(c, next));
	set_cs(c, selector, raw, level);
	if (in_long_mode(c)) {
		segment_set_null(c, SEG_SS, ss);
		c->f.gpr[4] = s.sp;
	} else {
		set_ss(c, ss, ss_raw);
		c->f.gpr[4] = (c->f.gpr[4] & ~s.mask & 0xffffffff) | (s.sp & s.mask);
	}
	c->f.rip = offset;
	cet_commit(c, &move);
	cpu_update_mode(c);
}

static void
far_gate(struct cpu *c, uint16_t gate_selector, uint64_t gate, bool call, uint64_t next)
{
	bool lma = in_long_mode(c);
	unsigned width = lma ? 8 : (gate >> 40 & 0xf) == GATE_CALL32 ? 4 : 2, flags, dpl;
	uint64_t offset = (gate & 0xffff) | (width >= 4 ? gate >> 32 & 0xffff0000 : 0), raw;
	uint16_t selector = gate >> 16;

	if (lma) {
		uint64_t high = desc_fetch_high(c, gate_selector, EXC_GP);

		if (high >> 40 & 0x1f)
			cpu_raise_error(c, EXC_GP, gate_selector & ~3u);
		offset |= high << 32;
	}
	if (!(selector & ~3))
		cpu_raise_error(c, EXC_GP, 0);
	raw = desc_fetch(c, selector, EXC_GP, 0);
	flags = desc_flags(raw);
	dpl = desc_dpl(raw);
	if (!(flags & SF_S) || !(flags & SF_CODE) || dpl > c->cpl || (lma && (flags & (SF_L | SF_DB)) != SF_L))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!call && !(flags & SF_CONFORMING) && dpl != c->cpl)
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	check_code_offset(c, raw, offset);
	if (call && !(flags & SF_CONFORMING) && dpl < c->cpl) {
		gate_inner(c, selector, raw, offset, width, gate >> 32 & 0x1f, next);
		return;
	}
	to_same_level(c, selector, raw, offset, call, width, next);
}

static void
far_system(struct cpu *c, uint16_t selector, uint64_t raw, bool call, uint64_t next)
{
	unsigned type = raw >> 40 & 0xf, dpl = desc_dpl(raw);
	bool gate = type == GATE_CALL32 || (!in_long_mode(c) && (type == GATE_CALL16 || type == GATE_TASK));
	bool task = !in_long_mode(c) && (type == TSS16 || type == TSS32 || type == GATE_TASK);

	if ((!gate && !task) || dpl < c->cpl || dpl < (selector & SEL_RPL))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!(raw >> 47 & 1))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	if (task)
		task_switch(c, type == GATE_TASK ? raw >> 16 : selector, call ? TASK_CALL : TASK_JMP, next);
	else
		far_gate(c, selector, raw, call, next);
}

static void
far_transfer(struct cpu *c, uint64_t offset, uint16_t selector, bool call, unsigned width, uint64_t next)
{
	uint64_t raw;

	offset &= width_mask(width);
	if (!in_protected(c) || in_vm86(c)) {
		if (offset > c->seg[SEG_CS].limit)
			cpu_raise_error(c, EXC_GP, 0);
		if (call) {
			struct stack s = stack_current(c);

			stack_push(&s, c->seg[SEG_CS].selector, width);
			stack_push(&s, next, width);
			stack_commit(&s);
		}
		segment_set_real(c, SEG_CS, selector);
		c->f.rip = offset;
		cpu_update_mode(c);
		return;
	}
	if (!(selector & ~3))
		cpu_raise_error(c, EXC_GP, 0);
	raw = desc_fetch(c, selector, EXC_GP, 0);
	if (raw >> 44 & 1)
		far_code(c, selector, raw, offset, call, width, next);
	else
		far_system(c, selector, raw, call, next);
}

uint64_t
do_far_jmp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	far_transfer(cpu_of(f), a, b, false, aux_width(aux), next_rip(cpu_of(f), aux));
	return 0;
}

uint64_t
do_far_call(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	far_transfer(cpu_of(f), a, b, true, aux_width(aux), next_rip(cpu_of(f), aux));
	return 0;
}

/* ---- returns ---- */

/* What a return pops, and what it comes to. */
struct target {
	uint64_t rip, sp, flags, cs_raw, ss_raw;
	uint16_t cs, ss;
	bool ss_null, has_stack, outer;
};

static void
check_return_code(struct cpu *c, struct target *t)
{
	unsigned rpl = t->cs & SEL_RPL, flags, dpl;

	if (!(t->cs & ~3))
		cpu_raise_error(c, EXC_GP, 0);
	t->cs_raw = desc_fetch(c, t->cs, EXC_GP, 0);
	flags = desc_flags(t->cs_raw);
	dpl = desc_dpl(t->cs_raw);
	if (rpl < c->cpl || !(flags & SF_S) || !(flags & SF_CODE) || (flags & SF_CONFORMING ? dpl > rpl : dpl != rpl) ||
		(in_long_mode(c) && (flags & (SF_L | SF_DB)) == (SF_L | SF_DB)))
		cpu_raise_error(c, EXC_GP, t->cs & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, t->cs & ~3u);
	/* EIP is all that counts outside of 64-bit mode. */
	if (in_long_mode(c) && !(flags & SF_L))
		t->rip = (uint32_t)t->rip;
	t->outer = rpl > c->cpl;
}

static void
check_return_stack(struct cpu *c, struct target *t)
{
	unsigned rpl = t->cs & SEL_RPL, flags;

	if (!(t->ss & ~3)) {
		if (!in_long_mode(c) || !(desc_flags(t->cs_raw) & SF_L) || rpl == 3)
			cpu_raise_error(c, EXC_GP, 0);
		t->ss_null = true;
		return;
	}
	t->ss_raw = desc_fetch(c, t->ss, EXC_GP, 0);
	flags = desc_flags(t->ss_raw);
	if ((t->ss & SEL_RPL) != rpl || desc_dpl(t->ss_raw) != rpl || !(flags & SF_S) || flags & SF_CODE || !(flags & SF_WRITE))
		cpu_raise_error(c, EXC_GP, t->ss & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_SS, t->ss & ~3u);
}

/* Loads CS and, where the return has one, the stack; RELEASE bytes of parameters go from both stacks. */
static void
commit_return(struct cpu *c, const struct target *t, const struct stack *s, unsigned release, bool iret)
{
	bool to64 = is_code64(c, t->cs_raw);
	uint64_t linear = to64 ? t->rip : (uint32_t)(desc_segment(t->cs, t->cs_raw).base + t->rip), mask;
	struct cet_move move = cet_leave(c, t->cs, linear, to64, iret);

	set_cs(c, t->cs, t->cs_raw, t->cs & SEL_RPL);
	if (!t->has_stack) {
		struct stack done = *s;

		done.sp += release;
		stack_commit(&done);
	} else {
		if (t->ss_null)
			segment_set_null(c, SEG_SS, t->ss);
		else
			set_ss(c, t->ss, t->ss_raw);
		if (in_long_mode(c) && c->seg[SEG_CS].flags & SF_L)
			mask = ~0ull;
		else
			mask = c->seg[SEG_SS].flags & SF_DB ? 0xffffffff : 0xffff;
		c->f.gpr[4] = ((t->sp + release) & mask) | (c->f.gpr[4] & ~mask & 0xffffffff);
	}
	c->f.rip = t->rip;
	cet_commit(c, &move);
	if (t->outer)
		drop_inner_segments(c);
}

static void
far_ret_protected(struct cpu *c, unsigned release, unsigned width)
{
	struct stack s = stack_current(c);
	struct target t = { 0 };

	t.rip = stack_pop(&s, width);
	t.cs = stack_pop(&s, width);
	check_return_code(c, &t);
	check_code_offset(c, t.cs_raw, t.rip);
	if (t.outer) {
		s.sp = (s.sp & ~s.mask) | ((s.sp + release) & s.mask);
		t.sp = stack_pop(&s, width);
		t.ss = stack_pop(&s, width);
		t.has_stack = true;
		check_return_stack(c, &t);
	}
	commit_return(c, &t, &s, release, false);
	cpu_update_mode(c);
}

uint64_t
do_far_ret(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	struct stack s;
	uint64_t rip, cs;

	(void)b;
	if (in_protected(c) && !in_vm86(c)) {
		far_ret_protected(c, a, aux_width(aux));
		return 0;
	}
	s = stack_current(c);
	rip = stack_pop(&s, aux_width(aux));
	cs = stack_pop(&s, aux_width(aux));
	if (rip > c->seg[SEG_CS].limit)
		cpu_raise_error(c, EXC_GP, 0);
	s.sp += a;
	stack_commit(&s);
	segment_set_real(c, SEG_CS, cs);
	f->rip = rip;
	cpu_update_mode(c);
	return 0;
}

/* ---- IRET ---- */

static uint64_t
iret_mask(const struct cpu *c, unsigned width)
{
	uint64_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;

	if (width > 2)
		mask |= EFL_RF | EFL_AC | EFL_ID;
	if (c->cpl == 0 && !in_vm86(c))
		mask |= EFL_IOPL | (width > 2 ? EFL_VIF | EFL_VIP : 0);
	if (c->cpl <= cpu_iopl(c))
		mask |= EFL_IF;
	return mask;
}

static void
iret_real(struct cpu *c, unsigned width)
{
	uint64_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_IF | (width > 2 ? EFL_RF | EFL_AC | EFL_ID : 0);
	struct stack s = stack_current(c);
	bool is_virtual = in_vm86(c) && vme_is_virtual(c);
	uint64_t rip, cs, flags;

	rip = stack_pop(&s, width);
	cs = stack_pop(&s, width);
	flags = stack_pop(&s, width);
	if (rip > c->seg[SEG_CS].limit)
		cpu_raise_error(c, EXC_GP, 0);
	if (is_virtual)
		vme_check_flags(c, flags);
	if (!in_vm86(c))
		mask |= EFL_IOPL;
	stack_commit(&s);
	segment_set_real(c, SEG_CS, cs);
	c->f.rip = rip;
	if (is_virtual)
		vme_take_flags(c, flags);
	else
		set_eflags_masked(c, flags, mask);
}

static void
iret_to_vm86(struct cpu *c, struct stack *s, const struct target *t)
{
	static const uint8_t order[] = { SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	uint16_t selector[5];
	uint64_t sp = stack_pop(s, 4);
	struct cet_move move;

	for (unsigned i = 0; i < 5; i++)
		selector[i] = stack_pop(s, 4);
	move = cet_leave(c, 3, 0, true, true);
	set_eflags_masked(c, t->flags, EFL_ARITH | EFL_TF | EFL_IF | EFL_DF | EFL_IOPL | EFL_NT | EFL_RF | EFL_VM | EFL_AC |
		EFL_VIF | EFL_VIP | EFL_ID);
	c->cpl = 3;
	segment_set_real(c, SEG_CS, t->cs);
	for (unsigned i = 0; i < 5; i++)
		segment_set_real(c, order[i], selector[i]);
	c->f.gpr[4] = sp;
	c->f.rip = t->rip & 0xffff;
	cet_commit(c, &move);
	cpu_update_mode(c);
}

/* The usual frame of five quadwords, read at once. */
static void
pop_frame64(struct cpu *c, struct target *t)
{
	uint64_t frame[5];

	span_load(c, c->f.gpr[4], frame, sizeof(frame), c->view, SEG_SS);
	debug_check_stack(c, c->f.gpr[4], sizeof(frame), false);
	t->rip = frame[0];
	t->cs = frame[1];
	t->flags = frame[2];
	t->sp = frame[3];
	t->ss = frame[4];
	t->has_stack = true;
}

static void
iret_protected(struct cpu *c, unsigned width, uint64_t next)
{
	struct stack s = stack_current(c);
	struct target t = { 0 };
	uint64_t mask = iret_mask(c, width);

	if (c->eflags & EFL_NT) {
		if (in_long_mode(c))
			cpu_raise_error(c, EXC_GP, 0);
		task_switch(c, sys_load(c, c->tr.base, 2), TASK_IRET, next);
		return;
	}
	if (in_mode64(c) && width == 8) {
		pop_frame64(c, &t);
	} else {
		t.rip = stack_pop(&s, width);
		t.cs = stack_pop(&s, width);
		t.flags = stack_pop(&s, width);
		if (t.flags & EFL_VM && width == 4 && c->cpl == 0 && !in_long_mode(c)) {
			iret_to_vm86(c, &s, &t);
			return;
		}
	}
	check_return_code(c, &t);
	if (!t.has_stack && (t.outer || in_mode64(c))) {
		t.sp = stack_pop(&s, width);
		t.ss = stack_pop(&s, width);
		t.has_stack = true;
	}
	if (t.has_stack)
		check_return_stack(c, &t);
	check_code_offset(c, t.cs_raw, t.rip);
	commit_return(c, &t, &s, 0, true);
	set_eflags_masked(c, t.flags, mask);
}

uint64_t
do_iret(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	if (in_vm86(c) && cpu_iopl(c) < 3 && !(vme_is_virtual(c) && aux_width(aux) == 2))
		cpu_raise_error(c, EXC_GP, 0);
	if (!in_protected(c) || in_vm86(c))
		iret_real(c, aux_width(aux));
	else
		iret_protected(c, aux_width(aux), next_rip(c, aux));
	c->nmi_blocked = false;
	c->resume = c->eflags & EFL_RF;
	if (atomic_load(&c->pins) & (1u << PIN_INTR | 1u << PIN_NMI))
		__atomic_store_n(&f->pending, 1, __ATOMIC_RELAXED);
	return 0;
}

/*
 * ---- SYSCALL, SYSENTER ----
 * Intel's processors have SYSCALL and SYSRET in 64-bit mode only, AMD's have SYSENTER and SYSEXIT in legacy mode only. Kernels
 * rely on it: Linux has no entry for the others.
 */

static bool
has_syscall(const struct cpu *c)
{
	return c->efer & EFER_SCE && in_protected(c) && (in_mode64(c) || c->model->amd);
}

static bool
has_sysenter(const struct cpu *c)
{
	return !in_long_mode(c) || !c->model->amd;
}

uint64_t
do_syscall(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t next = next_rip(c, aux), flags = cpu_eflags(c) & ~(uint64_t)EFL_RF;
	uint16_t selector = c->star >> 32 & 0xfffc;

	(void)a, (void)b;
	if (!has_syscall(c))
		cpu_raise(c, EXC_UD);
	if (in_long_mode(c)) {
		f->gpr[1] = next;
		f->gpr[11] = flags;
		f->rip = in_mode64(c) ? c->lstar : c->cstar;
		cet_enter_system(c);
		c->cpl = 0;
		set_flat(c, SEG_CS, selector, FLAT_CODE | SF_L);
		set_flat(c, SEG_SS, selector + 8, FLAT_DATA);
		set_eflags_masked(c, flags & ~c->fmask, ~(uint64_t)EFL_VM);
	} else {
		f->gpr[1] = next;
		f->rip = (uint32_t)c->star;
		cet_enter_system(c);
		c->cpl = 0;
		set_flat(c, SEG_CS, selector, FLAT_CODE | SF_DB);
		set_flat(c, SEG_SS, selector + 8, FLAT_DATA);
		set_eflags_masked(c, 0, EFL_IF | EFL_VM | EFL_RF);
	}
	return 0;
}

uint64_t
do_sysret(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint16_t selector = c->star >> 48 | 3;
	bool to64 = aux_width(aux) == 8 && in_long_mode(c), to_nowhere = to64 && !is_canonical(c, f->gpr[1]);
	bool steps = c->mode & MODE_TF;

	(void)a, (void)b;
	if (!has_syscall(c))
		cpu_raise(c, EXC_UD);
	/* AMD's processors take any address: the fetch there faults, and that is the program's fault. */
	if (c->cpl != 0 || (to_nowhere && !c->model->amd))
		cpu_raise_error(c, EXC_GP, 0);
	f->rip = to64 ? f->gpr[1] : (uint32_t)f->gpr[1];
	c->cpl = 3;
	cet_leave_system(c);
	set_flat(c, SEG_CS, to64 ? selector + 16 : selector, FLAT_CODE | (to64 ? SF_L : SF_DB));
	set_flat(c, SEG_SS, (selector + 8) | 3, FLAT_DATA);
	if (in_long_mode(c))
		set_eflags_masked(c, f->gpr[11], 0x3c7fd7 & ~(uint64_t)EFL_RF);
	else
		set_eflags_masked(c, EFL_IF, EFL_IF);
	/* Not as a jump, which would fault where it is; a block that is stepped through has none. */
	if (to_nowhere && !steps)
		cpu_leave(c);
	return 0;
}

uint64_t
do_sysenter(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint16_t selector = c->sysenter_cs & 0xfffc;
	bool lma = in_long_mode(c);

	(void)a, (void)b, (void)aux;
	if (!has_sysenter(c))
		cpu_raise(c, EXC_UD);
	if (!in_protected(c) || !selector)
		cpu_raise_error(c, EXC_GP, 0);
	f->rip = lma ? c->sysenter_eip : (uint32_t)c->sysenter_eip;
	f->gpr[4] = lma ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
	cet_enter_system(c);
	c->cpl = 0;
	set_flat(c, SEG_CS, selector, FLAT_CODE | (lma ? SF_L : SF_DB));
	set_flat(c, SEG_SS, selector + 8, FLAT_DATA);
	set_eflags_masked(c, 0, EFL_VM | EFL_IF | EFL_RF);
	return 0;
}

uint64_t
do_sysexit(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint16_t selector = (c->sysenter_cs & 0xfffc) | 3;
	bool to64 = aux_width(aux) == 8;

	(void)a, (void)b;
	/* For a program it is #GP everywhere, as processors show. */
	if (c->cpl == 0 && !has_sysenter(c))
		cpu_raise(c, EXC_UD);
	if (!in_protected(c) || c->cpl != 0 || !(c->sysenter_cs & 0xfffc) ||
		(to64 && (!is_canonical(c, f->gpr[2]) || !is_canonical(c, f->gpr[1]))))
		cpu_raise_error(c, EXC_GP, 0);
	f->rip = to64 ? f->gpr[2] : (uint32_t)f->gpr[2];
	f->gpr[4] = to64 ? f->gpr[1] : (uint32_t)f->gpr[1];
	c->cpl = 3;
	cet_leave_system(c);
	set_flat(c, SEG_CS, selector + (to64 ? 32 : 16), FLAT_CODE | (to64 ? SF_L : SF_DB));
	set_flat(c, SEG_SS, selector + (to64 ? 40 : 24), FLAT_DATA);
	cpu_update_mode(c);
	return 0;
}
