/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX512-FP16 and VP2INTERSECT, which hardly any host has, from their bytes to the result: what another program made of the
 * manual's pseudo-code with fractions.  test_half.c has the arithmetic of a single element.
 */
#include <setjmp.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cpu/cpuid.h"
#include "cpu/translate.h"
#include "tcg/interp/vec_fp.h"
#include "tests/check_main.h"

enum { PAGE = 4096, RCX = 1, RDI = 7 };
static const uint64_t k1_value = 0xb6d9a5c3, rcx_value = 0xfffd1234;

/* Where a case's result is: register 1, k2 and k3, RCX, memory, flags. */
enum place { X, K, G, M, F };

#define Q(...) __VA_ARGS__
#define CASE(text, bytes, len, one, two, three, place, flags, result)
#define OPERAND(name, value) static const uint64_t name[8] = { value };
#include "tests/avx512_cases.def"

static const struct test_case {
	const char *text, *bytes;
	uint8_t len;
	const uint64_t *one, *two, *three;
	enum place place;
	uint8_t flags;
	uint64_t result[8];
} cases[] = {
#define Q(...) __VA_ARGS__
#define OPERAND(name, value)
#define CASE(text, bytes, len, one, two, three, place, flags, result) { text, bytes, len, one, two, three, place, flags, { result } },
#include "tests/avx512_cases.def"
};

/* ---- a guest of one instruction: linear addresses are those of its memory ---- */

static uint8_t memory[2 * PAGE], code[PAGE];
static unsigned limit; /* what lies behind it faults */
static jmp_buf ended;
enum { NO_FAULT, MEMORY_FAULT, SIMD_FAULT, OTHER_FAULT };

static uint64_t
linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	(void)f, (void)seg, (void)size, (void)access;
	return ea;
}

static uint8_t *
reach(uint64_t at, unsigned size)
{
	if (at + size > limit)
		longjmp(ended, MEMORY_FAULT);
	return memory + at;
}

static void
load(struct tcg_frame *f, uint64_t at, void *to, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy(to, reach(at, size), size);
}

static void
store(struct tcg_frame *f, uint64_t at, const void *from, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy(reach(at, size), from, size);
}

static void *
modify(struct tcg_frame *f, uint64_t at, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	return reach(at, size);
}

static __attribute__((noreturn)) void
simd_exception(struct tcg_frame *f)
{
	(void)f;
	longjmp(ended, SIMD_FAULT);
}

static __attribute__((noreturn)) void
other_fault(struct tcg_frame *f)
{
	(void)f;
	longjmp(ended, OTHER_FAULT);
}

static const struct tcg_guest guest = { .linear = linear, .load = load, .store = store, .modify = modify, .divide_error = other_fault,
	.general_protection = other_fault, .simd_exception = simd_exception, .x87_exception = other_fault };

static struct cpu *cpu;
static struct ir ir;
static struct region region = { .kind = REGION_RAM };

static void
setup(void)
{
	cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);
	memset(cpu, 0, sizeof *cpu);
	cpu->model = calloc(1, sizeof *cpu->model);
	memset(cpu->model->has, true, sizeof cpu->model->has);
	cpu->f.guest = &guest;
	cpu->config.mem = space_new("memory", false);
	region_init_ram(&region, "code", code, PAGE);
	space_add(cpu->config.mem, &region, 0, 0);
	limit = sizeof memory;
}

static void
teardown(void)
{
	space_free(cpu->config.mem);
	free(cpu->model);
	free(cpu);
}

/* How the instruction at the start of CODE ends; it may be undefined: -1. */
static int
run(void)
{
	struct tcg_key key = { .phys = 0, .rip = 0x1000, .mode = MODE_PE | MODE_LMA | MODE_CS64 };
	struct tcg_code out;
	int how;

	ir_reset(&ir, key.rip, 0, true);
	cpu_translate_block(&cpu->f, &key, &ir, 1, &out);
	how = setjmp(ended);
	for (unsigned n = 0; how == NO_FAULT && n < ir.count; n++) {
		const struct ir_insn *i = &ir.insn[n];

		if (i->op == IR_call)
			return -1;
		if (i->op != IR_jmp && i->op != IR_insn)
			interp_insn(&cpu->f, i);
	}
	return how;
}

