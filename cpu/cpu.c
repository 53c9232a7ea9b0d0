/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and resetting a vCPU; what loaders, the monitor and a debugger see of it. */
#include "cpu/system.h"

#include "base/err.h"
#include "base/trace.h"
#include "cpu/translate.h"

#include <stdlib.h>
#include <strings.h>

enum { TSC_HZ = 1000000000 };

/* ---- the translator's callbacks that raise ---- */

static __attribute__((noreturn)) void
divide_error(struct tcg_frame *f)
{
	cpu_raise(cpu_of(f), EXC_DE);
}

static __attribute__((noreturn)) void
general_protection(struct tcg_frame *f)
{
	cpu_raise_error(cpu_of(f), EXC_GP, 0);
}

static __attribute__((noreturn)) void
simd_exception(struct tcg_frame *f)
{
	cpu_raise(cpu_of(f), cpu_of(f)->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* Under the machine's lock. */
static void
drive_ferr(struct cpu *c, bool level)
{
	c->ferr = level;
	if (c->config.board && c->config.board->ferr)
		c->config.board->ferr(c->config.board->opaque, c->config.id, level);
}

static void
change_ferr(struct cpu *c, bool level)
{
	/* Who waits for IRQ 13 comes by again and again. */
	if (c->ferr == level)
		return;
	cpu_lock(c);
	drive_ferr(c, level);
	cpu_unlock(c);
}

/*
 * Without CR0.NE the processor asks for IRQ 13 and stands at the instruction until an interrupt comes, or ignores the error
 * (Software Developer's Manual, volume 1, "Handling x87 FPU Exceptions in Software": MS-DOS compatibility sub-mode).
 */
static void
x87_exception(struct tcg_frame *f)
{
	struct cpu *c = cpu_of(f);

	if (c->cr0 & CR0_NE)
		cpu_raise(c, EXC_MF);
	if (atomic_load(&c->pins) & 1u << PIN_IGNNE)
		return;
	change_ferr(c, true);
	cpu_retry(c);
}

static void
x87_cleared(struct tcg_frame *f)
{
	change_ferr(cpu_of(f), false);
}

/* ---- making ---- */

static void
join(struct cpu *c, struct cpu *first)
{
	c->first = first;
	if (first == c)
		return;
	c->sharing = first->sharing;
	first->sharing = c;
}

static void
init_sync(struct cpu *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->halt_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->halt_wake, &attr);
	pthread_condattr_destroy(&attr);
}

static bool
init_tcg(struct cpu *c, struct err *e)
{
	struct tcg_guest *g = &c->guest;

	mmu_guest(g);
	g->divide_error = divide_error;
	g->general_protection = general_protection;
	g->simd_exception = simd_exception;
	g->x87_exception = x87_exception;
	g->x87_cleared = x87_cleared;
	g->translate = cpu_translate_block;
	g->disassemble = cpu_disassemble_block;
	g->opaque = c;
	c->tcg = c->config.shared ? c->config.shared : tcg_new(&c->config.tcg, g, e);
	if (!c->tcg)
		return false;
	join(c, c->config.shared ? tcg_guest_of(c->tcg)->opaque : c);
	c->f.tcg = c->tcg;
	c->f.guest = g;
	c->no_jumps = tcg_jumps_new(c->tcg);
	return c->no_jumps || err_set(e, "too many processors share a translator");
}

struct cpu *
cpu_new(const struct cpu_config *config, struct err *e)
{
	struct cpu *c = tcg_frame_alloc(sizeof(*c));
	unsigned slots = config->id < 2 ? 8 : config->id < 6 ? 2 : 1;

	if (!c) {
		err_set(e, "no memory for a processor");
		return NULL;
	}
	c->config = *config;
	c->thread = pthread_self();
	c->delivering = -1;
	c->a20 = true;
	atomic_store(&c->pins, 1u << PIN_A20);
	init_sync(c);
	c->model = cpuid_parse(config->model, tcg_native_avx512(&config->tcg), e);
	c->shadow = c->model ? shadow_new(slots, e) : NULL;
	if (!c->shadow || !init_tcg(c, e)) {
		cpu_free(c);
		return NULL;
	}
	shadow_attach(c->shadow, &c->f);
	cpu_reset(c);
	mmu_listen(c);
	return c;
}

static void
unlink_from(struct cpu *c)
{
	struct cpu *each = c->first;

	if (!each || each == c)
		return;
	while (each->sharing && each->sharing != c)
		each = each->sharing;
	if (each->sharing == c)
		each->sharing = c->sharing;
}

void
cpu_free(struct cpu *c)
{
	if (!c)
		return;
	unlink_from(c);
	if (c->tcg) {
		for (unsigned i = 0; i < ARRAY_SIZE(c->mode_jumps); i++)
			if (c->mode_jumps[i].jumps)
				tcg_jumps_free(c->tcg, c->mode_jumps[i].jumps);
		if (c->no_jumps)
			tcg_jumps_free(c->tcg, c->no_jumps);
		/* The one that made it goes last. */
		if (!c->config.shared)
			tcg_free(c->tcg);
	}
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

/* ---- reset ---- */

static void
reset_segments(struct cpu *c)
{
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		c->seg[seg] = (struct segment){ .flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED, .limit = 0xffff };
	c->seg[SEG_CS].selector = 0xf000;
	c->seg[SEG_CS].base = 0xffff0000;
	c->seg[SEG_CS].flags |= SF_CODE;
	c->ldtr = (struct segment){ .flags = SF_P | 2, .limit = 0xffff };
	c->tr = (struct segment){ .flags = SF_P | 0xb, .limit = 0xffff };
	c->gdtr.base = c->idtr.base = 0;
	c->gdtr.limit = c->idtr.limit = 0xffff;
}

void
cpu_reset_at(struct cpu *c, bool init)
{
	memset(c->f.gpr, 0, sizeof(c->f.gpr));
	c->f.gpr[2] = c->model->signature;
	c->f.flags = flags_from_eflags(2);
	c->f.df = 1;
	c->f.rip = 0xfff0;
	c->eflags = 2;
	c->cr0 = CR0_ET | (init ? c->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW);
	c->cr2 = c->cr3 = c->cr4 = 0;
	c->efer = 0;
	c->ssp = 0;
	c->cpl = 0;
	memset(c->dr, 0, sizeof(c->dr));
	c->dr[6] = 0xffff0ff0;
	c->dr[7] = 0x400;
	reset_segments(c);
	c->halted = c->shutdown = c->nmi_blocked = false;
	c->mwait = MWAIT_NONE;
	smm_reset(c);
	c->inhibit = c->inhibit_db = c->monitor_armed = c->umonitor_armed = c->resume = c->has_code_breakpoints = false;
	c->pending_dbg = 0;
	c->exc.raised = false;
	c->delivering = -1;
	c->retry_alone = false;
	c->from = (struct tcg_from){ 0 };
	/* Only the first processor starts by itself. */
	c->wait_sipi = c->config.id != 0;
	if (!init) {
		c->smbase = 0x30000;
		c->xcr0 = 1;
		c->pkru = 0;
		msr_reset(c);
		if (c->ferr)
			drive_ferr(c, false);
		fpu_reset(c);
	}
	shadow_select(c->shadow, 0);
	tlb_flush_all(c);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		cpu_segment_changed(c, seg);
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_SEQ_CST);
}

void
cpu_reset(struct cpu *c)
{
	atomic_fetch_and(&c->pins, 1u << PIN_A20 | 1u << PIN_INTR);
	cpu_reset_at(c, false);
}

/* ---- time ---- */

uint64_t
cpu_tsc_hz(const struct cpu *c)
{
	(void)c;
	return TSC_HZ;
}

uint64_t
cpu_tsc(void *cpu)
{
	struct cpu *c = cpu;

	return (c->config.now_ns ? c->config.now_ns(c->config.clock_opaque) : 0) + c->tsc_offset;
}

/* ---- registers by name ---- */

static const char *const names[CPU_REGS] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	"rip", "eflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer", "es", "cs", "ss", "ds", "fs", "gs",
	"fs_base", "gs_base", "cs_base", "ss_base",
};

