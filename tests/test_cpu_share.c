/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors that share memory and translated code, each in a thread of its own: code that another one or a device changes, locked
 * operations, A and D bits, the order of memory.  The programs are of real mode; each ends with a value for its own port.
 *
 * Only one processor translates at a time, so those that run at the same time have run alone before.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cpu/system.h"
#include "tests/check_main.h"
#include "tests/cpu_board.h"

enum { FIRST = 0x1000, SECOND = 0x2000, FLAG = 0x3000, DATA = 0x5000, DIRECTORY = 0x6000, TABLE = 0x7000 };

/* ---- code that others change ---- */

/* 1: inc byte [FLAG]; jmp 1b; mov al, 7 */
#define PUT_LOOP(board) PUT(board, FIRST, 0xfe, 0x06, 0x00, 0x30, 0xeb, 0xfa, 0xb0, 0x07, END)
enum { LOOP_TARGET = FIRST + 5 };

/* All of it has run, more than once. */
static void
wait_for_loop(struct board *b)
{
	while (__atomic_load_n(&b->bytes[FLAG], __ATOMIC_ACQUIRE) < 3)
		sched_yield();
}

/* A block that jumps to itself, until another processor makes that a jump to the next instruction. */
START_TEST(loop_that_another_ends)
{
	struct board *b = board_new(&ways[_i], PROCESSORS);

	PUT_LOOP(b);
	/* mov [LOOP_TARGET], bl; mov al, 9: at first as it is. */
	PUT(b, SECOND, 0x88, 0x1e, LOOP_TARGET & 0xff, LOOP_TARGET >> 8, 0xb0, 0x09, END);
	cpu_set(b->cpu[1], CPU_RBX, 0xfa);
	ck_assert_int_eq(board_run(b, 1, SECOND), 9);
	board_start(b, 0, FIRST);
	wait_for_loop(b);
	cpu_set(b->cpu[1], CPU_RBX, 0);
	ck_assert_int_eq(board_run(b, 1, SECOND), 9);
	ck_assert_int_eq(board_end(b, 0), 7);
	board_free(b);
}
END_TEST

/* The same by a device's DMA, and by a debugger. */
START_TEST(loop_that_a_device_ends)
{
	for (unsigned k = 0; k < 2; k++) {
		struct board *b = board_new(&ways[_i], PROCESSORS);
		uint8_t zero = 0;

		PUT_LOOP(b);
		board_start(b, 0, FIRST);
		wait_for_loop(b);
		if (k == 0) {
			pthread_mutex_lock(&b->lock);
			ck_assert(dma_write(b->mem, LOOP_TARGET, &zero, 1));
			pthread_mutex_unlock(&b->lock);
		} else {
			/* While it is stopped. */
			cpu_kick(b->cpu[0]);
			ck_assert_int_eq(board_end(b, 0), -1);
			ck_assert(cpu_poke(b->cpu[0], LOOP_TARGET, &zero, 1));
			board_start(b, 0, cpu_get(b->cpu[0], CPU_RIP));
		}
		ck_assert_int_eq(board_end(b, 0), 7);
		board_free(b);
	}
}
END_TEST

/* One has written to a page before the other made code there: what it writes now is seen. */
START_TEST(page_that_becomes_code)
{
	struct board *b = board_new(&ways[_i], PROCESSORS);

	PUT(b, FIRST, 0x88, 0x1e, (DATA + 1) & 0xff, DATA >> 8, 0xb0, 0x01, END); /* mov [DATA + 1], bl; mov al, 1 */
	PUT(b, DATA, 0xb0, 0, END);                                               /* mov al, ? */
	for (unsigned n = 2; n < 10; n++) {
		cpu_set(b->cpu[0], CPU_RBX, n);
		ck_assert_int_eq(board_run(b, 0, FIRST), 1);
		ck_assert_int_eq(board_run(b, 1, DATA), (int)n);
	}
	board_free(b);
}
END_TEST

/* ---- what both change ---- */

