/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IR: its text form (golden texts under tests/ir), its verifier, the pass over flags; blocks and their links. */
#include "tcg/tcg.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "tests/tcg_guest.h"

enum { TEXT = 65536 };

/* ---- texts ---- */

static uint64_t
helper_add(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	(void)f;
	return a + b + aux;
}

/* Counts in a field that the tests' blocks don't use. */
static uint64_t
helper_count(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	f->k[2] += aux + a + b;
	return 0;
}

static const struct ir_helper add = { "add", helper_add, false }, nothing = { "nothing", helper_add, false };
static const struct ir_helper count = { "count", helper_count, false };
static const struct ir_helper *const helpers[] = { &add, &nothing, &count, NULL };

static char *
print(const struct ir *ir)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	ir_print(ir, to);
	fclose(to);
	return text;
}

static struct ir *
parse(const char *text)
{
	struct ir *ir = xcalloc(1, sizeof(*ir));
	char why[200] = "";

	ck_assert_msg(ir_parse(ir, text, helpers, why, sizeof(why)), "%s", why);
	return ir;
}

static char *
golden(const char *name)
{
	const char *dir = getenv("srcdir");
	char path[4096], *text = xcalloc(1, TEXT);
	FILE *from;

	snprintf(path, sizeof(path), "%s/tests/ir/%s.txt", dir != NULL ? dir : ".", name);
	from = fopen(path, "r");
	ck_assert_msg(from != NULL, "%s is missing", path);
	ck_assert(fread(text, 1, TEXT - 1, from) > 0);
	fclose(from);
	return text;
}

static const char *const goldens[] = { "integer", "segments", "vector", "exit", "call" };

START_TEST(text_comes_back)
{
	char *text = golden(goldens[_i]), *again;
	struct ir *ir = parse(text);

	again = print(ir);
	ck_assert_str_eq(again, text);
	ck_assert_ptr_eq(ir_verify(ir), NULL);
	free(ir);
	free(again);
	free(text);
}
END_TEST

START_TEST(every_operation_has_a_text)
{
	bool seen[IR_OPS] = { false };

	for (unsigned n = 0; n < ARRAY_SIZE(goldens); n++) {
		char *text = golden(goldens[n]);
		struct ir *ir = parse(text);

		for (unsigned k = 0; k < ir->count; k++)
			seen[ir->insn[k].op] = true;
		free(ir);
		free(text);
	}
	for (unsigned op = 0; op < IR_OPS; op++)
		ck_assert_msg(seen[op], "no golden text has %s", ir_op_name(op));
}
END_TEST

#define BEGIN "block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n"
#define END "  exit.8 to 0x1004\n"

static const struct {
	const char *text, *why;
} unreadable[] = {
	{ "", "no block" },
	{ "add.4 rax, rbx\n", "'block' expected" },
	{ BEGIN "  foo.4 rax\n", "no such operation" },
	{ BEGIN "  add rax\n", "an operation and its width" },
	{ BEGIN "  add.4 rax, rxx\n", "no such word: 'rxx'" },
	{ BEGIN "  add.4 rax, [zs flat.8 rax]\n", "a segment expected" },
	{ BEGIN "  add.4 rax, [ds flat rax]\n", "flat.8 or the like" },
	{ BEGIN "  add.4 rax, [ds flat.8 rax*3]\n", "no such scale" },
	{ BEGIN "  add.4 rax, [ds flat.8 rax fit 3]\n", "'size' expected" },
	{ BEGIN "  call.8 t0, t1, t2 what\n", "no such helper" },
	{ BEGIN "  vec.16 xmm0, xmm1 what\n", "no such vector instruction" },
	{ BEGIN "  setcc.1 rax if x\n", "no such condition" },
	{ BEGIN "  call_if.4 @0x188 what sub 0x1\n", "no such helper" },
	{ BEGIN "  call_if.4 @0x188 add aux 0x1\n", "'sub' expected" },
	{ BEGIN "  x87.0 sub 0x3e9 reads Q\n", "no such flag" },
	{ BEGIN "  jmp.8 to rax\n", "a number" },
	{ BEGIN "  add.4 rax, @0x10000\n", "no such word" },
	{ "block 0x1000 cs_base 0x0 what\n", "'what' was not expected" },
};

START_TEST(what_is_no_text)
{
	struct ir *ir = xcalloc(1, sizeof(*ir));
	char why[200] = "";

	ck_assert(!ir_parse(ir, unreadable[_i].text, helpers, why, sizeof(why)));
	ck_assert_msg(strstr(why, unreadable[_i].why) != NULL, "'%s' is not about '%s'", why, unreadable[_i].why);
	free(ir);
}
END_TEST

