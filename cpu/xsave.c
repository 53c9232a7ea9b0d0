/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSAVE and its family (Intel SDM volume 1, "Managing State Using the XSAVE Feature Set").
 *
 * The area is the legacy region of FXSAVE with components 0 (x87) and 1 (SSE), a header of 64 bytes, and the components of xsave.def:
 * in the standard form each at its own place, in the compacted form those of XCOMP_BV one behind the other.  A save checks
 * all that it is going to write before it writes anything.
 */
#include "cpu/xsave.h"

#include "cpu/cet.h"
#include "cpu/fpu.h"
#include "cpu/system.h"

enum { HEADER = 512, HEADER_BYTES = 64, EXTENDED = HEADER + HEADER_BYTES, X87 = 1, SSE = 2, YMM = 4 };

#define XCOMP_COMPACT (1ull << 63)

/* ---- the components' bytes; the number of them depends on the mode ---- */

static unsigned
ymm_bytes(const struct cpu *c)
{
	return 16 * fpu_xmm_count(c);
}

static void
ymm_out(const struct cpu *c, uint8_t *to)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(to + 16 * n, c->f.vec[n] + 16, 16);
}

static void
ymm_in(struct cpu *c, const uint8_t *from)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(c->f.vec[n] + 16, from + 16 * n, 16);
}

static bool
ymm_in_use(const struct cpu *c)
{
	static const uint8_t zero[16];

	for (unsigned n = 0; n < 16; n++)
		if (memcmp(c->f.vec[n] + 16, zero, 16) != 0)
			return true;
	return false;
}

static unsigned
opmask_bytes(const struct cpu *c)
{
	return sizeof(c->f.k);
}

static void
opmask_out(const struct cpu *c, uint8_t *to)
{
	memcpy(to, c->f.k, sizeof(c->f.k));
}

static void
opmask_in(struct cpu *c, const uint8_t *from)
{
	memcpy(c->f.k, from, sizeof(c->f.k));
}

static bool
opmask_in_use(const struct cpu *c)
{
	uint64_t any = 0;

	for (unsigned n = 0; n < 8; n++)
		any |= c->f.k[n];
	return any != 0;
}

static unsigned
zmm_high_bytes(const struct cpu *c)
{
	return 32 * fpu_xmm_count(c);
}

static void
zmm_high_out(const struct cpu *c, uint8_t *to)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(to + 32 * n, c->f.vec[n] + 32, 32);
}

static void
zmm_high_in(struct cpu *c, const uint8_t *from)
{
	for (unsigned n = 0; n < fpu_xmm_count(c); n++)
		memcpy(c->f.vec[n] + 32, from + 32 * n, 32);
}

static bool
zmm_high_in_use(const struct cpu *c)
{
	static const uint8_t zero[32];

	for (unsigned n = 0; n < 16; n++)
		if (memcmp(c->f.vec[n] + 32, zero, 32) != 0)
			return true;
	return false;
}

/* There are none outside of 64-bit mode. */
static unsigned
zmm16_bytes(const struct cpu *c)
{
	return fpu_xmm_count(c) == 16 ? 1024 : 0;
}

static void
zmm16_out(const struct cpu *c, uint8_t *to)
{
	memcpy(to, c->f.vec[16], zmm16_bytes(c));
}

static void
zmm16_in(struct cpu *c, const uint8_t *from)
{
	memcpy(c->f.vec[16], from, zmm16_bytes(c));
}

static bool
zmm16_in_use(const struct cpu *c)
{
	static const uint8_t zero[64];

	for (unsigned n = 16; n < 32; n++)
		if (memcmp(c->f.vec[n], zero, 64) != 0)
			return true;
	return false;
}

static unsigned
pkru_bytes(const struct cpu *c)
{
	(void)c;
	return 8;
}

static void
pkru_out(const struct cpu *c, uint8_t *to)
{
	store_le(to, c->pkru, 8);
}

static void
pkru_in(struct cpu *c, const uint8_t *from)
{
	mmu_write_pkru(c, (uint32_t)load_le(from, 4));
}

static bool
pkru_in_use(const struct cpu *c)
{
	return c->pkru != 0;
}

/* ---- U_CET and PL3_SSP; PL0_SSP to PL2_SSP ---- */

static unsigned
cet_user_bytes(const struct cpu *c)
{
	(void)c;
	return 16;
}

static void
cet_user_out(const struct cpu *c, uint8_t *to)
{
	store_le(to, c->u_cet, 8);
	store_le(to + 8, c->pl_ssp[3], 8);
}

static void
cet_user_in(struct cpu *c, const uint8_t *from)
{
	c->u_cet = load_le(from, 8);
	c->pl_ssp[3] = load_le(from + 8, 8);
}

