/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run loop: small real-mode programs, in each way that there is of running them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cpu/system.h"
#include "tests/cpu_board.h"

enum { CODE = 0x1000, HANDLER = 0x800, SMBASE = 0x30000 };

static int
run(struct board *b)
{
	return board_run(b, 0, CODE);
}

START_TEST(a_loop)
{
	struct board *b = board_new(&ways[_i], 1);

	/* mov cx, 1000; xor ax, ax; 1: add ax, cx; loop 1b; mov al, ah */
	PUT(b, CODE, 0xb9, 0xe8, 0x03, 0x31, 0xc0, 0x01, 0xc8, 0xe2, 0xfc, 0x88, 0xe0, END);
	ck_assert_int_eq(run(b), 500500 >> 8 & 0xff);
	board_free(b);
}
END_TEST

/* PUSHF shows all of the flags, and leaves them as they were; CLI and STI change IF alone. */
START_TEST(flags_pushed)
{
	struct board *b = board_new(&ways[_i], 1);
	uint16_t seen[4];

	/* mov sp, 800h; xor ax, ax; stc; std; sti; pushf; pushf; cli; cld; jnc $; pushf; mov al, 7fh; inc al; sti; pushf */
	PUT(b, CODE, 0xbc, 0x00, 0x08, 0x31, 0xc0, 0xf9, 0xfd, 0xfb, 0x9c, 0x9c, 0xfa, 0xfc, 0x73, 0xfe, 0x9c, 0xb0, 0x7f, 0xfe, 0xc0,
		0xfb, 0x9c, END);
	run(b);
	memcpy(seen, b->bytes + 0x800 - sizeof(seen), sizeof(seen));
	ck_assert_uint_eq(seen[3], 0x0647);
	ck_assert_uint_eq(seen[2], 0x0647);
	ck_assert_uint_eq(seen[1], 0x0047);
	ck_assert_uint_eq(seen[0], 0x0a93);
	board_free(b);
}
END_TEST

/* What waits comes one instruction after STI. */
START_TEST(sti_has_a_shadow)
{
	struct board *b = board_new(&ways[_i], 1);

	/* mov sp, 800h; mov al, 0; cli; inc ax; sti; inc ax; inc ax; inc ax; out dx, al */
	PUT(b, CODE, 0xbc, 0x00, 0x08, 0xb0, 0x00, 0xfa, 0x40, 0xfb, 0x40, 0x40, 0x40, END);
	ck_assert_int_eq(run(b), 4);
	/* The handler: out dx, al */
	PUT(b, VECTOR * 4, 0x00, 0x09, 0x00, 0x00);
	PUT(b, 0x900, END);
	cpu_set_eflags(b->cpu[0], 2);
	b->interrupted = true;
	cpu_pins(b->cpu[0]).set(b->cpu[0], PIN_INTR, 1);
	ck_assert_int_eq(run(b), 2);
	ck_assert(!b->interrupted);
	board_free(b);
}
END_TEST

static void
stop_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset, (void)value, (void)size;
	cpu_kick(opaque);
}

static const struct region_ops stop_ops = { .write = stop_write, .min_size = 1, .max_size = 4 };

/* ... also where a block ends in between: an interrupt that came right then would come before HLT, which would sleep on. */
START_TEST(sti_ends_a_page)
{
	struct board *b = board_new(&ways[_i], 1);
	struct region page;

	/* Whose write makes the processor stop at the end of its block. */
	region_init_io(&page, "page", &stop_ops, b->cpu[0], 0x1000);
	space_add(b->mem, &page, 0x20000, 1);
	cpu_set(b->cpu[0], CPU_DS, 0x2000);
	cpu_set(b->cpu[0], CPU_RAX, 7);
	cpu_set(b->cpu[0], CPU_RSP, 0x800);
	PUT(b, VECTOR * 4, 0x00, 0x09, 0x00, 0x00);
	PUT(b, 0x900, END);
	/* mov [0], al; sti, and in the next page inc ax twice; out dx, al */
	PUT(b, 0x1ffc, 0xa2, 0x00, 0x00, 0xfb);
	PUT(b, 0x2000, 0x40, 0x40, END);
	cpu_set_eflags(b->cpu[0], 2);
	ck_assert_int_eq(board_run(b, 0, 0x1ffc), -1);
	b->interrupted = true;
	cpu_pins(b->cpu[0]).set(b->cpu[0], PIN_INTR, 1);
	ck_assert_int_eq(board_run(b, 0, b->cpu[0]->f.rip), 8);
	ck_assert(!b->interrupted);
	board_free(b);
}
END_TEST

