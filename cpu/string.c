/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repeated string instructions, in runs that stay on one page of source and destination: each run is one operation on the
 * host's memory.  Where a page isn't plain memory, an element crosses a page or a segment's limit is near, an element goes
 * alone.  The registers are exact after each run, so that a fault or an interrupt between runs restarts the instruction
 * where it was.
 */
#include <string.h>

#include "cpu/system.h"

enum { RAX, RCX, RSI = 6, RDI, PAGE = 4096 };

struct rep {
	struct cpu *c;
	unsigned width, addr, seg;
	uint64_t mask;   /* of the address width */
	bool down;
	uint64_t left;   /* elements, as of rCX */
};

static void
set_reg(struct rep *r, unsigned reg, uint64_t v)
{
	uint64_t *at = &r->c->f.gpr[reg];

	*at = r->addr == 2 ? (*at & ~0xffffull) | (v & 0xffff) : v & r->mask;
}

/* Moves rCX and the index registers on by N elements. */
static void
advance(struct rep *r, uint64_t n, bool source, bool destination)
{
	uint64_t by = r->down ? -(n * r->width) : n * r->width;

	if (source)
		set_reg(r, RSI, r->c->f.gpr[RSI] + by);
	if (destination)
		set_reg(r, RDI, r->c->f.gpr[RDI] + by);
	r->left -= n;
	set_reg(r, RCX, r->left);
}

static struct rep
rep_begin(struct tcg_frame *f, uint32_t aux)
{
	struct rep r = { .c = cpu_of(f), .width = aux_width(aux), .addr = aux_addr(aux), .seg = aux_seg(aux), .down = f->df < 0 };

	r.mask = width_mask(r.addr);
	r.left = f->gpr[RCX] & r.mask;
	return r;
}

/* Sets RIP: next when done, else the instruction again. */
static void
rep_end(struct rep *r, uint32_t aux, bool done)
{
	uint64_t next = r->c->f.rip + aux_len(aux);

	if (done)
		r->c->f.rip = r->c->mode & MODE_CS64 ? next : (uint32_t)next;
}

/* Between two runs: is it time to look at interrupts or a trap? */
static bool
rep_breaks(const struct rep *r)
{
	return __atomic_load_n(&r->c->f.pending, __ATOMIC_RELAXED) != 0 || (r->c->mode & MODE_TF) != 0;
}

/* Linear address of N bytes at EA if that needs no check by the segment's slow path. */
static bool
fast_linear(const struct cpu *c, unsigned seg, uint64_t ea, uint64_t n, bool write, uint64_t *linear)
{
	const struct tcg_seg *s = &c->f.seg[seg];

	if (c->mode & MODE_CS64) {
		*linear = ea + (seg >= SEG_FS ? s->base : 0);
		return true;
	}
	*linear = (uint32_t)(ea + s->base);
	if (c->mode & MODE_FLAT && seg < SEG_FS)
		return true;
	return ea + n <= (write ? s->write_limit : s->read_limit);
}

/*
 * A run of at most *N elements from the index register REG on.  Returns the host's address of its lowest byte and cuts *N,
 * or NULL: the element goes alone.
 */
static uint8_t *
run_host(const struct rep *r, unsigned seg, unsigned reg, bool write, uint64_t *n)
{
	uint64_t ea = r->c->f.gpr[reg] & r->mask, linear, room, offset, end;

	if (r->mask - ea < r->width - 1 || !fast_linear(r->c, seg, ea, r->width, write, &linear))
		return NULL;
	offset = linear & (PAGE - 1);
	if (offset + r->width > PAGE)
		return NULL;
	room = r->down ? offset / r->width + 1 : (PAGE - offset) / r->width;
	if (r->down && room > ea / r->width + 1)
		room = ea / r->width + 1;
	if (!r->down && r->mask != ~0ull && room > (r->mask - ea + 1) / r->width)
		room = (r->mask - ea + 1) / r->width;
	if (*n > room)
		*n = room;
	/* The first element comes first, should it fault. */
	if (r->down) {
		uint8_t *first = lin_host(r->c, linear, r->width, write, seg);

		return first != NULL ? first - (*n - 1) * r->width : NULL;
	}
	/* Upwards, the far end may pass the limit. */
	if (!fast_linear(r->c, seg, ea, *n * r->width, write, &end))
		return NULL;
	return lin_host(r->c, linear, (unsigned)(*n * r->width), write, seg);
}

