/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control-flow enforcement: cet.h.  The accesses to shadow stacks are in mmu.c, the translation of instructions in gen_cet.c. */
#include "cpu/cet.h"

#include "cpu/system.h"

enum { BUSY = 1, TOKEN_64 = 1, TOKEN_PREVIOUS = 2 };

/* ---- what is on ---- */

static bool
is_on(const struct cpu *c, unsigned cpl, unsigned what)
{
	uint64_t cet = cpl == 3 ? c->u_cet : c->s_cet;

	return c->cr4 & CR4_CET && in_protected(c) && !in_vm86(c) && cet & what;
}

bool
cet_has_stack(const struct cpu *c, unsigned cpl)
{
	return is_on(c, cpl, CET_SHSTK);
}

uint32_t
cet_mode(const struct cpu *c)
{
	uint64_t cet = c->cpl == 3 ? c->u_cet : c->s_cet;
	uint32_t mode = 0;

	if (is_on(c, c->cpl, CET_SHSTK))
		mode |= MODE_SHSTK;
	if (is_on(c, c->cpl, CET_ENDBR))
		mode |= MODE_IBT | (cet & CET_WAIT ? MODE_ENDBR : 0) | (cet & CET_SUPPRESS ? MODE_IBT_OFF : 0);
	return mode;
}

/* The current level's control register. */
static uint64_t *
control(struct cpu *c)
{
	return c->cpl == 3 ? &c->u_cet : &c->s_cet;
}

static void
expect_endbranch(struct cpu *c)
{
	uint64_t *cet = control(c);

	if (is_on(c, c->cpl, CET_ENDBR))
		*cet = (*cet & ~(uint64_t)CET_SUPPRESS) | CET_WAIT;
}

/* ---- registers ---- */

uint64_t *
cet_msr(struct cpu *c, uint32_t msr)
{
	bool stacks = cpu_has(c, FEAT_shstk), any = stacks || cpu_has(c, FEAT_ibt);

	if (msr == MSR_U_CET || msr == MSR_S_CET)
		return !any ? NULL : msr == MSR_U_CET ? &c->u_cet : &c->s_cet;
	if (msr >= MSR_PL0_SSP && msr <= MSR_PL3_SSP)
		return stacks ? &c->pl_ssp[msr - MSR_PL0_SSP] : NULL;
	return msr == MSR_SSP_TABLE && stacks && cpu_has(c, FEAT_lm) ? &c->ssp_table : NULL;
}

bool
cet_msr_is_valid(const struct cpu *c, uint32_t msr, uint64_t value)
{
	uint64_t reserved = CET_RESERVED;

	if (!is_loadable(c, value))
		return false;
	if (msr == MSR_SSP_TABLE)
		return true;
	if (msr >= MSR_PL0_SSP)
		return !(value & 3);
	if (!cpu_has(c, FEAT_shstk))
		reserved |= CET_SHSTK | CET_WRITE;
	if (!cpu_has(c, FEAT_ibt))
		reserved |= ~(uint64_t)(CET_SHSTK | CET_WRITE);
	return !(value & reserved) && (value & (CET_SUPPRESS | CET_WAIT)) != (CET_SUPPRESS | CET_WAIT);
}

/* ---- near transfers ---- */

static void
check_target(struct cpu *c, uint64_t target)
{
	if (in_mode64(c) && !is_canonical(c, target))
		cpu_raise_error(c, EXC_GP, 0);
}

static void
track(struct cpu *c, unsigned how)
{
	uint64_t *cet = control(c);

	if (!(c->mode & MODE_IBT) || *cet & CET_SUPPRESS || (how & NEAR_NOTRACK && *cet & CET_NO_TRACK))
		return;
	*cet |= CET_WAIT;
	cpu_update_mode(c);
}

/* A: the return address; B: the target, if it is NEAR_INDIRECT. */
uint64_t
do_near_call(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 8 ? 8 : 4;

	if (aux_n(aux) & NEAR_INDIRECT)
		check_target(c, b);
	if (c->mode & MODE_SHSTK) {
		cet_store(c, c->ssp - width, a & width_mask(aux_width(aux)), width, c->cpl == 3);
		c->ssp -= width;
	}
	if (aux_n(aux) & NEAR_INDIRECT)
		track(c, aux_n(aux));
	return 0;
}

/* A: the target. */
uint64_t
do_near_jmp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	check_target(c, a);
	track(c, aux_n(aux));
	return 0;
}

/* A: the target. */
uint64_t
do_near_ret(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 8 ? 8 : 4;

	(void)b;
	check_target(c, a);
	if (cet_load(c, c->ssp, width, c->cpl == 3) != a)
		cpu_raise_error(c, EXC_CP, CP_NEAR_RET);
	c->ssp += width;
	return 0;
}

