/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run loop of a vCPU.
 *
 * f.pending is the word that translated code tests: it is set whenever the loop has to look at something (pins, a kick, traps, the
 * end of an interrupt shadow).  The loop clears it before it looks, so nothing is lost.
 */
#include "cpu/cet.h"
#include "cpu/system.h"

#include "base/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* ---- flags and mode ---- */

uint64_t
cpu_eflags(const struct cpu *c)
{
	return (c->eflags & ~(uint32_t)(EFL_ARITH | EFL_DF)) | 2 | flags_to_eflags(c->f.flags) | (c->f.df < 0 ? EFL_DF : 0);
}

/* The bits that changed. */
static uint64_t
write_eflags(struct cpu *c, uint64_t value, uint64_t mask)
{
	uint64_t flags = (cpu_eflags(c) & ~mask) | (value & mask), changed = flags ^ c->eflags;

	c->f.flags = flags_from_eflags(flags);
	c->f.df = flags & EFL_DF ? -1 : 1;
	c->eflags = (flags & 0x3f7fd5 & ~(uint64_t)(EFL_ARITH | EFL_DF)) | 2;
	if (c->eflags & EFL_IF && atomic_load_explicit(&c->pins, memory_order_relaxed) & 1u << PIN_INTR)
		__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
	return changed;
}

void
set_eflags_masked(struct cpu *c, uint64_t value, uint64_t mask)
{
	write_eflags(c, value, mask);
	cpu_update_mode(c);
}

void
change_eflags(struct cpu *c, uint64_t value, uint64_t mask)
{
	if (write_eflags(c, value, mask) & (EFL_TF | EFL_IOPL | EFL_VM | EFL_AC))
		cpu_update_mode(c);
}

void
cpu_set_eflags(struct cpu *c, uint64_t value)
{
	set_eflags_masked(c, value, ~0ull);
}

static bool
seg_is_flat(const struct tcg_seg *s)
{
	return s->base == 0 && s->read_limit == 1ull << 32 && s->write_limit == 1ull << 32;
}

static uint32_t
segment_mode(const struct cpu *c)
{
	const struct segment *cs = &c->seg[SEG_CS];
	const struct tcg_seg *t = c->f.seg;
	uint32_t mode = 0;

	if (c->efer & EFER_LMA && cs->flags & SF_L)
		return MODE_CS64 | (c->cr4 & CR4_LA57 ? MODE_LA57 : 0);
	if (cs->flags & SF_DB)
		mode |= MODE_CS32;
	if (c->seg[SEG_SS].flags & SF_DB)
		mode |= MODE_SS32;
	if (c->cr0 & CR0_PE && !(c->eflags & EFL_VM) && cs->base == 0 && t[SEG_CS].read_limit == 1ull << 32 &&
		seg_is_flat(&t[SEG_DS]) && seg_is_flat(&t[SEG_ES]) && seg_is_flat(&t[SEG_SS]))
		mode |= MODE_FLAT;
	return mode;
}

static uint32_t
fpu_mode(const struct cpu *c)
{
	uint32_t mode = 0;

	if (c->cr0 & CR0_TS)
		mode |= MODE_TS | MODE_NM | MODE_NO_SSE | (c->cr0 & CR0_MP ? MODE_WAIT_NM : 0);
	if (c->cr0 & CR0_EM)
		mode |= MODE_EM | MODE_NM | MODE_NO_SSE;
	if (!(c->cr4 & CR4_OSFXSR))
		mode |= MODE_NO_SSE;
	if ((c->xcr0 & 6) != 6 || !(c->cr4 & CR4_OSXSAVE) || !(c->cr0 & CR0_PE) || c->eflags & EFL_VM)
		mode |= MODE_NO_AVX;
	if (mode & MODE_NO_AVX || (c->xcr0 & XCR0_AVX512) != XCR0_AVX512)
		mode |= MODE_NO_AVX512;
	if ((c->f.mxcsr & 0x1f80) != 0x1f80)
		mode |= MODE_SSE_SLOW;
	if (fpu_is_slow(c))
		mode |= MODE_X87_SLOW;
	return mode;
}

