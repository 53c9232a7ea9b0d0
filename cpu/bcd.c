/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decimal arithmetic on AL and AH, as volume 2 of the SDM has it in pseudo-code. */
#include "cpu/helpers.h"
#include "cpu/state.h"

static unsigned
get_ax(const struct tcg_frame *f)
{
	return (unsigned)f->gpr[0] & 0xffff;
}

static void
set_ax(struct tcg_frame *f, unsigned ax)
{
	f->gpr[0] = (f->gpr[0] & ~0xffffull) | (ax & 0xffff);
}

/* SF, ZF and PF of AL, and the flags of SET; OF is clear. */
static void
set_flags(struct tcg_frame *f, unsigned set)
{
	unsigned al = get_ax(f) & 0xff;

	set |= al & 0x80 ? EFL_SF : 0;
	set |= al == 0 ? EFL_ZF : 0;
	set |= __builtin_parity(al) ? 0 : EFL_PF;
	f->flags = flags_from_eflags(set);
}

static void
decimal_adjust(struct tcg_frame *f, bool subtract)
{
	unsigned flags = (unsigned)flags_to_eflags(f->flags), ax = get_ax(f), al = ax & 0xff, old = al, set = 0;

	if ((al & 0xf) > 9 || flags & EFL_AF) {
		/* The carry of the first step counts for DAS alone: in DAA the second step sets CF then anyway. */
		if (subtract && al < 6)
			set |= EFL_CF;
		al = subtract ? al - 6 : al + 6;
		set |= EFL_AF | (flags & EFL_CF);
	}
	if (old > 0x99 || flags & EFL_CF) {
		al = subtract ? al - 0x60 : al + 0x60;
		set |= EFL_CF;
	}
	set_ax(f, (ax & 0xff00) | (al & 0xff));
	set_flags(f, set);
}

static void
ascii_adjust(struct tcg_frame *f, bool subtract)
{
	unsigned ax = get_ax(f), set = 0;

	if ((ax & 0xf) > 9 || flags_to_eflags(f->flags) & EFL_AF) {
		ax = subtract ? ax - 0x106 : ax + 0x106;
		set = EFL_AF | EFL_CF;
	}
	set_ax(f, ax & 0xff0f);
	set_flags(f, set);
}

uint64_t
do_daa(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	decimal_adjust(f, false);
	return 0;
}

uint64_t
do_das(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	decimal_adjust(f, true);
	return 0;
}

uint64_t
do_aaa(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	ascii_adjust(f, false);
	return 0;
}

uint64_t
do_aas(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	ascii_adjust(f, true);
	return 0;
}

uint64_t
do_aam(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	unsigned base = aux_n(aux), al = get_ax(f) & 0xff;

	(void)a, (void)b;
	if (base == 0)
		cpu_raise(cpu_of(f), EXC_DE);
	set_ax(f, al / base << 8 | al % base);
	set_flags(f, 0);
	return 0;
}

uint64_t
do_aad(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	unsigned ax = get_ax(f);

	(void)a, (void)b;
	set_ax(f, ((ax & 0xff) + (ax >> 8) * aux_n(aux)) & 0xff);
	set_flags(f, 0);
	return 0;
}

/* SALC, D6h: AL = CF ? FFh : 0. */
uint64_t
do_salc(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	set_ax(f, (get_ax(f) & 0xff00) | (flags_to_eflags(f->flags) & EFL_CF ? 0xff : 0));
	return 0;
}
