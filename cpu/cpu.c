/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU's life: made, reset, looked at from outside, freed. */
#include "cpu/system.h"

#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "cpu/translate.h"

enum { ADDRESS_SPACES = 6 };

/* ---- reset: AMD64 Architecture Programmer's Manual, volume 2, "Processor Initialization State" ---- */

static void
reset_segments(struct cpu *c)
{
	for (unsigned n = 0; n < 6; n++)
		c->seg[n] = (struct segment){ .flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED, .limit = 0xffff };
	c->seg[SEG_CS] = (struct segment){ .selector = 0xf000, .flags = SF_P | SF_S | SF_CODE | SF_READ | SF_ACCESSED, .limit = 0xffff,
		.base = 0xffff0000 };
	c->ldtr = (struct segment){ .flags = SF_P | 2, .limit = 0xffff };
	c->tr = (struct segment){ .flags = SF_P | 0xb, .limit = 0xffff };
	c->gdtr.base = c->idtr.base = 0;
	c->gdtr.limit = c->idtr.limit = 0xffff;
}

static void
reset_events(struct cpu *c)
{
	c->smm = c->halted = c->nmi_blocked = c->inhibit = c->inhibit_db = c->shutdown = c->mwait = false;
	c->monitor_armed = c->resume = c->retry_alone = c->has_code_breakpoints = false;
	c->pending_dbg = 0;
	c->exc.raised = false;
	c->delivering = -1;
	c->from = (struct tcg_from){ 0 };
	atomic_fetch_and(&c->pins, 1u << PIN_A20 | 1u << PIN_INTR);
}

/* INIT leaves the x87 and vector state, most MSRs, the caches' bits and SMBASE alone; a reset leaves nothing. */
void
cpu_reset_at(struct cpu *c, bool init)
{
	reset_events(c);
	c->wait_sipi = init && c->config.id != 0;
	memset(c->f.gpr, 0, sizeof(c->f.gpr));
	c->f.gpr[2] = c->model->signature;
	c->f.rip = 0xfff0;
	c->f.flags = flags_from_eflags(0);
	c->f.df = 1;
	c->eflags = 2;
	c->cpl = 0;
	c->cr0 = CR0_ET | (init ? c->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW);
	c->cr2 = c->cr3 = c->cr4 = 0;
	c->efer = 0;
	memset(c->dr, 0, sizeof(c->dr));
	c->dr[6] = 0xffff0ff0;
	c->dr[7] = 0x400;
	reset_segments(c);
	if (!init) {
		msr_reset(c);
		fpu_reset(c);
		c->xcr0 = 1;
		c->smbase = 0x30000;
		c->tsc_offset = 0 - c->config.now_ns(c->config.clock_opaque);
		c->tsc_adjust = 0;
	}
	shadow_select(c->shadow, 0);
	tlb_flush_all(c);
	for (unsigned n = 0; n < 6; n++)
		cpu_segment_changed(c, n);
	cpu_update_mode(c);
}

void
cpu_reset(struct cpu *c)
{
	cpu_reset_at(c, false);
}

/* ---- making ---- */

static _Noreturn void
raise_divide(struct tcg_frame *f)
{
	cpu_raise(cpu_of(f), EXC_DE);
}

static _Noreturn void
raise_protection(struct tcg_frame *f)
{
	cpu_raise_error(cpu_of(f), EXC_GP, 0);
}