static uint32_t
derive_mode(const struct cpu *c)
{
	uint32_t mode = c->cpl | segment_mode(c) | fpu_mode(c);

	if (c->cr0 & CR0_PE)
		mode |= MODE_PE;
	if (c->eflags & EFL_VM)
		mode |= MODE_VM;
	else if (c->cpl <= cpu_iopl(c))
		mode |= MODE_IOPL_OK;
	if (c->efer & EFER_LMA)
		mode |= MODE_LMA;
	if (c->eflags & EFL_TF)
		mode |= MODE_TF;
	if (c->eflags & EFL_AC && c->cr0 & CR0_AM && c->cpl == 3)
		mode |= MODE_SLOW_MEM;
	if (c->dr[7] & 0xff) {
		mode |= MODE_ONE;
		if (debug_has_data(c))
			mode |= MODE_SLOW_MEM;
	}
	if (c->smm)
		mode |= MODE_SMM;
	if (c->cr4 & CR4_OSXSAVE)
		mode |= MODE_OSXSAVE;
	if (c->cr4 & CR4_CET)
		mode |= cet_mode(c);
	return mode;
}

/* The limit of CS where blocks depend on it, as their keys have it. */
static uint32_t
code_limit(const struct cpu *c)
{
	return c->mode & (MODE_CS64 | MODE_FLAT) ? 0 : c->seg[SEG_CS].limit;
}

/* Modes in which RIP alone doesn't name a block, or in which the loop has to see each instruction, have no jump cache. */
void
run_select_jumps(struct cpu *c)
{
	uint32_t mode = c->mode, limit = code_limit(c);
	unsigned n = ARRAY_SIZE(c->mode_jumps), i;

	c->f.jumps = c->no_jumps;
	if (mode & (MODE_TF | MODE_ONE) || (!(mode & MODE_CS64) && c->seg[SEG_CS].base) || c->config.unchained)
		return;
	for (i = 0; i < n && c->mode_jumps[i].jumps; i++)
		if (c->mode_jumps[i].mode == mode && c->mode_jumps[i].cs_limit == limit) {
			c->f.jumps = c->mode_jumps[i].jumps;
			return;
		}
	if (i == n) {
		i = c->mode_jumps_next;
		c->mode_jumps_next = (i + 1) % n;
		tcg_jumps_free(c->tcg, c->mode_jumps[i].jumps);
	}
	c->mode_jumps[i].mode = mode;
	c->mode_jumps[i].cs_limit = limit;
	c->mode_jumps[i].jumps = tcg_jumps_new(c->tcg);
	if (c->mode_jumps[i].jumps)
		c->f.jumps = c->mode_jumps[i].jumps;
}

void
cpu_update_mode(struct cpu *c)
{
	unsigned view = view_of(c, c->cpl);

	c->mode = derive_mode(c);
	c->view = view;
	c->f.wide = (c->mode & MODE_LA57) != 0;
	if (c->f.shadow != shadow_table(c->shadow, view))
		tcg_forget_stack(&c->f);
	c->f.shadow = shadow_table(c->shadow, view);
	c->f.exec = shadow_exec(c->shadow, view);
	run_select_jumps(c);
}

/* ---- pins ---- */

static void
wake(struct cpu *c)
{
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_SEQ_CST);
	/* Who waits has looked at the pins before that, or sees them now. */
	pthread_mutex_lock(&c->halt_lock);
	pthread_mutex_unlock(&c->halt_lock);
	pthread_cond_signal(&c->halt_wake);
}

static void
take_a20(struct cpu *c)
{
	bool a20 = atomic_load(&c->pins) >> PIN_A20 & 1;

	if (a20 == c->a20)
		return;
	c->a20 = a20;
	tlb_flush_all(c);
}

static void
set_pin(void *opaque, enum pin pin, int level)
{
	struct cpu *c = opaque;
	uint32_t bit = 1u << pin;

	if (pin == PIN_SIPI) {
		atomic_store(&c->sipi_vector, level);
		level = 1;
	}
	if (level) {
		atomic_fetch_or(&c->pins, bit);
	} else {
		atomic_fetch_and(&c->pins, ~bit);
		if (pin != PIN_A20)
			return;
	}
	if (pin == PIN_IGNNE)
		return;
	/* The processor's own write to port 92h counts at once. */
	if (pin == PIN_A20 && pthread_equal(pthread_self(), c->thread))
		take_a20(c);
	else
		wake(c);
}

struct cpu_pins
cpu_pins(struct cpu *c)
{
	return (struct cpu_pins){ .set = set_pin, .cpu = c };
}

