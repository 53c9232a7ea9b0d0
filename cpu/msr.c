/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers (Intel SDM volume 4; AMD64 APM volume 2, appendix A).  What the local APIC holds is asked of the board.
 * Registers that guests touch without a feature bit telling of them read as 0 and ignore writes.
 */
#include "cpu/cet.h"
#include "cpu/system.h"
#include "cpu/xsave.h"

#include "base/trace.h"

enum {
	MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b, MSR_FEATURE_CONTROL = 0x3a, MSR_TSC_ADJUST = 0x3b,
	MSR_BIOS_SIGN = 0x8b, MSR_SMBASE = 0x9e, MSR_MTRRCAP = 0xfe, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
	MSR_MCG_CAP = 0x179, MSR_MCG_STATUS, MSR_MCG_CTL, MSR_PERF_STATUS = 0x198, MSR_MISC_ENABLE = 0x1a0,
	MSR_MTRR_BASE0 = 0x200, MSR_MTRR_LAST = 0x20f, MSR_MTRR_64K = 0x250, MSR_MTRR_16K_0 = 0x258, MSR_MTRR_16K_1,
	MSR_MTRR_4K_0 = 0x268, MSR_MTRR_4K_7 = 0x26f, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff, MSR_MC0_CTL = 0x400, MSR_MC_LAST = 0x40f,
	MSR_UMWAIT_CONTROL = 0xe1, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff, MSR_XSS = 0xda0,
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

void
msr_reset(struct cpu *c)
{
	c->efer = c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = c->tsc_aux = 0;
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
	c->pat = 0x0007040600070406;
	c->misc_enable = 1;
	c->mtrr_def = 0;
	memset(c->mtrr_fixed, 0, sizeof(c->mtrr_fixed));
	memset(c->mtrr_base, 0, sizeof(c->mtrr_base));
	memset(c->mtrr_mask, 0, sizeof(c->mtrr_mask));
	memset(c->mc_ctl, 0, sizeof(c->mc_ctl));
	c->xss = c->mcg_status = 0;
	c->tsc_offset = 0;
	c->tsc_adjust = 0;
	c->umwait_control = 0;
	c->u_cet = c->s_cet = c->ssp_table = 0;
	memset(c->pl_ssp, 0, sizeof(c->pl_ssp));
}

/* The place of a fixed-range MTRR. */
static uint64_t *
mtrr_fixed(struct cpu *c, uint32_t msr)
{
	if (msr == MSR_MTRR_64K)
		return &c->mtrr_fixed[0];
	if (msr == MSR_MTRR_16K_0 || msr == MSR_MTRR_16K_1)
		return &c->mtrr_fixed[1 + msr - MSR_MTRR_16K_0];
	if (msr >= MSR_MTRR_4K_0 && msr <= MSR_MTRR_4K_7)
		return &c->mtrr_fixed[3 + msr - MSR_MTRR_4K_0];
	return NULL;
}

static bool
is_memory_type(unsigned type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

static bool
types_valid(uint64_t value, bool pat)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned type = value >> 8 * i & 0xff;

		if (!is_memory_type(type) && !(pat && type == 7))
			return false;
	}
	return true;
}

static bool
is_cet(uint32_t msr)
{
	return msr >= MSR_U_CET && msr <= MSR_SSP_TABLE;
}

