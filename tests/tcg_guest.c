/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/tcg_guest.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"

static const uint8_t kinds[GUEST_PAGES] = { PAGE_FAST, PAGE_FAST, PAGE_CODE, PAGE_FAST, PAGE_SLOW, PAGE_SLOW, PAGE_IO, PAGE_FAST,
	PAGE_ROM, PAGE_FAST, PAGE_NONE, PAGE_FAST, PAGE_FAST, PAGE_IO, PAGE_IO, PAGE_FAST };

enum guest_page
guest_page_kind(unsigned page)
{
	return page < GUEST_PAGES ? (enum guest_page)kinds[page] : PAGE_NONE;
}

static struct guest *
guest_of(struct tcg_frame *f)
{
	return (struct guest *)f;
}

/* ---- exceptions ---- */

static void __attribute__((noreturn))
raise_fault(struct tcg_frame *f, enum guest_fault fault, uint64_t address)
{
	guest_of(f)->fault = fault;
	guest_of(f)->fault_address = address;
	tcg_unwind(f);
}

static void __attribute__((noreturn))
divide_error(struct tcg_frame *f)
{
	raise_fault(f, FAULT_DIVIDE, 0);
}

static void __attribute__((noreturn))
general_protection(struct tcg_frame *f)
{
	raise_fault(f, FAULT_PROTECTION, 0);
}

static void __attribute__((noreturn))
simd_exception(struct tcg_frame *f)
{
	raise_fault(f, FAULT_SIMD, 0);
}

static void __attribute__((noreturn))
x87_exception(struct tcg_frame *f)
{
	raise_fault(f, FAULT_X87, 0);
}

static void
x87_cleared(struct tcg_frame *f)
{
	(void)f;
}

/* ---- memory ---- */

static enum guest_page
kind_at(uint64_t linear)
{
	return linear < GUEST_MEMORY ? PAGE_NONE : guest_page_kind((unsigned)MIN((linear - GUEST_MEMORY) / GUEST_PAGE, GUEST_PAGES));
}

static void
check(struct tcg_frame *f, uint64_t linear, unsigned size, bool write)
{
	for (unsigned n = 0; n < size; n++) {
		enum guest_page kind = kind_at(linear + n);

		if (kind == PAGE_NONE || (write && kind == PAGE_ROM))
			raise_fault(f, FAULT_PAGE, linear + n);
	}
}

static void
load(struct tcg_frame *f, uint64_t linear, void *to, unsigned size, unsigned seg)
{
	(void)seg;
	check(f, linear, size, false);
	memcpy(to, guest_of(f)->memory + (linear - GUEST_MEMORY), size);
}

static void
store(struct tcg_frame *f, uint64_t linear, const void *from, unsigned size, unsigned seg)
{
	(void)seg;
	check(f, linear, size, true);
	memcpy(guest_of(f)->memory + (linear - GUEST_MEMORY), from, size);
	/* As if an entry of the shadow had gone, in the middle of a block. */
	tcg_forget_stack(f);
}

static void *
modify(struct tcg_frame *f, uint64_t linear, unsigned size, unsigned seg)
{
	(void)seg;
	check(f, linear, size, true);
	if (kind_at(linear) == PAGE_IO || linear / GUEST_PAGE != (linear + size - 1) / GUEST_PAGE)
		return NULL;
	return guest_of(f)->memory + (linear - GUEST_MEMORY);
}

static uint64_t
linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	if (ea + size - 1 > guest_of(f)->limit[seg] || (access == TCG_WRITE && seg == SEG_CS))
		raise_fault(f, FAULT_SEGMENT, ea);
	return (uint32_t)(f->seg[seg].base + ea);
}

/* ---- code ---- */

void
guest_map(struct guest *g, uint64_t linear, uint64_t phys)
{
	g->f.exec[SHADOW_INDEX(linear)] = (uint32_t)(phys / GUEST_PAGE + 1);
}

static void
translate(struct tcg_frame *f, const struct tcg_key *key, struct ir *ir, unsigned max, struct tcg_code *out)
{
	struct guest *g = guest_of(f);
	char why[200] = "no such block";
	const struct guest_text *t = g->program;

	(void)max;
	out->bytes = 4;
	out->phys2 = ~0ull;
	if (g->prepared != NULL) {
		*ir = *g->prepared;
		return;
	}
	while (t->text != NULL && t->rip != key->rip)
		t++;
	ck_assert_msg(t->text != NULL && ir_parse(ir, t->text, NULL, why, sizeof(why)), "at %#lx: %s", (unsigned long)key->rip, why);
	guest_map(g, key->rip, key->phys);
	if (key->phys % GUEST_PAGE + out->bytes > GUEST_PAGE) {
		out->phys2 = (key->phys + (g->one_frame ? 0 : GUEST_PAGE)) & ~(uint64_t)(GUEST_PAGE - 1);
		guest_map(g, key->rip + GUEST_PAGE, out->phys2);
	}
}

