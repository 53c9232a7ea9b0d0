/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving, restoring and controlling the state of x87, MMX and SSE.  (XSAVE and its family: xsave.c.)
 *
 * The x87 state is kept as an FXSAVE image (AMD64 Architecture Programmer's Manual, volume 2, "FXSAVE Format"): its helpers are
 * called with the image up to date.  Last-instruction and last-data pointers read as 0.
 */
#include "cpu/fpu.h"

#include "cpu/system.h"
#include "tcg/interp/x87.h"

enum { EXCEPTIONS = FSW_EXCEPTIONS, MXCSR_BITS = 0xffff, FCW_INIT = 0x37f };

static uint16_t
get16(const struct cpu *c, unsigned at)
{
	return load_le(c->f.x87 + at, 2);
}

static void
put16(struct cpu *c, unsigned at, uint16_t v)
{
	store_le(c->f.x87 + at, v, 2);
}

/* The summary bit follows from what is flagged and what is masked. */
static void
summarize(struct cpu *c)
{
	uint16_t fsw = get16(c, IMAGE_FSW) & ~(FSW_ES | FSW_BUSY);

	if (fsw & ~get16(c, IMAGE_FCW) & EXCEPTIONS)
		fsw |= FSW_ES | FSW_BUSY;
	else
		c->guest.x87_cleared(&c->f);
	put16(c, IMAGE_FSW, fsw);
}

static void
set_control(struct cpu *c, uint16_t fcw)
{
	put16(c, IMAGE_FCW, (fcw & 0x1f3f) | 0x40);
	summarize(c);
	cpu_update_mode(c);
}

/* Registers stay where they are: what is in them can be tagged valid again. */
void
fpu_init_x87(struct cpu *c)
{
	x87_set_top(&c->f, 0);
	memset(c->f.x87, 0, IMAGE_ST);
	put16(c, IMAGE_FCW, FCW_INIT);
	c->guest.x87_cleared(&c->f);
}

void
fpu_reset(struct cpu *c)
{
	memset(c->f.x87, 0, sizeof(c->f.x87));
	memset(c->f.vec, 0, sizeof(c->f.vec));
	memset(c->f.k, 0, sizeof(c->f.k));
	fpu_init_x87(c);
	c->f.x87_resident = c->f.vec_resident = 0;
	c->f.mxcsr = c->f.host_mxcsr = MXCSR_INIT;
}

bool
fpu_is_slow(const struct cpu *c)
{
	return (get16(c, IMAGE_FCW) & EXCEPTIONS) != EXCEPTIONS;
}

/* Waiting instructions begin with this. */
static void
wait_x87(struct cpu *c)
{
	if (get16(c, IMAGE_FSW) & FSW_ES)
		c->guest.x87_exception(&c->f);
}

uint64_t
do_fwait(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	wait_x87(cpu_of(f));
	return 0;
}

uint64_t
do_fninit(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	fpu_init_x87(cpu_of(f));
	cpu_update_mode(cpu_of(f));
	return 0;
}

uint64_t
do_fldcw(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_seg(aux);

	(void)b;
	wait_x87(c);
	set_control(c, (uint16_t)lin_load(c, seg_linear(c, seg, a, 2, false), 2, seg));
	return 0;
}

uint64_t
do_ldmxcsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b, (void)aux;
	if (a & ~(uint64_t)MXCSR_BITS)
		cpu_raise_error(cpu_of(f), EXC_GP, 0);
	f->mxcsr = (uint32_t)a;
	cpu_update_mode(cpu_of(f));
	return 0;
}

uint64_t
do_stmxcsr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	return f->mxcsr;
}

/* ---- the environment: FNSTENV, FLDENV, FNSAVE, FRSTOR ---- */

/* Two bits for physical register PHYS: 0 valid, 1 zero, 2 special, 3 empty. */
static unsigned
tag_of(const struct cpu *c, unsigned phys)
{
	unsigned top = get16(c, IMAGE_FSW) >> 11 & 7;
	const uint8_t *st = c->f.x87 + IMAGE_ST + 16 * ((phys - top) & 7);
	uint64_t mantissa = load_le(st, 8);
	unsigned exponent = load_le(st + 8, 2) & 0x7fff;

	if (!(c->f.x87[IMAGE_FTW] >> phys & 1))
		return 3;
	if (exponent == 0 && mantissa == 0)
		return 1;
	return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

static unsigned
full_tags(const struct cpu *c)
{
	unsigned tags = 0;

	for (unsigned n = 0; n < 8; n++)
		tags |= tag_of(c, n) << 2 * n;
	return tags;
}

static uint64_t
state_linear(struct cpu *c, uint64_t ea, uint32_t aux, unsigned bytes, unsigned align, bool write)
{
	uint64_t linear = seg_linear(c, aux_seg(aux), ea, bytes, write);

	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, bytes, align, write);
	return linear;
}

/* FCW, FSW and FTW, each in a field of WIDTH bytes; the four pointer fields are 0. */
static void
make_environment(const struct cpu *c, uint8_t *to, unsigned width)
{
	uint64_t upper = width == 4 ? 0xffff0000 : 0;

	memset(to, 0, 7 * width);
	store_le(to, upper | get16(c, IMAGE_FCW), width);
	store_le(to + width, upper | get16(c, IMAGE_FSW), width);
	store_le(to + 2 * width, upper | full_tags(c), width);
	if (width == 4)
		store_le(to + 6 * width, upper, width);
}

static void
take_environment(struct cpu *c, const uint8_t *from, unsigned width)
{
	unsigned tags = load_le(from + 2 * width, 2);
	uint8_t abridged = 0;

	for (unsigned n = 0; n < 8; n++)
		abridged |= ((tags >> 2 * n & 3) != 3) << n;
	put16(c, IMAGE_FSW, load_le(from + width, 2));
	c->f.x87[IMAGE_FTW] = abridged;
	set_control(c, load_le(from, 2));
}