/* ---- the verifier ---- */

static const struct {
	const char *text, *why;
} refused[] = {
	{ "block 0x0 cs_base 0x0\n", "an empty block" },
	{ BEGIN "  add.4 rax, rbx\n", "no end" },
	{ BEGIN END "  add.4 rax, rbx\n" END, "behind the end" },
	{ BEGIN "  jcc.8 if e to 0x1000\n" END, "right before the final jmp" },
	{ "block 0x1000 cs_base 0x0\n" END, "of no guest instruction" },
	{ BEGIN "  mov.8 [ds flat.8 rax], [ds flat.8 rbx]\n" END, "two memory operands" },
	{ BEGIN "  add.4 0x1, rax\n" END, "does not take" },
	{ BEGIN "  add.4 rax\n" END, "does not take" },
	{ BEGIN "  add.4 rax, rbx, rcx\n" END, "does not take" },
	{ BEGIN "  add.4 xmm0, rax\n" END, "does not take" },
	{ BEGIN "  imul2.4 ah, rax\n" END, "does not take" },
	{ BEGIN "  cmpxchg8b.8 rax\n" END, "does not take" },
	{ BEGIN "  call.8 [ds flat.8 rax], rbx add\n" END, "does not take" },
	{ BEGIN "  call.8 t0, 0x1 add\n" END, "does not take" },
	{ BEGIN "  add.3 rax, rbx\n" END, "a width" },
	{ BEGIN "  add.16 rax, rbx\n" END, "a width" },
	{ BEGIN "  bt.1 rax, rbx\n" END, "a width" },
	{ BEGIN "  cmpxchg8b.4 [ds flat.8 rax]\n" END, "a width" },
	{ BEGIN "  add.4 ah, 0x1\n" END, "a high byte" },
	{ BEGIN "  add.4 rax, bh\n" END, "a high byte" },
	{ BEGIN "  movzx.4 rax, bh from 2\n" END, "a high byte" },
	{ BEGIN "  movzx.4 rax, rbx from 4\n" END, "does not extend" },
	{ BEGIN "  movsx.4 rax, rbx\n" END, "does not extend" },
	{ BEGIN "  add.4 rax, rbx lock\n" END, "atomic" },
	{ BEGIN "  mov.4 [ds flat.8 rax], rbx lock\n" END, "atomic" },
	{ BEGIN "  shl.4 rax, rdx\n" END, "a shift count" },
	{ BEGIN "  shld.4 rax, rbx, rdx\n" END, "a shift count" },
	{ BEGIN "  add.4 rax, [ds flat.1 rax]\n" END, "2, 4 or 8 bytes" },
	{ BEGIN "  add.4 rax, [ds checked.8 rax]\n" END, "with a limit" },
	{ BEGIN "  imul3.8 rax, rbx, 0x80000000\n" END, "a factor" },
	{ BEGIN "  add.4 rax, [ds flat.8 rax align 3]\n" END, "power of 2" },
	{ BEGIN "  add.4 rax, [ds flat.8 rax+rbx*1+0x80000000]\n" END, "displacement of 64 bits" },
	{ BEGIN "  add.4 rax, t0\n" END, "before it is written" },
	{ BEGIN "  add.4 t0, rax\n" END, "before it is written" },
	{ BEGIN "  mov.4 t0, rax\n  mov.8 rbx, t0\n" END, "or wider" },
	{ BEGIN "  mov.4 t0, rax\n  mov.4 rbx, [ds flat.8 t0]\n" END, "an address needs" },
	{ BEGIN "  mov.4 rax, [ds flat.8 rax+t5*1]\n" END, "an address needs" },
	{ BEGIN "  mov.8 t0, rax\ninsn 0x1004 len 4\n  mov.8 rbx, t0\n" END, "before it is written" },
	{ BEGIN "  vec.16 xmm0, rax addps from 4\n" END, "operands" },
	{ BEGIN "  vec.16 mm0, mm1 addps from 4\n" END, "operands" },
	{ BEGIN "  vec.16 [ds flat.8 rax], xmm1 addps from 4\n" END, "operands" },
	{ BEGIN "  vec.8 xmm0, [ds flat.8 rax] addps from 4\n" END, "a width" },
	{ BEGIN "  vec.16 xmm0, xmm1 addps\n" END, "4 or 8 bytes" },
	{ BEGIN "  vec.16 xmm16, xmm1 addps from 4\n" END, "only an EVEX prefix" },
	{ BEGIN "  call_if.4 rax nothing sub 0x1\n" END, "does not take" },
	{ BEGIN "  call_if.4 @0x188 nothing sub 0x0\n" END, "never happens" },
	{ BEGIN "  keep_bits.4 rax, 0x1\n" END, "does not take" },
	{ BEGIN "  set_bits.8 @0x188, 0x80000000\n" END, "a mask" },
	{ BEGIN "  set_bits.4 t0, 0x1\n" END, "before it is written" },
	{ BEGIN "  x87.8 sub 0x400\n" END, "where x87 has" },
	{ BEGIN "  x87.8 [ds flat.8 rax] sub 0x4c0\n" END, "where x87 has" },
	{ BEGIN "  x87.0 sub 0x8c0\n" END, "no such x87" },
	{ BEGIN "  add.4 rax, rbx near_call\n" END, "a hint" },
	{ BEGIN "  add.4 rax, rbx rip_set\n" END, "RIP_SET" },
};

