/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 back end against the interpreter: random blocks of integer operations, every kind of operand, memory of every kind.
 *
 * A block runs on both from the same state; registers, flags, memory, and how and where it ended are compared.  Flags that the
 * manual calls undefined after an operation are tracked while the block is made: nothing reads them, nothing compares them.
 * A failing block is printed as text.
 */
#include "tcg/tcg.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "tests/tcg_guest.h"

enum { RAX, RCX, RDX, RBX };
enum { BLOCKS = 2000, BATCHES = 16, RIP = 0x401000 };

struct maker {
	struct ir ir;
	uint64_t random;
	unsigned undefined;                   /* flags, at this point of the block */
	unsigned undefined_at[IR_MAX_GUEST];  /* before each guest instruction */
};

/* ---- chance ---- */

static uint64_t
any64(struct maker *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random * 0x2545f4914f6cdd1dull;
}

static unsigned
below(struct maker *m, unsigned n)
{
	return (unsigned)(any64(m) >> 33) % n;
}

static bool
chance(struct maker *m, unsigned percent)
{
	return below(m, 100) < percent;
}

static uint64_t
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

/* ---- flags ---- */

static unsigned
condition_reads(unsigned cond)
{
	static const uint8_t reads[8] = { FL_OF, FL_CF, FL_ZF, FL_CF | FL_ZF, FL_SF, FL_PF, FL_SF | FL_OF, FL_SF | FL_OF | FL_ZF };

	return reads[cond >> 1];
}

static unsigned
flags_read(unsigned op, unsigned cond)
{
	switch (op) {
	case IR_adc:
	case IR_sbb:
	case IR_rcl:
	case IR_rcr:
	case IR_cmc:
		return FL_CF;
	case IR_lahf:
		return FL_ALL & ~FL_OF;
	case IR_getflags:
		return FL_ALL;
	case IR_setcc:
	case IR_cmovcc:
	case IR_jcc:
		return condition_reads(cond);
	default:
		return 0;
	}
}

/* What the manual calls undefined after a shift by COUNT (masked; not 0), or by one that isn't known (-1). */
static unsigned
shift_undefines(const struct ir_insn *i, int count)
{
	unsigned of = count == 1 ? 0 : FL_OF;

	switch (i->op) {
	case IR_shl:
	case IR_shr:
		return of | FL_AF | (count < 0 || count >= 8 * i->width ? FL_CF : 0);
	case IR_sar:
	case IR_shld:
	case IR_shrd:
		return of | FL_AF;
	default:
		return of;
	}
}

static unsigned
undefines(unsigned op)
{
	switch (op) {
	case IR_and:
	case IR_or:
	case IR_xor:
	case IR_test:
		return FL_AF;
	case IR_mul:
	case IR_imul1:
	case IR_imul2:
	case IR_imul3:
		return FL_SF | FL_ZF | FL_AF | FL_PF;
	case IR_div:
	case IR_idiv:
		return FL_ALL;
	case IR_bt:
	case IR_bts:
	case IR_btr:
	case IR_btc:
	case IR_tzcnt:
	case IR_lzcnt:
		return FL_OF | FL_SF | FL_AF | FL_PF;
	case IR_bsf:
	case IR_bsr:
		return FL_ALL & ~FL_ZF;
	default:
		return 0;
	}
}

static bool
is_shift(unsigned op)
{
	return op >= IR_shl && op <= IR_shrd;
}

static void
note_flags(struct maker *m, const struct ir_insn *i)
{
	bool doubled = i->op == IR_shld || i->op == IR_shrd;
	int count = (int)(i->imm & (i->width == 8 ? 63 : 31));

	if (!is_shift(i->op))
		m->undefined = (m->undefined & ~i->writes) | undefines(i->op);
	else if ((doubled ? i->src2 : i->src).kind != IR_IMM)
		m->undefined |= shift_undefines(i, -1);
	else if (count != 0)
		m->undefined = (m->undefined & ~i->writes) | shift_undefines(i, count);
}

/* ---- pieces of a block ---- */

static void
begin(struct maker *m)
{
	m->undefined_at[m->ir.guests] = m->undefined;
	ir_begin(&m->ir, RIP + 4ull * m->ir.guests, 4);
}

static val
temp(unsigned n)
{
	return (val){ .o = { IR_TEMP, (uint8_t)n, 0 } };
}

/* An instruction of its own that sets a register. */
static void
set(struct maker *m, unsigned reg, unsigned width, uint64_t v)
{
	begin(m);
	ir_op2(&m->ir, IR_mov, width, ir_gpr(reg), ir_imm((int64_t)v));
}

static void
define_flags(struct maker *m, unsigned needed)
{
	if (!(m->undefined & needed))
		return;
	begin(m);
	ir_op2(&m->ir, IR_cmp, 8, ir_gpr(below(m, 16)), ir_gpr(below(m, 16)));
	m->undefined = 0;
}