/* A store into the running block, then one into another page's block that ran before. */
START_TEST(code_that_changes)
{
	struct board *b = board_new(&ways[_i], 1);

	/* mov byte [CODE + 6], 7; mov al, 0 */
	PUT(b, CODE, 0xc6, 0x06, (CODE + 6) & 0xff, CODE >> 8, 7, 0xb0, 0, END);
	ck_assert_int_eq(run(b), 7);
	/* mov byte [0x2001], bl; jmp 0x2000: mov al, ? */
	PUT(b, CODE, 0x88, 0x1e, 0x01, 0x20, 0xe9, 0xf9, 0x0f);
	PUT(b, 0x2000, 0xb0, 0, END);
	tcg_invalidate(cpu_tcg(b->cpu[0]), CODE, 16);
	for (unsigned n = 0; n < 8; n++) {
		cpu_set(b->cpu[0], CPU_RBX, n);
		ck_assert_int_eq(run(b), n);
	}
	board_free(b);
}
END_TEST

/* Blocks made and chained under one limit of CS are not those of a smaller one. */
START_TEST(limit_of_code)
{
	struct board *b = board_new(&ways[_i], 1);

	PUT(b, 4 * EXC_GP, HANDLER & 0xff, HANDLER >> 8, 0, 0);
	PUT(b, HANDLER, 0xb0, EXC_GP, END);
	PUT(b, CODE, 0xb0, 1, 0xe9, 0xfb, 0x00); /* mov al, 1; jmp CODE + 0x100 */
	PUT(b, CODE + 0x100, 0xb0, 2, 0x88, 0xc4, END);
	cpu_set(b->cpu[0], CPU_RSP, 0x8000);
	for (unsigned n = 0; n < 3; n++)
		ck_assert_int_eq(run(b), 2);
	for (unsigned limit = CODE + 0x10; limit <= CODE + 0x102; limit += 0xf1) {
		b->cpu[0]->seg[SEG_CS].limit = limit;
		cpu_segment_changed(b->cpu[0], SEG_CS);
		ck_assert_int_eq(run(b), EXC_GP);
	}
	board_free(b);
}
END_TEST

START_TEST(x87_is_in_the_frame)
{
	struct board *b = board_new(&ways[_i], 1);

	PUT(b, CODE, 0xd9, 0xe8, 0xb0, 3, END); /* fld1; mov al, 3 */
	ck_assert_int_eq(run(b), 3);
	ck_assert_int_eq(b->cpu[0]->f.x87_resident, 0);
	ck_assert_mem_eq(b->cpu[0]->f.x87 + 32, "\0\0\0\0\0\0\0\x80\xff\x3f", 10);
	board_free(b);
}
END_TEST

START_TEST(reset_ends_smm)
{
	struct board *b = board_new(&ways[_i], 1);
	struct cpu_pins pins = cpu_pins(b->cpu[0]);

	PUT(b, CODE, 0xeb, 0xfe);
	PUT(b, SMBASE + 0x8000, 0xb0, 9, END);
	pins.set(pins.cpu, PIN_SMI, 1);
	ck_assert_int_eq(run(b), 9);
	ck_assert(b->smm && b->cpu[0]->smm);
	cpu_reset(b->cpu[0]);
	ck_assert(!b->smm && !b->cpu[0]->smm);
	board_free(b);
}
END_TEST

/* What was written to each of two devices with a page of registers. */
struct pages {
	struct region region[2];
	unsigned count[2];
};

static void
first_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset, (void)value, (void)size;
	++*(unsigned *)opaque;
}

static const struct region_ops page_ops = { .write = first_write, .min_size = 1, .max_size = 4 };

static void
add_pages(struct board *b, struct pages *p)
{
	for (unsigned i = 0; i < 2; i++) {
		p->count[i] = 0;
		region_init_io(&p->region[i], "page", &page_ops, &p->count[i], 0x1000);
		space_add(b->mem, &p->region[i], 0x20000 + 0x1000 * i, 1);
	}
}