int
cpu_reg_by_name(const char *name)
{
	for (unsigned i = 0; i < CPU_REGS; i++)
		if (!strcasecmp(name, names[i]))
			return i;
	return -1;
}

uint64_t
cpu_get(const struct cpu *c, enum cpu_reg r)
{
	if (r <= CPU_R15)
		return c->f.gpr[r];
	if (r >= CPU_ES && r <= CPU_GS)
		return c->seg[SEG_ES + (r - CPU_ES)].selector;
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
		return c->config.board && c->config.board->get_tpr ? c->config.board->get_tpr(c->config.board->opaque) & 0xf : 0;
	case CPU_EFER:
		return c->efer;
	case CPU_FS_BASE:
		return c->seg[SEG_FS].base;
	case CPU_GS_BASE:
		return c->seg[SEG_GS].base;
	case CPU_CS_BASE:
		return c->seg[SEG_CS].base;
	case CPU_SS_BASE:
		return c->seg[SEG_SS].base;
	default:
		return 0;
	}
}

static void
set_control(struct cpu *c, enum cpu_reg r, uint64_t value)
{
	switch (r) {
	case CPU_CR0:
		c->cr0 = (value & 0xe005003f) | CR0_ET;
		break;
	case CPU_CR3:
		c->cr3 = value & ((1ull << PHYS_BITS) - 1);
		break;
	case CPU_CR4:
		c->cr4 = value & cpuid_cr4_mask(c);
		break;
	default:
		c->efer = value & cpuid_efer_mask(c);
	}
	if (c->cr0 & CR0_PG && c->efer & EFER_LME)
		c->efer |= EFER_LMA;
	else
		c->efer &= ~(uint64_t)EFER_LMA;
	if (!(c->cr0 & CR0_PE))
		c->cpl = 0;
	shadow_select(c->shadow, c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0);
	tlb_flush_all(c);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		cpu_segment_changed(c, seg);
}

