/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports: IN, OUT, INS, OUTS, and who may use them. */
#include "cpu/system.h"

enum { RAX, RCX, RDX, RSI = 6, RDI };

void
io_check(struct cpu *c, unsigned port, unsigned width)
{
	uint32_t map, mask = (1u << width) - 1;

	if (!in_protected(c) || (!in_vm86(c) && c->cpl <= cpu_iopl(c)))
		return;
	if (!(c->tr.flags & SF_P) || !(c->tr.flags & 8) || c->tr.limit < 0x67)
		cpu_raise_error(c, EXC_GP, 0);
	map = sys_load(c, c->tr.base + 0x66, 2) + port / 8;
	if (map + 1 > c->tr.limit || sys_load(c, c->tr.base + map, 2) >> (port & 7) & mask)
		cpu_raise_error(c, EXC_GP, 0);
}

uint64_t
do_in(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned port = a & 0xffff, width = aux_width(aux);
	uint64_t value;

	(void)b;
	io_check(c, port, width);
	debug_check_io(c, port, width);
	cpu_lock(c);
	value = space_read(c->config.io, port, width, c->smm);
	cpu_unlock(c);
	return value;
}

uint64_t
do_out(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned port = a & 0xffff, width = aux_width(aux);

	io_check(c, port, width);
	debug_check_io(c, port, width);
	cpu_lock(c);
	space_write(c->config.io, port, b & width_mask(width), width, c->smm);
	cpu_unlock(c);
	return 0;
}

/* ---- strings ---- */

struct io_string {
	struct cpu *c;
	unsigned port, width, seg, reg; /* REG: the index register */
	uint64_t mask, left;
	int64_t step;
	bool in, rep;
};

static uint64_t
masked(uint64_t old, uint64_t value, uint64_t mask)
{
	/* Registers of 32 bits are zero-extended, those of 16 merge. */
	return mask == 0xffff ? (old & ~mask) | (value & mask) : value & mask;
}

static void
moved(struct io_string *s)
{
	uint64_t *gpr = s->c->f.gpr;

	gpr[s->reg] = masked(gpr[s->reg], gpr[s->reg] + s->step, s->mask);
	s->left--;
	if (s->rep)
		gpr[RCX] = masked(gpr[RCX], s->left, s->mask);
}

/* One element, any kind of memory.  The memory is checked before the port is touched. */
static void
move_one(struct io_string *s)
{
	struct cpu *c = s->c;
	uint64_t linear = seg_linear(c, s->seg, c->f.gpr[s->reg] & s->mask, s->width, s->in), value;

	if (s->in) {
		span_check(c, linear, s->width, true, c->view, s->seg);
		cpu_lock(c);
		value = space_read(c->config.io, s->port, s->width, c->smm);
		cpu_unlock(c);
		lin_store(c, linear, value, s->width, s->seg);
	} else {
		value = lin_load(c, linear, s->width, s->seg);
		cpu_lock(c);
		space_write(c->config.io, s->port, value, s->width, c->smm);
		cpu_unlock(c);
	}
	moved(s);
}

/* Elements up to the page's end, upwards, in plain memory; false: there are none. */
static bool
move_run(struct io_string *s)
{
	struct cpu *c = s->c;
	uint64_t ea = c->f.gpr[s->reg] & s->mask, linear, n;
	uint8_t *host;

	if (s->step < 0 || s->left < 2)
		return false;
	linear = seg_linear(c, s->seg, ea, s->width, s->in);
	n = MIN(s->left, (0x1000 - (linear & 0xfff)) / s->width);
	/* The whole run has to lie in the segment, and may not wrap. */
	if (n < 2 || ea + n * s->width - 1 > s->mask)
		return false;
	if (!in_mode64(c) && ea + n * s->width > (s->in ? c->f.seg[s->seg].write_limit : c->f.seg[s->seg].read_limit))
		return false;
	host = lin_host(c, linear, n * s->width, s->in, s->seg);
	if (!host)
		return false;
	cpu_lock(c);
	for (; n; n--, host += s->width) {
		if (s->in)
			store_le(host, space_read(c->config.io, s->port, s->width, c->smm), s->width);
		else
			space_write(c->config.io, s->port, load_le(host, s->width), s->width, c->smm);
		moved(s);
		if (__atomic_load_n(&c->f.pending, __ATOMIC_RELAXED))
			break;
	}
	cpu_unlock(c);
	return true;
}

static uint64_t
io_string(struct tcg_frame *f, uint32_t aux, bool in)
{
	struct cpu *c = cpu_of(f);
	struct io_string s = {
		.c = c, .port = f->gpr[RDX] & 0xffff, .width = aux_width(aux), .seg = in ? (unsigned)SEG_ES : aux_seg(aux),
		.reg = in ? RDI : RSI, .mask = width_mask(aux_addr(aux)), .in = in, .rep = aux & (AUX_REP | AUX_REPNE),
	};
	uint64_t next = next_rip(c, aux);

	s.step = f->df < 0 ? -(int64_t)s.width : (int64_t)s.width;
	s.left = s.rep ? f->gpr[RCX] & s.mask : 1;
	io_check(c, s.port, s.width);
	if (s.left)
		debug_check_io(c, s.port, s.width);
	while (s.left) {
		if (c->mode & (MODE_TF | MODE_ONE) || !move_run(&s))
			move_one(&s);
		if (c->mode & (MODE_TF | MODE_ONE) || __atomic_load_n(&f->pending, __ATOMIC_RELAXED))
			break;
	}
	if (!s.left)
		f->rip = next;
	return 0;
}

uint64_t
do_ins(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	return io_string(f, aux, true);
}

uint64_t
do_outs(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)a, (void)b;
	return io_string(f, aux, false);
}
