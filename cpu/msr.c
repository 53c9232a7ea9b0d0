/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers: AMD64 Architecture Programmer's Manual, volume 2, "MSR Cross-Reference".  What is not here
 * is #GP(0), as on the processor.
 */
#include "cpu/system.h"

enum {
	MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_FEATURE_CONTROL = 0x3a, MSR_TSC_ADJUST = 0x3b, MSR_PATCH_WRITE = 0x79, MSR_PATCH_LEVEL = 0x8b,
	MSR_MTRR_CAP = 0xfe, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176, MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUG_CTL = 0x1d9, MSR_MTRR_BASE = 0x200, MSR_MTRR_LAST = 0x20f,
	MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff, MSR_MC0 = 0x400,
	MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff, MSR_XSS = 0xda0,
	MC_BANKS = 4, MTRR_PAIRS = 8,
};

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

/* Registers of the AMD family that read 0 (or what stands here) and ignore writes: performance counters, chip configuration. */
static const struct {
	uint32_t first, last;
	uint64_t value;
} plain[] = {
	{ 0x17, 0x17, 0 },                  /* platform id */
	{ 0x2a, 0x2a, 0 },                  /* power-on configuration */
	{ 0x48, 0x49, 0 },                  /* speculation control */
	{ 0xc1, 0xc8, 0 },                  /* performance counters */
	{ 0xcd, 0xcd, 3 },                  /* bus frequency */
	{ 0x186, 0x18d, 0 },
	{ 0xc0010000u, 0xc0010007u, 0 },
	{ 0xc0010010u, 0xc0010010u, 0 },    /* SYSCFG */
	{ 0xc0010015u, 0xc0010015u, 0x1000000 }, /* HWCR: TSC runs at P0 */
	{ 0xc0010016u, 0xc001001du, 0 },    /* IORR, TOP_MEM */
	{ 0xc001001fu, 0xc001001fu, 0 },    /* NB_CFG */
	{ 0xc0010055u, 0xc0010055u, 0 },    /* interrupt pending message */
	{ 0xc0010112u, 0xc0010113u, 0 },    /* TSEG */
	{ 0xc0010114u, 0xc0010114u, 0x10 }, /* VM_CR: SVM is locked off */
	{ 0xc0010140u, 0xc0010141u, 0 },    /* OSVW */
	{ 0xc0010200u, 0xc001020bu, 0 },
	{ 0xc0011020u, 0xc0011023u, 0 },
	{ 0xc0011029u, 0xc0011029u, 2 },    /* DE_CFG: LFENCE is serializing */
	{ 0xc001102au, 0xc001102au, 0 },
};

static uint64_t *
variable_mtrr(struct cpu *c, uint32_t msr)
{
	unsigned n = msr - MSR_MTRR_BASE;

	return n & 1 ? &c->mtrr_mask[n / 2] : &c->mtrr_base[n / 2];
}

static uint64_t *
fixed_mtrr(struct cpu *c, uint32_t msr)
{
	if (msr == MSR_MTRR_FIX64K)
		return &c->mtrr_fixed[0];
	if (msr >= MSR_MTRR_FIX16K && msr < MSR_MTRR_FIX16K + 2)
		return &c->mtrr_fixed[1 + msr - MSR_MTRR_FIX16K];
	if (msr >= MSR_MTRR_FIX4K && msr < MSR_MTRR_FIX4K + 8)
		return &c->mtrr_fixed[3 + msr - MSR_MTRR_FIX4K];
	return NULL;
}

/* UC, WC, WT, WP, WB; and UC- in the PAT. */
static bool
memory_types_valid(uint64_t v, bool pat)
{
	for (unsigned n = 0; n < 64; n += 8) {
		unsigned type = v >> n & 0xff;

		if (type > 7 || type == 2 || type == 3 || (type == 7 && !pat))
			return false;
	}
	return true;
}

/* Registers that are one member of the state and hold any value. */
static uint64_t *
simple(struct cpu *c, uint32_t msr)
{
	switch (msr) {
	case MSR_SYSENTER_CS:
		return &c->sysenter_cs;
	case MSR_MCG_STATUS:
		return &c->mcg_status;
	case MSR_MISC_ENABLE:
		return &c->misc_enable;
	case MSR_STAR:
		return &c->star;
	default:
		return NULL;
	}
}