START_TEST(what_is_no_block)
{
	struct ir *ir = parse(refused[_i].text);
	const char *why = ir_verify(ir);

	ck_assert_msg(why != NULL, "passed: %s", refused[_i].text);
	ck_assert_msg(strstr(why, refused[_i].why) != NULL, "'%s' is not about '%s' in %s", why, refused[_i].why, refused[_i].text);
	free(ir);
}
END_TEST

/* ---- flags ---- */

/* A text, and the operations (a digit each, from 0) whose flags are live. */
static const struct {
	const char *text, *live;
} passes[] = {
	{ BEGIN "  add.4 rax, rbx\n" END, "1" },
	{ BEGIN "  add.4 rax, rbx\n  sub.4 rax, rbx\n" END, "2" },
	{ BEGIN "  add.4 rax, rbx\n  adc.4 rax, rbx\n" END, "12" },
	{ BEGIN "  add.4 rax, rbx\n  setcc.1 rcx if e\n  sub.4 rax, rbx\n" END, "13" },
	{ BEGIN "  add.4 rax, rbx\n  inc.4 rax\n" END, "12" },
	{ BEGIN "  inc.4 rax\n  add.4 rax, rbx\n" END, "2" },
	/* a shift by 0 leaves them all */
	{ BEGIN "  add.4 rax, rbx\n  shl.4 rax, rcx\n" END, "12" },
	/* what can fault shows them */
	{ BEGIN "  add.4 rax, rbx\n  mov.4 rcx, [ds flat.8 rax]\n  sub.4 rax, rbx\n" END, "13" },
	{ BEGIN "  add.4 rax, rbx\n  div.4 rcx\n" END, "12" },
	{ BEGIN "  add.4 rax, rbx\n  lea.4 rcx, [ds flat.8 rax]\n  sub.4 rax, rbx\n" END, "3" },
	{ BEGIN "  getflags.4 rax\n  sub.4 rax, rbx\n  setflags.4 rax\n" END, "3" },
	{ BEGIN "  add.4 rax, rbx\n  clc.1\n  sahf.1 ah\n" END, "13" },
};

START_TEST(live_flags)
{
	struct ir *ir = parse(passes[_i].text);

	ir_pass_flags(ir);
	for (unsigned n = 0; n < ir->count; n++) {
		bool live = (ir->insn[n].attr & IR_FLAGS_LIVE) != 0, wanted = strchr(passes[_i].live, '0' + (int)n) != NULL;

		ck_assert_msg(live == wanted, "operation %u (%s) of %s", n, ir_op_name(ir->insn[n].op), passes[_i].text);
	}
	free(ir);
}
END_TEST

/* ---- blocks ---- */

static const enum tcg_accel accels[] = { ACCEL_NATIVE, ACCEL_INTERP };

/* Blocks by address, each a text; what they count is in rcx. */
static const struct guest_text program[] = {
	{ 0x1000, "block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n  add.8 rcx, 0x1\n  jmp.8 to 0x1100\n" },
	{ 0x1100, "block 0x1100 cs_base 0x0 mode64\ninsn 0x1100 len 4\n  cmp.8 rcx, 0x64\n"
		  "  jcc.8 if b to 0x1000\n  jmp.8 to 0x2000\n" },
	{ 0x2000, "block 0x2000 cs_base 0x0 mode64\ninsn 0x2000 len 4\n  mov.8 rdx, 0x3000\n  jind.8 rdx\n" },
	{ 0x3000, "block 0x3000 cs_base 0x0 mode64\ninsn 0x3000 len 4\n  add.8 rsi, 0x1\n  mov.8 rcx, 0x0\n"
		  "  cmp.8 rsi, 0x3\n  jcc.8 if b to 0x1000\n  jmp.8 to 0x4000\n" },
	{ 0x4000, "block 0x4000 cs_base 0x0 mode64\ninsn 0x4000 len 4\n  exit.8 to 0x5000\n" },
	{ 0, NULL },
};

