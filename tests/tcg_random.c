/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/tcg_random.h"

#include <check.h>
#include <string.h>

#include "base/util.h"

/* ---- chance ---- */

uint64_t
any64(struct maker *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random * 0x2545f4914f6cdd1dull;
}

unsigned
below(struct maker *m, unsigned n)
{
	return (unsigned)(any64(m) >> 33) % n;
}

bool
chance(struct maker *m, unsigned percent)
{
	return below(m, 100) < percent;
}

uint64_t
value(struct maker *m)
{
	static const uint64_t corners[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffffffffff80, 0xffffffff80000000 };

	switch (below(m, 4)) {
	case 0:
		return corners[below(m, ARRAY_SIZE(corners))];
	case 1:
		return below(m, 256);
	case 2:
		return (uint64_t)(int64_t)(int32_t)any64(m);
	default:
		return any64(m);
	}
}

/* Numbers with a sign, corners, infinities, not-a-numbers of both kinds, denormals, as float or as double. */
void
random_lanes(struct maker *m, uint8_t to[16])
{
	static const uint32_t singles[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x40490fdb, 0x7f800000, 0xff800000, 0x7fc00001,
		0xffc00000, 0x7f800001, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x5f000000 };
	static const uint64_t doubles[] = { 0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x400921fb54442d18,
		0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000001, 0xfff8000000000000, 0x7ff0000000000001, 1,
		0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000, 0xc1e0000000000000,
		0x43e0000000000000, 0x3690000000000000, 0x47f0000000000000 };
	unsigned kind = below(m, 3);

	for (unsigned n = 0; n < 16; n += 8) {
		uint64_t v = value(m);

		if (kind == 0)
			v = chance(m, 60) ? doubles[below(m, ARRAY_SIZE(doubles))] : (v >> 12 | 0x3ff0000000000000) + ((uint64_t)below(m, 64) << 52);
		else if (kind == 1 && chance(m, 80))
			v = (uint64_t)singles[below(m, ARRAY_SIZE(singles))] << 32 | singles[below(m, ARRAY_SIZE(singles))];
		else if (kind == 1)
			v = (any64(m) & 0x0fffffff0fffffff) | 0x3000000030000000;
		memcpy(to + n, &v, 8);
	}
}

/* ---- pieces of a block ---- */

void
begin(struct maker *m)
{
	m->undefined_at[m->ir.guests] = m->undefined;
	ir_begin(&m->ir, RIP + 4ull * m->ir.guests, 4);
}

void
set(struct maker *m, unsigned reg, unsigned width, uint64_t v)
{
	begin(m);
	ir_op2(&m->ir, IR_mov, width, ir_gpr(reg), ir_imm((int64_t)v));
}

/* ---- memory operands ---- */

/* A linear address for SIZE bytes: mostly good, in a page of any kind, now and then misaligned, across a border, or nowhere. */
uint64_t
place(struct maker *m, unsigned size, bool write)
{
	unsigned how = below(m, 100), page;
	enum guest_page kind;

	do {
		page = below(m, GUEST_PAGES);
		kind = guest_page_kind(page);
	} while (how < 96 && (kind == PAGE_NONE || (write && kind == PAGE_ROM)));
	if (how < 60)
		return GUEST_MEMORY + page * GUEST_PAGE + (below(m, GUEST_PAGE) & ~(size - 1));
	if (how < 75)
		return GUEST_MEMORY + page * GUEST_PAGE + below(m, GUEST_PAGE - size + 1);
	if (how < 96) /* the last page's end is the first one's start */
		return GUEST_MEMORY + (page != 0 ? page : 2) * GUEST_PAGE - below(m, size + 1);
	if (how < 98)
		return GUEST_MEMORY + page * GUEST_PAGE + below(m, GUEST_PAGE);
	return value(m);
}

struct segments {
	uint64_t base, limit, read_limit, write_limit;
};