static uint64_t
element_linear(const struct rep *r, unsigned seg, unsigned reg, bool write)
{
	uint64_t ea = r->c->f.gpr[reg] & r->mask, linear;

	if (fast_linear(r->c, seg, ea, r->width, write, &linear))
		return linear;
	return seg_linear(r->c, seg, ea, r->width, write);
}

static uint64_t
element_load(const struct rep *r, unsigned seg, unsigned reg)
{
	return lin_load(r->c, element_linear(r, seg, reg, false), r->width, seg);
}

static uint64_t
host_load(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	memcpy(&v, p, width);
	return v;
}

/* ---- movs ---- */

static void
copy_run(uint8_t *to, const uint8_t *from, size_t bytes, const struct rep *r)
{
	size_t w = r->width;

	/* Where the copy would read what it has written, element by element is what counts. */
	if (!r->down && to > from && to < from + bytes)
		for (size_t n = 0; n < bytes; n += w)
			memmove(to + n, from + n, w);
	else if (r->down && to < from && from < to + bytes)
		for (size_t n = bytes; n > 0; n -= w)
			memmove(to + n - w, from + n - w, w);
	else
		memmove(to, from, bytes);
}

static void
move_one(struct rep *r)
{
	uint64_t v = element_load(r, r->seg, RSI);

	lin_store(r->c, element_linear(r, SEG_ES, RDI, true), v, r->width, SEG_ES);
	advance(r, 1, true, true);
}

uint64_t
do_rep_movs(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct rep r = rep_begin(f, aux);

	(void)a, (void)b;
	while (r.left != 0) {
		uint64_t n = r.c->mode & MODE_TF ? 1 : r.left;
		uint8_t *from = run_host(&r, r.seg, RSI, false, &n), *to = NULL;
		uint64_t n_from = n;

		if (from != NULL)
			to = run_host(&r, SEG_ES, RDI, true, &n);
		if (to != NULL) {
			if (r.down)
				from += (n_from - n) * r.width;
			copy_run(to, from, n * r.width, &r);
			advance(&r, n, true, true);
		} else {
			move_one(&r);
		}
		if (r.left != 0 && rep_breaks(&r))
			break;
	}
	rep_end(&r, aux, r.left == 0);
	return 0;
}

/* ---- stos ---- */

static void
fill_run(uint8_t *to, uint64_t v, size_t bytes, unsigned width)
{
	if (width == 1) {
		memset(to, (int)(v & 0xff), bytes);
		return;
	}
	v &= width_mask(width);
	for (unsigned n = width; n < 8; n *= 2)
		v |= v << 8 * n;
	for (size_t n = 0; n + 8 <= bytes; n += 8)
		memcpy(to + n, &v, 8);
	memcpy(to + (bytes & ~(size_t)7), &v, bytes & 7);
}

uint64_t
do_rep_stos(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct rep r = rep_begin(f, aux);

	(void)a, (void)b;
	while (r.left != 0) {
		uint64_t n = r.c->mode & MODE_TF ? 1 : r.left;
		uint8_t *to = run_host(&r, SEG_ES, RDI, true, &n);

		if (to != NULL) {
			fill_run(to, f->gpr[RAX], n * r.width, r.width);
			advance(&r, n, false, true);
		} else {
			lin_store(r.c, element_linear(&r, SEG_ES, RDI, true), f->gpr[RAX], r.width, SEG_ES);
			advance(&r, 1, false, true);
		}
		if (r.left != 0 && rep_breaks(&r))
			break;
	}
	rep_end(&r, aux, r.left == 0);
	return 0;
}

