/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes, in any mode, make a correct block: the verifier passes it, its text comes back, and the host's back end compiles
 * it.  Half of the instructions are sensible ones (prefixes, one of the maps, ModRM), half are noise.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/util.h"
#include "cpu/cpuid.h"
#include "cpu/state.h"
#include "cpu/translate.h"
#include "tcg/tcg.h"

enum { PAGE = 4096, BATCHES = 8, BLOCKS = 4000 };

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed * 0x2545f4914f6cdd1dull >> 33) % n;
}

/* ---- code ---- */

static unsigned
put_insn(uint8_t *to)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65 };
	unsigned n = 0;

	while (below(3) == 0 && n < 4)
		to[n++] = prefixes[below(ARRAY_SIZE(prefixes))];
	if (below(3) == 0)
		to[n++] = (uint8_t)(0x40 | below(16));
	if (below(2) == 0) {
		to[n++] = 0x0f;
		if (below(4) == 0)
			to[n++] = below(2) ? 0x38 : 0x3a;
	}
	return n;
}

static void
fill(uint8_t *code, unsigned size)
{
	for (unsigned n = 0; n < size; n++)
		code[n] = (uint8_t)below(256);
	for (unsigned n = 0; n + 32 < size; n += 1 + below(14))
		n += put_insn(code + n);
}

/* ---- the guest ---- */

static struct ir last;

static void
translate(struct tcg_frame *f, const struct tcg_key *key, struct ir *ir, unsigned max, struct tcg_code *out)
{
	cpu_translate_block(f, key, ir, max, out);
	last = *ir;
	ck_assert_ptr_eq(ir_verify(ir), NULL);
}

static void
disassemble(struct tcg_frame *f, const struct tcg_key *key, unsigned bytes)
{
	(void)f, (void)key, (void)bytes;
}

static void
protect(void *opaque, uint64_t page)
{
	(void)opaque, (void)page;
}

static const struct tcg_guest callbacks = { .translate = translate, .disassemble = disassemble, .protect = protect };

struct machine {
	uint8_t *code;
	struct cpu *cpu;
	struct tcg *tcg;
	struct space *space;
	struct region region;
};

static void
machine_make(struct machine *m)
{
	struct tcg_options options = { .accel = ACCEL_NATIVE, .cache_bytes = 4 << 20 };
	struct err e;

	m->code = xcalloc(1, PAGE);
	m->cpu = tcg_frame_alloc(sizeof(*m->cpu));
	m->cpu->model = xcalloc(1, sizeof(*m->cpu->model));
	memset(m->cpu->model->has, true, sizeof(m->cpu->model->has));
	m->space = space_new("memory", false);
	region_init_ram(&m->region, "code", m->code, PAGE);
	space_add(m->space, &m->region, 0, 0);
	m->cpu->config.mem = m->space;
	m->cpu->seg[SEG_CS].limit = 0xffffffff;
	m->tcg = tcg_new(&options, &callbacks, &e);
	ck_assert_ptr_nonnull(m->tcg);
	m->cpu->f.tcg = m->tcg;
	m->cpu->f.guest = &callbacks;
}

static void
machine_free(struct machine *m)
{
	tcg_free(m->tcg);
	space_free(m->space);
	free(m->cpu->model);
	tcg_frame_free(m->cpu, sizeof(*m->cpu));
	free(m->code);
}

/* Bits as the processor can have them together. */
static uint32_t
any_mode(void)
{
	static const uint32_t codes[] = { MODE_PE | MODE_LMA | MODE_CS64, MODE_PE | MODE_LMA | MODE_CS64, MODE_PE | MODE_CS32 | MODE_SS32 | MODE_FLAT,
		MODE_PE | MODE_CS32 | MODE_SS32, MODE_PE | MODE_CS32, MODE_PE | MODE_SS32, MODE_PE, 0, MODE_PE | MODE_VM | MODE_CPL };
	uint32_t mode = codes[below(ARRAY_SIZE(codes))] | below(4);

	for (uint32_t bit = MODE_TF; bit <= MODE_OSXSAVE; bit <<= 1)
		if (below(12) == 0)
			mode |= bit;
	return mode;
}

/* ---- the text, with the helpers of the block itself ---- */

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

static void
check_text(const struct ir *ir)
{
	const struct ir_helper *helpers[IR_MAX_INSNS + 1];
	struct ir *again = xcalloc(1, sizeof(*again));
	char *text = print(ir), *back, why[200] = "";
	unsigned count = 0;

	for (unsigned n = 0; n < ir->count; n++)
		if (ir->insn[n].op == IR_call || ir->insn[n].op == IR_call_if)
			helpers[count++] = (const struct ir_helper *)(uintptr_t)ir->insn[n].imm;
	helpers[count] = NULL;
	ck_assert_msg(ir_parse(again, text, helpers, why, sizeof(why)), "%s in %s", why, text);
	back = print(again);
	ck_assert_str_eq(back, text);
	for (unsigned n = 0; n < ir->count; n++) {
		struct ir_insn i = ir->insn[n];

		if (i.mem.index == IR_NO_REG) /* a scale of nothing isn't printed */
			i.mem.scale = 0;
		ck_assert_msg(memcmp(&i, &again->insn[n], sizeof(i)) == 0, "operation %u of %s", n, text);
	}
	free(again);
	free(back);
	free(text);
}

START_TEST(any_bytes_make_a_block)
{
	struct machine m = { 0 };

	seed = 0x9e3779b97f4a7c15ull * (unsigned)(_i + 1);
	machine_make(&m);
	for (unsigned n = 0; n < BLOCKS; n++) {
		unsigned at = below(PAGE - 64);
		struct tcg_key key = { .phys = at, .rip = 0x7000 + at, .mode = any_mode() };

		if (n % 100 == 0)
			fill(m.code, PAGE);
		m.cpu->mode = key.mode;
		tcg_translate(m.tcg, &m.cpu->f, &key, 0, false);
		if (n % 8 == 0)
			check_text(&last);
	}
	machine_free(&m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cpu_translate");
	TCase *t = tcase_create("any bytes");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, any_bytes_make_a_block, 0, BATCHES);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