START_TEST(a_program_runs)
{
	struct guest *g = guest_new(accels[_i]);

	g->program = program;
	g->f.rip = 0x1000;
	guest_run(g, 0x5000, 10000);
	ck_assert_uint_eq(g->f.rip, 0x5000);
	ck_assert_uint_eq(g->f.gpr[6], 3);
	ck_assert_uint_eq(g->f.gpr[1], 0);
	ck_assert_uint_eq(tcg_stats(g->tcg).blocks, 5);
	guest_free(g);
}
END_TEST

/* Bits of fields and temporaries change, and a helper is called if it has to be, with the flags as they were before. */
START_TEST(bits_and_flags)
{
	const uint64_t fields = offsetof(struct tcg_frame, k);
	struct guest *g = guest_new(accels[_i % 2]);
	char text[600];
	struct ir *ir;

	snprintf(text, sizeof(text), BEGIN "  cmp.8 rax, rbx\n  call_if.4 @%#zx count sub 0x8001 aux 0x7\n"
		"  setcc.1 rdx if b\n  mov.8 t0, rsi\n  keep_bits.8 t0, 0xfffffffffffffdff\n  set_bits.8 t0, 0x40\n"
		"  set_bits.4 @%#zx, 0x200\n  setcc.1 rcx if b\n  keep_bits.4 @%#zx, 0xfffffffffffffeff\n  mov.8 rdi, t0\n"
		"  exit.8 to 0x5000\n", fields, fields + 8, fields + 8);
	ir = parse(text);
	ck_assert_ptr_null(ir_verify(ir));
	ir_pass_flags(ir);
	g->f.gpr[0] = _i / 2 % 2;
	g->f.gpr[3] = 1;
	g->f.gpr[6] = ~0x40ull;
	g->f.k[0] = _i & 4 ? 0x8000 : 0x7ffe;
	g->f.k[1] = 0x5550000055500155;
	guest_run_block(g, ir);
	ck_assert_uint_eq(g->f.gpr[2] & 0xff, g->f.gpr[0] < 1);
	ck_assert_uint_eq(g->f.gpr[1] & 0xff, g->f.gpr[0] < 1);
	ck_assert_uint_eq(flags_to_eflags(g->f.flags) & FL_CF, g->f.gpr[0] < 1);
	ck_assert_uint_eq(g->f.gpr[7], ~0x200ull);
	ck_assert_uint_eq(g->f.k[1], 0x5550000055500255);
	ck_assert_uint_eq(g->f.k[2], _i & 4 ? 7 : 0);
	free(ir);
	guest_free(g);
}
END_TEST

START_TEST(chains_are_followed)
{
	struct guest *g = guest_new(ACCEL_NATIVE);

	g->program = program;
	g->f.rip = 0x1000;
	guest_run(g, 0x5000, 10000);
	/* Each block comes back to the loop when it is new or its jump is, and no more. */
	ck_assert_uint_le(g->entered, 12);
	ck_assert_uint_ge(tcg_stats(g->tcg).chained, 4);
	guest_free(g);
}
END_TEST

START_TEST(pending_ends_a_chain)
{
	char text[400];
	struct guest_text forever[] = { { 0x1000, text }, { 0, NULL } };
	struct guest *g = guest_new(ACCEL_NATIVE);

	snprintf(text, sizeof(text),
		"block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n  add.8 rcx, 0x1\n  cmp.8 rcx, 0x2710\n"
		"  setcc.1 rdx if ae\n  mov.1 @%#zx, rdx\n  jmp.8 to 0x1000\n",
		offsetof(struct tcg_frame, pending));
	g->program = forever;
	g->f.rip = 0x1000;
	guest_run(g, 0x5000, 100);
	ck_assert_int_eq(g->how, TCG_PENDING);
	ck_assert_uint_eq(g->f.rip, 0x1000);
	ck_assert_uint_eq(g->f.gpr[1], 10000);
	guest_free(g);
}
END_TEST