static void
disassemble(struct tcg_frame *f, const struct tcg_key *key, unsigned bytes)
{
	(void)f, (void)key, (void)bytes;
}

static void
protect(void *opaque, uint64_t phys_page)
{
	(void)opaque, (void)phys_page;
}

static const struct tcg_guest callbacks = {
	.linear = linear,
	.load = load,
	.store = store,
	.modify = modify,
	.divide_error = divide_error,
	.general_protection = general_protection,
	.simd_exception = simd_exception,
	.x87_exception = x87_exception,
	.x87_cleared = x87_cleared,
	.translate = translate,
	.disassemble = disassemble,
	.protect = protect,
};

/* ---- running ---- */

static struct tcg_key
key_of(uint64_t rip)
{
	return (struct tcg_key){ .phys = guest_phys(rip), .rip = rip };
}

void
guest_run(struct guest *g, uint64_t until, unsigned max)
{
	struct tcg_from from = { .slot = NULL };

	for (g->entered = 0; g->f.rip != until && g->entered < max; g->entered++) {
		struct tcg_key key = key_of(g->f.rip);
		struct tcg_block *b;

		if (from.plain)
			key.mode |= TCG_PLAIN;
		b = tcg_find(g->tcg, &key);

		if (b == NULL)
			b = tcg_translate(g->tcg, &g->f, &key, 0, true);
		if (from.slot != NULL)
			tcg_chain(g->tcg, &from, b);
		else if (from.indirect)
			tcg_remember(&g->f, g->f.rip, b);
		g->how = tcg_enter(&g->f, b, &from);
		if (g->how != TCG_NEXT)
			return;
	}
}

void
guest_run_block(struct guest *g, const struct ir *ir)
{
	struct tcg_key key = key_of(ir->rip);
	struct tcg_from from;

	g->prepared = ir;
	g->fault = FAULT_NONE;
	g->fault_address = 0;
	g->how = tcg_enter(&g->f, tcg_translate(g->tcg, &g->f, &key, 0, false), &from);
	if (g->how == TCG_NEXT && from.plain) {
		key.mode |= TCG_PLAIN;
		g->how = tcg_enter(&g->f, tcg_translate(g->tcg, &g->f, &key, 0, false), &from);
	}
	g->prepared = NULL;
}

/* ---- making ---- */

static void *
reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void
fill_shadow(struct guest *g)
{
	uint64_t delta = (uint64_t)(uintptr_t)g->memory - GUEST_MEMORY;

	g->f.shadow = reserve((SHADOW_WRITE + SHADOW_ENTRIES) * sizeof(uint64_t));
	for (unsigned n = 0; n < GUEST_PAGES; n++) {
		uint64_t *entry = &g->f.shadow[SHADOW_INDEX(GUEST_MEMORY + n * GUEST_PAGE)];

		if (kinds[n] == PAGE_FAST || kinds[n] == PAGE_CODE || kinds[n] == PAGE_ROM)
			entry[0] = delta;
		if (kinds[n] == PAGE_FAST)
			entry[SHADOW_WRITE] = delta;
	}
	g->f.exec = reserve(SHADOW_ENTRIES * sizeof(uint32_t));
}

struct guest *
guest_new(enum tcg_accel accel)
{
	struct tcg_options options = { .accel = accel, .verify = true, .cache_bytes = 4 << 20 };
	struct guest *g = tcg_frame_alloc(sizeof(*g));
	struct err e = { 0 };

	ck_assert_ptr_nonnull(g);
	g->tcg = tcg_new(&options, &callbacks, &e);
	ck_assert_ptr_nonnull(g->tcg);
	g->memory = reserve(GUEST_PAGES * GUEST_PAGE);
	fill_shadow(g);
	g->f.tcg = g->tcg;
	g->f.guest = &callbacks;
	g->f.jumps = tcg_jumps_new(g->tcg);
	g->f.mxcsr = g->f.host_mxcsr = 0x1f80;
	g->f.flags = flags_from_eflags(0);
	g->f.df = 1;
	tcg_forget_stack(&g->f);
	g->f.direct_delta = TCG_NO_DELTA;
	return g;
}

void
guest_free(struct guest *g)
{
	struct tcg_jump *jumps = g->f.jumps;

	tcg_jumps_free(g->tcg, jumps);
	tcg_free(g->tcg);
	munmap(g->memory, GUEST_PAGES * GUEST_PAGE);
	munmap(g->f.shadow, (SHADOW_WRITE + SHADOW_ENTRIES) * sizeof(uint64_t));
	munmap(g->f.exec, SHADOW_ENTRIES * sizeof(uint32_t));
	tcg_frame_free(g, sizeof(*g));
}
