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

#include "base/err.h"
#include "base/util.h"
#include "cpu/system.h"
#include "tests/check_main.h"

enum { RAM_BYTES = 1 << 20, PORT = 0x10, FIRST = 0x1000, SECOND = 0x2000, FLAG = 0x3000, DATA = 0x5000, DIRECTORY = 0x6000,
	TABLE = 0x7000, PROCESSORS = 2 };

struct board {
	struct space *mem, *io;
	struct region ram, port;
	uint8_t *bytes;
	struct cpu *cpu[PROCESSORS];
	struct cpu_board face;
	pthread_t thread[PROCESSORS];
	pthread_mutex_t lock;
	int written[PROCESSORS]; /* -1: nothing yet */
};

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct board *b = opaque;

	(void)size;
	b->written[offset] = (int)value;
	cpu_kick(b->cpu[offset]);
}

static const struct region_ops port_ops = { .write = port_write, .min_size = 1, .max_size = 1 };

static int
no_interrupt(void *opaque)
{
	(void)opaque;
	return -1;
}

static void
shut_down(void *opaque)
{
	(void)opaque;
	ck_abort_msg("a triple fault");
}

static void
lock(void *opaque)
{
	pthread_mutex_lock(&((struct board *)opaque)->lock);
}

static void
unlock(void *opaque)
{
	pthread_mutex_unlock(&((struct board *)opaque)->lock);
}

static uint64_t
no_time(void *opaque)
{
	(void)opaque;
	return 0;
}

static const struct tcg_options ways[] = {
	{ .accel = ACCEL_NATIVE, .verify = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_NATIVE, .verify = true, .one_insn = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_NATIVE, .verify = true, .portable = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_INTERP, .verify = true, .cache_bytes = 4 << 20 },
};

static struct board *
board_new(const struct tcg_options *way)
{
	struct board *b = xcalloc(1, sizeof(*b));
	struct cpu_config config = { .model = "max", .now_ns = no_time, .tcg = *way, .lock = lock, .unlock = unlock, .lock_opaque = b };
	struct err e = { 0 };

	pthread_mutex_init(&b->lock, NULL);
	b->bytes = xcalloc(1, RAM_BYTES);
	b->mem = space_new("memory", false);
	b->io = space_new("ports", true);
	region_init_ram(&b->ram, "ram", b->bytes, RAM_BYTES);
	space_add(b->mem, &b->ram, 0, 0);
	region_init_io(&b->port, "port", &port_ops, b, PROCESSORS);
	space_add(b->io, &b->port, PORT, 0);
	b->face = (struct cpu_board){ .opaque = b, .intr_ack = no_interrupt, .shutdown = shut_down };
	config.mem = b->mem;
	config.io = b->io;
	config.board = &b->face;
	config.ram = b->bytes;
	for (unsigned n = 0; n < PROCESSORS; n++) {
		config.id = n;
		b->cpu[n] = cpu_new(&config, &e);
		ck_assert_msg(b->cpu[n] != NULL, "%s", e.text);
		config.shared = cpu_tcg(b->cpu[0]);
		b->cpu[n]->wait_sipi = false;
		cpu_set(b->cpu[n], CPU_CS, 0);
	}
	return b;
}

static void
board_free(struct board *b)
{
	for (unsigned n = PROCESSORS; n--;)
		cpu_free(b->cpu[n]);
	space_free(b->mem);
	space_free(b->io);
	pthread_mutex_destroy(&b->lock);
	free(b->bytes);
	free(b);
}

struct start {
	struct board *board;
	unsigned n;
};

static void *
processor(void *opaque)
{
	struct start *s = opaque;

	cpu_run(s->board->cpu[s->n]);
	free(s);
	return NULL;
}