START_TEST(dropped_blocks_are_made_again)
{
	static const struct guest_text other[] = {
		{ 0x1000, "block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n  mov.8 rcx, 0x7\n  jmp.8 to 0x1100\n" },
		{ 0x1100, "block 0x1100 cs_base 0x0 mode64\ninsn 0x1100 len 4\n  jmp.8 to 0x5000\n" },
		{ 0, NULL },
	};
	struct guest *g = guest_new(accels[_i]);

	g->program = program;
	g->f.rip = 0x1000;
	guest_run(g, 0x5000, 10000);
	ck_assert(tcg_page_has_code(g->tcg, 0x1000));
	ck_assert(tcg_hits_code(g->tcg, 0x1000, 1));
	ck_assert(!tcg_hits_code(g->tcg, 0x1040, 0x40));
	/* One of its bytes is written; the other block of the page stays. */
	g->program = other;
	tcg_invalidate(g->tcg, 0x1003, 1);
	ck_assert(!tcg_hits_code(g->tcg, 0x1000, 4));
	ck_assert(tcg_hits_code(g->tcg, 0x1100, 4));
	g->f.rip = 0x1000;
	tcg_invalidate(g->tcg, 0x1100, 4);
	guest_run(g, 0x5000, 10000);
	ck_assert_uint_eq(g->f.gpr[1], 7);
	tcg_flush(g->tcg);
	ck_assert(!tcg_page_has_code(g->tcg, 0x1000));
	guest_free(g);
}
END_TEST

/* From one page to another and back, at the top of the address space; counts in rcx. */
static const struct guest_text far_program[] = {
	{ 0xffffffff81000000, "block 0xffffffff81000000 cs_base 0x0 mode64\ninsn 0xffffffff81000000 len 4\n"
			      "  add.8 rcx, 0x1\n  jmp.8 to 0xffffffff81002ffe\n" },
	{ 0xffffffff81002ffe, "block 0xffffffff81002ffe cs_base 0x0 mode64\ninsn 0xffffffff81002ffe len 4\n"
			      "  cmp.8 rcx, rdx\n  jcc.8 if b to 0xffffffff81000000\n  jmp.8 to 0x5000\n" },
	{ 0, NULL },
};

/* A block is entered only while its pages are the frames that it was made from. */
START_TEST(another_frame_is_noticed)
{
	const uint64_t start = 0xffffffff81000000, second = start + 0x3000;
	struct guest *g = guest_new(ACCEL_NATIVE);

	g->program = far_program;
	g->f.gpr[2] = 100;
	g->f.rip = start;
	guest_run(g, 0x5000, 1000);
	ck_assert_uint_eq(g->f.gpr[1], 100);
	ck_assert_uint_le(g->entered, 6);
	for (unsigned n = 0; n < 3; n++) {
		const uint64_t changed[] = { start, start + 0x2000, second };

		guest_map(g, changed[n], 0x777000);
		g->f.gpr[1] = 0;
		g->f.rip = start;
		guest_run(g, 0x5000, 1000);
		/* The jump into that page leaves each time, and the other one goes on. */
		ck_assert_uint_eq(g->f.gpr[1], 100);
		ck_assert_uint_ge(g->entered, 100);
		guest_map(g, changed[n], guest_phys(changed[n]));
	}
	g->f.gpr[1] = 0;
	g->f.rip = start;
	guest_run(g, 0x5000, 1000);
	ck_assert_uint_le(g->entered, 3);
	guest_free(g);
}
END_TEST

/* A block from the end of a frame to its start: the next page is the same frame. */
START_TEST(one_frame_twice)
{
	struct guest *g = guest_new(accels[_i]);

	g->one_frame = true;
	g->program = far_program;
	for (unsigned n = 0; n < 3; n++) {
		g->f.gpr[1] = 0;
		g->f.gpr[2] = 5;
		g->f.rip = 0xffffffff81000000;
		guest_run(g, 0x5000, 1000);
		ck_assert_uint_eq(g->f.gpr[1], 5);
		ck_assert(tcg_hits_code(g->tcg, 0x2000, 1));
		ck_assert(tcg_hits_code(g->tcg, 0x2fff, 1));
		ck_assert(!tcg_hits_code(g->tcg, 0x2040, 0xf80));
		if (n == 0)
			tcg_invalidate(g->tcg, 0x2001, 1);
		else
			tcg_flush(g->tcg);
		ck_assert(!tcg_page_has_code(g->tcg, 0x2000));
	}
	guest_free(g);
}
END_TEST