static void
prepare(const char *bytes, unsigned len, const uint64_t *one, const uint64_t *two, const uint64_t *three)
{
	struct tcg_frame *f = &cpu->f;

	memset(code, 0xcc, sizeof code);
	memcpy(code, bytes, len);
	memset(f->vec, 0xa5, sizeof f->vec);
	memcpy(f->vec[1], one, 64);
	memcpy(f->vec[2], two, 64);
	memcpy(f->vec[3], three, 64);
	memcpy(memory + PAGE, three, 64);
	memset(f->k, 0, sizeof f->k);
	f->k[1] = k1_value;
	f->gpr[RCX] = rcx_value;
	f->gpr[RDI] = PAGE;
	f->flags = flags_from_eflags(0xfff);
	/* Neither DAZ nor FTZ counts. */
	f->mxcsr = MX_FLAGS << MX_MASKS | MX_DAZ | MX_FTZ;
	f->mxcsr &= ~(uint32_t)MX_FLAGS;
}

/* Those that have a single or a double as their source obey DAZ. */
static bool
obeys_daz(const struct test_case *c)
{
	return c->three == SINGLES || c->three == DOUBLES;
}

static void
take_result(enum place place, uint64_t *to)
{
	struct tcg_frame *f = &cpu->f;

	memset(to, 0, 64);
	switch (place) {
	case X:
		memcpy(to, f->vec[1], 64);
		break;
	case K:
		memcpy(to, &f->k[2], 16);
		break;
	case G:
		to[0] = f->gpr[RCX];
		break;
	case M:
		memcpy(to, memory + PAGE, 64);
		break;
	case F:
		to[0] = flags_to_eflags(f->flags) & EFL_ARITH;
		break;
	}
}

START_TEST(one_case)
{
	const struct test_case *c = &cases[_i];
	uint64_t result[8];
	unsigned flags;

	prepare(c->bytes, c->len, c->one, c->two, c->three);
	if (obeys_daz(c))
		cpu->f.mxcsr &= ~(uint32_t)(MX_DAZ | MX_FTZ);
	ck_assert_msg(run() == NO_FAULT, "%s: no result", c->text);
	take_result(c->place, result);
	for (unsigned n = 0; n < 8; n++)
		ck_assert_msg(result[n] == c->result[n], "%s: quadword %u is %016llx, not %016llx", c->text, n, (unsigned long long)result[n],
			(unsigned long long)c->result[n]);
	flags = cpu->f.mxcsr & MX_FLAGS;
	ck_assert_msg(flags == c->flags, "%s: flags %02x, not %02x", c->text, flags, c->flags);
}
END_TEST

/* ---- faults ---- */