/* ---- memory operands ---- */

/* A linear address for SIZE bytes: mostly good, in a page of any kind, now and then misaligned, across a border, or nowhere. */
static uint64_t
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

struct address {
	struct ir_mem mem;
	val base, index; /* for the temporaries, if they are used */
};

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
static struct address
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

static void
set_address_temps(struct maker *m, const struct address *a)
{
	if (a->base.o.kind != IR_NONE)
		ir_op2(&m->ir, IR_mov, 8, temp(BASE_TEMP), a->base);
	if (a->index.o.kind != IR_NONE)
		ir_op2(&m->ir, IR_mov, 8, temp(INDEX_TEMP), a->index);
}

/* ---- operations ---- */

/* What an operation is about to be. */
struct plan {
	enum ir_op op;
	unsigned width, src_width, cond, lock;
	val dst, src, src2;
	struct address address;
};

static val
operand(struct maker *m, unsigned place_of)
{
	switch (below(m, 12)) {
	case 0: case 1: case 2:
		return ir_gpr(below(m, 16));
	case 3:
		return ir_gprh(below(m, 4));
	case 4: case 5:
		return temp(place_of);
	case 6: case 7:
		return ir_imm((int64_t)value(m));
	case 8: case 9:
		return ir_mem((struct ir_mem){ .base = IR_NO_REG, .index = IR_NO_REG, .addr_width = 8 });
	case 10:
		return ir_field(offsetof(struct guest, field) + 8 * below(m, 8));
	default:
		return place_of == 1 ? ir_gpr(RCX) : ir_none();
	}
}

static struct ir_insn *
emit(struct ir *ir, const struct plan *p)
{
	struct ir_insn *i = ir_emit(ir, p->op, p->width, p->dst, p->src, p->src2);

	i->src_width = (uint8_t)p->src_width;
	i->cond = (uint8_t)p->cond;
	i->attr |= p->lock;
	return i;
}

/* The verifier says whether there is such an operation. */
static bool
is_legal(const struct plan *p)
{
	static struct ir ir;

	ir_reset(&ir, RIP, 0, true);
	ir_begin(&ir, RIP, 4);
	for (unsigned n = 0; n < 3; n++)
		ir_op2(&ir, IR_mov, 8, temp(n), ir_imm(0));
	emit(&ir, p);
	ir_exit(&ir, 0);
	return ir_verify(&ir) == NULL;
}

static bool
may_lock(unsigned op)
{
	switch (op) {
	case IR_add: case IR_adc: case IR_sub: case IR_sbb: case IR_and: case IR_or: case IR_xor: case IR_inc: case IR_dec:
	case IR_neg: case IR_not: case IR_xchg: case IR_bts: case IR_btr: case IR_btc: case IR_cmpxchg: case IR_xadd:
	case IR_cmpxchg8b:
		return true;
	default:
		return false;
	}
}

/* Random until it is legal; every operation takes about as many tries as another. */
static struct plan
plan_of(struct maker *m, enum ir_op op)
{
	struct plan p;

	do {
		p = (struct plan){ .op = op, .width = 1u << below(m, op == IR_cmpxchg8b ? 5 : 4), .dst = operand(m, 0),
			.src = chance(m, 90) ? operand(m, 1) : ir_none(), .src2 = ir_none() };
		if (chance(m, 70))
			p.dst = chance(m, 70) ? ir_gpr(below(m, 16)) : operand(m, 0);
		if (op == IR_imul3 || op == IR_shld || op == IR_shrd)
			p.src2 = chance(m, 50) ? ir_gpr(RCX) : ir_imm((int32_t)value(m));
		else if (chance(m, 40))
			p.src = ir_none();
		if (op == IR_clc || op == IR_stc || op == IR_cmc)
			p.dst = ir_none();
		if (op == IR_movzx || op == IR_movsx || op == IR_crc32)
			p.src_width = 1u << below(m, 4);
		if (op == IR_setcc || op == IR_cmovcc)
			p.cond = below(m, 16);
		p.lock = may_lock(op) && p.dst.o.kind == IR_MEM && chance(m, 50) ? IR_LOCKED : 0;
	} while (!is_legal(&p));
	return p;
}

static bool
has_mem(const struct plan *p)
{
	return p->dst.o.kind == IR_MEM || p->src.o.kind == IR_MEM;
}

/* How many bytes its memory operand has, and whether they are written. */
static unsigned
access_of(const struct plan *p, bool *write)
{
	bool reads = p->op == IR_cmp || p->op == IR_test || p->op == IR_bt || (p->op >= IR_mul && p->op <= IR_idiv);

	*write = p->dst.o.kind == IR_MEM && !reads;
	return p->src.o.kind == IR_MEM && p->src_width != 0 ? p->src_width : p->width;
}

