/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments: descriptors, loading, limit checks, and the instructions that look at descriptors. */
#include "cpu/system.h"

enum { TYPE_LDT = 2, TYPE_TSS16 = 1, TYPE_TSS32 = 9, TYPE_BUSY = 2 };

/* ---- descriptors ---- */

struct segment
desc_segment(uint16_t selector, uint64_t raw)
{
	struct segment s = {
		.selector = selector,
		.flags = desc_flags(raw),
		.limit = (raw & 0xffff) | (raw >> 32 & 0xf0000),
		.base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
	};

	if (s.flags & SF_G)
		s.limit = s.limit << 12 | 0xfff;
	return s;
}

/* Where the descriptor of SELECTOR with SIZE bytes is; false when it is out of its table. */
static bool
desc_linear(const struct cpu *c, uint16_t selector, unsigned size, uint64_t *linear)
{
	uint32_t limit = selector & SEL_TI ? c->ldtr.limit : c->gdtr.limit;
	uint32_t offset = selector & ~7u;

	if (selector & SEL_TI && !(c->ldtr.flags & SF_P))
		return false;
	*linear = (selector & SEL_TI ? c->ldtr.base : c->gdtr.base) + offset;
	if (!in_long_mode(c))
		*linear = (uint32_t)*linear;
	return offset + size - 1 <= limit;
}

bool
desc_read(struct cpu *c, uint16_t selector, uint64_t *raw)
{
	uint64_t linear;

	if (!desc_linear(c, selector, 8, &linear))
		return false;
	*raw = sys_load(c, linear, 8);
	return true;
}

uint64_t
desc_fetch(struct cpu *c, uint16_t selector, enum vector v, unsigned ext)
{
	uint64_t raw;

	if (!desc_read(c, selector, &raw))
		cpu_raise_error(c, v, (selector & ~3u) | ext);
	return raw;
}

uint64_t
desc_fetch_high(struct cpu *c, uint16_t selector, enum vector v)
{
	uint64_t linear;

	if (!desc_linear(c, selector, 16, &linear))
		cpu_raise_error(c, v, selector & ~3u);
	return sys_load(c, linear + 8, 8);
}

void
desc_set_accessed(struct cpu *c, uint16_t selector, uint64_t raw)
{
	uint64_t linear;

	if (raw >> 40 & SF_ACCESSED || !desc_linear(c, selector, 8, &linear))
		return;
	sys_store(c, linear + 5, (raw >> 40 & 0xff) | SF_ACCESSED, 1);
}

/* ---- the fast limits of generated code ---- */

static bool
is_usable(const struct cpu *c, const struct segment *s)
{
	return !in_protected(c) || in_vm86(c) || s->flags & SF_P;
}

static void
set_fast(struct cpu *c, unsigned seg)
{
	const struct segment *s = &c->seg[seg];
	struct tcg_seg *t = &c->f.seg[seg];
	bool plain = !in_protected(c) || in_vm86(c), code = s->flags & SF_CODE;

	t->base = s->base;
	t->read_limit = t->write_limit = 0;
	if (!is_usable(c, s) || (!plain && !code && s->flags & SF_DOWN))
		return;
	if (plain || !code || s->flags & SF_READ)
		t->read_limit = (uint64_t)s->limit + 1;
	if (plain || (!code && s->flags & SF_WRITE))
		t->write_limit = (uint64_t)s->limit + 1;
}

void
cpu_segment_changed(struct cpu *c, unsigned seg)
{
	set_fast(c, seg);
	cpu_update_mode(c);
}

static bool
limit_ok(const struct segment *s, uint64_t ea, unsigned size, bool plain)
{
	uint64_t last = ea + size - 1;

	if (plain || s->flags & SF_CODE || !(s->flags & SF_DOWN))
		return last <= s->limit && last >= ea;
	return ea > s->limit && last >= ea && last <= (s->flags & SF_DB ? 0xffffffff : 0xffff);
}