/* The page of a device's registers is remembered no longer than its table entry, or the map, lets it be. */
START_TEST(pages_of_devices)
{
	enum { DIRECTORY = 0x6000, TABLE = 0x7000, LINEAR = 0x5000, ENTRY = TABLE + LINEAR / 0x1000 * 4 };
	struct board *b = board_new(&ways[_i], 1);
	struct pages p;

	add_pages(b, &p);
	store_le(b->bytes + DIRECTORY, TABLE | 3, 4);
	for (unsigned i = 0; i < 256; i++)
		store_le(b->bytes + TABLE + 4 * i, i << 12 | 3, 4);
	store_le(b->bytes + ENTRY, 0x20000 | 3, 4);
	cpu_set(b->cpu[0], CPU_CR3, DIRECTORY);
	cpu_set(b->cpu[0], CPU_CR0, 0x80000011);
	/* mov [LINEAR], al twice; mov word [ENTRY], 1003h; invlpg [LINEAR]; mov [LINEAR], al; mov al, 5 */
	PUT(b, CODE, 0xa2, 0x00, 0x50, 0xa2, 0x04, 0x50, 0xc7, 0x06, ENTRY & 0xff, ENTRY >> 8, 0x03, 0x10, 0x0f, 0x01, 0x3e, 0x00, 0x50,
		0xa2, 0x00, 0x50, 0xb0, 5, END);
	ck_assert_int_eq(run(b), 5);
	ck_assert_uint_eq(p.count[0], 2);
	ck_assert_uint_eq(p.count[1], 1);
	/* Now it is the other's; then that goes, and RAM is there. */
	space_remove(&p.region[1]);
	PUT(b, CODE, 0xc6, 0x06, 0x00, 0x50, 0x77, 0xb0, 6, END);
	tcg_invalidate(cpu_tcg(b->cpu[0]), CODE, 32);
	b->bytes[0x21000] = 0;
	ck_assert_int_eq(run(b), 6);
	ck_assert_uint_eq(p.count[1], 1);
	ck_assert_uint_eq(b->bytes[0x21000], 0x77);
	board_free(b);
}
END_TEST

/* What a processor that waits for IRQ 13 asks of the board. */
struct waiting {
	unsigned rises, falls, locks, blocks;
};

static void
count_ferr(void *opaque, unsigned cpu, int level)
{
	struct board *b = opaque;
	struct waiting *w = b->cpu[0]->config.block_opaque;

	ck_assert_uint_eq(cpu, 0);
	w->rises += level != 0;
	w->falls += level == 0;
}

static void
count_lock(void *opaque)
{
	((struct waiting *)opaque)->locks++;
}

static void
no_unlock(void *opaque)
{
	(void)opaque;
}

static bool
stop_soon(void *opaque)
{
	return ++((struct waiting *)opaque)->blocks > 100;
}

START_TEST(x87_waits)
{
	struct board *b = board_new(&ways[_i], 1);
	struct waiting w = { 0 };

	b->face.ferr = count_ferr;
	b->cpu[0]->config.before_block = stop_soon;
	b->cpu[0]->config.block_opaque = b->cpu[0]->config.lock_opaque = &w;
	b->cpu[0]->config.lock = count_lock;
	b->cpu[0]->config.unlock = no_unlock;
	/* mov word [900h], 37eh; fldcw [900h]; fld1; fchs; fsqrt; 1: fwait; jmp 1b */
	PUT(b, CODE, 0xc7, 0x06, 0x00, 0x09, 0x7e, 0x03, 0xd9, 0x2e, 0x00, 0x09, 0xd9, 0xe8, 0xd9, 0xe0, 0xd9, 0xfa, 0x9b, 0xeb, 0xfd);
	for (unsigned n = 1; n <= 2; n++) {
		ck_assert_int_eq(run(b), -1);
		ck_assert_uint_eq(b->cpu[0]->f.rip, CODE + 16);
		ck_assert_uint_eq(w.blocks, 101);
		ck_assert_uint_eq(w.rises, n);
		ck_assert_uint_eq(w.locks, n);
		cpu_reset(b->cpu[0]);
		cpu_set(b->cpu[0], CPU_CS, 0);
		ck_assert_uint_eq(w.falls, n);
		w.blocks = 0;
	}
	board_free(b);
}
END_TEST

/* A chain of blocks that is longer than the memory for code, so what is ahead of it and behind it goes while it runs. */
START_TEST(cache_that_fills)
{
	enum { BLOCKS = 10000, AT = 0x10000, STEP = 6, ROUNDS = 8 };
	struct board *b = board_new(&ways[_i], 1);

	for (unsigned n = 0; n < BLOCKS; n++)
		PUT(b, AT + STEP * n, 0x66, 0x41, 0xe9, 0x01, 0x00, 0x0b); /* inc ecx; jmp +1 */
	PUT(b, AT + STEP * BLOCKS, 0xb0, 1, END);
	cpu_set(b->cpu[0], CPU_RCX, 0);
	/* The same bytes in other segments are other blocks. */
	for (unsigned n = 0; n < 2 * ROUNDS; n++) {
		unsigned k = n % ROUNDS;

		cpu_set(b->cpu[0], CPU_CS, (AT >> 4) - k);
		ck_assert_int_eq(board_run(b, 0, 16 * k), 1);
		ck_assert_uint_eq(cpu_get(b->cpu[0], CPU_RCX), (n + 1) * BLOCKS);
	}
	ck_assert_uint_gt(tcg_stats(cpu_tcg(b->cpu[0])).flushes, 0);
	board_free(b);
}
END_TEST