/* One frame under many addresses: dropping a block costs no look at all the others. */
START_TEST(many_blocks_of_a_page)
{
	struct guest *g = guest_new(ACCEL_NATIVE);
	struct ir *ir = xcalloc(1, sizeof(*ir));
	char why[200] = "";

	ck_assert_msg(ir_parse(ir, program[4].text, NULL, why, sizeof(why)), "%s", why);
	g->prepared = ir;
	for (uint64_t n = 0; n < 60000; n++) {
		struct tcg_key key = { .phys = 0x4000 + (n & 7) * 64, .rip = n << 24 | 0x4000 };

		ck_assert_ptr_nonnull(tcg_translate(g->tcg, &g->f, &key, 0, true));
	}
	ck_assert_uint_gt(tcg_stats(g->tcg).invalidated, 5000);
	tcg_invalidate(g->tcg, 0x4040, 1);
	ck_assert(!tcg_hits_code(g->tcg, 0x4040, 64));
	ck_assert(tcg_hits_code(g->tcg, 0x4080, 64));
	tcg_invalidate(g->tcg, 0x4000, 4096);
	ck_assert(!tcg_page_has_code(g->tcg, 0x4000));
	free(ir);
	guest_free(g);
}
END_TEST

/* A page that is written all over holds no code any more: the rest goes at once.  One that code is made in between is left alone. */
START_TEST(recycled_page)
{
	struct guest *g = guest_new(ACCEL_NATIVE);
	struct ir *ir = xcalloc(1, sizeof(*ir));
	char why[200] = "";

	ck_assert_msg(ir_parse(ir, program[4].text, NULL, why, sizeof(why)), "%s", why);
	g->prepared = ir;
	for (uint64_t n = 0; n < 64; n++) {
		struct tcg_key key = { .phys = 0x4000 + n * 64, .rip = key.phys };

		tcg_translate(g->tcg, &g->f, &key, 0, true);
	}
	for (unsigned n = 0; n < 20; n++) {
		struct tcg_key key = { .phys = 0x4000, .rip = 0x4000 };

		tcg_invalidate(g->tcg, 0x4000, 8);
		ck_assert(tcg_hits_code(g->tcg, 0x4fc0, 64));
		tcg_translate(g->tcg, &g->f, &key, 0, true);
	}
	/* Data between the blocks. */
	for (unsigned n = 0; n < 64; n++)
		tcg_invalidate(g->tcg, 0x4000 + 64 * n + 60, 4);
	ck_assert_uint_eq(tcg_stats(g->tcg).invalidated, 20);
	for (unsigned n = 0; n < 7; n++)
		tcg_invalidate(g->tcg, 0x4000 + 64 * n, 64);
	for (unsigned n = 0; n < 64; n++)
		tcg_invalidate(g->tcg, 0x4f7c, 4);
	ck_assert(tcg_hits_code(g->tcg, 0x4fc0, 64));
	tcg_invalidate(g->tcg, 0x4000 + 64 * 7, 64);
	ck_assert(!tcg_page_has_code(g->tcg, 0x4000));
	free(ir);
	guest_free(g);
}
END_TEST

/* Any address may be the target of an indirect jump, what marks an empty line of the jump cache too. */
START_TEST(odd_targets)
{
	static const uint64_t targets[] = { 0, 1, 2, 3, 0xfff, 0x1000001, ~0ull };
	static const struct guest_text jump[] = {
		{ 0x1000, "block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n  jind.8 rax\n" },
		{ 0, NULL },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(targets); n++) {
		struct guest *g = guest_new(ACCEL_NATIVE);

		g->program = jump;
		g->f.rip = 0x1000;
		g->f.gpr[0] = targets[n];
		guest_run(g, targets[n], 1);
		ck_assert_uint_eq(g->f.rip, targets[n]);
		guest_free(g);
	}
}
END_TEST