/* Counters that LOCK protects: in data, and on the page of the code itself, where each access takes the slow path. */
START_TEST(locked_counters)
{
	for (unsigned k = 0; k < 2; k++) {
		const unsigned at = k ? 0x3700 : FIRST, count = PROCESSORS * 2 * 20000;
		struct board *b = board_new(&ways[_i], PROCESSORS);

		/*
		 * mov esi, 20000; 1: mov eax, [3600h]; mov edx, [3604h]; mov ebx, eax; mov ecx, edx; add ebx, 1; adc ecx, 100h;
		 * lock cmpxchg8b [3600h]; jne 1b; lock inc dword [3402h]; mov eax, 1; lock xadd [3500h], eax; dec esi; jnz 1b; mov al, 1;
		 * mov dx, di
		 */
		PUT(b, at, 0x66, 0xbe, 0x20, 0x4e, 0x00, 0x00, 0x66, 0xa1, 0x00, 0x36, 0x66, 0x8b, 0x16, 0x04, 0x36, 0x66, 0x89, 0xc3,
			0x66, 0x89, 0xd1, 0x66, 0x83, 0xc3, 0x01, 0x66, 0x81, 0xd1, 0x00, 0x01, 0x00, 0x00, 0xf0, 0x0f, 0xc7, 0x0e,
			0x00, 0x36, 0x75, 0xde, 0x66, 0xf0, 0xff, 0x06, 0x02, 0x34, 0x66, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x66, 0xf0,
			0x0f, 0xc1, 0x06, 0x00, 0x35, 0x66, 0x4e, 0x75, 0xc7, 0xb0, 0x01, 0x89, 0xfa, END);
		for (unsigned n = 0; n < PROCESSORS; n++) {
			cpu_set(b->cpu[n], CPU_RDI, PORT + n);
			b->cpu[n]->config.unchained = true;
			ck_assert_int_eq(board_run(b, n, at), 1);
		}
		for (unsigned n = 0; n < PROCESSORS; n++)
			board_start(b, n, at);
		for (unsigned n = 0; n < PROCESSORS; n++)
			ck_assert_int_eq(board_end(b, n), 1);
		ck_assert_uint_eq(load_le(b->bytes + 0x3402, 4), count);
		ck_assert_uint_eq(load_le(b->bytes + 0x3500, 4), count);
		ck_assert_uint_eq(load_le(b->bytes + 0x3600, 8), count + ((uint64_t)count << 40));
		board_free(b);
	}
}
END_TEST

struct toggler {
	uint8_t *entry;
	bool ends, lost;
};

/* Turns a bit of a page table's entry that is the system's own, again and again. */
static void *
toggle(void *opaque)
{
	struct toggler *t = opaque;
	uint32_t bit = 0;

	while (!__atomic_load_n(&t->ends, __ATOMIC_RELAXED)) {
		uint32_t old = __atomic_fetch_xor((uint32_t *)(void *)t->entry, 0x200, __ATOMIC_SEQ_CST);

		t->lost |= (old & 0x200) != bit;
		bit ^= 0x200;
	}
	return NULL;
}