static _Noreturn void
raise_simd(struct tcg_frame *f)
{
	cpu_raise(cpu_of(f), cpu_of(f)->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* With CR0.NE off the exception goes out by FERR#, and the instruction waits for the interrupt: it runs again. */
static _Noreturn void
raise_x87(struct tcg_frame *f)
{
	struct cpu *c = cpu_of(f);

	if (c->cr0 & CR0_NE)
		cpu_raise(c, EXC_MF);
	if (c->config.board != NULL && c->config.board->ferr != NULL) {
		cpu_lock(c);
		c->config.board->ferr(c->config.board->opaque, 1);
		cpu_unlock(c);
	}
	__atomic_store_n(&f->pending, 1, __ATOMIC_RELAXED);
	cpu_leave(c);
}

static bool
make_tcg(struct cpu *c, struct err *e)
{
	c->guest.divide_error = raise_divide;
	c->guest.general_protection = raise_protection;
	c->guest.simd_exception = raise_simd;
	c->guest.x87_exception = raise_x87;
	c->guest.translate = cpu_translate_block;
	c->guest.disassemble = cpu_disassemble_block;
	c->guest.opaque = c;
	mmu_guest(&c->guest);
	c->tcg = c->config.shared != NULL ? c->config.shared : tcg_new(&c->config.tcg, &c->guest, e);
	c->f.tcg = c->tcg;
	c->f.guest = &c->guest;
	return c->tcg != NULL;
}

struct cpu *
cpu_new(const struct cpu_config *config, struct err *e)
{
	struct cpu *c = tcg_frame_alloc(sizeof(*c));

	if (c == NULL) {
		err_set(e, "no memory for a processor's state");
		return NULL;
	}
	c->config = *config;
	c->first = c;
	c->a20 = true;
	c->pins = 1u << PIN_A20;
	c->one_insn = config->tcg.one_insn;
	pthread_mutex_init(&c->halt_lock, NULL);
	pthread_cond_init(&c->halt_wake, NULL);
	c->model = cpuid_parse(config->model, e);
	if (c->model != NULL)
		c->shadow = shadow_new(ADDRESS_SPACES, e);
	if (c->shadow == NULL || !make_tcg(c, e)) {
		cpu_free(c);
		return NULL;
	}
	c->no_jumps = tcg_jumps_new(c->tcg);
	mmu_listen(c);
	cpu_reset(c);
	return c;
}

void
cpu_free(struct cpu *c)
{
	if (c->tcg != NULL && c->config.shared == NULL)
		tcg_free(c->tcg);
	if (c->shadow != NULL)
		shadow_free(c->shadow);
	free(c->model);
	pthread_cond_destroy(&c->halt_wake);
	pthread_mutex_destroy(&c->halt_lock);
	tcg_frame_free(c, sizeof(*c));
}

struct tcg *
cpu_tcg(struct cpu *c)
{
	return c->tcg;
}

/* ---- time ---- */

/* One tick a nanosecond of virtual time: a constant, synchronized, invariant TSC. */
uint64_t
cpu_tsc_hz(const struct cpu *c)
{
	(void)c;
	return NS_PER_SEC;
}

uint64_t
cpu_tsc(void *cpu)
{
	const struct cpu *c = cpu;

	return c->config.now_ns(c->config.clock_opaque) + c->tsc_offset;
}

/* ---- registers from outside ---- */

static const char *const names[CPU_REGS] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags",
	"cr0", "cr2", "cr3", "cr4", "cr8", "efer", "es", "cs", "ss", "ds", "fs", "gs", "fs_base", "gs_base", "cs_base", "ss_base",
};

int
cpu_reg_by_name(const char *name)
{
	for (int n = 0; n < CPU_REGS; n++)
		if (strcasecmp(names[n], name) == 0)
			return n;
	return -1;
}

static uint64_t
get_cr8(const struct cpu *c)
{
	const struct cpu_board *b = c->config.board;

	return b != NULL && b->get_tpr != NULL ? b->get_tpr(b->opaque) : 0;
}

uint64_t
cpu_get(const struct cpu *c, enum cpu_reg r)
{
	if (r <= CPU_R15)
		return c->f.gpr[r - CPU_RAX];
	if (r >= CPU_ES && r <= CPU_GS)
		return c->seg[r - CPU_ES].selector;
	switch (r) {
	case CPU_RIP:
		return c->f.rip;
	case CPU_EFLAGS:
		return cpu_eflags(c);
	case CPU_CR0:
		return c->cr0;
	case CPU_CR2:
		return c->cr2;
	case CPU_CR3:
		return c->cr3;
	case CPU_CR4:
		return c->cr4;
	case CPU_CR8:
		return get_cr8(c);
	case CPU_EFER:
		return c->efer;
	case CPU_FS_BASE:
		return c->seg[SEG_FS].base;
	case CPU_GS_BASE:
		return c->seg[SEG_GS].base;
	case CPU_CS_BASE:
		return c->seg[SEG_CS].base;
	default:
		return c->seg[SEG_SS].base;
	}
}

static void
set_base(struct cpu *c, unsigned seg, uint64_t base)
{
	c->seg[seg].base = base;
	cpu_segment_changed(c, seg);
	cpu_update_mode(c);
}

static void
set_control(struct cpu *c, enum cpu_reg r, uint64_t v)
{
	const struct cpu_board *b = c->config.board;

	switch (r) {
	case CPU_CR0:
		cpu_write_cr0(c, v);
		break;
	case CPU_CR2:
		c->cr2 = v;
		break;
	case CPU_CR3:
		cpu_write_cr3(c, v);
		break;
	case CPU_CR4:
		cpu_write_cr4(c, v);
		break;
	case CPU_CR8:
		if (b != NULL && b->set_tpr != NULL)
			b->set_tpr(b->opaque, v & 0xf);
		break;
	default:
		c->efer = v;
		cpu_update_mode(c);
		break;
	}
}

void
cpu_set(struct cpu *c, enum cpu_reg r, uint64_t v)
{
	if (r <= CPU_R15)
		c->f.gpr[r - CPU_RAX] = v;
	else if (r >= CPU_ES && r <= CPU_GS) {
		segment_set_real(c, r - CPU_ES, (uint16_t)v);
		cpu_update_mode(c);
	} else if (r == CPU_RIP)
		c->f.rip = v;
	else if (r == CPU_EFLAGS)
		cpu_set_eflags(c, v);
	else if (r == CPU_FS_BASE)
		set_base(c, SEG_FS, v);
	else if (r == CPU_GS_BASE)
		set_base(c, SEG_GS, v);
	else if (r == CPU_CS_BASE)
		set_base(c, SEG_CS, v);
	else if (r == CPU_SS_BASE)
		set_base(c, SEG_SS, v);
	else
		set_control(c, r, v);
}

void
cpu_set_flat32(struct cpu *c, uint16_t code, uint16_t data)
{
	for (unsigned n = 0; n < 6; n++) {
		bool cs = n == SEG_CS;

		c->seg[n] = (struct segment){ .selector = cs ? code : data, .limit = 0xffffffff,
			.flags = SF_P | SF_S | SF_DB | SF_G | SF_ACCESSED | SF_WRITE | (cs ? SF_CODE : 0) };
		cpu_segment_changed(c, n);
	}
	cpu_update_mode(c);
}

void
cpu_set_gdt(struct cpu *c, uint64_t base, uint16_t limit)
{
	c->gdtr.base = base;
	c->gdtr.limit = limit;
}

void
cpu_set_idt(struct cpu *c, uint64_t base, uint16_t limit)
{
	c->idtr.base = base;
	c->idtr.limit = limit;
}

/* ---- memory from outside ---- */

uint64_t
cpu_translate(struct cpu *c, uint64_t linear)
{
	struct walk w;

	if (!mmu_probe(c, linear, &w))
		return ~0ull;
	return w.phys | (linear & (w.bytes - 1));
}

bool
cpu_peek(struct cpu *c, uint64_t linear, void *to, uint64_t len)
{
	uint8_t *at = to;

	while (len > 0) {
		uint64_t phys = cpu_translate(c, linear), n = MIN(len, 4 * KiB - (linear & 0xfff));

		if (phys == ~0ull || !dma_read(c->config.mem, phys, at, n))
			return false;
		linear += n, at += n, len -= n;
	}
	return true;
}

bool
cpu_poke(struct cpu *c, uint64_t linear, const void *from, uint64_t len)
{
	const uint8_t *at = from;

	while (len > 0) {
		uint64_t phys = cpu_translate(c, linear), n = MIN(len, 4 * KiB - (linear & 0xfff));

		if (phys == ~0ull || !dma_write(c->config.mem, phys, at, n))
			return false;
		linear += n, at += n, len -= n;
	}
	return true;
}