uint64_t
seg_linear(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, bool write)
{
	const struct segment *s = &c->seg[seg];
	bool plain = !in_protected(c) || in_vm86(c);
	bool ok;

	if (in_mode64(c))
		return seg >= SEG_FS ? s->base + ea : ea;
	ok = is_usable(c, s) && limit_ok(s, ea, size, plain);
	if (ok && !plain) {
		if (write)
			ok = !(s->flags & SF_CODE) && s->flags & SF_WRITE;
		else
			ok = !(s->flags & SF_CODE) || s->flags & SF_READ;
	}
	if (!ok)
		cpu_raise_error(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
	return (uint32_t)(s->base + ea);
}

/* ---- setting segments ---- */

void
segment_set_null(struct cpu *c, unsigned seg, uint16_t selector)
{
	struct segment *s = &c->seg[seg];

	/* In long mode FS and GS keep their bases only through their MSRs: a null selector clears them. */
	*s = (struct segment){ .selector = selector };
	if (seg == SEG_SS)
		s->flags = SF_S | SF_WRITE | SF_ACCESSED | c->cpl << SF_DPL_SHIFT | (in_long_mode(c) ? SF_P | SF_DB : 0);
	set_fast(c, seg);
}

void
segment_set_real(struct cpu *c, unsigned seg, uint16_t selector)
{
	struct segment *s = &c->seg[seg];

	s->selector = selector;
	s->base = (uint64_t)selector << 4;
	if (in_vm86(c)) {
		s->limit = 0xffff;
		s->flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED | 3 << SF_DPL_SHIFT;
	} else if (seg == SEG_CS) {
		/* Limits survive in real mode, but the rights of data. */
		s->flags = (s->flags & (SF_G | SF_DB)) | SF_P | SF_S | SF_WRITE | SF_ACCESSED | (s->flags & SF_CODE);
	} else {
		s->flags = (s->flags & (SF_G | SF_DB)) | SF_P | SF_S | SF_WRITE | SF_ACCESSED;
	}
	set_fast(c, seg);
}

void
set_cs(struct cpu *c, uint16_t selector, uint64_t raw, unsigned cpl)
{
	desc_set_accessed(c, selector, raw);
	c->seg[SEG_CS] = desc_segment((selector & ~3u) | cpl, raw | 1ull << 40);
	if (in_long_mode(c) && c->seg[SEG_CS].flags & SF_L)
		c->seg[SEG_CS].base = 0;
	c->cpl = cpl;
	set_fast(c, SEG_CS);
}

void
set_ss(struct cpu *c, uint16_t selector, uint64_t raw)
{
	desc_set_accessed(c, selector, raw);
	c->seg[SEG_SS] = desc_segment(selector, raw | 1ull << 40);
	set_fast(c, SEG_SS);
}

void
drop_inner_segments(struct cpu *c)
{
	static const uint8_t segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < ARRAY_SIZE(segs); i++) {
		struct segment *s = &c->seg[segs[i]];
		unsigned dpl = s->flags >> SF_DPL_SHIFT & 3;
		bool conforming = (s->flags & (SF_CODE | SF_CONFORMING)) == (SF_CODE | SF_CONFORMING);

		if (s->flags & SF_P && !conforming && dpl < c->cpl) {
			uint64_t base = s->base;

			segment_set_null(c, segs[i], 0);
			/* The bases of FS and GS outlive a null selector put there by a return. */
			if (segs[i] >= SEG_FS && in_long_mode(c)) {
				s->base = base;
				set_fast(c, segs[i]);
			}
		} else if (!(s->selector & ~SEL_RPL)) {
			/* A null selector loses its RPL, its base stays. */
			s->selector = 0;
		}
	}
}

static void
load_ss_protected(struct cpu *c, uint16_t selector)
{
	uint64_t raw;
	unsigned flags;

	if (!(selector & ~3)) {
		if (!in_mode64(c) || c->cpl == 3 || (selector & SEL_RPL) != c->cpl)
			cpu_raise_error(c, EXC_GP, 0);
		segment_set_null(c, SEG_SS, selector);
		return;
	}
	raw = desc_fetch(c, selector, EXC_GP, 0);
	flags = desc_flags(raw);
	if ((selector & SEL_RPL) != c->cpl || desc_dpl(raw) != c->cpl || !(flags & SF_S) || flags & SF_CODE ||
		!(flags & SF_WRITE))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_SS, selector & ~3u);
	set_ss(c, selector, raw);
}

static void
load_data_protected(struct cpu *c, unsigned seg, uint16_t selector)
{
	uint64_t raw;
	unsigned flags;

	if (!(selector & ~3)) {
		segment_set_null(c, seg, selector);
		return;
	}
	raw = desc_fetch(c, selector, EXC_GP, 0);
	flags = desc_flags(raw);
	if (!(flags & SF_S) || (flags & (SF_CODE | SF_READ)) == SF_CODE)
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if ((flags & (SF_CODE | SF_CONFORMING)) != (SF_CODE | SF_CONFORMING) &&
		desc_dpl(raw) < MAX(c->cpl, selector & SEL_RPL))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	desc_set_accessed(c, selector, raw);
	c->seg[seg] = desc_segment(selector, raw | 1ull << 40);
	set_fast(c, seg);
}

void
cpu_load_segment(struct cpu *c, unsigned seg, uint16_t selector)
{
	if (!in_protected(c) || in_vm86(c))
		segment_set_real(c, seg, selector);
	else if (seg == SEG_SS)
		load_ss_protected(c, selector);
	else
		load_data_protected(c, seg, selector);
	if (seg == SEG_SS || !in_mode64(c))
		cpu_update_mode(c);
}