static bool
cet_user_in_use(const struct cpu *c)
{
	return c->u_cet || c->pl_ssp[3];
}

static unsigned
cet_super_bytes(const struct cpu *c)
{
	(void)c;
	return 24;
}

static void
cet_super_out(const struct cpu *c, uint8_t *to)
{
	for (unsigned n = 0; n < 3; n++)
		store_le(to + 8 * n, c->pl_ssp[n], 8);
}

static void
cet_super_in(struct cpu *c, const uint8_t *from)
{
	for (unsigned n = 0; n < 3; n++)
		c->pl_ssp[n] = load_le(from + 8 * n, 8);
}

static bool
cet_super_in_use(const struct cpu *c)
{
	return c->pl_ssp[0] || c->pl_ssp[1] || c->pl_ssp[2];
}

/* ---- what a restore refuses: of CET, what WRMSR would ---- */

static bool
any_is_valid(const struct cpu *c, const uint8_t *from)
{
	(void)c, (void)from;
	return true;
}

static bool
cet_user_is_valid(const struct cpu *c, const uint8_t *from)
{
	return cet_msr_is_valid(c, MSR_U_CET, load_le(from, 8)) && cet_msr_is_valid(c, MSR_PL3_SSP, load_le(from + 8, 8));
}

static bool
cet_super_is_valid(const struct cpu *c, const uint8_t *from)
{
	for (unsigned n = 0; n < 3; n++)
		if (!cet_msr_is_valid(c, MSR_PL0_SSP + n, load_le(from + 8 * n, 8)))
			return false;
	return true;
}

/* ---- the table ---- */