/* Targets of one line of the jump cache, by turns: two are found there, a third is looked up now and then. */
START_TEST(jumps_with_one_line)
{
	static const struct guest_text jumps[] = {
		{ 0x1000, "block 0x1000 cs_base 0x0 mode64\ninsn 0x1000 len 4\n  add.8 rcx, 0x1\n  jind.8 rax\n" },
		{ 0x5001, "block 0x5001 cs_base 0x0 mode64\ninsn 0x5001 len 4\n  mov.8 rsi, 0x1000\n  cmp.8 rcx, 0x3e8\n"
			  "  cmovcc.8 rsi, rdi if ae\n  jind.8 rsi\n" },
		{ 0x9002, "block 0x9002 cs_base 0x0 mode64\ninsn 0x9002 len 4\n  mov.8 rsi, 0x5001\n  jind.8 rsi\n" },
		{ 0, NULL },
	};
	struct guest *g = guest_new(accels[_i]);

	g->program = jumps;
	for (unsigned third = 0; third < 2; third++) {
		g->f.gpr[0] = third ? 0x9002 : 0x5001;
		g->f.gpr[1] = 0;
		g->f.gpr[7] = 0x2000;
		g->f.rip = 0x1000;
		g->entered = 0;
		guest_run(g, 0x2000, 5000);
		ck_assert_uint_eq(g->f.rip, 0x2000);
		ck_assert_uint_eq(g->f.gpr[1], 1000);
		ck_assert_uint_le(g->entered, third ? 2000 : 8);
	}
	/* A block that is dropped is in neither line. */
	tcg_flush(g->tcg);
	g->f.gpr[1] = 0;
	g->f.rip = 0x1000;
	guest_run(g, 0x2000, 5000);
	ck_assert_uint_eq(g->f.gpr[1], 1000);
	guest_free(g);
}
END_TEST

/* A store by a mask whose last element's page can't be written writes none of the others; the two runs have a gap. */
static const struct {
	const char *text;
	uint64_t at;
	unsigned bytes, size;
} masked_stores[] = {
	{ BEGIN "  avx.32 [ds flat.8 rsi], xmm2, xmm1 vmaskmovps_st from 4 aux 0x10000 reads - writes -\n" END, 0x17ff0, 32, 4 },
	{ BEGIN "  avx.16 [ds flat.8 rsi], xmm2, xmm1 vpmaskmovq_st from 4 aux 0x0 reads - writes -\n" END, 0x17ff8, 16, 8 },
	{ BEGIN "  vec.16 [ds flat.8 rsi], xmm1, xmm2 maskmovdqu from 4 aux 0x0 reads - writes -\n" END, 0x17ff8, 16, 1 },
};

START_TEST(masked_store_is_whole)
{
	unsigned n = (unsigned)_i / 2, bytes = masked_stores[n].bytes, size = masked_stores[n].size;
	struct guest *g = guest_new(_i & 1 ? ACCEL_NATIVE : ACCEL_INTERP);
	uint8_t *at = g->memory + masked_stores[n].at - GUEST_MEMORY;
	struct ir *ir = parse(masked_stores[n].text);

	memset(g->f.vec[1], 0x55, bytes);
	g->f.vec[2][size - 1] = g->f.vec[2][bytes - 1] = 0x80;
	g->f.gpr[6] = masked_stores[n].at;
	guest_run_block(g, ir);
	ck_assert_int_eq(g->fault, FAULT_PAGE);
	for (unsigned k = 0; k < bytes; k++)
		ck_assert_uint_eq(at[k], 0);
	/* In one page it writes them. */
	g->f.gpr[6] -= 64;
	guest_run_block(g, ir);
	ck_assert_int_eq(g->fault, FAULT_NONE);
	at -= 64;
	ck_assert_uint_eq(at[0], 0x55);
	ck_assert_uint_eq(at[size], size == bytes / 2 ? 0x55 : 0);
	ck_assert_uint_eq(at[bytes - 1], 0x55);
	free(ir);
	guest_free(g);
}
END_TEST

/* Where the host has it, vectors are not the interpreter's. */
static const struct {
	const char *text;
	bool avx512;
} native[] = {
	{ BEGIN "  vec.16 xmm0, xmm1 addps from 4 reads - writes -\n" END, false },
	{ BEGIN "  vec.16 xmm0, xmm15 paddd from 4 reads - writes -\n" END, false },
	{ BEGIN "  evex.16 xmm17, xmm2, xmm3 vpaddd from 4 aux 0x4a00 reads - writes -\n" END, true },
	{ BEGIN "  evex.16 k3, xmm2, xmm31 vpcmpeqd from 4 aux 0x4000 reads - writes -\n" END, true },
	{ BEGIN "  avx.16 k1, k2 knotw from 4 reads - writes -\n" END, true },
};

START_TEST(vectors_are_native)
{
	static const struct tcg_options options = { .accel = ACCEL_NATIVE };
	struct guest *g = guest_new(ACCEL_NATIVE);
	struct ir *ir = parse(native[_i].text);

	guest_run_block(g, ir);
	if (!native[_i].avx512 || tcg_native_avx512(&options) & TCG_AVX512)
		ck_assert_uint_eq(g->f.slow_ops, 0);
	free(ir);
	guest_free(g);
}
END_TEST