static void
plan_address(struct maker *m, struct plan *p)
{
	bool write;
	unsigned size = access_of(p, &write);
	uint64_t linear = place(m, size, write);

	if (p->width == 16 && chance(m, 80))
		linear &= ~15ull;
	p->address = address_of(m, linear);
	if (p->width == 16 && p->op == IR_cmpxchg8b)
		p->address.mem.align = 16;
	if (p->dst.o.kind == IR_MEM)
		p->dst = ir_mem(p->address.mem);
	else
		p->src = ir_mem(p->address.mem);
}

/* The accumulator gets what is in memory, so that a compare-and-exchange succeeds. */
static void
make_equal(struct maker *m, const struct plan *p)
{
	unsigned width = p->op == IR_cmpxchg8b ? p->width / 2 : p->width;
	struct ir_mem mem = p->address.mem;

	mem.align = 0;
	begin(m);
	set_address_temps(m, &p->address);
	ir_op2(&m->ir, IR_mov, width, ir_gpr(RAX), ir_mem(mem));
	if (p->op != IR_cmpxchg8b)
		return;
	mem.disp += width;
	if (mem.disp != (int32_t)mem.disp)
		return;
	begin(m);
	set_address_temps(m, &p->address);
	ir_op2(&m->ir, IR_mov, width, ir_gpr(RDX), ir_mem(mem));
}

/* Registers that an operation uses without naming them. */
static void
prepare(struct maker *m, struct plan *p)
{
	bool doubled = p->op == IR_shld || p->op == IR_shrd;
	val *count = doubled ? &p->src2 : &p->src;

	if ((p->op == IR_div || p->op == IR_idiv) && chance(m, 80)) {
		set(m, RDX, 8, chance(m, 50) ? 0 : p->op == IR_idiv && chance(m, 50) ? ~0ull : below(m, 4));
		if (p->width == 1)
			set(m, RAX, 2, below(m, 2048));
	}
	if (!is_shift(p->op))
		return;
	if (doubled && p->width == 2) { /* past 16, the result is undefined */
		if (count->o.kind == IR_IMM)
			count->imm = below(m, 17);
		else
			set(m, RCX, 1, below(m, 17));
	} else if (count->o.kind != IR_IMM && chance(m, 60)) {
		set(m, RCX, 1, below(m, 70));
	}
}

static void
show_temp(struct maker *m, val v, unsigned width)
{
	if (v.o.kind == IR_TEMP)
		ir_op2(&m->ir, IR_mov, width, ir_gpr(below(m, 16)), v);
}

static void
set_temp(struct maker *m, val v)
{
	if (v.o.kind == IR_TEMP)
		ir_op2(&m->ir, IR_mov, 8, v, chance(m, 50) ? ir_gpr(below(m, 16)) : ir_imm((int64_t)value(m)));
}

static void
make_operation(struct maker *m, enum ir_op op)
{
	struct plan p = plan_of(m, op);

	define_flags(m, flags_read(op, p.cond));
	prepare(m, &p);
	if (has_mem(&p)) {
		plan_address(m, &p);
		if ((op == IR_cmpxchg || op == IR_cmpxchg8b) && chance(m, 50))
			make_equal(m, &p);
	}
	begin(m);
	set_temp(m, p.dst);
	set_temp(m, p.src);
	if (has_mem(&p))
		set_address_temps(m, &p.address);
	note_flags(m, emit(&m->ir, &p));
	show_temp(m, p.dst, p.width);
	if (op == IR_xchg || op == IR_xadd)
		show_temp(m, p.src, p.width);
}

/* ---- calls ---- */

/* Looks at every register and changes one; by AUX it changes the flags or raises. */
static uint64_t
look(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	uint64_t sum = a * 3 + b;

	for (unsigned n = 0; n < 16; n++)
		sum = (sum << 5 | sum >> 59) ^ f->gpr[n];
	if (aux & 1)
		f->flags = flags_from_eflags(a & 0x8d5);
	if (aux & 2)
		f->guest->general_protection(f);
	f->gpr[aux >> 4 & 15] = sum;
	return ~sum;
}

static const struct ir_helper helper = { "look", look, false };

static void
make_call(struct maker *m)
{
	uint32_t aux = (uint32_t)any64(m) & ~2u;

	if (chance(m, 5))
		aux |= 2;
	begin(m);
	ir_op2(&m->ir, IR_mov, 8, temp(0), ir_gpr(below(m, 16)));
	ir_call(&m->ir, &helper, chance(m, 50) ? temp(1) : ir_none(), chance(m, 50) ? temp(0) : ir_gpr(below(m, 16)),
		chance(m, 50) ? ir_field(offsetof(struct guest, field)) : ir_none(), aux);
	if (m->ir.insn[m->ir.count - 1].dst.kind == IR_TEMP)
		show_temp(m, temp(1), 8);
	if (aux & 1)
		m->undefined = 0;
}