/* The upper half of a system descriptor of long mode. */
static void
check_high(struct cpu *c, uint16_t selector, uint64_t high)
{
	if (high >> 40 & 0x1f || !is_loadable(c, high << 32))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
}

void
load_ldt(struct cpu *c, uint16_t selector, enum vector v)
{
	unsigned size = in_long_mode(c) ? 16 : 8;
	uint64_t linear, raw, high = 0;

	if (!(selector & ~3)) {
		c->ldtr = (struct segment){ .selector = selector };
		return;
	}
	if (selector & SEL_TI || !desc_linear(c, selector, size, &linear))
		cpu_raise_error(c, v, selector & ~3u);
	raw = sys_load(c, linear, 8);
	if (size == 16)
		high = sys_load(c, linear + 8, 8);
	if ((desc_flags(raw) & (SF_S | SF_TYPE)) != TYPE_LDT)
		cpu_raise_error(c, v, selector & ~3u);
	if (!(desc_flags(raw) & SF_P))
		cpu_raise_error(c, v == EXC_TS ? EXC_TS : EXC_NP, selector & ~3u);
	check_high(c, selector, high);
	c->ldtr = desc_segment(selector, raw);
	c->ldtr.base |= high << 32;
}

void
check_code(struct cpu *c, uint16_t selector, uint64_t raw, unsigned rpl, enum vector v)
{
	unsigned flags = desc_flags(raw), dpl = desc_dpl(raw);

	if (!(flags & SF_S) || !(flags & SF_CODE))
		cpu_raise_error(c, v, selector & ~3u);
	if (flags & SF_CONFORMING ? dpl > c->cpl : rpl > c->cpl || dpl != c->cpl)
		cpu_raise_error(c, v, selector & ~3u);
	if (!(flags & SF_P))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	if (in_long_mode(c) && (flags & (SF_L | SF_DB)) == (SF_L | SF_DB))
		cpu_raise_error(c, v, selector & ~3u);
}

void
check_code_offset(struct cpu *c, uint64_t raw, uint64_t offset)
{
	struct segment s = desc_segment(0, raw);

	if (in_long_mode(c) && s.flags & SF_L ? !is_canonical(c, offset) : offset > s.limit)
		cpu_raise_error(c, EXC_GP, 0);
}

/* ---- instructions ---- */

uint64_t
do_load_seg(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned seg = aux_n(aux);

	(void)b;
	cpu_load_segment(c, seg, a);
	if (seg == SEG_SS && !c->inhibit) {
		c->inhibit = c->inhibit_db = true;
		__atomic_store_n(&f->pending, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void
need_protected(struct cpu *c)
{
	if (!in_protected(c) || in_vm86(c))
		cpu_raise(c, EXC_UD);
}

static void
need_cpl0(struct cpu *c)
{
	if (c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
}

uint64_t
do_lldt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b, (void)aux;
	need_protected(c);
	need_cpl0(c);
	load_ldt(c, a, EXC_GP);
	return 0;
}

uint64_t
do_ltr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint16_t selector = a;
	unsigned type;
	uint64_t linear, raw, high = 0;

	(void)b, (void)aux;
	need_protected(c);
	need_cpl0(c);
	if (!(selector & ~3))
		cpu_raise_error(c, EXC_GP, 0);
	if (selector & SEL_TI || !desc_linear(c, selector, in_long_mode(c) ? 16 : 8, &linear))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	raw = sys_load(c, linear, 8);
	type = desc_flags(raw) & (SF_S | SF_TYPE);
	if (type != TYPE_TSS32 && (type != TYPE_TSS16 || in_long_mode(c)))
		cpu_raise_error(c, EXC_GP, selector & ~3u);
	if (!(desc_flags(raw) & SF_P))
		cpu_raise_error(c, EXC_NP, selector & ~3u);
	if (in_long_mode(c))
		high = sys_load(c, linear + 8, 8);
	check_high(c, selector, high);
	sys_store(c, linear + 5, (raw >> 40 & 0xff) | TYPE_BUSY, 1);
	c->tr = desc_segment(selector, raw | (uint64_t)TYPE_BUSY << 40);
	c->tr.base |= high << 32;
	return 0;
}

static void
check_umip(struct cpu *c)
{
	if (c->cpl && c->cr4 & CR4_UMIP)
		cpu_raise_error(c, EXC_GP, 0);
}

uint64_t
do_sldt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	need_protected(cpu_of(f));
	check_umip(cpu_of(f));
	return cpu_of(f)->ldtr.selector;
}

uint64_t
do_str(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b, (void)aux;
	need_protected(cpu_of(f));
	check_umip(cpu_of(f));
	return cpu_of(f)->tr.selector;
}

/* The descriptor that LAR, LSL, VERR, VERW may look at; SYSTEM: the bits of the system types that count. */
static bool
visible(struct cpu *c, uint16_t selector, unsigned system, uint64_t *raw)
{
	unsigned flags, dpl;

	if (!(selector & ~3) || !desc_read(c, selector, raw))
		return false;
	flags = desc_flags(*raw);
	dpl = desc_dpl(*raw);
	if (!(flags & SF_S) && !(system >> (flags & SF_TYPE) & 1))
		return false;
	if ((flags & (SF_S | SF_CODE | SF_CONFORMING)) == (SF_S | SF_CODE | SF_CONFORMING))
		return true;
	return dpl >= c->cpl && dpl >= (selector & SEL_RPL);
}

uint64_t
do_lar(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t raw;

	(void)aux;
	need_protected(c);
	if (!visible(c, a, in_long_mode(c) ? 0x1a04 : 0x1a3e, &raw)) {
		set_zf(f, false);
		return b;
	}
	set_zf(f, true);
	return raw >> 32 & 0x00f0ff00;
}

uint64_t
do_lsl(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t raw;

	(void)aux;
	need_protected(c);
	if (!visible(c, a, in_long_mode(c) ? 0x0a04 : 0x0a0e, &raw)) {
		set_zf(f, false);
		return b;
	}
	set_zf(f, true);
	return desc_segment(0, raw).limit;
}

uint64_t
do_verr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t raw;

	(void)b, (void)aux;
	need_protected(c);
	set_zf(f, visible(c, a, 0, &raw) && (desc_flags(raw) & (SF_CODE | SF_READ)) != SF_CODE);
	return 0;
}

