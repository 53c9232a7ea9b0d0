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
#include "tests/tcg_random.h"

enum { BLOCKS = 2000, BATCHES = 16 };

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
	case IR_adcx:
		return FL_CF;
	case IR_adox:
		return FL_OF;
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
	case IR_andn:
	case IR_bzhi:
	case IR_blsi:
	case IR_blsmsk:
	case IR_blsr:
		return FL_AF | FL_PF;
	case IR_bextr:
		return FL_SF | FL_AF | FL_PF;
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

static void
define_flags(struct maker *m, unsigned needed)
{
	if (!(m->undefined & needed))
		return;
	begin(m);
	ir_op2(&m->ir, IR_cmp, 8, ir_gpr(below(m, 16)), ir_gpr(below(m, 16)));
	m->undefined = 0;
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
has_three(unsigned op)
{
	return op == IR_andn || op == IR_bextr || op == IR_bzhi || (op >= IR_pdep && op <= IR_mulx);
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
		else if (has_three(op))
			p.src2 = op == IR_rorx ? ir_imm((int32_t)value(m)) : operand(m, 2);
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
	return p->dst.o.kind == IR_MEM || p->src.o.kind == IR_MEM || p->src2.o.kind == IR_MEM;
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
	else if (p->src2.o.kind == IR_MEM)
		p->src2 = ir_mem(p->address.mem);
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
	set_temp(m, p.src2);
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
	case IR_andn: case IR_bextr: case IR_blsi: case IR_blsmsk: case IR_blsr:
		return __builtin_cpu_supports("bmi");
	case IR_bzhi: case IR_pdep: case IR_pext: case IR_sarx: case IR_shlx: case IR_shrx: case IR_rorx: case IR_mulx:
		return __builtin_cpu_supports("bmi2");
	case IR_lzcnt: /* not all compilers know its own name */
		return __builtin_cpu_supports("bmi2");
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

/* ---- accesses through rSP, which the back end predicts ---- */

enum { RSP = 4 };

static val
on_stack(int64_t disp)
{
	return ir_mem((struct ir_mem){ .seg = SEG_SS, .base = RSP, .index = IR_NO_REG, .addr_width = 8, .how = ADDR_FLAT, .disp = disp });
}

static void
move_stack(struct maker *m, int64_t by)
{
	ir_op2(&m->ir, IR_lea, 8, ir_gpr(RSP), on_stack(by));
}

static void
make_stack_access(struct maker *m)
{
	unsigned width = 1u << below(m, 4);
	int64_t disp = (int64_t)below(m, chance(m, 90) ? 64 : 700) - 16;
	val reg = ir_gpr(below(m, 16));

	begin(m);
	switch (below(m, 6)) {
	case 0: /* push */
		ir_op2(&m->ir, IR_mov, 8, on_stack(-8), reg);
		move_stack(m, -8);
		break;
	case 1: /* pop */
		ir_op2(&m->ir, IR_mov, 8, temp(0), on_stack(0));
		move_stack(m, 8);
		ir_op2(&m->ir, IR_mov, 8, reg, temp(0));
		break;
	case 2:
		ir_op2(&m->ir, IR_mov, width, on_stack(disp), chance(m, 50) ? reg : ir_imm((int32_t)any64(m)));
		break;
	case 3:
		ir_op2(&m->ir, IR_mov, width, reg, on_stack(disp));
		break;
	case 4:
		ir_op2(&m->ir, IR_movzx, 8, reg, on_stack(disp))->src_width = width < 8 ? (uint8_t)width : 1;
		break;
	default:
		ir_op2(&m->ir, IR_xor, width, on_stack(disp), reg);
		m->undefined = FL_AF;
		break;
	}
}

/* A stack somewhere in memory, more often than not near the border of a page. */
static uint64_t
stack_pointer(struct maker *m)
{
	uint64_t page = GUEST_MEMORY + below(m, GUEST_PAGES) * GUEST_PAGE;
	uint64_t at = chance(m, 60) ? page + 64 - below(m, 128) : page + below(m, GUEST_PAGE);

	return chance(m, 90) ? at & ~7ull : at;
}

static void
make_block(struct maker *m)
{
	unsigned operations = 1 + below(m, 10);
	bool stack = chance(m, 40);

	ir_reset(&m->ir, RIP, 0, true);
	m->ir.slow_mem = chance(m, 5);
	m->ir.direct = chance(m, 50);
	m->undefined = 0;
	while (operations-- > 0 && ir_has_room(&m->ir) && m->ir.guests + 8 < IR_MAX_GUEST) {
		unsigned op = below(m, IR_cmpxchg8b + 2);

		if (stack && chance(m, 70))
			make_stack_access(m);
		else if (op > IR_cmpxchg8b)
			make_call(m);
		else if (host_has(op))
			make_operation(m, (enum ir_op)op);
	}
	make_end(m);
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
		native->f.gpr[RSP] = stack_pointer(m);
		native->f.direct_delta = chance(m, 70) ? (uint64_t)(uintptr_t)native->memory - GUEST_MEMORY : TCG_NO_DELTA;
		compare(m, native, interp);
	}
	guest_free(native);
	guest_free(interp);
	free(m);
}
END_TEST

/*
 * Flags that only a fault would show, as what comes behind the access overwrites them: each way that they can be made, each
 * kind of page, a load, a store, and accesses through rSP; those also by what overwrites the flags itself.
 */
static void
make_overwritten(struct maker *m, enum ir_op op, unsigned width, val src, unsigned access)
{
	val far = ir_mem((struct ir_mem){ .seg = SEG_DS, .base = 7, .index = IR_NO_REG, .addr_width = 8, .how = ADDR_FLAT });
	val memory = access & 2 ? on_stack(0) : far, rsi = ir_gpr(6);
	enum ir_op by = access < 4 ? IR_mov : access < 8 ? IR_sub : IR_test;

	ir_reset(&m->ir, RIP, 0, true);
	m->undefined = op == IR_and || op == IR_or || op == IR_xor || op == IR_test ? FL_AF : 0;
	begin(m);
	ir_op2(&m->ir, op, width, ir_gpr(3), src);
	begin(m);
	ir_op2(&m->ir, by, 8, access & 1 ? memory : rsi, access & 1 ? rsi : memory);
	begin(m);
	ir_op2(&m->ir, IR_add, 8, ir_gpr(2), ir_gpr(8));
	begin(m);
	ir_exit(&m->ir, RIP);
}

START_TEST(overwritten_flags_at_faults)
{
	enum { ACCESSES = 12 };
	static const enum ir_op ops[] = { IR_add, IR_sub, IR_cmp, IR_test, IR_and, IR_or, IR_xor };
	struct maker *m = xcalloc(1, sizeof(*m));
	struct guest *native = guest_new(ACCEL_NATIVE), *interp = guest_new(ACCEL_INTERP);
	const val sources[] = { ir_imm(1), ir_imm(-128), ir_imm(0x12345678), ir_gpr(1), ir_gpr(3) };

	m->random = 0x2545f4914f6cdd1dull;
	fill_memory(m, native);
	for (unsigned n = 0; n < ARRAY_SIZE(ops) * ARRAY_SIZE(sources) * 2 * ACCESSES * GUEST_PAGES; n++) {
		unsigned page = n % GUEST_PAGES, access = n / GUEST_PAGES % ACCESSES, rest = n / GUEST_PAGES / ACCESSES;
		unsigned width = rest % 2 == 0 ? 4 : 8, source = rest / 2 % ARRAY_SIZE(sources), op = rest / 2 / ARRAY_SIZE(sources);

		make_overwritten(m, ops[op], width, sources[source], access);
		random_state(m, native);
		native->f.gpr[7] = native->f.gpr[RSP] = GUEST_MEMORY + page * GUEST_PAGE + 64;
		compare(m, native, interp);
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
	tcase_add_test(t, overwritten_flags_at_faults);
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