/* ---- lods ---- */

uint64_t
do_rep_lods(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct rep r = rep_begin(f, aux);

	(void)a, (void)b;
	while (r.left != 0) {
		uint64_t v = element_load(&r, r.seg, RSI), mask = width_mask(r.width);

		f->gpr[RAX] = r.width >= 4 ? v & mask : (f->gpr[RAX] & ~mask) | (v & mask);
		advance(&r, 1, true, false);
		if (r.left != 0 && rep_breaks(&r))
			break;
	}
	rep_end(&r, aux, r.left == 0);
	return 0;
}

/* ---- cmps, scas ---- */

static void
set_compare_flags(struct tcg_frame *f, uint64_t a, uint64_t b, unsigned width)
{
	uint64_t mask = width_mask(width), r;
	unsigned sign = 8 * width - 1, e = 0;

	a &= mask;
	b &= mask;
	r = (a - b) & mask;
	e |= a < b ? EFL_CF : 0;
	e |= __builtin_parity(r & 0xff) ? 0 : EFL_PF;
	e |= (a ^ b ^ r) & EFL_AF;
	e |= r == 0 ? EFL_ZF : 0;
	e |= r >> sign & 1 ? EFL_SF : 0;
	e |= ((a ^ b) & (a ^ r)) >> sign & 1 ? EFL_OF : 0;
	f->flags = flags_from_eflags(e);
}

/* Compares up to N elements; returns how many were compared (the last of them ends it if STOPPED). */
static uint64_t
compare_run(struct rep *r, const uint8_t *x, const uint8_t *y, uint64_t n, bool while_equal, bool *stopped)
{
	int64_t step = r->down ? -(int64_t)r->width : (int64_t)r->width;
	uint64_t a = 0, b = 0, fixed = r->c->f.gpr[RAX] & width_mask(r->width), done = 0;

	*stopped = false;
	while (done < n && !*stopped) {
		a = x != NULL ? host_load(x, r->width) : fixed;
		b = host_load(y, r->width);
		x = x != NULL ? x + step : NULL;
		y += step;
		done++;
		*stopped = (a == b) != while_equal;
	}
	set_compare_flags(&r->c->f, a, b, r->width);
	return done;
}

static bool
compare_one(struct rep *r, bool source, bool while_equal)
{
	uint64_t a = source ? element_load(r, r->seg, RSI) : r->c->f.gpr[RAX] & width_mask(r->width);
	uint64_t b = element_load(r, SEG_ES, RDI);

	set_compare_flags(&r->c->f, a, b, r->width);
	advance(r, 1, source, true);
	return (a == b) != while_equal;
}

/* SOURCE: cmps, else scas. */
static void
compare(struct tcg_frame *f, uint32_t aux, bool source)
{
	struct rep r = rep_begin(f, aux);
	bool while_equal = aux & AUX_REP, stopped = false;

	while (r.left != 0 && !stopped) {
		uint64_t n = r.c->mode & MODE_TF ? 1 : r.left, n_x;
		uint8_t *x = NULL, *y = NULL;

		if (source)
			x = run_host(&r, r.seg, RSI, false, &n);
		n_x = n;
		if (!source || x != NULL)
			y = run_host(&r, SEG_ES, RDI, false, &n);
		if (y != NULL) {
			/* The host's address is that of the lowest element; downwards, the first one is the highest. */
			if (r.down) {
				x = x != NULL ? x + (n_x - 1) * r.width : NULL;
				y += (n - 1) * r.width;
			}
			advance(&r, compare_run(&r, x, y, n, while_equal, &stopped), source, true);
		} else {
			stopped = compare_one(&r, source, while_equal);
		}
		if (r.left != 0 && !stopped && rep_breaks(&r))
			break;
	}
	rep_end(&r, aux, r.left == 0 || stopped);
}

uint64_t
do_rep_cmps(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	compare(f, aux, true);
	return 0;
}

uint64_t
do_rep_scas(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	compare(f, aux, false);
	return 0;
}