/* ---- ENDBR ---- */

uint64_t
do_endbr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	*control(c) &= ~(uint64_t)(CET_SUPPRESS | CET_WAIT);
	cpu_update_mode(c);
	return 0;
}

/* Has the page of LINEAR a bit in the map of code that knows nothing of ENDBR?  48 bits of the address count. */
static bool
is_legacy_code(struct cpu *c, uint64_t linear)
{
	uint64_t at = *control(c) & ~0xfffull;
	uint8_t bits;

	linear &= 0xffffffffffff;
	span_load(c, at + (linear >> 15), &bits, 1, c->view, SEG_DS);
	return bits >> (linear >> 12 & 7) & 1;
}

/* Something else than ENDBR where one has to be. */
uint64_t
do_no_endbr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t *cet = control(c), linear = linear_rip(c, f->rip);

	(void)a, (void)b, (void)aux;
	if (!(*cet & CET_LEGACY) || !is_legacy_code(c, linear))
		cpu_raise_error(c, EXC_CP, CP_ENDBRANCH);
	*cet = (*cet & ~(uint64_t)CET_WAIT) | (*cet & CET_NO_SUPPRESS ? 0 : CET_SUPPRESS);
	cpu_update_mode(c);
	/* The instruction itself is for a block of the new mode. */
	cpu_retry(c);
}

/* ---- shadow stacks in the making: nothing is committed but memory ---- */

struct shadow_stack {
	struct cpu *c;
	uint64_t ssp;
	bool user;
};

static void
push(struct shadow_stack *s, uint64_t value)
{
	cet_store(s->c, s->ssp - 8, value, 8, s->user);
	s->ssp -= 8;
}

static uint64_t
pop(struct shadow_stack *s)
{
	s->ssp += 8;
	return cet_load(s->c, s->ssp - 8, 8, s->user);
}

/* What a far return will compare with. */
static void
push_frame(struct shadow_stack *s, uint16_t cs, uint64_t linear, uint64_t ssp)
{
	if (s->ssp & 7) {
		cet_store(s->c, s->ssp - 4, 0, 4, s->user);
		s->ssp &= ~7ull;
	}
	push(s, cs);
	push(s, linear);
	push(s, ssp);
}

/* Pops a frame for a return to CS:LINEAR; SSP as it was saved there. */
static uint64_t
pop_frame(struct shadow_stack *s, uint16_t cs, uint64_t linear)
{
	uint64_t ssp = pop(s), saved_linear = pop(s), saved_cs = pop(s);

	if (saved_cs != cs || saved_linear != linear || ssp & 3)
		cpu_raise_error(s->c, EXC_CP, CP_FAR_RET);
	return ssp;
}

/* Below 4 GiB is where all but 64-bit code has its stack. */
static void
check_reach(struct cpu *c, uint64_t ssp, bool to64)
{
	if (!to64 && ssp >> 32)
		cpu_raise_error(c, EXC_GP, 0);
}

/* A supervisor's stack, by its token at SSP, becomes busy. */
static void
take_stack(struct cpu *c, uint64_t ssp, bool to64)
{
	if (ssp & 7)
		cpu_raise_error(c, EXC_GP, 0);
	check_reach(c, ssp, to64);
	if (cet_exchange(c, ssp, ssp, ssp | BUSY, false) != ssp)
		cpu_raise_error(c, EXC_GP, 0);
}

/* ... and is free again.  False: its token isn't that of a busy stack. */
static bool
give_stack(struct cpu *c, uint64_t ssp, bool user)
{
	return cet_exchange(c, ssp, ssp | BUSY, ssp, user) == (ssp | BUSY);
}

/* ---- far transfers ---- */

struct cet_move
cet_far(struct cpu *c, bool call, uint64_t next, bool to64)
{
	struct cet_move m = { c->ssp, c->pl_ssp[3], true };
	struct shadow_stack s = { c, c->ssp, c->cpl == 3 };

	if (!cet_has_stack(c, c->cpl))
		return m;
	check_reach(c, c->ssp, to64);
	if (call)
		push_frame(&s, c->seg[SEG_CS].selector, next, c->ssp);
	m.ssp = s.ssp;
	return m;
}