/* Flat, small, with limits that are to be asked for, and one whose addresses wrap at 32 bits. */
static const struct segments segments[6] = {
	[SEG_ES] = { 0x10000, 0xffff, 0x10000, 0x10000 },
	[SEG_CS] = { 0x8000, 0x1ffff, 0x20000, 0 },
	[SEG_SS] = { 0, 0x1efff, 0x1f000, 0x1f000 },
	[SEG_DS] = { 0xffff0000, 0xffffffff, 0x100000000, 0x100000000 },
	[SEG_FS] = { 0x5000, 0x1ffff, 0, 0 },
	[SEG_GS] = { 0x12000, 0xffff, 0x8000, 0 },
};

/* A register for an address: not one that the operation itself has been prepared in. */
static unsigned
address_register(struct maker *m, unsigned not)
{
	unsigned reg;

	do
		reg = RBX + below(m, 16 - RBX);
	while (reg == not);
	return reg;
}

/* Puts V into a register, or temporary N for which the value is returned in LATER (it is set inside of the instruction). */
static uint8_t
hold(struct maker *m, unsigned n, uint64_t v, unsigned not, val *later)
{
	unsigned reg = address_register(m, not);

	if (chance(m, 30)) {
		*later = ir_imm((int64_t)v);
		return (uint8_t)(IR_TEMP_REG + n);
	}
	set(m, reg, 8, v);
	return (uint8_t)reg;
}

enum { BASE_TEMP = 3, INDEX_TEMP = 4 };

static void
choose_way(struct maker *m, struct ir_mem *mem)
{
	mem->seg = (uint8_t)below(m, 6);
	mem->addr_width = 8;
	switch (below(m, 8)) {
	case 0:
		mem->how = ADDR_BASE;
		break;
	case 1:
		mem->addr_width = 4;
		break;
	case 2:
		mem->how = ADDR_CHECKED;
		mem->addr_width = 4;
		break;
	case 3:
		mem->how = ADDR_CHECKED;
		mem->addr_width = 2;
		mem->seg = SEG_ES;
		break;
	default:
		break;
	}
}

/* A memory operand for LINEAR, with the registers that it needs set. */
struct address
address_of(struct maker *m, uint64_t linear)
{
	struct address a = { .mem = { .base = IR_NO_REG, .index = IR_NO_REG }, .base = ir_none(), .index = ir_none() };
	uint64_t ea, junk = 0, index;

	choose_way(m, &a.mem);
	ea = a.mem.how == ADDR_FLAT ? linear : linear - segments[a.mem.seg].base;
	if (a.mem.addr_width < 8)
		junk = any64(m) << 8 * a.mem.addr_width;
	if (a.mem.addr_width == 4)
		ea = (uint32_t)ea;
	if (chance(m, 10)) { /* an address alone */
		a.mem.disp = (int64_t)ea;
		return a;
	}
	if (chance(m, 3)) { /* a displacement of 64 bits */
		a.mem.disp = (int64_t)any64(m);
		if (chance(m, 50))
			a.mem.base = hold(m, BASE_TEMP, ea + junk - (uint64_t)a.mem.disp, IR_NO_REG, &a.base);
		else
			a.mem.index = hold(m, INDEX_TEMP, ea + junk - (uint64_t)a.mem.disp, IR_NO_REG, &a.index);
		return a;
	}
	if (chance(m, 60))
		a.mem.disp = chance(m, 50) ? (int8_t)any64(m) : (int32_t)any64(m);
	ea += junk - (uint64_t)a.mem.disp;
	if (chance(m, 40)) {
		a.mem.scale = (uint8_t)below(m, 4);
		index = chance(m, 50) ? below(m, 64) : any64(m);
		if (chance(m, 10)) { /* no base */
			index = ea >> a.mem.scale;
			a.mem.disp += (int64_t)(ea - (index << a.mem.scale));
			a.mem.index = hold(m, INDEX_TEMP, index, IR_NO_REG, &a.index);
			return a;
		}
		ea -= index << a.mem.scale;
		a.mem.index = hold(m, INDEX_TEMP, index, IR_NO_REG, &a.index);
	}
	a.mem.base = hold(m, BASE_TEMP, ea, a.mem.index, &a.base);
	return a;
}