/* ---- blocks ---- */

static bool
host_has(unsigned op)
{
	switch (op) {
	case IR_crc32:
		return __builtin_cpu_supports("sse4.2");
	case IR_popcnt:
		return __builtin_cpu_supports("popcnt");
	case IR_tzcnt:
		return __builtin_cpu_supports("bmi");
	case IR_lzcnt:
		return __builtin_cpu_supports("lzcnt");
	default:
		return true;
	}
}

static void
make_end(struct maker *m)
{
	unsigned cond = below(m, 16);

	switch (below(m, 4)) {
	case 0:
		define_flags(m, condition_reads(cond));
		begin(m);
		ir_jcc(&m->ir, cond, chance(m, 50) ? RIP : RIP + 0x1000, RIP + 4ull * m->ir.guests);
		break;
	case 1:
		begin(m);
		ir_op2(&m->ir, IR_mov, 8, temp(0), ir_imm((int64_t)value(m)));
		ir_jind(&m->ir, chance(m, 50) ? temp(0) : chance(m, 50) ? ir_gpr(below(m, 16)) : ir_field(offsetof(struct guest, field)), 0);
		break;
	case 2:
		begin(m);
		ir_jmp(&m->ir, value(m));
		break;
	default:
		begin(m);
		ir_exit(&m->ir, value(m));
		break;
	}
}

static void
make_block(struct maker *m)
{
	unsigned operations = 1 + below(m, 10);

	ir_reset(&m->ir, RIP, 0, true);
	m->ir.slow_mem = chance(m, 5);
	m->undefined = 0;
	while (operations-- > 0 && ir_has_room(&m->ir) && m->ir.guests + 8 < IR_MAX_GUEST) {
		unsigned op = below(m, IR_cmpxchg8b + 2);

		if (op > IR_cmpxchg8b)
			make_call(m);
		else if (host_has(op))
			make_operation(m, (enum ir_op)op);
	}
	make_end(m);
}

/* ---- comparing ---- */

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
		memcmp(a->field, b->field, sizeof(a->field)) == 0 &&
		memcmp(a->memory, b->memory, GUEST_PAGES * GUEST_PAGE) == 0;
}

static void
random_state(struct maker *m, struct guest *g)
{
	for (unsigned n = 0; n < 16; n++)
		g->f.gpr[n] = value(m);
	for (unsigned n = 0; n < 8; n++)
		g->field[n] = value(m);
	g->f.flags = flags_from_eflags(any64(m) & 0x8d5);
	g->f.rip = RIP;
	for (unsigned n = 0; n < 6; n++) {
		g->limit[n] = segments[n].limit;
		g->f.seg[n] = (struct tcg_seg){ segments[n].base, segments[n].read_limit, segments[n].write_limit };
	}
}

static void
copy_state(struct guest *to, const struct guest *from)
{
	memcpy(to->f.gpr, from->f.gpr, sizeof(to->f.gpr));
	memcpy(to->field, from->field, sizeof(to->field));
	memcpy(to->f.seg, from->f.seg, sizeof(to->f.seg));
	memcpy(to->limit, from->limit, sizeof(to->limit));
	memcpy(to->memory, from->memory, GUEST_PAGES * GUEST_PAGE);
	to->f.flags = from->f.flags;
	to->f.rip = from->f.rip;
}

static void
fill_memory(struct maker *m, struct guest *g)
{
	for (unsigned n = 0; n < GUEST_PAGES * GUEST_PAGE; n += 8) {
		uint64_t v = value(m);

		memcpy(g->memory + n, &v, 8);
	}
}

START_TEST(native_is_as_interpreted)
{
	struct maker *m = xcalloc(1, sizeof(*m));
	struct guest *native = guest_new(ACCEL_NATIVE), *interp = guest_new(ACCEL_INTERP);

	m->random = 0x9e3779b97f4a7c15ull * (unsigned)(_i + 1);
	fill_memory(m, native);
	for (unsigned n = 0; n < BLOCKS; n++) {
		make_block(m);
		random_state(m, native);
		copy_state(interp, native);
		guest_run_block(native, &m->ir);
		guest_run_block(interp, &m->ir);
		if (!same(m, native, interp)) {
			ir_print(&m->ir, stderr);
			print_state(native, interp);
			ck_abort_msg("block %u of batch %d", n, _i);
		}
	}
	guest_free(native);
	guest_free(interp);
	free(m);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("x86-64 back end");
	TCase *t = tcase_create("random blocks");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, native_is_as_interpreted, 0, BATCHES);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