/* Registers that hold a linear address. */
static uint64_t *
address(struct cpu *c, uint32_t msr)
{
	switch (msr) {
	case MSR_SYSENTER_ESP:
		return &c->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &c->sysenter_eip;
	case MSR_LSTAR:
		return &c->lstar;
	case MSR_CSTAR:
		return &c->cstar;
	case MSR_KERNEL_GS_BASE:
		return &c->kernel_gs_base;
	case MSR_FS_BASE:
		return &c->seg[SEG_FS].base;
	case MSR_GS_BASE:
		return &c->seg[SEG_GS].base;
	default:
		return NULL;
	}
}

static bool
is_machine_check(uint32_t msr)
{
	return msr >= MSR_MC0 && msr < MSR_MC0 + 4 * MC_BANKS;
}

static bool
belongs_to_apic(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST);
}

static bool
has_mtrrs(const struct cpu *c, uint32_t msr)
{
	return cpu_has(c, FEAT_mtrr) && msr >= MSR_MTRR_BASE && msr <= MSR_MTRR_DEF;
}

static bool
read_plain(uint32_t msr, uint64_t *value)
{
	for (unsigned n = 0; n < ARRAY_SIZE(plain); n++)
		if (msr >= plain[n].first && msr <= plain[n].last) {
			*value = plain[n].value;
			return true;
		}
	return false;
}

static bool
read_apic(struct cpu *c, uint32_t msr, uint64_t *value)
{
	bool ok;

	if (c->board.read_msr == NULL)
		return false;
	cpu_lock(c);
	ok = c->board.read_msr(c->board.opaque, msr, value);
	cpu_unlock(c);
	return ok;
}

static bool
read_mtrr(struct cpu *c, uint32_t msr, uint64_t *value)
{
	uint64_t *fixed = fixed_mtrr(c, msr);

	if (msr <= MSR_MTRR_LAST)
		*value = *variable_mtrr(c, msr);
	else if (fixed != NULL)
		*value = *fixed;
	else if (msr == MSR_MTRR_DEF)
		*value = c->mtrr_def;
	else
		return false;
	return true;
}

bool
msr_read(struct cpu *c, uint32_t msr, uint64_t *value)
{
	uint64_t *at = simple(c, msr);

	if (at == NULL)
		at = address(c, msr);
	if (at != NULL) {
		*value = *at;
		return true;
	}
	if (belongs_to_apic(msr))
		return read_apic(c, msr, value);
	if (msr == MSR_PAT && cpu_has(c, FEAT_pat)) {
		*value = c->pat;
		return true;
	}
	if (has_mtrrs(c, msr))
		return read_mtrr(c, msr, value);
	if (is_machine_check(msr)) {
		*value = msr % 4 == 0 ? c->mc_ctl[(msr - MSR_MC0) / 4] : 0;
		return true;
	}
	switch (msr) {
	case MSR_TSC:
		*value = cpu_tsc(c);
		return true;
	case MSR_TSC_ADJUST:
		*value = c->tsc_adjust;
		return cpu_has(c, FEAT_tsc_adjust);
	case MSR_PATCH_LEVEL:
	case MSR_DEBUG_CTL:
		*value = 0;
		return true;
	case MSR_FEATURE_CONTROL:
		*value = 1; /* locked, VMX off */
		return true;
	case MSR_MTRR_CAP:
		*value = MTRR_PAIRS | 1 << 8 | 1 << 10; /* fixed ranges, write combining */
		return cpu_has(c, FEAT_mtrr);
	case MSR_MCG_CAP:
		*value = MC_BANKS;
		return true;
	case MSR_XSS:
		*value = c->xss;
		return cpu_has(c, FEAT_xsaves);
	case MSR_EFER:
		*value = c->efer;
		return true;
	case MSR_FMASK:
		*value = c->fmask;
		return true;
	case MSR_TSC_AUX:
		*value = c->tsc_aux;
		return cpu_has(c, FEAT_rdtscp) || cpu_has(c, FEAT_rdpid);
	default:
		return read_plain(msr, value);
	}
}

/* LME may not change while paging is on; LMA follows by itself. */
static bool
write_efer(struct cpu *c, uint64_t v)
{
	if (v & ~(cpuid_efer_mask(c) | EFER_LMA))
		return false;
	if (c->cr0 & CR0_PG && (v ^ c->efer) & EFER_LME)
		return false;
	if ((v ^ c->efer) & EFER_NXE)
		tlb_flush_all(c);
	c->efer = (v & ~(uint64_t)EFER_LMA) | (c->efer & EFER_LMA);
	cpu_update_mode(c);
	return true;
}