uint64_t
do_fnstenv(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 2 ? 2 : 4;
	uint8_t image[28];

	(void)b;
	make_environment(c, image, width);
	span_store(c, state_linear(c, a, aux, 7 * width, width, true), image, 7 * width, view_of(c, c->cpl), aux_seg(aux));
	/* As the data sheet has it, all exceptions are masked afterwards. */
	set_control(c, get16(c, IMAGE_FCW) | EXCEPTIONS);
	return 0;
}

uint64_t
do_fldenv(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 2 ? 2 : 4;
	uint8_t image[28];

	(void)b;
	wait_x87(c);
	span_load(c, state_linear(c, a, aux, 7 * width, width, false), image, 7 * width, view_of(c, c->cpl), aux_seg(aux));
	x87_set_top(f, image[width + 1] >> 3 & 7);
	take_environment(c, image, width);
	return 0;
}

uint64_t
do_fnsave(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 2 ? 2 : 4, bytes = 7 * width + 80;
	uint8_t image[108];

	(void)b;
	make_environment(c, image, width);
	for (unsigned n = 0; n < 8; n++)
		memcpy(image + 7 * width + 10 * n, c->f.x87 + IMAGE_ST + 16 * n, 10);
	span_store(c, state_linear(c, a, aux, bytes, width, true), image, bytes, view_of(c, c->cpl), aux_seg(aux));
	fpu_init_x87(c);
	cpu_update_mode(c);
	return 0;
}

uint64_t
do_frstor(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned width = aux_width(aux) == 2 ? 2 : 4, bytes = 7 * width + 80;
	uint8_t image[108];

	(void)b;
	wait_x87(c);
	span_load(c, state_linear(c, a, aux, bytes, width, false), image, bytes, view_of(c, c->cpl), aux_seg(aux));
	for (unsigned n = 0; n < 8; n++)
		memcpy(c->f.x87 + IMAGE_ST + 16 * n, image + 7 * width + 10 * n, 10);
	take_environment(c, image, width);
	return 0;
}

/* ---- FXSAVE, FXRSTOR ---- */

unsigned
fpu_xmm_count(const struct cpu *c)
{
	return in_mode64(c) ? 16 : 8;
}

uint64_t
fpu_aligned_area(struct cpu *c, uint64_t ea, uint32_t aux, unsigned bytes, unsigned align, bool write)
{
	uint64_t linear = seg_linear(c, aux_seg(aux), ea, bytes, write);

	if (linear & (align - 1))
		cpu_raise_error(c, EXC_GP, 0);
	return linear;
}

void
fpu_x87_out(const struct cpu *c, uint8_t *image)
{
	memcpy(image, c->f.x87, 24);
	memcpy(image + IMAGE_ST, c->f.x87 + IMAGE_ST, 128);
}

void
fpu_xmm_out(const struct cpu *c, uint8_t *image)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(image + IMAGE_XMM + 16 * n, c->f.vec[n], 16);
}

void
fpu_xmm_in(struct cpu *c, const uint8_t *image)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(c->f.vec[n], image + IMAGE_XMM + 16 * n, 16);
}

void
fpu_x87_in(struct cpu *c, const uint8_t *image)
{
	memcpy(c->f.x87, image, 6);
	for (unsigned n = 0; n < 8; n++) {
		memcpy(c->f.x87 + IMAGE_ST + 16 * n, image + IMAGE_ST + 16 * n, 10);
		memset(c->f.x87 + IMAGE_ST + 16 * n + 10, 0, 6);
	}
	c->f.x87[IMAGE_FTW + 1] = 0;
	put16(c, IMAGE_FCW, (get16(c, IMAGE_FCW) & 0x1f3f) | 0x40);
	summarize(c);
}

void
fpu_put_mxcsr(const struct cpu *c, uint8_t *image)
{
	store_le(image + IMAGE_MXCSR, c->f.mxcsr, 4);
	store_le(image + IMAGE_MXCSR_MASK, MXCSR_BITS, 4);
}

void
fpu_check_mxcsr(struct cpu *c, const uint8_t *image)
{
	if (load_le(image + IMAGE_MXCSR, 4) & ~(uint64_t)MXCSR_BITS)
		cpu_raise_error(c, EXC_GP, 0);
}

uint64_t
do_fxsave(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t linear = fpu_aligned_area(c, a, aux, IMAGE_BYTES, 16, true);
	uint8_t image[IMAGE_BYTES];

	(void)b;
	/* What is reserved or not written stays as it was. */
	span_check(c, linear, IMAGE_BYTES, true, view_of(c, c->cpl), aux_seg(aux));
	span_load(c, linear, image, IMAGE_BYTES, view_of(c, c->cpl), aux_seg(aux));
	fpu_x87_out(c, image);
	fpu_put_mxcsr(c, image);
	fpu_xmm_out(c, image);
	span_store(c, linear, image, IMAGE_USED, view_of(c, c->cpl), aux_seg(aux));
	return 0;
}

uint64_t
do_fxrstor(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t linear = fpu_aligned_area(c, a, aux, IMAGE_BYTES, 16, false);
	uint8_t image[IMAGE_BYTES];

	(void)b;
	span_load(c, linear, image, IMAGE_BYTES, view_of(c, c->cpl), aux_seg(aux));
	fpu_check_mxcsr(c, image);
	fpu_x87_in(c, image);
	c->f.mxcsr = load_le(image + IMAGE_MXCSR, 4);
	fpu_xmm_in(c, image);
	cpu_update_mode(c);
	return 0;
}