/* Processor N begins at AT. */
static void
start(struct board *b, unsigned n, uint64_t at)
{
	struct start *s = xcalloc(1, sizeof(*s));

	*s = (struct start){ b, n };
	b->written[n] = -1;
	cpu_set(b->cpu[n], CPU_RIP, at);
	cpu_set(b->cpu[n], CPU_RDX, PORT + n);
	cpu_set(b->cpu[n], CPU_RDI, PORT + n);
	ck_assert_int_eq(pthread_create(&b->thread[n], NULL, processor, s), 0);
}

/* What it has written, once it has. */
static int
end(struct board *b, unsigned n)
{
	pthread_join(b->thread[n], NULL);
	return b->written[n];
}

static int
run(struct board *b, unsigned n, uint64_t at)
{
	start(b, n, at);
	return end(b, n);
}

#define PUT(board, at, ...) memcpy((board)->bytes + (at), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define END 0xee, 0xeb, 0xfe /* out dx, al; jmp $ */

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
	struct board *b = board_new(&ways[_i]);

	PUT_LOOP(b);
	/* mov [LOOP_TARGET], bl; mov al, 9: at first as it is. */
	PUT(b, SECOND, 0x88, 0x1e, LOOP_TARGET & 0xff, LOOP_TARGET >> 8, 0xb0, 0x09, END);
	cpu_set(b->cpu[1], CPU_RBX, 0xfa);
	ck_assert_int_eq(run(b, 1, SECOND), 9);
	start(b, 0, FIRST);
	wait_for_loop(b);
	cpu_set(b->cpu[1], CPU_RBX, 0);
	ck_assert_int_eq(run(b, 1, SECOND), 9);
	ck_assert_int_eq(end(b, 0), 7);
	board_free(b);
}
END_TEST

/* The same by a device's DMA, and by a debugger. */
START_TEST(loop_that_a_device_ends)
{
	for (unsigned k = 0; k < 2; k++) {
		struct board *b = board_new(&ways[_i]);
		uint8_t zero = 0;

		PUT_LOOP(b);
		start(b, 0, FIRST);
		wait_for_loop(b);
		if (k == 0) {
			lock(b);
			ck_assert(dma_write(b->mem, LOOP_TARGET, &zero, 1));
			unlock(b);
		} else {
			/* While it is stopped. */
			cpu_kick(b->cpu[0]);
			ck_assert_int_eq(end(b, 0), -1);
			ck_assert(cpu_poke(b->cpu[0], LOOP_TARGET, &zero, 1));
			start(b, 0, cpu_get(b->cpu[0], CPU_RIP));
		}
		ck_assert_int_eq(end(b, 0), 7);
		board_free(b);
	}
}
END_TEST