static bool
write_mtrr(struct cpu *c, uint32_t msr, uint64_t v)
{
	uint64_t *fixed = fixed_mtrr(c, msr), reserved = ~((1ull << PHYS_BITS) - 1);

	if (msr <= MSR_MTRR_LAST) {
		bool mask = msr & 1;

		if (v & (reserved | (mask ? 0x7ff : 0xf00)) || (!mask && !memory_types_valid(v & 0xff, false)))
			return false;
		*variable_mtrr(c, msr) = v;
	} else if (fixed != NULL) {
		if (!memory_types_valid(v, false))
			return false;
		*fixed = v;
	} else if (msr == MSR_MTRR_DEF) {
		if (v & ~0xcffull || !memory_types_valid(v & 0xff, false))
			return false;
		c->mtrr_def = v;
	} else {
		return false;
	}
	return true;
}

static bool
write_apic(struct cpu *c, uint32_t msr, uint64_t v)
{
	bool ok;

	if (c->board.write_msr == NULL)
		return false;
	cpu_lock(c);
	ok = c->board.write_msr(c->board.opaque, msr, v);
	cpu_unlock(c);
	return ok;
}

static bool
write_address(struct cpu *c, uint32_t msr, uint64_t *at, uint64_t v)
{
	if (!is_canonical(v))
		return false;
	*at = v;
	if (msr == MSR_FS_BASE)
		cpu_segment_changed(c, SEG_FS);
	else if (msr == MSR_GS_BASE)
		cpu_segment_changed(c, SEG_GS);
	return true;
}

static void
set_tsc(struct cpu *c, uint64_t v)
{
	uint64_t by = v - cpu_tsc(c);

	c->tsc_offset += by;
	c->tsc_adjust += by;
}

bool
msr_write(struct cpu *c, uint32_t msr, uint64_t v)
{
	uint64_t *at = simple(c, msr), ignored;

	if (at != NULL) {
		*at = v;
		return true;
	}
	at = address(c, msr);
	if (at != NULL)
		return write_address(c, msr, at, v);
	if (belongs_to_apic(msr))
		return write_apic(c, msr, v);
	if (msr == MSR_PAT && cpu_has(c, FEAT_pat)) {
		if (!memory_types_valid(v, true))
			return false;
		c->pat = v;
		return true;
	}
	if (has_mtrrs(c, msr))
		return write_mtrr(c, msr, v);
	if (is_machine_check(msr)) {
		if (msr % 4 == 0)
			c->mc_ctl[(msr - MSR_MC0) / 4] = v;
		return msr % 4 == 0 || v == 0;
	}
	switch (msr) {
	case MSR_TSC:
		set_tsc(c, v);
		return true;
	case MSR_TSC_ADJUST:
		if (!cpu_has(c, FEAT_tsc_adjust))
			return false;
		c->tsc_offset += v - c->tsc_adjust;
		c->tsc_adjust = v;
		return true;
	case MSR_PATCH_WRITE:
	case MSR_PATCH_LEVEL:
	case MSR_DEBUG_CTL:
		return true;
	case MSR_XSS:
		c->xss = v;
		return cpu_has(c, FEAT_xsaves) && v == 0;
	case MSR_EFER:
		return write_efer(c, v);
	case MSR_FMASK:
		c->fmask = (uint32_t)v;
		return true;
	case MSR_TSC_AUX:
		if (!cpu_has(c, FEAT_rdtscp) && !cpu_has(c, FEAT_rdpid))
			return false;
		c->tsc_aux = (uint32_t)v;
		return v >> 32 == 0;
	default:
		return read_plain(msr, &ignored);
	}
}

void
msr_reset(struct cpu *c)
{
	c->efer = c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = c->tsc_aux = 0;
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
	c->pat = 0x0007040600070406ull;
	c->misc_enable = 1;
	c->mtrr_def = c->xss = c->mcg_status = 0;
	memset(c->mtrr_fixed, 0, sizeof(c->mtrr_fixed));
	memset(c->mtrr_base, 0, sizeof(c->mtrr_base));
	memset(c->mtrr_mask, 0, sizeof(c->mtrr_mask));
	memset(c->mc_ctl, 0, sizeof(c->mc_ctl));
}

uint64_t
do_rdmsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t v = 0;

	(void)a, (void)b, (void)aux;
	if (c->cpl != 0 || !msr_read(c, (uint32_t)f->gpr[1], &v))
		cpu_raise_error(c, EXC_GP, 0);
	f->gpr[0] = (uint32_t)v;
	f->gpr[2] = v >> 32;
	return 0;
}

uint64_t
do_wrmsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (c->cpl != 0 || !msr_write(c, (uint32_t)f->gpr[1], f->gpr[2] << 32 | (uint32_t)f->gpr[0]))
		cpu_raise_error(c, EXC_GP, 0);
	return 0;
}