void
cpu_kick(struct cpu *c)
{
	atomic_store(&c->kicked, true);
	wake(c);
}

bool
cpu_is_halted(const struct cpu *c)
{
	return c->halted || c->shutdown || c->wait_sipi;
}

/* ---- waiting ---- */

/* A sleep ends so much later than asked for, at the most; a longer wait than that is nobody's wish. */
enum { SLEEP_LATE_NS = 60000 };
#define LONGEST_WAIT_NS (NS_PER_SEC << 24)

static bool
is_wanted(struct cpu *c)
{
	uint32_t pins = atomic_load(&c->pins), wanted = 1u << PIN_RESET;

	if (atomic_load(&c->kicked) || atomic_load(&c->flush_wanted))
		return true;
	if (!c->smm)
		wanted |= 1u << PIN_INIT;
	if (c->wait_sipi)
		wanted |= 1u << PIN_SIPI;
	else if (!c->shutdown) {
		if (!c->smm)
			wanted |= 1u << PIN_SMI;
		if (!c->nmi_blocked)
			wanted |= 1u << PIN_NMI;
		if (c->eflags & EFL_IF)
			wanted |= 1u << PIN_INTR;
	}
	return pins & wanted;
}

static void
awake(struct cpu *c)
{
	c->halted = false;
	c->mwait = MWAIT_NONE;
}

/* UMWAIT and TPAUSE also end with an interrupt that is masked. */
static bool
ends_wait(struct cpu *c)
{
	return is_wanted(c) || (c->mwait >= MWAIT_USER && atomic_load(&c->pins) & 1u << PIN_INTR);
}

static uint64_t
host_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

void
cpu_halt_for(struct cpu *c, enum mwait how, uint64_t ns)
{
	c->halted = true;
	c->mwait = how;
	c->wake_at = host_ns() + MIN(ns, (uint64_t)LONGEST_WAIT_NS);
}

/* Sleeps, or waits for the last bit of it, which a sleep would miss.  True: its time is over. */
static bool
wait_a_while(struct cpu *c)
{
	uint64_t sleep_to = c->mwait == MWAIT_SYSTEM ? c->wake_at : c->wake_at - SLEEP_LATE_NS;
	struct timespec until = { (time_t)(sleep_to / NS_PER_SEC), (long)(sleep_to % NS_PER_SEC) };

	if (host_ns() < sleep_to) {
		pthread_cond_timedwait(&c->halt_wake, &c->halt_lock, &until);
	} else {
		pthread_mutex_unlock(&c->halt_lock);
		while (host_ns() < c->wake_at && !ends_wait(c))
			continue;
		pthread_mutex_lock(&c->halt_lock);
	}
	return host_ns() >= c->wake_at;
}

static void
wait_for_event(struct cpu *c)
{
	bool over = false;

	pthread_mutex_lock(&c->halt_lock);
	while (!over && !ends_wait(c)) {
		if (c->mwait)
			over = wait_a_while(c);
		else
			pthread_cond_wait(&c->halt_wake, &c->halt_lock);
	}
	pthread_mutex_unlock(&c->halt_lock);
	if (over && c->mwait == MWAIT_USER_LIMITED)
		c->f.flags = flags_from_eflags(FL_CF);
	if (over || c->mwait >= MWAIT_USER)
		awake(c);
}

/* ---- what is pending ---- */

static bool
take_pin(struct cpu *c, enum pin pin)
{
	return atomic_fetch_and(&c->pins, ~(1u << pin)) >> pin & 1;
}

static bool
has_pin(const struct cpu *c, enum pin pin)
{
	return atomic_load_explicit(&c->pins, memory_order_relaxed) >> pin & 1;
}

static void
start_up(struct cpu *c)
{
	uint8_t vector = atomic_load(&c->sipi_vector);

	if (!c->wait_sipi)
		return;
	c->wait_sipi = false;
	segment_set_real(c, SEG_CS, vector << 8);
	c->f.rip = 0;
	cpu_update_mode(c);
}

/* Resets and the like: whatever else is going on. */
static void
service_resets(struct cpu *c)
{
	if (atomic_exchange(&c->flush_wanted, false))
		mmu_flush_everything(c);
	take_a20(c);
	if (has_pin(c, PIN_RESET) && take_pin(c, PIN_RESET)) {
		cpu_lock(c);
		cpu_reset(c);
		cpu_unlock(c);
	}
	if (has_pin(c, PIN_INIT) && !c->smm && take_pin(c, PIN_INIT))
		cpu_reset_at(c, true);
	if (has_pin(c, PIN_SIPI) && take_pin(c, PIN_SIPI))
		start_up(c);
}

