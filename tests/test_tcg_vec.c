/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector and x87 operations on the host's own against the interpreter's: every row of vec.def, every x87 instruction, on random
 * values with all exceptions masked.
 */
#include "tcg/vec.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "tests/tcg_random.h"

enum { BATCHES = 16, BLOCKS = 1500 };

/* ---- what the host can do ---- */

static bool
host_has_rows(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

/* ---- vectors ---- */

static val
vector_register(struct maker *m, unsigned kind)
{
	switch (kind) {
	case VEC_KIND_X:
		return ir_xmm(below(m, 16));
	case VEC_KIND_M:
		return ir_mm(below(m, 8));
	default:
		return ir_gpr(below(m, 16));
	}
}

/* The r/m operand, in memory or not, with the width that the row has then. */
static val
other_operand(struct maker *m, const struct vec_row *v, unsigned general, unsigned *width, struct address *a)
{
	/* Whether CVTPI2PS from memory makes x87 registers MMX ones differs from one maker to the other. */
	bool never = v->flags & VEC_REGS || v->form == VEC_EXT || v == &vec_rows[VEC_cvtpi2ps];
	bool memory = v->rm == VEC_KIND_N || (!never && chance(m, 40));
	bool write = v->form == VEC_MR;
	uint64_t linear;

	*width = 16;
	if (!memory)
		return vector_register(m, v->rm);
	*width = v->size != 0 ? v->size : general;
	linear = place(m, *width, write);
	if (v->flags & VEC_ALIGN && chance(m, 95))
		linear &= ~15ull;
	*a = address_of(m, linear);
	a->mem.align = v->flags & VEC_ALIGN ? 16 : 0;
	return ir_mem(a->mem);
}

/* Bytes to the address in an operand of its own. */
static void
masked_store(struct maker *m, const struct vec_row *v, unsigned row)
{
	unsigned width = v->reg == VEC_KIND_M ? 8 : 16;
	struct address a = address_of(m, place(m, width, true));
	struct ir_insn *i;

	begin(m);
	set_address_temps(m, &a);
	i = ir_emit(&m->ir, IR_vec, width, ir_mem(a.mem), vector_register(m, v->reg), vector_register(m, v->rm));
	i->sub = (uint16_t)row;
	i->src_width = 4;
	i->reads = i->writes = 0;
}

/* Flags: all that write them define all of them. */
static void
make_vector(struct maker *m, unsigned row)
{
	const struct vec_row *v = &vec_rows[row];
	unsigned general = v->flags & VEC_WIDE && chance(m, 50) ? 8 : 4, width;
	struct address a = { .base = ir_none(), .index = ir_none() };
	struct ir_insn *i;
	val reg, rm;

	if (v->form == VEC_MASK) {
		masked_store(m, v, row);
		return;
	}
	reg = vector_register(m, v->reg);
	rm = other_operand(m, v, general, &width, &a);
	begin(m);
	set_address_temps(m, &a);
	if (v->form == VEC_RM)
		i = ir_op2(&m->ir, IR_vec, width, reg, rm);
	else if (v->form == VEC_MR)
		i = ir_op2(&m->ir, IR_vec, width, rm, reg);
	else
		i = ir_op1(&m->ir, IR_vec, width, rm);
	i->sub = (uint16_t)row;
	i->aux = v->flags & VEC_IMM8 ? below(m, 256) : v->flags & VEC_IMM16 ? below(m, 65536) : 0;
	i->src_width = (uint8_t)general;
	i->reads = 0;
	i->writes = v->flags & VEC_FLAGS ? FL_ALL : 0;
}

/* ---- x87 ---- */

/* Opcode less D8h, ModRM.reg, bytes, written: the forms with memory, but for control words and whole states. */
static const struct {
	uint8_t opcode, reg, size, write;
} x87_memory[] = {
	{ 0, 0, 4, 0 }, { 0, 1, 4, 0 }, { 0, 2, 4, 0 }, { 0, 3, 4, 0 }, { 0, 4, 4, 0 }, { 0, 5, 4, 0 }, { 0, 6, 4, 0 }, { 0, 7, 4, 0 },
	{ 1, 0, 4, 0 }, { 1, 2, 4, 1 }, { 1, 3, 4, 1 }, { 1, 7, 2, 1 }, { 2, 0, 4, 0 }, { 2, 2, 4, 0 }, { 2, 4, 4, 0 }, { 2, 7, 4, 0 },
	{ 3, 0, 4, 0 }, { 3, 1, 4, 1 }, { 3, 2, 4, 1 }, { 3, 3, 4, 1 }, { 3, 5, 10, 0 }, { 3, 7, 10, 1 }, { 4, 0, 8, 0 }, { 4, 3, 8, 0 },
	{ 4, 5, 8, 0 }, { 4, 6, 8, 0 }, { 5, 0, 8, 0 }, { 5, 1, 8, 1 }, { 5, 2, 8, 1 }, { 5, 3, 8, 1 }, { 5, 7, 2, 1 }, { 6, 0, 2, 0 },
	{ 6, 1, 2, 0 }, { 6, 6, 2, 0 }, { 7, 0, 2, 0 }, { 7, 1, 2, 1 }, { 7, 2, 2, 1 }, { 7, 3, 2, 1 }, { 7, 4, 10, 0 }, { 7, 5, 8, 0 },
	{ 7, 6, 10, 1 }, { 7, 7, 8, 1 },
};

/* First and last ModRM of runs of register forms. */
static const struct {
	uint8_t opcode, first, last;
} x87_registers[] = {
	{ 0, 0xc0, 0xff }, { 1, 0xc0, 0xd0 }, { 1, 0xe0, 0xe1 }, { 1, 0xe4, 0xe5 }, { 1, 0xe8, 0xee }, { 1, 0xf0, 0xff }, { 2, 0xc0, 0xdf },
	{ 2, 0xe9, 0xe9 }, { 3, 0xc0, 0xdf }, { 3, 0xe2, 0xe3 }, { 3, 0xe8, 0xf7 }, { 4, 0xc0, 0xcf }, { 4, 0xe0, 0xff }, { 5, 0xc0, 0xc7 },
	{ 5, 0xd0, 0xef }, { 6, 0xc0, 0xcf }, { 6, 0xd9, 0xd9 }, { 6, 0xe0, 0xff }, { 7, 0xe0, 0xe0 }, { 7, 0xe8, 0xf7 },
};

static void
x87_on_memory(struct maker *m)
{
	unsigned n = below(m, ARRAY_SIZE(x87_memory)), size = x87_memory[n].size;
	struct address a = address_of(m, place(m, size == 10 ? 16 : size, x87_memory[n].write));
	struct ir_insn *i;

	begin(m);
	set_address_temps(m, &a);
	i = ir_op2(&m->ir, IR_x87, size, x87_memory[n].write ? ir_mem(a.mem) : ir_none(), x87_memory[n].write ? ir_none() : ir_mem(a.mem));
	i->sub = (uint16_t)(x87_memory[n].opcode << 8 | x87_memory[n].reg << 3);
	i->reads = i->writes = 0;
}

static void
make_x87(struct maker *m)
{
	unsigned n = below(m, ARRAY_SIZE(x87_registers)), opcode = x87_registers[n].opcode;
	unsigned modrm = x87_registers[n].first + below(m, x87_registers[n].last - x87_registers[n].first + 1u);
	struct ir_insn *i;

	if (chance(m, 40)) {
		x87_on_memory(m);
		return;
	}
	begin(m);
	i = ir_op1(&m->ir, IR_x87, opcode == 7 && modrm == 0xe0 ? 2 : 0, opcode == 7 && modrm == 0xe0 ? ir_gpr(RAX) : ir_none());
	i->sub = (uint16_t)(opcode << 8 | modrm);
	if (opcode != 2 && opcode != 3 && opcode != 7)
		i->reads = i->writes = 0;
}

/* ---- blocks ---- */

/* Integer operations between them move the flags about. */
static void
make_integer(struct maker *m)
{
	begin(m);
	switch (below(m, 3)) {
	case 0:
		ir_op2(&m->ir, IR_cmp, 8, ir_gpr(below(m, 16)), ir_gpr(below(m, 16)));
		break;
	case 1:
		ir_op1(&m->ir, IR_setcc, 1, ir_gpr(below(m, 16)))->cond = (uint8_t)below(m, 16);
		break;
	default:
		ir_op2(&m->ir, IR_adc, 4, ir_gpr(below(m, 16)), ir_imm((int8_t)any64(m)));
		break;
	}
}

static void
make_block(struct maker *m, bool x87, unsigned row)
{
	unsigned operations = 1 + below(m, 8);

	ir_reset(&m->ir, RIP, 0, true);
	m->ir.native_sse = chance(m, 95);
	m->ir.native_x87 = chance(m, 95);
	m->undefined = 0;
	if (!x87)
		make_vector(m, row);
	while (operations-- > 0) {
		if (chance(m, 30))
			make_integer(m);
		else if (x87)
			make_x87(m);
		else
			make_vector(m, below(m, VEC_ROWS));
	}
	begin(m);
	ir_exit(&m->ir, RIP);
}

static void
run(unsigned batch, bool x87)
{
	struct maker *m = xcalloc(1, sizeof(*m));
	struct guest *native = guest_new(ACCEL_NATIVE), *interp = guest_new(ACCEL_INTERP);

	m->random = 0x9e3779b97f4a7c15ull * (batch + 1);
	fill_memory(m, native);
	for (unsigned n = 0; n < BLOCKS; n++) {
		make_block(m, x87, n % VEC_ROWS);
		random_state(m, native);
		compare(m, native, interp);
	}
	guest_free(native);
	guest_free(interp);
	free(m);
}

START_TEST(vectors_are_as_interpreted)
{
	if (host_has_rows())
		run((unsigned)_i, false);
}
END_TEST

START_TEST(x87_is_as_interpreted)
{
	run((unsigned)_i, true);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("vectors on the host");
	TCase *t = tcase_create("random blocks");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, vectors_are_as_interpreted, 0, BATCHES);
	tcase_add_loop_test(t, x87_is_as_interpreted, 0, BATCHES);
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