/* A and D are set by atomic operations: what another changes in the entry at the same time stays. */
START_TEST(accessed_and_dirty)
{
	struct board *b = board_new(&ways[_i], PROCESSORS);
	struct toggler t = { .entry = b->bytes + TABLE + DATA / 0x1000 * 4 };
	pthread_t thread;

	store_le(b->bytes + DIRECTORY, TABLE | 3, 4);
	for (unsigned i = 0; i < 256; i++)
		store_le(b->bytes + TABLE + 4 * i, i << 12 | 3, 4);
	cpu_set(b->cpu[0], CPU_CR3, DIRECTORY);
	cpu_set(b->cpu[0], CPU_CR0, 0x80000011);
	/*
	 * mov ecx, 20000; 1: lock and byte [7014h], 9fh; invlpg [DATA]; mov al, [DATA]; test byte [7014h], 20h; jz 3f; mov [DATA], al;
	 * test byte [7014h], 40h; jz 3f; dec ecx; jnz 1b; mov al, 1; 2: out dx, al; jmp $; 3: mov al, 2; jmp 2b
	 */
	PUT(b, FIRST, 0x66, 0xb9, 0x20, 0x4e, 0, 0, 0xf0, 0x80, 0x26, 0x14, 0x70, 0x9f, 0x0f, 0x01, 0x3e, 0x00, 0x50, 0xa0, 0x00, 0x50,
		0xf6, 0x06, 0x14, 0x70, 0x20, 0x74, 0x13, 0xa2, 0x00, 0x50, 0xf6, 0x06, 0x14, 0x70, 0x40, 0x74, 0x09, 0x66, 0x49, 0x75, 0xdd,
		0xb0, 0x01, END, 0xb0, 0x02, 0xeb, 0xf9);
	ck_assert_int_eq(pthread_create(&thread, NULL, toggle, &t), 0);
	ck_assert_int_eq(board_run(b, 0, FIRST), 1);
	__atomic_store_n(&t.ends, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert(!t.lost);
	ck_assert_uint_eq(load_le(t.entry, 4) & ~0x200ull, (DATA | 0x63));
	board_free(b);
}
END_TEST

/* ---- the order of memory ---- */

/* Stores are seen in their order, loads are made in theirs, and a place never goes back to what it was. */
START_TEST(message_passing)
{
	struct board *b = board_new(&ways[_i], PROCESSORS);

	/*
	 * The writer waits until the reader is there:
	 * 1: pause; cmp byte [3200h], 0; je 1b; xor ecx, ecx; 2: inc ecx; mov [3000h], ecx; mov [3100h], ecx; cmp ecx, 200000; jb 2b;
	 * mov al, 1
	 */
	PUT(b, FIRST, 0xf3, 0x90, 0x80, 0x3e, 0x00, 0x32, 0x00, 0x74, 0xf7, 0x66, 0x31, 0xc9, 0x66, 0x41, 0x66, 0x89, 0x0e, 0x00, 0x30,
		0x66, 0x89, 0x0e, 0x00, 0x31, 0x66, 0x81, 0xf9, 0x40, 0x0d, 0x03, 0x00, 0x72, 0xeb, 0xb0, 0x01, END);
	/*
	 * 1: mov byte [3200h], 1; mov eax, [3100h]; mov ebx, [3000h]; mov ecx, [3100h]; cmp ebx, eax; jb 3f; cmp ecx, eax; jb 3f;
	 * cmp eax, 200000; jb 1b; mov al, 1;
	 * 2: out dx, al; jmp $; 3: mov al, 2; jmp 2b
	 */
	PUT(b, SECOND, 0xc6, 0x06, 0x00, 0x32, 0x01, 0x66, 0xa1, 0x00, 0x31, 0x66, 0x8b, 0x1e, 0x00, 0x30, 0x66, 0x8b, 0x0e, 0x00, 0x31,
		0x66, 0x39, 0xc3, 0x72, 0x12, 0x66, 0x39, 0xc1, 0x72, 0x0d, 0x66, 0x3d, 0x40, 0x0d, 0x03, 0x00, 0x72, 0xdb, 0xb0, 0x01, END,
		0xb0, 0x02, 0xeb, 0xf9);
	b->bytes[0x3200] = 1;
	ck_assert_int_eq(board_run(b, 0, FIRST), 1);
	ck_assert_int_eq(board_run(b, 1, SECOND), 1);
	memset(b->bytes + 0x3000, 0, 0x300);
	for (unsigned n = 0; n < PROCESSORS; n++)
		board_start(b, n, n ? SECOND : FIRST);
	for (unsigned n = 0; n < PROCESSORS; n++)
		ck_assert_int_eq(board_end(b, n), 1);
	board_free(b);
}
END_TEST

/* Where a processor gives up its time, when the other has kept it waiting; where it is alone, the other's rounds are announced. */
struct yield {
	struct region port;
	uint8_t *alone;
};

static void
yield_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct yield *y = opaque;

	(void)offset, (void)value, (void)size;
	if (y->alone != NULL)
		store_le(y->alone, 0xffff, 2);
	sched_yield();
}

static const struct region_ops yield_ops = { .write = yield_write, .min_size = 1, .max_size = 1 };

enum { YIELD = 0x20, ROUNDS = 2000, SEEN = 0x4000, SEEN_BYTES = 0x1000 };