struct cet_move
cet_enter(struct cpu *c, unsigned level, unsigned ist, uint64_t next)
{
	struct cet_move m = { c->ssp, c->pl_ssp[3], true };
	struct shadow_stack s = { c, c->ssp, level == 3 };
	bool vm86 = in_vm86(c);

	if (!(c->cr4 & CR4_CET))
		return m;
	if (c->cpl == 3 && level != 3 && cet_has_stack(c, 3))
		m.user_ssp = linear_extended(c->ssp, cpu_has(c, FEAT_la57));
	/* Virtual-8086 mode ends with this. */
	if (vm86 ? !(c->s_cet & CET_SHSTK) : !cet_has_stack(c, level))
		return m;
	if ((ist && level != 3) || level != c->cpl) {
		s.ssp = ist && level != 3 ? sys_load(c, c->ssp_table + ist * 8, 8) : c->pl_ssp[level];
		take_stack(c, s.ssp, in_long_mode(c));
	}
	if (level == c->cpl || c->cpl != 3)
		push_frame(&s, c->seg[SEG_CS].selector, next, c->ssp);
	m.ssp = s.ssp;
	return m;
}

struct cet_move
cet_leave(struct cpu *c, uint16_t cs, uint64_t linear, bool to64, bool iret)
{
	struct cet_move m = { c->ssp, c->pl_ssp[3], false };
	struct shadow_stack s = { c, c->ssp, c->cpl == 3 };
	unsigned level = cs & SEL_RPL;
	bool has_stack, outer = level != c->cpl;

	if (!(c->cr4 & CR4_CET))
		return m;
	has_stack = cet_has_stack(c, c->cpl);
	if (has_stack && c->ssp & 7)
		cpu_raise_error(c, EXC_CP, CP_FAR_RET);
	if (has_stack && (!outer || level != 3))
		m.ssp = pop_frame(&s, cs, linear);
	if (outer && level == 3 && cet_has_stack(c, 3))
		m.ssp = c->pl_ssp[3];
	if (cet_has_stack(c, level))
		check_reach(c, m.ssp, to64);
	/* Interrupts of the same level may have had a stack of their own, in long mode. */
	if (has_stack && (outer || (iret && in_long_mode(c) && s.ssp != m.ssp)))
		give_stack(c, s.ssp, s.user);
	return m;
}

void
cet_commit(struct cpu *c, const struct cet_move *m)
{
	if (!(c->cr4 & CR4_CET))
		return;
	c->ssp = m->ssp;
	c->pl_ssp[3] = m->user_ssp;
	if (m->tracks)
		expect_endbranch(c);
}

void
cet_enter_system(struct cpu *c)
{
	if (!(c->cr4 & CR4_CET))
		return;
	if (cet_has_stack(c, c->cpl))
		c->pl_ssp[3] = linear_extended(c->ssp, cpu_has(c, FEAT_la57));
	c->cpl = 0;
	c->eflags &= ~(uint32_t)EFL_VM;
	if (cet_has_stack(c, 0))
		c->ssp = 0;
	expect_endbranch(c);
}

void
cet_leave_system(struct cpu *c)
{
	if (cet_has_stack(c, 3))
		c->ssp = c->pl_ssp[3];
}

/* ---- task switches ---- */

struct cet_task
cet_task_out(struct cpu *c, unsigned new_cpl, bool nests, bool returns, uint64_t next)
{
	struct cet_task t = { .ssp = c->ssp, .linear = (uint32_t)(c->seg[SEG_CS].base + next), .cs = c->seg[SEG_CS].selector };
	struct shadow_stack s = { c, c->ssp, c->cpl == 3 };

	if (!cet_has_stack(c, c->cpl))
		return t;
	if (returns && c->ssp & 7)
		cpu_raise_error(c, EXC_CP, CP_FAR_RET);
	if (nests && c->cpl == 3 && new_cpl != 3) {
		c->pl_ssp[3] = c->ssp;
	} else if (nests) {
		t.pushes = true;
	} else if (returns) {
		if (new_cpl == c->cpl || new_cpl != 3) {
			t.ssp = pop(&s);
			t.linear = pop(&s);
			t.cs = pop(&s);
			t.verifies = true;
		} else {
			t.ssp = c->pl_ssp[3];
		}
		give_stack(c, s.ssp, s.user);
	}
	return t;
}

void
cet_task_in(struct cpu *c, const struct cet_task *t, bool returns, uint64_t ssp)
{
	struct shadow_stack s = { c, ssp, c->cpl == 3 };
	uint64_t linear = (uint32_t)(c->seg[SEG_CS].base + c->f.rip);

	if (returns) {
		if (t->verifies && (t->cs != c->seg[SEG_CS].selector || t->linear != linear))
			cpu_raise_error(c, EXC_CP, CP_FAR_RET);
		if (!cet_has_stack(c, c->cpl))
			return;
		if (t->ssp & 3 || t->ssp >> 32)
			cpu_raise_error(c, EXC_CP, CP_FAR_RET);
		c->ssp = t->ssp;
		return;
	}
	if (cet_has_stack(c, c->cpl)) {
		if (ssp & 7 || cet_exchange(c, ssp, ssp, ssp | BUSY, s.user) != ssp)
			cpu_raise_error(c, EXC_TS, c->tr.selector & ~3u);
		if (t->pushes)
			push_frame(&s, t->cs, t->linear, t->ssp);
		c->ssp = s.ssp;
	}
	expect_endbranch(c);
}