void
set_address_temps(struct maker *m, const struct address *a)
{
	if (a->base.o.kind != IR_NONE)
		ir_op2(&m->ir, IR_mov, 8, temp(BASE_TEMP), a->base);
	if (a->index.o.kind != IR_NONE)
		ir_op2(&m->ir, IR_mov, 8, temp(INDEX_TEMP), a->index);
}

/* ---- comparing ---- */

/* In the image of FXSAVE: control, status and tag words; the eight registers.  Pointers are not kept. */
enum { X87_WORDS = 5, X87_REGISTERS = 32, X87_END = 160 };

static void
print_state(const struct guest *a, const struct guest *b)
{
	fprintf(stderr, "native: how %d fault %d at %#lx rip %#lx flags %#lx; interpreter: how %d fault %d at %#lx rip %#lx flags %#lx\n",
		a->how, a->fault, (unsigned long)a->fault_address, (unsigned long)a->f.rip, (unsigned long)a->f.flags, b->how,
		b->fault, (unsigned long)b->fault_address, (unsigned long)b->f.rip, (unsigned long)b->f.flags);
	for (unsigned n = 0; n < 16; n++)
		if (a->f.gpr[n] != b->f.gpr[n])
			fprintf(stderr, "register %u: %#lx, %#lx\n", n, (unsigned long)a->f.gpr[n], (unsigned long)b->f.gpr[n]);
	for (unsigned n = 0; n < 8; n++)
		if (a->field[n] != b->field[n])
			fprintf(stderr, "field %u: %#lx, %#lx\n", n, (unsigned long)a->field[n], (unsigned long)b->field[n]);
	for (unsigned n = 0; n < GUEST_PAGES * GUEST_PAGE; n++)
		if (a->memory[n] != b->memory[n])
			fprintf(stderr, "memory %#x: %#x, %#x\n", GUEST_MEMORY + n, a->memory[n], b->memory[n]);
}

static void
print_vectors(const struct guest *a, const struct guest *b)
{
	const uint8_t *p = a->f.x87, *q = b->f.x87;

	for (unsigned n = 0; n < 16; n++) {
		uint64_t v[2], w[2];

		memcpy(v, a->f.vec[n], 16);
		memcpy(w, b->f.vec[n], 16);
		if (memcmp(v, w, 16) != 0)
			fprintf(stderr, "xmm%u: %016lx %016lx, %016lx %016lx\n", n, (unsigned long)v[1], (unsigned long)v[0],
				(unsigned long)w[1], (unsigned long)w[0]);
	}
	if (a->f.mxcsr != b->f.mxcsr)
		fprintf(stderr, "mxcsr: %#x, %#x\n", a->f.mxcsr, b->f.mxcsr);
	for (unsigned n = 0; n < X87_END; n++)
		if (p[n] != q[n] && (n < X87_WORDS || n >= X87_REGISTERS))
			fprintf(stderr, "x87 image %u: %#x, %#x\n", n, p[n], q[n]);
}

static bool
same_vectors(const struct guest *a, const struct guest *b)
{
	return memcmp(a->f.vec, b->f.vec, sizeof(a->f.vec)) == 0 && a->f.mxcsr == b->f.mxcsr &&
		memcmp(a->f.x87, b->f.x87, X87_WORDS) == 0 &&
		memcmp(a->f.x87 + X87_REGISTERS, b->f.x87 + X87_REGISTERS, X87_END - X87_REGISTERS) == 0;
}

static bool
same_flags(const struct maker *m, const struct guest *a, const struct guest *b)
{
	uint64_t at = (a->f.rip - RIP) / 4;
	unsigned undefined = a->how == TCG_LEFT && at < m->ir.guests ? m->undefined_at[at] : m->undefined;
	uint64_t mask = (FL_ALL & ~FL_OF & ~undefined) | (undefined & FL_OF ? 0 : 0x800);

	return ((flags_to_eflags(a->f.flags) ^ flags_to_eflags(b->f.flags)) & mask) == 0;
}