static const struct {
	const char *text, *bytes;
	unsigned mxcsr;  /* exceptions that are not masked */
	unsigned behind; /* bytes of the memory operand that can be reached */
	uint64_t k1;
	int how;
} faults[] = {
	{ "vaddph zmm1{k1}, zmm2, [rdi]", "\x62\xf5\x6c\x49\x58\x0f", 0, 30, 0x7fff, NO_FAULT },
	{ "vaddph zmm1{k1}, zmm2, [rdi]", "\x62\xf5\x6c\x49\x58\x0f", 0, 30, 0x8000, MEMORY_FAULT },
	{ "vaddph zmm1{k1}, zmm2, [rdi]{1to32}", "\x62\xf5\x6c\x59\x58\x0f", 0, 2, 0x80000000, NO_FAULT },
	{ "vaddph zmm1{k1}, zmm2, [rdi]{1to32}", "\x62\xf5\x6c\x59\x58\x0f", 0, 1, 0x80000000, MEMORY_FAULT },
	{ "vaddph zmm1{k1}, zmm2, [rdi]{1to32}", "\x62\xf5\x6c\x59\x58\x0f", 0, 0, 0, NO_FAULT },
	{ "vfmaddcph zmm1{k1}, zmm2, [rdi]", "\x62\xf6\x6e\x49\x56\x0f", 0, 4, 1, NO_FAULT },
	{ "vfmaddcph zmm1{k1}, zmm2, [rdi]", "\x62\xf6\x6e\x49\x56\x0f", 0, 4, 2, MEMORY_FAULT },
	{ "vcvtph2pd zmm1{k1}, [rdi]", "\x62\xf5\x7c\x49\x5a\x0f", 0, 14, 0x7f, NO_FAULT },
	{ "vcvtph2pd zmm1{k1}, [rdi]", "\x62\xf5\x7c\x49\x5a\x0f", 0, 14, 0x80, MEMORY_FAULT },
	{ "vcvtpd2ph xmm1{k1}, [rdi]", "\x62\xf5\xfd\x49\x5a\x0f", 0, 56, 0x7f, NO_FAULT },
	{ "vcvtpd2ph xmm1{k1}, [rdi]", "\x62\xf5\xfd\x49\x5a\x0f", 0, 56, 0x80, MEMORY_FAULT },
	{ "vmovsh xmm1{k1}, [rdi]", "\x62\xf5\x7e\x09\x10\x0f", 0, 0, 2, NO_FAULT },
	{ "vmovsh [rdi]{k1}, xmm1", "\x62\xf5\x7e\x09\x11\x0f", 0, 1, 1, MEMORY_FAULT },
	/* Sums of the first elements are inexact. */
	{ "vaddph zmm1{k1}, zmm2, zmm3", "\x62\xf5\x6c\x49\x58\xcb", MX_PE, 64, 0xb6d9a5c3, SIMD_FAULT },
	{ "vaddph zmm1{k1}, zmm2, zmm3", "\x62\xf5\x6c\x49\x58\xcb", MX_PE, 64, 0, NO_FAULT },
	{ "vaddph zmm1{k1}, zmm2, zmm3, {rz-sae}", "\x62\xf5\x6c\x79\x58\xcb", MX_PE, 64, 0xb6d9a5c3, NO_FAULT },
	{ "vaddph zmm1{k1}, zmm2, zmm3", "\x62\xf5\x6c\x49\x58\xcb", MX_IE | MX_ZE | MX_OE, 64, 0xb6d9a5c3, NO_FAULT },
	/* Complex ones are computed as if all were masked. */
	{ "vfmaddcph zmm1{k1}, zmm2, zmm3", "\x62\xf6\x6e\x49\x56\xcb", MX_PE, 64, 0xb6d9a5c3, NO_FAULT },
	/* The destination is a source. */
	{ "vfmaddcph zmm1, zmm1, zmm3", "\x62\xf6\x76\x48\x56\xcb", 0, 64, 0, -1 },
	{ "vfcmulcsh xmm1, xmm2, xmm1", "\x62\xf6\x6f\x08\xd7\xc9", 0, 64, 0, -1 },
	{ "vp2intersectd k2{k1}, zmm2, zmm3", "\x62\xf2\x6f\x49\x68\xd3", 0, 64, 0, -1 },
};

START_TEST(one_fault)
{
	prepare(faults[_i].bytes, 6, OLD, ONE, TWO);
	cpu->f.k[1] = faults[_i].k1;
	cpu->f.mxcsr &= ~(faults[_i].mxcsr << MX_MASKS);
	limit = PAGE + faults[_i].behind;
	ck_assert_msg(run() == faults[_i].how, "%s, mask %llx", faults[_i].text, (unsigned long long)faults[_i].k1);
}
END_TEST

/* An odd mask register names the pair it belongs to. */
START_TEST(odd_pair)
{
	prepare("\x62\xf2\x6f\x48\x68\xdb", 6, OLD, SET_A, SET_B);
	cpu->f.k[1] = cpu->f.k[4] = 77;
	ck_assert_int_eq(run(), NO_FAULT);
	ck_assert(cpu->f.k[1] == 77 && cpu->f.k[4] == 77 && cpu->f.k[2] != 0 && cpu->f.k[3] != 0);
}
END_TEST

/* Without the feature there is no such instruction. */
START_TEST(not_offered)
{
	static const struct { const char *bytes; enum cpu_feature feature; } absent[] = {
		{ "\x62\xf5\x6c\x48\x58\xcb", FEAT_avx512_fp16 }, { "\x62\xf2\x6f\x48\x68\xd3", FEAT_avx512_vp2intersect },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(absent); n++) {
		prepare(absent[n].bytes, 6, OLD, ONE, TWO);
		cpu->model->has[absent[n].feature] = false;
		ck_assert_int_eq(run(), -1);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("avx512");
	TCase *t = tcase_create("instructions");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, one_case, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(t, one_fault, 0, ARRAY_SIZE(faults));
	tcase_add_test(t, odd_pair);
	tcase_add_test(t, not_offered);
	suite_add_tcase(s, t);
	return run_suite(s);
}