uint64_t
do_verw(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	uint64_t raw;

	(void)b, (void)aux;
	need_protected(c);
	set_zf(f, visible(c, a, 0, &raw) && (desc_flags(raw) & (SF_CODE | SF_WRITE)) == SF_WRITE);
	return 0;
}

uint64_t
do_arpl(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)aux;
	need_protected(cpu_of(f));
	if ((a & SEL_RPL) < (b & SEL_RPL)) {
		set_zf(f, true);
		return (a & ~3ull) | (b & SEL_RPL);
	}
	set_zf(f, false);
	return a;
}

/* ---- table registers ---- */

/* The operand of LGDT and LIDT. */
static void
load_table(struct cpu *c, uint64_t a, uint32_t aux, uint64_t *to_base, uint16_t *to_limit)
{
	unsigned seg = aux_seg(aux), bytes = in_mode64(c) ? 8 : 4;
	uint64_t limit, base;

	need_cpl0(c);
	limit = lin_load(c, seg_linear(c, seg, a, 2, false), 2, seg);
	base = lin_load(c, seg_linear(c, seg, a + 2, bytes, false), bytes, seg);
	if (aux_width(aux) == 2)
		base &= 0xffffff;
	if (!is_loadable(c, base))
		cpu_raise_error(c, EXC_GP, 0);
	*to_base = base;
	*to_limit = (uint16_t)limit;
}

uint64_t
do_lgdt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	load_table(c, a, aux, &c->gdtr.base, &c->gdtr.limit);
	return 0;
}

uint64_t
do_lidt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	load_table(c, a, aux, &c->idtr.base, &c->idtr.limit);
	return 0;
}

static void
store_table(struct cpu *c, uint64_t ea, unsigned seg, uint64_t base, uint16_t limit)
{
	unsigned bytes = in_mode64(c) ? 8 : 4;
	uint64_t at_base, at_limit;

	check_umip(c);
	at_limit = seg_linear(c, seg, ea, 2, true);
	at_base = seg_linear(c, seg, ea + 2, bytes, true);
	span_check(c, at_base, bytes, true, c->view, seg);
	lin_store(c, at_limit, limit, 2, seg);
	lin_store(c, at_base, base, bytes, seg);
}

uint64_t
do_sgdt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	store_table(cpu_of(f), a, aux_seg(aux), cpu_of(f)->gdtr.base, cpu_of(f)->gdtr.limit);
	return 0;
}

uint64_t
do_sidt(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)b;
	store_table(cpu_of(f), a, aux_seg(aux), cpu_of(f)->idtr.base, cpu_of(f)->idtr.limit);
	return 0;
}

/* ---- bases ---- */

uint64_t
do_wr_seg_base(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)b;
	if (!(c->cr4 & CR4_FSGSBASE))
		cpu_raise(c, EXC_UD);
	if (!is_loadable(c, a))
		cpu_raise_error(c, EXC_GP, 0);
	c->seg[aux_seg(aux)].base = c->f.seg[aux_seg(aux)].base = a;
	return 0;
}

uint64_t
do_rd_seg_base(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	if (!(c->cr4 & CR4_FSGSBASE))
		cpu_raise(c, EXC_UD);
	return c->seg[aux_seg(aux)].base;
}