/* One has written to a page before the other made code there: what it writes now is seen. */
START_TEST(page_that_becomes_code)
{
	struct board *b = board_new(&ways[_i]);

	PUT(b, FIRST, 0x88, 0x1e, (DATA + 1) & 0xff, DATA >> 8, 0xb0, 0x01, END); /* mov [DATA + 1], bl; mov al, 1 */
	PUT(b, DATA, 0xb0, 0, END);                                               /* mov al, ? */
	for (unsigned n = 2; n < 10; n++) {
		cpu_set(b->cpu[0], CPU_RBX, n);
		ck_assert_int_eq(run(b, 0, FIRST), 1);
		ck_assert_int_eq(run(b, 1, DATA), (int)n);
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
		struct board *b = board_new(&ways[_i]);

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
			b->cpu[n]->config.unchained = true;
			ck_assert_int_eq(run(b, n, at), 1);
		}
		for (unsigned n = 0; n < PROCESSORS; n++)
			start(b, n, at);
		for (unsigned n = 0; n < PROCESSORS; n++)
			ck_assert_int_eq(end(b, n), 1);
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
	struct board *b = board_new(&ways[_i]);
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
	ck_assert_int_eq(run(b, 0, FIRST), 1);
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
	struct board *b = board_new(&ways[_i]);

	/* xor ecx, ecx; 1: inc ecx; mov [3000h], ecx; mov [3100h], ecx; cmp ecx, 200000; jb 1b; mov al, 1 */
	PUT(b, FIRST, 0x66, 0x31, 0xc9, 0x66, 0x41, 0x66, 0x89, 0x0e, 0x00, 0x30, 0x66, 0x89, 0x0e, 0x00, 0x31, 0x66, 0x81, 0xf9, 0x40, 0x0d,
		0x03, 0x00, 0x72, 0xeb, 0xb0, 0x01, END);
	/*
	 * 1: mov eax, [3100h]; mov ebx, [3000h]; mov ecx, [3100h]; cmp ebx, eax; jb 3f; cmp ecx, eax; jb 3f;
	 * cmp eax, 200000; jb 1b; mov al, 1;
	 * 2: out dx, al; jmp $; 3: mov al, 2; jmp 2b
	 */
	PUT(b, SECOND, 0x66, 0xa1, 0x00, 0x31, 0x66, 0x8b, 0x1e, 0x00, 0x30, 0x66, 0x8b, 0x0e, 0x00, 0x31, 0x66, 0x39, 0xc3, 0x72, 0x12,
		0x66, 0x39, 0xc1, 0x72, 0x0d, 0x66, 0x3d, 0x40, 0x0d, 0x03, 0x00, 0x72, 0xe0, 0xb0, 0x01, END, 0xb0, 0x02, 0xeb, 0xf9);
	for (unsigned alone = 2; alone--;) {
		store_le(b->bytes + 0x3000, 0, 4), store_le(b->bytes + 0x3100, 0, 4);
		start(b, 0, FIRST);
		if (alone)
			ck_assert_int_eq(end(b, 0), 1);
		start(b, 1, SECOND);
		if (!alone)
			ck_assert_int_eq(end(b, 0), 1);
		ck_assert_int_eq(end(b, 1), 1);
	}
	board_free(b);
}
END_TEST

/* Each stores, and looks for what the other has stored: with a fence in between, one of them finds it. */
START_TEST(store_buffers)
{
	struct board *b = board_new(&ways[_i]);

	for (unsigned fence = 0; fence < 2; fence++) {
		/* mov byte [si], 1; then mfence, or lock or byte [bx], 0 (and a nop); mov al, [bp] */
		PUT(b, FIRST, 0xc6, 0x04, 0x01, 0x0f, 0xae, 0xf0, 0x90, 0x8a, 0x46, 0x00, END);
		if (fence)
			PUT(b, FIRST + 3, 0xf0, 0x80, 0x0f, 0x00);
		tcg_invalidate(cpu_tcg(b->cpu[0]), FIRST, 16);
		for (unsigned n = 0; n < PROCESSORS; n++) {
			cpu_set(b->cpu[n], CPU_RSI, n ? 0x3100 : 0x3000);
			cpu_set(b->cpu[n], CPU_RBP, n ? 0x3000 : 0x3100);
			cpu_set(b->cpu[n], CPU_RBX, 0x3200 + 0x100 * n);
			b->cpu[n]->config.unchained = true;
			ck_assert_int_ge(run(b, n, FIRST), 0);
		}
		for (unsigned round = 0; round < 300; round++) {
			b->bytes[0x3000] = b->bytes[0x3100] = 0;
			for (unsigned n = 0; n < PROCESSORS; n++)
				start(b, n, FIRST);
			ck_assert_int_ge(end(b, 0) + end(b, 1), 1);
		}
	}
	board_free(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("processors that share");
	TCase *t = tcase_create("programs");
	int n = ARRAY_SIZE(ways);

	tcase_add_loop_test(t, loop_that_another_ends, 0, n);
	tcase_add_loop_test(t, loop_that_a_device_ends, 0, n);
	tcase_add_loop_test(t, page_that_becomes_code, 0, n);
	tcase_add_loop_test(t, locked_counters, 0, n);
	tcase_add_loop_test(t, accessed_and_dirty, 0, n);
	tcase_add_loop_test(t, message_passing, 0, n);
	tcase_add_loop_test(t, store_buffers, 0, n);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return run_suite(s);
}