static bool
same(const struct maker *m, const struct guest *a, const struct guest *b)
{
	return a->how == b->how && a->fault == b->fault && a->fault_address == b->fault_address && a->f.rip == b->f.rip &&
		memcmp(a->f.gpr, b->f.gpr, sizeof(a->f.gpr)) == 0 && same_flags(m, a, b) &&
		memcmp(a->field, b->field, sizeof(a->field)) == 0 && same_vectors(a, b) &&
		memcmp(a->memory, b->memory, GUEST_PAGES * GUEST_PAGE) == 0;
}

static void
random_vectors(struct maker *m, struct guest *g)
{
	static const uint8_t words[X87_WORDS] = { 0x7f, 0x03, 0, 0, 0 };

	for (unsigned n = 0; n < 16; n++)
		random_lanes(m, g->f.vec[n]);
	/* Every exception masked; rounding, DAZ and FZ as they come. */
	g->f.mxcsr = 0x1f80 | (unsigned)(any64(m) & 0xe040);
	memcpy(g->f.x87, words, sizeof(words));
	g->f.x87[1] |= (uint8_t)(below(m, 4) << 2);
	for (unsigned n = 0; n < 8; n++) {
		uint8_t *reg = g->f.x87 + X87_REGISTERS + 16 * n;

		random_lanes(m, reg);
		memset(reg + 10, 0, 6);
		if (chance(m, 50)) { /* a value in use */
			g->f.x87[4] |= 1u << n;
			reg[7] |= 0x80;
			if (chance(m, 70))
				reg[9] = 0x3f, reg[8] = (uint8_t)(0xff - below(m, 4));
		}
	}
}

void
random_state(struct maker *m, struct guest *g)
{
	for (unsigned n = 0; n < 16; n++)
		g->f.gpr[n] = value(m);
	for (unsigned n = 0; n < 8; n++)
		g->field[n] = value(m);
	g->f.flags = flags_from_eflags(any64(m) & 0x8d5);
	g->f.rip = RIP;
	random_vectors(m, g);
	for (unsigned n = 0; n < 6; n++) {
		g->limit[n] = segments[n].limit;
		g->f.seg[n] = (struct tcg_seg){ segments[n].base, segments[n].read_limit, segments[n].write_limit };
	}
}

void
copy_state(struct guest *to, const struct guest *from)
{
	memcpy(to->f.gpr, from->f.gpr, sizeof(to->f.gpr));
	memcpy(to->field, from->field, sizeof(to->field));
	memcpy(to->f.seg, from->f.seg, sizeof(to->f.seg));
	memcpy(to->limit, from->limit, sizeof(to->limit));
	memcpy(to->memory, from->memory, GUEST_PAGES * GUEST_PAGE);
	memcpy(to->f.vec, from->f.vec, sizeof(to->f.vec));
	memcpy(to->f.x87, from->f.x87, sizeof(to->f.x87));
	to->f.mxcsr = from->f.mxcsr;
	to->f.flags = from->f.flags;
	to->f.rip = from->f.rip;
}

void
fill_memory(struct maker *m, struct guest *g)
{
	for (unsigned n = 0; n < GUEST_PAGES * GUEST_PAGE; n += 16)
		random_lanes(m, g->memory + n);
}

void
compare(struct maker *m, struct guest *a, struct guest *b)
{
	copy_state(b, a);
	guest_run_block(a, &m->ir);
	tcg_x87_sync(&a->f);
	guest_run_block(b, &m->ir);
	tcg_x87_sync(&b->f);
	if (same(m, a, b))
		return;
	ir_print(&m->ir, stderr);
	print_state(a, b);
	print_vectors(a, b);
	ck_abort_msg("the two differ");
}