/* Delivers at most one event.  True: it did, or something may follow. */
static bool
service_event(struct cpu *c)
{
	uint64_t debug = c->pending_dbg;

	if (c->shutdown || c->wait_sipi)
		return false;
	if (has_pin(c, PIN_SMI) && !c->smm && take_pin(c, PIN_SMI)) {
		smm_enter(c);
		return true;
	}
	if (debug && !c->inhibit_db) {
		c->pending_dbg = 0;
		awake(c);
		cpu_deliver_debug(c, debug);
		return true;
	}
	if (c->inhibit)
		return false;
	if (has_pin(c, PIN_NMI) && !c->nmi_blocked && take_pin(c, PIN_NMI)) {
		awake(c);
		cpu_deliver_nmi(c);
		return true;
	}
	if (has_pin(c, PIN_INTR) && c->eflags & EFL_IF) {
		int vector;

		cpu_lock(c);
		vector = c->config.board->intr_ack(c->config.board->opaque);
		cpu_unlock(c);
		if (vector < 0)
			return false;
		awake(c);
		cpu_deliver_interrupt(c, vector & 0xff);
		return true;
	}
	return false;
}

static bool
is_stopped(struct cpu *c)
{
	return c->config.before_block != NULL && c->config.before_block(c->config.block_opaque);
}

/* True: cpu_run has to return. */
static bool
service(struct cpu *c)
{
	for (;;) {
		__atomic_exchange_n(&c->f.pending, 0, __ATOMIC_SEQ_CST);
		if (atomic_exchange(&c->kicked, false))
			return true;
		service_resets(c);
		if (service_event(c)) {
			/* What could not come yet is looked for again after one instruction's worth of progress. */
			if (has_pin(c, PIN_INTR) || has_pin(c, PIN_NMI) || has_pin(c, PIN_SMI) || c->pending_dbg)
				__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
			return false;
		}
		if (!cpu_is_halted(c))
			return false;
		if (is_stopped(c))
			return true;
		wait_for_event(c);
	}
}

/* ---- running ---- */

static void
log_state(struct cpu *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (!log_filter(c->f.rip))
		return;
	if (log_on(LOG_BIT_exec))
		log_printf("exec %016llx mode %06x\n", (unsigned long long)c->f.rip, c->mode);
	if (!log_on(LOG_BIT_cpu))
		return;
	to = open_memstream(&text, &size);
	cpu_print_registers(c, to);
	fclose(to);
	log_printf("%s", text);
	free(text);
}

/* Can other blocks go on to this one?  Its guard looks into the exec table, which has no addresses of more than 48 bits. */
static bool
is_guarded(const struct tcg_key *key)
{
	return SHADOW_IS_NEAR(key->rip) && SHADOW_IS_NEAR(key->rip + 0xfff);
}

/* Is the second page of code that runs over into one still where it was? */
static bool
has_its_second_page(struct cpu *c, const struct tcg_key *key, const struct tcg_block *block)
{
	uint64_t phys2 = tcg_second_page(block), linear;

	if (phys2 == ~0ull)
		return true;
	linear = key->cs_base + key->rip + 0x1000 - (key->phys & 0xfff);
	return (fetch_phys(c, key->mode & MODE_CS64 ? linear : (uint32_t)linear) & ~0xfffull) == phys2;
}

/* The block at RIP, found or made. */
static struct tcg_block *
look_up(struct cpu *c, const struct tcg_key *key)
{
	struct tcg_block *block;

	c->block_lookups++;
	if (c->retry_alone) {
		c->from.slot = NULL;
		block = tcg_translate(c->tcg, &c->f, key, 1, false);
		c->retry_alone = false;
		return block;
	}
	block = tcg_find(c->tcg, key);
	while (block && !has_its_second_page(c, key, block))
		block = tcg_find_next(block);
	if (!block)
		block = tcg_translate(c->tcg, &c->f, key, key->mode & (MODE_TF | MODE_ONE) ? 1 : 0, true);
	if (key->mode & (MODE_TF | MODE_ONE) || (key->mode & ~TCG_PLAIN) != c->from_mode || !is_guarded(key))
		return block;
	if (c->from.slot)
		tcg_chain(c->tcg, &c->from, block);
	else if (c->from.indirect && c->f.jumps != c->no_jumps)
		tcg_remember(&c->f, key->rip, block);
	return block;
}