/* Registers that are just held: their place, or NULL. */
static uint64_t *
plain(struct cpu *c, uint32_t msr)
{
	switch (msr) {
	case MSR_SYSENTER_CS:
		return &c->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &c->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &c->sysenter_eip;
	case MSR_MCG_STATUS:
		return &c->mcg_status;
	case MSR_MISC_ENABLE:
		return &c->misc_enable;
	case MSR_STAR:
		return &c->star;
	case MSR_LSTAR:
		return &c->lstar;
	case MSR_CSTAR:
		return &c->cstar;
	case MSR_FMASK:
		return &c->fmask;
	case MSR_KERNEL_GS_BASE:
		return &c->kernel_gs_base;
	case MSR_TSC_AUX:
		return &c->tsc_aux;
	case MSR_UMWAIT_CONTROL:
		return cpu_has(c, FEAT_waitpkg) ? &c->umwait_control : NULL;
	case MSR_PAT:
		return &c->pat;
	case MSR_MTRR_DEF:
		return &c->mtrr_def;
	}
	if (msr >= MSR_MTRR_BASE0 && msr <= MSR_MTRR_LAST)
		return msr & 1 ? &c->mtrr_mask[(msr - MSR_MTRR_BASE0) / 2] : &c->mtrr_base[(msr - MSR_MTRR_BASE0) / 2];
	if (is_cet(msr))
		return cet_msr(c, msr);
	return mtrr_fixed(c, msr);
}

static bool
is_boards(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST);
}

/* Neither known nor far from what is: processors of some model have them. */
static bool
is_tolerated(uint32_t msr)
{
	return msr < 0x2000 || (msr >= 0xc0000000 && msr < 0xc0020000);
}

static bool
board_read(struct cpu *c, uint32_t msr, uint64_t *value)
{
	const struct cpu_board *b = c->config.board;
	bool ok;

	if (!b || !b->read_msr || (msr == MSR_TSC_DEADLINE && !cpu_has(c, FEAT_tsc_deadline)))
		return false;
	cpu_lock(c);
	ok = b->read_msr(b->opaque, msr, value);
	cpu_unlock(c);
	return ok;
}

static bool
board_write(struct cpu *c, uint32_t msr, uint64_t value)
{
	const struct cpu_board *b = c->config.board;
	bool ok;

	if (!b || !b->write_msr || (msr == MSR_TSC_DEADLINE && !cpu_has(c, FEAT_tsc_deadline)))
		return false;
	cpu_lock(c);
	ok = b->write_msr(b->opaque, msr, value);
	cpu_unlock(c);
	return ok;
}

bool
msr_read(struct cpu *c, uint32_t msr, uint64_t *value)
{
	const uint64_t *held = plain(c, msr);

	*value = 0;
	if (held) {
		*value = *held;
		return true;
	}
	if (is_boards(msr))
		return board_read(c, msr, value);
	switch (msr) {
	case MSR_TSC:
		*value = cpu_tsc(c);
		return true;
	case MSR_TSC_ADJUST:
		*value = c->tsc_adjust;
		return cpu_has(c, FEAT_tsc_adjust);
	case MSR_EFER:
		*value = c->efer;
		return true;
	case MSR_FS_BASE:
		*value = c->seg[SEG_FS].base;
		return true;
	case MSR_GS_BASE:
		*value = c->seg[SEG_GS].base;
		return true;
	case MSR_SMBASE:
		*value = c->smbase;
		return true;
	case MSR_MTRRCAP:
		*value = 0x508;
		return true;
	case MSR_MCG_CAP:
		*value = ARRAY_SIZE(c->mc_ctl);
		return true;
	case MSR_FEATURE_CONTROL:
		*value = 1;
		return true;
	case MSR_BIOS_SIGN:
		*value = 1ull << 32;
		return true;
	case MSR_PERF_STATUS:
		*value = 1000ull | 4ull << 40;
		return true;
	case MSR_XSS:
		*value = c->xss;
		return cpu_has(c, FEAT_xsaves);
	}
	if (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST) {
		*value = msr & 3 ? 0 : c->mc_ctl[(msr - MSR_MC0_CTL) / 4];
		return true;
	}
	if (log_on(LOG_BIT_unimp))
		log_printf("rdmsr %08x: not there\n", msr);
	return is_tolerated(msr);
}