/* ---- instructions ---- */

/* A is how far; B isn't used.  What is skipped is looked at, at both ends. */
uint64_t
do_incssp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux);
	uint64_t count = a & 0xff, last = c->ssp + (count ? count - 1 : 0) * width;

	(void)b;
	cet_load(c, c->ssp, width, c->cpl == 3);
	cet_load(c, last, width, c->cpl == 3);
	c->ssp += count * width;
	return 0;
}

uint64_t
do_saveprevssp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	bool user = c->cpl == 3, code64 = in_mode64(c), hole = flags_to_eflags(f->flags) & EFL_CF;
	uint64_t token, old;

	(void)a, (void)b, (void)aux;
	if (c->ssp & 7)
		cpu_raise_error(c, EXC_GP, 0);
	token = cet_load(c, c->ssp, 8, user);
	if (hole && (code64 || cet_load(c, c->ssp + 8, 4, user) != 0))
		cpu_raise_error(c, EXC_GP, 0);
	if (!(token & TOKEN_PREVIOUS) || (!code64 && token >> 32))
		cpu_raise_error(c, EXC_GP, 0);
	old = token & ~3ull;
	/* The hole, or what the token covers. */
	cet_store(c, old - 4, 0, 4, user);
	cet_store(c, (old & ~7ull) - 8, old | (code64 ? TOKEN_64 : 0), 8, user);
	c->ssp += hole ? 12 : 8;
	return 0;
}

/* The linear address of a memory operand at EA, which has to be aligned to WIDTH. */
static uint64_t
operand(struct cpu *c, uint64_t ea, unsigned width, uint32_t aux)
{
	uint64_t linear = seg_linear(c, aux_seg(aux), ea, width, true);

	if (in_mode64(c) && !is_canonical(c, linear))
		cpu_raise_error(c, aux_seg(aux) == SEG_SS ? EXC_SS : EXC_GP, 0);
	if (linear & (width - 1))
		cpu_raise_error(c, EXC_GP, 0);
	return linear;
}

/* A: EA. */
uint64_t
do_rstorssp(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	bool user = c->cpl == 3, code64 = in_mode64(c);
	uint64_t linear = operand(c, a, 8, aux), previous = c->ssp | (code64 ? TOKEN_64 : 0) | TOKEN_PREVIOUS;
	/* The stack that it restores began at once behind the token, or behind a hole of 4 bytes. */
	uint64_t token = (code64 ? linear + 8 + TOKEN_64 : (uint32_t)(linear + 8));
	uint64_t found = cet_exchange(c, linear, token, previous, user);

	(void)b;
	if (found == (token | 4)) {
		token |= 4;
		found = cet_exchange(c, linear, token, previous, user);
	}
	if (found != token)
		cpu_raise_error(c, EXC_CP, CP_RSTORSSP);
	c->ssp = linear;
	f->flags = flags_from_eflags(found & 4 ? FL_CF : 0);
	return 0;
}

/* A: EA, B: the value. */
uint64_t
do_wrss(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	if (!(*control(c) & CET_WRITE))
		cpu_raise(c, EXC_UD);
	cet_store(c, operand(c, a, aux_width(aux), aux), b, aux_width(aux), c->cpl == 3);
	return 0;
}

uint64_t
do_wruss(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	if (!(c->cr4 & CR4_CET) || !in_protected(c) || in_vm86(c))
		cpu_raise(c, EXC_UD);
	if (c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
	cet_store(c, operand(c, a, aux_width(aux), aux), b, aux_width(aux), true);
	return 0;
}

/* SETSSBSY, CLRSSBSY. */
static void
need_supervisor(struct cpu *c)
{
	if (!cet_has_stack(c, 0))
		cpu_raise(c, EXC_UD);
	if (c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
}

uint64_t
do_setssbsy(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t ssp = c->pl_ssp[0];

	(void)a, (void)b, (void)aux;
	need_supervisor(c);
	if (ssp & 7)
		cpu_raise_error(c, EXC_GP, 0);
	if (cet_exchange(c, ssp, ssp, ssp | BUSY, false) != ssp)
		cpu_raise_error(c, EXC_CP, CP_SETSSBSY);
	c->ssp = ssp;
	return 0;
}

/* A: EA. */
uint64_t
do_clrssbsy(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	bool was_busy;

	(void)b;
	need_supervisor(c);
	was_busy = give_stack(c, operand(c, a, 8, aux), false);
	f->flags = flags_from_eflags(was_busy ? 0 : FL_CF);
	c->ssp = 0;
	return 0;
}