/* Elements 15 and 0 of sixteen, the first time through a page that isn't in the tables yet. */
static const struct {
	const char *text;
	bool scatters;
} gathers[] = {
	{ BEGIN "  avx.4 xmm1, xmm2, [ds flat.8 rsi] vpgatherdd from 4 aux 0x10500 reads - writes -\n" END, false },
	{ BEGIN "  evex.4 xmm1, [ds flat.8 rsi] vpgatherdd from 4 aux 0x2a200 reads - writes -\n" END, false },
	{ BEGIN "  evex.4 [ds flat.8 rsi], xmm1 vpscatterdd from 4 aux 0x2a200 reads - writes -\n" END, true },
};

START_TEST(gathers_are_native)
{
	static const struct tcg_options options = { .accel = ACCEL_NATIVE };
	struct guest *g = guest_new(ACCEL_NATIVE);
	struct ir *ir = parse(gathers[_i].text);
	const uint32_t indices[8] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	uint64_t slow_ops = 0;

	for (unsigned round = 0; round < 2; round++) {
		uint32_t *words = (uint32_t *)(g->memory + 0x100), *data = (uint32_t *)g->f.vec[1];

		for (unsigned n = 0; n < 8; n++) {
			words[n] = 100 + n;
			data[n] = 200 + n;
			memset(g->f.vec[2] + 4 * n, n == 3 ? 0x7f : 0x80, 4);
		}
		memcpy(g->f.vec[5], indices, sizeof(indices));
		g->f.k[2] = 0xf7;
		g->f.gpr[6] = GUEST_MEMORY + 0x100;
		slow_ops = g->f.slow_ops;
		guest_run_block(g, ir);
		/* Bytes apart, as its scale is 1. */
		for (unsigned n = 0; n < 8; n++) {
			uint32_t v;

			memcpy(&v, (uint8_t *)words + indices[n], 4);
			if (!gathers[_i].scatters)
				ck_assert_uint_eq(data[n], n == 3 ? 203 : v);
		}
		if (gathers[_i].scatters) {
			ck_assert_uint_eq(*(uint8_t *)words, 207);
			ck_assert_uint_eq(((uint8_t *)words)[4], 0);
			ck_assert_uint_eq(((uint8_t *)words)[7], 0);
		}
		ck_assert_uint_eq(g->f.vec[2][3] & (_i == 0 ? 0x80 : 0), 0);
		ck_assert_uint_eq(g->f.k[2], _i == 0 ? 0xf7 : 0);
	}
	if (tcg_native_avx512(&options) & TCG_AVX512)
		ck_assert_uint_eq(g->f.slow_ops, slow_ops);
	free(ir);
	guest_free(g);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("tcg");
	TCase *text = tcase_create("text"), *blocks = tcase_create("blocks");

	tcase_add_loop_test(text, text_comes_back, 0, ARRAY_SIZE(goldens));
	tcase_add_test(text, every_operation_has_a_text);
	tcase_add_loop_test(text, what_is_no_text, 0, ARRAY_SIZE(unreadable));
	tcase_add_loop_test(text, what_is_no_block, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(text, live_flags, 0, ARRAY_SIZE(passes));
	suite_add_tcase(s, text);
	tcase_add_loop_test(blocks, a_program_runs, 0, ARRAY_SIZE(accels));
	tcase_add_loop_test(blocks, bits_and_flags, 0, 8);
	tcase_add_test(blocks, chains_are_followed);
	tcase_add_test(blocks, pending_ends_a_chain);
	tcase_add_loop_test(blocks, dropped_blocks_are_made_again, 0, ARRAY_SIZE(accels));
	tcase_add_test(blocks, another_frame_is_noticed);
	tcase_add_loop_test(blocks, one_frame_twice, 0, ARRAY_SIZE(accels));
	tcase_add_test(blocks, many_blocks_of_a_page);
	tcase_add_test(blocks, recycled_page);
	tcase_add_test(blocks, odd_targets);
	tcase_add_loop_test(blocks, jumps_with_one_line, 0, ARRAY_SIZE(accels));
	tcase_add_loop_test(blocks, masked_store_is_whole, 0, 2 * ARRAY_SIZE(masked_stores));
	tcase_add_loop_test(blocks, vectors_are_native, 0, ARRAY_SIZE(native));
	tcase_add_loop_test(blocks, gathers_are_native, 0, ARRAY_SIZE(gathers));
	suite_add_tcase(s, blocks);
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