/* After a block: what its instructions left to be done. */
static void
after_block(struct cpu *c, bool stepped, bool inhibited, bool resumed)
{
	if (inhibited) {
		c->inhibit = c->inhibit_db = false;
		__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
	}
	if (resumed && !c->resume)
		c->eflags &= ~(uint32_t)EFL_RF;
	if (stepped && !c->inhibit_db)
		c->pending_dbg |= 1ull << 63 | 1 << 14;
	if (c->pending_dbg)
		__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
}

static bool
meets_breakpoint(struct cpu *c, uint64_t linear)
{
	uint64_t hit;

	if (c->eflags & EFL_RF || c->inhibit_db)
		return false;
	hit = debug_check_code(c, linear);
	if (!hit)
		return false;
	c->from.slot = NULL;
	cpu_deliver_debug(c, hit);
	return true;
}

static void
run_block(struct cpu *c)
{
	bool inhibited = c->inhibit, stepped = c->mode & MODE_TF, resumed = c->eflags & EFL_RF, alone = c->retry_alone;
	struct tcg_key key = { .rip = c->f.rip, .mode = c->mode, .cs_limit = code_limit(c) };
	uint64_t pending_dbg = c->pending_dbg;
	struct tcg_block *block;
	enum tcg_exit how;

	if (!(c->mode & MODE_CS64)) {
		key.cs_base = c->seg[SEG_CS].base;
		if (key.rip > c->seg[SEG_CS].limit)
			cpu_raise_error(c, EXC_GP, 0);
	}
	if (c->has_code_breakpoints && meets_breakpoint(c, key.cs_base + key.rip))
		return;
	if (inhibited) {
		key.mode |= MODE_ONE;
		c->f.jumps = c->no_jumps;
	}
	if (c->from.plain)
		key.mode |= TCG_PLAIN;
	key.phys = fetch_phys(c, key.cs_base + key.rip);
	block = look_up(c, &key);
	if (log_on(LOG_BIT_exec) || log_on(LOG_BIT_cpu))
		log_state(c);
	c->resume = false;
	c->in_tcg = true;
	how = tcg_enter(&c->f, block, &c->from);
	c->in_tcg = false;
	c->from_mode = c->mode;
	if (inhibited)
		run_select_jumps(c);
	/* A block that others must not run on from isn't chained. */
	if (inhibited || alone)
		c->from = (struct tcg_from){ 0 };
	else if (c->config.unchained)
		c->from = (struct tcg_from){ .plain = c->from.plain };
	if (how == TCG_LEFT) {
		c->from = (struct tcg_from){ 0 };
		/* Breakpoints on data trap behind an instruction: what faults has hit none, nor what runs again in a block of its own. */
		if (c->retry_alone || (c->exc.raised && !c->exc.software))
			c->pending_dbg = pending_dbg;
		if (c->exc.raised || c->retry_alone)
			return;
		stepped = false;
	}
	after_block(c, stepped, inhibited, resumed);
}

enum cpu_stop
cpu_run(struct cpu *c)
{
	c->thread = pthread_self();
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_SEQ_CST);
	/* Faults outside of translated code end here: in fetching code, and in delivery itself. */
	if (setjmp(c->leave))
		c->from = (struct tcg_from){ 0 };
	for (;;) {
		if (c->exc.raised) {
			c->from = (struct tcg_from){ 0 };
			cpu_deliver_pending_exception(c);
		}
		if (__atomic_load_n(&c->f.pending, __ATOMIC_RELAXED) || c->shutdown) {
			/* The next block may be an interrupt's handler: not what the last one's exit goes on to. */
			c->from = (struct tcg_from){ 0 };
			if (service(c)) {
				tcg_x87_sync(&c->f);
				return CPU_STOP_KICKED;
			}
		}
		if (is_stopped(c)) {
			tcg_x87_sync(&c->f);
			return CPU_STOP_KICKED;
		}
		/* A trap comes before any instruction, be it a handler's: delivery may have met a breakpoint itself. */
		if (c->pending_dbg && !c->inhibit_db)
			__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
		else
			run_block(c);
	}
}