static bool
write_efer(struct cpu *c, uint64_t value)
{
	uint64_t mask = cpuid_efer_mask(c);

	if (value & ~mask)
		return false;
	if (c->cr0 & CR0_PG && (value ^ c->efer) & EFER_LME)
		return false;
	/* LMA is the processor's. */
	value = (value & ~(uint64_t)EFER_LMA) | (c->efer & EFER_LMA);
	if ((value ^ c->efer) & EFER_NXE)
		tlb_flush_all(c);
	c->efer = value;
	cpu_update_mode(c);
	return true;
}

static bool
write_base(struct cpu *c, unsigned seg, uint64_t value)
{
	if (!is_loadable(c, value))
		return false;
	c->seg[seg].base = value;
	c->f.seg[seg].base = value;
	return true;
}

/* May VALUE stand in a register that is just held? */
static bool
is_valid(const struct cpu *c, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_KERNEL_GS_BASE:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return is_loadable(c, value);
	case MSR_PAT:
		return types_valid(value, true);
	case MSR_TSC_AUX:
		return value >> 32 == 0;
	case MSR_UMWAIT_CONTROL:
		return value >> 32 == 0 && !(value & 2);
	case MSR_MTRR_DEF:
		return !(value & ~0xcffull) && is_memory_type(value & 0xff);
	}
	if (msr >= MSR_MTRR_BASE0 && msr <= MSR_MTRR_LAST)
		return !(value >> PHYS_BITS) && (msr & 1 ? !(value & 0x7ff) : !(value & 0xf00) && is_memory_type(value & 0xff));
	if (msr >= MSR_MTRR_64K && msr <= MSR_MTRR_4K_7)
		return types_valid(value, false);
	return !is_cet(msr) || cet_msr_is_valid(c, msr, value);
}

bool
msr_write(struct cpu *c, uint32_t msr, uint64_t value)
{
	uint64_t *held = plain(c, msr);

	if (held) {
		if (!is_valid(c, msr, value))
			return false;
		*held = value;
		if (is_cet(msr))
			cpu_update_mode(c);
		return true;
	}
	if (is_boards(msr))
		return board_write(c, msr, value);
	switch (msr) {
	case MSR_TSC: {
		uint64_t delta = value - cpu_tsc(c);

		c->tsc_offset += delta;
		c->tsc_adjust += delta;
		return true;
	}
	case MSR_TSC_ADJUST:
		if (!cpu_has(c, FEAT_tsc_adjust))
			return false;
		c->tsc_offset += value - c->tsc_adjust;
		c->tsc_adjust = value;
		return true;
	case MSR_EFER:
		return write_efer(c, value);
	case MSR_FS_BASE:
		return write_base(c, SEG_FS, value);
	case MSR_GS_BASE:
		return write_base(c, SEG_GS, value);
	case MSR_MTRRCAP:
	case MSR_MCG_CAP:
		return false;
	case MSR_XSS:
		if (!cpu_has(c, FEAT_xsaves) || value & ~xsave_xss_mask(c))
			return false;
		c->xss = value;
		return true;
	}
	if (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST) {
		if (!(msr & 3))
			c->mc_ctl[(msr - MSR_MC0_CTL) / 4] = value;
		return msr & 3 ? value == 0 : true;
	}
	if (log_on(LOG_BIT_unimp))
		log_printf("wrmsr %08x, %016llx: not there\n", msr, (unsigned long long)value);
	return is_tolerated(msr);
}

uint64_t
do_rdmsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t value;

	(void)a, (void)b, (void)aux;
	if (c->cpl != 0 || !msr_read(c, (uint32_t)f->gpr[1], &value))
		cpu_raise_error(c, EXC_GP, 0);
	f->gpr[0] = (uint32_t)value;
	f->gpr[2] = value >> 32;
	return 0;
}

uint64_t
do_wrmsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (c->cpl != 0 || !msr_write(c, (uint32_t)f->gpr[1], (uint32_t)f->gpr[0] | f->gpr[2] << 32))
		cpu_raise_error(c, EXC_GP, 0);
	return 0;
}