static void
set_base(struct cpu *c, unsigned seg, uint64_t value)
{
	c->seg[seg].base = value;
	cpu_segment_changed(c, seg);
}

void
cpu_set(struct cpu *c, enum cpu_reg r, uint64_t value)
{
	if (r <= CPU_R15) {
		c->f.gpr[r] = value;
		return;
	}
	if (r >= CPU_ES && r <= CPU_GS) {
		segment_set_real(c, SEG_ES + (r - CPU_ES), value);
		cpu_update_mode(c);
		return;
	}
	switch (r) {
	case CPU_RIP:
		c->f.rip = value;
		break;
	case CPU_EFLAGS:
		cpu_set_eflags(c, value);
		break;
	case CPU_CR2:
		c->cr2 = value;
		break;
	case CPU_CR0:
	case CPU_CR3:
	case CPU_CR4:
	case CPU_EFER:
		set_control(c, r, value);
		break;
	case CPU_CR8:
		if (c->config.board && c->config.board->set_tpr)
			c->config.board->set_tpr(c->config.board->opaque, value & 0xf);
		break;
	case CPU_FS_BASE:
		set_base(c, SEG_FS, value);
		break;
	case CPU_GS_BASE:
		set_base(c, SEG_GS, value);
		break;
	case CPU_CS_BASE:
		set_base(c, SEG_CS, value);
		break;
	case CPU_SS_BASE:
		set_base(c, SEG_SS, value);
		break;
	default:
		break;
	}
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
}

void
cpu_set_flat32(struct cpu *c, uint16_t code, uint16_t data)
{
	c->cr0 |= CR0_PE;
	c->cpl = 0;
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		c->seg[seg] = (struct segment){
			.selector = seg == SEG_CS ? code : data, .limit = 0xffffffff,
			.flags = SF_P | SF_S | SF_ACCESSED | SF_G | SF_DB | SF_WRITE | (seg == SEG_CS ? SF_CODE : 0),
		};
	tlb_flush_all(c);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		cpu_segment_changed(c, seg);
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

/* ---- a debugger's memory ---- */

uint64_t
cpu_translate(struct cpu *c, uint64_t linear)
{
	struct walk w;

	if (!mmu_probe(c, linear, &w))
		return ~0ull;
	return (w.phys | (linear & (w.bytes - 1))) & (c->a20 ? ~0ull : ~0x100000ull);
}

static bool
each_piece(struct cpu *c, uint64_t linear, uint8_t *bytes, uint64_t len, bool write)
{
	while (len) {
		uint64_t n = MIN(len, 0x1000 - (linear & 0xfff)), phys = cpu_translate(c, linear);
		struct mem_range r;
		uint8_t *host;

		if (phys == ~0ull)
			return false;
		r = space_find(c->config.mem, phys, c->smm);
		if (!r.region || r.region->kind == REGION_IO || phys + n - 1 > r.last)
			return false;
		host = r.region->host + r.offset + (phys - r.first);
		memcpy(write ? host : bytes, write ? bytes : host, n);
		if (write) {
			tcg_invalidate(c->tcg, phys, n);
			space_set_dirty(c->config.mem, phys, n);
		}
		linear += n;
		bytes += n;
		len -= n;
	}
	return true;
}

bool
cpu_peek(struct cpu *c, uint64_t linear, void *to, uint64_t len)
{
	return each_piece(c, linear, to, len, false);
}

bool
cpu_poke(struct cpu *c, uint64_t linear, const void *from, uint64_t len)
{
	return each_piece(c, linear, (uint8_t *)from, len, true);
}