static const uint8_t fences[][5] = {
	{ 0xf0, 0x80, 0x4c, 0x40, 0x00 }, /* lock or byte [si + 40h], 0 */
	{ 0x0f, 0xae, 0xf0, 0x90, 0x90 }, /* mfence */
};

/*
 * Each announces its round and waits for the other to; then it stores the round, and looks for what the other has stored, with FENCE
 * in between.  What it waits for is on one line with what is stored, so that the store takes its time.
 */
static void
put_rounds(struct board *b, const uint8_t fence[5])
{
	/*
	 * 1: inc cx; mov [si + 4], cx; 2: mov bx, 1000; 3: cmp [di + 4], cx; jae 4f; pause; dec bx; jnz 3b; out YIELD, al; jmp 2b;
	 * 4: mov [si], cx; FENCE; mov ax, [di]; mov [bp], ax; inc bp; inc bp; cmp cx, ROUNDS; jb 1b; mov al, 1
	 */
	PUT(b, FIRST, 0x41, 0x89, 0x4c, 0x04, 0xbb, 0xe8, 0x03, 0x39, 0x4d, 0x04, 0x73, 0x09, 0xf3, 0x90, 0x4b, 0x75, 0xf6, 0xe6, YIELD,
		0xeb, 0xef, 0x89, 0x0c, fence[0], fence[1], fence[2], fence[3], fence[4], 0x8b, 0x05, 0x89, 0x46, 0x00, 0x45,
		0x45, 0x81, 0xf9, ROUNDS & 0xff, ROUNDS >> 8, 0x72, 0xd7, 0xb0, 0x01, END);
}

static void
prepare_rounds(struct board *b)
{
	memset(b->bytes + 0x3000, 0, 0x200);
	for (unsigned n = 0; n < PROCESSORS; n++) {
		cpu_set(b->cpu[n], CPU_RCX, 0);
		cpu_set(b->cpu[n], CPU_RSI, n ? 0x3100 : 0x3000);
		cpu_set(b->cpu[n], CPU_RDI, n ? 0x3000 : 0x3100);
		cpu_set(b->cpu[n], CPU_RBP, SEEN + SEEN_BYTES * n);
	}
}

/* Each stores, and looks for what the other has stored: with a fence in between, one of them finds it. */
START_TEST(store_buffers)
{
	struct board *b = board_new(&ways[_i % WAYS], PROCESSORS);
	const uint8_t *seen = b->bytes + SEEN;
	struct yield y = { 0 };
	unsigned neither = 0;

	region_init_io(&y.port, "yield", &yield_ops, &y, 1);
	space_add(b->io, &y.port, YIELD, 0);
	put_rounds(b, fences[_i / WAYS]);
	for (unsigned n = 0; n < PROCESSORS; n++) {
		prepare_rounds(b);
		y.alone = b->bytes + (n ? 0x3004 : 0x3104);
		ck_assert_int_eq(board_run(b, n, FIRST), 1);
	}
	prepare_rounds(b);
	y.alone = NULL;
	for (unsigned n = 0; n < PROCESSORS; n++)
		board_start(b, n, FIRST);
	for (unsigned n = 0; n < PROCESSORS; n++)
		ck_assert_int_eq(board_end(b, n), 1);
	for (unsigned n = 0; n < ROUNDS; n++)
		neither += load_le(seen + 2 * n, 2) != n + 1 && load_le(seen + SEEN_BYTES + 2 * n, 2) != n + 1;
	ck_assert_msg(neither == 0, "in %u rounds of %u neither has found it", neither, ROUNDS);
	board_free(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("processors that share");
	TCase *t = tcase_create("programs");
	int n = WAYS;

	tcase_add_loop_test(t, loop_that_another_ends, 0, n);
	tcase_add_loop_test(t, loop_that_a_device_ends, 0, n);
	tcase_add_loop_test(t, page_that_becomes_code, 0, n);
	tcase_add_loop_test(t, locked_counters, 0, n);
	tcase_add_loop_test(t, accessed_and_dirty, 0, n);
	tcase_add_loop_test(t, message_passing, 0, n);
	tcase_add_loop_test(t, store_buffers, 0, n * (int)ARRAY_SIZE(fences));
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return run_suite(s);
}