static const struct component {
	unsigned number;
	enum cpu_feature feature, another;
	unsigned at, room;
	bool aligned, supervisor;
	unsigned (*bytes)(const struct cpu *c);
	void (*out)(const struct cpu *c, uint8_t *to);
	void (*in)(struct cpu *c, const uint8_t *from);
	bool (*in_use)(const struct cpu *c);
	bool (*is_valid)(const struct cpu *c, const uint8_t *from);
} components[] = {
#define XSAVE_COMPONENT(number, name, feature, another, at, room, aligned, supervisor, rules) \
	{ number, FEAT_##feature, FEAT_##another, at, room, aligned, supervisor, name##_bytes, name##_out, name##_in, name##_in_use, \
	  rules##_is_valid },
#include "cpu/xsave.def"
#undef XSAVE_COMPONENT
};

/* The largest component. */
enum { MOST_BYTES = 1024 };

#define EACH_COMPONENT(p) (const struct component *p = components; p < components + ARRAY_SIZE(components); p++)

static bool
is_in(const struct component *p, uint64_t mask)
{
	return mask >> p->number & 1;
}

/* ---- what there is ---- */

static bool
is_there(const struct cpu *c, const struct component *p)
{
	return cpu_has(c, p->feature) || cpu_has(c, p->another);
}

static uint64_t
components_of(const struct cpu *c, bool supervisor)
{
	uint64_t mask = 0;

	for EACH_COMPONENT(p)
		if (p->supervisor == supervisor && is_there(c, p))
			mask |= 1ull << p->number;
	return mask;
}

uint64_t
xsave_xcr0_mask(const struct cpu *c)
{
	return cpu_has(c, FEAT_xsave) ? X87 | SSE | components_of(c, false) : 0;
}

uint64_t
xsave_xss_mask(const struct cpu *c)
{
	return cpu_has(c, FEAT_xsaves) ? components_of(c, true) : 0;
}

bool
xsave_xcr0_is_valid(const struct cpu *c, uint64_t xcr0)
{
	/* If one of the first is there, all of the second have to be. */
	static const struct { uint64_t any, all; } rules[] = { { YMM, SSE }, { XCR0_AVX512, XCR0_AVX512 | YMM | SSE } };

	if (!(xcr0 & X87) || xcr0 & ~xsave_xcr0_mask(c))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		if (xcr0 & rules[i].any && (xcr0 & rules[i].all) != rules[i].all)
			return false;
	return true;
}

/* The place of P among the components of MASK, one behind the other. */
static unsigned
compact_at(const struct component *p, uint64_t mask)
{
	unsigned at = EXTENDED;

	for (const struct component *q = components; q <= p; q++) {
		if (!is_in(q, mask))
			continue;
		if (q->aligned)
			at = (at + 63) & ~63u;
		if (q == p)
			break;
		at += q->room;
	}
	return at;
}

uint32_t
xsave_area_bytes(uint64_t mask, bool compact)
{
	unsigned end = EXTENDED;

	for EACH_COMPONENT(p)
		if (is_in(p, mask))
			end = (compact ? compact_at(p, mask) : p->at) + p->room;
	return end;
}

void
xsave_describe(const struct cpu *c, unsigned number, uint32_t out[4])
{
	for EACH_COMPONENT(p)
		if (p->number == number && is_there(c, p)) {
			out[0] = p->room;
			out[1] = p->supervisor ? 0 : p->at;
			out[2] = p->supervisor | p->aligned << 1;
		}
}

/* Components that aren't in their initial state; the two of old always count as used. */
uint64_t
xsave_in_use(const struct cpu *c)
{
	uint64_t used = X87 | SSE;

	for EACH_COMPONENT(p)
		if (p->in_use(c))
			used |= 1ull << p->number;
	return used;
}

/* ---- saving ---- */

struct form {
	bool compact;
	bool as_needed;  /* what is in its initial state isn't written */
	bool supervisor; /* XSAVES, XRSTORS: also what XSS has */
};

static void
check_allowed(struct cpu *c, struct form form)
{
	if (!(c->cr4 & CR4_OSXSAVE))
		cpu_raise(c, EXC_UD);
	if (form.supervisor && c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
	if (c->cr0 & CR0_TS)
		cpu_raise(c, EXC_NM);
}

static uint64_t
requested(const struct cpu *c, struct form form)
{
	uint64_t mask = (c->f.gpr[2] & 0xffffffff) << 32 | (c->f.gpr[0] & 0xffffffff);

	return mask & (c->xcr0 | (form.supervisor ? c->xss : 0));
}

static unsigned
place(const struct component *p, uint64_t mask, struct form form)
{
	return form.compact ? compact_at(p, mask) : p->at;
}

/* The legacy region and the header; what is reserved or not asked for stays as it was. */
static void
save_legacy(struct cpu *c, uint8_t *image, uint64_t mask, uint64_t used, struct form form)
{
	uint64_t before = load_le(image + HEADER, 8);

	if (mask & X87)
		fpu_x87_out(c, image);
	if (mask & SSE || (mask & YMM && !form.compact))
		fpu_put_mxcsr(c, image);
	if (mask & SSE)
		fpu_xmm_out(c, image);
	if (form.compact) {
		memset(image + HEADER, 0, HEADER_BYTES);
		store_le(image + HEADER + 8, XCOMP_COMPACT | mask, 8);
		before = 0;
	}
	store_le(image + HEADER, (before & ~mask) | used, 8);
}

static void
save(struct cpu *c, uint64_t ea, uint32_t aux, struct form form)
{
	uint64_t mask, linear, used;
	unsigned bytes, view = c->view, seg = aux_seg(aux);
	uint8_t image[EXTENDED];

	check_allowed(c, form);
	mask = requested(c, form);
	used = mask & xsave_in_use(c);
	bytes = xsave_area_bytes(mask, form.compact);
	linear = fpu_aligned_area(c, ea, aux, bytes, 64, true);
	span_check(c, linear, EXTENDED, true, view, seg);
	for EACH_COMPONENT(p)
		if (is_in(p, mask))
			span_check(c, linear + place(p, mask, form), p->room, true, view, seg);
	span_load(c, linear, image, EXTENDED, view, seg);
	save_legacy(c, image, mask, used, form);
	for EACH_COMPONENT(p)
		if (is_in(p, mask) && (is_in(p, used) || !form.as_needed) && p->bytes(c) != 0) {
			uint8_t part[MOST_BYTES];

			p->out(c, part);
			span_store(c, linear + place(p, mask, form), part, p->bytes(c), view, seg);
		}
	span_store(c, linear, image, IMAGE_BYTES, view, seg);
	span_store(c, linear + HEADER, image + HEADER, form.compact ? HEADER_BYTES : 8, view, seg);
}

uint64_t
do_xsave(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	save(cpu_of(f), a, aux, (struct form){ 0 });
	return 0;
}

uint64_t
do_xsaveopt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	save(cpu_of(f), a, aux, (struct form){ .as_needed = true });
	return 0;
}

uint64_t
do_xsavec(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	save(cpu_of(f), a, aux, (struct form){ .compact = true, .as_needed = true });
	return 0;
}

uint64_t
do_xsaves(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	save(cpu_of(f), a, aux, (struct form){ .compact = true, .as_needed = true, .supervisor = true });
	return 0;
}

/* ---- restoring ---- */

/* The header's rules. */
static void
check_header(struct cpu *c, const uint8_t *image, struct form form)
{
	uint64_t present = load_le(image + HEADER, 8), xcomp = load_le(image + HEADER + 8, 8);
	uint64_t enabled = c->xcr0 | (form.supervisor ? c->xss : 0);
	bool compact = xcomp & XCOMP_COMPACT, bad = present & ~enabled;

	for (unsigned n = 16; n < HEADER_BYTES; n++)
		bad |= (n < 24 || compact) && image[HEADER + n] != 0;
	if (compact)
		bad |= xcomp & ~XCOMP_COMPACT & ~enabled || present & ~xcomp;
	else
		bad |= xcomp != 0 || form.supervisor;
	if (bad)
		cpu_raise_error(c, EXC_GP, 0);
}

static void
restore_legacy(struct cpu *c, const uint8_t *image, uint64_t mask, uint64_t present, bool loads_mxcsr)
{
	if (mask & present & X87) {
		fpu_x87_in(c, image);
	} else if (mask & X87) {
		memset(c->f.x87, 0, sizeof(c->f.x87));
		fpu_init_x87(c);
	}
	if (mask & present & SSE)
		fpu_xmm_in(c, image);
	else if (mask & SSE)
		for (unsigned n = 0; n < fpu_xmm_count(c); n++)
			memset(c->f.vec[n], 0, 16);
	if (loads_mxcsr)
		c->f.mxcsr = load_le(image + IMAGE_MXCSR, 4);
	else if (mask & SSE)
		c->f.mxcsr = MXCSR_INIT;
}

static void
restore(struct cpu *c, uint64_t ea, uint32_t aux, struct form form)
{
	uint64_t mask, linear, present, xcomp;
	unsigned view = c->view, seg = aux_seg(aux);
	uint8_t image[EXTENDED], part[ARRAY_SIZE(components)][MOST_BYTES];
	bool loads_mxcsr;

	check_allowed(c, form);
	mask = requested(c, form);
	linear = fpu_aligned_area(c, ea, aux, EXTENDED, 64, false);
	span_load(c, linear, image, EXTENDED, view, seg);
	check_header(c, image, form);
	present = load_le(image + HEADER, 8);
	xcomp = load_le(image + HEADER + 8, 8);
	form.compact = xcomp & XCOMP_COMPACT;
	linear = fpu_aligned_area(c, ea, aux, xsave_area_bytes(form.compact ? xcomp : mask & present, form.compact), 64, false);
	for (unsigned n = 0; n < ARRAY_SIZE(components); n++) {
		const struct component *p = &components[n];

		if (is_in(p, mask & present) && p->bytes(c) != 0)
			span_load(c, linear + place(p, xcomp, form), part[n], p->bytes(c), view, seg);
		else if (is_in(p, mask))
			memset(part[n], 0, p->room);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(components); n++)
		if (is_in(&components[n], mask) && !components[n].is_valid(c, part[n]))
			cpu_raise_error(c, EXC_GP, 0);
	loads_mxcsr = form.compact ? mask & present & SSE : mask & (SSE | YMM);
	if (loads_mxcsr)
		fpu_check_mxcsr(c, image);
	restore_legacy(c, image, mask, present, loads_mxcsr);
	for (unsigned n = 0; n < ARRAY_SIZE(components); n++)
		if (is_in(&components[n], mask))
			components[n].in(c, part[n]);
	cpu_update_mode(c);
}

uint64_t
do_xrstor(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	restore(cpu_of(f), a, aux, (struct form){ 0 });
	return 0;
}

uint64_t
do_xrstors(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	restore(cpu_of(f), a, aux, (struct form){ .supervisor = true });
	return 0;
}

/* ---- XCR0 ---- */

uint64_t
do_xgetbv(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint32_t index = f->gpr[1];
	uint64_t value;

	(void)a, (void)b, (void)aux;
	if (!(c->cr4 & CR4_OSXSAVE))
		cpu_raise(c, EXC_UD);
	if (index > 1 || (index == 1 && !cpu_has(c, FEAT_xgetbv1)))
		cpu_raise_error(c, EXC_GP, 0);
	value = index == 1 ? xsave_in_use(c) & c->xcr0 : c->xcr0;
	f->gpr[0] = (uint32_t)value;
	f->gpr[2] = value >> 32;
	return 0;
}

uint64_t
do_xsetbv(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t value = (uint32_t)f->gpr[0] | f->gpr[2] << 32;

	(void)a, (void)b, (void)aux;
	if (!(c->cr4 & CR4_OSXSAVE))
		cpu_raise(c, EXC_UD);
	if (c->cpl != 0 || (uint32_t)f->gpr[1] != 0 || !xsave_xcr0_is_valid(c, value))
		cpu_raise_error(c, EXC_GP, 0);
	c->xcr0 = value;
	cpu_update_mode(c);
	return 0;
}