/* 64-bit code of level 0 at CODE, with a gate for #DB to HANDLER on a stack of its own. */
static void
enter_long_mode(struct board *b, uint64_t stack)
{
	enum { TABLES = 0x6000, GDT = 0x9000, IDT = 0xa000, TSS = 0xb000,
		EXECUTABLE = SF_P | SF_S | SF_CODE | SF_READ | SF_ACCESSED | SF_L };
	struct cpu *c = b->cpu[0];

	store_le(b->bytes + TABLES, (TABLES + 0x1000) | 3, 8);
	store_le(b->bytes + TABLES + 0x1000, (TABLES + 0x2000) | 3, 8);
	store_le(b->bytes + TABLES + 0x2000, 0x83, 8);
	store_le(b->bytes + GDT + 8, (uint64_t)EXECUTABLE << 40, 8);
	store_le(b->bytes + IDT + 16 * EXC_DB, HANDLER | 8 << 16 | 1ull << 32 | 0x8eull << 40, 8);
	store_le(b->bytes + TSS + 0x24, stack, 8);
	cpu_set(c, CPU_CR4, CR4_PAE);
	cpu_set(c, CPU_CR3, TABLES);
	cpu_set(c, CPU_EFER, EFER_LME);
	cpu_set(c, CPU_CR0, CR0_PG | CR0_ET | CR0_PE);
	c->gdtr.base = GDT, c->gdtr.limit = 15;
	c->idtr.base = IDT, c->idtr.limit = 0xfff;
	c->tr = (struct segment){ .selector = 16, .flags = SF_P | 11, .limit = 0x67, .base = TSS };
	c->seg[SEG_CS] = (struct segment){ .selector = 8, .flags = EXECUTABLE };
	cpu_segment_changed(c, SEG_CS);
	cpu_set(c, CPU_RSP, 0x5000);
}

/* A breakpoint on the frame of #DB itself, always at the same place: deliveries without end, until a kick, a stop or a reset. */
START_TEST(trap_that_meets_itself)
{
	enum { STACK = 0xd000 };
	struct board *b = board_new(&ways[_i], 1);
	struct waiting w = { 0 };

	b->cpu[0]->config.before_block = stop_soon;
	b->cpu[0]->config.block_opaque = &w;
	enter_long_mode(b, STACK);
	PUT(b, CODE, 0xf1); /* int1 */
	PUT(b, HANDLER, 0xff, 0xc3, 0xeb, 0xfe); /* inc ebx; jmp $ */
	b->cpu[0]->dr[0] = STACK - 8;
	b->cpu[0]->dr[7] = 0x90402;
	cpu_update_mode(b->cpu[0]);
	cpu_set(b->cpu[0], CPU_RBX, 0);
	ck_assert_int_eq(run(b), -1);
	ck_assert_uint_eq(b->cpu[0]->f.rip, HANDLER);
	ck_assert_uint_eq(b->cpu[0]->f.gpr[3], 0);
	ck_assert_uint_ge(b->cpu[0]->exceptions[EXC_DB], 99);
	ck_assert_uint_eq(b->cpu[0]->f.gpr[4], STACK - 40);
	ck_assert_uint_eq(load_le(b->bytes + STACK - 40, 8), HANDLER);
	w.blocks = 0;
	cpu_kick(b->cpu[0]);
	cpu_run(b->cpu[0]);
	ck_assert_uint_eq(w.blocks, 0);
	cpu_reset(b->cpu[0]);
	cpu_set(b->cpu[0], CPU_CS, 0);
	PUT(b, CODE, 0xb0, 4, END);
	tcg_invalidate(cpu_tcg(b->cpu[0]), CODE, 16);
	ck_assert_int_eq(run(b), 4);
	board_free(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("run loop");
	TCase *t = tcase_create("programs");
	SRunner *r = srunner_create(s);
	int failed, n = WAYS - 1;

	tcase_add_loop_test(t, a_loop, 0, n);
	tcase_add_loop_test(t, flags_pushed, 0, n);
	tcase_add_loop_test(t, sti_has_a_shadow, 0, n);
	tcase_add_loop_test(t, sti_ends_a_page, 0, n);
	tcase_add_loop_test(t, code_that_changes, 0, n);
	tcase_add_loop_test(t, limit_of_code, 0, n);
	tcase_add_loop_test(t, x87_is_in_the_frame, 0, n);
	tcase_add_loop_test(t, x87_waits, 0, n);
	tcase_add_loop_test(t, reset_ends_smm, 0, n);
	tcase_add_loop_test(t, pages_of_devices, 0, n);
	tcase_add_loop_test(t, trap_that_meets_itself, 0, n);
	tcase_add_loop_test(t, cache_that_fills, 0, n);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
